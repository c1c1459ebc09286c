/* The specification's sentences on fields and actions that no other test holds the machine to (LANGUAGE sections 2 to
 * 4): one test a paragraph, the sentence above each case. */
#include <stdio.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/judged.h"

#define B     "b@partner.example"
#define C     "c@corp.example"
#define PLAIN "From: a@corp.example\nSubject: plan\n\nhello\n"

static void run(struct judged *j, const char *rules, const char *message)
{
    judged_run(j, &(struct judged_case){.rules = rules, .message = message, .client = {.trusted = true}});
}
static bool has(struct str s, const char *part) { return str_find(s, str_of(part)) != STR_NPOS; }
static bool tls(const struct judged *j, const char *who)
{
    return obligation_demands_tls(judged_recipient(j, who)->need);
}
static uint8_t fate(const struct judged *j, const char *who) { return judged_recipient(j, who)->disposition; }
static size_t count(struct str s, const char *part)
{
    size_t n = 0;
    for (size_t at; (at = str_find(s, str_of(part))) != STR_NPOS; n++) s = str_from(s, at + strlen(part));
    return n;
}

/* --- 2. for whom -------------------------------------------------------------------------------------------------- */

static void everyone_is_everyone(void **state)
{
    (void)state;
    struct judged j;
    /* "`any`/`every`/`no recipient…` and `recipient_count` speak of everyone: the envelope and those added so far,
     * whatever became of them."  "Bare recipient tests and actions concern the recipients still in play." */
    run(&j,
        "rule \"1\" when recipient is \"c@corp.example\" then drop\n"
        "rule \"2\" when any recipient is \"c@corp.example\" and recipient_count is 2 then mark \"any\"\n"
        "rule \"3\" when recipient is \"c@corp.example\" then mark \"bare\"\n"
        "rule \"4\" when marked \"any\" and not marked \"bare\" then require_tls\n"
        "rule \"5\" when every recipient.domain is \"partner.example\" then drop",
        PLAIN);
    assert_true(tls(&j, B));
    assert_int_equal(fate(&j, B), DISPOSITION_DELIVER);
    assert_int_equal(judged_hits(&j, "3"), 0);
    judged_free(&j);
}

/* "A rule is not evaluated for nobody": what cannot be known does not defer when nobody is left. */
static void nobody_asks_nothing(void **state)
{
    (void)state;
    struct judged j;
    run(&j, "when always then drop\nrule \"r\" when sender.group is \"x\" then reject \"no\"", PLAIN);
    assert_int_equal(j.verdict->answer, VERDICT_ACCEPT);
    assert_int_equal(judged_hits(&j, "r"), 0);
    judged_free(&j);
    run(&j, "rule \"r\" when sender.group is \"x\" then reject \"no\"", PLAIN);
    assert_int_equal(j.verdict->answer, VERDICT_DEFER);
    judged_free(&j);
}

/* "An absent value answers no to every positive verb and yes to every negative one."  "`any` and `every` over nothing
 * are no, `no` is yes." */
static void what_is_absent(void **state)
{
    (void)state;
    static const struct judged_row rows[] = {
        {"scl is 5", 'F'},
        {"scl is not 5", 'T'},
        {"scl is under 5", 'F'},
        {"scl is at most 9", 'F'},
        {"scl is not over 5", 'T'},
        {"scl is absent", 'T'},
        {"date_sent is before 2099-01-01", 'F'},
        {"date_sent is not before 2099-01-01", 'T'},
        {"date_sent is not between 2000-01-01 and 2099-01-01", 'T'},
        {"classification is like \"*\"", 'F'},
        {"classification does not contain \"x\"", 'T'},
        {"classification does not match /./", 'T'},
        {"client.user is not \"x\"", 'T'},
        {"message_id is not any of (\"x\", \"y\")", 'T'},
        {"recipient.dsn_notify is never", 'F'},
        {"recipient.dsn_notify is not never", 'T'},
        {"any recipient.dsn_notify is never", 'F'},
        {"any recipient.dsn_notify is not never", 'T'}, /* a recipient without the value is still one */
        {"every recipient.dsn_notify is not never", 'T'},
        {"any charset is not \"x\"", 'F'},
        {"every charset is not \"x\"", 'F'},
        {"no charset is not \"x\"", 'T'},
        {"no charset is \"x\"", 'T'},
        {"any cc where (domain is \"x.example\")", 'F'},
        {"every cc where (domain is \"x.example\")", 'F'},
        {"no cc where (domain is \"x.example\")", 'T'},
        {"reply_to.domain is from.domain", 'F'}, /* the left side is absent */
        {"from.domain is reply_to.domain", 'F'}, /* the right side is */
        {"every from.domain is not reply_to.domain", 'T'},
        {"sender is from", 'T'},
        {"recipient is not sender", 'T'},
        {"recipient.domain is sender.domain", 'F'},
    };
    HOLD(rows, PLAIN, NULL);
}

