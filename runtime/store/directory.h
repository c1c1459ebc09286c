/* store/directory: directories of ours: made with their parents to last, closed to others. */
#ifndef SLUICE_STORE_DIRECTORY_H
#define SLUICE_STORE_DIRECTORY_H

#include <sys/types.h>

#include "base/err.h"

/* Makes `path` and what leads to it where missing (the last one with `mode`), each with a sync of the directory that it
 * stands in.  False with *e (EX_CANTCREAT, EX_IOERR). */
bool directory_make(const char *path, mode_t mode, struct err *e);
/* Names made, moved or removed in it hold from here on: POSIX promises that for no name whose file alone was synced.
 * `path` is for the words of *e.  False with *e (EX_IOERR). */
bool directory_sync(int fd, const char *path, struct err *e);
/* Opens it; refuses (EX_NOPERM) one that group or others may write, or that is not the process's own. -1 with *e. */
int directory_open_private(const char *path, struct err *e);

#endif
