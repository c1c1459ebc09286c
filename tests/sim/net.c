/* The network: net/port.h over pipes whose bytes come late, in pieces, or not at all.
 *
 * TLS is a state of a stream: what is said before the handshake is in clear, what is said after is not, and bytes that
 * stand between end it.  net/'s own TLS has its tests elsewhere (net_tls_test); here it matters who is told what and
 * when, and what is said in clear.  Streams are never freed: a seed is a process. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim.h"

enum { CLOSE_US = 5000000, CONNECT_US = 20000000, RECORD = 16 * 1024 };
enum { TO_PEER, TO_RELAY };

struct pipe {
    struct buf bytes;
    bool fin;
    struct sim_event *pump;
};

struct net_stream {
    struct net_stream *next;
    unsigned number, life;
    const struct net_stream_events *ev;
    void *owner;
    const struct sim_peer *peer;
    void *self;
    struct pipe pipes[2];
    struct buf held;                                  /* written while the handshake is under way */
    bool dialled, connecting, reading, closing, over; /* the relay's end; over: `closed` was or will be told */
    bool broken, peer_over, by_hand;                  /* by_hand: root's, over the control socket */
    bool relay_secures, peer_secures, secure, handshaking;
    struct net_tls_client how;
    char name[256];
    struct sim_tls tls;
    struct net_tls_facts facts;
    uint64_t left; /* bytes until it breaks; 0: it does not */
    enum net_close_reason reason;
    char why[160];
};

struct listener {
    struct listener *next;
    int socket;
    unsigned life;
    void (*accepted)(void *, struct net_stream *, struct str, uint16_t);
    void *owner;
};

static struct net_stream *streams;
static struct listener *listeners;
static unsigned stream_number;

static int64_t latency(void)
{
    if (sim_happens(POINT_STALL)) return sim_between(SECONDS(1), MINUTES(10));
    if (sim_happens(POINT_SLOW)) return sim_between(SECONDS(1) / 10, SECONDS(20));
    return sim_between(100, 20000);
}

static void pump_relay(void *what);
static void pump_peer(void *what);

static void start_pump(struct net_stream *s, int way)
{
    struct pipe *p = &s->pipes[way];
    if (!p->pump) p->pump = sim_after(latency(), way == TO_PEER ? pump_peer : pump_relay, s);
}

/* --- ends --------------------------------------------------------------------------------------------------------- */

static void tell_closed(void *what)
{
    struct net_stream *s = what;
    sim_trace("stream %u closed: %d %s", s->number, (int)s->reason, s->why);
    if (s->ev) s->ev->closed(s->owner, s->reason, s->why);
}

static void die(struct net_stream *s, enum net_close_reason reason, const char *why)
{
    if (s->over) return;
    s->over = true;
    s->reason = s->closing ? NET_CLOSED_BY_US : reason;
    snprintf(s->why, sizeof s->why, "%s", why);
    sim_after_alive(0, tell_closed, s);
}

static void tell_peer_reset(void *what)
{
    struct net_stream *s = what;
    if (s->peer_over) return;
    s->peer_over = true;
    if (s->peer) s->peer->ended(s->self, true);
}

static void reset_peer(struct net_stream *s)
{
    s->broken = true;
    s->pipes[TO_PEER].bytes.n = s->pipes[TO_RELAY].bytes.n = 0;
    sim_after(latency(), tell_peer_reset, s);
}

/* A broken stream is noticed by who looks at it. */
static void notice(struct net_stream *s)
{
    if (s->broken && !s->over && (s->reading || s->handshaking || s->connecting || s->closing))
        die(s, NET_CLOSED_ERROR, "the connection broke: Connection reset by peer");
}

void sim_cut(struct net_stream *s)
{
    sim_trace("stream %u cut", s->number);
    reset_peer(s);
    notice(s);
}

void sim_cut_after(struct net_stream *s, uint64_t bytes) { s->left = bytes; }

/* Counts what passes; false: the connection broke just now. */
static bool pass(struct net_stream *s, size_t n)
{
    if (!s->left) return true;
    if (world.calm) s->left = 0;
    if (!s->left || s->left > n) {
        s->left -= s->left ? n : 0;
        return true;
    }
    s->left = 0;
    sim_cut(s);
    return false;
}

/* --- bytes on their way ------------------------------------------------------------------------------------------- */

