#include "jail/warm.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>

static char error_buffer[4096];

/* A stream without a buffer asks for the size of its file at its first use. */
static bool warm_streams(struct err *e)
{
    if (setvbuf(stderr, error_buffer, _IOLBF, sizeof error_buffer) == 0) return true;
    return err_set(e, EX_OSERR, "the standard error stream takes no buffer");
}

static bool warm_zone(struct err *e)
{
    time_t now = time(NULL);
    struct tm local;
    tzset();
    return localtime_r(&now, &local) != NULL || err_set(e, EX_OSERR, "the local time is not to be had");
}

/* The allocator's first calls ask for the number of cores and for randomness. */
static bool warm_memory(struct err *e)
{
    (void)e;
    void *volatile p = mem_alloc(1024 * 1024);
    free(p);
    return true;
}

const struct warm_step warm_common[] = {{"streams", warm_streams}, {"time zone", warm_zone}, {"memory", warm_memory}};
const size_t warm_common_count = sizeof warm_common / sizeof *warm_common;

bool warm_run(const struct warm_step *steps, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        struct err why = {0};
        if (steps[i].run(&why)) continue;
        return err_set(e, why.sysexit ? why.sysexit : EX_OSERR, "warming up %s: %.300s", steps[i].name, why.text);
    }
    return true;
}
