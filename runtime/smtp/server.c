#include "smtp/server.h"

#include <string.h>

#include "smtp/reply.h"
#include "smtp/server_core.h"

enum { HELD_MAX = 256 * 1024 };

static void check(const struct smtp_server *s)
{
    INVARIANT(s->mail || (s->recipients == 0 && s->phase != PHASE_CONTENT));
    INVARIANT(s->phase != PHASE_CONTENT || s->recipients > 0);
    INVARIANT(s->phase != PHASE_CHUNK || s->recipients > 0 || s->discarding);
    INVARIANT(!s->asking || s->phase == PHASE_COMMAND);
}

void server_say(struct smtp_server *s, uint16_t code, struct status status, struct str text)
{
    smtp_reply_emit(&s->out, &(struct reply){code, status, text});
    check(s);
}

static void count_error(struct smtp_server *s)
{
    if (++s->errors < SMTP_SERVER_ERRORS_MAX || s->phase >= PHASE_ENDING) return;
    server_say(s, 421, STATUS(4, 7, 0), STR("Too many errors"));
    server_break(s, "too many errors");
}

enum server_step server_refuse(struct smtp_server *s, uint16_t code, struct status status, struct str text)
{
    server_say(s, code, status, text);
    count_error(s);
    return STEP_AGAIN;
}

void server_reset(struct smtp_server *s, const char *why)
{
    if (s->mail && !s->told) {
        s->abort_due = true;
        s->abort_why = why;
        s->abort_refused = false;
    }
    s->mail = s->told = s->tried = s->discarding = s->smtputf8 = s->binary = s->chunked = false;
    s->recipients = 0;
    s->size = s->chunk_left = 0;
    if (s->phase == PHASE_CONTENT || s->phase == PHASE_CHUNK) s->phase = PHASE_COMMAND;
    check(s);
}

void server_end(struct smtp_server *s, const char *why)
{
    if (s->phase >= PHASE_ENDING) return;
    s->asking = false;
    server_reset(s, why);
    s->phase = PHASE_ENDING;
    s->end_why = why;
}

void server_break(struct smtp_server *s, const char *why)
{
    s->broken = s->broken || s->phase < PHASE_ENDING;
    server_end(s, why);
}

void server_greet(struct smtp_server *s)
{
    buf_add(&s->out, STR("220 "));
    buf_add(&s->out, s->options.hostname);
    buf_add(&s->out, STR(" ESMTP\r\n"));
}

struct smtp_server *smtp_server_create(const struct smtp_server_options *o)
{
    struct smtp_server *s = mem_alloc(sizeof *s);
    s->options = *o;
    s->hostname = mem_alloc(o->hostname.n + 1);
    if (o->hostname.n) memcpy(s->hostname, o->hostname.p, o->hostname.n);
    s->options.hostname.p = s->hostname;
    if (s->options.recipient_limit == 0) s->options.recipient_limit = 1000;
    if (s->options.recipient_limit < 100) s->options.recipient_limit = 100;
    s->tls = o->tls;
    server_greet(s);
    return s;
}

void smtp_server_free(struct smtp_server **s)
{
    if (!*s) return;
    server_auth_free(*s);
    free((*s)->hostname);
    buf_free(&(*s)->out);
    buf_free(&(*s)->held);
    buf_free(&(*s)->xclient);
    buf_free(&(*s)->verdict_text);
    free(*s);
    *s = NULL;
}

struct buf *smtp_server_output(struct smtp_server *s) { return &s->out; }
bool smtp_server_expects_tls(const struct smtp_server *s) { return s->phase == PHASE_TLS; }
bool smtp_server_waits(const struct smtp_server *s) { return s->asking || s->phase >= PHASE_TLS; }
bool smtp_server_is_in_data(const struct smtp_server *s)
{
    return s->phase == PHASE_CONTENT || s->phase == PHASE_CHUNK;
}

/* --- input -------------------------------------------------------------------------------------------------------- */

