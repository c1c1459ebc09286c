/* compiler/words: the vocabulary as the compiler sees it: rows of the stdlib tables, options, parts, and finders.
 *
 * Owns nothing that changes; every row is constant.  Getters and appliers are not its business. */
#ifndef SLUICE_COMPILER_WORDS_H
#define SLUICE_COMPILER_WORDS_H

#include "bytecode/vocabulary.h"

extern const struct vocabulary_rows words_rows;

/* Which option a row is: struct rule's members, in the order of stdlib/options.def. */
enum option_id {
#define OPTION(id, name, type, words, value, doc, example) OPTION_##id,
#include "stdlib/options.def"
#undef OPTION
    OPTION_COUNT
};
struct option_row {
    const char *name;
    enum value_type type;
    const char *words;
    const char *value;
    const char *doc, *example;
};
extern const struct option_row words_options[OPTION_COUNT];

struct part_row {
    const char *name;
    enum address_part part;
    enum value_type type;
    const char *doc;
};
extern const struct part_row words_parts[];
extern const size_t words_part_count;

/* A field as it was found by its dotted name: a row, or a row and a part of its addresses. */
struct word_field {
    uint32_t field;
    enum address_part part;
    enum value_type type; /* of the part */
};

/* The rows in the order of the documentation: a group's title (row is then meaningless), or a row. */
struct word_listing {
    const char *group;
    uint32_t row;
};
extern const struct word_listing words_field_listing[], words_action_listing[];
extern const size_t words_field_listing_count, words_action_listing_count;
/* The i-th verb that may be asked of a type, as it is written ("is any of"), or NULL. */
const char *words_verb(enum value_type type, size_t i);

#define WORDS_NONE UINT32_MAX
bool words_find_field(struct str name, struct word_field *out); /* "sender", "sender.domain", "recipient.scope" */
uint32_t words_find_action(struct str name);                    /* row, or WORDS_NONE */
uint32_t words_find_option(struct str name);
uint32_t words_find_declaration(struct str name);
uint32_t words_find_param(const struct param_row *params, size_t n, struct str name);
/* The grammar's question (ast_is_kind). */
bool words_is_declaration(struct str name);
/* Whether its elements have parts that `where` may name: addresses, attachments. */
bool words_have_parts(const struct word_field *field);
/* The next further word that `is <word>` of this field covers too (stdlib/fields.def), or NULL; *at starts at 0. */
const char *words_covered(uint32_t field, struct str word, size_t *at);
/* Whether reading the field can fail for good (READS_CONTENT). */
bool words_reads_content(uint32_t field);
/* What no value of the field has in it (FIELD_NEVER_HAS), or NULL. */
struct word_never_has {
    struct str sign;
    const char *why, *instead;
};
const struct word_never_has *words_never_has(uint32_t field);
const struct word_never_has *words_whole_has(uint32_t field); /* FIELD_WHOLE_HAS: what every value has in it, or NULL */
/* The value of a setting that a configuration leaves out, as written in stdlib/declarations.def; "" none. */
const char *words_setting_default(uint32_t declaration, uint32_t setting);

/* The hash a program compiled with these rows carries. */
void words_vocabulary_hash(uint8_t out[32]);

#endif
