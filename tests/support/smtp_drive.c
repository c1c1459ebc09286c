#include "tests/support/smtp_drive.h"

void smtp_drive_init(struct smtp_drive *d, const struct smtp_server_options *o)
{
    static const struct smtp_server_options plain = {.hostname = {"mx.example", 10}, .message_size = 1000};
    *d = (struct smtp_drive){.server = smtp_server_create(o ? o : &plain)};
}

void smtp_drive_free(struct smtp_drive *d)
{
    smtp_server_free(&d->server);
    buf_free(&d->events);
    buf_free(&d->replies);
    buf_free(&d->content);
}

static const struct reply *judge(struct smtp_drive *d, const struct smtp_server_event *ev)
{
    static const struct reply defer = {451, {4, 3, 0}, {"Later", 5}}, bad = {550, {5, 1, 1}, {"No such user", 12}},
                              end = {421, {4, 3, 2}, {"Going down", 10}}, kept = {250, {2, 0, 0}, {"Queued", 6}},
                              wrong = {535, {5, 7, 8}, {"Wrong", 5}};
    struct str rcpt = ev->rcpt.forward_path;
    switch (ev->kind) {
    case SMTP_SERVER_AUTH:
        return str_eq(ev->auth.password, STR("right"))   ? NULL
               : str_eq(ev->auth.password, STR("later")) ? &defer
                                                         : &wrong;
    case SMTP_SERVER_MAIL:
        if (str_starts(ev->mail.reverse_path, STR("defer@"))) return &defer;
        INVARIANT(!d->open);
        d->open = true;
        return NULL;
    case SMTP_SERVER_RCPT:
        INVARIANT(d->open);
        return str_starts(rcpt, STR("bad@"))     ? &bad
               : str_starts(rcpt, STR("later@")) ? &defer
               : str_starts(rcpt, STR("close@")) ? &end
                                                 : NULL;
    case SMTP_SERVER_MESSAGE:
        INVARIANT(d->open);
        d->open = false;
        d->messages++;
        return &kept;
    default: return NULL;
    }
}

