/* grammar/characters: characters that deceive the eye: invisible ones, and letters of one script among those of
 * another.
 *
 * Knows only the scripts whose letters look like Latin ones.  Texts are UTF-8; what is not is taken byte by byte. */
#ifndef SLUICE_GRAMMAR_CHARACTERS_H
#define SLUICE_GRAMMAR_CHARACTERS_H

#include "grammar/diag.h"

struct character_range {
    uint32_t from, to;
};
bool character_is_in(uint32_t c, const struct character_range *r, size_t n);
/* The code point at the start of s and its length in bytes; 0: no UTF-8 there. */
size_t character_decode(struct str s, uint32_t *c);
/* Cannot be seen, or turns the text around. */
bool character_is_hidden(uint32_t c);

/* Tells W314 of the first such character of a text or (`pattern`) of a regular expression, whose classes and escapes
 * are left alone.  `at` is where `text` stands in its source. */
void characters_check(struct diags *d, struct str text, struct span at, bool pattern);

#endif
