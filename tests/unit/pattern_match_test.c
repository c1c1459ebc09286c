/* Patterns: what they mean, what is refused and where, and that no text makes one run past its budget. */
#include "tests/support/check.h"

#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "base/vec.h"
#include "pattern/pattern.h"

static uint64_t steady(void *self)
{
    (void)self;
    struct timespec t;
    /* CPU time, for the windows too: what other processes take of a busy machine is no fault of the pattern. */
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static struct pattern *compiled(const char *source, unsigned flags, bool jit)
{
    struct pattern_fault f = {0};
    struct pattern *p = pattern_compile(str_of(source), flags, &f);
    if (!p) fail_msg("/%s/: %s at %zu", source, f.text, f.offset);
    if (jit) pattern_jit(p);
    return p;
}

static void meaning(void **state)
{
    (void)state;
    static const struct {
        const char *source;
        unsigned flags;
        const char *text;
        enum pattern_answer answer;
        size_t from, to;
    } cases[] = {
        {"secret", 0, "Top SECRET plan", PATTERN_YES, 4, 10},
        {"secret", PATTERN_C, "Top SECRET plan", PATTERN_NO, 0, 0},
        {"\\bm\xc3\xbcller\\b", 0, "Herr M\xc3\x9cLLER!", PATTERN_YES, 5, 12},
        {"^\\w+$", 0, "\xd1\x81\xd0\xb5\xd0\xba", PATTERN_YES, 0, 6},
        {"a.b", 0, "a\nb", PATTERN_NO, 0, 0},
        {"a.b", PATTERN_S, "a\nb", PATTERN_YES, 0, 3},
        {"^b$", 0, "a\nb", PATTERN_NO, 0, 0},
        {"^b$", PATTERN_M, "a\nb", PATTERN_YES, 2, 3},
        {"^b$", PATTERN_M, "a\rb", PATTERN_NO, 0, 0},
        {"a b # c", PATTERN_X, "ab", PATTERN_YES, 0, 2},
        {"x*", 0, "", PATTERN_YES, 0, 0},
        {"(?<=a)b", 0, "ab", PATTERN_YES, 1, 2},
        {"(\\d)\\1", 0, "1233", PATTERN_YES, 2, 4},
        {"\\Q\\G\\E", 0, "x\\Gy", PATTERN_YES, 1, 3},
    };
    struct pattern_matcher *m = pattern_matcher_create();
    for (int jit = 0; jit < 2; jit++) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            struct pattern *p = compiled(cases[i].source, cases[i].flags, jit);
            struct pattern_subject s = {str_of(cases[i].text), false};
            struct pattern_budget b = {.clock = steady, .deadline = steady(NULL) + 1000000};
            struct pattern_span at = {0, 0};
            assert_int_equal(pattern_match(p, m, &s, 0, &b, &at), cases[i].answer);
            assert_int_equal(at.from, cases[i].from);
            assert_int_equal(at.to, cases[i].to);
            pattern_free(&p);
        }
    }
    struct pattern *p = compiled("b", 0, true);
    struct pattern_subject s = {STR("abcb"), false};
    struct pattern_span at;
    struct pattern_budget steps = {0};
    assert_int_equal(pattern_match(p, m, &s, 2, &steps, &at), PATTERN_YES);
    assert_int_equal(at.from, 3);
    assert_true(s.checked);
    assert_int_equal(pattern_match(p, m, &s, 4, &steps, NULL), PATTERN_NO);
    assert_int_equal(pattern_match(p, m, &s, 5, &steps, NULL), PATTERN_NO);
    pattern_free(&p);
    pattern_matcher_free(&m);
}

