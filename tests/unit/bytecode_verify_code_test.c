/* The verifier's pass over code: what it must see of the stack, of jumps and of the domains of loops. */
#include "tests/support/check.h"

#include <string.h>

#include "bytecode/verify.h"
#include "compiler/words.h"
#include "tests/support/compiled.h"

static const char one_rule[] =
    "when subject contains \"a\" and recipient is \"a@b.example\" and any to where (domain is \"b.example\") then stop";

/* Whether one_rule with this code instead of its own is refused by that very check (NULL: accepted). */
static bool code_holds(const uint32_t *code, uint32_t n, const char *check)
{
    struct compiled c;
    struct verify_failure f;
    struct program *p = compiled_program(&c, str_of(one_rule));
    uint32_t *copy = arena_array(p->arena, n, sizeof *copy);
    memcpy(copy, code, n * sizeof *copy);
    p->code = copy;
    p->code_count = n;
    p->rules[0].first = 0;
    p->rules[0].end = n;
    bool ok = program_verify(p, &words_rows, &f);
    if (!ok && check && strcmp(f.check, check) != 0)
        print_error("refused by %s at %s[%u], not %s\n", f.check, f.table, f.index, check);
    bool as_wanted = ok == !check && (ok || strcmp(f.check, check) == 0);
    compiled_close(&c);
    return as_wanted;
}
/* Test 0 of one_rule is of the message. */
enum { OF_MESSAGE };
#define I(op, operand) instruction(OP_##op, operand)
#define CODE(check, ...)                                                                                               \
    assert_true(code_holds((const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 4, check))

static void code_is_held_to_its_shape(void **state)
{
    (void)state;
    CODE(NULL, I(ALWAYS, 0), I(END, 0));
    CODE(NULL, I(TEST, OF_MESSAGE), I(SKIP_NO, 3), I(ACT, 0), I(END, 0));
    CODE("code_ends", I(ALWAYS, 0), I(ACT, 0));
    CODE("code_ends", I(ALWAYS, 0), I(END, 0), I(ALWAYS, 0), I(END, 0));
    CODE("code_targets", I(ALWAYS, 0), I(SKIP_NO, 0), I(END, 0));
    CODE("code_targets", I(ALWAYS, 0), I(SKIP_NO, 3), I(END, 0));
    CODE("code_operands", I(ALWAYS, 1), I(END, 0));
    CODE("code_stack", I(END, 0));
    CODE("code_stack", I(ALWAYS, 0), I(AND, 0), I(END, 0));
    CODE("code_stack", I(ALWAYS, 0), I(ALWAYS, 0), I(END, 0));
    CODE("code_stack", I(ALWAYS, 0), I(AND, 0), I(ALWAYS, 0), I(END, 0));
    /* Two jumps to one place, with one answer and with two. */
    CODE("code_stack", I(ALWAYS, 0), I(SKIP_NO, 4), I(ALWAYS, 0), I(SKIP_NO, 4), I(AND, 0), I(END, 0));
    /* A jump over half of an operand: two depths meet. */
    CODE("code_stack", I(ALWAYS, 0), I(SKIP_NO, 3), I(ALWAYS, 0), I(AND, 0), I(END, 0));
}

static void loops_are_held_to_their_domain(void **state)
{
    (void)state;
    uint32_t to = UINT32_MAX, element = UINT32_MAX, message = UINT32_MAX;
    struct compiled c;
    struct program *p = compiled_program(&c, str_of(one_rule));
    for (uint32_t i = 0; i < p->code_count; i++) {
        if (instruction_op(p->code[i]) == OP_EACH && to == UINT32_MAX) {
            to = instruction_operand(p->code[i]);
            element = instruction_operand(p->code[i + 1]);
        }
    }
    message = instruction_operand(p->code[0]);
    uint32_t subject = p->tests[message].field, domain = p->tests[element].field;
    assert_true(to != UINT32_MAX && element != UINT32_MAX);
    compiled_close(&c);
    CODE(NULL, I(EACH, to), I(TEST, element), I(ANY, 0), I(END, 0));
    CODE(NULL, I(ALWAYS, 0), I(SKIP_NO, 6), I(EACH, to), I(TEST, element), I(ANY, 0), I(AND, 0), I(END, 0));
    CODE("code_domains", I(EACH, to), I(TEST, message), I(ANY, 0), I(END, 0));
    CODE("code_domains", I(TEST, element), I(END, 0));
    CODE("code_domains", I(EACH, to), I(TEST, element), I(ACT, 0), I(ANY, 0), I(END, 0));
    CODE("code_stack", I(EACH, to), I(ANY, 0), I(END, 0));
    CODE("code_domains", I(ALWAYS, 0), I(ANY, 0), I(END, 0));
    /* out of the loop, and into it */
    CODE("code_domains", I(EACH, to), I(TEST, element), I(SKIP_NO, 4), I(ANY, 0), I(END, 0));
    CODE("code_domains", I(ALWAYS, 0), I(SKIP_NO, 3), I(EACH, to), I(TEST, element), I(ANY, 0), I(AND, 0), I(END, 0));
    /* a loop may not touch the answers before it */
    CODE("code_stack", I(ALWAYS, 0), I(EACH, to), I(NOT, 0), I(ANY, 0), I(END, 0));
    CODE("code_domains", I(EACH, to), I(EACH, to), I(TEST, element), I(ANY, 0), I(ANY, 0), I(END, 0));
    CODE("code_domains", I(EACH, to), I(EACH, to), I(TEST, element), I(ANY, 0), I(END, 0));
    CODE("code_stack", I(ALWAYS, 0), I(EACH, to), I(TEST, element), I(AND, 0), I(TEST, element), I(ANY, 0), I(AND, 0),
         I(END, 0));
    CODE("code_stack", I(EACH, to), I(TEST, element), I(TEST, element), I(ANY, 0), I(AND, 0), I(END, 0));
    /* over what has no elements: one fact of the message, a part of an address */
    CODE("code_domains", I(EACH, subject), I(ALWAYS, 0), I(ANY, 0), I(END, 0));
    CODE("code_domains", I(EACH, domain), I(ALWAYS, 0), I(ANY, 0), I(END, 0));
}

static void the_stack_has_a_limit(void **state)
{
    (void)state;
    static uint32_t code[2 * PROGRAM_STACK_MAX + 4];
    for (unsigned most = PROGRAM_STACK_MAX; most <= PROGRAM_STACK_MAX + 1; most++) {
        uint32_t n = 0;
        for (unsigned i = 0; i < most; i++) code[n++] = I(ALWAYS, 0);
        for (unsigned i = 1; i < most; i++) code[n++] = I(AND, 0);
        code[n++] = I(END, 0);
        assert_true(code_holds(code, n, most > PROGRAM_STACK_MAX ? "code_stack" : NULL));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(code_is_held_to_its_shape),
        cmocka_unit_test(loops_are_held_to_their_domain),
        cmocka_unit_test(the_stack_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
