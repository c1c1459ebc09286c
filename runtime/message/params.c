#include "message/params.h"

#include <string.h>

#include "message/charset.h"
#include "message/decode.h"

/* One parameter as written, before continuations are joined. */
struct piece_of_param {
    struct str name;  /* lower case, without "*0*" */
    struct str value; /* quotes off */
    int section;      /* RFC 2231 section 3; -1: not sectioned */
    bool extended;    /* percent-encoded, RFC 2231 section 4 */
    bool quoted;
    bool used;
};

struct reader {
    struct viewer *viewer;
    struct message *m;
    struct arena *arena; /* its */
    struct str s;
    size_t at;
    bool loose;
    unsigned unclosed; /* comments so far */
    bool cut;          /* there may be more of them */
};
enum {
    UNCLOSED_MAX = 16,
    KEPT_OF_OCTET = 64,     /* octets kept for one of a field, of many short parameters */
    PARAMS_BYTES_LEAST = 64 /* what a part is, is read without room too */
};

static struct str lower_copy(struct arena *a, struct str s)
{
    struct str copy = arena_str(a, s);
    char *p = (char *)copy.p; /* just made */
    for (size_t i = 0; i < copy.n; i++) p[i] = ascii_lower(p[i]);
    return copy;
}

static struct str without_blanks(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_blank(s.p[i])) p[n++] = s.p[i];
    return (struct str){p, n};
}

static bool at_end(const struct reader *r) { return r->at >= r->s.n; }
static char peek(const struct reader *r) { return r->s.p[r->at]; }

/* Behind the comment that begins at `at`, nested ones by counting; 0 when it is not closed. */
static size_t comment_end(struct str s, size_t at)
{
    size_t depth = 0;
    for (; at < s.n; at++) {
        char c = s.p[at];
        if (c == '\\') {
            at++;
        } else if (c == '(') {
            depth++;
        } else if (c == ')' && --depth == 0) {
            return at + 1;
        }
    }
    return 0;
}

/* A comment that is not closed goes to the end; to some it is none.  Only so many are looked at, or it would take
 * quadratic time. */
static bool at_comment(struct reader *r)
{
    if (peek(r) != '(' || manner_is(r->viewer, MANNER_PARAM_COMMENTS)) return false;
    if (r->unclosed == UNCLOSED_MAX) {
        r->cut = true;
        return true;
    }
    if (comment_end(r->s, r->at)) return true;
    r->unclosed++;
    return !manner_is(r->viewer, MANNER_PARAM_UNQUOTED);
}

static void skip_comment(struct reader *r)
{
    size_t end = comment_end(r->s, r->at);
    r->at = end ? end : r->s.n;
}

static void skip_blanks(struct reader *r)
{
    while (!at_end(r)) {
        if (ascii_is_blank(peek(r)))
            r->at++;
        else if (at_comment(r))
            skip_comment(r);
        else if (peek(r) == '(' && !(r->viewer->manners >> MANNER_PARAM_COMMENTS & 1))
            r->at++; /* of a comment that is none for want of its end, nothing is left */
        else
            return;
    }
}

/* An unquoted value, up to ";" or a comment: blanks inside it are kept, as readers do with file names. */
static struct str bare_value(struct reader *r)
{
    size_t begin = r->at;
    while (!at_end(r) && peek(r) != ';' && !(r->at > begin && ascii_is_blank(r->s.p[r->at - 1]) && at_comment(r)))
        r->at++;
    return str_trim(str_slice(r->s, begin, r->at));
}

/* Behind a closing quote. */
static bool words_follow(const struct reader *r)
{
    size_t at = r->at;
    while (at < r->s.n && ascii_is_blank(r->s.p[at])) at++;
    return at < r->s.n && r->s.p[at] != ';' && r->s.p[at] != '(';
}

/* When words follow, some take the last quote before the semicolon for the closing one. */
static bool quoted_greedy_end(struct reader *r)
{
    size_t at = r->at, last = 0;
    for (; at < r->s.n && r->s.p[at] != ';'; at++)
        if (r->s.p[at] == '"') last = at + 1;
    if (!last || !manner_is(r->viewer, MANNER_PARAM_GREEDY)) return false;
    r->at = last;
    return true;
}

