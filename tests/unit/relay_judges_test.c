/* relay/judges and relay/accept: what judges answer, or do not, and what becomes of the message. */
#include <stdio.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/hostile.h"
#include "tests/support/relay_rig.h"

/* The behaviours for one request after another; the last stays. */
struct plan {
    enum judge_behaviour steps[8];
    unsigned n, at;
    void (*edit)(struct judge_answer *answer, const struct judge_request *request, struct arena *a);
};

static enum judge_behaviour follow(void *owner, const struct judge_request *request, struct arena *a,
                                   struct judge_answer *answer)
{
    struct plan *p = owner;
    unsigned at = p->at < p->n ? p->at : p->n - 1;
    p->at++;
    if (p->edit) p->edit(answer, request, a);
    return p->steps[at];
}

static struct net_stream *begin(struct rig *g, struct plan *p)
{
    rig_setup(g);
    g->memory->script = follow;
    g->memory->script_owner = p;
    rig_start(g);
    return rig_session(g, "10.0.0.1");
}

static void expect_send(struct rig *g, struct net_stream *s, const char *wanted)
{
    const char *got = rig_send(g, s, "a@corp.example", "b@partner.example", rig_mail);
    if (strncmp(got, wanted, strlen(wanted)) != 0) fail_msg("got %s, wanted %s", got, wanted);
}

/* One judge dies over it: another judges it, and nobody notices. */
static void one_death(void **state)
{
    (void)state;
    struct rig g;
    struct plan p = {.steps = {JUDGE_DIES, JUDGE_ANSWERS}, .n = 2};
    struct net_stream *s = begin(&g, &p);
    expect_send(&g, s, "250");
    assert_int_equal(g.memory->spawned, 2);
    assert_int_equal(rig_mails(&g, 0), 1);
    rig_teardown(&g);
}

/* A message that ends two judges is 451; the next one is unharmed. */
static void two_deaths(void **state)
{
    (void)state;
    struct rig g;
    struct plan p = {.steps = {JUDGE_DIES, JUDGE_DIES, JUDGE_ANSWERS}, .n = 3};
    struct net_stream *s = begin(&g, &p);
    expect_send(&g, s, "451 4.3.0");
    assert_int_equal(memory_stored(g.memory), 0);
    expect_send(&g, s, "250");
    assert_int_equal(rig_mails(&g, 0), 1);
    rig_teardown(&g);
}

/* Four with one judge that dies over the oldest: that one alone is the suspect, the other three are judged elsewhere.
 */
static enum judge_behaviour dies_over_poison(void *owner, const struct judge_request *request, struct arena *a,
                                             struct judge_answer *answer)
{
    (void)owner, (void)a, (void)answer;
    return str_find(request->content, STR("Subject: poison")) != STR_NPOS ? JUDGE_DIES : JUDGE_ANSWERS;
}

static void innocent_bystanders(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    g.memory->script = dies_over_poison;
    rig_start(&g);
    struct net_stream *s[5];
    for (int i = 0; i < 5; i++) {
        s[i] = rig_session(&g, "10.0.0.1");
        memory_say(g.memory, s[i], "MAIL FROM:<a@corp.example>\r\nRCPT TO:<b@partner.example>\r\nDATA\r\n");
    }
    memory_run(g.memory);
    for (int i = 0; i < 5; i++) {
        memory_forget(s[i]);
        memory_say(g.memory, s[i], i == 1 ? "Subject: poison\r\n\r\nx\r\n.\r\n" : "Subject: fine\r\n\r\nx\r\n.\r\n");
    }
    memory_run(g.memory);
    for (int i = 0; i < 5; i++) {
        const char *wanted = i == 1 ? "451 4.3.0" : "250 2.0.0";
        if (strncmp(memory_heard(s[i]).p, wanted, strlen(wanted)) != 0) fail_msg("%d: %s", i, memory_heard(s[i]).p);
    }
    assert_int_equal(rig_mails(&g, 0), 4);
    rig_teardown(&g);
}

