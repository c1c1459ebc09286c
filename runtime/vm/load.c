#include "vm/load.h"

#include <sysexits.h>

#include "mail/fold.h"
#include "mail/like.h"
#include "vm/detect.h"
#include "vm/index.h"
#include "vm/ready.h"

/* --- fields ------------------------------------------------------------------------------------------------------- */

static enum value_type part_type(enum value_type row_type, uint8_t part)
{
    if (row_type != TYPE_ADDRESS) return row_type;
    switch (part) {
    case PART_LOCAL:
    case PART_NAME: return TYPE_TEXT;
    case PART_DOMAIN: return TYPE_DOMAIN;
    default: return TYPE_ADDRESS;
    }
}

static uint32_t plain_readings(enum value_type row_type, uint8_t part, uint8_t out[TEST_READINGS_MAX])
{
    if (row_type == TYPE_DOMAIN) {
        out[0] = READING_DOMAIN;
        return 1;
    }
    if (row_type != TYPE_ADDRESS) {
        out[0] = READING_TEXT;
        return 1;
    }
    switch (part) {
    case PART_ADDRESS: out[0] = READING_ADDRESS; return 1;
    case PART_LOCAL: out[0] = READING_LOCAL; return 1;
    case PART_DOMAIN: out[0] = READING_DOMAIN; return 1;
    case PART_NAME: out[0] = READING_NAME; return 1;
    default: /* what a reader sees, name and all, or the address alone */
        out[0] = READING_TEXT;
        out[1] = READING_ADDRESS;
        return 2;
    }
}

uint32_t ready_readings(const struct ready_ref *ref, bool alike, uint8_t out[TEST_READINGS_MAX])
{
    uint32_t n = plain_readings(ref->row->type, ref->part, out);
    if (alike && vocabulary_is_seen(ref->row, ref->part))
        out[n++] = out[0] == READING_NAME ? READING_NAME_ALIKE : READING_ALIKE;
    return n;
}