/* To the best reading a backslash escapes itself and the quote only: old senders wrote paths ("C:\TEMP\x.png"), and
 * readers show them. */
static struct str quoted_string(struct reader *r)
{
    size_t begin = ++r->at;
    bool escapes = false;
    while (!at_end(r) && peek(r) != '"') {
        if (peek(r) == '\\') escapes = true, r->at++;
        if (!at_end(r)) r->at++;
    }
    struct str inside = str_slice(r->s, begin, r->at);
    if (at_end(r)) {
        r->loose = true;
        bool kept = manner_is(r->viewer, MANNER_PARAM_QUOTE_KEPT);
        if (kept || manner_is(r->viewer, MANNER_PARAM_UNQUOTED)) {
            r->at = kept ? begin - 1 : begin;
            return bare_value(r);
        }
    }
    if (!at_end(r)) r->at++;
    if (words_follow(r) && manner_is(r->viewer, MANNER_PARAM_COMMENTS)) {
        r->at = begin - 1;
        return bare_value(r);
    }
    if (words_follow(r) && quoted_greedy_end(r)) inside = str_slice(r->s, begin, r->at - 1);
    if (!escapes) return inside;
    char *p = arena_alloc(r->arena, inside.n);
    size_t n = 0;
    for (size_t i = 0; i < inside.n; i++) {
        bool escape = inside.p[i] == '\\' && i + 1 < inside.n;
        if (escape && (inside.p[i + 1] == '\\' || inside.p[i + 1] == '"' || manner_is(r->viewer, MANNER_PARAM_ESCAPES)))
            i++;
        p[n++] = inside.p[i];
    }
    return (struct str){p, n};
}

/* For who takes quotes for brackets that may open anywhere, and every backslash for an escape: to the first ";" outside
 * of them; what stands behind them is nothing. */
static struct str scanned_value(struct reader *r)
{
    size_t room = r->s.n - r->at + 1, n = 0;
    char *p = arena_alloc(r->arena, room);
    bool quoted = false, closed = false;
    for (; !at_end(r) && (quoted || peek(r) != ';'); r->at++) {
        bool escape = peek(r) == '\\' && r->at + 1 < r->s.n && !closed;
        if (escape) r->at++;
        if (!escape && peek(r) == '"')
            closed |= quoted, quoted = !quoted && !closed;
        else if (!closed)
            p[n++] = peek(r);
    }
    arena_shrink(r->arena, p, room, n);
    return str_trim((struct str){p, n});
}

static struct str value_of(struct reader *r)
{
    size_t begin = r->at;
    bool quoted = !at_end(r) && peek(r) == '"', loose = r->loose;
    r->loose = false;
    struct str value = quoted ? quoted_string(r) : bare_value(r), written = str_slice(r->s, begin, r->at);
    bool odd = quoted ? r->loose : str_find_byte(written, '"') != STR_NPOS || str_find_byte(written, '\\') != STR_NPOS;
    r->loose |= loose;
    if (!odd || !manner_is(r->viewer, MANNER_PARAM_QUOTES)) return value;
    r->at = begin;
    return scanned_value(r);
}

/* Where an unquoted value ends for who reads a token only (RFC 2045 section 5.1): at a quote or control character, and
 * in a section at a blank; of whole values that are not in quotes, blanks are a part every day. */
static size_t value_cut(struct str value, bool section)
{
    size_t i = 0;
    for (; i < value.n && value.p[i] != '"'; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if ((c < ' ' && c != '\t') || c == 0x7f || (section && ascii_is_blank(value.p[i]))) break;
    }
    return i;
}

/* The part before the first ";": "text/plain", without comments and blanks; also when the ";" was forgotten. */
static struct str main_value(struct reader *r)
{
    size_t room = r->s.n + 1, n = 0;
    char *p = arena_alloc(r->arena, room);
    for (;;) {
        size_t before = r->at;
        skip_blanks(r);
        if (at_end(r) || peek(r) == ';') break;
        if (r->at > before && n > 0 && p[n - 1] != '/' && peek(r) != '/') {
            r->loose = true;
            break;
        }
        p[n++] = ascii_lower(r->s.p[r->at++]);
    }
    arena_shrink(r->arena, p, room, n);
    return (struct str){p, n};
}

/* "filename*1*" into name, section and extended (RFC 2231 section 7); a form of its own invention stays a name, but to
 * who takes the digits it begins with. */
