/* vm/record: writing the trace (vm/trace.h) as the machine runs.  Called only when a trace was asked for. */
#ifndef SLUICE_VM_RECORD_H
#define SLUICE_VM_RECORD_H

#include "vm/judgement.h"

void record_test_begin(struct judgement *j, uint32_t test);
void record_value(struct judgement *j, const struct ready_test *t, const struct view *v, bool matched, size_t from,
                  size_t to, uint32_t recipient);
void record_test_end(struct judgement *j, const struct answer *x, size_t members);

struct trace_rule *record_rule(struct judgement *j, uint32_t rule, enum trace_state state);
/* Closes the last rule: its answer, for those in `who`. */
void record_rule_end(struct judgement *j, const struct answer *x, const uint64_t *who);
void record_actions(struct judgement *j, uint32_t rule, uint32_t action, const uint64_t *who, bool audit);
/* The facts of the message that need no text after them, and who the recipients were. */
void record_facts(struct judgement *j);

#endif
