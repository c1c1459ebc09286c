#include "relay/events.h"

#include <stdarg.h>
#include <stdio.h>

#include "mail/queue_id.h"

enum { EVENT_ANSWER_MAX = 500 }; /* bytes of a text of the control socket: a refused reload has a long one */

void events_note(struct relay *r, int level, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log_begin(r->ports.log, (enum log_level)level, STR_NONE, "relay");
    log_cstr(r->ports.log, "text", text);
    log_end(r->ports.log);
}

void events_queued(struct relay *r, const struct stored_message *m, struct str about)
{
    struct log *l = r->ports.log;
    log_begin(l, LOG_LEVEL_INFO, m->queue_id, "queued");
    log_str(l, "from", m->reverse_path);
    log_str(l, "client", m->client_ip);
    log_num(l, "size", (int64_t)m->size);
    log_num(l, "recipients", (int64_t)m->recipient_count);
    log_num(l, "generation", (int64_t)m->generation);
    if (about.n) log_str(l, "about", about);
    log_end(l);
    for (size_t i = 0; i < m->recipient_count; i++) {
        const struct stored_recipient *rcpt = &m->recipients[i];
        if (rcpt->state == RECIPIENT_QUEUED) continue;
        log_begin(l, LOG_LEVEL_INFO, m->queue_id, rcpt->state == RECIPIENT_HELD ? "held" : "quarantined");
        log_str(l, "to", rcpt->address);
        log_str(l, "rule", rcpt->rule);
        log_str(l, "reason", rcpt->reason);
        log_end(l);
    }
}

static void put_reply(struct log *l, const struct reply *reply)
{
    char status[STATUS_TEXT_MAX];
    size_t n = status_print(reply->status, status);
    log_num(l, "code", reply->code);
    log_str(l, "status", (struct str){status, n});
    log_str(l, "text", reply->text);
}

void events_refused(struct relay *r, struct str queue_id, const struct envelope *env, const struct reply *reply,
                    struct str rule)
{
    struct log *l = r->ports.log;
    log_begin(l, LOG_LEVEL_INFO, queue_id, "refused");
    log_str(l, "from", env->reverse_path);
    if (env->recipient_count) log_str(l, "to", env->recipients[0]);
    log_str(l, "client", env->client.ip);
    log_num(l, "recipients", (int64_t)env->recipient_count);
    put_reply(l, reply);
    if (rule.n) log_str(l, "rule", rule);
    log_end(l);
}

void events_not_taken(struct relay *r, struct str queue_id, struct str client, struct str from, struct str to,
                      const struct reply *reply)
{
    struct log *l = r->ports.log;
    log_begin(l, LOG_LEVEL_INFO, queue_id, "refused");
    log_str(l, "from", from);
    if (to.n) log_str(l, "to", to);
    log_str(l, "client", client);
    put_reply(l, reply);
    log_end(l);
}

void events_disconnect(struct relay *r, struct str queue_id, struct str client, const char *reason)
{
    struct log *l = r->ports.log;
    log_begin(l, LOG_LEVEL_INFO, queue_id, "disconnect");
    log_str(l, "client", client);
    log_cstr(l, "reason", reason);
    log_end(l);
}

/* What concerns everybody names each, as long as they are not too many for the log. */
void events_audit(struct relay *r, struct str queue_id, const struct envelope *env, const struct verdict_note *n)
{
    bool each = !n->recipient.n && env->recipient_count <= EVENT_NAMES_MAX;
    for (size_t i = 0; each && i < env->recipient_count; i++)
        events_rule(r, NOTE_AUDIT, queue_id, n->rule, env->recipients[i], n->text);
    if (!each) events_rule(r, NOTE_AUDIT, queue_id, n->rule, n->recipient, n->text);
}

void events_rule(struct relay *r, enum note_kind kind, struct str queue_id, struct str rule, struct str recipient,
                 struct str text)
{
    struct log *l = r->ports.log;
    log_begin(l, LOG_LEVEL_INFO, queue_id, kind == NOTE_AUDIT ? "audit" : "rule");
    log_str(l, "rule", rule);
    if (recipient.n) log_str(l, "to", recipient);
    log_str(l, "text", text);
    log_end(l);
}

void events_fate(struct relay *r, struct str queue_id, const char *what, struct str rule, struct str recipient,
                 struct str text)
{
    struct log *l = r->ports.log;
    log_begin(l, LOG_LEVEL_INFO, queue_id, what);
    log_str(l, "to", recipient);
    if (rule.n) log_str(l, "rule", rule);
    if (text.n) log_str(l, "text", text);
    log_end(l);
}

void events_by_hand(struct relay *r, int64_t uid, struct str queue_id, struct str recipient, struct str what,
                    struct str text)
{
    struct log *l = r->ports.log;
    log_begin(l, LOG_LEVEL_INFO, queue_id, "by-hand");
    log_str(l, "what", what);
    if (recipient.n) log_str(l, "to", recipient);
    log_num(l, "uid", uid);
    if (text.n) log_str(l, "text", text);
    log_end(l);
}

/* The members of a request, or of its filter, that say what it is about.  Secrets have other names. */
static void put_words(struct log *l, const struct js *o)
{
    static const char *const texts[] = {"list",      "user", "sender", "recipient", "domain",
                                        "connector", "rule", "state",  "reason",    "text"};
    static const char *const numbers[] = {"suspension", "for", "older", "newer", "larger", "smaller"};
    struct str text;
    int64_t number;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (js_get_str(o, texts[i], &text)) log_str(l, texts[i], str_slice(text, 0, EVENT_ANSWER_MAX));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (js_get_num(o, numbers[i], &number) && number) log_num(l, numbers[i], number);
}

void events_command(struct relay *r, int64_t uid, struct str name, const struct js *request, bool ok, struct str answer)
{
    struct log *l = r->ports.log;
    const struct js *filter = js_get(request, "filter");
    struct str id = STR_NONE;
    js_get_str(filter, "id", &id);
    js_get_str(request, "id", &id);
    log_begin(l, LOG_LEVEL_INFO, str_slice(id, 0, QUEUE_ID_LENGTH), "command");
    log_str(l, "what", name);
    log_num(l, "uid", uid);
    put_words(l, request);
    put_words(l, filter);
    if (answer.n) log_str(l, ok ? "answer" : "error", str_slice(answer, 0, EVENT_ANSWER_MAX));
    log_end(l);
}

void events_attempt(struct relay *r, const struct event_attempt *a)
{
    struct log *l = r->ports.log;
    char asked[OBLIGATION_TEXT_MAX];
    size_t n = obligation_print(a->tls_asked, asked);
    log_begin(l, LOG_LEVEL_INFO, a->queue_id, a->what);
    log_str(l, "to", a->recipient);
    if (a->connector.n) log_str(l, "connector", a->connector);
    if (a->relay.n) log_str(l, "relay", a->relay);
    log_num(l, "delay", a->delay_s);
    log_num(l, "attempts", a->attempts);
    log_str(l, "tls_asked", (struct str){asked, n});
    log_str(l, "tls_had", a->tls_had.n ? a->tls_had : STR("none"));
    log_str(l, "status", a->reason);
    log_end(l);
}
