#include "vm/plan.h"

#include <string.h>

#include "base/sort.h"

/* The members of a call, one after the other. */
#define EACH_MEMBER(j, who, i)                                                                                         \
    for (uint32_t i = 0; i < (j)->members.n; i++)                                                                      \
        if (bit_has((who), i))

void plan_note(struct judgement *j, enum note_kind kind, const uint64_t *who, struct str text)
{
    uint32_t n = 0;
    EACH_MEMBER(j, who, i) n++;
    bool everybody = n == j->members.n;
    text = str_slice(text, 0, VM_NOTE_TEXT_MAX);
    EACH_MEMBER(j, who, i)
    {
        if (j->notes.n >= VM_NOTES_MAX) return;
        if (j->notes.n == VM_NOTES_MAX - 1) text = STR("further notes on this message are left out");
        struct verdict_note note = {(uint8_t)kind, j->rule->identity, everybody ? STR("") : j->members.v[i].address,
                                    text};
        VEC_PUSH(&j->notes, note);
        if (everybody) return;
    }
}

void plan_left_out(struct judgement *j, const struct action_call *c, const char *why)
{
    plan_note(j, NOTE_LOG, c->who, arena_printf(j->arena, "%s left out: %s", c->row->name, why));
}

struct str plan_reply_text(struct arena *a, struct str text)
{
    size_t n = text.n > REPLY_TEXT_MAX ? REPLY_TEXT_MAX : text.n;
    char *p = arena_alloc(a, n + 1);
    size_t k = 0;
    for (size_t i = 0; i < text.n && k < n; i++) {
        if (((unsigned char)text.p[i] & 0xc0) == 0x80) continue; /* one mark for a whole character */
        p[k++] = ascii_is_print(text.p[i]) ? text.p[i] : text.p[i] == '\t' || text.p[i] == '\n' ? ' ' : '?';
    }
    return (struct str){p, k};
}

/* --- demands, endings --------------------------------------------------------------------------------------------- */

static void raise(struct member *m, struct obligation need, struct str rule)
{
    struct obligation joined = obligation_join(m->need, need);
    if (obligation_equal(joined, m->need)) return;
    m->need = joined;
    m->tls_rule = rule;
}

void plan_require_tls(struct judgement *j, const struct action_call *c, struct obligation need)
{
    EACH_MEMBER(j, c->who, i) raise(&j->members.v[i], need, c->rule->identity);
}

static struct ending *ending_of(struct judgement *j, uint32_t member)
{
    struct ending *e = &j->endings.v[member];
    if (e->set) return NULL;
    e->set = true;
    return e;
}

void plan_final(struct judgement *j, const struct action_call *c, enum disposition disposition,
                const struct reply *reply, struct str reason)
{
    EACH_MEMBER(j, c->who, i)
    {
        struct ending *e = ending_of(j, i);
        if (!e) continue;
        e->disposition = (uint8_t)disposition;
        e->reason = reason;
        if (reply) e->reply = *reply;
    }
}

void plan_stop(struct judgement *j, const struct action_call *c)
{
    EACH_MEMBER(j, c->who, i)
    {
        struct ending *e = ending_of(j, i);
        if (e) e->stop = true;
    }
}

void plan_defer(struct judgement *j, const struct action_call *c, struct reply reply)
{
    EACH_MEMBER(j, c->who, i)
    {
        struct ending *e = ending_of(j, i);
        if (!e || j->deferred) continue;
        j->deferred = true;
        j->defer_reply = reply;
        j->defer_rule = c->rule->identity;
    }
    if (j->deferred) judgement_hit(j, c->rule_index, HIT_DEFERRED);
}

/* --- recipients --------------------------------------------------------------------------------------------------- */

void plan_add(struct judgement *j, const struct action_call *c, struct str address, bool redirect)
{
    struct canonical_address canonical;
    if (!canonical_address_of(j->arena, address, &canonical)) {
        plan_note(j, NOTE_LOG, c->who,
                  arena_printf(j->arena, "%s: \"%.*s\" is no address", c->row->name, STR_ARG(address)));
        return;
    }
    EACH_MEMBER(j, c->who, i)
    {
        if (redirect && str_eq(j->members.v[i].canonical.whole, canonical.whole)) continue;
        struct wanted w = {address, canonical, i, (uint32_t)j->wanted.n, redirect};
        VEC_PUSH(&j->wanted, w);
        struct ending *e = redirect ? ending_of(j, i) : NULL;
        if (!e) continue;
        e->disposition = DISPOSITION_REDIRECT;
        e->target = canonical.whole;
    }
}

static void take_out(struct judgement *j)
{
    for (uint32_t i = 0; i < j->members.n; i++) {
        struct ending *e = &j->endings.v[i];
        if (!e->set) continue;
        struct member *m = &j->members.v[i];
        m->state = e->stop ? MEMBER_STOPPED : MEMBER_FINAL;
        if (e->stop) continue;
        m->disposition = e->disposition;
        m->rule = j->rule->identity;
        m->rule_index = j->rule_index;
        m->reason = e->reason;
        m->reply = e->reply;
    }
}

