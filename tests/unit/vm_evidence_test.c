/* Why a rule acted: what its condition rests on, and nothing it does not; short, covered, within bounds. */
#include <stdio.h>
#include <string.h>

#include "mail/live_list.h"
#include "tests/support/check.h"
#include "tests/support/judged.h"

#define PLAIN "From: a@corp.example\nTo: b@partner.example\nSubject: a SECRET plan\n\nThe launch is near.\n"

static void run(struct judged *j, const char *rules, const char *message)
{
    judged_run(j, &(struct judged_case){.rules = rules, .message = message});
}

/* All rows in one text: rule|test|field|view|element/elements|from-to|answer|text, a line each. */
static const char *rows_of(const struct judged *j)
{
    static char out[8192];
    struct buf b = {0};
    const struct evidence *e = &j->verdict->evidence;
    for (size_t i = 0; i < e->row_count; i++) {
        const struct evidence_row *r = &e->rows[i];
        buf_printf(&b, "%.*s|%.*s|%.*s|%.*s|", STR_ARG(r->rule), STR_ARG(r->test), STR_ARG(r->field), STR_ARG(r->view));
        if (r->elements) buf_printf(&b, "%u/%u", r->element, r->elements);
        buf_printf(&b, "|%u-%u|%s|%.*s\n", r->from, r->to, evidence_answer_names[r->answer], STR_ARG(r->text));
    }
    assert_true(b.n < sizeof out);
    memcpy(out, b.p ? b.p : "", b.n);
    out[b.n] = '\0';
    buf_free(&b);
    return out;
}

static const struct row {
    const char *rules, *message, *rows;
} cases[] = {
    {"rule \"r\" when subject contains \"secret\" then mark \"x\"", PLAIN,
     "r|subject contains \"secret\"|subject||0/1|2-8|holds|secret\n"},
    {"rule \"r\" when always then mark \"x\"", PLAIN, "r|||||0-0|holds|\n"},
    {"rule \"r\" when subject contains \"nothing\" then mark \"x\"", PLAIN, ""},
    /* What speaks against is no reason for. */
    {"rule \"r\" when body matches /launch/ unless recipient.domain is \"corp.example\" then mark \"x\"", PLAIN,
     "r|body matches /launch/|body||0/1|4-10|holds|launch\n"},
    {"rule \"r\" when subject contains \"secret\" and not (sender is \"x@y.example\" or subject contains \"plot\") "
     "then mark \"x\"",
     PLAIN, "r|subject contains \"secret\"|subject||0/1|2-8|holds|secret\n"},
    /* Nor what stands beside a no. */
    {"rule \"r\" when (subject contains \"secret\" and body contains \"zebra\") or body contains \"near\" then mark "
     "\"x\"",
     PLAIN, "r|body contains \"near\"|body||0/1|14-18|holds|near\n"},
    {"rule \"r\" when sender.domain is not \"partner.example\" then mark \"x\"", PLAIN,
     "r|sender.domain is not \"partner.example\"|sender.domain||0/1|0-0|holds|corp.example\n"},
    /* An absent value has no place: the test alone. */
    {"rule \"r\" when header \"X-Foo\" is absent then mark \"x\"", PLAIN,
     "r|header \"X-Foo\" is absent||||0-0|holds|\n"},
    /* Only the element that all of it holds of. */
    {"rule \"r\" when any to where (to.domain is \"c.example\" and to.local is \"two\") then mark \"x\"",
     "To: two@b.example, one@c.example, two@c.example\nSubject: x\n\nx\n",
     "r|to.domain is \"c.example\"|to.domain||2/3|0-0|holds|c.example\n"
     "r|to.local is \"two\"|to.local||2/3|0-3|holds|two\n"},
    /* Two rules that share a test. */
    {"rule \"r\" when subject contains \"secret\" then mark \"x\"\nrule \"s\" when subject contains \"secret\" then "
     "mark \"y\"",
     PLAIN,
     "r|subject contains \"secret\"|subject||0/1|2-8|holds|secret\n"
     "s|subject contains \"secret\"|subject||0/1|2-8|holds|secret\n"},
    /* The second of two Subject fields has it: disputed, and how readers differ. */
    {"rule \"r\" when subject contains \"secret\" then require_tls", "Subject: plain\nSubject: secret\n\nx\n",
     "r|subject contains \"secret\"|subject|another instance of the field|0/1|0-6|disputed|secret\n"},
    /* A value is one line, whatever stands in it. */
    {"rule \"r\" when subject contains \"a\" then mark \"x\"", "Subject: =?utf-8?q?a=0D=0Ab?=\n\nx\n",
     "r|subject contains \"a\"|subject||0/1|0-1|holds|a\n"},
    {"rule \"r\" when body contains credit_card_number then mark \"x\"",
     "Subject: x\n\ncard 4111 1111 1111 1111 visa\n",
     "r|body contains credit_card_number|body||0/1|5-24|holds|**** **** **** 1111\n"},
    {"rule \"r\" on_unreadable hold when body contains \"zebra\" then reject \"no\"",
     "Content-Type: text/plain; charset=x-nobody-knows\n\n\xff\n",
     "r|body contains \"zebra\"||||0-0|unreadable|unknown charset\n"},
    {"rule \"r\" mode audit when subject contains \"secret\" then reject \"no\"", PLAIN,
     "r|subject contains \"secret\"|subject||0/1|2-8|holds|secret\n"},
};

