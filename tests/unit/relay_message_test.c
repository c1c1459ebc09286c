/* relay/: whole messages from MAIL to the next host, on memory ports: no loop, no database, no socket. */
#include <stdio.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/relay_rig.h"

static void expect_starts(const char *got, const char *wanted)
{
    if (strncmp(got, wanted, strlen(wanted)) == 0) return;
    print_error("got \"%s\", wanted it to begin with \"%s\"\n", got, wanted);
    fail();
}

static struct str after_received(const struct memory_mail *m)
{
    struct str data = buf_str(&m->data);
    assert_true(str_starts(data, STR("Received: from client.example ([10.0.0.1])")));
    struct str line = data;
    do {
        size_t end = str_find(line, STR("\r\n"));
        line = str_from(line, end + 2);
    } while (line.n && ascii_is_blank(line.p[0]));
    return line;
}

static bool has_unfolded(const struct memory_mail *m, const char *text)
{
    struct buf flat = {0};
    for (size_t i = 0; i < m->data.n; i++)
        if (m->data.p[i] != '\r' && m->data.p[i] != '\n')
            buf_add_byte(&flat, m->data.p[i] == '\t' ? ' ' : m->data.p[i]);
    bool found = str_find(buf_str(&flat), str_of(text)) != STR_NPOS;
    buf_free(&flat);
    return found;
}

static void whole_message(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    rig_start(&g);
    struct net_stream *s = rig_session(&g, "10.0.0.1");
    const char *answer = rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail);
    expect_starts(answer, "250 2.0.0 Ok: queued as ");
    memory_run(g.memory);
    assert_int_equal(rig_mails(&g, 0), 1);
    const struct memory_mail *m = &g.memory->servers[0].mail[0];
    assert_true(str_starts(buf_str(&m->from), STR("MAIL FROM:<a@corp.example>")));
    check_buf(&m->to, "RCPT TO:<b@partner.example>\n");
    struct str got = after_received(m);
    /* As on the wire: the leading dot is stuffed once more. */
    check_str(
        got,
        "From: a@corp.example\r\nTo: b@partner.example\r\nSubject: hello\r\n\r\nFirst line\r\n...dots\r\nlast\r\n");
    assert_true(has_unfolded(m, "by relay.corp.example with ESMTP id "));
    assert_true(has_unfolded(m, " for <b@partner.example>; "));
    assert_true(has_unfolded(m, "+0100"));
    assert_int_equal(memory_stored(g.memory), 0);
    assert_true(rig_log_has(&g, "queued"));
    assert_true(rig_log_has(&g, "delivered"));
    rig_teardown(&g);
}

static void several_recipients(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    rig_start(&g);
    struct net_stream *s = rig_session(&g, "10.0.0.1");
    expect_starts(rig_send(&g, s, "a@corp.example",
                           "b@partner.example,c@partner.example,b@partner.example,d@side.example", rig_mail),
                  "250");
    assert_int_equal(rig_mails(&g, 0), 1);
    assert_int_equal(rig_mails(&g, 1), 1);
    check_buf(&g.memory->servers[0].mail[0].to, "RCPT TO:<b@partner.example>\nRCPT TO:<c@partner.example>\n");
    check_buf(&g.memory->servers[1].mail[0].to, "RCPT TO:<d@side.example>\n");
    assert_true(str_find(buf_str(&g.memory->servers[0].mail[0].data), STR("for <")) == STR_NPOS);
    assert_int_equal(memory_stored(g.memory), 0);
    rig_teardown(&g);
}

/* A large message leaves the buffer for a descriptor and arrives whole. */
static void large_message(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    rig_start(&g);
    struct buf big = {0};
    buf_add(&big, STR("Subject: big\r\n\r\n"));
    for (int i = 0; i < 9000; i++) buf_printf(&big, "%05d Lorem ipsum dolor sit amet\r\n", i);
    buf_add_byte(&big, '\0');
    struct net_stream *s = rig_session(&g, "10.0.0.1");
    expect_starts(rig_send(&g, s, "a@corp.example", "b@partner.example", big.p), "250");
    assert_int_equal(rig_mails(&g, 0), 1);
    check_str(after_received(&g.memory->servers[0].mail[0]), big.p);
    buf_free(&big);
    rig_teardown(&g);
}

