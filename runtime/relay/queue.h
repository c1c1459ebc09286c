/* relay/queue: which recipients are tried when, and the few messages that are in memory for it.
 *
 * The store is the truth.  Here stands one small entry for each queued recipient (relay/due); a message is in memory
 * only while it is new, or while a delivery has to do with it: what is due is read in batches, looked at once more, and
 * handed to relay/deliver.  So a million waiting recipients cost a million entries, and what was done to a row by hand
 * counts from the next look on.  Held recipients are not here: a release adds an entry.
 *
 * Owns messages and recipients (relay/queued).  A recipient is either waiting or busy (with relay/deliver), and goes by
 * queue_gone when its outcome is in the store. */
#ifndef SLUICE_RELAY_QUEUE_H
#define SLUICE_RELAY_QUEUE_H

#include "relay/due.h"
#include "relay/queued.h"

struct queue *queue_create(struct relay *r);
void queue_free(struct queue **q);

/* Reads the times of everything that is queued; `loaded` is called once, with an error text or NULL. */
void queue_load(struct queue *q, void (*loaded)(struct relay *r, const char *failure));

/* Takes over what was just stored: its recipients that are RECIPIENT_QUEUED.  `body` (may be NULL) stays in memory for
 * the first delivery if there is room. */
void queue_add(struct queue *q, const struct stored_message *m, struct body *body);

/* Rows were changed by hand: what stands here of those recipients does not hold any more, and nothing further is begun
 * with it.  `due`: they are to be looked at now. */
void queue_changed(struct queue *q, const int64_t *recipients, size_t n, bool due);

/* The schedule's longest delay may have changed, or the clock was set back: no recipient waits longer than the schedule
 * could have meant.  Once per generation; jumps are seen here. */
void queue_clamp(struct queue *q);

/* Hands out what is due.  Called when deliver has room again. */
void queue_pump(struct queue *q);

/* Of a recipient that deliver was offered (deliver_due): it takes it, or leaves it to be looked at again later: `at`,
 * or by whoever keeps the entry that is answered. */
void queue_busy(struct queue *q, struct queued_recipient *rcpt);
void queue_put(struct queue *q, const struct due *entries, size_t n, int64_t at);
struct due queue_entry(const struct queue *q, const struct queued_recipient *rcpt);

/* The end of being busy: tried again at that time, or gone. */
void queue_again(struct queue *q, struct queued_recipient *rcpt, int64_t next_try);
void queue_gone(struct queue *q, struct queued_recipient *rcpt);
int64_t queue_waited(const struct queue *q, const struct queued_recipient *rcpt); /* seconds, up to now */

/* True when the content is in memory; else reads it, and w->ready comes later. */
bool queue_content(struct queue *q, struct queued_message *m, struct content_wait *w);
void queue_content_withdraw(struct queued_message *m, struct content_wait *w);

size_t queue_waiting(const struct queue *q); /* entries, about as many as queued recipients */
size_t queue_loaded(const struct queue *q);  /* messages in memory */

#endif
