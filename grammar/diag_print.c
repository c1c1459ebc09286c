/* Diagnostics in print: text with the source line and carets, and JSON.
 *
 * What is shown of a source is made safe first: tabs become blanks, control and direction-changing characters and bytes
 * that are no UTF-8 are spelled out, so that a file cannot draw on the terminal.  Columns count what is seen: wide
 * characters two, combining ones none. */
#include "grammar/diag.h"

#include <string.h>

#include "base/json.h"
#include "grammar/characters.h"

enum { EXCERPT_MAX = 160, EXCERPT_BEFORE = 100, TAB = 4, MARKS_MAX = DIAG_NOTES_MAX + 1, LABEL_GAP = 6 };

struct style {
    const char *bold, *error, *warning, *mark, *dim, *plain;
};
static const struct style styles[] = {
    {"", "", "", "", "", ""},
    {"\x1b[1m", "\x1b[1;31m", "\x1b[1;33m", "\x1b[1;32m", "\x1b[2m", "\x1b[0m"},
};

/* --- one character as it is shown -------------------------------------------------------------------------------- */

struct shown {
    char bytes[16];
    size_t n, width, taken;
};

static size_t width_of(uint32_t c)
{
    static const struct character_range none[] = {
        {0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x610, 0x61a},   {0x64b, 0x65f},    {0x1ab0, 0x1aff},
        {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xe0100, 0xe01ef}};
    static const struct character_range wide[] = {{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},
                                                  {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},
                                                  {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f},
                                                  {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};
    if (c < 0x300) return 1;
    if (character_is_in(c, none, sizeof none / sizeof *none)) return 0;
    return character_is_in(c, wide, sizeof wide / sizeof *wide) ? 2 : 1;
}

static void show_number(struct shown *to, unsigned value, bool is_code_point)
{
    struct buf b = {0};
    if (is_code_point) buf_printf(&b, "<U+%04X>", value);
    else buf_printf(&b, "<%02X>", value);
    to->n = to->width = b.n < sizeof to->bytes ? b.n : sizeof to->bytes;
    memcpy(to->bytes, b.p, to->n);
    buf_free(&b);
}

static struct shown show(struct str s, size_t column)
{
    struct shown out = {.taken = 1};
    uint32_t c = 0;
    if (s.p[0] == '\t') {
        out.n = out.width = TAB - column % TAB;
        memset(out.bytes, ' ', out.n);
        return out;
    }
    size_t n = character_decode(s, &c);
    if (n == 0) {
        show_number(&out, (unsigned char)s.p[0], false);
        return out;
    }
    out.taken = n;
    if (character_is_hidden(c)) {
        show_number(&out, c, true);
        return out;
    }
    memcpy(out.bytes, s.p, n);
    out.n = n;
    out.width = width_of(c);
    return out;
}

/* Text that may hold parts of a source. */
static void add_safely(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n;) {
        struct shown c = show(str_from(s, i), 0);
        buf_add(out, (struct str){c.bytes, c.n});
        i += c.taken;
    }
}

/* --- excerpts ---------------------------------------------------------------------------------------------------- */

struct mark {
    struct span span;
    char first, rest;
};
struct excerpt {
    const struct source *source;
    uint32_t line;
    size_t from, to; /* of the line, in bytes, without its end */
};

static struct excerpt excerpt_at(struct source *s, uint32_t offset)
{
    struct excerpt e = {.source = s};
    uint32_t column;
    struct str text = s->text;
    size_t at = offset < text.n ? offset : text.n;
    source_locate(s, (uint32_t)at, &e.line, &column);
    size_t before = str_rfind_byte(str_slice(text, 0, at), '\n'), length;
    e.from = before == STR_NPOS ? 0 : before + 1;
    if (e.from == 0 && str_starts(text, STR("\xEF\xBB\xBF"))) e.from = 3;
    length = str_find_byte(str_from(text, e.from), '\n');
    e.to = length == STR_NPOS ? text.n : e.from + length;
    if (e.to > e.from && text.p[e.to - 1] == '\r') e.to--;
    return e;
}

static char mark_for(const struct mark *marks, size_t n, size_t offset, size_t line_end)
{
    for (size_t i = 0; i < n; i++) {
        const struct span s = marks[i].span;
        if (offset == s.from || (s.from > line_end && offset == line_end)) return marks[i].first;
        if (offset > s.from && offset < s.to) return marks[i].rest;
    }
    return ' ';
}

static void add_marks(struct buf *out, char c, size_t width)
{
    for (size_t i = 0; i < width; i++) buf_add_byte(out, c == '^' && i > 0 ? '~' : c);
}

