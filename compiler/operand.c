#include "compiler/internal.h"

#include "base/limits.h"
#include "mail/domain.h"
#include "mail/fold.h"
#include "mail/like.h"
#include "pattern/required.h"

enum { REPEATS_MAX = 200 }; /* values that a further one is compared with */

/* Constants of one set, being gathered. */
struct gather_set {
    VEC(struct constant) v;
};

static struct str in_quotes(struct compiler *c, struct str name) { return arena_printf(c->a, "`%.*s`", STR_ARG(name)); }

/* --- words of an enumeration --- */

static bool add_word(struct compiler *c, const struct field_use *f, const struct ast_value *v, struct gather_set *set)
{
    struct str word = v->field ? v->field->name : v->literal->text;
    bool known = vocabulary_has_word(f->row->words, word);
    if (!v->field || !known) {
        struct diag *d =
            diag_add(c->d, DIAG_E204, v->span, "`%.*s` is never `%.*s`", STR_ARG(f->ast->name), STR_ARG(word));
        if (known) {
            diag_fix(c->d, d, "without quotes:", "%.*s", STR_ARG(word));
            return false;
        }
        struct str words[16], rest = str_of(f->row->words);
        size_t n = 0;
        while (rest.n && n < 16) {
            str_cut(rest, ' ', &words[n++], &rest);
        }
        struct str near = suggest_nearest(word, words, n);
        if (near.n) diag_fix(c->d, d, "did you mean:", "%.*s", STR_ARG(near));
        diag_fix(c->d, d, "its words are:", "%s", f->row->words);
        return false;
    }
    VEC_PUSH(&set->v, (struct constant){.type = TYPE_WORD, .text = word});
    size_t at = 0;
    for (const char *more; (more = words_covered(f->word.field, word, &at));) {
        VEC_PUSH(&set->v, (struct constant){.type = TYPE_WORD, .text = str_of(more)});
    }
    return true;
}

/* --- fields on the right side --- */

static bool right_field(struct compiler *c, const struct field_use *f, const struct ast_value *v, struct test *t)
{
    struct field_use right;
    if (f->in_where) {
        diag_add(c->d, DIAG_E210, v->span,
                 "inside `where`, the parts of the element are compared with plain values only");
        return false;
    }
    if (!check_field(c, v->field, NULL, &right)) return false;
    if (right.quantifier != Q_NONE) {
        diag_add(c->d, DIAG_E208, v->span,
                 "a quantifier stands before the first field of a test, not on its right side");
        return false;
    }
    if (right.word.type != f->word.type) {
        diag_add(c->d, DIAG_E203, v->span, "`%.*s` is %s, and `%.*s` is %s: they cannot be compared",
                 STR_ARG(f->ast->name), value_type_phrases[f->word.type], STR_ARG(v->field->name),
                 value_type_phrases[right.word.type]);
        return false;
    }
    if (right.row->of == FACT_RECIPIENT && (f->row->of != FACT_RECIPIENT || f->quantifier != Q_NONE)) {
        struct diag *d = diag_add(c->d, DIAG_E203, v->span,
                                  "`%.*s` has another value for each recipient and belongs on the left side",
                                  STR_ARG(v->field->name));
        if (f->quantifier == Q_NONE)
            diag_fix(c->d, d, "", "%.*s is %.*s", STR_ARG(v->field->name), STR_ARG(f->ast->name));
        return false;
    }
    t->operand = OPERAND_FIELD;
    t->a = right.ref;
    return true;
}

/* A name that is neither field, list nor definition: a mistyped one, or a text whose quotes were forgotten. */
static bool tell_unknown_value(struct compiler *c, enum value_type type, const char *wanted, const struct ast_value *v,
                               const char *open, const char *close)
{
    struct str name = v->field->name;
    struct diag *d = diag_add(c->d, DIAG_E200, v->span, "there is no %s `%.*s`", wanted, STR_ARG(name));
    struct str near = suggest_tried(name), found = near;
    if (!near.n) near = names_suggest(c, name);
    if (near.n) diag_fix(c->d, d, "did you mean:", "%.*s", STR_ARG(near));
    if (found.n) return false;
    /* A name alone behind `in` is a list's rather than a text, unless it looks like a domain. */
    bool dotted = str_find_byte(name, '.') != STR_NPOS, address = type == TYPE_ADDRESS && dotted;
    if (((type == TYPE_TEXT || type == TYPE_DOMAIN) && (dotted || !*open)) || address) {
        diag_fix(c->d, d, "a text stands in quotes:", "%s\"%s%.*s\"%s", open, address ? "@" : "", STR_ARG(name), close);
    }
    return false;
}

