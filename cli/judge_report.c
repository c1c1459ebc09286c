#include "cli/judge_report.h"

#include "base/json.h"
#include "bytecode/disasm.h"
#include "compiler/words.h"

const char *const judge_state_names[] = {
    [TRACE_RAN] = "ran",         [TRACE_OFF] = "off",       [TRACE_NOT_YET] = "not yet effective",
    [TRACE_EXPIRED] = "expired", [TRACE_NOBODY] = "nobody left in play",
};
const char *const judge_verdict_words[] = {
    [VERDICT_ACCEPT] = "accept", [VERDICT_REJECT] = "reject", [VERDICT_DEFER] = "defer"};

const char *judge_answer_word(char letter)
{
    switch (letter) {
    case 'T': return "yes";
    case 'F': return "no";
    case 'A': return "undecided: disputed";
    case 'U': return "undecided: unreadable";
    case 'E': return "undecided: unavailable";
    default: return "not in play";
    }
}

/* Into an object under a key that is a view. */
static void put_at(struct js *o, struct str key, struct js *child)
{
    struct buf z = {0};
    buf_add(&z, key);
    buf_add_byte(&z, '\0');
    js_put(o, z.p, child);
    buf_free(&z);
}

static void put_str_at(struct js *o, struct str key, struct str text)
{
    struct buf z = {0};
    buf_add(&z, key);
    buf_add_byte(&z, '\0');
    js_put_str(o, z.p, text);
    buf_free(&z);
}

static void put_reply(struct js *o, const char *key, const struct reply *r)
{
    char status[STATUS_TEXT_MAX];
    status_print(r->status, status);
    struct buf text = {0};
    buf_printf(&text, "%u %s %.*s", r->code, status, STR_ARG(r->text));
    js_put_str(o, key, buf_str(&text));
    buf_free(&text);
}

/* --- actions ------------------------------------------------------------------------------------------------------ */
static void put_argument(struct js *o, const struct program *p, const struct param_row *param, const struct argument *a)
{
    if (a->operand == OPERAND_FIELD) {
        struct buf text = {0};
        disasm_field(p, &words_rows, a->index, &text);
        js_put_str(o, param->name, buf_str(&text));
        buf_free(&text);
    } else if (p->constants[a->index].text.p) {
        js_put_str(o, param->name, p->constants[a->index].text);
    } else {
        js_put_num(o, param->name, p->constants[a->index].number);
    }
}

/* A positional word that was left out stands for the first of its words: `require_tls` is `require_tls encrypt`. */
static void put_default(struct js *o, const struct program *p, const struct action *action,
                        const struct action_row *row)
{
    for (uint8_t i = 0; i < row->param_count; i++) {
        const struct param_row *param = &row->params[i];
        bool given = false;
        for (uint32_t k = 0; k < action->argument_count; k++)
            given |= p->arguments[action->first_argument + k].param == i;
        if (given || !param->positional || param->type != TYPE_WORD) continue;
        struct str first, rest;
        str_cut(str_of(param->words), ' ', &first, &rest);
        js_put_str(o, param->name, first);
    }
}

static struct js *action_json(const struct program *p, const struct trace_action *ta)
{
    const struct action *action = &p->actions[ta->action];
    const struct action_row *row = &words_rows.actions[action->action];
    struct js *o = js_object();
    js_put_cstr(o, "action", row->name);
    for (uint32_t i = 0; i < action->argument_count; i++) {
        const struct argument *a = &p->arguments[action->first_argument + i];
        put_argument(o, p, &row->params[a->param], a);
    }
    put_default(o, p, action, row);
    js_put_str(o, "rule", p->rules[ta->rule].identity);
    if (ta->audit) js_put_bool(o, "audit", true);
    return o;
}

static struct js *actions_of(const struct program *p, const struct trace *t, struct str address)
{
    struct js *list = js_array();
    for (size_t i = 0; i < t->actions.n; i++)
        if (str_eq(t->recipients.v[t->actions.v[i].recipient], address)) js_add(list, action_json(p, &t->actions.v[i]));
    return list;
}

/* --- recipients --------------------------------------------------------------------------------------------------- */
static struct js *recipient_json(const struct program *p, const struct trace *t, const struct verdict_recipient *r)
{
    struct js *o = js_object();
    char need[OBLIGATION_TEXT_MAX];
    obligation_print(r->need, need);
    js_put_cstr(o, "verdict", disposition_names[r->disposition]);
    js_put_cstr(o, "tls", need);
    js_put_num(o, "copy", r->copy);
    if (r->added) js_put_bool(o, "added", true);
    if (r->tls_rule.n) js_put_str(o, "tls_rule", r->tls_rule);
    if (r->connector.n) js_put_str(o, "route_via", r->connector);
    if (r->rule.n) js_put_str(o, "rule", r->rule);
    if (r->reason.n) js_put_str(o, "reason", r->reason);
    if (r->reply.code) put_reply(o, "reply", &r->reply);
    js_put(o, "actions", actions_of(p, t, r->address));
    return o;
}

