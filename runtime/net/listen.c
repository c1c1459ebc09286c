#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ip.h"
#include "net/core.h"

enum {
    ACCEPTS_PER_TURN = 16, /* then other connections have their turn */
    REST_MS = 100          /* after an accept failed for want of descriptors or memory */
};

struct listener {
    struct loop *loop;
    struct link link;
    int fd;
    struct poller *poller;
    void (*accepted)(void *owner, struct net_stream *s, struct str peer, uint16_t port);
    void *owner;
    struct net_timer rest;
    bool busy, gone; /* gone: ended inside `accepted`, which then frees it */
};

/* The peer's address as text; IPv4 inside IPv6 as IPv4; empty for a local socket. */
static struct str peer_text(const struct sockaddr_storage *a, char room[IP_TEXT_MAX], uint16_t *port)
{
    uint8_t ip[IP_SIZE] = {[10] = 0xff, [11] = 0xff};
    *port = 0;
    if (a->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
        memcpy(ip + 12, &v4->sin_addr, 4);
        *port = ntohs(v4->sin_port);
    } else if (a->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
        memcpy(ip, &v6->sin6_addr, IP_SIZE);
        *port = ntohs(v6->sin6_port);
    } else {
        return STR("");
    }
    return (struct str){room, ip_print(ip, room)};
}

static void on_rested(void *owner)
{
    struct listener *t = owner;
    poller_want(t->poller, UV_READABLE);
}

static void on_connection(void *owner, int events)
{
    struct listener *t = owner;
    (void)events;
    t->busy = true;
    for (int i = 0; i < ACCEPTS_PER_TURN && !t->gone; i++) {
        struct sockaddr_storage a = {0};
        socklen_t n = sizeof a;
        int fd = accept4(t->fd, (struct sockaddr *)&a, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EINTR || errno == ECONNABORTED) continue;
            if (errno == EAGAIN || errno == EWOULDBLOCK) break;
            poller_want(t->poller, 0);
            loop_timer_set(t->loop, &t->rest, REST_MS);
            break;
        }
        char room[IP_TEXT_MAX];
        uint16_t port;
        struct net_stream *s = stream_adopt(t->loop, fd);
        struct str peer = peer_text(&a, room, &port);
        t->accepted(t->owner, s, peer, port);
        if (!stream_is_owned(s)) stream_drop(s);
    }
    t->busy = false;
    if (t->gone) free(t);
}

static void *port_listen(void *self, int fd,
                         void (*accepted)(void *owner, struct net_stream *s, struct str peer, uint16_t port),
                         void *owner)
{
    const int on = 1;
    struct listener *t = mem_alloc(sizeof *t);
    t->loop = self;
    t->fd = fd;
    t->accepted = accepted;
    t->owner = owner;
    t->rest = (struct net_timer){.fired = on_rested, .owner = t};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* what is accepted inherits it; no TCP: no harm */
    link_add(&t->loop->listeners, &t->link);
    t->poller = poller_create(t->loop, fd, on_connection, t);
    poller_want(t->poller, UV_READABLE);
    return t;
}

static void port_unlisten(void *self, void *listener)
{
    struct listener *t = listener;
    (void)self;
    poller_free(&t->poller);
    loop_timer_clear(&t->rest);
    close(t->fd);
    link_remove(&t->link);
    t->gone = true;
    if (!t->busy) free(t);
}

void listen_fill_port(struct net_port *p)
{
    p->listen = port_listen;
    p->unlisten = port_unlisten;
}

void listen_end_all(struct loop *l)
{
    while (l->listeners.next != &l->listeners) port_unlisten(l, LINK_OWNER(l->listeners.next, struct listener, link));
}
