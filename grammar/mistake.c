/* What people write instead: each common mistake of spelling gets a sentence and a fix-it here, and the tokens that
 * were meant are queued, so that reading goes on as if they stood there. */
#include <string.h>

#include "grammar/grammar.tab.h"
#include "grammar/scan.h"

void parse_queue(struct parse *p, int kind, struct span at, struct ast_literal *literal, struct str name)
{
    INVARIANT(p->queue_count < sizeof p->queue / sizeof *p->queue);
    p->queue[p->queue_count++] = (struct parse_token){kind, at, literal, name};
}

/* --- signs ------------------------------------------------------------------------------------------------------- */

/* A sign, the words for it, and its tokens; `is` comes before them unless it was already said. */
struct sign {
    const char *sign, *words;
    int tokens[3];
    const char *words2;
};
static const struct sign signs[] = {
    {"<", "is under", {SL_IS, SL_UNDER}, NULL},
    {">", "is over", {SL_IS, SL_OVER}, NULL},
    {"<=", "is at most", {SL_IS, SL_AT, SL_MOST}, NULL},
    {"=<", "is at most", {SL_IS, SL_AT, SL_MOST}, NULL},
    {"\xE2\x89\xA4", "is at most", {SL_IS, SL_AT, SL_MOST}, NULL},
    {">=", "is at least", {SL_IS, SL_AT, SL_LEAST}, NULL},
    {"=>", "is at least", {SL_IS, SL_AT, SL_LEAST}, "then"},
    {"\xE2\x89\xA5", "is at least", {SL_IS, SL_AT, SL_LEAST}, NULL},
    {"==", "is", {SL_IS}, NULL},
    {"===", "is", {SL_IS}, NULL},
    {"!=", "is not", {SL_IS, SL_NOT}, NULL},
    {"<>", "is not", {SL_IS, SL_NOT}, "is absent"},
    {"\xE2\x89\xA0", "is not", {SL_IS, SL_NOT}, NULL},
    {"=~", "matches", {SL_MATCHES}, NULL},
    {"!~", "does not match", {SL_DOES, SL_NOT, SL_MATCH}, NULL},
    {"&&", "and", {SL_AND}, NULL},
    {"&", "and", {SL_AND}, NULL},
    {"||", "or", {SL_OR}, NULL},
    {"|", "or", {SL_OR}, NULL},
    {"!", "not", {SL_NOT}, NULL},
};

void mistake_sign(struct parse *p, struct span at)
{
    struct str text = span_text(p, at);
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        const struct sign *s = &signs[i];
        if (!str_eq(text, str_of(s->sign))) continue;
        bool said = s->tokens[0] == SL_IS && (p->found.kind == SL_IS ||
                                              (p->found.kind == SL_NOT && p->previous.kind == SL_IS));
        struct diag *d = diag_add(p->diags, DIAG_E107, at, "`%s` is not read here; it is said in words", s->sign);
        diag_fix(p->diags, d, "", "%s", s->words);
        if (s->words2) diag_fix(p->diags, d, "", "%s", s->words2);
        for (size_t t = said ? 1 : 0; t < 3 && s->tokens[t]; t++) parse_queue(p, s->tokens[t], at, NULL, STR_NONE);
        return;
    }
    INVARIANT(!"every sign of the lexer has a row");
}

/* isn't, doesn't: the words they are made of. */
void mistake_negation(struct parse *p, struct span at)
{
    struct str word = span_text(p, at);
    static const struct {
        struct str start; /* of the contraction; the last row takes every other */
        const char *words;
        int tokens[3];
    } rows[] = {
        {{"isn", 3}, "is not", {SL_IS, SL_NOT}},     {{"aren", 4}, "is not", {SL_IS, SL_NOT}},
        {{"wasn", 4}, "is not", {SL_IS, SL_NOT}},    {{"do", 2}, "does not", {SL_DOES, SL_NOT}},
        {{"", 0}, "not", {SL_NOT}},
    };
    size_t i = 0;
    while (!str_starts_nocase(word, rows[i].start)) i++;
    struct diag *d = diag_add(p->diags, DIAG_E119, at, "`%.*s` is written in full", STR_ARG(word));
    diag_fix(p->diags, d, "", "%s", rows[i].words);
    for (const int *t = rows[i].tokens; *t; t++) parse_queue(p, *t, at, NULL, STR_NONE);
}

/* --- quotes ------------------------------------------------------------------------------------------------------ */

