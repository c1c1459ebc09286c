#include "message/html.h"

#include <string.h>

#include "message/charset.h"

enum { HIDDEN_NAMES_MAX = 32, TAG_NAME_MAX = 10 };

struct writer {
    struct viewer *r;
    struct buf *out;
    size_t begin; /* where our text begins in out */
    bool blank;   /* white space was seen that is not yet written */
    unsigned pre; /* open <pre> */
    /* HTML_HIDDEN: the element that hides, by name, and how many of that name are open inside; the names (".note",
     * "#x") for which a style sheet says so. */
    struct str hidden;
    size_t hidden_depth, hidden_count;
    bool in_conditional;
    bool open_tag, open_comment, open_raw;     /* HTML_LOOSE: one that never ends was seen, so none behind it does */
    struct str hidden_names[HIDDEN_NAMES_MAX]; /* the first hidden_count */
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
    if (w->hidden_depth) return;
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
    if (w->hidden_depth) return;
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
    uint32_t code_point, second;
    bool legacy;
} entities[] = {
#define ENTITY(name, code_point, second, legacy) {name, code_point, second, legacy},
#include "message/entities.def"
#undef ENTITY
};
enum { ENTITIES = sizeof entities / sizeof entities[0], ENTITY_MAX = 31, ENTITY_LEGACY_MAX = 6 };

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
static size_t named_reference(struct str s, uint32_t out[2])
{
    size_t n = 0;
    struct str name = str_from(s, 1);
    while (n < name.n && n <= ENTITY_MAX && (ascii_is_alpha(name.p[n]) || ascii_is_digit(name.p[n]))) n++;
    const struct entity *e = n < name.n && name.p[n] == ';' ? entity_find(str_slice(name, 0, n)) : NULL;
    if (e) {
        out[0] = e->code_point, out[1] = e->second;
        return n + 2;
    }
    for (n = n < ENTITY_LEGACY_MAX ? n : ENTITY_LEGACY_MAX; n >= 2; n--) {
        e = entity_find(str_slice(name, 0, n));
        if (!e || !e->legacy) continue;
        out[0] = e->code_point;
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
    uint32_t c[2] = {0, 0};
    bool numeric = s.n > 1 && s.p[1] == '#';
    size_t n = numeric ? numeric_reference(s, c) : named_reference(s, c);
    if (n == 0) {
        write_text(w, STR("&"));
        return 1;
    }
    if (numeric && c[0] >= 0x80 && c[0] <= 0x9f) {
        char byte = (char)c[0];
        struct viewer plain = {0};
        if (w->hidden_depth) return n;
        write_pending(w);
        charset_decode(&plain, STR("windows-1252"), (struct str){&byte, 1}, w->out);
    } else {
        write_code_point(w, c[0]);
        if (c[1]) write_code_point(w, c[1]);
    }
    return n;
}

/* --- tags -------------------------------------------------------------------------------------------------------- */

enum tag_kind { TAG_INLINE, TAG_BLOCK, TAG_CELL, TAG_RAW, TAG_PRE };

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

struct attribute {
    struct str name, value;
};

/* The next attribute at *at; false at the tag's end, *at then behind its ">", or s.n when that never comes.  A ">"
 * inside a quoted value is not it, but to simple programs. */
static bool attribute_next(struct viewer *r, struct str s, size_t *at, struct attribute *out)
{
    size_t i = *at;
    while (i < s.n && (is_space(s.p[i]) || s.p[i] == '/')) i++;
    *at = i < s.n ? i + 1 : s.n;
    if (i >= s.n || s.p[i] == '>') return false;
    size_t begin = i++; /* an attribute's name; its first byte may be "=" */
    while (i < s.n && !is_space(s.p[i]) && s.p[i] != '/' && s.p[i] != '>' && s.p[i] != '=') i++;
    *out = (struct attribute){.name = str_slice(s, begin, i)};
    while (i < s.n && is_space(s.p[i])) i++;
    *at = i;
    if (i >= s.n || s.p[i] != '=') return true;
    i++;
    while (i < s.n && is_space(s.p[i])) i++;
    begin = i;
    if (i < s.n && (s.p[i] == '"' || s.p[i] == '\'')) {
        size_t quote = str_find_byte(str_from(s, i + 1), s.p[i]);
        size_t end = quote == STR_NPOS ? s.n : i + 1 + quote;
        size_t close = str_find_byte(str_slice(s, i, end), '>');
        if (close != STR_NPOS && manner_is(r, MANNER_HTML_LOOSE)) {
            *at = i + close;
            return true;
        }
        out->value = str_slice(s, i + 1, end);
        *at = end < s.n ? end + 1 : s.n;
        return true;
    }
    while (i < s.n && !is_space(s.p[i]) && s.p[i] != '>') i++;
    out->value = str_slice(s, begin, i);
    *at = i;
    return true;
}

/* --- hidden text ------------------------------------------------------------------------------------------------- */

/* Whether declarations of CSS hide what they style; letters in any case, blanks anywhere. */
static bool style_hides(struct str css)
{
    static const char *const forms[] = {"display:none", "visibility:hidden", "font-size:0",  "mso-hide:all",
                                        "opacity:0;",   "max-height:0",      "text-indent:-"};
    char text[512];
    size_t n = 0;
    for (size_t i = 0; i < css.n && n + 1 < sizeof text; i++)
        if (!is_space(css.p[i])) text[n++] = ascii_lower(css.p[i]);
    text[n++] = ';';
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        size_t at = str_find((struct str){text, n}, str_of(forms[i]));
        if (at == STR_NPOS) continue;
        char after = at + strlen(forms[i]) < n ? text[at + strlen(forms[i])] : ';';
        if (forms[i][strlen(forms[i]) - 1] != '0' || (after != '.' && !ascii_is_digit(after))) return true;
    }
    return false;
}

