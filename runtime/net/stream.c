#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/core.h"
#include "net/resolve.h"
#include "net/tls.h"

enum {
    WRITE_NOW = 64 * 1024,   /* with this much waiting a write does not wait for the turn's end */
    KEEP_BUFFER = 64 * 1024, /* an empty output buffer larger than this is given back */
    CLOSE_MS = 5000,         /* how long a close may take to write what is queued */
    ADDRESS_MS = 20000,      /* how long one of several addresses may take to connect */
    LINGER_MAX = 1024 * 1024 /* bytes thrown away while closing, so that our last words are not lost to a reset */
};

enum stream_state {
    STREAM_RESOLVING,
    STREAM_CONNECTING,
    STREAM_OPEN,
    STREAM_FLUSHING,  /* closing: writes what is queued */
    STREAM_LINGERING, /* closing: our side is shut, the peer's last bytes are thrown away */
    STREAM_DEAD       /* the descriptor is closed; `closed` is queued or was told */
};

enum { TELL_DRAINED = 1, TELL_INPUT = 2, TELL_CLOSED = 4 };

struct net_stream {
    struct loop *loop;
    struct link link; /* loop->streams */
    struct work events, flush;
    unsigned tell; /* TELL_… */
    const struct net_stream_events *ev;
    void *owner;
    int fd; /* -1: none */
    struct poller *poller;
    enum stream_state state;
    bool reading;    /* the owner wants bytes */
    bool blocked;    /* the kernel takes no more output now */
    struct buf wire; /* to be sent as it is, from wire_at */
    size_t wire_at;
    struct buf plain; /* under TLS: not yet encrypted */
    struct tls_session *tls;
    bool handshaking;
    struct str in;   /* cipher text in hand */
    struct buf held; /* cipher text kept while the owner does not read */
    enum net_close_reason reason;
    char why[256];
    struct net_timer timer; /* close, or one address's connect */
    struct resolve *resolve;
    struct resolved *addresses;
    size_t address; /* the next to try */
    size_t lingered;
};

static void on_ready(void *owner, int events);
static void run_events(struct work *w);
static void run_flush(struct work *w);
static void try_next_address(struct net_stream *s);

