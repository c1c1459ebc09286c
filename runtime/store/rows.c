#include "store/rows.h"

#include "base/wire.h"

enum { FLAG_EIGHT_BIT = 1, FLAG_SMTPUTF8 = 2, FLAG_RELAY_MADE = 4, FLAG_BINARY = 8, FLAG_ALL = 15 };

uint32_t rows_flags(const struct stored_message *m)
{
    return (m->eight_bit ? FLAG_EIGHT_BIT : 0u) | (m->smtputf8 ? FLAG_SMTPUTF8 : 0u) |
           (m->relay_made ? FLAG_RELAY_MADE : 0u) | (m->binary ? FLAG_BINARY : 0u);
}

bool rows_take_flags(uint32_t flags, struct stored_message *m)
{
    m->eight_bit = flags & FLAG_EIGHT_BIT;
    m->smtputf8 = flags & FLAG_SMTPUTF8;
    m->relay_made = flags & FLAG_RELAY_MADE;
    m->binary = flags & FLAG_BINARY;
    return !(flags & ~(uint32_t)FLAG_ALL);
}

void rows_encode_pieces(const struct pieces *p, struct buf *out)
{
    struct pieces same = *p; /* writing stores nothing: base/wire.h */
    io_pieces(&(struct wire_io){.out = out}, &same, io_str);
}

bool rows_decode_pieces(struct arena *a, struct str blob, uint64_t size, struct pieces *out)
{
    struct wire w = wire_of(blob);
    io_pieces(&(struct wire_io){.in = &w, .arena = a}, out, io_str);
    return wire_done(&w) && pieces_are_sound(out, size);
}
