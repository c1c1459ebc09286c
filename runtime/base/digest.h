/* base/digest: SHA-256 (FIPS 180-4), and what is built on it; the only user of OpenSSL's EVP.
 *
 * digest_warm fetches the algorithm once per process, before any filter: afterwards no call opens a file or takes a
 * lock of the provider.  The one-shot is safe from any thread; a struct digest belongs to one. */
#ifndef SLUICE_BASE_DIGEST_H
#define SLUICE_BASE_DIGEST_H

#include "base/str.h"

enum { DIGEST_SIZE = 32, DIGEST_HEX_SIZE = 65 };

void digest_warm(void); /* idempotent; the others call it when nobody did */
void digest_sha256(struct str s, uint8_t out[DIGEST_SIZE]);

struct digest;
struct digest *digest_create(void); /* ready for digest_add */
void digest_free(struct digest **d);
void digest_add(struct digest *d, struct str s);
void digest_finish(struct digest *d, uint8_t out[DIGEST_SIZE]); /* and begins anew */

/* Of what pieces (base/pieces, sound) make of the content. */
struct pieces;
void digest_pieces(struct str content, const struct pieces *p, uint8_t out[DIGEST_SIZE]);

/* HMAC (RFC 2104) with SHA-256, and PBKDF2 (RFC 8018) with that; `iterations` at least 1. */
void digest_hmac(struct str key, struct str s, uint8_t out[DIGEST_SIZE]);
void digest_pbkdf2(struct str password, struct str salt, uint32_t iterations, uint8_t out[DIGEST_SIZE]);
/* The same in portions, for a thread that must not stand still; frees nothing of the caller's and wipes what it
 * held. */
struct digest_stretch;
struct digest_stretch *digest_stretch_create(struct str password, struct str salt, uint32_t iterations);
void digest_stretch_free(struct digest_stretch **s);
bool digest_stretch_run(struct digest_stretch *s, uint32_t rounds,
                        uint8_t out[DIGEST_SIZE]);                             /* true: done, *out is set */
bool digest_equal(const uint8_t a[DIGEST_SIZE], const uint8_t b[DIGEST_SIZE]); /* in constant time */

void digest_hex(const uint8_t in[DIGEST_SIZE], char out[DIGEST_HEX_SIZE]); /* lower case, NUL-terminated */

#endif
