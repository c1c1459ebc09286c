/* mail/scram: the server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677) as pure functions, and what is stored of a
 * password.
 *
 * No channel binding: SCRAM-SHA-256-PLUS is not offered, so "y,," is as good as "n,,".  Owns no state and no
 * randomness: salts and nonces are the caller's.  A stored secret does not give the password away, and serves PLAIN and
 * LOGIN too. */
#ifndef SLUICE_MAIL_SCRAM_H
#define SLUICE_MAIL_SCRAM_H

#include "base/digest.h"
#include "base/vec.h"

enum {
    SCRAM_SALT_SIZE = 16,
    SCRAM_NONCE_SIZE = 18,        /* bytes of chance, 24 characters */
    SCRAM_ITERATIONS_MIN = 4096,  /* RFC 7677 section 4 */
    SCRAM_ITERATIONS = 20000,     /* what we store: about 10 ms to check */
    SCRAM_ITERATIONS_MAX = 1000000,
    SCRAM_PASSWORD_MAX = 1024,
    SCRAM_NAME_MAX = 255
};

struct scram_secret {
    uint8_t salt[SCRAM_SALT_SIZE];
    uint32_t iterations;
    uint8_t stored_key[DIGEST_SIZE], server_key[DIGEST_SIZE];
};

/* A user's name: UTF-8 without control characters, 1 to SCRAM_NAME_MAX bytes. */
bool scram_name_is_valid(struct str name);
/* A password in the form that is hashed: valid UTF-8, NFC, no control characters, not empty (RFC 8265 section 4.2's
 * OpaqueString, as far as it does not ask for tables of unassigned code points).  False otherwise. */
bool scram_prepare(struct str password, struct buf *out);
/* Costs `iterations` rounds: never on a loop thread.  `password` is prepared. */
void scram_secret_of(struct str password, const uint8_t salt[SCRAM_SALT_SIZE], uint32_t iterations,
                     struct scram_secret *out);
bool scram_password_is(const struct scram_secret *s, struct str password); /* the same cost; prepares it itself */

/* The client's first message.  Views of it; false when it is none, or asks for channel binding or another identity. */
struct scram_first {
    struct str gs2;   /* "n,," as it will come again in base64 */
    struct str bare;  /* from "n=" on */
    struct str user;  /* still with =2C and =3D */
    struct str nonce;
};
bool scram_read_first(struct str message, struct scram_first *out);
bool scram_user(struct str encoded,
                struct buf *out); /* =2C and =3D undone; false for a bare "=" or a control character */

/* Our first message: "r=…,s=…,i=…". */
void scram_write_challenge(const struct scram_first *first, const struct scram_secret *secret,
                           const uint8_t chance[SCRAM_NONCE_SIZE], struct buf *out);
/* The client's last message, held against all that was said.  True: it knows the password; *out gets "v=…". */
bool scram_check_final(const struct scram_first *first, struct str challenge, const struct scram_secret *secret,
                       struct str message, struct buf *out);

#endif