/* A judge that says nothing is killed by the watchdog, and counts as a death. */
static void overrun(void **state)
{
    (void)state;
    struct rig g;
    struct plan p = {.steps = {JUDGE_HANGS, JUDGE_ANSWERS}, .n = 2};
    struct net_stream *s = begin(&g, &p);
    expect_send(&g, s, "");
    assert_null(strstr(memory_heard(s).p, "250 2.0.0 Ok"));
    memory_advance(g.memory, 2100);
    memory_advance(g.memory, 200);
    assert_non_null(strstr(memory_heard(s).p, "queued as"));
    assert_int_equal(g.memory->killed, 1);
    p = (struct plan){.steps = {JUDGE_HANGS}, .n = 1};
    memory_forget(s);
    rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail);
    memory_advance(g.memory, 5000);
    assert_non_null(strstr(memory_heard(s).p, "451 4.3.0"));
    rig_teardown(&g);
}

static void nonsense(void **state)
{
    (void)state;
    struct rig g;
    struct plan p = {.steps = {JUDGE_LIES, JUDGE_ANSWERS}, .n = 2};
    struct net_stream *s = begin(&g, &p);
    expect_send(&g, s, "451 4.3.0");
    assert_int_equal(g.memory->killed, 1);
    assert_int_equal(memory_stored(g.memory), 0);
    expect_send(&g, s, "250");
    rig_teardown(&g);
}

/* Well-formed, but not sound: each is 451, the judge is killed, nothing is kept. */
static void unsound_range(struct judge_answer *answer, const struct judge_request *request, struct arena *a)
{
    (void)a;
    answer->verdict.copies[0].pieces.v[0].to = request->size + 1;
    answer->verdict.copies[0].length = request->size + 1;
}
static void unsound_recipient(struct judge_answer *answer, const struct judge_request *request, struct arena *a)
{
    (void)request, (void)a;
    answer->verdict.recipients[0].address = STR("somebody@else.example");
}
static void unsound_missing(struct judge_answer *answer, const struct judge_request *request, struct arena *a)
{
    (void)request, (void)a;
    answer->verdict.recipient_count = 0;
}
static void unsound_insert(struct judge_answer *answer, const struct judge_request *request, struct arena *a)
{
    struct piece *pieces = ARENA_ARRAY(a, struct piece, 2);
    pieces[0] = (struct piece){.insert = STR("X: a\nInjected: b\r\n")};
    pieces[1] = (struct piece){.from = 0, .to = request->size};
    answer->verdict.copies[0].pieces = (struct pieces){pieces, 2};
    answer->verdict.copies[0].length += pieces[0].insert.n;
}
static void unsound_copy(struct judge_answer *answer, const struct judge_request *request, struct arena *a)
{
    (void)request, (void)a;
    answer->verdict.recipients[0].copy = 7;
}
static void unsound_reply(struct judge_answer *answer, const struct judge_request *request, struct arena *a)
{
    (void)request, (void)a;
    answer->verdict.answer = VERDICT_REJECT;
    answer->verdict.reply = (struct reply){250, STATUS(2, 0, 0), STR("fooled")};
}

static void unsound(void **state)
{
    (void)state;
    void (*const edits[])(struct judge_answer *, const struct judge_request *, struct arena *) = {
        unsound_range, unsound_recipient, unsound_missing, unsound_insert, unsound_copy, unsound_reply};
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        struct rig g;
        struct plan p = {.steps = {JUDGE_ANSWERS}, .n = 1, .edit = edits[i]};
        struct net_stream *s = begin(&g, &p);
        const char *got = rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail);
        if (strncmp(got, "451 4.3.0", 9) != 0) fail_msg("case %zu: %s", i, got);
        assert_int_equal(g.memory->killed, 1);
        assert_int_equal(memory_stored(g.memory), 0);
        p.edit = NULL;
        expect_send(&g, s, "250");
        rig_teardown(&g);
    }
}

/* Any member wrong, in one relay that goes on: what is refused is 451 and ends the judge, and the next is as ever. */
static uint64_t hostile_seed;
static void hostile_members(struct judge_answer *answer, const struct judge_request *request, struct arena *a)
{
    hostile_mutate(&answer->verdict, request->content, &hostile_seed, a);
}

/* Each relay is given so many; the next host's memory holds no more mail. */
enum { HOSTILE_RELAYS = 16, HOSTILE_ROUNDS = 16 };

