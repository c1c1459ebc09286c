/* Builders: what the grammar's actions call to make the tree. */
#include "grammar/parse.h"

#include <string.h>

bool build_too_deep(struct parse *p, unsigned depth, struct span at)
{
    if (depth <= PARSE_NESTING_MAX) return false;
    if (!p->too_deep)
        diag_add(p->diags, DIAG_E115, at, "parentheses or `not` are nested more than %d deep", PARSE_NESTING_MAX);
    p->too_deep = true;
    return true;
}

/* --- names ------------------------------------------------------------------------------------------------------- */

struct path build_path(struct parse *p, struct str name, struct span at)
{
    struct path_part *part = ARENA_NEW(p->arena, struct path_part);
    part->name = name;
    return (struct path){part, part, at};
}

void build_path_add(struct parse *p, struct path *path, struct str name, struct span at)
{
    struct path_part *part = ARENA_NEW(p->arena, struct path_part);
    part->name = name;
    PARSE_APPEND(path, part);
    path->span = span_join(path->span, at);
}

struct str build_path_name(struct parse *p, const struct path *path)
{
    if (path->first == path->last) return path->first->name;
    size_t n = 0;
    for (const struct path_part *part = path->first; part; part = part->next) n += part->name.n + 1;
    char *out = arena_alloc(p->arena, n), *to = out;
    for (const struct path_part *part = path->first; part; part = part->next) {
        memcpy(to, part->name.p, part->name.n);
        to += part->name.n;
        *to++ = '.';
    }
    return (struct str){out, n - 1};
}

struct ast_field *build_field(struct parse *p, const struct path *path, struct ast_literal *text, struct span at)
{
    struct ast_field *f = ARENA_NEW(p->arena, struct ast_field);
    f->name = build_path_name(p, path);
    f->name_span = path->span;
    f->text = text;
    f->span = at;
    return f;
}

/* --- arguments, values ------------------------------------------------------------------------------------------- */

struct ast_argument *build_argument(struct parse *p, enum ast_argument_kind kind, struct span at)
{
    struct ast_argument *a = ARENA_NEW(p->arena, struct ast_argument);
    a->kind = kind;
    a->span = at;
    return a;
}

struct ast_entry *build_entry(struct parse *p, struct ast_argument *first, struct span at)
{
    struct ast_entry *e = ARENA_NEW(p->arena, struct ast_entry);
    e->arguments = first;
    e->span = at;
    return e;
}

struct ast_value *build_value(struct parse *p, struct ast_literal *l, struct ast_field *f, struct span at)
{
    struct ast_value *v = ARENA_NEW(p->arena, struct ast_value);
    v->literal = l;
    v->field = f;
    v->span = at;
    return v;
}

struct ast_set *build_set(struct parse *p, struct ast_value *values, bool parenthesised, struct span at)
{
    struct ast_set *s = ARENA_NEW(p->arena, struct ast_set);
    s->values = values;
    s->parenthesised = parenthesised;
    s->span = at;
    return s;
}

/* --- verbs ------------------------------------------------------------------------------------------------------- */

struct ast_verb *build_verb(struct parse *p, enum ast_verb_kind kind)
{
    struct ast_verb *v = ARENA_NEW(p->arena, struct ast_verb);
    v->kind = kind;
    return v;
}

void build_count(struct parse *p, struct ast_verb *v, const struct ast_literal *least, const struct ast_literal *most)
{
    v->counted = true;
    v->least = least->number;
    v->most = most ? most->number : -1;
    if (v->least < 0) diag_add(p->diags, DIAG_E116, least->span, "a count cannot be negative");
    else if (most && v->most < v->least)
        diag_add(p->diags, DIAG_E116, most->span, "the upper count is below the lower one");
}

void build_at_least(struct parse *p, struct ast_verb *v, const struct ast_literal *least)
{
    v->many = MANY_AT_LEAST;
    v->least = least->number;
    v->most = -1;
    if (v->least < 0) diag_add(p->diags, DIAG_E116, least->span, "a count cannot be negative");
}

/* matches "…": what stands in quotes is searched for with `contains`; a pattern stands between slashes. */
void build_pattern_text(struct parse *p, struct ast_literal *l)
{
    struct diag *d = diag_add(p->diags, DIAG_E127, l->span, "`matches` takes a pattern between slashes");
    struct str written = span_text(p, l->span);
    if (written.n > 120 || str_find_byte(written, '\n') != STR_NPOS) return;
    struct buf b = {0};
    for (size_t i = 0; i < l->text.n; i++) {
        if (l->text.p[i] == '/') buf_add_byte(&b, '\\');
        if (l->text.p[i] == '\\' && i + 1 < l->text.n) buf_add_byte(&b, l->text.p[i++]);
        buf_add_byte(&b, l->text.p[i]);
    }
    diag_fix(p->diags, d, "as a pattern:", "matches /%.*s/", STR_ARG(buf_str(&b)));
    diag_fix(p->diags, d, "as a text:", "contains %.*s", STR_ARG(written));
    buf_free(&b);
}

