/* vm/witness: what the tests of a rule held of, while it runs; kept of those rules that act.
 *
 * A witness is pushed where a reading of a value makes a test hold and taken back where the condition turns out not to
 * rest on it: under a `not`, beside the `no` of an `and`, of an element that the loop let go.  So what is left when the
 * rule's answer is there is why it is so.  Costs nothing where nothing holds. */
#ifndef SLUICE_VM_WITNESS_H
#define SLUICE_VM_WITNESS_H

#include "vm/relation.h"

struct verdict;

void witness_push(struct judgement *j, const struct ready_test *t, const struct view *v,
                  const struct relation_where *where);
/* A test was evaluated; `from`: how many witnesses there were before. */
void witness_test_over(struct judgement *j, const struct ready_test *t, const struct answer *x, size_t members,
                       uint32_t from);
/* A test that others share: what it held of comes along when its answer is looked up. */
void witness_share(struct judgement *j, struct known *k, uint32_t from);
void witness_again(struct judgement *j, const struct known *k);
/* A loop over elements ends: what is left is of those that its answer holds for, and speaks of everybody from here
 * on. */
void witness_loop_over(struct judgement *j, uint32_t from, const struct answer *of_elements);

/* The rule under way acted for the recipients `who`: its witnesses are kept. */
void witness_keep(struct judgement *j, const uint64_t *who);

/* As evidence of the verdict, within its bounds and the relay's policy. */
void witness_evidence(struct judgement *j, struct verdict *out);

#endif
