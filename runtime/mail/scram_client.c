#include "mail/scram_client.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

enum { SALT_MAX = 1024 };

struct scram_client {
    struct buf password; /* prepared */
    struct buf bare;     /* "n=user,r=nonce": the first message without its header */
    size_t nonce;        /* where ours begins in it */
    struct buf said;     /* the server's first message */
    struct str whole;    /* the nonce in it, ours continued */
    struct digest_stretch *stretch;
    bool worked, proved;
    uint8_t salted[DIGEST_SIZE], signature[DIGEST_SIZE];
};

static struct str digest_str(const uint8_t d[DIGEST_SIZE]) { return (struct str){(const char *)d, DIGEST_SIZE}; }

static void add_user(struct str user, struct buf *out)
{
    for (size_t i = 0; i < user.n; i++) {
        if (user.p[i] == ',')
            buf_add(out, STR("=2C"));
        else if (user.p[i] == '=')
            buf_add(out, STR("=3D"));
        else
            buf_add_byte(out, user.p[i]);
    }
}

struct scram_client *scram_client_create(struct str user, struct str password, struct str chance)
{
    struct scram_client *s = mem_alloc(sizeof *s);
    if (!scram_name_is_valid(user) || !scram_prepare(password, &s->password)) {
        scram_client_free(&s);
        return NULL;
    }
    buf_add(&s->bare, STR("n="));
    add_user(user, &s->bare);
    buf_add(&s->bare, STR(",r="));
    s->nonce = s->bare.n;
    base64_encode(chance, &s->bare);
    return s;
}

void scram_client_free(struct scram_client **at)
{
    struct scram_client *s = *at;
    *at = NULL;
    if (!s) return;
    if (s->password.p) explicit_bzero(s->password.p, s->password.cap);
    buf_free(&s->password);
    buf_free(&s->bare);
    buf_free(&s->said);
    digest_stretch_free(&s->stretch);
    explicit_bzero(s, sizeof *s);
    free(s);
}

void scram_client_first(const struct scram_client *s, struct buf *out)
{
    buf_add(out, STR("n,,"));
    buf_add(out, buf_str(&s->bare));
}

/* "x=value" up to the next comma, cut off the front of *rest. */
static bool attribute(struct str *rest, char name, struct str *value)
{
    if (rest->n < 2 || rest->p[0] != name || rest->p[1] != '=') return false;
    str_cut(str_from(*rest, 2), ',', value, rest);
    return true;
}

/* Ours, and something of the server's behind it. */
static bool nonce_continues(const struct scram_client *s, struct str nonce)
{
    struct str ours = str_from(buf_str(&s->bare), s->nonce);
    if (nonce.n <= ours.n || nonce.n > 512 || !str_starts(nonce, ours)) return false;
    for (size_t i = 0; i < nonce.n; i++)
        if (nonce.p[i] <= ' ' || nonce.p[i] >= 0x7f) return false;
    return true;
}

bool scram_client_challenge(struct scram_client *s, struct str message)
{
    struct str rest, coded, count;
    struct buf salt = {0};
    uint64_t iterations = 0;
    INVARIANT(!s->stretch);
    buf_add(&s->said, message);
    rest = buf_str(&s->said);
    bool good = attribute(&rest, 'r', &s->whole) && nonce_continues(s, s->whole) && attribute(&rest, 's', &coded) &&
                coded.n <= SALT_MAX && base64_decode(coded, &salt) && salt.n && attribute(&rest, 'i', &count) &&
                str_to_u64(count, &iterations) && iterations >= SCRAM_ITERATIONS_MIN &&
                iterations <= SCRAM_ITERATIONS_MAX;
    if (good) s->stretch = digest_stretch_create(buf_str(&s->password), buf_str(&salt), (uint32_t)iterations);
    buf_free(&salt);
    return good;
}

bool scram_client_work(struct scram_client *s, uint32_t rounds)
{
    INVARIANT(s->stretch);
    s->worked = s->worked || digest_stretch_run(s->stretch, rounds, s->salted);
    return s->worked;
}

void scram_client_final(struct scram_client *s, struct buf *out)
{
    uint8_t key[DIGEST_SIZE], stored[DIGEST_SIZE], proof[DIGEST_SIZE];
    struct buf without = {0}, all = {0};
    INVARIANT(s->worked);
    buf_printf(&without, "c=biws,r=%.*s", STR_ARG(s->whole));
    buf_printf(&all, "%.*s,%.*s,%.*s", STR_ARG(buf_str(&s->bare)), STR_ARG(buf_str(&s->said)),
               STR_ARG(buf_str(&without)));
    digest_hmac(digest_str(s->salted), STR("Client Key"), key);
    digest_sha256(digest_str(key), stored);
    digest_hmac(digest_str(stored), buf_str(&all), proof);
    for (size_t i = 0; i < DIGEST_SIZE; i++) proof[i] ^= key[i];
    digest_hmac(digest_str(s->salted), STR("Server Key"), key);
    digest_hmac(digest_str(key), buf_str(&all), s->signature);
    s->proved = true;
    buf_add(out, buf_str(&without));
    buf_add(out, STR(",p="));
    base64_encode(digest_str(proof), out);
    explicit_bzero(key, sizeof key);
    explicit_bzero(stored, sizeof stored);
    buf_free(&without);
    buf_free(&all);
}

bool scram_client_verify(const struct scram_client *s, struct str message)
{
    struct str rest = message, coded;
    struct buf theirs = {0};
    bool good = s->proved && attribute(&rest, 'v', &coded) && base64_decode(coded, &theirs) &&
                theirs.n == DIGEST_SIZE && digest_equal((const uint8_t *)theirs.p, s->signature);
    buf_free(&theirs);
    return good;
}
