#include "vm/test.h"

#include <string.h>

#include "vm/record.h"
#include "vm/relation.h"
#include "vm/witness.h"

/* One point at which a test is evaluated. */
struct point {
    uint32_t recipient;
    const struct edits *edits;
};

static struct relation_right right_at(struct judgement *j, const struct ready_test *t, const struct point *at)
{
    if (!t->right) return (struct relation_right){NULL};
    return (struct relation_right){judgement_values(j, t->right->slot, at->recipient, at->edits)};
}

/* The views of one element; unreadable where nothing matched and something could not be read. */
static enum answer_value element_holds(struct judgement *j, const struct ready_test *t, struct element *e,
                                       const struct point *at)
{
    struct relation_right right = right_at(j, t, at);
    struct answer_tally tally = {0};
    for (uint32_t i = 0; i < e->count; i++) {
        struct relation_where where = {0};
        enum answer_value one;
        if (t->test->relation == REL_PRESENT)
            one = relation_part_present(t->left, &e->views[i]) ? ANSWER_YES : ANSWER_NO;
        else
            one = relation_holds(j, t, &e->views[i], &right, &where);
        tally_add(&tally, one);
        /* What makes `no x is …` hold is that nothing does. */
        if (one == (t->test->negated ? ANSWER_NO : ANSWER_YES) && t->test->quantifier != Q_NO)
            witness_push(j, t, &e->views[i], &where);
        if (j->trace)
            record_value(j, t,
                         &(struct record_seen){&e->views[i], i, e->count, one == ANSWER_YES, &where, at->recipient});
    }
    return tally_answer(&tally);
}

static enum answer_value element_answer(struct judgement *j, const struct ready_test *t, struct element *e,
                                        const struct point *at)
{
    enum answer_value v = element_holds(j, t, e, at);
    return t->test->negated ? value_not(v) : v;
}

/* Elements [from, to): any and every over none are no.  Without a quantifier: the positive verb, of any. */
static enum answer_value over_list(struct judgement *j, const struct ready_test *t, uint8_t q,
                                   const struct values *values, const struct point *at, uint32_t from, uint32_t to)
{
    bool every = q == Q_EVERY;
    enum answer_value out = every && to > from ? ANSWER_YES : ANSWER_NO;
    for (uint32_t i = from; i < to; i++) {
        j->seen_element = i;
        j->seen_elements = values->n;
        enum answer_value one = q == Q_NONE ? element_holds(j, t, &values->v[i], at)
                                            : element_answer(j, t, &values->v[i], at);
        out = every ? value_and(out, one) : value_or(out, one);
        if (out == (every ? ANSWER_NO : ANSWER_YES)) break;
    }
    return out;
}

/* Each reading of the whole field is a view of it.  What may be there beyond the elements that were seen counts as one
 * more element that is undecided. */
static enum answer_value over_elements(struct judgement *j, const struct ready_test *t, uint8_t q,
                                       const struct values *values, const struct point *at)
{
    bool every = q == Q_EVERY;
    struct answer_tally tally = {0};
    uint32_t list = 0, from = 0, to;
    do {
        values_list(values, list, from, &to);
        tally_add(&tally, over_list(j, t, q, values, at, from, to));
        from = to;
    } while (++list < values->lists);
    enum answer_value out = every && values->n == 0 ? ANSWER_YES : tally_answer(&tally);
    if (values->trouble == ANSWER_NO) return out;
    if (values->why.n) j->why = values->why;
    return every ? value_and(out, values->trouble) : value_or(out, values->trouble);
}

/* A field that nothing quantifies: of several values any will do, and a negative verb denies that. */
static enum answer_value whole(struct judgement *j, const struct ready_test *t, const struct values *values,
                               const struct point *at)
{
    if (values->why.n) j->why = values->why;
    enum answer_value out = over_elements(j, t, Q_NONE, values, at);
    return t->test->negated ? value_not(out) : out;
}

/* `any recipient.domain is …`: everyone, whatever became of them, each as without a quantifier.  Over nobody: any and
 * every are no, no is yes. */
static enum answer_value over_recipients(struct judgement *j, const struct ready_test *t, const struct point *at)
{
    bool every = t->test->quantifier == Q_EVERY;
    enum answer_value out = every && j->members.n ? ANSWER_YES : ANSWER_NO;
    for (uint32_t r = 0; r < j->members.n; r++) {
        struct point here = {r, at->edits};
        enum answer_value one = whole(j, t, judgement_values(j, t->left->slot, r, at->edits), &here);
        out = every ? value_and(out, one) : value_or(out, one);
        if (out == (every ? ANSWER_NO : ANSWER_YES)) break;
    }
    return t->test->quantifier == Q_NO ? value_not(out) : out;
}

static enum answer_value at_point(struct judgement *j, const struct ready_test *t, const struct point *at)
{
    uint8_t q = t->test->quantifier;
    if (t->left->row->of == FACT_RECIPIENT && q != Q_NONE) return over_recipients(j, t, at);
    const struct values *values = judgement_values(j, t->left->slot, at->recipient, at->edits);
    if (q == Q_NONE) return whole(j, t, values, at);
    if (values->n == 0 && values->trouble == ANSWER_NO) return q == Q_NO ? ANSWER_YES : ANSWER_NO;
    enum answer_value out = over_elements(j, t, q, values, at);
    return q == Q_NO ? value_not(out) : out;
}

/* The answer with what it held of and why it is undecided, to be told again. */
static struct known *ask(struct judgement *j, const struct ready_test *t, const struct point *at)
{
    struct known *k = ARENA_NEW(j->arena, struct known);
    struct str before = j->why;
    uint32_t from = j->seen_count;
    j->why = STR_NONE;
    k->value = at_point(j, t, at);
    k->why = j->why;
    if (!k->why.n) j->why = before;
    witness_share(j, k, from);
    return k;
}

