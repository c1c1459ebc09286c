/* The vocabulary's getters and appliers: what each field says of a message, what each action makes of it, and what
 * becomes of words that are only declared. */
#include <stdio.h>
#include <string.h>

#include "bytecode/needs.h"
#include "compiler/words.h"
#include "tests/support/check.h"
#include "message/message.h"
#include "tests/support/judged.h"

#define B "b@partner.example"
#define C "c@corp.example"

#define PLAIN "From: a@corp.example\nSubject: x\n\nhello\n"

static void the_client(void **state)
{
    (void)state;
    static const struct judged_row known[] = {
        {"client.user is \"scanner\"", 'T'},
        {"client.user is \"Scanner\"", 'T'},
        {"client.tls_version is \"1.2\"", 'T'},
        {"listener is \"submission\"", 'T'},
        {"listener is \"mx\"", 'F'},
        {"requiretls", 'F'},
        {"recipient.dsn_notify is present", 'F'},
        {"recipient.dsn_notify is not success", 'T'},
    };
    static const struct judged_row nobody[] = {
        {"client.user is present", 'F'}, {"client.tls_version is absent", 'T'}, {"client.user is not \"x\"", 'T'}};
    struct judged_case c = {
        .client = {.user = STR("scanner"), .tls_version = STR("TLSv1.2"), .listener = STR("submission")}};
    HOLD(known, PLAIN, &c);
    HOLD(nobody, PLAIN, NULL);
}

static void the_clock(void **state)
{
    (void)state;
    /* 2026-11-23 23:00 UTC, a Monday; two hours east it is Tuesday 01:00. */
    static const struct judged_row utc[] = {
        {"time is between 22:00 and 23:00", 'T'},
        {"time is between 23:01 and 22:00", 'F'},
        {"time is between 18:00 and 06:00", 'T'},
        {"time is after 23:00", 'F'},
        {"time is 23:00", 'T'},
        {"date is 2026-11-23", 'T'},
        {"date is before 2026-11-23", 'F'},
        {"date is after 2026-11-22", 'T'},
        {"weekday is monday", 'T'},
        {"weekday is any of (saturday, sunday)", 'F'},
    };
    static const struct judged_row east[] = {{"time is 01:00", 'T'},
                                      {"date is 2026-11-24", 'T'},
                                      {"date is 2026-11-23", 'F'},
                                      {"weekday is tuesday", 'T'},
                                      {"date is between 2026-11-24 and 2026-11-25", 'T'}};
    static const struct judged_row west[] = {{"time is 16:00", 'T'}, {"weekday is monday", 'T'}};
    HOLD(utc, PLAIN, NULL);
    HOLD(east, PLAIN, &(struct judged_case){.utc_offset = 7200});
    HOLD(west, PLAIN, &(struct judged_case){.utc_offset = -7 * 3600});
    static const struct judged_row before[] = {{"weekday is wednesday", 'T'}, {"time is 23:59", 'T'}};
    HOLD(before, PLAIN, &(struct judged_case){.now = -60}); /* 1969-12-31 */
}

