/* daemon/roles: one binary, three kinds of process, and how a child is told which it is.
 *
 * The supervisor starts a child by fexecve of its own binary (a descriptor opened at start, so a replaced file changes
 * nothing) with `--role=NAME` and its arguments; its channel to the supervisor is descriptor ROLE_CHANNEL_FD. */
#ifndef SLUICE_DAEMON_ROLES_H
#define SLUICE_DAEMON_ROLES_H

#include "base/err.h"
#include "base/link.h"
#include "base/str.h"

enum {
    ROLE_CHANNEL_FD = 3, /* to the supervisor */
    ROLE_RELAY_FD = 4    /* template only: to the relay */
};

/* A role's own main; argc and argv are what follows --role=NAME. */
struct role {
    const char *name;
    int (*run)(int argc, char **argv);
};
const struct role *role_find(const char *name); /* NULL: no such role */

int relay_main(int argc, char **argv);    /* STATE USER SANDBOX */
int template_main(int argc, char **argv); /* CONFIG GENERATION KIND USER */

/* The build id of this binary (its ELF note); the same bytes in every process of one build, never empty. */
struct str role_build_id(void);

/* Says, and demands, the build id on a fresh channel.  False with *e (EX_SOFTWARE) when the other side is another build. */
bool role_greet(int channel, struct err *e);


#endif