static bool is_unknown(struct compiler *c, const struct ast_value *v)
{
    struct word_field word;
    return v->field && !v->field->text && !words_find_field(v->field->name, &word) && !names_find(c, v->field->name);
}

/* A name on the right side that is neither a word nor a list is a field, or a mistake. */
static bool is_list_name(struct compiler *c, const struct ast_value *v)
{
    const struct name *n = v->field && !v->field->text ? names_find(c, v->field->name) : NULL;
    return n && n->kind != NAME_DEFINE;
}

static bool wrong_list_type(struct compiler *c, const struct field_use *f, const struct name *n, enum value_type want,
                            struct span at)
{
    struct diag *d = diag_add(c->d, DIAG_E203, at, "`%.*s` is a list of %s, and %s are wanted here", STR_ARG(n->name),
                              value_type_plurals[n->type], value_type_plurals[want]);
    diag_note(c->d, d, n->at, "it is here");
    if (f->word.type == TYPE_ADDRESS && n->type == TYPE_DOMAIN) {
        diag_fix(c->d, d, "", "%.*s.domain is in %.*s", STR_ARG(f->ast->name), STR_ARG(n->name));
    }
    return false;
}

/* --- texts --- */

/* Domains are compared by lower-case letters as people write them; texts as they are (the machine folds). */
static void text_form(struct compiler *c, const struct field_use *f, struct constant *k)
{
    if (f->word.type != TYPE_DOMAIN) return;
    struct buf b = {0};
    fold_lower_nfc(k->text, &b);
    k->text = arena_str(c->a, buf_str(&b));
    buf_free(&b);
}

/* The machine matches the folded pattern, which may be longer than what was written. */
static bool like_is_short(struct str pattern)
{
    struct buf folded = {0};
    fold_text(pattern, FOLD_TRIM, &folded, NULL);
    bool ok = pattern.n <= LIMIT_LIKE_PATTERN && like_is_valid(buf_str(&folded));
    buf_free(&folded);
    return ok;
}

static bool like_list_is_short(struct compiler *c, const struct constant *v, size_t n, struct span at)
{
    for (size_t i = 0; i < n; i++) {
        if (like_is_short(v[i].text)) continue;
        diag_add(c->d, DIAG_E219, at, "entry %zu is too long: a pattern of `like` has at most %d bytes", i + 1,
                 LIMIT_LIKE_PATTERN);
        return false;
    }
    return true;
}

/* `sender.domain ends with "@corp.example"` */
static bool domain_has_no_at(struct compiler *c, const struct field_use *f, struct str text, struct span at)
{
    size_t sign = str_rfind_byte(text, '@');
    if (sign == STR_NPOS) return true;
    struct diag *d = diag_add(c->d, DIAG_E203, at, "`%.*s` is what stands behind the @, and has none in it",
                              STR_ARG(f->ast->name));
    if (sign + 1 < text.n) diag_fix(c->d, d, "", "\"%.*s\"", STR_ARG(str_from(text, sign + 1)));
    return false;
}

/* `recipient.local is "a@b.example"`.  A quoted local part may have an @, so it is no mistake for certain. */
static void warn_local_has_at(struct compiler *c, const struct field_use *f, const struct ast_literal *l)
{
    size_t sign = str_rfind_byte(l->text, '@');
    if (f->word.part != PART_LOCAL || sign == STR_NPOS || !domain_is_valid(str_from(l->text, sign + 1), true)) return;
    struct diag *d = diag_add(c->d, DIAG_W320, l->span, "`%.*s` is what stands before the @", STR_ARG(f->ast->name));
    if (sign) diag_fix(c->d, d, "", "\"%.*s\"", STR_ARG(str_slice(l->text, 0, sign)));
}

