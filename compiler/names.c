#include "compiler/internal.h"

/* --- suggestions --- */

static void add_candidate(struct compiler *c, struct str s) { c->candidates[c->candidate_count++] = s; }

static void collect_candidates(struct compiler *c)
{
    size_t n = words_rows.field_count * (1 + words_part_count) + c->names.n;
    c->candidates = ARENA_ARRAY(c->a, struct str, n);
    for (size_t i = 0; i < words_rows.field_count; i++) {
        const struct field_row *row = &words_rows.fields[i];
        add_candidate(c, str_of(row->name));
        for (size_t k = 0; k < words_part_count && row->type == TYPE_ADDRESS; k++) {
            add_candidate(c, arena_printf(c->a, "%s.%s", row->name, words_parts[k].name));
        }
    }
    for (size_t i = 0; i < c->names.n; i++) add_candidate(c, c->names.entries[i].key);
}

struct str names_suggest(struct compiler *c, struct str word)
{
    if (!c->candidates) collect_candidates(c);
    return suggest_nearest(word, c->candidates, c->candidate_count);
}

void names_help(struct compiler *c, struct diag *to, struct str word, const struct str *candidates, size_t n)
{
    struct str near = suggest_tried(word);
    if (!near.n) near = candidates ? suggest_nearest(word, candidates, n) : names_suggest(c, word);
    if (near.n) diag_fix(c->d, to, "did you mean:", "%.*s", STR_ARG(near));
}

/* --- the name space --- */

static void add_name(struct compiler *c, struct item_ref ref, enum name_kind kind)
{
    struct ast_item *item = ref.item;
    if (!item->name.n) return;
    struct word_field field;
    if (words_find_field(item->name, &field)) {
        diag_add(c->d, DIAG_E201, item->name_span, "`%.*s` is the name of a field", STR_ARG(item->name));
        return;
    }
    struct name *known = map_get(&c->names, item->name);
    if (known) {
        if (kind == NAME_BROKEN || known->kind == NAME_BROKEN) return; /* told as what it is */
        struct diag *d = diag_add(c->d, DIAG_E201, item->name_span, "`%.*s` is the name of another %s already",
                                  STR_ARG(item->name), known->kind == NAME_LIST ? "list" : "definition");
        diag_note(c->d, d, known->at, "it is here");
        return;
    }
    struct name *n = ARENA_NEW(c->a, struct name);
    *n = (struct name){.kind = kind, .name = item->name, .at = item->name_span, .item = item, .unit = ref.unit};
    map_put(&c->names, item->name, n);
}

static void add_connector(struct compiler *c, struct ast_item *item)
{
    struct ast_argument *first = item->arguments;
    if (!str_eq(item->name, STR("connector")) || !first || first->kind != ARGUMENT_LITERAL ||
        first->literal->kind != LITERAL_TEXT) {
        return;
    }
    if (!map_has(&c->connectors, first->literal->text)) map_put(&c->connectors, first->literal->text, item);
}

void names_collect(struct compiler *c)
{
    for (size_t i = 0; i < c->items.n; i++) {
        struct item_ref ref = c->items.v[i];
        switch (ref.item->kind) {
        case ITEM_LIST: add_name(c, ref, NAME_LIST); break;
        case ITEM_DEFINE: add_name(c, ref, NAME_DEFINE); break;
        case ITEM_BROKEN: add_name(c, ref, NAME_BROKEN); break;
        case ITEM_DECLARATION: add_connector(c, ref.item); break;
        case ITEM_IMPORT:
        case ITEM_DEFAULTS:
        case ITEM_RULE:
        case ITEM_TEST: break;
        }
    }
}

bool names_stand_bare(void *compiler, struct str name)
{
    struct compiler *c = compiler;
    struct word_field field;
    if (words_find_field(name, &field)) return field.type == TYPE_YESNO;
    const struct name *n = map_get(&c->names, name);
    return n && n->kind != NAME_LIST;
}

struct name *names_find(struct compiler *c, struct str name) { return map_get(&c->names, name); }

struct name *names_list(struct compiler *c, struct str name, struct span at)
{
    struct name *n = map_get(&c->names, name);
    if (!n) {
        struct diag *d = diag_add(c->d, DIAG_E200, at, "there is no list `%.*s`", STR_ARG(name));
        struct str near = names_suggest(c, name);
        if (near.n) diag_fix(c->d, d, "did you mean:", "%.*s", STR_ARG(near));
        return NULL;
    }
    n->used = true;
    if (n->kind == NAME_BROKEN) return NULL;
    if (n->kind == NAME_DEFINE) {
        struct diag *d =
            diag_add(c->d, DIAG_E200, at, "`%.*s` is a definition, and a list is wanted here", STR_ARG(name));
        diag_note(c->d, d, n->at, "it is defined here");
        return NULL;
    }
    if (n->state == NAME_BUSY) {
        struct diag *d = diag_add(c->d, DIAG_E216, at, "the list `%.*s` would hold itself", STR_ARG(name));
        diag_note(c->d, d, n->at, "it is here");
        return NULL;
    }
    lists_resolve(c, n);
    return n->state == NAME_DONE ? n : NULL;
}

struct ir *names_define(struct compiler *c, struct name *n, struct span at)
{
    n->used = true;
    if (n->kind == NAME_BROKEN || n->state == NAME_FAILED) return NULL;
    if (n->state == NAME_BUSY) {
        struct diag *d = diag_add(c->d, DIAG_E216, at, "the definition `%.*s` uses itself", STR_ARG(n->name));
        diag_note(c->d, d, n->at, "it is defined here");
        return NULL;
    }
    if (n->state == NAME_NEW) {
        n->state = NAME_BUSY;
        n->ir = check_condition(c, n->item->condition, NULL);
        n->state = n->ir ? NAME_DONE : NAME_FAILED;
    }
    return n->ir;
}

void names_warn_needs(struct compiler *c, struct span at, const char *word, const char *what)
{
    diag_add(c->d, DIAG_W317, at, "`%s` needs %s, which this version has not got: a relay refuses to load this rule",
             word, what);
}

void names_warn_unused(struct compiler *c)
{
    for (size_t i = 0; i < c->names.n; i++) {
        const struct name *n = c->names.entries[i].value;
        if (n->kind != NAME_LIST || n->used || n->unit->library) continue;
        diag_add(c->d, DIAG_W309, n->at, "nothing uses the list `%.*s`", STR_ARG(n->name));
    }
}
