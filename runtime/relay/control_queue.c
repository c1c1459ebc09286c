/* The control socket's operations on the queue: listing, why, what is done by hand, suspensions. */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "mail/address.h"
#include "mail/evidence.h"
#include "mail/like.h"
#include "relay/control_core.h"
#include "relay/deliver.h"
#include "relay/events.h"
#include "relay/generation.h"
#include "relay/route.h"
#include "relay/suspend.h"

static const char *const state_names[RECIPIENT_STATE_COUNT] = {[RECIPIENT_QUEUED] = "queued",
                                                               [RECIPIENT_HELD] = "held",
                                                               [RECIPIENT_QUARANTINED] = "quarantined",
                                                               [RECIPIENT_DAMAGED] = "damaged"};

/* --- the request -------------------------------------------------------------------------------------------------- */

static bool refuse(struct client *c, const char *text)
{
    control_error(c, EX_USAGE, str_of(text));
    return false;
}

static bool read_states(struct client *c, struct str names, uint32_t *out)
{
    struct str one;
    for (bool more = names.n != 0; more;) {
        more = str_cut(names, ',', &one, &names);
        uint32_t bit = 0;
        for (unsigned i = 0; i < RECIPIENT_STATE_COUNT; i++)
            if (str_eq_nocase(one, str_of(state_names[i]))) bit = 1u << i;
        if (!bit) return refuse(c, "a state is queued, held, quarantined or damaged");
        *out |= bit;
    }
    return true;
}

/* Patterns are compared in lower case. */
static struct str lowered(struct buf *text, struct str s)
{
    size_t at = text->n;
    for (size_t i = 0; i < s.n; i++) buf_add_byte(text, ascii_lower(s.p[i]));
    return (struct str){text->p + at, s.n};
}

struct named {
    const char *key;
    struct str *to;
};

/* The filter of the request; its texts are in c->text.  False: answered. */
static bool read_filter(struct client *c, struct queue_filter *f, bool *empty)
{
    const struct js *o = js_get(c->request, "filter");
    struct str states = STR_NONE, id = control_text(c, "id");
    int64_t older = 0, newer = 0, larger = 0, smaller = 0, now = relay_now(c->relay);
    *f = (struct queue_filter){0};
    struct named texts[] = {{"sender", &f->sender},       {"recipient", &f->recipient}, {"domain", &f->domain},
                            {"connector", &f->connector}, {"rule", &f->rule},           {"reason", &f->reason}};
    size_t bytes = 0, given = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        js_get_str(o, texts[i].key, texts[i].to);
        bytes += texts[i].to->n;
    }
    c->text.n = 0;
    buf_reserve(&c->text, bytes + 1); /* so that no view moves */
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        *texts[i].to = lowered(&c->text, *texts[i].to);
        given += texts[i].to->n;
    }
    js_get_str(o, "id", &id);
    js_get_str(o, "state", &states);
    js_get_num(o, "older", &older);
    js_get_num(o, "newer", &newer);
    js_get_num(o, "larger", &larger);
    js_get_num(o, "smaller", &smaller);
    if (older < 0 || newer < 0 || larger < 0 || smaller < 0) return refuse(c, "an age or a size is not negative");
    f->queue_id = id;
    f->arrived_until = older ? now - older : 0;
    f->arrived_from = newer ? now - newer : 0;
    f->size_from = (uint64_t)larger;
    f->size_until = (uint64_t)smaller;
    *empty = !given && !id.n && !states.n && !older && !newer && !larger && !smaller;
    return read_states(c, states, &f->states);
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

/* The queue a message would stand in if it were Postfix's; quarantine and damage are ours. */
static const char *queue_name(const struct stored_message *m)
{
    bool tried = false, held = false, quarantined = false;
    for (size_t i = 0; i < m->recipient_count; i++) {
        const struct stored_recipient *rcpt = &m->recipients[i];
        if (rcpt->state == RECIPIENT_DAMAGED) return "damaged";
        quarantined = quarantined || rcpt->state == RECIPIENT_QUARANTINED;
        held = held || rcpt->state == RECIPIENT_HELD;
        tried = tried || rcpt->attempts;
    }
    return quarantined ? "quarantine" : held ? "hold" : tried ? "deferred" : "active";
}

