/* What N rules cost a message: CPU time of judging one, in one process, less that of judging it with none.
 *
 *     rules_bench DIRECTORY SIZE ROUNDS [N…]
 *
 * DIRECTORY is tests/bench/rules.py's; SIZE 4k or 100k.  One line of JSON: for each N the median over ROUNDS of the CPU
 * microseconds a message takes with the index, without rules in the same round, and what lies between; and what loading
 * took.  Each round judges with every set in turn, so that a machine that changes its pace does it to all of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/sort.h"
#include "judge/judge.h"
#include "message/charset.h"
#include "tests/support/compiled.h"
#include "tests/support/read_file.h"

enum { SETS_MAX = 16, ROUNDS_MAX = 99 };

struct set {
    unsigned rules;
    struct compiled compiled;
    struct judge *judge;
    double load_ms, cpu[ROUNDS_MAX], marginal[ROUNDS_MAX];
};

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void load(struct set *s, const char *directory, const struct settings *settings)
{
    char path[4096];
    struct err e = {0};
    snprintf(path, sizeof path, "%s/mixed.%u.sluice", directory, s->rules);
    compiled_open_disk(&s->compiled, path);
    if (!s->compiled.program) {
        fprintf(stderr, "%.*s", STR_ARG(compiled_diagnostics(&s->compiled)));
        exit(1);
    }
    double began = cpu_seconds();
    s->judge = judge_create(s->compiled.program, settings, &e);
    s->load_ms = (cpu_seconds() - began) * 1e3;
    if (s->judge) return;
    fprintf(stderr, "%s: %s\n", path, e.text);
    exit(1);
}

/* Microseconds a message; how many are judged follows from the time they take. */
static double judge(struct set *s, const struct judge_request *r, struct str content, unsigned messages)
{
    struct arena *a = arena_create();
    struct judge_answer answer;
    double began = 0;
    for (unsigned i = 0; i < messages + messages / 8; i++) {
        if (i == messages / 8) began = cpu_seconds(); /* the first warm the caches */
        judge_message(s->judge, a, r, content, &answer, NULL);
        unsigned hits = answer.kind == JUDGE_VERDICT ? (unsigned)answer.verdict.hit_count : 99;
        if (hits != (s->rules > 0)) {
            fprintf(stderr, "%u rules: %u hits, and only the last holds\n", s->rules, hits);
            exit(1);
        }
        arena_reset(a);
    }
    double took = cpu_seconds() - began;
    arena_free(&a);
    return took * 1e6 / messages;
}

static int by_value(const void *a, const void *b, void *unused)
{
    double x = *(const double *)a, y = *(const double *)b;
    (void)unused;
    return (x > y) - (x < y);
}

static double median(double *v, unsigned n)
{
    sort_array(v, n, sizeof *v, by_value, NULL);
    return v[n / 2];
}

int main(int argc, char **argv)
{
    static struct set sets[SETS_MAX];
    static const struct settings settings;
    if (argc < 4) {
        fprintf(stderr, "rules_bench DIRECTORY SIZE ROUNDS [N...]\n");
        return 64;
    }
    unsigned rounds = (unsigned)atoi(argv[3]), n = 1;
    if (rounds < 1 || rounds > ROUNDS_MAX) rounds = 5;
    struct err e = {0};
    if (!charset_warm(&e)) return 1;
    char path[4096];
    snprintf(path, sizeof path, "%s/m%s.eml", argv[1], argv[2]);
    struct arena *a = arena_create();
    struct str content = read_file(a, path);
    for (int i = 4; i < argc && n < SETS_MAX; i++) sets[n++].rules = (unsigned)atoi(argv[i]);
    for (unsigned i = 0; i < n; i++) load(&sets[i], argv[1], &settings);

    struct str to[] = {STR("bob@perf.test")};
    struct judge_request r = {.id = 1, .queue_id = STR("Q"), .now = 1795474800, .size = content.n};
    r.envelope = (struct envelope){.client = {.ip = STR("192.0.2.10"), .helo = STR("out.sender.example")},
                                   .reverse_path = STR("alice@sender.example"),
                                   .recipients = to,
                                   .recipient_count = 1};
    unsigned messages = content.n > 20000 ? 300 : 3000;
    for (unsigned k = 0; k < rounds; k++) {
        for (unsigned i = 0; i < n; i++) {
            sets[i].cpu[k] = judge(&sets[i], &r, content, messages);
            sets[i].marginal[k] = sets[i].cpu[k] - sets[0].cpu[k];
        }
    }
    printf("{\"size\": %zu, \"rounds\": %u, \"sets\": [", content.n, rounds);
    for (unsigned i = 0; i < n; i++)
        printf("%s{\"rules\": %u, \"cpu_us\": %.2f, \"marginal_us\": %.2f, \"load_ms\": %.1f}", i ? ", " : "",
               sets[i].rules, median(sets[i].cpu, rounds), median(sets[i].marginal, rounds), sets[i].load_ms);
    printf("]}\n");
    for (unsigned i = 0; i < n; i++) {
        judge_free(&sets[i].judge);
        compiled_close(&sets[i].compiled);
    }
    arena_free(&a);
    return 0;
}
