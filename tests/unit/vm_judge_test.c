/* What becomes of whole messages: endings, replies, copies, windows of time, modes, limits (LANGUAGE sections 2 and 4).
 */
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "message/message.h"
#include "stdlib/vocabulary.h"
#include "tests/support/check.h"
#include "tests/support/judged.h"
#include "vm/run.h"

#define SECRET "From: a@corp.example\nSubject: top secret plan\n\nhello\n"
#define UNREAD "Subject: x\nMIME-Version: 1.0\nContent-Type: text/plain; charset=x-unheard-of\n\nwords\n"
#define B      "b@partner.example"
#define C      "c@corp.example"

static void run(struct judged *j, const char *rules, const char *message)
{
    judged_run(j, &(struct judged_case){.rules = rules, .message = message, .client = {.trusted = true}});
}

static uint8_t fate(const struct judged *j, const char *who) { return judged_recipient(j, who)->disposition; }
static uint8_t peer(const struct judged *j, const char *who) { return judged_recipient(j, who)->need.peer; }

static void the_first_rule_anyone_writes(void **state)
{
    (void)state;
    struct judged j;
    run(&j, "when subject contains \"top secret\" then require_tls", SECRET);
    assert_int_equal(j.verdict->answer, VERDICT_ACCEPT);
    assert_int_equal(peer(&j, B), TLS_PEER_ENCRYPT);
    assert_int_equal(fate(&j, B), DISPOSITION_DELIVER);
    assert_int_equal(j.verdict->copy_count, 1);
    check_str(judged_copy(&j, B), j.content.p);
    static const uint8_t no_hash[DIGEST_SIZE];
    assert_memory_equal(no_hash, j.verdict->copies[0].sha256, DIGEST_SIZE); /* it is the content itself */
    assert_int_equal(j.verdict->hit_count, 1);
    assert_int_equal(j.verdict->hits[0].what, HIT_APPLIED);
    judged_free(&j);
}

static void one_copy_a_plan(void **state)
{
    (void)state;
    struct judged j;
    run(&j,
        "rule \"s\" when recipient.domain is \"partner.example\" then prepend_subject \"[OUT] \", "
        "add_header \"X-Rule\" \"{rule}: {subject} from {sender} {{x\", require_tls verified min \"1.3\"\n"
        "rule \"t\" when subject starts with \"[OUT]\" then require_tls requiretls",
        SECRET);
    assert_int_equal(j.verdict->copy_count, 2);
    check_str(judged_copy(&j, C), j.content.p);
    struct str out = judged_copy(&j, B);
    assert_true(str_find(out, STR("Subject: [OUT] top secret plan\r\n")) != STR_NPOS);
    assert_true(str_find(out, STR("X-Rule: s: [OUT] top secret plan from a@corp.example {x\r\n")) != STR_NPOS);
    assert_true(str_ends(out, STR("\r\n\r\nhello\r\n")));
    const struct verdict_recipient *b = judged_recipient(&j, B);
    assert_true(obligation_equal(b->need, (struct obligation){TLS_PEER_VERIFIED, TLS_FLOOR_1_3, true}));
    check_str(b->tls_rule, "t");
    assert_false(obligation_demands_tls(judged_recipient(&j, C)->need));
    judged_free(&j);
}

/* `recipient_count` speaks of everyone so far, also when an earlier rule has asked already. */
static void the_count_grows_with_those_added(void **state)
{
    (void)state;
    struct judged j;
    run(&j,
        "rule \"a\" when recipient_count is 2 then copy to \"desk@other.example\"\n"
        "rule \"b\" when recipient_count is 3 then add_header \"X-Three\" \"yes\"\n"
        "rule \"c\" when recipient_count is 2 then add_header \"X-Two\" \"yes\"",
        SECRET);
    assert_int_equal(judged_hits(&j, "a"), HIT_APPLIED);
    assert_int_equal(judged_hits(&j, "b"), HIT_APPLIED);
    assert_int_equal(judged_hits(&j, "c"), 0);
    judged_free(&j);
}

