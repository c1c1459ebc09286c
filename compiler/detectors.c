#include "compiler/internal.h"
#include "compiler/library.h"

/* Detectors are declarations.  Those of the library are known without an import, and are taken into the program when a
 * rule first names them; one that the rule files declare themselves takes the place of the library's. */

static const struct str library_name = STR_INIT("std/detectors");

static const struct ast_file *library(struct compiler *c)
{
    if (c->library) return c->library;
    struct source *s = load_library(c, library_name);
    INVARIANT(s); /* the build made it */
    c->library = ast_parse(c->a, s, words_is_declaration, c->d);
    return c->library;
}

static struct str name_of(const struct ast_item *item)
{
    const struct ast_argument *first = item->kind == ITEM_DECLARATION ? item->arguments : NULL;
    bool named = first && first->kind == ARGUMENT_LITERAL && first->literal->kind == LITERAL_TEXT;
    return named ? first->literal->text : STR_NONE;
}

static bool is_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        bool letter = (s.p[i] >= 'a' && s.p[i] <= 'z') || s.p[i] == '_';
        if (!letter && !(i && ascii_is_digit(s.p[i]))) return false;
    }
    return s.n != 0;
}

/* One name space for lists, definitions, fields and detectors (LANGUAGE section 4). */
bool detectors_check_name(struct compiler *c, struct str name, struct span at)
{
    struct word_field field;
    const struct name *other = names_find(c, name);
    if (!is_name(name)) {
        diag_add(c->d, DIAG_E219, at, "rules name a detector without quotes: a-z, 0-9 and _, and no digit at first");
        return false;
    }
    if (words_find_field(name, &field)) {
        diag_add(c->d, DIAG_E201, at, "`%.*s` is the name of a field", STR_ARG(name));
        return false;
    }
    if (!other || other->kind == NAME_BROKEN) return true;
    struct diag *d = diag_add(c->d, DIAG_E201, at, "`%.*s` is the name of another %s already", STR_ARG(name),
                              other->kind == NAME_LIST ? "list" : "definition");
    diag_note(c->d, d, other->at, "it is here");
    return false;
}

/* Declared by the rule files, though maybe with errors: those were told. */
static bool is_declared(const struct compiler *c, struct str name)
{
    for (size_t i = 0; i < c->items.n; i++)
        if (str_eq(c->items.v[i].item->name, STR("detector")) && str_eq(name_of(c->items.v[i].item), name)) return true;
    return false;
}

static void tell_unknown(struct compiler *c, struct str name, struct span at)
{
    VEC(struct str) known = {0};
    for (const struct ast_item *i = library(c)->items; i; i = i->next)
        if (name_of(i).n) VEC_PUSH(&known, name_of(i));
    for (size_t i = 0; i < c->detectors.n; i++) VEC_PUSH(&known, c->detectors.entries[i].key);
    struct diag *d = diag_add(c->d, DIAG_E231, at, "there is no detector `%.*s`", STR_ARG(name));
    struct str near = suggest_nearest(name, known.v, known.n);
    if (near.n) diag_fix(c->d, d, "did you mean:", "%.*s", STR_ARG(near));
    diag_fix(c->d, d, "a text to search for stands in quotes:", "\"%.*s\"", STR_ARG(name));
    VEC_FREE(&known);
}

static uint32_t find(struct compiler *c, struct str name, struct span at)
{
    uintptr_t index = (uintptr_t)map_get(&c->detectors, name);
    if (index) return (uint32_t)index - 1;
    if (is_declared(c, name)) return NO_INDEX;
    for (struct ast_item *i = library(c)->items; i; i = i->next) {
        if (!str_eq(name_of(i), name)) continue;
        declarations_check_item(c, i);
        index = (uintptr_t)map_get(&c->detectors, name);
        return index ? (uint32_t)index - 1 : NO_INDEX;
    }
    tell_unknown(c, name, at);
    return NO_INDEX;
}

void detectors_declare(struct compiler *c, struct str name, uint32_t index)
{
    map_put(&c->detectors, name, (void *)(uintptr_t)(index + 1));
}

bool detectors_operand(struct compiler *c, const struct ast_verb *v, struct test *t)
{
    static const struct param_row params[] = {{.name = "confidence", .type = TYPE_NUMBER, .words = "1 100"}};
    struct bound bound[1];
    uint32_t index = find(c, v->detector, v->detector_span);
    if (index == NO_INDEX) return false;
    struct argument_rows rows = {arena_printf(c->a, "`%.*s`", STR_ARG(v->detector)).p, params, 1, false, false, NULL};
    if (!arguments_bind(c, &rows, v->detector_span, v->arguments, bound)) return false;
    t->operand = OPERAND_DETECTOR;
    t->a = index;
    t->b = bound[0].value ? (uint32_t)bound[0].constant.number : 0;
    return true;
}