static unsigned hostile_rounds(struct rig *g, struct plan *p, struct net_stream *s)
{
    unsigned refused = 0;
    for (unsigned i = 0; i < HOSTILE_ROUNDS; i++) {
        unsigned killed = g->memory->killed;
        p->edit = hostile_members;
        const char *got = rig_send(g, s, "a@corp.example", "b@partner.example", rig_mail);
        refused += g->memory->killed > killed;
        if (g->memory->killed > killed && strncmp(got, "451 4.3.0", 9) != 0) fail_msg("round %u: %s", i, got);
        if (got[0] == 0 || strchr("245", got[0]) == NULL) fail_msg("round %u: no reply: %s", i, got);
        p->edit = NULL;
        expect_send(g, s, "250");
    }
    return refused;
}

static void hostile(void **state)
{
    (void)state;
    unsigned refused = 0;
    hostile_seed = 0x5eed;
    for (unsigned i = 0; i < HOSTILE_RELAYS; i++) {
        struct rig g;
        struct plan p = {.steps = {JUDGE_ANSWERS}, .n = 1};
        refused += hostile_rounds(&g, &p, begin(&g, &p));
        rig_teardown(&g);
    }
    assert_true(refused > HOSTILE_RELAYS * HOSTILE_ROUNDS / 3 && refused < HOSTILE_RELAYS * HOSTILE_ROUNDS);
}

/* --- verdicts carried out ----------------------------------------------------------------------------------------- */

static void hit(struct verdict *v, struct arena *a, const char *rule, uint32_t what)
{
    v->hits = ARENA_NEW(a, struct verdict_hit);
    v->hits[0] = (struct verdict_hit){str_of(rule), what};
    v->hit_count = 1;
}

static void rejecting(struct judge_answer *answer, const struct judge_request *request, struct arena *a)
{
    (void)request;
    struct verdict *v = &answer->verdict;
    v->answer = VERDICT_REJECT;
    v->reply = (struct reply){550, STATUS(5, 7, 1), STR("No executables here")};
    v->rule = STR("no executables");
    for (size_t i = 0; i < v->recipient_count; i++) {
        v->recipients[i].disposition = DISPOSITION_REJECT;
        v->recipients[i].reply = v->reply;
        v->recipients[i].rule = v->rule;
    }
    hit(v, a, "no executables", HIT_APPLIED | HIT_REJECTED);
}

static void deferring(struct judge_answer *answer, const struct judge_request *request, struct arena *a)
{
    (void)request;
    answer->verdict.answer = VERDICT_DEFER;
    answer->verdict.recipient_count = 0;
    answer->verdict.reply = (struct reply){451, STATUS(4, 7, 1), STR("Later")};
    answer->verdict.rule = STR("wait");
    hit(&answer->verdict, a, "wait", HIT_DEFERRED);
}

static void dropping(struct judge_answer *answer, const struct judge_request *request, struct arena *a)
{
    (void)request;
    answer->verdict.recipients[0].disposition = DISPOSITION_DROP;
    answer->verdict.recipients[0].rule = STR("gone");
    hit(&answer->verdict, a, "gone", HIT_APPLIED);
}

static void holding(struct judge_answer *answer, const struct judge_request *request, struct arena *a)
{
    (void)request, (void)a;
    answer->verdict.recipients[0].disposition = DISPOSITION_HOLD;
    answer->verdict.recipients[0].rule = STR("hold");
    answer->verdict.recipients[0].reason = STR("a person must look");
}

static void editing(struct judge_answer *answer, const struct judge_request *request, struct arena *a)
{
    struct str content = request->content;
    size_t at = str_find(content, STR("Subject: ")) + 9;
    struct piece *pieces = ARENA_ARRAY(a, struct piece, 3);
    pieces[0] = (struct piece){.from = 0, .to = at};
    pieces[1] = (struct piece){.insert = STR("[SECURE] ")};
    pieces[2] = (struct piece){.from = at, .to = request->size};
    answer->verdict.copies[0].pieces = (struct pieces){pieces, 3};
    answer->verdict.copies[0].length += 9;
}

