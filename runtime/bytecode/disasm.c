#include "bytecode/disasm.h"

#include "base/civil.h"
#include "base/ip.h"

static const char *const quantifier_words[] = {[Q_NONE] = "", [Q_ANY] = "any ", [Q_EVERY] = "every ", [Q_NO] = "no "};
static const char *const relation_words[] = {
    [REL_TRUE] = "true",         [REL_PRESENT] = "present",    [REL_EQUAL] = "equal",       [REL_LIKE] = "like",
    [REL_CONTAINS] = "contains", [REL_STARTS] = "starts with", [REL_ENDS] = "ends with",    [REL_MATCHES] = "matches",
    [REL_OVER] = "over",         [REL_UNDER] = "under",        [REL_AT_LEAST] = "at least", [REL_AT_MOST] = "at most",
    [REL_BETWEEN] = "between",   [REL_BEFORE] = "before",      [REL_AFTER] = "after",
};
static const char *const part_words[] = {
    [PART_WHOLE] = "",         [PART_ADDRESS] = ".address", [PART_LOCAL] = ".local",
    [PART_DOMAIN] = ".domain", [PART_NAME] = ".name",
};
static const char *const type_words[TYPE_NAME + 1] = {
    [TYPE_TEXT] = "text",       [TYPE_ADDRESS] = "address",   [TYPE_DOMAIN] = "domain", [TYPE_NUMBER] = "number",
    [TYPE_SIZE] = "size",       [TYPE_DURATION] = "duration", [TYPE_DATE] = "date",     [TYPE_CLOCK] = "clock",
    [TYPE_NETWORK] = "network", [TYPE_WORD] = "word",         [TYPE_YESNO] = "yes/no",  [TYPE_NAME] = "name",
};
static const char *const mode_words[] = {"enforce", "audit", "audit_and_notify", "off"};
static const char *const on_error_words[] = {"defer", "skip", "apply"};
static const char *const on_unreadable_words[] = {"protect", "hold", "apply", "skip"};

static const struct {
    const char *name;
    enum { NO_OPERAND, TEST_OPERAND, ACTION_OPERAND, TARGET_OPERAND, FIELD_OPERAND } operand;
} operations[OP_COUNT] = {
#define NONE                                     NO_OPERAND
#define TEST                                     TEST_OPERAND
#define ACTION                                   ACTION_OPERAND
#define TARGET                                   TARGET_OPERAND
#define FIELD                                    FIELD_OPERAND
#define OP(id, name, operand, pops, pushes, doc) [OP_##id] = {name, operand},
#include "bytecode/ops.def"
#undef OP
#undef NONE
#undef TEST
#undef ACTION
#undef TARGET
#undef FIELD
};

static void add_quoted(struct buf *out, struct str s)
{
    buf_add_byte(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char b = (unsigned char)s.p[i];
        if (b == '"' || b == '\\')
            buf_printf(out, "\\%c", b);
        else if (b == '\n')
            buf_add(out, STR("\\n"));
        else if (b == '\t')
            buf_add(out, STR("\\t"));
        else if (b < 0x20 || b == 0x7f)
            buf_printf(out, "\\u{%x}", b);
        else
            buf_add_byte(out, (char)b);
    }
    buf_add_byte(out, '"');
}

static void add_moment(const struct constant *c, struct buf *out)
{
    char text[CIVIL_RFC3339_MAX];
    size_t n = civil_print_rfc3339(c->number, 0, text);
    if (c->date_only)
        n = 10;
    else if (!c->date_zoned && n)
        n--; /* without its Z: the relay's own zone */
    buf_add(out, (struct str){text, n});
}

