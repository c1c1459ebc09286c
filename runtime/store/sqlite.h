/* store/sqlite: the production store: one SQLite file in the state directory behind struct store_port (DESIGN section
 * 4).
 *
 * Owns the database, its only writing connection (on a thread of its own), a reading connection (on another), and the
 * spool directory.  Requests are queued by the port's calls and answered from store_drain, which the owner calls on its
 * loop thread whenever store_event_fd turns readable: one wake-up per commit.  A request's memory stays the
 * submitter's. Knows no event loop.  Everything here is called on one thread, the loop's. */
#ifndef SLUICE_STORE_SQLITE_H
#define SLUICE_STORE_SQLITE_H

#include "store/port.h"

struct store;

/* What a start may vary; a zeroed one is the default. */
struct store_options {
    uint64_t spool_threshold; /* content larger than this becomes a spool file; 0: 256 KiB */
    uint64_t spool_over;      /* content_port: above this a spool file instead of a memfd; 0: 8 MiB */
    uint32_t max_pages;       /* tests: PRAGMA max_page_count; 0: unbounded */
    uint32_t check_after_ms;  /* the first check in the background; 0: a minute; then daily */
};

/* Opens or makes `state_dir` (0700), its database and spool directory: locks it against a second relay, migrates,
 * checks it (quick_check, below 256 MB), grows the WAL (the reserve for a full disk), removes orphaned spool files,
 * starts both threads.  NULL with *e: EX_TEMPFAIL when another process holds it, EX_DATAERR when the file is damaged or
 * is not ours, EX_CANTCREAT, EX_IOERR. */
struct store *store_open(const char *state_dir, const struct store_options *options, struct err *e);
/* Finishes what was submitted, answers it (callbacks run), marks a clean end unless the store failed, and closes. */
void store_close(struct store **s);

struct store_port store_port_of(struct store *s);     /* valid until store_close */
struct content_port store_content_of(struct store *s);

int store_event_fd(const struct store *s); /* readable when answers wait; the store's, never read or closed by others */
void store_drain(struct store *s);         /* answers what is finished; callbacks may submit anew */

/* After the first failed fsync or input/output error: every request is answered not-ok (so: 451), and once those
 * answers were given `fatal` is called once, from store_drain.  The process must then end with EX_IOERR and be started
 * again: what the kernel still holds of the file is not to be trusted. */
void store_on_fatal(struct store *s, void (*fatal)(void *owner, const struct err *e), void *owner);

/* How much work the writer has had: for status and measuring. */
struct store_counts {
    uint64_t commits, writes, checkpoints;
};
struct store_counts store_counts_of(struct store *s);

#endif
