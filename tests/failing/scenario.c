/* What a relay asks of its store in two lives, and what must be there in the third, on a disk that works again.
 *
 * Ten messages of two recipients, in the database, in files that the store makes and in files that the content port
 * made; one by one and three in a commit; tried again, done with, held, released, removed; a list, a backup.  A life
 * ends as the relay's does: after a failure that is fatal at once, with EX_IOERR, else closed in order. */
#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "tests/failing/failing.h"
#include "tests/support/store_driver.h"

enum { SPOOL_FROM = 32 * 1024, FILE_FROM = 64 * 1024, PART = 50 * 1000 };
static const uint32_t sizes[MESSAGES] = {1000, 20000, 40000, 200000, 2000, 40000, 300000, 100000, 3000, 50000};
static const struct store_options options = {.spool_threshold = SPOOL_FROM, .spool_over = FILE_FROM};

static struct driver d;

#ifdef SLUICE_SANITIZED
int __lsan_do_recoverable_leak_check(void);
#else
static int __lsan_do_recoverable_leak_check(void) { return 0; }
#endif

static void wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void wrong(const char *format, ...)
{
    size_t n = strlen(shared->wrong);
    va_list rest;
    va_start(rest, format);
    vsnprintf(shared->wrong + n, TEXT_MOST - n, format, rest);
    va_end(rest);
    n = strlen(shared->wrong);
    snprintf(shared->wrong + n, TEXT_MOST - n, "; ");
}

static unsigned descriptors(void)
{
    unsigned n = 0;
    DIR *all = opendir("/proc/self/fd");
    INVARIANT(all != NULL);
    while (readdir(all)) n++;
    closedir(all);
    return n;
}

static struct str content_of(unsigned m)
{
    static char bytes[MESSAGES][300000];
    for (uint32_t i = 0, x = m + 1; i < sizes[m]; i++) {
        x = x * 1664525u + 1013904223u;
        bytes[m][i] = (char)(x >> 24);
    }
    return (struct str){bytes[m], sizes[m]};
}

static struct str id_of(unsigned m)
{
    static char ids[MESSAGES][8];
    snprintf(ids[m], sizeof ids[m], "M%u", m);
    return str_of(ids[m]);
}

/* --- a life ------------------------------------------------------------------------------------------------------- */

/* The relay hears of it on its loop: once the answers were given. */
static void end_if_fatal(void)
{
    if (d.fatal) _exit(EX_IOERR);
}

static uint8_t answered(const struct answer *a) { return a->ok ? SAID_OK : SAID_FAILED; }

struct writing {
    struct content_file *file;
    struct stored_message message;
    struct stored_recipient to[RECIPIENTS];
    struct store_write write;
    struct answer answer;
};

/* As an arrival does: content that outgrows its buffer goes through the port.  False: no place for it, so nobody was
 * promised anything. */
static bool take_content(struct writing *w, unsigned m, struct str all)
{
    struct err e;
    w->message = plain_message(id_of(m), all, w->to);
    if (all.n <= FILE_FROM) return true;
    w->file = d.content.create(d.content.self, id_of(m), &e);
    bool ok = w->file != NULL;
    for (struct str rest = all; ok && rest.n;) {
        size_t n = rest.n < PART ? rest.n : PART;
        ok = d.content.append(d.content.self, w->file, (struct str){rest.p, n}, &e);
        rest = str_from(rest, n);
    }
    ok = ok && d.content.seal(d.content.self, w->file, &e);
    if (!ok) return false;
    w->message.content = d.content.view(d.content.self, w->file);
    w->message.spool = d.content.spool(d.content.self, w->file);
    return true;
}

static void begin_writing(struct writing *w, unsigned m)
{
    memset(w, 0, sizeof *w);
    if (!take_content(w, m, content_of(m))) return;
    w->to[1] = w->to[0];
    w->to[1].address = STR("also@example.net");
    w->message.recipient_count = RECIPIENTS;
    w->write = (struct store_write){.messages = &w->message, .message_count = 1, .now = 900};
    shared->messages[m].write = UNANSWERED;
    driver_write(&d, &w->write, &w->answer);
}

static void end_writing(struct writing *w, unsigned m)
{
    struct told *t = &shared->messages[m];
    if (t->write == UNANSWERED) t->write = answered(&w->answer);
    for (int i = 0; t->write == SAID_OK && i < RECIPIENTS; i++) t->id[i] = w->to[i].id;
    if (w->file && t->write == SAID_OK) d.content.keep(d.content.self, w->file);
    d.content.free(d.content.self, w->file);
}

static void write_together(unsigned first, unsigned n)
{
    struct writing w[MESSAGES];
    for (unsigned i = 0; i < n; i++) begin_writing(&w[i], first + i);
    driver_run(&d);
    for (unsigned i = 0; i < n; i++) end_writing(&w[i], first + i);
    end_if_fatal();
}

static bool stands(unsigned m, int r)
{
    return shared->messages[m].write == SAID_OK && shared->messages[m].done[r] == NOT_ASKED;
}

