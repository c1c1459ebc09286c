#include "vm/trigger.h"

/* A necessary condition: one of some tests fires.  Shared freely. */
struct need {
    enum { NEED_NOTHING, NEED_IMPOSSIBLE, NEED_TEST, NEED_EITHER } kind;
    uint32_t test, cost;
    struct need *left, *right; /* of EITHER; a long chain grows to the right */
    struct need *next;         /* of collect's list */
    bool listed;
};

/* One place of the stack. */
struct place {
    struct need *not_no, *not_yes;
};

/* What a jump brings to its target. */
struct arrival {
    uint32_t depth;
    struct place *stack;
    struct arrival *next; /* of the same target */
};

struct reading_rule {
    struct arena *a; /* of this rule alone */
    const struct vm_program *p;
    const struct watch *watches;
    struct need *nothing, *impossible;
    struct place stack[PROGRAM_STACK_MAX];
    uint32_t depth;
    struct arrival **arrivals;    /* by target, counted from the rule's first instruction */
    const struct ready_ref *loop; /* of the EACH under way */
};

static struct need *need_new(struct reading_rule *x, int kind, uint32_t cost)
{
    struct need *n = ARENA_NEW(x->a, struct need);
    n->kind = kind;
    n->cost = cost;
    return n;
}

/* Whether it is a chain with that part, as far as a short look tells. */
static bool has_part(const struct need *chain, const struct need *part)
{
    for (int i = 0; i < 64; i++, chain = chain->right) {
        if (chain == part) return true;
        if (chain->kind != NEED_EITHER) return false;
        if (chain->left == part) return true;
    }
    return false;
}

static struct need *either(struct reading_rule *x, struct need *a, struct need *b)
{
    if (has_part(a, b) || b->kind == NEED_IMPOSSIBLE) return a;
    if (a->kind == NEED_IMPOSSIBLE) return b;
    if (a->kind == NEED_NOTHING || b->kind == NEED_NOTHING) return x->nothing;
    uint32_t cost;
    if (__builtin_add_overflow(a->cost, b->cost, &cost)) cost = UINT32_MAX;
    struct need *n = need_new(x, NEED_EITHER, cost);
    n->left = b;
    n->right = a;
    return n;
}

static struct need *better(struct need *a, struct need *b)
{
    if (a->kind == NEED_NOTHING || b->kind == NEED_IMPOSSIBLE) return b;
    if (b->kind == NEED_NOTHING || a->kind == NEED_IMPOSSIBLE) return a;
    return b->cost < a->cost ? b : a;
}

static void push(struct reading_rule *x, struct need *not_no, struct need *not_yes)
{
    x->stack[x->depth++] = (struct place){not_no, not_yes};
}

/* Negated or asked of no element, a test holds where nothing is seen. */
static void push_test(struct reading_rule *x, uint32_t test)
{
    const struct ready_test *t = &x->p->tests[test];
    uint8_t q = t->test->quantifier;
    bool negated = t->test->negated;
    /* A loop over another field's elements may be undecided by what that one lacks. */
    bool foreign = x->loop && !x->loop->by_recipient && x->loop->slot != t->left->slot;
    struct need *seen = x->nothing;
    if (x->watches[test].count && !foreign) {
        seen = need_new(x, NEED_TEST, x->watches[test].cost);
        seen->test = test;
    }
    if (q == Q_NO)
        push(x, x->nothing, negated ? x->nothing : seen);
    else if (negated)
        push(x, x->nothing, q == Q_NONE ? seen : x->nothing);
    else
        push(x, seen, x->nothing);
}

static void combine(struct reading_rule *x, bool and)
{
    struct place *b = &x->stack[--x->depth], *a = b - 1;
    struct need *both = better(and? a->not_no : a->not_yes, and? b->not_no : b->not_yes);
    struct need *one = either(x, and? a->not_yes : a->not_no, and? b->not_yes : b->not_no);
    *a = and? (struct place){both, one} : (struct place){one, both};
}

