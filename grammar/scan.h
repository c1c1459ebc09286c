/* grammar/scan: the generated lexer's face; private to this room. */
#ifndef SLUICE_GRAMMAR_SCAN_H
#define SLUICE_GRAMMAR_SCAN_H

#include "grammar/grammar.tab.h"
#include "grammar/parse.h"

/* What the scanner answers instead of a token when it told a mistake; what was meant is in p->queue, if anything. */
enum { SCAN_QUEUED = -1 };

/* The next token, its value and place; the generated function. */
int scan_token(SL_STYPE *value, SL_LTYPE *at, void *scanner);

/* A scanner over p->source->text (a copy is held until scan_free). */
void *scan_create(struct parse *p);
void scan_free(void **scanner);

/* A keyword's token, or KIND or NAME with *value. */
int scan_name(struct parse *p, struct span at, struct str *value);
bool scan_is_word(char c);                                     /* part of a name */
size_t scan_digits(struct str s);                              /* leading digits */
bool scan_is_fraction(struct str s);                           /* one dot: 1.5 */
size_t scan_character(const struct parse *p, struct span at); /* bytes of the first character */

#endif
