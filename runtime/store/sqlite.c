#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
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
#include "store/hasher.h"
#include "store/reader.h"
#include "store/spool.h"
#include "store/writer.h"

enum {
    /* Content above goes to a file.  Measured (tests/bench/threshold_bench, processor time a message): at 256 KiB 602 us in
     * the database and 539 in a file, at 64 KiB 203 and 426, at 1 MiB 2,459 and 1,146. */
    SPOOL_THRESHOLD = 256 * 1024,
    SPOOL_OVER = 8 * 1024 * 1024,
    COMPANY_MS = 20,      /* how long a batch of outcomes may wait */
    PAGES_UNREAD_MAX = 4, /* read ahead of the loop */
    BACKUP_PAGES = 128,   /* between two batches: 1 MiB */
    CHECK_SLICE_MS = 20,  /* of each CHECK_PAUSE_MS: the check takes a tenth of one core at most */
    CHECK_PAUSE_MS = 200,
    CHECK_AFTER_MS = 60 * 1000,
    CHECK_AGAIN_MS = 24 * 60 * 60 * 1000,
};

struct ask {
    struct ask *next;
    struct store_query *query;
};

/* Everything below `lock` is shared between the loop's thread and those of the store. */
struct store {
    struct writer writer; /* writer thread */
    struct reader reader; /* reader thread */
    struct hasher *hasher; /* with a thread of its own */
    struct content *content;
    int state_fd, lock_fd, event_fd;
    pthread_t writer_thread, reader_thread;
    size_t outstanding; /* loop thread: submitted and not answered */
    struct store_space space;
    struct timespec space_taken;
    void (*fatal)(void *owner, const struct err *e);
    void *fatal_owner;
    bool fatal_told;
    void (*damaged)(void *owner, struct str queue_id, const struct err *e);
    void *damaged_owner;
    struct backup *backup; /* writer thread */
    int64_t check_due_ms, check_after; /* reader thread: monotonic; the last message that was looked at */
    uint64_t check_seen;

    pthread_mutex_t lock;
    pthread_cond_t work_came, ask_came, page_taken;
    struct work *work_first, **work_end;
    size_t work_count, urgent_count; /* urgent: may not wait for company */
    bool writer_idle;
    struct ask *ask_first, **ask_end;
    struct work *done_first, **done_end;
    struct page *page_first, **page_end;
    size_t pages_unread;
    struct store_backup *backup_asked, *backup_answered;
    int64_t backup_done, backup_total;
    bool backup_told, backup_ok; /* told: the progress above was passed on */
    struct err backup_err;
    char *backup_drop; /* the name of one that may go; heap */
    struct page *found_first; /* damage that the check found */
    uint64_t checked, found;
    int64_t checked_at;
    struct store_counts counts;
    uint64_t queued;
    bool stopping, failed;
    struct err failure;
};

static void wake_loop(struct store *s)
{
    uint64_t one = 1;
    ssize_t n;
    do n = write(s->event_fd, &one, sizeof one);
    while (n < 0 && errno == EINTR); /* EAGAIN: it is readable already */
}

/* --- the writer thread
 * ------------------------------------------------------------------------------------------------- */

static bool is_urgent(const struct work *w) { return w->change || !w->write->may_wait || w->write->message_count; }

/* Waits until there is something to do; a batch of nothing but outcomes waits a little for company.  False: stop. */
static bool wait_for_work(struct store *s)
{
    while (!s->work_first && !s->stopping && !s->backup_asked && !s->backup_drop) {
        s->writer_idle = true;
        pthread_cond_wait(&s->work_came, &s->lock);
    }
    if (s->work_first && !s->urgent_count && !s->stopping) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += COMPANY_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        int result = 0;
        while (!s->urgent_count && !s->stopping && s->work_count < BATCH_MAX && result == 0) {
            s->writer_idle = true;
            result = pthread_cond_timedwait(&s->work_came, &s->lock, &until);
        }
    }
    s->writer_idle = false;
    return s->work_first != NULL || !s->stopping;
}

static size_t take_batch(struct store *s, struct work **batch)
{
    size_t n = 0, messages = 0;
    uint64_t bytes = 0;
    while (s->work_first && n < BATCH_MAX) {
        struct work *w = s->work_first;
        bytes += work_bytes(w);
        messages += w->write ? w->write->message_count : 0;
        if (n > 0 && (bytes > BATCH_BYTES_MAX || messages > BATCH_MAX)) break;
        s->work_first = w->next;
        w->next = NULL;
        s->work_count--;
        if (is_urgent(w)) s->urgent_count--;
        batch[n++] = w;
    }
    if (!s->work_first) s->work_end = &s->work_first;
    return n;
}