/* --- conditions -------------------------------------------------------------------------------------------------- */

struct operand *build_operand(struct parse *p, enum operand_kind kind, struct span at)
{
    struct operand *o = ARENA_NEW(p->arena, struct operand);
    o->kind = kind;
    o->span = at;
    o->depth = 1;
    return o;
}

/* What is too deep is cut off: the run has failed, and the tree stays safe to walk. */
static void operand_replace(struct operand *o, const struct operand *by)
{
    *o = *by;
    o->next = NULL;
}

void build_operand_not(struct parse *p, struct operand *o, struct operand *inner, struct span keyword)
{
    o->inner = inner;
    o->depth = inner->depth + 1;
    if (build_too_deep(p, o->depth - 1, keyword)) operand_replace(o, inner);
}

void build_operand_chain(struct parse *p, struct operand *o, struct ast_chain *chain)
{
    o->chain = chain;
    o->depth = chain->depth + 1;
    if (build_too_deep(p, o->depth - 1, o->span)) operand_replace(o, chain->first);
}

struct ast_chain *build_chain(struct parse *p, struct operand *first)
{
    struct ast_chain *c = ARENA_NEW(p->arena, struct ast_chain);
    c->first = c->last = first;
    c->count = 1;
    c->span = first->span;
    c->depth = first->depth;
    return c;
}

void build_chain_add(struct ast_chain *c, struct operand *o, bool is_or, struct span connective)
{
    o->or_before = is_or;
    o->connective = connective;
    o->next = NULL;
    PARSE_APPEND(c, o);
    c->count++;
    c->span = span_join(c->span, o->span);
    if (o->depth > c->depth) c->depth = o->depth;
}

struct ast_condition *build_condition(struct parse *p, struct ast_chain *chain)
{
    struct ast_condition *c = ARENA_NEW(p->arena, struct ast_condition);
    c->kind = CONDITION_CHAIN;
    c->span = chain->span;
    c->chain = chain;
    c->depth = (uint16_t)chain->depth;
    return c;
}

struct ast_condition *build_always(struct parse *p, struct span at)
{
    struct ast_condition *c = ARENA_NEW(p->arena, struct ast_condition);
    c->kind = CONDITION_ALWAYS;
    c->span = at;
    c->depth = 1;
    return c;
}

/* --- actions, facts, items --------------------------------------------------------------------------------------- */

struct ast_action *build_action(struct parse *p, struct str name, struct span name_span, struct ast_argument *arguments,
                                struct span at)
{
    struct ast_action *a = ARENA_NEW(p->arena, struct ast_action);
    a->name = name;
    a->name_span = name_span;
    a->arguments = arguments;
    a->span = at;
    return a;
}

struct ast_fact *build_fact(struct parse *p, const struct path *path, bool negated, struct span at)
{
    struct ast_fact *f = ARENA_NEW(p->arena, struct ast_fact);
    f->name = build_path_name(p, path);
    f->name_span = path->span;
    f->negated = negated;
    f->span = at;
    return f;
}

/* `absent` as the last detail is said of the fact, not to it: header "X-Foo" absent. */
void build_fact_absent(struct ast_fact *f)
{
    for (struct ast_argument **a = &f->details; *a; a = &(*a)->next) {
        if ((*a)->next || (*a)->kind != ARGUMENT_NAME || !str_eq((*a)->name, STR("absent"))) continue;
        f->absent = true;
        *a = NULL;
        return;
    }
}

struct ast_item *build_item(struct parse *p, enum ast_item_kind kind, struct span at)
{
    struct ast_item *i = ARENA_NEW(p->arena, struct ast_item);
    i->kind = kind;
    i->span = at;
    return i;
}

void build_item_done(struct parse *p, struct ast_item *item)
{
    if (p->last_item) p->last_item->next = item;
    else p->file->items = item;
    p->last_item = item;
    p->too_deep = false;
    p->pending = STR_NONE;
}

void build_pending(struct parse *p, struct str name, struct span at)
{
    p->pending = name;
    p->pending_span = at;
}

void build_broken_item(struct parse *p)
{
    if (p->pending.n) {
        struct ast_item *i = build_item(p, ITEM_BROKEN, p->pending_span);
        i->name = p->pending;
        i->name_span = p->pending_span;
        build_item_done(p, i);
    }
    p->too_deep = false;
}
