/* relay/schedule: when a recipient is tried again, when its mail is returned, when its sender is told of a delay. Pure.
 *
 * Two clocks are asked: the calendar, which may jump, and the seconds really waited, which cannot: they are counted by
 * a monotonic clock while a relay runs, and kept with the recipient.  So neither a clock set wrong nor one set right
 * returns mail that had no fair chance. */
#ifndef SLUICE_RELAY_SCHEDULE_H
#define SLUICE_RELAY_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

enum { SCHEDULE_ATTEMPTS_LEAST = 3 }; /* before mail is returned for its age */

struct retry {
    uint32_t first, most; /* seconds: the first and the longest delay */
    uint32_t until;       /* the lifetime */
    uint32_t notice;      /* after so long the sender is told of the delay; 0: never */
};

struct attempt {
    uint32_t number;      /* of this one, which failed: from 1 */
    int64_t now, expires; /* UTC seconds */
    int64_t waited;       /* seconds, by the clock that does not jump */
    bool noticed;         /* the sender was told already */
    int64_t lifetime;     /* seconds from its arrival to `expires`; 0: not known */
};

struct next_try {
    bool expired;
    bool notice; /* tell the sender of the delay */
    int64_t at;  /* UTC seconds, when not expired */
};

/* The delay doubles from `first` up to `most`, plus up to an eighth by chance (`chance` is any random number), so that
 * what failed together does not come back together; the last attempt falls on `expires`.  Expired: `expires` is
 * reached, or all of the lifetime was really waited (by a calendar that was set back `expires` may be years away); and
 * there were at least three attempts, and half the lifetime was really waited.  RFC 5321 section 4.5.4.1. */
struct next_try schedule_next(const struct retry *r, const struct attempt *a, uint32_t chance);

/* A due time held to what the schedule could have meant: never later than the longest delay from now, so a clock that
 * was ahead cannot strand mail. */
int64_t schedule_clamp(const struct retry *r, int64_t at, int64_t now);

#endif
