#include "base/link.h"

#include <sysexits.h>

#include "base/wire.h"

/* One form for every kind: what a kind has no use for is zero and empty, a few bytes on a channel that carries a
 * handful of datagrams per reload. */
void link_encode(const struct link_message *m, struct buf *out)
{
    wire_put_u8(out, (uint8_t)m->kind);
    wire_put_u64(out, m->generation);
    wire_put_u32(out, m->flags);
    wire_put_str(out, m->name);
    wire_put_str(out, m->text);
}

bool link_decode(struct str datagram, struct link_message *out, struct err *e)
{
    struct wire w = wire_of(datagram);
    out->kind = (enum link_kind)wire_enum(&w, LINK_KIND_COUNT);
    out->generation = wire_u64(&w);
    out->flags = wire_u32(&w);
    out->name = wire_str(&w);
    out->text = wire_str(&w);
    if (!wire_done(&w)) return err_set(e, EX_DATAERR, "a malformed datagram between our own processes");
    return true;
}
