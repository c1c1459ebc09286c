/* Notices of the rules: who is told what, once, and who never is (LANGUAGE section 4, RFC 3834). */
#include <stdio.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/judged.h"

#define A "a@corp.example"
#define B "b@partner.example"
#define C "c@corp.example"
#define DESK "desk@corp.example"
#define PLAIN "From: a@corp.example\nTo: b@partner.example\nSubject: hello\nMessage-ID: <1@x.example>\n\nx\n"

static const struct client_facts ours = {.trusted = true};

static void run(struct judged *j, const char *rules, const char *message)
{
    judged_run(j, &(struct judged_case){.rules = rules, .message = message, .client = ours});
}

static const struct verdict_notice *notice_to(const struct judged *j, const char *address)
{
    for (size_t i = 0; i < j->verdict->notice_count; i++)
        if (str_eq(j->verdict->notices[i].to, str_of(address))) return &j->verdict->notices[i];
    fail_msg("no notice to %s", address);
    return NULL;
}

static void an_address_is_told(void **state)
{
    (void)state;
    struct judged j;
    run(&j, "rule \"r\" when always then notify \"" DESK "\" \"{rule}: {subject}\\nfrom {sender}\"", PLAIN);
    assert_int_equal(j.verdict->answer, VERDICT_ACCEPT);
    assert_int_equal(j.verdict->notice_count, 1);
    const struct verdict_notice *n = notice_to(&j, DESK);
    check_str(n->text, "r: hello\nfrom a@corp.example");
    check_str(n->subject, "Auto: hello");
    check_str(n->about, "1@x.example");
    check_str(n->rule, "r");
    assert_int_equal(j.verdict->recipient_count, 2); /* nobody is added for it */
    assert_int_equal(judged_hits(&j, "r"), HIT_APPLIED);
    judged_free(&j);
}

/* Each by itself: nobody reads of another. */
static void recipients_are_told_one_by_one(void **state)
{
    (void)state;
    struct judged j;
    run(&j, "rule \"r\" when recipient.domain is \"partner.example\" then notify recipient \"x\"", PLAIN);
    assert_int_equal(j.verdict->notice_count, 1);
    notice_to(&j, B);
    judged_free(&j);
    run(&j, "rule \"r\" when always then quarantine, notify recipient \"{sender} sent you {subject}\"", PLAIN);
    assert_int_equal(j.verdict->notice_count, 2);
    check_str(notice_to(&j, B)->text, "a@corp.example sent you hello");
    check_str(notice_to(&j, C)->text, "a@corp.example sent you hello");
    judged_free(&j);
}

static void the_same_is_told_once(void **state)
{
    (void)state;
    struct judged j;
    run(&j,
        "when always then notify \"" DESK "\" \"x\"\n"
        "when recipient is \"" B "\" then prepend_subject \"[B] \"\n"
        "when always then notify \"desk@CORP.example\" \"x\", notify \"" DESK "\" \"y\", notify sender \"x\"",
        PLAIN);
    assert_int_equal(j.verdict->notice_count, 3);
    check_str(j.verdict->notices[0].text, "x");
    check_str(j.verdict->notices[1].text, "y");
    check_str(j.verdict->notices[1].subject, "Auto: [B] hello");
    check_str(notice_to(&j, A)->text, "x");
    judged_free(&j);
}

