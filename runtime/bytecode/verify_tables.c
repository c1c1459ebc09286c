#include "bytecode/verify_checks.h"

#include "base/map.h"

/* Each check answers for its own promise alone: what another check refuses is skipped here. */

static bool fail(struct verify_failure *f, const char *table, size_t index)
{
    f->table = table;
    f->index = (uint32_t)index;
    return false;
}

static const struct field_row *row_of(const struct program *p, const struct vocabulary_rows *rows, uint32_t ref)
{
    if (ref >= p->field_refs_count || p->field_refs[ref].field >= rows->field_count) return NULL;
    return &rows->fields[p->field_refs[ref].field];
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f) return true;
    }
    return false;
}

/* --- constants and lists --- */

bool verify_constant_values(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    (void)rows;
    for (uint32_t i = 0; i < p->constants_count; i++) {
        const struct constant *c = &p->constants[i];
        bool good = (unsigned)c->type <= TYPE_NAME && c->type != TYPE_YESNO && str_is_utf8(c->text);
        if (c->type == TYPE_ADDRESS || c->type == TYPE_DOMAIN || c->type == TYPE_WORD || c->type == TYPE_NAME) {
            good = good && c->text.n && !has_control(c->text);
        }
        if (c->type == TYPE_CLOCK) good = good && c->number >= 0 && c->number < 24 * 60;
        if (c->type != TYPE_DATE) good = good && !c->date_only && !c->date_zoned;
        for (size_t k = 0; c->type == TYPE_NETWORK && k < sizeof c->low; k++) {
            if (c->low[k] == c->high[k]) continue;
            good = good && c->low[k] < c->high[k];
            break;
        }
        if (!good) return fail(f, "constants", i);
    }
    return true;
}

bool verify_list_ranges(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    (void)rows;
    for (uint32_t i = 0; i < p->lists_count; i++) {
        const struct program_list *l = &p->lists[i];
        if (l->first > p->constants_count || l->count > p->constants_count - l->first) return fail(f, "lists", i);
    }
    return true;
}

bool verify_list_types(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    (void)rows;
    for (uint32_t i = 0; i < p->lists_count; i++) {
        const struct program_list *l = &p->lists[i];
        if ((unsigned)l->type >= TYPE_YESNO) return fail(f, "lists", i);
        for (uint32_t k = 0; k < l->count && (uint64_t)l->first + k < p->constants_count; k++) {
            if (p->constants[l->first + k].type != l->type) return fail(f, "lists", i);
        }
    }
    return true;
}

bool verify_list_names(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    (void)rows;
    struct map seen = {0};
    bool good = true;
    for (uint32_t i = 0; good && i < p->lists_count; i++) {
        struct str name = p->lists[i].name;
        if (name.n && (map_put(&seen, name, &seen) || !str_is_utf8(name) || has_control(name)))
            good = fail(f, "lists", i);
    }
    map_free(&seen);
    return good;
}

/* A live list has a name, no elements, and a type whose entries can be kept as text. */
bool verify_live_lists(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    (void)rows;
    for (uint32_t i = 0; i < p->lists_count; i++) {
        const struct program_list *l = &p->lists[i];
        if (!l->table.n) continue;
        bool kept =
            l->type == TYPE_TEXT || l->type == TYPE_ADDRESS || l->type == TYPE_DOMAIN || l->type == TYPE_NETWORK;
        if (!kept || !l->name.n || l->count || !str_is_utf8(l->table) || has_control(l->table))
            return fail(f, "lists", i);
    }
    return true;
}

bool verify_patterns(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    (void)rows;
    enum { FLAGS = 15 }; /* PATTERN_FLAGS of pattern/pattern.h */
    for (uint32_t i = 0; i < p->patterns_count; i++) {
        if (p->patterns[i].flags > FLAGS || !str_is_utf8(p->patterns[i].text)) return fail(f, "patterns", i);
    }
    return true;
}

/* --- fields --- */