static struct js *recipients_json(const struct program *p, const struct envelope *env, const struct verdict *v,
                                  const struct trace *t)
{
    static const char *const whole[] = {[VERDICT_REJECT] = "reject", [VERDICT_DEFER] = "defer"};
    struct js *all = js_object();
    if (v->answer == VERDICT_ACCEPT) {
        for (size_t i = 0; i < v->recipient_count; i++)
            put_at(all, v->recipients[i].address, recipient_json(p, t, &v->recipients[i]));
        return all;
    }
    for (size_t i = 0; i < env->recipient_count; i++) {
        struct js *o = js_object();
        js_put_cstr(o, "verdict", whole[v->answer]);
        js_put(o, "actions", actions_of(p, t, env->recipients[i]));
        put_at(all, env->recipients[i], o);
    }
    return all;
}

/* --- copies ------------------------------------------------------------------------------------------------------- */
uint64_t judge_copy_kept(const struct verdict_copy *c)
{
    uint64_t kept = 0;
    for (size_t i = 0; i < c->pieces.n; i++)
        if (!c->pieces.v[i].insert.p) kept += c->pieces.v[i].to - c->pieces.v[i].from;
    return kept;
}

static struct js *copies_json(const struct verdict *v, uint64_t size)
{
    struct js *list = js_array();
    for (size_t i = 0; i < v->copy_count; i++) {
        const struct verdict_copy *c = &v->copies[i];
        struct js *o = js_object(), *to = js_array(), *inserted = js_array();
        for (size_t k = 0; k < v->recipient_count; k++)
            if (v->recipients[k].copy == i) js_add_str(to, v->recipients[k].address);
        for (size_t k = 0; k < c->pieces.n; k++)
            if (c->pieces.v[k].insert.p) js_add_str(inserted, c->pieces.v[k].insert);
        js_put_num(o, "length", (int64_t)c->length);
        js_put_num(o, "removed", (int64_t)(size - judge_copy_kept(c)));
        js_put(o, "inserted", inserted);
        js_put(o, "recipients", to);
        js_add(list, o);
    }
    return list;
}

/* --- notices ------------------------------------------------------------------------------------------------------ */
static struct js *notices_json(const struct verdict *v)
{
    struct js *list = js_array();
    for (size_t i = 0; i < v->notice_count; i++) {
        struct js *o = js_object();
        js_put_str(o, "to", v->notices[i].to);
        js_put_str(o, "subject", v->notices[i].subject);
        js_put_str(o, "text", v->notices[i].text);
        js_put_str(o, "rule", v->notices[i].rule);
        if (v->notices[i].report) js_put_bool(o, "report", true);
        if (v->notices[i].attach)
            js_put_cstr(o, "attached", v->notices[i].attach == NOTICE_ORIGINAL ? "message" : "header");
        js_add(list, o);
    }
    return list;
}

/* --- rules -------------------------------------------------------------------------------------------------------- */
static void put_answers(struct js *o, const struct trace *t, struct str letters)
{
    if (letters.n == 1 || t->recipients.n == 0) {
        js_put_cstr(o, "answer", letters.n ? judge_answer_word(letters.p[0]) : "");
        return;
    }
    struct js *each = js_object();
    for (size_t i = 0; i < letters.n && i < t->recipients.n; i++)
        put_str_at(each, t->recipients.v[i], str_of(judge_answer_word(letters.p[i])));
    js_put(o, "answer", each);
}

static void put_written(struct js *o, const struct program *p, const struct origin *origin)
{
    struct buf place = {0};
    if (origin->source < p->sources_count)
        buf_printf(&place, "%.*s:%u:%u", STR_ARG(p->sources[origin->source].name), origin->line, origin->column);
    js_put_str(o, "at", buf_str(&place));
    buf_free(&place);
}

/* Inside `where`: one answer an element. */
static void put_elements(struct js *o, struct str letters)
{
    struct js *list = js_array();
    for (size_t i = 0; i < letters.n; i++) js_add_str(list, str_of(judge_answer_word(letters.p[i])));
    js_put(o, "elements", list);
}

bool judge_was_tested(const struct trace *t, const struct trace_rule *tr, uint32_t test)
{
    for (size_t k = tr->first_test; k < tr->test_end; k++)
        if (t->tests.v[k].test == test) return true;
    return false;
}

uint32_t judge_skipped(const struct program *p, const struct trace *t, const struct trace_rule *tr, uint32_t *at)
{
    const struct rule *r = &p->rules[tr->rule];
    for (uint32_t pc = *at < r->first ? r->first : *at; tr->state == TRACE_RAN && pc < r->end; pc++) {
        if (instruction_op(p->code[pc]) != OP_TEST || judge_was_tested(t, tr, instruction_operand(p->code[pc])))
            continue;
        *at = pc + 1;
        return instruction_operand(p->code[pc]);
    }
    return NO_INDEX;
}

