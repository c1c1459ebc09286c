/* builder/serve: the template's working life: it forks judges when asked, reaps them, and kills those it is told to.
 * Private to this room. */
#ifndef SLUICE_BUILDER_SERVE_H
#define SLUICE_BUILDER_SERVE_H

#include "base/err.h"
#include "base/str.h"
#include "judge/judge.h"

enum { SERVE_JUDGES_MAX = 512 };

struct serving {
    struct judge *judge;
    int supervisor, relay; /* channels */
    int children;          /* of serve_watch_children */
    struct str build_id;
    bool sandbox;
    int pids[SERVE_JUDGES_MAX];
    size_t pid_count;
};

/* A descriptor that is readable when a child has died; blocks SIGCHLD.  -1 with *e. */
int serve_watch_children(struct err *e);

/* Until either channel ends; answers the exit status. */
int serve_forks(struct serving *s);

#endif