/* How much of what waits comes in one piece. */
static size_t piece(size_t n)
{
    if (n > RECORD) n = RECORD;
    if (n > 1 && sim_happens(POINT_CRUMBS)) return 1 + sim_roll(sim_roll(4) ? n : (n < 4 ? n : 4));
    return n;
}

static struct str take(struct pipe *p, size_t n, struct buf *out)
{
    out->n = 0;
    buf_add(out, str_slice(buf_str(&p->bytes), 0, n));
    buf_consume(&p->bytes, n);
    return buf_str(out);
}

static void end_for_peer(struct net_stream *s)
{
    if (s->peer_over) return;
    s->peer_over = true;
    if (s->peer) s->peer->ended(s->self, false);
}

static bool relay_lives(const struct net_stream *s) { return s->life == world.life && !s->over; }

static void pump_peer(void *what)
{
    struct net_stream *s = what;
    struct pipe *p = &s->pipes[TO_PEER];
    struct buf bytes = {0};
    p->pump = NULL;
    if (s->broken) return;
    if (p->bytes.n) {
        struct str one = take(p, piece(p->bytes.n), &bytes);
        if (pass(s, one.n) && !s->peer_over) {
            sim_trace("stream %u >%s %.*s", s->number, s->secure ? "#" : "", one.n > 300 ? 300 : (int)one.n, one.p);
            s->peer->received(s->self, one, s->secure);
        }
        buf_free(&bytes);
        if (s->broken) return;
    }
    if (p->bytes.n) {
        start_pump(s, TO_PEER);
        return;
    }
    if (relay_lives(s) && !s->closing && s->ev->drained && !s->handshaking) s->ev->drained(s->owner);
    if (p->fin) {
        if (s->closing) die(s, NET_CLOSED_BY_US, "closed");
        end_for_peer(s);
    }
}

static void pump_relay(void *what)
{
    struct net_stream *s = what;
    struct pipe *p = &s->pipes[TO_RELAY];
    struct buf bytes = {0};
    p->pump = NULL;
    if (!relay_lives(s)) return;
    notice(s);
    if (s->over || s->broken || s->connecting) return;
    if (s->closing) { /* thrown away */
        p->bytes.n = 0;
        return;
    }
    if (s->handshaking) {
        if (p->bytes.n || p->fin) die(s, NET_CLOSED_ERROR, "clear text where the TLS handshake should be");
        return;
    }
    if (!s->reading) return;
    if (p->bytes.n) {
        struct str one = take(p, piece(p->bytes.n), &bytes);
        if (pass(s, one.n)) {
            sim_trace("stream %u <%s %.*s", s->number, s->secure ? "#" : "", one.n > 300 ? 300 : (int)one.n, one.p);
            s->ev->received(s->owner, one);
        }
        buf_free(&bytes);
        if (p->bytes.n || p->fin) start_pump(s, TO_RELAY);
    } else if (p->fin) {
        p->fin = false;
        s->pipes[TO_PEER].fin = true; /* what is with the kernel still leaves */
        start_pump(s, TO_PEER);
        die(s, NET_CLOSED_BY_PEER, "the other side closed the connection");
    }
}

void sim_say(struct net_stream *s, struct str bytes)
{
    if (s->broken || s->peer_over || s->pipes[TO_RELAY].fin) return;
    buf_add(&s->pipes[TO_RELAY].bytes, bytes);
    start_pump(s, TO_RELAY);
}

void sim_finish(struct net_stream *s)
{
    s->pipes[TO_RELAY].fin = true;
    start_pump(s, TO_RELAY);
}

/* --- TLS ---------------------------------------------------------------------------------------------------------- */

static const char *handshake_problem(const struct net_stream *s)
{
    if (!s->tls.good) return "the handshake failed";
    if (s->dialled) return NULL;
    if (s->how.floor_1_3 && !s->tls.is_1_3) return "no version in common";
    if (s->how.verify == NET_VERIFY_PKIX && !s->tls.certificate)
        return "the certificate is not good: hostname mismatch";
    return NULL;
}

