#include <string.h>

#include "message/edits_text.h"

/* Tags as far as they decide where the body of a page begins and ends: HTML Living Standard section 13.2.5. */

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }

/* Behind the ">" of a tag whose name ends at `at`: one inside a quoted value is not it.  STR_NPOS when it never comes.
 */
static size_t tag_close(struct str s, size_t at)
{
    char quote = 0;
    bool value = false; /* behind "=" */
    for (; at < s.n; at++) {
        char c = s.p[at];
        if (quote) {
            if (c == quote) quote = 0;
        } else if (c == '>') {
            return at + 1;
        } else if (value && (c == '"' || c == '\'')) {
            quote = c;
            value = false;
        } else if (!is_space(c)) {
            value = c == '=';
        }
    }
    return STR_NPOS;
}

struct tag {
    size_t from, to;
    struct str name;
    bool closing;
};

static bool is_raw_text(struct str name)
{
    static const char *const names[] = {"script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eq_nocase(name, str_of(names[i]))) return true;
    return false;
}

static size_t raw_text_end(struct str s, size_t at, struct str name)
{
    for (; at < s.n; at++) {
        const char *hit = memmem(s.p + at, s.n - at, "</", 2);
        if (!hit) return STR_NPOS;
        at = (size_t)(hit - s.p);
        char after = at + 2 + name.n < s.n ? s.p[at + 2 + name.n] : 0;
        bool ends = is_space(after) || after == '/' || after == '>';
        if (ends && str_eq_nocase(str_slice(s, at + 2, at + 2 + name.n), name)) return at;
    }
    return STR_NPOS;
}

static size_t comment_end(struct str s, size_t at)
{
    if (str_starts(str_from(s, at + 4), STR(">"))) return at + 5;
    if (str_starts(str_from(s, at + 4), STR("->"))) return at + 6;
    for (size_t i = at + 4; i + 2 < s.n; i++) {
        const char *hit = memmem(s.p + i, s.n - i, "--", 2);
        if (!hit) return STR_NPOS;
        i = (size_t)(hit - s.p);
        if (str_starts(str_from(s, i + 2), STR(">"))) return i + 3;
        if (str_starts(str_from(s, i + 2), STR("!>"))) return i + 4;
    }
    return STR_NPOS;
}

struct scan {
    struct str s;
    size_t at;
    bool open; /* the page ends inside a tag, a comment, or text that is no text: nothing behind it is shown */
};

/* `end` is where the next thing begins, if there is one. */
static void scan_to(struct scan *x, size_t end)
{
    x->open = end == STR_NPOS;
    x->at = x->open ? x->s.n : end;
}

static bool tag_next(struct scan *x, struct tag *out)
{
    struct str s = x->s;
    while (x->at < s.n) {
        size_t open = str_find_byte(str_from(s, x->at), '<');
        if (open == STR_NPOS) return false;
        size_t from = x->at + open;
        if (str_starts(str_from(s, from), STR("<!--"))) {
            scan_to(x, comment_end(s, from));
            continue;
        }
        *out = (struct tag){.from = from, .closing = from + 1 < s.n && s.p[from + 1] == '/'};
        size_t name = from + 1 + out->closing, end = name;
        bool bogus = name < s.n && !ascii_is_alpha(s.p[name]) && (out->closing || s.p[name] == '!' || s.p[name] == '?');
        if (!bogus && (name >= s.n || !ascii_is_alpha(s.p[name]))) {
            x->at = from + 1;
            continue;
        }
        while (end < s.n && !is_space(s.p[end]) && s.p[end] != '/' && s.p[end] != '>') end++;
        out->name = str_slice(s, name, end);
        size_t close = str_find_byte(str_from(s, name), '>');
        scan_to(x, !bogus ? tag_close(s, end) : close == STR_NPOS ? close : name + close + 1);
        out->to = x->at;
        if (!x->open && !out->closing && is_raw_text(out->name)) scan_to(x, raw_text_end(s, x->at, out->name));
        return true;
    }
    return false;
}

size_t html_first_place(struct str html)
{
    struct scan x = {.s = html};
    size_t place = 0;
    for (struct tag t; tag_next(&x, &t);) {
        if (!t.closing && str_eq_nocase(t.name, STR("body"))) return t.to;
        bool before_body = str_eq_nocase(t.name, STR("!doctype")) ||
                           (!t.closing && str_eq_nocase(t.name, STR("html"))) ||
                           (t.closing && str_eq_nocase(t.name, STR("head")));
        if (before_body) place = t.to;
    }
    return place;
}

size_t html_last_place(struct str html)
{
    struct scan x = {.s = html};
    size_t body = STR_NPOS, page = STR_NPOS;
    for (struct tag t; tag_next(&x, &t);) {
        if (!t.closing) continue;
        if (str_eq_nocase(t.name, STR("body"))) body = t.from;
        if (str_eq_nocase(t.name, STR("html"))) page = t.from;
    }
    return body != STR_NPOS ? body : page != STR_NPOS ? page : x.open ? STR_NPOS : html.n;
}
