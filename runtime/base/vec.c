#include "base/vec.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void buf_free(struct buf *b)
{
    free(b->p);
    *b = (struct buf){0};
}

void buf_reserve(struct buf *b, size_t more)
{
    size_t want;
    INVARIANT(!__builtin_add_overflow(b->n, more, &want));
    if (want <= b->cap) return;
    size_t cap = b->cap ? b->cap : 256;
    while (cap < want) INVARIANT(!__builtin_mul_overflow(cap, (size_t)2, &cap));
    b->p = mem_grow(b->p, cap, 1);
    b->cap = cap;
}

void buf_add(struct buf *b, struct str s)
{
    if (s.n == 0) return;
    buf_reserve(b, s.n);
    memcpy(b->p + b->n, s.p, s.n);
    b->n += s.n;
}

void buf_add_byte(struct buf *b, char c)
{
    buf_reserve(b, 1);
    b->p[b->n++] = c;
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    INVARIANT(n >= 0);
    buf_reserve(b, (size_t)n + 1);
    vsnprintf(b->p + b->n, (size_t)n + 1, format, again);
    b->n += (size_t)n;
    va_end(args);
    va_end(again);
}

void buf_consume(struct buf *b, size_t n)
{
    INVARIANT(n <= b->n);
    b->n -= n;
    if (b->n) memmove(b->p, b->p + n, b->n);
}
