#include "vm/run.h"

#include <string.h>
#include <sysexits.h>

#include "vm/apply.h"
#include "vm/finish.h"
#include "vm/index.h"
#include "vm/machine.h"
#include "vm/plan.h"
#include "vm/record.h"
#include "vm/witness.h"

/* For whom which actions of the rule under way count; bits over recipients. */
struct outcome {
    uint64_t *all;     /* yes, or undecided with `apply` */
    uint64_t *strict;  /* disputed: all but relaxing actions */
    uint64_t *protect; /* protecting actions only */
    uint64_t *hold;    /* protecting actions, then kept */
    bool undecided, unavailable;
};

struct pass {
    struct judgement *j;
    struct machine machine;
    struct outcome outcome;
    uint64_t *playing, *kept, *who; /* scratch, as wide as j->words */
    size_t words;
};

static void clear_bits(struct pass *s)
{
    struct judgement *j = s->j;
    uint64_t **all[] = {
        &s->outcome.all, &s->outcome.strict, &s->outcome.protect, &s->outcome.hold, &s->playing, &s->kept, &s->who};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (s->words < j->words)
            *all[i] = judgement_bits(j);
        else
            memset(*all[i], 0, j->words * sizeof(uint64_t));
    }
    s->words = j->words;
    s->outcome.undecided = s->outcome.unavailable = false;
}

static bool some(const uint64_t *bits, size_t words)
{
    for (size_t w = 0; w < words; w++)
        if (bits[w]) return true;
    return false;
}

/* --- when a rule applies at all ----------------------------------------------------------------------------------- */

static int64_t moment(const struct judgement *j, const struct constant *c)
{
    return c->date_zoned ? c->number : c->number - j->in->utc_offset;
}

static enum trace_state rule_state(const struct judgement *j, const struct rule *r)
{
    const struct vm_given *given = j->in->given;
    if (given && !given->rules[r - j->program->program->rules]) return TRACE_OFF;
    if (r->mode == MODE_OFF) return TRACE_OFF;
    if (given && !given->windows) return TRACE_RAN;
    if (r->has_effective && j->in->now < moment(j, &r->effective)) return TRACE_NOT_YET;
    if (r->has_expires && j->in->now >= moment(j, &r->expires)) return TRACE_EXPIRED;
    return TRACE_RAN;
}

static bool is_audit(const struct judgement *j, const struct rule *r)
{
    bool audit = r->mode == MODE_AUDIT || r->mode == MODE_AUDIT_AND_NOTIFY;
    return audit && !(j->in->given && j->in->given->enforce);
}

/* Quarantine and hold may still be delivered: they go on collecting what protects. */
static bool is_kept(const struct member *m)
{
    return m->state == MEMBER_FINAL && (m->disposition == DISPOSITION_QUARANTINE || m->disposition == DISPOSITION_HOLD);
}

static bool choose_members(struct pass *s, uint32_t rule)
{
    struct judgement *j = s->j;
    for (uint32_t i = 0; i < j->members.n; i++) {
        const struct member *m = &j->members.v[i];
        if (m->state == MEMBER_PLAYING && m->at < (int64_t)rule)
            bit_set(s->playing, i);
        else if (is_kept(m))
            bit_set(s->kept, i);
        else
            continue;
        bit_set(s->who, i);
    }
    return some(s->who, j->words);
}

/* --- what its answer means ---------------------------------------------------------------------------------------- */

/* The set in which a recipient in play stands for this answer; NULL: none. */
static uint64_t *set_for(struct pass *s, const struct rule *r, enum answer_value v)
{
    struct outcome *o = &s->outcome;
    switch (v) {
    case ANSWER_NO: return NULL;
    case ANSWER_YES: return o->all;
    case ANSWER_DISPUTED: return o->strict;
    case ANSWER_UNREADABLE:
        switch (r->on_unreadable) {
        case ON_UNREADABLE_APPLY: return o->all;
        case ON_UNREADABLE_HOLD: return o->hold;
        case ON_UNREADABLE_SKIP: return NULL;
        default: return o->protect;
        }
    default: return !is_audit(s->j, r) && r->on_error == ON_ERROR_APPLY ? o->all : NULL;
    }
}

static void sort_answers(struct pass *s, const struct rule *r, const struct answer *x)
{
    struct judgement *j = s->j;
    for (uint32_t i = 0; i < j->members.n; i++) {
        bool playing = bit_has(s->playing, i);
        if (!playing && !bit_has(s->kept, i)) continue;
        enum answer_value v = answer_get(x, i);
        if (v > ANSWER_YES) s->outcome.undecided = true;
        if (v == ANSWER_UNAVAILABLE && playing) s->outcome.unavailable = true;
        uint64_t *set = set_for(s, r, v);
        if (set) bit_set(playing ? set : s->outcome.protect, i);
    }
}

