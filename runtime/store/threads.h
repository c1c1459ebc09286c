/* store/threads: the store's threads, and what they share with the loop's: sqlite.c.
 *
 * Owns the threads and the order of their work: what was submitted is written in batches, a step of a backup between
 * two; queries are answered in pages, and when there are none the reader checks for damage.  What is to be answered is
 * put into struct store and the loop is woken by its event descriptor; no callback runs here.  Knows no SQL. */
#ifndef SLUICE_STORE_THREADS_H
#define SLUICE_STORE_THREADS_H

#include <pthread.h>
#include <time.h>

#include "store/hasher.h"
#include "store/reader.h"
#include "store/sqlite.h"
#include "store/writer.h"

struct ask {
    struct ask *next;
    struct store_query *query;
};

/* Everything below `lock` is shared between the loop's thread and those of the store. */
struct store {
    struct writer writer;  /* writer thread */
    struct reader reader;  /* reader thread */
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
    struct backup *backup;             /* writer thread */
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
    char *backup_drop;        /* the name of one that may go; heap */
    struct page *found_first; /* damage that the check found */
    uint64_t checked, found;
    int64_t checked_at;
    struct store_counts counts;
    uint64_t queued;
    bool stopping, failed;
    struct err failure;
};

/* Once writer, reader and event descriptor stand; `check_after_ms`: the first check in the background. */
void threads_start(struct store *s, uint32_t check_after_ms);
/* Finishes what was submitted.  Afterwards only the caller's thread is left; lock and conditions stay its to destroy.
 */
void threads_stop(struct store *s);

bool work_is_urgent(const struct work *w); /* may not wait for company */
/* The backup that was asked for has come to its end; lock held. */
void threads_answer_backup(struct store *s, bool ok, const struct err *e);

#endif
