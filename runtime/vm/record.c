#include "vm/record.h"

#include "base/ip.h"

static const char letters[] = "FTAUE"; /* by enum answer_value */

/* At most TRACE_VALUE_MAX bytes, cut between characters, control characters as blanks. */
static struct str bounded(struct arena *a, struct str s, bool *cut)
{
    size_t n = s.n;
    *cut = n > TRACE_VALUE_MAX;
    if (*cut) {
        n = TRACE_VALUE_MAX;
        while (n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80) n--;
    }
    char *p = arena_alloc(a, n + 1);
    for (size_t i = 0; i < n; i++) p[i] = (unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f ? ' ' : s.p[i];
    struct str out = {p, n};
    return str_is_utf8(out) ? out : STR("(not UTF-8)");
}

static struct str value_text(struct arena *a, const struct ready_ref *ref, const struct view *v)
{
    char ip[IP_TEXT_MAX];
    switch (ref->row->type) {
    case TYPE_ADDRESS:
        if (ref->part == PART_NAME) return v->name;
        if (ref->part == PART_LOCAL) return v->address.local;
        if (ref->part == PART_DOMAIN) return v->address.unicode_domain;
        return v->text;
    case TYPE_TEXT:
    case TYPE_WORD: return v->text;
    case TYPE_DOMAIN: return v->address.unicode_domain;
    case TYPE_YESNO: return v->number ? STR("yes") : STR("no");
    case TYPE_NETWORK: return arena_printf(a, "%.*s", (int)ip_print(v->ip, ip), ip);
    default: return arena_printf(a, "%lld", (long long)v->number);
    }
}

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

void record_value(struct judgement *j, const struct ready_test *t, const struct view *v, bool matched, size_t from,
                  size_t to, uint32_t recipient)
{
    struct trace_test *x = test_under_way(j);
    if (!x || x->value_count >= TRACE_VALUES_MAX) return;
    if (!x->values) x->values = ARENA_ARRAY(j->trace->arena, struct trace_value, TRACE_VALUES_MAX);
    struct trace_value *out = &x->values[x->value_count++];
    out->text = bounded(j->trace->arena, value_text(j->trace->arena, t->left, v), &out->cut);
    out->matched = matched;
    out->from = (uint32_t)from;
    out->to = (uint32_t)to;
    out->recipient = t->left->by_recipient || t->left->by_edits ? recipient : NO_INDEX;
}

static struct str answer_text(struct arena *a, const struct answer *x, size_t members, const uint64_t *who)
{
    if (x->uniform && !who) return arena_printf(a, "%c", letters[x->value]);
    char *p = arena_alloc(a, members + 1);
    for (size_t i = 0; i < members; i++) p[i] = who && !bit_has(who, i) ? '-' : letters[answer_get(x, i)];
    return (struct str){p, members};
}

void record_test_end(struct judgement *j, const struct answer *x, size_t members)
{
    struct trace_test *t = test_under_way(j);
    if (!t) return;
    t->answers = answer_text(j->trace->arena, x, members, NULL);
    bool cut;
    t->why = j->why.n ? bounded(j->trace->arena, j->why, &cut) : STR_NONE;
}

/* --- rules, actions, facts ---------------------------------------------------------------------------------------- */

struct trace_rule *record_rule(struct judgement *j, uint32_t rule, enum trace_state state)
{
    struct trace *t = j->trace;
    struct trace_rule r = {
        .rule = rule, .state = (uint8_t)state, .second = j->original, .first_test = t->tests.n, .test_end = t->tests.n};
    VEC_PUSH(&t->rules, r);
    return &t->rules.v[t->rules.n - 1];
}

void record_rule_end(struct judgement *j, const struct answer *x, const uint64_t *who)
{
    struct trace *t = j->trace;
    struct trace_rule *r = &t->rules.v[t->rules.n - 1];
    r->test_end = t->tests.n;
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
            buf_add(&b, value_text(t->arena, &ref, &values.v[i].views[0]));
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
