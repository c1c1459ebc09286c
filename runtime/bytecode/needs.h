/* bytecode/needs: what of the vocabulary a build only declares (`needs` of a row), and whether a program asks for it.
 *
 * Such rows are checked and compiled like any other, so that rules can be written before the room they need is built;
 * whoever would carry the program out refuses it by this. */
#ifndef SLUICE_BYTECODE_NEEDS_H
#define SLUICE_BYTECODE_NEEDS_H

#include "base/err.h"
#include "bytecode/program.h"

/* False with *e (EX_CONFIG, one sentence naming the rule, the word and what is missing) when a rule that can run uses a
 * field or an action that this build does not serve.  Rules of `mode off` may wait.  The program is verified. */
bool program_is_served(const struct program *p, const struct vocabulary_rows *rows, struct err *e);

#endif
