/* vm/test: one test evaluated for every member of the domain in force (LANGUAGE sections 2 and 3).
 *
 * Pure but for what it keeps in the judgement: values read, texts folded, pattern time spent, the trace. */
#ifndef SLUICE_VM_TEST_H
#define SLUICE_VM_TEST_H

#include "vm/judgement.h"

/* One element of the field of an EACH, in the copy with these edits; or one recipient. */
struct loop_member {
    uint32_t element, recipient;
    const struct edits *edits;
};
/* The elements of one edit class: loop members [from, to), and what may be missing behind them. */
struct loop_segment {
    const struct edits *edits;
    uint32_t from, to;
    bool duplicated;
    enum answer_value trouble;
};
/* What answers range over: recipients, or between EACH and its end the elements of one field, class after class. */
struct domain {
    const struct ready_ref *each; /* NULL: recipients */
    size_t members;
    struct loop_member *loop;
    struct loop_segment *segments;
    uint32_t segment_count;
};

/* Fills *out, which has room for the domain's members.  `who`: the recipients that matter (others get any answer); NULL
 * in a loop. */
void test_evaluate(struct judgement *j, uint32_t test, const struct domain *d, const uint64_t *who, struct answer *out);

/* What an answer over all elements says of each instance alone, when the elements are of several: what holds for some
 * of them all together may hold in one instance and not in the other.  Nothing forged can so earn a plain yes. */
static inline enum answer_value of_each_instance(bool duplicated, bool every, enum answer_value v)
{
    return duplicated && v == (every ? ANSWER_NO : ANSWER_YES) ? ANSWER_DISPUTED : v;
}

/* The text a reading of a view gives, folded; valid as long as the judgement. */
struct str view_reading(struct judgement *j, struct view *v, enum reading r);

#endif