/* ".note" and "#x" of the selectors before a block that hides. */
static void hidden_names_add(struct writer *w, struct str selectors)
{
    for (size_t i = 0; i < selectors.n && w->hidden_count < HIDDEN_NAMES_MAX; i++) {
        if (selectors.p[i] != '.' && selectors.p[i] != '#') continue;
        size_t end = i + 1;
        while (end < selectors.n && !is_space(selectors.p[end]) && !memchr(",.#>+~:[{", selectors.p[end], 9)) end++;
        if (end > i + 1) w->hidden_names[w->hidden_count++] = str_slice(selectors, i, end);
    }
}

static void style_sheet_read(struct writer *w, struct str css)
{
    size_t begin = 0; /* of the selectors */
    for (size_t i = 0; i < css.n; i++) {
        if (css.p[i] == '}') begin = i + 1;
        if (css.p[i] != '{') continue;
        size_t close = i + 1;
        while (close < css.n && css.p[close] != '}' && css.p[close] != '{') close++;
        if (style_hides(str_slice(css, i + 1, close))) hidden_names_add(w, str_slice(css, begin, i));
        begin = i + 1;
        i = close - 1;
    }
}

static bool is_named_hidden(const struct writer *w, char kind, struct str words)
{
    while (words.n) {
        size_t n = 0;
        while (n < words.n && !is_space(words.p[n])) n++;
        for (size_t i = 0; n && i < w->hidden_count; i++)
            if (w->hidden_names[i].p[0] == kind && str_eq(str_from(w->hidden_names[i], 1), str_slice(words, 0, n)))
                return true;
        words = str_from(words, n + 1);
    }
    return false;
}

static bool attribute_hides(const struct writer *w, const struct attribute *a)
{
    if (str_eq_nocase(a->name, STR("style"))) return style_hides(a->value);
    if (str_eq_nocase(a->name, STR("hidden"))) return true;
    if (str_eq_nocase(a->name, STR("class"))) return is_named_hidden(w, '.', a->value);
    return str_eq_nocase(a->name, STR("id")) && is_named_hidden(w, '#', a->value);
}

