/* base/arena: memory that is freed all at once: one arena per compilation, one per message.
 *
 * Everything taken from an arena lives until arena_reset or arena_free.  Nothing in an arena is freed alone. */
#ifndef SLUICE_BASE_ARENA_H
#define SLUICE_BASE_ARENA_H

#include "base/str.h"

struct arena;

struct arena *arena_create(void);
/* One that takes from another, with which its memory goes, and counts what it takes; it is neither reset nor freed. */
struct arena *arena_within(struct arena *a);
void arena_free(struct arena **a);  /* NULL-safe; sets *a to NULL */
void arena_reset(struct arena *a);  /* forgets everything, keeps one block for the next message */
size_t arena_used(const struct arena *a); /* bytes handed out since the last reset, to those within it too */

void *arena_alloc(struct arena *a, size_t n); /* zeroed, aligned for any type */
void *arena_array(struct arena *a, size_t n, size_t size);
/* A copy of n items of a size; `items` may be NULL when n is 0. */
void *arena_copy(struct arena *a, const void *items, size_t n, size_t size);
/* Gives back what is behind the first `to` of the `from` bytes at p, when nothing was taken since. */
void arena_shrink(struct arena *a, const void *p, size_t from, size_t to);
struct str arena_str(struct arena *a, struct str s); /* a copy, with a NUL after it */
char *arena_cstr(struct arena *a, struct str s);     /* a copy as a C string; the bytes must hold no NUL to be whole */
struct str arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_array((a), (n), sizeof(type)))

#endif