/* The line and the marks under it; long lines are cut around the first mark. */
static void add_excerpt(struct buf *out, const struct excerpt *e, const struct mark *marks, size_t mark_count,
                        size_t gutter,
                        const struct style *style)
{
    struct str text = e->source->text;
    size_t from = e->from, at = marks[0].span.from < e->to ? marks[0].span.from : e->to;
    bool cut_before = at - from > EXCERPT_BEFORE, cut_after = false;
    if (cut_before) {
        from = at - EXCERPT_BEFORE / 2;
        while (from < at && ((unsigned char)text.p[from] & 0xc0) == 0x80) from++;
    }
    struct buf line = {0}, under = {0};
    if (cut_before) buf_add(&line, STR("…")), buf_add_byte(&under, ' ');
    size_t column = cut_before ? 1 : 0, i = from;
    while (i < e->to && !(cut_after = column >= EXCERPT_MAX)) {
        struct shown c = show(str_slice(text, i, e->to), column);
        char mark = mark_for(marks, mark_count, i, e->to);
        buf_add(&line, (struct str){c.bytes, c.n});
        add_marks(&under, mark, c.width);
        column += c.width;
        i += c.taken;
    }
    if (cut_after) buf_add(&line, STR("…"));
    else buf_add_byte(&under, mark_for(marks, mark_count, e->to, e->to));
    while (under.n && under.p[under.n - 1] == ' ') under.n--;
    buf_printf(out, "  %s%*u |%s ", style->dim, (int)gutter, e->line, style->plain);
    buf_add(out, buf_str(&line));
    buf_printf(out, "\n  %s%*s |%s ", style->dim, (int)gutter, "", style->plain);
    buf_printf(out, "%s%.*s%s\n", style->mark, STR_ARG(buf_str(&under)), style->plain);
    buf_free(&line);
    buf_free(&under);
}

/* --- one diagnostic as text -------------------------------------------------------------------------------------- */

static bool is_nowhere(struct span s) { return s.source == 0 && s.from == 0 && s.to == 0; }

static struct source *source_of(const struct diags *d, struct span s)
{
    return d->sources && s.source < d->sources->list.n ? d->sources->list.v[s.source] : NULL;
}

static void add_place(const struct diags *d, struct buf *out, struct span at)
{
    struct source *s = source_of(d, at);
    uint32_t line, column;
    if (!s) return;
    source_locate(s, at.from, &line, &column);
    add_safely(out, s->name);
    buf_printf(out, ":%u:%u: ", line, column);
}

static size_t digits_of(uint32_t n)
{
    size_t digits = 1;
    while (n >= 10) n /= 10, digits++;
    return digits;
}

static bool is_on(const struct excerpt *e, struct span s)
{
    return !is_nowhere(s) && s.source == e->source->number && s.from >= e->from && s.from <= e->to;
}

/* Notes on the line of the diagnostic are marked there; others show a line of their own. */
static void add_notes(const struct diags *d, const struct diag *e, const struct excerpt *main, struct buf *out,
                      size_t gutter,
                      const struct style *style)
{
    for (size_t i = 0; i < e->note_count; i++) {
        const struct diag_note *note = &e->notes[i];
        struct source *s = is_nowhere(note->span) ? NULL : source_of(d, note->span);
        bool elsewhere = s && !(main && is_on(main, note->span));
        if (note->text.n == 0 && !elsewhere) continue;
        buf_printf(out, "  %snote:%s ", style->bold, style->plain);
        if (elsewhere) add_place(d, out, note->span);
        if (note->text.n) add_safely(out, note->text);
        else buf_add(out, STR("this belongs to it"));
        buf_add_byte(out, '\n');
        if (!elsewhere) continue;
        struct excerpt other = excerpt_at(s, note->span.from);
        struct mark mark = {note->span, '^', '~'};
        add_excerpt(out, &other, &mark, 1, gutter, style);
    }
}

static size_t shown_width(struct str s)
{
    size_t width = 0;
    for (size_t i = 0; i < s.n;) {
        struct shown c = show(str_from(s, i), width);
        width += c.width;
        i += c.taken;
    }
    return width;
}

