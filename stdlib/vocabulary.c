#include "stdlib/vocabulary.h"

#include "stdlib/checksums.h"
#include "stdlib/report.h"
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

/* The defaults of stdlib/declarations.def, which programs do not record. */
static const struct detector_shape detector = {
    .pattern = SETTING_DETECTOR_PATTERN,
    .checksum = SETTING_DETECTOR_CHECKSUM,
    .confidence = SETTING_DETECTOR_CONFIDENCE,
    .near = SETTING_DETECTOR_NEAR,
    .within = SETTING_DETECTOR_WITHIN,
    .gives = SETTING_DETECTOR_GIVES,
    .confidence_default = 75,
    .within_default = 300,
    .gives_default = 85,
    .checksum_holds = checksum_holds,
};

const struct vocabulary stdlib_vocabulary = {&stdlib_rows, getters, appliers, audit_roles, template_fill, FIELD_MARKED,
                                             FIELD_RECIPIENT_COUNT, &detector, report_notice};
