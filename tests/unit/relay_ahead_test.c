/* relay/: the next mail's commands leave with the end of this one's content: who gets what then, whatever the host
 * does. */
#include <stdio.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/relay_rig.h"

enum { MAILS = 45 }; /* twenty connections, and a line */

static const char *limits; /* of the host */

/* One mail to `first`, so that its host is known to be prompt, then so many others while no content is answered. */
static void begin(struct rig *g)
{
    rig_setup(g);
    g->memory->servers[0].more_limits = limits;
    rig_start(g);
    for (int n = 0; n <= MAILS; n++) {
        char to[64];
        struct net_stream *s = rig_session(g, "10.0.0.1");
        snprintf(to, sizeof to, "%s%d@partner.example", n ? "b" : "first", n);
        const char *answer = rig_send(g, s, "a@side.example", to, rig_mail);
        if (strncmp(answer, "250", 3) != 0) fail_msg("%s", answer);
        memory_hang_up(g->memory, s);
        memory_run(g->memory);
        g->memory->servers[0].dots_wait = true;
    }
    assert_int_equal(g->memory->servers[0].connections, 20);
    assert_int_equal(memory_stored(g->memory), MAILS);
}

/* How often each was given over whole. */
static void count(const struct memory_server *v, unsigned times[MAILS + 1])
{
    memset(times, 0, (MAILS + 1) * sizeof *times);
    for (size_t i = 0; i < v->mail_count; i++) {
        unsigned n;
        struct str to = buf_str(&v->mail[i].to);
        if (v->mail[i].data.n && sscanf(to.n > 10 ? to.p : "", "RCPT TO:<b%u@", &n) == 1 && n <= MAILS) times[n]++;
    }
}

static void check_each(const struct rig *g, unsigned least, unsigned most)
{
    unsigned times[MAILS + 1];
    count(&g->memory->servers[0], times);
    for (int n = 1; n <= MAILS; n++)
        if (times[n] < least || times[n] > most) fail_msg("b%d arrived %u times", n, times[n]);
}

/* Given over whole, and not answered: all but the first and the twenty. */
static unsigned unanswered(const struct rig *g)
{
    unsigned times[MAILS + 1], n = 0;
    count(&g->memory->servers[0], times);
    for (int i = 1; i <= MAILS; i++) n += times[i];
    return n - 20;
}

/* The twenty are answered; those of the line follow, and wait for their own answers, some with another one ahead. */
static void second_round(struct rig *g)
{
    memory_answer_dots(g->memory);
    memory_run(g->memory);
}

static void each_arrives_once(void **state)
{
    (void)state;
    struct rig g;
    begin(&g);
    assert_int_equal(g.memory->servers[0].ahead, 0);
    second_round(&g);
    assert_in_range(g.memory->servers[0].ahead, 5, 20);
    second_round(&g);
    g.memory->servers[0].dots_wait = false;
    second_round(&g);
    check_each(&g, 1, 1);
    assert_int_equal(memory_stored(g.memory), 0);
    assert_int_equal(g.memory->servers[0].connections, 20);
    rig_teardown(&g);
}

/* A refusal of this one is no word on the next. */
static void a_refusal_is_for_one(void **state)
{
    (void)state;
    struct rig g;
    begin(&g);
    second_round(&g);
    unsigned refused = unanswered(&g);
    assert_in_range(refused, 12, 20);
    g.memory->servers[0].dot_reply = "451 4.3.0 not that one";
    second_round(&g);
    g.memory->servers[0].dot_reply = NULL;
    second_round(&g);
    assert_int_equal(memory_stored(g.memory), refused);
    assert_memory_equal(rig_reason(&g), "451 4.3.0 not that one", 22);
    g.memory->servers[0].dots_wait = false;
    check_each(&g, 1, 1);
    rig_teardown(&g);
}

/* Lost, or told 421, with one ahead: this one may have arrived and is tried again; the one ahead was never tried. */
static void the_connection_ends(void **state)
{
    (void)state;
    for (int told = 0; told < 2; told++) {
        struct rig g;
        begin(&g);
        struct memory_server *v = &g.memory->servers[0];
        if (!told) v->hangs_up_ahead = true;
        second_round(&g);
        unsigned lost = told ? unanswered(&g) : v->ahead;
        assert_in_range(lost, 5, 20);
        if (told) {
            v->dot_reply = "421 4.3.2 going down";
            second_round(&g);
            v->dot_reply = NULL;
        }
        v->hangs_up_ahead = v->dots_wait = false;
        second_round(&g);
        memory_advance(g.memory, 3000000);
        assert_int_equal(memory_stored(g.memory), 0);
        check_each(&g, 1, 2);
        unsigned times[MAILS + 1], twice = 0;
        count(v, times);
        for (int n = 1; n <= MAILS; n++) twice += times[n] == 2;
        assert_int_equal(twice, lost);
        rig_teardown(&g);
    }
}

