#include "bytecode/verify.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "bytecode/verify_checks.h"

static const struct {
    bool named;
    enum { NO_OPERAND, TEST_OPERAND, ACTION_OPERAND, TARGET_OPERAND, FIELD_OPERAND } operand;
    uint8_t pops, pushes;
} operations[OP_COUNT] = {
#define NONE                                     NO_OPERAND
#define TEST                                     TEST_OPERAND
#define ACTION                                   ACTION_OPERAND
#define TARGET                                   TARGET_OPERAND
#define FIELD                                    FIELD_OPERAND
#define OP(id, name, operand, pops, pushes, doc) [OP_##id] = {true, operand, pops, pushes},
#include "bytecode/ops.def"
#undef OP
#undef NONE
#undef TEST
#undef ACTION
#undef TARGET
#undef FIELD
};

static bool fail(struct verify_failure *f, const char *table, size_t index)
{
    f->table = table;
    f->index = (uint32_t)index;
    return false;
}

bool verify_vocabulary(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    uint8_t hash[32];
    vocabulary_hash(rows, hash);
    return memcmp(hash, p->vocabulary_hash, sizeof hash) == 0 || fail(f, "vocabulary", 0);
}

bool verify_rule_ranges(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    (void)rows;
    uint32_t at = 0;
    for (uint32_t i = 0; i < p->rules_count; i++) {
        const struct rule *r = &p->rules[i];
        if (r->first != at || r->end <= at || r->end > p->code_count) return fail(f, "rules", i);
        at = r->end;
    }
    return at == p->code_count || fail(f, "code", at);
}

/* The part of rule i that lies inside the code, so that each check is safe before verify_rule_ranges was asked. */
static void range_of(const struct program *p, uint32_t i, uint32_t *first, uint32_t *end)
{
    *end = p->rules[i].end < p->code_count ? p->rules[i].end : p->code_count;
    *first = p->rules[i].first < *end ? p->rules[i].first : *end;
}

bool verify_code_operations(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    (void)rows;
    for (uint32_t i = 0; i < p->code_count; i++) {
        if (instruction_op(p->code[i]) >= OP_COUNT) return fail(f, "code", i);
    }
    return true;
}

bool verify_code_operands(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    (void)rows;
    for (uint32_t i = 0; i < p->code_count; i++) {
        uint32_t x = instruction_operand(p->code[i]);
        if (instruction_op(p->code[i]) >= OP_COUNT) continue;
        bool good = true;
        switch (operations[instruction_op(p->code[i])].operand) {
        case NO_OPERAND: good = x == 0; break;
        case TEST_OPERAND: good = x < p->tests_count; break;
        case ACTION_OPERAND: good = x < p->actions_count; break;
        case FIELD_OPERAND: good = x < p->field_refs_count; break;
        case TARGET_OPERAND: break; /* verify_code_targets */
        }
        if (!good) return fail(f, "code", i);
    }
    return true;
}

static bool is_jump(uint32_t code)
{
    uint8_t op = instruction_op(code);
    return op < OP_COUNT && operations[op].operand == TARGET_OPERAND;
}

bool verify_code_targets(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    (void)rows;
    for (uint32_t r = 0; r < p->rules_count; r++) {
        uint32_t first, end;
        range_of(p, r, &first, &end);
        for (uint32_t i = first; i < end; i++) {
            uint32_t target = instruction_operand(p->code[i]);
            if (is_jump(p->code[i]) && (target <= i || target >= end)) return fail(f, "code", i);
        }
    }
    return true;
}

bool verify_code_ends(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    (void)rows;
    for (uint32_t r = 0; r < p->rules_count; r++) {
        uint32_t first, end;
        range_of(p, r, &first, &end);
        for (uint32_t i = first; i < end; i++) {
            if ((instruction_op(p->code[i]) == OP_END) != (i + 1 == end)) return fail(f, "code", i);
        }
    }
    return true;
}

/* Depth before each instruction, 0 where no jump has said one yet, else one more. */
struct depths {
    uint8_t *at;
    uint32_t depth, floor;
};

static bool step(const struct program *p, uint32_t i, uint32_t end, struct depths *d)
{
    uint8_t op = instruction_op(p->code[i]);
    if (op >= OP_COUNT) return true;
    if (d->at[i] && d->at[i] - 1u != d->depth) return false;
    if (d->depth < d->floor + operations[op].pops)
        return false; /* inside a loop the answers before it are out of reach */
    if (op == OP_EACH) d->floor = d->depth;
    if (op == OP_ANY || op == OP_EVERY || op == OP_NONE_OF) {
        if (d->depth != d->floor + 1) return false;
        d->floor = 0;
    }
    if (op == OP_END && d->depth != 1) return false;
    d->depth += (uint32_t)operations[op].pushes - operations[op].pops;
    if (d->depth > PROGRAM_STACK_MAX) return false;
    uint32_t target = instruction_operand(p->code[i]);
    if (!is_jump(p->code[i]) || target <= i || target >= end) return true;
    if (d->at[target] && d->at[target] - 1u != d->depth) return false;
    d->at[target] = (uint8_t)(d->depth + 1);
    return true;
}

