#include "compiler/internal.h"

#include "base/civil.h"
#include "base/ip.h"
#include "mail/address.h"

/* Tests in the rule files (LANGUAGE section 8): facts and expectations become rows that judge/cases runs. */

enum { CASE_MAIL_MAX = 16 * 1024 * 1024, CASE_RECIPIENTS_MAX = 1000 };

/* One test under check. */
struct case_use {
    struct compiler *c;
    const struct unit *unit;
    const struct ast_item *item;
    struct program_case row;
    struct map given; /* "field text" -> struct ast_fact */
    struct constant date;
    int64_t minutes;
    bool has_date, has_time; /* a date may bring its time of day with it */
};

static bool refuse(struct case_use *u, struct span at, const char *why)
{
    diag_add(u->c->d, DIAG_E230, at, "%s", why);
    return false;
}

/* Elements under construction. */
struct values {
    VEC(struct constant) v;
};

static uint32_t keep_values(struct case_use *u, struct values *v, enum value_type type)
{
    uint32_t list = pool_list(&u->c->pool, STR_NONE, type, v->v.v, v->v.n);
    VEC_FREE(&v->v);
    return list;
}

/* --- values of fields --------------------------------------------------------------------------------------------- */

static bool is_envelope(struct str field) { return str_eq(field, STR("sender")) || str_eq(field, STR("recipient")); }

static bool address_value(struct case_use *u, struct str field, const struct ast_argument *a, struct constant *out)
{
    struct address parsed;
    if (a->kind != ARGUMENT_LITERAL || a->literal->kind != LITERAL_TEXT)
        return refuse(u, a->span, "an address is given in quotes: \"a@b.example\"");
    *out = (struct constant){.type = TYPE_TEXT, .text = a->literal->text};
    if (!is_envelope(field) || address_parse(out->text, ADDRESS_UTF8, &parsed)) return true;
    struct diag *d = diag_add(u->c->d, DIAG_E230, a->span, "`%.*s` is no address that an envelope can have",
                              STR_ARG(a->literal->text));
    if (str_eq(field, STR("sender")) && !out->text.n)
        diag_fix(u->c->d, d, "no sender, as in a bounce:", "sender absent");
    return false;
}

static bool field_value(struct case_use *u, const struct field_row *row, const struct ast_argument *a,
                        struct constant *out)
{
    struct str name = str_of(row->name);
    if (row->type == TYPE_ADDRESS) return address_value(u, name, a, out);
    if (row->type == TYPE_WORD) {
        if (a->kind == ARGUMENT_NAME && vocabulary_has_word(row->words, a->name)) {
            *out = (struct constant){.type = TYPE_WORD, .text = a->name};
            return true;
        }
        struct diag *d = diag_add(u->c->d, DIAG_E230, a->span, "`%s` is never this", row->name);
        diag_fix(u->c->d, d, "its words are:", "%s", row->words);
        return false;
    }
    if (a->kind != ARGUMENT_LITERAL) return refuse(u, a->span, "a value is wanted here");
    struct str of = arena_printf(u->c->a, "`%s`", row->name);
    if (row->type == TYPE_TEXT) {
        if (a->literal->kind != LITERAL_TEXT) return value_literal(u->c, a->literal, TYPE_TEXT, of, out);
        *out = (struct constant){.type = TYPE_TEXT, .text = a->literal->text};
        return value_can_occur(u->c, (uint32_t)(row - words_rows.fields), out->text, a->span, NULL);
    }
    if (!value_literal(u->c, a->literal, row->type, of, out)) return false;
    if (row->type == TYPE_NETWORK && ip_compare(out->low, out->high) != 0)
        return refuse(u, a->span, "one address is given, no range of them");
    if (row->type == TYPE_DOMAIN && str_starts(out->text, STR("*.")))
        return refuse(u, a->span, "a domain is given whole, without `*`");
    return true;
}