static void kept_mail_still_collects_protection(void **state)
{
    (void)state;
    struct judged j;
    run(&j,
        "rule \"q\" when subject contains \"secret\" then quarantine reason \"{subject}\"\n"
        "rule \"p\" when recipient.domain is \"partner.example\" then prepend_subject \"[X] \", require_tls dane\n"
        "rule \"r\" when always then reject \"never reached\"",
        SECRET);
    assert_int_equal(fate(&j, B), DISPOSITION_QUARANTINE);
    assert_int_equal(peer(&j, B), TLS_PEER_DANE);
    assert_int_equal(peer(&j, C), TLS_PEER_ANY_CHANNEL);
    check_str(judged_recipient(&j, B)->reason, "top secret plan");
    check_str(judged_recipient(&j, B)->rule, "q");
    check_str(judged_copy(&j, B), j.content.p);
    assert_int_equal(judged_hits(&j, "r"), 0);
    judged_free(&j);
}

static void redirects(void **state)
{
    (void)state;
    struct judged j;
    run(&j,
        "rule \"r\" when recipient.domain is \"corp.example\" then redirect to \"desk@other.example\", require_tls\n"
        "rule \"d\" when recipient is \"desk@other.example\" then reject \"desk is closed\"",
        SECRET);
    assert_int_equal(j.verdict->recipient_count, 3);
    assert_int_equal(fate(&j, C), DISPOSITION_REJECT);
    check_str(judged_recipient(&j, C)->reply.text, "desk is closed");
    assert_true(judged_recipient(&j, "desk@other.example")->added);
    assert_int_equal(fate(&j, B), DISPOSITION_DELIVER);
    assert_int_equal(judged_hits(&j, "d"), HIT_APPLIED | HIT_REJECTED);
    judged_free(&j);
    run(&j, "when recipient is \"c@corp.example\" then redirect to \"B@Partner.example\"", SECRET);
    assert_int_equal(j.verdict->recipient_count, 2); /* joined, not doubled */
    assert_int_equal(fate(&j, C), DISPOSITION_REDIRECT);
    judged_free(&j);
    /* Delivered to as written, compared in the canonical form. */
    run(&j,
        "when recipient is \"c@corp.example\" then redirect to \"Desk.One@Other.Example\"\n"
        "when recipient is \"desk.one@other.example\" then copy to \"DESK.one@other.example\", require_tls verified",
        SECRET);
    assert_int_equal(j.verdict->recipient_count, 3);
    assert_int_equal(peer(&j, "Desk.One@other.example"), TLS_PEER_VERIFIED);
    assert_int_equal(judged_recipient(&j, "Desk.One@other.example")->stands_for, 2);
    judged_free(&j);
    /* In whose place: to the end of the redirects; a copy stands in nobody's. */
    run(&j,
        "when recipient is \"c@corp.example\" then redirect to \"x@other.example\"\n"
        "when recipient is \"x@other.example\" then redirect to \"y@other.example\"\n"
        "when always then copy to \"z@other.example\"",
        SECRET);
    assert_int_equal(judged_recipient(&j, "x@other.example")->stands_for, 0);
    assert_int_equal(judged_recipient(&j, "y@other.example")->stands_for, 2);
    assert_int_equal(judged_recipient(&j, "z@other.example")->stands_for, 0);
    assert_int_equal(judged_recipient(&j, B)->stands_for, 0);
    judged_free(&j);
}

static void copies_get_earlier_protection(void **state)
{
    (void)state;
    struct judged j;
    run(&j,
        "when recipient.domain is \"archive.example\" then require_tls verified\n"
        "when subject contains \"secret\" then copy to \"box@archive.example\"\n"
        "when recipient.domain is \"archive.example\" then route_via \"vault\"\n"
        "connector \"vault\" host \"192.0.2.9\"",
        SECRET);
    assert_int_equal(peer(&j, "box@archive.example"), TLS_PEER_VERIFIED);
    check_str(judged_recipient(&j, "box@archive.example")->connector, "vault");
    assert_int_equal(judged_recipient(&j, B)->connector.n, 0);
    judged_free(&j);
}

/* --- the single reply --------------------------------------------------------------------------------------------- */

