/* The store's threads: one writes what was submitted, batch by batch, one reads and looks for damage. */
#include "store/threads.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "store/backup.h"
#include "store/spool.h"

enum {
    COMPANY_MS = 20,      /* how long a batch of outcomes may wait */
    PAGES_UNREAD_MAX = 4, /* read ahead of the loop */
    BACKUP_PAGES = 128,   /* between two batches: 1 MiB */
    CHECK_SLICE_MS = 20,  /* of each CHECK_PAUSE_MS: the check takes a tenth of one core at most */
    CHECK_PAUSE_MS = 200,
    CHECK_AGAIN_MS = 24 * 60 * 60 * 1000,
};

static void wake_loop(struct store *s)
{
    uint64_t one = 1;
    ssize_t n;
    do n = write(s->event_fd, &one, sizeof one);
    while (n < 0 && errno == EINTR); /* EAGAIN: it is readable already */
}

/* --- the writer thread -------------------------------------------------------------------------------------------- */

bool work_is_urgent(const struct work *w) { return w->change || !w->write->may_wait || w->write->message_count; }

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
        if (work_is_urgent(w)) s->urgent_count--;
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

/* --- backups: a step between two batches -------------------------------------------------------------------------- */

void threads_answer_backup(struct store *s, bool ok, const struct err *e)
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
    threads_answer_backup(s, false, &s->failure);
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
    if (step != BACKUP_GOES_ON) threads_answer_backup(s, step == BACKUP_WHOLE, &e);
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

/* --- the reader thread -------------------------------------------------------------------------------------------- */

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

/* --- starting and stopping ---------------------------------------------------------------------------------------- */

/* Signals are the loop's: the store's threads take none. */
void threads_start(struct store *s, uint32_t check_after_ms)
{
    sigset_t all, before;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    s->check_due_ms = monotonic_ms() + check_after_ms;
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

void threads_stop(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_broadcast(&s->work_came);
    pthread_cond_broadcast(&s->ask_came);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->writer_thread, NULL);
    pthread_join(s->reader_thread, NULL);
    hasher_free(&s->hasher);
}