static bool take_value(struct case_use *u, const struct field_row *row, const struct ast_argument *a,
                       struct values *out)
{
    if (a->kind != ARGUMENT_GROUP) {
        struct constant k;
        if (!field_value(u, row, a, &k)) return false;
        VEC_PUSH(&out->v, k);
        return true;
    }
    bool several = row->many || str_eq(str_of(row->name), STR("recipient"));
    bool ok = several || !a->entries->next || refuse(u, a->span, "this has one value only");
    for (const struct ast_entry *e = a->entries; e && ok; e = e->next) {
        if (e->arguments->next || e->arguments->kind == ARGUMENT_GROUP)
            ok = refuse(u, e->span, "one value is wanted here");
        else
            ok = take_value(u, row, e->arguments, out);
    }
    return ok;
}

static void add_given(struct case_use *u, enum given_kind kind, uint32_t index, uint32_t list)
{
    VEC_PUSH(&u->c->pool.givens, (struct given){(uint8_t)kind, index, list});
}

static bool once(struct case_use *u, const struct ast_fact *f, struct str text)
{
    struct str key = arena_printf(u->c->a, "%.*s %.*s", STR_ARG(f->name), STR_ARG(text));
    const struct ast_fact *before = map_put(&u->given, key, (void *)f);
    if (!before) return true;
    struct diag *d = diag_add(u->c->d, DIAG_E230, f->span, "`%.*s` is given twice", STR_ARG(f->name));
    diag_note(u->c->d, d, before->span, "it is here already");
    return false;
}

/* The text behind header, marked …: the first of the details. */
static bool take_text(struct case_use *u, const struct field_row *row, const struct ast_fact *f,
                      const struct ast_argument **details, struct str *text)
{
    const struct ast_argument *first = *details;
    *text = STR_NONE;
    if (row->text == FIELD_TEXT_NONE) return true;
    if (!first || first->kind != ARGUMENT_LITERAL || first->literal->kind != LITERAL_TEXT || !first->literal->text.n)
        return refuse(u, f->span, "a text in quotes says which: header \"X-Foo\", marked \"seen\"");
    *text = first->literal->text;
    *details = first->next;
    return true;
}

static bool field_fact(struct case_use *u, const struct ast_fact *f, const struct word_field *word)
{
    const struct field_row *row = &words_rows.fields[word->field];
    const struct ast_argument *a = f->details;
    struct str text;
    if (word->part != PART_WHOLE) {
        struct str whole = str_slice(f->name, 0, str_rfind_byte(f->name, '.'));
        struct diag *d = diag_add(u->c->d, DIAG_E230, f->name_span, "a part of an address is not given alone");
        diag_fix(u->c->d, d, "give the whole:", "%.*s \"a@b.example\"", STR_ARG(whole));
        return false;
    }
    if (!take_text(u, row, f, &a, &text) || !once(u, f, text)) return false;
    uint32_t ref = pool_field(&u->c->pool, word->field, text, PART_WHOLE);
    if (f->absent || f->negated) {
        if (f->negated && row->type != TYPE_YESNO) {
            struct diag *d = diag_add(u->c->d, DIAG_E230, f->span, "only what says yes or no is given with `not`");
            diag_fix(u->c->d, d, "", "%.*s absent", STR_ARG(f->name));
            return false;
        }
        if (a) return refuse(u, a->span, "nothing more stands here");
        if (str_eq(f->name, STR("recipient"))) return refuse(u, f->span, "a message has a recipient");
        add_given(u, GIVEN_ABSENT, ref, NO_INDEX);
        return true;
    }
    if (row->type == TYPE_YESNO) {
        if (a) return refuse(u, a->span, "this says yes or no by itself; no is given with `not`");
        add_given(u, GIVEN_YES, ref, NO_INDEX);
        return true;
    }
    if (!a) {
        struct str said = str_slice(u->unit->source->text, f->span.from, f->span.to);
        struct diag *d = diag_add(u->c->d, DIAG_E230, f->span, "`%.*s` is given without a value", STR_ARG(f->name));
        diag_fix(u->c->d, d, "that there is none:", "%.*s absent", STR_ARG(said));
        return false;
    }
    if (a->next) return refuse(u, a->next->span, "several values stand in parentheses: (\"a\", \"b\")");
    struct values v = {0};
    bool ok = take_value(u, row, a, &v);
    if (ok && v.v.n > CASE_RECIPIENTS_MAX) ok = refuse(u, a->span, "a test is given at most 1000 values of a field");
    if (ok) add_given(u, GIVEN_VALUES, ref, keep_values(u, &v, row->type == TYPE_ADDRESS ? TYPE_TEXT : row->type));
    VEC_FREE(&v.v);
    return ok;
}

