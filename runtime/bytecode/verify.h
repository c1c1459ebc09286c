/* bytecode/verify: decides whether a program may be run at all, before its first instruction.
 *
 * Trusts nothing in the program but its table pointers and counts (codec made those).  Every check is a row of
 * verify_checks: a name, what it promises the VM, and a function that goes once, straight, over its part of the
 * program. After all of them hold: every index is inside its table, every enum is one of its values, jumps only lead
 * forward inside their rule, the stack neither underflows nor exceeds PROGRAM_STACK_MAX, every rule ends with its one
 * END, tests and arguments have the operand and type their row demands; so a rule set ends after at most
 * program_steps_bound instructions.  Each check is safe on its own, whatever the others would say. */
#ifndef SLUICE_BYTECODE_VERIFY_H
#define SLUICE_BYTECODE_VERIFY_H

#include "base/err.h"
#include "bytecode/program.h"

/* Where a check failed: which table ("code", "tests" …), which row of it. */
struct verify_failure {
    const char *check, *table;
    uint32_t index;
};

typedef bool verify_function(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f);
struct verify_check {
    const char *name;
    verify_function *holds;
    const char *doc;
};
extern const struct verify_check verify_checks[];
extern const size_t verify_check_count;

/* Runs every check; false with *f (which may be NULL) at the first that fails. */
bool program_verify(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f);
/* The same with a sentence in *e (EX_DATAERR). */
bool program_verify_err(const struct program *p, const struct vocabulary_rows *rows, struct err *e);

/* The most instructions that judging one message can take: each is reached at most once. */
uint64_t program_steps_bound(const struct program *p);

#endif