/* A host that takes its time gets nothing ahead: that mail may find another connection sooner. */
static void a_slow_host(void **state)
{
    (void)state;
    struct rig g;
    begin(&g);
    memory_advance(g.memory, 1000);
    second_round(&g);
    assert_int_equal(g.memory->servers[0].ahead, 0);
    g.memory->servers[0].dots_wait = false;
    second_round(&g);
    check_each(&g, 1, 1);
    assert_int_equal(memory_stored(g.memory), 0);
    rig_teardown(&g);
}

/* A session that stands still keeps nobody but its own mail: what was to be its next goes by one that is free. */
static void one_stands_still(void **state)
{
    (void)state;
    struct rig g;
    begin(&g);
    struct memory_server *v = &g.memory->servers[0];
    v->silent_to = "b21@";
    v->dots_wait = false;
    second_round(&g);
    assert_int_equal(memory_stored(g.memory), 1);
    unsigned times[MAILS + 1];
    count(v, times);
    for (int n = 1; n <= MAILS; n++)
        if (times[n] != (n != 21)) fail_msg("b%d arrived %u times", n, times[n]);
    v->silent_to = NULL;
    memory_advance(g.memory, 3000000);
    check_each(&g, 1, 1);
    assert_int_equal(memory_stored(g.memory), 0);
    rig_teardown(&g);
}

/* A host that lets further connections wait for its greeting: their mail goes over the one that stands. */
static void not_greeted(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    rig_start(&g);
    struct memory_server *v = &g.memory->servers[0];
    v->dots_wait = true;
    for (int n = 0; n < 4; n++) {
        char to[64];
        struct net_stream *s = rig_session(&g, "10.0.0.1");
        snprintf(to, sizeof to, "b%d@partner.example", n);
        assert_memory_equal(rig_send(&g, s, "a@side.example", to, rig_mail), "250", 3);
        memory_run(g.memory);
        v->silent_at = "greeting";
    }
    assert_int_equal(v->connections, 4);
    v->dots_wait = false;
    memory_answer_dots(g.memory);
    memory_run(g.memory);
    assert_int_equal(memory_stored(g.memory), 0);
    assert_int_equal(v->connections, 4);
    assert_int_equal(v->mail_count, 4);
    rig_teardown(&g);
}

/* MAILMAX counts what goes ahead: no session takes more than it said. */
static void limits_hold(void **state)
{
    (void)state;
    struct rig g;
    limits = "MAILMAX=3";
    begin(&g);
    limits = NULL;
    struct memory_server *v = &g.memory->servers[0];
    for (int n = 0; n < 5; n++) second_round(&g);
    v->dots_wait = false;
    second_round(&g);
    unsigned per[64] = {0};
    for (size_t i = 0; i < v->mail_count; i++) assert_in_range(++per[v->mail[i].connection], 1, 3);
    check_each(&g, 1, 1);
    assert_int_equal(memory_stored(g.memory), 0);
    rig_teardown(&g);
}

/* A reload, and an orderly end: what is under way, the one ahead too, is finished; nothing new begins. */
static void reload_and_stop(void **state)
{
    (void)state;
    for (int stop = 0; stop < 2; stop++) {
        struct rig g;
        begin(&g);
        second_round(&g);
        if (stop)
            memory_link(g.memory, &(struct link_message){.kind = LINK_STOP}, NULL);
        else
            rig_generation(&g, NULL);
        memory_run(g.memory);
        g.memory->servers[0].dots_wait = false;
        second_round(&g);
        check_each(&g, 1, 1);
        assert_int_equal(memory_stored(g.memory), 0);
        if (stop) assert_int_equal(g.stopped, 0);
        rig_teardown(&g);
    }
    /* Broken off: both stay as the store has them. */
    struct rig g;
    begin(&g);
    second_round(&g);
    memory_link(g.memory, &(struct link_message){.kind = LINK_STOP}, NULL);
    memory_advance(g.memory, 30000);
    assert_int_equal(g.stopped, 0);
    assert_int_equal(memory_stored(g.memory), MAILS - 20);
    rig_teardown(&g);
}

/* A backlog whose content is in the store only: the next one's is fetched while this one is under way. */
static void from_the_store(void **state)
{
    (void)state;
    struct rig g;
    begin(&g);
    struct memory_server *v = &g.memory->servers[0];
    rig_restart(&g); /* what was under way is tried again, with the rest */
    v->ahead = 0;
    for (int round = 0; round < 6; round++) second_round(&g);
    assert_in_range(v->ahead, 1, MAILS);
    v->dots_wait = false;
    second_round(&g);
    memory_run(g.memory);
    check_each(&g, 1, 2);
    assert_int_equal(memory_stored(g.memory), 0);
    rig_teardown(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_arrives_once),   cmocka_unit_test(a_refusal_is_for_one),
        cmocka_unit_test(the_connection_ends), cmocka_unit_test(a_slow_host),
        cmocka_unit_test(limits_hold),         cmocka_unit_test(reload_and_stop),
        cmocka_unit_test(from_the_store),      cmocka_unit_test(one_stands_still),
        cmocka_unit_test(not_greeted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
