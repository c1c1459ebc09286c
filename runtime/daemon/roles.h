/* daemon/roles: one binary, three kinds of process, and how a child is told which it is.
 *
 * The supervisor starts a child by fexecve of its own binary (a descriptor opened at start, so a replaced file changes
 * nothing) with `--role=NAME` and its arguments; its channel to the supervisor is descriptor ROLE_CHANNEL_FD. */
#ifndef SLUICE_DAEMON_ROLES_H
#define SLUICE_DAEMON_ROLES_H

#include "base/err.h"
#include "base/str.h"

enum {
    ROLE_CHANNEL_FD = 3, /* to the supervisor */
    ROLE_RELAY_FD = 4,   /* template only: to the relay */
    ROLE_PROGRAM_FD = 5  /* template only, when it loads a program that is there already */
};

/* A role's own main; argc and argv are what follows --role=NAME. */
struct role {
    const char *name;
    int (*run)(int argc, char **argv);
};
const struct role *role_find(const char *name); /* NULL: no such role */

int relay_main(int argc, char **argv);    /* STATE USER on|off (the sandbox) */
int template_main(int argc, char **argv); /* GENERATION file|program CONFIG */

/* The build id of this binary (its ELF note); the same bytes in every process of one build, never empty. */
struct str role_build_id(void);

/* What a child does first: it takes its name (15 bytes), closes what is not its own, leaves signals to the supervisor,
 * and exchanges build ids.  False with *e. */
bool role_begin(const char *name, int last_fd, struct err *e);

/* Says on the error stream why this process of ours ends. */
int role_fail(const char *name, const struct err *e); /* answers e->sysexit */

#endif