/* A domain of ours in the reverse-path proves nothing: a stranger's client is not answered by notify_sender. */
static void notify_sender_is_for_ours(void **state)
{
    (void)state;
    static const char rules[] = "when always then notify_sender \"x\"";
    static const struct {
        const char *from;
        bool trusted;
        size_t notices;
    } rows[] = {{A, true, 1}, {A, false, 0}, {"a@else.example", true, 0}, {"", true, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct judged j;
        judged_run(&j, &(struct judged_case){.rules = rules,
                                             .message = PLAIN,
                                             .from = rows[i].from,
                                             .client = {.trusted = rows[i].trusted}});
        assert_int_equal(j.verdict->notice_count, rows[i].notices);
        assert_int_equal(j.verdict->note_count, !rows[i].notices); /* and it is said why */
        judged_free(&j);
    }
}

/* RFC 3834: automatic mail and mail of lists is not answered; others hear of it all the same. */
static void automatic_mail_is_not_answered(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        size_t sender, recipients;
    } rows[] = {
        {"Auto-Submitted: no", 1, 2},
        {"Auto-Submitted: NO (really)", 1, 2},
        {"Auto-Submitted: auto-generated", 0, 0},
        {"Auto-Submitted: auto-replied; owner=x", 0, 0},
        {"Auto-Submitted: no\nAuto-Submitted: auto-notified", 0, 0},
        {"List-Id: <x.example>", 0, 2},
        {"list-help: <mailto:x@x.example>", 0, 2},
        {"Precedence: bulk", 0, 2},
        {"Precedence: LIST", 0, 2},
        {"Precedence: junk", 0, 2},
        {"Precedence: first-class", 1, 2},
        {"X-Listed: yes", 1, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct judged j;
        struct buf message = {0};
        buf_printf(&message, "%s\n%s", rows[i].field, PLAIN);
        buf_add_byte(&message, 0);
        run(&j, "when always then notify sender \"s\", notify_sender \"o\", notify \"" A "\" \"t\"", message.p);
        if (j.verdict->notice_count != 3 * rows[i].sender) fail_msg("the sender: %s", rows[i].field);
        judged_free(&j);
        run(&j, "when always then notify recipient \"r\"", message.p);
        if (j.verdict->notice_count != rows[i].recipients) fail_msg("recipients: %s", rows[i].field);
        judged_free(&j);
        run(&j, "when always then notify \"" DESK "\" \"d\"", message.p);
        if (j.verdict->notice_count != 1) fail_msg("others: %s", rows[i].field);
        judged_free(&j);
        buf_free(&message);
    }
    /* A report: nobody to answer, and those it is for get it itself. */
    struct judged j;
    judged_run(&j, &(struct judged_case){.rules = "when always then notify sender \"s\", notify recipient \"r\", "
                                                  "notify \"" DESK "\" \"d\", notify \"" C "\" \"c\"",
                                         .message = PLAIN,
                                         .from = "",
                                         .client = ours});
    assert_int_equal(j.verdict->notice_count, 1);
    notice_to(&j, DESK);
    judged_free(&j);
}

/* What the message says is one line wherever it comes to stand. */
static void nothing_is_smuggled_in(void **state)
{
    (void)state;
    struct judged j;
    run(&j, "when always then notify \"" DESK "\" \"{subject}\"",
        "Subject: =?utf-8?q?a=0D=0ABcc:_x=00=C3=A4?=\nMessage-ID: <a b@x>\n\nx\n");
    const struct verdict_notice *n = notice_to(&j, DESK);
    for (size_t i = 0; i < n->text.n; i++) assert_true((unsigned char)n->text.p[i] >= 0x20);
    for (size_t i = 0; i < n->subject.n; i++) assert_true((unsigned char)n->subject.p[i] >= 0x20);
    assert_true(str_starts(n->subject, STR("Auto: a")));
    check_str(n->about, "");
    judged_free(&j);
    run(&j, "when always then notify \"" DESK "\" \"{subject}\"", "From: a@corp.example\n\nx\n");
    check_str(notice_to(&j, DESK)->text, ""); /* sound all the same */
    check_str(notice_to(&j, DESK)->subject, "Auto: (no subject)");
    judged_free(&j);
    struct buf message = {0};
    buf_add(&message, STR("Subject: "));
    for (int i = 0; i < 400; i++) buf_add(&message, STR("\xc3\xa4\xc3\xa4"));
    buf_add(&message, STR("\n\nx\n"));
    buf_add_byte(&message, 0);
    run(&j, "when always then notify \"" DESK "\" \"x\"", message.p);
    assert_true(j.verdict->notices[0].subject.n >= NOTICE_LINE_MAX - 1);
    judged_free(&j);
    buf_free(&message);
}

/* A rejected message is told of; a deferred one is not: it comes again. */
static void whatever_becomes_of_the_message(void **state)
{
    (void)state;
    struct judged j;
    run(&j, "when always then reject \"no\", notify \"" DESK "\" \"x\"", PLAIN);
    assert_int_equal(j.verdict->answer, VERDICT_REJECT);
    assert_int_equal(j.verdict->notice_count, 1);
    judged_free(&j);
    run(&j, "when always then notify \"" DESK "\" \"x\"\nwhen recipient is \"" B "\" then defer \"later\"", PLAIN);
    assert_int_equal(j.verdict->answer, VERDICT_DEFER);
    assert_int_equal(j.verdict->notice_count, 0);
    judged_free(&j);
}

static void audit_may_tell(void **state)
{
    (void)state;
    struct judged j;
    run(&j, "rule \"a\" mode audit when always then reject \"no\", notify \"" DESK "\" \"x\", notify_sender \"y\"",
        PLAIN);
    assert_int_equal(j.verdict->notice_count, 0);
    judged_free(&j);
    run(&j,
        "rule \"a\" mode audit_and_notify when always then reject \"no\", notify \"" DESK "\" \"x\", "
        "notify_sender \"y\"",
        PLAIN);
    assert_int_equal(j.verdict->answer, VERDICT_ACCEPT);
    assert_int_equal(j.verdict->notice_count, 2);
    assert_int_equal(judged_hits(&j, "a"), HIT_AUDIT);
    judged_free(&j);
}

/* Three texts of 15 KiB fit, a fourth does not, and that is said; 150 people get one of them each. */
static void too_much_is_said(void **state)
{
    (void)state;
    struct judged j;
    struct buf rules = {0};
    for (int text = 0; text < 4; text++) {
        buf_printf(&rules, "when always then notify recipient \"%d ", text);
        for (int i = 0; i < 15 * 1024 - 10; i++) buf_add_byte(&rules, (char)('a' + i % 26));
        buf_add(&rules, STR("\"\n"));
    }
    buf_add_byte(&rules, 0);
    struct judged_case c = {.rules = rules.p, .message = PLAIN, .client = ours};
    static char to[150][32];
    for (int i = 0; i < 150; i++) {
        snprintf(to[i], sizeof to[i], "u%d@corp.example", i);
        c.to[i] = to[i];
    }
    judged_run(&j, &c);
    assert_int_equal(j.verdict->notice_count, 450);
    assert_int_equal(j.verdict->note_count, 150);
    assert_true(str_find(j.verdict->notes[0].text, STR("too many notices")) != STR_NPOS);
    struct buf datagram = {0};
    protocol_encode_answer(&j.answer, &datagram);
    assert_true(datagram.n <= PROTOCOL_DATAGRAM_MAX);
    buf_free(&datagram);
    judged_free(&j);
    buf_free(&rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_told),        cmocka_unit_test(recipients_are_told_one_by_one),
        cmocka_unit_test(the_same_is_told_once),     cmocka_unit_test(notify_sender_is_for_ours),
        cmocka_unit_test(nothing_is_smuggled_in),    cmocka_unit_test(automatic_mail_is_not_answered),
        cmocka_unit_test(audit_may_tell),            cmocka_unit_test(whatever_becomes_of_the_message),
        cmocka_unit_test(too_much_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
