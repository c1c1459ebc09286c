/* What became of a delivery is written down: outcomes, and the DSN for what is returned, in one transaction; only then
 * does the queue in memory change.  A write that fails is tried again: until it succeeds the recipients stay busy, so
 * nothing that was delivered goes out twice while this process lives. */
#include <stdlib.h>
#include <string.h>

#include "relay/destination.h"
#include "relay/events.h"
#include "relay/generation.h"
#include "relay/letter.h"
#include "relay/origin.h"
#include "relay/route.h"
#include "relay/schedule.h"

enum { REWRITE_MS = 5000, REASON_MAX = 600 };

struct settling {
    struct relay *relay;
    struct delivery *delivery;
    struct store_write write;
    struct origin *dsn;
    struct content_wait wait;
    struct net_timer timer;
    int64_t settled;        /* monotonic seconds: up to when `waited` is counted */
    struct reply *returned; /* per recipient: with which reply; code 0: not returned */
    uint8_t *reports;       /* per recipient: enum report_kind, what its sender is told */
    VEC(struct stored_audit) lost; /* returned to nobody; the texts are the heap's */
    struct outcome outcomes[];
};

static void submit(struct settling *s) { s->relay->store->write(s->relay->store->self, &s->write); }
static void write_again(void *owner) { submit(owner); }

static void settling_free(struct settling *s)
{
    struct delivery *d = s->delivery;
    for (size_t i = 0; i < d->n; i++) free(d->results[i].reason);
    free(d->remote);
    free(d);
    origin_free(&s->dsn);
    free(s->returned);
    free(s->reports);
    for (size_t i = 0; i < s->lost.n; i++) free((void *)(uintptr_t)s->lost.v[i].text.p);
    VEC_FREE(&s->lost);
    free(s);
}

static void written(void *owner, bool ok, const struct err *e)
{
    struct settling *s = owner;
    struct relay *r = s->relay;
    struct delivery *d = s->delivery;
    if (!ok) {
        events_note(r, EVENT_ERROR, "outcomes of %.*s cannot be written: %s", STR_ARG(d->message->queue_id),
                    e ? e->text : "unknown");
        s->timer.fired = write_again;
        s->timer.owner = s;
        r->net->timer_set(r->net->self, &s->timer, REWRITE_MS);
        return;
    }
    if (s->dsn) {
        body_keep(s->dsn->body);
        events_queued(r, &s->dsn->message, d->message->queue_id);
        queue_add(r->queue, &s->dsn->message, s->dsn->body);
    }
    d->deliver->under_way--;
    for (size_t i = 0; i < d->n; i++) {
        struct queued_recipient *rcpt = d->recipients[i];
        rcpt->attempts = s->outcomes[i].attempts;
        rcpt->noticed = s->outcomes[i].noticed;
        rcpt->waited = s->outcomes[i].waited;
        rcpt->since = s->settled;
        if (s->outcomes[i].kind == OUTCOME_RETRY)
            queue_again(r->queue, rcpt, s->outcomes[i].next_try);
        else
            queue_gone(r->queue, rcpt);
    }
    settling_free(s);
    relay_settle(r);
}

/* --- what is told ------------------------------------------------------------------------------------------------- */

static bool is_reported(const struct settling *s, size_t i) { return s->reports[i] != REPORT_NONE; }

/* What happened, if the sender may hear of it. */
static uint8_t report_of(const struct settling *s, size_t i)
{
    const struct delivery *d = s->delivery;
    const struct queued_message *m = d->message;
    uint8_t kind = s->returned[i].code ? REPORT_FAILED
                   : s->outcomes[i].kind == OUTCOME_RETRY && s->outcomes[i].noticed && !d->recipients[i]->noticed
                       ? REPORT_DELAYED
                   : d->results[i].answer.fate == FATE_DONE && !d->dsn_offered ? REPORT_RELAYED
                                                                               : REPORT_NONE;
    return trouble_may_report(m->reverse_path, m->relay_made, d->recipients[i]->notify, kind) ? kind : REPORT_NONE;
}