static void refusals(void **state)
{
    (void)state;
    struct rig g;
    struct plan p = {.steps = {JUDGE_ANSWERS}, .n = 1, .edit = rejecting};
    struct net_stream *s = begin(&g, &p);
    expect_send(&g, s, "550 5.7.1 No executables here");
    memory_run(g.memory);
    assert_int_equal(memory_hits(g.memory, "no executables", 1), 1);
    assert_int_equal(memory_audited(g.memory, "rejected"), 1);
    p.edit = deferring;
    expect_send(&g, s, "451 4.7.1 Later");
    assert_int_equal(memory_hits(g.memory, "wait", 2), 1);
    assert_int_equal(memory_audited(g.memory, "deferred"), 1);
    p.edit = dropping;
    expect_send(&g, s, "250 2.0.0");
    assert_int_equal(memory_hits(g.memory, "gone", 0), 1);
    assert_int_equal(memory_audited(g.memory, "dropped"), 1);
    assert_int_equal(memory_stored(g.memory), 0);
    assert_int_equal(rig_mails(&g, 0), 0);
    /* A 250 for drop waits for its commit too. */
    g.memory->store_fails = true;
    expect_send(&g, s, "451 4.3.0");
    rig_teardown(&g);
}

static void edits(void **state)
{
    (void)state;
    struct rig g;
    struct plan p = {.steps = {JUDGE_ANSWERS}, .n = 1, .edit = editing};
    struct net_stream *s = begin(&g, &p);
    expect_send(&g, s, "250");
    struct str data = buf_str(&g.memory->servers[0].mail[0].data);
    assert_true(str_find(data, STR("\r\nSubject: [SECURE] hello\r\n")) != STR_NPOS);
    assert_true(str_ends(data, STR("...dots\r\nlast\r\n")));
    /* Also when it is read back from the store. */
    g.memory->servers[0].refuses = true;
    memory_advance(g.memory, 6000);
    expect_send(&g, s, "250");
    g.memory->servers[0].refuses = false;
    rig_restart(&g);
    memory_advance(g.memory, 100 * 1000);
    assert_int_equal(rig_mails(&g, 0), 2);
    assert_true(str_find(buf_str(&g.memory->servers[0].mail[1].data), STR("\r\nSubject: [SECURE] hello\r\n")) !=
                STR_NPOS);
    rig_teardown(&g);
}

static void hold_and_release(void **state)
{
    (void)state;
    struct rig g;
    struct plan p = {.steps = {JUDGE_ANSWERS}, .n = 1, .edit = holding};
    struct net_stream *s = begin(&g, &p);
    expect_send(&g, s, "250");
    memory_advance(g.memory, 3600 * 1000);
    assert_int_equal(rig_mails(&g, 0), 0);
    assert_int_equal(memory_message(g.memory, 0)->recipients[0].state, RECIPIENT_HELD);
    struct net_stream *c = memory_dial(g.memory, "control", "");
    char line[200];
    snprintf(line, sizeof line, "{\"v\":1,\"op\":\"queue release\",\"id\":\"%.*s\"}\n",
             STR_ARG(memory_message(g.memory, 0)->queue_id));
    memory_say(g.memory, c, line);
    memory_run(g.memory);
    assert_non_null(strstr(memory_heard(c).p, "\"ok\":true"));
    assert_int_equal(rig_mails(&g, 0), 1);
    assert_int_equal(memory_stored(g.memory), 0);
    rig_teardown(&g);
}

/* One of two recipients refused, in a verdict that accepts: whoever sent it, the refused one is told of in a DSN.  When
 * it may come to that is the judge's: partial_reject is applied there and nowhere else. */
static void refuse_second(struct judge_answer *answer, const struct judge_request *request, struct arena *a)
{
    (void)request, (void)a;
    struct verdict_recipient *r = &answer->verdict.recipients[1];
    r->disposition = DISPOSITION_REJECT;
    r->reply = (struct reply){550, STATUS(5, 7, 1), STR("Not to them")};
    r->rule = STR("not to them");
}

static bool was_inline;

static void note_inline(struct judge_answer *answer, const struct judge_request *request, struct arena *a)
{
    (void)answer, (void)a;
    was_inline = request->content_inline;
}