static bool text_constant(struct compiler *c, const struct field_use *f, enum relation r, const struct ast_literal *l,
                          struct constant *out)
{
    if (!value_needle(c, l, r == REL_EQUAL || r == REL_LIKE, out)) return false;
    if (!value_can_occur(c, f->word.field, out->text, l->span, NULL)) return false;
    if (r == REL_EQUAL && !value_can_be_whole(c, f->word.field, out->text, l->span, NULL)) return false;
    if (f->word.type == TYPE_DOMAIN && !domain_has_no_at(c, f, out->text, l->span)) return false;
    if (r == REL_EQUAL) warn_local_has_at(c, f, l);
    text_form(c, f, out);
    bool starred = r == REL_EQUAL && out->text.n > 1 && (out->text.p[0] == '*' || out->text.p[out->text.n - 1] == '*');
    if (starred) {
        struct diag *d = diag_add(c->d, DIAG_W319, l->span, "`is` compares with `*` as with any other character");
        diag_fix(c->d, d, "as a wildcard:", "is like \"%.*s\"", STR_ARG(l->text));
    }
    if (r != REL_LIKE) return true;
    if (!like_is_short(out->text)) {
        diag_add(c->d, DIAG_E219, l->span, "a pattern of `like` has at most %d bytes", LIMIT_LIKE_PATTERN);
        return false;
    }
    if (str_find_byte(out->text, '*') == STR_NPOS && str_find_byte(out->text, '?') == STR_NPOS) {
        struct diag *d = diag_add(c->d, DIAG_W310, l->span, "without `*` or `?` this means the same as `is`");
        diag_fix(c->d, d, "", "is \"%.*s\"", STR_ARG(l->text));
    }
    return true;
}

/* --- sets --- */

static bool elements_can_occur(struct compiler *c, const struct field_use *f, enum relation r, const struct name *n,
                               struct span at)
{
    bool ok = true;
    for (size_t i = 0; i < n->element_count && ok && n->type == TYPE_TEXT; i++) {
        struct str text = n->elements[i].text;
        ok = value_can_occur(c, f->word.field, text, at, &n->at) &&
             (r != REL_EQUAL || value_can_be_whole(c, f->word.field, text, at, &n->at));
    }
    return ok;
}

static bool add_value(struct compiler *c, const struct field_use *f, enum relation r, enum value_type type,
                      const struct ast_value *v, struct gather_set *set)
{
    if (type == TYPE_WORD) return add_word(c, f, v, set);
    struct constant k;
    if (v->literal) {
        bool ok = type == TYPE_TEXT ? text_constant(c, f, r, v->literal, &k)
                                    : value_literal(c, v->literal, type, in_quotes(c, f->ast->name), &k);
        if (!ok) return false;
        for (size_t i = 0; i < set->v.n && i < REPEATS_MAX; i++)
            if (value_is_same(&set->v.v[i], &k)) diag_add(c->d, DIAG_W305, v->span, "this value is in the set already");
        VEC_PUSH(&set->v, k);
        return true;
    }
    if (!is_list_name(c, v)) {
        if (is_unknown(c, v)) return tell_unknown_value(c, type, "list", v, "", "");
        diag_add(c->d, DIAG_E203, v->span, "a field cannot stand among the values of a set: write a test of its own");
        return false;
    }
    struct name *n = names_list(c, v->field->name, v->span);
    if (!n) return false;
    if (n->type != type) return wrong_list_type(c, f, n, type, v->span);
    if (!lists_are_written(c, n, v->span, r == REL_EQUAL ? "… is in" : NULL)) return false;
    if (r == REL_LIKE && !like_list_is_short(c, n->elements, n->element_count, v->span)) return false;
    if (!elements_can_occur(c, f, r, n, v->span)) return false;
    for (size_t i = 0; i < n->element_count; i++) {
        k = n->elements[i];
        text_form(c, f, &k);
        VEC_PUSH(&set->v, k);
    }
    return true;
}