static void shake(void *what)
{
    struct net_stream *s = what;
    if (s->broken || !relay_lives(s)) return;
    const char *problem = handshake_problem(s);
    if (problem) {
        sim_trace("stream %u TLS: %s", s->number, problem);
        reset_peer(s);
        die(s, NET_CLOSED_ERROR, problem);
        return;
    }
    s->handshaking = false;
    s->secure = true;
    s->facts = (struct net_tls_facts){.version = s->tls.is_1_3 ? STR("TLSv1.3") : STR("TLSv1.2"),
                                      .cipher = STR("TLS_AES_256_GCM_SHA384"),
                                      .peer_verified = !s->dialled && s->tls.certificate,
                                      .peer_problem = s->tls.certificate ? STR("") : STR("hostname mismatch")};
    sim_trace("stream %u secure", s->number);
    if (s->held.n) {
        buf_add(&s->pipes[TO_PEER].bytes, buf_str(&s->held));
        s->held.n = 0;
        start_pump(s, TO_PEER);
    }
    if (!s->peer_over) s->peer->secured(s->self, true);
    if (s->ev->tls_ready) s->ev->tls_ready(s->owner, &s->facts);
    if (s->pipes[TO_RELAY].bytes.n || s->pipes[TO_RELAY].fin) start_pump(s, TO_RELAY);
}

static void shake_if_both(struct net_stream *s)
{
    if (s->relay_secures && s->peer_secures && !s->secure) sim_after(3 * latency(), shake, s);
}

/* Clear text that came already, and was not handed out, ends it (CVE-2011-0411). */
static void begin_handshake(struct net_stream *s)
{
    s->relay_secures = s->handshaking = true;
    if (s->pipes[TO_RELAY].bytes.n) {
        reset_peer(s);
        die(s, NET_CLOSED_ERROR, "clear text behind STARTTLS");
        return;
    }
    shake_if_both(s);
}

void sim_secure(struct net_stream *s, const struct sim_tls *t)
{
    s->tls = *t;
    s->peer_secures = true;
    shake_if_both(s);
}

/* --- the port ----------------------------------------------------------------------------------------------------- */

static struct net_stream *stream_new(void)
{
    struct net_stream *s = mem_alloc(sizeof *s);
    s->life = world.life;
    s->number = ++stream_number;
    s->next = streams;
    streams = s;
    return s;
}

static void connected(void *what)
{
    struct net_stream *s = what;
    if (s->over) return;
    s->connecting = false;
    if (sim_happens(POINT_CUT_SERVER)) s->left = 1 + sim_roll(sim_roll(2) ? 300 : 3000);
    s->ev->connected(s->owner);
    if (!s->over) s->peer->connected(s->self);
}

static void refused(void *what) { die(what, NET_CLOSED_ERROR, "Connection refused"); }
static void unanswered(void *what) { die(what, NET_CLOSED_ERROR, "no answer within 20 seconds"); }

static struct net_stream *port_connect(void *self, const struct net_target *target, const struct net_stream_events *ev,
                                       void *owner)
{
    struct net_stream *s = stream_new();
    (void)self;
    s->ev = ev;
    s->owner = owner;
    s->connecting = true;
    sim_trace("stream %u connects to %.*s port %u", s->number, STR_ARG(target->host), target->port);
    if (sim_happens(POINT_CONNECT_TIMEOUT))
        sim_after_alive(CONNECT_US, unanswered, s);
    else if (sim_happens(POINT_CONNECT_REFUSED) || !hosts_answer(target->host, target->port, &s->peer, &s->self, s))
        sim_after_alive(latency(), refused, s);
    else
        sim_after_alive(latency(), connected, s);
    return s;
}

static void port_own(void *self, struct net_stream *s, const struct net_stream_events *ev, void *owner)
{
    (void)self;
    s->ev = ev;
    s->owner = owner;
}

static int64_t port_uid(void *self, struct net_stream *s)
{
    (void)self;
    return s->by_hand ? 0 : -1;
}

static void port_read(void *self, struct net_stream *s, bool on)
{
    (void)self;
    if (s->reading == on) return;
    s->reading = on;
    if (on) start_pump(s, TO_RELAY);
}

static size_t port_write(void *self, struct net_stream *s, struct str bytes)
{
    (void)self;
    INVARIANT(!s->closing);
    if (s->over || s->connecting) return 0;
    if (s->broken) {
        die(s, NET_CLOSED_ERROR, "the connection broke while writing: Broken pipe");
        return 0;
    }
    buf_add(s->handshaking ? &s->held : &s->pipes[TO_PEER].bytes, bytes);
    if (!s->handshaking) start_pump(s, TO_PEER);
    return s->pipes[TO_PEER].bytes.n + s->held.n;
}

static void port_tls_client(void *self, struct net_stream *s, const struct net_tls_client *how)
{
    (void)self;
    s->how = *how;
    begin_handshake(s);
}

