#include "bytecode/needs.h"

/* One walk over a program; a rule that says a word twice is told once. */
struct walk {
    const struct program *p;
    const struct vocabulary_rows *rows;
    const struct rule *rule;
    struct buf *out;
    size_t rule_starts; /* in *out: the lines of this rule */
    size_t told, missing;
};

static void tell(struct walk *w, const char *word, const char *what)
{
    const struct rule *r = w->rule;
    struct buf line = {0};
    buf_printf(
        &line,
        "%.*s:%u: the rule %s%.*s%s uses `%s`, which needs %s, and this version has not got that: the rules are not "
        "loaded (`mode off` lets the rule wait)\n",
        STR_ARG(w->p->sources[r->origin.source].name), r->origin.line, r->named ? "\"" : "`",
        STR_ARG(r->named ? r->identity : r->origin.text), r->named ? "\"" : "`", word, what);
    bool again = str_find(str_from(buf_str(w->out), w->rule_starts), buf_str(&line)) != STR_NPOS;
    if (!again) {
        w->missing++;
        if (w->told < NEEDS_TOLD_MOST) {
            buf_add(w->out, buf_str(&line));
            w->told++;
        }
    }
    buf_free(&line);
}

static void of_field(struct walk *w, uint32_t ref)
{
    const struct field_row *row = &w->rows->fields[w->p->field_refs[ref].field];
    if (row->needs) tell(w, row->name, row->needs);
}

static void of_action(struct walk *w, const struct action *a)
{
    const struct action_row *row = &w->rows->actions[a->action];
    if (row->needs) tell(w, row->name, row->needs);
    for (uint32_t i = 0; i < a->argument_count; i++) {
        const struct argument *x = &w->p->arguments[a->first_argument + i];
        if (x->operand == OPERAND_FIELD) of_field(w, x->index);
    }
}

static void of_instruction(struct walk *w, uint32_t code)
{
    uint32_t operand = instruction_operand(code);
    switch (instruction_op(code)) {
    case OP_EACH: of_field(w, operand); break;
    case OP_ACT: of_action(w, &w->p->actions[operand]); break;
    case OP_TEST: {
        const struct test *t = &w->p->tests[operand];
        of_field(w, t->field);
        if (t->operand == OPERAND_FIELD) of_field(w, t->a);
        break;
    }
    default: break;
    }
}

bool program_is_served(const struct program *p, const struct vocabulary_rows *rows, struct buf *out)
{
    struct walk w = {.p = p, .rows = rows, .out = out};
    for (uint32_t i = 0; i < p->rules_count; i++) {
        w.rule = &p->rules[i];
        w.rule_starts = out->n;
        if (w.rule->mode == MODE_OFF) continue;
        for (uint32_t k = w.rule->first; k < w.rule->end; k++) of_instruction(&w, p->code[k]);
    }
    if (w.missing > w.told) buf_printf(out, "and %zu more\n", w.missing - w.told);
    return !w.missing;
}
