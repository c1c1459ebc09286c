/* A rule file laid out anew: its words, what is said beside them, and the clauses they stand in.
 *
 * format_lines.c turns a clause into lines; this file finds the clauses and puts them in order. */
#include "grammar/format.h"

#include "grammar/format_lines.h"
#include "grammar/scan.h"
#include "grammar/words.h"

/* --- words and comments ------------------------------------------------------------------------------------------ */

/* What stands between two words: blanks, line ends and comments.  A comment on the line of the word before belongs to
 * that word, any other to the word after. */
static void read_gap(struct format *f, struct str gap, struct word *before, struct word *after)
{
    size_t newlines = before ? 0 : 1;
    after->comments = f->comments.n;
    for (size_t i = 0; i < gap.n; i++) {
        if (gap.p[i] == '\n') newlines++;
        if (gap.p[i] != '#') continue;
        size_t end = str_find_byte(str_from(gap, i), '\n');
        end = end == STR_NPOS ? gap.n : i + end;
        struct str text = str_trim(str_slice(gap, i, end));
        i = end - 1;
        if (newlines == 0) before->beside = text;
        else VEC_PUSH(&f->comments, (struct comment){text, newlines > 1});
        newlines = 0;
    }
    after->comment_count = f->comments.n - after->comments;
    after->blank_before = newlines > 1;
}

static struct str word_text(struct format *f, int kind, const SL_STYPE *value, struct str written)
{
    switch (kind) {
    case SL_NAME: case SL_KIND: return value->SL_NAME;
    case SL_TEXT: return written; /* its escapes are the author's */
    case SL_REGEX: case SL_NUMBER: case SL_SIZE: case SL_DURATION: case SL_DATE: case SL_CLOCK: case SL_NETWORK: break;
    default: return keyword_spelling(kind) ? str_of(keyword_spelling(kind)) : written;
    }
    struct buf b = {0};
    write_literal(&(struct writer){&b, false}, value->SL_TEXT);
    struct str text = arena_str(f->arena, buf_str(&b));
    buf_free(&b);
    return text;
}

/* The last word is SL_END; it bears what stands after all others. */
static void read_words(struct format *f, ast_is_kind *is_kind)
{
    struct sources none = {0};
    struct diags unheard = {.arena = f->arena, .sources = &none}; /* the source was read before, without errors */
    struct parse p = {.arena = f->arena, .source = f->source, .is_kind = is_kind, .diags = &unheard};
    p.scanner = scan_create(&p);
    uint32_t end = 0;
    int kind;
    do {
        SL_STYPE value;
        struct span at;
        kind = sl_lex(&value, &at, &p);
        struct word w = {.kind = kind, .from = at.from};
        w.text = kind == SL_END ? STR_NONE : word_text(f, kind, &value, span_text(&p, at));
        read_gap(f, str_slice(f->source->text, end, at.from), f->words.n ? &f->words.v[f->words.n - 1] : NULL, &w);
        end = at.to;
        VEC_PUSH(&f->words, w);
    } while (kind != SL_END);
    scan_free(&p.scanner);
}

/* --- what has no meaning ----------------------------------------------------------------------------------------- */

static bool is_commented(const struct word *w) { return w->comment_count || w->beside.n; }

/* Takes out trailing commas, and the parentheses around all elements of a list; `and` between actions becomes a comma.
 * Whatever bears a comment stays. */
static void drop_idle(struct format *f, struct clause *c)
{
    struct word *v = f->words.v;
    int depth = 0;
    for (size_t i = c->from; i < c->to; i++) {
        bool after_comma = i > c->from && v[i - 1].kind == SL_COMMA && !v[i - 1].dropped;
        if (v[i].kind == SL_RPAREN && after_comma && !is_commented(&v[i - 1])) v[i - 1].dropped = true;
        depth += (v[i].kind == SL_LPAREN) - (v[i].kind == SL_RPAREN);
        if (c->kind != CLAUSE_ACTIONS || v[i].kind != SL_AND || depth > 0) continue;
        if (after_comma && !is_commented(&v[i])) {
            v[i].dropped = true;
        } else if (!after_comma) {
            v[i].kind = SL_COMMA;
            v[i].text = STR(",");
        }
    }
    if (c->kind != CLAUSE_LIST || c->to - c->from < 7 || v[c->from + 5].kind != SL_LPAREN) return;
    struct word *open = &v[c->from + 5], *close = &v[c->to - 1], *last = close - 1;
    while (last->dropped) last--;
    if (last->kind == SL_COMMA || is_commented(open) || close->comment_count || (close->beside.n && last->beside.n))
        return;
    open->dropped = close->dropped = true;
    if (close->beside.n) last->beside = close->beside;
    close->beside = STR_NONE;
}