static void add_fixes(const struct diag *e, struct buf *out, const struct style *style)
{
    size_t widest = 0;
    for (size_t i = 0; i < e->fix_count; i++)
        if (shown_width(e->fixes[i].label) > widest) widest = shown_width(e->fixes[i].label);
    for (size_t i = 0; i < e->fix_count; i++) {
        buf_printf(out, "  %shelp:%s ", style->bold, style->plain);
        add_safely(out, e->fixes[i].label);
        if (widest) buf_printf(out, "%*s", (int)(widest - shown_width(e->fixes[i].label) + (e->fix_count > 1
            ? LABEL_GAP : 1)), "");
        add_safely(out, e->fixes[i].text);
        buf_add_byte(out, '\n');
    }
}

static size_t gutter_of(const struct diags *d, const struct diag *e)
{
    size_t gutter = 1;
    uint32_t line, column;
    for (size_t i = 0; i <= e->note_count; i++) {
        struct span s = i ? e->notes[i - 1].span : e->span;
        if (is_nowhere(s) || !source_of(d, s)) continue;
        source_locate(source_of(d, s), s.from, &line, &column);
        if (digits_of(line) > gutter) gutter = digits_of(line);
    }
    return gutter;
}

static void print_one(const struct diags *d, const struct diag *e, struct buf *out, const struct style *style)
{
    bool is_error = diag_code_severity(e->code) == SEVERITY_ERROR;
    buf_add(out, str_of(style->bold));
    add_place(d, out, e->span);
    buf_printf(out, "%s%s%s %s%s%s: ", style->plain, is_error ? style->error : style->warning, is_error ? "error"
               : "warning",
               diag_code_name(e->code), style->plain, style->bold);
    add_safely(out, e->text);
    buf_printf(out, "%s\n", style->plain);
    struct source *s = source_of(d, e->span);
    struct excerpt main = {0};
    size_t gutter = gutter_of(d, e);
    if (s && s->text.n) {
        struct mark marks[MARKS_MAX] = {{e->span, '^', '~'}};
        size_t n = 1;
        main = excerpt_at(s, e->span.from);
        for (size_t i = 0; i < e->note_count; i++)
            if (is_on(&main, e->notes[i].span)) marks[n++] = (struct mark){e->notes[i].span, '~', '~'};
        add_excerpt(out, &main, marks, n, gutter, style);
    }
    add_notes(d, e, main.source ? &main : NULL, out, gutter, style);
    add_fixes(e, out, style);
}

void diags_print_text(const struct diags *d, struct buf *out, bool colour)
{
    for (size_t i = 0; i < d->list.n; i++) print_one(d, d->list.v[i], out, &styles[colour]);
    size_t kept = 0;
    for (size_t i = 0; i < d->list.n; i++) kept += diag_code_severity(d->list.v[i]->code) == SEVERITY_ERROR;
    if (d->errors > kept) buf_printf(out, "and %zu more errors\n", d->errors - kept);
}

/* --- JSON -------------------------------------------------------------------------------------------------------- */

static void put_span(const struct diags *d, struct js *to, struct span at)
{
    struct source *s = source_of(d, at);
    uint32_t line, column, end_line, end_column;
    if (!s) return;
    source_locate(s, at.from, &line, &column);
    source_locate(s, at.to, &end_line, &end_column);
    js_put_str(to, "file", s->name);
    js_put_num(to, "line", line);
    js_put_num(to, "column", column);
    js_put_num(to, "end_line", end_line);
    js_put_num(to, "end_column", end_column);
    js_put_num(to, "from", at.from);
    js_put_num(to, "to", at.to);
}

static void print_json_one(const struct diags *d, const struct diag *e, struct buf *out)
{
    struct js *root = js_object(), *notes = js_array(), *fixes = js_array();
    js_put_cstr(root, "code", diag_code_name(e->code));
    js_put_cstr(root, "severity", diag_code_severity(e->code) == SEVERITY_ERROR ? "error" : "warning");
    js_put_str(root, "text", e->text);
    put_span(d, root, e->span);
    for (size_t i = 0; i < e->note_count; i++) {
        struct js *note = js_object();
        js_put_str(note, "text", e->notes[i].text);
        if (!is_nowhere(e->notes[i].span)) put_span(d, note, e->notes[i].span);
        js_add(notes, note);
    }
    js_put(root, "notes", notes);
    for (size_t i = 0; i < e->fix_count; i++) {
        struct js *fix = js_object();
        js_put_str(fix, "label", e->fixes[i].label);
        js_put_str(fix, "text", e->fixes[i].text);
        js_add(fixes, fix);
    }
    js_put(root, "help", fixes);
    js_print(root, out);
    buf_add_byte(out, '\n');
    js_free(&root);
}

void diags_print_json(const struct diags *d, struct buf *out)
{
    for (size_t i = 0; i < d->list.n; i++) print_json_one(d, d->list.v[i], out);
}
