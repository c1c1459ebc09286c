/* Doubts about one condition: never or always true, a part without effect, the same thing twice, tests that different
 * attachments may satisfy.  What is told is proved (compiler/prove.h). */
#include <string.h>

#include "compiler/prove.h"

enum { OPERANDS_MAX = 24, FIELDS_MAX = 64 };

struct operands {
    struct ir *v[OPERANDS_MAX];
    size_t n;
    bool more; /* there are others */
};

static void operands_of(struct ir *x, enum ir_kind kind, struct operands *out)
{
    if (x->kind == kind) {
        operands_of(x->left, kind, out);
        operands_of(x->right, kind, out);
    } else if (out->n < OPERANDS_MAX) {
        out->v[out->n++] = x;
    } else {
        out->more = true;
    }
}

static const struct test *test_of(const struct compiler *c, const struct ir *x)
{
    return x && x->kind == IR_TEST ? &c->pool.tests.v[x->index] : NULL;
}
static const struct field_ref *field_of(const struct compiler *c, const struct ir *x)
{
    return &c->pool.field_refs.v[x->kind == IR_TEST ? c->pool.tests.v[x->index].field : x->index];
}
static struct str written(struct compiler *c, struct span at)
{
    struct str s = str_slice(c->d->sources->list.v[at.source]->text, at.from, at.to);
    return s.n <= 90 && str_find_byte(s, '\n') == STR_NPOS ? s : STR_NONE;
}

/* --- whether there can be anything to prove ----------------------------------------------------------------------- */

/* Single tests that can be impossible alone, and always true alone: those of numbers and words. */
static bool can_fail_alone(const struct compiler *c, const struct ir *x)
{
    const struct test *t = test_of(c, x);
    if (!t) return true;
    const struct field_ref *ref = field_of(c, x);
    enum value_type type = vocabulary_part_type(&words_rows.fields[ref->field], ref->part);
    return type == TYPE_NUMBER || type == TYPE_SIZE || type == TYPE_DURATION || type == TYPE_DATE ||
           type == TYPE_CLOCK || type == TYPE_WORD || t->relation == REL_PRESENT;
}

struct seen {
    uint32_t fields[FIELDS_MAX];
    size_t n;
    bool related;
};

/* Two tests of one field, or one that can fail alone: without them nothing excludes anything. */
static void see(const struct compiler *c, const struct ir *x, struct seen *s)
{
    if (s->related) return;
    if (x->kind == IR_ALWAYS) s->related = true;
    if (x->left) see(c, x->left, s);
    if (x->right) see(c, x->right, s);
    if (x->kind != IR_TEST && x->kind != IR_LOOP) return;
    uint32_t field = field_of(c, x)->field;
    for (size_t i = 0; i < s->n; i++) s->related |= s->fields[i] == field;
    s->related |= can_fail_alone(c, x) || s->n == FIELDS_MAX;
    if (s->n < FIELDS_MAX) s->fields[s->n++] = field;
}

static bool may_be_related(const struct compiler *c, const struct ir *x, const struct ir *y)
{
    struct seen s = {.n = 0};
    see(c, x, &s);
    if (y) see(c, y, &s);
    return s.related;
}

/* --- never and always --------------------------------------------------------------------------------------------- */

/* `recipient.domain is "a" and recipient.domain is "b"`: meant of two recipients, or of one that is either. */
static void help_joined(struct compiler *c, struct diag *d, const struct proof *p)
{
    const struct test *a = test_of(c, p->first), *b = test_of(c, p->second);
    if (!a || !b || a->negated || b->negated || a->quantifier != Q_NONE || b->quantifier != Q_NONE) return;
    struct str x = written(c, p->first->at), y = written(c, p->second->at);
    if (!x.n || !y.n) return;
    const struct field_row *row = &words_rows.fields[field_of(c, p->first)->field];
    if (row->of == FACT_RECIPIENT) {
        diag_note(c->d, d, (struct span){0}, "a test of a recipient concerns each recipient for itself");
        diag_fix(c->d, d, "one recipient and another:", "any %.*s and any %.*s", STR_ARG(x), STR_ARG(y));
    }
    if (a->relation == REL_EQUAL && b->relation == REL_EQUAL)
        diag_fix(c->d, d, "either of them:", "%.*s or %.*s", STR_ARG(x), STR_ARG(y));
}