static void split_name(struct viewer *r, struct str name, struct piece_of_param *out)
{
    out->section = -1;
    out->name = name;
    size_t star = str_find_byte(name, '*');
    if (star == STR_NPOS || star == 0) return;
    struct str rest = str_from(name, star + 1);
    bool extended = rest.n == 0 || str_ends(rest, STR("*"));
    if (rest.n && extended) rest.n--;
    uint64_t section = 0;
    if (rest.n && (!str_to_u64(rest, &section) || section >= PARAMS_MAX)) {
        if (!manner_is(r, MANNER_PARAM_SECTIONS)) return;
        size_t digits = 0;
        while (digits < rest.n && ascii_is_digit(rest.p[digits])) digits++;
        if (!str_to_u64(str_slice(rest, 0, digits), &section) || section >= PARAMS_MAX)
            section = digits ? PARAMS_MAX - 1 : 0;
    }
    out->name = str_trim(str_slice(name, 0, star));
    out->extended = extended;
    out->section = rest.n ? (int)section : -1;
}

/* Where a name ends to who takes all but blanks, controls and colons for a part of it, ";" too; `from` where it goes
 * on without "=". */
static size_t loose_name_end(struct str s, size_t from)
{
    enum { LOOSE_NAME_MAX = 64 }; /* or many names would be looked at again and again */
    size_t at = from, most = s.n - from < LOOSE_NAME_MAX ? s.n : from + LOOSE_NAME_MAX;
    while (at < most && s.p[at] > ' ' && s.p[at] < 0x7f && s.p[at] != ':' && s.p[at] != '=') at++;
    size_t end = at;
    while (at < most && ascii_is_blank(s.p[at])) at++;
    return at < most && s.p[at] == '=' ? end : from;
}

/* A name, up to "=" or ";". */
static struct str name_of(struct reader *r)
{
    size_t begin = r->at;
    while (!at_end(r) && peek(r) != '=' && peek(r) != ';') r->at++;
    struct str name = str_trim(str_slice(r->s, begin, r->at));
    if (name.n == 0 || at_end(r) || peek(r) == '=') return name;
    size_t end = loose_name_end(r->s, r->at);
    if (end == r->at || !manner_is(r->viewer, MANNER_PARAM_TIGHT)) return name;
    r->at = end;
    while (peek(r) != '=') r->at++;
    return str_trim(str_slice(r->s, begin, end));
}

static bool next_piece(struct reader *r, struct piece_of_param *out)
{
    for (;;) {
        skip_blanks(r);
        if (at_end(r)) return false;
        if (peek(r) == ';') {
            r->at++;
            continue;
        }
        struct str name = name_of(r);
        if (at_end(r) || peek(r) == ';' || name.n == 0) {
            if (!at_end(r)) r->at++;
            r->loose = true;
            continue;
        }
        bool blanks = str_find_byte(name, ' ') != STR_NPOS || str_find_byte(name, '\t') != STR_NPOS;
        if (blanks || str_find_byte(name, '"') != STR_NPOS) r->loose = true;
        if (blanks && manner_is(r->viewer, MANNER_PARAM_TIGHT)) name = without_blanks(r->arena, name);
        r->at++;
        skip_blanks(r);
        *out = (struct piece_of_param){0};
        split_name(r->viewer, lower_copy(r->arena, name), out);
        out->quoted = !at_end(r) && peek(r) == '"';
        out->value = value_of(r);
        size_t cut = out->quoted ? out->value.n : value_cut(out->value, out->section >= 0);
        if (cut < out->value.n && manner_is(r->viewer, MANNER_PARAM_CUT)) out->value.n = cut;
        return true;
    }
}

static void percent_decode(struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        int c = s.p[i] == '%' && s.n - i >= 3 ? decode_hex_pair(s.p[i + 1], s.p[i + 2]) : -1;
        buf_add_byte(out, c >= 0 ? (char)c : s.p[i]);
        if (c >= 0) i += 2;
    }
}

/* A value that stands alone: RFC 2047 words are no part of the standard there, yet decoded by every reader. */
static void set_plain(struct message *m, struct mime_param *param, struct str value)
{
    param->raw = value;
    param->value = message_text_of_param(m, value);
}

struct extended_value {
    struct str charset, bytes;
};

