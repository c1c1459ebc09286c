/* vm/apply: carrying out one action of one rule: its arguments are evaluated, templates filled, the applier called once
 * for each group of recipients whose arguments are the same. */
#ifndef SLUICE_VM_APPLY_H
#define SLUICE_VM_APPLY_H

#include "vm/judgement.h"

enum { VM_TEMPLATE_MAX = 2000 }; /* bytes of one text that come from the message */

void apply_action(struct judgement *j, uint32_t action, const uint64_t *who);

#endif
