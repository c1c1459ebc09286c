/* AUTH from the other side (RFC 4954): SCRAM-SHA-256 (RFC 5802, RFC 7677), PLAIN (RFC 4616), LOGIN as everybody speaks
 * it. */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "mail/scram_client.h"
#include "smtp/client_core.h"

enum { COMMAND_MAX = 512, WORK_ROUNDS = 1000 };

/* What the server's next word is the answer to. */
enum step {
    STEP_COMMAND,  /* AUTH without the first message: it is asked for */
    STEP_FIRST,    /* SCRAM: our first message */
    STEP_WORK,     /* SCRAM: nothing; the hashing is under way */
    STEP_FINAL,    /* SCRAM: our proof */
    STEP_VERIFIED, /* SCRAM: the empty answer to a good signature */
    STEP_USER,     /* LOGIN */
    STEP_PASSWORD  /* what gives us access or not: PLAIN's message, LOGIN's password */
};

struct client_auth {
    unsigned mechanism, left; /* left: those not tried yet */
    enum step step;
    bool told; /* AUTH_WORK */
    struct buf user, password, chance, message;
    struct scram_client *scram;
};

static const struct {
    unsigned bit;
    struct str name;
} mechanisms[] = {/* the strongest first */
                  {MECHANISM_SCRAM, STR_INIT("SCRAM-SHA-256")},
                  {MECHANISM_PLAIN, STR_INIT("PLAIN")},
                  {MECHANISM_LOGIN, STR_INIT("LOGIN")}};

void client_auth_read(struct smtp_client *c, struct str names)
{
    struct str name, rest = names;
    for (bool more = true; more;) {
        more = str_cut(rest, ' ', &name, &rest);
        for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++)
            if (str_eq_nocase(name, mechanisms[i].name)) c->mechanisms |= mechanisms[i].bit;
    }
    if (c->mechanisms) c->extensions |= SMTP_EXT_AUTH;
}

static void wipe(struct buf *b)
{
    if (b->p) explicit_bzero(b->p, b->cap);
    buf_free(b);
}

void client_auth_free(struct smtp_client *c)
{
    struct client_auth *a = c->auth;
    c->auth = NULL;
    if (!a) return;
    wipe(&a->user);
    wipe(&a->password);
    wipe(&a->chance);
    wipe(&a->message);
    scram_client_free(&a->scram);
    free(a);
}

/* --- what is said ------------------------------------------------------------------------------------------------- */

static void say(struct smtp_client *c)
{
    base64_encode(buf_str(&c->auth->message), &c->out);
    buf_add(&c->out, STR("\r\n"));
}

static bool make_message(struct client_auth *a)
{
    a->message.n = 0;
    scram_client_free(&a->scram);
    switch (a->mechanism) {
    case MECHANISM_SCRAM:
        a->scram = scram_client_create(buf_str(&a->user), buf_str(&a->password), buf_str(&a->chance));
        if (a->scram) scram_client_first(a->scram, &a->message);
        return a->scram != NULL;
    case MECHANISM_PLAIN:
        buf_add_byte(&a->message, '\0');
        buf_add(&a->message, buf_str(&a->user));
        buf_add_byte(&a->message, '\0');
        buf_add(&a->message, buf_str(&a->password));
        return true;
    default: return true; /* LOGIN says nothing before it is asked */
    }
}

static enum step after_message(const struct client_auth *a)
{
    return a->mechanism == MECHANISM_SCRAM ? STEP_FIRST : STEP_PASSWORD;
}

/* The next mechanism that is offered and not tried yet; false: there is none. */
static bool begin(struct smtp_client *c)
{
    struct client_auth *a = c->auth;
    for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++) {
        if (!(a->left & mechanisms[i].bit)) continue;
        a->left &= ~mechanisms[i].bit;
        a->mechanism = mechanisms[i].bit;
        if (!make_message(a)) continue; /* such a name or password goes by another one only */
        buf_printf(&c->out, "AUTH %.*s", STR_ARG(mechanisms[i].name));
        /* A first message that makes the line too long waits until it is asked for (RFC 4954 section 4). */
        bool at_once = a->message.n && mechanisms[i].name.n + (a->message.n + 2) / 3 * 4 + 8 <= COMMAND_MAX;
        a->step = at_once ? after_message(a) : STEP_COMMAND;
        buf_add(&c->out, at_once ? STR(" ") : STR(""));
        if (at_once)
            say(c);
        else
            buf_add(&c->out, STR("\r\n"));
        return true;
    }
    return false;
}

