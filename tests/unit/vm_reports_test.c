/* Incident reports: what they say, once an address, and that nothing foreign in them passes for ours. */
#include <stdio.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/judged.h"

#define DLP "dlp@corp.example"
#define ALL "contents (sender, recipients, subject, cc, bcc, severity, override, rules, detectors, excerpts)"
#define CARDS                                                                                                          \
    "From: a@corp.example\nTo: b@partner.example\nCc: x@y.example, z@y.example\nSubject: an invoice\n"                 \
    "Message-ID: <1@x.example>\nX-MS-Exchange-Organization-Dlp-SenderOverrideJustification: the customer asked\n\n"    \
    "Please pay with 4111 1111 1111 1111 today.\n"

static const struct client_facts ours = {.trusted = true};

static void run(struct judged *j, const char *rules, const char *message)
{
    judged_run(j, &(struct judged_case){.rules = rules, .message = message, .client = ours});
}

static const struct verdict_notice *only(const struct judged *j)
{
    assert_int_equal(j->verdict->notice_count, 1);
    return &j->verdict->notices[0];
}

static void all_its_words(void **state)
{
    (void)state;
    struct judged j;
    run(&j,
        "rule \"cards\" severity \"High\" on_unreadable skip when body contains at least 1 credit_card_number\n"
        "then incident_report to \"" DLP "\" " ALL "\n"
        "rule \"later\" severity \"low\" when subject contains \"invoice\" then quarantine reason \"kept\"",
        CARDS);
    const struct verdict_notice *n = only(&j);
    check_str(n->to, DLP);
    check_str(n->about, "1@x.example");
    check_str(n->rule, "cards");
    check_str(n->subject, "Incident report: cards");
    assert_true(n->report && n->attach == NOTICE_ALONE);
    check_str(n->text,
              "Incident report of rule: cards\n"
              "Message-ID: 1@x.example\n"
              "Queue id: TEST\n"
              "Sender: a@corp.example\n"
              "Subject: an invoice\n"
              "Recipients:\n  b@partner.example (quarantine)\n  c@corp.example (quarantine)\n"
              "Cc:\n  x@y.example\n  z@y.example\n"
              "Bcc:\n  c@corp.example\n"
              "Severity: High\n"
              "Override: the customer asked\n"
              "Rules:\n"
              "  cards: incident_report to \"" DLP "\" " ALL "\n"
              "  later: quarantine reason \"kept\"\n"
              "Detectors:\n  credit_card_number, at least 1: body, at 16\n"
              "Excerpts:\n"
              "  body, at 16\n    please pay with >>>4111 1111 1111 1111<<< today. \n"
              "  subject, at 3\n    an >>>invoice<<<\n");
    judged_free(&j);
}

/* Only what is asked for; the same address once, with what any rule wants; another one by itself. */
static void one_an_address(void **state)
{
    (void)state;
    struct judged j;
    run(&j,
        "when always then incident_report to \"" DLP "\" contents (sender)\n"
        "when always then incident_report to \"DLP@corp.example\" contents (subject, original), incident_report to "
        "\"x@y.example\" contents (headers)",
        CARDS);
    assert_int_equal(j.verdict->notice_count, 2);
    const struct verdict_notice *n = &j.verdict->notices[0];
    assert_int_equal(n->attach, NOTICE_ORIGINAL);
    assert_true(str_find(n->text, STR("\nSender: a@corp.example\nSubject: an invoice\n")) != STR_NPOS);
    assert_true(str_find(n->text, STR("Recipients")) == STR_NPOS && str_find(n->text, STR("4111")) == STR_NPOS);
    n = &j.verdict->notices[1];
    assert_int_equal(n->attach, NOTICE_HEADER);
    assert_true(str_find(n->text, STR("Sender")) == STR_NPOS && str_find(n->text, STR("invoice")) == STR_NPOS);
    judged_free(&j);
}

/* Whatever becomes of the message but a deferral; audit alone reports nothing; machines are not answered by
 * machines. */
