/* relay/queue: the due part of the queue in memory: every queued recipient, in a heap by the time of its next attempt.
 *
 * The store is the truth; this is its index, loaded once at the start and kept by what the relay itself writes.  Held
 * and quarantined recipients are not here: they come back when released.  A message's content is here only while a
 * delivery needs it, or for the first delivery after it was accepted.
 *
 * Owns messages and recipients (one block each message).  A recipient is either waiting (in the heap) or busy (with
 * relay/deliver), and goes by queue_done when its outcome is in the store. */
#ifndef SLUICE_RELAY_QUEUE_H
#define SLUICE_RELAY_QUEUE_H

#include "relay/body.h"
#include "relay/state.h"

/* Delivered forms, copied out of a verdict or the store: one block. */
struct forms {
    struct stored_copy *v;
    size_t n;
};
struct forms *forms_copy(const struct stored_copy *copies, size_t n);

struct queued_recipient {
    struct queued_message *message;
    int64_t id, next_try, expires;
    struct str address, connector, orcpt, tls_rule;
    struct obligation need;
    uint32_t copy, attempts;
    uint32_t heap; /* place + 1; 0: busy or gone */
    uint8_t notify;
    bool gone; /* its row is gone, or no longer queued */
};

struct content_wait {
    struct content_wait *next;
    /* NULL: message->body and ->forms are there.  EX_DATAERR, EX_NOINPUT: what was stored is damaged or gone; any other
     * failure may pass. */
    void (*ready)(void *owner, const struct err *failure);
    void *owner;
};

struct queued_message {
    struct queued_message *next, *before;
    struct str queue_id, reverse_path, envid;
    int64_t arrived;
    uint64_t size;
    bool eight_bit, binary, smtputf8, relay_made;
    uint8_t ret;
    struct body *body; /* NULL: not in memory */
    struct forms *forms;
    struct content_wait *waits;
    void *loading; /* the query under way */
    unsigned busy; /* recipients with deliver; content stays while there are any */
    size_t left, recipient_count;
    struct queued_recipient recipients[];
};

struct queue *queue_create(struct relay *r);
void queue_free(struct queue **q);

/* Reads everything due out of the store; `loaded` is called once, with an error text or NULL. */
void queue_load(struct queue *q, void (*loaded)(struct relay *r, const char *failure));

/* Takes over what was just stored: its recipients that are RECIPIENT_QUEUED.  `body` (may be NULL) stays in memory for
 * the first delivery if there is room. */
void queue_add(struct queue *q, const struct stored_message *m, struct body *body);

/* Released by hand: reads that message's recipients again, takes those that are not here, and moves the others up. */
void queue_refresh(struct queue *q, struct str queue_id);

/* The schedule's longest delay may have changed, or the clock may have been ahead when rows were written: no recipient
 * waits longer than the schedule could have meant.  Once per generation. */
void queue_clamp(struct queue *q);

/* Hands out what is due.  Called when deliver has room again. */
void queue_pump(struct queue *q);

void queue_busy(struct queue *q, struct queued_recipient *rcpt);                    /* taken by deliver */
void queue_again(struct queue *q, struct queued_recipient *rcpt, int64_t next_try); /* back in the heap */
void queue_gone(struct queue *q, struct queued_recipient *rcpt);                    /* the last one frees the message */

/* True when the content is in memory; else reads it, and w->ready comes later. */
bool queue_content(struct queue *q, struct queued_message *m, struct content_wait *w);
void queue_content_withdraw(struct queued_message *m, struct content_wait *w);

size_t queue_recipients(const struct queue *q); /* in memory: waiting and busy */
size_t queue_messages(const struct queue *q);

#endif
