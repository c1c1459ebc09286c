/* net/tls and the traps of OpenSSL: calls that succeed and mean less than they seem to.  Each test fails when its trap
 * is fallen into.  One end is ours; the other is OpenSSL by hand, in memory, and does what a peer may do. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <unistd.h>

#include "net/tls.h"
#include "tests/support/check.h"
#include "tests/support/net_certs.h"

/* The other end. */
struct peer {
    SSL_CTX *context;
    SSL *ssl;
    BIO *in, *out;
};

/* Ours. */
struct pair {
    struct tls_session *session;
    struct str in;
    struct buf wire, cipher; /* what we said; what `in` is a view of */
    struct peer peer;
};

static char trust[64], trust_of_others[64];

static void use(SSL_CTX *context, const struct net_cert *c)
{
    BIO *b = BIO_new_mem_buf(c->certificate.p, (int)c->certificate.n), *k = BIO_new_mem_buf(c->key.p, (int)c->key.n);
    X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(k, NULL, NULL, NULL);
    INVARIANT(SSL_CTX_use_certificate(context, x) == 1 && SSL_CTX_use_PrivateKey(context, key) == 1);
    X509_free(x);
    EVP_PKEY_free(key);
    BIO_free(b);
    BIO_free(k);
}

/* Everything is allowed to it: old protocols, old ciphers, sessions and tickets. */
static SSL_CTX *careless(bool server)
{
    SSL_CTX *c = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    SSL_CTX_set_min_proto_version(c, TLS1_VERSION);
    SSL_CTX_set_cipher_list(c, "DEFAULT:@SECLEVEL=0");
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_BOTH);
    SSL_CTX_set_session_id_context(c, (const unsigned char *)"x", 1);
    SSL_CTX_set_verify(c, SSL_VERIFY_NONE, NULL);
    return c;
}

static void peer_begin(struct peer *p, SSL_CTX *context, bool server)
{
    p->context = context;
    p->ssl = SSL_new(context);
    p->in = BIO_new(BIO_s_mem());
    p->out = BIO_new(BIO_s_mem());
    SSL_set_bio(p->ssl, p->in, p->out);
    if (server)
        SSL_set_accept_state(p->ssl);
    else
        SSL_set_connect_state(p->ssl);
}

/* What each said reaches the other. */
static void carry(struct pair *p)
{
    char *bytes;
    BIO_write(p->peer.in, p->wire.n ? p->wire.p : "", (int)p->wire.n);
    p->wire.n = 0;
    buf_consume(&p->cipher, p->cipher.n - p->in.n);
    long n = BIO_get_mem_data(p->peer.out, &bytes);
    buf_add(&p->cipher, (struct str){bytes, (size_t)n});
    (void)BIO_reset(p->peer.out);
    p->in = buf_str(&p->cipher);
}

static enum tls_progress shake(struct pair *p)
{
    enum tls_progress ours = TLS_MORE;
    for (int i = 0; i < 20 && ours == TLS_MORE; i++) {
        ours = tls_session_handshake(p->session);
        carry(p);
        SSL_do_handshake(p->peer.ssl);
        ERR_clear_error();
        carry(p);
    }
    SSL_do_handshake(p->peer.ssl);
    ERR_clear_error();
    return ours;
}

