/* The vocabulary's tables: no word means two things, rows and parameters agree, enums follow the words, examples
 * compile. */
#include "tests/support/check.h"

#include <stdio.h>
#include <string.h>

#include "bytecode/program.h"
#include "bytecode/verify.h"
#include "compiler/words.h"
#include "tests/support/compiled.h"

/* --- collisions --- */

static const char *const keywords[] = {
#define KEYWORD(token, spelling, doc, example) spelling,
#define TRIED(word, right)
#include "grammar/keywords.def"
#undef KEYWORD
#undef TRIED
};

static bool is_keyword(struct str word)
{
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
        if (str_eq(str_of(keywords[i]), word)) return true;
    }
    return false;
}

static void check_spelling(const char *word)
{
    struct str rest = str_of(word), part;
    while (rest.n) {
        str_cut(rest, '.', &part, &rest);
        if (is_keyword(part)) fail_msg("`%s` is a keyword", word);
        assert_true(part.n > 0 && ((part.p[0] >= 'a' && part.p[0] <= 'z') || part.p[0] == '_'));
        for (size_t i = 0; i < part.n; i++) {
            assert_true((part.p[i] >= 'a' && part.p[i] <= 'z') || ascii_is_digit(part.p[i]) || part.p[i] == '_');
        }
    }
}

/* Words of enumerations are written bare when they begin with a letter, so they are no keywords either. */
static void check_words(const char *words)
{
    struct str rest = str_of(words), word;
    while (rest.n) {
        str_cut(rest, ' ', &word, &rest);
        if (is_keyword(word)) fail_msg("the word `%.*s` is a keyword", STR_ARG(word));
    }
}

static void check_params(const char *of, const struct param_row *params, size_t n, size_t most)
{
    bool optional_place = false;
    for (size_t i = 0; i < n; i++) {
        if (!params[i].name) fail_msg("`%s` counts more parameters than it has", of);
        check_spelling(params[i].name);
        if (params[i].type == TYPE_WORD) check_words(params[i].words);
        assert_int_equal(words_find_param(params, n, str_of(params[i].name)), i);
        assert_int_equal(words_find_action(str_of(params[i].name)) != WORDS_NONE && strcmp(params[i].name, "mark") != 0,
                         false);
        if (params[i].positional && params[i].required) assert_false(optional_place);
        if (params[i].positional && !params[i].required) optional_place = true;
    }
    for (size_t i = n; i < most; i++) {
        if (params[i].name) fail_msg("`%s` has more parameters than it counts", of);
    }
}

static void no_word_means_two_things(void **state)
{
    (void)state;
    const struct vocabulary_rows *r = &words_rows;
    for (uint32_t i = 0; i < r->field_count; i++) {
        struct word_field found;
        check_spelling(r->fields[i].name);
        check_words(r->fields[i].words);
        assert_true(words_find_field(str_of(r->fields[i].name), &found) && found.field == i &&
                    found.part == PART_WHOLE);
        assert_true(r->fields[i].many == (r->fields[i].of == FACT_ELEMENT));
        assert_true((r->fields[i].type == TYPE_WORD) == (r->fields[i].words[0] != 0));
        /* No part of an address hides a row of its own. */
        for (size_t k = 0; k < words_part_count && r->fields[i].type == TYPE_ADDRESS; k++) {
            char name[64];
            snprintf(name, sizeof name, "%s.%s", r->fields[i].name, words_parts[k].name);
            assert_true(words_find_field(str_of(name), &found) && found.part == words_parts[k].part);
            assert_int_equal(found.type, vocabulary_part_type(&r->fields[i], (uint8_t)found.part));
        }
    }
    for (uint32_t i = 0; i < r->action_count; i++) {
        check_spelling(r->actions[i].name);
        assert_int_equal(words_find_action(str_of(r->actions[i].name)), i);
        assert_false(words_is_declaration(str_of(r->actions[i].name)));
        assert_true(r->actions[i].final == (r->actions[i].join == JOIN_FINAL));
        check_params(r->actions[i].name, r->actions[i].params, r->actions[i].param_count, ACTION_PARAMS_MAX);
    }
    for (uint32_t i = 0; i < r->declaration_count; i++) {
        check_spelling(r->declarations[i].name);
        assert_int_equal(words_find_declaration(str_of(r->declarations[i].name)), i);
        check_params(r->declarations[i].name, r->declarations[i].params, r->declarations[i].param_count,
                     DECLARATION_PARAMS_MAX);
        for (uint32_t k = 0; k < r->declarations[i].param_count; k++) {
            assert_false(words_is_declaration(str_of(r->declarations[i].params[k].name)));
        }
    }
    for (uint32_t i = 0; i < OPTION_COUNT; i++) {
        check_spelling(words_options[i].name);
        check_words(words_options[i].words);
        assert_int_equal(words_find_option(str_of(words_options[i].name)), i);
    }
}

/* --- enums -------------------------------------------------------------------------------------------------------- */

