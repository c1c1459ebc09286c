/* store/spool: files for content too large for the database: state/spool/<queue id>.
 *
 * Owns how they are named, made, synced with their directory, removed and swept.  The row is what makes a file part of
 * the queue: it is written after the sync and goes before the file.  Used by the store's writer thread only. */
#ifndef SLUICE_STORE_SPOOL_H
#define SLUICE_STORE_SPOOL_H

#include "store/database.h"

#define SPOOL_DIRECTORY "spool"
enum { SPOOL_PATH_MAX = 128 };

/* "spool/<queue id>" with a NUL; false when the id cannot be a file's name: 1 to 100 letters, digits, '-' or '_'. */
bool spool_path(struct str queue_id, char out[SPOOL_PATH_MAX]);
/* True, with its queue id, for exactly what spool_path makes. */
bool spool_path_parse(struct str path, struct str *queue_id);

/* Opens an existing one for reading; -1 with *e (EX_NOINPUT, EX_IOERR). */
int spool_open(int state_fd, struct str path, struct err *e);
/* Makes one anew and open for appending; -1 with *e. */
int spool_make(int state_fd, const char *path, struct err *e);

enum trouble_kind spool_write(int state_fd, const char *path, struct str content,
                              struct err *e);                                     /* makes, writes, syncs */
enum trouble_kind spool_sync(int state_fd, struct str path, struct err *e);       /* of a file somebody else wrote */
enum trouble_kind spool_sync_directory(int state_fd, struct err *e);
void spool_remove(int state_fd, struct str path); /* what cannot be removed now is swept at the next start */

/* Removes files that no message names. */
bool spool_sweep(int state_fd, bool (*known)(void *context, struct str queue_id), void *context, struct err *e);

#endif
