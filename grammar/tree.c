/* The tree as JSON. */
#include "grammar/tree.h"

#include "grammar/words.h"

static void put_span(struct js *o, const char *key, struct span s)
{
    struct js *pair = js_array();
    js_add_num(pair, s.from);
    js_add_num(pair, s.to);
    js_put(o, key, pair);
}

static struct js *node(const char *kind, struct span s)
{
    struct js *o = js_object();
    js_put_cstr(o, "kind", kind);
    put_span(o, "span", s);
    return o;
}

/* --- literals, arguments, values --------------------------------------------------------------------------------- */

static struct js *literal(const struct ast_literal *l)
{
    static const char *const kinds[] = {"text", "regex", "number", "size", "duration", "date", "clock", "network"};
    struct js *o = node(kinds[l->kind], l->span);
    switch (l->kind) {
    case LITERAL_TEXT: case LITERAL_NETWORK: js_put_str(o, "value", l->text); break;
    case LITERAL_REGEX: {
        char flags[5];
        size_t n = 0;
        for (size_t i = 0; i < 4; i++)
            if (l->flags & (1u << i)) flags[n++] = "smxc"[i];
        js_put_str(o, "value", l->text);
        js_put_str(o, "flags", (struct str){flags, n});
        break;
    }
    case LITERAL_DATE:
        js_put_num(o, "value", l->number);
        js_put_bool(o, "day", l->date_only);
        js_put_bool(o, "utc", l->date_zoned);
        break;
    case LITERAL_NUMBER:
    case LITERAL_SIZE:
    case LITERAL_DURATION:
    case LITERAL_CLOCK: js_put_num(o, "value", l->number);
    }
    return o;
}

static struct js *arguments(const struct ast_argument *first);

static struct js *argument(const struct ast_argument *a)
{
    struct js *o;
    switch (a->kind) {
    case ARGUMENT_LITERAL: return literal(a->literal);
    case ARGUMENT_NO: return node("no", a->span);
    case ARGUMENT_NAME:
        o = node("name", a->span);
        js_put_str(o, "value", a->name);
        return o;
    case ARGUMENT_GROUP: break;
    }
    struct js *entries = js_array();
    for (const struct ast_entry *e = a->entries; e; e = e->next) js_add(entries, arguments(e->arguments));
    o = node("group", a->span);
    js_put(o, "entries", entries);
    return o;
}

static struct js *arguments(const struct ast_argument *first)
{
    struct js *list = js_array();
    for (const struct ast_argument *a = first; a; a = a->next) js_add(list, argument(a));
    return list;
}

static struct js *field(const struct ast_field *f)
{
    struct js *o = node("field", f->span);
    if (f->quantifier) js_put_cstr(o, "quantifier", words_quantifier(f->quantifier));
    js_put_str(o, "name", f->name);
    if (f->text) js_put_str(o, "text", f->text->text);
    return o;
}

static struct js *value(const struct ast_value *v) { return v->literal ? literal(v->literal) : field(v->field); }

static struct js *values(const struct ast_value *first)
{
    struct js *list = js_array();
    for (const struct ast_value *v = first; v; v = v->next) js_add(list, value(v));
    return list;
}

/* --- conditions -------------------------------------------------------------------------------------------------- */

static struct js *verb(const struct ast_verb *v)
{
    static const char *const names[] = {
        [VERB_IS] = "is", [VERB_IS_ANY_OF] = "is any of", [VERB_IS_IN] = "is in", [VERB_IS_LIKE] = "is like",
        [VERB_IS_PRESENT] = "is present", [VERB_IS_ABSENT] = "is absent", [VERB_IS_OVER] = "is over",
        [VERB_IS_UNDER] = "is under", [VERB_IS_AT_LEAST] = "is at least", [VERB_IS_AT_MOST] = "is at most",
        [VERB_IS_BETWEEN] = "is between", [VERB_IS_BEFORE] = "is before", [VERB_IS_AFTER] = "is after",
        [VERB_CONTAINS] = "contains", [VERB_MATCHES] = "matches", [VERB_STARTS_WITH] = "starts with",
        [VERB_ENDS_WITH] = "ends with"};
    static const char *const many[] = {"", "any", "all", "at least"};
    struct js *o = node(names[v->kind], v->span);
    js_put_bool(o, "negated", v->negated);
    if (v->value) js_put(o, "value", value(v->value));
    if (v->value2) js_put(o, "value2", value(v->value2));
    if (v->set) js_put(o, "set", values(v->set->values));
    if (v->many) js_put_cstr(o, "many", many[v->many]);
    if (v->word) js_put_bool(o, "word", true);
    if (v->counted || v->many == MANY_AT_LEAST) js_put_num(o, "least", v->least);
    if (v->counted && v->most >= 0) js_put_num(o, "most", v->most);
    if (!v->detector.n) return o;
    js_put_str(o, "detector", v->detector);
    js_put(o, "arguments", arguments(v->arguments));
    return o;
}

