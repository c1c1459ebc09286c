#include "compiler/internal.h"

#include <string.h>

void pool_init(struct pool *pool, struct arena *arena, struct arena *scratch)
{
    pool->arena = arena;
    pool->scratch = scratch;
}

void pool_free(struct pool *pool)
{
    map_free(&pool->known);
    buf_free(&pool->key);
    VEC_FREE(&pool->constants);
    VEC_FREE(&pool->lists);
    VEC_FREE(&pool->patterns);
    VEC_FREE(&pool->field_refs);
    VEC_FREE(&pool->tests);
    VEC_FREE(&pool->arguments);
    VEC_FREE(&pool->actions);
    VEC_FREE(&pool->rules);
    VEC_FREE(&pool->declarations);
    VEC_FREE(&pool->code);
    VEC_FREE(&pool->mails);
    VEC_FREE(&pool->givens);
    VEC_FREE(&pool->expectations);
    VEC_FREE(&pool->scopes);
    VEC_FREE(&pool->cases);
}

/* Keys are the members' bytes behind a letter for the table, so that padding and pointers never take part. */
static void key_begin(struct pool *pool, char table)
{
    pool->key.n = 0;
    buf_add_byte(&pool->key, table);
}
static void key_number(struct pool *pool, uint64_t n) { buf_add(&pool->key, (struct str){(const char *)&n, sizeof n}); }
static void key_text(struct pool *pool, struct str s)
{
    key_number(pool, s.n);
    buf_add(&pool->key, s);
}
static void key_constant(struct pool *pool, const struct constant *c)
{
    key_number(pool, (uint64_t)c->type << 2 | (uint64_t)c->date_only << 1 | (uint64_t)c->date_zoned);
    key_text(pool, c->text);
    key_number(pool, (uint64_t)c->number);
    buf_add(&pool->key, (struct str){(const char *)c->low, sizeof c->low});
    buf_add(&pool->key, (struct str){(const char *)c->high, sizeof c->high});
}
/* The index known under the key, or `next` after making it known. */
static uint32_t key_find(struct pool *pool, size_t next)
{
    uintptr_t found = (uintptr_t)map_get(&pool->known, buf_str(&pool->key));
    if (found) return (uint32_t)(found - 1);
    INVARIANT(next < UINT32_MAX);
    map_put(&pool->known, arena_str(pool->scratch, buf_str(&pool->key)), (void *)(uintptr_t)(next + 1));
    return (uint32_t)next;
}

struct str pool_text(struct pool *pool, struct str s)
{
    if (!s.n) return STR_NONE;
    key_begin(pool, 's');
    buf_add(&pool->key, s);
    uintptr_t found = (uintptr_t)map_get(&pool->known, buf_str(&pool->key));
    if (!found) {
        /* The key's own copy, behind its letter, is the text. */
        struct str key = arena_str(pool->arena, buf_str(&pool->key));
        map_put(&pool->known, key, (void *)key.p);
        found = (uintptr_t)key.p;
    }
    return (struct str){(const char *)found + 1, s.n};
}

static struct constant keep(struct pool *pool, const struct constant *c)
{
    struct constant out = *c;
    out.text = pool_text(pool, c->text);
    return out;
}

uint32_t pool_constant(struct pool *pool, const struct constant *c)
{
    key_begin(pool, 'c');
    key_constant(pool, c);
    uint32_t i = key_find(pool, pool->constants.n);
    if (i == pool->constants.n) VEC_PUSH(&pool->constants, keep(pool, c));
    return i;
}

uint32_t pool_list(struct pool *pool, struct str name, enum value_type type, const struct constant *v, size_t n)
{
    uint32_t i = (uint32_t)pool->lists.n;
    if (!name.n) {
        key_begin(pool, 'l');
        key_number(pool, type);
        for (size_t k = 0; k < n; k++) key_constant(pool, &v[k]);
        i = key_find(pool, i);
        if (i < pool->lists.n) return i;
    }
    uint32_t first = (uint32_t)pool->constants.n;
    for (size_t k = 0; k < n; k++) VEC_PUSH(&pool->constants, keep(pool, &v[k]));
    VEC_PUSH(&pool->lists, (struct program_list){pool_text(pool, name), STR_NONE, type, first, (uint32_t)n});
    return i;
}