static void finish(unsigned m, int r, enum outcome_kind kind)
{
    struct told *t = &shared->messages[m];
    if (!stands(m, r)) return;
    struct outcome o = {
        .recipient = t->id[r], .kind = kind, .reason = STR("451 later"), .attempts = 1, .next_try = 5000};
    struct store_write w = {.outcomes = &o, .outcome_count = 1, .now = 950};
    struct answer a;
    if (kind == OUTCOME_DONE) t->done[r] = UNANSWERED;
    driver_write(&d, &w, &a);
    driver_run(&d);
    if (kind == OUTCOME_DONE) t->done[r] = answered(&a);
    end_if_fatal();
}

static void change(unsigned m, int r, enum change_kind kind)
{
    struct told *t = &shared->messages[m];
    if (!stands(m, r)) return;
    struct store_change c = {
        .kind = kind, .recipients = &t->id[r], .recipient_count = 1, .text = STR("by hand"), .now = 960};
    struct answer a;
    if (kind == CHANGE_REMOVE) t->done[r] = UNANSWERED;
    t->state_unknown[r] = true;
    driver_change(&d, &c, &a);
    driver_run(&d);
    t->state_unknown[r] = false;
    if (kind == CHANGE_REMOVE)
        t->done[r] = answered(&a);
    else if (a.ok)
        t->state[r] = kind == CHANGE_HOLD ? RECIPIENT_HELD : RECIPIENT_QUEUED;
    end_if_fatal();
}

/* Whether what is read is what was written; a failure to read is none of that. */
static bool same(const struct stored_message *m, struct str want, struct err *e)
{
    if (!m->spool.n) return str_eq(m->content, want);
    struct content_file *f = d.content.open(d.content.self, m->spool, e);
    bool ok = !f || str_eq(d.content.view(d.content.self, f), want);
    d.content.free(d.content.self, f);
    return ok;
}

static void read_as_a_delivery(unsigned m)
{
    struct read_back back;
    struct err e;
    if (!stands(m, 0)) return;
    driver_read(&d, QUERY_MESSAGE, id_of(m), &back);
    if (back.answer.ok && (back.message_count != 1 || !same(&back.messages[0], content_of(m), &e)))
        wrong("M%u is read ok, and is not what was written", m);
    read_back_free(&back);
    end_if_fatal();
}

static void change_list(void)
{
    struct stored_entry entry = {STR("key"), STR("\"key\"")};
    struct stored_list_change l = {
        .list = STR("blocked"), .type = STR("text"), .revision = 1, .add = &entry, .add_count = 1};
    struct stored_hit hit = {STR("rule"), 1, 1};
    struct stored_audit audit = {STR("M0"), STR("rule"), STR("to@example.net"), STR("held"), STR("")};
    struct store_write w = {
        .lists = &l, .list_count = 1, .hits = &hit, .hit_count = 1, .audit = &audit, .audit_count = 1};
    struct answer a;
    driver_write(&d, &w, &a);
    driver_run(&d);
    end_if_fatal();
}

static bool backup_ok;
static void on_backup(void *owner, bool ok, const struct err *e)
{
    (void)owner, (void)e;
    backup_ok = ok;
    d.pending--;
}

static int integrity(const char *path)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    bool ok = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
              sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &s, NULL) == SQLITE_OK &&
              sqlite3_step(s) == SQLITE_ROW && !strcmp((const char *)sqlite3_column_text(s, 0), "ok");
    if (!ok)
        wrong("%s: %s", path,
              s && sqlite3_column_count(s) ? (const char *)sqlite3_column_text(s, 0) : sqlite3_errmsg(db));
    sqlite3_finalize(s);
    sqlite3_close(db);
    return ok;
}

static void back_up(void)
{
    struct store_backup b = {.name = STR("one"), .done = on_backup};
    d.pending++;
    d.port.backup(d.port.self, &b);
    driver_run(&d);
    end_if_fatal();
    if (backup_ok) {
        shared->armed = false;
        integrity(b.database);
        shared->armed = true;
    }
    d.port.backup_drop(d.port.self, b.name);
}

/* A store just made has its log full of the reserve: the first commit is followed by a checkpoint. */
static void first_life_of_all(void)
{
    for (unsigned m = 0; m < 2; m++) write_together(m, 1);
    finish(0, 0, OUTCOME_DONE);
}

static void first_life(void)
{
    for (unsigned m = 0; m < 4; m++) write_together(m, 1);
    write_together(4, 3);
    finish(0, 0, OUTCOME_RETRY);
    for (int r = 0; r < RECIPIENTS; r++) finish(2, r, OUTCOME_DONE);
    read_as_a_delivery(3);
    read_as_a_delivery(1);
    finish(3, 0, OUTCOME_DONE);
    change(1, 1, CHANGE_HOLD);
    for (int r = 0; r < RECIPIENTS; r++) change(4, r, CHANGE_REMOVE);
    back_up();
    change_list();
    write_together(7, 1);
    for (int r = 0; r < RECIPIENTS; r++) finish(6, r, OUTCOME_DONE);
    finish(0, 1, OUTCOME_DONE);
}

