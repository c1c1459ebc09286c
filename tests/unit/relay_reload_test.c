/* relay/reload and relay/control: generations change under open sessions; what may be asked over the control socket. */
#include <stdio.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/relay_rig.h"

/* Stamps the generation's number, as two rules would that must never disagree: at the judge of which template? */
static enum judge_behaviour stamp(void *owner, const struct judge_request *request, struct arena *a,
                                  struct judge_answer *answer)
{
    const unsigned *generation = owner;
    struct piece *pieces = ARENA_ARRAY(a, struct piece, 2);
    pieces[0] = (struct piece){.insert = arena_printf(a, "A: %u\r\n", *generation)};
    pieces[1] = (struct piece){.from = 0, .to = request->size};
    answer->verdict.copies[0].pieces = (struct pieces){pieces, 2};
    answer->verdict.copies[0].length += pieces[0].insert.n;
    return JUDGE_ANSWERS;
}

static void sessions_open(void **state)
{
    (void)state;
    struct rig g;
    unsigned current = 1;
    rig_setup(&g);
    g.memory->script = stamp;
    g.memory->script_owner = &current;
    rig_start(&g);
    struct net_stream *in_mail = rig_session(&g, "10.0.0.1"), *in_data = rig_session(&g, "10.0.0.1");
    memory_say(g.memory, in_mail, "MAIL FROM:<a@corp.example>\r\n");
    memory_say(g.memory, in_data,
               "MAIL FROM:<a@corp.example>\r\nRCPT TO:<b@partner.example>\r\nDATA\r\nSubject: x\r\n");
    memory_run(g.memory);
    for (unsigned i = 0; i < 20; i++) {
        rig_generation(&g, NULL);
        current++;
        struct net_stream *s = rig_session(&g, "10.0.0.1");
        rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail);
        memory_say(g.memory, s, "QUIT\r\n");
        memory_run(g.memory);
    }
    memory_say(g.memory, in_mail, "RCPT TO:<b@partner.example>\r\nDATA\r\n");
    memory_run(g.memory);
    memory_say(g.memory, in_mail, "Subject: y\r\n\r\n.\r\n");
    memory_say(g.memory, in_data, "\r\nbody\r\n.\r\n");
    memory_advance(g.memory, 100);
    assert_non_null(strstr(memory_heard(in_mail).p, "queued as"));
    assert_non_null(strstr(memory_heard(in_data).p, "queued as"));
    assert_int_equal(rig_mails(&g, 0), 22);
    /* Every template but the last was let go. */
    assert_int_equal(g.memory->retired, 20);
    rig_teardown(&g);
}

/* After the dot a message stays with the generation that has it, and that one's template stays until then. */
static enum judge_behaviour slow(void *owner, const struct judge_request *request, struct arena *a,
                                 struct judge_answer *answer)
{
    (void)request, (void)a, (void)answer;
    return *(bool *)owner ? JUDGE_HANGS : JUDGE_ANSWERS;
}

static void after_the_dot(void **state)
{
    (void)state;
    struct rig g;
    bool hang = true;
    rig_setup(&g);
    g.memory->script = slow;
    g.memory->script_owner = &hang;
    rig_start(&g);
    struct net_stream *s = rig_session(&g, "10.0.0.1");
    rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail);
    rig_generation(&g, NULL);
    assert_int_equal(g.memory->retired, 0);
    unsigned before = g.memory->spawned;
    hang = false;
    memory_advance(g.memory, 3000); /* its judge is killed; the old template gives another */
    assert_int_equal(g.memory->spawned, before + 1);
    assert_non_null(strstr(memory_heard(s).p, "queued as"));
    assert_int_equal(g.memory->retired, 1);
    rig_teardown(&g);
}

