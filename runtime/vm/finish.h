/* vm/finish: from the members as the rules left them to the verdict: shared fates, the single reply, copies, hits. */
#ifndef SLUICE_VM_FINISH_H
#define SLUICE_VM_FINISH_H

#include "vm/judgement.h"

/* False with j->error when there is no verdict to give. */
bool finish_verdict(struct judgement *j, struct verdict *out);

#endif