static void second_life(void)
{
    read_as_a_delivery(5);
    write_together(8, 2);
    for (int r = 0; r < RECIPIENTS; r++) finish(7, r, OUTCOME_DONE);
    change(1, 1, CHANGE_RELEASE);
    finish(5, 0, OUTCOME_DONE);
}

void live(const char *state_dir, unsigned generation)
{
    struct err e = {0};
    unsigned open_before = descriptors();
    libc_forget();
    shared->armed = true;
    bool opened = driver_open(&d, state_dir, &options, &e);
    if (opened) {
        (generation ? second_life : shared->point.first_start ? first_life_of_all : first_life)();
        driver_close(&d);
    }
    shared->armed = false;
    unsigned open_after = descriptors();
    if (open_after != open_before) wrong("%u descriptors were open, and %u are", open_before, open_after);
    if (__lsan_do_recoverable_leak_check()) wrong("memory is lost");
    if (!opened && !e.sysexit) wrong("it does not start, and does not say why");
    _exit(opened ? d.fatal ? EX_IOERR : 0 : EX_UNAVAILABLE);
}

/* --- the last life: everything is looked at ----------------------------------------------------------------------- */

enum presence { ABSENT, PRESENT, EITHER };

static enum presence expected(const struct told *t, int r)
{
    bool in_vain = shared->cut_in_vain; /* what was answered 451 may stand, as it was told */
    if (t->write == UNANSWERED || (t->write == SAID_FAILED && in_vain)) return EITHER;
    if (t->write != SAID_OK) return ABSENT;
    if (t->done[r] == SAID_OK) return ABSENT;
    if (t->done[r] == UNANSWERED || (t->done[r] == SAID_FAILED && in_vain)) return EITHER;
    return PRESENT;
}

static const char *const said[] = {"never asked for", "not answered", "answered ok", "answered as failed"};

static void look_at(unsigned m, unsigned *spooled)
{
    const struct told *t = &shared->messages[m];
    struct read_back back, whole;
    struct err e = {0};
    driver_read(&d, QUERY_QUEUE, id_of(m), &back);
    size_t there = back.message_count ? back.messages[0].recipient_count : 0;
    if (back.message_count) *spooled += back.messages[0].spool.n > 0;
    if (there && t->write != SAID_OK && there != RECIPIENTS) wrong("M%u: half of it", m);
    for (int r = 0; r < RECIPIENTS && t->write == SAID_OK; r++) {
        const struct stored_recipient *found = NULL;
        for (size_t i = 0; i < there; i++)
            if (back.messages[0].recipients[i].id == t->id[r]) found = &back.messages[0].recipients[i];
        enum presence p = expected(t, r);
        if (!found && p == PRESENT) wrong("M%u recipient %d: lost, though its write was answered ok", m, r);
        if (found && p == ABSENT) wrong("M%u recipient %d: there, though its end was answered ok", m, r);
        if (found && !t->state_unknown[r] && !shared->cut_in_vain && found->state != t->state[r])
            wrong("M%u recipient %d: state %u and not %u", m, r, found->state, t->state[r]);
    }
    if (there && t->write != SAID_OK && expected(t, 0) == ABSENT) wrong("M%u: there, though %s", m, said[t->write]);
    if (there) {
        driver_read(&d, QUERY_MESSAGE, id_of(m), &whole);
        if (!whole.answer.ok)
            wrong("M%u: cannot be read: %s", m, whole.answer.err.text);
        else if (!same(&whole.messages[0], content_of(m), &e) || e.sysexit)
            wrong("M%u: its content is not what was written %s", m, e.text);
        read_back_free(&whole);
    }
    read_back_free(&back);
}

static unsigned files_in(const char *state_dir, const char *name)
{
    char path[4096];
    unsigned n = 0;
    snprintf(path, sizeof path, "%s/%s", state_dir, name);
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) n += entry->d_name[0] != '.';
    if (dir) closedir(dir);
    return n;
}

void make_store(const char *state_dir)
{
    struct err e;
    if (!driver_open(&d, state_dir, &options, &e)) _exit(EX_UNAVAILABLE);
    driver_close(&d);
    _exit(0);
}

void look_at_all(const char *state_dir)
{
    struct err e = {0};
    char path[4096];
    unsigned spooled = 0;
    if (!driver_open(&d, state_dir, &options, &e)) {
        wrong("does not start on a disk that works again: %s", e.text);
        _exit(0);
    }
    for (unsigned m = 0; m < MESSAGES; m++) look_at(m, &spooled);
    if (files_in(state_dir, "spool") != spooled)
        wrong("%u files in the spool for %u messages", files_in(state_dir, "spool"), spooled);
    if (files_in(state_dir, "backup")) wrong("a backup was left");
    if (d.fatal) wrong("fatal on a disk that works: %s", d.fatal_err.text);
    driver_close(&d);
    snprintf(path, sizeof path, "%s/queue.db", state_dir);
    integrity(path);
    _exit(0);
}