static void tell(struct net_stream *s, unsigned what)
{
    s->tell |= what;
    loop_queue(s->loop, &s->events);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static struct net_stream *stream_new(struct loop *l)
{
    struct net_stream *s = mem_alloc(sizeof *s);
    s->loop = l;
    s->fd = -1;
    s->events.run = run_events;
    s->flush.run = run_flush;
    link_add(&l->streams, &s->link);
    return s;
}

static void close_descriptor(struct net_stream *s)
{
    poller_forget(&s->poller); /* made or accepted here, CLOEXEC, never passed on */
    if (s->fd >= 0) close(s->fd);
    s->fd = -1;
}

static void stream_delete(struct net_stream *s)
{
    close_descriptor(s);
    resolve_cancel(&s->resolve);
    loop_timer_clear(&s->timer);
    loop_unqueue(s->loop, &s->events);
    loop_unqueue(s->loop, &s->flush);
    link_remove(&s->link);
    tls_session_free(&s->tls);
    buf_free(&s->wire);
    buf_free(&s->plain);
    buf_free(&s->held);
    free(s->addresses);
    free(s);
}

/* The end, whatever was under way: nothing is read or written any more, and `closed` will be told. */
static void die(struct net_stream *s, enum net_close_reason reason, const char *why)
{
    if (s->state == STREAM_DEAD) return;
    bool was_closing = s->state == STREAM_FLUSHING || s->state == STREAM_LINGERING;
    s->state = STREAM_DEAD;
    s->reason = was_closing ? NET_CLOSED_BY_US : reason;
    snprintf(s->why, sizeof s->why, "%s", why);
    s->in = STR_NONE;
    s->tell = 0;
    close_descriptor(s);
    resolve_cancel(&s->resolve);
    loop_timer_clear(&s->timer);
    tell(s, TELL_CLOSED);
}

static void die_errno(struct net_stream *s, const char *what, int number)
{
    char why[200];
    snprintf(why, sizeof why, "%s: %s", what, strerror(number));
    die(s, NET_CLOSED_ERROR, why);
}

static bool handshake_needs_reading(const struct net_stream *s) { return s->handshaking && s->state == STREAM_OPEN; }

/* What the descriptor should be polled for.  Reading is only ever added here: that it is no longer wanted shows when
 * the next byte comes, which between a message and its reply is never, and saves two system calls each time. */
static void poll_for(struct net_stream *s)
{
    if (!s->poller) return;
    int want = s->poller->events & UV_READABLE;
    if ((s->state == STREAM_OPEN && s->reading) || handshake_needs_reading(s) || s->state == STREAM_LINGERING)
        want |= UV_READABLE;
    if (s->blocked || s->state == STREAM_CONNECTING) want |= UV_WRITABLE;
    poller_want(s->poller, want);
}

/* --- output ------------------------------------------------------------------------------------------------------- */

static size_t waiting(const struct net_stream *s) { return s->wire.n - s->wire_at + s->plain.n; }

static void empty(struct buf *b)
{
    b->n = 0;
    if (b->cap > KEEP_BUFFER) buf_free(b);
}

static void finish_close(struct net_stream *s);

/* Encrypts what is plain, and sends as much as the kernel takes.  Tells nobody anything. */
static void push(struct net_stream *s)
{
    if (s->state != STREAM_OPEN && s->state != STREAM_FLUSHING) return;
    bool was_waiting = waiting(s) != 0;
    if (s->tls && !s->handshaking && s->plain.n) {
        bool good = tls_session_write(s->tls, buf_str(&s->plain));
        empty(&s->plain);
        if (!good) {
            die(s, NET_CLOSED_ERROR, tls_session_problem(s->tls));
            return;
        }
    }
    while (s->wire_at < s->wire.n) {
        ssize_t n = send(s->fd, s->wire.p + s->wire_at, s->wire.n - s->wire_at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            s->blocked = true;
            poll_for(s);
            return;
        }
        if (n < 0) {
            die_errno(s, "the connection broke while writing", errno);
            return;
        }
        s->wire_at += (size_t)n;
    }
    s->wire_at = 0;
    empty(&s->wire);
    if (s->blocked) {
        s->blocked = false;
        poller_want(s->poller, s->poller->events & ~UV_WRITABLE);
    }
    if (was_waiting && s->state == STREAM_OPEN && s->ev && s->ev->drained && !waiting(s)) tell(s, TELL_DRAINED);
}

static void run_flush(struct work *w)
{
    struct net_stream *s = LINK_OWNER(w, struct net_stream, flush);
    if (!s->blocked) push(s);
    if (s->state == STREAM_FLUSHING && !s->blocked) finish_close(s);
}

static size_t port_write(void *self, struct net_stream *s, struct str bytes)
{
    (void)self;
    if (s->state == STREAM_OPEN && bytes.n) {
        buf_add(s->tls ? &s->plain : &s->wire, bytes);
        if (!s->flush.queued) loop_queue_flush(s->loop, &s->flush);
        if (!s->blocked && waiting(s) >= WRITE_NOW) push(s);
    }
    return waiting(s);
}

/* --- input -------------------------------------------------------------------------------------------------------- */

static bool may_hand_out(const struct net_stream *s) { return s->state == STREAM_OPEN && s->reading; }

/* Decrypts while the owner reads; the plain text of one read goes to the owner in one piece where it fits. */
static void decrypt(struct net_stream *s)
{
    struct loop *l = s->loop;
    enum tls_progress progress = TLS_DONE;
    while (may_hand_out(s) && progress == TLS_DONE) {
        size_t n = 0, got = 0;
        while (READ_MAX - n >= 16 * 1024 &&
               (progress = tls_session_read(s->tls, l->plain + n, READ_MAX - n, &got)) == TLS_DONE)
            n += got;
        if (n) s->ev->received(s->owner, (struct str){l->plain, n});
    }
    if (s->state != STREAM_OPEN) return;
    if (s->wire.n > s->wire_at && !s->flush.queued) loop_queue_flush(s->loop, &s->flush); /* alerts, key updates */
    if (progress == TLS_ENDED) die(s, NET_CLOSED_BY_PEER, "the other side ended TLS");
    if (progress == TLS_FAILED) die(s, NET_CLOSED_ERROR, tls_session_problem(s->tls));
}

static void shake(struct net_stream *s)
{
    enum tls_progress progress = tls_session_handshake(s->tls);
    if (s->wire.n > s->wire_at && !s->flush.queued) loop_queue_flush(s->loop, &s->flush);
    switch (progress) {
    case TLS_MORE: return;
    case TLS_DONE:
        s->handshaking = false;
        if (s->plain.n && !s->flush.queued) loop_queue_flush(s->loop, &s->flush);
        if (s->ev->tls_ready) s->ev->tls_ready(s->owner, tls_session_facts(s->tls));
        return;
    case TLS_ENDED:
    case TLS_FAILED:
        push(s); /* the alert */
        die(s, NET_CLOSED_ERROR, tls_session_problem(s->tls));
    }
}

/* Cipher text has come, or the owner reads again. */
static void take_cipher(struct net_stream *s, struct str fresh)
{
    if (s->held.n) {
        buf_add(&s->held, fresh);
        s->in = buf_str(&s->held);
    } else {
        s->in = fresh;
    }
    if (s->handshaking) shake(s);
    if (s->state == STREAM_OPEN && !s->handshaking) decrypt(s);
    if (s->state != STREAM_OPEN) return;
    size_t left = s->in.n;
    if (s->held.n)
        buf_consume(&s->held, s->held.n - left);
    else
        buf_add(&s->held, s->in);
    s->in = STR_NONE;
    if (left == 0) empty(&s->held);
    poll_for(s); /* the handshake may have ended while nobody reads */
}

static void on_end_of_file(struct net_stream *s)
{
    if (s->handshaking)
        die(s, NET_CLOSED_ERROR, "the other side closed the connection during the TLS handshake");
    else
        die(s, NET_CLOSED_BY_PEER, "the other side closed the connection");
}

static void on_readable(struct net_stream *s)
{
    struct loop *l = s->loop;
    if (!may_hand_out(s) && !handshake_needs_reading(s)) {
        poller_want(s->poller, s->poller->events & ~UV_READABLE);
        return;
    }
    ssize_t n = recv(s->fd, l->buffer, READ_MAX, MSG_DONTWAIT);
    if (n < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) die_errno(s, "the connection broke", errno);
        return;
    }
    if (n == 0)
        on_end_of_file(s);
    else if (s->tls)
        take_cipher(s, (struct str){l->buffer, (size_t)n});
    else
        s->ev->received(s->owner, (struct str){l->buffer, (size_t)n});
}

