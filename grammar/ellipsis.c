/* Ellipsis (LANGUAGE section 1): runs of fields become one test, chains become trees, the rest is refused.
 *
 * Every function looks at each operand a bounded number of times; recursion follows nesting only, which the parser has
 * bounded; a chain becomes a balanced tree, so its length adds no depth worth the name. */
#include "grammar/ellipsis.h"

static struct ast_condition *fold_chain(struct fold *f, const struct ast_chain *chain);

/* --- nodes ------------------------------------------------------------------------------------------------------- */

static struct ast_condition *node_new(const struct fold *f, enum ast_condition_kind kind, struct span at)
{
    struct ast_condition *c = ARENA_NEW(f->arena, struct ast_condition);
    c->kind = kind;
    c->span = at;
    c->depth = 1;
    return c;
}

static struct ast_condition *node_refused(const struct fold *f, struct span at)
{
    struct ast_condition *c = node_new(f, CONDITION_ALWAYS, at);
    c->refused = true;
    return c;
}

/* Too deep for walkers: told, and cut off. */
static struct ast_condition *node_bounded(const struct fold *f, struct ast_condition *c)
{
    if (c->depth <= AST_DEPTH_MAX) return c;
    diag_add(f->diags, DIAG_E115, (struct span){c->span.source, c->span.from, c->span.from + 1},
             "the condition is nested too deeply and too broadly; name parts of it with `define`");
    return node_refused(f, c->span);
}

static struct ast_condition *node_above(const struct fold *f, enum ast_condition_kind kind, struct span at,
                                        struct ast_condition *left, struct ast_condition *right)
{
    struct ast_condition *c = node_new(f, kind, at);
    c->left = left;
    c->right = right;
    c->depth = (uint16_t)(1 + (right && right->depth > left->depth ? right->depth : left->depth));
    return node_bounded(f, c);
}

/* --- runs -------------------------------------------------------------------------------------------------------- */

const struct operand *operand_core(const struct operand *o)
{
    while (o->kind == OPERAND_NOT) o = o->inner;
    return o;
}

/* A yes/no field or a define: complete without a verb.  Inside `where` names are parts of the element. */
static bool stands_bare(const struct fold *f, const struct ast_field *field)
{
    if (!f->element.n) return f->stands_bare(f->context, field->name);
    return f->stands_bare(f->context, arena_printf(f->arena, "%.*s.%.*s", STR_ARG(f->element), STR_ARG(field->name)));
}

/* A field that waits for a verb. */
static bool is_waiting(const struct fold *f, const struct operand *o)
{
    return o->kind == OPERAND_FIELD && !o->verb && !stands_bare(f, o->field);
}

static bool is_test(const struct operand *o) { return o->kind == OPERAND_FIELD && o->verb; }

static struct ast_condition *fold_single(const struct fold *f, const struct operand *o)
{
    struct ast_condition *c = node_new(f, CONDITION_TEST, o->span);
    c->fields = o->field;
    c->verb = o->verb;
    return c;
}

/* The restrictions on a run whose fields are linked already. */
static bool run_is_refused(const struct fold *f, const struct ast_condition *run)
{
    if (!run->verb->negated || run->run_is_and || !run->fields->next) return false;
    tell_negative_run(f, run->fields, run->verb);
    return true;
}

/* first … last: two or more fields, the last with the verb. */
static struct ast_condition *fold_run(const struct fold *f, const struct operand *first, const struct operand *last)
{
    const struct operand *quantified = NULL;
    bool mixed = false;
    struct ast_field *tail = NULL;
    struct ast_condition *c = node_new(f, CONDITION_TEST, span_join(first->span, last->span));
    for (const struct operand *o = first;; o = o->next) {
        if (o->field->quantifier && !quantified) quantified = o;
        if (o != first && o->or_before != first->next->or_before) mixed = true;
        if (tail) tail->next = o->field;
        else c->fields = o->field;
        tail = o->field;
        if (o == last) break;
    }
    c->verb = last->verb;
    c->run_is_and = !first->next->or_before;
    if (quantified) tell_quantified_run(f, quantified, first, last, last->verb);
    else if (mixed) tell_mixed_run(f, first, last);
    else if (!run_is_refused(f, c)) return c;
    return node_refused(f, c->span);
}

/* (subject or body) contains "x": nothing but waiting fields inside, one connective. */
static struct ast_condition *fold_group_with_verb(const struct fold *f, const struct operand *group)
{
    const struct ast_chain *chain = group->chain;
    while (chain->count == 1 && chain->first->kind == OPERAND_GROUP && !chain->first->verb) chain = chain->first->chain;
    struct ast_condition *c = node_new(f, CONDITION_TEST, group->span);
    struct ast_field *tail = NULL;
    for (const struct operand *o = chain->first; o; o = o->next) {
        bool waits = is_waiting(f, o), mixed = o != chain->first && o->or_before != chain->first->next->or_before;
        if (!waits) tell_group_with_verb(f, group, o);
        else if (o->field->quantifier) tell_quantified_run(f, o, chain->first, chain->last, group->verb);
        else if (mixed) tell_mixed_run(f, chain->first, chain->last);
        if (!waits || o->field->quantifier || mixed) return node_refused(f, group->span);
        if (tail) tail->next = o->field;
        else c->fields = o->field;
        tail = o->field;
    }
    c->verb = group->verb;
    c->run_is_and = chain->first->next && !chain->first->next->or_before;
    return run_is_refused(f, c) ? node_refused(f, group->span) : c;
}