/* What a queued recipient waits for, in words, beside its last answer. */
static void put_waiting(struct js *o, struct client *c, const struct stored_message *m,
                        const struct stored_recipient *rcpt)
{
    struct relay *r = c->relay;
    char why[ROUTE_WHY_MAX];
    struct buf text = {0};
    const struct connector_settings *to =
        r->current ? route_find(relay_settings(r), rcpt->address, rcpt->connector, why) : NULL;
    if (to && !rcpt->connector.n) js_put_str(o, "routed_by", to->name);
    const struct stored_suspension *s =
        to ? suspensions_find(r->deliver->suspensions, m->reverse_path, rcpt->address, to->name) : NULL;
    if (rcpt->state != RECIPIENT_QUEUED)
        buf_printf(&text, "a release by hand");
    else if (r->current && !to)
        buf_printf(&text, "%s", why);
    else if (s)
        buf_printf(&text, "suspension %lld: %.*s", (long long)s->id, STR_ARG(s->reason));
    else if (operate_is_put_off(r, rcpt))
        buf_printf(&text, "the hour that a rule's deliver_after set");
    else
        buf_printf(&text, rcpt->next_try > relay_now(r) ? "the next attempt" : "its turn");
    if (s) js_put_num(o, "suspended_until", s->ends);
    js_put_str(o, "waits_for", buf_str(&text));
    buf_free(&text);
}

static struct js *recipient_row(struct client *c, const struct stored_message *m, const struct stored_recipient *rcpt)
{
    char tls[OBLIGATION_TEXT_MAX];
    size_t n = obligation_print(rcpt->need, tls);
    struct js *o = js_object();
    js_put_str(o, "address", rcpt->address);
    if (rcpt->reason.n) js_put_str(o, "delay_reason", rcpt->reason);
    js_put_cstr(o, "state", rcpt->state < RECIPIENT_STATE_COUNT ? state_names[rcpt->state] : NULL);
    js_put_str(o, "tls", (struct str){tls, n});
    if (rcpt->rule.n) js_put_str(o, "rule", rcpt->rule);
    if (rcpt->tls_rule.n) js_put_str(o, "tls_rule", rcpt->tls_rule);
    if (rcpt->connector.n) js_put_str(o, "connector", rcpt->connector);
    put_waiting(o, c, m, rcpt);
    js_put_num(o, "next_try", rcpt->next_try);
    js_put_num(o, "expires", rcpt->expires);
    js_put_num(o, "attempts", rcpt->attempts);
    js_put_num(o, "waited", rcpt->waited);
    if (rcpt->noticed) js_put_bool(o, "delay_told", true);
    if (rcpt->orcpt.n) js_put_str(o, "orcpt", rcpt->orcpt);
    return o;
}

static struct js *evidence_row(const struct evidence_row *r)
{
    struct js *o = js_object();
    js_put_str(o, "rule", r->rule);
    if (r->test.n) js_put_str(o, "test", r->test);
    if (r->field.n) js_put_str(o, "field", r->field);
    if (r->elements > 1) js_put_num(o, "value", (int64_t)r->element + 1);
    if (r->elements > 1) js_put_num(o, "of", r->elements);
    if (r->view.n) js_put_str(o, "view", r->view);
    if (r->to) js_put_num(o, "from", r->from);
    if (r->to) js_put_num(o, "to", r->to);
    js_put_cstr(o, "answer", evidence_answer_names[r->answer]);
    if (r->text.n) js_put_str(o, "text", r->text);
    return o;
}

/* Why rules acted, and which state of which list they saw. */
static void put_evidence(struct js *o, const struct stored_message *m)
{
    struct arena *a = arena_create();
    struct evidence e;
    if (!evidence_decode(a, m->evidence, &e)) js_put_str(o, "evidence_damaged", STR("the stored evidence is damaged"));
    if (e.row_count) {
        struct js *rows = js_array();
        for (size_t i = 0; i < e.row_count; i++) js_add(rows, evidence_row(&e.rows[i]));
        js_put(o, "evidence", rows);
    }
    if (e.cut) js_put_bool(o, "evidence_cut", true);
    if (e.list_count) {
        struct js *lists = js_array();
        for (size_t i = 0; i < e.list_count; i++) {
            struct js *one = js_object();
            js_put_str(one, "list", e.lists[i].name);
            if (e.lists[i].there) js_put_num(one, "revision", (int64_t)e.lists[i].revision);
            js_add(lists, one);
        }
        js_put(o, "lists", lists);
    }
    arena_free(&a);
}

