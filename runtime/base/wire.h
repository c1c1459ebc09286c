/* base/wire: the one bounded binary encoding: protocol, settings, link and program files are made of it.
 *
 * Little endian; a string is a u32 length and its bytes.  The writer appends to a struct buf.  The reader walks a view
 * that somebody else owns, treats it as hostile, and latches the first failure: after one every read answers zero or
 * the empty view, so a decoder reads a whole record and asks once, at the end, with wire_done. */
#ifndef SLUICE_BASE_WIRE_H
#define SLUICE_BASE_WIRE_H

#include "base/vec.h"

void wire_put_u8(struct buf *b, uint8_t v);
void wire_put_bool(struct buf *b, bool v); /* one byte, 0 or 1 */
void wire_put_u16(struct buf *b, uint16_t v);
void wire_put_u32(struct buf *b, uint32_t v);
void wire_put_u64(struct buf *b, uint64_t v);
void wire_put_i32(struct buf *b, int32_t v);
void wire_put_i64(struct buf *b, int64_t v);
void wire_put_str(struct buf *b, struct str s);             /* u32 length, bytes; 4 GiB and more is ours: INVARIANT */
void wire_put_bytes(struct buf *b, const void *p, size_t n); /* bytes alone: their number is part of the format */
void wire_put_count(struct buf *b, size_t n);               /* u32, for wire_count */

struct wire {
    const unsigned char *p, *end;
    bool failed;
};

struct wire wire_of(struct str s);
size_t wire_left(const struct wire *w);
uint8_t wire_u8(struct wire *w);
bool wire_bool(struct wire *w);               /* fails on anything but 0 and 1 */
uint8_t wire_enum(struct wire *w, unsigned n); /* u8 below n, else failure */
uint16_t wire_u16(struct wire *w);
uint32_t wire_u32(struct wire *w);
uint64_t wire_u64(struct wire *w);
int32_t wire_i32(struct wire *w);
int64_t wire_i64(struct wire *w);
struct str wire_str(struct wire *w);            /* a view into what is read; never p == NULL */
struct str wire_bytes(struct wire *w, size_t n); /* likewise, exactly n bytes */
bool wire_copy(struct wire *w, void *out, size_t n); /* n bytes to *out; zeroes there on failure */
/* A count of records of at least `each` bytes (>= 1): fails, answering 0, when so many cannot follow.  So a table is
 * never allocated for records that are not there. */
size_t wire_count(struct wire *w, size_t each);
/* For what the form allows and the meaning does not. */
void wire_fail(struct wire *w);
bool wire_done(const struct wire *w); /* nothing failed and nothing is left */

#endif
