/* AUTH (RFC 4954): PLAIN (RFC 4616), LOGIN as everybody speaks it, SCRAM-SHA-256 (RFC 5802, RFC 7677). */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "smtp/server_core.h"

enum auth_stage {
    AUTH_PLAIN,
    AUTH_LOGIN_USER,
    AUTH_LOGIN_PASSWORD,
    AUTH_SCRAM_FIRST,
    AUTH_SCRAM_FINAL,
    AUTH_SCRAM_END
};

struct server_auth {
    enum auth_stage stage; /* what the client's next line is */
    struct str mechanism;
    struct buf message, user, password;
    struct buf first, challenge; /* SCRAM: what was said so far */
    struct scram_secret secret;
    bool good, due, over; /* how it ended is still to be told; was told */
};

static const struct mechanism {
    struct str name;
    enum auth_stage first;
    struct str prompt; /* in base64: what is said where no initial response came */
} mechanisms[] = {
    {STR("PLAIN"), AUTH_PLAIN, STR("")},
    {STR("LOGIN"), AUTH_LOGIN_USER, STR("VXNlcm5hbWU6")},
    {STR("SCRAM-SHA-256"), AUTH_SCRAM_FIRST, STR("")},
};

static void wipe(struct buf *b)
{
    if (b->p) explicit_bzero(b->p, b->n);
    buf_free(b);
}

void server_auth_free(struct smtp_server *s)
{
    struct server_auth *a = s->auth;
    s->auth = NULL;
    if (!a) return;
    wipe(&a->message);
    wipe(&a->user);
    wipe(&a->password);
    buf_free(&a->first);
    buf_free(&a->challenge);
    explicit_bzero(a, sizeof *a);
    free(a);
}

bool server_auth_is_offered(const struct smtp_server *s) { return s->options.auth && s->tls; }

static enum server_step give_up(struct smtp_server *s, uint16_t code, struct status status, struct str text)
{
    server_auth_free(s);
    return server_refuse(s, code, status, text);
}

static enum server_step malformed(struct smtp_server *s)
{
    return give_up(s, 501, STATUS(5, 5, 2), STR("That is not what this mechanism expects"));
}

static enum server_step wrong(struct smtp_server *s, const struct reply *r)
{
    if (r->code < 500) {
        server_auth_free(s);
        server_say(s, r->code, r->status, r->text);
        return STEP_AGAIN;
    }
    s->auth->due = true;
    server_refuse(s, r->code, r->status, r->text);
    if (++s->auth_failures < SMTP_SERVER_AUTH_FAILURES_MAX || s->phase >= PHASE_ENDING) return STEP_AGAIN;
    server_say(s, 421, STATUS(4, 7, 0), STR("Too many failed authentications"));
    server_break(s, "too many failed authentications");
    return STEP_AGAIN;
}

static const struct reply invalid = {535, {5, 7, 8}, {"Authentication credentials invalid", 34}};

static void challenge(struct smtp_server *s, struct str text)
{
    buf_add(&s->out, STR("334 "));
    base64_encode(text, &s->out);
    buf_add(&s->out, STR("\r\n"));
}

static enum server_step ask(struct smtp_server *s, struct smtp_server_event *ev)
{
    struct server_auth *a = s->auth;
    bool scram = a->stage == AUTH_SCRAM_FIRST;
    ev->auth = (struct smtp_server_auth){
        .mechanism = a->mechanism, .user = buf_str(&a->user), .password = scram ? STR_NONE : buf_str(&a->password)};
    return server_ask(s, ev, SMTP_SERVER_AUTH);
}

static void succeed(struct smtp_server *s)
{
    server_say(s, 235, STATUS(2, 7, 0), STR("Authentication successful"));
    s->authenticated = true;
    s->auth->good = s->auth->due = true;
}

bool server_auth_tell(struct smtp_server *s, struct smtp_server_event *ev)
{
    if (s->auth && s->auth->over) server_auth_free(s); /* the views of the event lived until now */
    if (!s->auth || !s->auth->due) return false;
    s->auth->due = false;
    s->auth->over = true;
    memset(ev, 0, sizeof *ev);
    ev->kind = s->auth->good ? SMTP_SERVER_AUTHENTICATED : SMTP_SERVER_AUTH_FAILED;
    ev->auth = (struct smtp_server_auth){.mechanism = s->auth->mechanism, .user = buf_str(&s->auth->user)};
    return true;
}

/* --- the lines ---------------------------------------------------------------------------------------------------- */

/* [authzid] NUL authcid NUL password; another identity than one's own is nobody's. */
static enum server_step on_plain(struct smtp_server *s, struct smtp_server_event *ev)
{
    struct server_auth *a = s->auth;
    struct str other, user, password, rest;
    if (!str_cut(buf_str(&a->message), '\0', &other, &rest) || !str_cut(rest, '\0', &user, &password))
        return malformed(s);
    if (!scram_name_is_valid(user) || password.n == 0 || password.n > SCRAM_PASSWORD_MAX) return malformed(s);
    buf_add(&a->user, user);
    if (other.n && !str_eq(other, user)) return wrong(s, &invalid);
    buf_add(&a->password, password);
    return ask(s, ev);
}

static enum server_step on_login_user(struct smtp_server *s)
{
    struct server_auth *a = s->auth;
    if (!scram_name_is_valid(buf_str(&a->message))) return malformed(s);
    buf_add(&a->user, buf_str(&a->message));
    a->stage = AUTH_LOGIN_PASSWORD;
    challenge(s, STR("Password:"));
    return STEP_AGAIN;
}