/* The words a recipient has several of: any of them. */
static void several_words(void **state)
{
    (void)state;
    static const struct judged_row rows[] = {
        {"recipient.dsn_notify is success", 'T'},
        {"recipient.dsn_notify is delay", 'T'},
        {"recipient.dsn_notify is failure", 'F'},
        {"recipient.dsn_notify is not success", 'F'},
        {"recipient.dsn_notify is any of (never, delay)", 'T'},
        {"recipient.dsn_notify is not any of (never, failure)", 'T'},
        {"recipient.dsn_notify is present", 'T'},
        /* one recipient all the same: a quantifier and `where` ask of it what the bare test asks */
        {"any recipient.dsn_notify is not delay", 'F'},
        {"no recipient.dsn_notify is not delay", 'T'},
        {"every recipient.dsn_notify is delay", 'T'},
        {"every recipient.dsn_notify is not failure", 'T'},
        {"any recipient where (dsn_notify is delay)", 'T'},
        {"any recipient where (dsn_notify is success and dsn_notify is delay)", 'T'},
        {"any recipient where (dsn_notify is not delay)", 'F'},
        {"every recipient where (dsn_notify is present)", 'T'},
    };
    HOLD(rows, PLAIN, &(struct judged_case){.notify = 2 | 8});
}

/* "Inside `where (…)` a condition denotes the set of elements for which it holds." */
static void one_element(void **state)
{
    (void)state;
    static const char mail[] =
        "From: a@corp.example\nTo: x@a.example, y@b.example\nCc: \"Eve\" <e@a.example>, f@b.example\n\nx\n";
    static const struct judged_row rows[] = {
        {"any to.domain is \"a.example\" and any to.local is \"y\"", 'T'},
        {"any to where (domain is \"a.example\" and local is \"y\")", 'F'},
        {"any to where (domain is \"a.example\" and not local is \"y\")", 'T'},
        {"every to where (domain is \"a.example\" or local is \"y\")", 'T'},
        {"every to where (domain is not \"a.example\" or local is \"x\")", 'T'},
        {"no to where (domain is \"a.example\" and local is \"y\")", 'T'},
        {"any cc where (name is present and domain is \"a.example\")", 'T'},
        {"any cc where (name is absent and domain is \"a.example\")", 'F'},
        {"any cc where (name is absent)", 'T'},
        {"every cc where (name is present)", 'F'},
    };
    HOLD(rows, mail, NULL);
}

/* "`undecided` spreads with the gravest of its reasons", and what can be known without it is known. */
static void the_gravest_reason(void **state)
{
    (void)state;
    static const char mail[] =
        "Subject: one\nSubject: two\nMIME-Version: 1.0\nContent-Type: text/plain; charset=x-unheard\n\nw\n";
    static const struct judged_row rows[] = {
        {"subject is \"one\" and sender.group is \"x\"", 'E'},
        {"subject is \"one\" or sender.group is \"x\"", 'E'},
        {"subject is \"three\" and sender.group is \"x\"", 'F'},
        {"subject contains \"o\" or sender.group is \"x\"", 'T'},
        {"not (body contains \"v\" and subject is \"one\")", 'U'},
        {"not (sender.group is \"x\" and subject is \"three\")", 'T'},
        {"any attachment.text is \"x\"", 'E'},
        {"no attachment.text is \"x\"", 'E'},
        {"attachment.text is present", 'E'},
        {"any attachment.encrypted", 'E'},
        {"recipient.group is \"x\" and recipient.domain is \"other.example\"", 'F'},
    };
    HOLD(rows, mail, NULL);
}

