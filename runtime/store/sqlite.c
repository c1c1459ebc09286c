#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/digest.h"
#include "store/backup.h"
#include "store/content.h"
#include "store/directory.h"
#include "store/spool.h"
#include "store/threads.h"

enum {
    /* Content above goes to a file.  Measured (tests/bench/threshold_bench, processor time a message): at 256 KiB 602
     * us in the database and 539 in a file, at 64 KiB 203 and 426, at 1 MiB 2,459 and 1,146. */
    SPOOL_THRESHOLD = 256 * 1024,
    SPOOL_OVER = 8 * 1024 * 1024,
    CHECK_AFTER_MS = 60 * 1000,
};

/* --- the port ----------------------------------------------------------------------------------------------------- */

static void submit_work(struct store *s, struct work *w)
{
    s->outstanding++;
    pthread_mutex_lock(&s->lock);
    *s->work_end = w;
    s->work_end = &w->next;
    s->work_count++;
    if (work_is_urgent(w)) s->urgent_count++;
    bool wake = s->writer_idle && (s->urgent_count || s->work_count == 1 || s->work_count >= BATCH_MAX);
    if (wake) s->writer_idle = false;
    pthread_mutex_unlock(&s->lock);
    if (wake) pthread_cond_signal(&s->work_came);
}

static void port_write(void *self, struct store_write *q)
{
    struct work *w = mem_alloc(sizeof *w);
    w->write = q;
    submit_work(self, w);
}

static void port_change(void *self, struct store_change *c)
{
    struct work *w = mem_alloc(sizeof *w);
    w->change = c;
    c->changed = 0;
    submit_work(self, w);
}

static void wake_writer(struct store *s)
{
    s->writer_idle = false;
    pthread_mutex_unlock(&s->lock);
    pthread_cond_signal(&s->work_came);
}

static void port_backup(void *self, struct store_backup *b)
{
    struct store *s = self;
    s->outstanding++;
    const char *database = sqlite3_db_filename(s->writer.db.handle, "main");
    int directory = (int)(strrchr(database, '/') - database);
    snprintf(b->database, sizeof b->database, "%.*s/" BACKUP_DIRECTORY "/%.*s/queue.db", directory, database,
             STR_ARG(b->name));
    snprintf(b->spool, sizeof b->spool, "%.*s/" SPOOL_DIRECTORY, directory, database);
    pthread_mutex_lock(&s->lock);
    INVARIANT(!s->backup_asked && !s->backup_answered); /* relay/control asks for one at a time */
    s->backup_asked = b;
    if (s->failed || s->stopping) threads_answer_backup(s, false, &s->failure);
    wake_writer(s);
}

static void port_backup_drop(void *self, struct str name)
{
    struct store *s = self;
    char *copy = mem_alloc(name.n + 1);
    memcpy(copy, name.p, name.n);
    pthread_mutex_lock(&s->lock);
    free(s->backup_drop);
    s->backup_drop = copy;
    wake_writer(s);
}

static void port_watch(void *self, void (*damaged)(void *owner, struct str queue_id, const struct err *e), void *owner)
{
    struct store *s = self;
    s->damaged = damaged;
    s->damaged_owner = owner;
}

static void port_query(void *self, struct store_query *q)
{
    struct store *s = self;
    struct ask *a = mem_alloc(sizeof *a);
    a->query = q;
    s->outstanding++;
    pthread_mutex_lock(&s->lock);
    *s->ask_end = a;
    s->ask_end = &a->next;
    pthread_cond_signal(&s->ask_came);
    pthread_mutex_unlock(&s->lock);
}

static void port_secret(void *self, uint8_t out[STORE_SECRET_SIZE])
{
    struct store *s = self;
    memcpy(out, s->writer.secret, STORE_SECRET_SIZE);
}

