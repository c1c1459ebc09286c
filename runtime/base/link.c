#include "base/link.h"

#include <sysexits.h>

#include "base/wire.h"

/* One form for every kind: what a kind has no use for is zero and empty, a few bytes on a channel that carries a
 * handful of datagrams per reload. */
static void io_message(struct wire_io *io, struct link_message *m)
{
    IO_ENUM(io, m->kind, LINK_KIND_COUNT);
    io_u64(io, &m->generation);
    io_u32(io, &m->flags);
    io_str(io, &m->name);
    io_str(io, &m->text);
}

void link_encode(const struct link_message *m, struct buf *out)
{
    struct link_message same = *m; /* writing stores nothing: base/wire.h */
    io_message(&(struct wire_io){.out = out}, &same);
}

bool link_decode(struct str datagram, struct link_message *out, struct err *e)
{
    struct wire w = wire_of(datagram);
    *out = (struct link_message){0};
    io_message(&(struct wire_io){.in = &w}, out);
    if (!wire_done(&w)) return err_set(e, EX_DATAERR, "a malformed datagram between our own processes");
    return true;
}