static bool action_set(struct pass *s, enum action_guard guard)
{
    const struct outcome *o = &s->outcome;
    for (size_t w = 0; w < s->j->words; w++) {
        s->who[w] = o->all[w];
        if (guard != GUARD_RELAXES) s->who[w] |= o->strict[w];
        if (guard == GUARD_PROTECTS) s->who[w] |= o->protect[w] | o->hold[w];
    }
    return some(s->who, s->j->words);
}

/* It acted: for whom, and why. */
static void keep_witnesses(struct pass *s)
{
    const struct outcome *o = &s->outcome;
    for (size_t w = 0; w < s->j->words; w++) s->who[w] = o->all[w] | o->strict[w] | o->protect[w] | o->hold[w];
    witness_keep(s->j, s->who);
}

static void hold_unread(struct pass *s, const struct rule *r)
{
    struct action_call c = {.rule = r, .rule_index = s->j->rule_index, .who = s->outcome.hold};
    plan_final(s->j, &c, DISPOSITION_HOLD, NULL, STR("content that could not be read"));
}

static void enforce(struct pass *s, const struct rule *r)
{
    struct judgement *j = s->j;
    bool applied = false;
    for (size_t k = 0; k < s->machine.collected.n; k++) {
        uint32_t a = s->machine.collected.v[k];
        if (!action_set(s, j->program->actions[a].row->guard)) continue;
        applied = true;
        if (j->trace) record_actions(j, j->rule_index, a, s->who, false);
        apply_action(j, a, s->who);
    }
    if (some(s->outcome.hold, j->words)) {
        applied = true;
        hold_unread(s, r);
    }
    if (applied) {
        judgement_hit(j, j->rule_index, HIT_APPLIED);
        keep_witnesses(s);
    }
    plan_rule_over(j);
}

/* Mode audit: recorded, not done; marks are set in the shadow; what tells is carried out when so asked. */
static void audit(struct pass *s, const struct rule *r)
{
    struct judgement *j = s->j;
    bool acted = some(s->outcome.hold, j->words);
    for (size_t k = 0; k < s->machine.collected.n; k++) {
        uint32_t a = s->machine.collected.v[k];
        const struct ready_action *x = &j->program->actions[a];
        if (!action_set(s, x->row->guard)) continue;
        judgement_hit(j, j->rule_index, HIT_AUDIT);
        acted = true;
        uint8_t role = j->program->vocabulary->audit_roles[x->action->action];
        bool tells = role == AUDIT_TELLS && r->mode == MODE_AUDIT_AND_NOTIFY;
        if (role == AUDIT_SHADOWS || tells) apply_action(j, a, s->who);
        if (j->trace) record_actions(j, j->rule_index, a, s->who, !tells);
        if (role == AUDIT_SHADOWS) continue;
        if (!tells)
            plan_note(j, NOTE_AUDIT, s->who, x->action->origin.text.n ? x->action->origin.text : str_of(x->row->name));
    }
    if (acted) keep_witnesses(s);
    if (!some(s->outcome.hold, j->words)) return;
    judgement_hit(j, j->rule_index, HIT_AUDIT);
    plan_note(j, NOTE_AUDIT, s->outcome.hold, STR("hold: content that could not be read"));
}

static void defer_unavailable(struct judgement *j, const struct rule *r)
{
    j->deferred = true;
    j->defer_rule = r->identity;
    j->defer_reply =
        (struct reply){451, STATUS(4, 3, 0), STR("The message cannot be judged now, please try again later")};
    judgement_hit(j, j->rule_index, HIT_DEFERRED);
}

/* --- both passes -------------------------------------------------------------------------------------------------- */

static const struct answer *evaluate(struct pass *s, const struct rule *r)
{
    struct judgement *j = s->j;
    if (j->trace) record_rule(j, j->rule_index, TRACE_RAN);
    const struct answer *x = machine_run(&s->machine, r, s->who);
    if (x && j->trace) record_rule_end(j, x, s->who);
    return x;
}

static bool judge_rule(struct pass *s, uint32_t index)
{
    struct judgement *j = s->j;
    const struct rule *r = &j->program->program->rules[index];
    enum trace_state state = rule_state(j, r);
    j->rule = r;
    j->rule_index = index;
    if (state == TRACE_RAN) {
        clear_bits(s);
        if (!choose_members(s, index)) state = TRACE_NOBODY; /* a rule is not evaluated for nobody */
    }
    if (state != TRACE_RAN) {
        if (j->trace) record_rule(j, index, state);
        return true;
    }
    j->audit = is_audit(j, r);
    const struct answer *x = evaluate(s, r);
    if (!x) return false;
    sort_answers(s, r, x);
    if (s->outcome.undecided) judgement_hit(j, index, HIT_UNDECIDED);
    if (j->audit)
        audit(s, r);
    else if (s->outcome.unavailable && r->on_error == ON_ERROR_DEFER)
        defer_unavailable(j, r);
    else
        enforce(s, r);
    return j->error->text[0] == '\0';
}

