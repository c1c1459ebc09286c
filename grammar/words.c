/* Parts of the tree written back as the language. */
#include "grammar/words.h"

#include <string.h>

const char *words_quantifier(enum ast_quantifier q)
{
    static const char *const words[] = {"", "any", "every", "no"};
    return words[q];
}

/* --- literals ---------------------------------------------------------------------------------------------------- */

void write_text(struct buf *out, struct str value)
{
    buf_add_byte(out, '"');
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if (c == '"' || c == '\\') buf_add_byte(out, '\\'), buf_add_byte(out, (char)c);
        else if (c == '\n') buf_add(out, STR("\\n"));
        else if (c == '\t') buf_add(out, STR("\\t"));
        else if (c < 0x20 || c == 0x7f) buf_printf(out, "\\u{%x}", c);
        else buf_add_byte(out, (char)c);
    }
    buf_add_byte(out, '"');
}

/* 10MB, 10 mb and 10 MB are one: a blank between, sizes in capitals, durations in small letters. */
static void write_with_unit(struct buf *out, struct str s, bool capitals)
{
    size_t digits = 0, start = s.n;
    while (digits < s.n && ascii_is_digit(s.p[digits])) digits++;
    while (start > digits && ascii_is_alpha(s.p[start - 1])) start--;
    buf_add(out, str_slice(s, 0, digits));
    buf_add_byte(out, ' ');
    for (size_t i = start; i < s.n; i++) {
        char c = ascii_lower(s.p[i]);
        buf_add_byte(out, capitals ? (char)(c - 32) : c);
    }
}

static void write_lower(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) buf_add_byte(out, ascii_lower(s.p[i]));
}

static void write_detail(struct buf *out, const struct ast_literal *l)
{
    static const char *const names[] = {"text", "regex", "number", "size", "duration", "date", "clock", "network"};
    if (l->kind == LITERAL_TEXT || l->kind == LITERAL_REGEX) return;
    buf_printf(out, "{%s", names[l->kind]);
    if (l->kind != LITERAL_NETWORK) buf_printf(out, " %lld", (long long)l->number);
    if (l->date_only) buf_add(out, STR(" day"));
    if (l->date_zoned) buf_add(out, STR(" utc"));
    buf_add_byte(out, '}');
}

void write_literal(const struct writer *w, const struct ast_literal *l)
{
    static const char flags[] = "smxc";
    switch (l->kind) {
    case LITERAL_TEXT: write_text(w->out, l->text); break;
    case LITERAL_REGEX:
        buf_add_byte(w->out, '/');
        buf_add(w->out, l->text);
        buf_add_byte(w->out, '/');
        for (size_t i = 0; i < 4; i++)
            if (l->flags & (1u << i)) buf_add_byte(w->out, flags[i]);
        break;
    case LITERAL_SIZE: write_with_unit(w->out, l->text, true); break;
    case LITERAL_DURATION: write_with_unit(w->out, l->text, false); break;
    case LITERAL_NETWORK: write_lower(w->out, l->text); break;
    case LITERAL_NUMBER: case LITERAL_DATE: case LITERAL_CLOCK: buf_add(w->out, l->text); break;
    }
    if (w->detail) write_detail(w->out, l);
}

/* --- arguments, values ------------------------------------------------------------------------------------------- */

void write_argument(const struct writer *w, const struct ast_argument *a)
{
    switch (a->kind) {
    case ARGUMENT_LITERAL: write_literal(w, a->literal); return;
    case ARGUMENT_NAME: buf_add(w->out, a->name); return;
    case ARGUMENT_NO: buf_add(w->out, STR("no")); return;
    case ARGUMENT_GROUP: break;
    }
    buf_add_byte(w->out, '(');
    for (const struct ast_entry *e = a->entries; e; e = e->next) {
        for (const struct ast_argument *i = e->arguments; i; i = i->next) {
            if (i != e->arguments) buf_add_byte(w->out, ' ');
            write_argument(w, i);
        }
        if (e->next) buf_add(w->out, STR(", "));
    }
    buf_add_byte(w->out, ')');
}

void write_arguments(const struct writer *w, const struct ast_argument *first)
{
    for (; first; first = first->next) {
        buf_add_byte(w->out, ' ');
        write_argument(w, first);
    }
}

void write_field(const struct writer *w, const struct ast_field *f)
{
    if (f->quantifier) buf_printf(w->out, "%s ", words_quantifier(f->quantifier));
    buf_add(w->out, f->name);
    if (!f->text) return;
    buf_add_byte(w->out, ' ');
    write_literal(w, f->text);
}

