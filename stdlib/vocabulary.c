#include "stdlib/vocabulary.h"

#include "stdlib/words.h"

static field_getter *const getters[FIELD_COUNT] = {
#define FIELD(id, name, type, of, text, many, editable, words, doc, example) [FIELD_##id] = get_##id,
#include "stdlib/fields.def"
#undef FIELD
};

static action_applier *const appliers[ACTION_COUNT] = {
#define ACTION(id, name, join, guard, final, params, doc, example) [ACTION_##id] = apply_##id,
#define PARAM(action, id, index, name, type, words, positional, required, templated, many)
#include "stdlib/actions.def"
#undef ACTION
#undef PARAM
};

static const uint8_t audit_roles[ACTION_COUNT] = {[ACTION_LOG] = AUDIT_TELLS,
                                                  [ACTION_NOTIFY] = AUDIT_TELLS,
                                                  [ACTION_NOTIFY_SENDER] = AUDIT_TELLS,
                                                  [ACTION_INCIDENT_REPORT] = AUDIT_TELLS,
                                                  [ACTION_MARK] = AUDIT_SHADOWS};

const struct vocabulary stdlib_vocabulary = {&stdlib_rows, getters, appliers, audit_roles, template_fill, FIELD_MARKED};
