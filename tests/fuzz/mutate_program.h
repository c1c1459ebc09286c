/* fuzz/mutate_program: a libFuzzer mutator of compiled programs that changes rows and instructions, not bytes.
 *
 * Bytes of a .sluicec file that were changed at random mostly fail to decode; what this makes decodes, and reaches the
 * verifier and, where it is let through, the machine.  A third of the mutations are libFuzzer's own all the same. */
#ifndef SLUICE_FUZZ_MUTATE_PROGRAM_H
#define SLUICE_FUZZ_MUTATE_PROGRAM_H

#include <string.h>

#include "base/digest.h"
#include "bytecode/codec.h"
#include "compiler/words.h"
#include "tests/support/dice.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

/* The seal and the vocabulary's hash are put right, so that what is behind them is reached. */
static void put_right(char *file, size_t size)
{
    uint8_t sum[DIGEST_SIZE];
    if (size < 44 + DIGEST_SIZE) return;
    words_vocabulary_hash(sum);
    memcpy(file + 12, sum, sizeof sum);
    digest_sha256((struct str){file, size - DIGEST_SIZE}, sum);
    memcpy(file + size - DIGEST_SIZE, sum, sizeof sum);
}

/* A number that is likely to mean something: small, at a border, or any. */
static uint32_t mutate_index(struct dice *d, uint32_t count)
{
    switch (dice_roll(d, 8)) {
    case 0: return count;
    case 1: return (uint32_t)dice_roll(d, UINT32_MAX);
    default: return count ? (uint32_t)dice_roll(d, count) : 0;
    }
}

static void mutate_test(struct program *p, struct test *t, struct dice *d)
{
    uint32_t counts[] = {p->constants_count, p->lists_count, p->field_refs_count, p->patterns_count};
    switch (dice_roll(d, 10)) {
    case 0: t->field = mutate_index(d, p->field_refs_count); break;
    case 1: t->quantifier = (uint8_t)dice_roll(d, 5); break;
    case 2: t->relation = (uint8_t)dice_roll(d, REL_AFTER + 2); break;
    case 3: t->operand = (uint8_t)dice_roll(d, OPERAND_DETECTOR + 2); break;
    case 4: t->negated = !t->negated; break;
    case 5: t->word = !t->word; break;
    case 6: t->all = !t->all; break;
    case 7:
        t->counted = !t->counted, t->least = (int64_t)dice_roll(d, 4), t->most = (int64_t)dice_roll(d, 5) - 1;
        break;
    case 8: t->b = mutate_index(d, counts[dice_roll(d, 4)]); break;
    default: t->a = mutate_index(d, counts[dice_roll(d, 4)]); break;
    }
}

static void mutate_constant(struct program *p, struct constant *c, struct dice *d)
{
    const struct constant *other = &p->constants[dice_roll(d, p->constants_count)];
    switch (dice_roll(d, 4)) {
    case 0: c->type = (enum value_type)dice_roll(d, TYPE_NAME + 2); break;
    case 1: c->text = other->text; break;
    case 2: c->number = dice_roll(d, 2) ? other->number : (int64_t)dice_roll(d, 3000) - 2; break;
    default: c->date_only = !c->date_only; break;
    }
}

static void mutate_rule(struct program *p, struct rule *r, struct dice *d)
{
    switch (dice_roll(d, 6)) {
    case 0: r->mode = (uint8_t)dice_roll(d, MODE_OFF + 2); break;
    case 1: r->on_error = (uint8_t)dice_roll(d, ON_ERROR_APPLY + 2); break;
    case 2: r->on_unreadable = (uint8_t)dice_roll(d, ON_UNREADABLE_SKIP + 2); break;
    case 3: r->priority = (uint16_t)dice_roll(d, 300); break;
    case 4: r->end = mutate_index(d, p->code_count); break;
    default: r->has_effective = !r->has_effective; break;
    }
}

static void mutate_code(struct program *p, uint32_t at, struct dice *d)
{
    enum opcode op = (enum opcode)(dice_roll(d, 3) ? instruction_op(p->code[at]) : dice_roll(d, OP_COUNT + 1));
    uint32_t operand = 0;
    if (op == OP_TEST) operand = mutate_index(d, p->tests_count);
    else if (op == OP_ACT) operand = mutate_index(d, p->actions_count);
    else if (op == OP_EACH) operand = mutate_index(d, p->field_refs_count);
    else if (op == OP_SKIP_NO || op == OP_SKIP_YES) operand = at + (uint32_t)dice_roll(d, 8);
    p->code[at] = instruction(op, operand & 0xffffff);
}

static void mutate_row(struct program *p, struct dice *d)
{
#define PICK(table) (&p->table[dice_roll(d, p->table##_count)])
    switch (dice_roll(d, 9)) {
    case 0: if (p->constants_count) mutate_constant(p, PICK(constants), d); return;
    case 1: if (p->rules_count) mutate_rule(p, PICK(rules), d); return;
    case 2: if (p->lists_count) PICK(lists)->first = mutate_index(d, p->constants_count); return;
    case 3: if (p->lists_count) PICK(lists)->count = (uint32_t)dice_roll(d, 12); return;
    case 4:
        if (p->field_refs_count) PICK(field_refs)->field = mutate_index(d, (uint32_t)words_rows.field_count);
        return;
    case 5: if (p->field_refs_count) PICK(field_refs)->part = (uint8_t)dice_roll(d, PART_NAME + 2); return;
    case 6: if (p->actions_count) PICK(actions)->action = mutate_index(d, (uint32_t)words_rows.action_count); return;
    case 7: if (p->arguments_count) PICK(arguments)->index = mutate_index(d, p->constants_count); return;
    default: if (p->tests_count) mutate_test(p, PICK(tests), d); return;
    }
#undef PICK
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    struct dice d = {seed};
    struct err e = {0};
    if (dice_roll(&d, 3) == 0) return LLVMFuzzerMutate(data, size, max);
    put_right((char *)data, size);
    struct program *p = program_decode((struct str){(const char *)data, size}, &words_rows, &e);
    if (!p) return LLVMFuzzerMutate(data, size, max);
    for (size_t times = 1 + dice_roll(&d, 3); times > 0; times--) {
        if (p->code_count && dice_roll(&d, 3) == 0) mutate_code(p, (uint32_t)dice_roll(&d, p->code_count), &d);
        else mutate_row(p, &d);
    }
    struct buf out = {0};
    program_encode(p, &out);
    if (out.n <= max) {
        memcpy(data, out.p, out.n);
        size = out.n;
    }
    buf_free(&out);
    program_free(&p);
    return size;
}

#endif
