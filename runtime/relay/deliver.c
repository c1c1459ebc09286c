#include "relay/deliver.h"

#include <stdlib.h>

#include "mail/address.h"
#include "relay/destination.h"
#include "relay/events.h"
#include "relay/generation.h"
#include "relay/route.h"
#include "relay/suspend.h"
#include "relay/tls_policy.h"

struct deliver *deliver_create(struct relay *r)
{
    struct deliver *d = mem_alloc(sizeof *d);
    d->relay = r;
    d->suspensions = suspensions_create(r);
    d->hops_most = DELIVER_HOPS_KEPT;
    return d;
}

void deliver_drop(struct delivery *d)
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
            deliver_drop(one);
        }
        destination_free(to);
    }
    map_free(&d->by_name);
    d->relay->net->timer_clear(d->relay->net->self, &d->sweep);
    suspensions_free(&d->suspensions);
    free(d);
}

bool deliver_is_idle(const struct deliver *d) { return d->under_way == d->waiting; }

/* --- results ------------------------------------------------------------------------------------------------------ */

static void log_attempt(const struct delivery *d, const struct queued_recipient *rcpt, const struct trouble_answer *a,
                        struct str reason, struct str tls_had)
{
    static const char *const words[] = {
        [FATE_DONE] = "delivered", [FATE_RETRY] = "deferred", [FATE_RETURN] = "undeliverable", [FATE_HOLD] = "damaged"};
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

/* --- deliveries --------------------------------------------------------------------------------------------------- */

bool deliver_still_holds(struct delivery *d)
{
    struct relay *r = d->deliver->relay;
    size_t kept = 0;
    for (size_t i = 0; i < d->n; i++) {
        struct queued_recipient *rcpt = d->recipients[i];
        if (rcpt->changed) {
            queue_again(r->queue, rcpt, relay_now(r));
            continue;
        }
        d->recipients[kept] = rcpt;
        d->results[kept++] = d->results[i];
    }
    d->n = kept;
    if (kept) return true;
    d->deliver->under_way--;
    deliver_drop(d);
    return false;
}

static struct delivery *delivery_create(struct deliver *deliver, struct queued_message *m, size_t at_most)
{
    struct delivery *d = mem_alloc(sizeof *d + at_most * (sizeof *d->recipients + sizeof *d->results));
    d->results = (struct result *)(d->recipients + at_most);
    d->deliver = deliver;
    d->message = m;
    deliver->under_way++;
    return d;
}

static struct delivery *gather(struct deliver *deliver, struct queued_recipient *first,
                               const struct connector_settings *c, struct destination *to)
{
    struct queued_message *m = first->message;
    struct relay *r = deliver->relay;
    int64_t now = relay_now(r);
    char why[ROUTE_WHY_MAX];
    size_t at_most = m->recipient_count;
    struct delivery *d = delivery_create(deliver, m, at_most);
    d->need = first->need;
    d->copy = first->copy;
    for (size_t i = 0; i < at_most; i++) {
        struct queued_recipient *rcpt = &m->recipients[i];
        if (rcpt != first) {
            if (rcpt->busy || rcpt->gone || rcpt->changed || rcpt->next_try > now || rcpt->copy != first->copy)
                continue;
            if (!obligation_equal(rcpt->need, first->need)) continue;
            if (route_find(relay_settings(r), rcpt->address, rcpt->connector, why) != c) continue;
            if (c && !destination_has_hop(to, c, rcpt->address)) continue;
            if (c && suspensions_cover(deliver->suspensions, rcpt, c->name)) continue;
        }
        queue_busy(r->queue, rcpt);
        d->recipients[d->n++] = rcpt;
    }
    d->destination = to;
    return d;
}

static size_t domains_before(const struct delivery *d, size_t at)
{
    size_t domains = 0;
    for (size_t i = 0; i < at; i++) {
        size_t k = 0;
        while (k < i &&
               !str_eq_nocase(address_domain(d->recipients[k]->address), address_domain(d->recipients[i]->address)))
            k++;
        domains += k == i;
    }
    return domains;
}

void deliver_split(struct delivery *d, size_t most, size_t domains)
{
    size_t kept = d->n < most ? d->n : most;
    while (domains && kept > 1 && domains_before(d, kept) > domains) kept--;
    if (kept == d->n) return;
    struct delivery *rest = delivery_create(d->deliver, d->message, d->n - kept);
    rest->need = d->need;
    rest->copy = d->copy;
    rest->destination = d->destination;
    rest->tls_spent = d->tls_spent;
    rest->lacking = d->lacking;
    rest->edition = d->edition;
    for (size_t i = kept; i < d->n; i++) rest->recipients[rest->n++] = d->recipients[i];
    d->n = kept;
    destination_put_back(rest);
}

/* --- next hops ---------------------------------------------------------------------------------------------------- */

void deliver_due(struct deliver *deliver, struct queued_recipient *rcpt)
{
    struct relay *r = deliver->relay;
    char why[ROUTE_WHY_MAX];
    const struct connector_settings *c = route_find(relay_settings(r), rcpt->address, rcpt->connector, why);
    if (!c) {
        fail(gather(deliver, rcpt, c, NULL),
             &(struct trouble){.phase = TROUBLE_ROUTE, .cause = TROUBLE_LOST, .why = str_of(why)});
        return;
    }
    if (suspensions_park(deliver->suspensions, rcpt, c->name)) return;
    struct destination *to = destination_of(deliver, c, rcpt->address);
    if (to->line >= DELIVER_LINE_MAX) {
        destination_park(to, queue_entry(r->queue, rcpt));
        return;
    }
    struct delivery *d = gather(deliver, rcpt, c, to);
    if (destination_is_down(to)) {
        fail(d, &to->down);
        destination_unpark(to);
        return;
    }
    destination_push(to, d);
    deliver_pump(to);
}

void deliver_forget_failures(struct deliver *d)
{
    for (struct destination *to = d->destinations; to; to = to->next) to->down_until_ms = 0;
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

static void line_fails(struct destination *to, const struct trouble *t);

/* To the first host that may do.  When each has failed or cannot give this mail its TLS, it waits. */
static void open_connection(struct destination *to, struct delivery *d, const struct connector_settings *how)
{
    if (d->edition != hosts_edition(to->hosts)) d->lacking = 0;
    int which = hosts_pick(to->hosts, d->lacking);
    if (which == HOSTS_NONE && !d->lacking) {
        hosts_forgive(to->hosts);
        which = hosts_pick(to->hosts, 0);
    }
    if (which != HOSTS_NONE) {
        connection_open(to, d, how, which);
        return;
    }
    fail(d, &(struct trouble){.phase = TROUBLE_TLS,
                              .cause = TROUBLE_POLICY,
                              .reply = {.status = STATUS(4, 7, 4)},
                              .why = STR("TLS required, and no host of the next hop that can be reached gives it")});
}

static void on_hosts_known(void *owner)
{
    struct destination *to = owner;
    struct relay *r = to->deliver->relay;
    deliver_pump(to);
    relay_settle(r);
}

/* Whether it is known where to go; where that is nowhere, the line has its answer. */
static bool knows_hosts(struct destination *to, const struct connector_settings *how)
{
    struct relay *r = to->deliver->relay;
    if (!to->hosts) to->hosts = to->hop.n ? hosts_of_domain(r, to->hop, how->port) : hosts_of_connector(r, how);
    if (!hosts_are_known(to->hosts, on_hosts_known, to)) return false;
    const struct trouble *t = hosts_trouble(to->hosts);
    /* What DNS cannot say now is no reason to stop what stands. */
    if (t && !(to->open && t->cause == TROUBLE_LOST)) line_fails(to, t);
    return !t;
}

/* A connector may have changed between having hosts of its own and following MX records: its mail is routed anew. */
static bool is_of_another_kind(const struct destination *to, const struct connector_settings *how)
{
    return (to->hop.n == 0) != (how->host.n != 0);
}

void deliver_pump(struct destination *to)
{
    struct relay *r = to->deliver->relay;
    while (to->first && !to->deliver->stopping) {
        const struct connector_settings *how = settings_connector(relay_settings(r), to->name);
        struct delivery *d = to->first;
        if (!how || is_of_another_kind(to, how)) {
            destination_pop(to);
            fail(d, &(struct trouble){.phase = TROUBLE_ROUTE,
                                      .cause = TROUBLE_LOST,
                                      .why = how ? STR("the connector leads elsewhere now")
                                                 : STR("the connector is no longer declared")});
            continue;
        }
        struct connection *c = idle_for(to, d, how);
        if (!c && to->open >= to->window) {
            /* All places are taken; an idle one that this mail may not use makes way. */
            for (c = to->connections; c; c = connection_next(c)) {
                if (!connection_is_idle(c)) continue;
                connection_quit(c);
                break;
            }
            break;
        }
        if (!c && !knows_hosts(to, how)) break;
        destination_pop(to);
        if (!deliver_still_holds(d) || refused_beforehand(d, how)) continue;
        if (c)
            connection_give(c, d);
        else
            open_connection(to, d, how);
    }
    if (!to->deliver->stopping) destination_unpark(to);
}

struct delivery *deliver_take(struct destination *to, struct connection *c)
{
    struct relay *r = to->deliver->relay;
    const struct connector_settings *how = settings_connector(relay_settings(r), to->name);
    while (to->first && how && connection_takes(c, to->first, how)) {
        struct delivery *d = destination_pop(to);
        if (deliver_still_holds(d)) return d;
    }
    return NULL;
}

static void line_fails(struct destination *to, const struct trouble *t)
{
    destination_note_down(to, t);
    struct delivery *line = to->first;
    to->first = to->last = NULL;
    to->line = 0;
    for (struct delivery *d = line, *next; d; d = next) {
        next = d->next;
        d->next = NULL;
        to->deliver->waiting--;
        if (deliver_still_holds(d)) fail(d, &to->down);
    }
    queue_pump(to->deliver->relay->queue);
}

/* Nothing but new attempts at the same closed doors would follow when no host is left: the whole line waits with the
 * same reason, and so does what comes in the next moment. */
bool deliver_next_host(struct destination *to, struct delivery *d, uint64_t edition, int which, const struct trouble *t)
{
    bool current = to->hosts && hosts_edition(to->hosts) == edition;
    if (current) hosts_failed(to->hosts, which);
    if (current && hosts_pick(to->hosts, d && d->edition == edition ? d->lacking : 0) != HOSTS_NONE) {
        if (d) destination_put_back(d);
        return d != NULL;
    }
    destination_turned_away(to);
    if (to->open > 1) return false;
    if (current) hosts_forgive(to->hosts);
    line_fails(to, t);
    return false;
}

bool deliver_other_tls(struct destination *to, struct delivery *d, uint64_t edition, int which)
{
    if (!to->hosts || hosts_edition(to->hosts) != edition) return false;
    if (d->edition != edition) d->lacking = 0;
    d->edition = edition;
    d->lacking |= (uint64_t)1 << which;
    if (hosts_pick(to->hosts, d->lacking) == HOSTS_NONE) return false;
    destination_put_back(d);
    return true;
}

void deliver_generation_changed(struct deliver *deliver)
{
    for (struct destination *to = deliver->destinations; to; to = to->next) {
        for (struct connection *c = to->connections, *next; c; c = next) {
            next = connection_next(c);
            if (connection_is_idle(c)) connection_quit(c);
        }
        hosts_free(&to->hosts);
        to->window = DELIVER_PER_HOP;
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
            for (struct delivery *d; (d = connection_give_up(c));) {
                events_note(deliver->relay, EVENT_WARNING, "delivery of %.*s to %.*s is broken off: this process ends",
                            STR_ARG(d->message->queue_id), STR_ARG(to->name));
                deliver->under_way--;
                deliver_drop(d);
            }
        }
    }
}