static void commit_failure(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    rig_start(&g);
    g.memory->store_fails = true;
    struct net_stream *s = rig_session(&g, "10.0.0.1");
    expect_starts(rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail), "451 4.3.0");
    g.memory->store_fails = false;
    memory_advance(g.memory, 100000);
    assert_int_equal(memory_stored(g.memory), 0);
    assert_int_equal(rig_mails(&g, 0), 0);
    /* The session is unharmed. */
    expect_starts(rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail), "250");
    assert_int_equal(rig_mails(&g, 0), 1);
    rig_teardown(&g);
}

/* Who may send where: RFC 5321 and T13 of the threat list. */
static void who_may_relay(void **state)
{
    (void)state;
    static const struct {
        const char *to, *code;
    } cases[] = {
        {"x@corp.example", "250"},
        {"x@CORP.Example", "250"},
        {"postmaster", "250"},
        {"PostMaster", "250"},
        {"postmaster@corp.example", "250"},
        {"x@partner.example", "550"},
        {"x%partner.example@corp.example", "550"},
        {"partner.example!x@corp.example", "550"},
        {"\"x@partner.example\"@corp.example", "550"},
        {"@corp.example:x@partner.example", "550"},
        {"x@sub.corp.example", "550"},
        {"x@[127.0.0.1]", "550"},
        {"x@corp.example.evil.example", "550"},
    };
    struct rig g;
    rig_setup(&g);
    rig_start(&g);
    struct net_stream *s = rig_session(&g, "192.0.2.9");
    memory_say(g.memory, s, "MAIL FROM:<evil@outside.example>\r\n");
    memory_run(g.memory);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[200];
        memory_forget(s);
        snprintf(line, sizeof line, "RCPT TO:<%s>\r\n", cases[i].to);
        memory_say(g.memory, s, line);
        memory_run(g.memory);
        if (strncmp(memory_heard(s).p, cases[i].code, 3) != 0) fail_msg("%s: %s", cases[i].to, memory_heard(s).p);
        if (cases[i].code[0] == '5') assert_non_null(strstr(memory_heard(s).p, "5.7.1"));
    }
    /* From inside, anywhere; IPv4 in IPv6's clothes is IPv4. */
    struct net_stream *ours = rig_session(&g, "::ffff:10.1.2.3");
    expect_starts(rig_send(&g, ours, "a@corp.example", "x@partner.example", rig_mail), "250");
    rig_teardown(&g);
}

static void loops_and_room(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    rig_start(&g);
    struct buf looped = {0};
    for (int i = 0; i < 100; i++)
        buf_printf(&looped, "Received: from x by y; Mon, 1 Jan 2026 00:00:%02d +0000\r\n", i % 60);
    buf_add(&looped, STR("Subject: round\r\n\r\nReceived: in the body does not count\r\n"));
    buf_add_byte(&looped, '\0');
    struct net_stream *s = rig_session(&g, "10.0.0.1");
    expect_starts(rig_send(&g, s, "a@corp.example", "b@partner.example", looped.p), "554 5.4.6");
    /* One hop less passes. */
    expect_starts(rig_send(&g, s, "a@corp.example", "b@partner.example", strchr(looped.p, '\n') + 1), "250");
    buf_free(&looped);
    g.memory->free_bytes = 1000;
    assert_non_null(strstr(rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail), "452 4.3.1"));
    g.memory->free_bytes = UINT64_C(1) << 40;
    expect_starts(rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail), "250");
    rig_teardown(&g);
}

/* Above ¾ of the budget DATA waits and goes on when memory comes back; nobody waits for ever. */
static void memory_budget(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    g.settings.memory = 20000;
    rig_start(&g);
    struct buf half = {0};
    buf_add(&half, STR("MAIL FROM:<a@corp.example>\r\nRCPT TO:<b@partner.example>\r\nDATA\r\nSubject: x\r\n\r\n"));
    for (int i = 0; i < 600; i++) buf_add(&half, STR("123456789 123456789 1234567\r\n"));
    buf_add_byte(&half, '\0');
    struct net_stream *first = rig_session(&g, "10.0.0.1"), *second = rig_session(&g, "10.0.0.2");
    memory_say(g.memory, first, half.p);
    memory_run(g.memory);
    memory_say(g.memory, second, "MAIL FROM:<a@corp.example>\r\nRCPT TO:<b@partner.example>\r\nDATA\r\n");
    memory_run(g.memory);
    assert_null(strstr(memory_heard(second).p, "354"));
    assert_null(strstr(memory_heard(second).p, "452"));
    memory_say(g.memory, first, ".\r\n");
    memory_run(g.memory);
    assert_non_null(strstr(memory_heard(first).p, "queued as"));
    assert_non_null(strstr(memory_heard(second).p, "354"));
    /* The second fills it for good: over the whole budget the message is refused at its end. */
    memory_forget(second);
    memory_say(g.memory, second, strchr(half.p, 'S'));
    memory_say(g.memory, second, strstr(half.p, "123456789"));
    memory_say(g.memory, second, "\r\n.\r\n");
    memory_run(g.memory);
    assert_non_null(strstr(memory_heard(second).p, "452 4.3.1"));
    buf_free(&half);
    rig_teardown(&g);
}