static void port_read(void *self, struct net_stream *s, bool on)
{
    (void)self;
    if (s->reading == on) return;
    s->reading = on;
    if (!on || s->state != STREAM_OPEN) return;
    if (s->tls && !s->handshaking) tell(s, TELL_INPUT); /* cipher text, or records inside OpenSSL, may be in hand */
    poll_for(s);
}

/* --- closing ------------------------------------------------------------------------------------------------------ */

/* Throws away what the peer still sends: closing a socket with unread bytes resets it, and the peer might lose our
 * reply. */
static bool throw_away(struct net_stream *s)
{
    while (s->lingered < LINGER_MAX) {
        ssize_t n = recv(s->fd, s->loop->buffer, READ_MAX, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
        if (n == 0) return false;
        s->lingered += (size_t)n;
    }
    return false;
}

static void finish_close(struct net_stream *s)
{
    bool more = throw_away(s);
    if (!more || s->lingered == 0) {
        die(s, NET_CLOSED_BY_US, "closed");
        return;
    }
    shutdown(s->fd, SHUT_WR);
    s->state = STREAM_LINGERING;
    poll_for(s);
}

static void on_timer(void *owner)
{
    struct net_stream *s = owner;
    if (s->state == STREAM_CONNECTING) {
        snprintf(s->why, sizeof s->why, "no answer within %d seconds", ADDRESS_MS / 1000);
        try_next_address(s);
    } else {
        die(s, NET_CLOSED_BY_US, "closed; what was queued could not be written in time");
    }
}

static void port_close(void *self, struct net_stream *s)
{
    (void)self;
    if (s->state > STREAM_OPEN) return;
    if (s->state < STREAM_OPEN || s->handshaking) {
        die(s, NET_CLOSED_BY_US, "closed");
        return;
    }
    if (!s->blocked) push(s);
    if (s->state == STREAM_DEAD) return;
    if (s->tls) {
        if (s->plain.n && !tls_session_write(s->tls, buf_str(&s->plain))) {
            die(s, NET_CLOSED_BY_US, "closed");
            return;
        }
        s->plain.n = 0;
        tls_session_shutdown(s->tls);
    }
    s->state = STREAM_FLUSHING;
    s->tell = 0;
    s->timer.fired = on_timer;
    s->timer.owner = s;
    loop_timer_set(s->loop, &s->timer, CLOSE_MS);
    loop_queue_flush(s->loop, &s->flush);
}

static void port_abort(void *self, struct net_stream *s)
{
    (void)self;
    if (s->state == STREAM_DEAD) return;
    if (s->fd >= 0 && s->state == STREAM_OPEN && waiting(s)) {
        struct linger reset = {.l_onoff = 1, .l_linger = 0}; /* half a message must not look like an orderly end */
        setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    }
    die(s, NET_CLOSED_BY_US, "aborted");
}

/* --- events ------------------------------------------------------------------------------------------------------- */

static void run_events(struct work *w)
{
    struct net_stream *s = LINK_OWNER(w, struct net_stream, events);
    unsigned what = s->tell;
    s->tell = 0;
    if (what & TELL_CLOSED) {
        if (s->ev && s->ev->closed) s->ev->closed(s->owner, s->reason, s->why);
        stream_delete(s);
        return;
    }
    if ((what & TELL_DRAINED) && s->state == STREAM_OPEN && !waiting(s)) s->ev->drained(s->owner);
    if ((what & TELL_INPUT) && s->tls && !s->handshaking && may_hand_out(s)) take_cipher(s, STR_NONE);
}

static void on_ready(void *owner, int events)
{
    struct net_stream *s = owner;
    if (s->state == STREAM_CONNECTING) {
        int number = 0;
        socklen_t n = sizeof number;
        if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &number, &n) != 0) number = errno;
        if (number) {
            snprintf(s->why, sizeof s->why, "%s", strerror(number));
            try_next_address(s);
            return;
        }
        loop_timer_clear(&s->timer);
        s->state = STREAM_OPEN;
        if (s->ev->connected) s->ev->connected(s->owner);
        if (s->state == STREAM_OPEN) poll_for(s);
        return;
    }
    if (s->state == STREAM_LINGERING) {
        if (!throw_away(s)) die(s, NET_CLOSED_BY_US, "closed");
        return;
    }
    if ((events & UV_WRITABLE) && s->blocked) {
        push(s);
        if (s->state == STREAM_FLUSHING && !s->blocked) finish_close(s);
    }
    if ((events & UV_READABLE) && s->state == STREAM_OPEN) on_readable(s);
    if (s->state == STREAM_OPEN || s->state == STREAM_FLUSHING) poll_for(s);
}

