#include "compiler/compiler.h"

#include "base/digest.h"
#include "compiler/internal.h"

static void record_sources(struct compiler *c)
{
    size_t n = c->d->sources->list.n - c->first_source;
    c->p->sources = arena_array(c->p->arena, n ? n : 1, sizeof *c->p->sources);
    c->p->sources_count = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        const struct source *s = c->d->sources->list.v[c->first_source + i];
        c->p->sources[i].name = pool_text(&c->pool, s->name);
        digest_sha256(s->text, c->p->sources[i].sha256);
    }
}

static void check_all(struct compiler *c)
{
    names_collect(c);
    for (size_t i = 0; i < c->units.n; i++) {
        ast_fold(c->a, c->units.v[i]->ast, names_stand_bare, c, c->d);
        if (c->in->tree) c->in->tree(c->in->tree_context, c->units.v[i]->ast);
    }
    detectors_check(c); /* definitions speak of them */
    for (size_t i = 0; i < c->names.n; i++) {
        struct name *n = c->names.entries[i].value;
        if (n->unit->library) continue; /* when something uses it */
        lists_resolve(c, n);
        if (n->kind == NAME_DEFINE) lint_definition(c, names_define(c, n, n->at));
    }
    declarations_check(c);
    rules_check(c);
    cases_check(c);
    if (pool_is_full(&c->pool)) {
        diag_add(c->d, DIAG_E232, (struct span){0},
                 "a compiled program may hold at most %d list entries, tests or instructions", PROGRAM_ROWS_MAX);
    }
    if (c->d->errors == c->errors_before) names_warn_unused(c); /* what is broken may have meant to use it */
}

/* What is not in the program was told: a rule that is lost in silence would protect nobody. */
static bool is_whole(const struct compiler *c)
{
    size_t rules = 0, tests = 0, declarations = 0;
    for (size_t i = 0; i < c->items.n; i++) {
        rules += c->items.v[i].item->kind == ITEM_RULE;
        tests += c->items.v[i].item->kind == ITEM_TEST;
        declarations += c->items.v[i].item->kind == ITEM_DECLARATION;
    }
    return c->pool.rules.n == rules && c->pool.cases.n == tests && c->pool.declarations.n >= declarations;
}

struct program *compiler_compile(const struct compile_input *in, struct diags *d)
{
    size_t first = d->list.n;
    struct compiler c = {.in = in,
                         .d = d,
                         .a = arena_create(),
                         .p = program_create(),
                         .proofs = arena_create(),
                         .errors_before = d->errors,
                         .warnings_before = d->warnings};
    c.first_source = (uint32_t)d->sources->list.n;
    pool_init(&c.pool, c.p->arena, c.a);
    if (load_all(&c)) check_all(&c);
    allow_warnings(&c, first);
    bool good = d->errors == c.errors_before && !(in->warnings_as_errors && d->warnings != c.warnings_before);
    INVARIANT(!good || is_whole(&c));
    if (good) {
        record_sources(&c);
        words_vocabulary_hash(c.p->vocabulary_hash);
        pool_finish(&c.pool, c.p);
    } else {
        program_free(&c.p);
    }
    diags_sort(d);
    for (size_t i = 0; i < c.list_sets.n; i++) map_free(&c.list_sets.v[i]);
    VEC_FREE(&c.list_sets);
    pool_free(&c.pool);
    map_free(&c.normals.known);
    buf_free(&c.normals.key);
    VEC_FREE(&c.normals.rows);
    map_free(&c.files);
    map_free(&c.names);
    map_free(&c.connectors);
    map_free(&c.declared);
    map_free(&c.detectors);
    map_free(&c.tables);
    map_free(&c.rule_names);
    map_free(&c.rule_copies);
    VEC_FREE(&c.lines);
    VEC_FREE(&c.units);
    VEC_FREE(&c.items);
    arena_free(&c.proofs);
    arena_free(&c.a);
    return c.p;
}
