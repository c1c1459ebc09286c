/* relay/reload: what the supervisor says: generations, the control socket, the end (base/link.h).
 *
 * A generation is BEGIN, LISTENER…, TEMPLATE, COMMIT; nothing changes before COMMIT, and one that cannot be taken
 * changes nothing at all.  Messages whose final dot came before the swap finish in the old one. Owns the supervisor's
 * channel and the generation in the making. */
#ifndef SLUICE_RELAY_RELOAD_H
#define SLUICE_RELAY_RELOAD_H

#include "relay/state.h"

struct reload *reload_create(struct relay *r, int supervisor);
void reload_free(struct reload **rl);

void reload_queue_loaded(struct reload *rl, const char *failure); /* listeners may open */

/* Asks the supervisor for a reload; `done` is called once: ok with what COMMIT said, or the diagnostics.  Whoever
 * asks while one is under way is answered with the next. */
struct reload_waiter {
    struct reload_waiter *next;
    void (*done)(void *owner, bool ok, struct str text);
    void *owner;
};
void reload_ask(struct reload *rl, struct reload_waiter *w);
void reload_withdraw(struct reload *rl, struct reload_waiter *w);

#endif