static void everybody_rejected(void **state)
{
    (void)state;
    struct judged j;
    run(&j,
        "rule \"c\" when subject contains \"secret\" then copy to \"audit@corp.example\"\n"
        "rule \"one\" when recipient.domain is \"corp.example\" then reject \"first\" code 554 status \"5.6.0\"\n"
        "rule \"two\" when recipient.domain is \"partner.example\" then reject \"second {subject}\"",
        SECRET);
    assert_int_equal(j.verdict->answer, VERDICT_REJECT);
    /* the copy is inside, so the first rule takes it too: nothing goes anywhere */
    assert_int_equal(fate(&j, "audit@corp.example"), DISPOSITION_REJECT);
    assert_int_equal(j.verdict->reply.code, 554);
    check_str(j.verdict->reply.text, "first");
    check_str(j.verdict->rule, "one");
    check_str(judged_recipient(&j, B)->reply.text, "second top secret plan");
    judged_free(&j);
    run(&j,
        "when subject contains \"secret\" then copy to \"audit@other.example\"\n"
        "when recipient.domain is any of (\"corp.example\", \"partner.example\") then reject \"no\"",
        SECRET);
    assert_int_equal(j.verdict->answer, VERDICT_REJECT);
    assert_int_equal(fate(&j, "audit@other.example"), DISPOSITION_DELIVER); /* copies of the rules still happen */
    judged_free(&j);
}

static void some_rejected(void **state)
{
    (void)state;
    const char *rules =
        "rule \"r\" when recipient.domain is \"corp.example\" then reject \"not here\"\n"
        "when recipient is \"b@partner.example\" then redirect to \"x@partner.example\", copy to \"y@other.example\"";
    struct judged j;
    run(&j, rules, SECRET); /* one of ours: a DSN */
    assert_int_equal(j.verdict->answer, VERDICT_ACCEPT);
    assert_int_equal(fate(&j, C), DISPOSITION_REJECT);
    assert_int_equal(fate(&j, "x@partner.example"), DISPOSITION_DELIVER);
    judged_free(&j);

    judged_run(&j, &(struct judged_case){.rules = rules, .message = SECRET}); /* anybody else: the whole message */
    assert_int_equal(j.verdict->answer, VERDICT_REJECT);
    check_str(j.verdict->reply.text, "not here (refused for c@corp.example)");
    assert_int_equal(fate(&j, B), DISPOSITION_REJECT);
    assert_int_equal(fate(&j, "x@partner.example"), DISPOSITION_REJECT); /* in place of somebody refused */
    assert_int_equal(fate(&j, "y@other.example"), DISPOSITION_DELIVER);
    judged_free(&j);

    static const struct {
        uint8_t policy, answer, disposition;
    } settings[] = {{1, VERDICT_REJECT, DISPOSITION_REJECT},
                    {2, VERDICT_ACCEPT, DISPOSITION_REJECT},
                    {3, VERDICT_ACCEPT, DISPOSITION_DROP}};
    for (size_t i = 0; i < 3; i++) {
        struct settings s = {.partial_reject = settings[i].policy};
        judged_run(
            &j, &(struct judged_case){
                    .rules = rules, .message = SECRET, .settings = &s, .client = {.trusted = settings[i].policy == 1}});
        assert_int_equal(j.verdict->answer, settings[i].answer);
        assert_int_equal(fate(&j, C), settings[i].disposition);
        judged_free(&j);
    }
}

static void deferred(void **state)
{
    (void)state;
    struct judged j;
    run(&j,
        "rule \"m\" when always then copy to \"x@other.example\", log \"seen\"\n"
        "rule \"d\" when recipient.domain is \"corp.example\" then defer \"later, please\"",
        SECRET);
    assert_int_equal(j.verdict->answer, VERDICT_DEFER);
    assert_int_equal(j.verdict->reply.code, 451);
    check_str(j.verdict->rule, "d");
    assert_int_equal(j.verdict->recipient_count, 0);
    assert_int_equal(j.verdict->note_count, 0); /* nothing happens but counters */
    assert_int_equal(judged_hits(&j, "d"), HIT_DEFERRED);
    judged_free(&j);
}

/* --- undecided ---------------------------------------------------------------------------------------------------- */

