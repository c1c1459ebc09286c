#include <string.h>

#include "base/ip.h"
#include "mail/address.h"
#include "mail/xtext.h"
#include "smtp/params.h"
#include "smtp/server_core.h"

typedef enum server_step (*verb_run)(struct smtp_server *s, struct str args, struct smtp_server_event *ev);

enum server_step server_ask(struct smtp_server *s, struct smtp_server_event *ev, enum smtp_server_event_kind kind)
{
    s->asking = true;
    s->question = kind;
    ev->kind = kind;
    ev->asks = true;
    return STEP_EVENT;
}

/* Counts one that brings no message nearer; true when it was one too many, and the session ends. */
static bool is_junk(struct smtp_server *s)
{
    if (++s->junk <= SMTP_SERVER_JUNK_MAX) return false;
    server_say(s, 421, STATUS(4, 7, 0), STR("Too many commands without a message"));
    server_break(s, "too many commands without a message");
    return true;
}

static enum server_step bad_arguments(struct smtp_server *s)
{
    return server_refuse(s, 501, STATUS(5, 5, 4), STR("This command takes no argument"));
}

static void say_ehlo(struct smtp_server *s)
{
    struct buf *o = &s->out;
    buf_add(o, STR("250-"));
    buf_add(o, s->options.hostname);
    buf_add(o, STR("\r\n250-PIPELINING\r\n"));
    if (s->options.message_size)
        buf_printf(o, "250-SIZE %llu\r\n", (unsigned long long)s->options.message_size);
    else
        buf_add(o, STR("250-SIZE\r\n"));
    if (s->options.starttls && !s->tls) buf_add(o, STR("250-STARTTLS\r\n"));
    if (s->options.requiretls && s->tls) buf_add(o, STR("250-REQUIRETLS\r\n"));
    if (server_auth_is_offered(s) && !s->authenticated) buf_add(o, STR("250-AUTH PLAIN LOGIN SCRAM-SHA-256\r\n"));
    if (s->options.dsn) buf_add(o, STR("250-DSN\r\n"));
    if (s->options.xclient) buf_add(o, STR("250-XCLIENT ADDR HELO LOGIN NAME PORT PROTO DESTADDR DESTPORT\r\n"));
    if (s->options.smtputf8) buf_add(o, STR("250-SMTPUTF8\r\n"));
    if (s->options.binarymime) buf_add(o, STR("250-BINARYMIME\r\n"));
    buf_printf(o, "250-LIMITS RCPTMAX=%u\r\n", (unsigned)s->options.recipient_limit); /* RFC 9422 */
    buf_add(o, STR("250-CHUNKING\r\n250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n"));
}

static enum server_step greet(struct smtp_server *s, struct str args, struct smtp_server_event *ev, bool esmtp)
{
    if (args.n == 0 || args.n > 255)
        return server_refuse(s, 501, STATUS(5, 5, 4), STR("A host name or an address literal must follow"));
    for (size_t i = 0; i < args.n; i++)
        if (args.p[i] <= ' ' || args.p[i] >= 0x7f)
            return server_refuse(s, 501, STATUS(5, 5, 4), STR("The name holds what no host name can"));
    server_reset(s, esmtp ? "EHLO" : "HELO");
    s->greeted = true;
    s->esmtp = esmtp;
    if (esmtp) {
        say_ehlo(s);
    } else {
        buf_add(&s->out, STR("250 "));
        buf_add(&s->out, s->options.hostname);
        buf_add(&s->out, STR("\r\n"));
    }
    ev->kind = SMTP_SERVER_HELO;
    ev->helo = args;
    ev->esmtp = esmtp;
    return STEP_EVENT;
}

static enum server_step run_ehlo(struct smtp_server *s, struct str args, struct smtp_server_event *ev)
{
    return greet(s, args, ev, true);
}

static enum server_step run_helo(struct smtp_server *s, struct str args, struct smtp_server_event *ev)
{
    return greet(s, args, ev, false);
}

