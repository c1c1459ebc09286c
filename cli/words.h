/* cli/words: how the vocabulary's enums are said, for listings and the reference. */
#ifndef SLUICE_CLI_WORDS_H
#define SLUICE_CLI_WORDS_H

#include "base/vec.h"
#include "bytecode/vocabulary.h"

extern const char *const type_names[TYPE_NAME + 1];
extern const char *const fact_names[FACT_ELEMENT + 1];
extern const char *const join_names[JOIN_LATEST + 1];
extern const char *const guard_names[GUARD_RELAXES + 1]; /* "" for neither */

/* A row as `sluice fields` and `sluice actions` print it. */
void field_print(const struct field_row *f, struct buf *out);
void action_print(const struct action_row *a, struct buf *out);

/* One declaration or setting of stdlib/declarations.def, as it is written. */
struct setting_row {
    const char *declaration, *name; /* one of the two: a declaration, or a setting of the one before it */
    enum value_type type;
    const char *words, *value, *doc; /* of a declaration: value is its example */
    bool required;
};
extern const struct setting_row setting_rows[];
extern const size_t setting_row_count;

#endif
