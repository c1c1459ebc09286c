/* support/mail_shapes: messages of one hostile shape in any size: a head, a unit again and again, a tail; those that once
 * cost too much, and as many more as there are seeds. */
#ifndef SLUICE_TESTS_SUPPORT_MAIL_SHAPES_H
#define SLUICE_TESTS_SUPPORT_MAIL_SHAPES_H

#include "base/arena.h"
#include "base/vec.h"

struct mail_shape {
    const char *name, *head, *unit, *tail;
};
extern const struct mail_shape mail_shapes[];
extern const size_t mail_shape_count;

/* Put together of what means something to readers of mail; named after its seed. */
struct mail_shape mail_shape_random(struct arena *a, uint64_t seed);

/* At least `size` octets of units; the caller frees it. */
struct buf mail_shape_make(const struct mail_shape *s, size_t size);

#endif