/* "FROM:" or "TO:", blanks that many clients put behind it, and the path; *args is left at the parameters. */
static bool read_path(struct str *args, struct str word, unsigned flags, struct str *path)
{
    if (!str_starts_nocase(*args, word)) return false;
    *args = str_from(*args, word.n);
    while (args->n && args->p[0] == ' ') *args = str_from(*args, 1);
    struct address address;
    size_t took = address_parse_path(*args, flags, &address);
    if (took == 0) return false;
    *args = str_from(*args, took);
    *path = address.whole;
    return true;
}

static struct smtp_params_offer offered(const struct smtp_server *s)
{
    return (struct smtp_params_offer){.dsn = s->options.dsn,
                                      .requiretls = s->options.requiretls,
                                      .smtputf8 = s->options.smtputf8,
                                      .binarymime = s->options.binarymime,
                                      .auth = s->options.auth,
                                      .tls = s->tls,
                                      .utf8 = s->smtputf8};
}

/* RFC 6531 section 3.5: 550 for MAIL, 553 for RCPT. */
static enum server_step refuse_utf8(struct smtp_server *s, uint16_t code)
{
    if (s->options.smtputf8)
        return server_refuse(s, code, STATUS(5, 6, 7), STR("Addresses beyond ASCII need SMTPUTF8 behind MAIL"));
    return server_refuse(s, code, STATUS(5, 6, 7), STR("Addresses beyond ASCII need SMTPUTF8, which is not offered"));
}

/* A reply that whoever asks why mail did not come finds in the log. */
static enum server_step tell_refused(struct smtp_server_event *ev, const struct reply *refusal)
{
    ev->kind = SMTP_SERVER_REFUSED;
    ev->refusal = refusal;
    return STEP_EVENT;
}

static enum server_step run_mail(struct smtp_server *s, struct str args, struct smtp_server_event *ev)
{
    static const struct reply large = {552, {5, 3, 4}, STR_INIT("The message is larger than this server takes")};
    struct reply refusal;
    if (!s->greeted) return server_refuse(s, 503, STATUS(5, 5, 1), STR("Send EHLO or HELO first"));
    if (s->mail) return server_refuse(s, 503, STATUS(5, 5, 1), STR("A transaction is under way already"));
    if (s->options.auth_required && !s->authenticated)
        return server_refuse(s, 530, STATUS(5, 7, 0), STR("Authentication required"));
    unsigned flags = ADDRESS_NULL | (s->options.smtputf8 ? ADDRESS_UTF8 : 0);
    if (!s->options.smtputf8 && !str_is_ascii(args)) return refuse_utf8(s, 550);
    if (!read_path(&args, STR("FROM:"), flags, &ev->mail.reverse_path))
        return server_refuse(s, 501, STATUS(5, 1, 7), STR("Expected FROM:<address>"));
    struct smtp_params_offer offer = offered(s);
    if (!smtp_params_mail(args, &offer, &ev->mail, &refusal))
        return server_refuse(s, refusal.code, refusal.status, refusal.text);
    if (!ev->mail.smtputf8 && !str_is_ascii(ev->mail.reverse_path)) return refuse_utf8(s, 550);
    if (s->options.message_size && ev->mail.size > s->options.message_size) {
        server_refuse(s, large.code, large.status, large.text);
        return tell_refused(ev, &large);
    }
    s->smtputf8 = ev->mail.smtputf8;
    s->binary = ev->mail.body == SMTP_BODY_BINARY;
    return server_ask(s, ev, SMTP_SERVER_MAIL);
}

static enum server_step run_rcpt(struct smtp_server *s, struct str args, struct smtp_server_event *ev)
{
    static const struct reply many = {
        452, {4, 5, 3}, STR_INIT("Too many recipients; send the others in another transaction")};
    struct reply refusal;
    if (!s->mail) return server_refuse(s, 503, STATUS(5, 5, 1), STR("Send MAIL first"));
    if (s->chunked) return server_refuse(s, 503, STATUS(5, 5, 1), STR("The content has begun already"));
    s->tried = true;
    if (!s->smtputf8 && !str_is_ascii(args)) return refuse_utf8(s, 553);
    unsigned flags = ADDRESS_POSTMASTER | (s->smtputf8 ? ADDRESS_UTF8 : 0);
    if (!read_path(&args, STR("TO:"), flags, &ev->rcpt.forward_path))
        return server_refuse(s, 501, STATUS(5, 1, 3), STR("Expected TO:<address>"));
    struct smtp_params_offer offer = offered(s);
    if (!smtp_params_rcpt(args, &offer, &ev->rcpt, &refusal))
        return server_refuse(s, refusal.code, refusal.status, refusal.text);
    if (s->recipients >= s->options.recipient_limit) { /* RFC 5321 section 4.5.3.1.10: temporary, and not an error */
        server_say(s, many.code, many.status, many.text);
        return tell_refused(ev, &many);
    }
    return server_ask(s, ev, SMTP_SERVER_RCPT);
}

