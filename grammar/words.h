/* grammar/words: parts of the tree written back as the language; private to this room.
 *
 * One form for each part, whatever its layout was: what identity hashes, goldens and fix-its are made of. */
#ifndef SLUICE_GRAMMAR_WORDS_H
#define SLUICE_GRAMMAR_WORDS_H

#include "grammar/ast.h"

/* detail: literals are followed by what was read of them, {size 1024}, for goldens. */
struct writer {
    struct buf *out;
    bool detail;
};

const char *words_quantifier(enum ast_quantifier q); /* "any", or "" */
void write_text(struct buf *out, struct str value);  /* "…", escaped */
void write_literal(const struct writer *w, const struct ast_literal *l);
void write_argument(const struct writer *w, const struct ast_argument *a);
void write_arguments(const struct writer *w, const struct ast_argument *first); /* each after a blank */
void write_field(const struct writer *w, const struct ast_field *f);
void write_value(const struct writer *w, const struct ast_value *v);
void write_values(const struct writer *w, const struct ast_value *first);       /* "a", "b" */
void write_set(const struct writer *w, const struct ast_set *s);
/* The verb up to its object: `is not`, `does not start with`; words_any_of: with `any of` in its place. */
void write_verb_words(const struct writer *w, const struct ast_verb *v);
void write_verb(const struct writer *w, const struct ast_verb *v);
void write_test(const struct writer *w, const struct ast_condition *test);      /* (subject or body) contains "x" */
void write_actions(const struct writer *w, const struct ast_action *first);

#endif