/* --- operands ---------------------------------------------------------------------------------------------------- */

static struct ast_condition *fold_operand(struct fold *f, const struct operand *o)
{
    switch (o->kind) {
    case OPERAND_FIELD: return fold_single(f, o);
    case OPERAND_GROUP: return o->verb ? fold_group_with_verb(f, o) : fold_chain(f, o->chain);
    case OPERAND_NOT: return node_above(f, CONDITION_NOT, o->span, fold_operand(f, o->inner), NULL);
    case OPERAND_WHERE: {
        struct str outer = f->element;
        f->element = o->name;
        struct ast_condition *c = node_above(f, CONDITION_WHERE, o->span, fold_chain(f, o->chain), NULL);
        f->element = outer;
        c->quantifier = o->quantifier;
        c->name = o->name;
        c->name_span = o->name_span;
        return c;
    }
    case OPERAND_VERB:
    case OPERAND_LITERAL: break;
    }
    tell_fieldless(f, o, o, NULL);
    return node_refused(f, o->span);
}

static bool is_fieldless(const struct operand *o) { return o->kind == OPERAND_VERB || o->kind == OPERAND_LITERAL; }

/* The last of the operands that make a run with `first`, or NULL.  *stop is the operand after those looked at, so that
 * no operand is looked at twice.  A run that holds a `not` is told and answered as one with *refused. */
static const struct operand *run_end(const struct fold *f, const struct operand *first, const struct operand **stop,
                                     bool *refused)
{
    bool negated = first->kind == OPERAND_NOT;
    const struct operand *o = first->next, *core = operand_core(first);
    *refused = false;
    *stop = o;
    if (!is_waiting(f, core)) return NULL;
    while (o && is_waiting(f, o)) o = o->next;
    *stop = o;
    if (!o || !is_test(operand_core(o))) return NULL;
    if (negated || o->kind == OPERAND_NOT) {
        tell_not_in_run(f, first, o);
        *refused = true;
    }
    *stop = o->next;
    return o;
}

struct units {
    struct fold_unit *v;
    size_t n;
};

static void add_unit(struct units *u, struct ast_condition *c, struct span at, const struct operand *first)
{
    u->v[u->n++] = (struct fold_unit){c, at, first->or_before, first->connective};
}

/* Takes one unit, or several plain ones, from the chain at o; answers the operand after them. */
static const struct operand *take_units(struct fold *f, struct units *u, const struct operand *o,
                                        const struct operand **donor)
{
    const struct operand *stop, *last;
    bool refused;
    if (is_fieldless(o)) {
        for (last = o; last->next && is_fieldless(last->next); last = last->next) continue;
        tell_fieldless(f, o, last, *donor);
        add_unit(u, node_refused(f, o->span), span_join(o->span, last->span), o);
        /* The connectives among them belong to the mistake. */
        return last->next;
    }
    last = run_end(f, o, &stop, &refused);
    if (last) {
        struct span at = span_join(o->span, last->span);
        add_unit(u, refused ? node_refused(f, at) : fold_run(f, o, last), at, o);
        *donor = refused ? NULL : last;
        return stop;
    }
    for (; o != stop; o = o->next) {
        *donor = is_test(o) ? o : NULL; /* what follows a `not` would be ambiguous as a fix-it */
        add_unit(u, fold_operand(f, o), o->span, o);
    }
    return stop;
}

static struct ast_condition *balance(const struct fold *f, const struct fold_unit *v, size_t n,
                                     enum ast_condition_kind kind)
{
    if (n == 1) return v->condition;
    size_t half = n / 2;
    struct ast_condition *left = balance(f, v, half, kind), *right = balance(f, v + half, n - half, kind);
    return node_above(f, kind, span_join(v[0].span, v[n - 1].span), left, right);
}

static struct ast_condition *fold_chain(struct fold *f, const struct ast_chain *chain)
{
    struct units u = {ARENA_ARRAY(f->arena, struct fold_unit, chain->count), 0};
    const struct operand *o = chain->first, *donor = NULL;
    while (o) o = take_units(f, &u, o, &donor);
    bool mixed = false, refused = false;
    for (size_t i = 0; i < u.n; i++) {
        mixed = mixed || (i > 1 && u.v[i].or_before != u.v[1].or_before);
        refused = refused || u.v[i].condition->refused;
    }
    if (mixed && !refused) tell_mixed_units(f, u.v, u.n);
    if (mixed) return node_refused(f, chain->span);
    return balance(f, u.v, u.n, u.n > 1 && u.v[1].or_before ? CONDITION_OR : CONDITION_AND);
}

/* --- the file ---------------------------------------------------------------------------------------------------- */

static struct ast_condition *fold_condition(struct fold *f, struct ast_condition *c)
{
    if (!c || c->kind != CONDITION_CHAIN) return c;
    struct ast_condition *folded = fold_chain(f, c->chain);
    folded->next = c->next;
    return folded;
}

void ast_fold(struct arena *a, struct ast_file *file, ast_stands_bare *bare, void *context, struct diags *d)
{
    struct fold f = {a, file->source, d, bare, context, STR_NONE};
    for (struct ast_item *i = file->items; i; i = i->next) {
        i->condition = fold_condition(&f, i->condition);
        i->rule.when = fold_condition(&f, i->rule.when);
        for (struct ast_condition **c = &i->rule.unless; *c; c = &(*c)->next) *c = fold_condition(&f, *c);
    }
}
