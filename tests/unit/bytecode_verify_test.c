/* The verifier, check by check: for each row of the table a defect that this check refuses and all the others let pass,
 * so that taking the check away would let it in. */
#include "tests/support/check.h"

#include <string.h>

#include "bytecode/verify.h"
#include "compiler/words.h"
#include "tests/support/compiled.h"

static const char policy[] =
    "list doms of domain = \"corp.example\", \"*.corp.example\"\n"
    "list words of text = \"x\", \"y\"\n"
    "list other_words of text = \"z\"\n"
    "list nets of network = 10.0.0.0/8\n"
    "list vips of address in table \"vips\"\n"
    "list live_doms of domain in table \"doms\"\n"
    "relay hostname \"relay.corp.example\" internal doms\n"
    "listener \"in\" address \"127.0.0.1:2525\" relay_for nets\n"
    "listener \"in2\" address \"127.0.0.1:2526\"\n"
    "detector \"prj\" pattern /prj-[0-9]{6}/\n"
    "rule \"a\" priority 10\n"
    "when (subject contains any of words or recipient.scope is inside) and any to where "
    "(domain is in doms and not name contains \"z\")\n"
    "then require_tls verified, stop\n"
    "rule \"b\" priority 20 effective 2026-09-01\n"
    "when header \"X-A\" matches /a+b/ and recipient is sender and marked \"m\"\n"
    "then set_header \"X-B\" \"b\", mark \"m\"\n"
    "rule \"c\" priority 30 when body contains at least 2 \"foo\" and sender is not in vips and no cc is "
    "\"a@b.example\" then quarantine reason \"r\"\n"
    "rule \"d\" priority 40 expires 2027-01-01 when size is between 1 KB and 2 KB and body contains prj "
    "and time is after 18:00 and recipient.domain is in live_doms\n"
    "then copy to sender otherwise \"x@b.example\", set_scl 3, require_tls verified min \"1.3\"\n"
    "test \"t\" given time 12:00, message_id \"x\", vips (\"a@b.example\") expect stop, quarantine reason \"r\" "
    "for \"a@b.example\", reject \"x\" status \"5.7.1\" for \"c@b.example\"\n";

/* --- finding rows to spoil --- */

static struct test *test_with(struct program *p, enum relation r, enum operand_kind operand)
{
    for (uint32_t i = 0; i < p->tests_count; i++) {
        if (p->tests[i].relation == r && p->tests[i].operand == operand) return &p->tests[i];
    }
    fail_msg("the policy has no such test");
    return NULL;
}
static struct constant *constant_of(struct program *p, enum value_type type)
{
    for (uint32_t i = 0; i < p->constants_count; i++) {
        if (p->constants[i].type == type) return &p->constants[i];
    }
    fail_msg("the policy has no such constant");
    return NULL;
}
static struct field_ref *ref_of(struct program *p, const char *name)
{
    for (uint32_t i = 0; i < p->field_refs_count; i++) {
        if (strcmp(words_rows.fields[p->field_refs[i].field].name, name) == 0) return &p->field_refs[i];
    }
    fail_msg("the policy has no such field");
    return NULL;
}
static struct action *action_of(struct program *p, const char *name)
{
    for (uint32_t i = 0; i < p->actions_count; i++) {
        if (strcmp(words_rows.actions[p->actions[i].action].name, name) == 0) return &p->actions[i];
    }
    fail_msg("the policy has no such action");
    return NULL;
}
static uint32_t *code_of(struct program *p, enum opcode op)
{
    for (uint32_t i = 0; i < p->code_count; i++) {
        if (instruction_op(p->code[i]) == op) return &p->code[i];
    }
    fail_msg("the policy has no such instruction");
    return NULL;
}

/* --- defects --- */

