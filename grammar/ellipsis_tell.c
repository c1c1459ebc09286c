/* What is refused of ellipsis, and how it is told: always with the readings written out. */
#include "grammar/ellipsis.h"
#include "grammar/words.h"

enum { SNIPPET_MAX = 60, READING_UNITS_MAX = 8, VALUES_MAX = 8 };

/* --- what was written, on one line ------------------------------------------------------------------------------- */

/* Copies one quoted text or pattern from s.p[0]; answers its length. */
static size_t copy_quoted(struct buf *out, struct str s)
{
    char quote = s.p[0];
    bool in_class = false;
    size_t i = 1;
    for (; i < s.n && (s.p[i] != quote || in_class); i++) {
        if (quote == '/' && s.p[i] == '[') in_class = true;
        else if (quote == '/' && s.p[i] == ']') in_class = false;
        if (s.p[i] == '\\' && i + 1 < s.n) i++;
    }
    if (i < s.n) i++;
    buf_add(out, str_slice(s, 0, i));
    return i;
}

/* The source of a span without its layout and comments, shortened in the middle of nothing: at its end. */
static void add_snippet(const struct fold *f, struct buf *out, struct span at)
{
    struct str s = str_slice(f->source->text, at.from, at.to);
    struct buf line = {0};
    for (size_t i = 0; i < s.n && line.n < 4 * SNIPPET_MAX;) {
        char c = s.p[i];
        size_t end;
        if (c == '"' || c == '/') i += copy_quoted(&line, str_from(s, i));
        else if (c == '#') i = (end = str_find_byte(str_from(s, i), '\n')) == STR_NPOS ? s.n : i + end;
        else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            if (line.n && line.p[line.n - 1] != ' ') buf_add_byte(&line, ' ');
            i++;
        } else {
            buf_add_byte(&line, c);
            i++;
        }
    }
    struct str text = str_trim(buf_str(&line));
    if (text.n > SNIPPET_MAX) {
        size_t n = SNIPPET_MAX;
        while (n && ((unsigned char)text.p[n] & 0xc0) == 0x80) n--;
        buf_add(out, str_slice(text, 0, n));
        buf_add(out, STR("…"));
    } else buf_add(out, text);
    buf_free(&line);
}

/* --- and beside or ----------------------------------------------------------------------------------------------- */

/* One reading: neighbours joined by `tight` stand in parentheses. */
static void add_reading(const struct fold *f, struct buf *out, const struct fold_unit *u, size_t n, bool or_is_tight)
{
    for (size_t i = 0; i < n;) {
        size_t end = i + 1;
        while (end < n && u[end].or_before == or_is_tight) end++;
        if (i) buf_add(out, or_is_tight ? STR(" and ") : STR(" or "));
        if (end - i > 1) buf_add_byte(out, '(');
        for (size_t j = i; j < end; j++) {
            if (j > i) buf_add(out, or_is_tight ? STR(" or ") : STR(" and "));
            add_snippet(f, out, u[j].span);
        }
        if (end - i > 1) buf_add_byte(out, ')');
        i = end;
    }
}

void tell_mixed_units(const struct fold *f, const struct fold_unit *u, size_t n)
{
    size_t second = 2;
    while (second < n && u[second].or_before == u[1].or_before) second++;
    struct diag *d = diag_add(f->diags, DIAG_E121, u[second].connective,
                              "`and` and `or` stand beside each other; say with parentheses which comes first");
    diag_note(f->diags, d, u[1].connective, "%s", "");
    if (n > READING_UNITS_MAX) return;
    struct buf b = {0};
    add_reading(f, &b, u, n, false);
    diag_fix(f->diags, d, "`and` first:", "%.*s", STR_ARG(buf_str(&b)));
    b.n = 0;
    add_reading(f, &b, u, n, true);
    diag_fix(f->diags, d, "`or` first:", "%.*s", STR_ARG(buf_str(&b)));
    buf_free(&b);
}

void tell_mixed_run(const struct fold *f, const struct operand *first, const struct operand *last)
{
    const struct operand *o = first->next;
    while (o != last && o->next->or_before == first->next->or_before) o = o->next;
    struct span at = o == last ? last->connective : o->next->connective;
    struct diag *d = diag_add(f->diags, DIAG_E121, at,
                              "the fields of one verb are joined by `and` or by `or`, not by both");
    diag_note(f->diags, d, first->next->connective, "%s", "");
}