static void partial(void **state)
{
    (void)state;
    struct rig g;
    struct plan p = {.steps = {JUDGE_ANSWERS}, .n = 1, .edit = refuse_second};
    struct net_stream *ours = begin(&g, &p);
    const char *got = rig_send(&g, ours, "x@side.example", "a@partner.example,b@partner.example", rig_mail);
    assert_memory_equal(got, "250", 3);
    assert_int_equal(rig_mails(&g, 0), 1);
    check_buf(&g.memory->servers[0].mail[0].to, "RCPT TO:<a@partner.example>\n");
    assert_int_equal(rig_mails(&g, 1), 1);
    assert_true(str_find(buf_str(&g.memory->servers[1].mail[0].data),
                         STR("Final-Recipient: rfc822; b@partner.example")) != STR_NPOS);
    /* Never to <>. */
    got = rig_send(&g, ours, "", "a@partner.example,b@partner.example", rig_mail);
    assert_memory_equal(got, "250", 3);
    assert_int_equal(rig_mails(&g, 1), 1);
    rig_teardown(&g);
}

/* A copy that a rejecting rule made is kept, and the 5xx waits for it. */
static void reject_with_copy(struct judge_answer *answer, const struct judge_request *request, struct arena *a)
{
    struct verdict *v = &answer->verdict;
    struct verdict_recipient *r = ARENA_ARRAY(a, struct verdict_recipient, v->recipient_count + 1);
    rejecting(answer, request, a);
    for (size_t i = 0; i < v->recipient_count; i++) r[i] = v->recipients[i];
    r[v->recipient_count] = (struct verdict_recipient){.address = STR("archive@side.example"), .added = true};
    v->recipients = r;
    v->recipient_count++;
}

static void rejected_but_copied(void **state)
{
    (void)state;
    struct rig g;
    struct plan p = {.steps = {JUDGE_ANSWERS}, .n = 1, .edit = reject_with_copy};
    struct net_stream *s = begin(&g, &p);
    expect_send(&g, s, "550 5.7.1 No executables here");
    assert_int_equal(rig_mails(&g, 0), 0);
    assert_int_equal(rig_mails(&g, 1), 1);
    g.memory->store_fails = true;
    expect_send(&g, s, "451 4.3.0");
    rig_teardown(&g);
}

/* The client goes away while its message is judged: no 250, so nobody gets it. */
static void client_gone_while_judged(void **state)
{
    (void)state;
    struct rig g;
    struct plan p = {.steps = {JUDGE_HANGS}, .n = 1};
    struct net_stream *s = begin(&g, &p);
    rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail);
    memory_hang_up(g.memory, s);
    memory_advance(g.memory, 10000);
    assert_int_equal(memory_stored(g.memory), 0);
    assert_int_equal(rig_mails(&g, 0), 0);
    rig_teardown(&g);
}

/* 1,000 recipients of 123 bytes leave no room for 64 KiB in one datagram: then the content goes as a descriptor. */
static void large_envelope(void **state)
{
    (void)state;
    struct rig g;
    struct plan p = {.steps = {JUDGE_ANSWERS}, .n = 1, .edit = note_inline};
    struct net_stream *s = begin(&g, &p);
    struct buf to = {0}, content = {0};
    for (unsigned i = 0; i < 1000; i++)
        buf_printf(&to, "%srecipient%0*u@%s.partner.example", i ? "," : "", 45, i,
                   "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz");
    buf_add_byte(&to, '\0');
    buf_printf(&content, "Subject: x\r\n\r\n");
    while (content.n < 64 * 1024 - 300) buf_printf(&content, "0123456789012345678901234567890123456789\r\n");
    buf_add_byte(&content, '\0');
    assert_memory_equal(rig_send(&g, s, "a@corp.example", to.p, content.p), "250", 3);
    assert_false(was_inline);
    assert_memory_equal(rig_send(&g, s, "a@corp.example", "b@partner.example", content.p), "250", 3);
    assert_true(was_inline);
    buf_free(&to);
    buf_free(&content);
    rig_teardown(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_death),
        cmocka_unit_test(two_deaths),
        cmocka_unit_test(innocent_bystanders),
        cmocka_unit_test(overrun),
        cmocka_unit_test(nonsense),
        cmocka_unit_test(unsound), cmocka_unit_test(hostile),
        cmocka_unit_test(refusals),
        cmocka_unit_test(edits),
        cmocka_unit_test(hold_and_release),
        cmocka_unit_test(partial),
        cmocka_unit_test(rejected_but_copied),
        cmocka_unit_test(client_gone_while_judged),
        cmocka_unit_test(large_envelope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