static void spoil_vocabulary(struct program *p) { p->vocabulary_hash[31] ^= 1; }
static void spoil_constant_values(struct program *p)
{
    struct constant *c = constant_of(p, TYPE_NETWORK);
    memset(c->low, 0xff, sizeof c->low);
}
static void spoil_list_ranges(struct program *p)
{ /* one element, and it is just past the end */
    p->lists[0].first = p->constants_count;
    p->lists[0].count = 1;
}
static void spoil_list_types(struct program *p)
{
    p->lists[0].first = (uint32_t)(constant_of(p, TYPE_WORD) - p->constants);
    p->lists[0].count = 1;
}
static void spoil_list_names(struct program *p) { p->lists[2].name = p->lists[1].name; }
static void spoil_live_lists(struct program *p)
{
    for (uint32_t i = 0; i < p->lists_count; i++)
        if (p->lists[i].table.n) p->lists[i].table = STR("a\nb");
}
static void spoil_patterns(struct program *p) { p->patterns[0].flags = 16; }
static void spoil_field_rows(struct program *p) { ref_of(p, "body")->field = 1000; }
static void spoil_field_parts(struct program *p) { ref_of(p, "subject")->part = PART_LOCAL; }
static void spoil_field_texts(struct program *p) { ref_of(p, "header")->text = STR_NONE; }
static void spoil_test_fields(struct program *p) { test_with(p, REL_CONTAINS, OPERAND_CONSTANT)->field = UINT32_MAX; }
static void spoil_test_enums(struct program *p) { test_with(p, REL_EQUAL, OPERAND_FIELD)->relation = 200; }
static void spoil_test_relations(struct program *p)
{ /* a mark is there or not: it is never "present" */
    test_with(p, REL_TRUE, OPERAND_NONE)->relation = REL_PRESENT;
}
static void spoil_test_operands(struct program *p)
{
    struct test *t = test_with(p, REL_TRUE, OPERAND_NONE);
    t->operand = OPERAND_PATTERNS;
    t->a = 0;
    t->b = 1;
}
static void spoil_test_indexes(struct program *p) { test_with(p, REL_MATCHES, OPERAND_PATTERNS)->b = UINT32_MAX; }
static void spoil_test_types(struct program *p)
{
    struct test *t = test_with(p, REL_EQUAL, OPERAND_FIELD);
    t->a = (uint32_t)(ref_of(p, "subject") - p->field_refs);
}
static void spoil_test_words(struct program *p)
{
    for (uint32_t i = 0; i < p->constants_count; i++) {
        if (p->constants[i].type == TYPE_WORD && str_eq(p->constants[i].text, STR("inside")))
            p->constants[i].text = STR("sideways");
    }
}
static void spoil_test_counts(struct program *p) { test_with(p, REL_EQUAL, OPERAND_FIELD)->counted = true; }
static void spoil_test_quantifiers(struct program *p) { test_with(p, REL_CONTAINS, OPERAND_LIST)->quantifier = Q_ANY; }
static void spoil_argument_indexes(struct program *p) { p->arguments[0].index = UINT32_MAX; }
static void spoil_action_rows(struct program *p) { action_of(p, "stop")->action = 1000; }
static void spoil_action_arguments(struct program *p) { action_of(p, "stop")->argument_count = UINT32_MAX; }
static void spoil_action_params(struct program *p) { action_of(p, "mark")->argument_count = 0; }
/* Which declaration has no name. */
static uint32_t the_relay(const struct program *p)
{
    uint32_t relay = words_find_declaration(STR("relay")), i = 0;
    while (i + 1 < p->declarations_count && p->declarations[i].declaration != relay) i++;
    return i;
}

