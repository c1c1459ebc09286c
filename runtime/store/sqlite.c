#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
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
#include "store/content.h"
#include "store/directory.h"
#include "store/reader.h"
#include "store/spool.h"
#include "store/writer.h"

enum {
    SPOOL_THRESHOLD = 256 * 1024, /* content above goes to a file: to be measured */
    SPOOL_OVER = 8 * 1024 * 1024,
    COMPANY_MS = 20,      /* how long a batch of outcomes may wait */
    PAGES_UNREAD_MAX = 4, /* read ahead of the loop */
};

struct ask {
    struct ask *next;
    struct store_query *query;
};

/* Everything below `lock` is shared between the loop's thread and the two of the store. */
struct store {
    struct writer writer; /* writer thread */
    struct reader reader; /* reader thread */
    struct content *content;
    int state_fd, lock_fd, event_fd;
    pthread_t writer_thread, reader_thread;
    size_t outstanding; /* loop thread: submitted and not answered */
    struct store_space space;
    struct timespec space_taken;
    void (*fatal)(void *owner, const struct err *e);
    void *fatal_owner;
    bool fatal_told;

    pthread_mutex_t lock;
    pthread_cond_t work_came, ask_came, page_taken;
    struct work *work_first, **work_end;
    size_t work_count, urgent_count; /* urgent: may not wait for company */
    bool writer_idle;
    struct ask *ask_first, **ask_end;
    struct work *done_first, **done_end;
    struct page *page_first, **page_end;
    size_t pages_unread;
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

static bool is_urgent(const struct work *w) { return w->release || !w->write->may_wait || w->write->message_count; }

/* Waits until there is something to do; a batch of nothing but outcomes waits a little for company.  False: stop. */
static bool wait_for_work(struct store *s)
{
    while (!s->work_first && !s->stopping) {
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
    return s->work_first != NULL;
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
    if (!s->failure.sysexit) err_set(&s->failure, EX_IOERR, "the queue's disk failed");
}

static void *write_batches(void *context)
{
    struct store *s = context;
    struct work *batch[BATCH_MAX];
    pthread_mutex_lock(&s->lock);
    while (wait_for_work(s)) {
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
    return NULL;
}

/* --- the reader thread
 * ------------------------------------------------------------------------------------------------- */

static void answer_query(struct store *s, struct store_query *q)
{
    int64_t after = 0;
    for (bool last = false; !last;) {
        struct page *p = reader_page(&s->reader, q, &after);
        last = p->last;
        pthread_mutex_lock(&s->lock);
        *s->page_end = p;
        s->page_end = &p->next;
        s->pages_unread++;
        wake_loop(s);
        while (s->pages_unread >= PAGES_UNREAD_MAX) pthread_cond_wait(&s->page_taken, &s->lock);
        pthread_mutex_unlock(&s->lock);
    }
}

static void *read_pages(void *context)
{
    struct store *s = context;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (!s->ask_first && !s->stopping) pthread_cond_wait(&s->ask_came, &s->lock);
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

static void port_release(void *self, struct store_release *r)
{
    struct work *w = mem_alloc(sizeof *w);
    w->release = r;
    r->released = 0;
    submit_work(self, w);
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
    pthread_mutex_unlock(&s->lock);
    return s->space;
}

struct store_port store_port_of(struct store *s)
{
    return (struct store_port){s, port_write, port_query, port_release, port_space};
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
    void (*done)(void *, bool, const struct err *) = w->write ? w->write->done : w->release->done;
    void *owner = w->write ? w->write->owner : w->release->owner;
    s->outstanding--;
    done(owner, ok, ok ? NULL : &w->err);
    VEC_FREE(&w->prepared);
    free(w);
}

static void answer_page(struct store *s, struct page *p)
{
    struct store_query *q = p->query;
    void *owner = q->owner;
    for (size_t i = 0; i < p->message_count && q->message; i++) q->message(owner, &p->messages[i]);
    for (size_t i = 0; i < p->rule_count && q->rule; i++)
        q->rule(owner, p->rules[i].rule, p->rules[i].counts, p->rules[i].last);
    for (size_t i = 0; i < p->list_count && q->list && p->ok; i++) q->list(owner, &p->lists[i]);
    if (p->last) {
        s->outstanding--;
        q->done(owner, p->ok, p->ok ? NULL : &p->err);
    }
    page_free(p);
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
    pthread_cond_init(&s->ask_came, NULL);
    pthread_cond_init(&s->page_taken, NULL);
    pthread_condattr_destroy(&monotonic);
    s->work_end = &s->work_first;
    s->ask_end = &s->ask_first;
    s->done_end = &s->done_first;
    s->page_end = &s->page_first;
    s->queued = (uint64_t)s->writer.queued;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
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
    database_close(&s->reader.db);
    writer_close(&s->writer, !s->failed);
    release_files(s);
    pthread_cond_destroy(&s->work_came);
    pthread_cond_destroy(&s->ask_came);
    pthread_cond_destroy(&s->page_taken);
    pthread_mutex_destroy(&s->lock);
    free(s);
    *store = NULL;
}
