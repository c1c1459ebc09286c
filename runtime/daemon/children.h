/* daemon/children: starting a process of ours, and what its end means.  Private to this room. */
#ifndef SLUICE_DAEMON_CHILDREN_H
#define SLUICE_DAEMON_CHILDREN_H

#include <sys/types.h>

#include "base/err.h"

/* Starts `--role=NAME` with these arguments (NULL at the end) from the binary `self`; its descriptors 3, 4 … are
 * fds[0 .. n).  The caller keeps its own.  -1 with *e. */
pid_t child_start(int self, const char *name, const char *const *arguments, const int *fds, size_t n, struct err *e);

/* "exit 3", "signal 11"; the text is static. */
const char *child_end(int status);

#endif
