/* net/: TLS in both roles over real sockets on loopback: whose certificate is good, and that bytes of one side of the
 * handshake are never taken for those of the other. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/net_certs.h"
#include "tests/support/net_rig.h"

static const struct net_cert_wish any_name = {.common_name = "x"};

/* The server's side answers "T" with TLS from now on, under a certificate made for it. */
static void serve_with(const struct net_cert_wish *wish, struct net_cert *cert)
{
    struct err e;
    net_cert_make(wish, cert);
    net.server.server_context =
        net.port->tls_server_context(net.loop, buf_str(&cert->certificate), buf_str(&cert->key), &e);
    assert_non_null(net.server.server_context);
}

static void serve_no_more(void *listener, struct net_cert *cert)
{
    net.port->unlisten(net.loop, listener);
    net.port->tls_server_release(net.loop, net.server.server_context);
    net_cert_free(cert);
}

static const struct tls_case {
    const char *what;
    struct net_cert_wish wish;
    struct str name;
    enum net_verify verify;
    bool trusted; /* the authority is given as trust */
    bool good, verified;
} cases[] = {
    {"good", {"mx.example", "DNS:mx.example", false, false}, {"mx.example", 10}, NET_VERIFY_PKIX, true, true, true},
    {"wildcard", {"x", "DNS:*.d.example", false, false}, {"mx.d.example", 12}, NET_VERIFY_PKIX, true, true, true},
    {"partial wildcard",
     {"x", "DNS:m*.d.example", false, false},
     {"mx.d.example", 12},
     NET_VERIFY_PKIX,
     true,
     false,
     false},
    {"wrong name",
     {"other.example", "DNS:other.example", false, false},
     {"mx.example", 10},
     NET_VERIFY_PKIX,
     true,
     false,
     false},
    {"wrong name, observed",
     {"other.example", "DNS:other.example", false, false},
     {"mx.example", 10},
     NET_VERIFY_NONE,
     true,
     true,
     false},
    {"good name, observed",
     {"mx.example", "DNS:mx.example", false, false},
     {"mx.example", 10},
     NET_VERIFY_NONE,
     true,
     true,
     true},
    {"no name to verify", {"mx.example", "DNS:mx.example", false, false}, {"", 0}, NET_VERIFY_PKIX, true, false, false},
    {"no name, observed", {"mx.example", "DNS:mx.example", false, false}, {"", 0}, NET_VERIFY_NONE, true, true, false},
    {"a leading dot is no name",
     {"mx.example", "DNS:mx.example", false, false},
     {".example", 8},
     NET_VERIFY_PKIX,
     true,
     false,
     false},
    {"a NUL in the name",
     {"mx.example", "DNS:mx.example", false, false},
     {"mx.example\0.x", 13},
     NET_VERIFY_PKIX,
     true,
     false,
     false},
    {"expired", {"mx.example", "DNS:mx.example", true, false}, {"mx.example", 10}, NET_VERIFY_PKIX, true, false, false},
    {"expired, observed",
     {"mx.example", "DNS:mx.example", true, false},
     {"mx.example", 10},
     NET_VERIFY_NONE,
     true,
     true,
     false},
    {"signed by itself",
     {"mx.example", "DNS:mx.example", false, true},
     {"mx.example", 10},
     NET_VERIFY_PKIX,
     true,
     false,
     false},
    {"unknown authority",
     {"mx.example", "DNS:mx.example", false, false},
     {"mx.example", 10},
     NET_VERIFY_PKIX,
     false,
     false,
     false},
    {"unknown authority, observed",
     {"mx.example", "DNS:mx.example", false, false},
     {"mx.example", 10},
     NET_VERIFY_NONE,
     false,
     true,
     false},
    {"an address", {"x", "IP:127.0.0.1", false, false}, {"127.0.0.1", 9}, NET_VERIFY_PKIX, true, true, true},
    {"another address", {"x", "IP:127.0.0.2", false, false}, {"127.0.0.1", 9}, NET_VERIFY_PKIX, true, false, false},
    {"an address is not a name",
     {"127.0.0.1", "DNS:127.0.0.1", false, false},
     {"127.0.0.1", 9},
     NET_VERIFY_PKIX,
     true,
     false,
     false},
};