/* --- other facts -------------------------------------------------------------------------------------------------- */

static bool element_value(struct case_use *u, const struct name *n, const struct ast_argument *a, struct values *out)
{
    struct constant k;
    bool ok = true;
    if (a->kind == ARGUMENT_GROUP) {
        for (const struct ast_entry *e = a->entries; e && ok; e = e->next) {
            if (e->arguments->next)
                ok = refuse(u, e->span, "one value is wanted here");
            else
                ok = element_value(u, n, e->arguments, out);
        }
        return ok;
    }
    if (a->kind != ARGUMENT_LITERAL) return refuse(u, a->span, "an element is wanted here");
    ok = n->type == TYPE_TEXT ? value_needle(u->c, a->literal, true, &k)
                              : value_literal(u->c, a->literal, n->type, STR("this list"), &k);
    if (ok) VEC_PUSH(&out->v, k);
    return ok;
}

static bool list_fact(struct case_use *u, const struct ast_fact *f, struct name *n)
{
    if (!names_list(u->c, f->name, f->name_span)) return false;
    if (!n->live) {
        struct diag *d = diag_add(u->c->d, DIAG_E230, f->name_span,
                                  "`%.*s` is written in the rules; only a list in a table is given", STR_ARG(f->name));
        diag_note(u->c->d, d, n->at, "it is here");
        return false;
    }
    if (!once(u, f, STR_NONE)) return false;
    if (f->negated || f->absent || !f->details || f->details->next)
        return refuse(u, f->span, "the elements of a list stand in parentheses: (\"a\", \"b\"); without, it is empty");
    struct values v = {0};
    bool ok = element_value(u, n, f->details, &v);
    if (ok) add_given(u, GIVEN_ELEMENTS, n->index, keep_values(u, &v, n->type));
    VEC_FREE(&v.v);
    return ok;
}

static const struct ast_literal *one_literal(const struct ast_fact *f, enum ast_literal_kind kind)
{
    const struct ast_argument *a = f->details;
    bool good = !f->negated && !f->absent && a && !a->next && a->kind == ARGUMENT_LITERAL && a->literal->kind == kind;
    return good ? a->literal : NULL;
}

/* Files end lines with LF; on the wire they end with CR LF. */
static struct str wire_form(struct compiler *c, struct str file)
{
    struct buf out = {0};
    for (size_t i = 0; i < file.n; i++) {
        if (file.p[i] == '\n' && (i == 0 || file.p[i - 1] != '\r')) buf_add_byte(&out, '\r');
        buf_add_byte(&out, file.p[i]);
    }
    struct str s = pool_text(&c->pool, buf_str(&out));
    buf_free(&out);
    return s;
}

static bool message_fact(struct case_use *u, const struct ast_fact *f)
{
    struct compiler *c = u->c;
    const struct ast_literal *path = one_literal(f, LITERAL_TEXT);
    if (!path) return refuse(u, f->span, "a message is named by its file: message \"mail/secret.eml\"");
    struct source *s = load_source(c, load_join(c, u->unit->directory, path->text), path->span);
    if (!s) return false;
    if (s->text.n > CASE_MAIL_MAX) return refuse(u, path->span, "the message of a test has at most 16 MiB");
    u->row.mail = (uint32_t)c->pool.mails.n;
    for (uint32_t i = 0; i < c->pool.mails.n; i++) {
        if (str_eq(c->pool.mails.v[i].name, s->name)) u->row.mail = i;
    }
    if (u->row.mail == c->pool.mails.n)
        VEC_PUSH(&c->pool.mails, (struct program_mail){pool_text(&c->pool, s->name), wire_form(c, s->text)});
    return true;
}

static bool mode_fact(struct case_use *u, const struct ast_fact *f)
{
    const struct ast_argument *a = f->details;
    if (f->negated || f->absent || !a || a->next || a->kind != ARGUMENT_NAME || !str_eq(a->name, STR("enforce")))
        return refuse(u, f->span, "a test can be given `mode enforce`: audit rules then run as if they were enforced");
    u->row.enforce = true;
    return true;
}

