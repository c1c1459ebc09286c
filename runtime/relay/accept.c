/* From the final dot to the answer: judged, checked, written, and only then said.
 *
 * What the relay knows itself is joined to what the judge demands (REQUIRETLS of the client): a judge can raise, never
 * lower. Everything the verdict asks for is one store_write; the reply that depends on it waits for its commit. */
#include <stdio.h>
#include <sysexits.h>

#include "base/limits.h"
#include "mail/orcpt.h"
#include "relay/chain.h"
#include "relay/dsn.h"
#include "relay/events.h"
#include "relay/generation.h"
#include "relay/intake.h"
#include "relay/letter.h"
#include "relay/notice.h"
#include "relay/origin.h"
#include "relay/queue.h"
#include "relay/received.h"
#include "relay/route.h"
#include "relay/trouble.h"

enum { REQUEST_FIXED_BYTES = 256 }; /* more than all numbers and lengths of an encoded request */

static const struct reply unavailable = {451, {4, 3, 0}, STR_INIT("The message cannot be judged now, try again later")};
static const struct reply not_stored = {451, {4, 3, 0}, STR_INIT("The message cannot be stored now, try again later")};

static struct str queue_id(const struct intake *in) { return str_of(in->queue_id); }

/* --- ending ------------------------------------------------------------------------------------------------------- */

/* Answers the client, if it is still there, and forgets the message. */
static void finish(struct intake *in, const struct reply *reply)
{
    in->phase = INTAKE_OVER;
    struct relay *r = in->relay;
    if (in->session) session_answer(in->session, reply);
    intake_free(in);
    relay_settle(r);
}

static void refuse(struct intake *in, const struct reply *reply, struct str rule)
{
    in->relay->counts.refused++;
    events_refused(in->relay, queue_id(in), &in->envelope, reply, rule);
    finish(in, reply);
}

void accept_abandon(struct intake *in)
{
    INVARIANT(!in->session);
    if (in->phase == INTAKE_WRITING) return; /* given to the store: it goes on, and frees itself */
    judges_withdraw(in->generation->judges, &in->job);
    struct relay *r = in->relay;
    intake_free(in);
    relay_settle(r);
}

/* --- after the commit --------------------------------------------------------------------------------------------- */

static void written(void *owner, bool ok, const struct err *e)
{
    struct intake *in = owner;
    struct relay *r = in->relay;
    if (!ok) {
        events_note(r, EVENT_ERROR, "message %s cannot be stored: %s", in->queue_id, e ? e->text : "unknown");
        finish(in, &not_stored);
        return;
    }
    if (in->stores) {
        r->counts.received++;
        body_keep(in->body);
        events_queued(r, &in->messages[0], STR_NONE);
    }
    /* The answer first: it leaves at the end of the turn, whatever the deliveries do. */
    struct session *s = in->session;
    if (s) session_answer(s, &in->reply);
    if (in->stores) queue_add(r->queue, &in->messages[0], in->body);
    for (size_t i = 0; i < in->made_count; i++) {
        events_queued(r, &in->made[i]->message, queue_id(in));
        queue_add(r->queue, &in->made[i]->message, in->made[i]->body);
    }
    in->phase = INTAKE_OVER;
    intake_free(in);
    relay_settle(r);
}

/* --- what is written ---------------------------------------------------------------------------------------------- */

struct audit_rows {
    struct stored_audit *v;
    size_t n, cap;
};

static void audit(struct audit_rows *rows, const struct intake *in, struct str rule, struct str recipient,
                  struct str what, struct str text)
{
    if (rows->n == rows->cap) return;
    rows->v[rows->n++] = (struct stored_audit){queue_id(in), rule, recipient, what, text};
}

