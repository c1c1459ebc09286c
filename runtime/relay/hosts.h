/* relay/hosts: the hosts that take mail for one next hop, and which of them to try now.
 *
 * A next hop is a connector's own hosts, as declared, or a domain, whose MX records and addresses are asked of DNS (RFC
 * 5321 section 5.1, RFC 7505): lowest preference first, equal ones in random order, each host's addresses one after
 * another, IPv6 before IPv4.  Without MX records the domain itself is the host.  Owns the list, its age, and what
 * failed lately; a failed address is passed over for a while, so that the next connection begins with one that may
 * work. */
#ifndef SLUICE_RELAY_HOSTS_H
#define SLUICE_RELAY_HOSTS_H

#include "mail/settings.h"
#include "relay/state.h"
#include "relay/trouble.h"

enum {
    HOSTS_MOST = 64,          /* addresses; the rest of the list is not tried */
    HOSTS_KEPT_S = 300,       /* then DNS is asked anew; it has a cache of its own, by TTL */
    HOSTS_BAD_S = 120,        /* how long a failed address is passed over */
    HOSTS_NONE = -1
};

struct hosts;

/* One place to connect to. */
struct host {
    struct str name;  /* of the MX host, for TLS and logs; lives as long as the hosts */
    struct str where; /* an address literal, or a name for the system's resolver */
    uint16_t preference; /* of the MX record; 0: none says */
    bool secure;      /* MX and address records are validated by DNSSEC */
};

/* All is copied.  `port` is where its hosts will be connected to: an exchanger that leads back to one of our own
 * listeners is ourselves, under whatever name. */
struct hosts *hosts_of_connector(struct relay *r, const struct connector_settings *c);
struct hosts *hosts_of_domain(struct relay *r, struct str domain, uint16_t port);
void hosts_free(struct hosts **h); /* an answer under way is given up; `known` does not come */

/* True: the list is there, or the trouble is.  False: it is asked for, and `known` comes, from the loop, once; while it
 * is awaited the answer stays false. */
bool hosts_are_known(struct hosts *h, void (*known)(void *owner), void *owner);
/* Why there is no host at all: no such domain, a null MX, a loop, no answer.  NULL: there are some. */
const struct trouble *hosts_trouble(const struct hosts *h);

/* The first place that has not failed lately and whose bit is not in `not`; HOSTS_NONE: all have. */
int hosts_pick(const struct hosts *h, uint64_t not);
const struct host *hosts_at(const struct hosts *h, int which); /* until the next hosts_are_known */
/* Which list it is: a place that was picked from another one says nothing about this. */
uint64_t hosts_edition(const struct hosts *h);
void hosts_failed(struct hosts *h, int which);
void hosts_worked(struct hosts *h, int which);
void hosts_forgive(struct hosts *h); /* all may be tried again: their failure was told */

#endif
