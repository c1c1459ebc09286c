#include "compiler/prove.h"

enum {
    TESTS_MAX = 48,
    BRANCHES_MAX = 512,
    PENDING_MAX = 96,
    PAIRS_MAX = 1 << 15,     /* of tests held against each other, in one proof … */
    PAIRS_ALL_MAX = 1 << 24, /* … and in one compilation: about a second */
};

/* --- what a test claims of the values of its field ---------------------------------------------------------------- */

/* ONE: the field's one value (or its absence) answers so.  SOME: one of its values does.  ALL: each that there is does.
 * EACH: there are some, and each does. */
enum reach { REACH_ONE, REACH_SOME, REACH_ALL, REACH_EACH, REACH_LACK /* none there, or one that does not */ };

struct literal {
    const struct ir *ir; /* a TEST or a LOOP */
    bool holds;          /* as a whole */
    struct asked asked;
    enum reach reach;
    uint32_t field;
    struct str text;
};

struct branch {
    struct literal v[TESTS_MAX];
    size_t n;
};

struct prover {
    struct compiler *c;
    size_t branches, pairs; /* looked at so far */
    const struct ir *culprits[2];
    size_t reasons;
};

static enum reach reach_of(const struct test *t, const struct field_row *row, const struct known_field *known,
                           bool in_loop, bool holds)
{
    if (t->quantifier == Q_NONE) {
        bool single = in_loop || (known->one && row->of != FACT_ELEMENT);
        return single ? REACH_ONE : holds != t->negated ? REACH_SOME : REACH_ALL;
    }
    if (t->quantifier == Q_EVERY) return holds ? REACH_EACH : REACH_LACK;
    return (t->quantifier == Q_ANY) == holds ? REACH_SOME : REACH_ALL;
}

/* The test's own predicate, as it must answer for the values in reach. */
static bool predicate_holds(const struct test *t, enum reach reach, bool holds)
{
    if (reach == REACH_ONE || t->quantifier == Q_NONE) return holds != t->negated;
    bool of_test = !t->negated; /* what `any f is not x` looks for is a value that is not x */
    if (reach == REACH_SOME || reach == REACH_EACH) return of_test;
    return t->quantifier == Q_EVERY ? of_test
                                    : !of_test; /* ALL of no/any: none answers so; LACK keeps what each would */
}

static void add_literal(struct prover *p, struct branch *b, const struct ir *ir, bool holds, bool in_loop)
{
    if (b->n == TESTS_MAX) return; /* fewer claims prove less, never more */
    struct compiler *c = p->c;
    struct literal *l = &b->v[b->n++];
    *l = (struct literal){.ir = ir, .holds = holds};
    const struct test *t = ir->kind == IR_TEST ? &c->pool.tests.v[ir->index] : NULL;
    const struct field_ref *ref = &c->pool.field_refs.v[t ? t->field : ir->index];
    l->field = ref->field;
    l->text = ref->text;
    if (!t) return;
    l->reach = reach_of(t, &words_rows.fields[ref->field], element_known(ref->field), in_loop, holds);
    l->asked = (struct asked){t, predicate_holds(t, l->reach, holds), ir};
}

/* --- one branch --------------------------------------------------------------------------------------------------- */

static bool same_field(const struct literal *a, const struct literal *b)
{
    if (a->field != b->field) return false;
    bool header = words_rows.fields[a->field].text == FIELD_TEXT_HEADER;
    return header ? str_eq_nocase(a->text, b->text) : str_eq(a->text, b->text);
}

static bool tells(struct prover *p, const struct ir *first, const struct ir *second)
{
    p->culprits[0] = first;
    p->culprits[1] = second;
    p->reasons++;
    return true;
}

static bool body_is_excluded(struct prover *p, const struct ir *body, bool holds);

/* The same loop or test, claimed and denied; a loop whose elements cannot be. */
static bool is_refuted(struct prover *p, const struct branch *b, size_t i)
{
    const struct literal *l = &b->v[i];
    for (size_t k = 0; k < i; k++) {
        const struct literal *m = &b->v[k];
        bool same =
            l->ir == m->ir ||
            (l->ir->kind == m->ir->kind && l->ir->index == m->ir->index &&
             (l->ir->kind == IR_TEST || (l->ir->left == m->ir->left && l->ir->quantifier == m->ir->quantifier)));
        if (same && l->holds != m->holds) return tells(p, m->ir, l->ir);
    }
    if (l->ir->kind != IR_LOOP) return false;
    enum quantifier q = l->ir->quantifier;
    bool needs_one =
        q == Q_NO ? !l->holds : l->holds; /* any, every, not no: there is an element that fulfils the body */
    return needs_one && body_is_excluded(p, l->ir->left, true) && tells(p, l->ir, NULL);
}

