/* The tree in print: indented for goldens, and one canonical line for a rule's identity. */
#include "grammar/parse.h"
#include "grammar/words.h"

/* --- one canonical line ------------------------------------------------------------------------------------------ */

static void write_condition(const struct writer *w, const struct ast_condition *c);

/* Chains of one connective are written without parentheses, whatever shape their tree has. */
static void write_part(const struct writer *w, const struct ast_condition *part, enum ast_condition_kind within)
{
    bool group = (part->kind == CONDITION_AND || part->kind == CONDITION_OR) && part->kind != within;
    if (group) buf_add_byte(w->out, '(');
    write_condition(w, part);
    if (group) buf_add_byte(w->out, ')');
}

static void write_condition(const struct writer *w, const struct ast_condition *c)
{
    switch (c->kind) {
    case CONDITION_ALWAYS: buf_add(w->out, STR("always")); break;
    case CONDITION_AND:
    case CONDITION_OR:
        write_part(w, c->left, c->kind);
        buf_add(w->out, c->kind == CONDITION_AND ? STR(" and ") : STR(" or "));
        write_part(w, c->right, c->kind);
        break;
    case CONDITION_NOT:
        buf_add(w->out, STR("not "));
        write_part(w, c->left, CONDITION_NOT);
        break;
    case CONDITION_TEST: write_test(w, c); break;
    case CONDITION_WHERE:
        buf_printf(w->out, "%s %.*s where (", words_quantifier(c->quantifier), STR_ARG(c->name));
        write_condition(w, c->left);
        buf_add_byte(w->out, ')');
        break;
    case CONDITION_CHAIN: INVARIANT(!"ast_fold comes first");
    }
}

void ast_rule_canonical(const struct ast_rule *rule, struct buf *out)
{
    const struct writer w = {out, false};
    if (rule->name) {
        buf_add(out, STR("rule "));
        write_literal(&w, rule->name);
        write_arguments(&w, rule->options);
        buf_add_byte(out, ' ');
    }
    buf_add(out, STR("when "));
    write_condition(&w, rule->when);
    for (const struct ast_condition *c = rule->unless; c; c = c->next) {
        buf_add(out, STR(" unless "));
        write_condition(&w, c);
    }
    buf_add(out, STR(" then "));
    write_actions(&w, rule->actions);
}

/* --- the tree, indented ------------------------------------------------------------------------------------------ */

static void indent(const struct writer *w, int depth) { buf_printf(w->out, "%*s", depth * 2, ""); }

static void print_chain(const struct writer *w, const struct ast_chain *chain, int depth);

static void print_operand(const struct writer *w, const struct operand *o, int depth)
{
    static const char *const names[] = {"field", "where", "group", "not", "verb", "literal"};
    buf_printf(w->out, "%s", names[o->kind]);
    if (o->field) buf_add_byte(w->out, ' '), write_field(w, o->field);
    if (o->kind == OPERAND_WHERE) buf_printf(w->out, " %s %.*s", words_quantifier(o->quantifier), STR_ARG(o->name));
    if (o->verb) buf_add_byte(w->out, ' '), write_verb(w, o->verb);
    if (o->literal) buf_add_byte(w->out, ' '), write_literal(w, o->literal);
    if (o->inner) buf_add_byte(w->out, ' '), print_operand(w, o->inner, depth);
    else buf_add_byte(w->out, '\n');
    if (o->chain) print_chain(w, o->chain, depth + 1);
}

static void print_chain(const struct writer *w, const struct ast_chain *chain, int depth)
{
    for (const struct operand *o = chain->first; o; o = o->next) {
        indent(w, depth);
        if (o != chain->first) buf_add(w->out, o->or_before ? STR("or ") : STR("and "));
        print_operand(w, o, depth);
    }
}