bool verify_field_rows(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    for (uint32_t i = 0; i < p->field_refs_count; i++) {
        if (p->field_refs[i].field >= rows->field_count) return fail(f, "field_refs", i);
    }
    return true;
}

bool verify_field_parts(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    for (uint32_t i = 0; i < p->field_refs_count; i++) {
        const struct field_row *row = row_of(p, rows, i);
        uint8_t part = p->field_refs[i].part;
        if (part > PART_NAME || (row && part != PART_WHOLE && row->type != TYPE_ADDRESS))
            return fail(f, "field_refs", i);
    }
    return true;
}

bool verify_field_texts(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    for (uint32_t i = 0; i < p->field_refs_count; i++) {
        const struct field_row *row = row_of(p, rows, i);
        struct str text = p->field_refs[i].text;
        bool good = !row || (row->text == FIELD_TEXT_NONE) == !text.n;
        for (size_t k = 0; row && row->text == FIELD_TEXT_HEADER && k < text.n; k++) { /* RFC 5322 section 3.6.8 */
            good = good && text.p[k] > ' ' && text.p[k] < 0x7f && text.p[k] != ':';
        }
        if (!good || !str_is_utf8(text)) return fail(f, "field_refs", i);
    }
    return true;
}

/* --- tests --- */

bool verify_test_fields(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    (void)rows;
    for (uint32_t i = 0; i < p->tests_count; i++) {
        if (p->tests[i].field >= p->field_refs_count) return fail(f, "tests", i);
    }
    return true;
}

bool verify_test_enums(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    (void)rows;
    for (uint32_t i = 0; i < p->tests_count; i++) {
        const struct test *t = &p->tests[i];
        if (t->quantifier > Q_NO || t->relation > REL_AFTER || t->operand > OPERAND_DETECTOR)
            return fail(f, "tests", i);
    }
    return true;
}

/* What each relation may be asked of, and with which operands. */
enum {
    TEXTUAL = 1 << TYPE_TEXT | 1 << TYPE_ADDRESS,
    MEASURED = 1 << TYPE_NUMBER | 1 << TYPE_SIZE | 1 << TYPE_DURATION,
    TIMED = 1 << TYPE_DATE | 1 << TYPE_CLOCK,
    ALL_BUT_YESNO = TEXTUAL | MEASURED | TIMED | 1 << TYPE_DOMAIN | 1 << TYPE_NETWORK | 1 << TYPE_WORD,
    NONE = 1 << OPERAND_NONE,
    CONSTANT = 1 << OPERAND_CONSTANT,
    RANGE = 1 << OPERAND_RANGE,
    LIST = 1 << OPERAND_LIST,
    FIELD_ = 1 << OPERAND_FIELD,
    PATTERNS = 1 << OPERAND_PATTERNS,
    LIVE = 1 << OPERAND_LIVE,
    DETECTOR = 1 << OPERAND_DETECTOR
};
static const struct {
    unsigned types, operands;
    bool text; /* the operand is TEXT, whatever the field's type */
} relations[] = {
    [REL_TRUE] = {1 << TYPE_YESNO, NONE, false},
    [REL_PRESENT] = {ALL_BUT_YESNO, NONE, false},
    [REL_EQUAL] = {ALL_BUT_YESNO, CONSTANT | LIST | FIELD_ | LIVE, false},
    [REL_LIKE] = {TEXTUAL | 1 << TYPE_DOMAIN, CONSTANT | LIST, true},
    [REL_CONTAINS] = {TEXTUAL, CONSTANT | LIST | DETECTOR, true},
    [REL_STARTS] = {TEXTUAL, CONSTANT | LIST, true},
    [REL_ENDS] = {TEXTUAL | 1 << TYPE_DOMAIN, CONSTANT | LIST, true},
    [REL_MATCHES] = {TEXTUAL, PATTERNS, true},
    [REL_OVER] = {MEASURED, CONSTANT | FIELD_, false},
    [REL_UNDER] = {MEASURED, CONSTANT | FIELD_, false},
    [REL_AT_LEAST] = {MEASURED, CONSTANT | FIELD_, false},
    [REL_AT_MOST] = {MEASURED, CONSTANT | FIELD_, false},
    [REL_BETWEEN] = {MEASURED | TIMED, RANGE, false},
    [REL_BEFORE] = {TIMED, CONSTANT | FIELD_, false},
    [REL_AFTER] = {TIMED, CONSTANT | FIELD_, false},
};

