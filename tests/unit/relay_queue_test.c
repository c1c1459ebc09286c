/* The queue in time and under hands: clocks that jump, changes while a delivery is under way, entries that are
 * stale. */
#include <string.h>

#include "relay/due.h"
#include "tests/support/check.h"
#include "tests/support/dice.h"
#include "tests/support/relay_rig.h"

enum { HOUR = 3600, DAY = 24 * HOUR };

/* --- the heap
 * ------------------------------------------------------------------------------------------------------ */

static void entries_come_in_order(void **state)
{
    (void)state;
    struct due_heap h = {0};
    struct dice d = {7};
    struct due one;
    for (int i = 0; i < 5000; i++)
        due_push(&h, (struct due){(int64_t)dice_roll(&d, 300), (int64_t)dice_roll(&d, 40), (int64_t)dice_roll(&d, 9)});
    due_clamp(&h, 250);
    int64_t at = -1, recipient = -1;
    size_t n = 0;
    assert_false(due_pop(&h, -1, &one));
    while (due_pop(&h, 1000, &one)) {
        assert_true(one.at > at || (one.at == at && one.recipient > recipient)); /* equal ones have become one */
        assert_true(one.at <= 250);
        at = one.at;
        recipient = one.recipient;
        n++;
    }
    assert_true(n > 1000 && n < 5000);
    due_push(&h, (struct due){5, 1, 30});
    due_push(&h, (struct due){5, 1, 20});
    assert_true(due_pop(&h, 5, &one));
    assert_int_equal(one.since, 20); /* no waiting is lost */
    assert_false(due_first(&h, &at));
    due_free(&h);
}

/* --- clocks
 * -------------------------------------------------------------------------------------------------------- */

static void begin(struct rig *g, struct net_stream **s)
{
    rig_setup(g);
    g->settings.retry_until = 5 * DAY;
    g->memory->peer_uid = 0;
    rig_start(g);
    *s = rig_session(g, "10.0.0.1");
}

static void jump(struct rig *g, int64_t seconds) { g->memory->utc_us += seconds * 1000000; }

/* Ahead by an hour, by six days, by five years: all is tried at once, nothing is returned, and it arrives when it
 * can. */
static void clocks_that_leap_ahead_return_nothing(void **state)
{
    static const int64_t jumps[] = {HOUR, 6 * DAY, 5 * 365 * (int64_t)DAY};
    (void)state;
    for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
        struct rig g;
        struct net_stream *s;
        begin(&g, &s);
        g.memory->servers[0].refuses = true;
        for (int k = 0; k < 5; k++) rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail);
        memory_advance(g.memory, 3 * HOUR * 1000);
        jump(&g, jumps[i]);
        memory_advance(g.memory, 6 * HOUR * 1000);
        assert_int_equal(memory_stored(g.memory), 5);
        assert_true(rig_log_has(&g, "the clock jumped"));
        assert_false(rig_log_has(&g, "event=returned"));
        rig_restart(&g); /* what was really waited is in the store */
        memory_advance(g.memory, 6 * HOUR * 1000);
        assert_false(rig_log_has(&g, "event=returned"));
        g.memory->servers[0].refuses = false;
        memory_advance(g.memory, 2 * HOUR * 1000);
        assert_int_equal(rig_mails(&g, 0), 5);
        assert_int_equal(memory_stored(g.memory), 0);
        rig_teardown(&g);
    }
}

/* Behind by a day: nothing waits longer than the longest pause. */
static void clocks_that_fall_back_strand_nothing(void **state)
{
    struct rig g;
    struct net_stream *s;
    (void)state;
    begin(&g, &s);
    g.memory->servers[0].refuses = true;
    rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail);
    memory_advance(g.memory, 3 * HOUR * 1000);
    jump(&g, -DAY);
    memory_advance(g.memory, 61 * 1000); /* it is looked at once a minute */
    g.memory->servers[0].refuses = false;
    memory_advance(g.memory, 2 * HOUR * 1000);
    assert_int_equal(rig_mails(&g, 0), 1);
    rig_teardown(&g);
}

