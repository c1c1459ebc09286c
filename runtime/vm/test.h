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
/* The elements of one edit class: loop members [from, to), and the values they are of (NULL: of recipients, or of a
 * class without members). */
struct loop_segment {
    const struct edits *edits;
    uint32_t from, to;
    const struct values *values;
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

/* The elements of one reading of a field: [from, *to); *to is where those of the next begin. */
static inline void values_list(const struct values *values, uint32_t list, uint32_t from, uint32_t *to)
{
    for (*to = from; *to < values->n && values->v[*to].list == list;) ++*to;
}

/* The text a reading of a view gives, folded; valid as long as the judgement. */
struct str view_reading(struct judgement *j, struct view *v, enum reading r);

#endif
