#include "message/html.h"

#include <string.h>

#include "message/charset.h"

struct writer {
    struct buf *out;
    size_t begin;    /* where our text begins in out */
    bool blank;      /* white space was seen that is not yet written */
    unsigned pre;    /* open <pre> */
};

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }

static bool at_line_start(const struct writer *w) { return w->out->n == w->begin || w->out->p[w->out->n - 1] == '\n'; }

static void line_break(struct writer *w)
{
    w->blank = false;
    if (!at_line_start(w)) buf_add_byte(w->out, '\n');
}

static void write_pending(struct writer *w)
{
    if (w->blank && !at_line_start(w)) buf_add_byte(w->out, ' ');
    w->blank = false;
}

static void write_space(struct writer *w, char c)
{
    if (w->pre == 0)
        w->blank = true;
    else if (c != '\r')
        buf_add_byte(w->out, c);
}

static void write_text(struct writer *w, struct str s)
{
    while (s.n) {
        size_t n = 0;
        while (n < s.n && !is_space(s.p[n])) n++;
        if (n) {
            write_pending(w);
            buf_add(w->out, str_slice(s, 0, n));
        }
        for (; n < s.n && is_space(s.p[n]); n++) write_space(w, s.p[n]);
        s = str_from(s, n);
    }
}

static void write_code_point(struct writer *w, uint32_t c)
{
    if (c < 0x80 && is_space((char)c)) {
        write_space(w, (char)c);
        return;
    }
    write_pending(w);
    utf8_add(w->out, c);
}

/* --- character references ---------------------------------------------------------------------------------------- */

static const struct entity {
    const char *name;
    uint32_t code_point;
    bool legacy;
} entities[] = {
#define ENTITY(name, code_point, legacy) {name, code_point, legacy},
#include "message/entities.def"
#undef ENTITY
};
enum { ENTITIES = sizeof entities / sizeof entities[0], ENTITY_MAX = 8 };

