/* relay/schedule: when a recipient is tried again.  Pure. */
#ifndef SLUICE_RELAY_SCHEDULE_H
#define SLUICE_RELAY_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

struct retry {
    uint32_t first, most; /* seconds: the first and the longest delay */
};

struct next_try {
    bool expired;
    int64_t at; /* UTC seconds, when not expired */
};

/* After the `attempts`-th failed attempt (from 1) at `now`.  The delay doubles from `first` up to `most`, plus up to an
 * eighth by chance (`chance` is any random number), so that what failed together does not come back together; the last
 * attempt falls on `expires`.  Expired: `expires` is reached and there were at least two attempts, so a clock that
 * jumped ahead cannot return mail that was tried but once.  RFC 5321 section 4.5.4.1. */
struct next_try schedule_next(const struct retry *r, uint32_t attempts, int64_t now, int64_t expires, uint32_t chance);

/* A due time read from the store, held to what the schedule could have meant: never later than the longest delay from
 * now, so a clock that was ahead cannot strand mail. */
int64_t schedule_clamp(const struct retry *r, int64_t at, int64_t now);

#endif
