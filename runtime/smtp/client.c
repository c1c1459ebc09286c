#include <string.h>

#include "smtp/client_core.h"

static const struct {
    const char *name;
    unsigned timeout;
} stages[] = {
    [SMTP_STAGE_GREETING] = {"greeting", 300},
    [SMTP_STAGE_EHLO] = {"EHLO", 300},
    [SMTP_STAGE_STARTTLS] = {"STARTTLS", 120},
    [SMTP_STAGE_TLS] = {"TLS handshake", 60},
    [SMTP_STAGE_AUTH] = {"AUTH", 300},
    [SMTP_STAGE_IDLE] = {"idle", 0},
    [SMTP_STAGE_MAIL] = {"MAIL FROM", 300},
    [SMTP_STAGE_RCPT] = {"RCPT TO", 300},
    [SMTP_STAGE_DATA] = {"DATA", 120},
    [SMTP_STAGE_BODY] = {"message content", 180},
    [SMTP_STAGE_DOT] = {"end of data", 600},
    [SMTP_STAGE_QUIT] = {"QUIT", 10},
    [SMTP_STAGE_OVER] = {"over", 0},
};

const char *smtp_client_stage_name(enum smtp_client_stage s) { return stages[s].name; }
unsigned smtp_client_timeout(enum smtp_client_stage s) { return stages[s].timeout; }
enum smtp_client_stage smtp_client_stage(const struct smtp_client *c) { return c->stage; }
struct buf *smtp_client_output(struct smtp_client *c) { return &c->out; }

struct smtp_client *smtp_client_create(const struct smtp_client_options *o)
{
    struct smtp_client *c = mem_alloc(sizeof *c);
    c->hostname = mem_alloc(o->hostname.n + 1);
    if (o->hostname.n) memcpy(c->hostname, o->hostname.p, o->hostname.n);
    c->stage = SMTP_STAGE_GREETING;
    return c;
}

void smtp_client_free(struct smtp_client **c)
{
    if (!*c) return;
    client_auth_free(*c);
    free((*c)->hostname);
    buf_free(&(*c)->out);
    buf_free(&(*c)->greeted_by);
    buf_free(&(*c)->commands);
    buf_free(&(*c)->result_text);
    smtp_reader_free(&(*c)->reader);
    free(*c);
    *c = NULL;
}

void smtp_client_feed(struct smtp_client *c, struct str bytes)
{
    if (c->stage == SMTP_STAGE_OVER) return;
    INVARIANT(c->in.n == 0); /* next() was run until false */
    c->in = bytes;
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

void client_fail(struct smtp_client *c, const char *why, const struct reply *r)
{
    if (c->stage == SMTP_STAGE_OVER) return;
    c->failed = true;
    c->why = why;
    c->failed_stage = c->stage;
    c->failure = r ? *r : (struct reply){0};
    c->may_be_delivered = c->stage == SMTP_STAGE_DOT && !c->lone_dot && (!r || r->code < 400);
    c->stage = SMTP_STAGE_OVER;
    if (c->auth && c->out.p) explicit_bzero(c->out.p, c->out.cap); /* it has held the password */
    c->out.n = 0;
}

void smtp_client_lost(struct smtp_client *c, const char *why) { client_fail(c, why, NULL); }

/* Bytes that nobody asked for would be taken for the answer to what is written next. */
bool client_is_in_step(struct smtp_client *c)
{
    if (c->in.n == 0 && smtp_reader_is_idle(&c->reader)) return true;
    client_fail(c, "the server sent more than was asked for", NULL);
    return false;
}

/* --- greeting ----------------------------------------------------------------------------------------------------- */

static void say_hello(struct smtp_client *c)
{
    if (!client_is_in_step(c)) return;
    buf_add(&c->out, c->hello_only ? STR("HELO ") : STR("EHLO "));
    buf_add(&c->out, str_of(c->hostname));
    buf_add(&c->out, STR("\r\n"));
    c->stage = SMTP_STAGE_EHLO;
}

/* Names in any case; what is unknown or malformed is passed over (RFC 9422 section 4.1). */
static void read_limits(struct smtp_client *c, struct str rest)
{
    static const struct str names[] = {[LIMIT_RCPTMAX] = STR("RCPTMAX"),
                                       [LIMIT_MAILMAX] = STR("MAILMAX"),
                                       [LIMIT_RCPTDOMAINMAX] = STR("RCPTDOMAINMAX")};
    while ((rest = str_trim(rest)).n) {
        struct str word, name, number;
        uint64_t value;
        str_cut(rest, ' ', &word, &rest);
        if (!str_cut(word, '=', &name, &number) || !str_to_u64(number, &value) || value == 0 || value > UINT32_MAX)
            continue;
        for (size_t i = 0; i < LIMIT_KINDS; i++)
            if (str_eq_nocase(name, names[i])) c->limits[i] = (uint32_t)value;
    }
}

static void read_extension(struct smtp_client *c, struct str line)
{
    static const struct {
        struct str keyword;
        uint32_t bit;
    } known[] = {
        {STR("PIPELINING"), SMTP_EXT_PIPELINING}, {STR("SIZE"), SMTP_EXT_SIZE},
        {STR("8BITMIME"), SMTP_EXT_8BITMIME},     {STR("ENHANCEDSTATUSCODES"), SMTP_EXT_ENHANCEDSTATUSCODES},
        {STR("STARTTLS"), SMTP_EXT_STARTTLS},     {STR("DSN"), SMTP_EXT_DSN},
        {STR("REQUIRETLS"), SMTP_EXT_REQUIRETLS}, {STR("SMTPUTF8"), SMTP_EXT_SMTPUTF8},
        {STR("CHUNKING"), SMTP_EXT_CHUNKING},     {STR("BINARYMIME"), SMTP_EXT_BINARYMIME},
        {STR("LIMITS"), SMTP_EXT_LIMITS},
    };
    struct str keyword, rest;
    str_cut(line, ' ', &keyword, &rest);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_eq_nocase(keyword, known[i].keyword)) c->extensions |= known[i].bit;
    if (str_eq_nocase(keyword, STR("SIZE")) && !str_to_u64(str_trim(rest), &c->size_limit)) c->size_limit = 0;
    if (str_eq_nocase(keyword, STR("LIMITS"))) read_limits(c, rest);
    if (str_eq_nocase(keyword, STR("AUTH"))) client_auth_read(c, rest);
}