/* Notes to the log, audit notes and dispositions to audit rows, hits to their columns. */
static void write_traces(struct intake *in, const struct verdict *v, struct audit_rows *rows)
{
    struct stored_hit *hits = ARENA_ARRAY(in->arena, struct stored_hit, v->hit_count);
    for (size_t i = 0; i < v->hit_count; i++) hits[i] = (struct stored_hit){v->hits[i].rule, v->hits[i].what, 1};
    for (size_t i = 0; i < v->note_count; i++) {
        const struct verdict_note *n = &v->notes[i];
        if (n->kind == NOTE_AUDIT)
            events_audit(in->relay, queue_id(in), &in->envelope, n);
        else
            events_rule(in->relay, n->kind, queue_id(in), n->rule, n->recipient, n->text);
        if (n->kind == NOTE_AUDIT) audit(rows, in, n->rule, n->recipient, STR("audit"), n->text);
    }
    in->write = (struct store_write){.hits = hits,
                                     .hit_count = v->hit_count,
                                     .audit = rows->v,
                                     .audit_count = rows->n,
                                     .now = in->job.request.now,
                                     .done = written,
                                     .owner = in};
}

/* How long it will be tried is the connector's to say that takes it now. */
static int64_t lifetime(const struct intake *in, const struct verdict_recipient *r)
{
    char why[ROUTE_WHY_MAX];
    const struct settings *s = &in->generation->settings;
    return route_retry(s, route_find(s, r->address, r->connector, why)).until;
}

/* What the client was promised for all of the message is joined to what the rules demand. */
static struct obligation with_promise(const struct intake *in, struct obligation need)
{
    static const struct obligation promised = {.peer = TLS_PEER_VERIFIED, .onward = true};
    return in->envelope.requiretls ? obligation_join(need, promised) : need;
}

static void fill_recipient(struct intake *in, const struct verdict_recipient *from,
                           const struct intake_recipient *asked, struct stored_recipient *to)
{
    int64_t now = in->job.request.now, start = from->not_before > now ? from->not_before : now;
    *to = (struct stored_recipient){
        .address = from->address,
        .state = from->disposition == DISPOSITION_HOLD         ? RECIPIENT_HELD
                 : from->disposition == DISPOSITION_QUARANTINE ? RECIPIENT_QUARANTINED
                                                               : RECIPIENT_QUEUED,
        .need = with_promise(in, from->need),
        .copy = from->copy,
        .connector = from->connector,
        .rule = from->rule,
        .tls_rule = from->tls_rule,
        .reason = from->reason,
        .next_try = start,
        .expires = start + lifetime(in, from),
        .notify = asked->notify,
        .orcpt = asked->orcpt,
    };
}

/* Of an added recipient the sender hears only what it would hear of the one in whose place it is, under that one's
 * address; of a copy, which it knows nothing of, never: neither from us nor from a next host (RFC 3461 section 4.1). */
static struct intake_recipient asked_for_added(const struct intake *in, const struct verdict_recipient *r)
{
    if (!r->stands_for) return (struct intake_recipient){.notify = NOTIFY_NEVER};
    struct intake_recipient asked = in->extras.v[r->stands_for - 1];
    if (asked.orcpt.n) return asked;
    struct str address = in->envelope.recipients[r->stands_for - 1];
    struct buf orcpt = {0};
    orcpt_of(address, &orcpt);
    asked.orcpt = arena_str(in->arena, buf_str(&orcpt));
    buf_free(&orcpt);
    return asked;
}

static bool is_stored(const struct verdict_recipient *r, bool added_only)
{
    if (added_only && !r->added) return false;
    return r->disposition == DISPOSITION_DELIVER || r->disposition == DISPOSITION_HOLD ||
           r->disposition == DISPOSITION_QUARANTINE;
}

/* Whatever the client declared: 8-bit content goes only where it is taken (RFC 6152 section 3). */
static bool has_eight_bits(struct str content, const struct verdict *v)
{
    bool ascii = str_is_ascii(content);
    for (size_t i = 0; i < v->copy_count; i++)
        for (size_t k = 0; k < v->copies[i].pieces.n; k++)
            ascii = ascii && str_is_ascii(v->copies[i].pieces.v[k].insert);
    return !ascii;
}

static struct str evidence_of(const struct intake *in, const struct verdict *v)
{
    struct buf blob = {0};
    evidence_encode(&v->evidence, &blob);
    struct str s = blob.n ? arena_str(in->arena, buf_str(&blob)) : STR_NONE;
    buf_free(&blob);
    return s;
}

