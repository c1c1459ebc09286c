/* The queue in time and under hands: clocks that jump, changes while a delivery is under way, entries that are
 * stale. */
#include <stdlib.h>
#include <string.h>

#include "relay/due.h"
#include "tests/support/check.h"
#include "tests/support/dice.h"
#include "tests/support/relay_rig.h"

enum { MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR, YEAR = 365 * DAY }; /* seconds */

/* --- the heap ----------------------------------------------------------------------------------------------------- */

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

/* --- a relay, a client of its, and root at its control socket ----------------------------------------------------- */

struct scene {
    struct rig rig;
    struct memory *memory;
    struct net_stream *client, *control;
};

/* Mail is kept for five days. */
static void begin(struct scene *q)
{
    rig_setup(&q->rig);
    q->rig.settings.retry_until = 5 * DAY;
    q->memory = q->rig.memory;
    q->memory->peer_uid = 0;
    rig_start(&q->rig);
    q->client = rig_session(&q->rig, "10.0.0.1");
    q->control = memory_dial(q->memory, "control", "");
}

static void end(struct scene *q) { rig_teardown(&q->rig); }

static int setup(void **state)
{
    *state = mem_alloc(sizeof(struct scene));
    begin(*state);
    return 0;
}

static int teardown(void **state)
{
    end(*state);
    free(*state);
    return 0;
}

static void refuse(struct scene *q, bool refuses) { q->memory->servers[0].refuses = refuses; }
static void send_to(struct scene *q, const char *to) { rig_send(&q->rig, q->client, "a@corp.example", to, rig_mail); }
static void pass(struct scene *q, int64_t seconds) { memory_advance(q->memory, seconds * 1000); }
static void jump(struct scene *q, int64_t seconds) { q->memory->utc_us += seconds * 1000000; }
static size_t arrived(const struct scene *q) { return rig_mails(&q->rig, 0); }
static bool has_returned(struct scene *q) { return rig_log_has(&q->rig, "event=returned"); }

/* The answer to a request, of which `members` are what is particular, with ' for ". */
static const char *ask(struct scene *q, const char *members)
{
    struct buf request = {0};
    buf_printf(&request, "{'v':1,%s}", members);
    buf_add_byte(&request, '\0');
    for (char *at = request.p; (at = strchr(at, '\''));) *at = '"';
    const char *answer = rig_ask(&q->rig, q->control, request.p);
    buf_free(&request);
    return answer;
}
static bool is_done(struct scene *q, const char *members)
{
    const char *answer = ask(q, members);
    bool done = strstr(answer, "\"ok\":true") != NULL;
    assert_true(done || strstr(answer, "\"ok\":false"));
    return done;
}
static void retry_all(struct scene *q) { ask(q, "'op':'queue retry','all':true"); }

/* --- clocks ------------------------------------------------------------------------------------------------------- */

/* Ahead by an hour, by six days, by five years: all is tried at once, nothing is returned, and it arrives when it
 * can. */
static void clocks_that_leap_ahead_return_nothing(void **state)
{
    static const int64_t jumps[] = {HOUR, 6 * DAY, 5 * YEAR};
    (void)state;
    for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
        struct scene q;
        begin(&q);
        refuse(&q, true);
        for (int k = 0; k < 5; k++) send_to(&q, "b@partner.example");
        pass(&q, 3 * HOUR);
        jump(&q, jumps[i]);
        pass(&q, 6 * HOUR);
        assert_int_equal(memory_stored(q.memory), 5);
        assert_true(rig_log_has(&q.rig, "the clock jumped"));
        assert_false(has_returned(&q));
        rig_restart(&q.rig); /* what was really waited is in the store */
        pass(&q, 6 * HOUR);
        assert_false(has_returned(&q));
        refuse(&q, false);
        pass(&q, 2 * HOUR);
        assert_int_equal(arrived(&q), 5);
        assert_int_equal(memory_stored(q.memory), 0);
        end(&q);
    }
}

/* Behind by a day: nothing waits longer than the longest pause. */
static void clocks_that_fall_back_strand_nothing(void **state)
{
    struct scene *q = *state;
    refuse(q, true);
    send_to(q, "b@partner.example");
    pass(q, 3 * HOUR);
    jump(q, -DAY);
    pass(q, MINUTE + 1); /* it is looked at once a minute */
    refuse(q, false);
    pass(q, 2 * HOUR);
    assert_int_equal(arrived(q), 1);
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
        struct scene q;
        begin(&q);
        q.memory->script = an_hour_later;
        send_to(&q, "b@partner.example");
        pass(&q, 10 * MINUTE);
        jump(&q, -4 * YEAR);
        pass(&q, 45 * MINUTE);
        assert_int_equal(arrived(&q), 0);
        if (restart) rig_restart(&q.rig);
        memory_advance(q.memory, restart ? 59 * MINUTE * 1000 : 1);
        assert_int_equal(arrived(&q), 0);
        pass(&q, 70 * MINUTE);
        assert_int_equal(arrived(&q), 1);
        end(&q);
    }
}

