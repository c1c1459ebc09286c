/* mail/scram_client: the client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), one exchange.
 *
 * No channel binding.  Owns what was said so far and the keys made from the password, all wiped at the end; chance is
 * the caller's.  The costly step, thousands of rounds of hashing, comes in portions.  How to drive it: first → the
 * server's challenge → challenge, work until true → final → the server's last message → verify */
#ifndef SLUICE_MAIL_SCRAM_CLIENT_H
#define SLUICE_MAIL_SCRAM_CLIENT_H

#include "mail/scram.h"

struct scram_client;

/* All are copied; SCRAM_NONCE_SIZE bytes of chance are plenty.  NULL: a password that cannot be one (scram_prepare), or
 * such a name. */
struct scram_client *scram_client_create(struct str user, struct str password, struct str chance);
void scram_client_free(struct scram_client **s);

void scram_client_first(const struct scram_client *s, struct buf *out); /* "n,,n=…,r=…" */
/* The server's first message.  False: it is none, does not continue our nonce, or asks for fewer than
 * SCRAM_ITERATIONS_MIN rounds (RFC 7677 section 4) or more than SCRAM_ITERATIONS_MAX. */
bool scram_client_challenge(struct scram_client *s, struct str message);
bool scram_client_work(struct scram_client *s, uint32_t rounds); /* true: done */
void scram_client_final(struct scram_client *s, struct buf *out);      /* INVARIANT: the work is done */
bool scram_client_verify(const struct scram_client *s, struct str message); /* the server knows the password too */

#endif
