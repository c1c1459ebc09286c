#include "net/loop.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "net/core.h"

enum { EVENTS_PER_TURN = 128 };

struct loop_timer {
    uv_timer_t handle;
    struct net_timer *timer; /* NULL: unused */
    struct loop_timer *next;
};

static void free_dropped(struct loop *l);

/* --- the turn ----------------------------------------------------------------------------------------------------- */

static void on_idle(uv_idle_t *h) { (void)h; }

/* The loop must not sleep (nor end) while something waits. */
static void kick(struct loop *l)
{
    if (!uv_is_active((uv_handle_t *)&l->idle)) uv_idle_start(&l->idle, on_idle);
}

static void append(struct work **first, struct work **last, struct work *w)
{
    if (w->queued) return;
    w->queued = true;
    w->next = NULL;
    if (*first)
        (*last)->next = w;
    else
        *first = w;
    *last = w;
}

void loop_queue(struct loop *l, struct work *w)
{
    append(&l->first, &l->last, w);
    kick(l);
}

void loop_queue_flush(struct loop *l, struct work *w)
{
    append(&l->dirty_first, &l->dirty_last, w);
    kick(l);
}

static void cut_out(struct work **first, struct work **last, struct work *w)
{
    struct work *before = NULL;
    for (struct work *i = *first; i; before = i, i = i->next) {
        if (i != w) continue;
        if (before)
            before->next = w->next;
        else
            *first = w->next;
        if (*last == w) *last = before;
        w->queued = false;
        return;
    }
}

void loop_unqueue(struct loop *l, struct work *w)
{
    if (!w->queued) return;
    cut_out(&l->first, &l->last, w);
    cut_out(&l->dirty_first, &l->dirty_last, w);
}

/* Runs what is on the list now; what that queues waits for the next round. */
static void run_list(struct work **first, struct work **last)
{
    struct work *stop = *last;
    while (*first) {
        struct work *w = *first;
        *first = w->next;
        if (!*first) *last = NULL;
        w->queued = false;
        bool was_last = w == stop;
        w->run(w); /* may free w */
        if (was_last) break;
    }
}

/* Right before the loop sleeps: events, then the hooks, then the output of all of it in one write per stream. */
static void on_prepare(uv_prepare_t *h)
{
    struct loop *l = h->data;
    for (int round = 0; round < 8; round++) {
        while (l->first && round < 8) {
            run_list(&l->first, &l->last);
            round++;
        }
        for (size_t i = 0; i < l->hook_count; i++) l->hooks[i].ended(l->hooks[i].owner);
        run_list(&l->dirty_first, &l->dirty_last);
        if (!l->first && !l->dirty_first) break;
    }
    if (!l->first && !l->dirty_first) uv_idle_stop(&l->idle);
    free_dropped(l);
    l->now = l->monotonic = 0;
    if (l->stopping) uv_stop(&l->uv);
}

void loop_on_turn_end(struct loop *l, void (*ended)(void *owner), void *owner)
{
    INVARIANT(l->hook_count < HOOKS_MAX);
    l->hooks[l->hook_count].ended = ended;
    l->hooks[l->hook_count++].owner = owner;
}

