/* store/rows: how one value becomes a column and comes back: flags, piece lists.
 *
 * Decoding treats the database as hostile: what does not decode is damage, said as such. */
#ifndef SLUICE_STORE_ROWS_H
#define SLUICE_STORE_ROWS_H

#include "base/arena.h"
#include "base/vec.h"
#include "store/port.h"

uint32_t rows_flags(const struct stored_message *m);
bool rows_take_flags(uint32_t flags, struct stored_message *m); /* false: a bit that nobody writes */

void rows_encode_pieces(const struct pieces *p, struct buf *out);
/* Inserted text points into `blob`.  False for what does not decode, or is no sound list over `size` bytes. */
bool rows_decode_pieces(struct arena *a, struct str blob, uint64_t size, struct pieces *out);

#endif