static void what_it_rests_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct judged j;
        run(&j, cases[i].rules, cases[i].message);
        if (strcmp(rows_of(&j), cases[i].rows) != 0) fail_msg("%s:\n%s", cases[i].rules, rows_of(&j));
        judged_free(&j);
    }
}

/* Of a rule that acts for some, what holds of others is no reason. */
static void for_whom_it_acted(void **state)
{
    (void)state;
    struct judged j;
    run(&j, "rule \"r\" when recipient.domain is \"partner.example\" or recipient.local is \"zoe\" then require_tls",
        PLAIN);
    assert_string_equal(rows_of(&j),
                        "r|recipient.domain is \"partner.example\"|recipient.domain||0/1|0-0|holds|partner.example\n");
    judged_free(&j);
    run(&j, "rule \"r\" when recipient.domain is not \"nowhere.example\" and recipient.local is \"c\" then require_tls",
        PLAIN);
    assert_string_equal(rows_of(&j),
                        "r|recipient.domain is not \"nowhere.example\"|recipient.domain||0/1|0-0|holds|corp.example\n"
                        "r|recipient.local is \"c\"|recipient.local||0/1|0-1|holds|c\n");
    judged_free(&j);
    /* Nobody: a rule whose actions all fell away did nothing. */
    run(&j, "rule \"r\" when body contains \"zebra\" then reject \"no\"",
        "Content-Type: text/plain; charset=x-nobody-knows\n\n\xff\n");
    assert_string_equal(rows_of(&j), "");
    judged_free(&j);
}

static void as_much_as_is_wanted(void **state)
{
    (void)state;
    static const struct {
        uint8_t policy;
        const char *rows;
    } wanted[] = {{EVIDENCE_EXCERPT, "r|subject contains \"secret\"|subject||0/1|2-8|holds|secret\n"},
                  {EVIDENCE_PLACE, "r|subject contains \"secret\"|subject||0/1|2-8|holds|\n"},
                  {EVIDENCE_OFF, ""}};
    for (size_t i = 0; i < 3; i++) {
        const struct settings s = {.evidence = wanted[i].policy};
        struct judged j;
        judged_run(&j, &(struct judged_case){.rules = "rule \"r\" when subject contains \"secret\" then mark \"x\"",
                                             .message = PLAIN, .settings = &s});
        assert_string_equal(rows_of(&j), wanted[i].rows);
        judged_free(&j);
    }
}

/* Which state of a live list was looked into; a list that no rule came to is not there. */
static void live_lists(void **state)
{
    (void)state;
    struct buf block = {0};
    struct str key = STR("a@corp.example");
    live_block(LIVE_ADDRESS, 41, &key, 1, &block);
    struct judged j;
    judged_run(&j, &(struct judged_case){
        .rules = "list vips of address in table \"vips\"\nlist others of address in table \"others\"\n"
                 "rule \"r\" when sender is in vips then mark \"x\"\n"
                 "rule \"s\" when subject contains \"nothing\" and sender is in others then mark \"y\"",
        .message = PLAIN, .lists = {{"vips", buf_str(&block)}}});
    const struct evidence *e = &j.verdict->evidence;
    assert_int_equal(e->list_count, 1);
    check_str(e->lists[0].name, "vips");
    assert_true(e->lists[0].revision == 41 && e->lists[0].there);
    assert_string_equal(rows_of(&j), "r|sender is in vips|sender||0/1|0-0|holds|a@corp.example\n");
    judged_free(&j);
    buf_free(&block);
}

/* However many rules act, and whatever they say: two KiB, and it is said that there was more. */
static void bounded(void **state)
{
    (void)state;
    struct judged j;
    struct buf rules = {0}, blob = {0};
    for (int i = 0; i < 60; i++)
        buf_printf(&rules,
                   "rule \"%d %0100d\" when subject contains \"secret\" and body contains \"near\" then mark \"x\"\n",
                   i, i);
    buf_add_byte(&rules, 0);
    run(&j, rules.p, PLAIN);
    const struct evidence *e = &j.verdict->evidence;
    assert_true(e->cut && e->row_count > 4);
    assert_true(evidence_is_sound(e));
    evidence_encode(e, &blob);
    assert_true(blob.n <= 4096);
    struct evidence back;
    assert_true(evidence_decode(j.arena, buf_str(&blob), &back));
    assert_int_equal(back.row_count, e->row_count);
    check_str(back.rows[1].test, "body contains \"near\"");
    for (size_t n = 0; n < blob.n; n++) /* cut anywhere it is none */
        assert_int_equal(evidence_decode(j.arena, str_slice(buf_str(&blob), 0, n), &back), n == 0);
    judged_free(&j);
    buf_free(&rules);
    buf_free(&blob);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_rests_on), cmocka_unit_test(for_whom_it_acted), cmocka_unit_test(as_much_as_is_wanted),
        cmocka_unit_test(live_lists),       cmocka_unit_test(bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