bool verify_test_relations(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    for (uint32_t i = 0; i < p->tests_count; i++) {
        const struct test *t = &p->tests[i];
        const struct field_row *row = row_of(p, rows, t->field);
        if (!row || t->relation > REL_AFTER) continue;
        enum value_type type = vocabulary_part_type(row, p->field_refs[t->field].part);
        if (!(relations[t->relation].types & 1u << type)) return fail(f, "tests", i);
    }
    return true;
}

bool verify_test_operands(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    (void)rows;
    for (uint32_t i = 0; i < p->tests_count; i++) {
        const struct test *t = &p->tests[i];
        if (t->relation > REL_AFTER || t->operand > OPERAND_DETECTOR) continue;
        if (!(relations[t->relation].operands & 1u << t->operand)) return fail(f, "tests", i);
    }
    return true;
}

bool verify_test_indexes(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    (void)rows;
    for (uint32_t i = 0; i < p->tests_count; i++) {
        const struct test *t = &p->tests[i];
        bool good = true;
        switch (t->operand) {
        case OPERAND_CONSTANT: good = t->a < p->constants_count; break;
        case OPERAND_RANGE: good = t->a < p->constants_count && t->b < p->constants_count; break;
        case OPERAND_LIST: good = t->a < p->lists_count && !p->lists[t->a].table.n; break;
        case OPERAND_LIVE: good = t->a < p->lists_count && p->lists[t->a].table.n; break;
        case OPERAND_FIELD: good = t->a < p->field_refs_count; break;
        case OPERAND_DETECTOR: good = t->a < p->declarations_count && t->b <= 100; break;
        case OPERAND_PATTERNS: good = t->b && t->a < p->patterns_count && t->b <= p->patterns_count - t->a; break;
        default: break;
        }
        if (!good) return fail(f, "tests", i);
    }
    return true;
}

bool verify_test_types(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    for (uint32_t i = 0; i < p->tests_count; i++) {
        const struct test *t = &p->tests[i];
        const struct field_row *row = row_of(p, rows, t->field), *right;
        if (!row || t->relation > REL_AFTER) continue;
        enum value_type want =
            relations[t->relation].text ? TYPE_TEXT : vocabulary_part_type(row, p->field_refs[t->field].part);
        bool good = true;
        switch (t->operand) {
        case OPERAND_DETECTOR:
            if (t->a < p->declarations_count && p->declarations[t->a].declaration < rows->declaration_count)
                good = vocabulary_is_detector(&rows->declarations[p->declarations[t->a].declaration]);
            break;
        case OPERAND_RANGE:
            if (t->b < p->constants_count) good = p->constants[t->b].type == want;
            /* fall through */
        case OPERAND_CONSTANT:
            if (t->a < p->constants_count) good = good && p->constants[t->a].type == want;
            break;
        case OPERAND_LIST:
        case OPERAND_LIVE:
            if (t->a < p->lists_count) good = p->lists[t->a].type == want;
            break;
        case OPERAND_FIELD:
            if (!(right = row_of(p, rows, t->a))) break;
            good = vocabulary_part_type(right, p->field_refs[t->a].part) == want;
            /* A value that differs by recipient needs a test that is of each recipient for itself. */
            if (right->of == FACT_RECIPIENT) good = good && row->of == FACT_RECIPIENT && t->quantifier == Q_NONE;
            break;
        default: break;
        }
        if (!good) return fail(f, "tests", i);
    }
    return true;
}

