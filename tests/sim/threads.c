/* The store's threads as fibers of this one thread.
 *
 * The library's calls of pthread_… come here (the linker's --wrap); the threads' functions are the product's own, and
 * run on stacks of their own until they wait for a condition, or for the disk.  When they go on is an event like any
 * other, so the same seed brings the same order.  A fiber never gives up its turn inside the lock. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>

#include "tests/sim/sim.h"

enum { STACK = 1024 * 1024, UNLOCK_TURNS = 8 };

struct fiber {
    struct fiber *next;
    ucontext_t context;
    void *(*run)(void *);
    void *argument;
    pthread_cond_t *waits_for; /* NULL: it does not */
    struct sim_event *due;     /* when it goes on by itself */
    bool done, signalled;
};

static struct fiber *fibers, *current;
static ucontext_t outside;

/* The wrapped names; their headers are the system's. */
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);
int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *a);
int __wrap_pthread_mutex_destroy(pthread_mutex_t *m);
int __wrap_pthread_mutex_lock(pthread_mutex_t *m);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *m);
int __wrap_pthread_cond_init(pthread_cond_t *c, const pthread_condattr_t *a);
int __wrap_pthread_cond_destroy(pthread_cond_t *c);
int __wrap_pthread_cond_signal(pthread_cond_t *c);
int __wrap_pthread_cond_broadcast(pthread_cond_t *c);
int __wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);
int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until);

static void begin(void)
{
    struct fiber *f = current;
    f->run(f->argument);
    f->done = true;
    current = NULL;
    setcontext(&outside);
}

static void resume(void *what)
{
    struct fiber *f = what;
    INVARIANT(!current && !f->done);
    f->due = NULL;
    f->waits_for = NULL;
    current = f;
    swapcontext(&outside, &f->context);
    current = NULL;
}

static void go_on_in(struct fiber *f, int64_t us)
{
    sim_cancel(&f->due);
    f->due = sim_after_alive(us, resume, f);
}

static void give_up_turn(void)
{
    struct fiber *f = current;
    current = NULL;
    swapcontext(&f->context, &outside);
    current = f;
}

void sim_fiber_pause(int64_t us)
{
    if (!current) return;
    go_on_in(current, us);
    give_up_turn();
}

/* Who only waits for a time to pass comes after those who can go on. */
static bool goes_before(const struct fiber *a, const struct fiber *b)
{
    bool a_idle = a->waits_for && !a->signalled, b_idle = b->waits_for && !b->signalled;
    return a_idle != b_idle ? b_idle : sim_event_at(a->due) < sim_event_at(b->due);
}

bool sim_fibers_turn(void)
{
    struct fiber *chosen = NULL;
    INVARIANT(!current);
    for (struct fiber *f = fibers; f; f = f->next)
        if (!f->done && f->due && (!chosen || goes_before(f, chosen))) chosen = f;
    if (!chosen) return false;
    sim_cancel(&chosen->due);
    resume(chosen);
    return true;
}

void sim_fibers_forget(void) { fibers = NULL; }

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
    (void)attributes;
    struct fiber *f = mem_alloc(sizeof *f);
    f->run = run;
    f->argument = argument;
    getcontext(&f->context);
    f->context.uc_stack.ss_sp =
        mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    INVARIANT(f->context.uc_stack.ss_sp != MAP_FAILED);
    f->context.uc_stack.ss_size = STACK;
    makecontext(&f->context, begin, 0);
    f->next = fibers;
    fibers = f;
    go_on_in(f, sim_between(0, 200));
    memcpy(thread, &f, sizeof f);
    return 0;
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
    struct fiber *f;
    (void)result;
    memcpy(&f, &thread, sizeof f);
    while (!f->done) INVARIANT(sim_fibers_turn());
    return 0;
}

/* --- locks: whoever runs has them all ----------------------------------------------------------------------------- */

int __wrap_pthread_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *a)
{
    (void)m, (void)a;
    return 0;
}
int __wrap_pthread_mutex_destroy(pthread_mutex_t *m)
{
    (void)m;
    return 0;
}
int __wrap_pthread_mutex_lock(pthread_mutex_t *m)
{
    (void)m;
    return 0;
}

/* Where a lock ends another may come first. */
int __wrap_pthread_mutex_unlock(pthread_mutex_t *m)
{
    (void)m;
    if (current && sim_roll(UNLOCK_TURNS) == 0) sim_fiber_pause(sim_between(0, 300));
    return 0;
}

int __wrap_pthread_cond_init(pthread_cond_t *c, const pthread_condattr_t *a)
{
    (void)c, (void)a;
    return 0;
}
int __wrap_pthread_cond_destroy(pthread_cond_t *c)
{
    (void)c;
    return 0;
}

static void wake(pthread_cond_t *c, bool all)
{
    for (struct fiber *f = fibers; f; f = f->next) {
        if (f->waits_for != c || f->signalled) continue;
        f->signalled = true;
        go_on_in(f, sim_between(0, 500));
        if (!all) return;
    }
}

int __wrap_pthread_cond_signal(pthread_cond_t *c)
{
    wake(c, false);
    return 0;
}
int __wrap_pthread_cond_broadcast(pthread_cond_t *c)
{
    wake(c, true);
    return 0;
}

static bool wait_for(pthread_cond_t *c)
{
    INVARIANT(current != NULL);
    struct fiber *f = current;
    f->waits_for = c;
    f->signalled = false;
    give_up_turn();
    return f->signalled;
}

int __wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
    (void)m;
    if (!current) { /* the loop's thread never waits here */
        INVARIANT(!"a wait outside the store's threads");
    }
    wait_for(c);
    return 0;
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until)
{
    (void)m;
    int64_t at = (int64_t)until->tv_sec * 1000000 + until->tv_nsec / 1000;
    int64_t rest = at > world.mono_us ? at - world.mono_us : 0;
    go_on_in(current, rest + (until->tv_nsec % 1000 != 0));
    return wait_for(c) ? 0 : ETIMEDOUT;
}
