/* The relay process: its ports joined, its warm-up, its filter, its loop. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/json.h"
#include "base/log.h"
#include "base/map.h"
#include "daemon/roles.h"
#include "jail/jail.h"
#include "jail/warm.h"
#include "net/loop.h"
#include "net/warm.h"
#include "relay/relay.h"
#include "store/sqlite.h"

enum { LAST_ANSWERS_MS = 250 }; /* for the 451s of a failed disk to leave */

struct house {
    struct loop *loop;
    struct store *store;
    struct store_port store_port;
    struct content_port content;
    struct log *log;
    struct relay *relay;
    struct loop_watch *watch;
    struct net_timer last_answers;
    int status;
};

static bool warm_digest(struct err *e)
{
    (void)e;
    digest_warm();
    return true;
}

static bool warm_json(struct err *e)
{
    (void)e;
    js_warm();
    return true;
}

static const struct warm_step steps[] = {{"digests", warm_digest}, {"JSON", warm_json}, {"network", net_warm}};

static void on_turn_end(void *owner)
{
    struct house *h = owner;
    const struct net_port *net = loop_port(h->loop);
    log_flush(h->log);
    log_set_time(h->log, net->now(net->self));
}

static void on_answers(void *owner)
{
    struct house *h = owner;
    store_drain(h->store);
}

static void on_stopped(void *owner, int status)
{
    struct house *h = owner;
    if (!h->status) h->status = status;
    loop_stop(h->loop);
}

static void on_last_answers(void *owner) { on_stopped(owner, EX_IOERR); }

/* The disk failed: what is answered now is 451; then the process ends, and the next one looks at the database first. */
static void on_fatal(void *owner, const struct err *e)
{
    struct house *h = owner;
    const struct net_port *net = loop_port(h->loop);
    h->status = EX_IOERR;
    log_begin(h->log, LOG_LEVEL_ERROR, STR(""), "store-failed");
    log_err(h->log, e);
    log_end(h->log);
    fprintf(stderr, "sluiced: relay: the queue cannot be trusted: %s\n", e->text);
    h->last_answers.fired = on_last_answers;
    h->last_answers.owner = h;
    net->timer_set(net->self, &h->last_answers, LAST_ANSWERS_MS);
}

static unsigned judges_by_cores(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores > 2 ? (unsigned)cores - 1 : 1;
}

static bool assemble(struct house *h, const char *state, enum log_form form, struct err *e)
{
    uint64_t seed;
    h->loop = loop_create(e);
    if (!h->loop) return false;
    const struct net_port *net = loop_port(h->loop);
    net->random(net->self, &seed, sizeof seed);
    map_seed(seed);
    h->store = store_open(state, NULL, e);
    if (!h->store) return false;
    store_on_fatal(h->store, on_fatal, h);
    h->store_port = store_port_of(h->store);
    h->content = store_content_of(h->store);
    h->watch = loop_watch_create(h->loop, store_event_fd(h->store), on_answers, h);
    h->log = log_create(STDERR_FILENO, LOG_LEVEL_INFO, false);
    log_set_form(h->log, form);
    log_set_time(h->log, net->now(net->self));
    loop_on_turn_end(h->loop, on_turn_end, h);
    h->relay = relay_create(&(struct relay_ports){
        .net = net,
        .store = &h->store_port,
        .content = &h->content,
        .log = h->log,
        .build_id = role_build_id(),
        .judges = judges_by_cores(),
        .own_uid = geteuid(),
        .stopped = on_stopped,
        .owner = h,
    });
    return true;
}

/* After a failed disk nothing more is written: closing the store would. */
static void dismantle(struct house *h)
{
    /* The store's last answers go to a relay that still stands. */
    loop_watch_free(&h->watch);
    if (h->status != EX_IOERR) store_close(&h->store);
    relay_free(&h->relay);
    log_free(&h->log);
    loop_free(&h->loop);
}

/* Landlock is for this thread and those it makes: so before the store's and the resolver's threads. */
static bool enter(const char *state, const char *user, bool sandbox, struct err *e)
{
    struct err why = {0};
    umask(0077);
    if (!jail_become(user, e)) return false;
    jail_harden_process();
    if (!warm_run(warm_common, warm_common_count, e)) return false;
    if (sandbox && !jail_confine_writes(state, &why))
        fprintf(stderr, "sluiced: relay: going on without: %s\n", why.text);
    return warm_run(steps, sizeof steps / sizeof *steps, e);
}

int relay_main(int argc, char **argv)
{
    struct house h = {0};
    struct err e = {0};
    if (argc != 4) {
        err_set(&e, EX_USAGE, "started by hand: this is sluiced's own business");
        return role_fail("relay", &e);
    }
    bool sandbox = strcmp(argv[2], "off") != 0;
    enum log_form form = strcmp(argv[3], "json") == 0 ? LOG_JSON : LOG_TEXT;
    if (!role_begin("sluiced-relay", ROLE_CHANNEL_FD, &e) || !enter(argv[0], argv[1], sandbox, &e) ||
        !assemble(&h, argv[0], form, &e))
        return role_fail("relay", &e);
    if (!jail_install(JAIL_RELAY, &e) && sandbox) return role_fail("relay", &e);
    relay_begin(h.relay, ROLE_CHANNEL_FD);
    loop_run(h.loop);
    dismantle(&h);
    return h.status;
}