static void spoil_declaration_rows(struct program *p) { p->declarations[p->declarations_count - 1].declaration = 1000; }
static void spoil_declaration_arguments(struct program *p) { p->declarations[0].first_argument = UINT32_MAX; }
static void spoil_declaration_params(struct program *p)
{
    struct declaration *relay = &p->declarations[the_relay(p)];
    relay->argument_count--, relay->first_argument++;
}
static void spoil_declaration_names(struct program *p) /* two listeners */
{
    p->declarations[the_relay(p) + 2].name = p->declarations[the_relay(p) + 1].name;
}
static void spoil_rule_options(struct program *p) { p->rules[0].mode = 77; }
static void spoil_rule_order(struct program *p) { p->rules[0].priority = 25; }
static void spoil_rule_identities(struct program *p) { p->rules[1].identity = p->rules[0].identity; }
static void spoil_origins(struct program *p) { p->tests[0].origin.source = 9; }
static void spoil_mails(struct program *p)
{
    p->mails = arena_array(p->arena, 1, sizeof *p->mails);
    p->mails[0] = (struct program_mail){STR("two\nlines"), STR("")};
    p->mails_count = 1;
}
static void spoil_givens(struct program *p) { p->givens[0].list = NO_INDEX; }
static void spoil_expectations(struct program *p) { p->expectations[0].argument_count = 1000; }
static void spoil_cases(struct program *p) { p->cases[0].scope_count = 1000; }
static void spoil_rule_ranges(struct program *p)
{ /* the last rule is cut away and its code is nobody's */
    p->rules_count--;
}
static void spoil_code_operations(struct program *p) { *code_of(p, OP_NOT) = 200u << 24; }
static void spoil_code_operands(struct program *p) { *code_of(p, OP_ACT) = instruction(OP_ACT, 0xffffff); }
static void spoil_code_targets(struct program *p)
{ /* to itself: no answer changes, and it never ends */
    uint32_t *i = code_of(p, OP_SKIP_NO);
    *i = instruction(OP_SKIP_NO, (uint32_t)(i - p->code));
}
static void spoil_code_ends(struct program *p)
{ /* the last instruction leaves the answer and falls through */
    p->code[p->rules[0].end - 1] = instruction(OP_NOT, 0);
}
static void spoil_code_stack(struct program *p) { *code_of(p, OP_AND) = instruction(OP_NOT, 0); }
static void spoil_code_domains(struct program *p)
{ /* a test of the whole message, asked inside the loop */
    uint32_t *i = code_of(p, OP_EACH) + 1;
    *i = instruction(OP_TEST, (uint32_t)(test_with(p, REL_CONTAINS, OPERAND_LIST) - p->tests));
}

static const struct {
    const char *check;
    void (*spoil)(struct program *p);
} defects[] = {
#define CHECK(name, doc) {#name, spoil_##name},
#include "bytecode/checks.def"
#undef CHECK
};

static void each_check_is_needed(void **state)
{
    (void)state;
    assert_int_equal(sizeof defects / sizeof *defects, verify_check_count);
    for (size_t i = 0; i < verify_check_count; i++) {
        struct compiled c;
        struct verify_failure f;
        struct program *p = compiled_program(&c, str_of(policy));
        assert_true(program_verify(p, &words_rows, &f));
        defects[i].spoil(p);
        assert_false(program_verify(p, &words_rows, &f));
        size_t refusing = 0;
        for (size_t k = 0; k < verify_check_count; k++) {
            struct verify_failure g = {0};
            if (verify_checks[k].holds(p, &words_rows, &g)) continue;
            refusing++;
            if (k != i)
                print_error("the defect of %s is refused by %s at %s[%u]\n", defects[i].check, verify_checks[k].name,
                            g.table, g.index);
            else
                assert_string_equal(f.check, defects[i].check);
        }
        if (refusing != 1) fail_msg("%s: %zu checks refuse its defect", defects[i].check, refusing);
        compiled_close(&c);
    }
}

/* --- every part of every check ------------------------------------------------------------------------------------ */

static bool check_refuses(const char *check, const struct program *p)
{
    for (size_t i = 0; i < verify_check_count; i++) {
        struct verify_failure f = {0};
        if (strcmp(verify_checks[i].name, check) == 0) return !verify_checks[i].holds(p, &words_rows, &f);
    }
    fail_msg("there is no check %s", check);
    return false;
}

