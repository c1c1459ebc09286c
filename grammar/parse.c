/* One parse: the checks before reading, the tokens' way from the lexer to the parser, and recovery. */
#include "grammar/parse.h"

#include <string.h>

#include "grammar/grammar.tab.h"
#include "grammar/scan.h"

struct span span_join(struct span a, struct span b)
{
    if (b.to < a.from) return a;
    return (struct span){a.source, a.from, b.to > a.to ? b.to : a.to};
}

struct str span_text(const struct parse *p, struct span s) { return str_slice(p->source->text, s.from, s.to); }

/* --- keywords ---------------------------------------------------------------------------------------------------- */

struct keyword {
    struct str spelling;
    int token;
};
static const struct keyword keywords[] = {
#define KEYWORD(token, spelling, doc, example) {{spelling, sizeof spelling - 1}, SL_##token},
#include "grammar/keywords.def"
};
enum { KEYWORDS = sizeof keywords / sizeof *keywords, KEYWORD_LENGTH_MAX = 8 };

int keyword_find(struct str word)
{
    if (word.n < 2 || word.n > KEYWORD_LENGTH_MAX) return 0;
    size_t low = 0, high = KEYWORDS;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = str_cmp(word, keywords[middle].spelling);
        if (order == 0) return keywords[middle].token;
        if (order < 0) high = middle;
        else low = middle + 1;
    }
    return 0;
}

const char *keyword_spelling(int token)
{
    static const char *const spellings[] = {
#define KEYWORD(token, spelling, doc, example) [SL_##token - SL_RULE] = spelling,
#include "grammar/keywords.def"
    };
    bool listed = token >= SL_RULE && (size_t)(token - SL_RULE) < sizeof spellings / sizeof *spellings;
    return listed ? spellings[token - SL_RULE] : NULL;
}

bool token_starts_item(int token)
{
    return token == SL_RULE || token == SL_WHEN || token == SL_LIST || token == SL_DEFINE || token == SL_IMPORT ||
           token == SL_TEST || token == SL_DEFAULTS;
}

/* --- what the lexer's rules share -------------------------------------------------------------------------------- */

bool scan_is_word(char c) { return ascii_is_alpha(c) || ascii_is_digit(c) || c == '_'; }

size_t scan_digits(struct str s)
{
    size_t n = 0;
    while (n < s.n && ascii_is_digit(s.p[n])) n++;
    return n;
}

bool scan_is_fraction(struct str s)
{
    size_t dot = str_find_byte(s, '.');
    return dot != STR_NPOS && str_find_byte(str_from(s, dot + 1), '.') == STR_NPOS;
}

size_t scan_character(const struct parse *p, struct span at)
{
    struct str s = span_text(p, at);
    size_t n = s.n ? 1 : 0;
    while (n < s.n && ((unsigned char)s.p[n] & 0xc0) == 0x80) n++;
    return n;
}

/* A name in lower case: the source's own bytes when they are. */
struct str name_folded(struct parse *p, struct span at)
{
    struct str s = span_text(p, at);
    size_t i = 0;
    while (i < s.n && !(s.p[i] >= 'A' && s.p[i] <= 'Z')) i++;
    if (i == s.n) return s;
    char *out = arena_cstr(p->arena, s);
    for (; i < s.n; i++) out[i] = ascii_lower(out[i]);
    return (struct str){out, s.n};
}

int scan_name(struct parse *p, struct span at, struct str *value)
{
    struct str name = name_folded(p, at);
    int keyword = keyword_find(name);
    if (keyword) return keyword;
    *value = name;
    return p->is_kind && p->is_kind(name) ? SL_KIND : SL_NAME;
}

/* --- from the lexer to the parser -------------------------------------------------------------------------------- */

/* The next token of queue or scanner; SCAN_QUEUED when the scanner only filled the queue. */
static int next_token(struct parse *p, SL_STYPE *value, struct span *at)
{
    if (p->queue_head < p->queue_count) {
        struct parse_token t = p->queue[p->queue_head++];
        if (p->queue_head == p->queue_count) p->queue_head = p->queue_count = 0;
        *at = t.span;
        if (t.literal) value->SL_TEXT = t.literal;
        else value->SL_NAME = t.name;
        return t.kind;
    }
    int kind = scan_token(value, at, p->scanner);
    if (kind == SL_END) *at = (struct span){p->source->number, (uint32_t)p->source->text.n,
                                            (uint32_t)p->source->text.n};
    return kind;
}

static bool is_first_on_line(const struct parse *p, uint32_t at)
{
    while (at > 0 && ascii_is_blank(p->source->text.p[at - 1])) at--;
    return at == 0 || p->source->text.p[at - 1] == '\n' || p->source->text.p[at - 1] == '\r';
}

/* A declaration begins an item wherever one may stand, but its word may also stand inside a condition; while skipping
 * after an error, only one that begins a line is trusted. */
static bool resumes_at(const struct parse *p, int kind, struct span at)
{
    return kind == SL_END || token_starts_item(kind) || (kind == SL_KIND && is_first_on_line(p, at.from));
}

