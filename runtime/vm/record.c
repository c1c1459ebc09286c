#include "vm/record.h"

#include "vm/shown.h"

static const char letters[] = "FTAUE"; /* by enum answer_value */

static struct str bounded(struct arena *a, struct str s, bool *cut) { return shown_line(a, s, TRACE_VALUE_MAX, cut); }

/* --- tests -------------------------------------------------------------------------------------------------------- */

static struct trace_test *test_under_way(struct judgement *j)
{
    struct trace *t = j->trace;
    return t->tests.n && t->tests.n <= TRACE_TESTS_MAX ? &t->tests.v[t->tests.n - 1] : NULL;
}

void record_test_begin(struct judgement *j, uint32_t test)
{
    struct trace *t = j->trace;
    if (t->tests.n > TRACE_TESTS_MAX) return; /* one spare row takes what is not kept */
    VEC_PUSH(&t->tests, (struct trace_test){.test = test});
}

/* The place where it matched, between whole characters. */
static void record_place(struct arena *a, const struct relation_where *w, struct trace_value *out)
{
    bool cut;
    if (w->to > w->text.n || w->from > w->to || w->to == 0) return;
    struct str before = shown_before(w->text, w->from, TRACE_AROUND_MAX);
    struct str after = shown_after(w->text, w->to, TRACE_AROUND_MAX);
    out->cut_before = before.n < w->from;
    out->cut_after = after.n < w->text.n - w->to;
    out->before = bounded(a, before, &cut);
    out->match = bounded(a, str_slice(w->text, w->from, w->to), &cut);
    out->after = bounded(a, after, &cut);
}

void record_value(struct judgement *j, const struct ready_test *t, const struct record_seen *seen)
{
    struct trace_test *x = test_under_way(j);
    if (!x || x->value_count >= TRACE_VALUES_MAX) return;
    if (!x->values) x->values = ARENA_ARRAY(j->trace->arena, struct trace_value, TRACE_VALUES_MAX);
    struct trace_value *out = &x->values[x->value_count++];
    out->text = bounded(j->trace->arena, shown_words(j, j->trace->arena, t->left, seen->view), &out->cut);
    out->matched = seen->matched;
    out->from = (uint32_t)seen->where->from;
    out->to = (uint32_t)seen->where->to;
    out->element = j->seen_element;
    out->elements = j->seen_elements;
    out->view = seen->number;
    out->views = seen->count;
    bool differs = t->left->by_recipient || (t->left->by_edits && j->class_count > 1);
    out->recipient = differs ? seen->recipient : NO_INDEX;
    if (seen->matched) record_place(j->trace->arena, seen->where, out);
    if (seen->view->manners) {
        char name[MANNERS_TEXT_MAX];
        size_t n = message_manners_print(seen->view->manners, name, sizeof name);
        out->manner = arena_str(j->trace->arena, (struct str){name, n});
    }
}

static struct str answer_text(struct arena *a, const struct answer *x, size_t members, const uint64_t *who)
{
    if (x->uniform && !who) return arena_printf(a, "%c", letters[x->value]);
    char *p = arena_alloc(a, members + 1);
    for (size_t i = 0; i < members; i++) p[i] = who && !bit_has(who, i) ? '-' : letters[answer_get(x, i)];
    return (struct str){p, members};
}

void record_test_end(struct judgement *j, const struct answer *x, size_t members, const uint64_t *who)
{
    struct trace_test *t = test_under_way(j);
    if (!t) return;
    t->of_elements = !who;
    t->answers = answer_text(j->trace->arena, x, members, x->uniform ? NULL : who);
    bool cut;
    t->why = j->why.n ? bounded(j->trace->arena, j->why, &cut) : STR_NONE;
}

/* --- rules, actions, facts ---------------------------------------------------------------------------------------- */

uint64_t record_clock(const struct judgement *j) { return j->in->clock ? j->in->clock(j->in->clock_self) : 0; }

struct trace_rule *record_rule(struct judgement *j, uint32_t rule, enum trace_state state)
{
    struct trace *t = j->trace;
    struct trace_rule r = {
        .rule = rule, .state = (uint8_t)state, .second = j->original, .first_test = t->tests.n, .test_end = t->tests.n};
    VEC_PUSH(&t->rules, r);
    t->began_steps = j->steps;
    t->began_micros = record_clock(j);
    return &t->rules.v[t->rules.n - 1];
}

void record_rule_end(struct judgement *j, const struct answer *x, const uint64_t *who)
{
    struct trace *t = j->trace;
    struct trace_rule *r = &t->rules.v[t->rules.n - 1];
    r->test_end = t->tests.n;
    r->steps = j->steps - t->began_steps;
    r->micros = record_clock(j) - t->began_micros;
    r->answers = answer_text(t->arena, x, j->members.n, who);
}

void record_actions(struct judgement *j, uint32_t rule, uint32_t action, const uint64_t *who, bool audit)
{
    for (uint32_t r = 0; r < j->members.n; r++)
        if (bit_has(who, r)) VEC_PUSH(&j->trace->actions, (struct trace_action){rule, action, r, audit});
}

void record_facts(struct judgement *j)
{
    struct trace *t = j->trace;
    const struct vocabulary *v = j->program->vocabulary;
    bool cut;
    for (uint32_t f = 0; f < v->rows->field_count; f++) {
        const struct field_row *row = &v->rows->fields[f];
        if (row->of == FACT_RECIPIENT || row->text != FIELD_TEXT_NONE || row->needs) continue;
        struct ready_ref ref = {.row = row, .type = row->type, .part = PART_WHOLE};
        struct values values = {0};
        struct field_ask ask = {STR_NONE, 0, NULL};
        v->getters[f](j, &ask, &values);
        struct buf b = {0};
        for (uint32_t i = 0; i < values.n && i < TRACE_VALUES_MAX; i++) {
            if (values.v[i].count == 0) continue;
            if (b.n) buf_add(&b, STR(", "));
            buf_add(&b, shown_value(t->arena, &ref, &values.v[i].views[0]));
        }
        if (values.trouble != ANSWER_NO)
            buf_printf(&b, "%s(%s: %.*s)", b.n ? " " : "", answer_names[values.trouble], STR_ARG(values.why));
        if (b.n) {
            struct trace_fact fact = {str_of(row->name), bounded(t->arena, buf_str(&b), &cut)};
            VEC_PUSH(&t->facts, fact);
        }
        buf_free(&b);
    }
    for (size_t i = 0; i < j->members.n; i++) {
        VEC_PUSH(&t->recipients, bounded(t->arena, j->members.v[i].address, &cut));
        VEC_PUSH(&t->fates, (struct trace_fate){j->members.v[i].need, j->members.v[i].disposition});
    }
}
