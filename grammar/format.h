/* grammar/format: a rule file in its canonical layout, the one of the manual's examples.
 *
 * Tokens are kept and only laid out anew, so the tree read from the result is the tree of the source, but for what has
 * no meaning: a trailing comma, the parentheses around a list's elements, `and` between actions, and an `unless` after
 * the actions, which moves before `then`.  Comments stay with the words they stand beside or above.  Formatting a
 * formatted file changes nothing. */
#ifndef SLUICE_GRAMMAR_FORMAT_H
#define SLUICE_GRAMMAR_FORMAT_H

#include "grammar/ast.h"

/* Columns (code points) of a line; one word alone may be longer. */
enum { FORMAT_WIDTH = 100 };

/* Appends the source in its canonical layout.  False when it cannot be read: the errors are in *d, *out is
 * untouched. */
bool format_source(struct arena *a, struct source *s, ast_is_kind *is_kind, struct diags *d, struct buf *out);

/* The lines in which two texts differ, `-` before those of `from` and `+` before those of `to`, each run of differences
 * under a line `@@ line N @@` with N counted in `from`.  Nothing when they are equal. */
void format_difference(struct str from, struct str to, struct buf *out);

#endif