static uint32_t extended_text(void *self, struct viewer *r, struct buf *out)
{
    const struct extended_value *v = self;
    struct buf text = {0};
    if (str_find(v->bytes, STR("=?")) != STR_NPOS && manner_is(r, MANNER_PARAM_DECODED))
        return decode_header_value(r, v->bytes, out);
    uint32_t unreadable = charset_decode(r, v->charset, v->bytes, &text);
    decode_controls(r, buf_str(&text), out);
    buf_free(&text);
    return unreadable;
}

/* A value in sections, as it is put together. */
struct sections {
    struct viewer *viewer;
    struct str charset;
    struct buf bytes;
};

static void section_add(struct sections *to, struct piece_of_param *one, bool first)
{
    struct str value = one->value, rest, head, language;
    bool names_charset =
        one->extended && first && str_cut(value, '\'', &head, &rest) && str_cut(rest, '\'', &language, &rest);
    bool word = names_charset && str_starts(head, STR("=?")) && manner_is(to->viewer, MANNER_PARAM_DECODED);
    if (names_charset && !word) {
        to->charset = head;
        value = one->quoted ? rest : str_trim(rest);
    }
    if (one->extended)
        percent_decode(value, &to->bytes);
    else
        buf_add(&to->bytes, value);
    one->used = true;
}

static bool is_section_of(const struct piece_of_param *one, const struct piece_of_param *first)
{
    return (one->section >= 0 || one->extended) && str_eq(one->name, first->name);
}

/* The sections from the first one's number on without gap, or the one unsectioned extended value.  Answers whether
 * others of this name are left. */
static bool sections_join(struct sections *to, struct piece_of_param *v, size_t n, size_t first)
{
    int section = v[first].section;
    for (bool more = true; more; section++) {
        more = false;
        for (size_t i = first; i < n; i++) {
            if (v[i].used || v[i].section != section || !is_section_of(&v[i], &v[first])) continue;
            section_add(to, &v[i], i == first);
            more = section >= 0;
            break;
        }
    }
    for (size_t i = 0; i < n; i++)
        if (!v[i].used && is_section_of(&v[i], &v[first])) return true;
    return false;
}

/* All of this name, by number; without a number they come first. */
static void sections_join_all(struct sections *to, struct piece_of_param *v, size_t n, size_t first)
{
    to->charset = STR("");
    to->bytes.n = 0;
    bool begun = false;
    for (int section = 0; section < PARAMS_MAX; section++)
        for (size_t i = 0; i < n; i++) {
            int number = v[i].section < 0 ? 0 : v[i].section;
            if (number != section || !is_section_of(&v[i], &v[first])) continue;
            section_add(to, &v[i], !begun);
            begun = true;
        }
}

static void set_extended(struct reader *r, struct mime_param *param, struct piece_of_param *v, size_t n, size_t first)
{
    struct sections joined = {.viewer = r->viewer, .charset = STR("")};
    bool left = sections_join(&joined, v, n, first);
    if (left && manner_is(r->viewer, MANNER_PARAM_SECTIONS)) sections_join_all(&joined, v, n, first);
    param->raw = arena_str(r->arena, buf_str(&joined.bytes));
    param->extended = true;
    struct extended_value value = {joined.charset, param->raw};
    param->value = views_collect_within(r->m, param->raw.n, &r->m->params_left, extended_text, &value);
    buf_free(&joined.bytes);
}

/* The piece of the same name that begins its extended value: section 0 or none, or the lowest when 0 is missing. */
static size_t extended_begin(const struct piece_of_param *v, size_t n, size_t from)
{
    for (size_t i = from; i < n; i++)
        if (!v[i].used && v[i].section <= 0 && (v[i].extended || v[i].section == 0) && str_eq(v[i].name, v[from].name))
            return i;
    size_t lowest = n;
    for (size_t i = from; i < n; i++)
        if (!v[i].used && v[i].section > 0 && str_eq(v[i].name, v[from].name) &&
            (lowest == n || v[i].section < v[lowest].section))
            lowest = i;
    return lowest;
}

/* RFC 2231's charset'language'value without the star behind the name that says so. */
static bool looks_extended(struct str value)
{
    struct str charset, rest;
    if (!str_cut(value, '\'', &charset, &rest)) return false;
    if (str_starts(rest, STR("'"))) return str_find_byte(charset, ' ') == STR_NPOS;
    return charset.n && charset_is_known(charset) && str_find_byte(rest, '\'') != STR_NPOS;
}

