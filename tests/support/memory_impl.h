/* tests/support/memory_impl: what the files of memory_ports share. */
#ifndef TESTS_MEMORY_IMPL_H
#define TESTS_MEMORY_IMPL_H

#include "tests/support/memory_ports.h"

#include "base/vec.h"

enum fd_kind { FD_NONE, FD_FILE, FD_SOCKET, FD_CHANNEL };
struct mem_fd {
    enum fd_kind kind;
    const char *name;
    struct buf bytes;
    struct peer *peer;
};

struct net_stream {
    struct net_stream *next;
    struct memory *memory;
    const struct net_stream_events *events;
    void *owner;
    struct memory_server *server; /* on the other side; NULL: the test */
    unsigned number;
    struct buf in, out; /* as the relay sees it */
    struct buf later;   /* answers behind one that waits */
    bool dialled, connecting, reading, tls_wanted, tls_verify, tls_floor_1_3, tls;
    bool closing, aborted, hung_up, closed;
    bool logged_in, turned_away, mute, owes_dot;
    bool in_data; /* the server's state */
    size_t mails, mail; /* how many; the place of the last among the server's */
};

struct mem_listener {
    struct mem_listener *next;
    const char *name;
    void (*accepted)(void *, struct net_stream *, struct str, uint16_t);
    void *owner;
};

struct mem_timer {
    struct mem_timer *next;
    struct net_timer *timer;
    int64_t at_us;
};

struct mem_question {
    struct mem_question *next;
    struct net_dns_query *query;
    char name[256];
};

/* The other end of a channel, played here. */
enum peer_role { PEER_SUPERVISOR, PEER_TEMPLATE, PEER_JUDGE };
struct peer {
    struct peer *next;
    struct memory *memory;
    enum peer_role role;
    struct net_channel *channel; /* the relay's end; NULL before it is opened and after */
    struct peer *template;       /* a judge's */
    uint64_t pid;
    bool died, told; /* … and the relay was told so */
};

struct net_channel {
    struct peer *peer;
    const struct net_channel_events *events;
    void *owner;
};

struct parcel {
    struct parcel *next;
    struct peer *peer;
    bool to_relay;
    int fds[4];
    size_t n;
    char bytes[];
};

struct mem_rule {
    char name[80];
    uint64_t counts[5];
};

struct mem_entry {
    struct str list, type;
    struct stored_entry entry;
    bool gone;
};

struct impl {
    uint64_t seed, next_pid;
    int64_t next_message;
    void (*damaged)(void *owner, struct str queue_id, const struct err *e);
    void *damaged_owner;
    struct net_stream *streams;
    struct mem_listener *listeners;
    struct mem_timer *timers;
    struct mem_question *questions; /* of DNS, in order */
    struct peer *peers;
    struct parcel *parcels, **parcels_end;
    VEC(struct mem_fd) fds;
    VEC(struct stored_message *) messages;
    struct arena *arena; /* of all rows */
    VEC(struct mem_rule) rules;
    VEC(char *) audits;
    VEC(struct mem_entry) entries; /* of live lists */
    uint64_t list_revision;        /* the latest of any */
    VEC(struct stored_user) users;
    VEC(void *) requests; /* struct request of memory_store.c */
};

struct mem_fd *memory_fd(struct memory *m, int fd);
int memory_fd_new(struct memory *m, struct mem_fd fd);

void memory_net_init(struct memory *m);
void memory_dns_init(struct memory *m);
bool memory_dns_step(struct memory *m);
void memory_channels_init(struct memory *m);
void memory_store_init(struct memory *m);
bool memory_stream_step(struct net_stream *s);
void memory_server_greet(struct net_stream *s);
void memory_server_feed(struct net_stream *s);
bool memory_channels_step(struct memory *m);
bool memory_store_step(struct memory *m);

#endif
