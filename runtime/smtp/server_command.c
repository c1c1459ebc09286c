#include <string.h>

#include "mail/address.h"
#include "smtp/params.h"
#include "smtp/server_core.h"

typedef enum server_step (*verb_run)(struct smtp_server *s, struct str args, struct smtp_server_event *ev);

static enum server_step ask(struct smtp_server *s, struct smtp_server_event *ev, enum smtp_server_event_kind kind)
{
    s->asking = true;
    s->question = kind;
    ev->kind = kind;
    ev->asks = true;
    return STEP_EVENT;
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
    if (s->options.dsn) buf_add(o, STR("250-DSN\r\n"));
    buf_add(o, STR("250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n"));
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

static enum server_step run_mail(struct smtp_server *s, struct str args, struct smtp_server_event *ev)
{
    struct reply refusal;
    if (!s->greeted) return server_refuse(s, 503, STATUS(5, 5, 1), STR("Send EHLO or HELO first"));
    if (s->mail) return server_refuse(s, 503, STATUS(5, 5, 1), STR("A transaction is under way already"));
    if (!str_is_ascii(args))
        return server_refuse(s, 550, STATUS(5, 6, 7),
                             STR("Addresses beyond ASCII need SMTPUTF8, which is not offered"));
    if (!read_path(&args, STR("FROM:"), ADDRESS_NULL, &ev->mail.reverse_path))
        return server_refuse(s, 501, STATUS(5, 1, 7), STR("Expected FROM:<address>"));
    struct smtp_params_offer offer = {s->options.dsn, s->options.requiretls, s->tls};
    if (!smtp_params_mail(args, &offer, &ev->mail, &refusal))
        return server_refuse(s, refusal.code, refusal.status, refusal.text);
    if (s->options.message_size && ev->mail.size > s->options.message_size)
        return server_refuse(s, 552, STATUS(5, 3, 4), STR("The message is larger than this server takes"));
    return ask(s, ev, SMTP_SERVER_MAIL);
}

static enum server_step run_rcpt(struct smtp_server *s, struct str args, struct smtp_server_event *ev)
{
    struct reply refusal;
    if (!s->mail) return server_refuse(s, 503, STATUS(5, 5, 1), STR("Send MAIL first"));
    s->tried = true;
    if (!str_is_ascii(args))
        return server_refuse(s, 553, STATUS(5, 6, 7),
                             STR("Addresses beyond ASCII need SMTPUTF8, which is not offered"));
    if (!read_path(&args, STR("TO:"), ADDRESS_POSTMASTER, &ev->rcpt.forward_path))
        return server_refuse(s, 501, STATUS(5, 1, 3), STR("Expected TO:<address>"));
    struct smtp_params_offer offer = {s->options.dsn, s->options.requiretls, s->tls};
    if (!smtp_params_rcpt(args, &offer, &ev->rcpt, &refusal))
        return server_refuse(s, refusal.code, refusal.status, refusal.text);
    if (s->recipients >= s->options.recipient_limit) { /* RFC 5321 section 4.5.3.1.10: temporary, and not an error */
        server_say(s, 452, STATUS(4, 5, 3), STR("Too many recipients; send the others in another transaction"));
        return STEP_AGAIN;
    }
    return ask(s, ev, SMTP_SERVER_RCPT);
}

static enum server_step run_data(struct smtp_server *s, struct str args, struct smtp_server_event *ev)
{
    if (args.n) return bad_arguments(s);
    if (!s->mail) return server_refuse(s, 503, STATUS(5, 5, 1), STR("Send MAIL first"));
    if (!s->tried) return server_refuse(s, 503, STATUS(5, 5, 1), STR("Send RCPT first")); /* RFC 5321 section 3.3 */
    if (s->recipients == 0) return server_refuse(s, 554, STATUS(5, 5, 1), STR("No valid recipients"));
    return ask(s, ev, SMTP_SERVER_DATA);
}

static enum server_step run_starttls(struct smtp_server *s, struct str args, struct smtp_server_event *ev)
{
    if (args.n) return bad_arguments(s);
    if (s->tls) return server_refuse(s, 503, STATUS(5, 5, 1), STR("TLS is active already"));
    if (!s->options.starttls) return server_refuse(s, 502, STATUS(5, 5, 1), STR("STARTTLS is not offered"));
    if (s->in.n) return server_refuse_injection(s);
    return ask(s, ev, SMTP_SERVER_STARTTLS);
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
    if (s->phase == PHASE_COMMAND) server_end(s, "a command that is not offered and carries content");
    return STEP_AGAIN;
}

static enum server_step run_help(struct smtp_server *s, struct str args, struct smtp_server_event *ev);

/* The verbs; `help` ones are listed by HELP, `junk` ones are counted between messages. */
static const struct verb {
    struct str name;
    verb_run run;
    bool help, junk;
} verbs[] = {
    {STR("MAIL"), run_mail, true, false},         {STR("RCPT"), run_rcpt, true, false},
    {STR("DATA"), run_data, true, false},         {STR("EHLO"), run_ehlo, true, true},
    {STR("HELO"), run_helo, true, true},          {STR("RSET"), run_rset, true, true},
    {STR("NOOP"), run_noop, true, true},          {STR("QUIT"), run_quit, true, false},
    {STR("VRFY"), run_vrfy, true, true},          {STR("HELP"), run_help, true, true},
    {STR("STARTTLS"), run_starttls, true, false}, {STR("AUTH"), run_absent, false, false},
    {STR("EXPN"), run_absent, false, false},      {STR("ETRN"), run_absent, false, false},
    {STR("TURN"), run_absent, false, false},      {STR("BDAT"), run_hostile, false, false},
    {STR("GET"), run_hostile, false, false},      {STR("POST"), run_hostile, false, false},
    {STR("PUT"), run_hostile, false, false},      {STR("HEAD"), run_hostile, false, false},
    {STR("CONNECT"), run_hostile, false, false},  {STR("OPTIONS"), run_hostile, false, false},
};

static enum server_step run_help(struct smtp_server *s, struct str args, struct smtp_server_event *ev)
{
    (void)args;
    (void)ev;
    buf_add(&s->out, STR("214 2.0.0"));
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (!verbs[i].help) continue;
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
        if (s->phase == PHASE_COMMAND) server_end(s, "bare CR or NUL in a command");
        return step;
    }
    struct str verb, args;
    str_cut(line, ' ', &verb, &args);
    args = str_trim(args); /* RFC 5321 section 4.1.1: trailing white space is tolerated */
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (!str_eq_nocase(str_trim(verb), verbs[i].name)) continue;
        if (verbs[i].junk && ++s->junk > SMTP_SERVER_JUNK_MAX) {
            server_say(s, 421, STATUS(4, 7, 0), STR("Too many commands without a message"));
            server_end(s, "too many commands without a message");
            return STEP_AGAIN;
        }
        return verbs[i].run(s, args, ev);
    }
    return server_refuse(s, 500, STATUS(5, 5, 2), STR("Command not recognized"));
}