/* Why content may not come now, of either kind; code 0: it may.  RFC 5321 section 3.3. */
static struct reply content_undue(const struct smtp_server *s)
{
    if (!s->mail) return (struct reply){503, STATUS(5, 5, 1), STR("Send MAIL first")};
    if (!s->tried) return (struct reply){503, STATUS(5, 5, 1), STR("Send RCPT first")};
    if (s->recipients == 0) return (struct reply){554, STATUS(5, 5, 1), STR("No valid recipients")};
    return (struct reply){0};
}

static enum server_step run_data(struct smtp_server *s, struct str args, struct smtp_server_event *ev)
{
    if (args.n) return bad_arguments(s);
    struct reply undue = content_undue(s);
    if (undue.code) return server_refuse(s, undue.code, undue.status, undue.text);
    if (s->chunked || s->binary) /* RFC 3030 sections 2 and 3 */
        return server_refuse(s, 503, STATUS(5, 5, 1),
                             s->binary ? STR("Binary content needs BDAT") : STR("The content goes on by BDAT"));
    return server_ask(s, ev, SMTP_SERVER_DATA);
}

/* "BDAT" SP octets [ SP "LAST" ] (RFC 3030 section 2).  The octets that follow are swallowed whatever the answer is;
 * where their number cannot be read nobody knows where the next command stands, so the session ends. */
static enum server_step run_bdat(struct smtp_server *s, struct str args, struct smtp_server_event *ev)
{
    struct str number, last;
    uint64_t octets;
    bool more = str_cut(args, ' ', &number, &last);
    last = str_trim(last);
    if (number.n > 20 || !str_to_u64(number, &octets) || (more && !str_eq_nocase(last, STR("LAST")))) {
        enum server_step step = server_refuse(s, 501, STATUS(5, 5, 4), STR("Expected BDAT octets [LAST]"));
        server_break(s, "a chunk of unknown size");
        return step;
    }
    if (!more && octets < SMTP_SERVER_TINY_CHUNK && is_junk(s)) return STEP_AGAIN;
    struct reply undue = content_undue(s);
    uint64_t size = 0;
    if (!undue.code && s->options.message_size &&
        (__builtin_add_overflow(s->size, octets, &size) || size > s->options.message_size))
        undue = (struct reply){552, STATUS(5, 3, 4), STR("The message is larger than this server takes")};
    return server_chunk_begin(s, octets, more, undue.code ? &undue : NULL, ev);
}

static enum server_step run_starttls(struct smtp_server *s, struct str args, struct smtp_server_event *ev)
{
    if (args.n) return bad_arguments(s);
    if (s->tls) return server_refuse(s, 503, STATUS(5, 5, 1), STR("TLS is active already"));
    if (!s->options.starttls) return server_refuse(s, 502, STATUS(5, 5, 1), STR("STARTTLS is not offered"));
    if (s->in.n) return server_refuse_injection(s);
    return server_ask(s, ev, SMTP_SERVER_STARTTLS);
}

static enum server_step run_rset(struct smtp_server *s, struct str args, struct smtp_server_event *ev)
{
    (void)ev;
    if (args.n) return bad_arguments(s);
    server_reset(s, "RSET");
    server_say(s, 250, STATUS(2, 0, 0), STR("Ok"));
    return STEP_AGAIN;
}