static enum judge_behaviour an_hour_later(void *owner, const struct judge_request *request, struct arena *a,
                                          struct judge_answer *answer)
{
    (void)owner, (void)a;
    answer->verdict.recipients[0].not_before = request->now + HOUR;
    return JUDGE_ANSWERS;
}

/* Behind by years: what a rule put off for an hour comes after an hour, or an hour after a restart, and not before;
 * later by the longest pause at most, when it is looked at. */
static void clocks_that_fall_back_do_not_prolong_a_delay(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        struct rig g;
        struct net_stream *s;
        begin(&g, &s);
        g.memory->script = an_hour_later;
        rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail);
        memory_advance(g.memory, 10 * 60 * 1000);
        jump(&g, -4 * 365 * (int64_t)DAY);
        memory_advance(g.memory, 45 * 60 * 1000);
        assert_int_equal(rig_mails(&g, 0), 0);
        if (restart) rig_restart(&g);
        memory_advance(g.memory, restart ? 59 * 60 * 1000 : 1);
        assert_int_equal(rig_mails(&g, 0), 0);
        memory_advance(g.memory, 70 * 60 * 1000);
        assert_int_equal(rig_mails(&g, 0), 1);
        rig_teardown(&g);
    }
}

/* Behind by years: what cannot be delivered is returned when its lifetime was really waited. */
static void clocks_that_fall_back_prolong_no_lifetime(void **state)
{
    struct rig g;
    struct net_stream *s;
    (void)state;
    begin(&g, &s);
    g.memory->servers[0].refuses = true;
    rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail);
    memory_advance(g.memory, (int64_t)DAY * 1000);
    jump(&g, -4 * 365 * (int64_t)DAY);
    memory_advance(g.memory, (4 * (int64_t)DAY - 2 * HOUR) * 1000);
    assert_false(rig_log_has(&g, "event=returned"));
    memory_advance(g.memory, 4 * HOUR * 1000);
    assert_true(rig_log_has(&g, "event=returned"));
    rig_teardown(&g);
}

/* Half a lifetime of real waiting, and then it ends: 5 days by the calendar, more where that leapt. */
static void waiting_is_counted(void **state)
{
    struct rig g;
    struct net_stream *s;
    (void)state;
    begin(&g, &s);
    g.memory->servers[0].refuses = true;
    rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail);
    jump(&g, 6 * DAY);
    memory_advance(g.memory, (int64_t)2 * DAY * 1000);
    assert_false(rig_log_has(&g, "event=returned"));
    rig_restart(&g);
    memory_advance(g.memory, (int64_t)DAY * 1000);
    assert_true(rig_log_has(&g, "event=returned"));
    rig_teardown(&g);
}

/* --- by hand
 * ------------------------------------------------------------------------------------------------------- */

/* More than the connections take: held while they stand in line, they do not go when their turn comes. */
static void what_is_held_in_line_stays(void **state)
{
    struct rig g;
    struct net_stream *s;
    (void)state;
    begin(&g, &s);
    struct net_stream *c = memory_dial(g.memory, "control", "");
    g.memory->servers[0].refuses = true;
    for (int i = 0; i < 30; i++) rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail);
    assert_non_null(
        strstr(rig_ask(&g, c, "{\"v\":1,\"op\":\"queue hold\",\"all\":true,\"text\":\"stop\"}"), "30 recipients"));
    g.memory->servers[0].refuses = false;
    memory_advance(g.memory, 5 * HOUR * 1000);
    assert_int_equal(rig_mails(&g, 0), 0);
    assert_non_null(strstr(rig_ask(&g, c, "{\"v\":1,\"op\":\"queue\"}"), "\"delay_reason\":\"stop\""));
    assert_non_null(strstr(rig_ask(&g, c, "{\"v\":1,\"op\":\"queue release\",\"all\":true}"), "30 recipients"));
    memory_advance(g.memory, 60 * 1000);
    assert_int_equal(rig_mails(&g, 0), 30);
    assert_int_equal(memory_stored(g.memory), 0);
    rig_teardown(&g);
}

