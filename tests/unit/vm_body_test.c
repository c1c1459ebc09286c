/* Rules that change the body: who gets which copy, what falls back, what comes from the message stays text. */
#include <stdio.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/judged.h"

#define B "b@partner.example"
#define C "c@corp.example"

#define PLAIN "From: a@corp.example\nSubject: hi\n\nHello\n"
#define HTML                                                                                                           \
    "From: a@corp.example\nSubject: <script>x</script>\nMIME-Version: 1.0\nContent-Type: text/html\n\n"                \
    "<html><body>Hello</body></html>\n"
#define SIGNED                                                                                                         \
    "From: a@corp.example\nSubject: hi\nMIME-Version: 1.0\nContent-Type: multipart/signed; boundary=s;\n"              \
    " protocol=\"application/pgp-signature\"; micalg=pgp-sha256\n\n--s\n\nHello\n--s\n"                                \
    "Content-Type: application/pgp-signature\n\nx\n--s--\n"
#define UUENCODED "From: a@corp.example\r\nSubject: hi\r\n\r\nsee\r\nbegin 644 evil.exe\r\n#=&]P\r\n`\r\nend\r\n"
#define MIXED                                                                                                          \
    "From: a@corp.example\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=m\n\n--m\n\nHello\n--m\n"        \
    "Content-Type: application/octet-stream; name=\"report.pdf\"\n\nPDF\n--m\n"                                        \
    "Content-Type: application/octet-stream\nContent-Disposition: attachment; filename=\"Evil.EXE\"\n\nMZ\n--m--\n"

static void run(struct judged *j, const char *rules, const char *message)
{
    judged_run(j, &(struct judged_case){.rules = rules, .message = message, .client = {.trusted = true}});
}

static bool says(struct judged *j, const char *who, const char *text)
{
    return str_find(judged_copy(j, who), str_of(text)) != STR_NPOS;
}

static void a_copy_for_those_outside(void **state)
{
    (void)state;
    struct judged j;
    run(&j, "when recipient.domain is \"partner.example\" then append_disclaimer \"Sent by {sender}.\"", PLAIN);
    assert_int_equal(j.verdict->copy_count, 2);
    check_str(judged_copy(&j, C), j.content.p);
    assert_true(str_ends(judged_copy(&j, B), STR("\r\n\r\nHello\r\n\r\nSent by a@corp.example.\r\n")));
    judged_free(&j);
}

/* In the order of the rules: what is appended later stands behind, what is prepended later before. */
static void texts_in_their_order(void **state)
{
    (void)state;
    struct judged j;
    run(&j,
        "when always then append_disclaimer \"one\"\nwhen always then append_disclaimer \"two\", append_disclaimer "
        "\"one\"\n"
        "when always then prepend_disclaimer \"three\"\nwhen always then prepend_disclaimer \"four\"",
        PLAIN);
    assert_true(str_ends(judged_copy(&j, B), STR("\r\n\r\nfour\r\n\r\nthree\r\n\r\nHello\r\n\r\none\r\n\r\ntwo\r\n")));
    judged_free(&j);
}

static void what_is_filled_in_is_no_markup(void **state)
{
    (void)state;
    struct judged j;
    run(&j, "when always then append_disclaimer \"x\" html \"<p>{subject}</p>\"", HTML);
    assert_true(says(&j, B, "<p>&#60;script&#62;x&#60;/script&#62;</p>\r\n</body>"));
    judged_free(&j);
    run(&j, "when always then append_disclaimer \"{subject}\"", HTML);
    assert_true(says(&j, B, "<div>&lt;script&gt;x&lt;/script&gt;</div>\r\n</body>"));
    judged_free(&j);
}

static void long_texts_keep_their_values(void **state)
{
    (void)state;
    struct judged j;
    struct buf rule = {0};
    buf_add(&rule, STR("when always then append_disclaimer \""));
    for (int i = 0; i < 600; i++) buf_add(&rule, STR("words "));
    buf_add(&rule, STR("from {sender}\""));
    buf_add_byte(&rule, 0);
    run(&j, rule.p, PLAIN);
    assert_true(says(&j, B, "from a@corp.example\r\n"));
    judged_free(&j);
    buf_free(&rule);
}