static void refusals_name_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *source;
        size_t offset;
        const char *says;
    } cases[] = {
        {"a(b", 3, "parenthes"},
        {"a[b", 3, "terminating ]"},
        {"a**b+++", 2, "quantifier"},
        {"(*UTF)a", 0, "settings"},
        {"(*LIMIT_MATCH=9)a", 0, "settings"},
        {"(*NO_JIT)a", 0, "settings"},
        {"ab(?C1)c", 7, "callout"},
        {"ab(?C'x')c", 9, "callout"},
        {"ab\\Gc", 2, "\\G"},
        {"ab(*COMMIT)c", 2, "COMMIT"},
        {"ab(*SKIP)c", 2, "SKIP"},
        {"a\\C", 3, "\\C"},
        {"(?<n>a)(?<n>b)", 12, "two named"},
        {"a\xff", 1, "UTF-8"},
        {"(?<=a+)b", 0, "lookbehind"},
        {"[z-a]", 3, "range"},
        {"(?:(?:(?:a{1000}){1000}){1000}){1000}", 28, "large"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pattern_fault f = {{0}, 999};
        struct pattern *p = pattern_compile(str_of(cases[i].source), 0, &f);
        if (p) fail_msg("/%s/ compiled", cases[i].source);
        if (!strstr(f.text, cases[i].says)) fail_msg("/%s/: %s", cases[i].source, f.text);
        if (strstr(f.text, "large")) assert_true(f.offset <= strlen(cases[i].source));
        else if (f.offset != cases[i].offset) fail_msg("/%s/: at %zu", cases[i].source, f.offset);
    }
    struct pattern_fault f;
    char longer[LIMIT_PATTERN_SOURCE + 1], nested[2 * LIMIT_PATTERN_NESTING + 4];
    memset(longer, 'a', sizeof longer);
    assert_null(pattern_compile((struct str){longer, sizeof longer}, 0, &f));
    assert_int_equal(f.offset, LIMIT_PATTERN_SOURCE);
    memset(nested, '(', LIMIT_PATTERN_NESTING + 2);
    memset(nested + LIMIT_PATTERN_NESTING + 2, ')', LIMIT_PATTERN_NESTING + 2);
    assert_null(pattern_compile((struct str){nested, sizeof nested}, 0, &f));
    struct pattern *empty = compiled("x*", 0, false), *full = compiled("x+", 0, false);
    assert_true(pattern_matches_empty(empty));
    assert_false(pattern_matches_empty(full));
    pattern_free(&empty);
    pattern_free(&full);
}

/* Filler of two, four and eight bytes' characters and words, as often as it takes that the match begins anywhere around
 * every window's edge: what stands before a window is seen from it, and no start is left out or tried twice. */
static void windows_keep_the_meaning(void **state)
{
    (void)state;
    static const struct {
        const char *source;
        unsigned flags;
        const char *text; /* behind the filler; the match is all of it but `before` and `after` */
        size_t before, after;
    } cases[] = {
        {"(?<=\xc3\xa9!)zeta+", 0, "\xc3\xa9!zetaa", 3, 0}, /* lookbehind over the edge */
        {"\\bzeta\\b", 0, " zeta ", 1, 1},
        {"\\Bq\\w", 0, "zqz", 1, 0},
        {"^zeta*$", PATTERN_M, "\nzeta\n", 1, 1},
        {"\\xe4\\w+!", 0, "\xc3\xa4z!", 0, 0},
        {"\\d+\\z", 0, "123", 0, 0},
        {".zet(?=a).", PATTERN_S, "\xf0\x9f\x98\x80zeta", 0, 0},
        {"z(?:eta|et|e)++!", 0, "zeta!", 0, 0},
        {"z?e?!!", 0, "ze!!", 0, 0},
        {"\\z", 0, "", 0, 0},
    };
    static const char *const fillers[] = {"\xc3\xb6", "o", "\xf0\x9f\x98\x80", "lorem ipsum\n\xe2\x82\xac "};
    struct pattern_matcher *m = pattern_matcher_create();
    struct pattern_budget b = {0};
    struct buf text = {0};
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        struct pattern *p = compiled(cases[i / 2].source, cases[i / 2].flags, i % 2);
        for (size_t k = 0; k < 4 * 40; k++) {
            static const size_t around[] = {0, 3990, 8180, 70000, 266, 4096, 33100, 69700};
            size_t least = around[k / 4 % 8] + k / 32 * 3;
            text.n = 0;
            while (text.n < least) buf_add(&text, str_of(fillers[k % 4]));
            size_t from = text.n + cases[i / 2].before, to;
            buf_add(&text, str_of(cases[i / 2].text));
            to = text.n - cases[i / 2].after;
            struct pattern_subject s = {buf_str(&text), false};
            struct pattern_span at = {0, 0};
            /* \B, which a text's beginning is not */
            if (cases[i / 2].source[1] == 'B' && k % 4 == 3) continue;
            enum pattern_answer answer = pattern_match(p, m, &s, 0, &b, &at);
            if (answer != PATTERN_YES || at.from != from || at.to != to)
                fail_msg("/%s/ behind %zu of filler %zu: answer %d, %zu-%zu", cases[i / 2].source, least, k % 4, answer,
                         at.from, at.to);
        }
        pattern_free(&p);
    }
    buf_free(&text);
    pattern_matcher_free(&m);
}

