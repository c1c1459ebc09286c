#include "base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/err.h"

static EVP_MD *sha256;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fetch(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
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
    begin(d);
}

void digest_hmac(struct str key, struct str s, uint8_t out[DIGEST_SIZE])
{
    INVARIANT(key.n <= INT_MAX);
    INVARIANT(HMAC(EVP_sha256(), key.p ? key.p : "", (int)key.n, (const unsigned char *)(s.p ? s.p : ""), s.n, out, NULL));
}

void digest_pbkdf2(struct str password, struct str salt, uint32_t iterations, uint8_t out[DIGEST_SIZE])
{
    INVARIANT(password.n <= INT_MAX && salt.n <= INT_MAX && iterations > 0 && iterations <= INT_MAX);
    INVARIANT(PKCS5_PBKDF2_HMAC(password.p ? password.p : "", (int)password.n, (const unsigned char *)(salt.p ? salt.p : ""),
                                (int)salt.n, (int)iterations, EVP_sha256(), DIGEST_SIZE, out) == 1);
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
