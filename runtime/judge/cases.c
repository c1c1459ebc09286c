#include "judge/cases.h"

#include "bytecode/disasm.h"
#include "judge/case_input.h"
#include "mail/address.h"
#include "stdlib/vocabulary.h"
#include "stdlib/words.h"

/* One action, expected or carried out. */
struct item {
    uint32_t action; /* row */
    uint32_t first, count;
    bool used;
};
struct items {
    VEC(struct item) v;
    struct obligation need;
};

/* --- arguments ---------------------------------------------------------------------------------------------------- */

static const struct argument *argument_of(const struct program *p, const struct item *x, uint8_t param)
{
    for (uint32_t i = x->first; i < x->first + x->count; i++)
        if (p->arguments[i].param == param) return &p->arguments[i];
    return NULL;
}

static struct str text_of(const struct program *p, const struct item *x, uint8_t param)
{
    const struct argument *a = argument_of(p, x, param);
    return a && a->operand == OPERAND_CONSTANT ? p->constants[a->index].text : STR_NONE;
}

static bool same_address(struct str a, struct str b)
{
    struct buf x = {0}, y = {0};
    bool same = address_canonical(a, &x) && address_canonical(b, &y) && str_eq(buf_str(&x), buf_str(&y));
    buf_free(&x);
    buf_free(&y);
    return same;
}

static bool same_value(const struct program *p, const struct argument *a, const struct argument *b)
{
    if (a->param != b->param || a->operand != b->operand) return false;
    if (a->index == b->index) return true;
    if (a->operand != OPERAND_CONSTANT) return false;
    const struct constant *x = &p->constants[a->index], *y = &p->constants[b->index];
    if (x->type != y->type || x->number != y->number) return false;
    return x->type == TYPE_ADDRESS ? same_address(x->text, y->text) : str_eq(x->text, y->text);
}

/* Every argument of `want` is among those of `has`. */
static bool covers(const struct program *p, const struct item *has, const struct item *want)
{
    if (has->action != want->action) return false;
    for (uint32_t i = want->first; i < want->first + want->count; i++) {
        bool found = false;
        for (uint32_t k = has->first; k < has->first + has->count && !found; k++)
            found = same_value(p, &p->arguments[k], &p->arguments[i]);
        if (!found) return false;
    }
    return true;
}

static bool same(const struct program *p, const struct item *a, const struct item *b)
{
    return covers(p, a, b) && covers(p, b, a);
}

static struct obligation need_of(const struct program *p, const struct item *x)
{
    return stdlib_tls_obligation(text_of(p, x, PARAM_REQUIRE_TLS_LEVEL), text_of(p, x, PARAM_REQUIRE_TLS_MIN));
}

/* --- as it is written --------------------------------------------------------------------------------------------- */

static void print_need(struct obligation need, struct buf *out)
{
    static const char *const levels[] = {[TLS_PEER_ANY_CHANNEL] = "",
                                         [TLS_PEER_ENCRYPT] = "",
                                         [TLS_PEER_VERIFIED] = " verified",
                                         [TLS_PEER_DANE] = " dane"};
    bool word = need.onward && need.peer <= TLS_PEER_VERIFIED;
    buf_printf(out, "require_tls%s", word ? " requiretls" : levels[need.peer]);
    if (need.floor != TLS_FLOOR_DEFAULT) buf_printf(out, " min \"%s\"", need.floor == TLS_FLOOR_1_2 ? "1.2" : "1.3");
    if (need.onward && !word) buf_add(out, STR(", require_tls requiretls"));
}

static struct str print_items(const struct program *p, struct arena *a, const struct items *all)
{
    struct buf out = {0};
    if (obligation_demands_tls(all->need)) print_need(all->need, &out);
    for (size_t i = 0; i < all->v.n; i++) {
        const struct item *x = &all->v.v[i];
        if (out.n) buf_add(&out, STR(", "));
        disasm_call(p, &stdlib_rows, x->action, x->first, x->count, &out);
    }
    struct str s = out.n ? arena_str(a, buf_str(&out)) : STR("nothing");
    buf_free(&out);
    return s;
}

/* --- what was expected -------------------------------------------------------------------------------------------- */

static bool names(const struct program *p, uint32_t list, struct str canonical)
{
    const struct program_list *l = &p->lists[list];
    for (uint32_t i = 0; i < l->count; i++)
        if (address_matches(p->constants[l->first + i].text, canonical)) return true;
    return false;
}