static void give_back(struct store *s, struct work **batch, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        *s->done_end = batch[i];
        s->done_end = &batch[i]->next;
    }
    s->counts = (struct store_counts){s->writer.commits, s->writer.writes, s->writer.checkpoints};
    s->queued = s->writer.queued > 0 ? (uint64_t)s->writer.queued : 0;
}

static void fail(struct store *s)
{
    if (s->failed) return;
    s->failed = true;
    s->failure = s->writer.db.last;
    if (s->failure.sysexit == EX_DATAERR) writer_mark_damaged(s->state_fd);
    if (!s->failure.sysexit) err_set(&s->failure, EX_IOERR, "the queue's disk failed");
}

/* --- backups: a step between two batches ----------------------------------------------------------------------------
 */

static void answer_backup(struct store *s, bool ok, const struct err *e)
{
    s->backup_answered = s->backup_asked;
    s->backup_asked = NULL;
    s->backup_ok = ok;
    if (!ok) s->backup_err = *e;
}

/* The disk failed: there will be none. */
static void forget_backup(struct store *s)
{
    free(s->backup_drop);
    s->backup_drop = NULL;
    if (!s->backup_asked) return;
    answer_backup(s, false, &s->failure);
    wake_loop(s);
}

/* Called and left with the lock held; gives it up for the work. */
static void advance_backup(struct store *s)
{
    struct err e = {0};
    struct store_backup *asked = s->backup_asked;
    char *drop = s->backup_drop;
    s->backup_drop = NULL;
    if (!asked && !drop) return;
    pthread_mutex_unlock(&s->lock);
    int64_t done = 0, total = 0;
    enum backup_step step = BACKUP_GOES_ON;
    if (drop) {
        backup_remove(s->state_fd, str_of(drop));
        writer_keep_spool(&s->writer, false);
        free(drop);
    }
    if (asked && !s->backup && !(s->backup = backup_begin(&s->writer, asked->name, &e))) step = BACKUP_FAILED;
    if (s->backup) step = backup_go_on(s->backup, BACKUP_PAGES, &done, &total, &e);
    if (step != BACKUP_GOES_ON) backup_end(&s->backup);
    if (asked && step == BACKUP_WHOLE) writer_keep_spool(&s->writer, true);
    if (asked && step == BACKUP_FAILED) backup_remove(s->state_fd, asked->name);
    pthread_mutex_lock(&s->lock);
    if (!asked) return;
    s->backup_done = done;
    s->backup_total = total;
    s->backup_told = false;
    if (step != BACKUP_GOES_ON) answer_backup(s, step == BACKUP_WHOLE, &e);
    wake_loop(s);
}

static void *write_batches(void *context)
{
    struct store *s = context;
    struct work *batch[BATCH_MAX];
    pthread_mutex_lock(&s->lock);
    while (wait_for_work(s)) {
        if (!s->failed)
            advance_backup(s);
        else
            forget_backup(s);
        if (!s->work_first) continue;
        size_t n = take_batch(s, batch);
        bool usable = !s->failed;
        pthread_mutex_unlock(&s->lock);
        bool ok = usable && writer_batch(&s->writer, batch, n);
        pthread_mutex_lock(&s->lock);
        if (usable && !ok) fail(s);
        for (size_t i = 0; !usable && i < n; i++) {
            batch[i]->trouble = TROUBLE_FATAL;
            batch[i]->err = s->failure;
        }
        give_back(s, batch, n);
        wake_loop(s);
        if (s->failed) continue;
        pthread_mutex_unlock(&s->lock);
        ok = writer_checkpoint(&s->writer);
        pthread_mutex_lock(&s->lock);
        if (!ok) {
            fail(s);
            wake_loop(s);
        }
    }
    pthread_mutex_unlock(&s->lock);
    backup_end(&s->backup);
    return NULL;
}

/* --- the reader thread
 * ------------------------------------------------------------------------------------------------- */

/* Called and left with the lock held. */
static void hand_over(struct store *s, struct page *p)
{
    *s->page_end = p;
    s->page_end = &p->next;
    s->pages_unread++;
    wake_loop(s);
}

static void on_hashed(void *owner, struct page *p)
{
    struct store *s = owner;
    pthread_mutex_lock(&s->lock);
    hand_over(s, p);
    pthread_mutex_unlock(&s->lock);
}

/* A page of the database that makes no sense: the process ends, and the next start looks at all of it.  Lock held. */
static void look_at_reader(struct store *s)
{
    if (!s->reader.corrupt || s->failed) return;
    s->failed = true;
    s->failure = s->reader.db.last;
    writer_mark_damaged(s->state_fd);
    wake_loop(s);
}

