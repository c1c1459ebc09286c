/* AUTH: the store knows the users; this asks it, and tells smtp/server.
 *
 * Whoever asks learns no names: a user who does not exist, or is disabled, costs the same and is answered the same as a
 * wrong password.  Names are compared in NFC and case-folded; that form is who the client is from then on.
 *
 * A password costs the store 10 ms of hashing, so those who guess could keep everybody else waiting.  Passwords stand
 * in line here, and next is one of the client that had the fewest hashed in this minute: who comes with one goes before
 * who comes with hundreds. */
#include <stdlib.h>
#include <string.h>

#include "mail/fold.h"
#include "relay/events.h"
#include "relay/session.h"

enum {
    HASHING_MOST = 2, /* passwords with the store: one is hashed, the next is at hand */
    WAITING_MOST = 64 /* of one client in line: 0.6 s */
};

/* One question to the store.  Once asked it outlives a session that dies meanwhile. */
struct auth_check {
    struct auth_check *next; /* in line */
    struct relay *relay;
    bool asked;
    struct session *session; /* NULL: it is gone */
    struct store_query query;
    struct buf name, password;
    struct scram_secret secret;
    bool found, password_is;
};

static void check_free(struct auth_check *c)
{
    if (c->password.n) explicit_bzero(c->password.p, c->password.n);
    buf_free(&c->password);
    buf_free(&c->name);
    explicit_bzero(&c->secret, sizeof c->secret);
    free(c);
}

/* Part of a made-up secret: the same for the same name, as long as the queue lives. */
static void made_up(const struct session *s, const char *what, struct str name, uint8_t out[DIGEST_SIZE])
{
    struct store_port *store = s->relay->store;
    uint8_t key[STORE_SECRET_SIZE];
    struct buf text = {0};
    store->secret(store->self, key);
    buf_printf(&text, "%s %.*s", what, STR_ARG(name));
    digest_hmac((struct str){(const char *)key, sizeof key}, buf_str(&text), out);
    explicit_bzero(key, sizeof key);
    buf_free(&text);
}

/* For SCRAM with nobody; one who is disabled keeps the salt that a client may have seen. */
static void make_up_secret(struct auth_check *c)
{
    uint8_t salt[DIGEST_SIZE];
    struct str name = buf_str(&c->name);
    if (!c->found) {
        made_up(c->session, "salt", name, salt);
        memcpy(c->secret.salt, salt, sizeof c->secret.salt);
        c->secret.iterations = SCRAM_ITERATIONS;
    }
    made_up(c->session, "stored", name, c->secret.stored_key);
    made_up(c->session, "server", name, c->secret.server_key);
}

static void on_user(void *owner, const struct stored_user *u, bool password_is)
{
    struct auth_check *c = owner;
    c->found = true;
    c->secret = u->secret;
    c->password_is = password_is && !u->disabled;
    if (u->disabled && c->session) make_up_secret(c);
}

static void answer(struct auth_check *c, bool ok, const struct err *e)
{
    static const struct reply unavailable = {454, {4, 7, 0}, STR_INIT("Temporary authentication failure")},
                              invalid = {535, {5, 7, 8}, STR_INIT("Authentication credentials invalid")};
    struct session *s = c->session;
    const struct net_port *net = s->relay->net;
    if (!ok) {
        events_note(s->relay, EVENT_ERROR, "whether %.*s may authenticate cannot be told: %s",
                    STR_ARG(buf_str(&c->name)), e ? e->text : "the store does not answer");
        smtp_server_answer(s->server, &unavailable);
    } else if (c->query.password.p) {
        smtp_server_answer(s->server, c->password_is ? NULL : &invalid);
    } else {
        uint8_t chance[SCRAM_NONCE_SIZE];
        if (!c->found) make_up_secret(c);
        net->random(net->self, chance, sizeof chance);
        smtp_server_secret(s->server, &c->secret, chance);
    }
}

static void hash_next(struct relay *r);

static void on_done(void *owner, bool ok, const struct err *e)
{
    struct auth_check *c = owner;
    struct session *s = c->session;
    if (c->query.password.p) {
        c->relay->receive->hashing--;
        hash_next(c->relay);
    }
    if (s) {
        s->auth_check = NULL;
        answer(c, ok, e);
    }
    check_free(c);
    if (s && !s->running) session_run(s);
}

