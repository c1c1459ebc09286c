/* relay/: delivery by MX: the next host when one fails or gives no TLS, what DNS refuses, names that are verified,
 * limits. */
#include <stdio.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/relay_rig.h"

static const struct memory_dns zone[] = {
    {"partner.example", NET_DNS_MX, NET_DNS_FOUND, "10 a.mx.example, 20 b.mx.example", false},
    {"secure.example", NET_DNS_MX, NET_DNS_FOUND, "10 s.mx.example", true},
    {"a.mx.example", NET_DNS_A, NET_DNS_FOUND, "192.0.2.1", false},
    {"b.mx.example", NET_DNS_A, NET_DNS_FOUND, "192.0.2.2", false},
    {"s.mx.example", NET_DNS_A, NET_DNS_FOUND, "192.0.2.1", true},
    {"gone.example", NET_DNS_MX, NET_DNS_NO_DOMAIN, "", false},
    {"null.example", NET_DNS_MX, NET_DNS_FOUND, "0 .", false},
    {"corp.example", NET_DNS_MX, NET_DNS_FOUND, "10 a.mx.example", false},
    {NULL, 0, 0, NULL, false},
};
static const struct memory_dns broken[] = {
    {"partner.example", NET_DNS_MX, NET_DNS_FAILED, "", false},
    {NULL, 0, 0, NULL, false},
};

/* Two hosts, told apart by their addresses. */
static void begin(struct rig *g)
{
    rig_setup(g);
    g->connectors[0].host = STR("");
    g->memory->dns = zone;
    g->memory->servers[0].port = g->memory->servers[1].port = RIG_PORT;
    g->memory->servers[0].host = "192.0.2.1";
    g->memory->servers[1].host = "192.0.2.2";
    rig_start(g);
}

static void send(struct rig *g, const char *to)
{
    struct net_stream *s = rig_session(g, "10.0.0.1");
    const char *answer = rig_send(g, s, "a@corp.example", to, rig_mail);
    if (strncmp(answer, "250", 3) != 0) fail_msg("%s", answer);
    memory_hang_up(g->memory, s);
    memory_run(g->memory);
}

static void the_second_host_takes_over(void **state)
{
    (void)state;
    struct rig g;
    begin(&g);
    send(&g, "b@partner.example");
    assert_int_equal(rig_mails(&g, 0), 1);
    memory_advance(g.memory, 10000); /* the idle connection ends */
    g.memory->servers[0].refuses = true;
    send(&g, "c@partner.example");
    assert_int_equal(rig_mails(&g, 1), 1);
    assert_int_equal(memory_stored(g.memory), 0);
    assert_true(rig_log_has(&g, "relay=\"b.mx.example[192.0.2.2]:2600\"") ||
                rig_log_has(&g, "relay=b.mx.example[192.0.2.2]:2600"));
    assert_true(rig_log_has(&g, "attempts=1"));
    assert_false(rig_log_has(&g, "event=deferred"));
    rig_teardown(&g);
}

static void a_greeting_that_refuses_is_passed_over_too(void **state)
{
    (void)state;
    static const char *const greetings[] = {"421 4.3.2 busy", "554 5.3.2 no mail here"};
    for (size_t i = 0; i < 2; i++) {
        struct rig g;
        begin(&g);
        g.memory->servers[0].greeting = greetings[i];
        send(&g, "b@partner.example");
        assert_int_equal(rig_mails(&g, 1), 1);
        assert_int_equal(memory_stored(g.memory), 0);
        rig_teardown(&g);
    }
}

/* A peer that is out of step, as an NNTP server's 200: nothing of it says that mail was taken. */
static void a_good_code_at_the_wrong_moment_delivers_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *greeting, *data_reply;
    } rows[] = {{"200 news server ready", NULL}, {"250 hello", NULL}, {"220 x\r\n220 y", NULL}, {NULL, "250 ok"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig g;
        begin(&g);
        for (int k = 0; k < 2; k++) {
            g.memory->servers[k].greeting = rows[i].greeting;
            g.memory->servers[k].data_reply = rows[i].data_reply;
        }
        send(&g, "b@partner.example");
        send(&g, "c@partner.example"); /* shares the failure, not a success */
        assert_int_equal(memory_stored(g.memory), 2);
        assert_false(rig_log_has(&g, "event=delivered"));
        rig_teardown(&g);
    }
}

