#include "tests/support/rules.h"

#include "base/map.h"

static bool is_one_of(struct str name, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(name, str_of(words[i]))) return true;
    return false;
}

bool rules_is_kind(struct str name)
{
    static const char *const kinds[] = {"relay", "listener", "connector", "retry"};
    return is_one_of(name, kinds, sizeof kinds / sizeof *kinds);
}

/* Yes/no fields, and the defines of the file. */
static bool stands_bare(void *context, struct str name)
{
    static const char *const fields[] = {"authenticated", "encrypted", "marked", "ambiguous", "attachment.encrypted",
                                         "attachment.executable"};
    return is_one_of(name, fields, sizeof fields / sizeof *fields) || map_has(context, name);
}

void rules_open(struct rules *r, const char *name, struct str text)
{
    *r = (struct rules){.arena = arena_create(), .source = {str_of(name), text, 0}};
    VEC_PUSH(&r->sources.list, &r->source);
    r->diags.arena = r->arena;
    r->diags.sources = &r->sources;
    r->file = ast_parse(r->arena, &r->source, rules_is_kind, &r->diags);
    struct map defines = {0};
    for (struct ast_item *i = r->file->items; i; i = i->next)
        if (i->kind == ITEM_DEFINE) map_put(&defines, i->name, i);
    ast_fold(r->arena, r->file, stands_bare, &defines, &r->diags);
    map_free(&defines);
    diags_sort(&r->diags);
}

void rules_close(struct rules *r)
{
    VEC_FREE(&r->diags.list);
    VEC_FREE(&r->sources.list);
    arena_free(&r->arena);
}
