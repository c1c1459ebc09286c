/* vm/record: writing the trace (vm/trace.h) as the machine runs.  Called only when a trace was asked for. */
#ifndef SLUICE_VM_RECORD_H
#define SLUICE_VM_RECORD_H

#include "vm/judgement.h"
#include "vm/relation.h"

void record_test_begin(struct judgement *j, uint32_t test);
/* One reading of one value. */
struct record_seen {
    const struct view *view;
    uint32_t number, count; /* which reading, of how many */
    bool matched;
    const struct relation_where *where;
    uint32_t recipient;
};
void record_value(struct judgement *j, const struct ready_test *t, const struct record_seen *seen);
/* `who`: the recipients asked for; NULL: the answer is of elements. */
void record_test_end(struct judgement *j, const struct answer *x, size_t members, const uint64_t *who);

uint64_t record_clock(const struct judgement *j); /* microseconds; 0 without a clock */
struct trace_rule *record_rule(struct judgement *j, uint32_t rule, enum trace_state state);
/* Closes the last rule: its answer, for those in `who`. */
void record_rule_end(struct judgement *j, const struct answer *x, const uint64_t *who);
void record_actions(struct judgement *j, uint32_t rule, uint32_t action, const uint64_t *who, bool audit);
/* The facts of the message that need no text after them, and who the recipients were. */
void record_facts(struct judgement *j);

#endif
