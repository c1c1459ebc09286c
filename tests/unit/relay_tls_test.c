/* require_tls: the policy as a table of every situation, and what it comes to on the wire. */
#include <stdio.h>
#include <string.h>

#include "relay/tls_policy.h"
#include "tests/support/check.h"
#include "tests/support/relay_rig.h"

/* --- the pure function over all it can be asked ------------------------------------------------------------------- */

/* Said anew, from DESIGN section 6, not by calling what is tested: what must never, and what must always happen. */
static void check_one(const struct tls_situation *s)
{
    struct tls_decision d = tls_policy(s);
    bool connector_demands = s->connector_tls == CONNECTOR_TLS_ENCRYPT || s->connector_tls == CONNECTOR_TLS_VERIFIED;
    bool verified = s->need.peer >= TLS_PEER_VERIFIED || s->need.onward || s->connector_tls == CONNECTOR_TLS_VERIFIED;
    bool demands = s->need.peer || s->need.floor || s->need.onward || connector_demands;
    bool dane = s->need.peer == TLS_PEER_DANE;
    bool off = s->connector_tls == CONNECTOR_TLS_NONE;

    if (demands) {
        /* No path to clear text. */
        if (s->moment == TLS_IN_CLEAR) assert_int_not_equal(d.step, TLS_GO);
        assert_int_not_equal(d.step, TLS_PLAIN);
        if (dane || off) {
            assert_int_equal(d.step, TLS_DEFER);
            assert_int_equal(d.lack, dane ? TLS_LACK_DANE : TLS_LACK_CONNECTOR);
            return;
        }
        switch (s->moment) {
        case TLS_BEFORE: assert_int_equal(d.step, TLS_GO); return;
        case TLS_IN_CLEAR:
            if (s->offered) {
                assert_int_equal(d.step, TLS_START);
                return;
            }
            assert_int_equal(d.status.detail, 4);
            break;
        case TLS_FAILED: assert_int_equal(d.status.detail, 5); break;
        default: {
            bool good = (!verified || s->verified) && (s->need.floor != TLS_FLOOR_1_3 || s->is_1_3) &&
                        (!s->need.onward || s->requiretls_offered);
            if (good) {
                assert_int_equal(d.step, TLS_GO);
                return;
            }
            bool only_onward = (!verified || s->verified) && (s->need.floor != TLS_FLOOR_1_3 || s->is_1_3);
            assert_int_equal(d.status.detail, only_onward ? 30 : 5);
        }
        }
        assert_int_equal(d.step, s->more_hosts ? TLS_NEXT : TLS_DEFER);
        assert_int_equal(d.status.class, 4);
        assert_int_equal(d.status.subject, 7);
        assert_int_not_equal(d.lack, TLS_LACK_NONE);
        return;
    }
    /* Nothing demands: never a delay. */
    assert_true(d.step == TLS_GO || d.step == TLS_START || d.step == TLS_PLAIN);
    if (s->moment == TLS_IN_CLEAR) assert_int_equal(d.step, s->offered && !off && !s->tls_spent ? TLS_START : TLS_GO);
    if (s->moment == TLS_FAILED) assert_int_equal(d.step, TLS_PLAIN);
}

static void every_situation(void **state)
{
    (void)state;
    unsigned checked = 0;
    for (unsigned n = 0; n < 4u * 3 * 2 * 4 * 4 * 64; n++) {
        unsigned left = n;
        struct tls_situation s = {0};
        s.need.peer = (uint8_t)(left % 4), left /= 4;
        s.need.floor = (uint8_t)(left % 3), left /= 3;
        s.need.onward = left % 2, left /= 2;
        s.connector_tls = (uint8_t)(left % 4), left /= 4;
        s.moment = (uint8_t)(left % TLS_MOMENT_COUNT), left /= TLS_MOMENT_COUNT;
        s.offered = left & 1;
        s.tls_spent = left & 2;
        s.verified = left & 4;
        s.is_1_3 = left & 8;
        s.requiretls_offered = left & 16;
        s.more_hosts = left & 32;
        check_one(&s);
        checked++;
    }
    assert_int_equal(checked, 24576);
}

/* --- on the wire -------------------------------------------------------------------------------------------------- */

