/* net/core: what the files of net/ share: the loop, its work list, polled descriptors.  Private to net/.
 *
 * The rule that keeps callbacks out of submitting calls: whatever an owner must be told is queued as work (loop_queue)
 * and told in the prepare phase, right before the loop would sleep; only libuv's own callbacks call owners directly. */
#ifndef SLUICE_NET_CORE_H
#define SLUICE_NET_CORE_H

#include <uv.h>

#include "base/vec.h"
#include "net/loop.h"

enum {
    READ_MAX = 64 * 1024,      /* one read, and one run of plain text handed to an owner */
    DATAGRAM_MAX = 256 * 1024, /* above judge/protocol's largest */
    HOOKS_MAX = 8,
};

/* Something to be done in the loop, at most once however often it was queued. */
struct work {
    void (*run)(struct work *w);
    struct work *next;
    bool queued;
};

/* A double list through the things the loop must end in loop_free. */
struct link {
    struct link *prev, *next;
};

struct loop {
    struct net_port port;
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_idle_t idle;            /* active while work waits: the loop must not sleep */
    struct work *first, *last;
    struct work *dirty_first, *dirty_last; /* streams with output to flush */
    struct {
        void (*ended)(void *owner);
        void *owner;
    } hooks[HOOKS_MAX];
    size_t hook_count;
    int64_t now, monotonic;    /* of this turn; 0: not read yet */
    struct loop_timer *timers; /* unused ones */
    struct link streams, channels, listeners;
    int epoll;
    uv_poll_t ready;           /* libuv's view of it; keeps the loop alive while anything is polled */
    size_t polled;             /* pollers that wait for something */
    struct link pollers, dropped; /* dropped: freed once no event in hand can name them */
    struct dns *dns;           /* net/dns.c's; NULL before dns_use */
    struct link questions;     /* likewise: those not answered yet */
    bool stopping;
    char *buffer;              /* DATAGRAM_MAX bytes: what is read */
    char *plain;               /* READ_MAX bytes: what TLS decrypts */
};

void loop_queue(struct loop *l, struct work *w); /* for events */
void loop_queue_flush(struct loop *l, struct work *w); /* for output, after all events */
void loop_unqueue(struct loop *l, struct work *w);

static inline void link_init(struct link *k) { k->prev = k->next = k; }
static inline void link_add(struct link *list, struct link *k)
{
    k->prev = list;
    k->next = list->next;
    list->next->prev = k;
    list->next = k;
}
static inline void link_remove(struct link *k)
{
    k->prev->next = k->next;
    k->next->prev = k->prev;
    link_init(k);
}
#define LINK_OWNER(k, type, member) ((type *)(void *)((char *)(k) - offsetof(type, member)))

/* A polled descriptor.  All of them stand in one epoll of ours, and that one in libuv's: with uv_poll_t each connection
 * costs five system calls more.  Level-triggered. */
struct poller {
    struct loop *loop;
    struct link link;          /* loop->pollers, then loop->dropped */
    int fd, events;            /* events 0: not in the epoll */
    void (*ready)(void *owner, int events); /* an error shows as all events asked for */
    void *owner;
};
struct poller *poller_create(struct loop *l, int fd, void (*ready)(void *owner, int events), void *owner);
void poller_want(struct poller *p, int events); /* UV_READABLE | UV_WRITABLE; 0 stops */
void poller_free(struct poller **p);            /* before the descriptor is closed */
/* Likewise, for a descriptor that is closed right after and that no other process and no dup shares: the kernel then
 * forgets it by itself. */
void poller_forget(struct poller **p);

void loop_timer_set(struct loop *l, struct net_timer *t, int64_t after_ms);
void loop_timer_clear(struct net_timer *t);

/* The parts of the port, each in its file; loop_create puts them into the table. */
void stream_fill_port(struct net_port *p);
void listen_fill_port(struct net_port *p);
void channel_fill_port(struct net_port *p);
void dns_fill_port(struct net_port *p);
void local_fill_port(struct net_port *p);
void stream_end_all(struct loop *l);
void listen_end_all(struct loop *l);
void channel_end_all(struct loop *l);
void dns_end(struct loop *l);

/* net/stream.c, for net/listen.c: an open descriptor becomes a stream without owner. */
struct net_stream *stream_adopt(struct loop *l, int fd);
bool stream_is_owned(const struct net_stream *s);
void stream_drop(struct net_stream *s); /* no owner took it: no event */

#endif