/* Whether an expectation speaks of this recipient: by name, or of all that the test gives. */
static bool speaks_of(const struct program *p, const struct expectation *x, struct str canonical, bool added)
{
    return x->list == NO_INDEX ? !added : names(p, x->list, canonical);
}

static bool collect_expected(const struct program *p, const struct program_case *c, struct str canonical, bool added,
                             struct items *out)
{
    bool spoken = false;
    for (uint32_t i = 0; i < c->expectation_count; i++) {
        const struct expectation *x = &p->expectations[c->first_expectation + i];
        struct item item = {x->action, x->first_argument, x->argument_count, false};
        if (!speaks_of(p, x, canonical, added)) continue;
        spoken = true;
        if (x->action == NO_INDEX) continue;
        if (x->action == ACTION_REQUIRE_TLS) out->need = obligation_join(out->need, need_of(p, &item));
        else VEC_PUSH(&out->v, item);
    }
    return spoken;
}

/* --- what was done ------------------------------------------------------------------------------------------------ */

/* Of actions of which the last wins: whether these two are for the same thing. */
static bool replaces(const struct program *p, const struct action_row *row, const struct item *a, const struct item *b)
{
    if (row->join != JOIN_LAST && row->join != JOIN_LATEST) return false;
    for (uint8_t i = 0; i < row->param_count; i++) {
        if (row->params[i].type != TYPE_TEXT || !str_eq(str_of(row->params[i].words), STR("header"))) continue;
        return str_eq_nocase(text_of(p, a, i), text_of(p, b, i));
    }
    return true;
}

static void add_done(const struct program *p, struct items *out, struct item x)
{
    const struct action_row *row = &stdlib_rows.actions[x.action];
    for (size_t i = 0; i < out->v.n; i++) {
        struct item *before = &out->v.v[i];
        if (before->action != x.action) continue;
        if (x.action != ACTION_ADD_HEADER && same(p, before, &x)) return;
        if (!replaces(p, row, before, &x)) continue;
        *before = x;
        return;
    }
    VEC_PUSH(&out->v, x);
}

static void add_own(struct items *out, uint32_t action)
{
    VEC_PUSH(&out->v, (struct item){.action = action});
}

/* The machine itself keeps what could not be read, and defers what cannot be judged now. */
static void add_what_nobody_asked(const struct trace_fate *fate, struct items *out)
{
    for (size_t i = 0; i < out->v.n; i++)
        if (stdlib_rows.actions[out->v.v[i].action].final) return;
    if (fate->disposition == DISPOSITION_HOLD) add_own(out, ACTION_HOLD);
}

static void collect_done(const struct program *p, const struct trace *t, uint32_t recipient, struct items *out)
{
    const struct trace_fate *fate = &t->fates.v[recipient];
    out->need = fate->need;
    for (size_t i = 0; i < t->actions.n; i++) {
        const struct trace_action *ta = &t->actions.v[i];
        const struct action *a = &p->actions[ta->action];
        if (ta->recipient != recipient || ta->audit || a->action == ACTION_REQUIRE_TLS) continue;
        if (stdlib_rows.actions[a->action].final && fate->disposition == DISPOSITION_DELIVER)
            continue; /* its own target */
        add_done(p, out, (struct item){a->action, a->first_argument, a->argument_count, false});
    }
    add_what_nobody_asked(fate, out);
}

/* One deferred recipient defers the message, and nothing else happens. */
static void collect_deferred(const struct program *p, const struct trace *t, struct items *out)
{
    for (size_t i = 0; i < t->actions.n; i++) {
        const struct action *a = &p->actions[t->actions.v[i].action];
        if (a->action != ACTION_DEFER || t->actions.v[i].audit) continue;
        VEC_PUSH(&out->v, (struct item){a->action, a->first_argument, a->argument_count, false});
        return;
    }
    add_own(out, ACTION_DEFER);
}

/* --- both together ------------------------------------------------------------------------------------------------ */

/* What does nothing to the mail counts only when it is expected. */
static bool is_aside(uint32_t action)
{
    uint8_t join = stdlib_rows.actions[action].join;
    return action == ACTION_LOG || join == JOIN_STOP || join == JOIN_UNION;
}

static bool agree(const struct program *p, struct items *want, struct items *done)
{
    bool good = obligation_equal(want->need, done->need);
    for (size_t i = 0; i < want->v.n; i++) {
        bool found = false;
        for (size_t k = 0; k < done->v.n && !found; k++) {
            struct item *x = &done->v.v[k];
            if (x->used || !covers(p, x, &want->v.v[i])) continue;
            x->used = found = true;
        }
        good = good && found;
    }
    size_t kept = 0;
    for (size_t k = 0; k < done->v.n; k++) { /* what is aside and was not asked for is not told either */
        if (!done->v.v[k].used && is_aside(done->v.v[k].action)) continue;
        good = good && done->v.v[k].used;
        done->v.v[kept++] = done->v.v[k];
    }
    done->v.n = kept;
    return good;
}

