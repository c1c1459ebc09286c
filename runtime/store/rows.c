#include "store/rows.h"

#include "base/wire.h"

enum { FLAG_EIGHT_BIT = 1, FLAG_SMTPUTF8 = 2, FLAG_RELAY_MADE = 4, FLAG_ALL = 7 };

uint32_t rows_flags(const struct stored_message *m)
{
    return (m->eight_bit ? FLAG_EIGHT_BIT : 0u) | (m->smtputf8 ? FLAG_SMTPUTF8 : 0u) |
           (m->relay_made ? FLAG_RELAY_MADE : 0u);
}

bool rows_take_flags(uint32_t flags, struct stored_message *m)
{
    m->eight_bit = flags & FLAG_EIGHT_BIT;
    m->smtputf8 = flags & FLAG_SMTPUTF8;
    m->relay_made = flags & FLAG_RELAY_MADE;
    return !(flags & ~(uint32_t)FLAG_ALL);
}

void rows_encode_pieces(const struct pieces *p, struct buf *out)
{
    wire_put_count(out, p->n);
    for (size_t i = 0; i < p->n; i++) {
        const struct piece *piece = &p->v[i];
        wire_put_bool(out, piece->insert.p != NULL);
        if (piece->insert.p) {
            wire_put_str(out, piece->insert);
        } else {
            wire_put_u64(out, piece->from);
            wire_put_u64(out, piece->to);
        }
    }
}

bool rows_decode_pieces(struct arena *a, struct str blob, uint64_t size, struct pieces *out)
{
    struct wire w = wire_of(blob);
    out->n = wire_count(&w, 5);
    out->v = ARENA_ARRAY(a, struct piece, out->n ? out->n : 1);
    for (size_t i = 0; i < out->n; i++) {
        if (wire_bool(&w)) {
            out->v[i].insert = wire_str(&w);
        } else {
            out->v[i].from = wire_u64(&w);
            out->v[i].to = wire_u64(&w);
        }
    }
    return wire_done(&w) && pieces_are_sound(out, size);
}
