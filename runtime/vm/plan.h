/* vm/plan: what appliers may ask for.  The plan is only collected here, in the judgement's members; nothing is carried
 * out.
 *
 * Joins are one function a kind (LANGUAGE section 4): demands rise, edits and copies accumulate, routes are replaced,
 * marks unite, the first ending of a rule wins.  Endings and added recipients wait until the rule is over
 * (plan_rule_over). Every function works on all recipients of the call. */
#ifndef SLUICE_VM_PLAN_H
#define SLUICE_VM_PLAN_H

#include "vm/judgement.h"

void plan_require_tls(struct judgement *j, const struct action_call *c, struct obligation need);
/* `reply` of reject (NULL for others) and `reason` of quarantine and hold are kept as given: they must live in the
 * arena. */
void plan_final(struct judgement *j, const struct action_call *c, enum disposition disposition,
                const struct reply *reply, struct str reason);
void plan_stop(struct judgement *j, const struct action_call *c);
void plan_defer(struct judgement *j, const struct action_call *c, struct reply reply);
/* A redirect leaves its own target alone.  An address that is no mailbox adds nobody and leaves a note. */
void plan_add(struct judgement *j, const struct action_call *c, struct str address, bool redirect);
void plan_edit(struct judgement *j, const struct action_call *c, enum edit_kind kind, struct str name,
               struct str value);
/* Of the body: edits_add_text and edits_remove_part of message/edits.h. */
void plan_text(struct judgement *j, const struct action_call *c, enum edit_kind kind, struct str text, struct str html,
               bool wrap);
void plan_remove_part(struct judgement *j, const struct action_call *c, size_t part, struct str note);
void plan_route(struct judgement *j, const struct action_call *c, struct str connector);
void plan_deliver_after(struct judgement *j, const struct action_call *c, int64_t when); /* UTC seconds; the latest */
void plan_mark(struct judgement *j, const struct action_call *c, struct str mark);
void plan_log(struct judgement *j, const struct action_call *c, struct str text);
/* `target`: notice->to, canonical.  The rest as in mail/verdict.h, living in the arena, but for `rule`, which is filled
 * in here.  What is too long or too much is left out and leaves a note. */
void plan_notice(struct judgement *j, const struct action_call *c, struct str target,
                 const struct verdict_notice *notice);

/* Contents are joined with those that earlier rules want for the same target. */
void plan_report(struct judgement *j, const struct action_call *c, struct str to, struct str target, uint32_t contents);
/* All planned reports become notices, written by the vocabulary. */
void plan_write_reports(struct judgement *j);

void plan_note(struct judgement *j, enum note_kind kind, const uint64_t *who, struct str text);
void plan_left_out(struct judgement *j, const struct action_call *c, const char *why); /* the action, and why */
/* One printable ASCII line for an SMTP reply: anything else is a question mark, at most REPLY_TEXT_MAX bytes. */
enum { REPLY_TEXT_MAX = 400 };
struct str plan_reply_text(struct arena *a, struct str text);

/* After the last action of a rule: endings take their recipients out, then what was added joins or begins. */
void plan_rule_over(struct judgement *j);

#endif
