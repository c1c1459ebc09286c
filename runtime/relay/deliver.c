#include "relay/deliver.h"

#include <stdlib.h>
#include <string.h>

#include "relay/events.h"
#include "relay/generation.h"
#include "relay/route.h"
#include "relay/tls_policy.h"

struct deliver *deliver_create(struct relay *r)
{
    struct deliver *d = mem_alloc(sizeof *d);
    d->relay = r;
    return d;
}

static void delivery_free(struct delivery *d)
{
    for (size_t i = 0; i < d->n; i++) free(d->results[i].reason);
    free(d->remote);
    free(d);
}

void deliver_free(struct deliver **at)
{
    struct deliver *d = *at;
    *at = NULL;
    if (!d) return;
    for (struct destination *to = d->destinations, *next; to; to = next) {
        next = to->next;
        while (to->connections) connection_abort(to->connections);
        for (struct delivery *one = to->first, *after; one; one = after) {
            after = one->next;
            delivery_free(one);
        }
        free(to);
    }
    free(d);
}

bool deliver_has_room(const struct deliver *d) { return d->waiting < DELIVER_LINE_MAX && !d->stopping; }
bool deliver_is_idle(const struct deliver *d) { return d->under_way == d->waiting; }

/* --- results -------------------------------------------------------------------------------------------------------
 */

static void log_attempt(const struct delivery *d, const struct queued_recipient *rcpt, const struct trouble_answer *a,
                        struct str reason, struct str tls_had)
{
    static const char *const words[] = {
        [FATE_DONE] = "delivered", [FATE_RETRY] = "deferred", [FATE_RETURN] = "undeliverable", [FATE_HOLD] = "held"};
    struct relay *r = d->deliver->relay;
    events_attempt(r, &(struct event_attempt){
                          .what = words[a->fate],
                          .queue_id = d->message->queue_id,
                          .recipient = rcpt->address,
                          .connector = d->destination ? d->destination->name : STR_NONE,
                          .relay = str_of(d->remote),
                          .tls_had = tls_had,
                          .reason = reason,
                          .tls_asked = rcpt->need,
                          .attempts = rcpt->attempts + 1,
                          .delay_s = relay_now(r) - d->message->arrived,
                      });
}

void delivery_result(struct delivery *d, size_t i, const struct trouble *t, struct str tls_had)
{
    struct result *result = &d->results[i];
    INVARIANT(i < d->n && !result->set);
    result->set = true;
    result->answer = trouble_decide(t);
    char reason[512];
    size_t n = trouble_reason(t, &result->answer, reason, sizeof reason);
    log_attempt(d, d->recipients[i], &result->answer, (struct str){reason, n}, tls_had);
    if (result->answer.fate == FATE_DONE) {
        d->deliver->relay->counts.delivered++;
        return;
    }
    if (result->answer.fate == FATE_RETRY) d->deliver->relay->counts.deferred++;
    result->reason = mem_strdup(reason);
    result->said_by_peer = t->cause == TROUBLE_REPLY;
}

void delivery_result_rest(struct delivery *d, const struct trouble *t, struct str tls_had)
{
    for (size_t i = 0; i < d->n; i++)
        if (!d->results[i].set) delivery_result(d, i, t, tls_had);
}

void delivery_waits_for_tls(struct delivery *d, const struct tls_decision *decision, struct str where,
                            const char *detail, struct str tls_had)
{
    struct buf why = {0};
    buf_printf(&why, "%s %.*s%s%s", tls_policy_lack_text(decision->lack), STR_ARG(where), *detail ? ": " : "", detail);
    delivery_result_rest(
        d,
        &(struct trouble){
            .phase = TROUBLE_TLS, .cause = TROUBLE_POLICY, .reply = {.status = decision->status}, .why = buf_str(&why)},
        tls_had);
    buf_free(&why);
}

static void fail(struct delivery *d, const struct trouble *t)
{
    delivery_result_rest(d, t, STR_NONE);
    outcome_settle(d);
}

/* --- lines ---------------------------------------------------------------------------------------------------------
 */

static struct destination *destination_of(struct deliver *d, struct str connector)
{
    for (struct destination *to = d->destinations; to; to = to->next)
        if (str_eq(to->name, connector)) return to;
    struct destination *to = mem_alloc(sizeof *to + connector.n);
    memcpy(to + 1, connector.p, connector.n);
    to->name = (struct str){(char *)(to + 1), connector.n};
    to->deliver = d;
    to->next = d->destinations;
    d->destinations = to;
    return to;
}

static void line_push(struct destination *to, struct delivery *d)
{
    d->next = NULL;
    if (to->last)
        to->last->next = d;
    else
        to->first = d;
    to->last = d;
    to->deliver->waiting++;
}

void deliver_put_back(struct delivery *d)
{
    struct destination *to = d->destination;
    d->next = to->first;
    to->first = d;
    if (!to->last) to->last = d;
    to->deliver->waiting++;
}

static struct delivery *line_pop(struct destination *to)
{
    struct delivery *d = to->first;
    to->first = d->next;
    if (!to->first) to->last = NULL;
    to->deliver->waiting--;
    d->next = NULL;
    return d;
}