/* --- clauses and items ------------------------------------------------------------------------------------------- */

static enum clause_kind clause_begun_by(int kind, enum clause_kind otherwise)
{
    switch (kind) {
    case SL_WHEN: case SL_UNLESS: return CLAUSE_CONDITION;
    case SL_DEFINE: return CLAUSE_DEFINE;
    case SL_LIST: return CLAUSE_LIST;
    case SL_THEN: case SL_EXPECT: return CLAUSE_ACTIONS;
    case SL_GIVEN: return CLAUSE_FACTS;
    default: return otherwise;
    }
}

/* The clauses of the item whose words are [from, to), every `unless` before `then`. */
static void find_clauses(struct format *f, size_t from, size_t to)
{
    f->clauses.n = 0;
    for (size_t i = from; i < to; i++) {
        enum clause_kind kind = clause_begun_by(f->words.v[i].kind, CLAUSE_ARGUMENTS);
        if (i > from && kind == CLAUSE_ARGUMENTS) continue;
        if (f->clauses.n) f->clauses.v[f->clauses.n - 1].to = i;
        VEC_PUSH(&f->clauses, (struct clause){kind, i, to});
    }
    for (size_t i = 0; i < f->clauses.n; i++) drop_idle(f, &f->clauses.v[i]);
    size_t then = 0;
    while (then < f->clauses.n && f->words.v[f->clauses.v[then].from].kind != SL_THEN) then++;
    for (size_t i = then + 1; i < f->clauses.n; i++, then++) {
        struct clause last = f->clauses.v[then];
        f->clauses.v[then] = f->clauses.v[i];
        f->clauses.v[i] = last;
    }
}

/* A rule without a name is one line when it fits; with one, its clauses have lines of their own. */
static bool put_in_one_line(struct format *f)
{
    const struct clause *c = f->clauses.v;
    bool nameless = f->words.v[c[0].from].kind == SL_WHEN;
    if (!nameless) return false;
    size_t width = f->clauses.n - 1;
    for (size_t i = 0; i < f->clauses.n; i++) {
        bool last = i + 1 == f->clauses.n;
        if (!lines_clause_is_plain(f, &c[i], i == 0, last)) return false;
        width += lines_clause_width(f, &c[i]);
    }
    if (width > FORMAT_WIDTH) return false;
    for (size_t i = 0; i < f->clauses.n; i++) lines_put_flat(f, &c[i]);
    return true;
}

/* Items that take several lines stand apart.  The words decide what else is kept: one empty line where there were
 * any. */
static void put_comments(struct format *f, const struct word *w, bool apart)
{
    bool blank = apart;
    for (size_t i = 0; i < w->comment_count; i++) blank = blank && !f->comments.v[w->comments + i].blank_before;
    blank = blank && !w->blank_before;
    for (size_t i = 0; i < w->comment_count; i++) {
        const struct comment *c = &f->comments.v[w->comments + i];
        lines_comment(f, c->text, c->blank_before || (i == 0 && blank));
    }
    f->blank_next = w->blank_before || (w->comment_count == 0 && blank);
}

/* The lists that stand in adjoining lines are aligned on `of` and on what follows it. */
static void align_lists(struct format *f, const struct ast_item *item)
{
    f->name_width = f->type_width = 0;
    for (const struct ast_item *i = item; i && i->kind == ITEM_LIST; i = i->next) {
        const struct word *w = lines_word_at(f, i->span.from);
        if (i != item && (w->blank_before || w->comment_count)) break;
        if (w[1].text.n > f->name_width) f->name_width = w[1].text.n; /* names are ASCII */
        if (w[3].text.n > f->type_width) f->type_width = w[3].text.n;
    }
}

static bool continues_lists(const struct format *f, const struct ast_item *before, const struct ast_item *item)
{
    const struct word *w = lines_word_at(f, item->span.from);
    return before && before->kind == ITEM_LIST && item->kind == ITEM_LIST && !w->blank_before && !w->comment_count;
}