static int wanted_order(const void *a, const void *b, void *ctx)
{
    const struct wanted *x = a, *y = b;
    (void)ctx;
    if (x->member != y->member) return x->member < y->member ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* An address that is there already: joined, and back in play when only a redirect had taken it out. */
static void join_member(struct judgement *j, struct member *m, const struct wanted *w)
{
    const struct member *origin = &j->members.v[w->member];
    raise(m, origin->need, origin->tls_rule);
    m->copied |= !w->redirect || (origin->added && origin->copied);
}

static void bring_back(struct judgement *j, struct member *m)
{
    if (m->state != MEMBER_FINAL || m->disposition != DISPOSITION_REDIRECT) return;
    m->state = MEMBER_PLAYING;
    m->disposition = DISPOSITION_DELIVER;
    m->rule = STR_NONE;
    m->target = NO_INDEX;
    m->at = j->rule_index;
    m->again = true;
}

/* Begins with headers and marks of the first it was added for; obligations of all of them are joined. */
static struct member *begin_member(struct judgement *j, const struct wanted *w)
{
    if (j->members.n - j->envelope_count >= VM_ADDED_MAX) {
        err_set(j->error, 0, "rule \"%.*s\" adds more than %d recipients", STR_ARG(j->rule->identity), VM_ADDED_MAX);
        return NULL;
    }
    uint32_t index = (uint32_t)j->members.n;
    struct member *m = judgement_add_member(j);
    const struct member *origin = &j->members.v[w->member];
    m->address = w->address;
    m->canonical = w->canonical;
    m->added = true;
    m->at = j->rule_index;
    m->edits = origin->edits;
    m->edit_class = origin->edit_class;
    if (m->edit_class != NO_INDEX) j->classes[m->edit_class].members++;
    for (size_t i = 0; i < j->marks.n; i++) {
        if (bit_has(j->marks.v[i].bits, w->member)) bit_set(j->marks.v[i].bits, index);
        if (bit_has(j->marks.v[i].shadow, w->member)) bit_set(j->marks.v[i].shadow, index);
    }
    return m;
}

void plan_rule_over(struct judgement *j)
{
    take_out(j);
    if (j->wanted.n > 1) sort_array(j->wanted.v, j->wanted.n, sizeof *j->wanted.v, wanted_order, NULL);
    for (size_t first = 0; first < j->wanted.n; first++) {
        struct str whole = j->wanted.v[first].canonical.whole;
        if (whole.p == NULL) continue; /* taken with an earlier one of the same address */
        struct member *m = judgement_find_member(j, whole);
        bool there = m != NULL;
        if (!there) m = begin_member(j, &j->wanted.v[first]);
        if (!m) break;
        for (size_t k = first; k < j->wanted.n; k++) {
            if (!str_eq(j->wanted.v[k].canonical.whole, whole)) continue;
            join_member(j, m, &j->wanted.v[k]);
            j->wanted.v[k].canonical.whole = STR_NONE;
        }
        if (there) bring_back(j, m);
    }
    for (uint32_t i = 0; i < j->endings.n; i++) {
        struct ending *e = &j->endings.v[i];
        if (!e->set) continue;
        struct member *m = &j->members.v[i];
        struct member *target = e->target.n ? judgement_find_member(j, e->target) : NULL;
        if (target && m->state == MEMBER_FINAL && m->disposition == DISPOSITION_REDIRECT)
            m->target = (uint32_t)(target - j->members.v);
        *e = (struct ending){0};
    }
    j->wanted.n = 0;
}

/* --- the copy each recipient gets --------------------------------------------------------------------------------- */

static uint32_t class_for(struct judgement *j, const struct edits *edits)
{
    for (uint32_t i = 0; i < j->class_count; i++)
        if (j->classes[i].edits == edits) return i;
    for (uint32_t i = 0; i < j->class_count; i++) { /* a class that everybody left */
        if (j->classes[i].members) continue;
        j->classes[i].edits = edits;
        return i;
    }
    if (j->class_count == LIMIT_EDIT_CLASSES) return NO_INDEX;
    j->classes[j->class_count] = (struct edit_class){edits, 0};
    return j->class_count++;
}

static void move_member(struct judgement *j, struct member *m, const struct edits *edits)
{
    j->edited = true;
    if (m->edit_class != NO_INDEX) j->classes[m->edit_class].members--;
    m->edits = edits;
    m->edit_class = class_for(j, edits);
    if (m->edit_class != NO_INDEX) j->classes[m->edit_class].members++;
}

struct planned_edit {
    enum edit_kind kind;
    struct str name, text, html;
    size_t part;
    bool wrap;
};
typedef const struct edits *list_maker(struct arena *a, const struct edits *before, const void *what);

/* An edit list is made once for each list that the recipients of the call have, so equal histories stay one list. */
static void plan_each_list(struct judgement *j, const struct action_call *c, list_maker *make, const void *what)
{
    const struct edits *before[LIMIT_EDIT_CLASSES], *after[LIMIT_EDIT_CLASSES];
    size_t known = 0;
    bool refused = false;
    EACH_MEMBER(j, c->who, i)
    {
        struct member *m = &j->members.v[i];
        size_t k = 0;
        while (k < known && before[k] != m->edits) k++;
        const struct edits *edited;
        if (k < known) {
            edited = after[k];
        } else {
            edited = make(j->arena, m->edits, what);
            if (known < LIMIT_EDIT_CLASSES) {
                before[known] = m->edits;
                after[known++] = edited;
            }
        }
        if (!edited)
            refused = true;
        else if (edited != m->edits)
            move_member(j, m, edited);
    }
    if (refused) plan_note(j, NOTE_LOG, c->who, arena_printf(j->arena, "%s could not be carried out", c->row->name));
}

static const struct edits *make_field(struct arena *a, const struct edits *before, const void *what)
{
    const struct planned_edit *x = what;
    return edits_add(a, before, x->kind, x->name, x->text);
}

static const struct edits *make_text(struct arena *a, const struct edits *before, const void *what)
{
    const struct planned_edit *x = what;
    return edits_add_text(a, before, x->kind, x->text, x->html, x->wrap);
}

static const struct edits *make_removal(struct arena *a, const struct edits *before, const void *what)
{
    const struct planned_edit *x = what;
    return edits_remove_part(a, before, x->part, x->text);
}

void plan_edit(struct judgement *j, const struct action_call *c, enum edit_kind kind, struct str name, struct str value)
{
    plan_each_list(j, c, make_field, &(struct planned_edit){.kind = kind, .name = name, .text = value});
}

void plan_text(struct judgement *j, const struct action_call *c, enum edit_kind kind, struct str text, struct str html,
               bool wrap)
{
    plan_each_list(j, c, make_text, &(struct planned_edit){.kind = kind, .text = text, .html = html, .wrap = wrap});
}

void plan_remove_part(struct judgement *j, const struct action_call *c, size_t part, struct str note)
{
    plan_each_list(j, c, make_removal, &(struct planned_edit){.part = part, .text = note});
}

void plan_route(struct judgement *j, const struct action_call *c, struct str connector)
{
    EACH_MEMBER(j, c->who, i) j->members.v[i].connector = connector;
}

void plan_deliver_after(struct judgement *j, const struct action_call *c, int64_t when)
{
    EACH_MEMBER(j, c->who, i)
    {
        struct member *m = &j->members.v[i];
        if (m->not_before < when) m->not_before = when;
    }
}

void plan_mark(struct judgement *j, const struct action_call *c, struct str mark)
{
    struct mark *m = judgement_mark(j, mark, true);
    EACH_MEMBER(j, c->who, i)
    {
        if (!j->audit) bit_set(m->bits, i);
        bit_set(m->shadow, i);
    }
}

void plan_log(struct judgement *j, const struct action_call *c, struct str text)
{
    plan_note(j, NOTE_LOG, c->who, text);
}

void plan_notice(struct judgement *j, const struct action_call *c, struct str target,
                 const struct verdict_notice *notice)
{
    bool known_text = false;
    for (size_t i = 0; i < j->notices.n; i++) {
        const struct planned_notice *x = &j->notices.v[i];
        if (!str_eq(x->notice.text, notice->text)) continue;
        if (str_eq(x->target, target)) return;
        known_text = true;
    }
    size_t bytes = known_text ? 0 : notice->text.n;
    if (notice->text.n > NOTICE_TEXT_MAX || !str_is_utf8(notice->text))
        plan_left_out(j, c, "its text is longer than 16 KiB, or no UTF-8");
    else if (j->notices.n >= NOTICES_MAX || j->notice_bytes + bytes > NOTICE_TEXTS_MAX)
        plan_left_out(j, c, "there are too many notices on this message");
    else {
        struct planned_notice x = {*notice, target};
        x.notice.rule = c->rule->identity;
        j->notice_bytes += bytes;
        VEC_PUSH(&j->notices, x);
    }
}

void plan_report(struct judgement *j, const struct action_call *c, struct str to, struct str target, uint32_t contents)
{
    for (size_t i = 0; i < j->reports.n; i++) {
        if (!str_eq(j->reports.v[i].target, target)) continue;
        j->reports.v[i].contents |= contents;
        return;
    }
    VEC_PUSH(&j->reports, (struct planned_report){to, target, contents, c->rule_index, c->row});
}

/* What is too much is left out and told as that rule's. */
void plan_write_reports(struct judgement *j)
{
    for (size_t i = 0; i < j->reports.n; i++) {
        const struct planned_report *r = &j->reports.v[i];
        uint64_t *all = judgement_bits(j);
        struct verdict_notice n = {0};
        j->rule_index = r->rule;
        j->rule = &j->program->program->rules[r->rule];
        for (uint32_t k = 0; k < j->members.n; k++) bit_set(all, k);
        struct action_call c = {.rule = j->rule, .rule_index = r->rule, .row = r->row, .who = all};
        j->program->vocabulary->report(j, r, &n);
        plan_notice(j, &c, r->target, &n);
    }
}
