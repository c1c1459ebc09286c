#include "compiler/internal.h"

#include "mail/header_emit.h"

/* --- the intermediate form --- */

static uint16_t most(uint16_t a, uint16_t b) { return a > b ? a : b; }
/* What an operand needs behind a first one: a chain of the same kind is written out flat. */
static uint16_t behind(const struct ir *x, enum ir_kind kind)
{
    return x->kind == kind ? x->rest : (uint16_t)(x->need + 1);
}
static uint32_t sum(uint32_t a, uint32_t b) { return a + b < COMPILER_CODE_MAX ? a + b : COMPILER_CODE_MAX; }

struct ir *ir_new(struct compiler *c, enum ir_kind kind, struct ir *left, struct ir *right)
{
    struct ir *x = ARENA_NEW(c->a, struct ir);
    x->kind = kind;
    x->left = left;
    x->right = right;
    x->height = x->need = 1;
    x->size = 1;
    if (left) {
        x->height = (uint16_t)(left->height + 1);
        x->need = left->need;
        x->size = sum(left->size, kind == IR_LOOP ? 2 : 1);
        x->content = left->content;
        x->recipients = kind != IR_LOOP && left->recipients;
    }
    if (right) {
        x->height = most(x->height, (uint16_t)(right->height + 1));
        x->rest = most(behind(left, kind), behind(right, kind));
        x->need = most(left->need, behind(right, kind));
        x->size = sum(x->size, sum(right->size, 1)); /* the operator and a jump */
        x->content |= right->content;
        x->recipients |= right->recipients;
    }
    return x;
}

/* --- fields --- */

static void tell_unknown(struct compiler *c, const struct ast_field *f, const struct where_scope *where)
{
    struct str name = f->name;
    const struct name *known = names_find(c, name);
    struct diag *d;
    if (known && known->kind == NAME_BROKEN) return;
    if (where) {
        d = diag_add(c->d, DIAG_E210, f->name_span,
                     "inside `where`, only the parts of `%.*s` may be named, and `%.*s` is none", STR_ARG(where->name),
                     STR_ARG(name));
        struct str parts[16];
        size_t n = 0;
        for (size_t i = 0; i < words_part_count; i++) parts[n++] = str_of(words_parts[i].name);
        struct str near = suggest_nearest(name, parts, n);
        if (near.n) diag_fix(c->d, d, "did you mean:", "%.*s", STR_ARG(near));
        return;
    }
    if (known && known->kind == NAME_LIST) {
        d = diag_add(c->d, DIAG_E200, f->name_span, "`%.*s` is a list; a test begins with a field", STR_ARG(name));
        bool domains = str_eq(known->item->element_type, STR("domain"));
        diag_fix(c->d, d, "", "%s is in %.*s", domains ? "recipient.domain" : "…", STR_ARG(name));
        return;
    }
    d = diag_add(c->d, DIAG_E200, f->name_span, "there is no field or definition `%.*s`", STR_ARG(name));
    for (size_t i = 0; i < words_rows.field_count && !d->fix_count; i++) {
        const struct field_row *row = &words_rows.fields[i]; /* … or sunday */
        if (row->type != TYPE_WORD || !vocabulary_has_word(row->words, name)) continue;
        diag_fix(c->d, d, "a test of its own:", "%s is %.*s", row->name, STR_ARG(name));
        diag_fix(c->d, d, "several words of one field:", "%s is any of (…, %.*s)", row->name, STR_ARG(name));
    }
    names_help(c, d, name, NULL, 0);
}

/* Inside `where` a name is a part of the element, bare or behind the element's own name. */
static bool find_field(const struct where_scope *where, struct compiler *c, struct str name, struct word_field *out)
{
    if (!where) return words_find_field(name, out);
    struct str full = arena_printf(c->a, "%.*s.%.*s", STR_ARG(where->name), STR_ARG(name));
    if (words_find_field(full, out)) return true;
    if (!str_eq(name, where->name) &&
        !(str_starts(name, where->name) && name.n > where->name.n && name.p[where->name.n] == '.')) {
        return false;
    }
    return words_find_field(name, out);
}

