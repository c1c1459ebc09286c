/* mail/queue_id: the name of one accepted message: time first, so that ids sort by age, then 64 random bits, so that
 * nobody guesses one; base 32 in digits and lower-case letters without i, l, o, u.
 *
 * Time and randomness are the caller's. */
#ifndef SLUICE_MAIL_QUEUE_ID_H
#define SLUICE_MAIL_QUEUE_ID_H

#include "base/str.h"

enum { QUEUE_ID_LENGTH = 20, QUEUE_ID_SIZE = QUEUE_ID_LENGTH + 1 };

void queue_id_make(int64_t utc_seconds, uint64_t random, char out[QUEUE_ID_SIZE]); /* NUL-terminated */
bool queue_id_is_valid(struct str s);

#endif
