/* support/check: cmocka with what it wants included before it and views compared as text. */
#ifndef SLUICE_TESTS_SUPPORT_CHECK_H
#define SLUICE_TESTS_SUPPORT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/vec.h"
#include "tests/support/dice.h"

/* Fails with both texts at the caller's line. */
#define check_str(got, wanted) check_str_at((got), str_of(wanted), __FILE__, __LINE__)
#define check_buf(got, wanted) check_str_at(buf_str(got), str_of(wanted), __FILE__, __LINE__)

static inline void check_str_at(struct str got, struct str wanted, const char *file, int line)
{
    if (str_eq(got, wanted)) return;
    print_error("got    \"%.*s\"\nwanted \"%.*s\"\n", STR_ARG(got), STR_ARG(wanted));
    _fail(file, line);
}

#endif