/* Constants of a set become the test's operand: a named list alone stays that list. */
static bool set_operand(struct compiler *c, const struct field_use *f, enum relation r, enum value_type type,
                        const struct ast_set *set, struct test *t)
{
    const struct ast_value *only = set->parenthesised ? NULL : set->values;
    bool words = type == TYPE_WORD;
    if (only && only->field && !words) {
        if (!is_list_name(c, only)) {
            struct word_field word;
            if (r == REL_EQUAL && words_find_field(only->field->name, &word)) return right_field(c, f, only, t);
            if (is_unknown(c, only)) return tell_unknown_value(c, type, "list", only, "(", ")");
            return names_list(c, only->field->name, only->span) != NULL; /* which tells what else it is */
        }
        struct name *n = names_list(c, only->field->name, only->span);
        if (!n) return false;
        if (n->type != type) return wrong_list_type(c, f, n, type, only->span);
        if (n->live && r == REL_EQUAL) {
            t->operand = OPERAND_LIVE;
            t->a = n->index;
            return true;
        }
        if (!lists_are_written(c, n, only->span, NULL)) return false;
        if (r == REL_LIKE && !like_list_is_short(c, n->elements, n->element_count, only->span)) return false;
        if (!elements_can_occur(c, f, r, n, only->span)) return false;
        if (type != TYPE_TEXT || f->word.type != TYPE_DOMAIN) {
            t->operand = OPERAND_LIST;
            t->a = n->index;
            return true;
        }
    }
    struct gather_set all = {0};
    bool ok = true;
    for (const struct ast_value *v = set->values; v; v = v->next) {
        if (!add_value(c, f, r, type, v, &all)) ok = false;
    }
    if (ok) {
        t->operand = OPERAND_LIST;
        t->a = pool_list(&c->pool, STR_NONE, type, all.v.v, all.v.n);
    }
    VEC_FREE(&all.v);
    return ok;
}

/* --- one value --- */

static bool constant_operand(struct compiler *c, const struct constant *k, struct test *t)
{
    t->operand = OPERAND_CONSTANT;
    t->a = pool_constant(&c->pool, k);
    return true;
}

static bool value_operand(struct compiler *c, const struct field_use *f, enum relation r, const struct ast_value *v,
                          struct test *t)
{
    enum value_type type = f->word.type;
    struct constant k;
    if (type == TYPE_WORD && !(v->field && !vocabulary_has_word(f->row->words, v->field->name) &&
                               words_find_field(v->field->name, &(struct word_field){0}))) {
        struct gather_set words = {0};
        bool ok = add_word(c, f, v, &words);
        if (ok && words.v.n == 1) {
            constant_operand(c, &words.v.v[0], t);
        } else if (ok) {
            t->operand = OPERAND_LIST;
            t->a = pool_list(&c->pool, STR_NONE, TYPE_WORD, words.v.v, words.v.n);
        }
        VEC_FREE(&words.v);
        return ok;
    }
    if (v->literal) {
        bool ok = type == TYPE_TEXT ? text_constant(c, f, r, v->literal, &k)
                                    : value_literal(c, v->literal, type, in_quotes(c, f->ast->name), &k);
        return ok && constant_operand(c, &k, t);
    }
    if (is_list_name(c, v)) {
        if (names_find(c, v->field->name)->kind == NAME_BROKEN) return false;
        struct diag *d = diag_add(c->d, DIAG_E203, v->span, "`%.*s` is a list: a value can be in it, not be it",
                                  STR_ARG(v->field->name));
        if (r == REL_EQUAL) diag_fix(c->d, d, "", "is in %.*s", STR_ARG(v->field->name));
        names_find(c, v->field->name)->used = true;
        return false;
    }
    if (is_unknown(c, v)) return tell_unknown_value(c, type, "field or definition", v, "", "");
    return right_field(c, f, v, t);
}

static bool range_operand(struct compiler *c, const struct field_use *f, const struct ast_verb *v, struct test *t)
{
    struct constant low, high;
    struct str of = in_quotes(c, f->ast->name);
    if (!v->value->literal || !v->value2->literal) {
        diag_add(c->d, DIAG_E203, v->span, "`between` takes two plain values");
        return false;
    }
    bool ok = value_literal(c, v->value->literal, f->word.type, of, &low);
    ok = value_literal(c, v->value2->literal, f->word.type, of, &high) && ok;
    if (!ok) return false;
    if (low.number > high.number && f->word.type != TYPE_CLOCK) { /* a range of the clock wraps past midnight */
        struct diag *d = diag_add(c->d, DIAG_E203, v->value2->span, "the range ends before it begins");
        diag_note(c->d, d, v->value->span, "it begins here");
        return false;
    }
    t->operand = OPERAND_RANGE;
    t->a = pool_constant(&c->pool, &low);
    t->b = pool_constant(&c->pool, &high);
    return true;
}

/* [EXTERNAL]: a word was meant. */
static bool is_bracketed_word(struct str s)
{
    if (s.n < 5 || s.p[0] != '[' || s.p[s.n - 1] != ']') return false;
    for (size_t i = 1; i + 1 < s.n; i++)
        if (!ascii_is_alpha(s.p[i])) return false;
    return true;
}