/* messages[0] with the recipients that stay, if there are any. */
static void build_message(struct intake *in, const struct verdict *v, bool added_only)
{
    struct stored_recipient *to = ARENA_ARRAY(in->arena, struct stored_recipient, v->recipient_count);
    struct stored_copy *copies = ARENA_ARRAY(in->arena, struct stored_copy, v->copy_count);
    size_t n = 0, named = 0;
    for (size_t i = 0; i < v->recipient_count; i++) {
        const struct verdict_recipient *from = &v->recipients[i];
        struct intake_recipient asked = from->added ? asked_for_added(in, from) : in->extras.v[named++];
        if (is_stored(from, added_only)) fill_recipient(in, from, &asked, &to[n++]);
    }
    if (!n) return;
    for (size_t i = 0; i < v->copy_count; i++) {
        copies[i] = (struct stored_copy){.pieces = v->copies[i].pieces, .length = v->copies[i].length};
        for (size_t k = 0; k < sizeof copies[i].sha256; k++) copies[i].sha256[k] = v->copies[i].sha256[k];
    }
    const struct envelope *env = &in->envelope;
    struct stored_message *m = &in->messages[in->write.message_count++];
    *m = (struct stored_message){
        .queue_id = queue_id(in),
        .arrived = in->job.request.now,
        .reverse_path = env->reverse_path,
        .client_ip = env->client.ip,
        .helo = env->client.helo,
        .size = body_size(in->body),
        .content = body_view(in->body),
        .spool = body_spool(in->body),
        .eight_bit = env->eight_bit || has_eight_bits(body_view(in->body), v),
        .binary = env->binary,
        .smtputf8 = env->smtputf8,
        .envid = env->envid,
        .ret = env->ret,
        .generation = in->generation->number,
        .evidence = evidence_of(in, v),
        .copies = copies,
        .copy_count = v->copy_count,
        .recipients = to,
        .recipient_count = n,
    };
    in->write.messages = in->messages;
    in->stores = true;
}

static void submit(struct intake *in)
{
    in->phase = INTAKE_WRITING;
    in->relay->store->write(in->relay->store->self, &in->write);
}

/* Nothing of the message stays: the answer need not wait for the counters. */
static void answer_now(struct intake *in)
{
    if (in->session) session_answer(in->session, &in->reply);
    if (!in->write.hit_count && !in->write.audit_count) {
        in->phase = INTAKE_OVER;
        intake_free(in);
        return;
    }
    in->write.may_wait = true;
    submit(in);
}

/* --- what the relay writes itself --------------------------------------------------------------------------------- */

static void add_made(struct intake *in, struct origin *o)
{
    in->made[in->made_count++] = o;
    in->messages[in->write.message_count++] = o->message;
    in->write.messages = in->messages;
}

/* Whom an accepted message is refused for hears of it in a DSN.  Whether it may come to that is `partial_reject`, which
 * the judge applies: elsewhere its verdict refuses the whole, or drops. */
static void add_dsn(struct intake *in, const struct verdict *v)
{
    struct dsn_recipient *refused = ARENA_ARRAY(in->arena, struct dsn_recipient, v->recipient_count);
    struct obligation need = {0};
    size_t n = 0, named = 0;
    for (size_t i = 0; i < v->recipient_count; i++) {
        const struct verdict_recipient *r = &v->recipients[i];
        if (r->added) continue;
        const struct intake_recipient *asked = &in->extras.v[named++];
        if (r->disposition != DISPOSITION_REJECT) continue;
        if (!trouble_may_report(in->envelope.reverse_path, false, asked->notify, REPORT_FAILED)) continue;
        refused[n++] = (struct dsn_recipient){.address = r->address,
                                              .orcpt = asked->orcpt,
                                              .status = r->reply.status.class == 5 ? r->reply.status : STATUS(5, 7, 1),
                                              .diagnostic = r->reply.text};
        need = obligation_join(need, r->need);
    }
    if (!n) return;
    need = with_promise(in, need);
    struct str content = body_view(in->body);
    bool whole =
        dsn_returns_whole(in->envelope.ret, content.n, !obligation_equal(need, (struct obligation){0}), refused, n);
    struct dsn facts = {.original_id = queue_id(in),
                        .reverse_path = in->envelope.reverse_path,
                        .envid = in->envelope.envid,
                        .header = whole ? content : letter_header_section(content),
                        .whole = whole,
                        .arrived = in->job.request.now,
                        .recipients = refused,
                        .recipient_count = n};
    add_made(in, origin_dsn(in->relay, &facts, need));
}