static void when_there_is_one(void **state)
{
    (void)state;
    static const struct {
        const char *rules, *message;
        size_t notices;
    } rows[] = {
        {"when always then reject \"no\", incident_report to \"" DLP "\"", CARDS, 1},
        {"when always then drop, incident_report to \"" DLP "\"", CARDS, 1},
        {"when always then defer \"later\", incident_report to \"" DLP "\"", CARDS, 0},
        {"rule \"a\" mode audit when always then incident_report to \"" DLP "\"", CARDS, 0},
        {"rule \"a\" mode audit_and_notify when always then reject \"no\", incident_report to \"" DLP "\"", CARDS, 1},
        {"when always then incident_report to \"b@partner.example\"",
         "Auto-Submitted: auto-generated\nSubject: x\n\nx\n", 0},
        {"when always then incident_report to \"" DLP "\"", "Auto-Submitted: auto-generated\nSubject: x\n\nx\n", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct judged j;
        run(&j, rows[i].rules, rows[i].message);
        if (j.verdict->notice_count != rows[i].notices) fail_msg("%s", rows[i].rules);
        judged_free(&j);
    }
}

/* A message cannot write lines into the report on it, nor turn its text round. */
static void nothing_is_smuggled_in(void **state)
{
    (void)state;
    struct judged j;
    run(&j, "rule \"r\" when subject contains \"a\" or body contains \"x\" then incident_report to \"" DLP "\" " ALL,
        "Cc: \"q\nSender: f\"@y.example\n"
        "Subject: =?utf-8?q?a=0D=0ASeverity:_none=E2=80=A8Rules:=E2=80=AEx=C2=9B31m=00?=\nMessage-ID: "
        "<1@x>\n\nx\nRecipients:\n  nobody\n");
    struct str rest = only(&j)->text, row;
    size_t severities = 0, recipients = 0, lists = 0;
    assert_true(str_find(rest, STR("\xe2\x80\xa8")) == STR_NPOS && str_find(rest, STR("\xe2\x80\xae")) == STR_NPOS);
    assert_true(str_find(rest, STR("\xc2\x9b")) == STR_NPOS);
    while (rest.n) {
        str_cut(rest, '\n', &row, &rest);
        severities += str_starts(row, STR("Severity"));
        recipients += str_starts(row, STR("Recipients"));
        lists += str_starts(row, STR("Rules"));
        for (size_t i = 0; i < row.n; i++) assert_true((unsigned char)row.p[i] >= ' ');
    }
    assert_true(severities == 1 && recipients == 1 && lists == 1);
    judged_free(&j);
}

static void bounded(void **state)
{
    (void)state;
    struct judged j;
    struct buf rules = {0}, message = {0};
    for (int i = 0; i < 60; i++)
        buf_printf(&rules,
                   "rule \"%d %0180d\" when body contains \"w%d\" then incident_report to \"" DLP "\" " ALL "\n", i, i,
                   i);
    buf_add_byte(&rules, 0);
    buf_add(&message, STR("To: "));
    for (int i = 0; i < 300; i++) buf_printf(&message, "%su%d@y.example", i ? ", " : "", i);
    buf_add(&message, STR("\nSubject: "));
    for (int i = 0; i < 3000; i++) buf_add(&message, STR("\xc3\xa4"));
    buf_add(&message, STR("\n\n"));
    for (int i = 0; i < 60; i++) buf_printf(&message, "w%d %0400d\n", i, i);
    buf_add_byte(&message, 0);
    run(&j, rules.p, message.p);
    const struct verdict_notice *n = only(&j);
    assert_true(n->text.n <= NOTICE_TEXT_MAX && n->text.n > NOTICE_TEXT_MAX / 2);
    assert_true(str_ends(n->text, STR("would be longer than 16 KiB.\n")) ||
                str_find(n->text, STR("and 40 more")) != STR_NPOS);
    judged_free(&j);
    buf_free(&rules);
    buf_free(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_its_words),          cmocka_unit_test(one_an_address), cmocka_unit_test(when_there_is_one),
        cmocka_unit_test(nothing_is_smuggled_in), cmocka_unit_test(bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
