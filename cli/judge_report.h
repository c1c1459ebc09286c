/* cli/judge_report: a judgement as text for people and as JSON with the same facts.  Reads only. */
#ifndef SLUICE_CLI_JUDGE_REPORT_H
#define SLUICE_CLI_JUDGE_REPORT_H

#include "judge/protocol.h"
#include "vm/trace.h"

/* {"answer": …, "reply": …, "recipients": {address: {"verdict", "actions", …}}, "rules": […], "facts": {…}}, indented. */
void judge_report_json(const struct program *p, const struct envelope *env, const struct judge_answer *answer,
                       const struct trace *t, struct buf *out);
void judge_report_text(const struct program *p, const struct envelope *env, const struct judge_answer *answer,
                       const struct trace *t, bool colour, struct buf *out);

#endif
