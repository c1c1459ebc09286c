/* relay/: what a host can carry and how it is treated: extensions, limits, its silence, its being busy. */
#include <stdio.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/relay_rig.h"

static void begin(struct rig *g)
{
    rig_setup(g);
    rig_start(g);
}

static void send(struct rig *g, const char *to)
{
    struct net_stream *s = rig_session(g, "10.0.0.1");
    const char *answer = rig_send(g, s, "a@side.example", to, rig_mail);
    if (strncmp(answer, "250", 3) != 0) fail_msg("%s", answer);
    memory_hang_up(g->memory, s);
    memory_run(g->memory);
}

/* What the next host cannot carry comes back at once, unconverted, with the status of what it lacks. */
static void what_it_cannot_carry(void **state)
{
    (void)state;
    static const struct {
        const char *mail, *to, *content;
        bool no_8bit, utf8;
        unsigned size;
        const char *status, *parameter; /* of the report; or what MAIL bears where it goes */
    } rows[] = {
        {"MAIL FROM:<a@side.example> BODY=8BITMIME", "b@partner.example", "x", true, true, 0, "5.6.3", NULL},
        {"MAIL FROM:<a@side.example> BODY=8BITMIME", "b@partner.example", "x", false, false, 0, NULL, " BODY=8BITMIME"},
        {"MAIL FROM:<a@side.example>", "b@partner.example", "gr\xc3\xbc\xc3\x9f", true, false, 0, "5.6.3", NULL},
        {"MAIL FROM:<a@side.example> SMTPUTF8", "\xc3\xbc@partner.example", "x", false, false, 0, "5.6.7", NULL},
        {"MAIL FROM:<a@side.example> SMTPUTF8", "\xc3\xbc@partner.example", "x", false, true, 0, NULL, " SMTPUTF8"},
        {"MAIL FROM:<a@side.example> SMTPUTF8", "b@partner.example", "x", false, false, 0, NULL,
         " SIZE="}, /* plain after all */
        {"MAIL FROM:<a@side.example>", "b@partner.example", "x", false, false, 100, "5.3.4", NULL},
        {"MAIL FROM:<a@side.example>", "b@partner.example", "x", false, false, 5000, NULL, " SIZE="},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig g;
        struct buf said = {0};
        begin(&g);
        g.memory->servers[0].no_8bit = rows[i].no_8bit;
        g.memory->servers[0].utf8 = rows[i].utf8;
        g.memory->servers[0].size_limit = rows[i].size;
        struct net_stream *s = rig_session(&g, "10.0.0.1");
        buf_printf(&said, "%s\r\nRCPT TO:<%s>\r\nDATA\r\n", rows[i].mail, rows[i].to);
        buf_add_byte(&said, '\0');
        memory_say(g.memory, s, said.p);
        memory_run(g.memory);
        said.n = 0;
        buf_printf(&said, "Subject: x\r\n\r\n%s\r\n.\r\n", rows[i].content);
        buf_add_byte(&said, '\0');
        memory_say(g.memory, s, said.p);
        memory_run(g.memory);
        const struct memory_mail *there = g.memory->servers[0].mail, *back = g.memory->servers[1].mail;
        assert_int_equal(rig_mails(&g, 0), rows[i].status == NULL);
        assert_int_equal(rig_mails(&g, 1), rows[i].status != NULL);
        if (rows[i].parameter && str_find(buf_str(&there->from), str_of(rows[i].parameter)) == STR_NPOS)
            fail_msg("row %zu: %.*s", i, STR_ARG(buf_str(&there->from)));
        if (rows[i].status && str_find(buf_str(&back->data), str_of(rows[i].status)) == STR_NPOS)
            fail_msg("row %zu: %.*s", i, STR_ARG(buf_str(&back->data)));
        assert_int_equal(memory_stored(g.memory), 0);
        buf_free(&said);
        rig_teardown(&g);
    }
}

/* RFC 5321 section 4.5.3.2: so long, and no longer, for each of its answers. */
static void its_silence(void **state)
{
    (void)state;
    static const struct {
        const char *at;
        int seconds;
        const char *reason;
    } rows[] = {{"greeting", 300, "4.4.2 "}, {"EHLO", 300, "4.4.2 "}, {"STARTTLS", 120, NULL}, {"MAIL", 300, "4.4.2 "},
                {"RCPT", 300, "4.4.2 "},     {"DATA", 120, "4.4.2 "}, {"dot", 600, "4.4.2 "}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig g;
        begin(&g);
        g.memory->servers[0].silent_at = rows[i].at;
        g.memory->servers[0].starttls = strcmp(rows[i].at, "STARTTLS") == 0;
        send(&g, "b@partner.example");
        memory_advance(g.memory, rows[i].seconds * 1000 - 1000);
        assert_int_equal(memory_message(g.memory, 0)->recipients[0].attempts, 0);
        assert_false(rig_log_has(&g, "timed out"));
        memory_advance(g.memory, 2000);
        assert_true(rig_log_has(&g, "timed out"));
        if (rows[i].reason) {
            if (strncmp(rig_reason(&g), rows[i].reason, 6) != 0) fail_msg("%s: %s", rows[i].at, rig_reason(&g));
            assert_non_null(strstr(rig_reason(&g), "timed out"));
        } else {
            assert_int_equal(memory_stored(g.memory),
                             0); /* nobody demanded TLS: it went without, on another connection */
        }
        rig_teardown(&g);
    }
}

