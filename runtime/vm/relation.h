/* vm/relation: whether one view of a value stands in a test's relation to the test's operand. */
#ifndef SLUICE_VM_RELATION_H
#define SLUICE_VM_RELATION_H

#include "vm/test.h"

/* What the right side says, when it is a field. */
struct relation_right {
    const struct values *values; /* NULL: the operand is no field */
};
/* Where it held, for the trace: in which text, folded or not; 0, 0 when that says nothing. */
struct relation_where {
    size_t from, to;
    struct str text;
};

/* The positive relation; REL_PRESENT is not asked here. */
enum answer_value relation_holds(struct judgement *j, const struct ready_test *t, struct view *v,
                                 const struct relation_right *right, struct relation_where *where);
/* Whether some of what the test looks at in the view could not be read, or not be folded to its end, as far as it was
 * made: no match is then undecided. */
bool view_is_partial(struct judgement *j, const struct ready_test *t, const struct view *v);
/* The text a reading of a view gives, not folded. */
struct str view_written(struct judgement *j, struct view *v, enum reading r);
/* The first match at or after `from`, within the message's budget of time.  `utf8` as in struct pattern_subject. */
enum pattern_answer relation_search(struct judgement *j, const struct pattern *p, struct str text, size_t from,
                                    bool *utf8, struct relation_where *where);
/* Whether a part of a view is there at all: a name, a domain. */
bool relation_part_present(const struct ready_ref *ref, const struct view *v);

#endif
