/* pattern/required: a literal that stands in every text a regular expression matches, read from its source.
 *
 * What the index searches for instead of the expression.  Owns the reading of sources; that they are valid is
 * pattern_compile's to say. */
#ifndef SLUICE_PATTERN_REQUIRED_H
#define SLUICE_PATTERN_REQUIRED_H

#include "base/str.h"

enum { REQUIRED_LEAST = 3, REQUIRED_MOST = 48 };

struct required {
    char text[REQUIRED_MOST]; /* ASCII letters and digits, in lower case */
    size_t n;
    char next; /* behind it in the folded text stands this, or a byte that is not ASCII */
};

/* The longest run of at least REQUIRED_LEAST ASCII letters and digits outside groups, classes, alternatives and
 * repeats, less its last character: a combining mark behind that one may fold with it into another character.  So
 * wherever the expression matches a text, or its folded form, this stands in the folded form (mail/fold).
 *
 * False when there is none: such a pattern is costly, for it must be tried on every message.  `flags`: PATTERN_…;
 * `out` may be NULL. */
bool pattern_required(struct str source, unsigned flags, struct required *out);

#endif