static struct str canonical_of(struct arena *a, struct str address)
{
    struct buf b = {0};
    address_canonical(address, &b);
    struct str s = arena_str(a, buf_str(&b));
    buf_free(&b);
    return s;
}

struct running {
    const struct program *p;
    const struct program_case *row;
    struct arena *arena;
    const struct trace *trace;
    bool deferred;
    size_t envelope;
    struct case_result *out;
};

static void compare_recipient(struct running *r, uint32_t i)
{
    struct items want = {0}, done = {0};
    struct str address = r->trace->recipients.v[i];
    bool added = i >= r->envelope;
    bool spoken = collect_expected(r->p, r->row, canonical_of(r->arena, address), added, &want);
    if (r->deferred) collect_deferred(r->p, r->trace, &done);
    else collect_done(r->p, r->trace, i, &done);
    bool good = (added && !spoken) || agree(r->p, &want, &done);
    if (!added || spoken)
        r->out->recipients[r->out->recipient_count++] = (struct case_recipient){
            address, print_items(r->p, r->arena, &want), print_items(r->p, r->arena, &done), good};
    r->out->passed &= good;
    VEC_FREE(&want.v);
    VEC_FREE(&done.v);
}

/* Somebody is named who is no recipient; a pattern that names nobody likewise. */
static void find_strangers(struct running *r)
{
    for (uint32_t i = 0; i < r->row->expectation_count; i++) {
        const struct expectation *x = &r->p->expectations[r->row->first_expectation + i];
        if (x->list == NO_INDEX) continue;
        const struct program_list *l = &r->p->lists[x->list];
        for (uint32_t k = 0; k < l->count; k++) {
            struct str named = r->p->constants[l->first + k].text;
            bool found = false;
            for (size_t t = 0; t < r->trace->recipients.n && !found; t++)
                found = address_matches(named, canonical_of(r->arena, r->trace->recipients.v[t]));
            for (size_t t = 0; t < r->out->recipient_count && !found; t++) /* told already */
                found = str_eq(r->out->recipients[t].address, named);
            if (found) continue;
            struct items want = {0};
            struct item item = {x->action, x->first_argument, x->argument_count, false};
            if (x->action == ACTION_REQUIRE_TLS) want.need = need_of(r->p, &item);
            else if (x->action != NO_INDEX) VEC_PUSH(&want.v, item);
            r->out->recipients[r->out->recipient_count++] =
                (struct case_recipient){named, print_items(r->p, r->arena, &want), STR("is no recipient"), false};
            r->out->passed = false;
            VEC_FREE(&want.v);
        }
    }
}

static void note_rules(const struct trace *t, uint8_t *rules)
{
    for (size_t i = 0; i < t->rules.n; i++) {
        const struct trace_rule *tr = &t->rules.v[i];
        if (tr->state != TRACE_RAN || tr->second) continue;
        for (size_t k = 0; k < tr->answers.n; k++) {
            char letter = tr->answers.p[k];
            if (letter != '-') rules[tr->rule] |= letter == 'T' ? CASE_YES : letter == 'F' ? CASE_NO : CASE_UNDECIDED;
        }
    }
}

/* --- the clock ---------------------------------------------------------------------------------------------------- */

static bool is_unsaid(const struct program *p, const struct program_case *c, uint32_t field)
{
    for (uint32_t i = 0; i < c->given_count; i++) {
        const struct given *g = &p->givens[c->first_given + i];
        if (g->kind == GIVEN_UNSAID && p->field_refs[g->index].field == field) return true;
    }
    return false;
}

/* The field of the clock that this rule needed and the test does not say; NO_INDEX: none. */
static uint32_t clock_wanted(const struct running *r, const struct trace_rule *tr)
{
    if (tr->state != TRACE_RAN || tr->second || str_find_byte(tr->answers, 'E') == STR_NPOS) return NO_INDEX;
    for (size_t i = tr->first_test; i < tr->test_end; i++) {
        const struct test *t = &r->p->tests[r->trace->tests.v[i].test];
        const uint32_t refs[] = {t->field, t->operand == OPERAND_FIELD ? t->a : t->field};
        if (str_find_byte(r->trace->tests.v[i].answers, 'E') == STR_NPOS) continue;
        for (size_t k = 0; k < 2; k++) {
            uint32_t field = r->p->field_refs[refs[k]].field;
            if (is_unsaid(r->p, r->row, field)) return field;
        }
    }
    return NO_INDEX;
}

