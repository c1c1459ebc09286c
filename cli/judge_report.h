/* cli/judge_report: a judgement as JSON and as text for people, with the same facts.  Reads only.
 *
 * docs/judge.md names the members. */
#ifndef SLUICE_CLI_JUDGE_REPORT_H
#define SLUICE_CLI_JUDGE_REPORT_H

#include "judge/protocol.h"
#include "vm/trace.h"

void judge_report_json(const struct program *p, const struct judge_request *r, const struct judge_answer *answer,
                       const struct trace *t, struct buf *out);
void judge_report_text(const struct program *p, const struct judge_request *r, const struct judge_answer *answer,
                       const struct trace *t, bool colour, struct buf *out);

/* What both forms share. */
extern const char *const judge_state_names[];   /* by enum trace_state */
extern const char *const judge_verdict_words[]; /* by enum verdict_answer */
const char *judge_answer_word(char letter);
bool judge_was_tested(const struct trace *t, const struct trace_rule *tr, uint32_t test);
/* The next test of a rule that was not needed, or NO_INDEX; *at is 0 at first. */
uint32_t judge_skipped(const struct program *p, const struct trace *t, const struct trace_rule *tr, uint32_t *at);
uint32_t judge_reached(const struct trace *t);              /* how many rules the judgement came to */
uint64_t judge_copy_kept(const struct verdict_copy *c); /* bytes of the content that the copy keeps */

#endif