static enum judge_behaviour five_hours_later(void *owner, const struct judge_request *request, struct arena *a,
                                             struct judge_answer *answer)
{
    (void)owner, (void)a;
    answer->verdict.recipients[0].not_before = request->now + 5 * HOUR;
    return JUDGE_ANSWERS;
}

/* Longer than any pause of the schedule: a new generation has it looked at early, and it waits on. */
static void what_is_put_off_for_long_is_not_hurried(void **state)
{
    struct scene *q = *state;
    q->memory->script = five_hours_later;
    send_to(q, "b@partner.example");
    rig_generation(&q->rig, NULL);
    pass(q, 5 * HOUR - MINUTE);
    assert_int_equal(arrived(q), 0);
    pass(q, 2 * MINUTE);
    assert_int_equal(arrived(q), 1);
}

/* Behind by years: what cannot be delivered is returned when its lifetime was really waited. */
static void clocks_that_fall_back_prolong_no_lifetime(void **state)
{
    struct scene *q = *state;
    refuse(q, true);
    send_to(q, "b@partner.example");
    pass(q, DAY);
    jump(q, -4 * YEAR);
    pass(q, 4 * DAY - 2 * HOUR);
    assert_false(has_returned(q));
    pass(q, 4 * HOUR);
    assert_true(has_returned(q));
}

/* Half a lifetime of real waiting, and then it ends: 5 days by the calendar, more where that leapt. */
static void waiting_is_counted(void **state)
{
    struct scene *q = *state;
    refuse(q, true);
    send_to(q, "b@partner.example");
    jump(q, 6 * DAY);
    pass(q, 2 * DAY);
    assert_false(has_returned(q));
    rig_restart(&q->rig);
    pass(q, DAY);
    assert_true(has_returned(q));
}

/* --- by hand ------------------------------------------------------------------------------------------------------ */

/* More than the connections take: held while they stand in line, they do not go when their turn comes. */
static void what_is_held_in_line_stays(void **state)
{
    struct scene *q = *state;
    refuse(q, true);
    for (int i = 0; i < 30; i++) send_to(q, "b@partner.example");
    assert_non_null(strstr(ask(q, "'op':'queue hold','all':true,'text':'stop'"), "30 recipients"));
    refuse(q, false);
    pass(q, 5 * HOUR);
    assert_int_equal(arrived(q), 0);
    assert_non_null(strstr(ask(q, "'op':'queue'"), "\"delay_reason\":\"stop\""));
    assert_non_null(strstr(ask(q, "'op':'queue release','all':true"), "30 recipients"));
    pass(q, MINUTE);
    assert_int_equal(arrived(q), 30);
    assert_int_equal(memory_stored(q->memory), 0);
}

/* A retry by hand makes a second entry for whom it is about.  The one that is left over when its recipient is delivered
 * goes, and is not looked up for ever because the message stands for somebody else. */
static void an_entry_left_over_goes(void **state)
{
    struct scene *q = *state;
    refuse(q, true);
    q->memory->servers[1].refuses = true;
    send_to(q, "b@partner.example,c@side.example");
    pass(q, 5 * HOUR);
    q->memory->servers[1].refuses = false;
    retry_all(q);
    retry_all(q);
    pass(q, HOUR);
    assert_int_equal(rig_mails(&q->rig, 1), 1);
    unsigned before = q->memory->loads;
    pass(q, 10 * HOUR);
    assert_in_range(q->memory->loads - before, 1, 30);
}

/* What is tried by hand again and again has not waited longer for that (if anything it is counted too little). */
static void waiting_is_counted_once(void **state)
{
    struct scene *q = *state;
    refuse(q, true);
    send_to(q, "b@partner.example");
    for (int i = 0; i < 400; i++) {
        retry_all(q);
        pass(q, 5 * MINUTE);
    }
    jump(q, 6 * DAY);
    pass(q, 25 * HOUR);
    assert_false(has_returned(q));
    pass(q, 40 * HOUR);
    assert_true(has_returned(q));
}

/* What a rule puts off is in memory for its first look alone: changed by hand before that, it goes with its message. */
static void what_is_put_off_is_tried_by_hand(void **state)
{
    struct scene *q = *state;
    q->memory->script = an_hour_later;
    send_to(q, "b@partner.example");
    retry_all(q);
    pass(q, 10);
    assert_int_equal(arrived(q), 1);
}

/* A retry by hand forgets that the host failed a moment ago; one of two recipients removed, the other goes. */
static void by_hand_at_once(void **state)
{
    struct scene *q = *state;
    refuse(q, true);
    send_to(q, "b@partner.example,c@partner.example");
    refuse(q, false);
    send_to(q, "d@partner.example");
    assert_int_equal(arrived(q), 0); /* it shares the failure of a moment ago */
    ask(q, "'op':'queue remove','filter':{'recipient':'b@partner.example'}");
    retry_all(q);
    assert_int_equal(arrived(q), 2);
    for (size_t i = 0; i < 2; i++) {
        struct buf *to = &q->memory->servers[0].mail[i].to;
        assert_true(str_find(buf_str(to), STR("b@partner.example")) == STR_NPOS);
    }
    assert_int_equal(memory_stored(q->memory), 0);
}

