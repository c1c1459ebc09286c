/* `sluice test`: the tests in rule files, as TAP, with what each rule was in them. */
#include <string.h>
#include <sysexits.h>

#include "base/json.h"
#include "builder/build.h"
#include "cli/cli.h"
#include "judge/cases.h"

enum { FAILED = 1 }; /* the exit status when a test fails: the rules themselves are in order */

/* In how many tests a rule's condition was so for somebody. */
struct coverage {
    uint32_t yes, no, undecided;
};

struct run {
    const struct program *p;
    struct judge *judge;
    struct coverage *rules;
    uint32_t passed, failed;
    bool json, colour;
    struct buf out;
};

static void count(struct run *r, const uint8_t *rules)
{
    for (uint32_t i = 0; i < r->p->rules_count; i++) {
        r->rules[i].yes += (rules[i] & CASE_YES) != 0;
        r->rules[i].no += (rules[i] & CASE_NO) != 0;
        r->rules[i].undecided += (rules[i] & CASE_UNDECIDED) != 0;
    }
}

static void put_place(struct js *o, const struct program *p, const struct origin *origin)
{
    js_put_str(o, "file", p->sources[origin->source].name);
    js_put_num(o, "line", origin->line);
}

static void print_line(struct run *r, struct js *o)
{
    js_print(o, &r->out);
    buf_add_byte(&r->out, '\n');
    js_free(&o);
}

static void case_json(struct run *r, uint32_t i, const struct case_result *result)
{
    struct js *o = js_object(), *recipients = js_array();
    js_put_str(o, "test", r->p->cases[i].name);
    put_place(o, r->p, &r->p->cases[i].origin);
    js_put_bool(o, "passed", result->passed);
    if (result->why.n) js_put_str(o, "why", result->why);
    for (size_t k = 0; k < result->recipient_count; k++) {
        const struct case_recipient *x = &result->recipients[k];
        struct js *one = js_object();
        js_put_str(one, "recipient", x->address);
        js_put_str(one, "expected", x->expected);
        js_put_str(one, "actual", x->actual);
        js_put_bool(one, "passed", x->good);
        js_add(recipients, one);
    }
    js_put(o, "recipients", recipients);
    print_line(r, o);
}

static void case_text(struct run *r, uint32_t i, const struct case_result *result)
{
    const char *word = result->passed ? "ok" : "not ok";
    if (r->colour) buf_printf(&r->out, "\033[%sm%s\033[0m", result->passed ? "32" : "31", word);
    else buf_printf(&r->out, "%s", word);
    buf_printf(&r->out, " %u - %.*s\n", i + 1, STR_ARG(r->p->cases[i].name));
    if (!result->passed) case_print(r->p, i, result, "#   ", &r->out);
}

static void run_all(struct run *r)
{
    struct arena *a = arena_create();
    if (!r->json) buf_printf(&r->out, "1..%u\n", r->p->cases_count);
    for (uint32_t i = 0; i < r->p->cases_count; i++) {
        struct case_result result;
        case_run(r->judge, i, a, &result);
        count(r, result.rules);
        if (result.passed) r->passed++;
        else r->failed++;
        if (r->json) case_json(r, i, &result);
        else case_text(r, i, &result);
        put(&r->out, stdout);
        arena_reset(a);
    }
    arena_free(&a);
}

/* --- what the tests saw of each rule ------------------------------------------------------------------------------ */

static void rule_json(struct run *r, uint32_t i)
{
    const struct coverage *c = &r->rules[i];
    struct js *o = js_object();
    js_put_str(o, "rule", r->p->rules[i].identity);
    put_place(o, r->p, &r->p->rules[i].origin);
    js_put_num(o, "yes", c->yes);
    js_put_num(o, "no", c->no);
    js_put_num(o, "undecided", c->undecided);
    print_line(r, o);
}

static const char *remark(const struct coverage *c)
{
    if (!c->yes && !c->no && !c->undecided) return "no test reaches it";
    if (!c->yes) return "no test where it applies";
    if (!c->no) return "no test where it does not apply";
    return "";
}

static void print_coverage(struct run *r)
{
    uint32_t both = 0;
    if (!r->json && r->p->rules_count) buf_printf(&r->out, "#   yes    no  undecided  rule\n");
    for (uint32_t i = 0; i < r->p->rules_count; i++) {
        const struct rule *rule = &r->p->rules[i];
        const struct coverage *c = &r->rules[i];
        both += c->yes && c->no;
        if (r->json) {
            rule_json(r, i);
            continue;
        }
        buf_printf(&r->out, "# %5u %5u %10u  ", c->yes, c->no, c->undecided);
        if (rule->named) buf_printf(&r->out, "%.*s", STR_ARG(rule->identity));
        else buf_printf(&r->out, "%.*s:%u", STR_ARG(r->p->sources[rule->origin.source].name), rule->origin.line);
        if (*remark(c)) buf_printf(&r->out, ": %s", remark(c));
        buf_add_byte(&r->out, '\n');
    }
    if (r->json) {
        struct js *o = js_object();
        js_put_num(o, "passed", r->passed);
        js_put_num(o, "failed", r->failed);
        js_put_num(o, "rules", r->p->rules_count);
        js_put_num(o, "covered", both);
        print_line(r, o);
    } else {
        buf_printf(&r->out, "# %u of %u rule%s seen to apply and not to apply\n%u passed, %u failed\n", both,
                   r->p->rules_count, r->p->rules_count == 1 ? "" : "s", r->passed, r->failed);
    }
    put(&r->out, stdout);
}

int test_main(int argc, char **argv)
{
    struct run r = {.colour = use_colour(stdout)};
    const struct option options[] = {{"json", NULL, &r.json, NULL}};
    argc = options_parse(command_find("test"), argc, argv, options, 1);
    if (argc != 2) return usage("test", "which one file?");

    int status = EX_OK;
    struct err e = {0};
    struct settings settings;
    struct arena *a = arena_create();
    struct program *p = rule_set_load(argv[1], DIAGNOSTICS_TEXT, false, stderr, NULL, &status);
    if (p && !(settings_declared(a, p, argv[1], &settings, &e) && (r.judge = judge_create(p, &settings, &e))))
        status = fail(&e);
    if (r.judge) {
        r.p = p;
        r.rules = ARENA_ARRAY(a, struct coverage, p->rules_count);
        run_all(&r);
        print_coverage(&r);
        if (r.failed) status = FAILED;
        judge_free(&r.judge);
    }
    buf_free(&r.out);
    program_free(&p);
    arena_free(&a);
    return status;
}