/* --- 4. actions --------------------------------------------------------------------------------------------------- */

/* "add, prepend, append, copy, notify, log accumulate (the same copy or notice once); set_header, set_importance,
 * set_scl, route_via: the last wins; deliver_after: the latest; mark: union." */
static void joins(void **state)
{
    (void)state;
    struct judged j;
    run(&j,
        "connector \"one\" host \"192.0.2.1\"\nconnector \"two\" host \"192.0.2.2\"\n"
        "when always then add_header \"X-A\" \"1\", set_header \"X-S\" \"1\", set_importance low, set_scl 1, route_via "
        "\"one\",\n"
        "  prepend_subject \"[1] \", copy to \"d@corp.example\", log \"l\", mark \"m1\", set_classification \"one\"\n"
        "when always then add_header \"X-A\" \"2\", set_header \"X-S\" \"2\", set_importance high, set_scl 2, "
        "route_via \"two\",\n"
        "  prepend_subject \"[2] \", copy to \"D@Corp.example\", log \"l\", mark \"m2\", set_classification \"two\"\n"
        "when marked \"m1\" and marked \"m2\" then require_tls",
        PLAIN);
    struct str copy = judged_copy(&j, B);
    assert_true(has(copy, "X-A: 1\r\n") && has(copy, "X-A: 2\r\n"));
    assert_int_equal(count(copy, "X-S: "), 1);
    assert_true(has(copy, "X-S: 2\r\n"));
    assert_int_equal(count(copy, "Importance: "), 1);
    assert_true(has(copy, "Importance: high\r\n"));
    assert_true(has(copy, "X-MS-Exchange-Organization-SCL: 2\r\n"));
    assert_true(has(copy, "X-Microsoft-Classification: two\r\n"));
    assert_int_equal(count(copy, "X-Microsoft-Classif"), 2);
    assert_true(has(copy, "Subject: [2] [1] plan\r\n"));
    check_str(judged_recipient(&j, B)->connector, "two");
    assert_int_equal(j.verdict->recipient_count, 3);
    assert_int_equal(j.verdict->note_count, 2); /* a line each, for everybody */
    assert_true(tls(&j, B));
    judged_free(&j);
}

/* "Added recipients begin with the strictest obligation, headers and marks of those they were added for, take part in
 * the rules after, and of the rules before get only `require_tls`.  An address already there is joined, not doubled."
 */
static void who_is_added(void **state)
{
    (void)state;
    struct judged j;
    run(&j,
        "rule \"1\" when recipient is \"" B "\" then require_tls verified, add_header \"X-B\" \"1\", mark \"b\"\n"
        "rule \"2\" when always then add_header \"X-All\" \"1\"\n"
        "rule \"3\" when recipient.domain is \"archive.example\" then require_tls min \"1.3\", add_header \"X-Early\" "
        "\"1\", drop\n"
        "rule \"4\" when recipient is \"" B "\" then add_recipient bcc \"x@archive.example\", copy to \"" C "\"\n"
        "rule \"5\" when marked \"b\" then add_header \"X-Late\" \"1\"",
        PLAIN);
    const struct verdict_recipient *x = judged_recipient(&j, "x@archive.example");
    struct str copy = judged_copy(&j, "x@archive.example");
    assert_int_equal(x->need.peer, TLS_PEER_VERIFIED);
    assert_int_equal(x->need.floor, TLS_FLOOR_1_3);
    assert_int_equal(x->disposition, DISPOSITION_DELIVER);
    assert_true(has(copy, "X-B: 1") && has(copy, "X-All: 1") && has(copy, "X-Late: 1") && !has(copy, "X-Early"));
    assert_int_equal(j.verdict->recipient_count, 3);
    assert_int_equal(judged_recipient(&j, C)->need.peer, TLS_PEER_VERIFIED); /* joined: demands too */
    assert_false(judged_recipient(&j, C)->added);
    judged_free(&j);
}