enum { BIG = 2000000, BUDGET = 50000 };

/* A clock that remembers the longest time between two looks. */
struct watch {
    uint64_t last, longest;
};

static uint64_t watched(void *self)
{
    struct watch *w = self;
    uint64_t now = steady(NULL);
    if (w->last && now - w->last > w->longest) w->longest = now - w->last;
    return w->last = now;
}

struct hostile {
    const char *source;
    struct str text;
    bool undecided; /* no honest end within the budget, in either mode */
};

static void match_hostile(const struct hostile *h, size_t count)
{
    struct pattern_matcher *m = pattern_matcher_create();
    for (size_t i = 0; i < 2 * count; i++) {
        const struct hostile *one = &h[i % count];
        struct pattern *p = compiled(one->source, 0, i >= count);
        struct pattern_subject s = {one->text, true};
        uint64_t begin = steady(NULL);
        struct watch w = {begin, 0};
        struct pattern_budget b = {.clock = watched, .self = &w, .deadline = begin + BUDGET};
        enum pattern_answer answer = pattern_match(p, m, &s, 0, &b, NULL);
        uint64_t took = watched(&w) - begin;
        print_message("%-28s %7zu bytes jit %d: answer %d error %d after %llu us, longest window %llu us\n",
                      one->source, one->text.n, i >= count, answer, pattern_matcher_error(m), (unsigned long long)took,
                      (unsigned long long)w.longest);
        assert_int_not_equal(answer, PATTERN_YES);
        if (one->undecided) assert_int_equal(answer, PATTERN_UNREADABLE);
        /* The promise is 60 ms, and 25 for a window; a busy machine and a sanitizer get room, hours do not. */
        assert_true(took < 10 * BUDGET);
        assert_true(w.longest < 5 * BUDGET);
        pattern_free(&p);
    }
    pattern_matcher_free(&m);
}

static void no_text_outruns_the_budget(void **state)
{
    (void)state;
    char *blanks = mem_alloc(BIG), *as = mem_alloc(BIG);
    memset(blanks, ' ', BIG);
    memset(as, 'a', BIG);
    blanks[200000] = 'x';
    struct str blanks_200k = {blanks, 200001}, blanks_2m = {blanks + 200001, BIG - 200001}, as_2m = {as, BIG};
    const struct hostile cases[] = {
        {"\\s+$", blanks_200k, true},
        {"\\s+[^\\sx]", blanks_2m, true},
        {"(a+)+[^a]", as_2m, true},
        {"(.)*[^a]", as_2m, true},
        {"a{1,40}a{1,40}a{1,40}[bc]", as_2m, true},
        {"(.+)\\1[^a]", as_2m, true},
        {"(a|aa)+[^a]", as_2m, true},
        {"(?R)?a[^a]", as_2m, true},
        {"(a+)+b", as_2m, false},
        {"a+a+[^a]", as_2m, true},
        {"a.*a.*a.*[^a]", as_2m, true},
        {"(?:a?){30}a{30}[^a]", as_2m, true},
    };
    match_hostile(cases, sizeof cases / sizeof *cases);
    free(blanks);
    free(as);
}

