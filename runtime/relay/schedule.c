#include "relay/schedule.h"

static int64_t delay_of(const struct retry *r, uint32_t attempts)
{
    int64_t first = r->first ? r->first : 1, most = r->most > first ? r->most : first;
    uint32_t doublings = attempts ? attempts - 1 : 0;
    if (doublings > 32) return most;
    int64_t delay = first << doublings;
    return delay < most ? delay : most;
}

struct next_try schedule_next(const struct retry *r, uint32_t attempts, int64_t now, int64_t expires, uint32_t chance)
{
    int64_t delay = delay_of(r, attempts);
    if (now >= expires) {
        if (attempts >= 2) return (struct next_try){.expired = true};
        return (struct next_try){.at = now + delay};
    }
    int64_t jitter = delay / 8;
    int64_t at = now + delay + (jitter ? (int64_t)(chance % (uint64_t)(jitter + 1)) : 0);
    return (struct next_try){.at = at < expires ? at : expires};
}

int64_t schedule_clamp(const struct retry *r, int64_t at, int64_t now)
{
    int64_t furthest = now + delay_of(r, UINT32_MAX);
    furthest += (furthest - now) / 8;
    return at < furthest ? at : furthest;
}
