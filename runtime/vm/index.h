/* vm/index: which rules can matter to a message, found by looking at each field once for all rules (DESIGN section 5).
 *
 * Every rule has a trigger (vm/trigger): tests of which one must be seen (vm/watch) before the rule can apply.  The
 * index searches the folded text of each watched field for all literals at once, looks up its value among all keys, and
 * so answers the rules that are triggered; those without a trigger always are.  What it answers is too many, never too
 * few: the rules then decide as they would without it, in their order.
 *
 * A test counts as seen when some of its field could not be read.  When a rule has changed a recipient's copy, the
 * fields that edits can change are looked at again in that copy; after INDEX_COPIES_MAX copies everything counts as
 * seen.  Added recipients are looked at when they come.
 *
 * Only time tells the two ways of judging apart: a pattern that would have gone beyond its budget is not tried where a
 * literal that it needs is missing, so `unreadable` can become the `no` that it is. */
#ifndef SLUICE_VM_INDEX_H
#define SLUICE_VM_INDEX_H

#include "vm/trigger.h"

struct index;
struct judgement;

enum { INDEX_COPIES_MAX = 16 };

/* NULL where there is nothing to search with (literals_available): every rule is then tried. */
struct index *index_create(const struct vm_program *p);
void index_free(struct index **x); /* NULL-safe */

/* Looks at the message as it came; j->index is then set.  Not called when every rule is to be tried. */
void index_begin(struct judgement *j);
/* Looks at what the rule just run has changed. */
void index_update(struct judgement *j);
/* The first triggered rule at or after `from`; the count of rules when there is none. */
uint32_t index_next(const struct judgement *j, uint32_t from);

/* Whether it is known which needles of a test of a long list (ready_test.long_list) can be found in what was looked at;
 * in *out, bits by needle, or NULL for none of them. */
bool index_needles(const struct judgement *j, const struct ready_test *t, const uint64_t **out);

/* The trigger of a rule in words, for `sluice dump`. */
void index_print(const struct index *x, uint32_t rule, struct buf *out);

#endif