/* What comes back to nobody leaves a row that `sluice why` finds. */
static void note_lost(struct settling *s, size_t i, struct str reason)
{
    const struct delivery *d = s->delivery;
    char *text = mem_alloc(reason.n + 1);
    memcpy(text, reason.p, reason.n);
    VEC_PUSH(&s->lost, (struct stored_audit){.queue_id = d->message->queue_id,
                                             .recipient = d->recipients[i]->address,
                                             .what = STR("undelivered"),
                                             .text = {text, reason.n}});
}

static void log_return(struct settling *s, size_t i)
{
    const struct delivery *d = s->delivery;
    const struct queued_recipient *rcpt = d->recipients[i];
    char status[STATUS_TEXT_MAX];
    status_print(s->returned[i].status, status);
    struct buf out = {0};
    buf_printf(&out, "%s %.*s; last: %s%s", status, STR_ARG(s->returned[i].text), d->results[i].reason,
               is_reported(s, i) ? "" : "; nobody is told (no report for this sender)");
    size_t n = out.n < REASON_MAX ? out.n : REASON_MAX;
    if (!is_reported(s, i)) note_lost(s, i, (struct str){out.p, n});
    s->relay->counts.returned++;
    events_attempt(s->relay, &(struct event_attempt){.what = "returned",
                                                     .queue_id = d->message->queue_id,
                                                     .recipient = rcpt->address,
                                                     .connector = d->destination ? d->destination->name : STR_NONE,
                                                     .relay = str_of(d->remote),
                                                     .tls_asked = rcpt->need,
                                                     .reason = {out.p, n},
                                                     .attempts = rcpt->attempts + 1,
                                                     .delay_s = relay_now(s->relay) - d->message->arrived});
    buf_free(&out);
}

static void make_dsn(struct settling *s)
{
    const struct delivery *d = s->delivery;
    struct dsn_recipient *rows = mem_array(d->n, sizeof *rows);
    struct obligation need = {0};
    size_t n = 0;
    for (size_t i = 0; i < d->n; i++) {
        if (!is_reported(s, i)) continue;
        const struct queued_recipient *rcpt = d->recipients[i];
        bool relayed = s->reports[i] == REPORT_RELAYED;
        rows[n++] = (struct dsn_recipient){
            .kind = s->reports[i],
            .address = rcpt->address,
            .orcpt = rcpt->orcpt,
            .status = s->reports[i] == REPORT_FAILED ? s->returned[i].status : d->results[i].answer.status,
            .diagnostic = relayed ? STR("250 taken over") : str_of(d->results[i].reason),
            .remote = relayed || d->results[i].said_by_peer ? str_of(d->remote) : STR_NONE,
            .until = rcpt->expires,
        };
        need = obligation_join(need, rcpt->need);
    }
    struct str content = d->message->body ? body_view(d->message->body) : STR_NONE;
    bool whole = content.n && dsn_returns_whole(d->message->ret, content.n,
                                                !obligation_equal(need, (struct obligation){0}), rows, n);
    struct dsn facts = {
        .original_id = d->message->queue_id,
        .reverse_path = d->message->reverse_path,
        .envid = d->message->envid,
        .header = whole       ? content
                  : content.n ? letter_header_section(content)
                              : STR_NONE,
        .whole = whole,
        .arrived = d->message->arrived,
        .recipients = rows,
        .recipient_count = n,
    };
    s->dsn = origin_dsn(s->relay, &facts, need);
    s->write.messages = &s->dsn->message;
    s->write.message_count = 1;
    s->write.may_wait = false;
    free(rows);
}

static void header_ready(void *owner, const struct err *failure)
{
    (void)failure; /* without its content the DSN goes without the header */
    make_dsn(owner);
    submit(owner);
}