bool verify_test_words(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    for (uint32_t i = 0; i < p->tests_count; i++) {
        const struct test *t = &p->tests[i];
        const struct field_row *row = row_of(p, rows, t->field);
        if (!row || row->type != TYPE_WORD) continue;
        uint64_t first = t->a, count = 1;
        if (t->operand == OPERAND_LIST && t->a < p->lists_count) {
            first = p->lists[t->a].first;
            count = p->lists[t->a].count;
        } else if (t->operand != OPERAND_CONSTANT) {
            continue;
        }
        for (uint64_t k = first; k < first + count && k < p->constants_count; k++) {
            const struct constant *c = &p->constants[k];
            if (c->type == TYPE_WORD && !vocabulary_has_word(row->words, c->text)) return fail(f, "tests", i);
        }
    }
    return true;
}

/* Tests that read a text, by what is written in the program or in another field. */
static bool can_look_alike(const struct program *p, const struct vocabulary_rows *rows, const struct test *t)
{
    const struct field_row *row = row_of(p, rows, t->field);
    if (!row) return true; /* test_fields, field_rows */
    uint8_t part = p->field_refs[t->field].part;
    if (!vocabulary_is_seen(row, part)) return false;
    if (t->relation == REL_EQUAL && vocabulary_part_type(row, part) != TYPE_TEXT) return false;
    return t->operand == OPERAND_CONSTANT || t->operand == OPERAND_LIST ||
           t->operand == OPERAND_FIELD; /* by test_types of texts */
}

bool verify_test_counts(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    for (uint32_t i = 0; i < p->tests_count; i++) {
        const struct test *t = &p->tests[i];
        bool good =
            !t->counted || (t->relation == REL_CONTAINS && t->least >= 1 && (t->most == -1 || t->most >= t->least));
        if (t->word) good = good && t->relation == REL_CONTAINS;
        if (t->alike) good = good && can_look_alike(p, rows, t);
        if (t->all) good = good && !t->counted && (t->operand == OPERAND_LIST || t->operand == OPERAND_PATTERNS);
        if (!good) return fail(f, "tests", i);
    }
    return true;
}

bool verify_test_quantifiers(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    for (uint32_t i = 0; i < p->tests_count; i++) {
        const struct field_row *row = row_of(p, rows, p->tests[i].field);
        if (row && row->of == FACT_MESSAGE && p->tests[i].quantifier != Q_NONE) return fail(f, "tests", i);
    }
    return true;
}

/* --- actions and declarations --- */

bool verify_argument_indexes(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    (void)rows;
    for (uint32_t i = 0; i < p->arguments_count; i++) {
        const struct argument *a = &p->arguments[i];
        bool good = a->operand == OPERAND_CONSTANT ? a->index < p->constants_count
                                                   : a->operand == OPERAND_FIELD && a->index < p->field_refs_count;
        if (!good) return fail(f, "arguments", i);
    }
    return true;
}

bool verify_action_rows(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    for (uint32_t i = 0; i < p->actions_count; i++) {
        if (p->actions[i].action >= rows->action_count) return fail(f, "actions", i);
    }
    return true;
}

static bool in_arguments(const struct program *p, uint32_t first, uint32_t count)
{
    return first <= p->arguments_count && count <= p->arguments_count - first;
}

bool verify_action_arguments(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    (void)rows;
    for (uint32_t i = 0; i < p->actions_count; i++) {
        if (!in_arguments(p, p->actions[i].first_argument, p->actions[i].argument_count)) return fail(f, "actions", i);
    }
    return true;
}

/* The list or connector that a TYPE_NAME says. */
static bool name_is_known(const struct program *p, const char *what, struct str name, const struct map *lists)
{
    if (!str_starts(str_of(what), STR("list:"))) return true;
    const struct program_list *l = map_get(lists, name);
    static const struct {
        const char *name;
        enum value_type type;
    } types[] = {{"list:domain", TYPE_DOMAIN},
                 {"list:network", TYPE_NETWORK},
                 {"list:address", TYPE_ADDRESS},
                 {"list:text", TYPE_TEXT}};
    (void)p;
    for (size_t i = 0; l && i < sizeof types / sizeof *types; i++) {
        if (str_eq(str_of(types[i].name), str_of(what))) return l->type == types[i].type && !l->table.n;
    }
    return false;
}