static void certificates_are_judged(void **state)
{
    (void)state;
    char trust[64], none[] = "/nonexistent/anchors.pem";
    net_cert_authority(trust);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct tls_case *c = &cases[i];
        struct net_cert cert;
        void *listener;
        net_end_free(&net.server);
        net.server = (struct net_end){.echo = true};
        serve_with(&c->wish, &cert);
        struct net_tls_client how = {.name = c->name, .verify = c->verify, .trust = str_of(c->trusted ? trust : none)};
        struct net_end e = {.client_tls = &how, .first = STR("secret"), .stop_at = 6, .stop_when_closed = true};
        net_rig_dial(&e, "127.0.0.1", net_rig_listen(&listener));
        net_rig_run();
        if (e.ready != c->good || e.verified != c->verified || (e.closed == 0) != c->good)
            fail_msg("%s: ready %d verified %d closed %d (%s)", c->what, e.ready, e.verified, e.closed, e.why);
        if (c->good) {
            assert_true(str_eq(e.version, STR("TLSv1.3")) && str_eq(buf_str(&e.got), STR("secret")));
        } else {
            assert_true(net.server.got.n == 0 && e.reason == NET_CLOSED_ERROR && e.why[0]);
        }
        if (e.stream) net.port->stream_abort(net.loop, e.stream);
        if (net.server.stream) net.port->stream_abort(net.loop, net.server.stream);
        e.stop_when_closed = false;
        struct net_timer t = {.fired = net_rig_stop};
        net.port->timer_set(net.loop, &t, 0);
        net_rig_run();
        serve_no_more(listener, &cert);
        net_end_free(&e);
    }
    unlink(trust);
}