static void queue_text(struct parse *p, struct span at, struct str value)
{
    struct ast_literal *l = literal_new(p, LITERAL_TEXT, at);
    l->text = value;
    parse_queue(p, SL_TEXT, at, l, STR_NONE);
}

void mistake_quotes(struct parse *p, struct span at, size_t open, size_t close)
{
    struct str text = span_text(p, at), inner = str_slice(text, open, text.n - close);
    struct diag *d = diag_add(p->diags, DIAG_E106, at,
                              open == 1 ? "a text stands between double quotes"
                                        : "these are typographic quotes; a text stands between plain ones");
    if (inner.n <= 120) diag_fix(p->diags, d, "", "\"%.*s\"", STR_ARG(inner));
    queue_text(p, at, inner);
}

void mistake_unclosed_quotes(struct parse *p, struct span at)
{
    uint32_t to = at.from + (uint32_t)scan_character(p, at);
    diag_add(p->diags, DIAG_E106, (struct span){at.source, at.from, to},
             "a text begins and ends with a plain double quote");
}

static bool holds_typographic_quote(struct str s)
{
    static const char *const marks[] = {"\xE2\x80\x9C", "\xE2\x80\x9D", "\xE2\x80\x9E"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (str_find(s, str_of(marks[i])) != STR_NPOS) return true;
    return false;
}

void mistake_unclosed_text(struct parse *p, struct span at)
{
    struct str text = span_text(p, at);
    if (str_starts(text, STR("\"\"\""))) {
        diag_add(p->diags, DIAG_E102, (struct span){at.source, at.from, at.from + 3},
                 "the text that begins with three quotes is not closed by three quotes");
        return;
    }
    struct diag *d = diag_add(p->diags, DIAG_E102, at, "the text is not closed on its line");
    if (holds_typographic_quote(text)) diag_note(p->diags, d, at, "a typographic quote does not close a text");
}

void mistake_unclosed_pattern(struct parse *p, struct span at)
{
    struct diag *d = diag_add(p->diags, DIAG_E104, at, "the pattern is not closed on its line");
    struct str text = span_text(p, at);
    if (str_starts(text, STR("/*"))) diag_fix(p->diags, d, "for a comment:", "#");
}

/* --- names, addresses -------------------------------------------------------------------------------------------- */

void mistake_address(struct parse *p, struct span at)
{
    struct str text = span_text(p, at);
    while (text.n > 1 && text.p[text.n - 1] == '.') text.n--;
    bool is_address = str_find_byte(text, '@') != STR_NPOS;
    struct diag *d = diag_add(p->diags, DIAG_E111, at, "%s stands between quotes",
                              is_address ? "an address" : "a domain");
    diag_fix(p->diags, d, "", "\"%.*s\"", STR_ARG(text));
    queue_text(p, at, text);
}

/* content-type, my-corp.example, attachment.true-type.  Answers 0 when all of it was dealt with, else how many bytes
 * are an ordinary name with which reading goes on. */
size_t mistake_hyphen(struct parse *p, struct span at)
{
    struct str text = span_text(p, at);
    size_t dot = str_find_byte(text, '.'), hyphen = str_find_byte(text, '-');
    if (dot != STR_NPOS && (hyphen < dot || str_find_byte(str_from(text, dot + 1), '.') != STR_NPOS)) {
        mistake_address(p, at);
        return 0;
    }
    if (dot != STR_NPOS) return dot; /* a field's part, told when it is read by itself */
    struct diag *d = diag_add(p->diags, DIAG_E110, at, "`%.*s` is no name: names have no hyphen",
                              STR_ARG(str_slice(text, 0, 80)));
    char *name = arena_cstr(p->arena, text), *header = arena_cstr(p->arena, text);
    for (size_t i = 0; i < text.n; i++) {
        bool begins = i == 0 || text.p[i - 1] == '-';
        name[i] = name[i] == '-' ? '_' : ascii_lower(name[i]);
        if (begins && header[i] >= 'a' && header[i] <= 'z') header[i] = (char)(header[i] - 32);
    }
    if (text.n <= 80) {
        diag_fix(p->diags, d, "a name:", "%s", name);
        diag_fix(p->diags, d, "a header field:", "header \"%s\"", header);
    }
    parse_queue(p, SL_NAME, at, NULL, (struct str){name, text.n});
    return 0;
}

void mistake_foreign_name(struct parse *p, struct span at)
{
    diag_add(p->diags, DIAG_E101, at, "`%.*s` is no name: names are made of the letters a to z, digits and `_`",
             STR_ARG(str_slice(span_text(p, at), 0, at.to - at.from > 80 ? scan_character(p, at) : 80)));
}

void mistake_character(struct parse *p, struct span at)
{
    struct str c = span_text(p, at);
    unsigned char byte = (unsigned char)c.p[0];
    struct diag *d;
    if (byte < 0x20 || byte == 0x7f) {
        diag_add(p->diags, DIAG_E101, at, "the control character U+%04X means nothing here", byte);
        return;
    }
    d = diag_add(p->diags, DIAG_E101, at, "`%.*s` means nothing here", STR_ARG(c));
    const struct span nowhere = {0, 0, 0};
    static const struct {
        char sign;
        const char *note, *label, *fix;
        int meant; /* the token that is read instead; 0: none */
    } rows[] = {
        {';', "nothing stands after an item or an action; a comma joins actions", "between actions:", ",", 0},
        {'{', "the language has no braces; actions follow `then`", "before the actions:", "then", 0},
        {'}', "the language has no braces; an item ends where the next begins", "", "leave it out", 0},
        {'[', "a set stands in parentheses", "", "(", SL_LPAREN},
        {']', "a set stands in parentheses", "", ")", SL_RPAREN},
        {':', NULL, "", "leave it out", 0},
        {'-', NULL, "for a comment:", "#", 0},
        {'%', NULL, "for a comment:", "#", 0},
        {'*', NULL, "a text stands in quotes:", "\"*\"", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (byte != (unsigned char)rows[i].sign) continue;
        if (rows[i].note) diag_note(p->diags, d, nowhere, "%s", rows[i].note);
        diag_fix(p->diags, d, rows[i].label, "%s", rows[i].fix);
        if (rows[i].meant) parse_queue(p, rows[i].meant, at, NULL, STR_NONE);
    }
}

/* --- numbers ----------------------------------------------------------------------------------------------------- */

/* The date that was meant, when its order is certain (the year first). */
static bool date_meant(struct str text, char out[11])
{
    int part[3] = {0, 0, 0}, at = 0;
    for (size_t i = 0; i < text.n && at < 3; i++) {
        if (ascii_is_digit(text.p[i])) part[at] = part[at] * 10 + (text.p[i] - '0');
        else if (++at == 3) break;
        if (part[at < 3 ? at : 2] > 9999) return false;
    }
    if (part[0] < 1000 || part[1] < 1 || part[1] > 12 || part[2] < 1 || part[2] > 31) return false;
    struct buf b = {0};
    buf_printf(&b, "%04d-%02d-%02d", part[0], part[1], part[2]);
    memcpy(out, b.p, 10);
    out[10] = 0;
    buf_free(&b);
    return true;
}

void mistake_date(struct parse *p, struct span at)
{
    struct str text = span_text(p, at);
    char meant[11];
    bool certain = date_meant(text, meant);
    bool timed = text.n > 10;
    struct diag *d = timed ? diag_add(p->diags, DIAG_E108, at,
                                      "after the date a time of day is written `T18:00`, or `T18:00Z` for UTC")
                           : diag_add(p->diags, DIAG_E108, at,
                                      "a date is written year-month-day, with two digits for month and day");
    if (certain && !timed) diag_fix(p->diags, d, "", "%s", meant);
    else if (!timed) diag_fix(p->diags, d, "for example:", "2026-12-24");
    struct ast_literal *l = literal_new(p, LITERAL_DATE, at);
    l->date_only = true;
    parse_queue(p, SL_DATE, at, l, STR_NONE);
}

void mistake_fraction(struct parse *p, struct span at)
{
    struct str text = str_slice(span_text(p, at), 0, 40);
    struct diag *d = diag_add(p->diags, DIAG_E116, at, "`%.*s` is not whole; choose a smaller unit", STR_ARG(text));
    if (p->found.kind == SL_NAME) diag_fix(p->diags, d, "a version stands in quotes:", "\"%.*s\"", STR_ARG(text));
}

void mistake_glued(struct parse *p, struct span at)
{
    struct str text = span_text(p, at);
    size_t digits = scan_digits(text);
    struct str word = str_slice(text, digits, digits + 40);
    struct diag *d = diag_add(p->diags, DIAG_E109, (struct span){at.source, at.from + (uint32_t)digits, at.to},
                              "`%.*s` is no unit, and no name begins with a digit", STR_ARG(word));
    if (text.n <= 80) diag_fix(p->diags, d, "a text:", "\"%.*s\"", STR_ARG(text));
}
