#include "base/pieces.h"

#include "base/err.h"
#include "base/wire.h"

static uint64_t piece_length(const struct piece *p) { return p->insert.p ? p->insert.n : p->to - p->from; }

uint64_t pieces_length(const struct pieces *p)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < p->n; i++) sum += piece_length(&p->v[i]);
    return sum;
}

bool pieces_are_sound(const struct pieces *p, uint64_t size)
{
    uint64_t reached = 0, sum = 0;
    for (size_t i = 0; i < p->n; i++) {
        const struct piece *q = &p->v[i];
        if (!q->insert.p) {
            if (q->insert.n != 0 || q->from < reached || q->to < q->from || q->to > size) return false;
            reached = q->to;
        }
        if (piece_length(q) == 0 || __builtin_add_overflow(sum, piece_length(q), &sum)) return false;
    }
    return true;
}

void io_pieces(struct wire_io *io, struct pieces *p, void (*text)(struct wire_io *io, struct str *s))
{
    enum { LEAST = 1 + 4 }; /* bytes of a piece: the flag and an empty text */
    if (io_count(io, &p->n, LEAST)) p->v = arena_array(io->arena, p->n, sizeof *p->v);
    for (size_t i = 0; i < p->n && io_goes_on(io); i++) {
        struct piece *x = &p->v[i];
        bool inserted = x->insert.p != NULL;
        io_bool(io, &inserted);
        if (inserted) {
            text(io, &x->insert);
        } else {
            io_u64(io, &x->from);
            io_u64(io, &x->to);
        }
    }
}

bool pieces_are_identity(const struct pieces *p, uint64_t size)
{
    uint64_t reached = 0;
    for (size_t i = 0; i < p->n; i++) {
        if (p->v[i].insert.p || p->v[i].from != reached) return false;
        reached = p->v[i].to;
    }
    return reached == size;
}

uint64_t pieces_next(struct pieces_cursor *c, uint64_t most, struct str *insert, uint64_t *from)
{
    *insert = STR_NONE;
    *from = 0;
    while (c->at < c->pieces->n && c->offset == piece_length(&c->pieces->v[c->at])) {
        c->at++;
        c->offset = 0;
    }
    if (c->at == c->pieces->n || most == 0) return 0;
    const struct piece *p = &c->pieces->v[c->at];
    uint64_t left = piece_length(p) - c->offset, n = left < most ? left : most;
    if (p->insert.p)
        *insert = str_slice(p->insert, (size_t)c->offset, (size_t)(c->offset + n));
    else
        *from = p->from + c->offset;
    c->offset += n;
    return n;
}