static void put_items(struct format *f, const struct ast_file *file)
{
    bool was_tall = false;
    const struct ast_item *before = NULL;
    for (const struct ast_item *i = file->items; i; before = i, i = i->next) {
        size_t from = (size_t)(lines_word_at(f, i->span.from) - f->words.v), to = f->words.n - 1;
        if (i->next) to = (size_t)(lines_word_at(f, i->next->span.from) - f->words.v);
        if (!continues_lists(f, before, i)) align_lists(f, i);
        find_clauses(f, from, to);
        bool may_be_tall = i->kind == ITEM_RULE || i->kind == ITEM_TEST;
        size_t first_comment = f->lines.n, lines;
        put_comments(f, &f->words.v[from], was_tall && before);
        lines = f->lines.n;
        bool tall = !put_in_one_line(f);
        for (size_t k = 0; tall && k < f->clauses.n; k++) lines_put(f, &f->clauses.v[k], k == 0);
        was_tall = may_be_tall && f->lines.n - lines > 1;
        if (was_tall && before) lines_set_apart(f, first_comment, lines);
    }
    put_comments(f, &f->words.v[f->words.n - 1], was_tall);
}

bool format_source(struct arena *a, struct source *s, ast_is_kind *is_kind, struct diags *d, struct buf *out)
{
    size_t before = d->errors;
    const struct ast_file *file = ast_parse(a, s, is_kind, d);
    if (d->errors != before) return false;
    struct format f = {.arena = a, .source = s};
    read_words(&f, is_kind);
    put_items(&f, file);
    lines_print(&f, out);
    VEC_FREE(&f.words);
    VEC_FREE(&f.comments);
    VEC_FREE(&f.clauses);
    VEC_FREE(&f.lines);
    return true;
}

/* --- differences ------------------------------------------------------------------------------------------------- */

static size_t line_end(struct str s)
{
    size_t end = str_find_byte(s, '\n');
    return end == STR_NPOS ? s.n : end + 1;
}

static void put_marked(struct buf *out, char mark, struct str lines)
{
    while (lines.n) {
        struct str line = str_slice(lines, 0, line_end(lines));
        buf_add_byte(out, mark);
        buf_add(out, line);
        if (line.p[line.n - 1] != '\n') buf_add(out, STR("\n\\ no end of line\n"));
        lines = str_from(lines, line.n);
    }
}

/* Bytes of `s` before its line that equals `line`, looking at most some lines ahead; STR_NPOS when there is none. */
static size_t find_line(struct str s, struct str line)
{
    enum { AHEAD = 200 };
    size_t at = 0;
    for (int i = 0; i < AHEAD && at < s.n; i++) {
        size_t end = line_end(str_from(s, at));
        if (line.n > 1 && str_eq(str_slice(s, at, at + end), line)) return at;
        at += end;
    }
    return STR_NPOS;
}

/* Lines at the end of both runs that are equal are no difference. */
static void trim_common(struct str from, size_t *gone, size_t *gone_lines, struct str to, size_t *come)
{
    for (;;) {
        struct str a = str_slice(from, 0, *gone), b = str_slice(to, 0, *come);
        if (!a.n || !b.n || a.p[a.n - 1] != '\n' || b.p[b.n - 1] != '\n') return;
        size_t a_at = str_rfind_byte(str_slice(a, 0, a.n - 1), '\n') + 1,
               b_at = str_rfind_byte(str_slice(b, 0, b.n - 1), '\n') + 1;
        if (!str_eq(str_from(a, a_at), str_from(b, b_at))) return;
        *gone = a_at, *come = b_at;
        --*gone_lines;
    }
}

/* Not the shortest difference: the first line of `from` that is found again not far ahead in `to` ends a run. */
void format_difference(struct str from, struct str to, struct buf *out)
{
    size_t number = 1;
    while (from.n || to.n) {
        struct str line = str_slice(from, 0, line_end(from));
        if (from.n && str_eq(line, str_slice(to, 0, line_end(to)))) {
            from = str_from(from, line.n), to = str_from(to, line.n);
            number++;
            continue;
        }
        size_t gone = 0, gone_lines = 0, come = STR_NPOS;
        while (gone < from.n) {
            struct str rest = str_from(from, gone);
            line = str_slice(rest, 0, line_end(rest));
            come = find_line(to, line);
            if (come != STR_NPOS) break;
            gone += line.n;
            gone_lines++;
        }
        if (come == STR_NPOS) come = to.n;
        trim_common(from, &gone, &gone_lines, to, &come);
        buf_printf(out, "@@ line %zu @@\n", number);
        put_marked(out, '-', str_slice(from, 0, gone));
        put_marked(out, '+', str_slice(to, 0, come));
        from = str_from(from, gone), to = str_from(to, come);
        number += gone_lines;
    }
}
