/* stdlib/vocabulary: the rows of the tables joined to what carries them out: getters, appliers, templates.
 *
 * What the machine is handed.  Constant, owned by nobody. */
#ifndef SLUICE_STDLIB_VOCABULARY_H
#define SLUICE_STDLIB_VOCABULARY_H

#include "mail/obligation.h"
#include "stdlib/ids.h"
#include "vm/vocabulary.h"

extern const struct vocabulary stdlib_vocabulary;

/* One function a row: get_SUBJECT, apply_REJECT … : stdlib/getters.c, stdlib/appliers.c. */
#define FIELD(id, name, type, of, text, many, editable, words, doc, example) field_getter get_##id;
#include "stdlib/fields.def"
#undef FIELD
#define ACTION(id, name, join, guard, final, params, doc, example) action_applier apply_##id;
#define PARAM(action, id, index, name, type, words, positional, required, templated, many)
#include "stdlib/actions.def"
#undef ACTION
#undef PARAM
template_filler template_fill;
/* What require_tls demands with these words (empty: left out). */
struct obligation stdlib_tls_obligation(struct str level, struct str min);

#endif