static bool check_field_text(struct compiler *c, const struct ast_field *f, const struct field_row *row)
{
    if (row->text == FIELD_TEXT_NONE) {
        if (!f->text) return true;
        struct diag *d =
            diag_add(c->d, DIAG_E220, f->text->span, "no text may follow `%s`; a verb is missing", row->name);
        if (row->type == TYPE_TEXT) diag_fix(c->d, d, "", "%s contains \"%.*s\"", row->name, STR_ARG(f->text->text));
        return false;
    }
    if (!f->text) {
        struct diag *d =
            diag_add(c->d, DIAG_E218, f->name_span, "`%s` needs a text behind it: which one is meant", row->name);
        diag_fix(c->d, d, "", "%s \"%s\"", row->name, row->text == FIELD_TEXT_HEADER ? "X-Name" : "name");
        return false;
    }
    bool good = f->text->kind == LITERAL_TEXT && f->text->text.n &&
                (row->text != FIELD_TEXT_HEADER || header_name_is_valid(f->text->text));
    struct diag *d = NULL;
    if (!good)
        d = diag_add(c->d, DIAG_E219, f->text->span,
                 row->text == FIELD_TEXT_HEADER ? "this is no name of a header field"
                 : row->text == FIELD_TEXT_MARK ? "a mark has a name of at least one character"
                                                : "a name has at least one character");
    size_t colon = d && f->text->kind == LITERAL_TEXT ? str_find_byte(f->text->text, ':') : STR_NPOS;
    struct str header = colon == STR_NPOS ? STR_NONE : str_trim(str_slice(f->text->text, 0, colon));
    if (row->text == FIELD_TEXT_HEADER && header_name_is_valid(header)) {
        struct str value = str_trim(str_from(f->text->text, colon + 1));
        diag_fix(c->d, d, "", value.n ? "%s \"%.*s\" contains \"%.*s\"" : "%s \"%.*s\"", row->name, STR_ARG(header),
                 STR_ARG(value));
    }
    return good;
}

bool check_field(struct compiler *c, const struct ast_field *f, const struct where_scope *where, struct field_use *out)
{
    *out = (struct field_use){.ast = f, .quantifier = (enum quantifier)f->quantifier, .in_where = where != NULL};
    const struct name *known = where ? NULL : names_find(c, f->name);
    if (known && known->kind == NAME_DEFINE) {
        struct diag *d = diag_add(c->d, DIAG_E212, f->span,
                                  "`%.*s` is a definition: it is a complete test and stands alone", STR_ARG(f->name));
        diag_note(c->d, d, known->at, "it is defined here");
        return false;
    }
    if (!find_field(where, c, f->name, &out->word)) {
        tell_unknown(c, f, where);
        return false;
    }
    out->row = &words_rows.fields[out->word.field];
    if (!check_field_text(c, f, out->row)) return false;
    if (f->quantifier != QUANTIFIER_NONE && (where || out->row->of == FACT_MESSAGE)) {
        struct diag *d = diag_add(c->d, DIAG_E208, f->span,
                                  where ? "inside `where` there is one element, and no quantifier"
                                        : "`%.*s` has one value, so a quantifier says nothing",
                                  STR_ARG(f->name));
        diag_fix(c->d, d, "", "%.*s", STR_ARG(f->name));
        return false;
    }
    if (out->word.part == PART_NAME && out->row->of != FACT_ELEMENT) {
        struct diag *d = diag_add(c->d, DIAG_W316, f->name_span,
                                  "`%.*s` is always absent: the envelope carries no names", STR_ARG(f->name));
        diag_fix(c->d, d, "the header's:", "%s",
                 str_eq(str_of(out->row->name), STR("sender")) ? "from.name" : "to.name");
    }
    if (out->row->needs) names_warn_needs(c, f->name_span, out->row->name, out->row->needs);
    out->ref = pool_field(&c->pool, out->word.field, f->text ? f->text->text : STR_NONE, out->word.part);
    return true;
}

/* --- conditions --- */

static struct ir *check_where(struct compiler *c, const struct ast_condition *cond, const struct where_scope *outer)
{
    struct word_field word;
    if (outer) {
        diag_add(c->d, DIAG_E210, cond->span, "a `where` cannot stand inside another");
        return NULL;
    }
    if (!words_find_field(cond->name, &word)) {
        struct diag *d = diag_add(c->d, DIAG_E200, cond->name_span, "there is no field `%.*s`", STR_ARG(cond->name));
        names_help(c, d, cond->name, NULL, 0);
        return NULL;
    }
    const struct field_row *row = &words_rows.fields[word.field];
    if (row->of == FACT_MESSAGE || !words_have_parts(&word)) {
        struct diag *d =
            diag_add(c->d, DIAG_E210, cond->name_span,
                     "`%.*s` has no elements with parts, so `where` says nothing of it", STR_ARG(cond->name));
        diag_fix(c->d, d, "fields that have:", "recipient, from, to, cc, reply_to, attachment");
        return NULL;
    }
    struct where_scope where = {word.field, cond->name};
    struct ir *body = check_condition(c, cond->left, &where);
    if (!body) return NULL;
    struct ir *x = ir_new(c, IR_LOOP, body, NULL);
    x->index = pool_field(&c->pool, word.field, STR_NONE, PART_WHOLE);
    x->quantifier = (enum quantifier)cond->quantifier;
    return x;
}