static void print_condition(const struct writer *w, const struct ast_condition *c, int depth)
{
    if (c->kind == CONDITION_CHAIN) {
        print_chain(w, c->chain, depth);
        return;
    }
    indent(w, depth);
    switch (c->kind) {
    case CONDITION_ALWAYS: buf_add(w->out, c->refused ? STR("refused\n") : STR("always\n")); break;
    case CONDITION_AND:
    case CONDITION_OR:
        buf_add(w->out, c->kind == CONDITION_AND ? STR("and\n") : STR("or\n"));
        print_condition(w, c->left, depth + 1);
        print_condition(w, c->right, depth + 1);
        break;
    case CONDITION_NOT:
        buf_add(w->out, STR("not\n"));
        print_condition(w, c->left, depth + 1);
        break;
    case CONDITION_TEST:
        buf_add(w->out, c->verb ? STR("test ") : STR("bare "));
        write_test(w, c);
        buf_add_byte(w->out, '\n');
        break;
    case CONDITION_WHERE:
        buf_printf(w->out, "where %s %.*s\n", words_quantifier(c->quantifier), STR_ARG(c->name));
        print_condition(w, c->left, depth + 1);
        break;
    case CONDITION_CHAIN: break;
    }
}

static void print_rule(const struct writer *w, const struct ast_rule *r)
{
    buf_add(w->out, STR("rule"));
    if (r->name) buf_add_byte(w->out, ' '), write_literal(w, r->name);
    write_arguments(w, r->options);
    buf_add(w->out, STR("\n  when\n"));
    print_condition(w, r->when, 2);
    for (const struct ast_condition *c = r->unless; c; c = c->next) {
        buf_add(w->out, STR("  unless\n"));
        print_condition(w, c, 2);
    }
    for (const struct ast_action *a = r->actions; a; a = a->next) {
        buf_printf(w->out, "  then %.*s", STR_ARG(a->name));
        write_arguments(w, a->arguments);
        buf_add_byte(w->out, '\n');
    }
}

static void print_list(const struct writer *w, const struct ast_item *i)
{
    buf_printf(w->out, "list %.*s of %.*s\n", STR_ARG(i->name), STR_ARG(i->element_type));
    if (i->origin.n) {
        buf_printf(w->out, "  in %.*s ", STR_ARG(i->origin));
        write_literal(w, i->text);
        buf_add_byte(w->out, '\n');
    }
    for (const struct ast_value *v = i->elements; v; v = v->next) {
        buf_add(w->out, STR("  "));
        write_value(w, v);
        buf_add_byte(w->out, '\n');
    }
}

static void print_test(const struct writer *w, const struct ast_item *i)
{
    buf_add(w->out, STR("test "));
    write_literal(w, i->text);
    buf_add_byte(w->out, '\n');
    for (const struct ast_fact *f = i->facts; f; f = f->next) {
        buf_printf(w->out, "  given %s%.*s", f->negated ? "not " : "", STR_ARG(f->name));
        write_arguments(w, f->details);
        buf_add(w->out, f->absent ? STR(" absent\n") : STR("\n"));
    }
    for (const struct ast_action *a = i->expect; a; a = a->next) {
        buf_printf(w->out, "  expect %.*s", STR_ARG(a->name));
        write_arguments(w, a->arguments);
        buf_add_byte(w->out, '\n');
    }
}

static void print_item(const struct writer *w, const struct ast_item *i)
{
    switch (i->kind) {
    case ITEM_IMPORT:
        buf_add(w->out, STR("import "));
        write_literal(w, i->text);
        break;
    case ITEM_DEFAULTS:
        buf_add(w->out, STR("defaults"));
        write_arguments(w, i->arguments);
        break;
    case ITEM_DECLARATION:
        buf_printf(w->out, "declaration %.*s", STR_ARG(i->name));
        write_arguments(w, i->arguments);
        break;
    case ITEM_BROKEN: buf_printf(w->out, "broken %.*s", STR_ARG(i->name)); break;
    case ITEM_LIST: print_list(w, i); return;
    case ITEM_RULE: print_rule(w, &i->rule); return;
    case ITEM_TEST: print_test(w, i); return;
    case ITEM_DEFINE:
        buf_printf(w->out, "define %.*s\n", STR_ARG(i->name));
        print_condition(w, i->condition, 1);
        return;
    }
    buf_add_byte(w->out, '\n');
}

void ast_print(const struct ast_file *f, struct buf *out)
{
    const struct writer w = {out, true};
    for (const struct ast_item *i = f->items; i; i = i->next) print_item(&w, i);
}
