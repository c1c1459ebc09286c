/* relay/generation: one accepted configuration: settings, listeners with their certificates, judges.
 *
 * Counted: the relay holds the current one, each session the one its listener's rules come from.  Judges belong to it;
 * when the relay has moved on and nothing is in flight, its template channel closes and its judges end. */
#ifndef SLUICE_RELAY_GENERATION_H
#define SLUICE_RELAY_GENERATION_H

#include "base/arena.h"
#include "relay/judges.h"
#include "relay/state.h"

/* One open listener.  Its settings are found by index in the generation's settings. */
struct listener {
    struct generation *generation;
    const struct listener_settings *settings;
    int fd;     /* until it is opened; -1 after */
    void *open; /* the port's; NULL: not listening (yet, or any more) */
    void *tls;  /* the port's server context; NULL: no STARTTLS */
    struct str tls_problem; /* why there is none, where there should be */
};

struct generation {
    struct relay *relay;
    struct generation *next; /* all that live: relay->generations */
    uint64_t number;
    uint32_t rules;                 /* how many, as the template counted them */
    uint32_t flags; /* LINK_BEGIN's: 1 = the last accepted program */
    unsigned refs;
    struct arena *arena; /* settings live here */
    struct settings settings;
    struct listener *listeners; /* settings.listener_count of them, same order */
    struct buf *passwords;      /* settings.connector_count of them, same order; empty: no user.  Wiped at the end */
    struct judges *judges;
    struct net_timer reaper; /* the last reference may go from inside a judge's answer: the rest goes a turn later */
};

/* Decodes and checks the block.  NULL with *e. */
struct generation *generation_create(struct relay *r, uint64_t number, uint32_t flags, struct str block, struct err *e);
struct generation *generation_ref(struct generation *g);
void generation_unref(struct generation **g); /* the last one closes everything still open, in the next turn */
void generation_free_all(struct relay *r);    /* for the relay's own end, when nothing refers to them any more */

struct str generation_password(const struct generation *g, const struct connector_settings *k); /* k: one of its own */
struct listener *generation_listener(struct generation *g, struct str name); /* NULL: no such */
void generation_unlisten(struct generation *g);

#endif
