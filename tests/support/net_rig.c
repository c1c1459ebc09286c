#include "tests/support/net_rig.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

struct net_rig net;

/* --- one end of a stream ------------------------------------------------------------------------------------------ */

static void on_connected(void *owner)
{
    struct net_end *e = owner;
    assert_false(net.submitting);
    e->connected++;
    if (e->client_tls) {
        net.port->stream_write(net.loop, e->stream, STR("T"));
    } else if (e->first.n) {
        net.port->stream_write(net.loop, e->stream, e->first);
    }
    net.port->stream_read(net.loop, e->stream, true);
}

static void on_received(void *owner, struct str bytes)
{
    struct net_end *e = owner;
    assert_false(net.submitting);
    assert_true(bytes.n > 0);
    if (e->server_context && !e->ready) {
        assert_true(str_eq(bytes, STR("T"))); /* the ClientHello is never handed out */
        net.port->stream_write(net.loop, e->stream, STR("G"));
        net.port->stream_tls_server(net.loop, e->stream, e->server_context);
        return;
    }
    if (e->client_tls && !e->ready) {
        assert_true(str_eq(bytes, STR("G")));
        net.port->stream_tls_client(net.loop, e->stream, e->client_tls);
        return;
    }
    buf_add(&e->got, bytes);
    if (e->echo) net.port->stream_write(net.loop, e->stream, bytes);
    if (e->on_received) e->on_received(e, bytes);
    if (e->stop_at && e->got.n >= e->stop_at) loop_stop(net.loop);
}

static void on_drained(void *owner)
{
    struct net_end *e = owner;
    assert_false(net.submitting);
    e->drained++;
}

static void on_tls_ready(void *owner, const struct net_tls_facts *facts)
{
    struct net_end *e = owner;
    assert_false(net.submitting);
    e->ready++;
    e->verified = facts->peer_verified;
    e->version = facts->version;
    if (e->first.n) net.port->stream_write(net.loop, e->stream, e->first);
}

static void on_closed(void *owner, enum net_close_reason reason, const char *why)
{
    struct net_end *e = owner;
    assert_false(net.submitting);
    e->closed++;
    e->reason = reason;
    snprintf(e->why, sizeof e->why, "%s", why);
    e->stream = NULL;
    if (e->stop_when_closed) loop_stop(net.loop);
}

const struct net_stream_events net_end_events = {on_connected, on_received, on_drained, on_tls_ready, on_closed};

void net_end_free(struct net_end *e) { buf_free(&e->got); }

/* --- the rig ------------------------------------------------------------------------------------------------------ */

static void on_accepted(void *owner, struct net_stream *s, struct str peer, uint16_t peer_port)
{
    struct net_end *e = owner;
    assert_true(str_eq(peer, STR("127.0.0.1")) && peer_port != 0);
    e->stream = s;
    net.port->stream_own(net.loop, s, net.server_events, e);
    if (!e->pause) net.port->stream_read(net.loop, s, true);
}

uint16_t net_rig_listen(void **listener)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&a, n) == 0 && listen(fd, 16) == 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    *listener = net.port->listen(net.loop, fd, on_accepted, &net.server);
    return ntohs(a.sin_port);
}

void net_rig_dial(struct net_end *e, const char *host, uint16_t to)
{
    struct net_target target = {str_of(host), to};
    net.submitting = true;
    e->stream = net.port->connect(net.loop, &target, &net_end_events, e);
    net.submitting = false;
}

int net_rig_setup(void **state)
{
    struct err e;
    (void)state;
    net = (struct net_rig){.loop = loop_create(&e), .server_events = &net_end_events};
    if (!net.loop) return -1;
    net.port = loop_port(net.loop);
    return 0;
}

int net_rig_teardown(void **state)
{
    (void)state;
    net_end_free(&net.server);
    loop_free(&net.loop);
    return 0;
}

void net_rig_hung(void *owner)
{
    (void)owner;
    fail_msg("the loop hangs");
}

void net_rig_run(void)
{
    struct net_timer deadline = {.fired = net_rig_hung};
    net.port->timer_set(net.loop, &deadline, 20000);
    loop_run(net.loop);
    net.port->timer_clear(net.loop, &deadline);
}

void net_rig_stop(void *owner)
{
    (void)owner;
    loop_stop(net.loop);
}