static void jump(struct reading_rule *x, uint32_t target, bool on_yes)
{
    struct arrival *r = ARENA_NEW(x->a, struct arrival);
    *r = (struct arrival){x->depth, ARENA_ARRAY(x->a, struct place, x->depth), x->arrivals[target]};
    for (uint32_t i = 0; i < x->depth; i++) r->stack[i] = x->stack[i];
    struct place *top = &r->stack[x->depth - 1];
    if (on_yes)
        top->not_yes = x->impossible;
    else
        top->not_no = x->impossible;
    x->arrivals[target] = r;
}

static void meet(struct reading_rule *x, const struct arrival *r)
{
    for (; r; r = r->next) {
        for (uint32_t i = 0; i < r->depth && i < x->depth; i++) {
            x->stack[i].not_no = either(x, x->stack[i].not_no, r->stack[i].not_no);
            x->stack[i].not_yes = either(x, x->stack[i].not_yes, r->stack[i].not_yes);
        }
    }
}

static void step(struct reading_rule *x, uint32_t code, uint32_t first)
{
    uint32_t operand = instruction_operand(code);
    struct place *top = x->depth ? &x->stack[x->depth - 1] : NULL;
    switch (instruction_op(code)) {
    case OP_ALWAYS: push(x, x->nothing, x->impossible); break;
    case OP_TEST: push_test(x, operand); break;
    case OP_NOT: *top = (struct place){top->not_yes, top->not_no}; break;
    case OP_AND: combine(x, true); break;
    case OP_OR: combine(x, false); break;
    case OP_SKIP_NO: jump(x, operand - first, false); break;
    case OP_SKIP_YES: jump(x, operand - first, true); break;
    case OP_EACH: x->loop = &x->p->refs[operand]; break;
    case OP_ANY: /* over nothing these two are no */
    case OP_EVERY:
        top->not_yes = x->nothing;
        x->loop = NULL;
        break;
    case OP_NONE_OF:
        *top = (struct place){x->nothing, top->not_no};
        x->loop = NULL;
        break;
    default: break; /* ACT leaves the answer; END ends */
    }
}

static struct need *listed(struct need *n, struct need *list)
{
    if (n->listed) return list;
    n->listed = true;
    n->next = list;
    return n;
}

/* The tests of a need, each need once: it may be reached in more ways than it has parts. */
static void collect(struct need *n, uint32_t *out, uint32_t *count)
{
    for (struct need *list = listed(n, NULL); list;) {
        n = list;
        list = n->next;
        if (n->kind == NEED_TEST) out[(*count)++] = n->test;
        if (n->kind == NEED_EITHER) list = listed(n->left, listed(n->right, list));
    }
}

struct trigger trigger_of_rule(struct arena *a, const struct vm_program *p, const struct watch *watches,
                               const struct rule *r)
{
    struct reading_rule x = {.a = arena_create(), .p = p, .watches = watches};
    x.nothing = need_new(&x, NEED_NOTHING, UINT32_MAX);
    x.impossible = need_new(&x, NEED_IMPOSSIBLE, 0);
    x.arrivals = ARENA_ARRAY(x.a, struct arrival *, r->end - r->first);
    uint32_t tests = 0;
    for (uint32_t pc = r->first; pc < r->end; pc++) {
        meet(&x, x.arrivals[pc - r->first]);
        step(&x, p->program->code[pc], r->first);
        tests += instruction_op(p->program->code[pc]) == OP_TEST;
    }
    struct need *n = x.stack[0].not_no;
    struct trigger out = {.none = n->kind == NEED_NOTHING};
    uint32_t *found = ARENA_ARRAY(x.a, uint32_t, tests);
    if (!out.none) collect(n, found, &out.count);
    uint32_t *kept = ARENA_ARRAY(a, uint32_t, out.count);
    for (uint32_t i = 0; i < out.count; i++) kept[i] = found[i];
    out.tests = kept;
    arena_free(&x.a);
    return out;
}
