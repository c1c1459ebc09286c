/* Conditions of rules that say `confusables fold`: the same, with every test of a text that readers see marked so.
 * Definitions are shared by rules that say it and rules that do not, so conditions are copied, not changed. */
#include "compiler/internal.h"

static bool can_look_alike(const struct compiler *c, const struct test *t)
{
    const struct field_ref *ref = &c->pool.field_refs.v[t->field];
    const struct field_row *row = &words_rows.fields[ref->field];
    if (!vocabulary_is_seen(row, ref->part)) return false;
    switch (t->relation) {
    case REL_EQUAL:
        if (vocabulary_part_type(row, ref->part) != TYPE_TEXT) return false;
        break;
    case REL_LIKE:
    case REL_CONTAINS:
    case REL_STARTS:
    case REL_ENDS: break;
    default: return false;
    }
    return t->operand == OPERAND_CONSTANT || t->operand == OPERAND_LIST || t->operand == OPERAND_FIELD;
}

static struct ir *copy(struct compiler *c, const struct ir *x)
{
    struct ir *out = ARENA_NEW(c->a, struct ir);
    *out = *x;
    out->linted = out->doubted = false;
    out->normal[0] = out->normal[1] = 0;
    return out;
}

static struct ir *marked(struct compiler *c, struct ir *x)
{
    if (x->kind == IR_TEST) {
        struct test t = c->pool.tests.v[x->index];
        if (!can_look_alike(c, &t)) return x;
        t.alike = true;
        x = copy(c, x);
        x->index = pool_test(&c->pool, &t);
        return x;
    }
    struct ir *left = x->left ? look_alikes(c, x->left) : NULL, *right = x->right ? look_alikes(c, x->right) : NULL;
    if (left == x->left && right == x->right) return x;
    x = copy(c, x);
    x->left = left;
    x->right = right;
    return x;
}

struct ir *look_alikes(struct compiler *c, struct ir *x)
{
    if (!x->alike) {
        x->alike = marked(c, x);
        x->alike->alike = x->alike;
    }
    return x->alike;
}