void disasm_constant(const struct constant *c, struct buf *out)
{
    char low[IP_TEXT_MAX], high[IP_TEXT_MAX];
    switch (c->type) {
    case TYPE_TEXT:
    case TYPE_ADDRESS:
    case TYPE_DOMAIN: add_quoted(out, c->text); break;
    case TYPE_WORD:
    case TYPE_NAME: buf_add(out, c->text); break;
    case TYPE_SIZE: buf_printf(out, "%lld B", (long long)c->number); break;
    case TYPE_DURATION: buf_printf(out, "%lld seconds", (long long)c->number); break;
    case TYPE_CLOCK: buf_printf(out, "%02d:%02d", (int)(c->number / 60), (int)(c->number % 60)); break;
    case TYPE_DATE: add_moment(c, out); break;
    case TYPE_NETWORK:
        ip_print(c->low, low);
        ip_print(c->high, high);
        if (ip_compare(c->low, c->high) == 0)
            buf_printf(out, "%s", low);
        else
            buf_printf(out, "%s-%s", low, high);
        break;
    case TYPE_NUMBER:
    case TYPE_YESNO: buf_printf(out, "%lld", (long long)c->number); break;
    }
}

void disasm_field(const struct program *p, const struct vocabulary_rows *rows, uint32_t field_ref, struct buf *out)
{
    const struct field_ref *f = &p->field_refs[field_ref];
    buf_printf(out, "%s%s", rows->fields[f->field].name, part_words[f->part]);
    if (!f->text.n) return;
    buf_add_byte(out, ' ');
    add_quoted(out, f->text);
}

enum { LIST_SHOWN = 8 };

static void add_elements(const struct program *p, const struct program_list *l, struct buf *out)
{
    buf_add_byte(out, '(');
    for (uint32_t i = 0; i < l->count && i < LIST_SHOWN; i++) {
        if (i) buf_add(out, STR(", "));
        disasm_constant(&p->constants[l->first + i], out);
    }
    if (l->count > LIST_SHOWN) buf_printf(out, ", … %u in all", l->count);
    buf_add_byte(out, ')');
}

static void add_pattern(const struct pattern_source *s, struct buf *out)
{
    static const char letters[] = "smxc";
    buf_printf(out, "/%.*s/", STR_ARG(s->text));
    for (unsigned i = 0; i < 4; i++) {
        if (s->flags & 1u << i) buf_add_byte(out, letters[i]);
    }
}

static void add_operand(const struct program *p, const struct vocabulary_rows *rows, const struct test *t,
                        struct buf *out)
{
    switch (t->operand) {
    case OPERAND_CONSTANT: disasm_constant(&p->constants[t->a], out); break;
    case OPERAND_RANGE:
        disasm_constant(&p->constants[t->a], out);
        buf_add(out, STR(" and "));
        disasm_constant(&p->constants[t->b], out);
        break;
    case OPERAND_LIST:
        if (p->lists[t->a].name.n)
            buf_printf(out, "list %.*s", STR_ARG(p->lists[t->a].name));
        else
            add_elements(p, &p->lists[t->a], out);
        break;
    case OPERAND_LIVE: buf_printf(out, "live list %.*s", STR_ARG(p->lists[t->a].name)); break;
    case OPERAND_DETECTOR:
        buf_printf(out, "detector %.*s", STR_ARG(p->declarations[t->a].name));
        if (t->b) buf_printf(out, " confidence %u", t->b);
        break;
    case OPERAND_FIELD: disasm_field(p, rows, t->a, out); break;
    case OPERAND_PATTERNS:
        for (uint32_t i = 0; i < t->b; i++) {
            if (i) buf_add(out, STR(", "));
            add_pattern(&p->patterns[t->a + i], out);
        }
        break;
    default: break;
    }
}