static bool ready(struct smtp_client *c, const struct reply *r, struct smtp_client_event *ev)
{
    struct str line, rest, name, tail;
    bool more = str_cut(r->text, '\n', &line, &rest);
    str_cut(line, ' ', &name, &tail);
    c->greeted_by.n = 0;
    buf_add(&c->greeted_by, name);
    c->extensions = 0;
    c->mechanisms = 0;
    c->size_limit = 0;
    memset(c->limits, 0, sizeof c->limits);
    while (more && !c->hello_only) {
        more = str_cut(rest, '\n', &line, &rest);
        read_extension(c, line);
    }
    /* RFC 3207 section 4.2: never twice; RFC 8689 section 2: means something inside TLS only. */
    c->extensions &= c->tls ? ~(uint32_t)SMTP_EXT_STARTTLS : ~(uint32_t)SMTP_EXT_REQUIRETLS;
    c->stage = SMTP_STAGE_IDLE;
    ev->kind = SMTP_CLIENT_READY;
    ev->ready = (struct smtp_client_ready){.extensions = c->extensions,
                                           .size_limit = c->size_limit,
                                           .recipient_limit = c->limits[LIMIT_RCPTMAX],
                                           .message_limit = c->limits[LIMIT_MAILMAX],
                                           .domain_limit = c->limits[LIMIT_RCPTDOMAINMAX],
                                           .tls = c->tls,
                                           .greeted_by = buf_str(&c->greeted_by)};
    return true;
}

static bool on_hello(struct smtp_client *c, const struct reply *r, struct smtp_client_event *ev)
{
    if (r->code == 250) return ready(c, r, ev);
    if (r->code >= 500 && !c->hello_only) {
        c->hello_only = true;
        say_hello(c);
    } else {
        client_fail(
            c, r->code >= 400 ? "the server refused our greeting" : "the server answered EHLO with an unfit code", r);
    }
    return false;
}

static bool on_starttls(struct smtp_client *c, const struct reply *r, struct smtp_client_event *ev)
{
    if (r->code == 220) {
        /* Whatever stands behind the 220 came in clear, and may be an attacker's (CVE-2021-38371). */
        if (c->in.n || !smtp_reader_is_idle(&c->reader)) {
            client_fail(c, "the server sent bytes in clear behind its answer to STARTTLS", NULL);
            return false;
        }
        c->stage = SMTP_STAGE_TLS;
        ev->kind = SMTP_CLIENT_STARTTLS;
        return true;
    }
    if (r->code < 400) {
        client_fail(c, "the server answered STARTTLS with an unfit code", r);
        return false;
    }
    c->stage = SMTP_STAGE_IDLE;
    ev->kind = SMTP_CLIENT_STARTTLS_REFUSED;
    ev->reply = *r;
    return true;
}