static void a_context_needs_a_fitting_key(void **state)
{
    (void)state;
    struct net_cert a, b;
    struct err e = {0};
    net_cert_make(&(struct net_cert_wish){.common_name = "a"}, &a);
    net_cert_make(&(struct net_cert_wish){.common_name = "b"}, &b);
    assert_null(net.port->tls_server_context(net.loop, buf_str(&a.certificate), buf_str(&b.key), &e));
    assert_true(e.sysexit != 0 && e.text[0]);
    assert_null(net.port->tls_server_context(net.loop, STR("nothing"), buf_str(&b.key), &e));
    assert_null(net.port->tls_server_context(net.loop, STR(""), STR(""), &e));
    struct buf chain = {0};
    buf_add(&chain, buf_str(&a.certificate));
    buf_add(&chain, buf_str(&b.certificate));
    void *c = net.port->tls_server_context(net.loop, buf_str(&chain), buf_str(&a.key), &e);
    assert_non_null(c);
    net.port->tls_server_release(net.loop, c);
    buf_add(&chain, STR("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
    assert_null(net.port->tls_server_context(net.loop, buf_str(&chain), buf_str(&a.key), &e));
    buf_free(&chain);
    net_cert_free(&a);
    net_cert_free(&b);
}

/* Megabytes through TLS while the reader pauses at every piece. */
static void resume(void *owner)
{
    struct net_end *e = owner;
    if (e->stream) net.port->stream_read(net.loop, e->stream, true);
}

static struct net_timer resume_timer;

static void pause_a_little(struct net_end *e, struct str bytes)
{
    (void)bytes;
    net.port->stream_read(net.loop, e->stream, false);
    resume_timer = (struct net_timer){.fired = resume, .owner = e, .impl = resume_timer.impl};
    net.port->timer_set(net.loop, &resume_timer, 0);
}

static void tls_carries_bulk_with_pauses(void **state)
{
    (void)state;
    struct net_cert cert;
    void *listener;
    struct buf big = {0};
    for (int i = 0; i < 200000; i++) buf_printf(&big, "%09d\n", i);
    serve_with(&any_name, &cert);
    net.server.on_received = pause_a_little;
    net.server.stop_at = big.n;
    struct net_tls_client how = {.verify = NET_VERIFY_NONE, .floor_1_3 = true, .trust = STR("/nonexistent/x.pem")};
    struct net_end e = {.client_tls = &how, .first = buf_str(&big)};
    net_rig_dial(&e, "127.0.0.1", net_rig_listen(&listener));
    net_rig_run();
    assert_true(str_eq(buf_str(&net.server.got), buf_str(&big)));
    /* close_notify ends the stream for the other side. */
    net.server.stop_when_closed = true;
    net.port->stream_close(net.loop, e.stream);
    net_rig_run();
    assert_true(net.server.closed == 1 && net.server.reason == NET_CLOSED_BY_PEER);
    net.port->timer_clear(net.loop, &resume_timer);
    serve_no_more(listener, &cert);
    buf_free(&big);
    net_end_free(&e);
}

/* Clear text where a handshake belongs is never handed out. */
static void clear_text_behind_starttls_ends_the_stream(void **state)
{
    (void)state;
    struct net_cert cert;
    void *listener;
    serve_with(&any_name, &cert);
    net.server.stop_when_closed = true;
    struct net_end e = {.first = STR("T"), .stop_at = 1}; /* until "G" is here, and the server waits for a handshake */
    net_rig_dial(&e, "127.0.0.1", net_rig_listen(&listener));
    net_rig_run();
    net.port->stream_write(net.loop, e.stream, STR("MAIL FROM:<evil@b.example>\r\n"));
    net_rig_run();
    assert_true(net.server.closed == 1 && net.server.reason == NET_CLOSED_ERROR && net.server.got.n == 0 &&
                net.server.ready == 0);
    serve_no_more(listener, &cert);
    net_end_free(&e);
}

/* A client that ends TLS and goes on in clear (CVE-2026-45185): not one of those bytes is handed out. */
static void *leave_tls(void *arg)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(*(uint16_t *)arg)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char byte;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);
    INVARIANT(connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
    INVARIANT(write(fd, "T", 1) == 1 && read(fd, &byte, 1) == 1 && byte == 'G');
    SSL_set_fd(ssl, fd);
    INVARIANT(SSL_connect(ssl) == 1 && SSL_write(ssl, "in TLS", 6) == 6);
    SSL_shutdown(ssl);
    while (write(fd, "in clear", 8) == 8 && recv(fd, &byte, 1, MSG_DONTWAIT) != 0)
        continue; /* until the other side closes */
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(fd);
    return NULL;
}

static void nothing_in_clear_follows_tls(void **state)
{
    (void)state;
    struct net_cert cert;
    void *listener;
    pthread_t thread;
    serve_with(&any_name, &cert);
    net.server.stop_when_closed = true;
    uint16_t number = net_rig_listen(&listener);
    assert_int_equal(pthread_create(&thread, NULL, leave_tls, &number), 0);
    net_rig_run();
    pthread_join(thread, NULL);
    assert_true(net.server.closed == 1 && net.server.reason == NET_CLOSED_BY_PEER);
    assert_true(str_eq(buf_str(&net.server.got), STR("in TLS")));
    serve_no_more(listener, &cert);
}

/* A peer that resets the connection in the middle of TLS: the descriptor is closed once.  Once more would hit whoever
 * got its number meanwhile (Postfix 20260713). */
static int watched[8];

static void take_numbers(void *owner, enum net_close_reason reason, const char *why)
{
    net_end_events.closed(owner, reason, why);
    for (size_t i = 0; i < 8; i++) watched[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void *reset_in_tls(void *arg)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(*(uint16_t *)arg)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char bytes[600];
    struct linger at_once = {.l_onoff = 1};
    INVARIANT(connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
    INVARIANT(write(fd, "T", 1) == 1 && read(fd, bytes, 1) == 1);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    if (((uint16_t *)arg)[1])
        INVARIANT(SSL_connect(ssl) == 1 && SSL_write(ssl, "in TLS", 6) == 6);
    else
        INVARIANT(write(fd, "\x16\x03\x01\x02\x00\x01", 6) == 6); /* a handshake begins */
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
    SSL_free(ssl);
    SSL_CTX_free(context);
    return NULL;
}

static void no_descriptor_is_closed_twice(void **state)
{
    (void)state;
    static struct net_stream_events watching;
    watching = net_end_events;
    watching.closed = take_numbers;
    for (uint16_t whole = 0; whole < 2; whole++) {
        struct net_cert cert;
        void *listener;
        pthread_t thread;
        struct net_timer later = {.fired = net_rig_stop};
        serve_with(&any_name, &cert);
        net.server.stop_when_closed = true;
        net.server.closed = 0;
        net.server_events = &watching;
        uint16_t numbers[2] = {net_rig_listen(&listener), whole};
        assert_int_equal(pthread_create(&thread, NULL, reset_in_tls, numbers), 0);
        net_rig_run();
        pthread_join(thread, NULL);
        assert_int_equal(net.server.closed, 1);
        serve_no_more(listener, &cert);
        net.port->timer_set(net.loop, &later, 20); /* whatever is still done about the stream */
        net_rig_run();
        for (size_t i = 0; i < 8; i++) {
            assert_int_not_equal(fcntl(watched[i], F_GETFD), -1);
            close(watched[i]);
        }
    }
}

/* A server whose answer stands behind session tickets in one segment: all of it is read at once. */
struct ticket_server {
    int listening;
    struct net_cert cert;
};

static void *answer_behind_tickets(void *arg)
{
    struct ticket_server *t = arg;
    char byte;
    int fd = accept(t->listening, NULL, NULL);
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    BIO *b = BIO_new_mem_buf(t->cert.certificate.p, (int)t->cert.certificate.n),
        *k = BIO_new_mem_buf(t->cert.key.p, (int)t->cert.key.n);
    X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(k, NULL, NULL, NULL);
    INVARIANT(SSL_CTX_use_certificate(context, x) == 1 && SSL_CTX_use_PrivateKey(context, key) == 1);
    SSL_CTX_set_num_tickets(context, 2);
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    INVARIANT(read(fd, &byte, 1) == 1 && byte == 'T' && write(fd, "G", 1) == 1);
    const int on = 1, off = 0;
    setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on); /* tickets and answer in one segment */
    int rc = SSL_accept(ssl);
    INVARIANT(rc == 1 && SSL_write(ssl, "answer", 6) == 6);
    setsockopt(fd, IPPROTO_TCP, TCP_CORK, &off, sizeof off);
    while (read(fd, &byte, 1) > 0) continue;
    SSL_free(ssl);
    SSL_CTX_free(context);
    X509_free(x);
    EVP_PKEY_free(key);
    BIO_free(b);
    BIO_free(k);
    close(fd);
    return NULL;
}

static void an_answer_behind_session_tickets_is_read(void **state)
{
    (void)state;
    struct ticket_server t = {0};
    pthread_t thread;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    t.listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(bind(t.listening, (struct sockaddr *)&a, n) == 0 && listen(t.listening, 4) == 0);
    assert_int_equal(getsockname(t.listening, (struct sockaddr *)&a, &n), 0);
    net_cert_make(&(struct net_cert_wish){.common_name = "x"}, &t.cert);
    assert_int_equal(pthread_create(&thread, NULL, answer_behind_tickets, &t), 0);
    struct net_tls_client how = {.trust = STR("/nonexistent/x.pem")};
    struct net_end e = {.client_tls = &how, .stop_at = 6};
    net_rig_dial(&e, "127.0.0.1", ntohs(a.sin_port));
    net_rig_run();
    assert_true(str_eq(buf_str(&e.got), STR("answer")));
    e.stop_when_closed = true;
    net.port->stream_abort(net.loop, e.stream);
    net_rig_run();
    pthread_join(thread, NULL);
    close(t.listening);
    net_cert_free(&t.cert);
    net_end_free(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(certificates_are_judged, net_rig_setup, net_rig_teardown),
    cmocka_unit_test_setup_teardown(a_context_needs_a_fitting_key, net_rig_setup, net_rig_teardown),
    cmocka_unit_test_setup_teardown(tls_carries_bulk_with_pauses, net_rig_setup, net_rig_teardown),
    cmocka_unit_test_setup_teardown(clear_text_behind_starttls_ends_the_stream, net_rig_setup, net_rig_teardown),
    cmocka_unit_test_setup_teardown(no_descriptor_is_closed_twice, net_rig_setup, net_rig_teardown),
    cmocka_unit_test_setup_teardown(nothing_in_clear_follows_tls, net_rig_setup, net_rig_teardown),
    cmocka_unit_test_setup_teardown(an_answer_behind_session_tickets_is_read, net_rig_setup, net_rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