static void note(struct smtp_drive *d, const struct smtp_server_event *ev)
{
    struct buf *b = &d->events;
    switch (ev->kind) {
    case SMTP_SERVER_HELO: buf_printf(b, "%s %.*s\n", ev->esmtp ? "EHLO" : "HELO", STR_ARG(ev->helo)); break;
    case SMTP_SERVER_STARTTLS: buf_add(b, STR("STARTTLS\n")); break;
    case SMTP_SERVER_XCLIENT:
        buf_printf(b, "XCLIENT %.*s helo=%.*s login=%.*s\n", STR_ARG(ev->xclient.ip), STR_ARG(ev->xclient.helo),
                   STR_ARG(ev->xclient.login));
        break;
    case SMTP_SERVER_AUTH:
        buf_printf(b, "AUTH %.*s %.*s", STR_ARG(ev->auth.mechanism), STR_ARG(ev->auth.user));
        if (ev->auth.password.p) buf_printf(b, " %.*s", STR_ARG(ev->auth.password));
        buf_add(b, STR("\n"));
        break;
    case SMTP_SERVER_AUTHENTICATED: buf_printf(b, "IS %.*s\n", STR_ARG(ev->auth.user)); break;
    case SMTP_SERVER_AUTH_FAILED: buf_printf(b, "NOT %.*s\n", STR_ARG(ev->auth.user)); break;
    case SMTP_SERVER_MAIL:
        buf_printf(b, "MAIL <%.*s>", STR_ARG(ev->mail.reverse_path));
        if (ev->mail.size) buf_printf(b, " size=%llu", (unsigned long long)ev->mail.size);
        if (ev->mail.body) buf_add(b, ev->mail.body == SMTP_BODY_8BIT ? STR(" 8bit") : STR(" binary"));
        if (ev->mail.smtputf8) buf_add(b, STR(" utf8"));
        if (ev->mail.requiretls) buf_add(b, STR(" requiretls"));
        if (ev->mail.ret) buf_printf(b, " ret=%c", ev->mail.ret);
        if (ev->mail.envid.n) buf_printf(b, " envid=%.*s", STR_ARG(ev->mail.envid));
        buf_add(b, STR("\n"));
        break;
    case SMTP_SERVER_RCPT:
        buf_printf(b, "RCPT <%.*s>", STR_ARG(ev->rcpt.forward_path));
        if (ev->rcpt.notify) buf_printf(b, " notify=%u", ev->rcpt.notify);
        if (ev->rcpt.orcpt.n) buf_printf(b, " orcpt=%.*s", STR_ARG(ev->rcpt.orcpt));
        buf_add(b, STR("\n"));
        break;
    case SMTP_SERVER_REFUSED:
        INVARIANT(!ev->asks);
        buf_printf(b, "REFUSED <%.*s> %u\n",
                   STR_ARG(ev->rcpt.forward_path.n ? ev->rcpt.forward_path : ev->mail.reverse_path),
                   (unsigned)ev->refusal->code);
        break;
    case SMTP_SERVER_DATA:
        buf_add(b, STR("DATA\n"));
        d->content.n = 0;
        break;
    case SMTP_SERVER_CONTENT:
        INVARIANT(ev->bytes.n);
        buf_add(&d->content, ev->bytes);
        break;
    case SMTP_SERVER_MESSAGE:
        INVARIANT(ev->size == d->content.n);
        buf_add(b, STR("MESSAGE "));
        buf_add(b, buf_str(&d->content));
        buf_add(b, STR("\n"));
        break;
    case SMTP_SERVER_ABORT:
        INVARIANT(d->open);
        d->open = false;
        buf_add(b, STR("ABORT\n"));
        break;
    case SMTP_SERVER_CLOSE:
        INVARIANT(!d->open && !d->closed);
        d->closed = true;
        buf_add(b, STR("CLOSE\n"));
        break;
    }
}

void smtp_drive_feed(struct smtp_drive *d, struct str bytes)
{
    struct smtp_server_event ev;
    if (bytes.n) smtp_server_feed(d->server, bytes);
    for (bool again = true; again;) {
        const struct reply *owed = NULL;
        bool owes = false, owes_secret = false;
        again = false;
        while (smtp_server_next(d->server, &ev)) {
            note(d, &ev);
            if (!ev.asks) continue;
            if (ev.kind == SMTP_SERVER_AUTH && !ev.auth.password.p) {
                owes_secret = d->late;
                if (!d->late) smtp_server_secret(d->server, &d->secret, d->chance);
                continue;
            }
            const struct reply *r = judge(d, &ev);
            if (d->late) {
                owed = r;
                owes = true;
            } else {
                smtp_server_answer(d->server, r);
            }
        }
        buf_add(&d->replies, buf_str(smtp_server_output(d->server)));
        smtp_server_output(d->server)->n = 0;
        if (owes_secret) {
            INVARIANT(smtp_server_waits(d->server));
            smtp_server_secret(d->server, &d->secret, d->chance);
            again = true;
        }
        if (owes) {
            INVARIANT(smtp_server_waits(d->server));
            smtp_server_answer(d->server, owed);
            again = true;
        }
    }
}

void smtp_drive_feed_pieces(struct smtp_drive *d, struct str bytes, size_t piece)
{
    /* Each piece in memory of its own, so that a view kept too long is seen by the address sanitizer. */
    for (size_t at = 0; at < bytes.n;) {
        size_t n = piece && piece < bytes.n - at ? piece : bytes.n - at;
        struct buf copy = {0};
        buf_add(&copy, str_slice(bytes, at, at + n));
        smtp_drive_feed(d, buf_str(&copy));
        buf_free(&copy);
        at += n;
    }
}
