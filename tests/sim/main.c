/* sluice-sim: runs seeds, each in a process of its own, and tells what did not hold.
 *
 *   sluice-sim [--seeds N] [--first N] [--jobs N] [--mistake NAME] [--twice]     many seeds; --twice: each must repeat
 * itself sluice-sim --seed N [--trace]                                               one, the same every time
 *
 * A seed: a relay is started on an empty disk, clients send through it, and for a while (the storm) whatever troubles
 * the seed has come to it; then it is calm, until every mail has come to its end; then the history is judged. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <sqlite3.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "relay/relay.h"
#include "store/sqlite.h"
#include "tests/sim/sim.h"

enum {
    LAST_ANSWERS_MS = 250,
    EVENTS_MOST = 3000000,
    SECONDS_MOST = 120,
    STARTS_MOST = 500,
    LOOK_SECONDS = 60,
    DAYS_MOST = 30
};

struct house {
    struct store *store;
    struct store_port store_port;
    struct content_port content;
    struct relay *relay;
    struct log *log;
    struct relay_ports ports;
    struct net_timer last_answers;
    bool stands, leaving;
    int status;
};
static struct house *house; /* of this life; one that was killed is left as it lies */
static unsigned starts;
static bool closing_time, over;

static void start_relay(void *unused);

/* --- a life ------------------------------------------------------------------------------------------------------- */

static void end_life(void)
{
    world.life++;
    house = NULL;
    sim_net_forget();
    channels_forget();
    sim_fibers_forget();
    vfs_forget();
    libc_forget();
    disk_close_all();
}

static void start_again(void) { sim_after(sim_between(100000, SECONDS(3)), start_relay, NULL); }

/* As daemon/relay_main does: after a failed disk nothing more is written. */
static void dismantle(void *what)
{
    struct house *h = what;
    if (h != house) return;
    sim_trace("relay ended: %d", h->status);
    if (h->status != EX_IOERR) {
        store_close(&h->store);
        relay_free(&h->relay);
        log_free(&h->log);
    }
    bool good = h->status == EX_OK;
    end_life();
    if (good && closing_time)
        over = true;
    else
        start_again();
}

static void on_stopped(void *owner, int status)
{
    struct house *h = owner;
    if (!h->status) h->status = status;
    if (!h->leaving) sim_after(0, dismantle, h);
    h->leaving = true;
}

static void on_last_answers(void *owner) { on_stopped(owner, EX_IOERR); }

static void on_fatal(void *owner, const struct err *e)
{
    struct house *h = owner;
    const struct net_port *net = sim_net();
    sim_trace("store failed: %s", e->text);
    h->status = EX_IOERR;
    h->last_answers = (struct net_timer){.fired = on_last_answers, .owner = h};
    net->timer_set(net->self, &h->last_answers, LAST_ANSWERS_MS);
}

static void readable(void *unused)
{
    (void)unused;
    if (house && house->store) store_drain(house->store);
}

static void start_relay(void *unused)
{
    struct err e = {0};
    static const struct store_options options = {.spool_threshold = 3000, .spool_over = 100000};
    (void)unused;
    if (house) return; /* two things ended it, and one start was enough */
    world.life++;
    if (++starts > STARTS_MOST) {
        sim_violation("the relay was started %u times", starts);
        over = true;
        return;
    }
    struct house *h = house = mem_alloc(sizeof *h);
    sqlite3_randomness(0, NULL); /* it asks the world again: a seed must not depend on the one before */
    if (starts > 1) history_look_at_disk();
    vfs_forget();
    sim_trace("relay starts");
    h->store = store_open("/sim", &options, &e);
    if (!h->store) {
        sim_trace("no start: %s", e.text);
        if (e.sysexit == EX_DATAERR) sim_violation("the queue is damaged: %s", e.text);
        end_life();
        if (e.sysexit == EX_DATAERR)
            over = true;
        else
            sim_after(SECONDS(5), start_relay, NULL);
        return;
    }
    store_on_fatal(h->store, on_fatal, h);
    h->store_port = store_port_of(h->store);
    h->content = store_content_of(h->store);
    if (world.tracing) h->log = log_create(STDOUT_FILENO, LOG_LEVEL_DEBUG, false);
    h->ports = (struct relay_ports){.net = sim_net(),
                                    .store = &h->store_port,
                                    .content = &h->content,
                                    .log = h->log,
                                    .build_id = STR("build"),
                                    .judges = 2,
                                    .own_uid = 500,
                                    .stopped = on_stopped,
                                    .owner = h};
    h->relay = relay_create(&h->ports);
    relay_begin(h->relay, channels_supervisor());
    channels_control();
    channels_generation();
    h->stands = true;
}

