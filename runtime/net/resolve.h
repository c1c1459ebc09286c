/* net/resolve: a target's host becomes socket addresses: literals at once, names through the system's resolver in one
 * of libuv's threads.  Private to net/.
 *
 * Names by DNS (MX, DNSSEC) are another module's business; this is for connectors' host names. */
#ifndef SLUICE_NET_RESOLVE_H
#define SLUICE_NET_RESOLVE_H

#include <sys/socket.h>

#include "net/core.h"

enum { RESOLVE_ADDRESSES_MAX = 16 };

struct resolved {
    struct sockaddr_storage v[RESOLVE_ADDRESSES_MAX];
    socklen_t length[RESOLVE_ADDRESSES_MAX];
    size_t n;
};

/* True when host is an address literal (brackets and "IPv6:" are taken off). */
bool resolve_literal(struct str host, uint16_t port, struct resolved *out);

struct resolve;
/* `done` runs in the loop; n is 0 with *why when there is no address.  Not after resolve_cancel. */
struct resolve *resolve_start(struct loop *l, struct str host, uint16_t port,
                              void (*done)(void *owner, const struct resolved *r, const char *why), void *owner);
void resolve_cancel(struct resolve **r);

#endif
