/* stdlib/checksums: whether a number that people carry around is one that can have been given out.
 *
 * Pure arithmetic over the letters and digits of a match; blanks, dashes, dots and slashes between them do not count,
 * case does not either.  Each knows the length of its number.  Sources stand with each in checksums.c. */
#ifndef SLUICE_STDLIB_CHECKSUMS_H
#define SLUICE_STDLIB_CHECKSUMS_H

#include "base/str.h"

/* `name` is a word of the `checksum` setting (stdlib/declarations.def); false for any other. */
bool checksum_holds(struct str name, struct str match);
/* The names there are, for the test that holds the setting to them; NULL past the last. */
const char *checksum_name(size_t i);

#endif
