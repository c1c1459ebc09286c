/* grammar/syntax: how a syntax error is told; private to this room.
 *
 * Receives what the parser expected and what it found, and makes one diagnostic of it, looking first for the mistakes
 * that are common enough to have a sentence of their own. */
#ifndef SLUICE_GRAMMAR_SYNTAX_H
#define SLUICE_GRAMMAR_SYNTAX_H

#include "grammar/parse.h"

enum { SYNTAX_TOKENS = 80 };

struct syntax_error {
    struct span at;               /* the token found */
    bool expected[SYNTAX_TOKENS]; /* by token number, from SL_RULE */
};

/* Tells the error (unless the token was told of already) and has the lexer skip to the next item. */
void syntax_report(struct parse *p, const struct syntax_error *e);

#endif