bool verify_code_stack(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    (void)rows;
    bool good = true;
    uint8_t *at = mem_array(p->code_count ? p->code_count : 1, 1);
    for (uint32_t r = 0; good && r < p->rules_count; r++) {
        struct depths d = {.at = at};
        uint32_t first, end;
        range_of(p, r, &first, &end);
        for (uint32_t i = first; good && i < end; i++) {
            if (!step(p, i, end, &d)) good = fail(f, "code", i);
        }
    }
    free(at);
    return good;
}

static const struct field_row *row_of(const struct program *p, const struct vocabulary_rows *rows, uint32_t ref)
{
    if (ref >= p->field_refs_count || p->field_refs[ref].field >= rows->field_count) return NULL;
    return &rows->fields[p->field_refs[ref].field];
}

/* Inside a loop a test is of the element at hand; outside, a field of many values needs a quantifier or speaks of the
 * whole. */
static bool test_fits(const struct program *p, const struct vocabulary_rows *rows, uint32_t test, uint32_t loop)
{
    if (test >= p->tests_count) return true;
    const struct test *t = &p->tests[test];
    const struct field_row *row = row_of(p, rows, t->field), *each = row_of(p, rows, loop);
    if (!row) return true;
    if (loop == NO_INDEX) return row->of != FACT_ELEMENT || t->quantifier != Q_NONE || t->relation == REL_PRESENT;
    if (t->quantifier != Q_NONE || t->operand == OPERAND_FIELD) return false;
    if (!each) return true;
    return each->of == FACT_RECIPIENT ? row->of == FACT_RECIPIENT : vocabulary_is_of_element(row, each);
}

static bool loop_fits(const struct program *p, const struct vocabulary_rows *rows, uint32_t ref)
{
    const struct field_row *row = row_of(p, rows, ref);
    if (!row) return true;
    return (row->of == FACT_RECIPIENT || row->of == FACT_ELEMENT) && p->field_refs[ref].part == PART_WHOLE;
}

bool verify_code_domains(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    /* The loop each instruction stands in: 0 outside, else one more than its EACH.  The loop's end stands inside. */
    uint32_t *inside = mem_array(p->code_count ? p->code_count : 1, sizeof *inside);
    bool good = true;
    for (uint32_t r = 0; good && r < p->rules_count; r++) {
        uint32_t first, end, loop = 0, ref = NO_INDEX;
        range_of(p, r, &first, &end);
        for (uint32_t i = first; good && i < end; i++) {
            uint8_t op = instruction_op(p->code[i]);
            uint32_t operand = instruction_operand(p->code[i]);
            inside[i] = loop;
            bool closes = op == OP_ANY || op == OP_EVERY || op == OP_NONE_OF;
            if (op == OP_EACH)
                good = !loop && loop_fits(p, rows, operand);
            else if (op == OP_ACT || op == OP_END)
                good = !loop;
            else if (op == OP_TEST)
                good = test_fits(p, rows, operand, loop ? ref : NO_INDEX);
            else if (closes)
                good = loop != 0;
            if (op == OP_EACH) {
                loop = i + 1;
                ref = operand;
            } else if (closes) {
                loop = 0;
            }
            if (!good) fail(f, "code", i);
        }
        for (uint32_t i = first; good && i < end; i++) {
            uint32_t target = instruction_operand(p->code[i]);
            if (is_jump(p->code[i]) && target > i && target < end && inside[target] != inside[i])
                good = fail(f, "code", i);
        }
    }
    free(inside);
    return good;
}

/* --- the table --- */

const struct verify_check verify_checks[] = {
#define CHECK(name, doc) {#name, verify_##name, doc},
#include "bytecode/checks.def"
#undef CHECK
};
const size_t verify_check_count = sizeof verify_checks / sizeof *verify_checks;

bool program_verify(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    struct verify_failure spare;
    if (!f) f = &spare;
    for (size_t i = 0; i < verify_check_count; i++) {
        *f = (struct verify_failure){verify_checks[i].name, "", 0};
        if (!verify_checks[i].holds(p, rows, f)) return false;
    }
    *f = (struct verify_failure){0};
    return true;
}

bool program_verify_err(const struct program *p, const struct vocabulary_rows *rows, struct err *e)
{
    struct verify_failure f;
    if (program_verify(p, rows, &f)) return true;
    return err_set(e, EX_DATAERR, "the program is refused by the check `%s` at %s[%u]", f.check, f.table, f.index);
}

uint64_t program_steps_bound(const struct program *p) { return p->code_count; }