/* Long harmless beginnings, in which windows grow, then the run. */
static void no_calm_beginning_hides_a_run(void **state)
{
    (void)state;
    enum { CALM = 1000000 };
    char *blanks = mem_alloc(BIG), *as = mem_alloc(BIG);
    for (size_t i = 0; i < CALM; i++) blanks[i] = as[i] = i % 7 ? 'n' : i % 70 ? ' ' : '\n';
    memset(blanks + CALM, ' ', BIG - CALM);
    memset(as + CALM, 'a', BIG - CALM);
    static const size_t sizes[] = {8192, 100000, BIG - CALM};
    for (size_t i = 0; i < 3; i++) {
        struct str spaces = {blanks + CALM - sizes[i], 2 * sizes[i]}, letters = {as + CALM - sizes[i], 2 * sizes[i]};
        blanks[CALM + sizes[i] - 1] = 'x';
        const struct hostile cases[] = {
            {"\\s+$", spaces, i == 2},
            {"\\s+[^\\snx]", spaces, false},
            {"(a+)+[^a]", letters, true},
            {"a{1,40}a{1,40}a{1,40}[bc]", letters, false},
            {"(.+)\\1[^a]", (struct str){as + CALM, sizes[i]}, i > 0},
            {"a+a+[^a]", (struct str){as + CALM + 1 - sizes[i], 2 * sizes[i] - 1}, i > 0},
            {"(?:a|b|aa|ab)(?:a|b|aa)(?:a|b|aa)(?:a|b|aa)(?:a|b|aa)(?:a|b|aa)(?:a|b|aa)[^a]", letters, false},
        };
        match_hostile(cases, sizeof cases / sizeof *cases);
        blanks[CALM + sizes[i] - 1] = ' ';
    }
    free(blanks);
    free(as);
}

static void steps_alone_bound_too(void **state)
{
    (void)state;
    char text[4096];
    memset(text, 'a', sizeof text);
    struct pattern_matcher *m = pattern_matcher_create();
    for (int jit = 0; jit < 2; jit++) {
        struct pattern *p = compiled("(a|a)+[^a]", 0, jit);
        struct pattern_subject s = {{text, sizeof text}, false};
        struct pattern_budget b = {.steps = 10000};
        assert_int_equal(pattern_match(p, m, &s, 0, &b, NULL), PATTERN_UNREADABLE);
        struct pattern_subject few = {{text, 3}, false};
        assert_int_equal(pattern_match(p, m, &few, 0, &b, NULL), PATTERN_NO);
        pattern_free(&p);
    }
    struct pattern *p = compiled("a", 0, true);
    struct pattern_subject broken = {STR("a\xff"), false};
    struct pattern_budget late = {.clock = steady, .deadline = 0}, steps = {0};
    assert_int_equal(pattern_match(p, m, &broken, 0, &steps, NULL), PATTERN_UNREADABLE);
    assert_int_not_equal(pattern_matcher_error(m), 0);
    assert_false(broken.checked);
    struct pattern_subject fine = {STR("a"), false};
    assert_int_equal(pattern_match(p, m, &fine, 0, &late, NULL), PATTERN_UNREADABLE);
    assert_int_equal(pattern_matcher_error(m), 0);
    pattern_free(&p);
    pattern_matcher_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(meaning),
        cmocka_unit_test(refusals_name_their_place),
        cmocka_unit_test(windows_keep_the_meaning),
        cmocka_unit_test(no_text_outruns_the_budget),
        cmocka_unit_test(no_calm_beginning_hides_a_run),
        cmocka_unit_test(steps_alone_bound_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
