/* daemon/supervisor: the first process: binds, reads keys, starts and restarts the others, makes their channels.
 *
 * A poll loop without threads.  It parses nothing that comes from the network, from a message, a program or the
 * database: only link messages and encoded settings, both as hostile. */
#ifndef SLUICE_DAEMON_SUPERVISOR_H
#define SLUICE_DAEMON_SUPERVISOR_H

#include <stdbool.h>

struct supervisor_options {
    const char *config;
    bool last_good; /* a bad set at start: the last accepted program instead of exit 78 */
};

/* Runs to the end; answers the exit status (sysexits.h). */
int supervisor_run(const struct supervisor_options *o);

#endif