/* --- what is asked ------------------------------------------------------------------------------------------------ */

#define NO_DIGEST "0000000000000000000000000000000000000000000000000000000000000000"

/* Whether the beginning of a message with one recipient is taken; `more`: members of the message behind the others. */
static bool import_begins(struct scene *q, const char *sender, const char *envid, int copies, const char *more)
{
    struct buf members = {0};
    buf_printf(&members,
               "'op':'queue import begin','message':{'queue_id':'1ngevteanv9z0r2xdgtc','arrived':1,'sender':'%s',"
               "'client':'','helo':'','size':0,'sha256':'" NO_DIGEST "','eight_bit':false,'binary':false,"
               "'smtputf8':false,'report':false,'envid':'%s','ret':0,'generation':1,'copies':%d,'recipients':1%s}",
               sender, envid, copies, more);
    buf_add_byte(&members, '\0');
    bool taken = is_done(q, members.p);
    buf_free(&members);
    return taken;
}

static bool import_takes_recipient(struct scene *q, const char *orcpt)
{
    struct buf members = {0};
    buf_printf(&members,
               "'op':'queue import recipient','recipient':{'address':'c@d.example','state':0,'tls':'none','copy':0,"
               "'connector':'','rule':'','tls_rule':'','reason':'','attempts':0,'next_try':1,'expires':2,'waited':0,"
               "'delay_told':false,'notify':0,'orcpt':'%s'}",
               orcpt);
    buf_add_byte(&members, '\0');
    bool taken = is_done(q, members.p);
    buf_free(&members);
    return taken;
}

/* Who asks for everything must say so, and only root and the relay's user change anything. */
static void requests_are_held_to_their_form(void **state)
{
    struct scene *q = *state;
    static const char *const bad[] = {
        "'op':'queue remove'",
        "'op':'queue remove','filter':{}",
        "'op':'queue hold','filter':{'state':'lost'}",
        "'op':'queue hold','filter':{'older':-1}",
        "'op':'queue redirect','all':true",
        "'op':'queue redirect','all':true,'text':'x@y\\r\\nRCPT TO:<z@y>'",
        "'op':'queue suspend','filter':{'connector':'side'}",
        "'op':'queue suspend','all':true,'text':'x','for':-5",
        "'op':'queue suspend','filter':{'reason':'x'},'text':'x'",
        "'op':'queue resume'",
        "'op':'queue why'",
        "'op':'queue export'",
        "'op':'queue import end'",
        "'op':'queue import content','content':'AAAA'",
        "'op':'queue import begin','message':{'queue_id':'../../etc/passwd'}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!strstr(ask(q, bad[i]), "\"ok\":false")) fail_msg("%s: %s", bad[i], memory_heard(q->control).p);
    assert_false(import_begins(q, "", "", 0, ",'evidence':'AQAAAAABAAAA'")); /* a form, cut short */
    assert_false(import_begins(q, "", "", 0, ",'evidence':'no base64'"));
    assert_true(import_begins(q, "", "", 0, ",'evidence':''"));
    assert_true(import_begins(q, "", "", 0, "")); /* as older versions have it */
    q->memory->peer_uid = 4711;
    assert_non_null(strstr(ask(q, "'op':'queue hold','all':true"), "\"status\":77"));
    assert_non_null(strstr(ask(q, "'op':'backup'"), "\"status\":77"));
    assert_true(is_done(q, "'op':'queue'"));
}

/* ENVID and ORCPT of an imported message go into command lines: a blank in one would begin a parameter of its own. */
static void what_is_imported_is_held_to_its_syntax(void **state)
{
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
    struct scene *q = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (import_begins(q, "a@b.example", rows[i].envid, 1, "") != rows[i].head)
            fail_msg("ENVID %s: %s", rows[i].envid, memory_heard(q->control).p);
        if (import_takes_recipient(q, rows[i].orcpt) != rows[i].recipient)
            fail_msg("ORCPT %s: %s", rows[i].orcpt, memory_heard(q->control).p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_come_in_order),
        cmocka_unit_test(clocks_that_leap_ahead_return_nothing),
        cmocka_unit_test_setup_teardown(clocks_that_fall_back_strand_nothing, setup, teardown),
        cmocka_unit_test(clocks_that_fall_back_do_not_prolong_a_delay),
        cmocka_unit_test_setup_teardown(what_is_put_off_for_long_is_not_hurried, setup, teardown),
        cmocka_unit_test_setup_teardown(clocks_that_fall_back_prolong_no_lifetime, setup, teardown),
        cmocka_unit_test_setup_teardown(waiting_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_held_in_line_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_put_off_is_tried_by_hand, setup, teardown),
        cmocka_unit_test_setup_teardown(an_entry_left_over_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(waiting_is_counted_once, setup, teardown),
        cmocka_unit_test_setup_teardown(by_hand_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(requests_are_held_to_their_form, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_imported_is_held_to_its_syntax, setup, teardown),
    };
    return cmocka_run_group_tests_name("relay: the queue", tests, NULL, NULL);
}