/* What is left of the caller's bytes moves into `held`, at the latest when the loop of next() calls ends. */
static void keep_rest(struct smtp_server *s)
{
    if (s->in_held || s->in.n == 0) return;
    s->held.n = 0;
    buf_add(&s->held, s->in);
    s->in = buf_str(&s->held);
    s->in_held = true;
}

void smtp_server_feed(struct smtp_server *s, struct str bytes)
{
    if (bytes.n == 0 || s->phase >= PHASE_ENDING) return;
    if (s->in.n == 0) {
        s->in = bytes;
        s->in_held = false;
        return;
    }
    keep_rest(s);
    if (bytes.n > HELD_MAX - s->in.n) {
        server_say(s, 421, STATUS(4, 7, 0), STR("Too much was sent ahead"));
        server_break(s, "too much input ahead of an answer");
        return;
    }
    buf_consume(&s->held, s->held.n - s->in.n);
    buf_add(&s->held, bytes);
    s->in = buf_str(&s->held);
}

/* A longer line is allowed where credentials stand in it. */
static size_t line_max(const struct smtp_server *s)
{
    bool auth = server_auth_is_offered(s) && (s->auth || str_starts_nocase(s->in, STR("AUTH ")));
    return auth ? SMTP_SERVER_AUTH_LINE_MAX : SMTP_SERVER_LINE_MAX;
}

static enum server_step step_command(struct smtp_server *s, struct smtp_server_event *ev)
{
    if (s->in.n == 0) return STEP_STARVED;
    size_t most = line_max(s);
    size_t lf = str_find_byte(str_slice(s->in, 0, most), '\n');
    if (lf == STR_NPOS) {
        if (s->in.n < most) return STEP_STARVED;
        server_say(s, 500, STATUS(5, 5, 2), STR("Command line too long"));
        server_break(s, "command line too long");
        return STEP_AGAIN;
    }
    if (lf == 0 || s->in.p[lf - 1] != '\r') {
        server_say(s, 500, STATUS(5, 5, 2), STR("A line must end in CR LF"));
        server_break(s, "bare LF in a command");
        return STEP_AGAIN;
    }
    struct str line = str_slice(s->in, 0, lf - 1);
    s->in = str_from(s->in, lf + 1);
    return s->auth ? server_auth_line(s, line, ev) : server_command(s, line, ev);
}

/* --- the loop ----------------------------------------------------------------------------------------------------- */

static bool tell_abort(struct smtp_server *s, struct smtp_server_event *ev)
{
    if (!s->abort_due) return false;
    s->abort_due = false;
    *ev = (struct smtp_server_event){.kind = SMTP_SERVER_ABORT, .why = s->abort_why};
    if (s->abort_refused) ev->refusal = &s->verdict;
    return true;
}

static enum server_step step(struct smtp_server *s, struct smtp_server_event *ev)
{
    switch (s->phase) {
    case PHASE_COMMAND: return s->asking ? STEP_STARVED : step_command(s, ev);
    case PHASE_CONTENT:
    case PHASE_CHUNK: return server_content_step(s, ev);
    case PHASE_TLS:
        if (s->in.n) server_break(s, "bytes in clear after STARTTLS was answered");
        return s->in.n ? STEP_AGAIN : STEP_STARVED;
    case PHASE_ENDING:
        s->phase = PHASE_OVER;
        *ev = (struct smtp_server_event){.kind = SMTP_SERVER_CLOSE, .why = s->end_why, .broken = s->broken};
        return STEP_EVENT;
    case PHASE_OVER: break;
    }
    s->in = STR_NONE;
    return STEP_STARVED;
}

