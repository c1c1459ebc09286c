/* builder/template: the process of one generation: it builds or loads the rule set, then forks judges (DESIGN section 2).
 *
 * Owns its two channels: to the supervisor (the outcome of building) and to the relay (LINK_SPAWN, LINK_JUDGE, LINK_DIED,
 * LINK_KILL).  It has neither network nor, once it serves, any file; it ends when either channel reads end of file. */
#ifndef SLUICE_BUILDER_TEMPLATE_H
#define SLUICE_BUILDER_TEMPLATE_H

#include "base/err.h"
#include "base/str.h"

struct template_options {
    int supervisor;        /* SOCK_SEQPACKET; HELLO went over it already */
    int relay;             /* SOCK_SEQPACKET, the template's end; the supervisor hands the other to the relay */
    const char *config;    /* a .sluice file, or a compiled .sluicec */
    uint64_t generation;
    struct str build_id;   /* every channel begins with it */
    bool compiled;         /* `config` is a compiled program */
    bool last_accepted;    /* … the last accepted one: said in LINK_BEGIN's flags */
};

/* Runs to the end of the process and answers its exit status.  To the supervisor it says one of
 *   LINK_BEGIN   built: fds are sealed memfds, the encoded settings and the compiled program; warnings in text
 *   LINK_REFUSED not built: text is the diagnostics, name the state directory if the sources still say it
 * and LINK_READY when the filters stand, the program is loaded, and judges can be forked. */
int template_run(const struct template_options *o);

#endif