void disasm_test(const struct program *p, const struct vocabulary_rows *rows, uint32_t test, struct buf *out)
{
    const struct test *t = &p->tests[test];
    buf_add(out, str_of(quantifier_words[t->quantifier]));
    disasm_field(p, rows, t->field, out);
    if (t->relation == REL_TRUE && !t->negated) return;
    buf_printf(out, "%s %s", t->negated ? " not" : "", relation_words[t->relation]);
    if (t->counted && t->most < 0) buf_printf(out, " at least %lld of", (long long)t->least);
    if (t->counted && t->most >= 0)
        buf_printf(out, " between %lld and %lld of", (long long)t->least, (long long)t->most);
    if (t->all)
        buf_add(out, STR(" all of"));
    else if (!t->counted && (t->operand == OPERAND_LIST || (t->operand == OPERAND_PATTERNS && t->b > 1))) {
        buf_add(out, STR(" any of"));
    }
    if (t->word) buf_add(out, STR(" word"));
    if (t->alike) buf_add(out, STR(" looking like"));
    if (t->operand != OPERAND_NONE) buf_add_byte(out, ' ');
    add_operand(p, rows, t, out);
}

static void add_arguments(const struct program *p, const struct vocabulary_rows *rows, const struct param_row *params,
                          uint32_t first, uint32_t count, struct buf *out)
{
    for (uint32_t i = first; i < first + count; i++) {
        const struct argument *a = &p->arguments[i];
        buf_printf(out, " %s ", params[a->param].name);
        if (a->operand == OPERAND_FIELD)
            disasm_field(p, rows, a->index, out);
        else
            disasm_constant(&p->constants[a->index], out);
    }
}

/* Connectors and lists: a connector's name stands in quotes, a list's does not. */
static void add_written(const struct param_row *param, const struct constant *c, struct buf *out)
{
    bool quoted = (c->type == TYPE_NAME && !str_starts(str_of(param->words), STR("list:"))) ||
                  (c->type == TYPE_WORD && c->text.n && !ascii_is_alpha(c->text.p[0]));
    if (quoted) add_quoted(out, c->text);
    else disasm_constant(c, out);
}

void disasm_call(const struct program *p, const struct vocabulary_rows *rows, uint32_t row, uint32_t first,
                 uint32_t count, struct buf *out)
{
    const struct action_row *r = &rows->actions[row];
    size_t place = 0; /* the next positional parameter that is free */
    buf_add(out, str_of(r->name));
    for (uint32_t i = first; i < first + count; i++) {
        const struct argument *a = &p->arguments[i];
        bool again = i > first && p->arguments[i - 1].param == a->param;
        bool more = i + 1 < first + count && p->arguments[i + 1].param == a->param;
        while (place < a->param && !r->params[place].positional) place++;
        bool unnamed = r->params[a->param].positional && place == a->param;
        if (again) buf_add(out, STR(", "));
        else if (unnamed) buf_add(out, more ? STR(" (") : STR(" "));
        else buf_printf(out, " %s %s", r->params[a->param].name, more ? "(" : "");
        if (a->operand == OPERAND_FIELD) disasm_field(p, rows, a->index, out);
        else add_written(&r->params[a->param], &p->constants[a->index], out);
        if (again && !more) buf_add_byte(out, ')');
        if (unnamed && !more) place++;
    }
}

void disasm_action(const struct program *p, const struct vocabulary_rows *rows, uint32_t action, struct buf *out)
{
    const struct action *a = &p->actions[action];
    const struct action_row *row = &rows->actions[a->action];
    buf_add(out, str_of(row->name));
    add_arguments(p, rows, row->params, a->first_argument, a->argument_count, out);
}

/* --- the whole --- */

static void add_rule_head(const struct program *p, const struct rule *r, struct buf *out)
{
    buf_add(out, STR("\nrule "));
    if (r->named)
        add_quoted(out, r->identity);
    else
        buf_add(out, r->identity);
    buf_printf(out, " priority %u mode %s on_error %s on_unreadable %s", r->priority, mode_words[r->mode],
               on_error_words[r->on_error], on_unreadable_words[r->on_unreadable]);
    if (r->has_effective) {
        buf_add(out, STR(" effective "));
        add_moment(&r->effective, out);
    }
    if (r->has_expires) {
        buf_add(out, STR(" expires "));
        add_moment(&r->expires, out);
    }
    const struct {
        const char *name;
        struct str text;
    } texts[] = {{"owner", r->owner}, {"ticket", r->ticket}, {"comment", r->comment}, {"severity", r->severity}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (!texts[i].text.n) continue;
        buf_printf(out, " %s ", texts[i].name);
        add_quoted(out, texts[i].text);
    }
    buf_printf(out, "   # %.*s:%u\n", STR_ARG(p->sources[r->origin.source].name), r->origin.line);
}

