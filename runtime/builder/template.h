/* builder/template: the process of one generation: it builds or loads the rule set, then forks judges (DESIGN section
 * 2).
 *
 * Owns its two channels: to the supervisor (the outcome of building) and to the relay (LINK_SPAWN, LINK_JUDGE,
 * LINK_DIED, LINK_KILL).  It has neither network nor, once it serves, any file; it ends when either channel reads end
 * of file.  Judges end by themselves, when theirs do. */
#ifndef SLUICE_BUILDER_TEMPLATE_H
#define SLUICE_BUILDER_TEMPLATE_H

#include "base/err.h"
#include "base/str.h"

enum template_source {
    TEMPLATE_FILE,    /* `config` is the path of a .sluice file, or of a compiled .sluicec */
    TEMPLATE_PROGRAM, /* `program` is a descriptor of a compiled program, which a template once made, in the place of
                         `config` */
};

struct template_options {
    int supervisor;         /* SOCK_SEQPACKET; the build ids were exchanged over it already */
    int relay;              /* SOCK_SEQPACKET, the template's end; the supervisor hands the other to the relay */
    enum template_source source;
    const char *config;
    int program;
    uint64_t generation;
    struct str build_id;    /* the channel to the relay begins with it */
};

/* Runs to the end of the process and answers its exit status.  To the supervisor it says one of
 *   LINK_BEGIN    the filters stand, the program is loaded, judges can be forked.  fds: two sealed memfds, the encoded
 *                 settings and the compiled program.  flags: how many rules; text: warnings
 *   LINK_REFUSED  text: the diagnostics; name: the state directory, if the configuration still names one */
int template_run(const struct template_options *o);

#endif