static bool date_fact(struct case_use *u, const struct ast_fact *f)
{
    const struct ast_literal *l = one_literal(f, LITERAL_DATE);
    if (!l) return refuse(u, f->span, "a date is given as 2026-09-01, or with the time of day: 2026-09-01T18:00");
    u->date = (struct constant){.number = l->number, .date_only = l->date_only};
    u->has_date = true;
    u->has_time |= !l->date_only;
    return true;
}

static bool time_fact(struct case_use *u, const struct ast_fact *f)
{
    const struct ast_literal *l = one_literal(f, LITERAL_CLOCK);
    if (!l) return refuse(u, f->span, "a time of day is given as 18:00");
    u->minutes = l->number;
    u->has_time = true;
    return true;
}

static bool check_fact(struct case_use *u, const struct ast_fact *f)
{
    static const struct {
        const char *name;
        bool (*check)(struct case_use *u, const struct ast_fact *f);
    } special[] = {{"message", message_fact}, {"mode", mode_fact}, {"date", date_fact}, {"time", time_fact}};
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        if (str_eq(f->name, str_of(special[i].name))) return once(u, f, STR_NONE) && special[i].check(u, f);
    }
    struct word_field word;
    if (words_find_field(f->name, &word)) return field_fact(u, f, &word);
    struct name *n = names_find(u->c, f->name);
    if (n && n->kind == NAME_LIST) return list_fact(u, f, n);
    if (n && n->kind == NAME_BROKEN) return false;
    struct diag *d =
        diag_add(u->c->d, DIAG_E230, f->name_span, "`%.*s` is no fact that can be given", STR_ARG(f->name));
    if (!n) names_help(u->c, d, f->name, NULL, 0);
    return false;
}

static void settle_clock(struct case_use *u)
{
    enum { DAY = 86400, SOME_DAY = 20454 }; /* 2026-01-01, for tests that only give a time of day */
    u->row.windows = u->has_date;
    u->row.now = u->has_date ? u->date.number : (int64_t)SOME_DAY * DAY;
    if (!u->has_date || u->date.date_only) u->row.now += u->minutes * 60;
}

/* --- expectations ------------------------------------------------------------------------------------------------- */

static bool recipients_of(struct case_use *u, const struct ast_argument *a, struct values *out)
{
    struct constant k;
    if (a->kind == ARGUMENT_GROUP) {
        bool ok = true;
        for (const struct ast_entry *e = a->entries; e && ok; e = e->next) {
            if (e->arguments->next)
                ok = refuse(u, e->span, "one address is wanted here");
            else
                ok = recipients_of(u, e->arguments, out);
        }
        return ok;
    }
    if (a->kind == ARGUMENT_NAME) {
        struct name *n = names_list(u->c, a->name, a->span);
        if (!n || !lists_are_written(u->c, n, a->span, NULL)) return false;
        if (n->type != TYPE_ADDRESS) return refuse(u, a->span, "recipients are named by a list of addresses");
        for (size_t i = 0; i < n->element_count; i++) VEC_PUSH(&out->v, n->elements[i]);
        return true;
    }
    if (!value_literal(u->c, a->literal, TYPE_ADDRESS, STR("`for`"), &k)) return false;
    VEC_PUSH(&out->v, k);
    return true;
}

/* `for` and what follows it, when that names recipients: `for 2 hours` stays the action's own. */
static struct ast_argument **find_for(struct ast_argument **first)
{
    for (struct ast_argument **at = first; *at; at = &(*at)->next) {
        const struct ast_argument *a = *at, *next = a->next;
        if (a->kind != ARGUMENT_NAME || !str_eq(a->name, STR("for")) || !next) continue;
        bool text = next->kind == ARGUMENT_LITERAL && next->literal->kind == LITERAL_TEXT;
        if (text || next->kind == ARGUMENT_GROUP || next->kind == ARGUMENT_NAME) return at;
    }
    return NULL;
}

