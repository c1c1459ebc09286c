/* The grammar's promises beside its goldens: recovery, bounds, canonical lines, suggestions, JSON, tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/json.h"
#include "grammar/parse.h"
#include "tests/support/rules.h"

/* --- recovery ---------------------------------------------------------------------------------------------------- */

static size_t count_items(const struct rules *r)
{
    size_t n = 0;
    for (const struct ast_item *i = r->file->items; i; i = i->next) n++;
    return n;
}

/* One mistake in each of many rules: every one is told, every sound rule between them is read. */
static void each_mistake_is_told_once_and_costs_its_item_only(void **state)
{
    (void)state;
    struct buf text = {0};
    for (int i = 0; i < 30; i++) buf_printf(&text,
                                            "when subject contains ) then drop\nwhen subject is \"%d\" then drop\n", i);
    struct rules r;
    rules_open(&r, "t", buf_str(&text));
    assert_int_equal(r.diags.errors, 30);
    assert_int_equal(r.diags.list.n, 30);
    assert_int_equal(count_items(&r), 30);
    rules_close(&r);
    buf_free(&text);
}

static void every_item_start_ends_a_broken_item(void **state)
{
    (void)state;
    static const char *const starts[] = {
        "rule \"x\" when subject is \"y\" then drop", "when subject is \"y\" then drop", "list a of text = \"x\"",
        "define a as authenticated", "import \"x\"", "test \"t\" expect nothing", "defaults priority 5",
            "relay hostname \"x\"",
    };
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        struct buf text = {0};
        buf_printf(&text, "when subject subject subject ( then\n%s\n", starts[i]);
        struct rules r;
        rules_open(&r, "t", buf_str(&text));
        assert_int_equal(r.diags.errors, 1);
        assert_int_equal(count_items(&r), 1);
        rules_close(&r);
        buf_free(&text);
    }
}

static void a_flood_of_mistakes_ends(void **state)
{
    (void)state;
    struct buf text = {0};
    for (int i = 0; i < 5000; i++) buf_add(&text, STR("} when )\n"));
    struct rules r;
    rules_open(&r, "t", buf_str(&text));
    assert_true(r.diags.list.n >= 100 && r.diags.errors < 110);
    rules_close(&r);
    buf_free(&text);
}

/* --- bounds ------------------------------------------------------------------------------------------------------ */

static unsigned depth_of(const struct ast_condition *c)
{
    if (!c) return 0;
    unsigned left = depth_of(c->left), right = depth_of(c->right);
    return 1 + (left > right ? left : right);
}

static void hold_depth(const struct rules *r)
{
    for (const struct ast_item *i = r->file->items; i; i = i->next) {
        assert_true(depth_of(i->rule.when) <= AST_DEPTH_MAX);
        assert_true(depth_of(i->condition) <= AST_DEPTH_MAX);
    }
}

/* `head`, then `unit` up to a mebibyte, then `tail`: told or read, quickly.  The time allowed is far above what it
 * takes and far below what a quadratic look would. */