/* --- connecting --------------------------------------------------------------------------------------------------- */

static bool try_address(struct net_stream *s, const struct sockaddr *a, socklen_t n)
{
    const int on = 1;
    close_descriptor(s);
    s->fd = socket(a->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd >= 0) setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (s->fd < 0 || (connect(s->fd, a, n) != 0 && errno != EINPROGRESS)) {
        snprintf(s->why, sizeof s->why, "%s", strerror(errno));
        return false;
    }
    s->state = STREAM_CONNECTING;
    s->poller = poller_create(s->loop, s->fd, on_ready, s);
    poll_for(s);
    s->timer.fired = on_timer;
    s->timer.owner = s;
    loop_timer_clear(&s->timer);
    if (s->address < s->addresses->n) loop_timer_set(s->loop, &s->timer, ADDRESS_MS);
    return true;
}

static void try_next_address(struct net_stream *s)
{
    while (s->address < s->addresses->n) {
        size_t at = s->address++;
        if (try_address(s, (const struct sockaddr *)&s->addresses->v[at], s->addresses->length[at])) return;
    }
    char why[sizeof s->why];
    snprintf(why, sizeof why, "cannot connect: %.200s", s->why);
    die(s, NET_CLOSED_ERROR, why);
}

static void on_resolved(void *owner, const struct resolved *r, const char *why)
{
    struct net_stream *s = owner;
    s->resolve = NULL;
    if (r->n == 0) {
        char text[200];
        snprintf(text, sizeof text, "the host name cannot be resolved: %s", why);
        die(s, NET_CLOSED_ERROR, text);
        return;
    }
    *s->addresses = *r;
    try_next_address(s);
}

