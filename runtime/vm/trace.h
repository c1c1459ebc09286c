/* vm/trace: the optional record of one judgement, for `sluice judge` and for tests: what every rule and every test saw.
 *
 * Recorded only when asked for; the machine decides the same with and without it.  Everything lives in `arena`; values
 * are bounded to TRACE_VALUE_MAX bytes of valid UTF-8. */
#ifndef SLUICE_VM_TRACE_H
#define SLUICE_VM_TRACE_H

#include "base/vec.h"
#include "bytecode/program.h"
#include "mail/obligation.h"
#include "vm/answer.h"

enum { TRACE_AROUND_MAX = 32, TRACE_VALUE_MAX = 200, TRACE_VALUES_MAX = 8, TRACE_TESTS_MAX = 10000 };

/* One value that a test looked at. */
struct trace_value {
    struct str text; /* as a reader sees it; cut */
    struct str
        manner; /* the name of that view: how such readers differ (message/manners.def); empty: the best reading */
    bool matched, cut;
    uint32_t from, to;  /* where it matched, bytes of the text compared; 0, 0 where that says nothing */
    struct str before, match, after; /* that place, with what stands around it … */
    bool cut_before, cut_after;      /* … but not all of it */
    uint32_t element, elements;      /* which of the field's values, from 0, and how many there are */
    uint32_t view, views;            /* which reading of it */
    uint32_t recipient; /* of a recipient fact or an edit class: the first it stands for; else NO_INDEX */
};
struct trace_test {
    uint32_t test; /* index into program.tests */
    struct trace_value *values;
    size_t value_count; /* at most TRACE_VALUES_MAX */
    bool of_elements;   /* inside `where`: answers are of the field's elements, not of recipients */
    struct str answers; /* one letter a recipient (F T A U E -), or one letter when it is the same for all */
    struct str why;     /* the reason of an undecided answer; may be empty */
};
enum trace_state { TRACE_RAN, TRACE_OFF, TRACE_NOT_YET, TRACE_EXPIRED, TRACE_NOBODY };
struct trace_rule {
    uint32_t rule;               /* index into program.rules */
    uint8_t state;               /* enum trace_state: only RAN evaluated its tests */
    bool second;                 /* evaluated again for added recipients: only require_tls counts */
    size_t first_test, test_end; /* into tests; parts that a jump skipped are not there */
    uint64_t steps, micros;      /* what it took; micros 0 without a clock */
    struct str answers;          /* of the whole condition, one letter a recipient; '-' for those out of play */
};
/* One action that was collected (or, in mode audit, would have been) for one recipient. */
struct trace_action {
    uint32_t rule, action; /* indexes into program.rules, program.actions */
    uint32_t recipient;
    bool audit; /* not carried out; a mark is then seen by audit rules only */
};
/* One fact of the message. */
struct trace_fact {
    struct str name, text;
};

/* What became of one recipient, before one reply is made for all. */
struct trace_fate {
    struct obligation need;
    uint8_t disposition; /* enum disposition */
};

struct trace {
    struct arena *arena; /* given by whoever wants the trace, before judging */
    VEC(struct trace_rule) rules;
    VEC(struct trace_test) tests;
    VEC(struct trace_action) actions;
    VEC(struct trace_fact) facts;
    VEC(struct trace_fate) fates; /* by recipient */
    VEC(struct str) recipients; /* addresses by index: the envelope's, then the added */
    uint64_t steps, micros;     /* instructions run, time taken */
    uint64_t began_steps, began_micros; /* the machine's own: the rule under way */
};

void trace_free(struct trace *t); /* the lists; the arena is the caller's */

#endif
