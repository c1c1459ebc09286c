#include "cli/judge_report.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/json.h"
#include "bytecode/disasm.h"
#include "compiler/words.h"

static const char *const state_names[] = {
    [TRACE_RAN] = "ran",         [TRACE_OFF] = "off",       [TRACE_NOT_YET] = "not yet effective",
    [TRACE_EXPIRED] = "expired", [TRACE_NOBODY] = "nobody left in play",
};

static const char *answer_word(char letter)
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

/* --- actions --------------------------------------------------------------------------------------------------------- */
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
static void put_default(struct js *o, const struct program *p, const struct action *action, const struct action_row *row)
{
    for (uint8_t i = 0; i < row->param_count; i++) {
        const struct param_row *param = &row->params[i];
        bool given = false;
        for (uint32_t k = 0; k < action->argument_count; k++) given |= p->arguments[action->first_argument + k].param == i;
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

/* --- recipients ------------------------------------------------------------------------------------------------------ */
static struct js *recipient_json(const struct program *p, const struct trace *t, const struct verdict_recipient *r)
{
    struct js *o = js_object();
    char need[OBLIGATION_TEXT_MAX];
    obligation_print(r->need, need);
    js_put_cstr(o, "verdict", disposition_names[r->disposition]);
    js_put_cstr(o, "tls", need);
    if (r->added) js_put_bool(o, "added", true);
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

/* --- rules ----------------------------------------------------------------------------------------------------------- */
static void put_answers(struct js *o, const struct trace *t, struct str letters)
{
    if (letters.n == 1 || t->recipients.n == 0) {
        js_put_cstr(o, "answer", letters.n ? answer_word(letters.p[0]) : "");
        return;
    }
    struct js *each = js_object();
    for (size_t i = 0; i < letters.n && i < t->recipients.n; i++)
        put_str_at(each, t->recipients.v[i], str_of(answer_word(letters.p[i])));
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

static struct js *test_json(const struct program *p, const struct trace *t, const struct trace_test *tt)
{
    const struct test *test = &p->tests[tt->test];
    struct js *o = js_object(), *values = js_array();
    js_put_str(o, "test", test->origin.text);
    put_written(o, p, &test->origin);
    put_answers(o, t, tt->answers);
    for (size_t i = 0; i < tt->value_count; i++) {
        const struct trace_value *v = &tt->values[i];
        struct js *value = js_object();
        js_put_str(value, "value", v->text);
        js_put_bool(value, "matched", v->matched);
        if (v->cut) js_put_bool(value, "cut", true);
        if (v->to) js_put_num(value, "from", v->from), js_put_num(value, "to", v->to);
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
        struct js *o = js_object(), *tests = js_array();
        js_put_str(o, "rule", rule->identity);
        put_written(o, p, &rule->origin);
        js_put_cstr(o, "state", state_names[tr->state]);
        if (tr->second) js_put_bool(o, "for_added_recipients", true);
        put_answers(o, t, tr->answers);
        for (size_t k = tr->first_test; k < tr->test_end; k++) js_add(tests, test_json(p, t, &t->tests.v[k]));
        js_put(o, "tests", tests);
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

static const char *const verdict_words[] = {
    [VERDICT_ACCEPT] = "accept", [VERDICT_REJECT] = "reject", [VERDICT_DEFER] = "defer"};

void judge_report_json(const struct program *p, const struct envelope *env, const struct judge_answer *answer,
                       const struct trace *t, struct buf *out)
{
    struct js *o = js_object();
    const struct verdict *v = &answer->verdict;
    if (answer->kind == JUDGE_FAILED) {
        js_put_cstr(o, "answer", "failed");
        js_put_str(o, "why", answer->why);
    } else {
        js_put_cstr(o, "answer", verdict_words[v->answer]);
        if (v->answer != VERDICT_ACCEPT) {
            put_reply(o, "reply", &v->reply);
            js_put_str(o, "rule", v->rule);
        }
        js_put(o, "recipients", recipients_json(p, env, v, t));
    }
    js_put(o, "rules", rules_json(p, t));
    js_put(o, "facts", facts_json(t));
    js_print_pretty(o, out);
    js_free(&o);
}

/* --- text ------------------------------------------------------------------------------------------------------------ */
struct pen {
    struct buf *out;
    bool colour;
};

__attribute__((format(printf, 3, 4))) static void paint(struct pen *pen, const char *code, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (pen->colour) buf_printf(pen->out, "\033[%sm%s\033[0m", code, text);
    else buf_printf(pen->out, "%s", text);
}

static const char *answer_colour(char letter) { return letter == 'T' ? "32" : letter == 'F' || letter == '-' ? "2" : "33"; }

/* One answer for all, or the recipients it holds for. */
static void print_answers(struct pen *pen, const struct trace *t, struct str letters)
{
    bool same = true;
    for (size_t i = 1; i < letters.n; i++) same &= letters.p[i] == letters.p[0];
    if (letters.n == 0) return;
    if (same) {
        paint(pen, answer_colour(letters.p[0]), "%s", answer_word(letters.p[0]));
        return;
    }
    const char *before = "";
    for (size_t i = 0; i < letters.n && i < t->recipients.n; i++) {
        buf_printf(pen->out, "%s", before);
        paint(pen, answer_colour(letters.p[i]), "%s for %.*s", answer_word(letters.p[i]), STR_ARG(t->recipients.v[i]));
        before = ", ";
    }
}

static void print_test(struct pen *pen, const struct program *p, const struct trace *t, const struct trace_test *tt)
{
    buf_printf(pen->out, "    %.*s: ", STR_ARG(p->tests[tt->test].origin.text));
    print_answers(pen, t, tt->answers);
    if (tt->why.n) buf_printf(pen->out, " (%.*s)", STR_ARG(tt->why));
    buf_add_byte(pen->out, '\n');
    for (size_t i = 0; i < tt->value_count; i++) {
        const struct trace_value *v = &tt->values[i];
        buf_printf(pen->out, "        ");
        disasm_field(p, &words_rows, p->tests[tt->test].field, pen->out);
        if (v->recipient != NO_INDEX && v->recipient < t->recipients.n && t->recipients.n > 1)
            buf_printf(pen->out, " for %.*s", STR_ARG(t->recipients.v[v->recipient]));
        buf_printf(pen->out, ": \"");
        js_escape(pen->out, v->text);
        buf_printf(pen->out, "\"%s", v->cut ? "…" : "");
        if (v->matched) {
            paint(pen, "32", "  matched");
            if (v->to) buf_printf(pen->out, " at %u..%u", v->from, v->to);
        }
        buf_add_byte(pen->out, '\n');
    }
}

/* What the rule did, each action with those it was done for. */
static void print_actions(struct pen *pen, const struct program *p, const struct trace *t, uint32_t rule)
{
    uint32_t open = NO_INDEX; /* the action whose line is being written */
    for (size_t i = 0; i < t->actions.n; i++) {
        const struct trace_action *ta = &t->actions.v[i];
        if (ta->rule != rule) continue;
        if (ta->action != open) {
            if (open != NO_INDEX) buf_add_byte(pen->out, '\n');
            buf_printf(pen->out, "    %s ", ta->audit ? "would (audit):" : "->");
            disasm_action(p, &words_rows, ta->action, pen->out);
            open = ta->action;
        } else {
            buf_add_byte(pen->out, ',');
        }
        buf_printf(pen->out, " for %.*s", STR_ARG(t->recipients.v[ta->recipient]));
    }
    if (open != NO_INDEX) buf_add_byte(pen->out, '\n');
}

static void print_rule(struct pen *pen, const struct program *p, const struct trace *t, const struct trace_rule *tr)
{
    const struct rule *rule = &p->rules[tr->rule];
    paint(pen, "1", "%s%.*s", rule->named ? "rule " : "rule #", STR_ARG(rule->identity));
    if (rule->origin.source < p->sources_count)
        buf_printf(pen->out, "  (%.*s:%u)", STR_ARG(p->sources[rule->origin.source].name), rule->origin.line);
    buf_printf(pen->out, "  ");
    if (tr->state == TRACE_RAN) print_answers(pen, t, tr->answers);
    else paint(pen, "2", "%s", state_names[tr->state]);
    if (tr->second) buf_printf(pen->out, "  (again, for added recipients: only require_tls)");
    buf_add_byte(pen->out, '\n');
    for (size_t i = tr->first_test; i < tr->test_end; i++) print_test(pen, p, t, &t->tests.v[i]);
    if (!tr->second) print_actions(pen, p, t, tr->rule);
}

static void print_recipient(struct pen *pen, const struct verdict_recipient *r)
{
    char need[OBLIGATION_TEXT_MAX];
    obligation_print(r->need, need);
    paint(pen, "1", "%.*s", STR_ARG(r->address));
    buf_printf(pen->out, "%s: %s", r->added ? " (added)" : "", disposition_names[r->disposition]);
    if (r->rule.n) buf_printf(pen->out, " by rule %.*s", STR_ARG(r->rule));
    if (r->reason.n) buf_printf(pen->out, ", \"%.*s\"", STR_ARG(r->reason));
    if (obligation_demands_tls(r->need)) {
        buf_printf(pen->out, ", ");
        paint(pen, "36", "TLS required: %s", need);
        buf_printf(pen->out, " by rule %.*s", STR_ARG(r->tls_rule));
    }
    if (r->connector.n) buf_printf(pen->out, ", by connector %.*s", STR_ARG(r->connector));
    buf_add_byte(pen->out, '\n');
}

void judge_report_text(const struct program *p, const struct envelope *env, const struct judge_answer *answer,
                       const struct trace *t, bool colour, struct buf *out)
{
    struct pen pen = {out, colour};
    const struct verdict *v = &answer->verdict;
    (void)env;
    for (size_t i = 0; i < t->rules.n; i++) print_rule(&pen, p, t, &t->rules.v[i]);
    buf_add_byte(out, '\n');
    if (answer->kind == JUDGE_FAILED) {
        buf_printf(out, "cannot be judged: %.*s (a relay would answer 451)\n", STR_ARG(answer->why));
        return;
    }
    if (v->answer != VERDICT_ACCEPT) {
        char status[STATUS_TEXT_MAX];
        status_print(v->reply.status, status);
        paint(&pen, "31", "%s", verdict_words[v->answer]);
        buf_printf(out, " for everyone: %u %s %.*s (rule %.*s)\n", v->reply.code, status, STR_ARG(v->reply.text),
                   STR_ARG(v->rule));
        return;
    }
    for (size_t i = 0; i < v->recipient_count; i++) print_recipient(&pen, &v->recipients[i]);
}
