#include "smtp/client.h"

#include <string.h>

#include "smtp/reply.h"
#include "smtp/scan.h"

enum body_state { BODY_LINE, BODY_TEXT, BODY_CR };
enum { LIMIT_RCPTMAX, LIMIT_MAILMAX, LIMIT_RCPTDOMAINMAX, LIMIT_KINDS }; /* RFC 9422 */

struct smtp_client {
    char *hostname;
    struct buf out;
    struct str in; /* the caller's bytes, used up before next() answers false */
    struct smtp_reader reader;
    enum smtp_client_stage stage;
    bool tls;
    bool hello_only; /* HELO instead of EHLO */
    uint32_t extensions;
    uint64_t size_limit;
    uint32_t limits[LIMIT_KINDS];
    struct buf greeted_by;
    /* the transaction */
    struct buf commands; /* its lines not yet given out: without PIPELINING one goes at a time */
    bool pipelined;
    bool reset_sent; /* its first answer is RSET's */
    bool reset_due;  /* the last transaction ended without a dot: RSET goes before the next */
    size_t recipients, answered, accepted;
    bool lone_dot; /* 354 came though nothing was accepted: the dot ends nothing (RFC 2920 section 3.1) */
    bool data_sent;
    enum smtp_client_stage result_stage; /* where it was decided before its end: MAIL or RCPT; else IDLE */
    struct reply result;
    struct buf result_text;
    enum body_state body;
    bool chunked, binary; /* the content goes by BDAT; it may hold anything */
    uint64_t left;        /* octets of the chunk still to write */
    uint64_t size_ahead;  /* of the transaction sent ahead, and whether it is binary */
    bool binary_ahead;
    size_t ahead; /* recipients of the transaction sent ahead of this one's result; 0: none */
    /* the end */
    bool failed;
    const char *why;
    enum smtp_client_stage failed_stage;
    struct reply failure;
    bool may_be_delivered;
};

static const struct {
    const char *name;
    unsigned timeout;
} stages[] = {
    [SMTP_STAGE_GREETING] = {"greeting", 300},
    [SMTP_STAGE_EHLO] = {"EHLO", 300},
    [SMTP_STAGE_STARTTLS] = {"STARTTLS", 120},
    [SMTP_STAGE_TLS] = {"TLS handshake", 60},
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

static void fail(struct smtp_client *c, const char *why, const struct reply *r)
{
    if (c->stage == SMTP_STAGE_OVER) return;
    c->failed = true;
    c->why = why;
    c->failed_stage = c->stage;
    c->failure = r ? *r : (struct reply){0};
    c->may_be_delivered = c->stage == SMTP_STAGE_DOT && !c->lone_dot && (!r || r->code < 400);
    c->stage = SMTP_STAGE_OVER;
    c->out.n = 0;
}

void smtp_client_lost(struct smtp_client *c, const char *why) { fail(c, why, NULL); }

/* Bytes that nobody asked for would be taken for the answer to what is written next. */
static bool is_in_step(struct smtp_client *c)
{
    if (c->in.n == 0 && smtp_reader_is_idle(&c->reader)) return true;
    fail(c, "the server sent more than was asked for", NULL);
    return false;
}

/* --- greeting ----------------------------------------------------------------------------------------------------- */

static void say_hello(struct smtp_client *c)
{
    if (!is_in_step(c)) return;
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
}

static bool ready(struct smtp_client *c, const struct reply *r, struct smtp_client_event *ev)
{
    struct str line, rest, name, tail;
    bool more = str_cut(r->text, '\n', &line, &rest);
    str_cut(line, ' ', &name, &tail);
    c->greeted_by.n = 0;
    buf_add(&c->greeted_by, name);
    c->extensions = 0;
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
        fail(c, r->code >= 400 ? "the server refused our greeting" : "the server answered EHLO with an unfit code", r);
    }
    return false;
}