static bool was_refused(struct rig *g, const char *why)
{
    bool refused = g->memory->supervisor.n && g->memory->supervisor.p[g->memory->supervisor.n - 1] == LINK_REFUSED &&
                   str_find(buf_str(&g->memory->said), str_of(why)) != STR_NPOS;
    g->memory->supervisor.n = 0;
    return refused;
}

static void refused(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    rig_start(&g);
    assert_int_equal(g.memory->supervisor.p[g.memory->supervisor.n - 1], LINK_READY);
    struct net_stream *s = rig_session(&g, "10.0.0.1");

    g.settings.hostname = STR("other.example");
    rig_generation(&g, NULL);
    assert_true(was_refused(&g, "needs a restart"));
    g.settings.hostname = STR("relay.corp.example");
    g.settings.state = STR("/elsewhere");
    rig_generation(&g, NULL);
    assert_true(was_refused(&g, "needs a restart"));
    g.settings.state = STR("/state");

    /* A block that does not decode; a commit of what was never sent. */
    struct memory *m = g.memory;
    memory_link(m, &(struct link_message){.kind = LINK_BEGIN, .generation = 90},
                (int[4]){memory_file(m, STR("junk")), -1, -1, -1});
    memory_link(m, &(struct link_message){.kind = LINK_COMMIT, .generation = 90}, NULL);
    memory_run(m);
    assert_true(was_refused(&g, ""));
    memory_link(m, &(struct link_message){.kind = LINK_COMMIT, .generation = 91}, NULL);
    memory_run(m);
    assert_true(was_refused(&g, "did not send"));

    /* Nothing of it changed anything. */
    const char *got = rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail);
    assert_memory_equal(got, "250", 3);
    struct net_stream *another = rig_session(&g, "10.0.0.1");
    assert_true(memory_is_open(another));
    rig_generation(&g, NULL);
    assert_int_equal(m->supervisor.n, 1);
    assert_int_equal(m->supervisor.p[0], LINK_READY);
    rig_teardown(&g);
}

/* A bad certificate keeps the good one; a session from before may still start TLS. */
static void certificates(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    rig_start(&g);
    rig_generation(&g, "good");
    struct net_stream *old = rig_session(&g, "10.0.0.1");
    struct net_stream *c = memory_dial(g.memory, "control", "");
    g.memory->peer_uid = 0;
    memory_say(g.memory, c, "{\"v\":1,\"op\":\"reload\"}\n");
    memory_run(g.memory);
    g.memory->supervisor.n = 0;
    rig_generation(&g, "bad");
    assert_true(rig_log_has(&g, "the one in use stays"));
    /* Whoever asked is told, and the supervisor, who keeps the good one for the next process. */
    assert_non_null(strstr(memory_heard(c).p, "the one in use stays"));
    assert_non_null(strstr(memory_heard(c).p, "generation 3 is in force"));
    assert_int_equal(g.memory->supervisor.p[0], LINK_LISTENER);
    struct net_stream *sessions[] = {old, rig_session(&g, "10.0.0.1")};
    for (int i = 0; i < 2; i++) {
        memory_forget(sessions[i]);
        memory_say(g.memory, sessions[i], "STARTTLS\r\n");
        memory_run(g.memory);
        assert_memory_equal(memory_heard(sessions[i]).p, "220", 3);
        memory_forget(sessions[i]);
        memory_say(g.memory, sessions[i], "EHLO again.example\r\n");
        memory_run(g.memory);
        assert_memory_equal(memory_heard(sessions[i]).p, "250", 3);
    }
    rig_teardown(&g);
}

/* Without a good one before it, a bad certificate refuses the generation: never a listener without its STARTTLS. */
static void certificate_at_the_start(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    rig_start(&g);
    g.memory->supervisor.n = 0;
    rig_generation(&g, "bad"); /* the one in force has none */
    assert_true(was_refused(&g, "listener \"inbound\": certificate: "));
    struct net_stream *s = rig_session(&g, "10.0.0.1");
    const char *got = rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail);
    assert_memory_equal(got, "250", 3);
    rig_teardown(&g);
}