static void tell_proof(struct compiler *c, struct diag *d, const struct proof *p, const char *how)
{
    if (p->first && p->second) {
        struct str x = written(c, p->first->at), y = written(c, p->second->at);
        diag_note(c->d, d, p->first->at, "%s", "");
        if (x.n && y.n && !str_eq(x, y))
            diag_note(c->d, d, p->second->at, "`%.*s` and `%.*s` %s", STR_ARG(x), STR_ARG(y), how);
        else
            diag_note(c->d, d, p->second->at, "these two %s", how);
    } else if (p->first && (p->first->at.from != d->span.from || p->first->at.to != d->span.to)) {
        diag_note(c->d, d, p->first->at, "because of this");
    }
    if (!p->decided)
        diag_note(c->d, d, (struct span){0},
                  "only content that cannot be read, or that can be read in two ways, leaves it undecided");
}

static bool tell_never(struct compiler *c, const struct ir *x)
{
    struct claim claim = {x, true};
    struct proof p;
    if (!prove_excluded(c, &claim, 1, &p)) return false;
    struct diag *d = diag_add(c->d, DIAG_W301, x->at, "this can never be true");
    tell_proof(c, d, &p, "exclude each other");
    help_joined(c, d, &p);
    return true;
}

static bool tell_always(struct compiler *c, const struct ir *x)
{
    struct claim claim = {x, false};
    struct proof p;
    if (x->kind == IR_ALWAYS || !prove_excluded(c, &claim, 1, &p)) return false;
    struct diag *d = diag_add(c->d, DIAG_W302, x->at, "this is always true");
    tell_proof(c, d, &p, "leave nothing out");
    return true;
}

/* --- parts of a chain --------------------------------------------------------------------------------------------- */

/* Each operand that is there already. */
static void tell_repeated(struct compiler *c, struct operands *all, bool dead[])
{
    for (size_t i = 1; i < all->n; i++) {
        size_t k = 0;
        while (k < i && normal_of(c, all->v[k], true) != normal_of(c, all->v[i], true)) k++;
        if (k == i) continue;
        dead[i] = true;
        struct diag *d = diag_add(c->d, DIAG_W305, all->v[i]->at, "this is asked twice");
        diag_note(c->d, d, all->v[k]->at, "it is asked here already");
    }
}

/* `a and b` where a brings b, `a or b` where a is brought by b: without b it means the same.  Of two operands at a
 * time; what is told is taken as gone. */
static void tell_absorbed(struct compiler *c, struct operands *all, bool is_and, bool dead[])
{
    for (size_t i = 0; i < all->n; i++) {
        for (size_t k = 0; k < all->n && !dead[i]; k++) {
            if (k == i || dead[k] || !may_be_related(c, all->v[i], all->v[k])) continue;
            struct ir *weak = is_and ? all->v[i] : all->v[k], *strong = is_and ? all->v[k] : all->v[i];
            struct claim claims[] = {{strong, true}, {weak, false}};
            struct proof p;
            if (!prove_excluded(c, claims, 2, &p)) continue;
            dead[i] = true;
            struct diag *d = diag_add(c->d, DIAG_W303, all->v[i]->at, "without this part the condition means the same");
            diag_note(c->d, d, all->v[k]->at,
                      is_and ? "whatever fulfils this fulfils it too" : "whatever fulfils it fulfils this too");
        }
    }
}

/* --- attachments -------------------------------------------------------------------------------------------------- */

static struct str element_name(const struct field_row *row)
{
    struct str name = str_of(row->name);
    return str_slice(name, 0, str_find_byte(name, '.'));
}

static bool asks_some(const struct compiler *c, const struct ir *x)
{
    const struct test *t = test_of(c, x);
    return t && t->quantifier == Q_ANY && words_rows.fields[field_of(c, x)->field].of == FACT_ELEMENT &&
           words_rows.fields[field_of(c, x)->field].text == FIELD_TEXT_NONE;
}

