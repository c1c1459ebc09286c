/* Diagnostics: the table of codes, collecting, order, places. */
#include "grammar/diag.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/sort.h"

enum { ERRORS_KEPT = 100, WARNINGS_KEPT = 1000, TEXT_MAX = 4096 };

static const struct code_row {
    const char *id, *title, *text;
    enum severity severity;
} codes[DIAG_CODE_COUNT] = {
#define CODE(id, severity, title, text) [DIAG_##id] = {#id, title, text, SEVERITY_##severity},
#include "grammar/codes.def"
#undef CODE
};

const char *diag_code_name(enum diag_code code) { return codes[code].id; }
const char *diag_code_title(enum diag_code code) { return codes[code].title; }
const char *diag_code_text(enum diag_code code) { return codes[code].text; }
enum severity diag_code_severity(enum diag_code code) { return codes[code].severity; }

bool diag_code_find(struct str name, enum diag_code *out)
{
    for (int i = 0; i < DIAG_CODE_COUNT; i++) {
        if (!str_eq_nocase(name, str_of(codes[i].id))) continue;
        *out = (enum diag_code)i;
        return true;
    }
    return false;
}

/* --- collecting -------------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 0)))
static struct str format_text(struct arena *a, const char *format, va_list args)
{
    char text[TEXT_MAX];
    int n = vsnprintf(text, sizeof text, format, args);
    INVARIANT(n >= 0);
    size_t length = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    while (length && length == sizeof text - 1 && ((unsigned char)text[length - 1] & 0xc0) == 0x80) length--;
    return arena_str(a, (struct str){text, length});
}

/* Said already: the same of this place; or another error, of a place that could not be read in the first place. */
static bool is_told(const struct diags *d, enum diag_code code, struct span at)
{
    for (size_t i = d->list.n; i-- > 0;) {
        const struct diag *e = d->list.v[i];
        if (e->span.source != at.source || e->span.from != at.from || e->span.to != at.to) continue;
        bool unread = codes[e->code].id[1] == '1' && codes[code].severity == SEVERITY_ERROR; /* E1xx: syntax */
        if (e->code == code || unread) return true;
    }
    return false;
}

/* A record that nobody reads: what follows a full list, or a repetition, may write into it. */
static struct diag *spare(struct diags *d)
{
    struct diag *e = ARENA_NEW(d->arena, struct diag);
    e->note_count = DIAG_NOTES_MAX;
    e->fix_count = DIAG_FIXES_MAX;
    return e;
}

struct diag *diag_add(struct diags *d, enum diag_code code, struct span at, const char *format, ...)
{
    bool is_error = codes[code].severity == SEVERITY_ERROR;
    size_t *count = is_error ? &d->errors : &d->warnings;
    if (is_told(d, code, at)) return spare(d);
    if (*count >= (is_error ? ERRORS_KEPT : WARNINGS_KEPT)) return ++*count, spare(d);
    struct diag *e = ARENA_NEW(d->arena, struct diag);
    e->code = code;
    e->span = at;
    va_list args;
    va_start(args, format);
    e->text = format_text(d->arena, format, args);
    va_end(args);
    ++*count;
    VEC_PUSH(&d->list, e);
    return e;
}

void diag_note(struct diags *d, struct diag *to, struct span at, const char *format, ...)
{
    if (to->note_count == DIAG_NOTES_MAX) return;
    va_list args;
    va_start(args, format);
    to->notes[to->note_count++] = (struct diag_note){at, format_text(d->arena, format, args)};
    va_end(args);
}

void diag_fix(struct diags *d, struct diag *to, const char *label, const char *format, ...)
{
    if (to->fix_count == DIAG_FIXES_MAX) return;
    va_list args;
    va_start(args, format);
    to->fixes[to->fix_count++] = (struct diag_fix){arena_str(d->arena, str_of(label)),
                                                   format_text(d->arena, format, args)};
    va_end(args);
}

/* Source, then position; the sort is stable, so what is at one place stays in the order it was found. */
static int compare_places(const void *left, const void *right, void *nothing)
{
    const struct span a = (*(struct diag *const *)left)->span, b = (*(struct diag *const *)right)->span;
    (void)nothing;
    if (a.source != b.source) return a.source < b.source ? -1 : 1;
    if (a.from != b.from) return a.from < b.from ? -1 : 1;
    return (a.to > b.to) - (a.to < b.to);
}

void diags_sort(struct diags *d) { sort_array(d->list.v, d->list.n, sizeof *d->list.v, compare_places, NULL); }

/* --- places ------------------------------------------------------------------------------------------------------ */

static size_t line_start(struct str text, size_t offset)
{
    size_t before = str_rfind_byte(str_slice(text, 0, offset), '\n');
    return before == STR_NPOS ? 0 : before + 1;
}

void source_locate(struct source *s, uint32_t offset, uint32_t *line, uint32_t *column)
{
    struct str text = s->text;
    size_t to = offset < text.n ? offset : text.n, from = line_start(text, to);
    bool behind = s->near_start <= from && s->near_line;
    size_t at = behind ? s->near_start : 0;
    for (*line = behind ? s->near_line : 1; at < from; ++*line) at += str_find_byte(str_from(text, at), '\n') + 1;
    s->near_start = (uint32_t)from;
    s->near_line = *line;
    *column = 1;
    if (from == 0 && str_starts(text, STR("\xEF\xBB\xBF"))) from = to < 3 ? to : 3;
    for (size_t i = from; i < to; i++) *column += ((unsigned char)text.p[i] & 0xc0) != 0x80;
}