/* The same, asked once for each copy; what ranges over recipients, again when there are more. */
static enum answer_value once(struct judgement *j, const struct ready_test *t, const struct point *at)
{
    if (t->shared == NO_INDEX || j->trace) return at_point(j, t, at);
    struct known **all = &j->known[t->shared];
    for (const struct known *k = *all; k; k = k->next)
        if (k->edits == at->edits && k->members == j->members.n) {
            witness_again(j, k);
            if (k->why.n) j->why = k->why;
            return k->value;
        }
    struct known *new = ask(j, t, at);
    new->edits = at->edits;
    new->members = j->members.n;
    new->next = *all;
    *all = new;
    return new->value;
}

/* Room for what is known of every recipient there is now. */
static void reserve_members(struct judgement *j, struct known_members *k)
{
    if (k->room >= j->members.n) return;
    size_t room = j->words * 64;
    struct known **of = ARENA_ARRAY(j->arena, struct known *, room);
    if (k->room) memcpy(of, k->of, k->room * sizeof *of);
    *k = (struct known_members){of, room};
}

/* A test of a recipient's own facts, asked once of each; what edits or other rules can change is asked again. */
static enum answer_value once_of(struct judgement *j, const struct ready_test *t, const struct point *at)
{
    bool edits = t->left->by_edits || (t->right && t->right->by_edits);
    if (t->shared == NO_INDEX || edits || j->trace) return at_point(j, t, at);
    struct known_members *k = &j->known_members[t->shared];
    reserve_members(j, k);
    struct known **of = &k->of[at->recipient];
    if (*of) {
        witness_again(j, *of);
        if ((*of)->why.n) j->why = (*of)->why;
        return (*of)->value;
    }
    *of = ask(j, t, at);
    return (*of)->value;
}

static const struct edits *edits_of(const struct judgement *j, const struct member *m)
{
    return j->original ? NULL : m->edits;
}

/* Past the last edit class nobody can say what an editable field holds: DESIGN section 3. */
static bool beyond_classes(struct judgement *j, const struct member *m)
{
    if (j->original || m->edit_class != NO_INDEX) return false;
    j->why = STR("too many different copies of the message");
    return true;
}

/* For each recipient that matters, with its own copy and its own facts; classes are computed once each. */
static void by_member(struct judgement *j, const struct ready_test *t, bool recipient, const uint64_t *who,
                      struct answer *out)
{
    enum answer_value of_class[LIMIT_EDIT_CLASSES];
    bool known[LIMIT_EDIT_CLASSES] = {false};
    bool edits = t->left->by_edits || (t->right && t->right->by_edits);
    answer_clear(out);
    for (uint32_t r = 0; r < j->members.n; r++) {
        if (!bit_has(who, r)) continue;
        const struct member *m = &j->members.v[r];
        struct point at = {r, edits_of(j, m)};
        if (edits && beyond_classes(j, m)) {
            answer_set(out, r, ANSWER_UNREADABLE);
        } else if (recipient) {
            j->seen_member = r;
            answer_set(out, r, once_of(j, t, &at));
        } else {
            uint32_t c = j->original ? 0 : m->edit_class;
            if (!known[c]) of_class[c] = once(j, t, &at);
            known[c] = true;
            answer_set(out, r, of_class[c]);
        }
    }
}

static void over_everybody(struct judgement *j, const struct ready_test *t, const uint64_t *who, struct answer *out)
{
    bool recipient = (t->left->by_recipient && t->test->quantifier == Q_NONE) || (t->right && t->right->by_recipient);
    bool edits = t->left->by_edits || (t->right && t->right->by_edits);
    bool one_class = j->original || (j->class_count == 1 && j->classes[0].members == j->members.n);
    if (recipient || (edits && !one_class)) {
        by_member(j, t, recipient, who, out);
        return;
    }
    struct point at = {0, j->original ? NULL : j->classes[0].edits};
    answer_set_all(out, once(j, t, &at));
}

/* Inside EACH: the element at hand, of whichever slot the test reads. */
static void over_loop(struct judgement *j, const struct ready_test *t, const struct domain *d, struct answer *out)
{
    answer_clear(out);
    for (uint32_t i = 0; i < d->members; i++) {
        const struct loop_member *m = &d->loop[i];
        struct point at = {m->recipient, m->edits};
        const struct values *values = judgement_values(j, t->left->slot, m->recipient, m->edits);
        struct element none = {0};
        uint32_t element = m->element;
        j->seen_member = i;
        if (t->left->by_recipient) { /* the element is the recipient, who may have several values */
            answer_set(out, i, whole(j, t, values, &at));
            continue;
        }
        bool missing = element >= values->n;
        j->seen_element = element;
        j->seen_elements = values->n;
        if (missing && values->trouble != ANSWER_NO)
            answer_set(out, i, values->trouble);
        else
            answer_set(out, i, element_answer(j, t, missing ? &none : &values->v[element], &at));
    }
}

void test_evaluate(struct judgement *j, uint32_t test, const struct domain *d, const uint64_t *who, struct answer *out)
{
    const struct ready_test *t = &j->program->tests[test];
    uint32_t from = j->seen_count;
    j->why = STR_NONE;
    j->seen_member = NO_INDEX;
    if (j->trace) record_test_begin(j, test);
    if (d->each)
        over_loop(j, t, d, out);
    else
        over_everybody(j, t, who, out);
    if (!out->uniform || out->value != ANSWER_NO || j->seen_count > from)
        witness_test_over(j, t, out, d->members, from);
    if (j->trace) record_test_end(j, out, d->members, d->each ? NULL : who);
}