static void measures_of_the_header(void **state)
{
    (void)state;
    static const char mail[] = "Received: one\nReceived: two\nDate: Mon, 01 Dec 2025 10:30:00 +0100\n"
                               "X-MS-Exchange-Organization-SCL: 5\nX-Microsoft-Classification: Top Secret\n"
                               "X-MS-Exchange-Organization-Dlp-SenderOverrideJustification: it must\n"
                               "Subject: =?utf-8?q?h=C3=A9?=\n folded\n\nx\n";
    static const struct judged_row rows[] = {
        {"hop_count is 2", 'T'},
        {"hop_count is over 2", 'F'},
        {"date_sent is 2025-12-01", 'T'},
        {"date_sent is before 2025-12-01", 'F'},
        {"date_sent is 2025-12-01T09:30Z", 'T'},
        {"scl is at least 5", 'T'},
        {"scl is over 5", 'F'},
        {"classification is \"top secret\"", 'T'},
        {"sender_override is present", 'T'},
        {"header.raw \"Subject\" contains \"=?utf-8?q?h=C3=A9?=\"", 'T'},
        {"header.raw \"Subject\" matches /\\?=\\R folded/", 'T'},
        {"header \"Subject\" contains \"=?utf-8\"", 'F'},
        {"header.raw \"X\" is absent", 'T'},
        {"importance is normal", 'T'},
        {"importance is high", 'F'},
    };
    HOLD(rows, mail, NULL);
    static const struct judged_row broken[] = {
        {"date_sent is present", 'F'}, {"date_sent is before 2030-01-01", 'F'}, {"scl is at least 0", 'F'}};
    HOLD(broken, "Date: yesterday\nX-MS-Exchange-Organization-SCL: 10\n\nx\n", NULL);
    static const struct judged_row twice[] = {
        {"date_sent is 2025-12-01", 'A'}, {"scl is 5", 'A'}, {"scl is at least 4", 'T'}};
    HOLD(twice,
         "Date: Mon, 01 Dec 2025 10:30:00 +0100\nDate: Tue, 02 Dec 2025 10:30:00 +0100\n"
         "X-MS-Exchange-Organization-SCL: 5\nX-MS-Exchange-Organization-SCL: 4\n\nx\n",
         NULL);
}

/* A name whose colon stands on the next line is one to few. */
static void a_field_that_only_some_readers_see_is_disputed(void **state)
{
    (void)state;
    static const char
        mail[] = "From: a@b.example\n\nX: y\n\nx\n",
        doubtful[] =
            "From: a@b.example\nSubject\n : top secret\nX\n : y\nDate\n : Mon, 01 Dec 2025 10:30:00 +0100\n"
            "X-MS-Exchange-Organization-SCL\n : 0\nImportance\n : high\nPrecedence\n : bulk\nTo\n : c@d.example\n\nx\n";
    static const struct judged_row none[] = {
        {"subject is present", 'F'}, {"subject is absent", 'T'}, {"header \"X\" is absent", 'T'}};
    static const struct judged_row some[] = {
        {"subject is present", 'A'},
        {"subject is absent", 'A'},
        {"subject contains \"secret\"", 'A'},
        {"subject contains \"plan\"", 'F'},
        {"subject does not contain \"plan\"", 'T'},
        {"header \"X\" is present", 'A'},
        {"header \"X\" is \"y\"", 'A'},
        {"header \"X\" is \"z\"", 'F'},
        {"any header \"X\" is not \"z\"", 'A'},
        {"no header \"X\" is \"y\"", 'A'},
        {"every header \"X\" is \"y\"", 'A'},
        {"header.raw \"X\" contains \"y\"", 'A'},
        {"date_sent is present", 'A'},
        {"scl is 0", 'A'},
        {"scl is under 1", 'A'},
        {"importance is high", 'A'},
        {"importance is low", 'F'},
        {"is_bulk", 'A'},
        {"to is present", 'A'},
    };
    static const struct judged_row twice[] = {{"subject is present", 'A'},
                                              {"subject is absent", 'A'},
                                              {"subject is \"a\"", 'A'},
                                              {"date_sent is present", 'A'},
                                              {"header \"Subject\" is present", 'T'}};
    HOLD(none, mail, NULL);
    HOLD(some, doubtful, NULL);
    HOLD(twice, "Subject: a\nSubject:\nDate: Mon, 01 Dec 2025 10:30:00 +0100\nDate: yesterday\n\nx\n",
         NULL); /* one shows nothing */
}

static void importance_is_what_some_reader_shows(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        char high, low;
    } cases[] = {
        {"Importance: High\n", 'T', 'F'},
        {"X-Priority: 1 (Highest)\n", 'T', 'F'},
        {"X-Priority: 5\n", 'F', 'T'},
        {"Priority: non-urgent\n", 'F', 'T'},
        {"X-Priority: junk\n", 'F', 'F'},
        {"Importance: high\nX-Priority: 5\n", 'A', 'A'},
        {"Importance: high\nX-Priority: 2\n", 'T', 'F'},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char mail[200];
        snprintf(mail, sizeof mail, "%sSubject: x\n\nx\n", cases[i].header);
        if (judged_condition("importance is high", mail, NULL) != cases[i].high) fail_msg("%s", cases[i].header);
        if (judged_condition("importance is low", mail, NULL) != cases[i].low) fail_msg("%s", cases[i].header);
    }
}