static bool pattern_operand(struct compiler *c, const struct ast_verb *v, struct test *t)
{
    VEC(struct pattern_source) all = {0};
    bool ok = true;
    for (const struct ast_value *x = v->set ? v->set->values : v->value; x; x = x->next) {
        struct pattern_source p;
        if (!x->literal) {
            diag_add(c->d, DIAG_E203, x->span, "`matches` takes patterns between slashes: /like this/");
            ok = false;
        } else if (value_pattern(c, x->literal, &p)) {
            if (!pattern_required(p.text, p.flags, NULL)) {
                struct diag *d =
                    diag_add(c->d, DIAG_W308, x->span,
                             "no word stands in every text this matches, so it must be tried on every message");
                if (is_bracketed_word(p.text)) {
                    diag_note(c->d, d, x->span, "brackets in a pattern mean one of the characters in them");
                    diag_fix(c->d, d, "the text itself:", "contains \"%.*s\"", STR_ARG(p.text));
                }
            }
            VEC_PUSH(&all, p);
        } else {
            ok = false;
        }
        if (!v->set) break;
    }
    if (ok && all.n) {
        t->operand = OPERAND_PATTERNS;
        t->all = v->many == MANY_ALL;
        t->a = pool_patterns(&c->pool, all.v, all.n);
        t->b = (uint32_t)all.n;
    }
    ok = ok && all.n;
    VEC_FREE(&all);
    return ok;
}

/* The text after contains, starts with, ends with, like, whatever the field's type; or a set of texts. */
static bool affix_operand(struct compiler *c, const struct field_use *f, const struct ast_verb *v, struct test *t)
{
    struct constant k;
    if (v->set) return set_operand(c, f, (enum relation)t->relation, TYPE_TEXT, v->set, t);
    if (!v->value || !v->value->literal) return false;
    return text_constant(c, f, (enum relation)t->relation, v->value->literal, &k) && constant_operand(c, &k, t);
}

/* --- contains --- */

static bool check_counts(struct compiler *c, const struct ast_verb *v, struct test *t)
{
    if (!v->counted && v->many != MANY_AT_LEAST) return true;
    t->counted = true;
    t->least = v->least;
    t->most = v->many == MANY_AT_LEAST ? -1 : v->most;
    if (t->least < 1) {
        struct diag *d = diag_add(c->d, DIAG_E203, v->span, "counting begins at 1: `at least %lld` always holds",
                                  (long long)t->least);
        diag_fix(c->d, d, "none at all:", "does not contain …");
        return false;
    }
    return t->most == -1 || t->most >= t->least; /* the grammar told the other case */
}

static bool contains_operand(struct compiler *c, const struct field_use *f, const struct ast_verb *v, struct test *t)
{
    if (v->detector.n) return check_counts(c, v, t) && detectors_operand(c, v, t);
    t->word = v->word;
    if (!check_counts(c, v, t)) return false;
    t->all = v->many == MANY_ALL;
    if (!affix_operand(c, f, v, t)) return false;
    if (!v->set) return true;
    uint32_t n = c->pool.lists.v[t->a].count;
    if (v->many == MANY_AT_LEAST && t->least > n) {
        diag_add(c->d, DIAG_E203, v->set->span, "there are only %u of them, so `at least %lld` can never hold", n,
                 (long long)t->least);
        return false;
    }
    return true;
}

/* --- by verb --- */

bool check_operand(struct compiler *c, const struct field_use *f, const struct ast_verb *v, struct test *t)
{
    switch (v->kind) {
    case VERB_IS:
    case VERB_IS_OVER:
    case VERB_IS_UNDER:
    case VERB_IS_AT_LEAST:
    case VERB_IS_AT_MOST:
    case VERB_IS_BEFORE:
    case VERB_IS_AFTER: return value_operand(c, f, (enum relation)t->relation, v->value, t);
    case VERB_IS_ANY_OF:
    case VERB_IS_IN: return set_operand(c, f, REL_EQUAL, f->word.type, v->set, t);
    case VERB_IS_LIKE:
    case VERB_STARTS_WITH:
    case VERB_ENDS_WITH: return affix_operand(c, f, v, t);
    case VERB_IS_PRESENT:
    case VERB_IS_ABSENT: t->operand = OPERAND_NONE; return true;
    case VERB_IS_BETWEEN: return range_operand(c, f, v, t);
    case VERB_CONTAINS: return contains_operand(c, f, v, t);
    case VERB_MATCHES: return pattern_operand(c, v, t);
    }
    return false;
}
