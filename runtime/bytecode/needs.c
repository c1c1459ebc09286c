#include "bytecode/needs.h"

#include <sysexits.h>

static bool tell(const struct program *p, const struct rule *r, const char *word, const char *what, struct err *e)
{
    return err_set(e, EX_CONFIG,
                   "%.*s:%u: the rule %s%.*s%s uses `%s`, which needs %s, and this version has not got that: the rules "
                   "are not loaded (`mode off` lets the rule wait)",
                   STR_ARG(p->sources[r->origin.source].name), r->origin.line, r->named ? "\"" : "`",
                   STR_ARG(r->named ? r->identity : r->origin.text), r->named ? "\"" : "`", word, what);
}

static bool field_is_served(const struct program *p, const struct vocabulary_rows *rows, const struct rule *r,
                            uint32_t ref, struct err *e)
{
    const struct field_row *row = &rows->fields[p->field_refs[ref].field];
    return !row->needs || tell(p, r, row->name, row->needs, e);
}

static bool action_is_served(const struct program *p, const struct vocabulary_rows *rows, const struct rule *r,
                             const struct action *a, struct err *e)
{
    const struct action_row *row = &rows->actions[a->action];
    if (row->needs) return tell(p, r, row->name, row->needs, e);
    for (uint32_t i = 0; i < a->argument_count; i++) {
        const struct argument *x = &p->arguments[a->first_argument + i];
        if (x->operand == OPERAND_FIELD && !field_is_served(p, rows, r, x->index, e)) return false;
    }
    return true;
}

static bool instruction_is_served(const struct program *p, const struct vocabulary_rows *rows, const struct rule *r,
                                  uint32_t code, struct err *e)
{
    uint32_t operand = instruction_operand(code);
    switch (instruction_op(code)) {
    case OP_EACH: return field_is_served(p, rows, r, operand, e);
    case OP_ACT: return action_is_served(p, rows, r, &p->actions[operand], e);
    case OP_TEST: {
        const struct test *t = &p->tests[operand];
        return field_is_served(p, rows, r, t->field, e) &&
               (t->operand != OPERAND_FIELD || field_is_served(p, rows, r, t->a, e));
    }
    default: return true;
    }
}

bool program_is_served(const struct program *p, const struct vocabulary_rows *rows, struct err *e)
{
    for (uint32_t i = 0; i < p->rules_count; i++) {
        const struct rule *r = &p->rules[i];
        if (r->mode == MODE_OFF) continue;
        for (uint32_t k = r->first; k < r->end; k++)
            if (!instruction_is_served(p, rows, r, p->code[k], e)) return false;
    }
    return true;
}
