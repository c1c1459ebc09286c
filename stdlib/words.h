/* stdlib/words: the rows of the vocabulary for what runs: VM, verifier at load, listings.  Constant, owned by nobody.
 */
#ifndef SLUICE_STDLIB_WORDS_H
#define SLUICE_STDLIB_WORDS_H

#include "bytecode/vocabulary.h"

extern const struct vocabulary_rows stdlib_rows;

#endif