void loop_run(struct loop *l)
{
    l->stopping = false;
    uv_run(&l->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *l)
{
    l->stopping = true;
    kick(l);
}

/* --- time and chance ---------------------------------------------------------------------------------------------- */

static int64_t read_clock(clockid_t which)
{
    struct timespec t;
    INVARIANT(clock_gettime(which, &t) == 0);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t port_now(void *self)
{
    struct loop *l = self;
    if (l->now == 0) l->now = read_clock(CLOCK_REALTIME);
    return l->now;
}

static int64_t port_monotonic(void *self)
{
    struct loop *l = self;
    if (l->monotonic == 0) l->monotonic = read_clock(CLOCK_MONOTONIC);
    return l->monotonic;
}

static int32_t port_utc_offset(void *self, int64_t utc_seconds)
{
    (void)self;
    time_t t = (time_t)utc_seconds;
    struct tm tm;
    return localtime_r(&t, &tm) ? (int32_t)tm.tm_gmtoff : 0;
}

static void port_random(void *self, void *out, size_t n)
{
    (void)self;
    char *p = out;
    while (n) {
        size_t part = n < 256 ? n : 256; /* up to 256 bytes the call is whole and never interrupted */
        INVARIANT(getrandom(p, part, 0) == (ssize_t)part);
        p += part;
        n -= part;
    }
}

/* --- timers ------------------------------------------------------------------------------------------------------- */

static void give_back(struct loop *l, struct loop_timer *lt)
{
    lt->timer = NULL;
    lt->next = l->timers;
    l->timers = lt;
}

static void on_timer(uv_timer_t *h)
{
    struct loop_timer *lt = h->data;
    struct net_timer *t = lt->timer;
    t->impl = NULL;
    give_back(h->loop->data, lt);
    t->fired(t->owner); /* may free t, or set it again */
}

void loop_timer_set(struct loop *l, struct net_timer *t, int64_t after_ms)
{
    struct loop_timer *lt = t->impl;
    if (!lt) {
        lt = l->timers;
        if (lt) {
            l->timers = lt->next;
        } else {
            lt = mem_alloc(sizeof *lt);
            INVARIANT(uv_timer_init(&l->uv, &lt->handle) == 0);
            lt->handle.data = lt;
        }
        lt->timer = t;
        t->impl = lt;
    }
    uv_timer_start(&lt->handle, on_timer, after_ms > 0 ? (uint64_t)after_ms : 0, 0);
}

void loop_timer_clear(struct net_timer *t)
{
    struct loop_timer *lt = t->impl;
    if (!lt) return;
    uv_timer_stop(&lt->handle);
    t->impl = NULL;
    give_back(lt->handle.loop->data, lt);
}

static void port_timer_set(void *self, struct net_timer *t, int64_t after_ms) { loop_timer_set(self, t, after_ms); }

static void port_timer_clear(void *self, struct net_timer *t)
{
    (void)self;
    loop_timer_clear(t);
}

/* --- polled descriptors ------------------------------------------------------------------------------------------- */

static void free_dropped(struct loop *l)
{
    while (l->dropped.next != &l->dropped) {
        struct poller *p = LINK_OWNER(l->dropped.next, struct poller, link);
        link_remove(&p->link);
        free(p);
    }
}

static void on_epoll(uv_poll_t *h, int status, int events)
{
    struct loop *l = h->data;
    struct epoll_event ready[EVENTS_PER_TURN];
    (void)status;
    (void)events;
    int n = epoll_wait(l->epoll, ready, EVENTS_PER_TURN, 0);
    for (int i = 0; i < n; i++) {
        struct poller *p = ready[i].data.ptr;
        int what = 0;
        if (ready[i].events & EPOLLIN) what |= UV_READABLE;
        if (ready[i].events & EPOLLOUT) what |= UV_WRITABLE;
        if (ready[i].events & (EPOLLERR | EPOLLHUP)) what = p->events; /* reading or writing will say what it is */
        what &= p->events;                                             /* changed, or dropped, by an event before it */
        if (what) p->ready(p->owner, what);
    }
    free_dropped(l);
}

struct poller *poller_create(struct loop *l, int fd, void (*ready)(void *owner, int events), void *owner)
{
    struct poller *p = mem_alloc(sizeof *p);
    p->loop = l;
    p->fd = fd;
    p->ready = ready;
    p->owner = owner;
    link_add(&l->pollers, &p->link);
    return p;
}

static void count_polled(struct loop *l, bool more)
{
    l->polled += more ? 1 : (size_t)-1;
    if (more && l->polled == 1) uv_ref((uv_handle_t *)&l->ready);
    if (!more && l->polled == 0) uv_unref((uv_handle_t *)&l->ready);
}

void poller_want(struct poller *p, int events)
{
    if (p->events == events) return;
    struct epoll_event e = {.data.ptr = p};
    if (events & UV_READABLE) e.events |= EPOLLIN;
    if (events & UV_WRITABLE) e.events |= EPOLLOUT;
    int how = !p->events ? EPOLL_CTL_ADD
              : events   ? EPOLL_CTL_MOD
                         : EPOLL_CTL_DEL; /* with no event left it would still tell errors */
    INVARIANT(epoll_ctl(p->loop->epoll, how, p->fd, &e) == 0);
    if (!p->events || !events) count_polled(p->loop, events != 0);
    p->events = events;
}

void poller_forget(struct poller **p)
{
    if (!*p) return;
    struct loop *l = (*p)->loop;
    if ((*p)->events) count_polled(l, false);
    (*p)->events = 0;
    link_remove(&(*p)->link);
    link_add(&l->dropped, &(*p)->link);
    *p = NULL;
}

void poller_free(struct poller **p)
{
    if (!*p) return;
    poller_want(*p, 0);
    poller_forget(p);
}

/* --- wake-ups, watches, signals ----------------------------------------------------------------------------------- */

struct loop_wake {
    uv_async_t handle;
    void (*woken)(void *owner);
    void *owner;
};

static void on_wake(uv_async_t *h)
{
    struct loop_wake *w = (struct loop_wake *)h;
    w->woken(w->owner);
}

struct loop_wake *loop_wake_create(struct loop *l, void (*woken)(void *owner), void *owner)
{
    struct loop_wake *w = mem_alloc(sizeof *w);
    INVARIANT(uv_async_init(&l->uv, &w->handle, on_wake) == 0);
    w->woken = woken;
    w->owner = owner;
    return w;
}

void loop_wake_send(struct loop_wake *w) { uv_async_send(&w->handle); }

static void on_handle_closed(uv_handle_t *h) { free(h); }

void loop_wake_free(struct loop_wake **w)
{
    if (!*w) return;
    uv_close((uv_handle_t *)&(*w)->handle, on_handle_closed);
    *w = NULL;
}

struct loop_watch {
    struct poller *poller;
    void (*readable)(void *owner);
    void *owner;
};

static void on_watch(void *owner, int events)
{
    struct loop_watch *w = owner;
    (void)events;
    w->readable(w->owner);
}

struct loop_watch *loop_watch_create(struct loop *l, int fd, void (*readable)(void *owner), void *owner)
{
    struct loop_watch *w = mem_alloc(sizeof *w);
    w->readable = readable;
    w->owner = owner;
    w->poller = poller_create(l, fd, on_watch, w);
    poller_want(w->poller, UV_READABLE);
    return w;
}

void loop_watch_free(struct loop_watch **w)
{
    if (!*w) return;
    poller_free(&(*w)->poller);
    free(*w);
    *w = NULL;
}

struct loop_signal {
    uv_signal_t handle;
    void (*raised)(void *owner, int signum);
    void *owner;
};

static void on_signal(uv_signal_t *h, int signum)
{
    struct loop_signal *s = (struct loop_signal *)h;
    s->raised(s->owner, signum);
}

struct loop_signal *loop_signal_create(struct loop *l, int signum, void (*raised)(void *owner, int signum), void *owner)
{
    struct loop_signal *s = mem_alloc(sizeof *s);
    INVARIANT(uv_signal_init(&l->uv, &s->handle) == 0);
    s->raised = raised;
    s->owner = owner;
    INVARIANT(uv_signal_start(&s->handle, on_signal, signum) == 0);
    return s;
}

void loop_signal_free(struct loop_signal **s)
{
    if (!*s) return;
    uv_close((uv_handle_t *)&(*s)->handle, on_handle_closed);
    *s = NULL;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

struct loop *loop_create(struct err *e)
{
    struct loop *l = mem_alloc(sizeof *l);
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    int rc = l->epoll < 0 ? -errno : uv_loop_init(&l->uv);
    if (rc != 0) {
        err_set(e, EX_OSERR, "cannot create the event loop: %s", uv_strerror(rc));
        if (l->epoll >= 0) close(l->epoll);
        free(l);
        return NULL;
    }
    signal(SIGPIPE, SIG_IGN);
    l->uv.data = l;
    l->buffer = mem_alloc(DATAGRAM_MAX);
    l->plain = mem_alloc(READ_MAX);
    link_init(&l->streams);
    link_init(&l->channels);
    link_init(&l->listeners);
    link_init(&l->questions);
    link_init(&l->pollers);
    link_init(&l->dropped);
    INVARIANT(uv_poll_init(&l->uv, &l->ready, l->epoll) == 0 && uv_poll_start(&l->ready, UV_READABLE, on_epoll) == 0);
    l->ready.data = l;
    uv_unref((uv_handle_t *)&l->ready);
    INVARIANT(uv_prepare_init(&l->uv, &l->prepare) == 0 && uv_idle_init(&l->uv, &l->idle) == 0);
    l->prepare.data = l;
    uv_prepare_start(&l->prepare, on_prepare);
    uv_unref((uv_handle_t *)&l->prepare); /* alone it is no reason to go on */
    l->port = (struct net_port){
        .self = l,
        .now = port_now,
        .monotonic = port_monotonic,
        .utc_offset = port_utc_offset,
        .random = port_random,
        .timer_set = port_timer_set,
        .timer_clear = port_timer_clear,
    };
    stream_fill_port(&l->port);
    listen_fill_port(&l->port);
    channel_fill_port(&l->port);
    dns_fill_port(&l->port);
    local_fill_port(&l->port);
    return l;
}

const struct net_port *loop_port(struct loop *l) { return &l->port; }

static void close_left(uv_handle_t *h, void *arg)
{
    (void)arg;
    if (uv_is_closing(h)) return;
    struct loop *l = h->loop->data;
    bool ours = h == (uv_handle_t *)&l->prepare || h == (uv_handle_t *)&l->idle || h == (uv_handle_t *)&l->ready;
    if (h->type == UV_TIMER && ((struct loop_timer *)h)->timer) ((struct loop_timer *)h)->timer->impl = NULL;
    uv_close(h, ours ? NULL : on_handle_closed); /* timers, wake-ups, signals: each one allocation */
}

void loop_free(struct loop **l)
{
    if (!*l) return;
    stream_end_all(*l);
    listen_end_all(*l);
    channel_end_all(*l);
    dns_end(*l);
    uv_walk(&(*l)->uv, close_left, NULL);
    uv_run(&(*l)->uv, UV_RUN_DEFAULT);
    INVARIANT(uv_loop_close(&(*l)->uv) == 0);
    free_dropped(*l);
    while ((*l)->pollers.next != &(*l)->pollers) { /* of watches that outlive the loop: theirs to free no more */
        struct poller *p = LINK_OWNER((*l)->pollers.next, struct poller, link);
        link_remove(&p->link);
        free(p);
    }
    close((*l)->epoll);
    free((*l)->buffer);
    free((*l)->plain);
    free(*l);
    *l = NULL;
}
