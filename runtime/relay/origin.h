/* relay/origin: messages the relay makes itself: a DSN or a notice as a stored message, ready for the store.
 *
 * Owns the message's memory until origin_free; the store and the queue only look at it. */
#ifndef SLUICE_RELAY_ORIGIN_H
#define SLUICE_RELAY_ORIGIN_H

#include "mail/verdict.h"
#include "relay/body.h"
#include "relay/dsn.h"
#include "relay/state.h"

struct origin {
    struct stored_message message;
    struct body *body;
    /* private */
    struct stored_recipient recipient;
    struct stored_copy copy;
    struct piece piece;
    char *text;
};

/* Fills in what the relay knows (host name, ids, times) and builds it.  `need` is what the returned recipients
 * demanded: it travels on. */
struct origin *origin_dsn(struct relay *r, const struct dsn *facts, struct obligation need);
/* The message that a notice is about. */
struct origin_about {
    struct str before;      /* what it refers to itself (relay/chain) */
    struct str content;
    bool whole;             /* all of it goes along where that is asked for; else its header */
    struct obligation need; /* what it demanded */
};
struct origin *origin_notice(struct relay *r, const struct verdict_notice *notice, const struct origin_about *about);
void origin_free(struct origin **o); /* NULL-safe */

/* A fresh queue id. */
void origin_queue_id(struct relay *r, char *out /* QUEUE_ID_SIZE */);

#endif