static void retries_and_returns(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    rig_start(&g);
    g.memory->servers[0].rcpt_reply = "450 4.2.1 mailbox busy";
    struct net_stream *s = rig_session(&g, "10.0.0.1");
    expect_starts(rig_send(&g, s, "a@side.example", "b@partner.example", rig_mail), "250");
    assert_int_equal(memory_stored(g.memory), 1);
    check_str(str_of(rig_reason(&g)), "450 4.2.1 mailbox busy");
    assert_int_equal(memory_message(g.memory, 0)->recipients[0].attempts, 1);
    memory_advance(g.memory, 70 * 1000);
    assert_int_equal(memory_message(g.memory, 0)->recipients[0].attempts, 2);
    g.memory->servers[0].rcpt_reply = NULL;
    memory_advance(g.memory, 140 * 1000);
    assert_int_equal(memory_stored(g.memory), 0);
    const struct memory_mail *m = &g.memory->servers[0].mail[rig_mails(&g, 0) - 1];
    assert_true(str_ends(buf_str(&m->data), STR("last\r\n")));

    /* A permanent refusal of one of two: one is delivered, the other returned to the sender, headers only. */
    g.memory->servers[0].rcpt_reply = "550 5.1.1 no such user";
    g.memory->servers[0].rcpt_refused = "gone@";
    expect_starts(rig_send(&g, s, "a@side.example", "b@partner.example,gone@partner.example", rig_mail), "250");
    memory_advance(g.memory, 1000);
    assert_int_equal(rig_mails(&g, 1), 1);
    struct str dsn = buf_str(&g.memory->servers[1].mail[0].data);
    assert_true(str_starts(buf_str(&g.memory->servers[1].mail[0].from), STR("MAIL FROM:<>")));
    check_buf(&g.memory->servers[1].mail[0].to, "RCPT TO:<a@side.example>\n");
    assert_true(str_find(dsn, STR("Final-Recipient: rfc822; gone@partner.example")) != STR_NPOS);
    assert_true(str_find(dsn, STR("Status: 5.1.1")) != STR_NPOS);
    assert_true(str_find(dsn, STR("Diagnostic-Code: smtp; 550 5.1.1 no such user")) != STR_NPOS);
    assert_true(str_find(dsn, STR("Auto-Submitted: auto-replied")) != STR_NPOS);
    assert_true(str_find(dsn, STR("Subject: hello")) != STR_NPOS);
    assert_true(str_find(dsn, STR("First line")) == STR_NPOS);
    assert_int_equal(memory_stored(g.memory), 0);

    /* A bounce is never bounced. */
    expect_starts(rig_send(&g, s, "", "gone@partner.example", rig_mail), "250");
    memory_advance(g.memory, 1000);
    assert_int_equal(rig_mails(&g, 1), 1);
    assert_int_equal(memory_stored(g.memory), 0);
    rig_teardown(&g);
}

static void unreachable_and_expired(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    rig_start(&g);
    g.memory->servers[0].refuses = true;
    struct net_stream *s = rig_session(&g, "10.0.0.1");
    expect_starts(rig_send(&g, s, "a@side.example", "b@partner.example", rig_mail), "250");
    assert_true(str_find(str_of(rig_reason(&g)), STR("4.4.1 mx.partner.example:2600: connection refused")) == 0);
    memory_advance(g.memory, 3 * 3600 * 1000);
    assert_int_equal(rig_mails(&g, 1), 1);
    struct str dsn = buf_str(&g.memory->servers[1].mail[0].data);
    assert_true(str_find(dsn, STR("Status: 5.4.7")) != STR_NPOS);
    assert_true(str_find(dsn, STR("connection refused")) != STR_NPOS);
    assert_int_equal(memory_stored(g.memory), 0);
    rig_teardown(&g);
}

