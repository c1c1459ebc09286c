/* tests/support/near_miss: whether two rule files differ by little, so that a "near miss" is one. */
#ifndef SLUICE_TESTS_NEAR_MISS_H
#define SLUICE_TESTS_NEAR_MISS_H

#include "base/str.h"

/* Some line of `shown` that `near` has not, and some line of `near` that `shown` has not, have half of their words in
 * common, in one order. */
bool near_miss_is_near(struct str shown, struct str near);

#endif