/* The outcome would depend on when it is: then the test must say it.  Of audit rules nothing depends. */
static void find_open_clock(struct running *r)
{
    for (size_t i = 0; i < r->trace->rules.n && !r->out->why.n; i++) {
        const struct trace_rule *tr = &r->trace->rules.v[i];
        const struct rule *rule = &r->p->rules[tr->rule];
        uint32_t field = clock_wanted(r, tr);
        if (field == NO_INDEX || (rule->mode != MODE_ENFORCE && !r->row->enforce)) continue;
        struct str name = str_of(stdlib_rows.fields[field].name);
        const char *example = str_eq(name, STR("time")) ? "time 18:00" : str_eq(name, STR("date")) ? "date 2026-09-01"
                                                                                                  : "weekday monday";
        r->out->passed = false;
        r->out->why =
            arena_printf(r->arena, "the rule `%.*s` asks for the %s here, so the test must say it: given %s",
                         STR_ARG(rule->identity), str_eq(name, STR("time")) ? "time of day" : name.p, example);
    }
}

static size_t strangers_most(const struct program *p, const struct program_case *c)
{
    size_t n = 0;
    for (uint32_t i = 0; i < c->expectation_count; i++) {
        uint32_t list = p->expectations[c->first_expectation + i].list;
        if (list != NO_INDEX) n += p->lists[list].count;
    }
    return n;
}

void case_run(struct judge *j, uint32_t index, struct arena *a, struct case_result *out)
{
    const struct program *p = judge_program(j);
    struct case_input in;
    struct judge_answer answer;
    struct trace trace = {.arena = a};
    case_input_make(p, judge_settings(j), index, a, &in);
    judge_message_in_case(j, a, &in.request, in.content, &(struct judge_case){&in.given, in.lists}, &answer, &trace);
    *out = (struct case_result){.passed = true, .rules = ARENA_ARRAY(a, uint8_t, p->rules_count)};
    if (answer.kind == JUDGE_VERDICT) {
        struct running r = {p, &p->cases[index], a, &trace, answer.verdict.answer == VERDICT_DEFER,
                            in.request.envelope.recipient_count, out};
        out->recipients =
            ARENA_ARRAY(a, struct case_recipient, trace.recipients.n + strangers_most(p, &p->cases[index]));
        for (uint32_t i = 0; i < trace.recipients.n; i++) compare_recipient(&r, i);
        find_strangers(&r);
        note_rules(&trace, out->rules);
        find_open_clock(&r);
    } else {
        out->passed = false;
        out->why = answer.why;
    }
    trace_free(&trace);
}

/* --- reports ------------------------------------------------------------------------------------------------------ */

void case_print(const struct program *p, uint32_t index, const struct case_result *r, const char *prefix,
                struct buf *out)
{
    const struct origin *o = &p->cases[index].origin;
    buf_printf(out, "%sat %.*s:%u:%u\n", prefix, STR_ARG(p->sources[o->source].name), o->line, o->column);
    if (r->why.n) buf_printf(out, "%sit cannot be judged: %.*s\n", prefix, STR_ARG(r->why));
    for (size_t i = 0; i < r->recipient_count; i++) {
        const struct case_recipient *x = &r->recipients[i];
        if (x->good) continue;
        buf_printf(out, "%sfor %.*s\n%s  expected: %.*s\n%s  actual:   %.*s\n", prefix, STR_ARG(x->address), prefix,
                   STR_ARG(x->expected), prefix, STR_ARG(x->actual));
    }
}

bool cases_hold(struct judge *j, struct buf *out)
{
    const struct program *p = judge_program(j);
    struct arena *a = arena_create();
    uint32_t failed = 0;
    for (uint32_t i = 0; i < p->cases_count; i++) {
        struct case_result r;
        case_run(j, i, a, &r);
        if (!r.passed) {
            const struct origin *o = &p->cases[i].origin;
            failed++;
            buf_printf(out, "%.*s:%u:%u: the test \"%.*s\" fails\n", STR_ARG(p->sources[o->source].name), o->line,
                       o->column, STR_ARG(p->cases[i].name));
            case_print(p, i, &r, "  ", out);
        }
        arena_reset(a);
    }
    arena_free(&a);
    if (failed) buf_printf(out, "%u of %u tests of the rule set fail\n", failed, p->cases_count);
    return !failed;
}
