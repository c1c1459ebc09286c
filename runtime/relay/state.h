/* relay/state: what the modules of relay/ share: the relay itself, its clock, its memory account.  Private to relay/.
 *
 * Owns nothing but the struct; each module owns what its pointer names. */
#ifndef SLUICE_RELAY_STATE_H
#define SLUICE_RELAY_STATE_H

#include "mail/settings.h"
#include "relay/relay.h"

struct generation;
struct receive;
struct queue;
struct deliver;
struct reload;
struct control;
struct lists;

struct relay {
    struct relay_ports ports;
    const struct net_port *net;
    struct store_port *store;
    struct content_port *content;
    struct generation *current;     /* NULL before the first commit */
    struct generation *generations; /* all that are still referred to */
    struct receive *receive;
    struct queue *queue;
    struct deliver *deliver;
    struct reload *reload;
    struct control *control;
    struct lists *lists;
    void *backup;         /* the control client whose backup is under way or stands; NULL: none */
    uint64_t memory_used; /* message bytes held, DESIGN section 2 */
    int64_t started;      /* UTC seconds */
    uint8_t chain_key[32]; /* relay/chain's */
    bool stopping, stopped;
    struct net_timer patience; /* while stopping */
    struct {
        uint64_t received, delivered, deferred, returned, refused;
    } counts; /* since the start; messages in, recipients out */
};

static inline int64_t relay_now(const struct relay *r) { return r->net->now(r->net->self) / 1000000; }
static inline int64_t relay_micro(const struct relay *r) { return r->net->now(r->net->self); }
static inline int64_t relay_ms(const struct relay *r) { return r->net->monotonic(r->net->self) / 1000; }

uint32_t relay_chance(const struct relay *r);

/* The settings of the running generation; INVARIANT: there is one. */
const struct settings *relay_settings(const struct relay *r);

/* The account of message memory.  Under ¾ of the budget there is room for new DATA; over it all only 452. */
void relay_memory_take(struct relay *r, uint64_t bytes);
void relay_memory_give(struct relay *r, uint64_t bytes); /* may let waiting sessions go on */
bool relay_memory_has_room(const struct relay *r);
bool relay_memory_is_full(const struct relay *r, uint64_t more); /* `more` bytes would exceed it */

/* Something of the relay ended (a session, a delivery, a write): when stopping, this may have been the last. */
void relay_settle(struct relay *r);
/* The relay must not go on. */
void relay_fail(struct relay *r, int sysexit, const char *why);

#endif
