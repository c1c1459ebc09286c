/* store/writer: what one request does to the rows, and how a batch of requests becomes one commit.
 *
 * Owns the writing connection and what it keeps in mind between commits.  Runs on the store's writer thread (after
 * opening it on the loop's); knows no queues and no other thread. */
#ifndef SLUICE_STORE_WRITER_H
#define SLUICE_STORE_WRITER_H

#include "base/map.h"
#include "base/vec.h"
#include "store/database.h"
#include "store/log_file.h"
#include "store/port.h"

enum { BATCH_MAX = 256, BATCH_BYTES_MAX = 8 * 1024 * 1024 };

/* One write or change on its way through the store. */
struct work {
    struct work *next;
    struct store_write *write;     /* or */
    struct store_change *change;
    enum trouble_kind trouble;     /* set by writer_batch */
    struct err err;                /* … when trouble */
    /* writer_batch's own: */
    VEC(struct prepared {
        uint8_t sha256[32];
        char made[128];
    })
    prepared; /* one a message: hash; spool file made for it */
};
uint64_t work_bytes(const struct work *w); /* what it brings into the batch */

struct hit_sum {
    struct str rule;
    uint64_t counts[5];
    int64_t last;
};
struct writer {
    struct database db;
    int state_fd;
    uint64_t spool_threshold;
    uint8_t secret[STORE_SECRET_SIZE];
    int64_t next_message;
    int64_t last_audit, audit_since_prune;
    int64_t queued, queued_committed;  /* messages */
    VEC(char *) dropped;               /* spool files whose message the transaction drops */
    bool keep_spool;                   /* a backup stands: none may go now … */
    VEC(char *) kept;                  /* … and these go with it */
    struct map hits;                   /* of the transaction: rule → struct hit_sum */
    bool directory_dirty;
    uint64_t commits, writes, checkpoints;
    int64_t pages_had;                 /* pages that the file has blocks for */
    int wal_frames, wal_checked;       /* in the log; and when it was last moved into the database */
    int log_frames;                    /* in the log at the last commit that succeeded, */
    uint8_t salt[LOG_SALT];         /* … and which log that was: undo_log.c */
    bool salt_known;
    bool log_moved;                    /* into the database, since that commit: the next one may begin it anew */
};

/* Opens database and spool under the state directory; checks it below 256 MB; makes the reserve. */
bool writer_open(struct writer *w, const char *state_dir, int state_fd, uint32_t max_pages, struct err *e);
/* `clean`: everything was committed, and the next start need not check. */
void writer_close(struct writer *w, bool clean);

/* What was met makes no sense: the next start looks at the whole database, indexes too, and refuses while it is
 * damaged. */
void writer_mark_damaged(int state_fd);

/* Does all of `works` in one transaction, or, when that fails, each in its own.  Afterwards each has its trouble.
 * Answers false after a fatal one: the writer must not be used again. */
bool writer_batch(struct writer *w, struct work **works, size_t n);
/* From now on no spool file goes; false: they may again, and those that should have gone do. */
void writer_keep_spool(struct writer *w, bool keep);

/* --- between writer.c and change.c -------------------------------------------------------------------------------- */
enum trouble_kind writer_refuse(struct writer *w, int sysexit, const char *why);
enum trouble_kind writer_drop_recipient(struct writer *w, int64_t recipient);
enum trouble_kind writer_add_audit(struct writer *w, const struct stored_audit *a, int64_t now);
/* Steps a statement to its first row: *row says whether there is one.  The caller resets it by asking for it again. */
enum trouble_kind writer_look(struct writer *w, sqlite3_stmt *s, bool *row);
/* undo_log.c: the log was begun anew, with this commit; and what a failed commit left in it is cut off.  False: it
 * could not be. */
void writer_log_began(struct writer *w);
bool writer_cut_log(struct writer *w);
/* change.c: what is done by hand. */
enum trouble_kind writer_change(struct writer *w, struct store_change *c);

/* Moves what the log holds into the database when it has grown enough; between batches.  False: fatal, in
 * w->db.last. */
bool writer_checkpoint(struct writer *w);

#endif
