#include "vm/machine.h"

#include <sysexits.h>

#include "vm/witness.h"

void machine_free(struct machine *m) { VEC_FREE(&m->collected); }

static bool broken(struct machine *m, uint32_t pc, const char *what)
{
    return err_set(m->j->error, EX_SOFTWARE, "instruction %u of the program: %s", pc, what);
}

static struct answer *push(struct machine *m)
{
    m->seen_from[m->depth] = m->j->seen_count;
    struct answer *x = &m->stack[m->depth++];
    answer_reserve(x, m->j->arena, m->domain.members);
    return x;
}

static bool may_push(struct machine *m, uint32_t pc)
{
    return m->depth < PROGRAM_STACK_MAX || broken(m, pc, "the stack is full");
}
static bool may_pop(struct machine *m, uint32_t pc, size_t n)
{
    return m->depth >= m->floor + n || broken(m, pc, "the stack is empty");
}
static struct answer *top(struct machine *m) { return &m->stack[m->depth - 1]; }

/* --- loops -------------------------------------------------------------------------------------------------------- */

static void recipients_domain(struct machine *m)
{
    m->domain = (struct domain){.members = m->j->members.n};
    m->floor = 0;
}

static void loop_over_recipients(struct machine *m)
{
    struct judgement *j = m->j;
    struct domain *d = &m->domain;
    d->members = j->members.n;
    d->loop = ARENA_ARRAY(j->arena, struct loop_member, d->members);
    for (uint32_t i = 0; i < d->members; i++) d->loop[i].recipient = i;
    d->segments = ARENA_NEW(j->arena, struct loop_segment);
    d->segments[0].to = (uint32_t)d->members;
    d->segment_count = 1;
}

static void loop_over_elements(struct machine *m, const struct ready_ref *ref)
{
    struct judgement *j = m->j;
    struct domain *d = &m->domain;
    bool once = j->original || !ref->by_edits;
    uint32_t classes = once ? 1 : j->class_count;
    d->members = 0;
    d->segment_count = classes;
    d->segments = ARENA_ARRAY(j->arena, struct loop_segment, classes);
    for (uint32_t c = 0; c < classes; c++) {
        struct loop_segment *s = &d->segments[c];
        s->edits = once ? NULL : j->classes[c].edits;
        s->from = s->to = (uint32_t)d->members;
        if (!once && j->classes[c].members == 0) continue;
        s->values = judgement_values(j, ref->slot, 0, s->edits);
        d->members += s->values->n;
        s->to = (uint32_t)d->members;
    }
    d->loop = ARENA_ARRAY(j->arena, struct loop_member, d->members);
    for (uint32_t c = 0; c < classes; c++)
        for (uint32_t i = d->segments[c].from; i < d->segments[c].to; i++)
            d->loop[i] = (struct loop_member){i - d->segments[c].from, 0, d->segments[c].edits};
}

static bool begin_loop(struct machine *m, const struct rule *rule, uint32_t pc, uint32_t operand)
{
    const struct program *p = m->j->program->program;
    if (m->domain.each) return broken(m, pc, "a loop inside a loop");
    const struct ready_ref *ref = &m->j->program->refs[operand];
    m->loop_end = NO_INDEX;
    for (uint32_t k = pc + 1; k < rule->end && m->loop_end == NO_INDEX; k++) {
        uint8_t op = instruction_op(p->code[k]);
        if (op == OP_ANY || op == OP_EVERY || op == OP_NONE_OF) m->loop_end = k;
    }
    if (m->loop_end == NO_INDEX) return broken(m, pc, "a loop without end");
    m->domain.each = ref;
    m->floor = m->depth;
    if (ref->row->of == FACT_RECIPIENT)
        loop_over_recipients(m);
    else
        loop_over_elements(m, ref);
    return true;
}

/* Over members [from, to) of the loop: any and every over none are no. */
static enum answer_value members_value(const struct answer *x, uint32_t from, uint32_t to, bool every)
{
    enum answer_value v = every && to > from ? ANSWER_YES : ANSWER_NO;
    for (uint32_t i = from; i < to; i++)
        v = every ? value_and(v, answer_get(x, i)) : value_or(v, answer_get(x, i));
    return v;
}

/* As over_elements of vm/test does it for one test. */
static enum answer_value segment_value(const struct answer *x, const struct loop_segment *s, uint8_t op)
{
    static const struct values one_list = {0};
    const struct values *values = s->values ? s->values : &one_list;
    bool every = op == OP_EVERY;
    struct answer_tally tally = {0};
    uint32_t list = 0, from = 0, to;
    do {
        values_list(values, list, from, &to);
        if (!s->values) to = s->to - s->from;
        tally_add(&tally, members_value(x, s->from + from, s->from + to, every));
        from = to;
    } while (++list < values->lists);
    enum answer_value v = tally_answer(&tally);
    if (values->trouble != ANSWER_NO && every && s->from == s->to)
        v = values->trouble;
    else if (values->trouble != ANSWER_NO)
        v = every ? value_and(v, values->trouble) : value_or(v, values->trouble);
    return op == OP_NONE_OF ? value_not(v) : v;
}

