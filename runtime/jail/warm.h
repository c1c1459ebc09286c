/* jail/warm: what libc and libraries open lazily is made to happen before a filter forbids it.
 *
 * A role brings its table of steps; each is run once, in order.  A table-driven test runs what each step warms under
 * the filter.  Owns the steps every role shares. */
#ifndef SLUICE_JAIL_WARM_H
#define SLUICE_JAIL_WARM_H

#include "base/err.h"

struct warm_step {
    const char *name;
    bool (*run)(struct err *e);
};

/* Runs them all; false at the first that fails, with *e naming it. */
bool warm_run(const struct warm_step *steps, size_t n, struct err *e);

/* Steps of every role: the streams get their buffers, the time zone is read, the allocator has its first memory. */
extern const struct warm_step warm_common[];
extern const size_t warm_common_count;

#endif
