/* bytecode/needs: what of the vocabulary a build only declares (`needs` of a row), and whether a program asks for it.
 *
 * Such rows are checked and compiled like any other, so that rules can be written before the room they need is built;
 * whoever would carry the program out refuses it by this. */
#ifndef SLUICE_BYTECODE_NEEDS_H
#define SLUICE_BYTECODE_NEEDS_H

#include "base/vec.h"
#include "bytecode/program.h"

enum { NEEDS_TOLD_MOST = 50 };

/* False, with a line in *out for each word of a rule that can run which this build does not serve (a field or an
 * action), naming the rule, the word and what is missing; of more than NEEDS_TOLD_MOST the rest is counted.  Rules of
 * `mode off` may wait. The program is verified. */
bool program_is_served(const struct program *p, const struct vocabulary_rows *rows, struct buf *out);

#endif
