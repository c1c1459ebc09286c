#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

enum { FIRST_BLOCK = 16 * 1024, LARGEST_STEP = 1024 * 1024 };

struct block {
    struct block *older;
    size_t size, used;
    _Alignas(max_align_t) char bytes[];
};

struct arena {
    struct block *newest;
    size_t handed_out;
    struct arena *around; /* that it takes from; else NULL */
};

static struct block *block_create(size_t size, struct block *older)
{
    struct block *b = malloc(sizeof *b + size);
    INVARIANT(b != NULL);
    b->older = older;
    b->size = size;
    b->used = 0;
    return b;
}

struct arena *arena_create(void)
{
    struct arena *a = mem_alloc(sizeof *a);
    a->newest = block_create(FIRST_BLOCK, NULL);
    return a;
}

struct arena *arena_within(struct arena *a)
{
    struct arena *inner = ARENA_NEW(a, struct arena);
    inner->around = a;
    return inner;
}

void arena_free(struct arena **a)
{
    if (!a || !*a) return;
    INVARIANT(!(*a)->around);
    for (struct block *b = (*a)->newest, *older; b; b = older) {
        older = b->older;
        free(b);
    }
    free(*a);
    *a = NULL;
}

void arena_reset(struct arena *a)
{
    INVARIANT(!a->around);
    struct block *keep = a->newest;
    for (struct block *b = keep->older, *older; b; b = older) {
        older = b->older;
        free(b);
    }
    /* A message of a giant must not leave its block behind for every later one. */
    if (keep->size > LARGEST_STEP) {
        free(keep);
        keep = block_create(FIRST_BLOCK, NULL);
    }
    keep->older = NULL;
    keep->used = 0;
    a->newest = keep;
    a->handed_out = 0;
}

size_t arena_used(const struct arena *a) { return a->handed_out; }

static size_t aligned(size_t n)
{
    size_t align = _Alignof(max_align_t);
    INVARIANT(n <= SIZE_MAX - 2 * align);
    return (n + align - 1) & ~(align - 1);
}

/* So many bytes, whatever is in them. */
static void *take(struct arena *a, size_t n)
{
    size_t need = aligned(n);
    if (a->around) {
        a->handed_out += need;
        return take(a->around, need);
    }
    struct block *b = a->newest;
    if (b->size - b->used < need) {
        size_t step = b->size < LARGEST_STEP ? b->size * 2 : LARGEST_STEP;
        b = a->newest = block_create(need > step ? need : step, b);
    }
    void *p = b->bytes + b->used;
    b->used += need;
    a->handed_out += need;
    return p;
}

void *arena_alloc(struct arena *a, size_t n) { return memset(take(a, n), 0, n); }

void *arena_array(struct arena *a, size_t n, size_t size)
{
    size_t bytes;
    INVARIANT(!__builtin_mul_overflow(n, size, &bytes));
    return arena_alloc(a, bytes);
}

void *arena_copy(struct arena *a, const void *items, size_t n, size_t size)
{
    void *copy = arena_array(a, n, size);
    return n ? memcpy(copy, items, n * size) : copy;
}

void arena_shrink(struct arena *a, const void *p, size_t from, size_t to)
{
    size_t was = aligned(from), is = aligned(to);
    struct arena *owner = a;
    while (owner->around) owner = owner->around;
    struct block *b = owner->newest;
    INVARIANT(to <= from);
    if (b->used < was || b->bytes + (b->used - was) != (const char *)p) return;
    b->used -= was - is;
    for (; a; a = a->around) a->handed_out -= was - is;
}

char *arena_cstr(struct arena *a, struct str s)
{
    char *p = take(a, s.n + 1);
    if (s.n) memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return p;
}

struct str arena_str(struct arena *a, struct str s) { return (struct str){arena_cstr(a, s), s.n}; }

struct str arena_printf(struct arena *a, const char *format, ...)
{
    va_list args, again;
    char room[256]; /* most texts are short, and written once */
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(room, sizeof room, format, args);
    INVARIANT(n >= 0);
    char *p = take(a, (size_t)n + 1);
    if ((size_t)n < sizeof room)
        memcpy(p, room, (size_t)n + 1);
    else
        vsnprintf(p, (size_t)n + 1, format, again);
    va_end(args);
    va_end(again);
    return (struct str){p, (size_t)n};
}
