#include "mail/scram.h"

#include <string.h>

#include "base/base64.h"
#include "mail/fold.h"

static struct str digest_str(const uint8_t d[DIGEST_SIZE]) { return (struct str){(const char *)d, DIGEST_SIZE}; }

/* --- what is stored ----------------------------------------------------------------------------------------------- */

static bool is_plain(struct str s, size_t most)
{
    if (s.n == 0 || s.n > most || !str_is_utf8(s)) return false;
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f) return false;
    return true;
}

bool scram_name_is_valid(struct str name) { return is_plain(name, SCRAM_NAME_MAX); }

bool scram_prepare(struct str password, struct buf *out)
{
    if (!is_plain(password, SCRAM_PASSWORD_MAX)) return false;
    fold_nfc(password, out);
    return true;
}

static void server_keys(const uint8_t salted[DIGEST_SIZE], struct scram_secret *out)
{
    uint8_t client_key[DIGEST_SIZE];
    digest_hmac(digest_str(salted), STR("Client Key"), client_key);
    digest_sha256(digest_str(client_key), out->stored_key);
    digest_hmac(digest_str(salted), STR("Server Key"), out->server_key);
    explicit_bzero(client_key, sizeof client_key);
}

void scram_secret_of(struct str password, const uint8_t salt[SCRAM_SALT_SIZE], uint32_t iterations,
                     struct scram_secret *out)
{
    uint8_t salted[DIGEST_SIZE];
    memcpy(out->salt, salt, SCRAM_SALT_SIZE);
    out->iterations = iterations;
    digest_pbkdf2(password, (struct str){(const char *)salt, SCRAM_SALT_SIZE}, iterations, salted);
    server_keys(salted, out);
    explicit_bzero(salted, sizeof salted);
}

bool scram_password_is(const struct scram_secret *s, struct str password)
{
    struct buf prepared = {0};
    struct scram_secret theirs;
    bool good = scram_prepare(password, &prepared);
    scram_secret_of(good ? buf_str(&prepared) : STR("-"), s->salt, s->iterations, &theirs);
    good = good && digest_equal(theirs.stored_key, s->stored_key);
    if (prepared.n) explicit_bzero(prepared.p, prepared.n);
    buf_free(&prepared);
    return good;
}

/* --- the exchange: RFC 5802 section 7 ----------------------------------------------------------------------------- */

/* "x=value" up to the next comma, cut off the front of *rest; false when the next attribute is another. */
static bool attribute(struct str *rest, char name, struct str *value)
{
    if (rest->n < 2 || rest->p[0] != name || rest->p[1] != '=') return false;
    str_cut(str_from(*rest, 2), ',', value, rest);
    return true;
}

bool scram_user(struct str encoded, struct buf *out)
{
    size_t start = out->n;
    for (size_t i = 0; i < encoded.n; i++) {
        char c = encoded.p[i];
        if (c == '=') {
            struct str code = str_slice(encoded, i, i + 3);
            if (!str_eq(code, STR("=2C")) && !str_eq(code, STR("=3D"))) goto bad;
            c = code.p[1] == '2' ? ',' : '=';
            i += 2;
        }
        if ((unsigned char)c < 0x20 || c == 0x7f) goto bad;
        buf_add_byte(out, c);
    }
    if (out->n > start && str_is_utf8(str_from(buf_str(out), start))) return true;
bad:
    out->n = start;
    return false;
}

static bool is_nonce(struct str s)
{
    if (s.n == 0 || s.n > 512) return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f) return false;
    return true;
}

/* Another identity than one's own is nobody's here. */
static bool identity_is_own(struct str authzid, struct str user)
{
    return authzid.n == 0 || (str_starts(authzid, STR("a=")) && str_eq(str_from(authzid, 2), user));
}

bool scram_read_first(struct str message, struct scram_first *out)
{
    struct str flag, authzid, rest, extensions;
    if (!str_cut(message, ',', &flag, &rest) || !str_cut(rest, ',', &authzid, &rest)) return false;
    if (!str_eq(flag, STR("n")) && !str_eq(flag, STR("y"))) return false;
    out->bare = rest;
    out->gs2 = str_slice(message, 0, message.n - rest.n);
    extensions = rest;
    if (!attribute(&extensions, 'n', &out->user) || !attribute(&extensions, 'r', &out->nonce)) return false;
    return out->user.n && is_nonce(out->nonce) && identity_is_own(authzid, out->user);
}

void scram_write_challenge(const struct scram_first *first, const struct scram_secret *secret,
                           const uint8_t chance[SCRAM_NONCE_SIZE], struct buf *out)
{
    buf_add(out, STR("r="));
    buf_add(out, first->nonce);
    base64_encode((struct str){(const char *)chance, SCRAM_NONCE_SIZE}, out);
    buf_add(out, STR(",s="));
    base64_encode((struct str){(const char *)secret->salt, SCRAM_SALT_SIZE}, out);
    buf_printf(out, ",i=%u", (unsigned)secret->iterations);
}

static bool proof_is_good(const struct scram_secret *secret, struct str auth_message, struct str proof)
{
    uint8_t key[DIGEST_SIZE], hashed[DIGEST_SIZE];
    digest_hmac(digest_str(secret->stored_key), auth_message, key);
    for (size_t i = 0; i < DIGEST_SIZE; i++) key[i] ^= (uint8_t)proof.p[i];
    digest_sha256(digest_str(key), hashed);
    return digest_equal(hashed, secret->stored_key);
}

bool scram_check_final(const struct scram_first *first, struct str challenge, const struct scram_secret *secret,
                       struct str message, struct buf *out)
{
    struct str binding, nonce, expected, rest = message, tail = challenge;
    struct buf gs2 = {0}, proof = {0}, said = {0};
    size_t at = str_rfind_byte(message, ',');
    bool good = attribute(&tail, 'r', &expected) && attribute(&rest, 'c', &binding) && attribute(&rest, 'r', &nonce) &&
                at != STR_NPOS && str_starts(str_from(message, at + 1), STR("p=")) &&
                base64_decode(binding, &gs2) && str_eq(buf_str(&gs2), first->gs2) && str_eq(nonce, expected) &&
                base64_decode(str_from(message, at + 3), &proof) && proof.n == DIGEST_SIZE;
    if (good) {
        buf_add(&said, first->bare);
        buf_add_byte(&said, ',');
        buf_add(&said, challenge);
        buf_add_byte(&said, ',');
        buf_add(&said, str_slice(message, 0, at));
        good = proof_is_good(secret, buf_str(&said), buf_str(&proof));
    }
    if (good) {
        uint8_t signature[DIGEST_SIZE];
        digest_hmac(digest_str(secret->server_key), buf_str(&said), signature);
        buf_add(out, STR("v="));
        base64_encode(digest_str(signature), out);
    }
    buf_free(&gs2);
    buf_free(&proof);
    buf_free(&said);
    return good;
}
