#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim.h"

struct world world;

const char *const trouble_names[TROUBLE_POINTS] = {
#define TROUBLE(name, chance, words) #name,
#include "tests/sim/troubles.def"
#undef TROUBLE
};
static const uint16_t chances[TROUBLE_POINTS] = {
#define TROUBLE(name, chance, words) chance,
#include "tests/sim/troubles.def"
#undef TROUBLE
};

struct sim_event {
    int64_t at;
    uint64_t tie;  /* among events of one time the dice, or the order of making, decide */
    unsigned life; /* 0: the world's */
    sim_action *run;
    void *what;
};

static VEC(struct sim_event *) heap;
static uint64_t made;
static unsigned violations;

/* Which troubles a seed has: few of many, so that each also meets fair weather around it; a tenth of the seeds has
 * none. */
void world_begin(uint64_t seed)
{
    world.seed = seed;
    world.dice.state = seed * 0x9e3779b97f4a7c15u + 1;
    world.hash = 14695981039346656037u;
    world.mono_us = SECONDS(1000);
    world.utc_shift_us = SECONDS(1795474800);
    uint64_t share = sim_roll(10);
    for (int i = 0; i < TROUBLE_POINTS; i++) {
        bool in = sim_roll(20) < share;
        uint64_t strength = 50 + sim_roll(150);
        world.chance[i] = in ? (uint16_t)((chances[i] * strength + 99) / 100) : 0;
    }
}

uint64_t sim_roll(uint64_t sides) { return dice_roll(&world.dice, sides); }
int64_t sim_between(int64_t low, int64_t high) { return low + (int64_t)sim_roll((uint64_t)(high - low + 1)); }

bool sim_happens(enum trouble_point t)
{
    if (world.calm || !world.chance[t] || sim_roll(1000) >= world.chance[t]) return false;
    world.met[t]++;
    return true;
}

int64_t sim_utc(void) { return world.mono_us + world.utc_shift_us; }

void sim_trace(const char *format, ...)
{
    char line[600];
    va_list args;
    int n = snprintf(line, sizeof line, "%lld.%06lld ", (long long)(world.mono_us / 1000000),
                     (long long)(world.mono_us % 1000000));
    va_start(args, format);
    vsnprintf(line + n, sizeof line - (size_t)n, format, args);
    va_end(args);
    for (const char *p = line; *p; p++) world.hash = (world.hash ^ (unsigned char)*p) * 1099511628211u;
    if (!world.tracing) return;
    fprintf(stdout, "%s\n", line);
    fflush(stdout); /* the relay's own log goes between */
}

void sim_violation(const char *format, ...)
{
    va_list args;
    violations++;
    fprintf(stdout, "seed %llu: ", (unsigned long long)world.seed);
    va_start(args, format);
    vfprintf(stdout, format, args);
    va_end(args);
    fputc('\n', stdout);
}

unsigned sim_violations(void) { return violations; }

/* --- events ------------------------------------------------------------------------------------------------------- */

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at != b->at ? a->at < b->at : a->tie < b->tie;
}

static void sift_up(size_t i)
{
    while (i > 0 && before(heap.v[i], heap.v[(i - 1) / 2])) {
        struct sim_event *e = heap.v[i];
        heap.v[i] = heap.v[(i - 1) / 2];
        heap.v[(i - 1) / 2] = e;
        i = (i - 1) / 2;
    }
}

static struct sim_event *take_first(void)
{
    struct sim_event *first = heap.v[0];
    heap.v[0] = heap.v[--heap.n];
    for (size_t i = 0;;) {
        size_t least = i;
        for (size_t k = 2 * i + 1; k <= 2 * i + 2 && k < heap.n; k++)
            if (before(heap.v[k], heap.v[least])) least = k;
        if (least == i) return first;
        struct sim_event *e = heap.v[i];
        heap.v[i] = heap.v[least];
        heap.v[least] = e;
        i = least;
    }
}

static struct sim_event *add(int64_t us, sim_action *run, void *what, unsigned life)
{
    struct sim_event *e = mem_alloc(sizeof *e);
    INVARIANT(us >= 0);
    made++;
    uint64_t tie = sim_happens(POINT_REORDER) ? sim_roll(made + 1) : made;
    *e = (struct sim_event){world.mono_us + us, tie, life, run, what};
    VEC_PUSH(&heap, e);
    sift_up(heap.n - 1);
    return e;
}

struct sim_event *sim_after(int64_t us, sim_action *run, void *what) { return add(us, run, what, 0); }
struct sim_event *sim_after_alive(int64_t us, sim_action *run, void *what) { return add(us, run, what, world.life); }

/* It stays in the heap until its time comes, and is nothing then. */
void sim_cancel(struct sim_event **e)
{
    if (*e) (*e)->run = NULL;
    *e = NULL;
}

int64_t sim_event_at(const struct sim_event *e) { return e->at; }

bool sim_step(void)
{
    while (heap.n) {
        struct sim_event *e = take_first();
        bool due = e->run && (!e->life || e->life == world.life);
        if (due) {
            if (e->at > world.mono_us) world.mono_us = e->at;
            world.events++;
            e->run(e->what);
        }
        free(e);
        if (due) return true;
    }
    return false;
}
