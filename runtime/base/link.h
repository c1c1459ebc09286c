/* base/link: what supervisor and relay say to each other, and relay and template.
 *
 * SOCK_SEQPACKET datagrams: one byte of kind, then the fields below in base/wire form.  Descriptors travel beside them.
 * Every channel begins with LINK_HELLO and the build id; a difference ends the process.  Owns the message table and its
 * encoding; knows nothing of who keeps which descriptor. */
#ifndef SLUICE_BASE_LINK_H
#define SLUICE_BASE_LINK_H

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"

enum link_kind {
    LINK_HELLO, /* build id (bytes) */
    /* supervisor -> relay: one generation is BEGIN, LISTENER…, PASSWORD…, TEMPLATE, COMMIT; nothing changes before
       COMMIT */
    LINK_BEGIN,    /* generation, flags; fd: memfd with the encoded settings */
    LINK_LISTENER, /* generation, name; fds: listening socket, certificate memfd or -1, key memfd or -1 */
    LINK_PASSWORD, /* generation, name of a connector with a user; fd: memfd with its password */
    LINK_TEMPLATE, /* generation; fd: the channel to the template */
    LINK_COMMIT,   /* generation, flags: how many rules it has, text: what to tell whoever asked ("") */
    LINK_REFUSED,  /* generation, text: the diagnostics; the running set stays */
    LINK_CONTROL,  /* fd: the listening control socket */
    LINK_STOP,     /* finish what is under way, then end */
    /* relay -> supervisor */
    LINK_READY,  /* generation: in force, listening (the template's own LINK_BEGIN and LINK_REFUSED:
                  * builder/template.h).  LINK_LISTENER too: this one keeps its former certificate */
    LINK_RELOAD, /* read the configuration again */
    /* relay <-> template */
    LINK_SPAWN, /* relay -> template: one more judge */
    LINK_JUDGE, /* template -> relay: generation = pid; fd: the judge's channel */
    LINK_DIED,  /* template -> relay: generation = pid, text: how */
    LINK_KILL,  /* relay -> template: generation = pid; the template kills its child */
    LINK_KIND_COUNT
};

struct link_message {
    enum link_kind kind;
    uint64_t generation;   /* or pid */
    uint32_t flags;        /* BEGIN: 1 = running on the last accepted program; a template's, and COMMIT: rules */
    struct str name, text; /* listener name; diagnostics, build id */
};

void link_encode(const struct link_message *m, struct buf *out);
bool link_decode(struct str datagram, struct link_message *out, struct err *e); /* views into the datagram */

#endif