/* Lock held. */
static void keep_found(struct store *s, struct page *found)
{
    while (found) {
        struct page *next = found->next;
        s->found++;
        found->next = s->found_first;
        s->found_first = found;
        found = next;
    }
}

static void answer_query(struct store *s, struct store_query *q)
{
    int64_t after = 0;
    for (bool last = false; !last;) {
        struct page *p = reader_page(&s->reader, q, &after);
        last = p->last;
        if (p->ok && q->kind == QUERY_USER && q->password.p) {
            hasher_submit(s->hasher, p);
            continue;
        }
        pthread_mutex_lock(&s->lock);
        keep_found(s, p->found);
        hand_over(s, p);
        look_at_reader(s);
        while (s->pages_unread >= PAGES_UNREAD_MAX) pthread_cond_wait(&s->page_taken, &s->lock);
        pthread_mutex_unlock(&s->lock);
    }
}

static int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A slice of the check: every message read as a delivery would read it, a few at a time, and then a pause; when it was
 * through, again a day later.  Called and left with the lock held. */
static void check_some(struct store *s)
{
    int64_t began = monotonic_ms();
    bool more = true;
    while (more && !s->ask_first && !s->stopping && monotonic_ms() < began + CHECK_SLICE_MS) {
        pthread_mutex_unlock(&s->lock);
        struct page *found = reader_check_next(&s->reader, &s->check_after, &more);
        pthread_mutex_lock(&s->lock);
        look_at_reader(s);
        s->checked += more;
        if (!found) continue;
        keep_found(s, found);
        wake_loop(s);
    }
    s->check_due_ms = monotonic_ms() + (more ? CHECK_PAUSE_MS : CHECK_AGAIN_MS);
    if (!more) s->checked_at = (int64_t)time(NULL);
}

static void *read_pages(void *context)
{
    struct store *s = context;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (!s->ask_first && !s->stopping) {
            struct timespec until = {s->check_due_ms / 1000, s->check_due_ms % 1000 * 1000000};
            if (pthread_cond_timedwait(&s->ask_came, &s->lock, &until) && !s->ask_first && !s->stopping &&
                monotonic_ms() >= s->check_due_ms)
                check_some(s);
        }
        struct ask *a = s->ask_first;
        if (!a) break;
        s->ask_first = a->next;
        if (!s->ask_first) s->ask_end = &s->ask_first;
        pthread_mutex_unlock(&s->lock);
        answer_query(s, a->query);
        free(a);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* --- the port
 * ---------------------------------------------------------------------------------------------------------- */

static void submit_work(struct store *s, struct work *w)
{
    s->outstanding++;
    pthread_mutex_lock(&s->lock);
    *s->work_end = w;
    s->work_end = &w->next;
    s->work_count++;
    if (is_urgent(w)) s->urgent_count++;
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
    if (s->failed || s->stopping) answer_backup(s, false, &s->failure);
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

/* --- answers, on the loop's thread
 * ------------------------------------------------------------------------------------- */

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

/* --- opening and closing
 * ----------------------------------------------------------------------------------------------- */

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
    if (mkdirat(s->state_fd, SPOOL_DIRECTORY, 0700) < 0 && errno != EEXIST)
        return err_os(e, EX_CANTCREAT, "%s/" SPOOL_DIRECTORY, state_dir);
    s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->event_fd < 0) return err_os(e, EX_OSERR, "making an event descriptor");
    s->content = content_create(s->state_fd, spool_over);
    return true;
}

/* Signals are the loop's: the store's threads take none. */
static void start_threads(struct store *s)
{
    sigset_t all, before;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->work_came, &monotonic);
    pthread_cond_init(&s->ask_came, &monotonic);
    pthread_cond_init(&s->page_taken, NULL);
    pthread_condattr_destroy(&monotonic);
    s->work_end = &s->work_first;
    s->ask_end = &s->ask_first;
    s->done_end = &s->done_first;
    s->page_end = &s->page_first;
    s->queued = (uint64_t)s->writer.queued;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    s->hasher = hasher_create(on_hashed, s);
    INVARIANT(pthread_create(&s->writer_thread, NULL, write_batches, s) == 0);
    INVARIANT(pthread_create(&s->reader_thread, NULL, read_pages, s) == 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
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
    s->check_due_ms = monotonic_ms() + (options->check_after_ms ? options->check_after_ms : CHECK_AFTER_MS);
    start_threads(s);
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
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_broadcast(&s->work_came);
    pthread_cond_broadcast(&s->ask_came);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->writer_thread, NULL);
    pthread_join(s->reader_thread, NULL);
    hasher_free(&s->hasher);
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
