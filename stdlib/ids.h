/* stdlib/ids: the positions of rows in the vocabulary's tables, by name.  Enums only.
 *
 * FIELD_<id>, ACTION_<id>, PARAM_<action>_<id>, DECLARATION_<id>, SETTING_<declaration>_<id>. */
#ifndef SLUICE_STDLIB_IDS_H
#define SLUICE_STDLIB_IDS_H

enum field_id {
#define FIELD(id, name, type, of, text, many, editable, words, doc, example) FIELD_##id,
#include "stdlib/fields.def"
#undef FIELD
    FIELD_COUNT
};

enum action_id {
#define ACTION(id, name, join, guard, final, params, doc, example) ACTION_##id,
#define PARAM(action, id, index, name, type, words, positional, required, templated, many)
#include "stdlib/actions.def"
#undef ACTION
#undef PARAM
    ACTION_COUNT
};

enum action_param_id {
#define ACTION(id, name, join, guard, final, params, doc, example)
#define PARAM(action, id, index, name, type, words, positional, required, templated, many)                             \
    PARAM_##action##_##id = index,
#include "stdlib/actions.def"
#undef ACTION
#undef PARAM
    PARAM_NONE = 0xff
};

enum declaration_id {
#define DECLARATION(id, name, named, once, settings, doc, example) DECLARATION_##id,
#define SETTING(declaration, id, index, name, type, words, positional, required, many, value, doc)
#include "stdlib/declarations.def"
#undef DECLARATION
#undef SETTING
    DECLARATION_COUNT
};

enum setting_id {
#define DECLARATION(id, name, named, once, settings, doc, example)
#define SETTING(declaration, id, index, name, type, words, positional, required, many, value, doc)                     \
    SETTING_##declaration##_##id = index,
#include "stdlib/declarations.def"
#undef DECLARATION
#undef SETTING
    SETTING_NONE = 0xff
};

#endif