/* --- from results to outcomes ------------------------------------------------------------------------------------- */

/* Its reason stays the last one: what to mend. */
static void keep(struct settling *s, size_t i)
{
    const struct delivery *d = s->delivery;
    s->returned[i] = (struct reply){0};
    s->outcomes[i].kind = OUTCOME_HELD;
    events_attempt(s->relay, &(struct event_attempt){.what = "held",
                                                     .queue_id = d->message->queue_id,
                                                     .recipient = d->recipients[i]->address,
                                                     .connector = d->destination ? d->destination->name : STR_NONE,
                                                     .relay = str_of(d->remote),
                                                     .tls_asked = d->recipients[i]->need,
                                                     .reason = s->outcomes[i].reason,
                                                     .attempts = s->outcomes[i].attempts,
                                                     .delay_s = relay_now(s->relay) - d->message->arrived});
}

static void decide(struct settling *s, size_t i, int64_t now)
{
    const struct settings *settings = relay_settings(s->relay);
    const struct destination *to = s->delivery->destination;
    const struct retry retry = route_retry(settings, to ? settings_connector(settings, to->name) : NULL);
    const struct queued_recipient *rcpt = s->delivery->recipients[i];
    const struct result *result = &s->delivery->results[i];
    struct outcome *o = &s->outcomes[i];
    INVARIANT(result->set);
    *o = (struct outcome){.recipient = rcpt->id,
                          .kind = OUTCOME_DONE,
                          .attempts = rcpt->attempts + 1,
                          .waited = queue_waited(s->relay->queue, rcpt),
                          .noticed = rcpt->noticed};
    o->reason = str_of(result->reason);
    switch ((enum trouble_fate)result->answer.fate) {
    case FATE_DONE: return;
    case FATE_HOLD: o->kind = OUTCOME_DAMAGED; return;
    case FATE_RETURN: s->returned[i] = (struct reply){550, result->answer.status, STR("refused")}; return;
    case FATE_RETRY: break;
    }
    const struct attempt attempt = {.number = o->attempts,
                                    .now = now,
                                    .expires = rcpt->expires,
                                    .waited = o->waited,
                                    .noticed = rcpt->noticed,
                                    .lifetime = rcpt->expires - s->delivery->message->arrived};
    struct next_try next = schedule_next(&retry, &attempt, relay_chance(s->relay));
    if (next.expired) {
        s->returned[i] = trouble_expiry(o->reason);
        if (trouble_must_keep(s->delivery->message->reverse_path, s->returned[i].status)) keep(s, i);
    } else {
        o->kind = OUTCOME_RETRY;
        o->next_try = next.at;
        o->noticed = rcpt->noticed || next.notice;
    }
}

void outcome_settle(struct delivery *d)
{
    struct relay *r = d->deliver->relay;
    struct settling *s = mem_alloc(sizeof *s + d->n * sizeof *s->outcomes);
    int64_t now = relay_now(r);
    s->relay = r;
    s->delivery = d;
    s->settled = relay_ms(r) / 1000;
    s->returned = mem_array(d->n, sizeof *s->returned);
    s->reports = mem_array(d->n, sizeof *s->reports);
    bool report = false;
    for (size_t i = 0; i < d->n; i++) {
        decide(s, i, now);
        s->reports[i] = report_of(s, i);
        report = report || is_reported(s, i);
        if (s->returned[i].code) log_return(s, i);
    }
    s->write = (struct store_write){
        .outcomes = s->outcomes, .outcome_count = d->n, .now = now, .may_wait = true, .done = written, .owner = s};
    s->wait = (struct content_wait){.ready = header_ready, .owner = s};
    s->write.audit = s->lost.v;
    s->write.audit_count = s->lost.n;
    if (report && !queue_content(r->queue, d->message, &s->wait)) return;
    if (report) make_dsn(s);
    submit(s);
}
