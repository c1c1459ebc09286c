#include "tests/support/memory_impl.h"

#include <stdio.h>
#include <string.h>

/* --- streams ------------------------------------------------------------------------------------------------------ */

static struct net_stream *stream_new(struct memory *m)
{
    struct net_stream *s = mem_alloc(sizeof *s);
    s->memory = m;
    s->next = m->impl->streams;
    m->impl->streams = s;
    return s;
}

static struct net_stream *port_connect(void *self, const struct net_target *target, const struct net_stream_events *ev,
                                       void *owner)
{
    struct memory *m = self;
    struct net_stream *s = stream_new(m);
    s->events = ev;
    s->owner = owner;
    s->connecting = true;
    for (size_t i = 0; i < sizeof m->servers / sizeof *m->servers; i++) {
        struct memory_server *v = &m->servers[i];
        if (v->port == target->port && (!v->host || str_eq(target->host, str_of(v->host)))) s->server = v;
    }
    return s;
}

static void port_own(void *self, struct net_stream *s, const struct net_stream_events *ev, void *owner)
{
    (void)self;
    s->events = ev;
    s->owner = owner;
}

static int64_t port_uid(void *self, struct net_stream *s)
{
    (void)s;
    return ((struct memory *)self)->peer_uid;
}

static void port_read(void *self, struct net_stream *s, bool on)
{
    (void)self;
    s->reading = on;
}

static size_t port_write(void *self, struct net_stream *s, struct str bytes)
{
    INVARIANT(!s->closing);
    buf_add(&s->out, bytes);
    return ((struct memory *)self)->writes_stick && s->dialled ? s->out.n : 0;
}

static void port_tls_client(void *self, struct net_stream *s, const struct net_tls_client *how)
{
    (void)self;
    s->tls_wanted = true;
    s->tls_verify = how->verify == NET_VERIFY_PKIX;
    s->tls_floor_1_3 = how->floor_1_3;
    if (s->server) snprintf(s->server->tls_name, sizeof s->server->tls_name, "%.*s", STR_ARG(how->name));
    s->in.n = 0;
}

static void port_tls_server(void *self, struct net_stream *s, void *context)
{
    (void)self;
    INVARIANT(context != NULL);
    s->tls_wanted = true;
}

static void port_close(void *self, struct net_stream *s)
{
    (void)self;
    s->closing = true;
}

static void *port_listen(void *self, int fd, void (*accepted)(void *, struct net_stream *, struct str, uint16_t),
                         void *owner)
{
    struct memory *m = self;
    struct mem_listener *l = mem_alloc(sizeof *l);
    INVARIANT(memory_fd(m, fd)->kind == FD_SOCKET);
    l->name = memory_fd(m, fd)->name;
    memory_fd(m, fd)->kind = FD_NONE;
    l->accepted = accepted;
    l->owner = owner;
    l->next = m->impl->listeners;
    m->impl->listeners = l;
    return l;
}

static void port_unlisten(void *self, void *listener)
{
    struct memory *m = self;
    for (struct mem_listener **at = &m->impl->listeners; *at; at = &(*at)->next) {
        if (*at != listener) continue;
        struct mem_listener *l = *at;
        *at = l->next;
        free(l);
        return;
    }
    INVARIANT(!"an open listener");
}

struct net_stream *memory_dial(struct memory *m, const char *name, const char *ip)
{
    /* The newest listener of that name, as a shared backlog would have it. */
    for (struct mem_listener *l = m->impl->listeners; l; l = l->next) {
        if (strcmp(l->name, name) != 0) continue;
        struct net_stream *s = stream_new(m);
        s->dialled = true;
        l->accepted(l->owner, s, str_of(ip), 40000);
        return s;
    }
    return NULL;
}

void memory_say(struct memory *m, struct net_stream *s, const char *text)
{
    (void)m;
    buf_add(&s->in, str_of(text));
}

struct str memory_heard(struct net_stream *s)
{
    buf_add_byte(&s->out, '\0'); /* so that a test may use strstr */
    s->out.n--;
    return buf_str(&s->out);
}

void memory_forget(struct net_stream *s) { s->out.n = 0; }
bool memory_is_open(const struct net_stream *s) { return !s->closing && !s->closed; }

void memory_hang_up(struct memory *m, struct net_stream *s)
{
    (void)m;
    s->hung_up = true;
}

static void stream_closed(struct net_stream *s, enum net_close_reason reason, const char *why)
{
    s->closed = true;
    if (s->events) s->events->closed(s->owner, reason, why);
}

static bool run_connect(struct net_stream *s)
{
    s->connecting = false;
    if (!s->server || s->server->refuses) {
        stream_closed(s, NET_CLOSED_ERROR, "connection refused");
        return true;
    }
    s->number = ++s->server->connections;
    memory_server_greet(s);
    s->events->connected(s->owner);
    return true;
}

static bool run_tls(struct net_stream *s)
{
    const struct memory_server *v = s->server;
    s->tls_wanted = false;
    if (v && (v->starttls_breaks || (s->tls_verify && !v->certificate_good) || (s->tls_floor_1_3 && v->tls_1_2))) {
        stream_closed(s, NET_CLOSED_ERROR, s->tls_verify ? "the certificate is not good" : "the handshake failed");
        return true;
    }
    s->tls = true;
    struct net_tls_facts facts = {.version = v && v->tls_1_2 ? STR("TLSv1.2") : STR("TLSv1.3"),
                                  .cipher = STR("TLS_AES_256_GCM_SHA384"),
                                  .peer_verified = v && v->certificate_good};
    s->events->tls_ready(s->owner, &facts);
    return true;
}

