/* vm/machine: the interpreter: one rule's code, from its first instruction to its END.
 *
 * Runs verified code; what the verifier promises is checked again where a broken promise would reach past a table, so
 * that a program that slipped through ends the judgement with an error and nothing else.  Every instruction is reached
 * at most once a pass, jumps only lead forward: a rule ends after at most as many steps as it has instructions. */
#ifndef SLUICE_VM_MACHINE_H
#define SLUICE_VM_MACHINE_H

#include "vm/test.h"

struct machine {
    struct judgement *j;
    struct answer stack[PROGRAM_STACK_MAX];
    uint32_t seen_from[PROGRAM_STACK_MAX]; /* by answer: how many witnesses there were before it */
    size_t depth, floor; /* inside EACH only answers above `floor` are of its domain */
    struct domain domain;
    uint32_t loop_end;       /* index of the instruction that ends the loop */
    const uint64_t *who;     /* recipients that matter to this rule */
    VEC(uint32_t) collected; /* actions, in order */
};

void machine_free(struct machine *m);
/* NULL, with j->error set, when the code breaks a promise.  The answer lives until the next call; the actions that were
 * reached are in m->collected. */
const struct answer *machine_run(struct machine *m, const struct rule *rule, const uint64_t *who);

#endif