static bool take_recipients(struct case_use *u, struct ast_action *a, struct expectation *x)
{
    struct ast_argument **at = find_for(&a->arguments);
    struct values v = {0};
    x->list = NO_INDEX;
    if (!at) return true;
    struct ast_argument *after = (*at)->next->next;
    bool ok = recipients_of(u, (*at)->next, &v) && (v.v.n || refuse(u, (*at)->next->span, "nobody is named here"));
    if (ok) x->list = keep_values(u, &v, TYPE_ADDRESS);
    VEC_FREE(&v.v);
    *at = after; /* what is left is the action's own */
    return ok;
}

static bool check_expectation(struct case_use *u, struct ast_action *a)
{
    struct compiler *c = u->c;
    struct expectation x = {.action = NO_INDEX, .origin = load_origin(c, a->span)};
    if (!take_recipients(u, a, &x)) return false;
    if (str_eq(a->name, STR("nothing"))) {
        if (a->arguments) return refuse(u, a->arguments->span, "`nothing` takes only `for` and recipients");
        if (x.list == NO_INDEX && (u->item->expect != a || a->next))
            return refuse(u, a->span, "`nothing` for everybody cannot stand beside other expectations");
        VEC_PUSH(&c->pool.expectations, x);
        return true;
    }
    x.action = words_find_action(a->name);
    if (x.action == WORDS_NONE) {
        struct str names[256];
        size_t n = 0;
        for (; n < words_rows.action_count && n < 255; n++) names[n] = str_of(words_rows.actions[n].name);
        names[n++] = STR("nothing");
        struct diag *d =
            diag_add(c->d, DIAG_E230, a->name_span, "there is no action `%.*s` to expect", STR_ARG(a->name));
        names_help(c, d, a->name, names, n);
        return false;
    }
    const struct action_row *row = &words_rows.actions[x.action];
    struct argument_rows rows = {.what = arena_printf(c->a, "`%s`", row->name).p,
                                 .params = row->params,
                                 .n = row->param_count,
                                 .action = true,
                                 .partial = true};
    struct bound bound[ACTION_PARAMS_MAX];
    if (!arguments_bind(c, &rows, a->name_span, a->arguments, bound)) return false;
    arguments_record(c, bound, row->param_count, &x.first_argument, &x.argument_count);
    VEC_PUSH(&c->pool.expectations, x);
    return true;
}

/* --- whose rules take part ---------------------------------------------------------------------------------------- */

/* The fields of the clock. */
static const struct str clock_fields[] = {{"time", 4}, {"date", 4}, {"weekday", 7}};
enum { CLOCK_TIME, CLOCK_DATE, CLOCK_WEEKDAY, CLOCK_FIELDS };

/* Of the tests of one unit: as many tests as rules would make a square of it. */
struct scope {
    bool known;
    uint32_t first, count;    /* of the pool's scopes */
    bool reads[CLOCK_FIELDS]; /* which of them its rules read */
};

/* The file of the test and what it imports, directly or not. */
static void mark_scope(struct compiler *c, const struct unit *unit, bool *in)
{
    if (in[unit->index]) return;
    in[unit->index] = true;
    for (const struct ast_item *i = unit->ast->items; i; i = i->next) {
        if (i->kind != ITEM_IMPORT || !i->text) continue;
        const struct unit *other = load_imported(c, unit, i);
        if (other) mark_scope(c, other, in);
    }
}

static bool in_scope(const struct compiler *c, const struct scope *s, uint32_t source)
{
    for (uint32_t i = 0; i < s->count; i++) {
        if (c->pool.scopes.v[s->first + i] == source) return true;
    }
    return false;
}

static void clocks_read(struct compiler *c, const struct rule *r, bool reads[CLOCK_FIELDS])
{
    for (uint32_t pc = r->first; pc < r->end; pc++) {
        if (instruction_op(c->pool.code.v[pc]) != OP_TEST) continue;
        const struct test *t = &c->pool.tests.v[instruction_operand(c->pool.code.v[pc])];
        uint32_t refs[2] = {t->field, t->operand == OPERAND_FIELD ? t->a : t->field};
        for (size_t i = 0; i < 2; i++) {
            struct str name = str_of(words_rows.fields[c->pool.field_refs.v[refs[i]].field].name);
            for (size_t k = 0; k < CLOCK_FIELDS; k++) reads[k] |= str_eq(name, clock_fields[k]);
        }
    }
}