/* A stop ends within 20 s whatever deliveries and clients do; what was accepted stays queued and goes out later. */
static void stop_is_bounded(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    rig_start(&g);
    g.memory->servers[0].dot_reply = ""; /* never answers */
    struct net_stream *s = rig_session(&g, "10.0.0.1");
    assert_memory_equal(rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail), "250", 3);
    assert_int_equal(memory_stored(g.memory), 1);
    memory_link(g.memory, &(struct link_message){.kind = LINK_STOP}, NULL);
    memory_run(g.memory);
    assert_int_equal(g.stopped, -1);
    memory_advance(g.memory, 9000);
    assert_int_equal(g.stopped, -1); /* it is given its time */
    memory_advance(g.memory, 2000);
    assert_int_equal(g.stopped, 0);
    assert_int_equal(memory_stored(g.memory), 1);
    size_t before = rig_mails(&g, 0);
    g.memory->servers[0].dot_reply = NULL;
    rig_restart(&g);
    memory_advance(g.memory, 1000);
    assert_int_equal(rig_mails(&g, 0), before + 1);
    assert_int_equal(memory_stored(g.memory), 0);
    rig_teardown(&g);
}

/* A judge that hangs holds its client's answer, but no stop. */
static void stop_with_a_hanging_judge(void **state)
{
    (void)state;
    struct rig g;
    bool hang = true;
    rig_setup(&g);
    g.memory->script = slow;
    g.memory->script_owner = &hang;
    rig_start(&g);
    struct net_stream *s = rig_session(&g, "10.0.0.1");
    rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail);
    memory_link(g.memory, &(struct link_message){.kind = LINK_STOP}, NULL);
    memory_advance(g.memory, 21000);
    assert_int_equal(g.stopped, 0);
    assert_int_equal(memory_stored(g.memory), 0);
    rig_teardown(&g);
}

/* A queued recipient keeps its connector's name: gone it waits and says so, back it goes. */
static enum judge_behaviour via_side(void *owner, const struct judge_request *request, struct arena *a,
                                     struct judge_answer *answer)
{
    (void)owner, (void)request, (void)a;
    answer->verdict.recipients[0].connector = STR("side");
    return JUDGE_ANSWERS;
}

static void connector_vanishes(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    g.memory->script = via_side;
    rig_start(&g);
    g.connectors[1].name = STR("renamed");
    rig_generation(&g, NULL);
    struct net_stream *s = rig_session(&g, "10.0.0.1");
    rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail);
    assert_int_equal(rig_mails(&g, 0) + rig_mails(&g, 1), 0);
    check_str(str_of(rig_reason(&g)), "4.4.4 connector side is no longer declared");
    g.connectors[1].name = STR("side");
    rig_generation(&g, NULL);
    memory_advance(g.memory, 100 * 1000);
    assert_int_equal(rig_mails(&g, 1), 1);
    rig_teardown(&g);
}

enum { LATER = 2 * 60 * 60 };

static enum judge_behaviour two_hours_later(void *owner, const struct judge_request *request, struct arena *a,
                                            struct judge_answer *answer)
{
    (void)owner, (void)a;
    answer->verdict.recipients[0].not_before = request->now + LATER;
    return JUDGE_ANSWERS;
}

/* A reload brings retries nearer when the pauses became shorter; what a rule keeps back it leaves alone. */
static void what_waits_for_its_time_waits(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    g.memory->script = two_hours_later;
    rig_start(&g);
    struct net_stream *s = rig_session(&g, "10.0.0.1");
    rig_send(&g, s, "a@corp.example", "b@partner.example,c@side.example", rig_mail);
    assert_int_equal(rig_mails(&g, 0), 0);
    assert_int_equal(rig_mails(&g, 1), 1);
    rig_generation(&g, NULL);
    memory_advance(g.memory, (LATER - 60) * 1000);
    assert_int_equal(rig_mails(&g, 0), 0);
    rig_restart(&g);
    memory_advance(g.memory, 30 * 1000);
    assert_int_equal(rig_mails(&g, 0), 0);
    memory_advance(g.memory, 60 * 1000);
    assert_int_equal(rig_mails(&g, 0), 1);
    rig_teardown(&g);
}