static struct js *condition(const struct ast_condition *c);

static struct js *pair(const char *kind, const struct ast_condition *c)
{
    struct js *o = node(kind, c->span);
    js_put(o, "left", condition(c->left));
    js_put(o, "right", condition(c->right));
    return o;
}

static struct js *test(const struct ast_condition *c)
{
    struct js *o = node("test", c->span), *fields = js_array();
    for (const struct ast_field *f = c->fields; f; f = f->next) js_add(fields, field(f));
    js_put(o, "fields", fields);
    if (c->fields->next) js_put_cstr(o, "connective", c->run_is_and ? "and" : "or");
    if (c->verb) js_put(o, "verb", verb(c->verb));
    return o;
}

static struct js *condition(const struct ast_condition *c)
{
    struct js *o = NULL;
    switch (c->kind) {
    case CONDITION_ALWAYS: return node("always", c->span);
    case CONDITION_AND: return pair("and", c);
    case CONDITION_OR: return pair("or", c);
    case CONDITION_TEST: return test(c);
    case CONDITION_NOT:
        o = node("not", c->span);
        break;
    case CONDITION_WHERE:
        o = node("where", c->span);
        js_put_cstr(o, "quantifier", words_quantifier(c->quantifier));
        js_put_str(o, "name", c->name);
        break;
    case CONDITION_CHAIN: INVARIANT(!"ast_fold comes first");
    }
    js_put(o, "inner", condition(c->left));
    return o;
}

/* --- items ------------------------------------------------------------------------------------------------------- */

static struct js *actions(const struct ast_action *first)
{
    struct js *list = js_array();
    for (const struct ast_action *a = first; a; a = a->next) {
        struct js *o = node("action", a->span);
        js_put_str(o, "name", a->name);
        js_put(o, "arguments", arguments(a->arguments));
        js_add(list, o);
    }
    return list;
}

static struct js *facts(const struct ast_fact *first)
{
    struct js *list = js_array();
    for (const struct ast_fact *f = first; f; f = f->next) {
        struct js *o = node("fact", f->span);
        js_put_str(o, "name", f->name);
        js_put_bool(o, "negated", f->negated);
        js_put_bool(o, "absent", f->absent);
        js_put(o, "details", arguments(f->details));
        js_add(list, o);
    }
    return list;
}

static void put_rule(struct js *o, const struct ast_rule *r)
{
    struct js *unless = js_array();
    for (const struct ast_condition *c = r->unless; c; c = c->next) js_add(unless, condition(c));
    if (r->name) js_put_str(o, "name", r->name->text);
    js_put(o, "options", arguments(r->options));
    js_put(o, "when", condition(r->when));
    js_put(o, "unless", unless);
    js_put(o, "then", actions(r->actions));
}

static struct js *item(const struct ast_item *i)
{
    static const char *const kinds[] = {
        [ITEM_IMPORT] = "import", [ITEM_DEFAULTS] = "defaults", [ITEM_LIST] = "list", [ITEM_DEFINE] = "define",
        [ITEM_RULE] = "rule", [ITEM_TEST] = "test", [ITEM_DECLARATION] = "declaration", [ITEM_BROKEN] = "broken"};
    struct js *o = node(kinds[i->kind], i->span);
    if (i->name.n) js_put_str(o, "name", i->name);
    if (i->text) js_put_str(o, "text", i->text->text);
    switch (i->kind) {
    case ITEM_IMPORT: case ITEM_BROKEN: break;
    case ITEM_DEFAULTS: case ITEM_DECLARATION: js_put(o, "arguments", arguments(i->arguments)); break;
    case ITEM_LIST:
        js_put_str(o, "of", i->element_type);
        if (i->origin.n) js_put_str(o, "in", i->origin);
        else js_put(o, "elements", values(i->elements));
        break;
    case ITEM_DEFINE: js_put(o, "condition", condition(i->condition)); break;
    case ITEM_RULE: put_rule(o, &i->rule); break;
    case ITEM_TEST:
        js_put(o, "given", facts(i->facts));
        js_put(o, "expect", actions(i->expect));
        break;
    }
    return o;
}

struct js *tree_json(const struct ast_file *f)
{
    struct js *o = js_object(), *items = js_array();
    for (const struct ast_item *i = f->items; i; i = i->next) js_add(items, item(i));
    js_put_num(o, "version", TREE_VERSION);
    js_put_str(o, "file", f->source->name);
    js_put(o, "items", items);
    return o;
}
