#include "compiler/words.h"

#include "stdlib/rows.def"

const struct vocabulary_rows words_rows = {
    field_rows,       sizeof field_rows / sizeof *field_rows,
    action_rows,      sizeof action_rows / sizeof *action_rows,
    declaration_rows, sizeof declaration_rows / sizeof *declaration_rows,
};

const struct option_row words_options[OPTION_COUNT] = {
#define OPTION(id, name, type, words, value, doc, example) {name, type, words, value, doc, example},
#include "stdlib/options.def"
#undef OPTION
};

const struct part_row words_parts[] = {
#define PART(id, name, type, doc) {name, PART_##id, type, doc},
#include "stdlib/parts.def"
#undef PART
};
const size_t words_part_count = sizeof words_parts / sizeof *words_parts;

enum {
#define FIELD(id, name, type, of, text, many, editable, words, doc, example) ROW_FIELD_##id,
#include "stdlib/fields.def"
#undef FIELD
    ROW_FIELD_COUNT
};

static const struct {
    uint32_t field;
    const char *word, *covered;
} covers[] = {
#define FIELD(id, name, type, of, text, many, editable, words, doc, example)
#define WORD_COVERS(id, word, covered) {ROW_FIELD_##id, word, covered},
#include "stdlib/fields.def"
#undef FIELD
};

static const uint32_t content_fields[] = {
#define FIELD(id, name, type, of, text, many, editable, words, doc, example)
#define READS_CONTENT(id) ROW_FIELD_##id,
#include "stdlib/fields.def"
#undef FIELD
};

static const struct never_has {
    uint32_t field;
    struct word_never_has row;
} never_has[] = {
#define FIELD(id, name, type, of, text, many, editable, words, doc, example)
#define FIELD_NEVER_HAS(id, sign, why, instead) {ROW_FIELD_##id, {{sign, sizeof sign - 1}, why, instead}},
#include "stdlib/fields.def"
#undef FIELD
};

static const struct whole_has {
    uint32_t field;
    struct word_never_has row;
} whole_has[] = {
#define FIELD(id, name, type, of, text, many, editable, words, doc, example)
#define FIELD_WHOLE_HAS(id, sign, why) {ROW_FIELD_##id, {{sign, sizeof sign - 1}, why, ""}},
#include "stdlib/fields.def"
#undef FIELD
};

static const struct {
    uint32_t declaration, setting;
    const char *value;
} settings[] = {
#define DECLARATION(id, name, named, once, count, doc, example)
#define SETTING(declaration, id, index, name, type, words, positional, required, many, value, doc)                     \
    {ROW_DECLARATION_##declaration, index, value},
#include "stdlib/declarations.def"
#undef DECLARATION
#undef SETTING
};

const struct word_listing words_field_listing[] = {
#define FIELD_GROUP(title) {title, 0},
#define FIELD(id, name, type, of, text, many, editable, words, doc, example) {NULL, ROW_FIELD_##id},
#include "stdlib/fields.def"
#undef FIELD
};
const size_t words_field_listing_count = sizeof words_field_listing / sizeof *words_field_listing;

enum {
#define ACTION(id, name, join, guard, final, params, doc, example) ROW_OF_##id,
#define PARAM(action, id, index, name, type, words, positional, required, templated, many)
#include "stdlib/actions.def"
#undef ACTION
#undef PARAM
};
const struct word_listing words_action_listing[] = {
#define ACTION_GROUP(title) {title, 0},
#define ACTION(id, name, join, guard, final, params, doc, example) {NULL, ROW_OF_##id},
#define PARAM(action, id, index, name, type, words, positional, required, templated, many)
#include "stdlib/actions.def"
#undef ACTION
#undef PARAM
};
const size_t words_action_listing_count = sizeof words_action_listing / sizeof *words_action_listing;

static bool named(const char *row, struct str name) { return str_eq(str_of(row), name); }

static uint32_t find_row(struct str name)
{
    for (size_t i = 0; i < words_rows.field_count; i++) {
        if (named(field_rows[i].name, name)) return (uint32_t)i;
    }
    return WORDS_NONE;
}

bool words_find_field(struct str name, struct word_field *out)
{
    uint32_t row = find_row(name);
    if (row != WORDS_NONE) {
        *out = (struct word_field){row, PART_WHOLE, field_rows[row].type};
        return true;
    }
    size_t dot = str_rfind_byte(name, '.');
    if (dot == STR_NPOS) return false;
    row = find_row(str_slice(name, 0, dot));
    if (row == WORDS_NONE || field_rows[row].type != TYPE_ADDRESS) return false;
    for (size_t i = 0; i < words_part_count; i++) {
        if (!named(words_parts[i].name, str_from(name, dot + 1))) continue;
        *out = (struct word_field){row, words_parts[i].part, words_parts[i].type};
        return true;
    }
    return false;
}

uint32_t words_find_action(struct str name)
{
    for (size_t i = 0; i < words_rows.action_count; i++) {
        if (named(action_rows[i].name, name)) return (uint32_t)i;
    }
    return WORDS_NONE;
}

uint32_t words_find_option(struct str name)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (named(words_options[i].name, name)) return (uint32_t)i;
    }
    return WORDS_NONE;
}

uint32_t words_find_declaration(struct str name)
{
    for (size_t i = 0; i < words_rows.declaration_count; i++) {
        if (named(declaration_rows[i].name, name)) return (uint32_t)i;
    }
    return WORDS_NONE;
}

uint32_t words_find_param(const struct param_row *params, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++) {
        if (named(params[i].name, name)) return (uint32_t)i;
    }
    return WORDS_NONE;
}

bool words_is_declaration(struct str name) { return words_find_declaration(name) != WORDS_NONE; }

bool words_have_parts(const struct word_field *field)
{
    const struct field_row *row = &field_rows[field->field];
    if (field->part != PART_WHOLE) return false;
    for (size_t i = 0; i < words_rows.field_count; i++)
        if (i != field->field && vocabulary_is_of_element(&field_rows[i], row)) return true;
    return row->type == TYPE_ADDRESS;
}

const char *words_covered(uint32_t field, struct str word, size_t *at)
{
    while (*at < sizeof covers / sizeof *covers) {
        size_t i = (*at)++;
        if (covers[i].field == field && named(covers[i].word, word)) return covers[i].covered;
    }
    return NULL;
}

bool words_reads_content(uint32_t field)
{
    for (size_t i = 0; i < sizeof content_fields / sizeof *content_fields; i++) {
        if (content_fields[i] == field) return true;
    }
    return false;
}

const struct word_never_has *words_never_has(uint32_t field)
{
    for (size_t i = 0; i < sizeof never_has / sizeof *never_has; i++) {
        if (never_has[i].field == field) return &never_has[i].row;
    }
    return NULL;
}

const struct word_never_has *words_whole_has(uint32_t field)
{
    for (size_t i = 0; i < sizeof whole_has / sizeof *whole_has; i++) {
        if (whole_has[i].field == field) return &whole_has[i].row;
    }
    return NULL;
}

const char *words_setting_default(uint32_t declaration, uint32_t setting)
{
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        if (settings[i].declaration == declaration && settings[i].setting == setting) return settings[i].value;
    }
    return "";
}

void words_vocabulary_hash(uint8_t out[32]) { vocabulary_hash(&words_rows, out); }
