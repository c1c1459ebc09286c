/* vm/vocabulary: what the machine must be able to do with each row of the vocabulary: get a field, carry out an action.
 *
 * stdlib fills one `struct vocabulary` from its tables (stdlib/vocabulary.h); the machine receives it as a parameter and
 * names no field.  Rows are indexed by the ids that programs carry.  This header owns the shapes: values as getters
 * answer them, calls as appliers receive them.  Everything a getter answers lives in the judgement's arena or in what the
 * judgement was given. */
#ifndef SLUICE_VM_VOCABULARY_H
#define SLUICE_VM_VOCABULARY_H

#include "bytecode/program.h"
#include "vm/answer.h"

struct judgement; /* vm/judgement.h: one message in the machine */

/* An address taken apart once.  Comparisons use the canonical parts: local in NFC and folded case, domain as lower-case
 * A-labels (LANGUAGE section 3). */
struct canonical_address {
    struct str whole;  /* local@domain, canonical; empty for the null address */
    struct str local, domain;
    struct str unicode_domain; /* lower-case U-labels, for `like` */
};

/* One reading of one value.  Which members count depends on the row's type:
 * TEXT text · ADDRESS text (with the name as a reader sees it), name, address · DOMAIN address.domain · WORD text ·
 * NETWORK ip · YESNO number (0 or 1) · NUMBER SIZE DURATION DATE CLOCK number (as in struct constant). */
struct view {
    struct str text;
    struct str name;
    struct canonical_address address;
    int64_t number;
    uint8_t ip[16];
    bool partial;      /* some of it could not be read: no match in it is undecided, not `no` */
    /* The machine's own, filled when first asked for. */
    struct str folded, trimmed, local_folded, domain_folded, name_folded;
    bool has_folded, has_trimmed, has_parts;
};

/* One element of a field, in all its readings.  No reading: the element exists without this value. */
struct element {
    struct view *views;
    uint32_t count;
};

/* All that a field says.  A field with one value has one element, or none when it is absent. */
struct values {
    struct element *v;
    uint32_t n;
    enum answer_value trouble; /* ANSWER_NO, or why further elements may be unknown: ANSWER_UNREADABLE, …_UNAVAILABLE */
    struct str why;            /* one phrase for explanations, with trouble or a partial view */
};

struct field_ask {
    struct str text;    /* header name, mark */
    uint32_t recipient; /* index; of a FACT_RECIPIENT row */
    uint32_t edits;     /* edit class; of an editable row */
};

typedef void field_getter(struct judgement *j, const struct field_ask *ask, struct values *out);

/* One action of one rule for some recipients.  Arguments are already evaluated: one value each for the whole of `who`
 * (the machine calls once per distinct value of fields and templates). */
struct call_argument {
    uint8_t param;                    /* of the action's row */
    const struct constant *constant;  /* text has its template filled in */
    struct str text;                  /* the constant's or field's text: for addresses the canonical address */
};
struct action_call {
    const struct rule *rule;
    uint32_t rule_index;
    const struct action *action;
    const struct action_row *row;
    const uint64_t *who;              /* bits over recipients */
    const struct call_argument *arguments;
    size_t argument_count;
};
/* The first argument of that parameter, or NULL. */
const struct call_argument *call_argument(const struct action_call *c, const char *param);
struct str call_text(const struct action_call *c, const char *param); /* STR_NONE without */

typedef void action_applier(struct judgement *j, const struct action_call *call);

struct vocabulary {
    const struct field_row *fields;
    field_getter *const *getters;
    size_t field_count;
    const struct action_row *actions;
    action_applier *const *appliers;
    size_t action_count;
};

#endif