static void queue_row(void *owner, const struct stored_message *m)
{
    struct client *c = owner;
    if (!c->stream || c->overflow) return;
    struct js *o = js_object(), *recipients = js_array();
    js_put_cstr(o, "queue_name", queue_name(m));
    js_put_str(o, "queue_id", m->queue_id);
    js_put_num(o, "arrival_time", m->arrived);
    js_put_num(o, "message_size", (int64_t)m->size);
    js_put_bool(o, "forced_expire", false);
    js_put_str(o, "sender", m->reverse_path);
    js_put_str(o, "client", m->client_ip);
    js_put_num(o, "generation", (int64_t)m->generation);
    if (m->relay_made) js_put_bool(o, "report", true);
    if (m->evidence.n) put_evidence(o, m);
    for (size_t i = 0; i < m->recipient_count; i++) js_add(recipients, recipient_row(c, m, &m->recipients[i]));
    js_put(o, "recipients", recipients);
    control_row(c, o);
}

static void listed(void *owner, bool ok, const struct err *e) { control_result(owner, ok, e); }

static void list(struct client *c, const struct queue_filter *f)
{
    c->operation = (struct operation){.filter = *f, .dry_run = true, .row = queue_row, .done = listed, .owner = c};
    operate(c->relay, &c->operation);
}

void control_queue_list(struct client *c)
{
    struct queue_filter f;
    bool empty;
    if (read_filter(c, &f, &empty)) list(c, &f);
}

/* --- why ---------------------------------------------------------------------------------------------------------- */

static void audit_row(void *owner, int64_t at, const struct stored_audit *a)
{
    struct client *c = owner;
    c->told++;
    struct js *o = js_object();
    js_put_num(o, "at", at);
    js_put_str(o, "what", a->what);
    if (a->rule.n) js_put_str(o, "rule", a->rule);
    if (a->recipient.n) js_put_str(o, "recipient", a->recipient);
    if (a->text.n) js_put_str(o, "text", a->text);
    control_row(c, o);
}

/* Of a message that left the queue the audit may still know; what nobody knows is no message. */
static void why_told(void *owner, bool ok, const struct err *e)
{
    struct client *c = owner;
    static const struct err unknown = {.sysexit = EX_NOINPUT,
                                       .text = "no message has that queue id, and nothing is known of one that had"};
    if (ok && !c->told) control_result(c, false, &unknown);
    else control_result(c, ok, e);
}

static void why_listed(void *owner, bool ok, const struct err *e)
{
    struct client *c = owner;
    if (!ok && !(e && e->sysexit == EX_NOINPUT)) {
        control_result(c, ok, e);
        return;
    }
    c->told = ok;
    control_query(c, (struct store_query){
                         .kind = QUERY_AUDIT, .queue_id = control_text(c, "id"), .audit = audit_row, .done = why_told});
}

void control_queue_why(struct client *c)
{
    struct str id = control_text(c, "id");
    if (!id.n) {
        refuse(c, "\"id\" is missing");
        return;
    }
    c->operation = (struct operation){
        .filter = {.queue_id = id}, .dry_run = true, .row = queue_row, .done = why_listed, .owner = c};
    operate(c->relay, &c->operation);
}

/* --- by hand ------------------------------------------------------------------------------------------------------ */

static const struct {
    const char *op, *will, *done;
    enum change_kind kind;
    bool wants_text;
    const char *missing;
} changes[] = {
    {"queue hold", "", "held", CHANGE_HOLD, false, NULL},
    {"queue release", "", "released", CHANGE_RELEASE, false, NULL},
    {"queue retry", "will be ", "tried now", CHANGE_RETRY, false, NULL},
    {"queue remove", "", "removed", CHANGE_REMOVE, false, NULL},
    {"queue redirect", "", "redirected", CHANGE_REDIRECT, true,
     "\"text\" is missing: the address to redirect to"},
};

