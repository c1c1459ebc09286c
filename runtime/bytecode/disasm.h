/* bytecode/disasm: a program as text, for `sluice dump`, goldens and explanations.  Reads, never changes. */
#ifndef SLUICE_BYTECODE_DISASM_H
#define SLUICE_BYTECODE_DISASM_H

#include "base/vec.h"
#include "bytecode/program.h"

/* Everything: sources, declarations, lists, then each rule with options, code and actions.  The program must be
 * verified. */
void program_disassemble(const struct program *p, const struct vocabulary_rows *rows, struct buf *out);
/* The same, with whatever `note` adds below the head of each rule. */
typedef void disasm_note(void *self, uint32_t rule, struct buf *out);
void program_disassemble_noted(const struct program *p, const struct vocabulary_rows *rows, disasm_note *note,
                               void *self, struct buf *out);
/* One test, action or field reference, as near to the source language as it goes: `any recipient.domain equal
 * "b.example"`. */
void disasm_test(const struct program *p, const struct vocabulary_rows *rows, uint32_t test, struct buf *out);
void disasm_action(const struct program *p, const struct vocabulary_rows *rows, uint32_t action, struct buf *out);
void disasm_field(const struct program *p, const struct vocabulary_rows *rows, uint32_t field_ref, struct buf *out);
void disasm_constant(const struct constant *c, struct buf *out);
/* An action as it is written in a rule, `prepend_subject "[SECURE] "`, with these arguments. */
void disasm_call(const struct program *p, const struct vocabulary_rows *rows, uint32_t row, uint32_t first,
                 uint32_t count, struct buf *out);

#endif
