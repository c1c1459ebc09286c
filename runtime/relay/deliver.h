/* relay/deliver: due recipients become transactions, one line of them per next hop, over pooled connections.
 *
 * Recipients of one message with the same next hop (relay/destination), copy and obligation go in one transaction.  A
 * connection is used again only for an equal or weaker demand than it was made for, at most 20 per next hop, 5 s idle.
 * Owns destinations, deliveries and connections; recipients are relay/queue's. */
#ifndef SLUICE_RELAY_DELIVER_H
#define SLUICE_RELAY_DELIVER_H

#include "base/map.h"
#include "relay/queue.h"
#include "relay/tls_policy.h"
#include "relay/trouble.h"

enum {
    DELIVER_PER_HOP = 20,          /* connections at once */
    DELIVER_PER_TRANSACTION = 100, /* recipients: what every server must take (RFC 5321 section 4.5.3.1.8) */
    DELIVER_HOPS_KEPT = 1000,      /* next hops that nothing waits for are forgotten above that */
    DELIVER_LINE_MAX = 500,        /* of one next hop: who comes then is parked, and none stands in another's way */
    DELIVER_IDLE_MS = 5000,
    DELIVER_CONNECT_MS = 30000,
    DELIVER_DOWN_MS = 30000 /* what comes so soon after a host failed shares that failure */
};

struct connection;
struct destination;

/* What one attempt came to for one recipient. */
struct result {
    bool set;
    struct trouble_answer answer;
    char *reason;      /* heap; NULL when done */
    bool said_by_peer; /* the reason is the peer's reply */
};

/* One transaction: some recipients of one message, equal in connector, copy and obligation. */
struct delivery {
    struct delivery *next;
    struct deliver *deliver;
    struct destination *destination; /* NULL before it is routed */
    struct queued_message *message;
    struct obligation need;
    uint32_t copy;
    bool tls_spent;           /* opportunistic TLS failed: the next connection does not try it */
    uint64_t lacking, edition; /* hosts, by place in that edition of the list, that cannot give this mail its TLS */
    struct content_wait wait; /* for the content, while `waiting` */
    bool waiting;
    bool dsn_offered;         /* by the host that was given the message: reports of success are its own then */
    char *remote; /* host that answered; heap */
    size_t n;
    struct result *results;
    struct queued_recipient *recipients[];
};

struct deliver *deliver_create(struct relay *r);
void deliver_free(struct deliver **d);

/* Takes the recipient, with those of its message that may travel with it; or keeps only its entry, because its line is
 * long or a suspension covers it, until that is over. */
void deliver_due(struct deliver *d, struct queued_recipient *rcpt);
/* By hand: hosts that failed are tried anew. */
void deliver_forget_failures(struct deliver *d);
/* Another generation runs: idle connections end, the others are not used again. */
void deliver_generation_changed(struct deliver *d);
/* No new connections; idle ones end.  What is under way goes on. */
void deliver_stop(struct deliver *d);
/* After deliver_stop: what is under way is broken off.  Its recipients stay as the store has them, to be tried by the
 * next process. */
void deliver_give_up(struct deliver *d);
bool deliver_is_idle(const struct deliver *d); /* nothing under way, no outcome unwritten */

/* --- between deliver.c, destination.c, connection.c and outcome.c ------------------------------------------------- */

struct deliver {
    struct relay *relay;
    struct destination *destinations;
    struct map by_name; /* of them, by connector and domain */
    size_t hops_most;   /* more of them, and those that nothing waits for go */
    struct net_timer sweep;
    bool sweeping;
    size_t waiting;   /* deliveries in lines */
    struct suspensions *suspensions;
    size_t under_way; /* deliveries made and not yet settled */
    size_t connections;
    bool stopping;
};

/* Notes, once per recipient, what became of it, and logs the attempt.  `tls_had` is for the log. */
void delivery_result(struct delivery *d, size_t recipient, const struct trouble *t, struct str tls_had);
/* The same for all recipients that have no result yet. */
void delivery_result_rest(struct delivery *d, const struct trouble *t, struct str tls_had);

/* The same where tls_policy keeps the mail back: the reason names what lacks, where, and in detail. */
void delivery_waits_for_tls(struct delivery *d, const struct tls_decision *decision, struct str where,
                            const char *detail, struct str tls_had);

/* outcome.c: every recipient has its result: writes outcomes and, in the same transaction, the DSN for those returned;
 * then tells the queue.  Takes the delivery over. */
void outcome_settle(struct delivery *d);

/* connection.c */
struct connection *connection_open(struct destination *to, struct delivery *first,
                                   const struct connector_settings *how, int which);
bool connection_takes(const struct connection *c, const struct delivery *d, const struct connector_settings *how);
void connection_give(struct connection *c, struct delivery *d); /* an idle one */
bool connection_is_idle(const struct connection *c);
void connection_quit(struct connection *c);  /* an idle one */
struct delivery *
connection_give_up(struct connection *c);    /* closes it at once; a delivery of its, without results; NULL: none */
void connection_abort(struct connection *c); /* for the relay's end: frees it, its delivery is dropped */
struct connection *connection_next(const struct connection *c);

/* deliver.c, for connection.c */
/* What was changed by hand since goes back to the queue; false: nothing is left, and the delivery is gone. */
bool deliver_still_holds(struct delivery *d);
void deliver_drop(struct delivery *d); /* without a trace */
struct delivery *deliver_take(struct destination *to,
                              struct connection *c); /* the next that this connection may carry */
void deliver_pump(struct destination *to);
/* This host, the `which`th of that edition, took no session of d's (NULL: none waits): true when d is in line for
 * another host.  Else no host is left: the line waits, with d's `t` as its reason, and d is still the caller's. */
bool deliver_next_host(struct destination *to, struct delivery *d, uint64_t edition, int which,
                       const struct trouble *t);
/* That host cannot give this mail its TLS: true when d is in line for one that may. */
bool deliver_other_tls(struct destination *to, struct delivery *d, uint64_t edition, int which);
/* Keeps the first `most` recipients, fewer where they are of more than `domains` domains (0: any number); the others
 * are put at the head of the line as another delivery. */
void deliver_split(struct delivery *d, size_t most, size_t domains);

#endif