static void falling_back(void **state)
{
    (void)state;
    struct judged j;
    run(&j, "when always then append_disclaimer \"bye\" fallback skip", SIGNED);
    check_str(judged_copy(&j, B), j.content.p);
    assert_int_equal(j.verdict->note_count, 1);
    judged_free(&j);
    run(&j, "when always then append_disclaimer \"bye\" fallback reject", SIGNED);
    assert_int_equal(j.verdict->answer, VERDICT_REJECT);
    assert_int_equal(j.verdict->reply.code, 550);
    judged_free(&j);
    run(&j, "when always then append_disclaimer \"bye\"\nwhen subject is \"hi\" then add_header \"X-Later\" \"yes\"",
        SIGNED);
    struct str out = judged_copy(&j, B);
    assert_true(says(&j, B, "Content-Type: message/rfc822\r\n"));
    assert_true(says(&j, B, "X-Later: yes\r\n"));
    const char *body = strstr(j.content.p, "\r\n\r\n--s"); /* what is signed, and its signature */
    assert_true(str_find(out, str_of(body)) != STR_NPOS);
    judged_free(&j);
}

static void attachments_by_name(void **state)
{
    (void)state;
    struct judged j;
    run(&j, "when always then remove_attachment (\"*.exe\", \"*.scr\") note \"Gone.\"", MIXED);
    assert_true(says(&j, B, "PDF\r\n--m\r\n"));
    assert_false(says(&j, B, "MZ"));
    assert_true(says(&j, B, "\r\n\r\nGone.\r\nEvil.EXE\r\n--m--\r\n"));
    judged_free(&j);
    run(&j, "when always then remove_attachment", MIXED);
    assert_false(says(&j, B, "PDF"));
    assert_false(says(&j, B, "MZ"));
    assert_true(says(&j, B, "\r\n\r\nHello\r\n--m\r\n"));
    judged_free(&j);
    /* a file in the text is one to some readers only, and cannot be cut out of it */
    run(&j, "when always then remove_attachment \"*.exe\"", UUENCODED);
    assert_int_equal(j.verdict->answer, VERDICT_REJECT);
    assert_int_equal(j.verdict->reply.code, 550);
    judged_free(&j);
    run(&j, "when any attachment.extension is \"exe\" then set_scl 3, require_tls", UUENCODED);
    assert_int_equal(j.verdict->recipients[0].need.peer, TLS_PEER_ENCRYPT);
    assert_false(says(&j, B, "X-MS-Exchange-Organization-SCL"));
    judged_free(&j);
    run(&j, "when always then remove_attachment \"*.doc\"", MIXED);
    check_str(judged_copy(&j, B), j.content.p);
    judged_free(&j);
}

/* 64 classes, each wrapped: what they share travels once, so that the verdict fits its datagram. */
static void many_copies(void **state)
{
    (void)state;
    struct judged j;
    struct buf rules = {0};
    struct judged_case c = {.message = SIGNED, .client = {.trusted = true}};
    static char addresses[60][32];
    for (int i = 0; i < 60; i++) {
        snprintf(addresses[i], sizeof addresses[i], "r%d@partner.example", i);
        c.to[i] = addresses[i];
        buf_printf(&rules, "when recipient is \"%s\" then add_header \"X-Copy\" \"%d\"\n", addresses[i], i);
    }
    buf_printf(&rules, "when always then append_disclaimer \"%0900d\"%c", 7, 0);
    c.rules = rules.p;
    judged_run(&j, &c);
    assert_int_equal(j.verdict->copy_count, 60);
    struct buf datagram = {0};
    protocol_encode_answer(&j.answer, &datagram);
    assert_true(datagram.n < PROTOCOL_DATAGRAM_MAX);
    buf_free(&datagram);
    buf_free(&rules);
    judged_free(&j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_for_those_outside),
        cmocka_unit_test(texts_in_their_order),
        cmocka_unit_test(what_is_filled_in_is_no_markup),
        cmocka_unit_test(long_texts_keep_their_values),
        cmocka_unit_test(falling_back),
        cmocka_unit_test(attachments_by_name),
        cmocka_unit_test(many_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