/* The values of the field of literal i: what one of them must answer, with what all of them must. */
static bool values_are_impossible(struct prover *p, const struct branch *b, size_t i, bool in_loop)
{
    const struct literal *l = &b->v[i];
    struct asked v[TESTS_MAX];
    size_t n = 0;
    bool some = l->reach == REACH_SOME || l->reach == REACH_EACH;
    if (l->ir->kind != IR_TEST || (!some && l->reach != REACH_ONE)) return false;
    for (size_t k = 0; k < i; k++) /* one value: each set is looked at once */
        if (l->reach == REACH_ONE && b->v[k].reach == REACH_ONE && b->v[k].ir->kind == IR_TEST &&
            same_field(l, &b->v[k]))
            return false;
    v[n++] = l->asked;
    for (size_t k = 0; k < b->n; k++) {
        const struct literal *m = &b->v[k];
        if (k == i || m->ir->kind != IR_TEST || !same_field(l, m)) continue;
        if (l->reach == REACH_ONE ? m->reach == REACH_ONE : m->reach == REACH_ALL || m->reach == REACH_EACH)
            v[n++] = m->asked;
    }
    bool each_may_lack = l->reach == REACH_ONE || words_rows.fields[l->field].of == FACT_RECIPIENT;
    bool may_be_absent = in_loop || (each_may_lack && !element_known(l->field)->present);
    const struct ir *culprits[2];
    if (element_is_impossible(p->c, v, n, may_be_absent, culprits)) return tells(p, culprits[0], culprits[1]);
    /* There is a value, so one of them lacks what `every` would have wanted. */
    for (size_t k = 0; some && k < b->n && n < TESTS_MAX; k++) {
        const struct literal *m = &b->v[k];
        if (m->ir->kind != IR_TEST || m->reach != REACH_LACK || !same_field(l, m)) continue;
        v[0] = (struct asked){m->asked.test, !m->asked.holds, m->ir};
        size_t all = 1;
        for (size_t j = 0; j < b->n; j++) {
            const struct literal *o = &b->v[j];
            if (o->ir->kind == IR_TEST && same_field(l, o) && (o->reach == REACH_ALL || o->reach == REACH_EACH))
                v[all++] = o->asked;
        }
        if (element_is_impossible(p->c, v, all, may_be_absent, culprits)) return tells(p, culprits[0], culprits[1]);
    }
    return false;
}

static bool branch_is_impossible(struct prover *p, const struct branch *b, bool in_loop)
{
    size_t pairs = b->n * b->n;
    if (p->pairs + pairs > PAIRS_MAX || p->c->pairs + pairs > PAIRS_ALL_MAX) return false;
    p->pairs += pairs;
    p->c->pairs += pairs;
    for (size_t i = 0; i < b->n; i++)
        if (is_refuted(p, b, i) || values_are_impossible(p, b, i, in_loop)) return true;
    return false;
}

/* --- taking claims apart ------------------------------------------------------------------------------------------ */

struct pending {
    struct claim v[PENDING_MAX];
    size_t n;
};

/* The alternatives of `or` (or of a denied `and`), written out flat; false when there are too many. */
static bool alternatives(const struct ir *x, enum ir_kind kind, struct pending *out, bool holds)
{
    if (x->kind == kind) return alternatives(x->left, kind, out, holds) && alternatives(x->right, kind, out, holds);
    if (out->n == PENDING_MAX) return false;
    out->v[out->n++] = (struct claim){x, holds};
    return true;
}

static bool excluded(struct prover *p, struct branch *b, struct pending *todo, bool in_loop);