static const char canary_mail[] = "Subject: canary\r\nFrom: canary@corp.example\r\n\r\ncanary\r\n";

/* A judge that demands what the test says of everybody. */
static enum judge_behaviour demand(void *owner, const struct judge_request *request, struct arena *a,
                                   struct judge_answer *answer)
{
    (void)request, (void)a;
    const struct obligation *need = owner;
    for (size_t i = 0; i < answer->verdict.recipient_count; i++) {
        answer->verdict.recipients[i].need = *need;
        answer->verdict.recipients[i].tls_rule = STR("top secret");
    }
    return JUDGE_ANSWERS;
}

static struct net_stream *begin(struct rig *g, struct obligation *need)
{
    g->memory->script = demand;
    g->memory->script_owner = need;
    rig_start(g);
    return rig_session(g, "10.0.0.1");
}

static bool canary_in_clear(const struct rig *g)
{
    return str_find(buf_str(&g->memory->servers[0].clear), STR("canary")) != STR_NPOS;
}

static const struct row {
    const char *name;
    struct obligation need;
    uint8_t connector;
    bool starttls, breaks, good, tls_1_2, requiretls;
    const char *reason; /* NULL: delivered, in TLS where `tls` */
    const char *code;   /* at expiry */
    bool tls;
} rows[] = {
    {"no STARTTLS",
     {.peer = TLS_PEER_ENCRYPT},
     CONNECTOR_TLS_OPPORTUNISTIC,
     .reason = "4.7.4 TLS required but not offered by mx.partner.example:2600",
     .code = "5.7.10"},
    {"any certificate will do", {.peer = TLS_PEER_ENCRYPT}, CONNECTOR_TLS_OPPORTUNISTIC, .starttls = true, .tls = true},
    {"broken handshake",
     {.peer = TLS_PEER_ENCRYPT},
     CONNECTOR_TLS_OPPORTUNISTIC,
     .starttls = true,
     .breaks = true,
     .reason = "4.7.5 TLS required but the handshake failed with mx.partner.example:2600: the handshake failed",
     .code = "5.7.10"},
    {"bad certificate",
     {.peer = TLS_PEER_VERIFIED},
     CONNECTOR_TLS_OPPORTUNISTIC,
     .starttls = true,
     .reason = "4.7.5 TLS required but the handshake failed with mx.partner.example:2600: the certificate is not good",
     .code = "5.7.10"},
    {"good certificate",
     {.peer = TLS_PEER_VERIFIED},
     CONNECTOR_TLS_OPPORTUNISTIC,
     .starttls = true,
     .good = true,
     .tls = true},
    {"1.3 demanded, 1.2 had",
     {.peer = TLS_PEER_ENCRYPT, .floor = TLS_FLOOR_1_3},
     CONNECTOR_TLS_OPPORTUNISTIC,
     .starttls = true,
     .good = true,
     .tls_1_2 = true,
     .reason = "4.7.5 ",
     .code = "5.7.10"},
    {"onward, not offered",
     {.onward = true},
     CONNECTOR_TLS_OPPORTUNISTIC,
     .starttls = true,
     .good = true,
     .reason = "4.7.30 REQUIRETLS required but not offered by",
     .code = "5.7.30"},
    {"onward, offered",
     {.onward = true},
     CONNECTOR_TLS_OPPORTUNISTIC,
     .starttls = true,
     .good = true,
     .requiretls = true,
     .tls = true},
    {"DANE",
     {.peer = TLS_PEER_DANE},
     CONNECTOR_TLS_VERIFIED,
     .starttls = true,
     .good = true,
     .reason = "4.7.4 DANE required, which this relay cannot check yet, for default",
     .code = "5.7.10"},
    {"connector without TLS",
     {.peer = TLS_PEER_ENCRYPT},
     CONNECTOR_TLS_NONE,
     .starttls = true,
     .good = true,
     .reason = "4.7.4 TLS required but turned off (tls none) for default",
     .code = "5.7.10"},
    {"connector demands",
     {0},
     CONNECTOR_TLS_ENCRYPT,
     .reason = "4.7.4 TLS required but not offered by",
     .code = "5.7.10"},
    {"connector demands a name",
     {0},
     CONNECTOR_TLS_VERIFIED,
     .starttls = true,
     .reason = "4.7.5 TLS required but the handshake failed",
     .code = "5.7.10"},
    {"nothing demanded, none offered", {0}, CONNECTOR_TLS_OPPORTUNISTIC, .starttls = false},
    {"nothing demanded, offered", {0}, CONNECTOR_TLS_OPPORTUNISTIC, .starttls = true, .tls = true},
    {"nothing demanded, broken", {0}, CONNECTOR_TLS_OPPORTUNISTIC, .starttls = true, .breaks = true},
    {"nothing demanded, turned off", {0}, CONNECTOR_TLS_NONE, .starttls = true},
};