/* --- control ------------------------------------------------------------------------------------------------------ */

static void control(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    g.memory->peer_uid = 500;
    rig_start(&g);
    g.memory->servers[0].refuses = true;
    struct net_stream *s = rig_session(&g, "10.0.0.1"), *c = memory_dial(g.memory, "control", "");
    rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail);
    const char *got = rig_ask(&g, c, "{\"v\":1,\"op\":\"status\"}");
    assert_non_null(strstr(got, "\"generation\":1"));
    assert_non_null(strstr(got, "\"queued\":1"));
    assert_non_null(strstr(got, "\n{\"v\":1,\"ok\":true}\n"));
    got = rig_ask(&g, c, "{\"v\":1,\"op\":\"queue\"}");
    assert_non_null(strstr(got, "\"queue_name\":\"deferred\""));
    assert_non_null(strstr(got, "\"sender\":\"a@corp.example\""));
    assert_non_null(strstr(got, "\"delay_reason\":\"4.4.1 mx.partner.example:2600: connection refused\""));
    assert_non_null(strstr(got, "\"attempts\":1"));
    got = rig_ask(&g, c, "{\"v\":1,\"op\":\"rules\"}");
    check_str(str_of(got), "{\"v\":1,\"ok\":true}\n");
    got = rig_ask(&g, c, "{\"v\":1,\"op\":\"queue release\",\"id\":\"NOSUCH\"}");
    assert_non_null(strstr(got, "\"status\":66"));
    got = rig_ask(&g, c, "{\"v\":1,\"op\":\"queue release\"}");
    assert_non_null(strstr(got, "\"status\":64"));
    got = rig_ask(&g, c, "{\"v\":1,\"op\":\"dance\"}");
    assert_non_null(strstr(got, "\"status\":64"));
    got = rig_ask(&g, c, "{\"v\":2,\"op\":\"queue\"}");
    assert_non_null(strstr(got, "version 1"));
    got = rig_ask(&g, c, "not json");
    assert_non_null(strstr(got, "\"ok\":false"));
    /* Two requests at once are answered in order. */
    got = rig_ask(&g, c, "{\"v\":1,\"op\":\"queue\"}\n{\"v\":1,\"op\":\"rules\"}");
    assert_non_null(strstr(strstr(got, "\"ok\":true") + 1, "\"ok\":true"));

    /* As many as fit one read: each is answered, none on the other's stack. */
    struct buf many = {0};
    for (int i = 0; i < 60000; i++) buf_printf(&many, "x\n");
    buf_printf(&many, "{\"v\":1,\"op\":\"rules\"}");
    buf_add_byte(&many, '\0');
    struct str line, rest = str_of(rig_ask(&g, c, many.p));
    unsigned answers = 0;
    while (rest.n) { /* line by line: AddressSanitizer's strstr measures all that follows each time */
        str_cut(rest, '\n', &line, &rest);
        answers += str_find(line, STR("\"ok\":")) != STR_NPOS;
    }
    assert_int_equal(answers, 60001);
    buf_free(&many);

    /* Reading is for all, changing is not. */
    g.memory->peer_uid = 1000;
    got = rig_ask(&g, c, "{\"v\":1,\"op\":\"reload\"}");
    assert_non_null(strstr(got, "\"status\":77"));
    got = rig_ask(&g, c, "{\"v\":1,\"op\":\"queue\"}");
    assert_non_null(strstr(got, "\"ok\":true"));
    g.memory->peer_uid = -1;
    got = rig_ask(&g, c, "{\"v\":1,\"op\":\"reload\"}");
    assert_non_null(strstr(got, "\"status\":77"));
    /* Who did what stands in the log, and who was not let; looking, and what is only tried out, does not. */
    assert_true(rig_log_has(&g, "event=command what=\"queue release\" uid=500 error="));
    assert_true(rig_log_has(&g, "event=command what=reload uid=1000 error=\"only root"));
    assert_false(rig_log_has(&g, "what=status"));
    g.memory->peer_uid = 500;
    rig_ask(&g, c, "{\"v\":1,\"op\":\"queue hold\",\"filter\":{\"domain\":\"partner.example\"},\"dry_run\":true}");
    assert_false(rig_log_has(&g, "what=\"queue hold\""));
    rig_ask(&g, c, "{\"v\":1,\"op\":\"queue hold\",\"filter\":{\"domain\":\"partner.example\"},\"text\":\"case 4\"}");
    assert_true(rig_log_has(&g, "event=by-hand what=hold to=b@partner.example uid=500 text=\"case 4\""));
    assert_true(rig_log_has(&g, "event=command what=\"queue hold\" uid=500 text=\"case 4\" domain=partner.example "
                                "answer=\"1 recipient of 1 message held\""));
    /* A line without end. */
    struct buf big = {0};
    for (int i = 0; i < 70000; i++) buf_add_byte(&big, 'x');
    buf_add_byte(&big, '\0');
    memory_say(g.memory, c, big.p);
    memory_run(g.memory);
    assert_false(memory_is_open(c));
    buf_free(&big);
    rig_teardown(&g);
}