static bool on_starttls(struct smtp_client *c, const struct reply *r, struct smtp_client_event *ev)
{
    if (r->code == 220) {
        /* Whatever stands behind the 220 came in clear, and may be an attacker's (CVE-2021-38371). */
        if (c->in.n || !smtp_reader_is_idle(&c->reader)) {
            fail(c, "the server sent bytes in clear behind its answer to STARTTLS", NULL);
            return false;
        }
        c->stage = SMTP_STAGE_TLS;
        ev->kind = SMTP_CLIENT_STARTTLS;
        return true;
    }
    if (r->code < 400) {
        fail(c, "the server answered STARTTLS with an unfit code", r);
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
    if (!is_in_step(c)) return;
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

/* Nothing that goes into a command line may end it. */
static bool is_one_line(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f) return false;
    return true;
}

static bool is_sound(const struct smtp_client_transaction *t)
{
    if (!is_one_line(t->reverse_path) || !is_one_line(t->envid)) return false;
    for (size_t i = 0; i < t->recipient_count; i++)
        if (!is_one_line(t->recipients[i].forward_path) || !is_one_line(t->recipients[i].orcpt)) return false;
    return true;
}

static void write_mail(struct smtp_client *c, struct buf *o, const struct smtp_client_transaction *t)
{
    buf_add(o, STR("MAIL FROM:<"));
    buf_add(o, t->reverse_path);
    buf_add_byte(o, '>');
    if (c->extensions & SMTP_EXT_SIZE) buf_printf(o, " SIZE=%llu", (unsigned long long)t->size);
    if (t->binary)
        buf_add(o, STR(" BODY=BINARYMIME"));
    else if (t->eight_bit && (c->extensions & SMTP_EXT_8BITMIME))
        buf_add(o, STR(" BODY=8BITMIME"));
    if (t->smtputf8) buf_add(o, STR(" SMTPUTF8"));
    if (t->requiretls) buf_add(o, STR(" REQUIRETLS"));
    if (c->extensions & SMTP_EXT_DSN) {
        if (t->ret) buf_add(o, t->ret == 'F' ? STR(" RET=FULL") : STR(" RET=HDRS"));
        if (t->envid.n) {
            buf_add(o, STR(" ENVID="));
            buf_add(o, t->envid);
        }
    }
    buf_add(o, STR("\r\n"));
}

static void write_notify(struct buf *o, uint8_t notify)
{
    static const char *const words[] = {"NEVER", "SUCCESS", "FAILURE", "DELAY"};
    const char *sep = " NOTIFY=";
    for (unsigned i = 0; i < 4; i++) {
        if (!(notify & 1u << i)) continue;
        buf_add(o, str_of(sep));
        buf_add(o, str_of(words[i]));
        sep = ",";
    }
}

static void write_rcpt(struct smtp_client *c, struct buf *o, const struct smtp_client_recipient *r)
{
    buf_add(o, STR("RCPT TO:<"));
    buf_add(o, r->forward_path);
    buf_add_byte(o, '>');
    if (c->extensions & SMTP_EXT_DSN) {
        write_notify(o, r->notify);
        if (r->orcpt.n) {
            buf_add(o, STR(" ORCPT="));
            buf_add(o, r->orcpt);
        }
    }
    buf_add(o, STR("\r\n"));
}

/* Without PIPELINING: the next line of the transaction. */
static void write_next(struct smtp_client *c)
{
    if (c->pipelined) return;
    size_t lf = str_find_byte(buf_str(&c->commands), '\n');
    INVARIANT(lf != STR_NPOS);
    buf_add(&c->out, str_slice(buf_str(&c->commands), 0, lf + 1));
    buf_consume(&c->commands, lf + 1);
}

bool smtp_client_may_send_ahead(const struct smtp_client *c)
{
    return c->stage == SMTP_STAGE_DOT && c->pipelined && !c->lone_dot && !c->ahead;
}

/* The transaction whose commands are written now waits for MAIL's answer (RSET's before it, when that went ahead). */
static void begin(struct smtp_client *c, size_t recipients, uint64_t size, bool binary)
{
    c->recipients = recipients;
    c->answered = c->accepted = 0;
    c->lone_dot = false;
    c->chunked = c->extensions & SMTP_EXT_CHUNKING;
    c->left = size;
    c->binary = binary;
    c->data_sent = c->pipelined && !c->chunked;
    c->result_stage = SMTP_STAGE_IDLE;
    c->reset_due = true;
    c->stage = SMTP_STAGE_MAIL;
}

void smtp_client_send(struct smtp_client *c, const struct smtp_client_transaction *t)
{
    if (c->stage == SMTP_STAGE_OVER) return;
    bool ahead = smtp_client_may_send_ahead(c);
    INVARIANT((c->stage == SMTP_STAGE_IDLE || ahead) && t->recipient_count > 0);
    INVARIANT(c->tls || !t->tls_demanded);
    INVARIANT(!t->requiretls || (c->tls && (c->extensions & SMTP_EXT_REQUIRETLS)));
    INVARIANT(!t->binary || ((c->extensions & SMTP_EXT_CHUNKING) && (c->extensions & SMTP_EXT_BINARYMIME)));
    INVARIANT(!t->smtputf8 || (c->extensions & SMTP_EXT_SMTPUTF8));
    if (!ahead && !is_in_step(c)) return;
    if (!is_sound(t)) {
        fail(c, "an address holds what no command may hold", NULL);
        return;
    }
    c->pipelined = c->extensions & SMTP_EXT_PIPELINING;
    c->commands.n = 0;
    struct buf *o = c->pipelined ? &c->out : &c->commands;
    c->reset_sent = c->reset_due && !ahead; /* the dot clears the server's buffers */
    if (c->reset_sent) buf_add(o, STR("RSET\r\n"));
    write_mail(c, o, t);
    for (size_t i = 0; i < t->recipient_count; i++) write_rcpt(c, o, &t->recipients[i]);
    if (!(c->extensions & SMTP_EXT_CHUNKING)) buf_add(o, STR("DATA\r\n"));
    if (ahead) {
        c->ahead = t->recipient_count;
        c->size_ahead = t->size;
        c->binary_ahead = t->binary;
        return;
    }
    begin(c, t->recipient_count, t->size, t->binary);
    write_next(c);
}

/* --- the transaction ---------------------------------------------------------------------------------------------- */

static bool finish(struct smtp_client *c, enum smtp_client_stage stage, const struct reply *r,
                   struct smtp_client_event *ev)
{
    c->stage = SMTP_STAGE_IDLE;
    if (c->ahead) begin(c, c->ahead, c->size_ahead, c->binary_ahead);
    c->ahead = 0;
    ev->kind = SMTP_CLIENT_RESULT;
    ev->stage = stage;
    ev->reply = *r;
    return true;
}

/* The transaction's fate is known, but answers that belong to it are still to come. */
static void decide(struct smtp_client *c, enum smtp_client_stage stage, const struct reply *r)
{
    c->result_stage = stage;
    c->result_text.n = 0;
    buf_add(&c->result_text, r->text);
    c->result = *r;
    c->result.text = buf_str(&c->result_text);
}

static bool is_refusal(struct smtp_client *c, const struct reply *r)
{
    if (r->code >= 300 && r->code < 400) fail(c, "the server answered with an unfit code", r);
    return r->code >= 400;
}

static bool on_mail(struct smtp_client *c, const struct reply *r, struct smtp_client_event *ev)
{
    if (c->reset_sent) {
        c->reset_sent = false;
        if (r->code >= 300)
            fail(c, "the server refused RSET", NULL); /* that says nothing about the mail that follows */
        else
            write_next(c);
        return false;
    }
    bool refused = is_refusal(c, r);
    if (c->stage == SMTP_STAGE_OVER) return false;
    if (refused && !c->pipelined) return finish(c, SMTP_STAGE_MAIL, r, ev);
    if (refused) decide(c, SMTP_STAGE_MAIL, r);
    c->stage = SMTP_STAGE_RCPT;
    write_next(c);
    return false;
}

static bool on_rcpt(struct smtp_client *c, const struct reply *r, struct smtp_client_event *ev)
{
    bool refused = is_refusal(c, r);
    if (c->stage == SMTP_STAGE_OVER) return false;
    bool tell = c->result_stage != SMTP_STAGE_MAIL;
    ev->kind = SMTP_CLIENT_RECIPIENT;
    ev->recipient = c->answered++;
    ev->reply = *r;
    if (!refused && tell) c->accepted++;
    if (c->answered < c->recipients) {
        write_next(c);
        return tell;
    }
    if (c->accepted == 0 && tell) decide(c, SMTP_STAGE_RCPT, r);
    c->stage = SMTP_STAGE_DATA;
    if (c->chunked) return tell;
    if (c->accepted) write_next(c);
    c->data_sent = c->pipelined || c->accepted;
    return tell;
}

static bool begin_body(struct smtp_client *c, struct smtp_client_event *ev)
{
    c->stage = SMTP_STAGE_BODY;
    c->body = c->chunked ? BODY_TEXT : BODY_LINE; /* no line of a chunk has a dot to hide */
    ev->kind = SMTP_CLIENT_BODY;
    return true;
}

static bool on_data(struct smtp_client *c, const struct reply *r, struct smtp_client_event *ev)
{
    if (r->code >= 400) {
        if (c->result_stage != SMTP_STAGE_IDLE) return finish(c, c->result_stage, &c->result, ev);
        return finish(c, SMTP_STAGE_DATA, r, ev);
    }
    if (r->code != 354) {
        fail(c, "the server answered DATA with an unfit code", r);
        return false;
    }
    if (c->accepted == 0) {
        buf_add(&c->out, STR(".\r\n"));
        c->lone_dot = true;
        c->stage = SMTP_STAGE_DOT;
        return false;
    }
    return begin_body(c, ev);
}

static bool on_dot(struct smtp_client *c, const struct reply *r, struct smtp_client_event *ev)
{
    if (c->lone_dot) return finish(c, c->result_stage, &c->result, ev);
    is_refusal(c, r);
    if (c->stage == SMTP_STAGE_OVER) return false;
    c->reset_due = false; /* after the dot the server's buffers are clear (RFC 5321 section 4.1.1.4) */
    return finish(c, SMTP_STAGE_DOT, r, ev);
}

static bool take_piece(struct smtp_client *c, struct str *run, size_t n, struct str *piece)
{
    *piece = str_slice(*run, 0, n);
    *run = str_from(*run, n);
    if (c->chunked) c->left -= n;
    return true;
}

bool smtp_client_body(struct smtp_client *c, struct str *run, struct str *piece)
{
    if (c->stage == SMTP_STAGE_OVER || run->n == 0) return false;
    INVARIANT(c->stage == SMTP_STAGE_BODY);
    const char *p = run->p;
    if (c->chunked && run->n > c->left) {
        fail(c, "the content is longer than was announced", NULL);
        return false;
    }
    if (c->binary) return take_piece(c, run, run->n, piece);
    if (c->body == BODY_LINE && p[0] == '.') { /* RFC 5321 section 4.5.2; the dot itself follows as text */
        c->body = BODY_TEXT;
        *piece = STR(".");
        return true;
    }
    size_t i = 0;
    bool broken = false;
    while (i < run->n && !broken) {
        if (c->body == BODY_LINE) {
            if (p[i] == '.') break;
            c->body = BODY_TEXT;
        }
        if (c->body == BODY_TEXT) {
            i += smtp_scan(p + i, run->n - i);
            if (i == run->n) break;
            broken = p[i++] != '\r';
            c->body = BODY_CR;
        } else {
            broken = p[i++] != '\n';
            c->body = c->chunked ? BODY_TEXT : BODY_LINE;
        }
    }
    if (broken) {
        fail(c, "the content holds a bare CR, a bare LF or a NUL and cannot be sent", NULL);
        return false;
    }
    return take_piece(c, run, i, piece);
}

void smtp_client_body_end(struct smtp_client *c)
{
    if (c->stage == SMTP_STAGE_OVER) return;
    INVARIANT(c->stage == SMTP_STAGE_BODY);
    if (c->body == BODY_CR || (c->chunked && c->left)) {
        fail(c, c->left ? "the content is shorter than was announced" : "the content ends in a bare CR and cannot be sent",
             NULL);
        return;
    }
    if (!c->chunked) buf_add(&c->out, c->body == BODY_TEXT ? STR("\r\n.\r\n") : STR(".\r\n"));
    c->stage = SMTP_STAGE_DOT;
}

/* --- the loop ----------------------------------------------------------------------------------------------------- */

static bool on_reply(struct smtp_client *c, const struct reply *r, struct smtp_client_event *ev)
{
    if (r->code == 421 && c->stage != SMTP_STAGE_QUIT) { /* RFC 5321 section 3.8: it closes, whatever was asked */
        fail(c, "the server ends the session", r);
        return false;
    }
    switch (c->stage) {
    case SMTP_STAGE_GREETING:
        if (r->code == 220)
            say_hello(c);
        else
            fail(c, r->code >= 400 ? "the server takes no mail now" : "the server greeted with an unfit code", r);
        return false;
    case SMTP_STAGE_EHLO: return on_hello(c, r, ev);
    case SMTP_STAGE_STARTTLS: return on_starttls(c, r, ev);
    case SMTP_STAGE_MAIL: return on_mail(c, r, ev);
    case SMTP_STAGE_RCPT: return on_rcpt(c, r, ev);
    case SMTP_STAGE_DATA: return on_data(c, r, ev);
    case SMTP_STAGE_DOT: return on_dot(c, r, ev);
    case SMTP_STAGE_QUIT:
        c->stage = SMTP_STAGE_OVER;
        ev->kind = SMTP_CLIENT_CLOSED;
        return true;
    case SMTP_STAGE_BODY: fail(c, "the server answered before the content was whole", r); return false;
    case SMTP_STAGE_IDLE:
    case SMTP_STAGE_TLS:
    case SMTP_STAGE_OVER: fail(c, "the server sent more than was asked for", r); return false;
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

/* Where no DATA was written, what follows the last RECIPIENT: with every recipient refused the result, else content. */
static bool follow_recipients(struct smtp_client *c, struct smtp_client_event *ev)
{
    if (c->stage != SMTP_STAGE_DATA || c->data_sent) return false;
    if (c->accepted) { /* by BDAT: nothing is asked first */
        buf_printf(&c->out, "BDAT %llu LAST\r\n", (unsigned long long)c->left);
        return begin_body(c, ev);
    }
    return finish(c, c->result_stage, &c->result, ev);
}

bool smtp_client_next(struct smtp_client *c, struct smtp_client_event *ev)
{
    memset(ev, 0, sizeof *ev);
    for (;;) {
        if (tell_failure(c, ev) || follow_recipients(c, ev)) return true;
        if (c->stage == SMTP_STAGE_OVER) c->in = STR_NONE;
        if (c->in.n == 0) return false;
        if (c->stage == SMTP_STAGE_TLS) {
            fail(c, "the server sent bytes in clear behind its answer to STARTTLS", NULL);
            continue;
        }
        switch (smtp_reader_feed(&c->reader, &c->in)) {
        case SMTP_REPLY_MORE: break;
        case SMTP_REPLY_BAD: fail(c, c->reader.problem, NULL); break;
        case SMTP_REPLY_WHOLE:
            if (on_reply(c, &c->reader.reply, ev)) return true;
            memset(ev, 0, sizeof *ev);
            break;
        }
    }
}