static void add_instruction(const struct program *p, const struct vocabulary_rows *rows, uint32_t i, uint32_t first,
                            struct buf *out)
{
    uint8_t op = instruction_op(p->code[i]);
    uint32_t operand = instruction_operand(p->code[i]);
    buf_printf(out, "  %4u  %s", i - first, operations[op].name);
    if (operations[op].operand != NO_OPERAND) buf_printf(out, "%*s", (int)(9 - str_of(operations[op].name).n), "");
    switch (operations[op].operand) {
    case TEST_OPERAND: disasm_test(p, rows, operand, out); break;
    case ACTION_OPERAND: disasm_action(p, rows, operand, out); break;
    case FIELD_OPERAND: disasm_field(p, rows, operand, out); break;
    case TARGET_OPERAND: buf_printf(out, "-> %u", operand - first); break;
    case NO_OPERAND: break;
    }
    buf_add_byte(out, '\n');
}

static void add_tables(const struct program *p, const struct vocabulary_rows *rows, struct buf *out)
{
    for (uint32_t i = 0; i < p->sources_count; i++) {
        buf_printf(out, "source %.*s sha256 ", STR_ARG(p->sources[i].name));
        for (size_t k = 0; k < 6; k++) buf_printf(out, "%02x", p->sources[i].sha256[k]);
        buf_add(out, STR("…\n"));
    }
    for (uint32_t i = 0; i < p->declarations_count; i++) {
        const struct declaration *d = &p->declarations[i];
        const struct declaration_row *row = &rows->declarations[d->declaration];
        buf_add(out, str_of(row->name));
        if (d->name.n) {
            buf_add_byte(out, ' ');
            add_quoted(out, d->name);
        }
        add_arguments(p, rows, row->params, d->first_argument, d->argument_count, out);
        buf_add_byte(out, '\n');
    }
    for (uint32_t i = 0; i < p->lists_count; i++) {
        const struct program_list *l = &p->lists[i];
        if (!l->name.n) continue;
        buf_printf(out, "list %.*s of %s ", STR_ARG(l->name), type_words[l->type]);
        if (l->table.n) {
            buf_add(out, STR("in table "));
            add_quoted(out, l->table);
        } else {
            buf_add(out, STR("= "));
            add_elements(p, l, out);
        }
        buf_add_byte(out, '\n');
    }
}

static void add_case(const struct program *p, const struct program_case *c, struct buf *out)
{
    buf_add(out, STR("\ntest "));
    add_quoted(out, c->name);
    buf_printf(out, "   # %.*s:%u, %u given, %u expected\n", STR_ARG(p->sources[c->origin.source].name), c->origin.line,
               c->given_count + (c->mail != NO_INDEX), c->expectation_count);
}

void program_disassemble(const struct program *p, const struct vocabulary_rows *rows, struct buf *out)
{
    program_disassemble_noted(p, rows, NULL, NULL, out);
}

void program_disassemble_noted(const struct program *p, const struct vocabulary_rows *rows, disasm_note *note,
                               void *self, struct buf *out)
{
    add_tables(p, rows, out);
    for (uint32_t i = 0; i < p->rules_count; i++) {
        const struct rule *r = &p->rules[i];
        add_rule_head(p, r, out);
        if (note) note(self, i, out);
        for (uint32_t k = r->first; k < r->end; k++) add_instruction(p, rows, k, r->first, out);
    }
    for (uint32_t i = 0; i < p->cases_count; i++) add_case(p, &p->cases[i], out);
}