/* "A redirect leaves its own target alone; a target taken out by an earlier redirect is back; a redirected recipient
 * shares its target's fate." */
static void redirected(void **state)
{
    (void)state;
    struct judged j;
    run(&j, "when always then redirect to \"" C "\"", PLAIN);
    assert_int_equal(fate(&j, B), DISPOSITION_REDIRECT);
    assert_int_equal(fate(&j, C), DISPOSITION_DELIVER);
    judged_free(&j);
    run(&j,
        "rule \"1\" when recipient is \"" C "\" then redirect to \"d@other.example\"\n"
        "rule \"2\" when recipient is \"" B "\" then redirect to \"" C "\"\n",
        PLAIN);
    assert_int_equal(fate(&j, C), DISPOSITION_DELIVER);
    assert_int_equal(fate(&j, "d@other.example"), DISPOSITION_DELIVER);
    judged_free(&j);
    run(&j,
        "when recipient is \"" B "\" then redirect to \"d@other.example\"\n"
        "when recipient is \"d@other.example\" then hold reason \"h\", deliver_after 1 hour",
        PLAIN);
    assert_int_equal(fate(&j, "d@other.example"), DISPOSITION_HOLD);
    judged_free(&j);
}

/* "All its actions apply, in the order written; a final or `stop` takes effect after the last."  "`quarantine`, `hold`,
 * `moderate` still collect `require_tls` of later rules." */
static void kept_and_protected(void **state)
{
    (void)state;
    static const char *const kept[] = {"hold", "quarantine", "moderate by \"x@corp.example\""};
    for (size_t i = 0; i < 3; i++) {
        char rules[300];
        struct judged j;
        snprintf(rules, sizeof rules,
                 "when always then %s, add_header \"X-After\" \"1\"\n"
                 "when always then require_tls, add_header \"X-Later\" \"1\", copy to \"y@corp.example\"",
                 kept[i]);
        run(&j, rules, PLAIN);
        assert_true(tls(&j, B));
        assert_true(has(judged_copy(&j, B), "X-After: 1") && !has(judged_copy(&j, B), "X-Later"));
        assert_int_equal(j.verdict->recipient_count, 2);
        judged_free(&j);
    }
}

/* "*Audit* records per recipient what would have happened, changes nothing, never stops later rules": nor does it ask
 * the client to come again for what it cannot know. */
static void audit_of_everything(void **state)
{
    (void)state;
    static const char *const actions[] = {"disconnect",
                                          "defer \"x\"",
                                          "moderate by \"x@corp.example\"",
                                          "deliver_after 1 hour",
                                          "set_scl 9",
                                          "set_importance high",
                                          "add_recipient to \"x@corp.example\"",
                                          "set_classification \"x\"",
                                          "copy to sender otherwise \"x@corp.example\"",
                                          "redirect to \"x@corp.example\"",
                                          "quarantine",
                                          "stop",
                                          "route_via \"one\"",
                                          "require_tls",
                                          "drop",
                                          "sign_dkim"};
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        char rules[300];
        struct judged j;
        snprintf(rules, sizeof rules,
                 "connector \"one\" host \"192.0.2.1\"\n"
                 "rule \"a\" mode audit when recipient is \"" B "\" then %s\nrule \"b\" when always then mark \"x\"",
                 actions[i]);
        run(&j, rules, PLAIN);
        const struct verdict_recipient *b = judged_recipient(&j, B);
        assert_int_equal(j.verdict->answer, VERDICT_ACCEPT);
        assert_int_equal(j.verdict->recipient_count, 2);
        assert_int_equal(b->disposition, DISPOSITION_DELIVER);
        assert_true(b->not_before == 0 && b->connector.n == 0 && !tls(&j, B));
        check_str(judged_copy(&j, B), j.content.p);
        assert_int_equal(judged_hits(&j, "a"), HIT_AUDIT);
        assert_int_equal(judged_hits(&j, "b"), HIT_APPLIED);
        assert_int_equal(j.verdict->note_count, 1);
        assert_int_equal(j.verdict->notes[0].kind, NOTE_AUDIT);
        check_str(j.verdict->notes[0].recipient, B);
        check_str(j.verdict->notes[0].text, actions[i]);
        judged_free(&j);
    }
    struct judged j;
    run(&j, "rule \"a\" mode audit when sender.group is \"x\" then drop", PLAIN);
    assert_int_equal(j.verdict->answer, VERDICT_ACCEPT);
    assert_int_equal(judged_hits(&j, "a"), HIT_UNDECIDED);
    judged_free(&j);
}