/* What `spoil` does to the policy's program P is refused by that check (others may refuse it too). */
#define DEFECT(check, spoil)                                                                                           \
    do {                                                                                                               \
        struct compiled c;                                                                                             \
        struct program *p = compiled_program(&c, str_of(policy));                                                      \
        spoil;                                                                                                         \
        if (!check_refuses(#check, p)) fail_msg("%s lets pass: %s", #check, #spoil);                                   \
        compiled_close(&c);                                                                                            \
    } while (0)

static struct program_list *list_of(struct program *p, const char *name)
{
    for (uint32_t i = 0; i < p->lists_count; i++)
        if (str_eq(p->lists[i].name, str_of(name))) return &p->lists[i];
    fail_msg("the policy has no such list");
    return NULL;
}
/* Where a list like this one stands that is none of the program's. */
static uint32_t list_past_the_end(struct program *p, const char *like)
{
    struct program_list *more = arena_array(p->arena, p->lists_count + 1, sizeof *more);
    memcpy(more, p->lists, p->lists_count * sizeof *more);
    more[p->lists_count] = *list_of(p, like);
    p->lists = more;
    return p->lists_count;
}
/* The same of a row that is told by its index. */
#define PAST_THE_END(table)                                                                                            \
    static uint32_t table##_past_the_end(struct program *p, uint32_t like)                                             \
    {                                                                                                                  \
        size_t size = sizeof *p->table;                                                                                \
        char *more = arena_array(p->arena, p->table##_count + 1, size);                                                \
        memcpy(more, p->table, p->table##_count *size);                                                                \
        memcpy(more + p->table##_count * size, &p->table[like], size);                                                 \
        p->table = (void *)more;                                                                                       \
        return p->table##_count;                                                                                       \
    }
PAST_THE_END(lists)
PAST_THE_END(field_refs)
PAST_THE_END(declarations)
static uint32_t ref_index(struct program *p, const char *name) { return (uint32_t)(ref_of(p, name) - p->field_refs); }
static uint32_t list_index(struct program *p, const char *name) { return (uint32_t)(list_of(p, name) - p->lists); }
static uint32_t constant_index(struct program *p, enum value_type t)
{
    return (uint32_t)(constant_of(p, t) - p->constants);
}
static struct argument *argument_of(struct program *p, const char *action, uint32_t i)
{
    return &p->arguments[action_of(p, action)->first_argument + i];
}
static struct constant *argument_constant(struct program *p, const char *action, uint32_t i)
{
    return &p->constants[argument_of(p, action, i)->index];
}
static struct constant *named(struct program *p, const char *name)
{
    for (uint32_t i = 0; i < p->constants_count; i++)
        if (p->constants[i].type == TYPE_NAME && str_eq(p->constants[i].text, str_of(name))) return &p->constants[i];
    fail_msg("the policy has no such name");
    return NULL;
}
static struct action *last_action_of(struct program *p, const char *name)
{
    for (uint32_t i = p->actions_count; i-- > 0;)
        if (strcmp(words_rows.actions[p->actions[i].action].name, name) == 0) return &p->actions[i];
    return NULL;
}
#define BROKEN STR("\xff")
#define CONTROL STR("a\nb")

static void values_and_lists(void **state)
{
    (void)state;
    DEFECT(constant_values, constant_of(p, TYPE_TEXT)->type = (enum value_type)99);
    DEFECT(constant_values, constant_of(p, TYPE_TEXT)->type = TYPE_YESNO);
    DEFECT(constant_values, constant_of(p, TYPE_TEXT)->text = BROKEN);
    DEFECT(constant_values, constant_of(p, TYPE_DOMAIN)->text = STR_NONE);
    DEFECT(constant_values, constant_of(p, TYPE_DOMAIN)->text = CONTROL);
    DEFECT(constant_values, constant_of(p, TYPE_CLOCK)->number = -1);
    DEFECT(constant_values, constant_of(p, TYPE_CLOCK)->number = 1440);
    DEFECT(constant_values, constant_of(p, TYPE_SIZE)->date_only = true);
    DEFECT(constant_values, constant_of(p, TYPE_SIZE)->date_zoned = true);
    DEFECT(list_ranges, (p->lists[0].first = p->constants_count + 1, p->lists[0].count = 0));
    DEFECT(list_types, (p->lists[0].type = TYPE_YESNO, p->lists[0].count = 0));
    DEFECT(live_lists, list_of(p, "vips")->type = TYPE_NUMBER);
    DEFECT(live_lists, list_of(p, "vips")->name = STR_NONE);
    DEFECT(live_lists, list_of(p, "vips")->count = 1);
    DEFECT(live_lists, list_of(p, "vips")->table = BROKEN);
    DEFECT(list_names, list_of(p, "vips")->name = BROKEN);
    DEFECT(list_names, list_of(p, "vips")->name = CONTROL);
    DEFECT(patterns, p->patterns[0].text = BROKEN);
    DEFECT(field_parts, ref_of(p, "sender")->part = PART_NAME + 1);
    DEFECT(field_texts, ref_of(p, "marked")->text = BROKEN);
    DEFECT(field_texts, ref_of(p, "subject")->text = STR("x"));
    DEFECT(field_texts, ref_of(p, "header")->text = STR("X A"));
    DEFECT(field_texts, ref_of(p, "header")->text = STR("X\x7f"));
    DEFECT(field_texts, ref_of(p, "header")->text = STR("X:"));
}

static struct test *test_of_field(struct program *p, uint32_t ref)
{
    for (uint32_t i = 0; i < p->tests_count; i++)
        if (p->tests[i].field == ref) return &p->tests[i];
    fail_msg("the policy has no such test");
    return NULL;
}

static void tests_and_their_operands(void **state)
{
    (void)state;
    DEFECT(test_fields, p->tests[0].field = p->field_refs_count);
    DEFECT(test_enums, p->tests[0].quantifier = Q_NO + 1);
    DEFECT(test_enums, p->tests[0].operand = OPERAND_DETECTOR + 1);
    DEFECT(test_enums, p->tests[0].relation = REL_AFTER + 1);
    DEFECT(test_indexes, test_with(p, REL_AFTER, OPERAND_CONSTANT)->a = p->constants_count);
    DEFECT(test_indexes, test_with(p, REL_BETWEEN, OPERAND_RANGE)->a = p->constants_count);
    DEFECT(test_indexes, test_with(p, REL_BETWEEN, OPERAND_RANGE)->b = p->constants_count);
    DEFECT(test_indexes, test_with(p, REL_EQUAL, OPERAND_LIST)->a = list_past_the_end(p, "doms"));
    DEFECT(test_indexes, test_with(p, REL_EQUAL, OPERAND_LIST)->a = list_index(p, "vips"));
    DEFECT(test_indexes, test_with(p, REL_EQUAL, OPERAND_LIVE)->a = list_past_the_end(p, "vips"));
    DEFECT(test_indexes, test_with(p, REL_EQUAL, OPERAND_LIVE)->a = list_index(p, "doms"));
    DEFECT(test_indexes, struct test *t = test_with(p, REL_EQUAL, OPERAND_FIELD);
           t->a = field_refs_past_the_end(p, t->a));
    DEFECT(test_indexes, struct test *t = test_with(p, REL_CONTAINS, OPERAND_DETECTOR);
           t->a = declarations_past_the_end(p, t->a));
    DEFECT(test_indexes, test_with(p, REL_CONTAINS, OPERAND_DETECTOR)->b = 101);
    DEFECT(test_indexes, test_with(p, REL_MATCHES, OPERAND_PATTERNS)->b = 0);
    DEFECT(test_indexes, test_with(p, REL_MATCHES, OPERAND_PATTERNS)->a = p->patterns_count + 1);
    DEFECT(test_types, test_with(p, REL_CONTAINS, OPERAND_DETECTOR)->a = the_relay(p));
    DEFECT(test_types, test_with(p, REL_BETWEEN, OPERAND_RANGE)->a = constant_index(p, TYPE_CLOCK));
    DEFECT(test_types, test_with(p, REL_BETWEEN, OPERAND_RANGE)->b = constant_index(p, TYPE_CLOCK));
    DEFECT(test_types, test_with(p, REL_AFTER, OPERAND_CONSTANT)->a = constant_index(p, TYPE_SIZE));
    DEFECT(test_types, test_with(p, REL_EQUAL, OPERAND_LIST)->a = list_index(p, "nets"));
    DEFECT(test_types, test_with(p, REL_EQUAL, OPERAND_LIVE)->a = list_index(p, "live_doms"));
    DEFECT(test_types,
           struct test *t = test_with(p, REL_EQUAL, OPERAND_FIELD); /* each recipient beside the one sender */
           t->field = ref_index(p, "sender"); t->a = ref_index(p, "recipient"));
    DEFECT(test_types, struct test *t = test_with(p, REL_EQUAL, OPERAND_FIELD); t->quantifier = Q_ANY;
           t->a = ref_index(p, "recipient"));
    DEFECT(test_counts, test_with(p, REL_EQUAL, OPERAND_FIELD)->word = true);
    DEFECT(test_counts, test_with(p, REL_CONTAINS, OPERAND_CONSTANT)->all = true);
    DEFECT(test_counts, struct test *t = test_with(p, REL_CONTAINS, OPERAND_LIST);
           t->counted = t->all = true; t->least = 1; t->most = -1);
    DEFECT(test_counts, struct test *t = test_with(p, REL_EQUAL, OPERAND_FIELD); t->all = true);
    DEFECT(test_counts, struct test *t = test_with(p, REL_CONTAINS, OPERAND_LIST); t->counted = true; t->least = 0);
    DEFECT(test_counts, struct test *t = test_with(p, REL_CONTAINS, OPERAND_LIST); t->counted = true; t->least = 2;
           t->most = 1);
    DEFECT(test_counts, struct test *t = test_with(p, REL_CONTAINS, OPERAND_CONSTANT); /* a local part is not seen */
           t->alike = true; p->field_refs[t->field].part = PART_LOCAL);
    DEFECT(test_counts, test_of_field(p, ref_index(p, "cc"))->alike = true); /* whole addresses, by `is` */
    DEFECT(test_fields, struct test *t = test_with(p, REL_CONTAINS, OPERAND_CONSTANT); t->alike = true;
           t->field = p->field_refs_count);
    DEFECT(test_counts, test_with(p, REL_MATCHES, OPERAND_PATTERNS)->alike = true);
    DEFECT(test_counts, test_with(p, REL_BETWEEN, OPERAND_RANGE)->alike = true);
    DEFECT(test_counts, test_with(p, REL_CONTAINS, OPERAND_DETECTOR)->alike = true);
    DEFECT(test_counts, test_with(p, REL_EQUAL, OPERAND_LIVE)->alike = true);
    DEFECT(test_counts, test_with(p, REL_EQUAL, OPERAND_LIST)->alike = true); /* of domains */
    DEFECT(code_domains, test_with(p, REL_EQUAL, OPERAND_LIST)->quantifier = Q_ANY);
    DEFECT(code_domains, struct test *t = test_with(p, REL_EQUAL, OPERAND_LIST); t->operand = OPERAND_FIELD;
           t->a = t->field);
}

static void actions_and_declarations(void **state)
{
    (void)state;
    DEFECT(argument_indexes, argument_of(p, "mark", 0)->index = p->constants_count);
    DEFECT(argument_indexes, argument_of(p, "copy", 0)->index = p->field_refs_count);
    DEFECT(argument_indexes, argument_of(p, "mark", 0)->operand = OPERAND_LIST);
    DEFECT(action_rows, action_of(p, "mark")->action = (uint32_t)words_rows.action_count);
    DEFECT(action_arguments, struct action *a = action_of(p, "stop"); a->first_argument = p->arguments_count + 1;
           a->argument_count = 0);
    DEFECT(action_params, argument_of(p, "quarantine", 0)->param = 1);
    DEFECT(action_params, struct action *a = last_action_of(p, "require_tls"); /* the same parameter twice */
           p->arguments[a->first_argument + 1] = p->arguments[a->first_argument]);
    DEFECT(action_params, argument_of(p, "copy", 0)->index = ref_index(p, "subject"));
    DEFECT(action_params, argument_of(p, "copy", 0)->index = instruction_operand(*code_of(p, OP_EACH)));
    DEFECT(action_params, *argument_of(p, "copy", 1) = *argument_of(p, "copy", 0);
           argument_of(p, "copy", 1)->param = 1);
    DEFECT(action_params, argument_of(p, "quarantine", 0)->index = constant_index(p, TYPE_ADDRESS));
    DEFECT(action_params, argument_constant(p, "mark", 0)->text = CONTROL);
    DEFECT(action_params, argument_constant(p, "mark", 0)->text = STR("\x7f"));
    DEFECT(action_params, argument_constant(p, "set_scl", 0)->number = 10);
    DEFECT(action_params, argument_constant(p, "set_scl", 0)->number = -2);
    DEFECT(action_params, argument_constant(p, "require_tls", 0)->text = STR("sideways"));
    DEFECT(declaration_params, named(p, "doms")->text = STR("nobody"));
    DEFECT(declaration_params, named(p, "doms")->text = STR("nets"));
    DEFECT(declaration_params, named(p, "doms")->text = STR("live_doms"));
    DEFECT(declaration_rows, p->declarations[0].declaration = (uint32_t)words_rows.declaration_count);
    DEFECT(declaration_names, p->declarations[the_relay(p)].name = STR("x"));
    DEFECT(declaration_names, p->declarations[0].name = STR_NONE);
    DEFECT(declaration_names, p->declarations[0].name = BROKEN);
    DEFECT(declaration_names, p->declarations[0].name = CONTROL);
}

static void rules_and_places(void **state)
{
    (void)state;
    uint32_t last = 3;
    char letters[241];
    memset(letters, 'x', sizeof letters);
    DEFECT(rule_ranges, p->rules[1].first++);
    DEFECT(rule_ranges, p->rules[0].end = p->rules[1].first = 0);
    DEFECT(rule_order, p->rules[last].priority = 10000);
    DEFECT(rule_identities, p->rules[0].identity = STR_NONE);
    DEFECT(rule_identities, p->rules[0].identity = ((struct str){letters, sizeof letters}));
    DEFECT(rule_identities, p->rules[0].identity = CONTROL);
    DEFECT(rule_identities, p->rules[0].identity = BROKEN);
    DEFECT(rule_options, p->rules[0].on_error = ON_ERROR_APPLY + 1);
    DEFECT(rule_options, p->rules[0].on_unreadable = ON_UNREADABLE_SKIP + 1);
    DEFECT(rule_options, p->rules[1].effective.type = TYPE_CLOCK);
    DEFECT(rule_options, p->rules[last].expires.type = TYPE_CLOCK);
    DEFECT(rule_options, p->rules[0].owner = CONTROL);
    DEFECT(rule_options, p->rules[0].ticket = CONTROL);
    DEFECT(rule_options, p->rules[0].comment = CONTROL);
    DEFECT(rule_options, p->rules[0].severity = CONTROL);
    DEFECT(origins, p->tests[0].origin.source = p->sources_count);
    DEFECT(origins, p->tests[0].origin.text = ((struct str){letters, ORIGIN_TEXT_MAX + 1}));
    DEFECT(origins, p->actions[0].origin.text = CONTROL);
    DEFECT(code_operands, *code_of(p, OP_TEST) = instruction(OP_TEST, p->tests_count));
    DEFECT(code_operands, *code_of(p, OP_ACT) = instruction(OP_ACT, p->actions_count));
    DEFECT(code_operands, *code_of(p, OP_EACH) = instruction(OP_EACH, p->field_refs_count));
}

static uint32_t part_index(struct program *p, uint8_t part)
{
    for (uint32_t i = 0; i < p->field_refs_count; i++)
        if (p->field_refs[i].part == part) return i;
    fail_msg("the policy has no such part");
    return 0;
}

static void cases_in_their_tables(void **state)
{
    (void)state;
    const int64_t years = (int64_t)10000 * 366 * 86400;
    DEFECT(givens, p->givens[0].kind = GIVEN_UNSAID + 1; p->givens[0].list = NO_INDEX);
    DEFECT(givens, p->givens[0].kind = GIVEN_ABSENT);
    DEFECT(givens, p->givens[0].kind = GIVEN_YES; p->givens[0].list = NO_INDEX);
    DEFECT(givens, p->givens[0].index = field_refs_past_the_end(p, p->givens[0].index));
    DEFECT(givens, p->givens[0].index = part_index(p, PART_NAME));
    DEFECT(givens, p->givens[0].list = lists_past_the_end(p, p->givens[0].list));
    DEFECT(givens, p->givens[0].list = list_index(p, "nets"));
    DEFECT(givens, p->lists[p->givens[0].list].count = 0);
    DEFECT(givens, p->givens[1].index = lists_past_the_end(p, p->givens[1].index));
    DEFECT(givens, p->givens[1].index = p->expectations[1].list);
    DEFECT(expectations, p->expectations[1].list = list_index(p, "doms"));
    DEFECT(expectations, p->expectations[1].action = NO_INDEX);
    DEFECT(expectations, p->expectations[0].action = (uint32_t)words_rows.action_count);
    DEFECT(expectations, p->expectations[1].action = p->expectations[0].action); /* which takes nothing */
    DEFECT(expectations, p->expectations[0].first_argument = p->arguments_count + 1);
    DEFECT(expectations, struct expectation *x = &p->expectations[2];
           struct argument first = p->arguments[x->first_argument];
           p->arguments[x->first_argument] = p->arguments[x->first_argument + 1];
           p->arguments[x->first_argument + 1] = first);
    DEFECT(expectations, p->arguments[p->expectations[1].first_argument].index = constant_index(p, TYPE_ADDRESS));
    DEFECT(cases, p->cases[0].name = CONTROL);
    DEFECT(cases, p->cases[0].name = STR("\x7f"));
    DEFECT(cases, p->cases[0].name = BROKEN);
    DEFECT(cases, p->cases[0].first_given = p->givens_count + 1; p->cases[0].given_count = 0);
    DEFECT(cases, p->cases[0].given_count = p->givens_count + 1);
    DEFECT(cases, p->cases[0].first_expectation = p->expectations_count + 1; p->cases[0].expectation_count = 0);
    DEFECT(cases, p->cases[0].first_scope = p->scopes_count + 1; p->cases[0].scope_count = 0);
    DEFECT(cases, p->scopes[0] = p->sources_count);
    DEFECT(cases, p->cases[0].mail = p->mails_count);
    DEFECT(cases, p->cases[0].now = years + 1);
    DEFECT(cases, p->cases[0].now = -years - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_check_is_needed),
        cmocka_unit_test(values_and_lists),
        cmocka_unit_test(tests_and_their_operands),
        cmocka_unit_test(actions_and_declarations),
        cmocka_unit_test(rules_and_places),
        cmocka_unit_test(cases_in_their_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
