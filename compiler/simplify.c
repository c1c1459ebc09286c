#include "compiler/internal.h"

/* Conditions before they become code: `not` stands before single tests only, so that chains are flat and their ways out
 * early, and constants are gone.  Nothing is distributed or absorbed: an undecided answer keeps its reason. */

static bool is_constant(const struct ir *x, bool *yes)
{
    *yes = x->kind == IR_ALWAYS;
    return *yes || (x->kind == IR_NOT && x->left->kind == IR_ALWAYS);
}

static struct ir *join(struct compiler *c, enum ir_kind kind, struct ir *left, struct ir *right)
{
    bool yes;
    if (is_constant(left, &yes)) return yes == (kind == IR_AND) ? right : left;
    if (is_constant(right, &yes)) return yes == (kind == IR_AND) ? left : right;
    return ir_new(c, kind, left, right);
}

static struct ir *loop(struct compiler *c, const struct ir *x, bool negated)
{
    struct ir *out = ir_new(c, IR_LOOP, simplify(c, x->left, false), NULL);
    out->index = x->index;
    out->quantifier = x->quantifier;
    if (!negated) return out;
    /* Not every one: no quantifier says that, for over nothing `every` is no. */
    if (x->quantifier == Q_EVERY) return ir_new(c, IR_NOT, out, NULL);
    out->quantifier = x->quantifier == Q_ANY ? Q_NO : Q_ANY;
    return out;
}

struct ir *simplify(struct compiler *c, struct ir *x, bool negated)
{
    bool and;
    switch (x->kind) {
    case IR_NOT: return simplify(c, x->left, !negated);
    case IR_AND:
    case IR_OR:
        and = (x->kind == IR_AND) != negated; /* De Morgan */
        return join(c, and ? IR_AND : IR_OR, simplify(c, x->left, negated), simplify(c, x->right, negated));
    case IR_LOOP: return loop(c, x, negated);
    case IR_TEST:
    case IR_ALWAYS: break;
    }
    return negated ? ir_new(c, IR_NOT, x, NULL) : x;
}