/* --- restrictions on runs ---------------------------------------------------------------------------------------- */

static void add_verb(struct buf *out, const struct ast_verb *v)
{
    const struct writer w = {out, false};
    buf_add_byte(out, ' ');
    write_verb(&w, v);
}

/* subject contains "x" or any attachment.name contains "x": every field with the verb of its own. */
static void fix_each_field(const struct fold *f, struct diag *d, const char *label, const struct operand *first,
                           const struct operand *last, const struct ast_verb *verb)
{
    struct buf b = {0};
    size_t n = 0;
    for (const struct operand *o = first; n < READING_UNITS_MAX; o = o->next, n++) {
        const struct operand *core = operand_core(o);
        if (core->kind != OPERAND_FIELD) break;
        if (n) buf_add(&b, o->or_before ? STR(" or ") : STR(" and "));
        for (const struct operand *i = o; i != core; i = i->inner) buf_add(&b, STR("not "));
        add_snippet(f, &b, core->field->span);
        add_verb(&b, verb);
        if (o == last) {
            diag_fix(f->diags, d, label, "%.*s", STR_ARG(buf_str(&b)));
            break;
        }
    }
    buf_free(&b);
}

void tell_quantified_run(const struct fold *f, const struct operand *quantified, const struct operand *first,
                         const struct operand *last, const struct ast_verb *verb)
{
    struct diag *d = diag_add(f->diags, DIAG_E124, quantified->field->span,
                              "`%s` cannot stand in a run of fields that share a verb",
                              words_quantifier(quantified->field->quantifier));
    diag_note(f->diags, d, verb->span, "%s", "");
    fix_each_field(f, d, "", first, last, verb);
}

void tell_not_in_run(const struct fold *f, const struct operand *first, const struct operand *last)
{
    const struct operand *culprit = first->kind == OPERAND_NOT ? first : last;
    const struct operand *core = operand_core(last);
    struct span at = {culprit->span.source, culprit->span.from, culprit->span.from + 3};
    struct diag *d = diag_add(f->diags, DIAG_E125, at,
                              "`not` in a run of fields that share a verb can be heard in two ways");
    if (core->verb->negated) return;
    fix_each_field(f, d, "this one only:", first, last, core->verb);
    if (first->kind != OPERAND_NOT) return;
    struct buf b = {0};
    buf_add(&b, STR("not ("));
    for (const struct operand *o = first;; o = o->next) {
        if (o != first) buf_add(&b, o->or_before ? STR(" or ") : STR(" and "));
        add_snippet(f, &b, operand_core(o)->field->span);
        if (o == last || b.n > 4 * SNIPPET_MAX) break;
    }
    buf_add_byte(&b, ')');
    add_verb(&b, core->verb);
    diag_fix(f->diags, d, "all of them:", "%.*s", STR_ARG(buf_str(&b)));
    buf_free(&b);
}

void tell_negative_run(const struct fold *f, const struct ast_field *fields, const struct ast_verb *verb)
{
    struct diag *d = diag_add(f->diags, DIAG_E126, verb->span,
                              "a negative verb after fields joined by `or` can be heard in two ways");
    const struct ast_field *tail = fields;
    while (tail->next) tail = tail->next;
    diag_note(f->diags, d, span_join(fields->span, tail->span), "%s", "");
    struct buf neither = {0}, one = {0};
    size_t n = 0;
    for (const struct ast_field *i = fields; i && n < READING_UNITS_MAX; i = i->next, n++) {
        if (n) buf_add(&neither, STR(" and ")), buf_add(&one, STR(" or "));
        add_snippet(f, &neither, i->span);
        add_snippet(f, &one, i->span);
        add_verb(&one, verb);
    }
    add_verb(&neither, verb);
    diag_fix(f->diags, d, "in none of them:", "%.*s", STR_ARG(buf_str(&neither)));
    diag_fix(f->diags, d, "not in each of them:", "%.*s", STR_ARG(buf_str(&one)));
    buf_free(&neither);
    buf_free(&one);
}