static struct net_stream *port_connect(void *self, const struct net_target *target, const struct net_stream_events *ev,
                                       void *owner)
{
    struct net_stream *s = stream_new(self);
    s->ev = ev;
    s->owner = owner;
    s->addresses = mem_alloc(sizeof *s->addresses);
    s->state = STREAM_RESOLVING;
    if (resolve_literal(target->host, target->port, s->addresses))
        try_next_address(s);
    else
        s->resolve = resolve_start(self, target->host, target->port, on_resolved, s);
    return s;
}

/* --- accepted ones ------------------------------------------------------------------------------------------------ */

struct net_stream *stream_adopt(struct loop *l, int fd)
{
    struct net_stream *s = stream_new(l);
    s->fd = fd;
    s->state = STREAM_OPEN;
    s->poller = poller_create(l, fd, on_ready, s);
    return s;
}

bool stream_is_owned(const struct net_stream *s) { return s->ev != NULL; }
void stream_drop(struct net_stream *s) { stream_delete(s); }

static void port_own(void *self, struct net_stream *s, const struct net_stream_events *ev, void *owner)
{
    (void)self;
    s->ev = ev;
    s->owner = owner;
}

static int64_t port_peer_uid(void *self, struct net_stream *s)
{
    (void)self;
    struct ucred who;
    struct sockaddr_storage local;
    socklen_t n = sizeof local;
    if (s->fd < 0 || getsockname(s->fd, (struct sockaddr *)&local, &n) != 0 || local.ss_family != AF_UNIX) return -1;
    n = sizeof who;
    return getsockopt(s->fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 ? (int64_t)who.uid : -1;
}

/* --- TLS ---------------------------------------------------------------------------------------------------------- */

/* Every byte that came in clear was handed out already, so none can be taken for one that came inside TLS; what the
 * owner wrote in clear goes before the handshake. */
static void start_tls(struct net_stream *s, struct tls_session *t)
{
    INVARIANT(s->plain.n == 0 && s->held.n == 0);
    s->tls = t;
    s->handshaking = true;
    if (!s->flush.queued) loop_queue_flush(s->loop, &s->flush);
    poll_for(s);
}

static void port_tls_client(void *self, struct net_stream *s, const struct net_tls_client *how)
{
    struct err e = {0};
    (void)self;
    if (s->state != STREAM_OPEN) return;
    INVARIANT(!s->tls);
    struct tls_session *t = tls_session_client(how, &s->in, &s->wire, &e);
    if (!t) {
        die(s, NET_CLOSED_ERROR, e.text);
        return;
    }
    start_tls(s, t);
    if (tls_session_handshake(t) == TLS_FAILED) die(s, NET_CLOSED_ERROR, tls_session_problem(t)); /* the first flight */
}

static void port_tls_server(void *self, struct net_stream *s, void *server_context)
{
    (void)self;
    if (s->state != STREAM_OPEN) return;
    INVARIANT(!s->tls && server_context);
    start_tls(s, tls_session_server(server_context, &s->in, &s->wire));
}

static void *port_server_context(void *self, struct str certificate, struct str key, struct err *e)
{
    (void)self;
    return tls_server_context_create(certificate, key, e);
}

static void port_server_release(void *self, void *context)
{
    (void)self;
    tls_server_context_free(context);
}

void stream_fill_port(struct net_port *p)
{
    p->connect = port_connect;
    p->stream_own = port_own;
    p->stream_peer_uid = port_peer_uid;
    p->stream_read = port_read;
    p->stream_write = port_write;
    p->stream_tls_client = port_tls_client;
    p->stream_tls_server = port_tls_server;
    p->stream_close = port_close;
    p->stream_abort = port_abort;
    p->tls_server_context = port_server_context;
    p->tls_server_release = port_server_release;
}

void stream_end_all(struct loop *l)
{
    while (l->streams.next != &l->streams) stream_delete(LINK_OWNER(l->streams.next, struct net_stream, link));
}