/* An address that a field gives: its row allows it, and it is no one of several. */
static bool field_argument_holds(const struct program *p, const struct vocabulary_rows *rows,
                                 const struct param_row *param, uint32_t ref)
{
    const struct field_row *row = row_of(p, rows, ref);
    if (!row) return true;
    enum value_type type = vocabulary_part_type(row, p->field_refs[ref].part);
    return param->type == TYPE_ADDRESS && str_eq(str_of(param->words), STR("field")) && type == TYPE_ADDRESS &&
           row->of != FACT_ELEMENT;
}

/* Texts of several lines are for mails and bodies, never for a header or a reply. */
static bool text_holds(const struct param_row *param, struct str s)
{
    bool lines = param->type == TYPE_TEXT && str_eq(str_of(param->words), STR("lines"));
    for (size_t i = 0; i < s.n; i++) {
        if (lines && (s.p[i] == '\n' || s.p[i] == '\t')) continue;
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f) return false;
    }
    return true;
}

static bool number_holds(const struct param_row *param, const struct constant *c)
{
    int64_t least, most;
    if (param->type != TYPE_NUMBER) return true;
    vocabulary_range(param->words, &least, &most);
    return c->number >= least && c->number <= most;
}

/* Arguments against their row: ascending parameters, each of its type, the required ones there. */
static bool params_hold(const struct program *p, const struct vocabulary_rows *rows, const struct param_row *params,
                        size_t n, uint32_t first, uint32_t count, const struct map *lists)
{
    if (!in_arguments(p, first, count)) return true;
    size_t next = 0;
    for (uint32_t i = first; i < first + count; i++) {
        const struct argument *a = &p->arguments[i];
        if (a->param >= n || a->param < next) return false;
        for (; next < a->param; next++) {
            if (params[next].required) return false;
        }
        next = params[a->param].many ? a->param : a->param + 1u;
        if (a->operand == OPERAND_FIELD && !field_argument_holds(p, rows, &params[a->param], a->index)) return false;
        if (a->operand != OPERAND_CONSTANT) continue;
        if (a->index >= p->constants_count) continue;
        const struct constant *c = &p->constants[a->index];
        const struct param_row *row = &params[a->param];
        if (c->type != row->type || !text_holds(row, c->text) || !number_holds(row, c)) return false;
        if (c->type == TYPE_WORD && !vocabulary_has_word(row->words, c->text)) return false;
        if (c->type == TYPE_NAME && !name_is_known(p, row->words, c->text, lists)) return false;
    }
    for (; next < n; next++) {
        if (params[next].required) return false;
    }
    return true;
}

static void collect_lists(const struct program *p, struct map *lists)
{
    for (uint32_t i = 0; i < p->lists_count; i++) {
        if (p->lists[i].name.n) map_put(lists, p->lists[i].name, &p->lists[i]);
    }
}

bool verify_action_params(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    struct map lists = {0};
    bool good = true;
    collect_lists(p, &lists);
    for (uint32_t i = 0; good && i < p->actions_count; i++) {
        const struct action *a = &p->actions[i];
        if (a->action >= rows->action_count) continue;
        const struct action_row *row = &rows->actions[a->action];
        if (!params_hold(p, rows, row->params, row->param_count, a->first_argument, a->argument_count, &lists))
            good = fail(f, "actions", i);
    }
    map_free(&lists);
    return good;
}

bool verify_declaration_rows(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    for (uint32_t i = 0; i < p->declarations_count; i++) {
        if (p->declarations[i].declaration >= rows->declaration_count) return fail(f, "declarations", i);
    }
    return true;
}