/* Cut: each id in it is hashed on this thread, and a sender decides how many there are. */
static struct str notices_header(const struct intake *in, const struct verdict *v)
{
    return v->notice_count ? letter_header_cut(letter_header_section(body_view(in->body))) : STR_NONE;
}

/* What comes of a notice of this relay makes no other (RFC 3834 section 2).  Each that is left out stands in the audit:
 * anybody who ever got one can write such a message. */
static void tell_left_out(struct intake *in, const struct verdict *v, struct audit_rows *rows)
{
    if (in->envelope.reverse_path.n || !v->notice_count) return;
    in->of_a_notice = chain_is_ours(in->relay, notices_header(in, v));
    if (!in->of_a_notice) return;
    events_note(in->relay, EVENT_WARNING, "%.*s comes of a notice of this relay: it makes no other (RFC 3834)",
                STR_ARG(queue_id(in)));
    for (size_t i = 0; i < v->notice_count; i++)
        audit(rows, in, v->notices[i].rule, v->notices[i].to, STR("left-out"),
              STR("no notice is made of what comes of a notice"));
}

/* A notice quotes the message, so it demands whatever any recipient of that does (LANGUAGE section 4). */
static void add_notices(struct intake *in, const struct verdict *v)
{
    struct obligation need = with_promise(in, (struct obligation){0});
    struct buf before = {0};
    if (in->of_a_notice) return;
    chain_references(notices_header(in, v), &before);
    for (size_t i = 0; i < v->recipient_count; i++) need = obligation_join(need, v->recipients[i].need);
    struct str content = body_view(in->body);
    size_t room = NOTICE_WHOLE_MOST; /* for all that takes the message along */
    for (size_t i = 0; i < v->notice_count; i++) {
        const struct verdict_notice *n = &v->notices[i];
        bool whole = n->attach == NOTICE_ORIGINAL && content.n <= room;
        if (whole) room -= content.n;
        struct origin *o = origin_notice(
            in->relay, n,
            &(struct origin_about){.before = buf_str(&before), .content = content, .whole = whole, .need = need});
        add_made(in, o);
        events_rule(in->relay, NOTE_LOG, queue_id(in), n->rule, n->to,
                    arena_printf(in->arena, "notice %.*s", STR_ARG(o->message.queue_id)));
    }
    buf_free(&before);
}

/* --- the three answers -------------------------------------------------------------------------------------------- */

static struct reply reply_or(const struct reply *given, struct reply otherwise)
{
    return given->code ? *given : otherwise;
}

static void carry_out_refusal(struct intake *in, const struct verdict *v, struct audit_rows *rows)
{
    bool reject = v->answer == VERDICT_REJECT;
    in->reply = reply_or(&v->reply, reject ? (struct reply){550, STATUS(5, 7, 1), STR("Refused by policy")}
                                           : (struct reply){451, STATUS(4, 7, 1), STR("Try again later")});
    in->relay->counts.refused++;
    events_refused(in->relay, queue_id(in), &in->envelope, &in->reply, v->rule);
    audit(rows, in, v->rule, STR_NONE, reject ? STR("rejected") : STR("deferred"), in->reply.text);
    if (reject) tell_left_out(in, v, rows);
    write_traces(in, v, rows);
    /* What the rules made of a rejected message (copies, notices) still happens, and the 5xx waits for it. */
    if (reject) build_message(in, v, true);
    if (reject) add_notices(in, v);
    if (in->write.message_count)
        submit(in);
    else
        answer_now(in);
}

/* Whoever does not simply get the message stands in the log, and with its end decided in the audit too.  Who is held or
 * quarantined does when the message is stored (events_queued). */
static void tell_fates(struct intake *in, const struct verdict *v, struct audit_rows *rows)
{
    static const char *const words[DISPOSITION_COUNT] = {
        [DISPOSITION_REJECT] = "rejected", [DISPOSITION_DROP] = "dropped", [DISPOSITION_REDIRECT] = "redirected"};
    for (size_t i = 0; i < v->recipient_count; i++) {
        const struct verdict_recipient *r = &v->recipients[i];
        const char *word = words[r->disposition];
        struct str text = r->disposition == DISPOSITION_REJECT ? r->reply.text : r->reason;
        if (!word) continue;
        events_fate(in->relay, queue_id(in), word, r->rule, r->address, text);
        bool ends = r->disposition == DISPOSITION_REJECT || r->disposition == DISPOSITION_DROP;
        if (ends) audit(rows, in, r->rule, r->address, str_of(word), text);
    }
}

