/* relay/relay: the process that takes mail in, has it judged, keeps it and sends it on.
 *
 * Everything it does to the world goes through ports (net/port.h, store/port.h, base/log.h): so a whole message runs
 * through here in a unit test, without libuv, SQLite, OpenSSL or a clock.  One thread: every call and every callback
 * comes from the one loop that owns the ports.
 *
 * Owns sessions, judges' channels, deliveries, the queue in memory and the running generation.  Does not own the ports:
 * they must live until relay_free, and no event may come after it. */
#ifndef SLUICE_RELAY_RELAY_H
#define SLUICE_RELAY_RELAY_H

#include "base/err.h"
#include "base/str.h"
#include "net/port.h"
#include "store/port.h"

struct relay;
struct log;

struct relay_ports {
    const struct net_port *net;
    struct store_port *store;
    struct content_port *content;
    struct log *log;     /* NULL: silent */
    struct str build_id; /* each channel begins with it; lives as long as the relay */
    unsigned judges;     /* how many, where the settings leave it open */
    int64_t own_uid;     /* besides root, the user who may change things over the control socket */
    /* The relay has nothing left to do, or must not go on: `status` is a sysexits code (0: it was asked to stop).
     * Called once, last; the owner ends the loop and then calls relay_free. */
    void (*stopped)(void *owner, int status);
    void *owner;
};

struct relay *relay_create(const struct relay_ports *ports);

/* Takes over the channel to the supervisor (base/link.h), on which the build ids were exchanged already, and starts
 * reading the queue.  The first generation that is committed opens the listeners, once the queue is read, and
 * LINK_READY is said. A generation that cannot be taken (settings that need a restart, a block that does not decode) is
 * answered LINK_REFUSED with its number and the reason.  On a template's channel the relay says LINK_HELLO first and
 * checks the one it gets. */
void relay_begin(struct relay *r, int supervisor);

/* As LINK_STOP does: no new connections, transactions under way are finished or answered 421, then `stopped`.  After 10
 * s deliveries are broken off (their recipients stay queued), after 20 s the rest is too. */
void relay_stop(struct relay *r);

void relay_free(struct relay **r); /* drops everything at once; what was answered 250 is in the store */

#endif