static void a_mebibyte_of_anything_is_read_in_linear_time(void **state)
{
    (void)state;
    static const struct {
        const char *head, *unit, *tail;
        bool sound;
    } cases[] = {
        {"when ", "(", "", false}, {"when ", "not ", "", false}, {"when ", "not (", "", false},
            {"defaults ", "(a ", "", false},
        {"when ", "a or ", "a then b", true}, {"when ", "subject and ", "body contains \"x\" then b", true},
        {"when ", "a.", "a then b", true}, {"when a", "-a", "", false}, {"when ", "a--b", "", false},
            {"when ", "a%", "", false},
        {"", "“a” ", "", false}, {"", "\"", "", false}, {"", "a\xC2\xA0", "", false}, {"", "5 ", "", false},
        {"when size is ", "5", "", false}, {"", " ", "", true}, {"", "/", "", false},
            {"when a matches /", "[", "", false},
        {"", ":", "", false}, {"", "a:", "", false}, {"", "1.", "", false}, {"", "1.1-", "", false},
            {"", "ü", "", false},
        {"", "#", "", true}, {"", "when ", "", false}, {"", "rule \"x\" ", "", false}, {"", "{", "", false},
        {"list x of domain = ", "\"a.example\", ", "\"b\"", true}, {"when ", "\"x\" or ", "\"y\" then z", false},
        {"\"\"\"", "\"\" ", "", false}, {"when ", "any a where (", "", false}, {"", "'", "", false},
            {"", "\\", "", false},
        {"when a is ", "1-a", "", false}, {"", "2026-", "", false}, {"test \"x\" given a", " \"b\"", " expect c", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf text = {0};
        buf_add(&text, str_of(cases[i].head));
        while (text.n < 1024 * 1024) buf_add(&text, str_of(cases[i].unit));
        buf_add(&text, str_of(cases[i].tail));
        struct rules r;
        clock_t before = clock();
        rules_open(&r, "t", buf_str(&text));
        double seconds = (double)(clock() - before) / CLOCKS_PER_SEC;
        if ((r.diags.errors == 0) != cases[i].sound) fail_msg("%s: %zu errors", cases[i].unit, r.diags.errors);
        if (seconds > 5) fail_msg("%s%s…: %.1f s", cases[i].head, cases[i].unit, seconds);
        hold_depth(&r);
        struct buf out = {0};
        diags_print_text(&r.diags, &out, false);
        assert_true(r.diags.errors == 0 || out.n > 0);
        buf_free(&out);
        rules_close(&r);
        buf_free(&text);
    }
}

/* Every level as wide as it may be and as deep: the tree stays walkable. */
static void wide_and_deep_conditions_stay_bounded(void **state)
{
    (void)state;
    struct buf text = {0};
    buf_add(&text, STR("when "));
    for (int i = 0; i < 190; i++) {
        for (int j = 0; j < 300; j++) buf_add(&text, STR("marked \"a\" or "));
        buf_add_byte(&text, '(');
    }
    buf_add(&text, STR("authenticated"));
    for (int i = 0; i < 190; i++) buf_add_byte(&text, ')');
    buf_add(&text, STR(" then drop"));
    struct rules r;
    rules_open(&r, "t", buf_str(&text));
    hold_depth(&r);
    assert_int_equal(r.diags.errors, 1); /* 190 levels of 9 are too many */
    assert_int_equal(r.diags.list.v[0]->code, DIAG_E115);
    rules_close(&r);
    buf_free(&text);
}

static void ten_thousand_rules_and_a_hundred_thousand_entries_are_read(void **state)
{
    (void)state;
    struct buf text = {0};
    for (int i = 0; i < 10000; i++)
        buf_printf(&text, "rule \"r%d\" priority 10\nwhen subject or body contains any word of (\"secret\", \"x\")\n"
                          "unless authenticated then require_tls verified\n", i);
    buf_add(&text, STR("list x of domain = \"a\""));
    for (int i = 0; i < 100000; i++) buf_printf(&text, ",\n\"d%d.example\"", i);
    struct rules r;
    clock_t before = clock();
    rules_open(&r, "t", buf_str(&text));
    double seconds = (double)(clock() - before) / CLOCKS_PER_SEC;
    assert_int_equal(r.diags.errors, 0);
    assert_int_equal(count_items(&r), 10001);
    print_message("10,000 rules and 100,000 entries: %.0f ms\n", seconds * 1000);
    assert_true(seconds < 5);
    rules_close(&r);
    buf_free(&text);
}

/* --- canonical lines --------------------------------------------------------------------------------------------- */

static void expect_canonical(const char *text, const char *expected)
{
    struct rules r;
    struct buf out = {0};
    rules_open(&r, "t", str_of(text));
    assert_int_equal(r.diags.errors, 0);
    ast_rule_canonical(&r.file->items->rule, &out);
    if (!str_eq(buf_str(&out), str_of(expected))) fail_msg("%.*s\nis not\n%s", STR_ARG(buf_str(&out)), expected);
    buf_free(&out);
    rules_close(&r);
}

static void layout_comments_and_spelling_do_not_change_the_canonical_line(void **state)
{
    (void)state;
    const char *line = "when (subject or body) contains \"x\" and size is over 10 MB unless authenticated "
                       "then drop, mark \"y\"";
    expect_canonical("when subject or body contains \"x\" and size is over 10 MB unless authenticated "
                     "then drop, mark \"y\"", line);
    expect_canonical("WHEN (Subject OR body)\n contains \"\\u{78}\" # why\nand size is over 10mb "
                     "then drop and mark \"y\" unless Authenticated", line);
    expect_canonical("when a is \"x\" and (b is \"y\" or not (c is \"z\" and authenticated)) then d",
                     "when a is \"x\" and (b is \"y\" or not (c is \"z\" and authenticated)) then d");
    expect_canonical("when a is \"1\" or a is \"2\" or a is \"3\" or (a is \"4\" or a is \"5\") then d",
                     "when a is \"1\" or a is \"2\" or a is \"3\" or a is \"4\" or a is \"5\" then d");
    expect_canonical("rule \"n\" priority 5 when any a where (b is in (1, 2)) then c (d e, f)",
                     "rule \"n\" priority 5 when any a where (b is in (1, 2)) then c (d e, f)");
}

/* --- suggestions, tables ----------------------------------------------------------------------------------------- */

static void the_nearest_word_is_suggested_when_it_is_near(void **state)
{
    (void)state;
    static const struct str words[] = {{"subject", 7}, {"sender", 6}, {"size", 4}, {"recipient", 9}};
    assert_true(str_eq(suggest_nearest(STR("subjcet"), words, 4), STR("subject")));
    assert_true(str_eq(suggest_nearest(STR("Sendr"), words, 4), STR("sender")));
    assert_true(str_eq(suggest_nearest(STR("reciepient"), words, 4), STR("recipient")));
    assert_int_equal(suggest_nearest(STR("attachment"), words, 4).n, 0);
    assert_int_equal(suggest_nearest(STR("size"), words, 4).n, 0);
    assert_int_equal(suggest_nearest(STR("x"), words, 4).n, 0);
    assert_true(str_eq(suggest_tried(STR("Block")), STR("reject")));
    assert_true(str_eq(suggest_tried(STR("larger than")), STR("over")));
    assert_int_equal(suggest_tried(STR("subject")).n, 0);
}

static void every_keyword_is_found_and_no_tried_word_is_one(void **state)
{
    (void)state;
    size_t previous = 0;
    static const char *const keywords[] = {
#define KEYWORD(token, spelling, doc, example) spelling,
#include "grammar/keywords.def"
    };
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; previous = i++) {
        assert_true(i == 0 || strcmp(keywords[previous], keywords[i]) < 0);
        int token = keyword_find(str_of(keywords[i]));
        assert_true(token != 0);
        assert_string_equal(keyword_spelling(token), keywords[i]);
    }
    static const char *const tried[] = {
#define TRIED(word, right) word,
#include "grammar/keywords.def"
    };
    for (size_t i = 0; i < sizeof tried / sizeof *tried; i++) assert_int_equal(keyword_find(str_of(tried[i])), 0);
}

