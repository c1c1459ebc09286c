#include "stdlib/put.h"
#include "stdlib/report.h"
#include "stdlib/vocabulary.h"
#include "vm/plan.h"

/* Notices: mail the relay writes itself.  What one may quote is what templates fill in, the sender, the subject, the
 * rule: no recipient but the one it goes to ever stands in it. */

/* One line for a header field: whole characters, at most NOTICE_LINE_MAX bytes. */
static struct str one_line(struct judgement *j, struct str s)
{
    size_t n = s.n;
    if (n > NOTICE_LINE_MAX) {
        n = NOTICE_LINE_MAX;
        while (n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80) n--;
    }
    char *p = arena_alloc(j->arena, n + 1);
    for (size_t i = 0; i < n; i++) p[i] = (unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f ? ' ' : s.p[i];
    return (struct str){p, n};
}

/* RFC 3834 section 3.1.5: "Auto:" and the subject, as the rules so far have left it for the first concerned. */
static struct str subject_of(struct judgement *j, const uint64_t *who)
{
    const struct edits *edits = NULL;
    for (size_t i = j->members.n; i > 0; i--)
        if (bit_has(who, i - 1)) edits = j->members.v[i - 1].edits;
    struct str subject = message_text_best(message_subject_edited(j->in->message, edits, NULL));
    if (str_trim(subject).n == 0) subject = STR("(no subject)");
    return one_line(j, arena_printf(j->arena, "Auto: %.*s", STR_ARG(subject)));
}

/* The Message-ID, when it is one that can be named in a field of ours. */
static struct str id_of(struct judgement *j)
{
    struct str id = message_id(j->in->message);
    for (size_t i = 0; i < id.n; i++)
        if (id.p[i] <= ' ' || id.p[i] >= 0x7f || id.p[i] == '<' || id.p[i] == '>') return STR("");
    return id.n <= NOTICE_LINE_MAX ? id : STR("");
}

/* RFC 3834 section 2: automatic mail is not answered.  Nor is whom a machine wrote to told of that mail: it may itself
 * be a notice, and two relays would write to each other for ever.  *recipient: the one it goes to, or NULL. */
static bool may_tell(struct judgement *j, const struct action_call *c, struct str to, struct canonical_address *target,
                     const struct member **recipient)
{
    if (!canonical_address_of(j->arena, to, target)) {
        plan_left_out(j, c, "whom it is for is no address");
        return false;
    }
    if (str_eq(target->whole, j->sender.whole) && forbids_answers(j)) {
        plan_left_out(j, c, "automatic mail, or mail of a list, is not answered (RFC 3834)");
        return false;
    }
    *recipient = judgement_find_member(j, target->whole);
    if (*recipient && is_made_by_machines(j)) {
        plan_left_out(j, c, "the message is automatic and goes to the same address (RFC 3834)");
        return false;
    }
    return true;
}

static void tell(struct judgement *j, const struct action_call *c, struct str to, struct str text)
{
    struct canonical_address target;
    const struct member *recipient;
    if (!may_tell(j, c, to, &target, &recipient)) return;
    struct verdict_notice n = {
        .to = recipient ? recipient->address : to, .subject = subject_of(j, c->who), .about = id_of(j), .text = text};
    plan_notice(j, c, target.whole, &n);
}

void apply_NOTIFY(struct judgement *j, const struct action_call *c)
{
    tell(j, c, call_text(c, PARAM_NOTIFY_TO), call_text(c, PARAM_NOTIFY_TEXT));
}

void apply_NOTIFY_SENDER(struct judgement *j, const struct action_call *c)
{
    if (sender_is_inside(j))
        tell(j, c, j->in->envelope->reverse_path, call_text(c, PARAM_NOTIFY_SENDER_TEXT));
    else
        plan_left_out(j, c, "the sender is none of ours");
}

void apply_INCIDENT_REPORT(struct judgement *j, const struct action_call *c)
{
    struct canonical_address target;
    const struct member *recipient;
    struct str to = call_text(c, PARAM_INCIDENT_REPORT_TO);
    uint32_t contents = 0;
    if (!may_tell(j, c, to, &target, &recipient)) return;
    for (size_t i = 0; i < c->argument_count; i++)
        if (c->arguments[i].param == PARAM_INCIDENT_REPORT_CONTENTS) contents |= report_word(c->arguments[i].text);
    plan_report(j, c, to, target.whole, contents ? contents : REPORT_USUAL);
}

/* The same guard as above spoke when it was planned. */
void report_notice(struct judgement *j, const struct planned_report *r, struct verdict_notice *out)
{
    *out = (struct verdict_notice){.to = r->to, .about = id_of(j)};
    report_write(j, r, out);
}