/* One step of one stream; false when there is nothing to do. */
bool memory_stream_step(struct net_stream *s)
{
    if (s->closed) return false;
    if (s->aborted) {
        stream_closed(s, NET_CLOSED_BY_US, "");
        return true;
    }
    if (s->connecting) return run_connect(s);
    if (s->server && s->out.n) {
        memory_server_feed(s);
        return true;
    }
    if (s->tls_wanted) return run_tls(s);
    if (s->closing) {
        stream_closed(s, NET_CLOSED_BY_US, "");
        return true;
    }
    if (s->reading && s->in.n) {
        struct buf take = s->in;
        s->in = (struct buf){0};
        s->events->received(s->owner, buf_str(&take));
        buf_free(&take);
        return true;
    }
    if (s->hung_up) {
        stream_closed(s, NET_CLOSED_BY_PEER, "");
        return true;
    }
    return false;
}

static void port_abort(void *self, struct net_stream *s)
{
    (void)self;
    s->aborted = s->closing = true;
}

/* --- time --------------------------------------------------------------------------------------------------------- */

static int64_t port_now(void *self) { return ((struct memory *)self)->utc_us; }
static int64_t port_monotonic(void *self) { return ((struct memory *)self)->mono_us; }
static int32_t port_offset(void *self, int64_t utc)
{
    (void)self, (void)utc;
    return 3600;
}

static void port_random(void *self, void *out, size_t n)
{
    struct memory *m = self;
    for (size_t i = 0; i < n; i++) {
        m->impl->seed = m->impl->seed * 6364136223846793005u + 1442695040888963407u;
        ((unsigned char *)out)[i] = (unsigned char)(m->impl->seed >> 56);
    }
}

static void port_timer_clear(void *self, struct net_timer *t)
{
    struct memory *m = self;
    for (struct mem_timer **at = &m->impl->timers; *at; at = &(*at)->next) {
        if ((*at)->timer != t) continue;
        struct mem_timer *gone = *at;
        *at = gone->next;
        free(gone);
        return;
    }
}

static void port_timer_set(void *self, struct net_timer *t, int64_t after_ms)
{
    struct memory *m = self;
    port_timer_clear(self, t);
    INVARIANT(after_ms >= 0);
    struct mem_timer *mine = mem_alloc(sizeof *mine), **at = &m->impl->timers;
    mine->timer = t;
    mine->at_us = m->mono_us + after_ms * 1000;
    while (*at && (*at)->at_us <= mine->at_us) at = &(*at)->next;
    mine->next = *at;
    *at = mine;
}

static bool fire_due(struct memory *m)
{
    struct mem_timer *t = m->impl->timers;
    if (!t || t->at_us > m->mono_us) return false;
    m->impl->timers = t->next;
    struct net_timer *timer = t->timer;
    free(t);
    timer->fired(timer->owner);
    return true;
}

void memory_run(struct memory *m)
{
    bool moved = true;
    while (moved) {
        moved = false;
        for (struct net_stream *s = m->impl->streams; s; s = s->next) moved |= memory_stream_step(s);
        moved |= memory_dns_step(m);
        moved |= memory_channels_step(m);
        moved |= memory_store_step(m);
        if (!moved) moved = fire_due(m);
    }
}

void memory_advance(struct memory *m, int64_t ms)
{
    int64_t end = m->mono_us + ms * 1000;
    memory_run(m);
    while (m->impl->timers && m->impl->timers->at_us <= end) {
        int64_t step = m->impl->timers->at_us - m->mono_us;
        if (step > 0) {
            m->mono_us += step;
            m->utc_us += step;
        }
        memory_run(m);
    }
    m->utc_us += end - m->mono_us;
    m->mono_us = end;
    memory_run(m);
}

static void *port_context(void *self, struct str certificate, struct str key, struct err *e)
{
    (void)self, (void)key;
    if (str_eq(certificate, STR("bad"))) {
        err_set(e, 65, "the certificate and the key do not fit");
        return NULL;
    }
    return mem_alloc(1);
}
static void port_release(void *self, void *context)
{
    (void)self;
    free(context);
}

void memory_net_init(struct memory *m)
{
    m->net = (struct net_port){
        .self = m,
        .now = port_now,
        .monotonic = port_monotonic,
        .utc_offset = port_offset,
        .random = port_random,
        .timer_set = port_timer_set,
        .timer_clear = port_timer_clear,
        .listen = port_listen,
        .unlisten = port_unlisten,
        .connect = port_connect,
        .stream_own = port_own,
        .stream_peer_uid = port_uid,
        .stream_read = port_read,
        .stream_write = port_write,
        .stream_tls_client = port_tls_client,
        .stream_tls_server = port_tls_server,
        .stream_close = port_close,
        .stream_abort = port_abort,
        .tls_server_context = port_context,
        .tls_server_release = port_release,
    };
    memory_dns_init(m);
    memory_channels_init(m);
}
