/* tests/support/rules: one text parsed and folded, with what it needs, for tests of the grammar.
 *
 * Owns everything it answers; rules_close frees it.  Knows a few declarations and yes/no fields of its own, so that the
 * grammar is tested without the vocabulary. */
#ifndef SLUICE_TESTS_RULES_H
#define SLUICE_TESTS_RULES_H

#include "grammar/ast.h"

struct rules {
    struct arena *arena;
    struct sources sources;
    struct source source;
    struct diags diags;
    struct ast_file *file;
};

/* `text` must live until rules_close. */
void rules_open(struct rules *r, const char *name, struct str text);
void rules_close(struct rules *r);
bool rules_is_kind(struct str name);
/* The same words with other blanks, line ends and comments between them; in the arena. */
struct str rules_disarranged(struct arena *a, struct str text, ast_is_kind *is_kind, uint64_t seed);

#endif
