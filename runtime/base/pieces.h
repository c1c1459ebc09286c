/* base/pieces: a new byte string as a list of ranges of an old one and of inserted text.
 *
 * The only form in which a message is ever changed: bytes that no piece names are not touched, so they stay identical.
 * Owns nothing; inserted text lives where its maker put it. */
#ifndef SLUICE_BASE_PIECES_H
#define SLUICE_BASE_PIECES_H

#include "base/str.h"

struct wire_io;

struct piece {
    uint64_t from, to; /* bytes [from, to) of the original, when `insert` is STR_NONE */
    struct str insert; /* otherwise these bytes; insert.p != NULL marks an insertion */
};

struct pieces {
    struct piece *v;
    size_t n;
};

uint64_t pieces_length(const struct pieces *p);
/* True when every range is inside an original of `size` bytes, ranges ascend without overlap, and no piece is empty.
 * What a judge answers is held to this before it is used. */
bool pieces_are_sound(const struct pieces *p, uint64_t size);
bool pieces_are_identity(const struct pieces *p, uint64_t size);

/* Written, or read: then inserted text is what `text` (io_str, or one with a table) reads, and the table is in the
 * cursor's arena.  Whether what was read is sound is for pieces_are_sound to say. */
void io_pieces(struct wire_io *io, struct pieces *p, void (*text)(struct wire_io *io, struct str *s));

/* A reader over the result, in order; `original` may be NULL when the caller reads ranges itself. */
struct pieces_cursor {
    const struct pieces *pieces;
    size_t at;       /* piece */
    uint64_t offset; /* inside it */
};
/* The next run of at most `most` bytes of the result: either *insert is set, or it is [*from, *from + n) of the
 * original.  Answers its length; 0 at the end. */
uint64_t pieces_next(struct pieces_cursor *c, uint64_t most, struct str *insert, uint64_t *from);

#endif