static struct store_space port_space(void *self)
{
    struct store *s = self;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    if (!s->space_taken.tv_sec || now.tv_sec > s->space_taken.tv_sec) {
        struct statvfs v;
        if (fstatvfs(s->state_fd, &v) == 0) s->space.free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
        s->space_taken = now;
    }
    pthread_mutex_lock(&s->lock);
    s->space.queued_messages = s->queued;
    s->space.checked_messages = s->checked;
    s->space.damaged_messages = s->found;
    s->space.checked = s->checked_at;
    pthread_mutex_unlock(&s->lock);
    return s->space;
}

struct store_port store_port_of(struct store *s)
{
    return (struct store_port){.self = s,
                               .write = port_write,
                               .query = port_query,
                               .change = port_change,
                               .backup = port_backup,
                               .backup_drop = port_backup_drop,
                               .watch = port_watch,
                               .secret = port_secret,
                               .space = port_space};
}

struct content_port store_content_of(struct store *s) { return content_port_of(s->content); }

struct store_counts store_counts_of(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    struct store_counts counts = s->counts;
    pthread_mutex_unlock(&s->lock);
    return counts;
}

/* --- answers, on the loop's thread -------------------------------------------------------------------------------- */

int store_event_fd(const struct store *s) { return s->event_fd; }

static void answer_work(struct store *s, struct work *w)
{
    bool ok = w->trouble == TROUBLE_NONE;
    void (*done)(void *, bool, const struct err *) = w->write ? w->write->done : w->change->done;
    void *owner = w->write ? w->write->owner : w->change->owner;
    s->outstanding--;
    done(owner, ok, ok ? NULL : &w->err);
    VEC_FREE(&w->prepared);
    free(w);
}

static void answer_page(struct store *s, struct page *p)
{
    struct store_query *q = p->query;
    void *owner = q->owner;
    if (p->due_count && q->due) q->due(owner, p->due, p->due_count);
    if (p->last && p->ok && q->count) q->count(owner, p->states);
    for (size_t i = 0; i < p->audit_count && q->audit; i++) q->audit(owner, p->audit[i].at, &p->audit[i].what);
    for (size_t i = 0; i < p->suspension_count && q->suspension; i++) q->suspension(owner, &p->suspensions[i]);
    for (size_t i = 0; i < p->message_count && q->message; i++) q->message(owner, &p->messages[i]);
    for (size_t i = 0; i < p->rule_count && q->rule; i++)
        q->rule(owner, p->rules[i].rule, p->rules[i].counts, p->rules[i].last);
    for (size_t i = 0; i < p->list_count && q->list && p->ok; i++) q->list(owner, &p->lists[i]);
    for (size_t i = 0; i < p->user_count && q->user && p->ok; i++) q->user(owner, &p->users[i], p->password_is);
    if (p->last) {
        s->outstanding--;
        q->done(owner, p->ok, p->ok ? NULL : &p->err);
    }
    page_free(p);
}

static void tell_backup(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    struct store_backup *asked = s->backup_asked, *answered = s->backup_answered;
    int64_t done = s->backup_done, total = s->backup_total;
    bool told = s->backup_told, ok = s->backup_ok;
    s->backup_told = true;
    s->backup_answered = NULL;
    pthread_mutex_unlock(&s->lock);
    if (asked && !told && asked->progress) asked->progress(asked->owner, done, total);
    if (!answered) return;
    s->outstanding--;
    answered->done(answered->owner, ok, ok ? NULL : &s->backup_err);
}

static void tell_damage(struct store *s, struct page *found)
{
    while (found) {
        struct page *next = found->next;
        if (s->damaged) s->damaged(s->damaged_owner, found->messages->queue_id, &found->err);
        page_free(found);
        found = next;
    }
}