static void port_tls_server(void *self, struct net_stream *s, void *context)
{
    (void)self;
    INVARIANT(context != NULL);
    begin_handshake(s);
}

static void late(void *what)
{
    struct net_stream *s = what;
    if (!s->over) reset_peer(s);
    die(s, NET_CLOSED_BY_US, "closed; what was queued could not be written in time");
}

static void port_close(void *self, struct net_stream *s)
{
    (void)self;
    if (s->over || s->closing) return;
    if (s->connecting || s->handshaking) {
        reset_peer(s);
        die(s, NET_CLOSED_BY_US, "closed");
        return;
    }
    s->closing = true;
    s->pipes[TO_PEER].fin = true;
    notice(s);
    start_pump(s, TO_PEER);
    sim_after_alive(CLOSE_US, late, s);
}

static void port_abort(void *self, struct net_stream *s)
{
    (void)self;
    if (s->over) return;
    if (s->pipes[TO_PEER].bytes.n || s->connecting || s->handshaking)
        reset_peer(s);
    else
        s->pipes[TO_PEER].fin = true;
    if (!s->broken) start_pump(s, TO_PEER);
    die(s, NET_CLOSED_BY_US, "aborted");
}

static void *port_listen(void *self, int fd, void (*accepted)(void *, struct net_stream *, struct str, uint16_t),
                         void *owner)
{
    struct listener *l = mem_alloc(sizeof *l);
    (void)self;
    *l = (struct listener){listeners, fd, world.life, accepted, owner};
    listeners = l;
    return l;
}

static void port_unlisten(void *self, void *listener)
{
    (void)self;
    ((struct listener *)listener)->life = 0;
}

struct net_stream *sim_dial(int socket, const char *ip, const struct sim_peer *peer, void *self)
{
    for (struct listener *l = listeners; l; l = l->next) {
        if (l->life != world.life || l->socket != socket) continue;
        struct net_stream *s = stream_new();
        s->dialled = true;
        s->peer = peer;
        s->self = self;
        sim_trace("stream %u from %s", s->number, ip);
        s->by_hand = socket == SOCKET_CONTROL;
        if (!s->by_hand && sim_happens(POINT_CUT_CLIENT)) s->left = 1 + sim_roll(sim_roll(2) ? 500 : 4000);
        l->accepted(l->owner, s, str_of(ip), 40000);
        return s;
    }
    return NULL;
}

void sim_net_forget(void)
{
    for (struct net_stream *s = streams; s; s = s->next) {
        if (s->over && s->peer_over) continue;
        s->over = true;
        if (!s->peer_over && s->peer) reset_peer(s);
    }
    streams = NULL;
}

/* --- time and chance ---------------------------------------------------------------------------------------------- */

static int64_t port_now(void *self)
{
    (void)self;
    return sim_utc();
}
static int64_t port_monotonic(void *self)
{
    (void)self;
    return world.mono_us;
}
static int32_t port_offset(void *self, int64_t utc)
{
    (void)self, (void)utc;
    return 3600;
}
static void port_random(void *self, void *out, size_t n)
{
    (void)self;
    for (size_t i = 0; i < n; i++) ((unsigned char *)out)[i] = (unsigned char)sim_roll(256);
}

static bool port_is_local(void *self, const uint8_t ip[16])
{
    (void)self, (void)ip;
    return false;
}

static void fire(void *what)
{
    struct net_timer *t = what;
    t->impl = NULL;
    t->fired(t->owner);
}

static void port_timer_clear(void *self, struct net_timer *t)
{
    struct sim_event *e = t->impl;
    (void)self;
    sim_cancel(&e);
    t->impl = NULL;
}

static void port_timer_set(void *self, struct net_timer *t, int64_t after_ms)
{
    port_timer_clear(self, t);
    t->impl = sim_after_alive(after_ms * 1000, fire, t);
}

static void *port_context(void *self, struct str certificate, struct str key, struct err *e)
{
    (void)self, (void)certificate, (void)key, (void)e;
    return &streams;
}
static void port_release(void *self, void *context) { (void)self, (void)context; }

const struct net_port *sim_net(void)
{
    static struct net_port port = {
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
        .is_local = port_is_local,
        .tls_server_context = port_context,
        .tls_server_release = port_release,
    };
    dns_fill_port(&port);
    channels_fill_port(&port);
    return &port;
}