/* A retry by hand makes a second entry for whom it is about.  The one that is left over when its recipient is delivered
 * goes, and is not looked up for ever because the message stands for somebody else. */
static void an_entry_left_over_goes(void **state)
{
    struct rig g;
    struct net_stream *s;
    (void)state;
    begin(&g, &s);
    struct net_stream *c = memory_dial(g.memory, "control", "");
    g.memory->servers[0].refuses = g.memory->servers[1].refuses = true;
    rig_send(&g, s, "a@corp.example", "b@partner.example,c@side.example", rig_mail);
    memory_advance(g.memory, 5 * HOUR * 1000);
    g.memory->servers[1].refuses = false;
    for (int i = 0; i < 2; i++) rig_ask(&g, c, "{\"v\":1,\"op\":\"queue retry\",\"all\":true}");
    memory_advance(g.memory, HOUR * 1000);
    assert_int_equal(rig_mails(&g, 1), 1);
    unsigned before = g.memory->loads;
    memory_advance(g.memory, 10 * HOUR * 1000);
    assert_in_range(g.memory->loads - before, 1, 30);
    rig_teardown(&g);
}

/* What is tried by hand again and again has not waited longer for that (if anything it is counted too little). */
static void waiting_is_counted_once(void **state)
{
    struct rig g;
    struct net_stream *s;
    (void)state;
    begin(&g, &s);
    struct net_stream *c = memory_dial(g.memory, "control", "");
    g.memory->servers[0].refuses = true;
    rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail);
    for (int i = 0; i < 400; i++) {
        rig_ask(&g, c, "{\"v\":1,\"op\":\"queue retry\",\"all\":true}");
        memory_advance(g.memory, 5 * 60 * 1000);
    }
    jump(&g, 6 * DAY);
    memory_advance(g.memory, 25 * HOUR * 1000);
    assert_false(rig_log_has(&g, "event=returned"));
    memory_advance(g.memory, 40 * HOUR * 1000);
    assert_true(rig_log_has(&g, "event=returned"));
    rig_teardown(&g);
}

/* What a rule puts off is in memory for its first look alone: changed by hand before that, it goes with its message. */
static void what_is_put_off_is_tried_by_hand(void **state)
{
    struct rig g;
    struct net_stream *s;
    (void)state;
    begin(&g, &s);
    struct net_stream *c = memory_dial(g.memory, "control", "");
    g.memory->script = an_hour_later;
    rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail);
    rig_ask(&g, c, "{\"v\":1,\"op\":\"queue retry\",\"all\":true}");
    memory_advance(g.memory, 10 * 1000);
    assert_int_equal(rig_mails(&g, 0), 1);
    rig_teardown(&g);
}

/* A retry by hand forgets that the host failed a moment ago; one of two recipients removed, the other goes. */
static void by_hand_at_once(void **state)
{
    struct rig g;
    struct net_stream *s;
    (void)state;
    begin(&g, &s);
    struct net_stream *c = memory_dial(g.memory, "control", "");
    g.memory->servers[0].refuses = true;
    rig_send(&g, s, "a@corp.example", "b@partner.example,c@partner.example", rig_mail);
    g.memory->servers[0].refuses = false;
    rig_send(&g, s, "a@corp.example", "d@partner.example", rig_mail);
    assert_int_equal(rig_mails(&g, 0), 0); /* it shares the failure of a moment ago */
    rig_ask(&g, c, "{\"v\":1,\"op\":\"queue remove\",\"filter\":{\"recipient\":\"b@partner.example\"}}");
    rig_ask(&g, c, "{\"v\":1,\"op\":\"queue retry\",\"all\":true}");
    assert_int_equal(rig_mails(&g, 0), 2);
    for (size_t i = 0; i < 2; i++) {
        struct buf *to = &g.memory->servers[0].mail[i].to;
        assert_true(str_find(buf_str(to), STR("b@partner.example")) == STR_NPOS);
    }
    assert_int_equal(memory_stored(g.memory), 0);
    rig_teardown(&g);
}