static void pair_end(struct pair *p)
{
    if (p->session) tls_session_shutdown(p->session); /* or OpenSSL would take its session for a broken one */
    SSL_set_shutdown(p->peer.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    tls_session_free(&p->session);
    SSL_free(p->peer.ssl);
    buf_free(&p->wire);
    buf_free(&p->cipher);
    *p = (struct pair){0};
}

/* Ours is the client.  TLS_FAILED too when there is no session at all. */
static enum tls_progress connect_to(struct pair *p, SSL_CTX *server, const struct net_tls_client *how)
{
    struct err e = {0};
    *p = (struct pair){0};
    p->session = tls_session_client(how, &p->in, &p->wire, &e);
    peer_begin(&p->peer, server, true);
    if (!p->session) assert_true(e.text[0] != '\0');
    return p->session ? shake(p) : TLS_FAILED;
}

static enum tls_progress accept_from(struct pair *p, void *context, SSL_CTX *client, SSL_SESSION *resume)
{
    *p = (struct pair){0};
    p->session = tls_session_server(context, &p->in, &p->wire);
    peer_begin(&p->peer, client, false);
    if (resume) SSL_set_session(p->peer.ssl, resume);
    return shake(p);
}

static SSL_CTX *server_with(const struct net_cert_wish *wish)
{
    struct net_cert cert;
    SSL_CTX *c = careless(true);
    net_cert_make(wish, &cert);
    use(c, &cert);
    net_cert_free(&cert);
    return c;
}

static void *our_server(void)
{
    struct net_cert cert;
    struct err e = {0};
    net_cert_make(&(struct net_cert_wish){.common_name = "mx.example", .alt_names = "DNS:mx.example"}, &cert);
    void *context = tls_server_context_create(buf_str(&cert.certificate), buf_str(&cert.key), &e);
    assert_non_null(context);
    net_cert_free(&cert);
    return context;
}

static const struct net_cert_wish mx = {.common_name = "mx.example", .alt_names = "DNS:mx.example"};

static struct net_tls_client verified(const char *name)
{
    return (struct net_tls_client){.name = str_of(name), .verify = NET_VERIFY_PKIX, .trust = str_of(trust)};
}

static bool is_verified(const struct net_cert_wish *cert, const char *name)
{
    struct pair p;
    SSL_CTX *server = server_with(cert);
    struct net_tls_client how = verified(name);
    bool good = connect_to(&p, server, &how) == TLS_DONE && tls_session_facts(p.session)->peer_verified;
    pair_end(&p);
    SSL_CTX_free(server);
    return good;
}

/* --- the eight ---------------------------------------------------------------------------------------------------- */

/* SSL_set1_host("") answers 1 and checks no name: any trusted certificate would do. */
static void trap_1_an_empty_name_switches_the_check_off(void **state)
{
    (void)state;
    static const char *const names[] = {"",
                                        ".",
                                        "..",
                                        ".example",
                                        "mx.example.",
                                        "mx..example",
                                        "-mx.example",
                                        "m_x.example",
                                        "mx example",
                                        "*.example",
                                        "mx.example:25",
                                        "123",
                                        "\xc3\xa4.example"};
    assert_true(is_verified(&mx, "mx.example") && is_verified(&mx, "MX.Example"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is_verified(&mx, names[i])) fail_msg("\"%s\" was taken for mx.example", names[i]);
    struct pair p;
    SSL_CTX *server = server_with(&mx);
    struct net_tls_client how = verified("");
    how.name = (struct str){"mx.example\0.evil.example", 24};
    assert_int_equal(connect_to(&p, server, &how), TLS_FAILED);
    pair_end(&p);
    char name[400];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_false(is_verified(&mx, name));
    SSL_CTX_free(server);
}

/* A resumed session skips the name check, and one that was never verified resumes under SSL_VERIFY_PEER. */
static void trap_2_a_resumed_session_is_not_checked(void **state)
{
    (void)state;
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t v = 0; v < 2; v++) {
        SSL_CTX *server = server_with(&mx);
        SSL_CTX_set_max_proto_version(server, versions[v]);
        struct net_tls_client anybody = {.name = STR("mx.example"), .trust = str_of(trust)},
                              one = verified("mx.example"), another = verified("other.example");
        const struct net_tls_client *const ways[] = {&anybody, &one, &anybody, &one, &another};
        for (size_t i = 0; i < 5; i++) {
            struct pair p;
            char plain[64];
            size_t n;
            assert_int_equal(connect_to(&p, server, ways[i]), i == 4 ? TLS_FAILED : TLS_DONE);
            assert_int_equal(SSL_session_reused(p.peer.ssl), 0);
            if (i < 4)
                assert_int_equal(tls_session_read(p.session, plain, sizeof plain, &n), TLS_MORE); /* the tickets */
            pair_end(&p);
        }
        SSL_CTX_free(server);
    }
}

/* And a server's session is taken by another of its contexts, or by the same one with other rules: we give none. */
static void trap_2_and_no_session_of_ours_resumes(void **state)
{
    (void)state;
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    void *ours[2] = {our_server(), our_server()};
    for (size_t v = 0; v < 2; v++) {
        struct pair p;
        SSL_CTX *client = careless(false);
        SSL_CTX_set_max_proto_version(client, versions[v]);
        SSL_SESSION *session = NULL;
        for (size_t i = 0; i < 3; i++) {
            char byte;
            assert_int_equal(accept_from(&p, ours[i / 2], client, session), TLS_DONE);
            SSL_read(p.peer.ssl, &byte, 1);
            ERR_clear_error();
            assert_int_equal(SSL_session_reused(p.peer.ssl), 0);
            if (!session) session = SSL_get1_session(p.peer.ssl);
            assert_false(SSL_SESSION_has_ticket(session));
            pair_end(&p);
        }
        SSL_SESSION_free(session);
        SSL_CTX_free(client);
    }
    tls_server_context_free(ours[0]);
    tls_server_context_free(ours[1]);
}

/* Where no anchors could be read nobody is verified; that a call to load them was made is not enough. */
static void trap_3_without_anchors_nobody_is_verified(void **state)
{
    (void)state;
    char empty[] = "/tmp/sluice-anchors-XXXXXX";
    int fd = mkstemp(empty);
    assert_true(fd >= 0 && close(fd) == 0);
    const char *const files[] = {"/nonexistent/anchors.pem", "/tmp", empty, trust_of_others};
    SSL_CTX *server = server_with(&mx);
    for (size_t i = 0; i < 4; i++) {
        struct pair p;
        struct net_tls_client how = verified("mx.example");
        how.trust = str_of(files[i]);
        assert_int_equal(connect_to(&p, server, &how), TLS_FAILED);
        pair_end(&p);
        how.verify = NET_VERIFY_NONE; /* and who demands nothing is not told otherwise */
        assert_int_equal(connect_to(&p, server, &how), TLS_DONE);
        assert_false(tls_session_facts(p.session)->peer_verified);
        pair_end(&p);
    }
    SSL_CTX_free(server);
    unlink(empty);
}

/* An address is no host name: SSL_set1_host would look for it among the DNS names. */
static void trap_4_an_address_is_not_a_name(void **state)
{
    (void)state;
    const struct net_cert_wish by_ip = {.common_name = "x", .alt_names = "IP:192.0.2.1,IP:2001:db8::1"},
                               by_name = {.common_name = "192.0.2.1", .alt_names = "DNS:192.0.2.1"};
    assert_true(is_verified(&by_ip, "192.0.2.1") && is_verified(&by_ip, "2001:db8::1"));
    assert_false(is_verified(&by_ip, "192.0.2.2") || is_verified(&by_name, "192.0.2.1") ||
                 is_verified(&mx, "192.0.2.1"));
}

/* Debian sets SECLEVEL 2 and no least version: TLS 1.0 would be spoken with whoever offers a cipher for it. */
static void trap_5_no_least_version_is_set_by_itself(void **state)
{
    (void)state;
    void *ours = our_server();
    const struct {
        int version;
        bool spoken, spoken_1_3;
    } rows[] = {{TLS1_VERSION, false, false},
                {TLS1_1_VERSION, false, false},
                {TLS1_2_VERSION, true, false},
                {TLS1_3_VERSION, true, true}};
    for (size_t i = 0; i < 4; i++) {
        struct pair p;
        SSL_CTX *server = server_with(&mx), *client = careless(false);
        SSL_CTX_set_max_proto_version(server, rows[i].version);
        SSL_CTX_set_max_proto_version(client, rows[i].version);
        struct net_tls_client how = {.name = STR("mx.example"), .trust = str_of(trust)};
        assert_int_equal(connect_to(&p, server, &how) == TLS_DONE, rows[i].spoken);
        pair_end(&p);
        how.floor_1_3 = true;
        assert_int_equal(connect_to(&p, server, &how) == TLS_DONE, rows[i].spoken_1_3);
        pair_end(&p);
        assert_int_equal(accept_from(&p, ours, client, NULL) == TLS_DONE, rows[i].spoken);
        pair_end(&p);
        SSL_CTX_free(server);
        SSL_CTX_free(client);
    }
    tls_server_context_free(ours);
}

/* What OpenSSL has read ahead never makes a descriptor readable again: a reader must ask until there is no more, and a
 * ticket in front of an answer must not end the asking. */
static void trap_6_what_openssl_holds_wakes_nobody(void **state)
{
    (void)state;
    struct pair p;
    struct buf want = {0}, got = {0};
    char plain[3]; /* less than a record holds */
    size_t n;
    SSL_CTX *server = server_with(&mx); /* sends two tickets behind its handshake */
    struct net_tls_client how = verified("mx.example");
    assert_int_equal(connect_to(&p, server, &how), TLS_DONE);
    for (int i = 0; i < 50; i++) {
        char record[24];
        snprintf(record, sizeof record, "record %d.", i);
        SSL_write(p.peer.ssl, record, (int)strlen(record));
        buf_add(&want, str_of(record));
        if (i % 10 == 5) SSL_key_update(p.peer.ssl, SSL_KEY_UPDATE_REQUESTED);
    }
    carry(&p);
    while (tls_session_read(p.session, plain, sizeof plain, &n) == TLS_DONE) buf_add(&got, (struct str){plain, n});
    assert_true(str_eq(buf_str(&want), buf_str(&got)) && p.in.n == 0);
    buf_free(&want);
    buf_free(&got);
    pair_end(&p);
    SSL_CTX_free(server);
}

/* SSL_get_error looks at the thread's queue of errors first: what another session left there would end this one. */
static void trap_7_an_old_error_is_taken_for_ours(void **state)
{
    (void)state;
    struct pair p = {0};
    struct err e = {0};
    char plain[64];
    size_t n;
    SSL_CTX *server = server_with(&mx);
    struct net_tls_client how = verified("mx.example");
    p.session = tls_session_client(&how, &p.in, &p.wire, &e);
    peer_begin(&p.peer, server, true);
    enum tls_progress progress = TLS_MORE;
    for (int i = 0; i < 20 && progress == TLS_MORE; i++) {
        ERR_raise(ERR_LIB_SSL, SSL_R_CERTIFICATE_VERIFY_FAILED);
        progress = tls_session_handshake(p.session);
        ERR_clear_error();
        carry(&p);
        SSL_do_handshake(p.peer.ssl);
        carry(&p);
    }
    assert_int_equal(progress, TLS_DONE);
    assert_int_equal(tls_session_read(p.session, plain, sizeof plain, &n), TLS_MORE); /* tickets */
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_SIGNATURE);
    assert_int_equal(tls_session_read(p.session, plain, sizeof plain, &n), TLS_MORE);
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_SIGNATURE);
    assert_true(tls_session_write(p.session, STR("hello")));
    carry(&p);
    assert_int_equal(SSL_read(p.peer.ssl, plain, sizeof plain), 5);
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_SIGNATURE);
    tls_session_shutdown(p.session);
    assert_int_equal(ERR_peek_error(), 0); /* and leaves none behind */
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_SIGNATURE);
    pair_end(&p);
    void *context = our_server(); /* nor is one in the way of reading a chain */
    ERR_clear_error();
    tls_server_context_free(context);
    SSL_CTX_free(server);
}