/* Counts open parentheses and `not`s, so that depth is told of where it is reached.  False: too deep. */
static bool count_nesting(struct parse *p, int kind, struct span at)
{
    if (kind == SL_NOT) {
        if (++p->nots <= PARSE_NESTING_MAX) return true;
    } else {
        p->nots = 0;
        if (kind == SL_RPAREN && p->parens) p->parens--;
        if (token_starts_item(kind)) p->parens = 0;
        if (kind != SL_LPAREN || ++p->parens <= PARSE_NESTING_MAX) return true;
    }
    build_too_deep(p, PARSE_NESTING_MAX + 1, at);
    p->parens = p->nots = 0;
    return false;
}

/* Keeps what messages look back to: the token before, and the names since the last keyword. */
static void remember(struct parse *p, int kind, struct span at, struct str name)
{
    p->previous = p->found;
    if (p->previous.kind && keyword_spelling(p->previous.kind)) p->stray_count = 0;
    p->found = (struct parse_token){kind, at, NULL, name};
    if (kind != SL_NAME) return;
    if (p->stray_count == PARSE_STRAYS) memmove(p->strays, p->strays + 1, --p->stray_count * sizeof *p->strays);
    p->strays[p->stray_count++] = p->found;
}

int sl_lex(SL_STYPE *value, SL_LTYPE *at, struct parse *p)
{
    int kind;
    for (;;) {
        if (p->diags->errors >= p->errors_before + PARSE_ERRORS_MAX) {
            *at = (struct span){p->source->number, p->at, p->at};
            p->found = (struct parse_token){SL_BAD, *at, NULL, STR_NONE}; /* the end is no error then */
            return SL_END;
        }
        kind = next_token(p, value, at);
        if (kind == SCAN_QUEUED) continue;
        if (!p->resync) break;
        if (!resumes_at(p, kind, *at)) continue;
        p->resync = false;
        p->parens = p->nots = 0;
        p->stray_count = 0;
        break;
    }
    if (!count_nesting(p, kind, *at)) kind = SL_BAD;
    remember(p, kind, *at, kind == SL_NAME || kind == SL_KIND ? value->SL_NAME : STR_NONE);
    return kind;
}

/* Called by the parser only when its stack is exhausted. */
void sl_error(const SL_LTYPE *at, struct parse *p, const char *message)
{
    (void)message;
    build_too_deep(p, PARSE_NESTING_MAX + 1, *at);
}

/* --- before reading ---------------------------------------------------------------------------------------------- */

/* Bytes of valid UTF-8 at the start (RFC 3629).  Halves the text until the fault is near, so that the one test of
 * base/str is enough; only faulty files pay. */
static size_t utf8_valid_prefix(struct str s)
{
    size_t good = 0, step = s.n;
    while (step > 0) {
        size_t end = good + step < s.n ? good + step : s.n;
        while (end > good && end < s.n && ((unsigned char)s.p[end] & 0xc0) == 0x80) end--;
        if (end > good && str_is_utf8(str_slice(s, good, end))) good = end;
        else step /= 2;
        if (good == s.n) break;
    }
    return good;
}

static bool is_readable(struct parse *p)
{
    struct str text = p->source->text;
    struct span at = {p->source->number, 0, 0};
    if (text.n > PARSE_TEXT_MAX) {
        diag_add(p->diags, DIAG_E114, at, "the file holds %zu bytes; at most %d are read", text.n, PARSE_TEXT_MAX);
        return false;
    }
    bool utf16 = str_starts(text, STR("\xFF\xFE")) || str_starts(text, STR("\xFE\xFF"));
    size_t nul = str_find_byte(text, '\0');
    if (nul != STR_NPOS && !utf16) {
        at.from = (uint32_t)nul, at.to = at.from + 1;
        diag_add(p->diags, DIAG_E113, at, "the file holds a NUL byte");
        return false;
    }
    if (str_is_utf8(text) && !utf16) return true;
    at.from = (uint32_t)utf8_valid_prefix(text), at.to = at.from + 1;
    struct diag *d = diag_add(p->diags, DIAG_E112, at, "the file is not UTF-8: byte 0x%02X means nothing here",
                              (unsigned)(unsigned char)text.p[at.from]);
    if (utf16) diag_note(p->diags, d, (struct span){0, 0, 0}, "it looks like UTF-16; save it as UTF-8");
    return false;
}

struct ast_file *ast_parse(struct arena *a, struct source *s, ast_is_kind *is_kind, struct diags *d)
{
    struct ast_file *file = ARENA_NEW(a, struct ast_file);
    file->source = s;
    struct parse p = {.arena = a, .source = s, .is_kind = is_kind, .diags = d, .file = file,
                      .errors_before = d->errors};
    if (!is_readable(&p)) return file;
    p.scanner = scan_create(&p);
    (void)sl_parse(&p); /* what it could not read was told */
    scan_free(&p.scanner);
    return file;
}