uint32_t pool_live_list(struct pool *pool, struct str name, enum value_type type, struct str table)
{
    struct program_list l = {pool_text(pool, name), pool_text(pool, table), type, (uint32_t)pool->constants.n, 0};
    VEC_PUSH(&pool->lists, l);
    return (uint32_t)pool->lists.n - 1;
}

uint32_t pool_patterns(struct pool *pool, const struct pattern_source *v, size_t n)
{
    key_begin(pool, 'p');
    for (size_t k = 0; k < n; k++) {
        key_number(pool, v[k].flags);
        key_text(pool, v[k].text);
    }
    uint32_t i = key_find(pool, pool->patterns.n);
    if (i < pool->patterns.n) return i;
    for (size_t k = 0; k < n; k++) {
        VEC_PUSH(&pool->patterns, (struct pattern_source){pool_text(pool, v[k].text), v[k].flags});
    }
    return i;
}

uint32_t pool_field(struct pool *pool, uint32_t field, struct str text, enum address_part part)
{
    key_begin(pool, 'f');
    key_number(pool, field);
    key_number(pool, part);
    key_text(pool, text);
    uint32_t i = key_find(pool, pool->field_refs.n);
    if (i == pool->field_refs.n) {
        VEC_PUSH(&pool->field_refs, (struct field_ref){field, pool_text(pool, text), (uint8_t)part});
    }
    return i;
}

uint32_t pool_test(struct pool *pool, const struct test *t)
{
    key_begin(pool, 't');
    key_number(pool, t->field);
    key_number(pool, (uint64_t)t->quantifier << 32 | (uint64_t)t->relation << 16 | (uint64_t)t->operand << 8 |
                         (uint64_t)t->alike << 4 | (uint64_t)t->negated << 3 | (uint64_t)t->word << 2 |
                         (uint64_t)t->all << 1 | (uint64_t)t->counted);
    key_number(pool, (uint64_t)t->least);
    key_number(pool, (uint64_t)t->most);
    key_number(pool, (uint64_t)t->a << 32 | t->b);
    uint32_t i = key_find(pool, pool->tests.n);
    if (i == pool->tests.n) VEC_PUSH(&pool->tests, *t);
    return i;
}

bool pool_is_full(const struct pool *pool)
{
    const size_t rows[] = {pool->constants.n, pool->lists.n,   pool->patterns.n, pool->field_refs.n,   pool->tests.n,
                           pool->arguments.n, pool->actions.n, pool->rules.n,    pool->declarations.n, pool->code.n};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i] > PROGRAM_ROWS_MAX) return true;
    }
    return false;
}

void pool_finish(struct pool *pool, struct program *p)
{
#define FINISH(table)                                                                                                  \
    do {                                                                                                               \
        INVARIANT(pool->table.n < UINT32_MAX);                                                                         \
        p->table##_count = (uint32_t)pool->table.n;                                                                    \
        p->table = arena_array(p->arena, pool->table.n ? pool->table.n : 1, sizeof *p->table);                         \
        if (pool->table.n) memcpy(p->table, pool->table.v, pool->table.n * sizeof *p->table);                          \
    } while (0)
    FINISH(constants);
    FINISH(lists);
    FINISH(patterns);
    FINISH(field_refs);
    FINISH(tests);
    FINISH(arguments);
    FINISH(actions);
    FINISH(rules);
    FINISH(declarations);
    FINISH(code);
    FINISH(mails);
    FINISH(givens);
    FINISH(expectations);
    FINISH(scopes);
    FINISH(cases);
#undef FINISH
}