/* close_notify is an end, not an error and not a pause: what follows is never read, in TLS or in clear; and where there
 * was none, nothing says that the content was whole. */
static void trap_8_the_end_of_tls_is_the_end(void **state)
{
    (void)state;
    char plain[64];
    size_t n;
    void *ours = our_server();
    SSL_CTX *client = careless(false);
    struct pair p;
    assert_int_equal(accept_from(&p, ours, client, NULL), TLS_DONE);
    SSL_write(p.peer.ssl, "last", 4);
    SSL_shutdown(p.peer.ssl);
    BIO_write(p.peer.out, "RSET\r\n", 6);
    carry(&p);
    assert_true(tls_session_read(p.session, plain, sizeof plain, &n) == TLS_DONE && n == 4);
    for (int i = 0; i < 3; i++) assert_int_equal(tls_session_read(p.session, plain, sizeof plain, &n), TLS_ENDED);
    assert_true(str_eq(p.in, STR("RSET\r\n")));
    pair_end(&p);

    assert_int_equal(accept_from(&p, ours, client, NULL), TLS_DONE);
    SSL_write(p.peer.ssl, "cut", 3);
    carry(&p);
    p.in.n -= 1; /* the record is not whole, and no more comes */
    assert_int_equal(tls_session_read(p.session, plain, sizeof plain, &n), TLS_MORE);
    pair_end(&p);

    assert_int_equal(accept_from(&p, ours, client, NULL), TLS_DONE);
    buf_add(&p.cipher, STR("RSET\r\nRSET\r\n")); /* in clear, without an end of TLS */
    p.in = buf_str(&p.cipher);
    assert_int_equal(tls_session_read(p.session, plain, sizeof plain, &n), TLS_FAILED);
    size_t said = p.wire.n;
    tls_session_shutdown(p.session); /* not after a failure */
    assert_int_equal(p.wire.n, said);
    pair_end(&p);
    tls_server_context_free(ours);
    SSL_CTX_free(client);
}

