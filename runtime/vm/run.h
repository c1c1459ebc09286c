/* vm/run: judging one message with a loaded program (LANGUAGE sections 2 and 4).
 *
 * Pure: no clock but the one handed in, no input or output.  The verdict and all it points to live in the arena given;
 * it also points into the input, which must live as long. */
#ifndef SLUICE_VM_RUN_H
#define SLUICE_VM_RUN_H

#include "base/err.h"
#include "mail/envelope.h"
#include "mail/settings.h"
#include "mail/verdict.h"
#include "vm/load.h"
#include "vm/trace.h"

struct message;
struct live_list;

/* A judgement for a test in a rule file: what a field says is given, in place of what its getter would answer. */
struct vm_given_value {
    uint32_t field;
    struct str text; /* header name, mark */
    struct values values;
};
struct vm_given {
    const struct vm_given_value *v;
    size_t n;
    const bool *rules; /* by rule: whether it takes part */
    bool absent;       /* without a message: what this version cannot read is not there, instead of unavailable */
    bool enforce;      /* audit rules as if they were enforced */
    bool windows;      /* effective and expires count; else every rule is in force */
};

struct vm_input {
    const struct envelope *envelope;
    struct str queue_id;
    struct message *message;         /* message/message.h, over the content */
    int64_t now;                     /* UTC seconds at the final dot */
    int32_t utc_offset;              /* seconds east of UTC */
    const struct settings *settings; /* internal domains, connectors, partial_reject */
    const struct live_list *const *lists; /* by number of the live list; NULL, or a NULL there: unavailable */
    uint64_t (*clock)(void *self);   /* microseconds of any steady clock; NULL: patterns count steps only */
    void *clock_self;
    const struct vm_given *given; /* NULL: a message is just judged */
    bool plain; /* try every rule, without the index: the same verdict, for tests */
    uint64_t match_budget, message_budget; /* microseconds for one pattern, for all together; 0: the values below */
};
enum { VM_MATCH_BUDGET = 50000, VM_MESSAGE_BUDGET = 250000 };

/* False with *e only when the message cannot be judged at all (limits that leave no verdict): never "no match". */
bool vm_judge(const struct vm_program *p, const struct vm_input *in, struct arena *a, struct verdict *out,
              struct trace *t, struct err *e);

#endif