/* The loop's answer becomes a fact of the message, for each edit class its own. */
static bool end_loop(struct machine *m, uint32_t pc, uint8_t op)
{
    struct judgement *j = m->j;
    if (!m->domain.each) return broken(m, pc, "the end of no loop");
    if (!may_pop(m, pc, 1)) return false;
    if (m->depth != m->floor + 1) return broken(m, pc, "a loop leaves more than one answer");
    struct domain loop = m->domain;
    enum answer_value of_class[LIMIT_EDIT_CLASSES];
    for (uint32_t c = 0; c < loop.segment_count; c++) of_class[c] = segment_value(top(m), &loop.segments[c], op);
    bool by_edits = loop.each->by_edits && !j->original;
    uint32_t from = m->seen_from[m->depth - 1];
    if (op == OP_NONE_OF) j->seen_count = from; /* it holds because nothing does */
    if (j->seen_count > from) witness_loop_over(j, from, top(m));
    m->depth--;
    recipients_domain(m);
    struct answer *x = push(m);
    m->seen_from[m->depth - 1] = from;
    if (!by_edits) {
        answer_set_all(x, of_class[0]);
        return true;
    }
    answer_clear(x);
    for (uint32_t r = 0; r < j->members.n; r++) {
        uint32_t c = j->members.v[r].edit_class;
        answer_set(x, r, c == NO_INDEX ? ANSWER_UNREADABLE : of_class[c]);
    }
    return true;
}

/* --- the loop of instructions ------------------------------------------------------------------------------------- */

static bool all_are(struct machine *m, enum answer_value v)
{
    const struct answer *x = top(m);
    if (!m->domain.each) return answer_is_all(x, v, m->who, m->domain.members);
    if (x->uniform) return x->value == v;
    for (size_t i = 0; i < m->domain.members; i++)
        if (answer_get(x, i) != v) return false;
    return true;
}

/* The answer on top does not rest on what was seen for it. */
static void forget(struct machine *m) { m->j->seen_count = m->seen_from[m->depth - 1]; }

static bool combine(struct machine *m, uint32_t pc, bool and)
{
    if (!may_pop(m, pc, 2)) return false;
    struct answer *y = top(m), *x = y - 1;
    if (and)
        answer_and(x, y);
    else
        answer_or(x, y);
    m->depth--;
    if (m->j->seen_count > m->seen_from[m->depth - 1] && all_are(m, ANSWER_NO)) forget(m);
    return true;
}

/* One instruction; *pc is the next one afterwards. */
static bool step(struct machine *m, const struct rule *rule, uint32_t *pc)
{
    uint32_t at = *pc, code = m->j->program->program->code[at], operand = instruction_operand(code);
    uint8_t op = instruction_op(code);
    *pc = at + 1;
    switch (op) {
    case OP_ALWAYS:
        if (!may_push(m, at)) return false;
        answer_set_all(push(m), ANSWER_YES);
        return true;
    case OP_TEST:
        if (!may_push(m, at)) return false;
        test_evaluate(m->j, operand, &m->domain, m->who, push(m));
        return true;
    case OP_NOT:
        if (!may_pop(m, at, 1)) return false;
        answer_not(top(m), m->domain.members);
        forget(m); /* what it held of speaks against, or for nothing */
        return true;
    case OP_AND:
    case OP_OR: return combine(m, at, op == OP_AND);
    case OP_SKIP_NO:
    case OP_SKIP_YES:
        if (!may_pop(m, at, 1)) return false;
        if (!all_are(m, op == OP_SKIP_NO ? ANSWER_NO : ANSWER_YES)) return true;
        if (operand <= at || operand >= rule->end || (m->domain.each && operand > m->loop_end))
            return broken(m, at, "a jump that leads astray");
        *pc = operand;
        return true;
    case OP_EACH: return begin_loop(m, rule, at, operand);
    case OP_ANY:
    case OP_EVERY:
    case OP_NONE_OF: return end_loop(m, at, op);
    case OP_ACT:
        if (m->domain.each) return broken(m, at, "an action inside a loop");
        if (!may_pop(m, at, 1)) return false;
        VEC_PUSH(&m->collected, operand);
        return true;
    default: return broken(m, at, "no such instruction here");
    }
}

const struct answer *machine_run(struct machine *m, const struct rule *rule, const uint64_t *who)
{
    const uint32_t *code = m->j->program->program->code;
    m->who = who;
    m->depth = 0;
    m->collected.n = 0;
    m->j->seen_count = 0;
    recipients_domain(m);
    for (uint32_t pc = rule->first; pc < rule->end;) {
        m->j->steps++;
        if (instruction_op(code[pc]) == OP_END) {
            if (m->domain.each || m->depth != 1) {
                broken(m, pc, "a rule that ends without its answer");
                return NULL;
            }
            return top(m);
        }
        if (!step(m, rule, &pc)) return NULL;
    }
    broken(m, rule->end, "a rule without its end");
    return NULL;
}
