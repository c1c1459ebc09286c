#include "base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/library.h"
#include "base/pieces.h"

static EVP_MD *sha256;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fetch(void)
{
    LIBRARY_ENTER();
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    LIBRARY_LEAVE();
    INVARIANT(sha256 != NULL);
}

void digest_warm(void)
{
    pthread_once(&once, fetch);
    uint8_t out[DIGEST_SIZE];
    INVARIANT(EVP_Digest("", 0, out, NULL, sha256, NULL) == 1);
}

void digest_sha256(struct str s, uint8_t out[DIGEST_SIZE])
{
    pthread_once(&once, fetch);
    INVARIANT(EVP_Digest(s.p ? s.p : "", s.n, out, NULL, sha256, NULL) == 1);
    LIBRARY_WROTE(out, DIGEST_SIZE);
}

struct digest {
    EVP_MD_CTX *ctx;
};

static void begin(struct digest *d) { INVARIANT(EVP_DigestInit_ex2(d->ctx, sha256, NULL) == 1); }

struct digest *digest_create(void)
{
    pthread_once(&once, fetch);
    struct digest *d = mem_alloc(sizeof *d);
    d->ctx = EVP_MD_CTX_new();
    INVARIANT(d->ctx != NULL);
    begin(d);
    return d;
}

void digest_free(struct digest **d)
{
    if (!d || !*d) return;
    EVP_MD_CTX_free((*d)->ctx);
    free(*d);
    *d = NULL;
}

void digest_add(struct digest *d, struct str s)
{
    if (s.n) INVARIANT(EVP_DigestUpdate(d->ctx, s.p, s.n) == 1);
}

void digest_finish(struct digest *d, uint8_t out[DIGEST_SIZE])
{
    INVARIANT(EVP_DigestFinal_ex(d->ctx, out, NULL) == 1);
    LIBRARY_WROTE(out, DIGEST_SIZE);
    begin(d);
}

void digest_pieces(struct str content, const struct pieces *p, uint8_t out[DIGEST_SIZE])
{
    struct digest *d = digest_create();
    for (size_t i = 0; i < p->n; i++) {
        const struct piece *x = &p->v[i];
        digest_add(d, x->insert.p ? x->insert : str_slice(content, (size_t)x->from, (size_t)x->to));
    }
    digest_finish(d, out);
    digest_free(&d);
}

void digest_hmac(struct str key, struct str s, uint8_t out[DIGEST_SIZE])
{
    INVARIANT(key.n <= INT_MAX);
    INVARIANT(
        HMAC(EVP_sha256(), key.p ? key.p : "", (int)key.n, (const unsigned char *)(s.p ? s.p : ""), s.n, out, NULL));
}

void digest_pbkdf2(struct str password, struct str salt, uint32_t iterations, uint8_t out[DIGEST_SIZE])
{
    INVARIANT(password.n <= INT_MAX && salt.n <= INT_MAX && iterations > 0 && iterations <= INT_MAX);
    INVARIANT(PKCS5_PBKDF2_HMAC(password.p ? password.p : "", (int)password.n,
                                (const unsigned char *)(salt.p ? salt.p : ""), (int)salt.n, (int)iterations,
                                EVP_sha256(), DIGEST_SIZE, out) == 1);
}

/* RFC 8018 section 5.2 for one block: U1 = HMAC(password, salt || 1), Un = HMAC(password, Un-1), all of them xored.
 * What a key does to HMAC's two hashes is done once. */
struct digest_stretch {
    EVP_MD_CTX *inner, *outer, *work;
    uint8_t last[DIGEST_SIZE], sum[DIGEST_SIZE];
    uint32_t left;
};

static void keyed(EVP_MD_CTX *ctx, const uint8_t key[64], uint8_t pad)
{
    uint8_t block[64];
    for (size_t i = 0; i < sizeof block; i++) block[i] = key[i] ^ pad;
    INVARIANT(ctx && EVP_DigestInit_ex2(ctx, sha256, NULL) == 1 && EVP_DigestUpdate(ctx, block, sizeof block) == 1);
    explicit_bzero(block, sizeof block);
}

static void stretch_round(struct digest_stretch *s)
{
    INVARIANT(EVP_MD_CTX_copy_ex(s->work, s->inner) == 1 && EVP_DigestUpdate(s->work, s->last, DIGEST_SIZE) == 1 &&
              EVP_DigestFinal_ex(s->work, s->last, NULL) == 1);
    INVARIANT(EVP_MD_CTX_copy_ex(s->work, s->outer) == 1 && EVP_DigestUpdate(s->work, s->last, DIGEST_SIZE) == 1 &&
              EVP_DigestFinal_ex(s->work, s->last, NULL) == 1);
    for (size_t i = 0; i < DIGEST_SIZE; i++) s->sum[i] ^= s->last[i];
}

struct digest_stretch *digest_stretch_create(struct str password, struct str salt, uint32_t iterations)
{
    INVARIANT(iterations > 0);
    pthread_once(&once, fetch);
    struct digest_stretch *s = mem_alloc(sizeof *s);
    uint8_t key[64] = {0}, *first = mem_alloc(salt.n + 4);
    if (password.n > sizeof key)
        digest_sha256(password, key);
    else if (password.n)
        memcpy(key, password.p, password.n);
    s->inner = EVP_MD_CTX_new();
    s->outer = EVP_MD_CTX_new();
    s->work = EVP_MD_CTX_new();
    INVARIANT(s->work);
    keyed(s->inner, key, 0x36);
    keyed(s->outer, key, 0x5c);
    explicit_bzero(key, sizeof key);
    if (salt.n) memcpy(first, salt.p, salt.n);
    first[salt.n + 3] = 1;
    digest_hmac(password, (struct str){(const char *)first, salt.n + 4}, s->last);
    memcpy(s->sum, s->last, DIGEST_SIZE);
    free(first);
    s->left = iterations - 1;
    return s;
}

void digest_stretch_free(struct digest_stretch **s)
{
    if (!*s) return;
    EVP_MD_CTX_free((*s)->inner); /* these wipe what they held */
    EVP_MD_CTX_free((*s)->outer);
    EVP_MD_CTX_free((*s)->work);
    explicit_bzero(*s, sizeof **s);
    free(*s);
    *s = NULL;
}

bool digest_stretch_run(struct digest_stretch *s, uint32_t rounds, uint8_t out[DIGEST_SIZE])
{
    for (; rounds && s->left; rounds--, s->left--) stretch_round(s);
    if (s->left) return false;
    memcpy(out, s->sum, DIGEST_SIZE);
    return true;
}

bool digest_equal(const uint8_t a[DIGEST_SIZE], const uint8_t b[DIGEST_SIZE])
{
    return CRYPTO_memcmp(a, b, DIGEST_SIZE) == 0;
}

void digest_hex(const uint8_t in[DIGEST_SIZE], char out[DIGEST_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        out[2 * i] = digits[in[i] >> 4];
        out[2 * i + 1] = digits[in[i] & 15];
    }
    out[2 * DIGEST_SIZE] = '\0';
}