static struct js *place_json(const struct trace_value *v)
{
    struct js *o = js_object();
    js_put_str(o, "before", v->before);
    js_put_str(o, "match", v->match);
    js_put_str(o, "after", v->after);
    if (v->cut_before) js_put_bool(o, "cut_before", true);
    if (v->cut_after) js_put_bool(o, "cut_after", true);
    js_put_num(o, "from", v->from);
    js_put_num(o, "to", v->to);
    return o;
}

static struct js *test_json(const struct program *p, const struct trace *t, const struct trace_test *tt)
{
    const struct test *test = &p->tests[tt->test];
    struct js *o = js_object(), *values = js_array();
    struct buf field = {0};
    disasm_field(p, &words_rows, test->field, &field);
    js_put_str(o, "test", test->origin.text);
    js_put_str(o, "field", buf_str(&field));
    buf_free(&field);
    put_written(o, p, &test->origin);
    if (tt->of_elements) put_elements(o, tt->answers);
    else put_answers(o, t, tt->answers);
    for (size_t i = 0; i < tt->value_count; i++) {
        const struct trace_value *v = &tt->values[i];
        struct js *value = js_object();
        js_put_str(value, "value", v->text);
        js_put_bool(value, "matched", v->matched);
        if (v->cut) js_put_bool(value, "cut", true);
        if (v->match.n) js_put(value, "place", place_json(v));
        if (v->elements > 1) js_put_num(value, "element", v->element + 1), js_put_num(value, "elements", v->elements);
        if (v->views > 1) js_put_num(value, "view", v->view + 1), js_put_num(value, "views", v->views);
        if (v->manner.n) js_put_str(value, "manner", v->manner);
        if (v->recipient != NO_INDEX && v->recipient < t->recipients.n)
            js_put_str(value, "recipient", t->recipients.v[v->recipient]);
        js_add(values, value);
    }
    js_put(o, "values", values);
    if (tt->why.n) js_put_str(o, "why", tt->why);
    return o;
}

static struct js *rules_json(const struct program *p, const struct trace *t)
{
    struct js *list = js_array();
    for (size_t i = 0; i < t->rules.n; i++) {
        const struct trace_rule *tr = &t->rules.v[i];
        const struct rule *rule = &p->rules[tr->rule];
        struct js *o = js_object(), *tests = js_array(), *skipped = js_array();
        js_put_str(o, "rule", rule->identity);
        put_written(o, p, &rule->origin);
        js_put_cstr(o, "state", judge_state_names[tr->state]);
        if (tr->second) js_put_bool(o, "for_added_recipients", true);
        put_answers(o, t, tr->answers);
        for (size_t k = tr->first_test; k < tr->test_end; k++) js_add(tests, test_json(p, t, &t->tests.v[k]));
        js_put(o, "tests", tests);
        for (uint32_t at = 0, test; (test = judge_skipped(p, t, tr, &at)) != NO_INDEX;)
            js_add_str(skipped, p->tests[test].origin.text);
        js_put(o, "skipped", skipped);
        js_put_num(o, "steps", (int64_t)tr->steps);
        js_put_num(o, "micros", (int64_t)tr->micros);
        js_add(list, o);
    }
    return list;
}

static struct js *facts_json(const struct trace *t)
{
    struct js *facts = js_object();
    for (size_t i = 0; i < t->facts.n; i++) put_str_at(facts, t->facts.v[i].name, t->facts.v[i].text);
    return facts;
}

/* After a deferral no rule is looked at any more. */
static struct js *unreached_json(const struct program *p, const struct trace *t)
{
    struct js *list = js_array();
    for (uint32_t i = judge_reached(t); i < p->rules_count; i++) js_add_str(list, p->rules[i].identity);
    return list;
}

uint32_t judge_reached(const struct trace *t)
{
    uint32_t reached = 0;
    for (size_t i = 0; i < t->rules.n; i++)
        if (!t->rules.v[i].second) reached = t->rules.v[i].rule + 1;
    return reached;
}

void judge_report_json(const struct program *p, const struct judge_request *r, const struct judge_answer *answer,
                       const struct trace *t, struct buf *out)
{
    const struct envelope *env = &r->envelope;
    struct js *o = js_object();
    const struct verdict *v = &answer->verdict;
    if (answer->kind == JUDGE_FAILED) {
        js_put_cstr(o, "answer", "failed");
        js_put_str(o, "why", answer->why);
    } else {
        js_put_cstr(o, "answer", judge_verdict_words[v->answer]);
        if (v->answer != VERDICT_ACCEPT) {
            put_reply(o, "reply", &v->reply);
            js_put_str(o, "rule", v->rule);
        }
        js_put(o, "recipients", recipients_json(p, env, v, t));
        if (v->answer == VERDICT_ACCEPT) js_put(o, "copies", copies_json(v, r->size));
        if (v->notice_count) js_put(o, "notices", notices_json(v));
    }
    js_put_num(o, "steps", (int64_t)t->steps);
    js_put_num(o, "micros", (int64_t)t->micros);
    js_put(o, "rules", rules_json(p, t));
    js_put(o, "not_reached", unreached_json(p, t));
    js_put(o, "facts", facts_json(t));
    js_print_pretty(o, out);
    js_free(&o);
}
