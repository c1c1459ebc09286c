/* The far end of deliveries: enough of an SMTP server to be strict about what matters here. */
#include <stdio.h>
#include <string.h>

#include "tests/support/memory_impl.h"

static bool is_silent(const struct net_stream *s, const char *at)
{
    return s->server->silent_at && strcmp(s->server->silent_at, at) == 0;
}

static void reply(struct net_stream *s, const char *text)
{
    if (!s->mute) buf_printf(s->owes_dot ? &s->later : &s->in, "%s\r\n", text);
}

static struct memory_mail *current(struct net_stream *s)
{
    INVARIANT(s->mail < s->server->mail_count);
    return &s->server->mail[s->mail];
}

static void ehlo(struct net_stream *s)
{
    const struct memory_server *v = s->server;
    buf_printf(&s->in, "250-sink\r\n250-PIPELINING\r\n250-SIZE %u\r\n", v->size_limit ? v->size_limit : 10000000);
    if (v->utf8) buf_printf(&s->in, "250-SMTPUTF8\r\n");
    if (!v->no_8bit) buf_printf(&s->in, "250-8BITMIME\r\n");
    if (v->starttls && !s->tls) buf_printf(&s->in, "250-STARTTLS\r\n");
    if (v->requiretls && s->tls) buf_printf(&s->in, "250-REQUIRETLS\r\n");
    if (v->auth && s->tls) buf_printf(&s->in, "250-AUTH %s\r\n", v->auth);
    if (v->recipients_most) buf_printf(&s->in, "250-LIMITS RCPTMAX=%u\r\n", v->recipients_most);
    if (v->more_limits) buf_printf(&s->in, "250-LIMITS %s\r\n", v->more_limits);
    buf_printf(&s->in, "250 ENHANCEDSTATUSCODES\r\n");
}

static void answer_dot(struct net_stream *s)
{
    const struct memory_server *v = s->server;
    struct buf later = s->later;
    s->later = (struct buf){0};
    s->owes_dot = false;
    if (!v->dot_reply || *v->dot_reply) reply(s, v->dot_reply ? v->dot_reply : "250 2.0.0 stored");
    buf_add(&s->in, buf_str(&later)); /* answers keep their order */
    buf_free(&later);
}

void memory_answer_dots(struct memory *m)
{
    for (struct net_stream *s = m->impl->streams; s; s = s->next)
        if (s->server && s->owes_dot) answer_dot(s);
}

static void mail(struct net_stream *s, struct str line)
{
    struct memory_server *v = s->server;
    v->ahead += s->owes_dot;
    if (s->owes_dot && v->hangs_up_ahead) {
        s->hung_up = true;
        s->in.n = 0;
        return;
    }
    if (v->drops_idle && s->mails) {
        s->hung_up = true;
        s->in.n = 0;
        return;
    }
    if (v->auth && !s->logged_in) {
        reply(s, "530 5.7.0 authentication required");
        s->turned_away = true;
        return;
    }
    s->mails++;
    INVARIANT(v->mail_count < sizeof v->mail / sizeof *v->mail);
    s->mail = v->mail_count++;
    struct memory_mail *m = current(s);
    *m = (struct memory_mail){.tls = s->tls, .connection = s->number};
    buf_add(&m->from, line);
    reply(s, v->mail_reply ? v->mail_reply : "250 2.1.0 sender ok");
}

static void rcpt(struct net_stream *s, struct str line)
{
    if (s->turned_away) {
        reply(s, "503 5.5.1 who are you");
        return;
    }
    struct memory_server *v = s->server;
    if (v->silent_to && str_find(line, str_of(v->silent_to)) != STR_NPOS) {
        s->mute = true;
        return;
    }
    bool refused = v->rcpt_reply && (!v->rcpt_refused || str_find(line, str_of(v->rcpt_refused)) != STR_NPOS);
    if (!refused) {
        buf_add(&current(s)->to, line);
        buf_add_byte(&current(s)->to, '\n');
    }
    reply(s, refused ? v->rcpt_reply : "250 2.1.5 recipient ok");
}

static void command(struct net_stream *s, struct str line)
{
    struct memory_server *v = s->server;
    char verb[10];
    snprintf(verb, sizeof verb, "%.*s", (int)(str_find_byte(line, ' ') < line.n ? str_find_byte(line, ' ') : line.n),
             line.p);
    s->mute |= is_silent(s, verb);
    if (s->mute && str_starts_nocase(line, STR("EHLO "))) return;
    if (str_starts_nocase(line, STR("EHLO ")))
        ehlo(s);
    else if (str_starts_nocase(line, STR("STARTTLS")))
        reply(s, v->starttls ? "220 go ahead" : "502 no");
    else if (str_starts(line, STR("AUTH PLAIN "))) {
        buf_add(&v->logins, str_from(line, 11));
        buf_add_byte(&v->logins, '\n');
        s->logged_in = !v->auth_reply;
        reply(s, v->auth_reply ? v->auth_reply : "235 2.7.0 welcome");
    } else if (str_starts_nocase(line, STR("MAIL FROM:")))
        mail(s, line);
    else if (str_starts_nocase(line, STR("RCPT TO:")))
        rcpt(s, line);
    else if (str_starts_nocase(line, STR("DATA"))) {
        if (s->turned_away)
            reply(s, "503 5.5.1 who are you");
        else if (v->data_reply)
            reply(s, v->data_reply);
        else if (!current(s)->to.n)
            reply(s, "554 5.5.1 no valid recipients");
        else {
            s->in_data = true;
            reply(s, "354 go");
        }
    } else if (str_starts_nocase(line, STR("QUIT")))
        reply(s, "221 2.0.0 bye");
    else if (str_starts_nocase(line, STR("RSET")))
        reply(s, "250 2.0.0 ok");
    else
        reply(s, "500 5.5.2 what");
}

void memory_server_greet(struct net_stream *s)
{
    s->mute = is_silent(s, "greeting");
    reply(s, s->server->greeting ? s->server->greeting : "220 sink ESMTP");
}

/* Where CR LF begins.  Not by str_find: a sanitizer's memmem reads all there is, for each line of many megabytes. */
static size_t line_end(struct str s)
{
    for (size_t at = 0, found; (found = str_find_byte(str_from(s, at), '\n')) != STR_NPOS; at += found + 1)
        if (at + found > 0 && s.p[at + found - 1] == '\r') return at + found - 1;
    return STR_NPOS;
}

void memory_server_feed(struct net_stream *s)
{
    struct memory_server *v = s->server;
    struct buf take = s->out;
    s->out = (struct buf){0};
    if (!s->tls) buf_add(&v->clear, buf_str(&take));
    struct str rest = buf_str(&take);
    while (rest.n && !s->hung_up) {
        size_t end = line_end(rest);
        if (end == STR_NPOS) { /* a line in pieces */
            struct buf later = {0};
            buf_add(&later, rest);
            buf_add(&later, buf_str(&s->out));
            buf_free(&s->out);
            s->out = later;
            break;
        }
        struct str line = str_slice(rest, 0, end);
        rest = str_from(rest, end + 2);
        if (!s->in_data) {
            command(s, line);
        } else if (str_eq(line, STR("."))) {
            s->in_data = false;
            s->mute |= is_silent(s, "dot");
            s->owes_dot = true;
            if (!v->dots_wait) answer_dot(s);
        } else {
            buf_add(&current(s)->data, line);
            buf_add(&current(s)->data, STR("\r\n"));
        }
    }
    buf_free(&take);
}