static size_t join(struct reader *r, struct piece_of_param *v, size_t n, struct mime_param *out)
{
    size_t made = 0;
    for (size_t i = 0; i < n; i++) {
        if (v[i].used) continue;
        struct mime_param *param = &out[made];
        param->name = v[i].name;
        param->quoted = v[i].quoted;
        if (!v[i].extended && v[i].section < 0 && looks_extended(v[i].value) &&
            manner_is(r->viewer, MANNER_PARAM_DECODED))
            v[i].extended = true;
        if (!v[i].extended && v[i].section < 0) {
            v[i].used = true;
            set_plain(r->m, param, v[i].value);
            made++;
            continue;
        }
        size_t begin = extended_begin(v, n, i);
        /* Sections may stand in any order (RFC 2231 section 3): bring the first one here. */
        struct piece_of_param swap = v[i];
        v[i] = v[begin];
        v[begin] = swap;
        set_extended(r, param, v, n, i);
        made++;
    }
    return made;
}

/* A field body as far as there is room for what is made of it: each reading of the structure keeps that. */
static struct str field_within(const struct message *m, struct str body, uint32_t *unreadable)
{
    size_t left = m->params_kept < PARAMS_KEPT_MAX ? PARAMS_KEPT_MAX - m->params_kept : 0;
    size_t most = left / KEPT_OF_OCTET;
    if (most > PARAMS_BYTES_MAX) most = PARAMS_BYTES_MAX;
    if (most < PARAMS_BYTES_LEAST) most = PARAMS_BYTES_LEAST;
    if (body.n <= most) return body;
    *unreadable |= UNREADABLE_LIMIT;
    return str_slice(body, 0, utf8_cut(body, most));
}

static struct str unfolded(struct viewer *viewer, struct arena *a, struct str body)
{
    if (str_find_byte(body, '\n') == STR_NPOS && str_find_byte(body, '\r') == STR_NPOS) return body;
    struct buf line = {0};
    decode_unfold(viewer, body, &line);
    body = arena_str(a, buf_str(&line));
    buf_free(&line);
    return body;
}

struct pieces_of_params {
    struct piece_of_param *v;
    size_t n;
    bool more; /* than PARAMS_MAX */
};

static struct pieces_of_params pieces_read(struct reader *r)
{
    struct pieces_of_params out = {0};
    size_t cap = 0;
    for (struct piece_of_param one; next_piece(r, &one);) {
        if (out.n == PARAMS_MAX) {
            out.more = true;
            break;
        }
        if (out.n == cap) {
            struct piece_of_param *more = ARENA_ARRAY(r->arena, struct piece_of_param, cap = cap ? cap * 2 : 4);
            if (out.n) memcpy(more, out.v, out.n * sizeof *more);
            out.v = more;
        }
        out.v[out.n++] = one;
    }
    return out;
}

struct params params_parse(struct viewer *viewer, struct message *m, struct str field_body)
{
    struct params out = {0};
    size_t before = arena_used(m->arena);
    struct str body = unfolded(viewer, m->arena, field_within(m, field_body, &out.unreadable));
    struct reader r = {.viewer = viewer, .m = m, .arena = m->arena, .s = body};
    out.value = main_value(&r);
    out.loose_value = r.loose;
    /* "Content-Disposition: filename=x": to some the first is a parameter as the others are. */
    if (str_find_byte(out.value, '=') != STR_NPOS && manner_is(viewer, MANNER_TYPE_LOOSE)) r.at = 0;
    struct pieces_of_params pieces = pieces_read(&r);
    if (pieces.more || r.cut) out.unreadable |= UNREADABLE_LIMIT;
    out.loose = r.loose;
    if (pieces.n) {
        struct mime_param *params = ARENA_ARRAY(m->arena, struct mime_param, pieces.n);
        out.n = join(&r, pieces.v, pieces.n, params);
        out.v = params;
    }
    m->params_kept += arena_used(m->arena) - before;
    return out;
}

const struct mime_param *params_find(const struct mime_param *v, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(v[i].name, name)) return &v[i];
    return NULL;
}