/* The relaxing column: a disputed condition carries out everything but those. */
static void disputed_relaxes_nothing(void **state)
{
    (void)state;
    struct judged j;
    run(&j,
        "rule \"r\" when subject is \"one\" then set_scl -1, remove_header \"X-Bad\", set_importance low, stop\n"
        "rule \"s\" when always then add_header \"X-Next\" \"1\"",
        "Subject: one\nSubject: two\nX-Bad: 1\n\nx\n");
    struct str copy = judged_copy(&j, B);
    assert_false(has(copy, "SCL"));
    assert_true(has(copy, "X-Bad: 1") && has(copy, "X-Next: 1") && has(copy, "Importance: low"));
    judged_free(&j);
    run(&j, "rule \"r\" when subject is \"one\" then set_scl -1", "Subject: one\nSubject: one\n\nx\n");
    assert_true(has(judged_copy(&j, B), "SCL: -1")); /* every instance says yes */
    judged_free(&j);
}

/* "CR, LF, NUL never survive": a template brings in what the message says, as one line of its own field. */
static void nothing_is_smuggled_in(void **state)
{
    (void)state;
    struct judged j;
    run(&j, "when always then add_header \"X-Was\" \"{subject}\", set_classification \"ok\", log \"{subject}\"",
        "Subject: =?utf-8?q?a=0D=0AX-Evil:_1=00b?=\n\nx\n");
    struct str copy = judged_copy(&j, B);
    assert_false(has(copy, "\nX-Evil"));
    assert_true(has(copy, "X-Was: a"));
    for (size_t i = 0; i < j.verdict->notes[0].text.n; i++)
        assert_true((unsigned char)j.verdict->notes[0].text.p[i] >= 0x20);
    judged_free(&j);
}

/* "Content tests see the content as received"; tests of the header see the copy each recipient will get. */
static void what_later_rules_see(void **state)
{
    (void)state;
    struct judged j;
    run(&j,
        "rule \"1\" when recipient is \"" B
        "\" then add_header \"List-Id\" \"<x>\", set_header \"Date\" \"Mon, 01 Dec 2025 10:00:00 +0000\",\n"
        "  add_recipient to \"z@other.example\", set_header \"From\" \"<q@r.example>\"\n"
        "rule \"2\" when is_bulk and date_sent is 2025-12-01 and to.domain is \"other.example\" and from.domain is "
        "\"r.example\"\n"
        "  and header.raw \"List-Id\" contains \"<x>\" then require_tls\n"
        "rule \"3\" when size is under 1 KB and hop_count is 0 then mark \"small\"\n"
        "rule \"4\" when not marked \"small\" then drop",
        "From: a@corp.example\nSubject: x\n\nhello\n");
    assert_true(tls(&j, B) && tls(&j, "z@other.example"));
    assert_false(tls(&j, C));
    assert_int_equal(fate(&j, B), DISPOSITION_DELIVER);
    judged_free(&j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everyone_is_everyone),
        cmocka_unit_test(nobody_asks_nothing),
        cmocka_unit_test(what_is_absent),
        cmocka_unit_test(several_words),
        cmocka_unit_test(one_element),
        cmocka_unit_test(the_gravest_reason),
        cmocka_unit_test(joins),
        cmocka_unit_test(who_is_added),
        cmocka_unit_test(redirected),
        cmocka_unit_test(kept_and_protected),
        cmocka_unit_test(audit_of_everything),
        cmocka_unit_test(disputed_relaxes_nothing),
        cmocka_unit_test(nothing_is_smuggled_in),
        cmocka_unit_test(what_later_rules_see),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
