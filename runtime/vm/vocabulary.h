/* vm/vocabulary: what the machine must be able to do with each row of the vocabulary: get a field, carry out an action.
 *
 * stdlib fills one `struct vocabulary` from its tables (stdlib/vocabulary.h); the machine receives it as a parameter
 * and names no field.  Rows are indexed by the ids that programs carry.  This header owns the shapes: values as getters
 * answer them, calls as appliers receive them.  Everything a getter answers lives in the judgement's arena or in what
 * the judgement was given. */
#ifndef SLUICE_VM_VOCABULARY_H
#define SLUICE_VM_VOCABULARY_H

#include "bytecode/program.h"
#include "vm/answer.h"

struct judgement; /* vm/judgement.h: one message in the machine */
struct edits;     /* message/edits.h */

/* An address taken apart once.  Comparisons use the canonical parts: local in NFC and folded case, domain as lower-case
 * A-labels (LANGUAGE section 3). */
struct canonical_address {
    struct str whole; /* local@domain, canonical; empty for the null address */
    struct str local, domain;
    struct str unicode_domain; /* lower-case U-labels, for `like` */
};

/* What of a view a text test looks at, and how it is folded. */
enum reading {
    READING_TEXT,       /* the text: fold_text */
    READING_NAME,       /* the display name: fold_text */
    READING_ALIKE,      /* the text, as it looks: FOLD_ALIKE */
    READING_NAME_ALIKE, /* the display name, as it looks */
    READING_LOCAL,      /* local part: NFC and case folding */
    READING_ADDRESS,    /* local@domain, domain in U-labels: NFC and case folding */
    READING_DOMAIN,     /* lower-case U-labels */
    READING_COUNT
};
_Static_assert(READING_COUNT <= 8, "readings are bits of a byte");

/* One view of one value.  Which members count depends on the row's type:
 * TEXT text · ADDRESS text (with the name as a reader sees it), name, address · DOMAIN address.domain · WORD text ·
 * NETWORK ip · YESNO number (0 or 1) · NUMBER SIZE DURATION DATE CLOCK number (as in struct constant). */
struct view {
    struct str text;
    struct str name;
    struct canonical_address address;
    int64_t number;
    uint8_t ip[16];
    uint64_t manners; /* how it departs from the best reading: message_manners_print; 0: not at all */
    bool absent;      /* to this reading there is no such value */
    bool partial; /* some of it could not be read: no match in it is undecided, not `no` */
    struct str
        read[READING_COUNT];     /* the machine's own: the text in the form tests compare, made when first asked for */
    uint8_t has_read, cut_read;  /* bits by enum reading: made; not to its end, which would have been too long */
    uint8_t utf8_raw, utf8_read; /* the same: known to be UTF-8, as given and in that form */
};

/* One element of a field, in all its readings.  No reading: the element exists without this value. */
struct element {
    struct view *views;
    uint32_t count;
    uint32_t list; /* of which reading of the whole field: below */
};

/* All that a field says.  A field with one value has one element, or none when it is absent. */
struct values {
    struct element *v;
    uint32_t n;
    /* How many readings of the whole field there are, each with elements of its own, in their order; 0 is 1.  Several
     * instances of a field that must be unique are such readings: each reader shows another of them. */
    uint32_t lists;
    enum answer_value trouble; /* ANSWER_NO, or why further elements may be unknown: …_UNREADABLE, …_UNAVAILABLE */
    struct str why;            /* one phrase for explanations, with trouble or a partial view */
};

struct field_ask {
    struct str text;           /* header name, mark */
    uint32_t recipient;        /* index; of a FACT_RECIPIENT row */
    const struct edits *edits; /* what earlier rules changed; of an editable row */
};

typedef void field_getter(struct judgement *j, const struct field_ask *ask, struct values *out);

/* One action of one rule for some recipients.  Arguments are already evaluated: one value each for the whole of `who`
 * (the machine calls once per edit class or recipient where fields and templates demand it). */
struct call_argument {
    uint8_t param;                   /* of the action's row */
    struct str text;                 /* texts with their template filled in, words; an address as it is to be written */
    const struct constant *constant; /* NULL when a field gave the value */
};
struct action_call {
    const struct rule *rule;
    uint32_t rule_index;
    const struct action *action;
    const struct action_row *row;
    const uint64_t *who; /* bits over recipients */
    const struct call_argument *arguments;
    size_t argument_count;
};
/* The first argument of that parameter (PARAM_… of stdlib/ids.h), or NULL. */
const struct call_argument *call_argument(const struct action_call *c, uint8_t param);
struct str call_text(const struct action_call *c, uint8_t param); /* STR_NONE without */

/* Collects in the plan (vm/plan.h); never fails: what cannot be done leaves a note. */
typedef void action_applier(struct judgement *j, const struct action_call *call);

/* What an action does in a rule of mode audit, beside being recorded. */
enum audit_role {
    AUDIT_ONLY_RECORDED,
    AUDIT_TELLS,  /* carried out by audit_and_notify: log, notify … */
    AUDIT_SHADOWS /* carried out in the shadow plan that only audit rules see, and not recorded: mark */
};

/* What a template's {name} stands for, in the copy with these edits.  STR_NONE: no such name. */
typedef struct str template_filler(struct judgement *j, const struct rule *rule, struct str name,
                                   const struct edits *edits);

/* How a declared detector is read: where in its row what stands, and which checksums there are. */
struct detector_shape {
    uint8_t pattern, checksum, confidence, near, within, gives; /* parameters of the row */
    uint8_t confidence_default, gives_default;
    uint16_t within_default;
    /* Whether the checksum of that name holds for a match (folded text); false for a name there is not. */
    bool (*checksum_holds)(struct str name, struct str match);
};

/* Fills in the notice (all but its rule) that a planned report becomes, once all rules have run. */
struct planned_report;
struct verdict_notice;
typedef void report_writer(struct judgement *j, const struct planned_report *report, struct verdict_notice *out);

struct vocabulary {
    const struct vocabulary_rows *rows;
    field_getter *const *getters;    /* by field */
    action_applier *const *appliers; /* by action */
    const uint8_t *audit_roles;      /* by action: enum audit_role */
    template_filler *fill;
    uint32_t mark_field;  /* the field that reads marks: NO_INDEX without */
    uint32_t count_field; /* the field that counts recipients: NO_INDEX without */
    const struct detector_shape *detector;
    report_writer *report; /* NULL: no action plans one */
};

#endif