static void check_wire(const struct row *row)
{
    struct rig g;
    struct obligation need = row->need;
    rig_setup(&g);
    g.connectors[0].tls = row->connector;
    struct memory_server *v = &g.memory->servers[0], *home = &g.memory->servers[1];
    v->starttls = row->starttls, v->starttls_breaks = row->breaks, v->certificate_good = row->good;
    v->tls_1_2 = row->tls_1_2, v->requiretls = row->requiretls;
    home->starttls = home->certificate_good = home->requiretls = true;
    struct net_stream *s = begin(&g, &need);
    const char *answer = rig_send(&g, s, "canary@side.example", "b@partner.example", canary_mail);
    assert_memory_equal(answer, "250", 3);
    memory_advance(g.memory, 1);
    bool demands = obligation_demands_tls(need) || row->connector == CONNECTOR_TLS_ENCRYPT ||
                   row->connector == CONNECTOR_TLS_VERIFIED;
    if (!row->reason) {
        if (rig_mails(&g, 0) != 1 || v->mail[0].tls != row->tls) fail_msg("%s: %s", row->name, rig_reason(&g));
        if (demands) assert_false(canary_in_clear(&g));
        assert_int_equal(str_find(buf_str(&v->mail[0].from), STR(" REQUIRETLS")) != STR_NPOS, need.onward);
        rig_teardown(&g);
        return;
    }
    if (strncmp(rig_reason(&g), row->reason, strlen(row->reason)) != 0) fail_msg("%s: %s", row->name, rig_reason(&g));
    assert_int_equal(memory_message(g.memory, 0)->recipients[0].attempts, 1);
    memory_advance(g.memory, 200 * 1000);
    assert_true(memory_message(g.memory, 0)->recipients[0].attempts >= 2);
    /* A restart forgets nothing of it; in the end it goes back, over TLS, without its body. */
    if (obligation_demands_tls(need)) rig_restart(&g);
    memory_advance(g.memory, 3 * 3600 * 1000);
    assert_int_equal(rig_mails(&g, 0), 0);
    assert_false(canary_in_clear(&g));
    if (need.peer == TLS_PEER_DANE) { /* what it demanded its return demands too, and nobody can meet it yet */
        assert_int_equal(rig_mails(&g, 1), 0);
        assert_true(memory_message(g.memory, 0)->relay_made);
        rig_teardown(&g);
        return;
    }
    assert_int_equal(rig_mails(&g, 1), 1);
    char line[40];
    snprintf(line, sizeof line, "Status: %s\r\n", row->code);
    if (str_find(buf_str(&home->mail[0].data), str_of(line)) == STR_NPOS)
        fail_msg("%s: %.*s", row->name, STR_ARG(buf_str(&home->mail[0].data)));
    assert_true(home->mail[0].tls);
    assert_true(str_find(buf_str(&home->mail[0].data), STR("\r\n\r\ncanary")) == STR_NPOS);
    assert_int_equal(memory_stored(g.memory), 0);
    rig_teardown(&g);
}

static void on_the_wire(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check_wire(&rows[i]);
}