/* --- the line for hashing ----------------------------------------------------------------------------------------- */

static void unlink_check(struct receive *rc, struct auth_check *before, struct auth_check *c)
{
    *(before ? &before->next : &rc->hash_first) = c->next;
    if (rc->hash_last == c) rc->hash_last = before;
    c->next = NULL;
}

static void ask_store(struct auth_check *c)
{
    struct store_port *store = c->relay->store;
    c->asked = true;
    store->query(store->self, &c->query);
}

/* The first of the client that was served least. */
static void hash_next(struct relay *r)
{
    struct receive *rc = r->receive;
    while (rc->hash_first && rc->hashing < HASHING_MOST && !r->stopped) {
        struct auth_check *best = NULL, *before_best = NULL, *before = NULL;
        uint32_t least = UINT32_MAX;
        for (struct auth_check *c = rc->hash_first; c; before = c, c = c->next) {
            uint32_t had = client_counted(c->session->counted, CLIENT_PASSWORDS, relay_ms(r));
            if (best && had >= least) continue;
            best = c;
            before_best = before;
            least = had;
        }
        unlink_check(rc, before_best, best);
        client_count(best->session->counted, CLIENT_PASSWORDS, 0, relay_ms(r));
        rc->hashing++;
        ask_store(best);
    }
}

static bool is_in_line_too_often(const struct session *s)
{
    size_t n = 0;
    for (const struct auth_check *c = s->relay->receive->hash_first; c && s->counted; c = c->next)
        n += c->session->counted == s->counted;
    return n >= WAITING_MOST;
}

static void stand_in_line(struct auth_check *c)
{
    static const struct reply busy = {454, {4, 7, 0}, STR_INIT("Too many authentications from your address at once")};
    struct session *s = c->session;
    struct receive *rc = s->relay->receive;
    if (is_in_line_too_often(s)) {
        s->auth_check = NULL;
        check_free(c);
        smtp_server_answer(s->server, &busy);
        return;
    }
    *(rc->hash_last ? &rc->hash_last->next : &rc->hash_first) = c;
    rc->hash_last = c;
    hash_next(s->relay);
}

void session_authenticate(struct session *s, const struct smtp_server_auth *auth)
{
    INVARIANT(!s->auth_check);
    struct auth_check *c = s->auth_check = mem_alloc(sizeof *c);
    c->session = s;
    c->relay = s->relay;
    fold_case_nfc(auth->user, &c->name);
    buf_add(&c->password, auth->password);
    c->query = (struct store_query){.kind = QUERY_USER,
                                    .user_name = buf_str(&c->name),
                                    .password = auth->password.p ? buf_str(&c->password) : STR_NONE,
                                    .user = on_user,
                                    .done = on_done,
                                    .owner = c};
    if (auth->password.p)
        stand_in_line(c);
    else
        ask_store(c);
}

void session_forget_auth(struct session *s)
{
    struct receive *rc = s->relay->receive;
    struct auth_check *c = s->auth_check, *before = NULL;
    s->auth_check = NULL;
    if (!c) return;
    c->session = NULL;
    if (c->asked) return;
    for (struct auth_check *other = rc->hash_first; other != c; other = other->next) before = other;
    unlink_check(rc, before, c);
    check_free(c);
}

static void note(struct session *s, const char *event, const struct smtp_server_auth *auth, struct str user)
{
    struct log *log = s->relay->ports.log;
    log_begin(log, LOG_LEVEL_INFO, STR_NONE, event);
    log_str(log, "client", s->client.ip);
    log_str(log, "listener", s->client.listener);
    log_str(log, "user", user);
    log_str(log, "mechanism", auth->mechanism);
    log_end(log);
}

void session_authenticated(struct session *s, const struct smtp_server_auth *auth)
{
    s->user.n = 0;
    fold_case_nfc(auth->user, &s->user);
    s->client.user = buf_str(&s->user);
    note(s, "authenticated", auth, s->client.user);
}

void session_not_authenticated(struct session *s, const struct smtp_server_auth *auth)
{
    note(s, "auth-failed", auth, auth->user);
}