/* 8-bit content goes only where it is taken, whatever the client declared (RFC 6152). */
static void eight_bits_that_nobody_declared(void **state)
{
    (void)state;
    for (int takes = 0; takes < 2; takes++) {
        struct rig g;
        begin(&g);
        g.memory->servers[0].no_8bit = g.memory->servers[1].no_8bit = !takes;
        struct net_stream *s = rig_session(&g, "10.0.0.1");
        rig_send(&g, s, "a@corp.example", "b@partner.example", "Subject: x\r\n\r\ngr\xc3\xbc\xc3\x9f""e\r\n");
        memory_run(g.memory);
        const struct memory_mail *m = &g.memory->servers[0].mail[0];
        if (takes)
            assert_true(str_find(buf_str(&m->from), STR("BODY=8BITMIME")) != STR_NPOS);
        else
            assert_true(str_find(buf_str(&m->data), STR("Status: 5.6.3")) != STR_NPOS); /* the report */
        rig_teardown(&g);
    }
}

static void when_all_fail_it_waits_and_comes_back(void **state)
{
    (void)state;
    struct rig g;
    begin(&g);
    g.memory->servers[0].refuses = g.memory->servers[1].refuses = true;
    send(&g, "b@partner.example");
    assert_int_equal(memory_stored(g.memory), 1);
    assert_non_null(strstr(rig_reason(&g), "b.mx.example"));
    g.memory->servers[0].refuses = false;
    memory_advance(g.memory, 300000);
    assert_int_equal(rig_mails(&g, 0), 1);
    assert_int_equal(memory_stored(g.memory), 0);
    rig_teardown(&g);
}

static enum judge_behaviour demand(void *owner, const struct judge_request *request, struct arena *a,
                                   struct judge_answer *answer)
{
    (void)request, (void)a;
    for (size_t i = 0; i < answer->verdict.recipient_count; i++)
        answer->verdict.recipients[i].need = *(const struct obligation *)owner;
    return JUDGE_ANSWERS;
}

static void tls_is_looked_for_at_every_host(void **state)
{
    (void)state;
    struct obligation need = {.peer = TLS_PEER_ENCRYPT};
    for (int breaks = 0; breaks < 2; breaks++) {
        struct rig g;
        begin(&g);
        g.memory->script = demand;
        g.memory->script_owner = &need;
        g.memory->servers[0].starttls = g.memory->servers[0].starttls_breaks = breaks;
        g.memory->servers[1].starttls = true;
        send(&g, "b@partner.example");
        assert_int_equal(rig_mails(&g, 0), 0);
        assert_int_equal(rig_mails(&g, 1), 1);
        assert_true(g.memory->servers[1].mail[0].tls);
        assert_int_equal(str_find(buf_str(&g.memory->servers[0].clear), STR("MAIL")), STR_NPOS);
        assert_int_equal(memory_stored(g.memory), 0);
        rig_teardown(&g);
    }
}

static void without_tls_anywhere_it_waits(void **state)
{
    (void)state;
    struct obligation need = {.peer = TLS_PEER_ENCRYPT};
    struct rig g;
    begin(&g);
    g.memory->script = demand;
    g.memory->script_owner = &need;
    send(&g, "b@partner.example");
    assert_int_equal(memory_stored(g.memory), 1);
    assert_int_equal(strncmp(rig_reason(&g), "4.7.4 ", 6), 0);
    assert_int_equal(rig_mails(&g, 0) + rig_mails(&g, 1), 0);
    g.memory->servers[1].starttls = true;
    memory_advance(g.memory, 300000);
    assert_int_equal(rig_mails(&g, 1), 1);
    rig_teardown(&g);
}

