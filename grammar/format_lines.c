/* Clauses become lines. */
#include "grammar/format_lines.h"

#include <string.h>

#include "grammar/scan.h"

enum { INDENT = 4, ALIGN_MAX = 48 }; /* where what a line is aligned with stands farther right, it is indented */

struct word *lines_word_at(const struct format *f, uint32_t from)
{
    size_t low = 0, high = f->words.n - 1;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (f->words.v[middle].from < from) low = middle + 1;
        else high = middle;
    }
    return &f->words.v[low];
}

static size_t columns(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

/* --- words in a line --------------------------------------------------------------------------------------------- */

static bool glued(const struct word *before, const struct word *w)
{
    return before->kind == SL_LPAREN || before->kind == SL_DOT || w->kind == SL_RPAREN || w->kind == SL_COMMA ||
           w->kind == SL_DOT;
}

/* Blanks that make adjoining lists stand in columns: after the name and after the type. */
static size_t padding(const struct format *f, const struct clause *c, size_t word)
{
    if (c->kind != CLAUSE_LIST) return 0;
    if (word == c->from + 1) return f->name_width - f->words.v[word].text.n;
    if (word == c->from + 3) return f->type_width - f->words.v[word].text.n;
    return 0;
}

static const struct word *kept_before(const struct format *f, const struct clause *c, size_t i)
{
    while (i > c->from && f->words.v[i - 1].dropped) i--;
    return i > c->from ? &f->words.v[i - 1] : NULL;
}

/* Columns that a word takes in the middle of a line, the blank before it included. */
static size_t word_width(const struct format *f, const struct clause *c, size_t i)
{
    const struct word *w = &f->words.v[i], *before = kept_before(f, c, i);
    if (w->dropped) return 0;
    return columns(w->text) + (before && !glued(before, w)) + padding(f, c, i);
}

size_t lines_clause_width(const struct format *f, const struct clause *c)
{
    size_t n = 0;
    for (size_t i = c->from; i < c->to; i++) n += word_width(f, c, i);
    return n;
}

bool lines_clause_is_plain(const struct format *f, const struct clause *c, bool first, bool last)
{
    for (size_t i = c->from; i < c->to; i++) {
        const struct word *w = &f->words.v[i];
        if (w->comment_count && !(first && i == c->from)) return false;
        if (w->beside.n && !(last && i + 1 == c->to)) return false;
        if (str_find_byte(w->text, '\n') != STR_NPOS) return false;
    }
    return true;
}

/* --- lines ------------------------------------------------------------------------------------------------------- */

static struct line *begin_line(struct format *f, size_t indent)
{
    VEC_PUSH(&f->lines, (struct line){.from = f->text.n, .to = f->text.n, .blank_before = f->blank_next});
    f->blank_next = false;
    for (size_t i = 0; i < indent; i++) buf_add_byte(&f->text, ' ');
    f->column = indent;
    return &f->lines.v[f->lines.n - 1];
}

static struct line *last_line(const struct format *f) { return &f->lines.v[f->lines.n - 1]; }

static void put_word(struct format *f, const struct clause *c, size_t i, bool begins)
{
    const struct word *w = &f->words.v[i], *before = kept_before(f, c, i);
    struct line *line = last_line(f);
    bool blank = !begins && before && !glued(before, w);
    size_t newline = str_rfind_byte(w->text, '\n'), pad = padding(f, c, i);
    if (blank) buf_add_byte(&f->text, ' ');
    buf_add(&f->text, w->text);
    for (size_t n = pad; n > 0; n--) buf_add_byte(&f->text, ' ');
    line->to = f->text.n;
    if (w->beside.n) line->comment = w->beside;
    if (newline == STR_NPOS) f->column += blank + columns(w->text) + pad;
    else line->alone = true, f->column = columns(str_from(w->text, newline + 1));
}

void lines_comment(struct format *f, struct str text, bool blank_before)
{
    f->blank_next = blank_before;
    struct line *line = begin_line(f, 0);
    line->comment = text;
    line->alone = true;
}

void lines_set_apart(struct format *f, size_t first, size_t item)
{
    for (size_t i = first; i <= item; i++)
        if (f->lines.v[i].blank_before) return;
    f->lines.v[first].blank_before = true;
}

void lines_put_flat(struct format *f, const struct clause *c)
{
    const struct word *first = &f->words.v[c->from];
    if (first->kind == SL_WHEN) begin_line(f, 0);
    else buf_add_byte(&f->text, ' '), f->column++;
    for (size_t i = c->from; i < c->to; i++)
        if (!f->words.v[i].dropped) put_word(f, c, i, i == c->from);
}

/* --- breaking ---------------------------------------------------------------------------------------------------- */

/* May a line end before this word?  Where the clause's own members part, it must once the clause does not fit. */
enum opening { OPENING_NONE, OPENING_MAY, OPENING_PARTS };

struct breaker {
    const struct clause *clause;
    size_t base;        /* the column of what continues the clause */
    int depth, between; /* parentheses open; values of `between` whose `and` is to come, by their depth + 1 */
    size_t open_columns[PARSE_NESTING_MAX + 2];
    bool broken;
};

static bool is_value(int kind)
{
    return kind == SL_TEXT || kind == SL_REGEX || kind == SL_NUMBER || kind == SL_SIZE || kind == SL_DURATION ||
           kind == SL_DATE || kind == SL_CLOCK || kind == SL_NETWORK || kind == SL_RPAREN;
}

static enum opening opening_before(const struct format *f, const struct breaker *b, size_t i)
{
    const struct word *w = &f->words.v[i], *before = kept_before(f, b->clause, i);
    if (!before || w->dropped) return OPENING_NONE;
    bool own = b->depth == 0;
    if (before->kind == SL_COMMA) return own && b->clause->kind == CLAUSE_ACTIONS ? OPENING_PARTS : OPENING_MAY;
    bool conditions = b->clause->kind == CLAUSE_CONDITION || b->clause->kind == CLAUSE_DEFINE;
    if (conditions && (w->kind == SL_OR || (w->kind == SL_AND && b->between != b->depth + 1)))
        return own ? OPENING_PARTS : OPENING_MAY;
    /* The next option of a list of arguments, never between a name and what is said of it. */
    bool option = (w->kind == SL_NAME || w->kind == SL_KIND) && is_value(before->kind);
    return option && (own ? !conditions : b->clause->kind == CLAUSE_ARGUMENTS) ? OPENING_MAY : OPENING_NONE;
}

static void pass(struct breaker *b, const struct word *w, size_t column_after)
{
    if (w->kind == SL_LPAREN && b->depth <= PARSE_NESTING_MAX) b->open_columns[++b->depth] = column_after;
    if (w->kind == SL_RPAREN && b->depth > 0) b->depth--;
    if (w->kind == SL_BETWEEN) b->between = b->depth + 1;
    else if (w->kind == SL_AND && b->between == b->depth + 1) b->between = 0;
}

/* Columns up to where the line may end next, from word i on. */
static size_t width_to_next_opening(const struct format *f, struct breaker b, size_t i)
{
    size_t n = word_width(f, b.clause, i);
    while (i + 1 < b.clause->to && !f->words.v[i].beside.n) {
        pass(&b, &f->words.v[i], 0);
        if (opening_before(f, &b, ++i) != OPENING_NONE || f->words.v[i].comment_count) break;
        size_t newline = str_find_byte(f->words.v[i].text, '\n');
        if (newline != STR_NPOS) return n + newline;
        n += word_width(f, b.clause, i);
    }
    return n;
}

static size_t indent_of(const struct breaker *b)
{
    if (b->depth == 0) return b->base;
    size_t open = b->open_columns[b->depth];
    return open <= ALIGN_MAX ? open : b->base + INDENT;
}

/* The column of a clause's content, where its continuation goes: after its keyword, after `as`, after `=`. */
static size_t content_column(const struct format *f, const struct clause *c)
{
    size_t words = 1, n = 0;
    if (c->kind == CLAUSE_ARGUMENTS) return INDENT;
    if (c->kind == CLAUSE_DEFINE) words = 3;
    if (c->kind == CLAUSE_LIST) words = 5;
    for (size_t i = c->from; i < c->from + words && i < c->to; i++) n += word_width(f, c, i);
    return n + 1 <= ALIGN_MAX ? n + 1 : INDENT;
}

static void put_own_comments(struct format *f, const struct word *w, size_t indent)
{
    for (size_t i = 0; i < w->comment_count; i++) {
        struct line *line = begin_line(f, indent);
        line->to = f->text.n;
        line->comment = f->comments.v[w->comments + i].text;
        line->alone = true;
    }
}

static bool must_break(const struct format *f, const struct breaker *b, size_t i)
{
    const struct word *w = &f->words.v[i];
    if (w->comment_count || last_line(f)->comment.n) return true;
    switch (opening_before(f, b, i)) {
    case OPENING_NONE: return false;
    case OPENING_PARTS: return b->broken;
    case OPENING_MAY: break;
    }
    return b->broken && f->column + width_to_next_opening(f, *b, i) > FORMAT_WIDTH;
}

void lines_put(struct format *f, const struct clause *c, bool first)
{
    struct breaker b = {.clause = c, .base = content_column(f, c)};
    b.broken = !lines_clause_is_plain(f, c, true, true) || lines_clause_width(f, c) > FORMAT_WIDTH;
    if (!first) put_own_comments(f, &f->words.v[c->from], 0);
    begin_line(f, 0);
    for (size_t i = c->from; i < c->to; i++) {
        const struct word *w = &f->words.v[i];
        if (w->dropped) continue;
        bool breaks = i > c->from && must_break(f, &b, i);
        if (breaks) {
            size_t indent = indent_of(&b);
            put_own_comments(f, w, indent);
            begin_line(f, indent);
        }
        put_word(f, c, i, i == c->from || breaks);
        pass(&b, w, f->column);
    }
}

/* --- printing ---------------------------------------------------------------------------------------------------- */

static struct str line_text(const struct format *f, const struct line *l)
{
    if (l->from == l->to) return STR(""); /* a comment alone; there may be no text at all */
    struct str s = {f->text.p + l->from, l->to - l->from};
    while (!l->alone && s.n && s.p[s.n - 1] == ' ') s.n--; /* an aligned list's padding */
    return s;
}

/* The column of the comments in the run of commented lines that begins here; *end after its last. */
static size_t comment_column(const struct format *f, size_t from, size_t *end)
{
    size_t most = 0, i = from;
    for (; i < f->lines.n; i++) {
        const struct line *l = &f->lines.v[i];
        if (!l->comment.n || l->alone || (i > from && l->blank_before)) break;
        size_t n = columns(line_text(f, l));
        if (n > most) most = n;
    }
    *end = i;
    return most + 2;
}

void lines_print(struct format *f, struct buf *out)
{
    size_t run_end = 0, at = 0;
    for (size_t i = 0; i < f->lines.n; i++) {
        const struct line *l = &f->lines.v[i];
        struct str text = line_text(f, l);
        if (l->blank_before && i > 0) buf_add_byte(out, '\n');
        if (l->comment.n && !l->alone && i >= run_end) at = comment_column(f, i, &run_end);
        buf_add(out, text);
        if (l->comment.n) {
            bool own = l->alone && str_trim(text).n == 0;
            size_t blanks = own ? 0 : l->alone ? 2 : at - columns(text);
            for (size_t k = 0; k < blanks; k++) buf_add_byte(out, ' ');
            buf_add(out, l->comment);
        }
        buf_add_byte(out, '\n');
    }
    buf_free(&f->text);
}