bool smtp_server_next(struct smtp_server *s, struct smtp_server_event *ev)
{
    for (;;) {
        if (tell_abort(s, ev)) return true;
        if (server_auth_tell(s, ev)) return true;
        if (s->has_later) {
            s->has_later = false;
            *ev = s->later;
            return true;
        }
        memset(ev, 0, sizeof *ev);
        switch (step(s, ev)) {
        case STEP_EVENT:
            if (!s->abort_due) return true;
            s->later = *ev; /* EHLO: the transaction that it ended goes first */
            s->has_later = true;
            break;
        case STEP_AGAIN: break;
        case STEP_STARVED:
            if (s->abort_due) break;
            keep_rest(s);
            check(s);
            return false;
        }
    }
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

/* Commands injected behind STARTTLS would be run as if they had come inside TLS: CVE-2011-0411, RFC 3207 section 6. */
enum server_step server_refuse_injection(struct smtp_server *s)
{
    server_say(s, 554, STATUS(5, 5, 0), STR("Nothing may be sent behind STARTTLS before its answer"));
    server_break(s, "bytes behind STARTTLS");
    return STEP_AGAIN;
}

static void answer_starttls(struct smtp_server *s, const struct reply *r, bool accepted)
{
    if (!accepted) {
        server_say(s, r->code, r->status, r->text);
        return;
    }
    if (s->in.n) {
        server_refuse_injection(s);
        return;
    }
    if (r)
        server_say(s, r->code, r->status, r->text);
    else
        server_say(s, 220, STATUS(2, 0, 0), STR("Ready to start TLS"));
    server_reset(s, "STARTTLS");
    s->phase = PHASE_TLS;
}

static void answer_rcpt(struct smtp_server *s, const struct reply *r, bool accepted)
{
    if (accepted) s->recipients++;
    if (r)
        server_say(s, r->code, r->status, r->text);
    else
        server_say(s, 250, STATUS(2, 1, 5), STR("Ok"));
    /* One bad address among good ones is daily life; nothing but bad ones is a client guessing. */
    if (!accepted && r->code >= 500 && s->recipients == 0) count_error(s);
}

static void answer_message(struct smtp_server *s, const struct reply *r, bool accepted)
{
    INVARIANT(r);
    s->told = true; /* its fate is in the reply: no ABORT */
    server_reset(s, "answered");
    server_say(s, r->code, r->status, r->text);
    if (accepted) s->junk = 0;
}

void smtp_server_answer(struct smtp_server *s, const struct reply *r)
{
    if (s->phase >= PHASE_ENDING) return; /* stopped meanwhile */
    INVARIANT(s->asking);
    s->asking = false;
    bool accepted = !r || r->code < 400;
    switch (s->question) {
    case SMTP_SERVER_STARTTLS: answer_starttls(s, r, accepted); break;
    case SMTP_SERVER_MAIL:
        s->mail = accepted;
        s->told = false;
        if (r)
            server_say(s, r->code, r->status, r->text);
        else
            server_say(s, 250, STATUS(2, 1, 0), STR("Ok"));
        if (r && r->code >= 500) count_error(s);
        break;
    case SMTP_SERVER_RCPT: answer_rcpt(s, r, accepted); break;
    case SMTP_SERVER_DATA: server_content_begin(s, r, accepted); break;
    case SMTP_SERVER_MESSAGE: answer_message(s, r, accepted); break;
    case SMTP_SERVER_AUTH: server_auth_answer(s, r, accepted); break;
    default: INVARIANT(!"an event that asks");
    }
    if (r && r->code == 421) server_end(s, "421 was given");
    check(s);
}

void smtp_server_discard(struct smtp_server *s, const struct reply *r)
{
    INVARIANT(r && r->code >= 400);
    if (smtp_server_is_in_data(s) && !s->discarding) server_content_discard(s, r);
}

void smtp_server_secured(struct smtp_server *s)
{
    if (s->phase >= PHASE_ENDING) return;
    INVARIANT(s->phase == PHASE_TLS);
    s->phase = PHASE_COMMAND;
    s->tls = true;
    s->greeted = s->esmtp = s->authenticated = false; /* authenticated: by XCLIENT, in clear */
    s->in = STR_NONE;
    s->in_held = false;
    buf_free(&s->held); /* no byte that came in clear survives (RFC 3207 section 4.2) */
    check(s);
}

void smtp_server_stop(struct smtp_server *s, const struct reply *r)
{
    if (s->phase >= PHASE_ENDING) return;
    if (r) server_say(s, r->code, r->status, r->text);
    server_end(s, "stopped by the server");
}