/* Who asks for everything must say so, and only root and the relay's user change anything. */
#define HEAD                                                                                                           \
    "{\"v\":1,\"op\":\"queue import begin\",\"message\":{\"queue_id\":\"1ngevteanv9z0r2xdgtc\",\"arrived\":1,"         \
    "\"sender\":\"\",\"client\":\"\",\"helo\":\"\",\"size\":0,\"sha256\":"                                             \
    "\"0000000000000000000000000000000000000000000000000000000000000000\",\"eight_bit\":false,\"binary\":false,"       \
    "\"smtputf8\":false,\"report\":false,\"envid\":\"\",\"ret\":0,\"generation\":1,\"copies\":0,\"recipients\":1"

static void requests_are_held_to_their_form(void **state)
{
    struct rig g;
    struct net_stream *s;
    (void)state;
    begin(&g, &s);
    struct net_stream *c = memory_dial(g.memory, "control", "");
    static const char *const bad[] = {
        "{\"v\":1,\"op\":\"queue remove\"}",
        "{\"v\":1,\"op\":\"queue remove\",\"filter\":{}}",
        "{\"v\":1,\"op\":\"queue hold\",\"filter\":{\"state\":\"lost\"}}",
        "{\"v\":1,\"op\":\"queue hold\",\"filter\":{\"older\":-1}}",
        "{\"v\":1,\"op\":\"queue redirect\",\"all\":true}",
        "{\"v\":1,\"op\":\"queue redirect\",\"all\":true,\"text\":\"x@y\\r\\nRCPT TO:<z@y>\"}",
        "{\"v\":1,\"op\":\"queue suspend\",\"filter\":{\"connector\":\"side\"}}",
        "{\"v\":1,\"op\":\"queue suspend\",\"all\":true,\"text\":\"x\",\"for\":-5}",
        "{\"v\":1,\"op\":\"queue suspend\",\"filter\":{\"reason\":\"x\"},\"text\":\"x\"}",
        "{\"v\":1,\"op\":\"queue resume\"}",
        "{\"v\":1,\"op\":\"queue why\"}",
        "{\"v\":1,\"op\":\"queue export\"}",
        "{\"v\":1,\"op\":\"queue import end\"}",
        "{\"v\":1,\"op\":\"queue import content\",\"content\":\"AAAA\"}",
        "{\"v\":1,\"op\":\"queue import begin\",\"message\":{\"queue_id\":\"../../etc/passwd\"}}",
        HEAD ",\"evidence\":\"AQAAAAABAAAA\"}}", /* a form, cut short */
        HEAD ",\"evidence\":\"no base64\"}}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!strstr(rig_ask(&g, c, bad[i]), "\"ok\":false")) fail_msg("%s: %s", bad[i], memory_heard(c).p);
    assert_non_null(strstr(rig_ask(&g, c, HEAD ",\"evidence\":\"\"}}"), "\"ok\":true"));
    assert_non_null(strstr(rig_ask(&g, c, HEAD "}}"), "\"ok\":true")); /* as older versions have it */
    g.memory->peer_uid = 4711;
    assert_non_null(strstr(rig_ask(&g, c, "{\"v\":1,\"op\":\"queue hold\",\"all\":true}"), "\"status\":77"));
    assert_non_null(strstr(rig_ask(&g, c, "{\"v\":1,\"op\":\"backup\"}"), "\"status\":77"));
    assert_non_null(strstr(rig_ask(&g, c, "{\"v\":1,\"op\":\"queue\"}"), "\"ok\":true"));
    rig_teardown(&g);
}