static struct delivery *gather(struct deliver *deliver, struct queued_recipient *first,
                               const struct connector_settings *c)
{
    struct queued_message *m = first->message;
    struct relay *r = deliver->relay;
    int64_t now = relay_now(r);
    char why[ROUTE_WHY_MAX];
    size_t at_most = m->recipient_count;
    struct delivery *d = mem_alloc(sizeof *d + at_most * (sizeof *d->recipients + sizeof *d->results));
    d->results = (struct result *)(d->recipients + at_most);
    d->deliver = deliver;
    d->message = m;
    d->need = first->need;
    d->copy = first->copy;
    for (size_t i = 0; i < at_most; i++) {
        struct queued_recipient *rcpt = &m->recipients[i];
        if (rcpt != first) {
            if (!rcpt->heap || rcpt->next_try > now || rcpt->copy != first->copy) continue;
            if (!obligation_equal(rcpt->need, first->need)) continue;
            if (route_find(relay_settings(r), rcpt->address, rcpt->connector, why) != c) continue;
        }
        queue_busy(r->queue, rcpt);
        d->recipients[d->n++] = rcpt;
    }
    deliver->under_way++;
    return d;
}

void deliver_due(struct deliver *deliver, struct queued_recipient *rcpt)
{
    char why[ROUTE_WHY_MAX];
    const struct connector_settings *c =
        route_find(relay_settings(deliver->relay), rcpt->address, rcpt->connector, why);
    struct delivery *d = gather(deliver, rcpt, c);
    if (!c) {
        fail(d, &(struct trouble){.phase = TROUBLE_ROUTE, .cause = TROUBLE_LOST, .why = str_of(why)});
        return;
    }
    d->destination = destination_of(deliver, c->name);
    line_push(d->destination, d);
    deliver_pump(d->destination);
}

/* What can be said before any connection: DANE, or TLS turned off.  True when that ended it. */
static bool refused_beforehand(struct delivery *d, const struct connector_settings *how)
{
    struct tls_decision decision =
        tls_policy(&(struct tls_situation){.need = d->need, .connector_tls = how->tls, .moment = TLS_BEFORE});
    if (decision.step == TLS_GO) return false;
    delivery_waits_for_tls(d, &decision, how->name, "", STR_NONE);
    outcome_settle(d);
    return true;
}

static struct connection *idle_for(struct destination *to, const struct delivery *d,
                                   const struct connector_settings *how)
{
    for (struct connection *c = to->connections; c; c = connection_next(c))
        if (connection_is_idle(c) && connection_takes(c, d, how)) return c;
    return NULL;
}

void deliver_pump(struct destination *to)
{
    struct relay *r = to->deliver->relay;
    bool had_room = deliver_has_room(to->deliver);
    while (to->first && !to->deliver->stopping) {
        const struct connector_settings *how = settings_connector(relay_settings(r), to->name);
        struct delivery *d = to->first;
        if (!how) {
            line_pop(to);
            fail(d, &(struct trouble){.phase = TROUBLE_ROUTE,
                                      .cause = TROUBLE_LOST,
                                      .why = STR("the connector is no longer declared")});
            continue;
        }
        struct connection *c = idle_for(to, d, how);
        if (!c && to->open >= DELIVER_PER_CONNECTOR) {
            /* All places are taken; an idle one that this mail may not use makes way. */
            for (c = to->connections; c; c = connection_next(c)) {
                if (!connection_is_idle(c)) continue;
                connection_quit(c);
                break;
            }
            break;
        }
        line_pop(to);
        if (refused_beforehand(d, how)) continue;
        if (c)
            connection_give(c, d);
        else
            connection_open(to, d, how);
    }
    if (!had_room && deliver_has_room(to->deliver)) queue_pump(r->queue);
}

struct delivery *deliver_take(struct destination *to, struct connection *c)
{
    struct relay *r = to->deliver->relay;
    const struct connector_settings *how = settings_connector(relay_settings(r), to->name);
    if (!to->first || !how || !connection_takes(c, to->first, how)) return NULL;
    bool had_room = deliver_has_room(to->deliver);
    struct delivery *d = line_pop(to);
    if (!had_room && deliver_has_room(to->deliver)) queue_pump(r->queue);
    return d;
}

/* Nothing but new attempts at the same closed door would follow: the whole line waits with the same reason. */
void deliver_host_failed(struct destination *to, const struct trouble *t)
{
    if (to->open > 1) return;
    struct delivery *line = to->first;
    to->first = to->last = NULL;
    for (struct delivery *d = line, *next; d; d = next) {
        next = d->next;
        d->next = NULL;
        to->deliver->waiting--;
        fail(d, t);
    }
    queue_pump(to->deliver->relay->queue);
}

void deliver_generation_changed(struct deliver *deliver)
{
    for (struct destination *to = deliver->destinations; to; to = to->next) {
        for (struct connection *c = to->connections, *next; c; c = next) {
            next = connection_next(c);
            if (connection_is_idle(c)) connection_quit(c);
        }
        deliver_pump(to);
    }
}

void deliver_stop(struct deliver *deliver)
{
    deliver->stopping = true;
    for (struct destination *to = deliver->destinations; to; to = to->next) {
        for (struct connection *c = to->connections, *next; c; c = next) {
            next = connection_next(c);
            if (connection_is_idle(c)) connection_quit(c);
        }
    }
}

void deliver_give_up(struct deliver *deliver)
{
    INVARIANT(deliver->stopping);
    for (struct destination *to = deliver->destinations; to; to = to->next) {
        for (struct connection *c = to->connections; c; c = connection_next(c)) {
            struct delivery *d = connection_give_up(c);
            if (!d) continue;
            events_note(deliver->relay, EVENT_WARNING, "delivery of %.*s to %.*s is broken off: this process ends",
                        STR_ARG(d->message->queue_id), STR_ARG(to->name));
            deliver->under_way--;
            delivery_free(d);
        }
    }
}