bool verify_declaration_arguments(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    (void)rows;
    for (uint32_t i = 0; i < p->declarations_count; i++) {
        const struct declaration *d = &p->declarations[i];
        if (!in_arguments(p, d->first_argument, d->argument_count)) return fail(f, "declarations", i);
    }
    return true;
}

bool verify_declaration_params(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    struct map lists = {0};
    bool good = true;
    collect_lists(p, &lists);
    for (uint32_t i = 0; good && i < p->declarations_count; i++) {
        const struct declaration *d = &p->declarations[i];
        if (d->declaration >= rows->declaration_count) continue;
        const struct declaration_row *row = &rows->declarations[d->declaration];
        if (!params_hold(p, rows, row->params, row->param_count, d->first_argument, d->argument_count, &lists)) {
            good = fail(f, "declarations", i);
        }
    }
    map_free(&lists);
    return good;
}

/* Named rows have names, each once; `once` rows stand once. */
bool verify_declaration_names(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    struct map seen = {0};
    struct arena *a = arena_create();
    bool good = true;
    for (uint32_t i = 0; good && i < p->declarations_count; i++) {
        const struct declaration *d = &p->declarations[i];
        if (d->declaration >= rows->declaration_count) continue;
        const struct declaration_row *row = &rows->declarations[d->declaration];
        bool named = d->name.n != 0;
        if (named != row->named || !str_is_utf8(d->name) || has_control(d->name)) good = fail(f, "declarations", i);
        struct str key = arena_printf(a, "%s %.*s", row->name, STR_ARG(d->name));
        if ((named || row->once) && map_put(&seen, key, a)) good = fail(f, "declarations", i);
    }
    map_free(&seen);
    arena_free(&a);
    return good;
}

/* --- rules and origins --- */

bool verify_rule_options(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    (void)rows;
    for (uint32_t i = 0; i < p->rules_count; i++) {
        const struct rule *r = &p->rules[i];
        bool good = r->mode <= MODE_OFF && r->on_error <= ON_ERROR_APPLY && r->on_unreadable <= ON_UNREADABLE_SKIP;
        good = good && (!r->has_effective || r->effective.type == TYPE_DATE) &&
               (!r->has_expires || r->expires.type == TYPE_DATE);
        good = good && !has_control(r->owner) && !has_control(r->ticket) && !has_control(r->comment) &&
               !has_control(r->severity);
        if (!good) return fail(f, "rules", i);
    }
    return true;
}

bool verify_rule_order(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    (void)rows;
    for (uint32_t i = 0; i < p->rules_count; i++) {
        if (p->rules[i].priority > 9999 || (i && p->rules[i].priority < p->rules[i - 1].priority))
            return fail(f, "rules", i);
    }
    return true;
}

bool verify_rule_identities(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    (void)rows;
    struct map seen = {0};
    bool good = true;
    for (uint32_t i = 0; good && i < p->rules_count; i++) {
        struct str id = p->rules[i].identity;
        if (!id.n || id.n > 240 || has_control(id) || !str_is_utf8(id) || map_put(&seen, id, &seen))
            good = fail(f, "rules", i);
    }
    map_free(&seen);
    return good;
}

static bool origin_holds(const struct program *p, const struct origin *o)
{
    return o->source < p->sources_count && o->text.n <= ORIGIN_TEXT_MAX && !has_control(o->text);
}

bool verify_origins(const struct program *p, const struct vocabulary_rows *rows, struct verify_failure *f)
{
    (void)rows;
#define TABLE(name)                                                                                                    \
    for (uint32_t i = 0; i < p->name##_count; i++) {                                                                   \
        if (!origin_holds(p, &p->name[i].origin)) return fail(f, #name, i);                                            \
    }
    TABLE(tests)
    TABLE(actions)
    TABLE(rules)
    TABLE(declarations)
    TABLE(expectations)
    TABLE(cases)
#undef TABLE
    return true;
}
