/* The envelope: who may send, to whom, and how much in a minute.
 *
 * Anybody may send to the listener's domains; anywhere else only who is trusted (relay_for) or authenticated. */
#include "mail/address.h"
#include "mail/domain.h"
#include "relay/intake.h"
#include "relay/session.h"

enum {
    RECIPIENT_BYTES_MAX = 128 * 1024, /* so that the envelope, and the verdict on it, fit one datagram */
    SEEN_FROM = 16
};

static const struct reply too_much = {450, {4, 7, 1}, STR_INIT("Too much mail from your address in this minute")};

void session_mail(struct session *s, const struct smtp_server_mail *mail)
{
    struct relay *r = s->relay;
    session_adopt_generation(s);
    if (r->stopping) {
        session_refuse(s, &session_shutting_down, mail->reverse_path, STR_NONE);
        return;
    }
    if (!session_may_count(s, CLIENT_MESSAGES)) {
        session_refuse(s, &too_much, mail->reverse_path, STR_NONE);
        return;
    }
    uint64_t least = s->generation->settings.free_space, wanted;
    if (__builtin_add_overflow(least, mail->size, &wanted)) wanted = UINT64_MAX;
    if (r->store->space(r->store->self).free_bytes < wanted) {
        session_refuse(s, &session_no_storage, mail->reverse_path, STR_NONE);
        return;
    }
    INVARIANT(!s->intake);
    struct intake *in = s->intake = intake_create(s);
    in->declared = mail->size;
    in->envelope = (struct envelope){
        .reverse_path = arena_str(in->arena, mail->reverse_path),
        .requiretls = mail->requiretls,
        .eight_bit = mail->body == SMTP_BODY_8BIT,
        .binary = mail->body == SMTP_BODY_BINARY,
        .smtputf8 = mail->smtputf8,
        .envid = arena_str(in->arena, mail->envid),
        .ret = mail->ret,
    };
    smtp_server_answer(s->server, NULL);
}

/* A local part that some other relay might take apart again: user%other@here, other!user@here, "user@other"@here. */
static bool is_a_detour(struct str local)
{
    return str_find_byte(local, '%') != STR_NPOS || str_find_byte(local, '!') != STR_NPOS ||
           str_find_byte(local, '@') != STR_NPOS;
}

static bool may_send_to(const struct session *s, struct str path)
{
    if (s->client.trusted || client_is_authenticated(&s->client)) return true;
    struct str domain = address_domain(path);
    struct buf canonical = {0};
    bool served =
        domain_canonical(domain, &canonical) && domains_contain(&s->listener->settings->domains, buf_str(&canonical));
    buf_free(&canonical);
    return served && !is_a_detour(address_local(path));
}

static bool is_known(struct intake *in, struct str path)
{
    if (in->recipients.n < SEEN_FROM) {
        for (size_t i = 0; i < in->recipients.n; i++)
            if (str_eq(in->recipients.v[i], path)) return true;
        return false;
    }
    if (!in->seen.n)
        for (size_t i = 0; i < in->recipients.n; i++) map_put(&in->seen, in->recipients.v[i], in);
    return map_has(&in->seen, path);
}

void session_rcpt(struct session *s, const struct smtp_server_rcpt *rcpt)
{
    static const struct reply denied = {550, {5, 7, 1}, STR_INIT("Relaying denied")};
    static const struct reply too_many = {452, {4, 5, 3}, STR_INIT("Too many recipients")};
    struct intake *in = s->intake;
    struct str path = rcpt->forward_path;
    /* <Postmaster> without a domain is ours, from anybody: RFC 5321 section 4.5.1. */
    if (str_eq_nocase(path, STR("postmaster")))
        path = arena_printf(in->arena, "postmaster@%.*s", STR_ARG(s->generation->settings.hostname));
    else if (!may_send_to(s, path)) {
        session_refuse(s, &denied, in->envelope.reverse_path, path);
        return;
    }
    if (is_known(in, path)) {
        smtp_server_answer(s->server, NULL);
        return;
    }
    if (in->recipient_bytes + path.n > RECIPIENT_BYTES_MAX) {
        session_refuse(s, &too_many, in->envelope.reverse_path, path);
        return;
    }
    if (!session_may_count(s, CLIENT_RECIPIENTS)) {
        session_refuse(s, &too_much, in->envelope.reverse_path, path);
        return;
    }
    path = arena_str(in->arena, path);
    in->recipient_bytes += path.n + 8;
    VEC_PUSH(&in->recipients, path);
    VEC_PUSH(&in->extras,
             (struct intake_recipient){.orcpt = arena_str(in->arena, rcpt->orcpt), .notify = rcpt->notify});
    if (in->seen.n) map_put(&in->seen, path, in);
    smtp_server_answer(s->server, NULL);
}
