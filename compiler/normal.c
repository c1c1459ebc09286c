/* Normal forms: a condition as a number, the same for conditions that differ only in order, in repetition, in how `not`
 * is said, or in which definition they stand.  Two numbers are equal when the forms are, byte for byte: no hash is
 * trusted.  Nothing is distributed or absorbed. */
#include "base/sort.h"
#include "compiler/internal.h"

struct parts {
    VEC(uint32_t) v;
};

const struct normal *normal_row(const struct compiler *c, uint32_t id) { return &c->normals.rows.v[id]; }

static void key_begin(struct normals *n, enum normal_kind kind, bool holds)
{
    n->key.n = 0;
    buf_add_byte(&n->key, (char)kind);
    buf_add_byte(&n->key, (char)holds);
}
static void key_add(struct normals *n, uint64_t x) { buf_add(&n->key, (struct str){(const char *)&x, sizeof x}); }

static uint32_t find(struct compiler *c, const struct normal *row)
{
    struct normals *n = &c->normals;
    if (!n->rows.n) VEC_PUSH(&n->rows, (struct normal){0}); /* 0 is no id */
    uintptr_t known = (uintptr_t)map_get(&n->known, buf_str(&n->key));
    if (known) return (uint32_t)known;
    uint32_t id = (uint32_t)n->rows.n;
    VEC_PUSH(&n->rows, *row);
    map_put(&n->known, arena_str(c->a, buf_str(&n->key)), (void *)(uintptr_t)id);
    return id;
}

/* `is not x` is the denial of `is x`, `no f` that of `any f`. */
static uint32_t normal_test(struct compiler *c, const struct ir *x, bool holds)
{
    const struct test *t = &c->pool.tests.v[x->index];
    struct normal row = {.kind = NORMAL_TEST, .ir = x, .holds = holds};
    uint8_t quantifier = t->quantifier == Q_NO ? Q_ANY : t->quantifier;
    bool negated = t->negated;
    if (t->quantifier == Q_NO) holds = !holds;
    if (quantifier == Q_NONE && negated) {
        holds = !holds;
        negated = false;
    }
    key_begin(&c->normals, NORMAL_TEST, holds);
    key_add(&c->normals, t->field);
    key_add(&c->normals, (uint64_t)quantifier << 32 | (uint64_t)t->relation << 16 | (uint64_t)t->operand << 8 |
                             (uint64_t)t->alike << 4 | (uint64_t)negated << 3 | (uint64_t)t->word << 2 |
                             (uint64_t)t->all << 1 | (uint64_t)t->counted);
    key_add(&c->normals, (uint64_t)t->least);
    key_add(&c->normals, (uint64_t)t->most);
    key_add(&c->normals, (uint64_t)t->a << 32 | t->b);
    return find(c, &row);
}

static uint32_t normal_loop(struct compiler *c, const struct ir *x, bool holds)
{
    uint32_t body = normal_of(c, x->left, true);
    struct normal row = {.kind = NORMAL_LOOP, .ir = x, .holds = holds};
    key_begin(&c->normals, NORMAL_LOOP, holds != (x->quantifier == Q_NO));
    key_add(&c->normals, (uint64_t)x->index << 32 | body);
    key_add(&c->normals, x->quantifier == Q_NO ? Q_ANY : x->quantifier);
    return find(c, &row);
}

static void gather(struct compiler *c, struct ir *x, enum ir_kind kind, bool holds, struct parts *out)
{
    if (x->kind == kind) {
        gather(c, x->left, kind, holds, out);
        gather(c, x->right, kind, holds, out);
        return;
    }
    uint32_t id = normal_of(c, x, holds);
    const struct normal *row = normal_row(c, id);
    bool same = row->kind == ((kind == IR_AND) == holds ? NORMAL_AND : NORMAL_OR); /* not (a or b) among ands */
    for (uint32_t i = 0; same && i < row->part_count; i++) VEC_PUSH(&out->v, normal_row(c, id)->parts[i]);
    if (!same) VEC_PUSH(&out->v, id);
}

static int by_number(const void *a, const void *b, void *ctx)
{
    (void)ctx;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t normal_chain(struct compiler *c, struct ir *x, bool holds)
{
    struct parts p = {0};
    gather(c, x, x->kind, holds, &p);
    sort_array(p.v.v, p.v.n, sizeof *p.v.v, by_number, NULL);
    uint32_t n = 0;
    for (size_t i = 0; i < p.v.n; i++)
        if (!n || p.v.v[n - 1] != p.v.v[i]) p.v.v[n++] = p.v.v[i];
    struct normal row = {.kind = (x->kind == IR_AND) == holds ? NORMAL_AND : NORMAL_OR, .part_count = n};
    uint32_t id = p.v.v[0];
    if (n > 1) {
        key_begin(&c->normals, row.kind, true);
        for (uint32_t i = 0; i < n; i++) key_add(&c->normals, p.v.v[i]);
        row.parts = ARENA_ARRAY(c->a, uint32_t, n);
        for (uint32_t i = 0; i < n; i++) row.parts[i] = p.v.v[i];
        id = find(c, &row);
    }
    VEC_FREE(&p.v);
    return id;
}

static uint32_t normal_new(struct compiler *c, struct ir *x, bool holds)
{
    struct normal row = {.kind = holds ? NORMAL_ALWAYS : NORMAL_NEVER};
    switch (x->kind) {
    case IR_NOT: return normal_of(c, x->left, !holds);
    case IR_TEST: return normal_test(c, x, holds);
    case IR_LOOP: return normal_loop(c, x, holds);
    case IR_AND:
    case IR_OR: return normal_chain(c, x, holds);
    case IR_ALWAYS: break;
    }
    key_begin(&c->normals, row.kind, true);
    return find(c, &row);
}

uint32_t normal_of(struct compiler *c, struct ir *x, bool holds)
{
    if (!x->normal[holds]) x->normal[holds] = normal_new(c, x, holds);
    return x->normal[holds];
}