static void every_code_has_a_title_and_some_sentences(void **state)
{
    (void)state;
    for (int i = 0; i < DIAG_CODE_COUNT; i++) {
        enum diag_code code = (enum diag_code)i, found;
        const char *name = diag_code_name(code);
        assert_int_equal(strlen(name), 4);
        assert_int_equal(name[0], diag_code_severity(code) == SEVERITY_ERROR ? 'E' : 'W');
        assert_true(diag_code_find(str_of(name), &found) && found == code);
        assert_true(strlen(diag_code_title(code)) > 0);
        const char *text = diag_code_text(code);
        assert_true(strlen(text) > 40 && text[strlen(text) - 1] == '.');
    }
}

/* --- JSON, dedupe ------------------------------------------------------------------------------------------------ */

static void diagnostics_are_json_lines(void **state)
{
    (void)state;
    struct rules r;
    struct buf out = {0};
    struct err e;
    rules_open(&r, "é\".sluice", STR("\nwhen subject contains \"x\" or contains \"ü\" then drop\nwhen ) then"));
    diags_print_json(&r.diags, &out);
    struct str first, rest, text;
    assert_true(str_cut(buf_str(&out), '\n', &first, &rest));
    struct js *root = js_parse(first, 65536, &e);
    assert_non_null(root);
    int64_t line = 0, column = 0;
    assert_true(js_get_str(root, "code", &text) && str_eq(text, STR("E122")));
    assert_true(js_get_str(root, "file", &text) && str_eq(text, STR("é\".sluice")));
    assert_true(js_get_num(root, "line", &line) && js_get_num(root, "column", &column));
    assert_int_equal(line, 2);
    assert_int_equal(column, 30);
    const struct js *help = js_get(root, "help");
    assert_int_equal(js_count(help), 1);
    assert_true(js_get_str(js_at(help, 0), "text", &text));
    assert_true(str_eq(text, STR("subject contains any of (\"x\", \"ü\")")));
    js_free(&root);
    assert_true(str_ends(rest, STR("\n")) && str_find_byte(rest, '\n') == rest.n - 1);
    buf_free(&out);
    rules_close(&r);
}

