/* vm/load: a verified program made ready to run: needles folded, patterns compiled, addresses and domains canonical,
 * long lists hashed.  Done once a generation, in the template, before judges are forked; read-only afterwards.
 *
 * Owns what it prepares; the program and the vocabulary are borrowed and must live as long. */
#ifndef SLUICE_VM_LOAD_H
#define SLUICE_VM_LOAD_H

#include "base/err.h"
#include "base/vec.h"
#include "vm/vocabulary.h"

struct vm_program;

/* NULL with *e (EX_DATAERR) when the program holds something that cannot be prepared: a pattern PCRE2 refuses, an
 * address or domain that does not parse, a needle that folds to nothing, a row the vocabulary has not got. */
struct vm_program *vm_load(const struct program *p, const struct vocabulary *v, struct err *e);
void vm_program_free(struct vm_program **p); /* NULL-safe */
/* The trigger of a rule in words, for `sluice dump`. */
void vm_describe_trigger(const struct vm_program *p, uint32_t rule, struct buf *out);
const struct program *vm_program_source(const struct vm_program *p);
/* Its live lists, numbered from 0 in the order of the program: vm_input.lists is by this number. */
uint32_t vm_program_live_lists(const struct vm_program *p);
const struct program_list *vm_program_live_list(const struct vm_program *p, uint32_t i);

#endif