static enum server_step run_noop(struct smtp_server *s, struct str args, struct smtp_server_event *ev)
{
    (void)ev;
    (void)args; /* RFC 5321 section 4.1.1.9: an argument is ignored */
    server_say(s, 250, STATUS(2, 0, 0), STR("Ok"));
    return STEP_AGAIN;
}

/* One attribute of XCLIENT into *value; false when it makes no sense.  What is unavailable is as if not told. */
static bool xclient_attribute(struct smtp_server *s, struct str word, struct smtp_server_xclient *x)
{
    struct str name, coded;
    if (!str_cut(word, '=', &name, &coded)) return false;
    struct str *to = str_eq_nocase(name, STR("ADDR"))    ? &x->ip
                     : str_eq_nocase(name, STR("HELO"))  ? &x->helo
                     : str_eq_nocase(name, STR("LOGIN")) ? &x->login
                                                         : NULL;
    static const struct str others[] = {STR("NAME"), STR("PORT"), STR("PROTO"), STR("DESTADDR"), STR("DESTPORT")};
    bool known = to != NULL;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) known |= str_eq_nocase(name, others[i]);
    size_t from = s->xclient.n;
    if (!known || coded.n > 255 || !xtext_decode(coded, &s->xclient)) return false;
    struct str value = str_from(buf_str(&s->xclient), from);
    for (size_t i = 0; i < value.n; i++)
        if ((unsigned char)value.p[i] <= ' ' || value.p[i] == 0x7f) return false;
    bool unknown = str_eq_nocase(value, STR("[UNAVAILABLE]")) || str_eq_nocase(value, STR("[TEMPUNAVAIL]"));
    uint8_t ip[IP_SIZE];
    if (to == &x->ip) x->unknown = unknown;
    if (!to || unknown) return true;
    if (to == &x->ip && str_starts_nocase(value, STR("IPV6:"))) value = str_from(value, 5);
    if (to == &x->ip && !ip_parse(value, ip)) return false;
    *to = value;
    return true;
}

/* https://www.postfix.org/XCLIENT_README.html */
static enum server_step run_xclient(struct smtp_server *s, struct str args, struct smtp_server_event *ev)
{
    if (!s->options.xclient) return server_refuse(s, 550, STATUS(5, 7, 0), STR("XCLIENT is not for you"));
    if (s->mail) return server_refuse(s, 503, STATUS(5, 5, 1), STR("A transaction is under way already"));
    s->xclient.n = 0;
    buf_reserve(&s->xclient, args.n + 1); /* so that the views stay */
    bool good = args.n > 0;
    for (struct str word; good && args.n; args = str_trim(args)) {
        str_cut(args, ' ', &word, &args);
        good = xclient_attribute(s, word, &ev->xclient);
    }
    if (!good) return server_refuse(s, 501, STATUS(5, 5, 4), STR("Bad XCLIENT attribute"));
    s->greeted = s->esmtp = false;
    s->authenticated = ev->xclient.login.n != 0; /* the proxy saw to it */
    server_greet(s);
    ev->kind = SMTP_SERVER_XCLIENT;
    return STEP_EVENT;
}

static enum server_step run_vrfy(struct smtp_server *s, struct str args, struct smtp_server_event *ev)
{
    (void)ev;
    if (args.n == 0) return server_refuse(s, 501, STATUS(5, 5, 4), STR("An address must follow"));
    server_say(s, 252, STATUS(2, 0, 0), STR("Not verified here; send the message and see"));
    return STEP_AGAIN;
}

static enum server_step run_quit(struct smtp_server *s, struct str args, struct smtp_server_event *ev)
{
    (void)ev;
    if (args.n) return bad_arguments(s);
    server_say(s, 221, STATUS(2, 0, 0), STR("Bye"));
    server_end(s, "QUIT");
    return STEP_AGAIN;
}

static enum server_step run_absent(struct smtp_server *s, struct str args, struct smtp_server_event *ev)
{
    (void)args;
    (void)ev;
    return server_refuse(s, 502, STATUS(5, 5, 1), STR("Command not implemented"));
}

/* What follows is not SMTP, or would be message content: nothing behind it may be read as commands. */
static enum server_step run_hostile(struct smtp_server *s, struct str args, struct smtp_server_event *ev)
{
    run_absent(s, args, ev);
    server_break(s, "a command that is not offered and carries content");
    return STEP_AGAIN;
}