/* Two parts of `attachment`, or of one address field, each asked of any element. */
static void tell_different_elements(struct compiler *c, struct operands *all)
{
    for (size_t i = 1; i < all->n; i++) {
        for (size_t k = 0; asks_some(c, all->v[i]) && k < i; k++) {
            if (!asks_some(c, all->v[k])) continue;
            const struct field_ref *a = field_of(c, all->v[k]), *b = field_of(c, all->v[i]);
            struct str name = element_name(&words_rows.fields[a->field]);
            if (!str_eq(name, element_name(&words_rows.fields[b->field]))) continue;
            bool attachment = str_eq(name, STR("attachment"));
            if (!attachment && (a->field != b->field || a->part == b->part)) continue;
            struct diag *d = diag_add(c->d, DIAG_W307, all->v[i]->at,
                                      "another `%.*s` may satisfy this than the test before", STR_ARG(name));
            diag_note(c->d, d, all->v[k]->at, "the test before");
            diag_fix(c->d, d, "one and the same:", "any %.*s where (… and …)", STR_ARG(name));
            return;
        }
    }
}

/* --- a condition -------------------------------------------------------------------------------------------------- */

static void lint_chain(struct compiler *c, struct ir *x)
{
    struct operands all = {.n = 0};
    bool dead[OPERANDS_MAX] = {false}, is_and = x->kind == IR_AND;
    operands_of(x, x->kind, &all);
    tell_repeated(c, &all, dead);
    if (!all.more) tell_absorbed(c, &all, is_and, dead);
    if (is_and) tell_different_elements(c, &all);
}

static bool lint(struct compiler *c, struct ir *x);

/* The operands of a chain, each for itself. */
static bool lint_operands(struct compiler *c, struct ir *x, enum ir_kind kind)
{
    if (x->kind != kind || x->linted) return lint(c, x);
    x->linted = true; /* a definition may stand in many chains */
    bool left = lint_operands(c, x->left, kind), right = lint_operands(c, x->right, kind);
    return x->doubted = left || right;
}

static bool lint_new(struct compiler *c, struct ir *x)
{
    bool chain = x->kind == IR_AND || x->kind == IR_OR, told = false;
    if (chain) {
        bool left = lint_operands(c, x->left, x->kind), right = lint_operands(c, x->right, x->kind);
        told = left || right;
    } else if (x->left)
        told = lint(c, x->left);
    if (told || x->size > COMPILER_LINT_MAX)
        return told; /* the whole is never or always true for that reason: told once */
    if (x->kind != IR_NOT && may_be_related(c, x, NULL) && (tell_never(c, x) || tell_always(c, x))) return true;
    if (chain) lint_chain(c, x);
    return false;
}

/* Whether something was told as never or always; a definition is looked at once. */
static bool lint(struct compiler *c, struct ir *x)
{
    if (!x->linted) {
        x->linted = true;
        x->doubted = lint_new(c, x);
    }
    return x->doubted;
}

void lint_definition(struct compiler *c, struct ir *x)
{
    if (x) lint(c, x);
}

/* An exception that the condition excludes, one that is made twice, one that takes everything. */
void lint_rule(struct compiler *c, const struct checked_rule *r)
{
    bool told = lint(c, r->when);
    if (r->condition->size > COMPILER_LINT_MAX) return;
    for (uint32_t i = 0; i < r->unless_count; i++) {
        struct ir *u = r->unless[i];
        if (lint(c, u)) told = true;
        for (uint32_t k = 0; k < i; k++) {
            if (normal_of(c, u, true) != normal_of(c, r->unless[k], true)) continue;
            struct diag *d = diag_add(c->d, DIAG_W305, u->at, "this exception is made twice");
            diag_note(c->d, d, r->unless[k]->at, "it is made here already");
            told = true;
        }
        struct claim claims[] = {{r->when, true}, {u, true}};
        struct proof p;
        if (told || !may_be_related(c, r->when, u) || !prove_excluded(c, claims, 2, &p)) continue;
        told = true;
        struct diag *d =
            diag_add(c->d, DIAG_W303, u->at, "this exception has no effect: the rule's condition excludes it");
        tell_proof(c, d, &p, "exclude each other");
    }
    if (told || !r->unless_count || !may_be_related(c, r->condition, NULL)) return;
    struct claim claim = {r->condition, true};
    struct proof p;
    if (!prove_excluded(c, &claim, 1, &p)) return;
    struct diag *d = diag_add(c->d, DIAG_W301, r->when->at, "with its exceptions this rule can never apply");
    tell_proof(c, d, &p, "exclude each other");
}