/* --- what comes over the house ------------------------------------------------------------------------------------ */

static void killed(void *unused)
{
    (void)unused;
    if (!house || world.calm) return;
    sim_trace("killed");
    history_excuse_duplicates();
    end_life();
    start_again();
}

static void power_cut(void *unused)
{
    (void)unused;
    if (world.calm) return;
    sim_trace("power cut");
    history_power_cut();
    end_life();
    disk_power_cut();
    start_again();
}

static void asked_to_stop(void *unused)
{
    (void)unused;
    if (house && house->stands) channels_stop();
}

static void reloaded(void *unused)
{
    (void)unused;
    if (house && house->stands) channels_generation();
}

static void disk_is_free(void *unused)
{
    (void)unused;
    disk_fill(false);
}

static void disk_is_full(void *unused)
{
    (void)unused;
    if (world.calm) return;
    disk_fill(true);
    sim_after(sim_between(SECONDS(1), MINUTES(5)), disk_is_free, NULL);
}

static void writes_fail(void *unused)
{
    (void)unused;
    disk_fail(1 + (unsigned)sim_roll(3));
}

static void jump(int64_t most)
{
    int64_t by = sim_between(-most, most);
    sim_trace("the clock jumps by %lld s", (long long)(by / 1000000));
    world.utc_shift_us += by;
}
static void jump_hours(void *unused)
{
    (void)unused;
    jump(HOURS(12));
}
static void jump_days(void *unused)
{
    (void)unused;
    jump(DAYS(10));
}
static void jump_years(void *unused)
{
    (void)unused;
    jump(DAYS(5 * 365));
}

static const struct {
    enum trouble_point point;
    sim_action *action;
} visits[] = {
    {POINT_KILLED, killed},           {POINT_POWER_CUT, power_cut},
    {POINT_STOPPED, asked_to_stop},   {POINT_RELOADED, reloaded},
    {POINT_DISK_FULL, disk_is_full},  {POINT_CLOCK_HOURS, jump_hours},
    {POINT_CLOCK_DAYS, jump_days},    {POINT_CLOCK_YEARS, jump_years},
    {POINT_WRITE_FAILS, writes_fail}, {POINT_OPERATORS, operators_visit},
};

static void calm_begins(void *unused)
{
    (void)unused;
    sim_trace("calm");
    world.calm = true;
    disk_fill(false);
    operators_release();
}

static void plan_visits(void)
{
    int64_t storm = sim_roll(3) ? sim_between(SECONDS(30), MINUTES(10)) : sim_between(MINUTES(10), HOURS(6));
    for (size_t i = 0; i < sizeof visits / sizeof *visits; i++)
        for (int k = 0; k < 3; k++)
            if (sim_happens(visits[i].point)) sim_after(sim_between(1, storm), visits[i].action, NULL);
    sim_after(storm, calm_begins, NULL);
}

/* --- the end: nothing is queued any more -------------------------------------------------------------------------- */

struct look {
    struct store_query query;
    uint64_t waiting;
};

static void on_count(void *owner, const uint64_t by_state[RECIPIENT_STATE_COUNT])
{
    struct look *l = owner;
    l->waiting = by_state[RECIPIENT_QUEUED];
    if (by_state[RECIPIENT_DAMAGED])
        sim_violation("%llu recipients are set aside as damaged", (unsigned long long)by_state[RECIPIENT_DAMAGED]);
}