static enum server_step run_help(struct smtp_server *s, struct str args, struct smtp_server_event *ev);

enum {
    VERB_HELP = 1,  /* listed by HELP */
    VERB_JUNK = 2,  /* counted between messages */
    VERB_CLEAR = 4, /* goes where TLS is required and does not stand yet, or refuses by itself */
    VERB_HOSTILE = VERB_CLEAR
};

static const struct verb {
    struct str name;
    verb_run run;
    unsigned flags;
} verbs[] = {
    {STR("MAIL"), run_mail, VERB_HELP},
    {STR("RCPT"), run_rcpt, VERB_HELP},
    {STR("DATA"), run_data, VERB_HELP},
    {STR("BDAT"), run_bdat, VERB_HELP | VERB_CLEAR},
    {STR("EHLO"), run_ehlo, VERB_HELP | VERB_JUNK | VERB_CLEAR},
    {STR("HELO"), run_helo, VERB_HELP | VERB_JUNK | VERB_CLEAR},
    {STR("RSET"), run_rset, VERB_HELP | VERB_JUNK},
    {STR("NOOP"), run_noop, VERB_HELP | VERB_JUNK | VERB_CLEAR},
    {STR("QUIT"), run_quit, VERB_HELP | VERB_CLEAR},
    {STR("VRFY"), run_vrfy, VERB_HELP | VERB_JUNK},
    {STR("HELP"), run_help, VERB_HELP | VERB_JUNK},
    {STR("STARTTLS"), run_starttls, VERB_HELP | VERB_CLEAR},
    {STR("AUTH"), server_auth_begin, VERB_HELP},
    {STR("XCLIENT"), run_xclient, VERB_JUNK | VERB_CLEAR},
    {STR("EXPN"), run_absent, 0},
    {STR("ETRN"), run_absent, 0},
    {STR("TURN"), run_absent, 0},
    {STR("GET"), run_hostile, VERB_HOSTILE},
    {STR("POST"), run_hostile, VERB_HOSTILE},
    {STR("PUT"), run_hostile, VERB_HOSTILE},
    {STR("HEAD"), run_hostile, VERB_HOSTILE},
    {STR("CONNECT"), run_hostile, VERB_HOSTILE},
    {STR("OPTIONS"), run_hostile, VERB_HOSTILE},
};

static enum server_step run_help(struct smtp_server *s, struct str args, struct smtp_server_event *ev)
{
    (void)args;
    (void)ev;
    buf_add(&s->out, STR("214 2.0.0"));
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (!(verbs[i].flags & VERB_HELP)) continue;
        buf_add_byte(&s->out, ' ');
        buf_add(&s->out, verbs[i].name);
    }
    buf_add(&s->out, STR("\r\n"));
    return STEP_AGAIN;
}

enum server_step server_command(struct smtp_server *s, struct str line, struct smtp_server_event *ev)
{
    if (memchr(line.p, '\0', line.n) || memchr(line.p, '\r', line.n)) {
        enum server_step step = server_refuse(s, 500, STATUS(5, 5, 2), STR("A command line holds a bare CR or a NUL"));
        if (s->phase == PHASE_COMMAND) server_break(s, "bare CR or NUL in a command");
        return step;
    }
    struct str verb, args;
    str_cut(line, ' ', &verb, &args);
    args = str_trim(args); /* RFC 5321 section 4.1.1: trailing white space is tolerated */
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (!str_eq_nocase(str_trim(verb), verbs[i].name)) continue;
        if ((verbs[i].flags & VERB_JUNK) && is_junk(s)) return STEP_AGAIN;
        if (s->options.tls_required && !s->tls && !(verbs[i].flags & VERB_CLEAR))
            return server_refuse(s, 530, STATUS(5, 7, 0), STR("Send STARTTLS first")); /* RFC 3207 section 4 */
        return verbs[i].run(s, args, ev);
    }
    return server_refuse(s, 500, STATUS(5, 5, 2), STR("Command not recognized"));
}