/* Of the rules up to the one that added them, added recipients get what protects, judged on the content as received. */
static bool judge_added(struct pass *s, uint32_t index)
{
    struct judgement *j = s->j;
    const struct rule *r = &j->program->program->rules[index];
    if (is_audit(j, r) || rule_state(j, r) != TRACE_RAN) return true;
    clear_bits(s);
    for (uint32_t i = 0; i < j->members.n; i++)
        if ((j->members.v[i].added || j->members.v[i].again) && j->members.v[i].at >= (int64_t)index)
            bit_set(s->who, i);
    if (!some(s->who, j->words)) return true;
    j->rule = r;
    j->rule_index = index;
    const struct answer *x = evaluate(s, r);
    if (!x) return false;
    for (uint32_t i = 0; i < j->members.n; i++)
        if (bit_has(s->who, i) && answer_get(x, i) != ANSWER_NO) bit_set(s->outcome.protect, i);
    for (size_t k = 0; k < s->machine.collected.n; k++) {
        uint32_t a = s->machine.collected.v[k];
        if (j->program->actions[a].row->guard != GUARD_PROTECTS || !action_set(s, GUARD_PROTECTS)) continue;
        judgement_hit(j, index, HIT_APPLIED);
        if (j->trace) record_actions(j, index, a, s->who, false);
        apply_action(j, a, s->who);
        witness_keep(j, s->who);
    }
    return true;
}

static uint32_t next_rule(const struct judgement *j, uint32_t from) { return j->index ? index_next(j, from) : from; }

static bool judge_all(struct judgement *j)
{
    struct pass s = {.j = j, .machine = {.j = j}};
    uint32_t rules = j->program->program->rules_count;
    bool good = true;
    for (uint32_t i = next_rule(j, 0); i < rules && good && !j->deferred; i = next_rule(j, i + 1)) {
        good = judge_rule(&s, i);
        if (j->index) index_update(j);
    }
    j->audit = false;
    j->original = true;
    bool added = false;
    for (size_t i = 0; i < j->members.n; i++) added |= j->members.v[i].added || j->members.v[i].again;
    for (uint32_t i = next_rule(j, 0); added && i < rules && good && !j->deferred; i = next_rule(j, i + 1))
        good = judge_added(&s, i);
    j->original = false;
    machine_free(&s.machine);
    return good;
}

static void begin(struct judgement *j)
{
    const struct envelope *env = j->in->envelope;
    j->words = bits_words(env->recipient_count) + 1;
    uint32_t rules = j->program->program->rules_count;
    j->hits = ARENA_ARRAY(j->arena, uint8_t, rules);
    j->hit_rules = ARENA_ARRAY(j->arena, uint64_t, bits_words(rules));
    j->slots = ARENA_ARRAY(j->arena, struct slot *, j->program->slot_count);
    j->known = ARENA_ARRAY(j->arena, struct known *, j->program->shared_count);
    j->known_members = ARENA_ARRAY(j->arena, struct known_members, j->program->shared_count);
    canonical_address_of(j->arena, env->reverse_path, &j->sender);
    for (size_t i = 0; i < env->recipient_count; i++) {
        struct member *m = judgement_add_member(j);
        m->address = env->recipients[i];
        canonical_address_of(j->arena, m->address, &m->canonical);
    }
    j->envelope_count = env->recipient_count;
    j->class_count = 1;
    j->classes[0].members = (uint32_t)env->recipient_count;
    /* A trace tells of every rule; what a test gives need not stand in any message. */
    if (j->program->index && !j->in->plain && !j->trace && !j->in->given) index_begin(j);
}

bool vm_judge(const struct vm_program *p, const struct vm_input *in, struct arena *a, struct verdict *out,
              struct trace *t, struct err *e)
{
    struct err local = {0};
    struct judgement j = {.program = p, .in = in, .arena = a, .trace = t, .error = &local};
    uint64_t began = t ? record_clock(&j) : 0;
    begin(&j);
    bool good = judge_all(&j) && finish_verdict(&j, out);
    if (t) t->steps = j.steps;
    if (t) t->micros = record_clock(&j) - began;
    if (good && t) record_facts(&j);
    if (!good && e) *e = local;
    VEC_FREE(&j.members);
    VEC_FREE(&j.marks);
    VEC_FREE(&j.wanted);
    VEC_FREE(&j.endings);
    VEC_FREE(&j.notes);
    VEC_FREE(&j.notices);
    VEC_FREE(&j.kept);
    VEC_FREE(&j.reports);
    return good;
}