static void reload_is_answered(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    g.memory->peer_uid = 0;
    rig_start(&g);
    g.memory->supervisor.n = 0;
    struct net_stream *c = memory_dial(g.memory, "control", ""), *d = memory_dial(g.memory, "control", "");
    assert_string_equal(rig_ask(&g, c, "{\"v\":1,\"op\":\"reload\"}"), "");
    assert_int_equal(g.memory->supervisor.n, 1);
    assert_int_equal(g.memory->supervisor.p[0], LINK_RELOAD);
    assert_string_equal(rig_ask(&g, d, "{\"v\":1,\"op\":\"reload\"}"), "");
    rig_generation(&g, NULL);
    check_str(memory_heard(c), "{\"v\":1,\"ok\":true,\"text\":\"generation 2 is in force: 0 rules\"}\n");
    /* Who came later is answered by another. */
    check_str(memory_heard(d), "");
    assert_int_equal(g.memory->supervisor.n, 3);
    assert_int_equal(g.memory->supervisor.p[1], LINK_READY);
    assert_int_equal(g.memory->supervisor.p[2], LINK_RELOAD);
    memory_link(
        g.memory,
        &(struct link_message){.kind = LINK_REFUSED, .generation = 3, .text = STR("rules.sluice:1:6: error E201: no")},
        NULL);
    memory_run(g.memory);
    assert_non_null(strstr(memory_heard(d).p, "rules.sluice:1:6"));
    assert_non_null(strstr(memory_heard(d).p, "\"ok\":false"));
    /* Who leaves before the answer harms nobody. */
    rig_ask(&g, c, "{\"v\":1,\"op\":\"reload\"}");
    memory_hang_up(g.memory, c);
    memory_run(g.memory);
    rig_generation(&g, NULL);
    rig_teardown(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_open),
        cmocka_unit_test(after_the_dot),
        cmocka_unit_test(refused),
        cmocka_unit_test(certificates),
        cmocka_unit_test(connector_vanishes),
        cmocka_unit_test(what_waits_for_its_time_waits),
        cmocka_unit_test(control),
        cmocka_unit_test(reload_is_answered),
        cmocka_unit_test(certificate_at_the_start),
        cmocka_unit_test(stop_is_bounded),
        cmocka_unit_test(stop_with_a_hanging_judge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