/* ENVID and ORCPT of an imported message go into command lines: a blank in one would begin a parameter of its own. */
static void what_is_imported_is_held_to_its_syntax(void **state)
{
    (void)state;
    static const struct {
        const char *envid, *orcpt;
        bool head, recipient; /* whether each is taken */
    } rows[] = {
        {"", "", true, true},
        {"a+2Bb", "rfc822;a+2Bb@x.example", true, true},
        {"a", "utf-8;\xc3\xa4@x.example", true, true},
        {"a RET=FULL", "", false, false},
        {"a+0Ab", "", false, false},
        {"a", "rfc822;a NOTIFY=NEVER", true, false},
        {"a", "rfc822;\xc3\xa4", true, false},
        {"a", "a", true, false},
    };
    struct rig g;
    rig_setup(&g);
    rig_start(&g);
    struct net_stream *c = memory_dial(g.memory, "control", "");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf head = {0}, recipient = {0};
        buf_printf(
            &head,
            "{\"v\":1,\"op\":\"queue import begin\",\"message\":{\"queue_id\":\"1ngexeeejm1gaz02cjjb\",\"arrived\":1,"
            "\"sender\":\"a@b.example\",\"client\":\"\",\"helo\":\"\",\"size\":0,\"sha256\":\"%064d\",\"eight_bit\":"
            "false,"
            "\"binary\":false,\"smtputf8\":false,\"report\":false,\"envid\":\"%s\",\"ret\":0,\"generation\":1,"
            "\"copies\":1,"
            "\"recipients\":1}}\n",
            0, rows[i].envid);
        buf_printf(&recipient,
                   "{\"v\":1,\"op\":\"queue import recipient\",\"recipient\":{\"address\":\"c@d.example\",\"state\":0,"
                   "\"tls\":\"none\",\"copy\":0,\"connector\":\"\",\"rule\":\"\",\"tls_rule\":\"\",\"reason\":\"\","
                   "\"attempts\":0,"
                   "\"next_try\":1,\"expires\":2,\"waited\":0,\"delay_told\":false,\"notify\":0,\"orcpt\":\"%s\"}}\n",
                   rows[i].orcpt);
        buf_add_byte(&head, '\0');
        buf_add_byte(&recipient, '\0');
        const char *answer = rig_ask(&g, c, head.p);
        if ((strstr(answer, "\"ok\":true") != NULL) != rows[i].head) fail_msg("%s: %s", head.p, answer);
        answer = rig_ask(&g, c, recipient.p);
        if ((strstr(answer, "\"ok\":true") != NULL) != rows[i].recipient) fail_msg("%s: %s", recipient.p, answer);
        buf_free(&head);
        buf_free(&recipient);
    }
    rig_teardown(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_come_in_order),
        cmocka_unit_test(clocks_that_leap_ahead_return_nothing),
        cmocka_unit_test(clocks_that_fall_back_strand_nothing),
        cmocka_unit_test(clocks_that_fall_back_do_not_prolong_a_delay),
        cmocka_unit_test(clocks_that_fall_back_prolong_no_lifetime),
        cmocka_unit_test(waiting_is_counted),
        cmocka_unit_test(what_is_held_in_line_stays),
        cmocka_unit_test(what_is_put_off_is_tried_by_hand),
        cmocka_unit_test(an_entry_left_over_goes),
        cmocka_unit_test(waiting_is_counted_once),
        cmocka_unit_test(by_hand_at_once),
        cmocka_unit_test(requests_are_held_to_their_form),
        cmocka_unit_test(what_is_imported_is_held_to_its_syntax),
    };
    return cmocka_run_group_tests_name("relay: the queue", tests, NULL, NULL);
}
