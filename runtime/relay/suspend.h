/* relay/suspend: mail that is not tried for a while because somebody said so: by connector, domain, sender or
 * recipient, with a reason and an end.
 *
 * The store keeps them over a restart; here they stand in memory, each with the entries that wait for its end.  Owns
 * both.
 */
#ifndef SLUICE_RELAY_SUSPEND_H
#define SLUICE_RELAY_SUSPEND_H

#include "relay/queue.h"

struct suspensions;

enum { SUSPENSIONS_MAX = 1000 };

struct suspensions *suspensions_create(struct relay *r);
void suspensions_free(struct suspensions **s);
void suspensions_load(struct suspensions *s); /* out of the store, before the queue */

/* After the store has it. False: there are SUSPENSIONS_MAX. */
bool suspensions_have_room(const struct suspensions *s);
void suspensions_add(struct suspensions *s, const struct stored_suspension *one);
/* Resumed: what waited for it is due now. */
void suspensions_end(struct suspensions *s, int64_t id);

/* NULL: nothing covers it. */
const struct stored_suspension *suspensions_find(const struct suspensions *s, struct str sender, struct str recipient,
                                                 struct str connector);
bool suspensions_cover(const struct suspensions *s, const struct queued_recipient *rcpt, struct str connector);
/* True: its entry is kept until the suspension ends. */
bool suspensions_park(struct suspensions *s, const struct queued_recipient *rcpt, struct str connector);

size_t suspensions_count(const struct suspensions *s);
const struct stored_suspension *suspensions_at(const struct suspensions *s, size_t i, size_t *waiting);

#endif