/* The fields of a run share the verb; `and` and `or` between them are of the run. */
static struct ir *check_run(struct compiler *c, const struct ast_condition *cond, const struct where_scope *where)
{
    struct ir *chain = NULL;
    struct field_use first, use;
    bool ok = true, have = false;
    for (const struct ast_field *f = cond->fields; f; f = f->next) {
        if (!check_field(c, f, where, &use)) {
            ok = false;
            continue;
        }
        if (!have) {
            first = use;
            have = true;
        } else if (use.word.type != first.word.type) {
            struct diag *d =
                diag_add(c->d, DIAG_E209, f->span, "`%.*s` is %s, and `%.*s` is %s: one verb cannot serve both",
                         STR_ARG(f->name), value_type_phrases[use.word.type], STR_ARG(first.ast->name),
                         value_type_phrases[first.word.type]);
            diag_note(c->d, d, first.ast->span, "the run begins here");
            ok = false;
            continue;
        }
        struct ir *test = ok ? check_test(c, &use, cond->verb, cond->span) : NULL;
        if (test) test->at = cond->fields->next ? f->span : cond->span;
        if (!test)
            ok = false;
        else
            chain = chain ? ir_new(c, cond->run_is_and ? IR_AND : IR_OR, chain, test) : test;
        if (!ok && have) break; /* one error about the verb is enough */
    }
    return ok ? chain : NULL;
}

static struct ir *check_single(struct compiler *c, const struct ast_condition *cond, const struct where_scope *where)
{
    const struct ast_field *f = cond->fields;
    if (cond->verb) return check_run(c, cond, where);
    struct name *n = names_find(c, f->name);
    if (n && n->kind == NAME_BROKEN) return NULL;
    if (n && n->kind == NAME_DEFINE) {
        if (where) {
            diag_add(c->d, DIAG_E210, f->span,
                     "a definition cannot be used inside `where`: it speaks of the whole message");
            return NULL;
        }
        if (f->quantifier != QUANTIFIER_NONE || f->text) {
            diag_add(c->d, DIAG_E208, f->span, "`%.*s` is a definition: it stands alone", STR_ARG(f->name));
            return NULL;
        }
        return names_define(c, n, f->span);
    }
    struct field_use use;
    return check_field(c, f, where, &use) ? check_bare(c, &use, cond->span) : NULL;
}

static struct ir *check_kinds(struct compiler *c, const struct ast_condition *cond, const struct where_scope *where)
{
    struct ir *left, *right;
    switch (cond->kind) {
    case CONDITION_ALWAYS: return ir_new(c, IR_ALWAYS, NULL, NULL);
    case CONDITION_NOT:
        left = check_condition(c, cond->left, where);
        return left ? ir_new(c, IR_NOT, left, NULL) : NULL;
    case CONDITION_AND:
    case CONDITION_OR:
        left = check_condition(c, cond->left, where);
        right = check_condition(c, cond->right, where);
        return left && right ? ir_new(c, cond->kind == CONDITION_AND ? IR_AND : IR_OR, left, right) : NULL;
    case CONDITION_WHERE: return check_where(c, cond, where);
    case CONDITION_TEST: return cond->fields ? check_single(c, cond, where) : NULL;
    case CONDITION_CHAIN: break; /* ast_fold leaves none */
    }
    return NULL;
}

struct ir *check_condition(struct compiler *c, const struct ast_condition *cond, const struct where_scope *where)
{
    if (!cond || cond->refused) return NULL;
    struct ir *x = NULL;
    if (c->depth < COMPILER_DEPTH_MAX) {
        c->depth++;
        x = check_kinds(c, cond, where);
        c->depth--;
        if (x && !x->at.to) x->at = cond->span;
        if (!x || x->height <= COMPILER_DEPTH_MAX) return x;
    }
    diag_add(c->d, DIAG_E232, cond->span, "with its definitions written out this condition is nested more than %d deep",
             COMPILER_DEPTH_MAX);
    return NULL;
}