void store_drain(struct store *s)
{
    uint64_t count;
    ssize_t n = read(s->event_fd, &count, sizeof count);
    (void)n; /* EAGAIN: drained already */
    pthread_mutex_lock(&s->lock);
    struct work *work = s->done_first;
    struct page *page = s->page_first;
    s->done_first = NULL;
    s->done_end = &s->done_first;
    s->page_first = NULL;
    s->page_end = &s->page_first;
    s->pages_unread = 0;
    struct page *found = s->found_first;
    s->found_first = NULL;
    bool failed = s->failed;
    pthread_cond_signal(&s->page_taken);
    pthread_mutex_unlock(&s->lock);
    while (work) {
        struct work *next = work->next;
        answer_work(s, work);
        work = next;
    }
    while (page) {
        struct page *next = page->next;
        answer_page(s, page);
        page = next;
    }
    tell_damage(s, found);
    tell_backup(s);
    if (failed && !s->fatal_told) {
        s->fatal_told = true;
        if (s->fatal) s->fatal(s->fatal_owner, &s->failure);
    }
}

void store_on_fatal(struct store *s, void (*fatal)(void *owner, const struct err *e), void *owner)
{
    s->fatal = fatal;
    s->fatal_owner = owner;
}

/* --- opening and closing ------------------------------------------------------------------------------------------ */

static void release_files(struct store *s)
{
    content_free(&s->content);
    if (s->event_fd >= 0) close(s->event_fd);
    if (s->lock_fd >= 0) close(s->lock_fd);
    if (s->state_fd >= 0) close(s->state_fd);
}

/* The lock is a file of its own: closing a descriptor of the database would drop SQLite's own locks on it. */
static bool open_files(struct store *s, const char *state_dir, uint64_t spool_over, struct err *e)
{
    if (!directory_make(state_dir, 0700, e)) return false;
    s->state_fd = directory_open_private(state_dir, e);
    if (s->state_fd < 0) return false;
    s->lock_fd = openat(s->state_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock_fd < 0) return err_os(e, EX_CANTCREAT, "%s/lock", state_dir);
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return err_set(e, EX_TEMPFAIL, "another relay is using the state directory %s", state_dir);
    /* Its name is synced by SQLite, with that of the log, at the commit that ends writer_open. */
    if (mkdirat(s->state_fd, SPOOL_DIRECTORY, 0700) < 0 && errno != EEXIST)
        return err_os(e, EX_CANTCREAT, "%s/" SPOOL_DIRECTORY, state_dir);
    s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->event_fd < 0) return err_os(e, EX_OSERR, "making an event descriptor");
    s->content = content_create(s->state_fd, spool_over);
    return true;
}

struct store *store_open(const char *state_dir, const struct store_options *options, struct err *e)
{
    static const struct store_options plain;
    if (!options) options = &plain;
    struct store *s = mem_alloc(sizeof *s);
    s->state_fd = s->lock_fd = s->event_fd = -1;
    digest_warm();
    if (!open_files(s, state_dir, options->spool_over ? options->spool_over : SPOOL_OVER, e)) goto undo;
    if (!writer_open(&s->writer, state_dir, s->state_fd, options->max_pages, e)) goto undo;
    s->writer.spool_threshold = options->spool_threshold ? options->spool_threshold : SPOOL_THRESHOLD;
    s->reader.state_fd = s->state_fd;
    if (!database_open_reader(&s->reader.db, sqlite3_db_filename(s->writer.db.handle, "main"), e)) {
        writer_close(&s->writer, false);
        goto undo;
    }
    backup_remove(s->state_fd, STR_NONE);
    threads_start(s, options->check_after_ms ? options->check_after_ms : CHECK_AFTER_MS);
    return s;
undo:
    release_files(s);
    free(s);
    return NULL;
}

void store_close(struct store **store)
{
    struct store *s = *store;
    if (!s) return;
    while (s->outstanding) {
        struct pollfd p = {.fd = s->event_fd, .events = POLLIN};
        poll(&p, 1, -1);
        store_drain(s);
    }
    threads_stop(s);
    database_close(&s->reader.db);
    writer_close(&s->writer, !s->failed);
    s->damaged = NULL; /* nobody is left to hear of it */
    tell_damage(s, s->found_first);
    free(s->backup_drop);
    release_files(s);
    pthread_cond_destroy(&s->work_came);
    pthread_cond_destroy(&s->ask_came);
    pthread_cond_destroy(&s->page_taken);
    pthread_mutex_destroy(&s->lock);
    free(s);
    *store = NULL;
}
