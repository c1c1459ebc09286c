/* Required literals: as written in a table, and held against what PCRE2 matches at random. */
#include "pattern/required.h"

#include <stdio.h>

#include "mail/fold.h"
#include "pattern/literals.h"
#include "pattern/pattern.h"
#include "tests/support/check.h"
#include "tests/support/random_policy.h"

static void literals_of_sources(void **state)
{
    (void)state;
    static const struct {
        const char *source;
        unsigned flags;
        const char *literal; /* NULL: none */
    } rows[] = {
        {"plane", 0, "plan"},
        {"PLANE", PATTERN_C, "plan"},
        {"ab", 0, NULL},
        {"abc", 0, "ab"},
        {"\\bsecret[- ]?\\d{3,6}\\b", 0, "secre"},
        {"top secret", 0, "secre"},
        {"plane|secret", 0, NULL},
        {"(plane|secret)", 0, NULL},
        {"(plane|secret) budget", 0, "budge"},
        {"secret?", 0, "secr"},
        {"secret*s", 0, "secr"},
        {"sec+ret", 0, "re"},
        {"secret{0}", 0, "secr"},
        {"plan{2}e", 0, "pl"},
        {"plan{x}e", 0, "pl"}, /* that brace is one; what cannot harm is not told apart */
        {"[plane]+secret", 0, "secre"},
        {"[]plane]secret", 0, "secre"},
        {"[^]plane]secret", 0, "secre"},
        {"[[:alpha:]plane]secret", 0, "secre"},
        {"[\\]plane]secret", 0, "secre"},
        {"[plane", 0, NULL},
        {"\\x61bcdef", 0, NULL},
        {"\\x{61}bcdef", 0, "bcde"},
        {"\\p{Greek}plane", 0, "plan"},
        {"\\pLplane", 0, "plan"},
        {"\\k<plane>abc", 0, "ab"},
        {"\\k'plane'abc", 0, "ab"},
        {"\\g{plane}abc", 0, "ab"},
        {"\\cAplane", 0, "plan"},
        {"\\Qplane\\E", 0, NULL},
        {"\\.plane\\.", 0, "plan"},
        {"(?i)plane", 0, NULL},
        {"(?x) pl ane # planes", 0, NULL},
        {"(?<plane>x)", 0, NULL},
        {"(?=plane)x", 0, NULL},
        {"(?#plane)abc", 0, "ab"},
        {"(a(plane)\\)b[)]plane)abc", 0, "ab"},
        {"(plane", 0, NULL},
        {"plane(*ACCEPT)secret", 0, NULL},
        {"(?:(*ACCEPT)|x)secret", 0, NULL},
        {"plane (?-1)", 0, "plan"},
        {"pla ne", PATTERN_X, "p"},
        {"plane s", PATTERN_X, "pla"},
        {"plane ?", PATTERN_X, "pla"},
        {"x # plane\nsecrets", PATTERN_X, "secret"},
        {"plane#s", 0, "pla"},
        {"", 0, NULL},
        {"stra\xc3\x9f"
         "enbahn",
         0, "enbah"},
        {"\\", 0, NULL},
        {"ab\\", 0, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[REQUIRED_MOST];
        size_t n = 0;
        const char *wanted = rows[i].literal;
        if (wanted && str_of(wanted).n < REQUIRED_LEAST - 1) wanted = NULL;
        bool found = pattern_required(str_of(rows[i].source), rows[i].flags, out, &n);
        if (found != (wanted != NULL)) fail_msg("%s: %s", rows[i].source, found ? "found" : "none");
        if (found) check_str(((struct str){out, n}), wanted);
    }
}

static void long_runs_are_cut(void **state)
{
    (void)state;
    char source[200], out[REQUIRED_MOST];
    size_t n;
    for (size_t i = 0; i < sizeof source; i++) source[i] = (char)('a' + i % 26);
    assert_true(pattern_required((struct str){source, sizeof source}, 0, out, &n));
    assert_int_equal(n, REQUIRED_MOST);
    assert_memory_equal(out, source, n);
}

/* Wherever PCRE2 finds a match, in the text or folded, the literal stands in the folded text. */
static void nothing_matches_without_its_literal(void **state)
{
    (void)state;
    enum { ROUNDS = 60000 };
    static const unsigned flags[] = {0, PATTERN_C, PATTERN_X, PATTERN_S};
    enum { FLAGS = sizeof flags / sizeof *flags };
    struct dice d = {7};
    struct pattern_matcher *m = pattern_matcher_create();
    struct buf text = {0}, folded = {0};
    unsigned matches = 0, marked = 0;
    for (size_t p = 0; p < random_pattern_count * FLAGS; p++) {
        struct str source = str_of(random_patterns[p / FLAGS]);
        struct pattern_fault fault;
        struct pattern *pattern = pattern_compile(source, flags[p % FLAGS], &fault);
        char literal[REQUIRED_MOST];
        size_t n;
        if (!pattern || !pattern_required(source, flags[p % FLAGS], literal, &n)) {
            pattern_free(&pattern);
            continue;
        }
        for (size_t i = 0; i < ROUNDS / random_pattern_count; i++) {
            text.n = folded.n = 0;
            random_text(&d, 3, &text);
            fold_text(buf_str(&text), 0, &folded, NULL);
            struct pattern_budget budget = {0};
            struct pattern_subject raw = {buf_str(&text), false}, after = {buf_str(&folded), false};
            bool match = pattern_match(pattern, m, &raw, 0, &budget, NULL) == PATTERN_YES ||
                         pattern_match(pattern, m, &after, 0, &budget, NULL) == PATTERN_YES;
            matches += match;
            bool there = str_find(buf_str(&folded), (struct str){literal, n}) != STR_NPOS;
            if (match && !there) fail_msg("/%.*s/ matches \"%.*s\"", STR_ARG(source), STR_ARG(buf_str(&text)));
            /* the case that the last character is left off for */
            char whole[REQUIRED_MOST + 1];
            for (size_t k = 0; k < n; k++) whole[k] = literal[k];
            size_t at = str_find(source, (struct str){literal, n});
            if (at == STR_NPOS || at + n >= source.n) continue;
            whole[n] = source.p[at + n];
            marked += match && str_find(buf_str(&folded), (struct str){whole, n + 1}) == STR_NPOS;
        }
        pattern_free(&pattern);
    }
    printf("# %u matches, %u of them without the whole run\n", matches, marked);
    assert_true(matches > 1000);
    assert_true(marked > 10);
    pattern_matcher_free(&m);
    buf_free(&text);
    buf_free(&folded);
}

/* --- the search for many ------------------------------------------------------------------------------------------ */

static void note(void *self, uint32_t index) { ((uint8_t *)self)[index] = 1; }

static void many_literals_at_once(void **state)
{
    (void)state;
    enum { N = 3 * LITERALS_DATABASE_MAX / 2 };
    static char names[N][16];
    static struct str texts[N];
    static uint8_t seen[N];
    if (!literals_available()) return;
    for (size_t i = 0; i < N; i++) texts[i] = (struct str){names[i], (size_t)snprintf(names[i], 16, "w%zux", i)};
    struct literals_scratch *scratch = literals_scratch_create();
    struct err e = {0};
    struct literals *l = literals_create(texts, N, scratch, &e);
    assert_non_null(l);
    const char in[] = "w0x and w6143x, w4095xw4096x; not w50 x w17y";
    assert_true(literals_scan(l, scratch, str_of(in), note, seen));
    assert_true(literals_scan(l, scratch, STR(""), note, seen));
    for (size_t i = 0; i < N; i++) assert_int_equal(seen[i], i == 0 || i == 6143 || i == 4095 || i == 4096);
    literals_free(&l);
    literals_scratch_free(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals_of_sources),
        cmocka_unit_test(long_runs_are_cut),
        cmocka_unit_test(nothing_matches_without_its_literal),
        cmocka_unit_test(many_literals_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