static void restart(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    rig_start(&g);
    g.memory->servers[0].refuses = true;
    struct net_stream *s = rig_session(&g, "10.0.0.1");
    expect_starts(rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail), "250");
    expect_starts(rig_send(&g, s, "a@corp.example", "c@partner.example", rig_mail), "250");
    rig_restart(&g);
    g.memory->servers[0].refuses = false;
    assert_int_equal(memory_stored(g.memory), 2);
    memory_advance(g.memory, 100 * 1000);
    assert_int_equal(memory_stored(g.memory), 0);
    assert_int_equal(rig_mails(&g, 0), 2);
    check_str(
        after_received(&g.memory->servers[0].mail[0]),
        "From: a@corp.example\r\nTo: b@partner.example\r\nSubject: hello\r\n\r\nFirst line\r\n...dots\r\nlast\r\n");
    rig_teardown(&g);
}

/* Outcomes that cannot be written are written later; nothing goes out twice meanwhile. */
static void outcome_not_written(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    rig_start(&g);
    g.memory->servers[0].greeting = "421 4.3.2 not now";
    struct net_stream *s = rig_session(&g, "10.0.0.1");
    expect_starts(rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail), "250");
    g.memory->servers[0].greeting = NULL;
    g.memory->store_fails = true;
    memory_advance(g.memory, 300 * 1000);
    assert_int_equal(rig_mails(&g, 0), 1);
    assert_int_equal(memory_stored(g.memory), 1);
    g.memory->store_fails = false;
    memory_advance(g.memory, 300 * 1000);
    assert_int_equal(rig_mails(&g, 0), 1);
    assert_int_equal(memory_stored(g.memory), 0);
    rig_teardown(&g);
}

/* A pooled connection that the peer gives up in silence costs no attempt. */
static void pooled_connection_gone(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    rig_start(&g);
    g.memory->servers[0].drops_idle = true;
    struct net_stream *s = rig_session(&g, "10.0.0.1");
    for (int i = 0; i < 3; i++) expect_starts(rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail), "250");
    assert_int_equal(rig_mails(&g, 0), 3);
    assert_int_equal(g.memory->servers[0].connections, 3);
    assert_false(rig_log_has(&g, "deferred"));
    assert_int_equal(memory_stored(g.memory), 0);
    rig_teardown(&g);
}

static void client_leaves(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    rig_start(&g);
    struct net_stream *s = rig_session(&g, "10.0.0.1");
    memory_say(g.memory, s,
               "MAIL FROM:<a@corp.example>\r\nRCPT TO:<b@partner.example>\r\nDATA\r\nSubject: x\r\n\r\nhalf");
    memory_run(g.memory);
    memory_hang_up(g.memory, s);
    memory_advance(g.memory, 1000);
    assert_int_equal(memory_stored(g.memory), 0);
    assert_int_equal(g.memory->writes, 0);
    /* And one that says nothing for five minutes is sent away. */
    struct net_stream *quiet = rig_session(&g, "10.0.0.1");
    memory_advance(g.memory, 299 * 1000);
    assert_true(memory_is_open(quiet));
    memory_advance(g.memory, 40 * 1000);
    assert_false(memory_is_open(quiet));
    expect_starts(memory_heard(quiet).p, "421 4.4.2");
    rig_teardown(&g);
}

static void stop_is_graceful(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    rig_start(&g);
    struct net_stream *idle = rig_session(&g, "10.0.0.1"), *done = rig_session(&g, "10.0.0.1");
    expect_starts(rig_send(&g, done, "a@corp.example", "b@partner.example", rig_mail), "250");
    memory_link(g.memory, &(struct link_message){.kind = LINK_STOP}, NULL);
    memory_advance(g.memory, 6000);
    assert_int_equal(g.stopped, 0);
    expect_starts(memory_heard(idle).p, "421 4.3.2");
    assert_false(memory_is_open(done));
    assert_null(memory_dial(g.memory, "inbound", "10.0.0.1"));
    rig_teardown(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_message),           cmocka_unit_test(several_recipients),
        cmocka_unit_test(large_message),           cmocka_unit_test(commit_failure),
        cmocka_unit_test(who_may_relay),           cmocka_unit_test(loops_and_room),
        cmocka_unit_test(memory_budget),           cmocka_unit_test(retries_and_returns),
        cmocka_unit_test(unreachable_and_expired), cmocka_unit_test(restart),
        cmocka_unit_test(outcome_not_written),     cmocka_unit_test(pooled_connection_gone),
        cmocka_unit_test(client_leaves),           cmocka_unit_test(stop_is_graceful),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
