/* base/wire: the one bounded binary encoding: protocol, settings, link and program files are made of it.
 *
 * Little endian; a string is a u32 length and its bytes.  The writer appends to a struct buf.  The reader walks a view
 * that somebody else owns, treats it as hostile, and latches the first failure: after one every read answers zero or
 * the empty view, so a decoder reads a whole record and asks once, at the end, with wire_done.
 *
 * A record that is both written and read is described once, by a function io_<record>(struct wire_io *, record *) that
 * names its members in order; what it does with them, the cursor says. */
#ifndef SLUICE_BASE_WIRE_H
#define SLUICE_BASE_WIRE_H

#include "base/arena.h"
#include "base/vec.h"

void wire_put_u8(struct buf *b, uint8_t v);
void wire_put_bool(struct buf *b, bool v); /* one byte, 0 or 1 */
void wire_put_u16(struct buf *b, uint16_t v);
void wire_put_u32(struct buf *b, uint32_t v);
void wire_put_u64(struct buf *b, uint64_t v);
void wire_put_i32(struct buf *b, int32_t v);
void wire_put_i64(struct buf *b, int64_t v);
void wire_put_str(struct buf *b, struct str s);              /* u32 length, bytes; 4 GiB and more is ours: INVARIANT */
void wire_put_bytes(struct buf *b, const void *p, size_t n); /* bytes alone: their number is part of the format */
void wire_put_count(struct buf *b, size_t n);                /* u32, for wire_count */

struct wire {
    const unsigned char *p, *end;
    bool failed;
};

struct wire wire_of(struct str s);
size_t wire_left(const struct wire *w);
uint8_t wire_u8(struct wire *w);
bool wire_bool(struct wire *w);                /* fails on anything but 0 and 1 */
uint8_t wire_enum(struct wire *w, unsigned n); /* u8 below n, else failure */
uint16_t wire_u16(struct wire *w);
uint32_t wire_u32(struct wire *w);
uint64_t wire_u64(struct wire *w);
int32_t wire_i32(struct wire *w);
int64_t wire_i64(struct wire *w);
struct str wire_str(struct wire *w);                 /* a view into what is read; never p == NULL */
struct str wire_bytes(struct wire *w, size_t n);     /* likewise, exactly n bytes */
bool wire_copy(struct wire *w, void *out, size_t n); /* n bytes to *out; zeroes there on failure */
/* A count of records of at least `each` bytes (>= 1): fails, answering 0, when so many cannot follow.  So a table is
 * never allocated for records that are not there. */
size_t wire_count(struct wire *w, size_t each);
/* For what the form allows and the meaning does not. */
void wire_fail(struct wire *w);
bool wire_done(const struct wire *w); /* nothing failed and nothing is left */

/* The two-way cursor: exactly one of `out` and `in` is set.  Writing only reads what it is given and never stores
 * there, so an encoder hands a shallow copy of its const record to the function that also reads, and the tables behind
 * it stay untouched.  Reading checks all that wire_… checks.  Inline, because every message passes through here. */
struct wire_io {
    struct buf *out;
    struct wire *in;
    struct arena *arena; /* when reading tables */
};

#define IO_VALUE(name, type)                                                                                           \
    static inline void io_##name(struct wire_io *io, type *v)                                                          \
    {                                                                                                                  \
        if (io->out)                                                                                                   \
            wire_put_##name(io->out, *v);                                                                              \
        else                                                                                                           \
            *v = wire_##name(io->in);                                                                                  \
    }
IO_VALUE(u8, uint8_t)
IO_VALUE(bool, bool)
IO_VALUE(u16, uint16_t)
IO_VALUE(u32, uint32_t)
IO_VALUE(u64, uint64_t)
IO_VALUE(i32, int32_t)
IO_VALUE(i64, int64_t)
IO_VALUE(str, struct str)
#undef IO_VALUE

/* A u8 that is read only when below n. */
static inline void io_enum(struct wire_io *io, uint8_t *v, unsigned n)
{
    if (io->out)
        wire_put_u8(io->out, *v);
    else
        *v = wire_enum(io->in, n);
}

/* The same for a member whose type is an enum. */
#define IO_ENUM(io, v, n)                                                                                              \
    do {                                                                                                               \
        uint8_t byte_ = (uint8_t)(v);                                                                                  \
        io_enum((io), &byte_, (n));                                                                                    \
        if ((io)->in) (v) = byte_;                                                                                     \
    } while (0)

/* Exactly n bytes, at `bytes`. */
static inline void io_bytes(struct wire_io *io, void *bytes, size_t n)
{
    if (io->out)
        wire_put_bytes(io->out, bytes, n);
    else
        wire_copy(io->in, bytes, n);
}

/* What was read must also mean something; what is written is ours, and is not asked. */
static inline void io_demand(struct wire_io *io, bool holds)
{
    if (io->in && !holds) wire_fail(io->in);
}

/* One byte that is always this one. */
static inline void io_tag(struct wire_io *io, uint8_t tag)
{
    uint8_t v = tag;
    io_u8(io, &v);
    io_demand(io, v == tag);
}

/* A count of records of at least `each` bytes, as wire_count; true when reading: their table is still to be made. */
static inline bool io_count(struct wire_io *io, size_t *n, size_t each)
{
    if (io->out)
        wire_put_count(io->out, *n);
    else
        *n = wire_count(io->in, each);
    return io->in != NULL;
}

/* False once reading failed: the rest of a table need not be walked. */
static inline bool io_goes_on(const struct wire_io *io) { return !io->in || !io->in->failed; }

/* A table: the number n of its records, each of at least `least` bytes, then every one by io_record(io, &v[i]).  When
 * reading, the table is made in the arena, zeroed. */
#define IO_TABLE(io, v, n, least, io_record)                                                                           \
    do {                                                                                                               \
        if (io_count((io), &(n), (least))) (v) = arena_array((io)->arena, (n), sizeof *(v));                           \
        for (size_t at_ = 0; at_ < (n) && io_goes_on(io); at_++) io_record((io), &(v)[at_]);                           \
    } while (0)

#endif