static size_t change_of(struct str op)
{
    size_t i = 0;
    while (!str_eq(op, str_of(changes[i].op))) i++; /* control.c's table has these five */
    return i;
}

/* Who let a message go, or took it away, is asked for by its queue id later.  A retry is told by its attempt. */
static void tell_by_hand(void *owner, const struct stored_message *m)
{
    struct client *c = owner;
    size_t change = change_of(control_text(c, "op"));
    struct str what = str_from(str_of(changes[change].op), strlen("queue "));
    for (size_t i = 0; i < m->recipient_count && changes[change].kind != CHANGE_RETRY; i++)
        events_by_hand(c->relay, c->uid, m->queue_id, m->recipients[i].address, what, c->operation.text);
}

/* Mail that a rule puts off: a retry passes it over, whatever else makes it due overrides the rule, and says so.  What
 * is held or set aside a retry passes over too. */
static void tell_passed_over(struct buf *text, const struct operation *o, enum change_kind kind)
{
    if (o->kept && kind == CHANGE_RETRY)
        buf_printf(text, "; %llu held or set aside (release lets them go)", (unsigned long long)o->kept);
    unsigned long long n = (unsigned long long)o->put_off;
    if (n && kind == CHANGE_RETRY)
        buf_printf(text, "; %llu wait%s for the hour that deliver_after set (release sends them now)", n,
                   n == 1 ? "s" : "");
    else if (n && (kind == CHANGE_RELEASE || kind == CHANGE_REDIRECT))
        buf_printf(text, "; %llu of them before the hour that deliver_after set", n);
}

static void answer_change(void *owner, bool ok, const struct err *e)
{
    struct client *c = owner;
    const struct operation *o = &c->operation;
    if (!ok) {
        control_result(c, ok, e);
        return;
    }
    size_t change = change_of(control_text(c, "op"));
    bool retry = changes[change].kind == CHANGE_RETRY;
    uint64_t passed_over = retry ? o->put_off + o->kept : changes[change].kind == CHANGE_HOLD ? o->kept : 0;
    uint64_t n = o->dry_run ? o->recipients - passed_over : o->changed;
    struct buf text = {0};
    buf_printf(&text, "%llu recipient%s of %llu message%s %s%s", (unsigned long long)n, n == 1 ? "" : "s",
               (unsigned long long)o->messages, o->messages == 1 ? "" : "s",
               o->dry_run ? "would be " : changes[change].will, changes[change].done);
    tell_passed_over(&text, o, changes[change].kind);
    control_ok(c, buf_str(&text));
    buf_free(&text);
}

void control_queue_change(struct client *c)
{
    size_t i = change_of(control_text(c, "op"));
    struct str text = control_text(c, "text");
    struct address parsed;
    struct queue_filter f;
    bool empty, all = false, dry_run = false;
    js_get_bool(c->request, "all", &all);
    js_get_bool(c->request, "dry_run", &dry_run);
    if (!read_filter(c, &f, &empty)) return;
    if (empty && !all)
        refuse(c, "say which: \"id\" is missing, and so is any filter; everything is \"all\"");
    else if (changes[i].wants_text && !text.n)
        refuse(c, changes[i].missing);
    else if (changes[i].kind == CHANGE_REDIRECT && !address_parse(text, 0, &parsed))
        refuse(c, "the address to redirect to is no address");
    else {
        if (changes[i].kind == CHANGE_HOLD && !text.n) text = STR("held by hand");
        c->operation = (struct operation){.kind = changes[i].kind,
                                          .filter = f,
                                          .text = text,
                                          .audit = control_signed(c, text),
                                          .dry_run = dry_run,
                                          .row = dry_run ? queue_row : tell_by_hand,
                                          .done = answer_change,
                                          .owner = c};
        operate(c->relay, &c->operation);
    }
}

/* --- suspensions -------------------------------------------------------------------------------------------------- */

