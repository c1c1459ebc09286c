#include "base/wire.h"

#include <endian.h>
#include <string.h>

/* The low n bytes of v, least first; n is a constant where this is called, so each copy becomes one store. */
static inline void put_le(struct buf *b, uint64_t v, size_t n)
{
    uint64_t le = htole64(v);
    if (b->cap - b->n < n) buf_reserve(b, n);
    memcpy(b->p + b->n, &le, n);
    b->n += n;
}

void wire_put_u8(struct buf *b, uint8_t v) { put_le(b, v, 1); }
void wire_put_bool(struct buf *b, bool v) { put_le(b, v, 1); }
void wire_put_u16(struct buf *b, uint16_t v) { put_le(b, v, 2); }
void wire_put_u32(struct buf *b, uint32_t v) { put_le(b, v, 4); }
void wire_put_u64(struct buf *b, uint64_t v) { put_le(b, v, 8); }
void wire_put_i32(struct buf *b, int32_t v) { put_le(b, (uint32_t)v, 4); }
void wire_put_i64(struct buf *b, int64_t v) { put_le(b, (uint64_t)v, 8); }

void wire_put_count(struct buf *b, size_t n)
{
    INVARIANT(n <= UINT32_MAX);
    put_le(b, n, 4);
}

void wire_put_str(struct buf *b, struct str s)
{
    wire_put_count(b, s.n);
    buf_add(b, s);
}

void wire_put_bytes(struct buf *b, const void *p, size_t n) { buf_add(b, (struct str){p, n}); }

struct wire wire_of(struct str s)
{
    const unsigned char *p = (const unsigned char *)(s.p ? s.p : "");
    return (struct wire){p, p + s.n, false};
}

size_t wire_left(const struct wire *w) { return w->failed ? 0 : (size_t)(w->end - w->p); }

void wire_fail(struct wire *w) { w->failed = true; }

bool wire_done(const struct wire *w) { return !w->failed && w->p == w->end; }

/* The next n bytes, or NULL after latching the failure. */
static inline const unsigned char *take(struct wire *w, size_t n)
{
    if (w->failed || (size_t)(w->end - w->p) < n) {
        w->failed = true;
        return NULL;
    }
    const unsigned char *at = w->p;
    w->p += n;
    return at;
}

static inline uint64_t get_le(struct wire *w, size_t n)
{
    const unsigned char *p = take(w, n);
    uint64_t le = 0;
    if (p) memcpy(&le, p, n);
    return le64toh(le);
}

uint8_t wire_u8(struct wire *w) { return (uint8_t)get_le(w, 1); }
uint16_t wire_u16(struct wire *w) { return (uint16_t)get_le(w, 2); }
uint32_t wire_u32(struct wire *w) { return (uint32_t)get_le(w, 4); }
uint64_t wire_u64(struct wire *w) { return get_le(w, 8); }
int32_t wire_i32(struct wire *w) { return (int32_t)(uint32_t)get_le(w, 4); }
int64_t wire_i64(struct wire *w) { return (int64_t)get_le(w, 8); }

uint8_t wire_enum(struct wire *w, unsigned n)
{
    uint8_t v = wire_u8(w);
    if (v < n) return v;
    w->failed = true;
    return 0;
}

bool wire_bool(struct wire *w) { return wire_enum(w, 2) == 1; }

struct str wire_bytes(struct wire *w, size_t n)
{
    const unsigned char *p = take(w, n);
    return p ? (struct str){(const char *)p, n} : STR("");
}

struct str wire_str(struct wire *w) { return wire_bytes(w, wire_u32(w)); }

bool wire_copy(struct wire *w, void *out, size_t n)
{
    const unsigned char *p = take(w, n);
    if (p && n) memcpy(out, p, n);
    if (!p) memset(out, 0, n);
    return p != NULL;
}

size_t wire_count(struct wire *w, size_t each)
{
    INVARIANT(each >= 1);
    size_t n = wire_u32(w);
    if (n <= wire_left(w) / each) return n;
    w->failed = true;
    return 0;
}
