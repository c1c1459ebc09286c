/* base/vec: growable arrays and byte buffers.
 *
 * VEC(type) declares one on the heap; the holder frees it with VEC_FREE.  A zeroed vec is an empty vec. */
#ifndef SLUICE_BASE_VEC_H
#define SLUICE_BASE_VEC_H

#include <stdlib.h>

#include "base/err.h"
#include "base/str.h"

#define VEC(type)      \
    struct {           \
        type *v;       \
        size_t n, cap; \
    }

#define VEC_RESERVE(vec, want)                                               \
    do {                                                                     \
        if ((vec)->cap < (want)) {                                           \
            (vec)->cap = (want) > 2 * (vec)->cap ? (want) : 2 * (vec)->cap;  \
            (vec)->v = mem_grow((vec)->v, (vec)->cap, sizeof *(vec)->v);     \
        }                                                                    \
    } while (0)

#define VEC_PUSH(vec, ...)                                      \
    do {                                                        \
        VEC_RESERVE((vec), (vec)->n + ((vec)->cap ? 1 : 8));    \
        (vec)->v[(vec)->n++] = (__VA_ARGS__);                   \
    } while (0)

#define VEC_FREE(vec)                \
    do {                             \
        free((vec)->v);              \
        (vec)->v = NULL;             \
        (vec)->n = (vec)->cap = 0;   \
    } while (0)

/* A byte buffer on the heap.  A zeroed buf is an empty one. */
struct buf {
    char *p;
    size_t n, cap;
};

void buf_free(struct buf *b);
void buf_reserve(struct buf *b, size_t more); /* room for `more` further bytes */
void buf_add(struct buf *b, struct str s);
void buf_add_byte(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_consume(struct buf *b, size_t n); /* drops the first n bytes */
/* Valid until the next change. */
static inline struct str buf_str(const struct buf *b) { return (struct str){b->p, b->n}; }

#endif
