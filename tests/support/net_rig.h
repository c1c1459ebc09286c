/* tests/support/net_rig: a loop, a listener on loopback, and ends of streams that write down what happens to them: what
 * tests of net/ begin with. */
#ifndef SLUICE_TESTS_NET_RIG_H
#define SLUICE_TESTS_NET_RIG_H

#include "net/loop.h"
#include "tests/support/check.h"

struct net_end {
    struct net_stream *stream; /* NULL once closed */
    struct buf got;
    int connected, closed, drained, ready; /* how often each came */
    enum net_close_reason reason;
    char why[256];
    bool verified;
    struct str version;
    bool echo, stop_when_closed, pause;      /* pause: not read at first */
    size_t stop_at;                          /* bytes */
    void *server_context;                    /* answer "T" with "G" and TLS */
    const struct net_tls_client *client_tls; /* say "T", and start TLS at "G" */
    struct str first;                        /* written at connected, or when TLS is ready */
    void (*on_received)(struct net_end *e, struct str bytes);
};

/* What a struct net_end, the owner, does at each event. */
extern const struct net_stream_events net_end_events;
void net_end_free(struct net_end *e);

/* One for the whole test program. */
struct net_rig {
    struct loop *loop;
    const struct net_port *port;
    bool submitting; /* set around submitting calls: no event may come then */
    struct net_end server;
    const struct net_stream_events *server_events; /* the server's; net_end_events */
};
extern struct net_rig net;

int net_rig_setup(void **state);
int net_rig_teardown(void **state);

uint16_t net_rig_listen(void **listener); /* on a free port, which is answered; net.server is whom it accepts last */
void net_rig_dial(struct net_end *e, const char *host, uint16_t to);

void net_rig_run(void);         /* until something stops the loop; fails after 20 s */
void net_rig_stop(void *owner); /* a timer's: stops it */
void net_rig_hung(void *owner); /* a timer's: must not come */

#endif
