/* vm/judgement: one message in the machine: its recipients, their edit classes, marks, the values read so far.
 *
 * The inside that run, test, plan and stdlib's getters and appliers share.  Everything lives in `arena`, the message's.
 * Owns the growth of the recipient set; what may be done to recipients is plan's. */
#ifndef SLUICE_VM_JUDGEMENT_H
#define SLUICE_VM_JUDGEMENT_H

#include "base/limits.h"
#include "mail/evidence.h"
#include "mail/live_list.h"
#include "message/edits.h"
#include "vm/ready.h"
#include "vm/run.h"

enum {
    VM_ADDED_MAX = 1000, /* recipients that rules may add to one message */
    VM_COPIES_MAX = 256, /* different copies of one message; each is hashed whole */
    VM_NOTES_MAX = 2000,
    VM_NOTE_TEXT_MAX = 400
};

enum member_state { MEMBER_PLAYING, MEMBER_STOPPED, MEMBER_FINAL };

/* One recipient, as the rules so far have left it. */
struct member {
    struct str address; /* as the client, or the rule, wrote it */
    struct canonical_address canonical;
    uint8_t state;       /* enum member_state */
    uint8_t disposition; /* enum disposition; DELIVER unless state is FINAL */
    bool added;
    bool again;      /* a redirect had taken it out, a later one brought it back */
    bool copied;     /* some copy asked for it, or for whom it stands in, not only redirects */
    int64_t at;      /* rules after this index judge it; -1: all */
    uint32_t target; /* of a redirect: index; NO_INDEX until the rule is over */
    const struct edits *edits;
    uint32_t edit_class; /* index, or NO_INDEX past LIMIT_EDIT_CLASSES */
    struct obligation need;
    int64_t not_before; /* of deliver_after: UTC seconds; 0: at once */
    struct str rule, tls_rule, reason, connector;
    uint32_t rule_index; /* of `rule` */
    struct reply reply;
};

struct edit_class {
    const struct edits *edits;
    uint32_t members;
};

struct mark {
    struct str name;
    uint64_t *bits, *shadow; /* by recipient; shadow: as audit rules see it, enforced marks included */
};

/* What one slot (field and text) says in the copy with these edits. */
struct slot_values {
    const struct edits *edits;
    struct values values;
    struct slot_values *next;
};
/* What has been read of one slot so far. */
struct slot {
    struct slot_values *read; /* of a fact of the message: one for each list of edits asked for */
    struct values *members;   /* of a recipient fact, by recipient */
    bool *member_known;
    size_t member_room;
};

/* One reading of one value that a test of the rule under way holds of: vm/witness. */
struct witness {
    const struct ready_test *test; /* NULL: a rule without tests */
    const struct view *view;       /* NULL: no one value decided */
    struct str text;               /* that was compared … */
    size_t from, to;               /* … and where in it */
    struct str why;                /* undecided */
    uint32_t element, elements;    /* which of the field's values, of how many */
    uint32_t member;               /* of the domain; NO_INDEX: a fact of the message */
    uint8_t answer;                /* enum evidence_answer */
};
enum { WITNESSES_MAX = 12 }; /* of one rule */
struct kept_witness {
    uint32_t rule; /* index */
    struct witness witness;
};

/* What a shared test says of a fact of the message, in the copy with these edits and with so many recipients. */
struct known {
    const struct edits *edits;
    size_t members;
    enum answer_value value;
    struct str why; /* of an undecided one */
    struct witness *seen; /* what it held of */
    uint32_t seen_count;
    struct known *next;
};

/* What a shared test says of each recipient, by facts that no rule changes; NULL: not asked yet. */
struct known_members {
    struct known **of;
    size_t room;
};

/* A recipient that the rule under way asks for. */
struct wanted {
    struct str address;
    struct canonical_address canonical;
    uint32_t member; /* for whom */
    uint32_t order;  /* in which the rule's actions asked */
    bool redirect;
};

