/* judge/case_input: what a test in a rule file gives, as a judgement takes it: envelope, content, facts, lists.
 * Private to judge/cases. */
#ifndef SLUICE_JUDGE_CASE_INPUT_H
#define SLUICE_JUDGE_CASE_INPUT_H

#include "base/sort.h"
#include "judge/protocol.h"
#include "mail/live_list.h"
#include "mail/settings.h"
#include "vm/run.h"

struct case_input {
    struct arena *arena;
    struct judge_request request;
    struct str content;
    struct vm_given given;
    struct vm_given_value *values; /* of `given` */
    const struct live_list **lists; /* by number; all there, empty when not given */
    bool authenticated, encrypted;
};

/* Everything lives in `a` or in the program. */
void case_input_make(const struct program *p, const struct settings *s, uint32_t index, struct arena *a,
                     struct case_input *in);

#endif