void control_suspensions(struct client *c)
{
    const struct stored_suspension *s;
    size_t waiting = 0;
    for (size_t i = 0; (s = suspensions_at(c->relay->deliver->suspensions, i, &waiting)); i++) {
        struct js *o = js_object();
        js_put_num(o, "suspension", s->id);
        if (s->sender.n) js_put_str(o, "sender", s->sender);
        if (s->recipient.n) js_put_str(o, "recipient", s->recipient);
        if (s->domain.n) js_put_str(o, "domain", s->domain);
        if (s->connector.n) js_put_str(o, "connector", s->connector);
        js_put_str(o, "reason", s->reason);
        js_put_num(o, "began", s->began);
        js_put_num(o, "ends", s->ends);
        js_put_num(o, "waiting", (int64_t)waiting);
        control_row(c, o);
    }
    control_ok(c, STR_NONE);
}

static void suspended(void *owner, bool ok, const struct err *e)
{
    struct client *c = owner;
    if (!ok) {
        control_result(c, ok, e);
        return;
    }
    struct buf text = {0};
    const struct stored_suspension *s = &c->change.suspension;
    suspensions_add(c->relay->deliver->suspensions, s);
    buf_printf(&text, "suspension %lld: %.*s", (long long)s->id, STR_ARG(s->reason));
    control_ok(c, buf_str(&text));
    buf_free(&text);
}

/* True, or refused: a suspension that keeps nothing back would be believed to. */
static bool names_connector(struct client *c, struct str pattern)
{
    const struct settings *s = c->relay->current ? relay_settings(c->relay) : NULL;
    struct buf text = {0};
    if (!pattern.n || !s) return true;
    buf_printf(&text, "no connector is called \"%.*s\"; there are:", STR_ARG(pattern));
    bool found = false;
    for (size_t i = 0; i < s->connector_count && !found; i++) {
        struct buf name = {0};
        buf_add(&name, s->connectors[i].name);
        for (size_t k = 0; k < name.n; k++) name.p[k] = ascii_lower(name.p[k]);
        found = like_match(pattern, buf_str(&name));
        buf_printf(&text, "%s %.*s", i ? "," : "", STR_ARG(s->connectors[i].name));
        buf_free(&name);
    }
    buf_add_byte(&text, '\0');
    if (!found) refuse(c, text.p);
    buf_free(&text);
    return found;
}

void control_suspend(struct client *c)
{
    struct queue_filter f;
    bool empty, all = false;
    int64_t lasts = 0, now = relay_now(c->relay);
    struct str reason = control_text(c, "text");
    js_get_bool(c->request, "all", &all);
    js_get_num(c->request, "for", &lasts);
    if (!read_filter(c, &f, &empty)) return;
    if (f.queue_id.n || f.rule.n || f.reason.n || f.states || f.arrived_from || f.arrived_until || f.size_from ||
        f.size_until)
        refuse(c, "a suspension is for a connector, domain, recipient or sender; single messages can be held");
    else if (empty && !all)
        refuse(c, "say what: a connector, domain, recipient or sender; everything is \"all\"");
    else if (!reason.n)
        refuse(c, "\"text\" is missing: the reason");
    else if (lasts < 0)
        refuse(c, "a suspension ends in the future");
    else if (!names_connector(c, f.connector))
        return; /* refused */
    else if (!suspensions_have_room(c->relay->deliver->suspensions))
        refuse(c, "there are too many suspensions");
    else {
        c->change = (struct store_change){.kind = CHANGE_SUSPEND,
                                          .suspension = {.sender = f.sender,
                                                         .recipient = f.recipient,
                                                         .domain = f.domain,
                                                         .connector = f.connector,
                                                         .reason = reason,
                                                         .began = now,
                                                         .ends = lasts ? now + lasts : 0},
                                          .now = now,
                                          .done = suspended,
                                          .owner = c};
        c->relay->store->change(c->relay->store->self, &c->change);
    }
}

static void resumed(void *owner, bool ok, const struct err *e)
{
    struct client *c = owner;
    if (!ok) {
        control_result(c, ok, e);
        return;
    }
    suspensions_end(c->relay->deliver->suspensions, c->change.suspension.id);
    control_ok(c, STR("resumed"));
}

void control_resume(struct client *c)
{
    int64_t id = 0;
    if (!js_get_num(c->request, "suspension", &id)) {
        refuse(c, "\"suspension\" is missing: its number");
        return;
    }
    c->change = (struct store_change){.kind = CHANGE_RESUME, .suspension = {.id = id}, .done = resumed, .owner = c};
    c->relay->store->change(c->relay->store->self, &c->change);
}
