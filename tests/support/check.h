/* support/check: cmocka with what it wants included before it, views compared as text, and seeded randomness. */
#ifndef SLUICE_TESTS_SUPPORT_CHECK_H
#define SLUICE_TESTS_SUPPORT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/vec.h"

/* Fails with both texts at the caller's line. */
#define check_str(got, wanted) check_str_at((got), str_of(wanted), __FILE__, __LINE__)
#define check_buf(got, wanted) check_str_at(buf_str(got), str_of(wanted), __FILE__, __LINE__)

static inline void check_str_at(struct str got, struct str wanted, const char *file, int line)
{
    if (str_eq(got, wanted)) return;
    print_error("got    \"%.*s\"\nwanted \"%.*s\"\n", STR_ARG(got), STR_ARG(wanted));
    _fail(file, line);
}

/* splitmix64: the same numbers from the same seed on every machine. */
struct dice {
    uint64_t state;
};

static inline uint64_t dice_roll(struct dice *d, uint64_t sides)
{
    uint64_t z = d->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % sides;
}

#endif
