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
        struct required r;
        const char *wanted = rows[i].literal;
        if (wanted && str_of(wanted).n < REQUIRED_LEAST - 1) wanted = NULL;
        bool found = pattern_required(str_of(rows[i].source), rows[i].flags, &r);
        if (found != (wanted != NULL)) fail_msg("%s: %s", rows[i].source, found ? "found" : "none");
        if (found) check_str(((struct str){r.text, r.n}), wanted);
    }
}

static void long_runs_are_cut(void **state)
{
    (void)state;
    char source[200];
    struct required r;
    for (size_t i = 0; i < sizeof source; i++) source[i] = (char)('a' + i % 26);
    assert_true(pattern_required((struct str){source, sizeof source}, 0, &r));
    assert_int_equal(r.n, REQUIRED_MOST);
    assert_memory_equal(r.text, source, r.n);
    assert_int_equal(r.next, source[r.n]);
}

/* Whether the literal stands in the folded text, with what may stand behind it. */
static bool stands_in(struct str folded, const struct required *r, bool *marked)
{
    for (size_t at = 0, found; at < folded.n; at += found + 1) {
        found = str_find(str_from(folded, at), (struct str){r->text, r->n});
        if (found == STR_NPOS) return false;
        size_t end = at + found + r->n;
        *marked = end < folded.n && (unsigned char)folded.p[end] >= 0x80;
        if (*marked || (end < folded.n && folded.p[end] == r->next)) return true;
    }
    return false;
}

struct counts {
    unsigned matches, marked;
};

static void try_text(const struct pattern *p, const struct required *r, struct pattern_matcher *m, struct str text,
                     struct counts *c)
{
    struct buf folded = {0};
    fold_text(text, 0, &folded, NULL);
    struct pattern_budget budget = {0};
    struct pattern_subject raw = {text, false}, after = {buf_str(&folded), false};
    bool marked;
    if (pattern_match(p, m, &raw, 0, &budget, NULL) == PATTERN_YES ||
        pattern_match(p, m, &after, 0, &budget, NULL) == PATTERN_YES) {
        if (!stands_in(buf_str(&folded), r, &marked))
            fail_msg("\"%.*s\" (%.*s) matches", STR_ARG(text), (int)r->n, r->text);
        c->matches++;
        c->marked += marked;
    }
    buf_free(&folded);
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
    struct buf text = {0};
    struct counts c = {0};
    for (size_t p = 0; p < random_pattern_count * FLAGS; p++) {
        struct str source = str_of(random_patterns[p / FLAGS]);
        struct pattern_fault fault;
        struct required r;
        struct pattern *pattern = pattern_compile(source, flags[p % FLAGS], &fault);
        bool searched = pattern && pattern_required(source, flags[p % FLAGS], &r);
        for (size_t i = 0; searched && i < ROUNDS / random_pattern_count; i++) {
            text.n = 0;
            random_text(&d, 3, &text);
            try_text(pattern, &r, m, buf_str(&text), &c);
        }
        pattern_free(&pattern);
    }
    printf("# %u matches, %u of them with a mark behind the literal\n", c.matches, c.marked);
    assert_true(c.matches > 1000);
    assert_true(c.marked > 10);
    pattern_matcher_free(&m);
    buf_free(&text);
}

/* --- the search for many ------------------------------------------------------------------------------------------ */

static bool note(void *self, uint32_t index, size_t end)
{
    ((uint8_t *)self)[index]++;
    assert_true(end > 2);
    return true;
}

static bool stop(void *self, uint32_t index, size_t end)
{
    (void)index;
    (void)end;
    ++*(int *)self;
    return false;
}

static void many_literals_at_once(void **state)
{
    (void)state;
    enum { N = 3 * LITERALS_DATABASE_MAX / 2 };
    static char names[N][16];
    static struct literal all[N];
    static uint8_t seen[N];
    int calls = 0;
    if (!literals_available()) return;
    for (size_t i = 0; i < N; i++)
        all[i] = (struct literal){{names[i], (size_t)snprintf(names[i], 16, "w%zux", i)}, i == 0 || i == 4096};
    struct literals_scratch *scratch = literals_scratch_create();
    struct err e = {0};
    struct literals *l = literals_create(all, N, scratch, &e);
    assert_non_null(l);
    const char in[] = "w0x and w6143x, w4095xw4096x; not w50 x w17y; w4096xx again w0x, w4095x";
    assert_true(literals_scan(l, scratch, str_of(in), note, seen));
    assert_true(literals_scan(l, scratch, STR(""), note, seen));
    for (size_t i = 0; i < N; i++)
        assert_int_equal(seen[i], i == 0 || i == 4096 ? 2 : i == 6143 || i == 4095); /* the first two: each place */
    assert_false(literals_scan(l, scratch, str_of(in), stop, &calls));
    assert_int_equal(calls, 1);
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