void tell_group_with_verb(const struct fold *f, const struct operand *group, const struct operand *culprit)
{
    struct diag *d = diag_add(f->diags, DIAG_E128, group->verb->span,
                              "the parentheses before this verb hold more than fields");
    diag_note(f->diags, d, culprit->span, "%s", "");
}

/* --- what has no field ------------------------------------------------------------------------------------------- */

/* The one object of a verb that a set could hold as well, or NULL. */
static const struct ast_value *single_object(const struct ast_verb *v)
{
    bool joins = v->kind == VERB_IS || v->kind == VERB_IS_LIKE || v->kind == VERB_CONTAINS || v->kind == VERB_MATCHES ||
                 v->kind == VERB_STARTS_WITH || v->kind == VERB_ENDS_WITH;
    return joins && v->value && !v->set && !v->counted && !v->detector.n ? v->value : NULL;
}

static const struct ast_literal *object_of(const struct operand *o, const struct ast_verb *donor)
{
    if (o->kind == OPERAND_LITERAL) return o->literal;
    const struct ast_value *v = single_object(o->verb);
    bool same = o->verb->kind == donor->kind && o->verb->negated == donor->negated && o->verb->word == donor->word;
    return v && same ? v->literal : NULL;
}

/* subject contains any of ("x", "y"): when all that follows joins by one connective with the donor's object. */
static bool fix_as_set(const struct fold *f, struct diag *d, const struct operand *first, const struct operand *last,
                       const struct operand *donor)
{
    const struct ast_verb *verb = donor->verb;
    const struct ast_value *value = single_object(verb);
    bool can_be_all = verb->kind == VERB_CONTAINS || verb->kind == VERB_MATCHES, is_or = first->or_before;
    if (!value || !value->literal || (!verb->negated && !is_or && !can_be_all)) return false;
    struct buf b = {0};
    const struct writer w = {&b, false};
    add_snippet(f, &b, donor->field->span);
    buf_add_byte(&b, ' ');
    write_verb_words(&w, verb);
    /* `does not contain "x" and "y"` means neither: `does not contain any of`.  With `or` most mean that as well. */
    buf_add(&b, !is_or && !verb->negated ? STR(" all") : STR(" any"));
    buf_add(&b, verb->word ? STR(" word of (") : STR(" of ("));
    write_value(&w, value);
    size_t n = 1;
    bool joins = true;
    for (const struct operand *o = first; joins; o = o->next) {
        const struct ast_literal *l = object_of(o, verb);
        joins = l && l->kind == value->literal->kind && o->or_before == is_or && ++n <= VALUES_MAX;
        if (!joins) break;
        buf_add(&b, STR(", "));
        write_literal(&w, l);
        if (o == last) break;
    }
    buf_add_byte(&b, ')');
    if (joins) diag_fix(f->diags, d, verb->negated && is_or ? "none of them:" : "", "%.*s", STR_ARG(buf_str(&b)));
    buf_free(&b);
    return joins && !(verb->negated && is_or);
}

/* … or subject is over 5: the field said again. */
static void fix_with_field(const struct fold *f, struct diag *d, const struct operand *o, const struct operand *donor)
{
    const char *label = donor->verb->negated && o->or_before && d->fix_count ? "not one of them:" : "";
    struct buf b = {0};
    const struct writer w = {&b, false};
    buf_add(&b, o->or_before ? STR("or ") : STR("and "));
    add_snippet(f, &b, donor->field->span);
    buf_add_byte(&b, ' ');
    if (o->kind == OPERAND_VERB) write_verb(&w, o->verb);
    else {
        write_verb_words(&w, donor->verb);
        buf_add_byte(&b, ' ');
        write_literal(&w, o->literal);
    }
    diag_fix(f->diags, d, label, "%.*s", STR_ARG(buf_str(&b)));
    buf_free(&b);
}

void tell_fieldless(const struct fold *f, const struct operand *first, const struct operand *last,
                    const struct operand *donor)
{
    bool verb = first->kind == OPERAND_VERB;
    struct diag *d = diag_add(f->diags, verb ? DIAG_E122 : DIAG_E123, first->span,
                              verb ? "this verb has no field; say what it speaks of" : "a value alone is no condition");
    if (!donor) return;
    diag_note(f->diags, d, donor->span, "%s", "");
    if (!fix_as_set(f, d, first, last, donor) && (verb || donor->verb->value)) fix_with_field(f, d, first, donor);
}