static void on_counted(void *owner, bool ok, const struct err *e)
{
    struct look *l = owner;
    (void)e;
    if (ok && !l->waiting && clients_are_done() && operators_are_done()) {
        closing_time = true;
        asked_to_stop(NULL);
    }
}

static void look(void *unused)
{
    (void)unused;
    if (!closing_time) sim_after(SECONDS(LOOK_SECONDS), look, NULL);
    if (!world.calm || closing_time || !house || !house->stands || house->leaving) return;
    struct look *l = mem_alloc(sizeof *l);
    l->query = (struct store_query){.kind = QUERY_COUNT, .count = on_count, .done = on_counted, .owner = l};
    house->store_port.query(house->store_port.self, &l->query);
}

static void run_seed(uint64_t seed)
{
    world_begin(seed);
    libc_store_readable = readable;
    start_relay(NULL);
    plan_visits();
    clients_begin();
    look(NULL);
    while (!over && sim_step()) {
        if (world.tracing && house && house->log) {
            log_flush(house->log);
            log_set_time(house->log, sim_utc());
        }
        if (world.events > EVENTS_MOST || world.mono_us > DAYS(DAYS_MOST)) {
            sim_violation("it does not come to rest: %u events, %lld s", world.events,
                          (long long)(world.mono_us / 1000000));
            over = true;
        }
    }
    history_judge();
}

static void on_changed(void *owner, bool ok, const struct err *e)
{
    (void)e;
    INVARIANT(ok);
    *(bool *)owner = true;
}

static void change(struct store *s, struct store_change *c)
{
    struct store_port p = store_port_of(s);
    bool done = false;
    c->done = on_changed;
    c->owner = &done;
    p.change(p.self, c);
    while (!done) {
        sim_fibers_turn();
        store_drain(s);
    }
}

/* The disk every seed begins with: a store that was made, has its reserve in the database and its log begun anew, and
 * was closed.  So no seed has to write eight megabytes first. */
static void make_image(void)
{
    struct err e = {0};
    world_begin(0);
    memset(world.chance, 0, sizeof world.chance);
    world.life = 1;
    libc_store_readable = readable;
    struct store *s = store_open("/sim", NULL, &e);
    INVARIANT(s != NULL);
    for (int i = 0; i < 3; i++) {
        struct store_change c = {.kind = CHANGE_SUSPEND};
        change(s, &c);
        c.kind = CHANGE_RESUME;
        change(s, &c);
    }
    store_close(&s);
    end_life();
    disk_settle();
    memset(world.met, 0, sizeof world.met);
}

/* --- many seeds --------------------------------------------------------------------------------------------------- */

struct tally {
    uint64_t seeds, failed, mails, acked, refused, unknown, events, virtual_seconds, met[TROUBLE_POINTS],
        met_seeds[TROUBLE_POINTS];
    uint64_t hash; /* of the last seed */
};
static struct tally *tally; /* shared with the children */

static void count(uint64_t *what, uint64_t n) { __atomic_add_fetch(what, n, __ATOMIC_RELAXED); }

static void account(void)
{
    count(&tally->seeds, 1);
    count(&tally->events, world.events);
    count(&tally->virtual_seconds, (uint64_t)(world.mono_us / 1000000));
    count(&tally->mails, history_count());
    for (unsigned i = 1; i <= history_count(); i++) {
        uint8_t fate = history_mail(i)->fate;
        if (fate == FATE_ACKED) count(&tally->acked, 1);
        if (fate == FATE_REFUSED) count(&tally->refused, 1);
        if (fate == FATE_UNKNOWN) count(&tally->unknown, 1);
    }
    for (int i = 0; i < TROUBLE_POINTS; i++) {
        count(&tally->met[i], world.met[i]);
        count(&tally->met_seeds[i], world.met[i] > 0);
    }
    tally->hash = world.hash;
}

static pid_t begin_child(uint64_t seed)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid) return pid;
    alarm(SECONDS_MOST);
    run_seed(seed);
    account();
    fflush(stdout);
    _exit(sim_violations() ? 1 : 0);
}