static bool is_void(struct str name)
{
    static const char *const names[] = {"area",  "base", "br",   "col",   "embed",  "hr",    "img",
                                        "input", "link", "meta", "param", "source", "track", "wbr"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (str_eq_nocase(name, str_of(names[i]))) return true;
    return false;
}

static void hidden_follow(struct writer *w, struct str name, bool closing, bool hides)
{
    if (w->hidden_depth) {
        if (str_eq_nocase(name, w->hidden)) w->hidden_depth += closing ? (size_t)-1 : 1;
    } else if (hides && !closing && !is_void(name) && manner_is(w->r, MANNER_HTML_HIDDEN)) {
        w->hidden = name;
        w->hidden_depth = 1;
    }
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

/* Words that readers show where an image is not loaded, or in a control; and where a link leads, which those tell who
 * make plain text of HTML. */
static void attribute_write(struct writer *w, const struct attribute *a)
{
    static const char *const names[] = {"alt", "value", "placeholder", "label", "title", "href", "src"};
    bool shown = false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) shown |= str_eq_nocase(a->name, str_of(names[i]));
    if (!shown || str_trim(a->value).n == 0 || !manner_is(w->r, MANNER_HTML_EXTRA)) return;
    struct str rest = a->value;
    while (rest.n) {
        size_t n = rest.p[0] == '&' ? write_reference(w, rest) : str_find_byte(rest, '&');
        if (n == STR_NPOS) n = rest.n;
        if (rest.p[0] != '&') write_text(w, str_slice(rest, 0, n));
        rest = str_from(rest, n);
    }
}

/* Tags that no program makes a blank of. */
static bool is_mark_up_of_words(struct str name)
{
    static const char *const names[] = {"a", "b", "em", "i", "span", "strong", "u"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (str_eq_nocase(name, str_of(names[i]))) return true;
    return false;
}

/* Whether a tag whose attributes begin at `at` ends at all. */
static bool tag_ends(struct viewer *r, struct str s, size_t at)
{
    for (struct attribute a; attribute_next(r, s, &at, &a);) continue;
    return at < s.n || s.p[s.n - 1] == '>';
}

/* Whether another "<" comes before the next ">". */
static bool tag_holds_tag(struct str s, size_t at)
{
    while (at < s.n && s.p[at] != '<' && s.p[at] != '>') at++;
    return at < s.n && s.p[at] == '<';
}

static size_t tag_end(struct writer *w, struct str s, bool closing)
{
    size_t begin = closing ? 2 : 1, at = begin;
    while (at < s.n && !is_space(s.p[at]) && s.p[at] != '/' && s.p[at] != '>' &&
           !(s.p[at] == '<' && manner_is(w->r, MANNER_HTML_LOOSE)))
        at++;
    struct str name = str_slice(s, begin, at);
    enum tag_kind kind = tag_kind_of(name);
    if (w->r->manners >> MANNER_HTML_LOOSE & 1) {
        if (tag_holds_tag(s, at)) return 0; /* text; the one in it is the tag */
        if (!tag_ends(w->r, s, at)) {
            w->open_tag = true;
            return 0; /* no tag: text */
        }
    }
    if (kind == TAG_CELL) w->blank = true;
    if (kind == TAG_INLINE && !is_mark_up_of_words(name) && manner_is(w->r, MANNER_HTML_EXTRA)) w->blank = true;
    if (kind == TAG_BLOCK || kind == TAG_PRE) line_break(w);
    bool hides = false;
    struct attribute a;
    while (attribute_next(w->r, s, &at, &a)) {
        if (closing) continue;
        attribute_write(w, &a);
        if (!hides) hides = attribute_hides(w, &a);
    }
    bool simple = at < s.n || s.p[s.n - 1] == '>';
    if (!simple || str_find_byte(str_slice(s, 1, at), '<') != STR_NPOS) manner_is(w->r, MANNER_HTML_LOOSE);
    hidden_follow(w, name, closing, hides);
    if (kind == TAG_PRE && !closing) w->pre++;
    if (kind == TAG_PRE && closing && w->pre) w->pre--;
    if (kind != TAG_RAW || closing || w->open_raw) return at;
    size_t end = raw_text_end(s, at, name);
    if (str_eq_nocase(name, STR("style"))) style_sheet_read(w, str_slice(s, at, end));
    if (end < s.n || !manner_is(w->r, MANNER_HTML_LOOSE)) return end;
    w->open_raw = true;
    return at;
}

/* Behind a comment that begins s, as browsers see it. */
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

/* As simple programs see it: "--", blanks, ">"; 0 when that never comes. */
static size_t comment_simple_end(struct str s)
{
    for (size_t at = 4;;) {
        size_t dashes = str_find(str_from(s, at), STR("--"));
        if (dashes == STR_NPOS) return 0;
        at += dashes + 2;
        while (at < s.n && s.p[at] == '-') at++;
        while (at < s.n && is_space(s.p[at])) at++;
        if (at < s.n && s.p[at] == '>') return at + 1;
    }
}

/* What to step over at a "<!--": of a conditional comment only its two ends, where they are understood. */
static size_t comment_length(struct writer *w, struct str s)
{
    if (str_starts(s, STR("<!--[if ")) && manner_is(w->r, MANNER_HTML_EXTRA)) {
        size_t close = str_find_byte(s, '>');
        w->in_conditional = true;
        return close == STR_NPOS ? s.n : close + 1;
    }
    if (w->open_comment) return 0;
    if (w->r->manners >> MANNER_HTML_LOOSE & 1) { /* not the other end too: it may be far behind each of many */
        size_t simple = comment_simple_end(s), close;
        w->open_comment = simple == 0;
        if (simple || (close = str_find_byte(s, '>')) == STR_NPOS || !manner_is(w->r, MANNER_HTML_EXTRA)) return simple;
        write_text(w, str_slice(s, 0, close + 1)); /* to some, text to the next ">", tags and all */
        return close + 1;
    }
    size_t end = comment_end(s);
    if (comment_simple_end(str_slice(s, 0, end)) != end) manner_is(w->r, MANNER_HTML_LOOSE);
    return end;
}

/* To simple programs all between "<" and ">" is a tag; to some of them, a blank. */
static size_t simple_tag(struct writer *w, struct str s)
{
    size_t end = 1;
    while (end < s.n && s.p[end] != '<' && s.p[end] != '>') end++;
    bool tag = end < s.n && end > 1 && s.p[end] == '>' && manner_is(w->r, MANNER_HTML_LOOSE);
    if (tag && manner_is(w->r, MANNER_HTML_EXTRA)) w->blank = true;
    return tag ? end + 1 : 0;
}

/* What stands at a "<": answers its length; 0 when it is no markup. */
static size_t write_markup(struct writer *w, struct str s)
{
    if (s.n < 2) return 0;
    bool closing = s.p[1] == '/' && s.n > 2 && ascii_is_alpha(s.p[2]);
    if (closing || ascii_is_alpha(s.p[1])) return w->open_tag ? 0 : tag_end(w, s, closing);
    if (str_starts(s, STR("<!--"))) return comment_length(w, s);
    if (str_starts(s, STR("<![CDATA[")) && manner_is(w->r, MANNER_HTML_LOOSE)) return 9;
    if (s.p[1] == '/' && s.n == 2) return 0;
    if (s.p[1] != '!' && s.p[1] != '?' && s.p[1] != '/') return simple_tag(w, s);
    size_t close = str_find_byte(s, '>'); /* doctype, processing instruction, bogus comment */
    if (close == 2 && s.p[1] == '!' && manner_is(w->r, MANNER_HTML_LOOSE)) { /* "<!>": this one does not end it */
        size_t next = str_find_byte(str_from(s, 3), '>');
        close = next == STR_NPOS ? close : 3 + next;
    }
    if (w->in_conditional && str_starts(s, STR("<![endif]-->"))) w->in_conditional = false;
    return close == STR_NPOS ? s.n : close + 1;
}

void html_to_text(struct viewer *r, struct str html, struct buf *out)
{
    struct writer w;
    memset(&w, 0, offsetof(struct writer, hidden_names));
    w.r = r, w.out = out, w.begin = out->n;
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