void smtp_client_auth(struct smtp_client *c, const struct smtp_client_login *l)
{
    if (c->stage == SMTP_STAGE_OVER) return;
    INVARIANT(c->stage == SMTP_STAGE_IDLE && c->tls && l->verified && (c->extensions & SMTP_EXT_AUTH) &&
              !c->authenticated);
    if (!client_is_in_step(c)) return;
    c->auth = mem_alloc(sizeof *c->auth);
    c->auth->left = c->mechanisms;
    buf_add(&c->auth->user, l->user);
    buf_add(&c->auth->password, l->password);
    buf_add(&c->auth->chance, l->chance);
    c->stage = SMTP_STAGE_AUTH;
    if (!begin(c)) client_fail(c, "the user or the password is none that the offered mechanisms can carry", NULL);
}

bool client_auth_tell(struct smtp_client *c, struct smtp_client_event *ev)
{
    if (c->stage != SMTP_STAGE_AUTH || c->auth->step != STEP_WORK || c->auth->told) return false;
    c->auth->told = true;
    ev->kind = SMTP_CLIENT_AUTH_WORK;
    return true;
}

bool smtp_client_auth_work(struct smtp_client *c)
{
    if (c->stage == SMTP_STAGE_OVER) return true;
    struct client_auth *a = c->auth;
    INVARIANT(c->stage == SMTP_STAGE_AUTH && a->step == STEP_WORK);
    if (!scram_client_work(a->scram, WORK_ROUNDS)) return false;
    if (!client_is_in_step(c)) return true;
    a->message.n = 0;
    scram_client_final(a->scram, &a->message);
    a->step = STEP_FINAL;
    say(c);
    return true;
}

/* --- what is answered --------------------------------------------------------------------------------------------- */

static void on_scram(struct smtp_client *c, struct str text)
{
    struct client_auth *a = c->auth;
    if (a->step == STEP_FIRST) {
        if (!scram_client_challenge(a->scram, text)) {
            client_fail(c, "the server's part of SCRAM-SHA-256 is malformed", NULL);
            return;
        }
        a->step = STEP_WORK;
        return;
    }
    if (!scram_client_verify(a->scram, text)) {
        client_fail(c, "the server could not prove (SCRAM-SHA-256) that it knows the password", NULL);
        return;
    }
    a->step = STEP_VERIFIED;
    buf_add(&c->out, STR("\r\n")); /* its signature came as one more challenge, which has an empty answer */
}

/* 334, and its text decoded: for LOGIN and where our first message is asked for, what the text says does not matter. */
static void on_challenge(struct smtp_client *c, struct str text)
{
    struct client_auth *a = c->auth;
    switch (a->step) {
    case STEP_COMMAND:
        if (a->mechanism == MECHANISM_LOGIN) {
            buf_add(&a->message, buf_str(&a->user));
            a->step = STEP_USER;
        } else {
            a->step = after_message(a);
        }
        say(c);
        break;
    case STEP_USER:
        a->message.n = 0;
        buf_add(&a->message, buf_str(&a->password));
        a->step = STEP_PASSWORD;
        say(c);
        break;
    case STEP_FIRST:
    case STEP_FINAL: {
        struct buf plain = {0};
        if (base64_decode(text, &plain))
            on_scram(c, buf_str(&plain));
        else
            client_fail(c, "the server's part of SCRAM-SHA-256 is no base64", NULL);
        buf_free(&plain);
        break;
    }
    default: client_fail(c, "the server asks for more than the mechanism has", NULL);
    }
}

static bool over(struct smtp_client *c, const struct reply *r, struct smtp_client_event *ev)
{
    c->stage = SMTP_STAGE_IDLE;
    c->authenticated = r->code == 235;
    client_auth_free(c);
    ev->kind = c->authenticated ? SMTP_CLIENT_AUTHENTICATED : SMTP_CLIENT_AUTH_REFUSED;
    ev->reply = *r;
    return true;
}

bool client_on_auth(struct smtp_client *c, const struct reply *r, struct smtp_client_event *ev)
{
    struct client_auth *a = c->auth;
    bool scram = a->mechanism == MECHANISM_SCRAM;
    if (r->code == 334) {
        on_challenge(c, r->text);
    } else if (r->code == 235 && (scram ? a->step == STEP_VERIFIED : a->step == STEP_PASSWORD)) {
        return over(c, r, ev);
    } else if (r->code == 235 && scram && a->step == STEP_FINAL) {
        client_fail(c, "the server did not prove (SCRAM-SHA-256) that it knows the password", NULL);
    } else if (r->code < 400) {
        client_fail(c, "the server answered AUTH with an unfit code", NULL);
    } else if (r->code == 504 && begin(c)) {
        return false;
    } else {
        return over(c, r, ev);
    }
    return false;
}
