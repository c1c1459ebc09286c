/* judge/judge: judging one message in process: content in, verdict out.
 *
 * The judge process, `sluice judge`, `sluice test` and the tests all come through here.  Owns the loaded program; keeps
 * nothing between messages but memory.  Not thread-safe: one judge a thread. */
#ifndef SLUICE_JUDGE_JUDGE_H
#define SLUICE_JUDGE_JUDGE_H

#include "bytecode/program.h"
#include "judge/protocol.h"
#include "mail/settings.h"
#include "vm/trace.h"
#include "vm/vocabulary.h"

struct judge;
struct live_list;
struct vm_given;

/* `p` must be verified; `p` and `s` are borrowed and must outlive the judge.  NULL with *e when the program cannot be
 * loaded.  Patterns are compiled here, to machine code where that may be; charsets and digests are warmed by whoever
 * shuts the files (jail/warm), so that afterwards nothing is opened and no code made. */
struct judge *judge_create(const struct program *p, const struct settings *s, struct err *e);
/* The same over another vocabulary than stdlib's: for tests. */
struct judge *judge_create_with(const struct program *p, const struct settings *s, const struct vocabulary *v,
                                struct err *e);
void judge_free(struct judge **j);

/* From now on the live list of that name is what `block` holds (mail/live_list.h; verified here, borrowed until the
 * next call for it).  STR_NONE: it is not there, and whoever asks for it is undecided.  False with *e (EX_DATAERR), the
 * list being not there, when the block is not sound or the rules have no such list. */
bool judge_set_list(struct judge *j, struct str name, struct str block, struct err *e);

/* The trigger of a rule in words, one or more lines: what must be seen in a message before the rule is tried at all. */
void judge_describe_trigger(const struct judge *j, uint32_t rule, struct buf *out);

/* Judges one message.  `content` is the whole message, Received field first; r->content is not looked at.  The answer
 * always gets a kind: what cannot be judged is JUDGE_FAILED with the reason, never a verdict of "no match".  Everything
 * in *out lives in `a`, or points into `r` and `content`.  `t` may be NULL; its arena must be set. */
/* What a test in a rule file changes: facts in place of getters, lists in place of the judge's own (by number, all of
 * them; NULL: not there). */
struct judge_case {
    const struct vm_given *given;
    const struct live_list *const *lists;
};
const struct program *judge_program(const struct judge *j);
const struct settings *judge_settings(const struct judge *j);
void judge_message_in_case(struct judge *j, struct arena *a, const struct judge_request *r, struct str content,
                           const struct judge_case *c, struct judge_answer *out, struct trace *t);

void judge_message(struct judge *j, struct arena *a, const struct judge_request *r, struct str content,
                   struct judge_answer *out, struct trace *t);

#endif
