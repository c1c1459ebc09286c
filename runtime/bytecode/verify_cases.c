#include "bytecode/verify_checks.h"

/* Tests in rule files.  Each check answers for its own promise alone. */

static bool fail(struct verify_failure *f, const char *table, size_t index)
{
    f->table = table;
    f->index = (uint32_t)index;
    return false;
}

static bool is_printable(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f) return false;
    }
    return str_is_utf8(s);
}

static bool inside(uint32_t first, uint32_t count, uint32_t of) { return first <= of && count <= of - first; }

bool verify_mails(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    (void)rows;
    for (uint32_t i = 0; i < p->mails_count; i++) {
        if (!is_printable(p->mails[i].name)) return fail(f, "mails", i);
    }
    return true;
}

/* A list of at least one value, all of the type. */
static bool values_hold(const struct program *p, uint32_t list, enum value_type type)
{
    if (list >= p->lists_count) return false;
    const struct program_list *l = &p->lists[list];
    return l->type == type && l->count; /* a live list has no elements: live_lists */
}

static bool given_holds(const struct program *p, const struct vocabulary_rows *rows, const struct given *g)
{
    if (g->kind > GIVEN_UNSAID) return false;
    if (g->kind == GIVEN_ELEMENTS) {
        if (g->index >= p->lists_count || !p->lists[g->index].table.n) return false;
        return values_hold(p, g->list, p->lists[g->index].type);
    }
    if (g->index >= p->field_refs_count || p->field_refs[g->index].part != PART_WHOLE) return false;
    if (p->field_refs[g->index].field >= rows->field_count) return true; /* field_rows refuses it */
    const struct field_row *row = &rows->fields[p->field_refs[g->index].field];
    if (g->kind != GIVEN_VALUES) return g->list == NO_INDEX && (g->kind != GIVEN_YES || row->type == TYPE_YESNO);
    return values_hold(p, g->list, row->type == TYPE_ADDRESS ? TYPE_TEXT : row->type);
}

bool verify_givens(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    for (uint32_t i = 0; i < p->givens_count; i++) {
        if (!given_holds(p, rows, &p->givens[i])) return fail(f, "givens", i);
    }
    return true;
}

/* Ascending parameters, each of its type; none is demanded. */
static bool arguments_hold(const struct program *p, const struct action_row *row, const struct expectation *x)
{
    uint8_t least = 0;
    if (!inside(x->first_argument, x->argument_count, p->arguments_count)) return false;
    for (uint32_t i = x->first_argument; i < x->first_argument + x->argument_count; i++) {
        const struct argument *a = &p->arguments[i];
        if (a->param >= row->param_count || a->param < least) return false;
        least = a->param;
        if (a->operand != OPERAND_CONSTANT || a->index >= p->constants_count) continue; /* argument_indexes */
        if (p->constants[a->index].type != row->params[a->param].type) return false;
    }
    return true;
}

bool verify_expectations(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    for (uint32_t i = 0; i < p->expectations_count; i++) {
        const struct expectation *x = &p->expectations[i];
        bool good = x->list == NO_INDEX || values_hold(p, x->list, TYPE_ADDRESS);
        if (x->action == NO_INDEX) good = good && !x->argument_count;
        else good = good && x->action < rows->action_count && arguments_hold(p, &rows->actions[x->action], x);
        if (!good) return fail(f, "expectations", i);
    }
    return true;
}

bool verify_cases(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    enum { YEARS_MAX = 10000 };
    const int64_t most = (int64_t)YEARS_MAX * 366 * 86400;
    (void)rows;
    for (uint32_t i = 0; i < p->cases_count; i++) {
        const struct program_case *c = &p->cases[i];
        bool good = is_printable(c->name) && inside(c->first_given, c->given_count, p->givens_count) &&
                    inside(c->first_expectation, c->expectation_count, p->expectations_count) &&
                    inside(c->first_scope, c->scope_count, p->scopes_count) &&
                    (c->mail == NO_INDEX || c->mail < p->mails_count) && c->now >= -most && c->now <= most;
        for (uint32_t k = 0; good && k < c->scope_count; k++) good = p->scopes[c->first_scope + k] < p->sources_count;
        if (!good) return fail(f, "cases", i);
    }
    return true;
}
