#include "relay/schedule.h"

static int64_t delay_of(const struct retry *r, uint32_t attempts)
{
    int64_t first = r->first ? r->first : 1, most = r->most > first ? r->most : first;
    uint32_t doublings = attempts ? attempts - 1 : 0;
    if (doublings > 32) return most;
    int64_t delay = first << doublings;
    return delay < most ? delay : most;
}

struct next_try schedule_next(const struct retry *r, const struct attempt *a, uint32_t chance)
{
    int64_t delay = delay_of(r, a->number);
    bool notice = r->notice && !a->noticed && a->waited >= r->notice;
    if (a->now >= a->expires || (a->lifetime && a->waited >= a->lifetime)) {
        if (a->number >= SCHEDULE_ATTEMPTS_LEAST && a->waited >= r->until / 2)
            return (struct next_try){.expired = true};
        return (struct next_try){.at = a->now + delay, .notice = notice};
    }
    int64_t jitter = delay / 8;
    int64_t at = a->now + delay + (jitter ? (int64_t)(chance % (uint64_t)(jitter + 1)) : 0);
    return (struct next_try){.at = at < a->expires ? at : a->expires, .notice = notice};
}

int64_t schedule_clamp(const struct retry *r, int64_t at, int64_t now)
{
    int64_t furthest = now + delay_of(r, UINT32_MAX);
    furthest += (furthest - now) / 8;
    return at < furthest ? at : furthest;
}