static void kinds_of_messages(void **state)
{
    (void)state;
    static const struct {
        const char *field, *header; /* MIME-Version is added */
    } cases[] = {
        {"is_auto_reply", "Auto-Submitted: auto-replied (vacation)\n"},
        {"is_auto_reply", "Precedence: auto_reply\n"},
        {"is_auto_forward", "Autoforwarded: TRUE\n"},
        {"is_auto_forward", "X-MS-Exchange-Inbox-Rules-Loop: a@b.example\n"},
        {"is_bulk", "Precedence: bulk\n"},
        {"is_bulk", "List-Id: <x.example>\n"},
        {"is_read_receipt", "Content-Type: multipart/report; report-type=disposition-notification; boundary=b\n"},
        {"is_calendar", "Content-Type: text/calendar; method=REQUEST\n"},
        {"is_calendar", "Content-Class: urn:content-classes:calendarmessage\n"},
        {"is_voicemail", "Message-Context: voice-message\n"},
        {"is_approval_request", "X-MS-Exchange-Organization-Approval-Initiator: mailbox\n"},
        {"is_signed", "Content-Type: multipart/signed; boundary=b\n"},
        {"is_signed", "Content-Type: application/pkcs7-mime; smime-type=signed-data\n"},
        {"is_encrypted", "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\n"},
        {"is_encrypted", "Content-Type: multipart/encrypted; boundary=b\n"},
        {"is_rights_protected", "Content-Type: application/x-microsoft-rpmsg-message\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char mail[400];
        snprintf(mail, sizeof mail, "MIME-Version: 1.0\nSubject: x\n%s\nx\n", cases[i].header);
        if (judged_condition(cases[i].field, mail, NULL) != 'T') fail_msg("%s: %s", cases[i].field, cases[i].header);
        if (judged_condition(cases[i].field, PLAIN, NULL) != 'F') fail_msg("%s: a plain message", cases[i].field);
    }
    static const struct {
        const char *mail;
        char is_signed, is_encrypted;
    } protected[] = {
        {"Subject: x\n\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nx\n", 'T', 'F'},
        {"Subject: x\n\nhello\n-----BEGIN PGP MESSAGE-----\n\nx\n", 'F', 'T'},
        {"MIME-Version: 1.0\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\n"
         "LS0tLS1CRUdJTiBQR1AgTUVTU0FHRS0tLS0tCg==\n",
         'F', 'T'},
        /* in a message it carries, by structure and by text */
        {"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nsee below\n--b\nContent-Type: "
         "message/rfc822\n\n"
         "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\n\nx\n--b--\n",
         'F', 'F'},
        {"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nsee below\n--b\nContent-Type: "
         "message/rfc822\n\n"
         "Subject: x\n\n-----BEGIN PGP MESSAGE-----\n--b--\n",
         'F', 'F'},
        /* readers differ in which type counts */
        {"MIME-Version: 1.0\nContent-Type: text/plain\nContent-Type: multipart/encrypted; boundary=b\n\nx\n", 'F', 'A'},
        {"MIME-Version: 1.0\nContent-Type: multipart/signed; boundary=b\nContent-Type: text/plain\n\nx\n", 'A', 'F'},
    };
    for (size_t i = 0; i < sizeof protected / sizeof *protected; i++) {
        char s = judged_condition("is_signed", protected[i].mail, NULL);
        char e = judged_condition("is_encrypted", protected[i].mail, NULL);
        if (s != protected[i].is_signed || e != protected[i].is_encrypted)
            fail_msg("%s: signed %c, encrypted %c", protected[i].mail, s, e);
    }
    static const struct judged_row rows[] = {
        {"charset is \"iso-2022-jp\"", 'T'}, {"charset is \"utf-8\"", 'F'}, {"every charset is not \"utf-8\"", 'T'}};
    HOLD(rows, "MIME-Version: 1.0\nContent-Type: text/plain; charset=ISO-2022-JP\n\nx\n", NULL);
    static const struct judged_row none[] = {{"charset is present", 'F'}, {"every charset is not \"utf-8\"", 'F'}};
    HOLD(none, PLAIN, NULL);
}

/* What lies beyond a limit may have been a sign: not seen is not absent. */
static void signs_beyond_a_limit_are_not_denied(void **state)
{
    (void)state;
    struct buf mail = {0};
    for (int i = 0; i < 1100; i++) buf_printf(&mail, "X-%d: y\n", i);
    buf_add(&mail, STR("List-Id: <x>\n\nx\n"));
    buf_add_byte(&mail, '\0');
    assert_int_equal(judged_condition("is_bulk", mail.p, NULL), 'U');
    assert_int_equal(judged_condition("not is_bulk", mail.p, NULL), 'U');
    buf_free(&mail);
}

/* --- actions ------------------------------------------------------------------------------------------------------ */

static void run(struct judged *j, const char *rules, const char *message)
{
    judged_run(j, &(struct judged_case){.rules = rules, .message = message, .client = {.trusted = true}});
}
static bool has(struct str s, const char *part) { return str_find(s, str_of(part)) != STR_NPOS; }

static void headers_are_set(void **state)
{
    (void)state;
    struct judged j;
    run(&j,
        "rule \"a\" when recipient is \"" B "\" then set_importance high, set_scl -1, set_classification \"Secret\"\n"
        "rule \"b\" when importance is high and scl is -1 and classification is \"secret\" then mark \"seen\"\n"
        "rule \"c\" when marked \"seen\" then require_tls",
        "X-Priority: 5\nImportance: low\nX-MS-Exchange-Organization-SCL: 7\nSubject: x\n\nx\n");
    struct str copy = judged_copy(&j, B);
    assert_true(has(copy, "Importance: high\r\n"));
    assert_true(has(copy, "X-MS-Exchange-Organization-SCL: -1\r\n"));
    assert_true(has(copy, "X-Microsoft-Classified: true\r\n"));
    assert_true(has(copy, "X-Microsoft-Classification: Secret\r\n"));
    assert_false(has(copy, "X-Priority"));
    check_str(judged_copy(&j, C), j.content.p);
    assert_true(obligation_demands_tls(judged_recipient(&j, B)->need));
    assert_false(obligation_demands_tls(judged_recipient(&j, C)->need));
    judged_free(&j);
}

static void recipients_are_added_and_named(void **state)
{
    (void)state;
    struct judged j;
    run(&j,
        "rule \"a\" when recipient is \"" B "\" then add_recipient to \"d@corp.example\"\n"
        "rule \"b\" when always then add_recipient cc \"e@corp.example\", add_recipient bcc \"f@corp.example\"",
        "To: =?utf-8?q?J=C3=B6rg?= <b@partner.example>,\n c@corp.example\nSubject: x\n\nx\n");
    assert_int_equal(j.verdict->recipient_count, 5);
    struct str of_b = judged_copy(&j, B), of_c = judged_copy(&j, C);
    assert_true(has(of_b, "To: =?utf-8?q?J=C3=B6rg?= <b@partner.example>, c@corp.example"));
    assert_true(has(of_b, "d@corp.example"));
    assert_false(has(of_c, "d@corp.example"));
    assert_true(has(of_c, "Cc: e@corp.example\r\n"));
    assert_false(has(of_c, "f@corp.example"));
    check_str(judged_copy(&j, "d@corp.example"), arena_cstr(j.arena, of_b));
    judged_free(&j);
}

/* What is encoded already is read before all is encoded anew: nobody sees =?utf-8?… */
static void names_are_not_encoded_twice(void **state)
{
    (void)state;
    struct judged j;
    run(&j, "when always then add_recipient to \"d@corp.example\"",
        "To: =?utf-8?q?J=C3=B6rg?= <j\xc3\xb6rg@partner.example>\nSubject: x\n\nx\n");
    struct message *m = message_open(j.arena, judged_copy(&j, B), NULL);
    const struct message_values *to = message_header(m, STR("To"));
    assert_int_equal(to->n, 1);
    check_str(message_text_best(&to->v[0].text),
              "J\xc3\xb6rg <j\xc3\xb6rg@partner.example>, d@corp.example");
    judged_free(&j);
    /* A domain beyond ASCII can be written, so the field stays one of addresses. */
    run(&j,
        "rule \"a\" when always then add_recipient to \"d@corp.example\"\n"
        "rule \"b\" when to.domain is \"b\xc3\xbc"
        "cher.example\" and to.name is \"M\xc3\xbcller, J\" then mark \"seen\"",
        "To: =?utf-8?q?M=C3=BCller=2C_J?= <j@b\xc3\xbc"
        "cher.example>\nSubject: x\n\nx\n");
    assert_int_equal(judged_hits(&j, "b"), HIT_APPLIED);
    judged_free(&j);
}

static void an_address_may_be_a_field(void **state)
{
    (void)state;
    struct judged j;
    run(&j, "when always then copy to sender otherwise \"x@corp.example\"", PLAIN);
    assert_true(judged_recipient(&j, "a@corp.example")->added);
    assert_int_equal(j.verdict->recipient_count, 3);
    judged_free(&j);
    struct judged_case c = {.rules = "when always then copy to sender otherwise \"x@corp.example\"",
                            .message = PLAIN,
                            .from = "Big.Boss@CORP.example"};
    judged_run(&j, &c);
    assert_true(judged_recipient(&j, "Big.Boss@corp.example")->added);
    judged_free(&j);
    c.from = "";
    judged_run(&j, &c);
    assert_true(judged_recipient(&j, "x@corp.example")->added);
    judged_free(&j);
    /* A directory that is not there says nothing, and the mail is kept back for whom the rule names. */
    run(&j, "when always then redirect to sender.manager otherwise \"hr@corp.example\"", PLAIN);
    assert_int_equal(judged_recipient(&j, B)->disposition, DISPOSITION_REDIRECT);
    assert_true(judged_recipient(&j, "hr@corp.example")->added);
    judged_free(&j);
}

static void delivery_waits(void **state)
{
    (void)state;
    enum { NOW = 1795474800 }; /* 23:00 UTC */
    struct judged j;
    run(&j,
        "when recipient is \"" B "\" then deliver_after 2 hours\n"
        "when recipient is \"" B "\" then deliver_after 1 hour\n"
        "when recipient is \"" C "\" then deliver_after 07:30",
        PLAIN);
    assert_int_equal(judged_recipient(&j, B)->not_before, NOW + 7200);
    assert_int_equal(judged_recipient(&j, C)->not_before, NOW + 8 * 3600 + 1800);
    judged_free(&j);
    run(&j, "when always then deliver_after 23:00", PLAIN);
    assert_int_equal(judged_recipient(&j, C)->not_before, NOW + 86400);
    judged_free(&j);
    judged_run(&j, &(struct judged_case){.rules = "when always then deliver_after 10 minutes 23:30",
                                         .message = PLAIN,
                                         .utc_offset = 3600});
    assert_int_equal(judged_recipient(&j, C)->not_before, NOW + 23 * 3600 + 1800); /* there it is midnight */
    judged_free(&j);
}

static void a_session_is_ended(void **state)
{
    (void)state;
    struct judged j;
    run(&j, "when subject is \"x\" then disconnect\nwhen always then drop", PLAIN);
    assert_int_equal(j.verdict->answer, VERDICT_DEFER);
    assert_int_equal(j.verdict->reply.code, 421);
    judged_free(&j);
}

/* --- what is only declared ---------------------------------------------------------------------------------------- */

static bool is_served(const char *rules, char *why, size_t room)
{
    struct compiled c;
    struct buf out = {0};
    struct program *p = compiled_program(&c, str_of(rules));
    bool served = program_is_served(p, &words_rows, &out);
    snprintf(why, room, "%.*s", STR_ARG(buf_str(&out)));
    buf_free(&out);
    compiled_close(&c);
    return served;
}

static void what_is_missing_is_told(void **state)
{
    (void)state;
    char why[600];
    assert_true(is_served("when subject contains \"x\" then require_tls", why, sizeof why));
    assert_false(is_served("when always then stop\nrule \"n\" when sender.group is \"x\" then stop", why, sizeof why));
    assert_string_equal(why, "policy.sluice:2: the rule \"n\" uses `sender.group`, which needs a directory, and this "
                             "version has not got that: the rules are not loaded (`mode off` lets the rule wait)\n");
    assert_true(is_served("rule \"n\" mode off when sender.group is \"x\" then stop", why, sizeof why));
    assert_false(is_served("when always then sign_dkim", why, sizeof why));
    assert_non_null(strstr(why, "`always` uses `sign_dkim`, which needs DKIM keys"));
    assert_false(is_served("when always then redirect to sender.manager otherwise \"a@b.example\"", why, sizeof why));
    assert_non_null(strstr(why, "`sender.manager`"));
    assert_false(is_served("when recipient.manager is sender then stop", why, sizeof why));
    assert_false(is_served("when recipient is recipient.manager then stop", why, sizeof why));
}

/* A line each, whatever comes first; a word that a rule says twice is told once. */
static void all_that_is_missing_is_told(void **state)
{
    (void)state;
    static char why[60000];
    struct buf many = {0};
    assert_false(is_served("rule \"a\" when sender.group is \"x\" or sender.group is \"y\" then sign_dkim\n"
                           "rule \"b\" when always then stop\nrule \"c\" mode off when always then sign_dkim\n"
                           "rule \"d\" when always then sign_dkim",
                           why, sizeof why));
    static const char *const wanted[] = {"policy.sluice:1: the rule \"a\" uses `sender.group`",
                                         "policy.sluice:1: the rule \"a\" uses `sign_dkim`",
                                         "policy.sluice:4: the rule \"d\" uses `sign_dkim`"};
    struct str line, rest = str_of(why);
    for (size_t i = 0; i < 3; i++) {
        assert_true(str_cut(rest, '\n', &line, &rest));
        if (!str_starts(line, str_of(wanted[i]))) fail_msg("%s is not the line %.*s", wanted[i], STR_ARG(line));
    }
    assert_int_equal(rest.n, 0);
    for (int i = 0; i < NEEDS_TOLD_MOST + 7; i++) buf_printf(&many, "rule \"%d\" when always then sign_dkim\n", i);
    buf_add_byte(&many, 0);
    assert_false(is_served(many.p, why, sizeof why));
    assert_true(str_ends(str_of(why), STR("\nand 7 more\n")));
    buf_free(&many);
}

/* Judged all the same (`sluice judge`): never "no match", and what should be kept back is. */
static void what_is_missing_weakens_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < words_rows.field_count; i++) {
        const struct field_row *f = &words_rows.fields[i];
        if (!f->needs || f->of == FACT_ELEMENT) continue;
        char condition[200];
        snprintf(condition, sizeof condition, "%s", f->example);
        if (judged_condition(condition, PLAIN, NULL) != 'E') fail_msg("%s is not unavailable", f->example);
    }
    struct judged j;
    run(&j, "when always then moderate by \"x@corp.example\"", PLAIN);
    assert_int_equal(judged_recipient(&j, B)->disposition, DISPOSITION_HOLD);
    judged_free(&j);
    run(&j, "rule \"n\" when always then sign_dkim", PLAIN);
    assert_int_equal(judged_recipient(&j, B)->disposition, DISPOSITION_DELIVER);
    assert_int_equal(j.verdict->note_count, 1);
    judged_free(&j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_client),
        cmocka_unit_test(the_clock),
        cmocka_unit_test(measures_of_the_header),
        cmocka_unit_test(a_field_that_only_some_readers_see_is_disputed),
        cmocka_unit_test(importance_is_what_some_reader_shows),
        cmocka_unit_test(kinds_of_messages),
        cmocka_unit_test(signs_beyond_a_limit_are_not_denied),
        cmocka_unit_test(headers_are_set),
        cmocka_unit_test(recipients_are_added_and_named),
        cmocka_unit_test(names_are_not_encoded_twice),
        cmocka_unit_test(an_address_may_be_a_field),
        cmocka_unit_test(delivery_waits),
        cmocka_unit_test(a_session_is_ended),
        cmocka_unit_test(what_is_missing_is_told), cmocka_unit_test(all_that_is_missing_is_told),
        cmocka_unit_test(what_is_missing_weakens_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