static void one_code_at_one_place_is_kept_once_and_order_is_the_source(void **state)
{
    (void)state;
    struct rules r;
    rules_open(&r, "t", STR("when authenticated then drop"));
    struct span late = {0, 10, 12}, early = {0, 2, 3};
    diag_add(&r.diags, DIAG_E200, late, "late");
    struct diag *again = diag_add(&r.diags, DIAG_E200, late, "again");
    diag_note(&r.diags, again, early, "lost");
    diag_fix(&r.diags, again, "", "lost");
    diag_add(&r.diags, DIAG_W301, early, "early");
    diags_sort(&r.diags);
    assert_int_equal(r.diags.list.n, 2);
    assert_int_equal(r.diags.errors, 1);
    assert_int_equal(r.diags.warnings, 1);
    assert_true(str_eq(r.diags.list.v[0]->text, STR("early")));
    assert_true(str_eq(r.diags.list.v[1]->text, STR("late")));
    assert_int_equal(r.diags.list.v[1]->note_count, 0);
    rules_close(&r);
}

static void places_are_counted_in_characters(void **state)
{
    (void)state;
    struct source s = {.name = STR("t"), .text = STR("\xEF\xBB\xBF" "a\nüb\r\n\tc")};
    uint32_t line, column;
    source_locate(&s, 3, &line, &column);
    assert_true(line == 1 && column == 1);
    source_locate(&s, 7, &line, &column);
    assert_true(line == 2 && column == 2);
    source_locate(&s, 11, &line, &column);
    assert_true(line == 3 && column == 2);
    source_locate(&s, 4000, &line, &column);
    assert_true(line == 3 && column == 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mistake_is_told_once_and_costs_its_item_only),
        cmocka_unit_test(every_item_start_ends_a_broken_item),
        cmocka_unit_test(a_flood_of_mistakes_ends),
        cmocka_unit_test(a_mebibyte_of_anything_is_read_in_linear_time),
        cmocka_unit_test(wide_and_deep_conditions_stay_bounded),
        cmocka_unit_test(ten_thousand_rules_and_a_hundred_thousand_entries_are_read),
        cmocka_unit_test(layout_comments_and_spelling_do_not_change_the_canonical_line),
        cmocka_unit_test(the_nearest_word_is_suggested_when_it_is_near),
        cmocka_unit_test(every_keyword_is_found_and_no_tried_word_is_one),
        cmocka_unit_test(every_code_has_a_title_and_some_sentences),
        cmocka_unit_test(diagnostics_are_json_lines),
        cmocka_unit_test(one_code_at_one_place_is_kept_once_and_order_is_the_source),
        cmocka_unit_test(places_are_counted_in_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
