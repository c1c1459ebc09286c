#include "relay/relay.h"

#include <stdlib.h>
#include <sysexits.h>

#include "relay/control.h"
#include "relay/deliver.h"
#include "relay/events.h"
#include "relay/generation.h"
#include "relay/lists.h"
#include "relay/operate.h"
#include "relay/queue.h"
#include "relay/receive.h"
#include "relay/reload.h"
#include "relay/suspend.h"

/* A stop waits so long for what is under way; then deliveries are given up, then all the rest.  The supervisor kills
 * after 30 s, which no stop should come to. */
enum { STOP_DELIVERIES_MS = 10000, STOP_ALL_MS = 10000 };

uint32_t relay_chance(const struct relay *r)
{
    uint32_t n;
    r->net->random(r->net->self, &n, sizeof n);
    return n;
}

const struct settings *relay_settings(const struct relay *r)
{
    INVARIANT(r->current != NULL);
    return &r->current->settings;
}

/* --- message memory ----------------------------------------------------------------------------------------------- */

void relay_memory_take(struct relay *r, uint64_t bytes) { r->memory_used += bytes; }

void relay_memory_give(struct relay *r, uint64_t bytes)
{
    INVARIANT(bytes <= r->memory_used);
    r->memory_used -= bytes;
    if (!r->stopping) receive_memory_came_back(r->receive);
}

bool relay_memory_has_room(const struct relay *r) { return r->memory_used <= relay_settings(r)->memory / 4 * 3; }
bool relay_memory_is_full(const struct relay *r, uint64_t more)
{
    uint64_t budget = relay_settings(r)->memory;
    return r->memory_used > budget || more > budget - r->memory_used;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

struct relay *relay_create(const struct relay_ports *ports)
{
    struct relay *r = mem_alloc(sizeof *r);
    r->ports = *ports;
    r->net = ports->net;
    r->store = ports->store;
    r->content = ports->content;
    r->started = relay_now(r);
    r->net->random(r->net->self, r->chain_key, sizeof r->chain_key);
    r->lists = lists_create(r);
    r->receive = receive_create(r);
    r->queue = queue_create(r);
    r->deliver = deliver_create(r);
    r->control = control_create(r);
    return r;
}

static void loaded(struct relay *r, const char *failure)
{
    if (!failure)
        events_note(r, EVENT_INFO, "the queue holds %zu recipients that are due or wait", queue_waiting(r->queue));
    reload_queue_loaded(r->reload, failure);
}

static void lists_loaded(struct relay *r, const char *failure)
{
    if (failure)
        loaded(r, failure);
    else
        queue_load(r->queue, loaded);
}

void relay_begin(struct relay *r, int supervisor)
{
    r->reload = reload_create(r, supervisor);
    operate_watch(r);
    suspensions_load(r->deliver->suspensions);
    lists_load(r->lists, lists_loaded);
}

static void end(struct relay *r, int status)
{
    if (r->stopped) return;
    r->stopped = true;
    r->ports.stopped(r->ports.owner, status);
}

void relay_settle(struct relay *r)
{
    if (!r->stopping || r->stopped) return;
    if (receive_sessions(r->receive) || receive_intakes(r->receive) || !deliver_is_idle(r->deliver)) return;
    if (!control_is_idle(r->control)) return;
    events_note(r, EVENT_INFO, "stopped");
    end(r, EX_OK);
}

/* Clients that still wait have no 250, and what was accepted is in the store: nothing is lost by ending here. */
static void end_anyway(void *owner)
{
    struct relay *r = owner;
    events_note(r, EVENT_WARNING, "stopped with %zu sessions open", receive_sessions(r->receive));
    end(r, EX_OK);
}

static void stop_waiting(void *owner)
{
    struct relay *r = owner;
    r->patience.fired = end_anyway;
    r->net->timer_set(r->net->self, &r->patience, STOP_ALL_MS);
    deliver_give_up(r->deliver);
    relay_settle(r);
}

void relay_stop(struct relay *r)
{
    if (r->stopping) return;
    r->stopping = true;
    r->patience.fired = stop_waiting;
    r->patience.owner = r;
    r->net->timer_set(r->net->self, &r->patience, STOP_DELIVERIES_MS);
    if (r->current) generation_unlisten(r->current);
    control_stop(r->control);
    deliver_stop(r->deliver);
    receive_stop(r->receive);
    relay_settle(r);
}

void relay_fail(struct relay *r, int sysexit, const char *why)
{
    events_note(r, EVENT_ERROR, "%s", why);
    end(r, sysexit);
}

void relay_free(struct relay **at)
{
    struct relay *r = *at;
    *at = NULL;
    if (!r) return;
    r->stopping = r->stopped = true; /* nothing that ends below starts anything, or tells anybody */
    r->net->timer_clear(r->net->self, &r->patience);
    control_free(&r->control);
    reload_free(&r->reload);
    receive_free(&r->receive);
    deliver_free(&r->deliver);
    queue_free(&r->queue);
    generation_free_all(r);
    lists_free(&r->lists);
    free(r);
}