/* --- and more ----------------------------------------------------------------------------------------------------- */

/* OpenSSL takes "f*.example" for a wildcard, and the common name for a name where there is no other. */
static void names_that_openssl_would_take(void **state)
{
    (void)state;
    const struct net_cert_wish partial = {.common_name = "x", .alt_names = "DNS:m*.example.net"},
                               whole = {.common_name = "x", .alt_names = "DNS:*.example.net"},
                               common = {.common_name = "mx.example"},
                               mail = {.common_name = "mx.example", .alt_names = "email:a@mx.example"},
                               nameless = {.common_name = NULL};
    assert_true(is_verified(&whole, "mx.example.net"));
    assert_false(is_verified(&whole, "a.mx.example.net") || is_verified(&whole, "example.net"));
    assert_false(is_verified(&partial, "mx.example.net") || is_verified(&common, "mx.example") ||
                 is_verified(&mail, "mx.example"));
    assert_false(is_verified(&nameless, "mx.example"));
}

/* OpenSSL answers every request for new keys at once.  Who reads the answers may ask; who does not would fill our
 * memory. */
static void key_updates_do_not_pile_up(void **state)
{
    (void)state;
    char plain[64];
    size_t n;
    void *ours = our_server();
    SSL_CTX *client = careless(false);
    for (int reads = 0; reads < 2; reads++) {
        struct pair p;
        enum tls_progress progress = TLS_MORE;
        assert_int_equal(accept_from(&p, ours, client, NULL), TLS_DONE);
        for (int i = 0; i < 10000 && progress != TLS_FAILED; i++) {
            SSL_key_update(p.peer.ssl, SSL_KEY_UPDATE_REQUESTED);
            SSL_do_handshake(p.peer.ssl);
            if (i % 10 == 0) SSL_write(p.peer.ssl, "x", 1); /* content between them makes it no better */
            struct buf unread = {0};
            if (!reads) buf_add(&unread, buf_str(&p.wire));
            if (!reads) p.wire.n = 0;
            carry(&p);
            buf_add(&p.wire, buf_str(&unread));
            buf_free(&unread);
            do progress = tls_session_read(p.session, plain, sizeof plain, &n);
            while (progress == TLS_DONE);
            if (reads) assert_int_equal(progress, TLS_MORE);
        }
        assert_int_equal(progress, reads ? TLS_MORE : TLS_FAILED);
        assert_in_range(p.wire.n, 0, 64 * 1024);
        pair_end(&p);
    }
    tls_server_context_free(ours);
    SSL_CTX_free(client);
}