static enum server_step on_login_password(struct smtp_server *s, struct smtp_server_event *ev)
{
    struct server_auth *a = s->auth;
    if (a->message.n == 0 || a->message.n > SCRAM_PASSWORD_MAX) return malformed(s);
    buf_add(&a->password, buf_str(&a->message));
    return ask(s, ev);
}

static enum server_step on_scram_first(struct smtp_server *s, struct smtp_server_event *ev)
{
    struct server_auth *a = s->auth;
    struct scram_first first;
    buf_add(&a->first, buf_str(&a->message));
    if (!scram_read_first(buf_str(&a->first), &first) || !scram_user(first.user, &a->user)) return malformed(s);
    return scram_name_is_valid(buf_str(&a->user)) ? ask(s, ev) : malformed(s);
}

void smtp_server_secret(struct smtp_server *s, const struct scram_secret *secret,
                        const uint8_t chance[SCRAM_NONCE_SIZE])
{
    if (s->phase >= PHASE_ENDING) return; /* stopped meanwhile */
    struct server_auth *a = s->auth;
    struct scram_first first;
    INVARIANT(s->asking && s->question == SMTP_SERVER_AUTH && a->stage == AUTH_SCRAM_FIRST);
    INVARIANT(scram_read_first(buf_str(&a->first), &first));
    s->asking = false;
    a->secret = *secret;
    a->stage = AUTH_SCRAM_FINAL;
    scram_write_challenge(&first, secret, chance, &a->challenge);
    challenge(s, buf_str(&a->challenge));
}

/* Our signature goes as one more challenge, which the client answers with an empty line (RFC 4954 section 4). */
static enum server_step on_scram_final(struct smtp_server *s)
{
    struct server_auth *a = s->auth;
    struct scram_first first;
    struct buf last = {0};
    INVARIANT(scram_read_first(buf_str(&a->first), &first));
    bool good =
        scram_check_final(&first, buf_str(&a->challenge), &a->secret, buf_str(&a->message), &last);
    if (good) challenge(s, buf_str(&last));
    buf_free(&last);
    if (!good) return wrong(s, &invalid);
    a->stage = AUTH_SCRAM_END;
    return STEP_AGAIN;
}

static enum server_step on_scram_end(struct smtp_server *s)
{
    if (s->auth->message.n) return malformed(s);
    succeed(s);
    return STEP_AGAIN;
}

static enum server_step on_message(struct smtp_server *s, struct smtp_server_event *ev)
{
    switch (s->auth->stage) {
    case AUTH_PLAIN: return on_plain(s, ev);
    case AUTH_LOGIN_USER: return on_login_user(s);
    case AUTH_LOGIN_PASSWORD: return on_login_password(s, ev);
    case AUTH_SCRAM_FIRST: return on_scram_first(s, ev);
    case AUTH_SCRAM_FINAL: return on_scram_final(s);
    case AUTH_SCRAM_END: return on_scram_end(s);
    }
    return STEP_AGAIN;
}

static enum server_step decode(struct smtp_server *s, struct str base64, struct smtp_server_event *ev)
{
    s->auth->message.n = 0;
    if (base64_decode(base64, &s->auth->message)) return on_message(s, ev);
    return give_up(s, 501, STATUS(5, 5, 2), STR("That is not base64"));
}

enum server_step server_auth_line(struct smtp_server *s, struct str line, struct smtp_server_event *ev)
{
    if (str_eq(line, STR("*"))) return give_up(s, 501, STATUS(5, 7, 0), STR("Authentication cancelled"));
    return decode(s, line, ev);
}

/* --- the command -------------------------------------------------------------------------------------------------- */

enum server_step server_auth_begin(struct smtp_server *s, struct str args, struct smtp_server_event *ev)
{
    struct str name, initial;
    if (!s->options.auth) return server_refuse(s, 502, STATUS(5, 5, 1), STR("AUTH is not offered"));
    if (!s->esmtp) return server_refuse(s, 503, STATUS(5, 5, 1), STR("Send EHLO first"));
    if (!s->tls)
        return server_refuse(s, 538, STATUS(5, 7, 11), STR("Passwords are for use inside TLS: send STARTTLS first"));
    if (s->mail) return server_refuse(s, 503, STATUS(5, 5, 1), STR("A transaction is under way already"));
    if (s->authenticated) return server_refuse(s, 503, STATUS(5, 5, 1), STR("Authenticated already"));
    bool more = str_cut(args, ' ', &name, &initial);
    for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++) {
        const struct mechanism *m = &mechanisms[i];
        if (!str_eq_nocase(name, m->name)) continue;
        server_auth_free(s);
        s->auth = mem_alloc(sizeof *s->auth);
        s->auth->mechanism = m->name;
        s->auth->stage = m->first;
        if (more) return decode(s, str_eq(initial, STR("=")) ? STR("") : initial, ev);
        buf_printf(&s->out, "334 %.*s\r\n", STR_ARG(m->prompt));
        return STEP_AGAIN;
    }
    return server_refuse(s, 504, STATUS(5, 5, 4), STR("That mechanism is not offered"));
}

void server_auth_answer(struct smtp_server *s, const struct reply *r, bool accepted)
{
    INVARIANT(s->auth && (!accepted || s->auth->stage != AUTH_SCRAM_FIRST));
    if (accepted)
        succeed(s);
    else
        wrong(s, r);
}
