/* vm/trigger: for each rule, tests of which one must answer anything but `no` before the rule can.
 *
 * Read from the rule's code (nothing in a program file is trusted to say it) by running it over conditions instead of
 * answers: each place of the stack has a necessary condition of "not no" and one of "not yes".  `and` takes the better
 * of two, `or` both, `not` turns them round; where jumps meet, either side's.  Exact for what the compiler writes,
 * sound for all that the verifier lets through. */
#ifndef SLUICE_VM_TRIGGER_H
#define SLUICE_VM_TRIGGER_H

#include "vm/watch.h"

struct trigger {
    bool none;             /* the rule may apply to any message: it always runs */
    const uint32_t *tests; /* else one of these must fire; no tests: it never applies */
    uint32_t count;
};

/* `watches`: by test.  The trigger's tests live in `a`. */
struct trigger trigger_of_rule(struct arena *a, const struct vm_program *p, const struct watch *watches,
                               const struct rule *r);

#endif