void write_value(const struct writer *w, const struct ast_value *v)
{
    if (v->literal) write_literal(w, v->literal);
    else write_field(w, v->field);
}

void write_values(const struct writer *w, const struct ast_value *first)
{
    for (const struct ast_value *v = first; v; v = v->next) {
        if (v != first) buf_add(w->out, STR(", "));
        write_value(w, v);
    }
}

void write_set(const struct writer *w, const struct ast_set *s)
{
    if (s->parenthesised) buf_add_byte(w->out, '(');
    write_values(w, s->values);
    if (s->parenthesised) buf_add_byte(w->out, ')');
}

/* --- verbs ------------------------------------------------------------------------------------------------------- */

/* How a verb is said: positively, negatively. */
static const struct {
    const char *positive, *negative;
} verb_words[] = {
    [VERB_IS] = {"is", "is not"},
    [VERB_IS_ANY_OF] = {"is", "is not"},
    [VERB_IS_IN] = {"is in", "is not in"},
    [VERB_IS_LIKE] = {"is like", "is not like"},
    [VERB_IS_PRESENT] = {"is present", "is not present"},
    [VERB_IS_ABSENT] = {"is absent", "is not absent"},
    [VERB_IS_OVER] = {"is over", "is not over"},
    [VERB_IS_UNDER] = {"is under", "is not under"},
    [VERB_IS_AT_LEAST] = {"is at least", "is not at least"},
    [VERB_IS_AT_MOST] = {"is at most", "is not at most"},
    [VERB_IS_BETWEEN] = {"is between", "is not between"},
    [VERB_IS_BEFORE] = {"is before", "is not before"},
    [VERB_IS_AFTER] = {"is after", "is not after"},
    [VERB_CONTAINS] = {"contains", "does not contain"},
    [VERB_MATCHES] = {"matches", "does not match"},
    [VERB_STARTS_WITH] = {"starts with", "does not start with"},
    [VERB_ENDS_WITH] = {"ends with", "does not end with"},
};

void write_verb_words(const struct writer *w, const struct ast_verb *v)
{
    buf_add(w->out, str_of(v->negated ? verb_words[v->kind].negative : verb_words[v->kind].positive));
}

static void write_many(const struct writer *w, const struct ast_verb *v)
{
    if (v->many == MANY_AT_LEAST) buf_printf(w->out, " at least %lld", (long long)v->least);
    else buf_add(w->out, v->many == MANY_ALL ? STR(" all") : STR(" any"));
    if (v->word) buf_add(w->out, STR(" word"));
    buf_add(w->out, STR(" of "));
    write_set(w, v->set);
}

static void write_countable(const struct writer *w, const struct ast_verb *v)
{
    if (v->counted && v->most < 0) buf_printf(w->out, " at least %lld", (long long)v->least);
    else if (v->counted) buf_printf(w->out, " between %lld and %lld", (long long)v->least, (long long)v->most);
    if (v->word) buf_add(w->out, STR(" word"));
    buf_add_byte(w->out, ' ');
    if (v->value) write_value(w, v->value);
    else buf_add(w->out, v->detector);
    write_arguments(w, v->arguments);
}

void write_verb(const struct writer *w, const struct ast_verb *v)
{
    write_verb_words(w, v);
    if (v->many) write_many(w, v);
    else if (v->kind == VERB_CONTAINS) write_countable(w, v);
    else if (v->set) {
        buf_add(w->out, v->kind == VERB_IS_IN ? STR(" ") : STR(" any of "));
        write_set(w, v->set);
    } else if (v->value) {
        buf_add_byte(w->out, ' ');
        write_value(w, v->value);
    }
    if (v->value2) {
        buf_add(w->out, STR(" and "));
        write_value(w, v->value2);
    }
}

void write_test(const struct writer *w, const struct ast_condition *test)
{
    bool run = test->fields->next != NULL;
    if (run) buf_add_byte(w->out, '(');
    for (const struct ast_field *f = test->fields; f; f = f->next) {
        write_field(w, f);
        if (f->next) buf_add(w->out, test->run_is_and ? STR(" and ") : STR(" or "));
    }
    if (run) buf_add_byte(w->out, ')');
    if (!test->verb) return;
    buf_add_byte(w->out, ' ');
    write_verb(w, test->verb);
}

void write_actions(const struct writer *w, const struct ast_action *first)
{
    for (const struct ast_action *a = first; a; a = a->next) {
        if (a != first) buf_add(w->out, STR(", "));
        buf_add(w->out, a->name);
        write_arguments(w, a->arguments);
    }
}
