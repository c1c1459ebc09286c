/* relay/destination: a next hop: the line of what is to go there, and how its hosts fared.
 *
 * A next hop is a connector, or one domain of a connector that follows MX records (relay/hosts).  It is there from the
 * first mail for it; those that nothing waits for go when there are many.  Its line is bounded: what comes then is
 * parked as an entry.  Owns its hosts and what is parked; deliveries and connections are relay/deliver's.  Private to
 * deliver.c, outcome.c and what shares connection.h. */
#ifndef SLUICE_RELAY_DESTINATION_H
#define SLUICE_RELAY_DESTINATION_H

#include "relay/deliver.h"
#include "relay/hosts.h"

struct destination {
    struct destination *next;
    struct deliver *deliver;
    struct str key;       /* name NUL hop: own copy, which the two next are views of */
    struct str name, hop; /* of the connector, and the domain where MX records are followed, else empty */
    struct hosts *hosts;  /* NULL: not needed yet in this generation */
    unsigned window;      /* connections at once: falls when the host turns us away, rises with what it takes */
    unsigned taken;       /* messages since the window last rose */
    struct delivery *first, *last;
    size_t line;           /* how many */
    VEC(struct due) parked; /* their turn comes when the line is shorter */
    struct connection *connections;
    unsigned open;
    int64_t down_until_ms; /* monotonic; the host failed a moment ago: */
    struct trouble down;
    char *down_why;        /* what `down` points to; heap */
};

/* The one that mail for `address` takes by connector `c`; made where there is none. */
struct destination *destination_of(struct deliver *d, const struct connector_settings *c, struct str address);
bool destination_has_hop(const struct destination *to, const struct connector_settings *c, struct str address);
void destination_free(struct destination *to); /* its line and its connections are gone */

/* The line.  Whoever is put back was not tried: it comes to the head. */
void destination_push(struct destination *to, struct delivery *d);
void destination_put_back(struct delivery *d);
struct delivery *destination_pop(struct destination *to); /* there is one */

/* For when the line is short again; then unpark has the oldest of those parked looked at. */
void destination_park(struct destination *to, struct due entry);
void destination_unpark(struct destination *to);

/* No host of it is left, for `t`'s reason (copied): for a moment, what comes shares that. */
void destination_note_down(struct destination *to, const struct trouble *t);
bool destination_is_down(const struct destination *to);
/* A message, or a refusal of it: the session with that host, the `which`th of that edition, works. */
void destination_took(struct destination *to, uint64_t edition, int which);
void destination_turned_away(struct destination *to); /* 421, or a connection that was refused while others stand */

#endif
