/* What windows and budgets cost: patterns over mail-like text, through pattern/pattern and with one plain pcre2_match.
 *
 *     build/release/bench/pattern_bench
 *
 * For each pattern, size and mode: nanoseconds of the plain call, of ours, and their ratio (the least of alternating
 * rounds); at the end the worst ratio.  Every pattern is one that somebody might write, and matches nowhere, so that
 * all of the text is searched. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "pattern/pattern.h"

enum { BIG = 100 * 1024, SMALL = 4 * 1024, CALLS_SMALL = 200, CALLS_BIG = 12, ROUNDS = 40 };

static const char *const sources[] = {
    "secret\\b",
    "\\b(?:confidential|internal) use\\b",
    "\\b\\d{4}-\\d{4}\\b",
    "[A-Z]{2}\\d{6}",
    "invoice\\s+\\d{6}",
    "password.*is",
    "password:\\s*\\S+",
    "\\w+@\\w+\\.com",
    "(foo|bar|baz)\\s+qux",
    "(foo|bar|baz)\\s+meetings",
    "(?:wire|bank)\\s+transfer",
    "(a+)+b",
    "zebra",
    "\\$\\s?\\d+",
    "(?<!no )deadline",
};

static uint64_t microseconds(void *self)
{
    (void)self;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static double nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void write_mail(char *text)
{
    static const char *const words[] = {"the ",     "please ", "meeting ", "agenda ",     "report ", "invoice ", "is ",
                                        "attached", "for ",    "your ",    "reference.\n", "Tue, ",   "12:30 ",
                                        "order ",  "no. ",     "and ",    "secretary ", "quick "};
    uint32_t random = 1;
    for (size_t n = 0; n < BIG;) {
        random = random * 1103515245 + 12345;
        const char *w = words[(random >> 16) % (sizeof words / sizeof *words)];
        while (*w && n < BIG) text[n++] = *w++;
    }
}

struct plain {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};

static struct plain plain_create(const char *source, bool jit)
{
    struct plain p = {0};
    int error;
    PCRE2_SIZE offset;
    p.code = pcre2_compile((PCRE2_SPTR)source, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP | PCRE2_CASELESS, &error,
                           &offset, NULL);
    p.data = pcre2_match_data_create(1, NULL);
    p.context = pcre2_match_context_create(NULL);
    p.stack = pcre2_jit_stack_create(32 * 1024, 512 * 1024, NULL);
    pcre2_jit_stack_assign(p.context, NULL, p.stack);
    if (jit) pcre2_jit_compile(p.code, PCRE2_JIT_COMPLETE);
    return p;
}

static void plain_free(struct plain *p)
{
    pcre2_code_free(p->code);
    pcre2_match_data_free(p->data);
    pcre2_match_context_free(p->context);
    pcre2_jit_stack_free(p->stack);
}

static double measure(const char *source, struct str text, bool jit)
{
    struct pattern_fault fault;
    struct pattern *ours = pattern_compile(str_of(source), 0, &fault);
    struct pattern_matcher *matcher = pattern_matcher_create();
    struct plain plain = plain_create(source, jit);
    if (!ours || !plain.code) abort();
    if (jit) pattern_jit(ours);
    int calls = text.n <= SMALL ? CALLS_SMALL : CALLS_BIG, odd = 0;
    double best_plain = 1e18, best_ours = 1e18;
    for (int round = 0; round < ROUNDS; round++) {
        double begin = nanoseconds();
        for (int i = 0; i < calls; i++)
            odd += pcre2_match(plain.code, (PCRE2_SPTR)text.p, text.n, 0, PCRE2_NO_UTF_CHECK, plain.data,
                               plain.context) != PCRE2_ERROR_NOMATCH;
        double middle = nanoseconds();
        for (int i = 0; i < calls; i++) {
            struct pattern_subject subject = {text, true};
            struct pattern_budget budget = {.clock = microseconds, .deadline = UINT64_MAX};
            odd += pattern_match(ours, matcher, &subject, 0, &budget, NULL) != PATTERN_NO;
        }
        double end = nanoseconds();
        if ((middle - begin) / calls < best_plain) best_plain = (middle - begin) / calls;
        if ((end - middle) / calls < best_ours) best_ours = (end - middle) / calls;
    }
    printf("%-36s %6zu bytes  %-11s  plain %9.0f ns  ours %9.0f ns  ratio %.2f%s\n", source, text.n,
           jit ? "jit" : "interpreted", best_plain, best_ours, best_ours / best_plain, odd ? "  NOT ONLY NO" : "");
    plain_free(&plain);
    pattern_matcher_free(&matcher);
    pattern_free(&ours);
    return best_ours / best_plain;
}

int main(void)
{
    static char text[BIG];
    write_mail(text);
    static const size_t sizes[] = {SMALL, BIG};
    double worst = 0;
    for (int k = 0; k < 4; k++) {
        for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
            double ratio = measure(sources[i], (struct str){text, sizes[k % 2]}, k < 2);
            if (ratio > worst) worst = ratio;
        }
    }
    printf("worst ratio %.2f\n", worst);
    return 0;
}
