#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "net/core.h"

enum {
    CHANNEL_FDS_MAX = 4,
    CHANNEL_PARTS_MAX = 16,
    DATAGRAMS_PER_TURN = 32,
    CHANNEL_BUFFER = 1024 * 1024 /* asked of the kernel, which may give less */
};

struct net_channel {
    struct loop *loop;
    struct link link;
    struct work work; /* closed() to be told */
    int fd;
    struct poller *poller;
    const struct net_channel_events *ev;
    void *owner;
    bool blocked; /* a send answered false: writable() is owed */
    bool ended;
    bool busy, gone; /* gone: closed inside an event, which then frees it */
};

union control {
    char room[CMSG_SPACE(sizeof(int) * CHANNEL_FDS_MAX)];
    struct cmsghdr align;
};

/* Takes the descriptors out of a message; more than there is room for are closed. */
static void take_fds(struct msghdr *m, int fds[CHANNEL_FDS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < CHANNEL_FDS_MAX; i++) fds[i] = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (n < CHANNEL_FDS_MAX)
                fds[n++] = fd;
            else
                close(fd);
        }
    }
}

static void end(struct net_channel *c)
{
    if (c->ended) return;
    c->ended = true;
    poller_want(c->poller, 0);
    loop_queue(c->loop, &c->work);
}

static void tell_closed(struct work *w)
{
    struct net_channel *c = LINK_OWNER(w, struct net_channel, work);
    c->ev->closed(c->owner);
}

/* False when there is nothing more to read now. */
static bool receive(struct net_channel *c)
{
    union control control;
    int fds[CHANNEL_FDS_MAX];
    struct iovec part = {c->loop->buffer, DATAGRAM_MAX};
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    ssize_t n = recvmsg(c->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0 && errno == EINTR) return true;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
    if (n <= 0) {
        end(c);
        return false;
    }
    take_fds(&m, fds);
    if (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) { /* half a datagram is none: the other side is not what we think */
        for (size_t i = 0; i < CHANNEL_FDS_MAX; i++)
            if (fds[i] >= 0) close(fds[i]);
        end(c);
        return false;
    }
    c->ev->received(c->owner, (struct str){c->loop->buffer, (size_t)n}, fds);
    return true;
}

static void on_ready(void *owner, int events)
{
    struct net_channel *c = owner;
    c->busy = true;
    if ((events & UV_WRITABLE) && c->blocked) {
        c->blocked = false;
        if (c->ev->writable) c->ev->writable(c->owner);
    }
    for (int i = 0; i < DATAGRAMS_PER_TURN && !c->gone && !c->ended; i++)
        if (!receive(c)) break;
    c->busy = false;
    if (c->gone)
        free(c);
    else if (!c->ended)
        poller_want(c->poller, UV_READABLE | (c->blocked ? UV_WRITABLE : 0));
}

static struct net_channel *port_channel_open(void *self, int fd, const struct net_channel_events *ev, void *owner)
{
    const int size = CHANNEL_BUFFER;
    struct net_channel *c = mem_alloc(sizeof *c);
    c->loop = self;
    c->fd = fd;
    c->ev = ev;
    c->owner = owner;
    c->work.run = tell_closed;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    link_add(&c->loop->channels, &c->link);
    c->poller = poller_create(c->loop, fd, on_ready, c);
    poller_want(c->poller, UV_READABLE);
    return c;
}

static bool port_channel_send(void *self, struct net_channel *c, const struct str *parts, size_t n, const int *fds,
                              size_t nfds)
{
    struct iovec v[CHANNEL_PARTS_MAX];
    union control control;
    (void)self;
    INVARIANT(n > 0 && n <= CHANNEL_PARTS_MAX && nfds <= CHANNEL_FDS_MAX);
    if (c->ended) return true; /* lost, as it would be a moment later; closed() tells */
    for (size_t i = 0; i < n; i++) {
        v[i].iov_base = (void *)(uintptr_t)parts[i].p;
        v[i].iov_len = parts[i].n;
    }
    struct msghdr m = {.msg_iov = v, .msg_iovlen = n};
    if (nfds) {
        memset(&control, 0, sizeof control);
        m.msg_control = control.room;
        m.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
        struct cmsghdr *c1 = CMSG_FIRSTHDR(&m);
        c1->cmsg_level = SOL_SOCKET;
        c1->cmsg_type = SCM_RIGHTS;
        c1->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
        memcpy(CMSG_DATA(c1), fds, sizeof(int) * nfds);
    }
    ssize_t sent;
    do {
        sent = sendmsg(c->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0) return true;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == ENOMEM) {
        c->blocked = true;
        poller_want(c->poller, UV_READABLE | UV_WRITABLE);
        return false;
    }
    INVARIANT(errno != EMSGSIZE && errno != EBADF && errno != EINVAL && errno != EFAULT);
    end(c);
    return true;
}

static void port_channel_close(void *self, struct net_channel *c)
{
    (void)self;
    loop_unqueue(c->loop, &c->work);
    poller_free(&c->poller);
    close(c->fd);
    link_remove(&c->link);
    c->gone = true;
    if (!c->busy) free(c);
}

void channel_fill_port(struct net_port *p)
{
    p->channel_open = port_channel_open;
    p->channel_send = port_channel_send;
    p->channel_close = port_channel_close;
}

void channel_end_all(struct loop *l)
{
    while (l->channels.next != &l->channels)
        port_channel_close(l, LINK_OWNER(l->channels.next, struct net_channel, link));
}