static void ended(uint64_t seed, int status)
{
    if (status == 0) return;
    tally->failed++;
    if (WIFSIGNALED(status)) printf("seed %llu: died of signal %d\n", (unsigned long long)seed, WTERMSIG(status));
    printf("replay: sluice-sim --seed %llu --trace\n", (unsigned long long)seed);
}

/* At most `jobs` at once; stops after `failures`, if that is not 0. */
static void run_many(uint64_t first, uint64_t n, unsigned jobs, uint64_t failures)
{
    struct {
        pid_t pid;
        uint64_t seed;
    } running[64] = {{0}};
    unsigned alive = 0;
    for (uint64_t next = first; next < first + n || alive;) {
        bool enough = failures && tally->failed >= failures;
        if (enough && !alive) return;
        if (!enough && next < first + n && alive < jobs) {
            for (unsigned i = 0; i < jobs; i++) {
                if (running[i].pid) continue;
                running[i].seed = next;
                running[i].pid = begin_child(next++);
                alive++;
                break;
            }
            continue;
        }
        int status;
        pid_t pid = wait(&status);
        for (unsigned i = 0; i < jobs; i++) {
            if (running[i].pid != pid) continue;
            ended(running[i].seed, status);
            running[i].pid = 0;
            alive--;
        }
    }
}

static void print_tally(void)
{
    unsigned points = 0;
    for (int i = 0; i < TROUBLE_POINTS; i++) {
        points += tally->met[i] > 0;
        printf("# %-20s met %8llu times in %7llu seeds\n", trouble_names[i], (unsigned long long)tally->met[i],
               (unsigned long long)tally->met_seeds[i]);
    }
    printf("# %llu seeds, %llu failed; %llu mails: %llu acked, %llu refused, %llu unknown; %llu events, %.1f years; "
           "%u of %d points of trouble met\n",
           (unsigned long long)tally->seeds, (unsigned long long)tally->failed, (unsigned long long)tally->mails,
           (unsigned long long)tally->acked, (unsigned long long)tally->refused, (unsigned long long)tally->unknown,
           (unsigned long long)tally->events, (double)tally->virtual_seconds / (365.25 * 86400), points,
           (int)TROUBLE_POINTS);
}

/* Each seed twice: the same to the last byte. */
static void run_twice(uint64_t first, uint64_t n)
{
    for (uint64_t seed = first; seed < first + n; seed++) {
        run_many(seed, 1, 1, 0);
        uint64_t hash = tally->hash;
        run_many(seed, 1, 1, 0);
        if (hash == tally->hash) continue;
        printf("seed %llu: two runs differ\n", (unsigned long long)seed);
        tally->failed++;
    }
}

int main(int argc, char **argv)
{
    uint64_t first = 1, n = 1000, failures = 0;
    unsigned jobs = 1;
    bool one = false, twice = false; /* one: what the library says on standard error is wanted too */
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (!strcmp(argv[i], "--trace"))
            world.tracing = true;
        else if (!strcmp(argv[i], "--twice"))
            twice = true;
        else if (!strcmp(argv[i], "--mistake"))
            world.mistake = argv[++i];
        else if (!strcmp(argv[i], "--jobs"))
            jobs = (unsigned)atoi(value), i++;
        else if (!strcmp(argv[i], "--seeds"))
            n = strtoull(value, NULL, 10), i++;
        else if (!strcmp(argv[i], "--first"))
            first = strtoull(value, NULL, 10), i++;
        else if (!strcmp(argv[i], "--failures"))
            failures = strtoull(value, NULL, 10), i++;
        else if (!strcmp(argv[i], "--seed"))
            first = strtoull(value, NULL, 10), n = 1, one = true, i++;
        else
            return fprintf(stderr, "sluice-sim: what is %s?\n", argv[i]), EX_USAGE;
    }
    if (jobs < 1 || jobs > 64) jobs = 1;
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    map_seed(1); /* before any map: the judges live in this process, too */
    vfs_register();
    channels_prepare();
    make_image();
    if (!one && !freopen("/dev/null", "w", stderr)) return EX_OSERR;
    if (twice)
        run_twice(first, n);
    else
        run_many(first, n, jobs, failures);
    if (!one) print_tally();
    return tally->failed ? 1 : 0;
}