static const struct entity *entity_find(struct str name)
{
    size_t low = 0, high = ENTITIES;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = str_cmp(name, str_of(entities[middle].name));
        if (order == 0) return &entities[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* "&name;", and without the semicolon the longest legacy name that is a prefix.  Answers its length, 0 for none. */
static size_t named_reference(struct str s, uint32_t *out)
{
    size_t n = 0;
    struct str name = str_from(s, 1);
    while (n < name.n && n <= ENTITY_MAX && (ascii_is_alpha(name.p[n]) || ascii_is_digit(name.p[n]))) n++;
    const struct entity *e = n < name.n && name.p[n] == ';' ? entity_find(str_slice(name, 0, n)) : NULL;
    if (e) {
        *out = e->code_point;
        return n + 2;
    }
    for (; n >= 2; n--) {
        e = entity_find(str_slice(name, 0, n));
        if (!e || !e->legacy) continue;
        *out = e->code_point;
        return n + 1;
    }
    return 0;
}

/* "&#116;", "&#x74;", also without the semicolon.  C1 controls are what windows-1252 has there (section 13.2.5.80). */
static size_t numeric_reference(struct str s, uint32_t *out)
{
    bool hex = s.n > 2 && ascii_lower(s.p[2]) == 'x';
    size_t begin = hex ? 3 : 2, at = begin;
    uint32_t c = 0;
    for (; at < s.n; at++) {
        char d = ascii_lower(s.p[at]);
        uint32_t digit = ascii_is_digit(d)             ? (uint32_t)(d - '0')
                         : hex && d >= 'a' && d <= 'f' ? (uint32_t)(d - 'a') + 10
                                                       : 99;
        if (digit == 99) break;
        if (c <= 0x10ffff) c = c * (hex ? 16 : 10) + digit;
    }
    if (at == begin) return 0;
    if (at < s.n && s.p[at] == ';') at++;
    *out = c == 0 ? 0xfffd : c;
    return at;
}

static size_t write_reference(struct writer *w, struct str s)
{
    uint32_t c = 0;
    bool numeric = s.n > 1 && s.p[1] == '#';
    size_t n = numeric ? numeric_reference(s, &c) : named_reference(s, &c);
    if (n == 0) {
        write_text(w, STR("&"));
        return 1;
    }
    if (numeric && c >= 0x80 && c <= 0x9f) {
        char byte = (char)c;
        write_pending(w);
        charset_decode(STR("windows-1252"), (struct str){&byte, 1}, w->out);
    } else {
        write_code_point(w, c);
    }
    return n;
}

/* --- tags -------------------------------------------------------------------------------------------------------- */

enum tag_kind { TAG_INLINE, TAG_BLOCK, TAG_CELL, TAG_RAW, TAG_PRE };
enum { TAG_NAME_MAX = 10 };

static const struct tag {
    const char *name;
    enum tag_kind kind;
} tags[] = {/* sorted */
            {"address", TAG_BLOCK},    {"article", TAG_BLOCK}, {"aside", TAG_BLOCK},   {"blockquote", TAG_BLOCK},
            {"body", TAG_BLOCK},       {"br", TAG_BLOCK},      {"caption", TAG_BLOCK}, {"center", TAG_BLOCK},
            {"dd", TAG_BLOCK},         {"details", TAG_BLOCK}, {"dialog", TAG_BLOCK},  {"dir", TAG_BLOCK},
            {"div", TAG_BLOCK},        {"dl", TAG_BLOCK},      {"dt", TAG_BLOCK},      {"fieldset", TAG_BLOCK},
            {"figcaption", TAG_BLOCK}, {"figure", TAG_BLOCK},  {"footer", TAG_BLOCK},  {"form", TAG_BLOCK},
            {"h1", TAG_BLOCK},         {"h2", TAG_BLOCK},      {"h3", TAG_BLOCK},      {"h4", TAG_BLOCK},
            {"h5", TAG_BLOCK},         {"h6", TAG_BLOCK},      {"head", TAG_BLOCK},    {"header", TAG_BLOCK},
            {"hr", TAG_BLOCK},         {"html", TAG_BLOCK},    {"legend", TAG_BLOCK},  {"li", TAG_BLOCK},
            {"main", TAG_BLOCK},       {"menu", TAG_BLOCK},    {"nav", TAG_BLOCK},     {"ol", TAG_BLOCK},
            {"option", TAG_BLOCK},     {"p", TAG_BLOCK},       {"pre", TAG_PRE},       {"script", TAG_RAW},
            {"section", TAG_BLOCK},    {"style", TAG_RAW},     {"summary", TAG_BLOCK}, {"table", TAG_BLOCK},
            {"tbody", TAG_BLOCK},      {"td", TAG_CELL},       {"tfoot", TAG_BLOCK},   {"th", TAG_CELL},
            {"thead", TAG_BLOCK},      {"title", TAG_BLOCK},   {"tr", TAG_BLOCK},      {"ul", TAG_BLOCK}};

static enum tag_kind tag_kind_of(struct str name)
{
    char lower[TAG_NAME_MAX];
    if (name.n > TAG_NAME_MAX) return TAG_INLINE;
    for (size_t i = 0; i < name.n; i++) lower[i] = ascii_lower(name.p[i]);
    size_t low = 0, high = sizeof tags / sizeof tags[0];
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = str_cmp((struct str){lower, name.n}, str_of(tags[middle].name));
        if (order == 0) return tags[middle].kind;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return TAG_INLINE;
}

/* From behind a tag's name to behind its ">": a ">" inside a quoted value is not it.  s.n when it never comes. */
static size_t attributes_end(struct str s, size_t at)
{
    while (at < s.n) {
        char c = s.p[at];
        if (c == '>') return at + 1;
        if (is_space(c) || c == '/') {
            at++;
            continue;
        }
        at++; /* an attribute's name; its first byte may be "=" */
        while (at < s.n && !is_space(s.p[at]) && s.p[at] != '/' && s.p[at] != '>' && s.p[at] != '=') at++;
        while (at < s.n && is_space(s.p[at])) at++;
        if (at >= s.n || s.p[at] != '=') continue;
        at++;
        while (at < s.n && is_space(s.p[at])) at++;
        if (at >= s.n) break;
        if (s.p[at] == '"' || s.p[at] == '\'') {
            size_t quote = str_find_byte(str_from(s, at + 1), s.p[at]);
            if (quote == STR_NPOS) return s.n;
            at += quote + 2;
        } else {
            while (at < s.n && !is_space(s.p[at]) && s.p[at] != '>') at++;
        }
    }
    return s.n;
}

/* Behind the content of script or style: where its end tag begins. */
static size_t raw_text_end(struct str s, size_t at, struct str name)
{
    for (; at < s.n; at++) {
        size_t open = str_find_byte(str_from(s, at), '<');
        if (open == STR_NPOS) return s.n;
        at += open;
        struct str tag = str_from(s, at + 1);
        if (tag.n <= name.n + 1 || tag.p[0] != '/' || !str_eq_nocase(str_slice(tag, 1, name.n + 1), name)) continue;
        char after = tag.p[name.n + 1];
        if (is_space(after) || after == '/' || after == '>') return at;
    }
    return s.n;
}

static size_t tag_end(struct writer *w, struct str s, bool closing)
{
    size_t begin = closing ? 2 : 1, at = begin;
    while (at < s.n && !is_space(s.p[at]) && s.p[at] != '/' && s.p[at] != '>') at++;
    struct str name = str_slice(s, begin, at);
    enum tag_kind kind = tag_kind_of(name);
    at = attributes_end(s, at);
    if (kind == TAG_CELL) w->blank = true;
    if (kind == TAG_BLOCK || kind == TAG_PRE) line_break(w);
    if (kind == TAG_PRE && !closing) w->pre++;
    if (kind == TAG_PRE && closing && w->pre) w->pre--;
    if (kind == TAG_RAW && !closing) at = raw_text_end(s, at, name);
    return at;
}

static size_t comment_end(struct str s)
{
    size_t at = 4; /* behind "<!--" */
    if (str_starts(str_from(s, at), STR(">"))) return at + 1;
    if (str_starts(str_from(s, at), STR("->"))) return at + 2;
    for (;;) {
        size_t dashes = str_find(str_from(s, at), STR("--"));
        if (dashes == STR_NPOS) return s.n;
        at += dashes;
        if (str_starts(str_from(s, at + 2), STR(">"))) return at + 3;
        if (str_starts(str_from(s, at + 2), STR("!>"))) return at + 4;
        at++;
    }
}

/* What stands at a "<": answers its length; 0 when it is no markup. */
static size_t write_markup(struct writer *w, struct str s)
{
    if (s.n < 2) return 0;
    if (ascii_is_alpha(s.p[1])) return tag_end(w, s, false);
    if (s.p[1] == '/' && s.n > 2 && ascii_is_alpha(s.p[2])) return tag_end(w, s, true);
    if (str_starts(s, STR("<!--"))) return comment_end(s);
    if (s.p[1] == '/' && s.n == 2) return 0;
    if (s.p[1] != '!' && s.p[1] != '?' && s.p[1] != '/') return 0;
    size_t close = str_find_byte(s, '>'); /* doctype, processing instruction, bogus comment */
    return close == STR_NPOS ? s.n : close + 1;
}

void html_to_text(struct str html, struct buf *out)
{
    struct writer w = {.out = out, .begin = out->n};
    buf_reserve(out, html.n);
    while (html.n) {
        size_t n = 0;
        while (n < html.n && html.p[n] != '<' && html.p[n] != '&') n++;
        write_text(&w, str_slice(html, 0, n));
        html = str_from(html, n);
        if (html.n == 0) break;
        size_t took = html.p[0] == '&' ? write_reference(&w, html) : write_markup(&w, html);
        if (took == 0) {
            write_text(&w, STR("<"));
            took = 1;
        }
        html = str_from(html, took);
    }
}

struct str html_meta_charset(struct str html)
{
    struct str head = str_slice(html, 0, 1024), word = STR("charset");
    for (size_t i = 0; i + word.n < head.n; i++) {
        if (ascii_lower(head.p[i]) != 'c' || !str_eq_nocase(str_slice(head, i, i + word.n), word)) continue;
        size_t at = i + word.n;
        while (at < head.n && (is_space(head.p[at]) || head.p[at] == '=' || head.p[at] == '"' || head.p[at] == '\''))
            at++;
        size_t end = at;
        while (end < head.n && !is_space(head.p[end]) && !memchr("\"'/>;", head.p[end], 5)) end++;
        if (end > at) return str_slice(head, at, end);
    }
    return STR("");
}