/* A connection made for less is never used for more; one made for more carries less. */
static void reuse(void **state)
{
    (void)state;
    struct rig g;
    struct obligation need = {0};
    rig_setup(&g);
    struct memory_server *v = &g.memory->servers[0];
    v->starttls = v->certificate_good = true;
    struct net_stream *s = begin(&g, &need);
    static const struct {
        uint8_t peer;
        unsigned connection;
    } steps[] = {{TLS_PEER_ANY_CHANNEL, 1}, {TLS_PEER_ANY_CHANNEL, 1}, {TLS_PEER_ENCRYPT, 2},
                 {TLS_PEER_VERIFIED, 3},    {TLS_PEER_VERIFIED, 3},    {TLS_PEER_ENCRYPT, 3}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        need.peer = steps[i].peer;
        rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail);
        assert_int_equal(rig_mails(&g, 0), i + 1);
        if (steps[i].peer) assert_true(v->mail[i].connection >= steps[i].connection);
        assert_true(v->mail[i].connection <= steps[i].connection);
    }
    assert_int_equal(v->connections, 3);
    /* After five idle seconds they end, each with QUIT. */
    memory_advance(g.memory, 6000);
    need.peer = TLS_PEER_ENCRYPT;
    rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail);
    assert_int_equal(v->connections, 4);
    rig_teardown(&g);
}

/* Recipients of one message with different demands never share a transaction. */
static enum judge_behaviour demand_for_some(void *owner, const struct judge_request *request, struct arena *a,
                                            struct judge_answer *answer)
{
    (void)owner, (void)request, (void)a;
    answer->verdict.recipients[0].need.peer = TLS_PEER_ENCRYPT;
    return JUDGE_ANSWERS;
}

static void split(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    rig_start(&g);
    g.memory->script = demand_for_some;
    struct net_stream *s = rig_session(&g, "10.0.0.1");
    rig_send(&g, s, "a@corp.example", "secret@partner.example,plain@partner.example", rig_mail);
    assert_int_equal(rig_mails(&g, 0), 1);
    check_buf(&g.memory->servers[0].mail[0].to, "RCPT TO:<plain@partner.example>\n");
    assert_int_equal(memory_stored(g.memory), 1);
    assert_int_equal(memory_message(g.memory, 0)->recipient_count, 1);
    g.memory->servers[0].starttls = true;
    memory_advance(g.memory, 100 * 1000);
    assert_int_equal(rig_mails(&g, 0), 2);
    assert_true(g.memory->servers[0].mail[1].tls);
    rig_teardown(&g);
}

/* What the client demanded by REQUIRETLS the judge cannot take away. */
static void requiretls_of_the_client(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    rig_start(&g);
    rig_generation(&g, "cert");
    struct net_stream *s = rig_session(&g, "10.0.0.1");
    memory_say(g.memory, s, "STARTTLS\r\n");
    memory_run(g.memory);
    assert_non_null(strstr(memory_heard(s).p, "220 "));
    memory_forget(s);
    memory_say(g.memory, s, "EHLO client.example\r\n");
    memory_run(g.memory);
    assert_non_null(strstr(memory_heard(s).p, "REQUIRETLS"));
    assert_null(strstr(memory_heard(s).p, "STARTTLS"));
    memory_say(g.memory, s, "MAIL FROM:<a@corp.example> REQUIRETLS\r\nRCPT TO:<b@partner.example>\r\nDATA\r\n");
    memory_run(g.memory);
    memory_say(g.memory, s, "Subject: x\r\n\r\nbody\r\n.\r\n");
    memory_run(g.memory);
    assert_non_null(strstr(memory_heard(s).p, "queued as"));
    assert_int_equal(rig_mails(&g, 0), 0);
    struct obligation need = memory_message(g.memory, 0)->recipients[0].need;
    assert_true(need.onward);
    assert_int_equal(need.peer, TLS_PEER_VERIFIED);
    g.memory->servers[0].starttls = g.memory->servers[0].certificate_good = g.memory->servers[0].requiretls = true;
    memory_advance(g.memory, 100 * 1000);
    assert_int_equal(rig_mails(&g, 0), 1);
    assert_true(str_find(buf_str(&g.memory->servers[0].mail[0].data), STR("ESMTPS")) != STR_NPOS);
    assert_true(str_find(buf_str(&g.memory->servers[0].mail[0].data), STR("TLSv1.3 TLS_AES_256_GCM_SHA384")) !=
                STR_NPOS);
    rig_teardown(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_situation),
        cmocka_unit_test(on_the_wire),
        cmocka_unit_test(reuse),
        cmocka_unit_test(split),
        cmocka_unit_test(requiretls_of_the_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