static void scope_take(struct compiler *c, const struct unit *unit, struct scope *s)
{
    if (s->known) return;
    bool *in = ARENA_ARRAY(c->a, bool, c->units.n);
    mark_scope(c, unit, in);
    s->known = true;
    s->first = (uint32_t)c->pool.scopes.n;
    for (size_t i = 0; i < c->units.n; i++) {
        if (in[i]) VEC_PUSH(&c->pool.scopes, c->units.v[i]->source->number - c->first_source);
    }
    s->count = (uint32_t)c->pool.scopes.n - s->first;
    for (size_t i = 0; i < c->pool.rules.n; i++) {
        const struct rule *r = &c->pool.rules.v[i];
        if (in_scope(c, s, r->origin.source)) clocks_read(c, r, s->reads);
    }
}

static const struct ast_fact *given_weekday(const struct case_use *u) { return map_get(&u->given, STR("weekday ")); }

/* What the clock says must not depend on when the test is run: what a rule reads and the test does not say is
 * unsaid. */
static void leave_clock_open(struct case_use *u, const bool reads[CLOCK_FIELDS])
{
    struct compiler *c = u->c;
    bool said[CLOCK_FIELDS] = {u->has_time, u->has_date, u->has_date || given_weekday(u)};
    for (size_t i = 0; i < CLOCK_FIELDS; i++) {
        struct word_field word;
        if (!reads[i] || said[i] || !words_find_field(clock_fields[i], &word)) continue;
        add_given(u, GIVEN_UNSAID, pool_field(&c->pool, word.field, STR_NONE, PART_WHOLE), NO_INDEX);
    }
}

static bool weekday_is_of_date(struct case_use *u)
{
    static const struct str days[] = {{"sunday", 6},   {"monday", 6}, {"tuesday", 7}, {"wednesday", 9},
                                      {"thursday", 8}, {"friday", 6}, {"saturday", 8}};
    const struct ast_fact *f = given_weekday(u);
    if (!u->has_date || !f || !f->details || f->details->kind != ARGUMENT_NAME) return true;
    const struct civil day = civil_of(u->date.number, 0);
    if (str_eq(f->details->name, days[day.weekday])) return true;
    diag_add(u->c->d, DIAG_E230, f->span, "the date given is a %.*s", STR_ARG(days[day.weekday]));
    return false;
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static bool check_case(struct compiler *c, const struct item_ref *ref, struct scope *scope)
{
    struct case_use u = {.c = c, .unit = ref->unit, .item = ref->item};
    const struct str name = ref->item->text->text;
    bool ok = true;
    u.row = (struct program_case){.mail = NO_INDEX, .origin = load_origin(c, ref->item->text->span)};
    for (size_t i = 0; i < name.n; i++) {
        if ((unsigned char)name.p[i] >= 0x20 && name.p[i] != 0x7f) continue;
        ok = refuse(&u, ref->item->text->span, "the name of a test is one line");
        break;
    }
    u.row.name = pool_text(&c->pool, name);
    u.row.first_given = (uint32_t)c->pool.givens.n;
    for (const struct ast_fact *f = ref->item->facts; f; f = f->next) ok = check_fact(&u, f) && ok;
    u.row.first_expectation = (uint32_t)c->pool.expectations.n;
    for (struct ast_action *a = ref->item->expect; a; a = a->next) ok = check_expectation(&u, a) && ok;
    u.row.expectation_count = (uint32_t)c->pool.expectations.n - u.row.first_expectation;
    settle_clock(&u);
    scope_take(c, ref->unit, scope);
    u.row.first_scope = scope->first;
    u.row.scope_count = scope->count;
    leave_clock_open(&u, scope->reads);
    u.row.given_count = (uint32_t)c->pool.givens.n - u.row.first_given;
    ok = weekday_is_of_date(&u) && ok;
    map_free(&u.given);
    if (ok) VEC_PUSH(&c->pool.cases, u.row);
    return ok;
}

void cases_check(struct compiler *c)
{
    struct scope *scopes = ARENA_ARRAY(c->a, struct scope, c->units.n);
    for (size_t i = 0; i < c->items.n; i++) {
        const struct item_ref *ref = &c->items.v[i];
        if (ref->item->kind == ITEM_TEST && ref->item->text) check_case(c, ref, &scopes[ref->unit->index]);
    }
}