static void unreadable(void **state)
{
    (void)state;
    static const struct {
        const char *option;
        uint8_t disposition, peer;
    } rows[] = {
        {"", DISPOSITION_DELIVER, TLS_PEER_VERIFIED},
        {" on_unreadable protect", DISPOSITION_DELIVER, TLS_PEER_VERIFIED},
        {" on_unreadable apply", DISPOSITION_DROP, TLS_PEER_VERIFIED},
        {" on_unreadable skip", DISPOSITION_DELIVER, TLS_PEER_ANY_CHANNEL},
        {" on_unreadable hold", DISPOSITION_HOLD, TLS_PEER_VERIFIED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char rules[200];
        snprintf(rules, sizeof rules, "rule \"r\"%s when body contains \"card\" then require_tls verified, drop",
                 rows[i].option);
        struct judged j;
        run(&j, rules, UNREAD);
        assert_int_equal(fate(&j, B), rows[i].disposition);
        assert_int_equal(peer(&j, B), rows[i].peer);
        assert_true(judged_hits(&j, "r") & HIT_UNDECIDED);
        judged_free(&j);
    }
}

/* A text that would fold to many times its length: what is found is found, what is not is undecided; also by the index
 * of many rules. */
static void endless_folding(void **state)
{
    (void)state;
    struct buf mail = {0}, rules = {0};
    buf_add(&mail, STR("From: a@corp.example\nContent-Type: text/plain; charset=utf-8\n\nearly word "));
    for (int i = 0; i < 40000; i++) buf_add(&mail, STR("\xef\xb7\xba"));
    buf_add(&mail, STR(" late word\n"));
    for (int i = 0; i < 50; i++)
        buf_printf(&rules, "rule \"n%d\" on_unreadable skip when body contains \"nothing%d\" then drop\n", i, i);
    buf_add(&rules, STR("rule \"e\" when body contains \"early word\" then log \"seen\"\n"
                        "rule \"l\" on_unreadable hold when body contains \"late word\" then log \"seen\"\n"));
    buf_add_byte(&mail, 0);
    buf_add_byte(&rules, 0);
    struct judged j;
    run(&j, rules.p, mail.p);
    assert_int_equal(judged_hits(&j, "e"), HIT_APPLIED);
    assert_true(judged_hits(&j, "l") & HIT_UNDECIDED);
    assert_int_equal(fate(&j, B), DISPOSITION_HOLD);
    judged_free(&j);
    /* What asks for the end of the text is not known, either way; what does not look at the fold is. */
    static const struct {
        const char *condition;
        uint32_t hits;
    } rows[] = {{"body ends with \"\u0645\"", HIT_UNDECIDED},
                {"not (body ends with \"\u0645\")", HIT_UNDECIDED},
                {"body matches /\u0645$/", HIT_UNDECIDED},
                {"body matches /early/c", HIT_APPLIED},
                {"body matches /nothing/c", 0},
                {"body starts with \"early\"", HIT_APPLIED}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rules.n = 0;
        buf_printf(&rules, "rule \"r\" on_unreadable skip when %s then log \"seen\"\n", rows[i].condition);
        buf_add_byte(&rules, 0);
        run(&j, rules.p, mail.p);
        if (judged_hits(&j, "r") != rows[i].hits) fail_msg("%s: %x", rows[i].condition, judged_hits(&j, "r"));
        judged_free(&j);
    }
    buf_free(&mail);
    buf_free(&rules);
}

static void get_unavailable(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    (void)j;
    (void)ask;
    out->trouble = ANSWER_UNAVAILABLE;
}

static void unavailable(void **state)
{
    (void)state;
    field_getter *getters[FIELD_COUNT];
    struct vocabulary v = stdlib_vocabulary;
    memcpy(getters, v.getters, sizeof getters);
    getters[FIELD_CLIENT_HELO] = get_unavailable;
    v.getters = getters;
    static const struct {
        const char *option;
        uint8_t answer;
    } rows[] = {{"", VERDICT_DEFER},
                {" on_error defer", VERDICT_DEFER},
                {" on_error skip", VERDICT_ACCEPT},
                {" on_error apply", VERDICT_REJECT}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char rules[200];
        snprintf(rules, sizeof rules, "rule \"r\"%s when client.helo is \"x\" then reject \"no\"", rows[i].option);
        struct judged j;
        judged_run(&j, &(struct judged_case){.rules = rules, .message = SECRET, .vocabulary = &v});
        assert_int_equal(j.verdict->answer, rows[i].answer);
        judged_free(&j);
    }
}

static void disputed_never_relaxes(void **state)
{
    (void)state;
    struct judged j;
    run(&j,
        "when subject contains \"one\" then stop, remove_header \"X-A\", require_tls, add_header \"X-B\" \"b\"\n"
        "when always then mark \"m\", prepend_subject \"[y] \"",
        "Subject: one\nSubject: two\nX-A: 1\n\nhello\n");
    struct str copy = judged_copy(&j, B);
    assert_int_equal(peer(&j, B), TLS_PEER_ENCRYPT);
    assert_true(str_find(copy, STR("X-A: 1\r\n")) != STR_NPOS);
    assert_true(str_find(copy, STR("X-B: b\r\n")) != STR_NPOS);
    assert_true(str_find(copy, STR("[y] ")) != STR_NPOS); /* it was not stopped */
    judged_free(&j);
}

/* --- windows, modes ----------------------------------------------------------------------------------------------- */

static void windows_of_time(void **state)
{
    (void)state;
    const char *rules = "rule \"r\" effective 2026-09-01 expires 2026-10-15 when always then require_tls";
    static const struct {
        int64_t now;
        int32_t offset;
        bool applies;
    } rows[] = {
        {1788220799, 0, false},     /* 2026-08-31T23:59:59Z */
        {1788220800, 0, true},      /* 2026-09-01T00:00:00Z */
        {1788220800, -3600, false}, /* still August there */
        {1788217200, 3600, true},   /* already September there */
        {1792022399, 0, true},      /* 2026-10-14T23:59:59Z */
        {1792022400, 0, false},     /* the 15th */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct judged j;
        judged_run(&j, &(struct judged_case){
                           .rules = rules, .message = SECRET, .now = rows[i].now, .utc_offset = rows[i].offset});
        assert_int_equal(peer(&j, B), rows[i].applies ? TLS_PEER_ENCRYPT : TLS_PEER_ANY_CHANNEL);
        judged_free(&j);
    }
}

static void audit_changes_nothing(void **state)
{
    (void)state;
    struct judged j;
    run(&j,
        "rule \"a\" mode audit when recipient.domain is \"partner.example\" then reject \"no\", mark \"x\", log \"l\"\n"
        "rule \"b\" mode audit when marked \"x\" then require_tls\n"
        "rule \"c\" when marked \"x\" then drop\n"
        "rule \"n\" mode audit_and_notify when always then log \"told {subject}\", drop\n"
        "rule \"o\" mode off when always then drop",
        SECRET);
    assert_int_equal(fate(&j, B), DISPOSITION_DELIVER);
    assert_int_equal(peer(&j, B), TLS_PEER_ANY_CHANNEL);
    assert_int_equal(judged_hits(&j, "a"), HIT_AUDIT);
    assert_int_equal(judged_hits(&j, "b"), HIT_AUDIT);
    assert_int_equal(judged_hits(&j, "c"), 0);
    assert_int_equal(judged_hits(&j, "o"), 0);
    size_t logs = 0, audits = 0;
    for (size_t i = 0; i < j.verdict->note_count; i++) {
        const struct verdict_note *n = &j.verdict->notes[i];
        if (n->kind == NOTE_LOG) {
            logs++;
            check_str(n->text, "told top secret plan");
            assert_int_equal(n->recipient.n, 0);
        } else {
            audits++;
            if (str_eq(n->rule, STR("a"))) check_str(n->recipient, B);
        }
    }
    assert_int_equal(logs, 1);
    assert_int_equal(audits, 4); /* reject and log of a, require_tls of b, drop of n */
    judged_free(&j);
}

static void marks_and_stop(void **state)
{
    (void)state;
    struct judged j;
    run(&j,
        "when recipient.domain is \"partner.example\" then mark \"x\", stop, require_tls\n"
        "when any recipient.domain is \"partner.example\" then prepend_subject \"[m] \"\n"
        "when marked \"x\" then drop",
        SECRET);
    assert_int_equal(fate(&j, B), DISPOSITION_DELIVER); /* stopped before the third rule */
    assert_int_equal(peer(&j, B), TLS_PEER_ENCRYPT);    /* all actions of the rule, whatever their order */
    check_str(judged_copy(&j, B), j.content.p);
    assert_true(str_find(judged_copy(&j, C), STR("Subject: [m] ")) != STR_NPOS);
    judged_free(&j);
}

/* --- limits ------------------------------------------------------------------------------------------------------- */

static void more_copies_than_classes(void **state)
{
    (void)state;
    struct buf rules = {0};
    static char addresses[70][32];
    struct judged_case c = {.message = SECRET, .client = {.trusted = true}};
    for (int i = 0; i < 70; i++) {
        snprintf(addresses[i], sizeof addresses[i], "u@d%d.example", i);
        c.to[i] = addresses[i];
        buf_printf(&rules, "when recipient.domain is \"d%d.example\" then prepend_subject \"[%d] \"\n", i, i);
    }
    buf_printf(&rules, "when subject contains \"not there\" then require_tls\n");
    buf_add_byte(&rules, '\0');
    c.rules = rules.p;
    struct judged j;
    judged_run(&j, &c);
    assert_int_equal(j.verdict->copy_count, 70);
    assert_true(str_find(judged_copy(&j, "u@d69.example"), STR("Subject: [69] top")) != STR_NPOS);
    assert_int_equal(peer(&j, "u@d0.example"), TLS_PEER_ANY_CHANNEL);
    assert_int_equal(peer(&j, "u@d62.example"), TLS_PEER_ANY_CHANNEL);
    assert_int_equal(peer(&j, "u@d66.example"), TLS_PEER_ENCRYPT); /* unreadable, so protected */
    judged_free(&j);
    buf_free(&rules);
}

static uint64_t racing_clock(void *self) { return *(uint64_t *)self += 40000; }

static void pattern_budget(void **state)
{
    (void)state;
    struct compiled compiled;
    struct program *p =
        compiled_program(&compiled, STR("rule \"r\" when subject matches /zzz\\d/ then require_tls, drop"));
    struct err e = {0};
    struct vm_program *ready = vm_load(p, &stdlib_vocabulary, &e);
    assert_non_null(ready);
    struct arena *a = arena_create();
    struct str to = STR(B), content = STR("Subject: zzzz\r\n\r\n");
    struct envelope env = {.recipients = &to, .recipient_count = 1};
    uint64_t time = 0;
    struct vm_input in = {.envelope = &env,
                          .message = message_open(a, content, NULL),
                          .clock = racing_clock,
                          .clock_self = &time,
                          .message_budget = 1};
    struct verdict v;
    assert_true(vm_judge(ready, &in, a, &v, NULL, &e));
    assert_int_equal(v.recipients[0].need.peer, TLS_PEER_ENCRYPT); /* undecided is never "no" */
    assert_int_equal(v.recipients[0].disposition, DISPOSITION_DELIVER);
    assert_int_equal(v.hits[0].what, HIT_APPLIED | HIT_UNDECIDED);
    arena_free(&a);
    vm_program_free(&ready);
    compiled_close(&compiled);
}

static void replies_are_one_printable_line(void **state)
{
    (void)state;
    struct judged j;
    run(&j, "when always then reject \"no: {subject}\"", "Subject: =?utf-8?q?caf=C3=A9=0D=0A250_ok?=\n\nx\n");
    assert_int_equal(j.verdict->answer, VERDICT_REJECT);
    for (size_t i = 0; i < j.verdict->reply.text.n; i++) assert_true(ascii_is_print(j.verdict->reply.text.p[i]));
    assert_true(str_starts(j.verdict->reply.text, STR("no: caf?")));
    judged_free(&j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_rule_anyone_writes),
        cmocka_unit_test(one_copy_a_plan),
        cmocka_unit_test(the_count_grows_with_those_added),
        cmocka_unit_test(kept_mail_still_collects_protection),
        cmocka_unit_test(redirects),
        cmocka_unit_test(copies_get_earlier_protection),
        cmocka_unit_test(everybody_rejected),
        cmocka_unit_test(some_rejected),
        cmocka_unit_test(deferred),
        cmocka_unit_test(unreadable),
        cmocka_unit_test(endless_folding),
        cmocka_unit_test(unavailable),
        cmocka_unit_test(disputed_never_relaxes),
        cmocka_unit_test(windows_of_time),
        cmocka_unit_test(audit_changes_nothing),
        cmocka_unit_test(marks_and_stop),
        cmocka_unit_test(more_copies_than_classes),
        cmocka_unit_test(pattern_budget),
        cmocka_unit_test(replies_are_one_printable_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
