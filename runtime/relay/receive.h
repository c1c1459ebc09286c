/* relay/receive: sessions: SMTP in (smtp/server) over a stream, from the greeting to the final dot.
 *
 * Owns sessions (relay/session) and their intakes (relay/intake). */
#ifndef SLUICE_RELAY_RECEIVE_H
#define SLUICE_RELAY_RECEIVE_H

#include "relay/generation.h"
#include "relay/state.h"

struct receive *receive_create(struct relay *r);
void receive_free(struct receive **r);

void receive_open(struct listener *l);            /* begins accepting on l->fd */
void receive_memory_came_back(struct receive *r); /* sessions that wait with DATA may go on */
void receive_stop(struct receive *r);             /* 421 for all that are not between the dot and its answer */
size_t receive_sessions(const struct receive *r);
size_t receive_intakes(const struct receive *r); /* messages between MAIL and commit; some outlive their session */

#endif