/* Renegotiation in TLS 1.2 is refused: it costs us more than the client. */
static void nobody_renegotiates(void **state)
{
    (void)state;
    char plain[64];
    size_t n;
    void *ours = our_server();
    SSL_CTX *client = careless(false);
    struct pair p;
    SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION);
    assert_int_equal(accept_from(&p, ours, client, NULL), TLS_DONE);
    SSL_renegotiate(p.peer.ssl);
    SSL_do_handshake(p.peer.ssl);
    ERR_clear_error();
    carry(&p);
    assert_int_not_equal(tls_session_read(p.session, plain, sizeof plain, &n), TLS_DONE);
    assert_in_range(p.wire.n, 0, 64); /* an alert, not a flight of the server's */
    pair_end(&p);
    tls_server_context_free(ours);
    SSL_CTX_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trap_1_an_empty_name_switches_the_check_off),
        cmocka_unit_test(trap_2_a_resumed_session_is_not_checked),
        cmocka_unit_test(trap_2_and_no_session_of_ours_resumes),
        cmocka_unit_test(trap_3_without_anchors_nobody_is_verified),
        cmocka_unit_test(trap_4_an_address_is_not_a_name),
        cmocka_unit_test(trap_5_no_least_version_is_set_by_itself),
        cmocka_unit_test(trap_6_what_openssl_holds_wakes_nobody),
        cmocka_unit_test(trap_7_an_old_error_is_taken_for_ours),
        cmocka_unit_test(trap_8_the_end_of_tls_is_the_end),
        cmocka_unit_test(names_that_openssl_would_take),
        cmocka_unit_test(key_updates_do_not_pile_up),
        cmocka_unit_test(nobody_renegotiates),
    };
    net_cert_authority(trust);
    struct net_cert other;
    net_cert_make(&(struct net_cert_wish){.common_name = "another authority", .own_root = true}, &other);
    strcpy(trust_of_others, "/tmp/sluice-other-XXXXXX");
    int fd = mkstemp(trust_of_others);
    if (fd < 0 || write(fd, other.certificate.p, other.certificate.n) != (ssize_t)other.certificate.n) return 1;
    close(fd);
    net_cert_free(&other);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(trust);
    unlink(trust_of_others);
    return failed;
}