static bool load_refs(struct vm_program *r, struct err *e)
{
    const struct program *p = r->program;
    r->refs = ARENA_ARRAY(r->arena, struct ready_ref, p->field_refs_count);
    r->slots = ARENA_ARRAY(r->arena, struct ready_slot, p->field_refs_count);
    struct map known = {0}; /* "field number, NUL, text in lower case" to slot + 1 */
    bool good = true;
    for (uint32_t i = 0; i < p->field_refs_count && good; i++) {
        const struct field_ref *f = &p->field_refs[i];
        if (f->field >= r->vocabulary->rows->field_count) {
            good = err_set(e, EX_DATAERR, "the program names field %u, which this build has not got", f->field);
            break;
        }
        const struct field_row *row = &r->vocabulary->rows->fields[f->field];
        struct str key = arena_printf(r->arena, "%u ", f->field);
        char *joined = arena_alloc(r->arena, key.n + f->text.n + 1);
        for (size_t k = 0; k < key.n; k++) joined[k] = key.p[k];
        for (size_t k = 0; k < f->text.n; k++) /* header names fold ASCII case, marks are as written */
            joined[key.n + k] = row->text == FIELD_TEXT_HEADER ? ascii_lower(f->text.p[k]) : f->text.p[k];
        struct str whole = {joined, key.n + f->text.n};
        struct ready_slot *slot = map_get(&known, whole);
        if (!slot) {
            slot = &r->slots[r->slot_count++];
            *slot = (struct ready_slot){f->field, f->text, row->of == FACT_RECIPIENT, row->editable};
            map_put(&known, whole, slot);
        }
        r->refs[i] = (struct ready_ref){
            row,           (uint32_t)(slot - r->slots), f->part, part_type(row->type, f->part), slot->by_recipient,
            slot->by_edits};
    }
    map_free(&known);
    return good;
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static bool relation_has_needles(uint8_t relation, enum value_type type)
{
    if (relation == REL_EQUAL) return type == TYPE_TEXT;
    return relation == REL_CONTAINS || relation == REL_LIKE || relation == REL_STARTS || relation == REL_ENDS;
}

static struct str fold_needle(struct arena *a, struct str written, uint8_t reading, bool trim)
{
    struct buf b = {0};
    switch (reading) {
    case READING_LOCAL:
    case READING_ADDRESS: fold_case_nfc(written, &b); break;
    case READING_DOMAIN: fold_lower_nfc(written, &b); break;
    default: fold_text(written, (trim ? FOLD_TRIM : 0) | (reading_is_alike(reading) ? FOLD_ALIKE : 0), &b, NULL);
    }
    struct str out = arena_str(a, buf_str(&b));
    buf_free(&b);
    return out;
}

static bool load_needles(struct vm_program *r, struct ready_test *t, struct err *e)
{
    bool trim = t->test->relation == REL_EQUAL || t->test->relation == REL_LIKE;
    t->needle_count = t->constant_count;
    for (uint32_t k = 0; k < t->reading_count; k++) {
        t->needles[k] = ARENA_ARRAY(r->arena, struct str, t->constant_count);
        for (uint32_t i = 0; i < t->constant_count; i++) {
            struct str n = t->needles[k][i] = fold_needle(r->arena, t->constants[i].text, t->readings[k], trim);
            if (n.n == 0)
                return err_set(e, EX_DATAERR, "\"%.*s\" folds to nothing, so no text can be compared with it",
                               STR_ARG(t->constants[i].text));
            if (t->test->relation == REL_LIKE && !like_is_valid(n))
                return err_set(e, EX_DATAERR, "\"%.*s\" is too long for `like`", STR_ARG(t->constants[i].text));
        }
    }
    return true;
}

enum { HASH_FROM = 8 }; /* shorter lists are walked */

static void load_set(struct ready_test *t)
{
    enum value_type type = t->left->type;
    if (t->test->relation != REL_EQUAL || t->constant_count < HASH_FROM) return;
    if (type != TYPE_TEXT && type != TYPE_ADDRESS && type != TYPE_DOMAIN && type != TYPE_WORD) return;
    static const char in;
    for (uint32_t i = 0; i < t->constant_count; i++) {
        if (type != TYPE_TEXT) map_put(&t->set, t->constants[i].text, (void *)(uintptr_t)&in);
        for (uint32_t k = 0; type == TYPE_TEXT && k < t->reading_count; k++)
            map_put(&t->set, t->needles[k][i], (void *)(uintptr_t)&in);
    }
    t->hashed = true;
}

enum { LONG_LIST_FROM = 32 }; /* shorter lists are tried needle by needle */

/* A list of which any will do: the index can say which of its needles are worth trying. */
static bool is_long_list(const struct ready_test *t)
{
    return t->needle_count >= LONG_LIST_FROM && !t->hashed && !t->test->all &&
           !(t->test->counted && t->test->least < 1);
}

static bool load_patterns(struct vm_program *r, struct ready_test *t, struct err *e)
{
    const struct test *test = t->test;
    t->pattern_count = test->b;
    t->patterns = ARENA_ARRAY(r->arena, struct pattern *, test->b);
    uint8_t *flags = arena_alloc(r->arena, test->b);
    t->pattern_flags = flags;
    for (uint32_t i = 0; i < test->b; i++) {
        const struct pattern_source *s = &r->program->patterns[test->a + i];
        struct pattern_fault fault;
        flags[i] = s->flags;
        t->patterns[i] = pattern_compile(s->text, s->flags, &fault);
        if (!t->patterns[i])
            return err_set(e, EX_DATAERR, "the pattern /%.*s/ cannot be used: %s", STR_ARG(s->text), fault.text);
        pattern_jit(t->patterns[i]);
    }
    return true;
}

static void load_live_lists(struct vm_program *r)
{
    const struct program *p = r->program;
    r->live_lists = ARENA_ARRAY(r->arena, uint32_t, p->lists_count);
    for (uint32_t i = 0; i < p->lists_count; i++)
        if (p->lists[i].table.n) r->live_lists[r->live_count++] = i;
}

static uint32_t live_ordinal(const struct vm_program *r, uint32_t list)
{
    for (uint32_t i = 0; i < r->live_count; i++)
        if (r->live_lists[i] == list) return i;
    INVARIANT(!"the verifier has seen that it is a live list");
    return NO_INDEX;
}

static bool load_test(struct vm_program *r, uint32_t index, struct err *e)
{
    const struct program *p = r->program;
    struct ready_test *t = &r->tests[index];
    t->test = &p->tests[index];
    t->left = &r->refs[t->test->field];
    t->live = t->long_list = NO_INDEX;
    t->reading_count = ready_readings(t->left, t->test->alike, t->readings);
    switch (t->test->operand) {
    case OPERAND_CONSTANT:
        t->constants = &p->constants[t->test->a];
        t->constant_count = 1;
        break;
    case OPERAND_RANGE:
        t->constants = &p->constants[t->test->a];
        t->constant_count = 1;
        break;
    case OPERAND_LIST:
        t->constants = p->constants + p->lists[t->test->a].first;
        t->constant_count = p->lists[t->test->a].count;
        break;
    case OPERAND_DETECTOR: return (t->detector = detect_load(r, t->test->a, e)) != NULL;
    case OPERAND_LIVE: t->live = live_ordinal(r, t->test->a); break;
    case OPERAND_FIELD: t->right = &r->refs[t->test->a]; break;
    case OPERAND_PATTERNS: return load_patterns(r, t, e);
    default: break;
    }
    if (t->constant_count && relation_has_needles(t->test->relation, t->left->type) && !load_needles(r, t, e))
        return false;
    if (t->test->operand == OPERAND_LIST) load_set(t);
    if (is_long_list(t)) t->long_list = r->long_list_count++;
    return true;
}

/* A test that stands in several places is answered once, of the message or of each recipient. */
static void share_tests(struct vm_program *r)
{
    const struct program *p = r->program;
    uint8_t *places = ARENA_ARRAY(r->arena, uint8_t, p->tests_count);
    for (uint32_t i = 0; i < p->code_count; i++) {
        uint32_t test = instruction_operand(p->code[i]);
        if (instruction_op(p->code[i]) == OP_TEST && places[test] < 2) places[test]++;
    }
    for (uint32_t i = 0; i < p->tests_count; i++) {
        struct ready_test *t = &r->tests[i];
        bool changes = r->slots[t->left->slot].field == r->vocabulary->mark_field;
        t->shared = places[i] > 1 && !changes ? r->shared_count++ : NO_INDEX;
    }
}

/* --- actions ------------------------------------------------------------------------------------------------------ */

static bool load_action(struct vm_program *r, uint32_t index, struct err *e)
{
    const struct program *p = r->program;
    struct ready_action *x = &r->actions[index];
    x->action = &p->actions[index];
    if (x->action->action >= r->vocabulary->rows->action_count)
        return err_set(e, EX_DATAERR, "the program names action %u, which this build has not got", x->action->action);
    x->row = &r->vocabulary->rows->actions[x->action->action];
    x->arguments = ARENA_ARRAY(r->arena, struct ready_argument, x->action->argument_count);
    for (uint32_t i = 0; i < x->action->argument_count; i++) {
        struct ready_argument *a = &x->arguments[i];
        a->argument = &p->arguments[x->action->first_argument + i];
        if (a->argument->operand == OPERAND_FIELD) {
            a->field = &r->refs[a->argument->index];
            x->by_recipient |= a->field->by_recipient;
            x->by_edits |= a->field->by_edits;
        } else {
            a->constant = &p->constants[a->argument->index];
            if (str_eq(str_of(x->row->params[a->argument->param].name), STR("otherwise"))) x->otherwise = a->constant;
            a->template =
                x->row->params[a->argument->param].template && str_find_byte(a->constant->text, '{') != STR_NPOS;
            x->by_edits |= a->template;
        }
    }
    return true;
}

struct vm_program *vm_load(const struct program *p, const struct vocabulary *v, struct err *e)
{
    struct vm_program *r = mem_alloc(sizeof *r);
    r->program = p;
    r->vocabulary = v;
    r->arena = arena_create();
    r->matcher = pattern_matcher_create();
    r->tests = ARENA_ARRAY(r->arena, struct ready_test, p->tests_count);
    r->actions = ARENA_ARRAY(r->arena, struct ready_action, p->actions_count);
    r->detectors = ARENA_ARRAY(r->arena, struct ready_detector *, p->declarations_count);
    load_live_lists(r);
    bool good = load_refs(r, e);
    for (uint32_t i = 0; i < p->tests_count && good; i++) good = load_test(r, i, e);
    for (uint32_t i = 0; i < p->actions_count && good; i++) good = load_action(r, i, e);
    if (good) share_tests(r);
    if (good) r->index = index_create(r);
    if (!good) vm_program_free(&r);
    return r;
}

void vm_program_free(struct vm_program **p)
{
    struct vm_program *r = *p;
    if (!r) return;
    index_free(&r->index);
    for (uint32_t i = 0; i < r->program->tests_count; i++) {
        map_free(&r->tests[i].set);
        for (uint32_t k = 0; k < r->tests[i].pattern_count; k++)
            if (r->tests[i].patterns[k]) pattern_free(&r->tests[i].patterns[k]);
    }
    for (uint32_t i = 0; r->detectors && i < r->program->declarations_count; i++)
        if (r->detectors[i] && r->detectors[i]->pattern) pattern_free(&r->detectors[i]->pattern);
    pattern_matcher_free(&r->matcher);
    arena_free(&r->arena);
    free(r);
    *p = NULL;
}

void vm_describe_trigger(const struct vm_program *p, uint32_t rule, struct buf *out)
{
    if (p->index)
        index_print(p->index, rule, out);
    else
        buf_add(out, STR("  trigger none: this build has no index\n"));
}

const struct program *vm_program_source(const struct vm_program *p) { return p->program; }

uint32_t vm_program_live_lists(const struct vm_program *p) { return p->live_count; }

const struct program_list *vm_program_live_list(const struct vm_program *p, uint32_t i)
{
    return &p->program->lists[p->live_lists[i]];
}
