/* The index against the plain way of judging: random rule sets and messages, the same verdict to the last byte.
 *
 * SLUICE_INDEX_PAIRS and SLUICE_INDEX_SEED ask for more than the usual run, or another one. */
#include "vm/index.h"

#include <stdio.h>
#include <stdlib.h>

#include "message/message.h"
#include "pattern/literals.h"
#include "stdlib/vocabulary.h"
#include "judge/protocol.h"
#include "tests/support/check.h"
#include "tests/support/compiled.h"
#include "tests/support/random_policy.h"
#include "vm/ready.h"
#include "vm/run.h"

enum { PAIRS = 20000, MESSAGES_PER_SET = 50 };

static struct str internal[] = {{"corp.example", 12}};
static const struct settings settings = {.internal = {internal, 1}};

/* Judges and writes the answer, or the reason there is none. */
static void judge(const struct vm_program *p, const struct envelope *env, struct str content, struct trace *t,
                  bool plain, struct arena *a, struct buf *out)
{
    struct err e = {0};
    struct judge_answer answer = {.id = 1, .kind = JUDGE_VERDICT};
    struct vm_input in = {.envelope = env,
                          .queue_id = STR("Q"),
                          .message = message_open(a, content, NULL),
                          .now = 1795474800,
                          .settings = &settings,
                          .plain = plain};
    out->n = 0;
    if (vm_judge(p, &in, a, &answer.verdict, t, &e))
        protocol_encode_answer(&answer, out);
    else
        buf_printf(out, "%s", e.text);
}

struct counts {
    uint64_t pairs, sets, refused, hits, spared;
};

static void tell_difference(struct str rules, struct str content, uint64_t seed)
{
    print_error("judged differently with the index (set of seed %llu):\n%.*s\n--\n%.*s\n", (unsigned long long)seed,
                STR_ARG(rules), STR_ARG(content));
}

/* One message: with the index, without it, and without it under a trace, which keeps nothing from test to test. */
static bool same(const struct vm_program *p, struct dice *d, struct str rules, uint64_t seed, struct counts *c)
{
    struct arena *a = arena_create();
    struct buf content = {0}, with = {0}, without = {0};
    struct envelope env;
    random_envelope(d, a, &env);
    random_message(d, &content);
    judge(p, &env, buf_str(&content), NULL, false, a, &with);
    struct trace t = {.arena = a};
    bool traced = dice_roll(d, 2);
    judge(p, &env, buf_str(&content), traced ? &t : NULL, true, a, &without);
    bool good = str_eq(buf_str(&with), buf_str(&without));
    if (!good) tell_difference(rules, buf_str(&content), seed);
    c->hits += without.n;
    trace_free(&t);
    buf_free(&content);
    buf_free(&with);
    buf_free(&without);
    arena_free(&a);
    return good;
}

static uint64_t number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static bool try_set(uint64_t seed, struct counts *c)
{
    struct dice d = {seed};
    struct buf rules = {0};
    struct compiled compiled;
    struct err e = {0};
    bool good = true;
    random_rules(&d, &rules);
    compiled_open(&compiled, buf_str(&rules));
    struct vm_program *p = compiled.program ? vm_load(compiled.program, &stdlib_vocabulary, &e) : NULL;
    if (!p) {
        c->refused++;
    } else {
        c->sets++;
        for (int i = 0; i < MESSAGES_PER_SET && good; i++, c->pairs++) good = same(p, &d, buf_str(&rules), seed, c);
    }
    vm_program_free(&p);
    compiled_close(&compiled);
    buf_free(&rules);
    return good;
}

static void the_index_changes_nothing(void **state)
{
    (void)state;
    uint64_t pairs = number("SLUICE_INDEX_PAIRS", PAIRS), seed = number("SLUICE_INDEX_SEED", 1);
    struct counts c = {0};
    for (uint64_t i = seed; c.pairs < pairs; i++) {
        assert_true(try_set(i, &c));
        assert_true(c.refused <= 20 + c.sets); /* else it is not the index that is tried */
    }
    printf("# seed %llu: %llu pairs of %llu rule sets, %llu not compiled, 0 differences\n", (unsigned long long)seed,
           (unsigned long long)c.pairs, (unsigned long long)c.sets, (unsigned long long)c.refused);
}

int main(void)
{
    if (!literals_available()) {
        printf("1..0 # skipped: there is no index here\n");
        return 0;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_index_changes_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
