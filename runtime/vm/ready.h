/* vm/ready: a program as vm/load prepared it, for the files of this room.  Read-only once loaded, but for the matcher's
 * scratch. */
#ifndef SLUICE_VM_READY_H
#define SLUICE_VM_READY_H

#include "base/map.h"
#include "pattern/pattern.h"
#include "vm/vocabulary.h"

struct index;

/* A field reference: which slot of values it reads, and what of each value. */
struct ready_ref {
    const struct field_row *row;
    uint32_t slot;
    uint8_t part;         /* enum address_part */
    enum value_type type; /* of the part */
    bool by_recipient, by_edits;
};

/* What is read once: a field with its text. */
struct ready_slot {
    uint32_t field;
    struct str text;
    bool by_recipient, by_edits;
};

enum { TEST_READINGS_MAX = 3 };

/* A declared detector: vm/detect. */
struct ready_detector {
    struct pattern *pattern;
    struct str source;   /* of the pattern */
    struct str checksum; /* its name; empty without */
    struct str *near;    /* folded */
    uint32_t near_count;
    uint32_t within;     /* characters */
    uint8_t confidence, gives;
};

struct ready_test {
    const struct test *test;
    const struct ready_ref *left, *right; /* right: of OPERAND_FIELD, else NULL */
    uint8_t readings[TEST_READINGS_MAX];  /* which texts of a view a text relation looks at: any of them may match */
    uint32_t reading_count;
    struct str *needles[TEST_READINGS_MAX]; /* folded as that reading is */
    uint32_t needle_count;
    const struct constant *constants; /* of CONSTANT, RANGE, LIST: as many as constant_count */
    uint32_t constant_count;
    struct map set; /* of EQUAL over a text-like list: canonical keys */
    bool hashed;
    struct pattern **patterns;
    const uint8_t *pattern_flags;
    const struct ready_detector *detector; /* of OPERAND_DETECTOR, else NULL */
    uint32_t pattern_count;
    uint32_t live;   /* of OPERAND_LIVE: which of the live lists, else NO_INDEX */
    uint32_t long_list; /* of many needles, any of which will do: which of those, else NO_INDEX */
    uint32_t shared; /* written in several places, answered once: which of those, else NO_INDEX */
};

struct ready_argument {
    const struct argument *argument;
    const struct constant *constant; /* or NULL */
    const struct ready_ref *field;   /* or NULL */
    bool template;                   /* holds a brace */
};
struct ready_action {
    const struct action *action;
    const struct action_row *row;
    struct ready_argument *arguments;
    bool by_recipient, by_edits;      /* whether its arguments differ so */
    const struct constant *otherwise; /* stands in for an address whose field is absent; or NULL */
};

struct vm_program {
    const struct program *program;
    const struct vocabulary *vocabulary;
    struct arena *arena;
    struct ready_slot *slots;
    uint32_t slot_count;
    struct ready_ref *refs;       /* by field_ref */
    struct ready_test *tests;     /* by test */
    struct ready_detector **detectors; /* by declaration; NULL: none that a test asks for */
    struct ready_action *actions; /* by action */
    struct pattern_matcher *matcher;
    struct index *index; /* vm/index; NULL: every rule is tried */
    uint32_t shared_count, long_list_count;
    uint32_t *live_lists; /* by ordinal: the program's live lists, in its order */
    uint32_t live_count;
};

/* Which readings the text relations of a field's part look at; answers how many.  `alike`: the one in which look-alikes
 * are the same is the last of them, where the part is seen by readers. */
uint32_t ready_readings(const struct ready_ref *ref, bool alike, uint8_t out[TEST_READINGS_MAX]);
static inline bool reading_is_alike(uint8_t reading)
{
    return reading == READING_ALIKE || reading == READING_NAME_ALIKE;
}

#endif