/* --- orders ------------------------------------------------------------------------------------------------------- */

void smtp_client_starttls(struct smtp_client *c)
{
    if (c->stage == SMTP_STAGE_OVER) return;
    INVARIANT(c->stage == SMTP_STAGE_IDLE && !c->tls && (c->extensions & SMTP_EXT_STARTTLS));
    if (!client_is_in_step(c)) return;
    buf_add(&c->out, STR("STARTTLS\r\n"));
    c->stage = SMTP_STAGE_STARTTLS;
}

void smtp_client_secured(struct smtp_client *c)
{
    if (c->stage == SMTP_STAGE_OVER) return;
    INVARIANT(c->stage == SMTP_STAGE_TLS);
    c->tls = true;
    c->hello_only = false;
    c->extensions = 0; /* what was offered in clear counts no more (RFC 3207 section 4.2) */
    say_hello(c);
}

void smtp_client_quit(struct smtp_client *c)
{
    if (c->stage == SMTP_STAGE_OVER) return;
    INVARIANT(c->stage == SMTP_STAGE_IDLE);
    buf_add(&c->out, STR("QUIT\r\n"));
    c->stage = SMTP_STAGE_QUIT;
}

/* --- the loop ----------------------------------------------------------------------------------------------------- */

static bool on_reply(struct smtp_client *c, const struct reply *r, struct smtp_client_event *ev)
{
    if (r->code == 421 && c->stage != SMTP_STAGE_QUIT) { /* RFC 5321 section 3.8: it closes, whatever was asked */
        client_fail(c, "the server ends the session", r);
        return false;
    }
    switch (c->stage) {
    case SMTP_STAGE_GREETING:
        if (r->code == 220)
            say_hello(c);
        else
            client_fail(c, r->code >= 400 ? "the server takes no mail now" : "the server greeted with an unfit code",
                        r);
        return false;
    case SMTP_STAGE_EHLO: return on_hello(c, r, ev);
    case SMTP_STAGE_STARTTLS: return on_starttls(c, r, ev);
    case SMTP_STAGE_AUTH: return client_on_auth(c, r, ev);
    case SMTP_STAGE_MAIL: return client_on_mail(c, r, ev);
    case SMTP_STAGE_RCPT: return client_on_rcpt(c, r, ev);
    case SMTP_STAGE_DATA: return client_on_data(c, r, ev);
    case SMTP_STAGE_DOT: return client_on_dot(c, r, ev);
    case SMTP_STAGE_QUIT:
        c->stage = SMTP_STAGE_OVER;
        ev->kind = SMTP_CLIENT_CLOSED;
        return true;
    case SMTP_STAGE_BODY: client_fail(c, "the server answered before the content was whole", r); return false;
    case SMTP_STAGE_IDLE:
    case SMTP_STAGE_TLS:
    case SMTP_STAGE_OVER: client_fail(c, "the server sent more than was asked for", r); return false;
    }
    return false;
}

static bool tell_failure(struct smtp_client *c, struct smtp_client_event *ev)
{
    if (!c->failed) return false;
    c->failed = false;
    c->in = STR_NONE;
    ev->kind = c->failed_stage == SMTP_STAGE_QUIT ? SMTP_CLIENT_CLOSED : SMTP_CLIENT_FAILED;
    ev->stage = c->failed_stage;
    ev->reply = c->failure;
    ev->why = c->why;
    ev->may_be_delivered = c->may_be_delivered;
    return true;
}

bool smtp_client_next(struct smtp_client *c, struct smtp_client_event *ev)
{
    memset(ev, 0, sizeof *ev);
    for (;;) {
        if (tell_failure(c, ev) || client_follow_recipients(c, ev) || client_auth_tell(c, ev) || tell_failure(c, ev))
            return true;
        if (c->stage == SMTP_STAGE_OVER) c->in = STR_NONE;
        if (c->in.n == 0) return false;
        if (c->stage == SMTP_STAGE_TLS) {
            client_fail(c, "the server sent bytes in clear behind its answer to STARTTLS", NULL);
            continue;
        }
        switch (smtp_reader_feed(&c->reader, &c->in)) {
        case SMTP_REPLY_MORE: break;
        case SMTP_REPLY_BAD: client_fail(c, c->reader.problem, NULL); break;
        case SMTP_REPLY_WHOLE:
            if (on_reply(c, &c->reader.reply, ev)) return true;
            memset(ev, 0, sizeof *ev);
            break;
        }
    }
}