/* Every alternative of the last choice must be impossible together with the rest. */
static bool choices_are_excluded(struct prover *p, struct branch *b, struct pending *choices, bool in_loop)
{
    struct claim choice = choices->v[--choices->n];
    struct pending *each = ARENA_NEW(p->c->proofs, struct pending);
    bool all = alternatives(choice.ir, choice.ir->kind, each, choice.holds);
    size_t tests = b->n, rest = choices->n;
    for (size_t i = 0; i < each->n && all; i++) {
        struct pending *next = ARENA_NEW(p->c->proofs, struct pending);
        next->n = rest;
        for (size_t k = 0; k < rest; k++) next->v[k] = choices->v[k];
        next->v[next->n++] = each->v[i];
        b->n = tests;
        all = ++p->branches <= BRANCHES_MAX && excluded(p, b, next, in_loop);
    }
    b->n = tests;
    choices->n = rest + 1;
    return all;
}

static bool excluded(struct prover *p, struct branch *b, struct pending *todo, bool in_loop)
{
    struct pending *choices = ARENA_NEW(p->c->proofs, struct pending);
    while (todo->n) {
        struct claim x = todo->v[--todo->n];
        bool both = x.holds ? x.ir->kind == IR_AND : x.ir->kind == IR_OR;
        if (todo->n + 2 > PENDING_MAX || choices->n + 2 > PENDING_MAX) return false;
        switch (x.ir->kind) {
        case IR_ALWAYS:
            if (!x.holds) return true;
            break;
        case IR_NOT: todo->v[todo->n++] = (struct claim){x.ir->left, !x.holds}; break;
        case IR_AND:
        case IR_OR:
            if (!both) {
                choices->v[choices->n++] = x;
                break;
            }
            todo->v[todo->n++] = (struct claim){x.ir->right, x.holds};
            todo->v[todo->n++] = (struct claim){x.ir->left, x.holds};
            break;
        case IR_TEST:
        case IR_LOOP: add_literal(p, b, x.ir, x.holds, in_loop); break;
        }
    }
    if (branch_is_impossible(p, b, in_loop)) return true;
    return choices->n && choices_are_excluded(p, b, choices, in_loop);
}

/* Inside `where` every test is of the element at hand, and a part of it may be absent. */
static bool body_is_excluded(struct prover *p, const struct ir *body, bool holds)
{
    struct prover inner = {.c = p->c, .branches = p->branches, .pairs = p->pairs};
    struct branch *b = ARENA_NEW(p->c->proofs, struct branch);
    struct pending *todo = ARENA_NEW(p->c->proofs, struct pending);
    todo->v[todo->n++] = (struct claim){body, holds};
    bool proved = excluded(&inner, b, todo, true);
    p->branches = inner.branches;
    p->pairs = inner.pairs;
    return proved;
}

bool prove_is_decided(struct compiler *c, const struct ir *x)
{
    switch (x->kind) {
    case IR_ALWAYS: return true;
    case IR_NOT: return prove_is_decided(c, x->left);
    case IR_AND:
    case IR_OR: return prove_is_decided(c, x->left) && prove_is_decided(c, x->right);
    case IR_LOOP: return element_known(c->pool.field_refs.v[x->index].field)->decided && prove_is_decided(c, x->left);
    case IR_TEST: break;
    }
    const struct test *t = &c->pool.tests.v[x->index];
    /* A pattern can go beyond its budget on any text. */
    if (t->operand == OPERAND_PATTERNS || t->operand == OPERAND_DETECTOR) return false;
    if (t->operand == OPERAND_LIST && c->pool.lists.v[t->a].table.n) return false; /* the store can be away */
    if (t->operand == OPERAND_FIELD && !element_known(c->pool.field_refs.v[t->a].field)->decided) return false;
    return element_known(c->pool.field_refs.v[t->field].field)->decided;
}

bool prove_excluded(struct compiler *c, const struct claim *claims, size_t n, struct proof *out)
{
    struct prover p = {.c = c};
    arena_reset(c->proofs);
    struct branch *b = ARENA_NEW(c->proofs, struct branch);
    struct pending *todo = ARENA_NEW(c->proofs, struct pending);
    *out = (struct proof){.decided = true};
    for (size_t i = n; i-- > 0;) {
        if (todo->n < PENDING_MAX) todo->v[todo->n++] = claims[i];
        out->decided = out->decided && prove_is_decided(c, claims[i].ir);
    }
    if (!excluded(&p, b, todo, false)) return false;
    if (p.reasons == 1) {
        out->first = p.culprits[0];
        out->second = p.culprits[1];
    }
    return true;
}
