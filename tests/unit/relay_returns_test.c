/* relay/: who hears of what comes back: the sender of a recipient it named, nobody of a copy; and what nobody may hear
 * of in clear is kept. */
#include <stdio.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/relay_rig.h"

/* What the judge answers: one added recipient, for whom, and what becomes of the client's first. */
struct wanted {
    const char *added;
    uint32_t stands_for;
    uint8_t first; /* enum disposition */
    struct obligation need;
};

static enum judge_behaviour script(void *owner, const struct judge_request *request, struct arena *a,
                                   struct judge_answer *answer)
{
    const struct wanted *w = owner;
    struct verdict *v = &answer->verdict;
    (void)request;
    size_t n = v->recipient_count;
    struct verdict_recipient *all = ARENA_ARRAY(a, struct verdict_recipient, n + 1);
    memcpy(all, v->recipients, n * sizeof *all);
    all[0].disposition = w->first;
    if (w->added) {
        all[n] = (struct verdict_recipient){
            .address = str_of(w->added), .added = true, .stands_for = w->stands_for, .rule = STR("r")};
        v->recipient_count++;
    }
    v->recipients = all;
    for (size_t i = 0; i < v->recipient_count; i++) all[i].need = w->need;
    if (w->first != DISPOSITION_REJECT) return JUDGE_ANSWERS;
    v->answer = VERDICT_REJECT;
    v->rule = STR("r");
    v->reply = all[0].reply = (struct reply){550, STATUS(5, 7, 1), STR("not wanted")};
    return JUDGE_ANSWERS;
}

static struct net_stream *begin(struct rig *g, struct wanted *w)
{
    rig_setup(g);
    g->memory->script = script;
    g->memory->script_owner = w;
    rig_start(g);
    g->memory->servers[1].rcpt_refused = "gone";
    g->memory->servers[1].rcpt_reply = "550 5.1.1 no such user";
    return rig_session(g, "10.0.0.1");
}

static bool has(const struct memory_mail *m, const char *text)
{
    return str_find(buf_str(&m->data), str_of(text)) != STR_NPOS;
}

/* Delivered, or refused: the sender of a message learns nothing of the copy that a rule made of it, and whoever runs
 * the relay does. */
static void of_a_copy_nobody_hears(void **state)
{
    (void)state;
    static const uint8_t fates[] = {DISPOSITION_DELIVER, DISPOSITION_REJECT};
    for (size_t i = 0; i < 2; i++) {
        struct wanted w = {.added = "gone@side.example", .first = fates[i]};
        struct rig g;
        struct net_stream *s = begin(&g, &w);
        rig_send(&g, s, "a@side.example", "b@partner.example", rig_mail);
        memory_advance(g.memory, 10000);
        assert_int_equal(rig_mails(&g, 0), fates[i] == DISPOSITION_DELIVER);
        for (size_t k = 0; k < rig_mails(&g, 1); k++) /* an attempt, at most */
            assert_int_equal(g.memory->servers[1].mail[k].data.n, 0);
        assert_int_equal(memory_stored(g.memory), 0);
        assert_int_equal(memory_audited(g.memory, "undelivered"), 1);
        rig_teardown(&g);
    }
}

/* Nor that it is late; and the next host is told to tell nobody either. */
static void a_copy_is_stored_so(void **state)
{
    (void)state;
    struct wanted w = {.added = "gone@side.example"};
    struct rig g;
    struct net_stream *s = begin(&g, &w);
    g.memory->servers[1].rcpt_reply = "450 4.2.1 later";
    rig_send(&g, s, "a@partner.example", "b@partner.example", rig_mail);
    assert_int_equal(memory_stored(g.memory), 1);
    assert_int_equal(memory_message(g.memory, 0)->recipients[0].notify, NOTIFY_NEVER);
    memory_advance(g.memory, 3 * 3600 * 1000);
    assert_int_equal(rig_mails(&g, 0), 1);
    assert_int_equal(memory_stored(g.memory), 0);
    rig_teardown(&g);
}

/* Whoever stands in for somebody: the sender hears of that, under the address it wrote to. */
static void of_a_redirect_the_sender_hears(void **state)
{
    (void)state;
    struct wanted w = {.added = "gone@side.example", .stands_for = 1, .first = DISPOSITION_REDIRECT};
    struct rig g;
    struct net_stream *s = begin(&g, &w);
    rig_send(&g, s, "a@partner.example", "b@partner.example", rig_mail);
    memory_advance(g.memory, 10000);
    assert_int_equal(rig_mails(&g, 0), 1);
    const struct memory_mail *m = &g.memory->servers[0].mail[0];
    check_buf(&m->to, "RCPT TO:<a@partner.example>\n");
    assert_true(has(m, "Status: 5.1.1\r\n"));
    assert_true(has(m, "Original-Recipient: rfc822;b@partner.example\r\n"));
    assert_int_equal(memory_audited(g.memory, "undelivered"), 0);
    rig_teardown(&g);
}

/* The report on a message that must have TLS must have it too.  In all its time there is none: it is kept, in view, and
 * goes when it may. */
static void a_report_without_tls_is_kept(void **state)
{
    (void)state;
    struct wanted w = {.need = {.peer = TLS_PEER_ENCRYPT}};
    struct rig g;
    struct net_stream *s = begin(&g, &w);
    rig_send(&g, s, "a@side.example", "b@partner.example", rig_mail);
    memory_advance(g.memory, 3 * 3600 * 1000); /* returned … */
    assert_int_equal(memory_stored(g.memory), 1);
    assert_true(memory_message(g.memory, 0)->relay_made);
    assert_int_equal(memory_message(g.memory, 0)->recipients[0].state, RECIPIENT_QUEUED);
    memory_advance(g.memory, 3 * 3600 * 1000); /* … and cannot go */
    assert_int_equal(memory_stored(g.memory), 1);
    assert_int_equal(memory_message(g.memory, 0)->recipients[0].state, RECIPIENT_HELD);
    assert_true(str_starts(str_of(rig_reason(&g)), STR("4.7.4 ")));
    assert_int_equal(memory_audited(g.memory, "undelivered"), 0);
    rig_restart(&g);
    memory_advance(g.memory, 3 * 3600 * 1000);
    assert_int_equal(rig_mails(&g, 1), 0);
    assert_true(str_find(buf_str(&g.memory->servers[1].clear), STR("MAIL")) == STR_NPOS);
    g.memory->servers[1].starttls = true;
    struct net_stream *c = memory_dial(g.memory, "control", "");
    char request[200], id[64];
    struct str queue_id = memory_message(g.memory, 0)->queue_id;
    assert_true(queue_id.n < sizeof id);
    memcpy(id, queue_id.p, queue_id.n);
    id[queue_id.n] = '\0';
    snprintf(request, sizeof request, "{\"v\":1,\"op\":\"queue release\",\"id\":\"%s\"}\n", id);
    rig_ask(&g, c, request);
    memory_advance(g.memory, 10000);
    assert_int_equal(rig_mails(&g, 1), 1);
    assert_true(g.memory->servers[1].mail[0].tls);
    assert_int_equal(memory_stored(g.memory), 0);
    rig_teardown(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_copy_nobody_hears),
        cmocka_unit_test(a_copy_is_stored_so),
        cmocka_unit_test(of_a_redirect_the_sender_hears),
        cmocka_unit_test(a_report_without_tls_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