/* An exchanger's name that DNS did not prove is not what a certificate is held to. */
static void which_name_is_verified(void **state)
{
    (void)state;
    static const struct {
        const char *to, *name;
    } rows[] = {{"b@partner.example", "partner.example"}, {"b@secure.example", "s.mx.example"}};
    struct obligation need = {.peer = TLS_PEER_VERIFIED};
    for (size_t i = 0; i < 2; i++) {
        struct rig g;
        begin(&g);
        g.memory->script = demand;
        g.memory->script_owner = &need;
        g.memory->servers[0].starttls = g.memory->servers[0].certificate_good = true;
        send(&g, rows[i].to);
        assert_string_equal(g.memory->servers[0].tls_name, rows[i].name);
        assert_int_equal(rig_mails(&g, 0), 1);
        rig_teardown(&g);
    }
}

static void what_dns_refuses_is_returned(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"b@gone.example", "Status: 5.1.2"}, {"b@null.example", "Status: 5.1.10"}};
    for (size_t i = 0; i < 2; i++) {
        struct rig g;
        begin(&g);
        send(&g, rows[i][0]);
        assert_int_equal(rig_mails(&g, 0), 1); /* the report, to a@corp.example */
        const struct memory_mail *m = &g.memory->servers[0].mail[0];
        assert_true(str_find(buf_str(&m->data), str_of(rows[i][1])) != STR_NPOS);
        assert_int_equal(memory_stored(g.memory), 0);
        rig_teardown(&g);
    }
}

static void what_dns_cannot_say_waits(void **state)
{
    (void)state;
    struct rig g;
    begin(&g);
    g.memory->dns = broken;
    send(&g, "b@partner.example");
    assert_int_equal(memory_stored(g.memory), 1);
    assert_int_equal(strncmp(rig_reason(&g), "4.4.", 4), 0);
    g.memory->dns = zone;
    memory_advance(g.memory, 300000);
    assert_int_equal(rig_mails(&g, 0), 1);
    rig_teardown(&g);
}

/* A reload in the middle of a look-up: asked anew, delivered once. */
static void a_reload_while_dns_is_silent(void **state)
{
    (void)state;
    struct rig g;
    begin(&g);
    g.memory->dns_silent = true;
    send(&g, "b@partner.example");
    rig_generation(&g, NULL);
    memory_run(g.memory);
    g.memory->dns_silent = false;
    memory_run(g.memory);
    assert_int_equal(rig_mails(&g, 0), 1);
    assert_int_equal(memory_stored(g.memory), 0);
    rig_teardown(&g);
}

static void transactions_keep_to_limits(void **state)
{
    (void)state;
    static const unsigned rows[][2] = {{0, 100}, {7, 7}, {500, 100}}; /* told, most */
    for (size_t i = 0; i < 3; i++) {
        struct rig g;
        struct buf to = {0};
        begin(&g);
        g.memory->servers[0].recipients_most = rows[i][0];
        for (int n = 0; n < 150; n++) buf_printf(&to, "%s%d@partner.example", n ? "," : "", n);
        buf_add_byte(&to, '\0');
        send(&g, to.p);
        size_t total = 0;
        for (size_t m = 0; m < rig_mails(&g, 0); m++) {
            size_t n = 0;
            struct str line, rest = buf_str(&g.memory->servers[0].mail[m].to);
            while (rest.n && str_cut(rest, '\n', &line, &rest)) n++;
            assert_in_range(n, 1, rows[i][1]);
            total += n;
        }
        assert_int_equal(total, 150);
        assert_int_equal(rig_mails(&g, 0), (150 + rows[i][1] - 1) / rows[i][1]);
        assert_int_equal(memory_stored(g.memory), 0);
        buf_free(&to);
        rig_teardown(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_second_host_takes_over),
        cmocka_unit_test(a_greeting_that_refuses_is_passed_over_too),
        cmocka_unit_test(a_good_code_at_the_wrong_moment_delivers_nothing),
        cmocka_unit_test(eight_bits_that_nobody_declared),
        cmocka_unit_test(when_all_fail_it_waits_and_comes_back),
        cmocka_unit_test(tls_is_looked_for_at_every_host),
        cmocka_unit_test(without_tls_anywhere_it_waits),
        cmocka_unit_test(which_name_is_verified),
        cmocka_unit_test(what_dns_refuses_is_returned),
        cmocka_unit_test(what_dns_cannot_say_waits),
        cmocka_unit_test(a_reload_while_dns_is_silent),
        cmocka_unit_test(transactions_keep_to_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