/* What ends a member's part in the rules, once the rule under way is over.  The first of a rule wins. */
struct ending {
    bool set, stop;
    uint8_t disposition;
    struct str reason;
    struct reply reply;
    struct str target; /* canonical whole, of a redirect */
};

/* A notice asked for; the same text goes to the same target once. */
struct planned_notice {
    struct verdict_notice notice;
    struct str target; /* canonical whole */
};

/* A report on this message, written when all is decided; one to a target, whatever rules ask for it. */
struct planned_report {
    struct str to, target; /* target: canonical whole */
    uint32_t contents;     /* the vocabulary's bits */
    uint32_t rule;         /* index of the first that asked */
    const struct action_row *row;
};

struct judgement {
    const struct vm_program *program;
    const struct vm_input *in;
    struct arena *arena;
    struct trace *trace;
    uint32_t seen_element, seen_elements; /* which value is looked at, of how many */
    uint32_t seen_member;                 /* for whom, of the domain; NO_INDEX: a fact of the message */

    VEC(struct member) members;
    size_t envelope_count; /* members [0, envelope_count) were named by the client */
    size_t words;          /* room of every bit set over members */
    struct edit_class classes[LIMIT_EDIT_CLASSES];
    uint32_t class_count;
    bool original; /* the second pass: editable fields as received */
    VEC(struct mark) marks;
    struct slot **slots;       /* by slot; NULL: not asked for yet */
    struct known **known;      /* by shared test: what it answered … */
    struct known_members *known_members; /* … of each recipient */
    struct index_state *index; /* vm/index; NULL: every rule is tried */
    bool edited;               /* some recipient's copy has changed since the index looked */
    struct canonical_address sender;

    /* the rule under way */
    const struct rule *rule;
    uint32_t rule_index;
    bool audit; /* marks are read and set in the shadow */
    VEC(struct wanted) wanted;
    VEC(struct ending) endings; /* by member */

    struct witness seen[WITNESSES_MAX];
    uint32_t seen_count;

    VEC(struct kept_witness) kept; /* of rules that acted */
    uint64_t lists_asked;          /* live lists that were looked into, by number */

    bool deferred; /* the answer is already known: DEFER, with `defer_reply` */
    struct reply defer_reply;
    struct str defer_rule;
    uint8_t *hits;       /* HIT_… by rule */
    uint64_t *hit_rules; /* those that have some */
    VEC(struct verdict_note) notes;
    VEC(struct planned_notice) notices;
    VEC(struct planned_report) reports;
    size_t notice_bytes; /* of their different texts */
    uint64_t spent; /* microseconds that patterns have taken */
    struct str why; /* why the last undecided test was so */
    uint64_t steps;
    struct err *error; /* set when the program breaks a promise of the verifier */
};

/* Adds to a rule's HIT_… . */
static inline void judgement_hit(struct judgement *j, uint32_t rule, uint8_t what)
{
    j->hits[rule] |= what;
    bit_set(j->hit_rules, rule);
}

/* Room for one more recipient, and a new member at its end, zeroed but for index fields. */
struct member *judgement_add_member(struct judgement *j);
struct member *judgement_find_member(struct judgement *j, struct str canonical_whole); /* NULL: none */
uint64_t *judgement_bits(struct judgement *j); /* zeroed, over the members, with room to grow in place by none */
struct mark *judgement_mark(struct judgement *j, struct str name, bool make); /* NULL: never set */
/* The values of a slot for one recipient and the edits of one class; read once, then kept. */
const struct values *judgement_values(struct judgement *j, uint32_t slot, uint32_t recipient,
                                      const struct edits *edits);

/* Makers for getters: elements and views in the judgement's arena. */
void values_one(struct judgement *j, struct values *out, struct view view); /* one element, one view */
struct view *values_room(struct judgement *j, struct values *out,
                         uint32_t elements); /* n elements of one view each, zeroed */
/* Takes an address apart: canonical forms.  False when it is no address with a domain; *out is then as canonical as can
 * be. */
bool canonical_address_of(struct arena *a, struct str address, struct canonical_address *out);

#endif
