#include "compiler/internal.h"

/* Jumps of one chain, waiting for its end. */
struct chain {
    enum ir_kind kind;
    bool begun;
    VEC(uint32_t) jumps;
};

static void emit(struct compiler *c, const struct ir *x);

static uint32_t push(struct compiler *c, enum opcode op, uint32_t operand)
{
    VEC_PUSH(&c->pool.code, instruction(op, operand));
    return (uint32_t)(c->pool.code.n - 1);
}

static void land(struct compiler *c, uint32_t jump)
{
    enum opcode op = (enum opcode)instruction_op(c->pool.code.v[jump]);
    c->pool.code.v[jump] = instruction(op, (uint32_t)c->pool.code.n);
}

/* Operands of one kind are written out flat, in their order, with a way out after each: what follows can no longer
 * change the answer.  Nothing is distributed or absorbed, so an undecided answer keeps its reason. */
static void emit_operands(struct compiler *c, const struct ir *x, struct chain *chain)
{
    if (x->kind == chain->kind) {
        emit_operands(c, x->left, chain);
        emit_operands(c, x->right, chain);
        return;
    }
    if (!chain->begun) {
        emit(c, x);
        chain->begun = true;
        return;
    }
    VEC_PUSH(&chain->jumps, push(c, chain->kind == IR_AND ? OP_SKIP_NO : OP_SKIP_YES, 0));
    emit(c, x);
    push(c, chain->kind == IR_AND ? OP_AND : OP_OR, 0);
}

static void emit_chain(struct compiler *c, const struct ir *x)
{
    struct chain chain = {.kind = x->kind};
    emit_operands(c, x, &chain);
    for (size_t i = 0; i < chain.jumps.n; i++) land(c, chain.jumps.v[i]);
    VEC_FREE(&chain.jumps);
}

static void emit(struct compiler *c, const struct ir *x)
{
    static const enum opcode ends[] = {[Q_ANY] = OP_ANY, [Q_EVERY] = OP_EVERY, [Q_NO] = OP_NONE_OF};
    switch (x->kind) {
    case IR_ALWAYS: push(c, OP_ALWAYS, 0); break;
    case IR_TEST: push(c, OP_TEST, x->index); break;
    case IR_NOT:
        emit(c, x->left);
        push(c, OP_NOT, 0);
        break;
    case IR_LOOP:
        push(c, OP_EACH, x->index);
        emit(c, x->left);
        push(c, ends[x->quantifier], 0);
        break;
    case IR_AND:
    case IR_OR: emit_chain(c, x); break;
    }
}

void emit_rule(struct compiler *c, const struct ir *condition, uint32_t first_action, uint32_t action_count,
               uint32_t *first, uint32_t *end)
{
    *first = (uint32_t)c->pool.code.n;
    emit(c, condition);
    uint32_t jump = push(c, OP_SKIP_NO, 0);
    for (uint32_t i = 0; i < action_count; i++) push(c, OP_ACT, first_action + i);
    land(c, jump);
    push(c, OP_END, 0);
    *end = (uint32_t)c->pool.code.n;
}
