/* support/mail_shapes: messages of one hostile shape in any size: a head, a unit again and again, a tail. */
#ifndef SLUICE_TESTS_SUPPORT_MAIL_SHAPES_H
#define SLUICE_TESTS_SUPPORT_MAIL_SHAPES_H

#include "base/vec.h"

struct mail_shape {
    const char *name, *head, *unit, *tail;
};
extern const struct mail_shape mail_shapes[];
extern const size_t mail_shape_count;

/* At least `size` octets of units; the caller frees it. */
struct buf mail_shape_make(const struct mail_shape *s, size_t size);

#endif