/* RFC 9422: so many transactions a session, so many domains a transaction. */
static void limits(void **state)
{
    (void)state;
    struct rig g;
    begin(&g);
    g.memory->servers[0].more_limits = "MAILMAX=2 RCPTDOMAINMAX=1";
    for (int i = 0; i < 5; i++) send(&g, "b@partner.example");
    assert_int_equal(rig_mails(&g, 0), 5);
    for (size_t i = 0; i < 5; i++) assert_int_equal(g.memory->servers[0].mail[i].connection, i / 2 + 1);
    send(&g, "b@one.example,c@ONE.example,d@two.example,e@three.example,f@two.example");
    assert_int_equal(rig_mails(&g, 0), 8 + 1);
    for (size_t i = 5; i < 9; i++) {
        struct str to = buf_str(&g.memory->servers[0].mail[i].to);
        bool one = str_find(to, STR("@one.")) != STR_NPOS || str_find(to, STR("@ONE.")) != STR_NPOS;
        assert_int_equal(one + (str_find(to, STR("@two.")) != STR_NPOS) + (str_find(to, STR("@three.")) != STR_NPOS),
                         1);
    }
    assert_int_equal(memory_stored(g.memory), 0);
    rig_teardown(&g);
}

/* Each recipient has its own answer, and its own fate; the message's answer is for those that were accepted. */
static void partial_results(void **state)
{
    (void)state;
    struct rig g;
    begin(&g);
    g.memory->servers[0].rcpt_reply = "452 4.5.3 too many";
    g.memory->servers[0].rcpt_refused = "later";
    send(&g, "b@partner.example,later@partner.example,c@partner.example");
    assert_int_equal(memory_stored(g.memory), 1);
    assert_int_equal(memory_message(g.memory, 0)->recipient_count, 1);
    assert_memory_equal(rig_reason(&g), "452 4.5.3 too many", 18);
    check_buf(&g.memory->servers[0].mail[0].to, "RCPT TO:<b@partner.example>\nRCPT TO:<c@partner.example>\n");
    g.memory->servers[0].rcpt_reply = "550 5.1.1 nobody";
    memory_advance(g.memory, 300000);
    assert_int_equal(memory_stored(g.memory), 0);
    assert_int_equal(rig_mails(&g, 1), 1); /* the report, of that one only */
    struct str report = buf_str(&g.memory->servers[1].mail[0].data);
    assert_true(str_find(report, STR("later@partner.example")) != STR_NPOS);
    assert_true(str_find(report, STR("Final-Recipient: rfc822;b@partner.example")) == STR_NPOS);
    rig_teardown(&g);
}

/* At most 20 connections; half of what stands when one more is turned away; and up again with what is taken. */
static void how_many_at_once(void **state)
{
    (void)state;
    struct rig g;
    begin(&g);
    struct memory_server *v = &g.memory->servers[0];
    v->silent_at = "dot";
    for (int i = 0; i < 25; i++) send(&g, "b@partner.example");
    assert_int_equal(v->connections, 20);
    memory_advance(g.memory, 601000); /* they time out: what waited goes next */
    rig_teardown(&g);

    begin(&g);
    v = &g.memory->servers[0];
    v->silent_at = "dot";
    for (int i = 0; i < 7; i++) send(&g, "b@partner.example");
    assert_int_equal(v->connections, 7);
    v->greeting = "421 4.3.2 too many of you";
    send(&g, "b@partner.example");
    assert_int_equal(v->connections, 8);
    for (int i = 0; i < 5; i++) send(&g, "b@partner.example");
    assert_int_equal(v->connections, 8); /* seven stand, four may: nobody dials */
    rig_teardown(&g);

    begin(&g);
    v = &g.memory->servers[0];
    v->silent_at = "dot";
    for (int i = 0; i < 3; i++) send(&g, "b@partner.example");
    v->greeting = "421 4.3.2 too many of you";
    send(&g, "b@partner.example"); /* the fourth: two may stand from now on */
    v->greeting = v->silent_at = NULL;
    memory_advance(g.memory,
                   1800000); /* what waited has gone by now: four messages, of which two were needed for three … */
    assert_int_equal(memory_stored(g.memory), 0);
    unsigned before = v->connections;
    for (int i = 0; i < 6; i++) send(&g, "b@partner.example"); /* … and ten in all for five at once */
    assert_int_equal(v->connections, before + 1);
    v->silent_at = "dot";
    for (int i = 0; i < 10; i++) send(&g, "b@partner.example");
    assert_int_equal(v->connections, before + 5);
    rig_teardown(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_cannot_carry), cmocka_unit_test(its_silence),      cmocka_unit_test(limits),
        cmocka_unit_test(partial_results),      cmocka_unit_test(how_many_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
