#include "compiler/internal.h"

/* Which verbs a field of each type has, and the relation each asks for. */
enum {
    T_TEXT = 1 << TYPE_TEXT,
    T_ADDRESS = 1 << TYPE_ADDRESS,
    T_DOMAIN = 1 << TYPE_DOMAIN,
    T_MEASURE = 1 << TYPE_NUMBER | 1 << TYPE_SIZE | 1 << TYPE_DURATION,
    T_TIME = 1 << TYPE_DATE | 1 << TYPE_CLOCK,
    T_NETWORK = 1 << TYPE_NETWORK,
    T_WORD = 1 << TYPE_WORD,
    T_ALL = T_TEXT | T_ADDRESS | T_DOMAIN | T_MEASURE | T_TIME | T_NETWORK | T_WORD
};
static const struct verb_row {
    enum ast_verb_kind verb;
    enum relation relation;
    unsigned types;
    const char *words;
} verbs[] = {
    {VERB_IS, REL_EQUAL, T_ALL, "is"},
    {VERB_IS_ANY_OF, REL_EQUAL, T_ALL, "is any of"},
    {VERB_IS_IN, REL_EQUAL, T_ALL, "is in"},
    {VERB_IS_LIKE, REL_LIKE, T_TEXT | T_ADDRESS | T_DOMAIN, "is like"},
    {VERB_CONTAINS, REL_CONTAINS, T_TEXT | T_ADDRESS, "contains"},
    {VERB_MATCHES, REL_MATCHES, T_TEXT | T_ADDRESS, "matches"},
    {VERB_STARTS_WITH, REL_STARTS, T_TEXT | T_ADDRESS, "starts with"},
    {VERB_ENDS_WITH, REL_ENDS, T_TEXT | T_ADDRESS | T_DOMAIN, "ends with"},
    {VERB_IS_OVER, REL_OVER, T_MEASURE, "is over"},
    {VERB_IS_UNDER, REL_UNDER, T_MEASURE, "is under"},
    {VERB_IS_AT_LEAST, REL_AT_LEAST, T_MEASURE, "is at least"},
    {VERB_IS_AT_MOST, REL_AT_MOST, T_MEASURE, "is at most"},
    {VERB_IS_BEFORE, REL_BEFORE, T_TIME, "is before"},
    {VERB_IS_AFTER, REL_AFTER, T_TIME, "is after"},
    {VERB_IS_BETWEEN, REL_BETWEEN, T_MEASURE | T_TIME, "is between"},
    {VERB_IS_PRESENT, REL_PRESENT, T_ALL, "is present"},
    {VERB_IS_ABSENT, REL_PRESENT, T_ALL, "is absent"},
};
enum { VERBS = sizeof verbs / sizeof *verbs };

const char *words_verb(enum value_type type, size_t i)
{
    for (size_t k = 0; k < VERBS; k++) {
        if (verbs[k].types & 1u << type && i-- == 0) return verbs[k].words;
    }
    return NULL;
}

static const struct verb_row *verb_of(enum ast_verb_kind kind)
{
    for (size_t i = 0; i < VERBS; i++) {
        if (verbs[i].verb == kind) return &verbs[i];
    }
    INVARIANT(!"every verb has a row");
    return NULL;
}

/* The verb meant, when another type's was used: over a date is after it, and the other way round. */
static const char *meant(enum ast_verb_kind kind, enum value_type type)
{
    static const struct {
        enum ast_verb_kind said;
        unsigned types;
        const char *instead;
    } instead[] = {
        {VERB_IS_OVER, T_TIME, "is after"},
        {VERB_IS_UNDER, T_TIME, "is before"},
        {VERB_IS_AT_LEAST, T_TIME, "is after"},
        {VERB_IS_AT_MOST, T_TIME, "is before"},
        {VERB_IS_BEFORE, T_MEASURE, "is under"},
        {VERB_IS_AFTER, T_MEASURE, "is over"},
        {VERB_CONTAINS, T_DOMAIN | T_WORD | T_MEASURE, "is"},
        {VERB_CONTAINS, T_NETWORK, "is in"},
        {VERB_STARTS_WITH, T_DOMAIN, "is like"},
        {VERB_MATCHES, T_DOMAIN, "is like"},
        {VERB_IS_LIKE, T_NETWORK, "is in"},
        {VERB_MATCHES, T_NETWORK, "is in"},
        {VERB_STARTS_WITH, T_NETWORK, "is in"},
    };
    for (size_t i = 0; i < sizeof instead / sizeof *instead; i++) {
        if (instead[i].said == kind && instead[i].types & 1u << type) return instead[i].instead;
    }
    return NULL;
}

