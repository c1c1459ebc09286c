/* relay/: who is let in and as whom: PROXY, XCLIENT, limits per client, and clients that only take up room. */
#include <stdio.h>
#include <string.h>

#include "relay/clients.h"
#include "smtp/proxy.h"
#include "tests/support/check.h"
#include "tests/support/dice.h"
#include "tests/support/relay_rig.h"

/* --- PROXY headers ------------------------------------------------------------------------------------------------ */

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(literal) {literal, sizeof(literal) - 1}

static const struct {
    struct str bytes;
    enum proxy_result result;
    const char *ip; /* NULL: local */
    uint16_t port;
    size_t size;
} headers[] = {
    {BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 4711 25\r\nEHLO"), PROXY_DONE, "192.0.2.7", 4711, 43},
    {BYTES("PROXY TCP6 2001:db8::1 ::1 65535 25\r\n"), PROXY_DONE, "2001:db8::1", 65535, 37},
    {BYTES("PROXY UNKNOWN\r\n"), PROXY_DONE, NULL, 0, 15},
    {BYTES("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), PROXY_DONE, NULL, 0, 35},
    {BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 70000 25\r\n"), PROXY_BAD, NULL, 0, 0},
    {BYTES("PROXY TCP4 192.0.2.700 198.51.100.1 1 25\r\n"), PROXY_BAD, NULL, 0, 0},
    {BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 1\r\n"), PROXY_BAD, NULL, 0, 0},
    {BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3\r\n"), PROXY_BAD, NULL, 0, 0},
    {BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 1 25\n"), PROXY_BAD, NULL, 0, 0},
    {BYTES("EHLO x\r\n"), PROXY_BAD, NULL, 0, 0},
    {BYTES("PROXY"), PROXY_MORE, NULL, 0, 0},
    {BYTES(""), PROXY_MORE, NULL, 0, 0},
    {BYTES(V2 "\x21\x11\0\x0c\xc0\0\2\7\xc6\x33\x64\1\x12\x67\0\x19xx"), PROXY_DONE, "192.0.2.7", 0x1267, 28},
    {BYTES(V2 "\x21\x21\0\x24\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\1\0\x19"),
     PROXY_DONE, "2001:db8::1", 1, 52},
    {BYTES(V2 "\x20\0\0\0"), PROXY_DONE, NULL, 0, 16},
    {BYTES(V2 "\x21\x31\0\3abc"), PROXY_DONE, NULL, 0, 19}, /* unix sockets: no address of a client */
    {BYTES(V2 "\x21\x11\0\x0b\xc0\0\2\7\xc6\x33\x64\1\x12\x67\0"), PROXY_BAD, NULL, 0, 0},
    {BYTES(V2 "\x11\x11\0\0"), PROXY_BAD, NULL, 0, 0},
    {BYTES(V2 "\x22\x11\0\0"), PROXY_BAD, NULL, 0, 0},
    {BYTES(V2 "\x21\x11\xff\xff"), PROXY_BAD, NULL, 0, 0},
};

static void proxy_headers(void **state)
{
    (void)state;
    struct dice dice = {7};
    struct proxy_header h;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        struct str bytes = headers[i].bytes;
        if (proxy_read(bytes, &h) != headers[i].result) fail_msg("header %zu", i);
        if (headers[i].result == PROXY_DONE) {
            assert_int_equal(h.local, headers[i].ip == NULL);
            if (headers[i].ip) assert_string_equal(h.ip, headers[i].ip);
            assert_int_equal(h.port, headers[i].port);
            assert_int_equal(h.size, headers[i].size);
            for (size_t n = 0; n < h.size; n++) assert_int_equal(proxy_read(str_slice(bytes, 0, n), &h), PROXY_MORE);
        }
        for (int round = 0; round < 2000; round++) { /* any change: an answer within the bytes (ASan looks on) */
            struct buf changed = {0};
            buf_add(&changed, bytes);
            if (changed.n) changed.p[dice_roll(&dice, (uint32_t)changed.n)] = (char)dice_roll(&dice, 256);
            if (proxy_read(buf_str(&changed), &h) == PROXY_DONE) assert_true(h.size <= changed.n);
            buf_free(&changed);
        }
    }
}

/* --- the table of clients ----------------------------------------------------------------------------------------- */

static void clients_are_counted(void **state)
{
    (void)state;
    struct clients *c = clients_create();
    struct client *a = clients_enter(c, STR("2001:db8::1"), 0), *b = clients_enter(c, STR("2001:db8::ffff:2"), 0);
    struct client *other = clients_enter(c, STR("2001:db8:0:1::1"), 0);
    assert_ptr_equal(a, b); /* one /64 */
    assert_ptr_not_equal(a, other);
    assert_int_equal(client_sessions(a), 2);
    for (int i = 0; i < 3; i++) assert_int_equal(client_count(a, CLIENT_MESSAGES, 2, 100 * i), i < 2);
    assert_true(client_count(a, CLIENT_RECIPIENTS, 2, 300));
    assert_true(client_count(other, CLIENT_MESSAGES, 2, 300));
    assert_true(client_count(a, CLIENT_MESSAGES, 2, CLIENTS_WINDOW_MS));
    clients_leave(c, a);
    clients_leave(c, b);
    clients_leave(c, other);
    /* Full: whoever is not in it is not limited, and room comes back. */
    for (unsigned i = 0; i < CLIENTS_MOST + 10; i++) {
        char ip[32];
        snprintf(ip, sizeof ip, "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        clients_leave(c, clients_enter(c, str_of(ip), CLIENTS_WINDOW_MS));
    }
    assert_null(clients_enter(c, STR("192.0.2.1"), CLIENTS_WINDOW_MS));
    assert_true(client_count(NULL, CLIENT_MESSAGES, 1, 0));
    struct client *back = NULL;
    for (int i = 0; i < 4097 && !back; i++) back = clients_enter(c, STR("192.0.2.1"), 3 * CLIENTS_WINDOW_MS);
    assert_non_null(back);
    clients_free(&c);
}

/* --- sessions ----------------------------------------------------------------------------------------------------- */

static void heard(struct net_stream *s, const char *wanted)
{
    struct str got = memory_heard(s);
    if (!str_starts(got, str_of(wanted))) fail_msg("heard \"%.*s\", wanted \"%s\"", STR_ARG(got), wanted);
    memory_forget(s);
}

static void tell(struct rig *g, struct net_stream *s, const char *text, const char *wanted)
{
    memory_forget(s);
    memory_say(g->memory, s, text);
    memory_run(g->memory);
    heard(s, wanted);
}

static struct net_stream *dial(struct rig *g, const char *ip)
{
    struct net_stream *s = memory_dial(g->memory, "inbound", ip);
    memory_run(g->memory);
    return s;
}

static void limits_per_client(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    g.listener.client_sessions = 2;
    g.listener.client_connects = 3;
    g.listener.client_messages = 2;
    g.listener.client_recipients = 3;
    g.listener.sessions = 6;
    rig_start(&g);
    struct net_stream *first = dial(&g, "192.0.2.1"), *second = dial(&g, "192.0.2.1"), *third = dial(&g, "192.0.2.1");
    heard(first, "220 ");
    heard(second, "220 ");
    heard(third, "421 4.7.0 Too many sessions from your address\r\n");
    assert_false(memory_is_open(third));
    memory_hang_up(g.memory, second);
    memory_run(g.memory);
    struct net_stream *again = dial(&g, "192.0.2.1");
    heard(again, "220 ");
    memory_hang_up(g.memory, again);
    memory_run(g.memory);
    heard(dial(&g, "192.0.2.1"), "421 4.7.0 Too many connections from your address in this minute\r\n");
    heard(dial(&g, "192.0.2.2"), "220 ");

    tell(&g, first, "EHLO x\r\n", "250-");
    tell(&g, first, "MAIL FROM:<a@b.example>\r\n", "250 ");
    for (int i = 0; i < 3; i++) {
        char rcpt[64];
        snprintf(rcpt, sizeof rcpt, "RCPT TO:<%d@corp.example>\r\n", i);
        tell(&g, first, rcpt, "250 ");
    }
    tell(&g, first, "RCPT TO:<x@corp.example>\r\n", "450 4.7.1 ");
    tell(&g, first, "RSET\r\n", "250 ");
    tell(&g, first, "MAIL FROM:<a@b.example>\r\nRSET\r\n", "250 ");
    tell(&g, first, "MAIL FROM:<a@b.example>\r\n", "450 4.7.1 Too much mail from your address in this minute\r\n");
    memory_advance(g.memory, CLIENTS_WINDOW_MS);
    tell(&g, first, "MAIL FROM:<a@b.example>\r\n", "250 ");

    /* Our own are not limited, but by the whole. */
    struct net_stream *ours[5];
    for (int i = 0; i < 5; i++) ours[i] = dial(&g, "10.0.0.9");
    for (int i = 0; i < 4; i++) heard(ours[i], "220 ");
    heard(ours[4], "421 4.7.0 Too many sessions, try again later\r\n");
    assert_true(rig_log_has(&g, "turned-away"));
    rig_teardown(&g);
}

/* A byte now and then keeps neither a command nor content alive. */
static void slow_clients(void **state)
{
    (void)state;
    struct rig g;
    struct address_range balancer;
    rig_setup(&g);
    assert_true(ip_range_parse(STR("172.16.0.0/16"), balancer.low, balancer.high, NULL));
    g.listener.proxy_from = (struct address_ranges){&balancer, 1};
    g.listener.patience = 100;
    g.listener.least_rate = 500;
    rig_start(&g);
    struct net_stream *mute = dial(&g, "172.16.0.1");
    struct net_stream *command = dial(&g, "10.0.0.1"), *content = rig_session(&g, "10.0.0.2"),
                      *good = dial(&g, "10.0.0.3");
    tell(&g, content, "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n", "250 ");
    memory_forget(command);
    unsigned seconds = 0;
    for (; (memory_is_open(command) || memory_is_open(content)) && seconds < 300; seconds += 10) {
        if (memory_is_open(command)) memory_say(g.memory, command, "N");
        if (memory_is_open(content)) memory_say(g.memory, content, "x\r\n");
        tell(&g, good, "NOOP\r\n", "250 ");
        memory_advance(g.memory, 10000);
    }
    assert_in_range(seconds, 60, 140);
    heard(command, "421 4.4.2 Idle for too long\r\n");
    heard(content, "421 4.4.2 Content comes too slowly\r\n");
    assert_false(memory_is_open(mute));
    assert_int_equal(rig_log_count(&g, "event=disconnect"), 3);
    assert_true(rig_log_has(&g, "client=172.16.0.1 reason=\"no PROXY header or TLS handshake in time\""));
    assert_true(rig_log_has(&g, "-: event=disconnect client=10.0.0.1 reason=\"idle for too long\""));
    assert_true(rig_log_has(&g, "event=disconnect client=10.0.0.2 reason=\"the content came too slowly\""));
    assert_true(memory_is_open(good));
    rig_teardown(&g);
}

static void behind_a_balancer(void **state)
{
    (void)state;
    struct rig g;
    struct address_range balancer;
    rig_setup(&g);
    assert_true(ip_range_parse(STR("172.16.0.0/16"), balancer.low, balancer.high, NULL));
    g.listener.proxy_from = (struct address_ranges){&balancer, 1};
    rig_start(&g);
    struct net_stream *s = dial(&g, "172.16.0.1");
    assert_int_equal(memory_heard(s).n, 0); /* no greeting before it is known to whom */
    memory_say(g.memory, s, "PROXY TCP4 10.7.7.7 172.16.");
    memory_run(g.memory);
    assert_int_equal(memory_heard(s).n, 0);
    tell(&g, s, "0.9 1234 25\r\nEHLO early\r\n", "220 ");
    rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail); /* 10.0.0.0/8 may relay */
    memory_run(g.memory);
    assert_int_equal(rig_mails(&g, 0), 1);
    assert_true(str_find(buf_str(&g.memory->servers[0].mail[0].data), STR("([10.7.7.7])")) != STR_NPOS);

    heard(dial(&g, "10.0.0.1"), "220 "); /* from elsewhere nothing is expected */
    struct net_stream *bare = dial(&g, "172.16.0.1");
    tell(&g, bare, "EHLO x\r\n", "421 4.7.0 A PROXY header was expected\r\n");
    struct net_stream *silent = dial(&g, "172.16.0.2");
    memory_advance(g.memory, 100000);
    assert_false(memory_is_open(silent));
    assert_int_equal(memory_heard(silent).n, 0);
    struct net_stream *local = dial(&g, "172.16.0.1");
    tell(&g, local, "PROXY UNKNOWN\r\n", "220 ");
    rig_teardown(&g);
}

static void a_proxy_speaks_for_its_client(void **state)
{
    (void)state;
    struct rig g;
    struct address_range proxy;
    rig_setup(&g);
    assert_true(ip_range_parse(STR("192.0.2.0/24"), proxy.low, proxy.high, NULL));
    g.listener.xclient_from = (struct address_ranges){&proxy, 1};
    rig_start(&g);
    struct net_stream *s = rig_session(&g, "192.0.2.1");
    tell(&g, s, "MAIL FROM:<a@b.example>\r\n", "250 ");
    tell(&g, s, "RCPT TO:<c@partner.example>\r\n", "550 5.7.1 ");
    tell(&g, s, "RSET\r\n", "250 ");
    tell(&g, s, "XCLIENT ADDR=10.9.9.9 LOGIN=alice\r\n", "220 ");
    tell(&g, s, "EHLO real.example\r\n", "250-");
    rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail);
    memory_run(g.memory);
    assert_int_equal(rig_mails(&g, 0), 1);
    struct str data = buf_str(&g.memory->servers[0].mail[0].data);
    assert_true(str_find(data, STR("([10.9.9.9])")) != STR_NPOS && str_find(data, STR("with ESMTPA")) != STR_NPOS);
    tell(&g, rig_session(&g, "10.0.0.1"), "XCLIENT ADDR=10.9.9.9\r\n", "550 5.7.0 ");
    rig_teardown(&g);
}

/* Nobody was accepted, and content comes all the same, sent ahead: there is no recipient that the log could name. */
static void content_for_nobody(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    rig_start(&g);
    struct net_stream *s = rig_session(&g, "192.0.2.1");
    tell(&g, s, "MAIL FROM:<a@b.example>\r\n", "250 ");
    tell(&g, s, "RCPT TO:<c@partner.example>\r\n", "550 5.7.1 ");
    tell(&g, s, "BDAT 4 LAST\r\nx\r\n\n", "554 5.5.1 ");
    tell(&g, s, "RSET\r\n", "250 ");
    tell(&g, s, "BDAT 4 LAST\r\nx\r\n\n", "503 ");
    rig_teardown(&g);
}

/* Whom a proxy named in clear is nobody inside TLS: anybody between the two may have said it (RFC 3207 section 4.2). */
static void a_login_told_in_clear_ends_with_starttls(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    g.listener.xclient_from = (struct address_ranges){&g.trusted, 1};
    rig_start(&g);
    rig_generation(&g, "certificate");
    struct net_stream *s = rig_session(&g, "10.0.0.1");
    tell(&g, s, "XCLIENT ADDR=192.0.2.9 LOGIN=alice\r\n", "220 ");
    tell(&g, s, "EHLO x\r\n", "250-");
    tell(&g, s, "MAIL FROM:<a@b.example>\r\n", "250 ");
    tell(&g, s, "RCPT TO:<c@partner.example>\r\n", "250 ");
    tell(&g, s, "STARTTLS\r\n", "220 ");
    tell(&g, s, "EHLO x\r\n", "250-");
    tell(&g, s, "MAIL FROM:<a@b.example>\r\n", "250 ");
    tell(&g, s, "RCPT TO:<c@partner.example>\r\n", "550 5.7.1 ");
    rig_teardown(&g);
}

/* Replies that nobody reads do not pile up: past a bound nothing more is read from that client. */
static void who_reads_no_replies(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    rig_start(&g);
    struct net_stream *s = rig_session(&g, "10.0.0.1");
    g.memory->writes_stick = true;
    memory_say(g.memory, s, "MAIL FROM:<a@b.example>\r\nRCPT TO:<ok@corp.example>\r\n");
    memory_run(g.memory);
    size_t before = 0, rounds = 0;
    do {
        struct buf flood = {0};
        before = memory_heard(s).n;
        for (int i = 0; i < 500; i++) buf_add(&flood, STR("RCPT TO:<%@corp.example>\r\n"));
        buf_add_byte(&flood, '\0');
        memory_say(g.memory, s, flood.p);
        memory_run(g.memory);
        buf_free(&flood);
    } while (memory_heard(s).n > before && ++rounds < 100);
    assert_in_range(memory_heard(s).n, 1000, 256 * 1024);
    assert_in_range(rounds, 0, 20);
    rig_teardown(&g);
}

static void a_client_that_the_proxy_does_not_know(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    g.listener.xclient_from = (struct address_ranges){&g.trusted, 1}; /* the proxy itself may relay */
    rig_start(&g);
    struct net_stream *s = rig_session(&g, "10.0.0.1");
    tell(&g, s, "XCLIENT ADDR=nonsense\r\n", "501 ");
    tell(&g, s, "XCLIENT ADDR=[UNAVAILABLE]\r\n", "220 ");
    tell(&g, s, "EHLO x\r\n", "250-");
    tell(&g, s, "MAIL FROM:<a@b.example>\r\n", "250 ");
    tell(&g, s, "RCPT TO:<c@partner.example>\r\n", "550 5.7.1 ");
    rig_teardown(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proxy_headers),       cmocka_unit_test(clients_are_counted),
        cmocka_unit_test(limits_per_client),   cmocka_unit_test(slow_clients),
        cmocka_unit_test(who_reads_no_replies), cmocka_unit_test(a_client_that_the_proxy_does_not_know),
        cmocka_unit_test(behind_a_balancer),   cmocka_unit_test(a_proxy_speaks_for_its_client),
        cmocka_unit_test(content_for_nobody),
        cmocka_unit_test(a_login_told_in_clear_ends_with_starttls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