static void carry_out_acceptance(struct intake *in, const struct verdict *v, struct audit_rows *rows)
{
    tell_fates(in, v, rows);
    tell_left_out(in, v, rows);
    write_traces(in, v, rows);
    build_message(in, v, false);
    add_dsn(in, v);
    add_notices(in, v);
    in->reply = (struct reply){250, STATUS(2, 0, 0), arena_printf(in->arena, "Ok: queued as %s", in->queue_id)};
    submit(in);
}

static void judged(void *owner, const struct verdict *v, const char *why)
{
    struct intake *in = owner;
    INVARIANT(in->session && in->phase == INTAKE_JUDGING);
    if (!v) {
        events_note(in->relay, EVENT_WARNING, "message %s is not judged: %s", in->queue_id, why ? why : "unknown");
        refuse(in, &unavailable, STR_NONE);
        return;
    }
    size_t cap = v->note_count + v->recipient_count + v->notice_count + 1;
    struct audit_rows rows = {ARENA_ARRAY(in->arena, struct stored_audit, cap), 0, cap};
    in->messages = ARENA_ARRAY(in->arena, struct stored_message, v->notice_count + 2);
    in->made = ARENA_ARRAY(in->arena, struct origin *, v->notice_count + 1);
    if (v->answer == VERDICT_ACCEPT)
        carry_out_acceptance(in, v, &rows);
    else
        carry_out_refusal(in, v, &rows);
}

/* --- the final dot ------------------------------------------------------------------------------------------------ */

/* What the envelope leaves of a request's datagram for content. */
static size_t inline_room(const struct intake *in)
{
    const struct envelope *env = &in->envelope;
    size_t facts = REQUEST_FIXED_BYTES + env->client.ip.n + env->client.helo.n + env->client.user.n +
                   env->client.tls_version.n + env->client.listener.n + env->reverse_path.n + env->envid.n +
                   in->recipient_bytes + env->notify_count;
    return facts < PROTOCOL_DATAGRAM_MAX ? PROTOCOL_DATAGRAM_MAX - facts : 0;
}

/* What the sender wants to be told is a fact for the rules, where it said so at all. */
static void note_notify(struct intake *in)
{
    struct envelope *env = &in->envelope;
    bool said = false;
    for (size_t i = 0; i < in->extras.n; i++) said |= in->extras.v[i].notify != 0;
    if (!said) return;
    env->notify_count = in->extras.n;
    env->notify = arena_alloc(in->arena, in->extras.n);
    for (size_t i = 0; i < in->extras.n; i++) env->notify[i] = in->extras.v[i].notify;
}

void accept_message(struct intake *in)
{
    static const struct reply too_far = {554, {5, 4, 6}, STR_INIT("Too many hops, this looks like a loop")};
    static const struct reply disk = {452, {4, 3, 1}, STR_INIT("Insufficient system storage, try again later")};
    struct relay *r = in->relay;
    struct err e = {0};
    in->phase = INTAKE_JUDGING;
    in->generation = generation_ref(r->current);
    note_notify(in);
    if (!body_seal(in->body, inline_room(in), &e)) {
        events_note(r, EVENT_ERROR, "content of %s cannot be kept: %s", in->queue_id, e.text);
        refuse(in, &disk, STR_NONE);
        return;
    }
    struct str content = body_view(in->body);
    if (received_count(content) > LIMIT_HOPS) {
        refuse(in, &too_far, STR_NONE);
        return;
    }
    int64_t now = relay_now(r);
    bool is_inline = body_is_inline(in->body);
    in->job = (struct judge_job){
        .request = {.queue_id = queue_id(in),
                    .now = now,
                    .utc_offset = r->net->utc_offset(r->net->self, now),
                    .envelope = in->envelope,
                    .size = body_size(in->body),
                    .content_inline = is_inline,
                    .content = content},
        .fd = body_descriptor(in->body),
        .arena = in->arena,
        .done = judged,
        .owner = in,
    };
    judges_submit(in->generation->judges, &in->job);
}