static void tell_verb(struct compiler *c, const struct field_use *f, const struct verb_row *row,
                      const struct ast_verb *v)
{
    struct str name = f->ast->name;
    enum value_type type = f->word.type;
    struct diag *d;
    if (type == TYPE_YESNO) {
        d = diag_add(c->d, DIAG_E212, v->span, "`%.*s` says yes or no by itself and takes no verb", STR_ARG(name));
        const struct ast_literal *text = f->ast->text;
        diag_fix(c->d, d, "", text ? "%s%.*s \"%.*s\"" : "%s%.*s", v->negated ? "not " : "", STR_ARG(name),
                 STR_ARG(text ? text->text : STR_NONE));
        return;
    }
    d = diag_add(c->d, DIAG_E202, v->span, "`%.*s` is %s, which `%s` cannot be asked of", STR_ARG(name),
                 value_type_phrases[type], row->words);
    const char *instead = meant(row->verb, type);
    if (instead) diag_fix(c->d, d, "did you mean:", "%.*s %s", STR_ARG(name), instead);
    struct buf all = {0};
    for (size_t i = 0; i < VERBS; i++) {
        if (verbs[i].types & 1u << type) buf_printf(&all, "%s%s", all.n ? ", " : "", verbs[i].words);
    }
    diag_fix(c->d, d, "its verbs are:", "%.*s", STR_ARG(buf_str(&all)));
    buf_free(&all);
}

/* Verbs that mean "all of them" to some readers and "one of them" to others (LANGUAGE section 2). */
static bool needs_quantifier(enum relation r, bool negated)
{
    return negated || r == REL_UNDER || r == REL_AT_MOST || r == REL_BETWEEN || r == REL_BEFORE;
}

static bool choose_quantifier(struct compiler *c, const struct field_use *f, const struct ast_verb *v, struct test *t)
{
    t->quantifier = (uint8_t)f->quantifier;
    if (f->in_where || f->quantifier != Q_NONE || f->row->of != FACT_ELEMENT) return true;
    if (t->relation == REL_PRESENT && f->word.part == PART_WHOLE) return true; /* of the whole */
    if (!needs_quantifier((enum relation)t->relation, t->negated)) {
        t->quantifier = Q_ANY;
        return true;
    }
    struct str name = f->ast->name, text = c->d->sources->list.v[v->span.source]->text;
    struct str verb = str_slice(text, v->span.from, v->span.to);
    if (f->ast->text) name = str_slice(text, f->ast->name_span.from, f->ast->text->span.to);
    struct diag *d =
        diag_add(c->d, DIAG_E207, f->ast->span, "`%.*s` can have several values; say which you mean", STR_ARG(name));
    diag_note(c->d, d, v->span, "this can be meant of one of them, or of all");
    diag_fix(c->d, d, "one of them, at least:", "any %.*s %.*s", STR_ARG(name), STR_ARG(verb));
    diag_fix(c->d, d, "there are some, and all of them:", "every %.*s %.*s", STR_ARG(name), STR_ARG(verb));
    return false;
}

static struct ir *test_ir(struct compiler *c, const struct field_use *f, struct test *t, struct span at)
{
    t->origin = load_origin(c, at);
    struct ir *x = ir_new(c, IR_TEST, NULL, NULL);
    x->index = pool_test(&c->pool, t);
    x->content = words_reads_content(f->word.field) ||
                 (t->operand == OPERAND_FIELD && words_reads_content(c->pool.field_refs.v[t->a].field));
    x->recipients = !f->in_where && f->row->of == FACT_RECIPIENT && t->quantifier == Q_NONE;
    return x;
}

struct ir *check_bare(struct compiler *c, const struct field_use *f, struct span at)
{
    struct str name = f->ast->name;
    if (f->word.type != TYPE_YESNO) {
        struct diag *d = diag_add(c->d, DIAG_E213, f->ast->span, "`%.*s` is %s; say what it must be", STR_ARG(name),
                                  value_type_phrases[f->word.type]);
        if (f->word.part == PART_WHOLE)
            diag_fix(c->d, d, "for example:", "%s", f->row->example);
        else
            diag_fix(c->d, d, "for example:", "%.*s is present", STR_ARG(name));
        return NULL;
    }
    struct test t = {.field = f->ref, .relation = REL_TRUE, .a = NO_INDEX, .b = NO_INDEX};
    bool one = f->in_where || f->row->of != FACT_ELEMENT;
    t.quantifier = (uint8_t)(one || f->quantifier != Q_NONE ? f->quantifier : Q_ANY); /* a positive verb's reading */
    return test_ir(c, f, &t, at);
}

struct ir *check_test(struct compiler *c, const struct field_use *f, const struct ast_verb *v, struct span at)
{
    const struct verb_row *row = verb_of(v->kind);
    if (!(row->types & 1u << f->word.type)) {
        tell_verb(c, f, row, v);
        return NULL;
    }
    struct test t = {.field = f->ref, .relation = (uint8_t)row->relation, .most = -1, .a = NO_INDEX, .b = NO_INDEX};
    t.negated = v->negated != (v->kind == VERB_IS_ABSENT);
    bool ok = choose_quantifier(c, f, v, &t);
    ok = check_operand(c, f, v, &t) && ok;
    return ok ? test_ir(c, f, &t, at) : NULL;
}