static void option_words_follow_their_enums(void **state)
{
    (void)state;
    assert_string_equal(words_options[OPTION_MODE].words, "enforce audit audit_and_notify off");
    assert_true(MODE_ENFORCE == 0 && MODE_AUDIT == 1 && MODE_AUDIT_AND_NOTIFY == 2 && MODE_OFF == 3);
    assert_string_equal(words_options[OPTION_ON_ERROR].words, "defer skip apply");
    assert_true(ON_ERROR_DEFER == 0 && ON_ERROR_SKIP == 1 && ON_ERROR_APPLY == 2);
    assert_string_equal(words_options[OPTION_ON_UNREADABLE].words, "protect hold apply skip");
    assert_true(ON_UNREADABLE_PROTECT == 0 && ON_UNREADABLE_HOLD == 1 && ON_UNREADABLE_APPLY == 2 &&
                ON_UNREADABLE_SKIP == 3);
}

static void defaults_are_what_the_table_says(void **state)
{
    (void)state;
    uint32_t retry = words_find_declaration(STR("retry"));
    assert_string_equal(words_setting_default(retry, 0), "1 minute");
    assert_string_equal(words_setting_default(retry, 1), "1 hour");
    assert_string_equal(words_setting_default(retry, 2), "5 days");
    assert_string_equal(words_setting_default(retry, 9), "");
}

static void words_cover(void **state)
{
    (void)state;
    struct word_field scope;
    size_t at = 0;
    assert_true(words_find_field(STR("recipient.scope"), &scope));
    assert_string_equal(words_covered(scope.field, STR("outside"), &at), "partner");
    assert_null(words_covered(scope.field, STR("outside"), &at));
    at = 0;
    assert_null(words_covered(scope.field, STR("inside"), &at));
}

/* --- examples --- */

static void must_compile(const char *before, const char *example, const char *after)
{
    char text[1024];
    struct compiled c;
    snprintf(text, sizeof text, "%s%s%s", before, example, after);
    compiled_open(&c, str_of(text));
    if (!c.program) fail_msg("the example does not compile:\n%.*s", STR_ARG(compiled_diagnostics(&c)));
    struct verify_failure f;
    if (!program_verify(c.program, &words_rows, &f)) fail_msg("the verifier refuses the example:\n%s", text);
    compiled_close(&c);
}

static void every_example_compiles(void **state)
{
    (void)state;
    for (size_t i = 0; i < words_rows.field_count; i++) {
        must_compile("when ", words_rows.fields[i].example, " then stop");
        if (words_rows.fields[i].type == TYPE_YESNO && words_rows.fields[i].text == FIELD_TEXT_NONE)
            must_compile("when ", words_rows.fields[i].name, " then stop");
    }
    for (size_t i = 0; i < words_rows.action_count; i++)
        must_compile("when always then ", words_rows.actions[i].example, "");
    for (size_t i = 0; i < OPTION_COUNT; i++)
        must_compile("rule \"x\" ", words_options[i].example, " when always then stop");
    for (size_t i = 0; i < words_rows.declaration_count; i++) {
        must_compile("list our_domains of domain = \"corp.example\"\nlist trusted_networks of network = 127.0.0.0/8\n",
                     words_rows.declarations[i].example, "");
    }
}

static void the_hash_sees_every_change(void **state)
{
    (void)state;
    uint8_t before[32], after[32];
    static struct field_row fields[256];
    assert_true(words_rows.field_count <= 256);
    struct vocabulary_rows rows = words_rows;
    words_vocabulary_hash(before);
    memcpy(fields, words_rows.fields, words_rows.field_count * sizeof *fields);
    rows.fields = fields;
    vocabulary_hash(&rows, after);
    assert_memory_equal(before, after, sizeof before);
    fields[3].words = "inside outside elsewhere";
    vocabulary_hash(&rows, after);
    assert_memory_not_equal(before, after, sizeof before);
    rows = words_rows;
    rows.action_count--;
    vocabulary_hash(&rows, after);
    assert_memory_not_equal(before, after, sizeof before);
}

/* What `sluice explain` shows of a keyword holds it, and stands in a file as it is or as a condition. */
static void keywords_are_explained(void **state)
{
    static const struct {
        const char *word, *doc, *example;
    } rows[] = {
#define KEYWORD(token, spelling, doc, example) {spelling, doc, example},
#include "grammar/keywords.def"
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool good = str_find(str_of(rows[i].example), str_of(rows[i].word)) != STR_NPOS &&
                    str_ends(str_of(rows[i].doc), STR("."));
        bool compiles = false;
        for (size_t k = 0; k < 2 && !compiles; k++) {
            struct compiled c;
            struct buf text = {0};
            if (k) buf_printf(&text, "when %s then log \"x\"\n", rows[i].example);
            else buf_printf(&text, "%s\n", rows[i].example);
            compiled_open(&c, buf_str(&text));
            compiles = c.program != NULL;
            compiled_close(&c);
            buf_free(&text);
        }
        if (!good || !compiles) fail_msg("`%s`: `%s`", rows[i].word, rows[i].example);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_word_means_two_things),         cmocka_unit_test(option_words_follow_their_enums),
        cmocka_unit_test(defaults_are_what_the_table_says), cmocka_unit_test(words_cover),
        cmocka_unit_test(every_example_compiles),           cmocka_unit_test(the_hash_sees_every_change),
        cmocka_unit_test(keywords_are_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
