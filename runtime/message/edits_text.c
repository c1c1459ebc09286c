#include "message/edits_text.h"

#include <string.h>

#include "base/limits.h"
#include "mail/fold.h"
#include "message/charset.h"
#include "message/decode.h"
#include "message/encode.h"
#include "message/header.h"

enum {
    LINE_MOST = 900, /* longer lines of a text are broken */
    FLOWED_LINE = 76 /* RFC 3676 section 4.2: 78 with the space of a soft break and one of stuffing */
};

/* --- texts -------------------------------------------------------------------------------------------------------- */

struct str edits_text_clean(struct arena *a, struct str text)
{
    struct buf out = {0};
    text = str_trim(text);
    for (size_t i = 0; i < text.n;) {
        uint32_t c;
        i += fold_decode(text.p + i, text.n - i, &c);
        if (c == '\r' && i < text.n && text.p[i] == '\n') continue;
        if (c == '\n' || c == '\r') {
            while (out.n && ascii_is_blank(out.p[out.n - 1])) out.n--;
            buf_add(&out, STR("\r\n"));
        } else {
            bool control = (c < 0x20 && c != '\t') || (c >= 0x7f && c < 0xa0);
            fold_encode(&out, control ? ' ' : c);
        }
    }
    struct str s = arena_str(a, buf_str(&out));
    buf_free(&out);
    return s;
}

struct str text_as_html(struct arena *a, struct str text)
{
    struct buf out = {0};
    buf_add(&out, STR("<div>"));
    for (size_t i = 0; i < text.n; i++) {
        switch (text.p[i]) {
        case '&': buf_add(&out, STR("&amp;")); break;
        case '<': buf_add(&out, STR("&lt;")); break;
        case '>': buf_add(&out, STR("&gt;")); break;
        case '"': buf_add(&out, STR("&quot;")); break;
        case '\r': break;
        case '\n': buf_add(&out, STR("<br>\r\n")); break;
        default: buf_add_byte(&out, text.p[i]);
        }
    }
    buf_add(&out, STR("</div>"));
    struct str s = arena_str(a, buf_str(&out));
    buf_free(&out);
    return s;
}

struct str html_as_ascii(struct arena *a, struct str html)
{
    if (str_is_ascii(html)) return html;
    struct buf out = {0};
    for (size_t i = 0; i < html.n;) {
        uint32_t c;
        i += fold_decode(html.p + i, html.n - i, &c);
        if (c < 0x80)
            buf_add_byte(&out, (char)c);
        else
            buf_printf(&out, "&#%u;", (unsigned)c);
    }
    struct str s = arena_str(a, buf_str(&out));
    buf_free(&out);
    return s;
}

/* Where a line of more than `most` bytes is broken: behind the last blank, else between two characters. */
static size_t break_at(struct str line, size_t most)
{
    size_t at = most;
    while (at > 0 && line.p[at - 1] != ' ') at--;
    if (at > 0) return at;
    return utf8_cut(line, most);
}

/* Lines that fit a line of mail, and with `flowed` in the form of RFC 3676: stuffed, long ones broken softly. */
static void lines_fit(struct str text, bool flowed, bool delete_space, struct buf *out)
{
    size_t most = flowed ? FLOWED_LINE : LINE_MOST;
    while (text.n) {
        size_t end = str_find_byte(text, '\n');
        struct str line = str_slice(text, 0, end == STR_NPOS ? text.n : end);
        text = str_from(text, end == STR_NPOS ? text.n : end + 1);
        if (str_ends(line, STR("\r"))) line.n--;
        while (line.n && ascii_is_blank(line.p[line.n - 1])) line.n--;
        for (;;) {
            bool stuff = flowed && line.n && (line.p[0] == ' ' || line.p[0] == '>' || str_starts(line, STR("From ")));
            if (stuff) buf_add_byte(out, ' ');
            if (line.n <= most) break;
            size_t at = break_at(line, most);
            buf_add(out, str_slice(line, 0, at));
            if (flowed && line.p[at - 1] != ' ') /* within a word: only DelSp can join it again */
                buf_add(out, delete_space ? STR(" ") : STR(""));
            else if (flowed && delete_space)
                buf_add_byte(out, ' ');
            else if (!flowed && line.p[at - 1] == ' ')
                out->n--;
            buf_add(out, STR("\r\n"));
            line = str_from(line, at);
        }
        buf_add(out, line);
        if (end != STR_NPOS) buf_add(out, STR("\r\n"));
    }
}

void text_body_emit(struct str text, const char *subtype, struct buf *out)
{
    struct buf lines = {0};
    lines_fit(text, false, false, &lines);
    struct str s = buf_str(&lines);
    bool dashes = str_starts(s, STR("--")) || str_find(s, STR("\n--")) != STR_NPOS;
    bool plain = str_is_ascii(s) && !dashes;
    buf_printf(out, "Content-Type: text/%s; charset=%s\r\n", subtype, plain ? "us-ascii" : "utf-8");
    if (!plain) buf_add(out, STR("Content-Transfer-Encoding: quoted-printable\r\n"));
    buf_add(out, STR("Content-Disposition: inline\r\n\r\n"));
    if (plain)
        buf_add(out, s);
    else
        encode_quoted_printable(s, out);
    buf_free(&lines);
}

/* --- fields of a part --------------------------------------------------------------------------------------------- */

static struct header_scan part_header_scan(struct message *m, const struct mime_part *p)
{
    struct header_scan scan;
    header_scan_begin(&scan, BEST_VIEWER, str_slice(m->content, p->from, p->body), false);
    return scan;
}

static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f || memchr("()<>@,;:\\\"/[]?=*'%", s.p[i], 18)) return false;
    return s.n > 0;
}

static size_t skip_space(struct str s, size_t at)
{
    while (at < s.n && (ascii_is_blank(s.p[at]) || s.p[at] == '\r' || s.p[at] == '\n')) at++;
    return at;
}

static size_t skip_token(struct str s, size_t at)
{
    while (at < s.n && is_token(str_slice(s, at, at + 1))) at++;
    return at;
}

/* RFC 2045 section 5.1 to the letter, without comments, and no quoted value folded: what all readers read alike. */
static bool type_is_clear(struct str raw)
{
    size_t at = skip_token(raw, skip_space(raw, 0));
    if (at == 0 || at >= raw.n || raw.p[at] != '/') return false;
    for (at = skip_space(raw, skip_token(raw, at + 1)); at < raw.n; at = skip_space(raw, at)) {
        if (raw.p[at] != ';') return false;
        size_t name = skip_space(raw, at + 1);
        if (name == raw.n) return true;
        while ((at = skip_token(raw, name)) < raw.n && raw.p[at] == '*') name = at + 1; /* RFC 2231 */
        if (at == name || at >= raw.n || raw.p[at] != '=') return false;
        if (++at < raw.n && raw.p[at] == '"') {
            for (at++; at < raw.n && raw.p[at] != '"'; at++) {
                if (raw.p[at] == '\r' || raw.p[at] == '\n') return false;
                at += raw.p[at] == '\\';
            }
            if (at++ >= raw.n) return false;
        } else {
            size_t value = at;
            while (at < raw.n && raw.p[at] > ' ' && raw.p[at] != ';' && raw.p[at] != '"') at++;
            if (at == value) return false;
        }
    }
    return true;
}

bool field_is_clear(struct str content, const struct message_field *field)
{
    for (size_t i = field->from; i < field->to; i++) {
        char next = i + 1 < field->to ? content.p[i + 1] : ' ';
        if (content.p[i] == '\0' || (content.p[i] == '\r' && next != '\n')) return false;
        if (content.p[i] == '\n' && !ascii_is_blank(next)) return false;
    }
    return field->to > field->from && content.p[field->to - 1] == '\n';
}

bool part_header_is_clear(struct message *m, const struct mime_part *p)
{
    static const char *const names[] = {"Content-Type", "Content-Transfer-Encoding", "Content-Disposition"};
    unsigned seen[3] = {0};
    if (p->derived || p->malformed) return false;
    struct header_scan scan = part_header_scan(m, p);
    for (struct message_field field; header_scan_next(&scan, &field);) {
        for (size_t i = 0; i < 3; i++) seen[i] += str_eq_nocase(field.name, str_of(names[i]));
        if (!field_is_clear(scan.content, &field)) return false;
        if (str_eq_nocase(field.name, STR("Content-Type")) && !type_is_clear(field.raw)) return false;
    }
    return !scan.malformed && p->from + scan.body == p->body && seen[0] <= 1 && seen[1] <= 1 && seen[2] <= 1;
}

void part_set_field(struct message *m, struct effect *f, size_t part, struct str name, struct str value)
{
    const struct mime_part *p = &message_mime(m)->parts[part];
    if (part == 0 && value.p) {
        effect_set_field(m, f, name, value);
    } else if (part == 0) {
        effect_remove_field(m, f, name);
    } else {
        struct str emitted = value.p ? edits_field_emit(m->arena, name, value) : STR("");
        struct header_scan scan = part_header_scan(m, p);
        for (struct message_field field; header_scan_next(&scan, &field);) {
            if (!str_eq_nocase(field.name, name)) continue;
            splice_add(m->arena, &f->body, p->from + field.from, p->from + field.to, emitted);
            emitted = STR("");
        }
        splice_add(m->arena, &f->body, p->from, p->from, emitted);
    }
}

/* --- one part, taken apart ---------------------------------------------------------------------------------------- */

enum way {
    WAY_NONE,   /* the text cannot be written there */
    WAY_INSERT, /* it is put between the part's bytes, which stay */
    WAY_ENCODE  /* the part is encoded anew around it */
};

struct carrier {
    struct message *m;
    const struct mime_part *p;
    size_t part;
    bool html, flowed, delete_space;
    struct str charset;     /* as labelled; empty: none */
    struct str bytes;       /* without the transfer encoding */
    struct buf decoded;     /* they, where that is not how they stand in the content */
    struct buf text;        /* WAY_ENCODE into another charset: the same in UTF-8 */
    struct str front, back; /* in the part's charset: what is put in */
    bool relabel;           /* charset becomes UTF-8 */
    bool converted;         /* … and `text` is what is written */
    enum way way;
};

static struct str carrier_text(const struct carrier *c) { return c->converted ? buf_str(&c->text) : c->bytes; }

static struct str param_word(const struct mime_part *p, struct str name)
{
    const struct mime_param *param = mime_part_param(p, name);
    struct str word = param ? str_trim(message_text_best(&param->value)) : STR("");
    size_t end = 0;
    while (end < word.n && !ascii_is_blank(word.p[end])) end++;
    return str_slice(word, 0, end);
}

static bool is_encoded(const struct mime_part *p)
{
    return p->encoding == MIME_BASE64 || p->encoding == MIME_QUOTED_PRINTABLE;
}

/* Content-Type with UTF-8 for its charset; false when a parameter cannot be written again. */
static bool utf8_type(const struct mime_part *p, struct buf *out)
{
    buf_printf(out, "%.*s/%.*s; charset=utf-8", STR_ARG(p->type), STR_ARG(p->subtype));
    for (size_t i = 0; i < p->param_count; i++) {
        struct str name = p->params[i].name, value = message_text_best(&p->params[i].value);
        if (str_eq(name, STR("charset"))) continue;
        if (value.n > 200 || !is_token(name)) return false;
        buf_printf(out, "; %.*s=\"", STR_ARG(name));
        for (size_t k = 0; k < value.n; k++) {
            if (!ascii_is_print(value.p[k])) return false;
            if (value.p[k] == '"' || value.p[k] == '\\') buf_add_byte(out, '\\');
            buf_add_byte(out, value.p[k]);
        }
        buf_add_byte(out, '"');
    }
    return true;
}

/* The charset: kept, or UTF-8 in its stead; false when neither can be. */
static bool choose_charset(struct carrier *c, struct str text)
{
    struct str bytes = c->bytes;
    struct buf encoded = {0}, type = {0};
    bool ascii_like = charset_is_plain(c->charset, STR("")); /* ASCII stands for itself */
    bool kept = ascii_like && charset_encode(c->charset, text, &encoded);
    buf_free(&encoded);
    if (kept) return true;
    if (!charset_is_known(c->charset)) return str_is_ascii(text) && str_is_ascii(bytes);
    bool can_say = utf8_type(c->p, &type);
    buf_free(&type);
    if (!can_say) return false;
    c->relabel = true;
    if (ascii_like && charset_is_plain(STR("utf-8"), bytes) && (str_is_ascii(bytes) || charset_is_ascii(c->charset)))
        return true;
    if (charset_is_ascii(c->charset)) return false; /* 8-bit bytes that only a guess could read */
    c->way = WAY_ENCODE;
    c->converted = true;
    return charset_decode(BEST_VIEWER, c->charset, bytes, &c->text) == 0;
}

/* The transfer encoding: 8-bit bytes may only join others. */
static void choose_encoding(struct carrier *c, struct str text)
{
    if (is_encoded(c->p) || str_is_ascii(text) || !str_is_ascii(c->p->raw)) return;
    c->way = WAY_ENCODE;
}

static size_t quoted_place(struct str raw, size_t target);

/* There is one, and no stray "=" before it that a line end would make a soft break. */
static bool quoted_place_is_safe(const struct carrier *c, size_t target)
{
    struct str raw = c->p->raw;
    size_t at = target == c->bytes.n ? raw.n : quoted_place(raw, target);
    return at != STR_NPOS && (at == 0 || at == raw.n || raw.p[at - 1] != '=');
}

/* Both can be reached in the encoded bytes, and in base64 each has a quantum of its own. */
static bool places_are_apart(const struct carrier *c, size_t front, size_t back)
{
    if (c->p->encoding == MIME_BASE64) return back / 3 > front / 3 || front == back;
    if (c->p->encoding != MIME_QUOTED_PRINTABLE) return true;
    return quoted_place_is_safe(c, front) && quoted_place_is_safe(c, back);
}

static void find_places(const struct carrier *c, size_t *front, size_t *back)
{
    struct str s = carrier_text(c);
    bool mark = str_starts(s, STR("\xef\xbb\xbf"));
    *front = c->html ? html_first_place(s) : mark ? 3 : 0;
    *back = c->html ? html_last_place(s) : s.n;
    if (*back != STR_NPOS && *back < *front) *back = *front;
}

/* The text with what sets it off from its surroundings. */
static void set_off(struct carrier *c, const struct part_texts *t, size_t back_at)
{
    struct str s = carrier_text(c);
    struct buf out = {0};
    bool at_end = back_at == s.n, line_open = s.n && s.p[s.n - 1] != '\n';
    if (t->front.n) {
        if (c->html) buf_add(&out, STR("\r\n"));
        lines_fit(t->front, c->flowed, c->delete_space, &out);
        buf_add(&out, c->html ? STR("\r\n") : STR("\r\n\r\n"));
        c->front = arena_str(c->m->arena, buf_str(&out));
    }
    out.n = 0;
    if (t->back.n) {
        struct str raw = c->p->raw;
        while (raw.n && ascii_is_blank(raw.p[raw.n - 1])) raw.n--;
        bool soft = at_end && c->p->encoding == MIME_QUOTED_PRINTABLE && str_ends(raw, STR("="));
        if (soft) buf_add(&out, STR("\r\n")); /* the soft break takes it */
        if (c->html || line_open) buf_add(&out, STR("\r\n"));
        if (!c->html && (s.n || t->front.n)) buf_add(&out, STR("\r\n"));
        lines_fit(t->back, c->flowed, c->delete_space, &out);
        if (!at_end || c->part == 0 || !line_open) buf_add(&out, STR("\r\n"));
        c->back = arena_str(c->m->arena, buf_str(&out));
    }
    buf_free(&out);
}

static void carrier_free(struct carrier *c)
{
    buf_free(&c->decoded);
    buf_free(&c->text);
}

/* False when the bytes cannot be had without a doubt. */
static bool carrier_decode(struct carrier *c)
{
    c->bytes = c->p->raw;
    if (!is_encoded(c->p)) return c->p->encoding < MIME_UUENCODE;
    bool whole = mime_transfer_decode(BEST_VIEWER, c->p, c->p->raw, &c->decoded) == 0;
    c->bytes = buf_str(&c->decoded);
    return whole;
}

/* Takes the part apart and finds the way; WAY_NONE: there is none. */
static void carrier_open(struct carrier *c, struct message *m, const struct part_texts *t, size_t *front, size_t *back)
{
    const struct mime_part *p = &message_mime(m)->parts[t->part];
    *c = (struct carrier){.m = m, .p = p, .part = t->part, .way = WAY_INSERT, .charset = param_word(p, STR("charset"))};
    c->html = str_eq(p->subtype, STR("html"));
    c->flowed = !c->html && str_eq_nocase(param_word(p, STR("format")), STR("flowed"));
    c->delete_space = c->flowed && str_eq_nocase(param_word(p, STR("delsp")), STR("yes"));
    struct buf text = {0};
    buf_add(&text, t->front);
    buf_add(&text, t->back);
    bool fits = part_header_is_clear(m, p) && !(p->unreadable & ~(uint32_t)UNREADABLE_CHARSET) && carrier_decode(c) &&
                str_find_byte(c->bytes, '\0') == STR_NPOS && choose_charset(c, buf_str(&text));
    if (fits) {
        choose_encoding(c, buf_str(&text));
        find_places(c, front, back);
        if (*back == STR_NPOS) fits = t->back.n == 0, *back = *front;
        if (fits && c->way == WAY_INSERT && !places_are_apart(c, *front, *back)) c->way = WAY_ENCODE;
        if (c->way == WAY_ENCODE && p->raw.n > EDITS_ENCODE_MAX) fits = false;
        if (fits) set_off(c, t, *back);
    }
    if (!fits) c->way = WAY_NONE;
    buf_free(&text);
}

/* --- places in encoded bytes -------------------------------------------------------------------------------------- */

/* Where the base64 letter number `index` (not counting what stands between) is; s.n behind the last. */
static size_t base64_letter(struct str s, size_t index)
{
    for (size_t i = 0; i < s.n; i++) {
        if (ascii_is_blank(s.p[i]) || s.p[i] == '\r' || s.p[i] == '\n') continue;
        if (index-- == 0) return i;
    }
    return s.n;
}

/* In the bytes at `at`, where whole groups of three must remain: an extra blank line or two, which no reader minds. */
static void insert_base64(struct carrier *c, struct effect *f, size_t at, struct str text)
{
    struct str bytes = c->bytes, raw = c->p->raw;
    size_t quantum = at / 3 * 3, end = bytes.n - quantum < 3 ? bytes.n : quantum + 3;
    bool last = end == bytes.n && (bytes.n - quantum < 3 || bytes.n == at);
    if (at == quantum && !last) end = at;
    struct buf out = {0}, lines = {0};
    buf_add(&out, str_slice(bytes, quantum, at));
    buf_add(&out, text);
    while (!last && text.n && (out.n - (at - quantum)) % 3) buf_add(&out, STR("\r\n"));
    buf_add(&out, str_slice(bytes, at, end));
    size_t from = base64_letter(raw, quantum / 3 * 4),
           to = base64_letter(raw, end == at && !last ? quantum / 3 * 4 : (end + 2) / 3 * 4);
    if (last) to = raw.n;
    bool line_start = from == 0 || raw.p[from - 1] == '\n';
    if (!line_start) buf_add(&lines, STR("\r\n"));
    encode_base64(buf_str(&out), &lines);
    size_t body = (size_t)(raw.p - c->m->content.p);
    if (to < raw.n || c->part == 0) buf_add(&lines, STR("\r\n"));
    splice_add(c->m->arena, &f->body, body + from, body + to, arena_str(c->m->arena, buf_str(&lines)));
    buf_free(&out);
    buf_free(&lines);
}

/* Where in quoted-printable the byte `target` of what it decodes to is written. */
static size_t quoted_place(struct str raw, size_t target)
{
    size_t at = 0, made = 0;
    while (at < raw.n) {
        size_t line = header_line_end(raw, at), end = line;
        size_t ending = end > at && raw.p[end - 1] == '\n' ? (end > at + 1 && raw.p[end - 2] == '\r' ? 2 : 1) : 0;
        end -= ending;
        while (end > at && ascii_is_blank(raw.p[end - 1])) end--;
        bool soft = end > at && raw.p[end - 1] == '=';
        if (soft) end--;
        while (at < end && made < target) {
            bool escape = raw.p[at] == '=' && end - at >= 3 && decode_hex_pair(raw.p[at + 1], raw.p[at + 2]) >= 0;
            at += escape ? 3 : 1;
            made++;
        }
        if (made == target && at < end) return at;
        if (made == target && !soft && ending) return at; /* before the line end, which may itself be wanted */
        at = line;
        if (!soft) made += ending;
        if (made > target) return STR_NPOS; /* inside a line end */
    }
    return made == target ? raw.n : STR_NPOS;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static bool begins_boundary(struct message *m, struct str line)
{
    const struct mime_tree *tree = message_mime(m);
    for (size_t i = 0; i < tree->part_count && str_starts(line, STR("--")); i++) {
        const struct mime_param *boundary = mime_part_param(&tree->parts[i], STR("boundary"));
        if (boundary && str_starts(str_from(line, 2), str_trim(boundary->raw))) return true;
    }
    return false;
}

/* A line that spells a boundary of this message is indented: nothing of a text ends a part. */
static struct str guarded(struct message *m, struct str text)
{
    struct buf out = {0};
    for (size_t i = 0; i < text.n; i++) {
        bool start = i == 0 || text.p[i - 1] == '\n';
        if (start && begins_boundary(m, str_from(text, i))) buf_add_byte(&out, ' ');
        buf_add_byte(&out, text.p[i]);
    }
    struct str s = arena_str(m->arena, buf_str(&out));
    buf_free(&out);
    return s;
}

static void insert_one(struct carrier *c, struct effect *f, size_t at, struct str text)
{
    struct arena *a = c->m->arena;
    struct str raw = c->p->raw;
    struct buf out = {0};
    size_t body = (size_t)(raw.p - c->m->content.p), place = at;
    if (text.n == 0) return;
    bool encoded = charset_encode(c->relabel ? STR("utf-8") : c->charset, text, &out);
    if (!encoded) out.n = 0, buf_add(&out, text); /* ASCII in a charset that is not known */
    text = arena_str(a, buf_str(&out));
    out.n = 0;
    if (c->p->encoding == MIME_BASE64) {
        insert_base64(c, f, at, text);
        buf_free(&out);
        return;
    }
    if (c->p->encoding == MIME_QUOTED_PRINTABLE) {
        place = at == c->bytes.n ? raw.n : quoted_place(raw, at);
        encode_quoted_printable(text, &out);
        text = arena_str(a, buf_str(&out));
    } else {
        text = guarded(c->m, text);
    }
    buf_free(&out);
    splice_add(a, &f->body, body + place, body + place, text);
}

static void put_together(struct carrier *c, size_t front, size_t back, struct buf *whole)
{
    struct str s = carrier_text(c), label = c->relabel ? STR("utf-8") : c->charset;
    buf_add(whole, str_slice(s, 0, front));
    charset_encode(label, c->front, whole);
    buf_add(whole, str_slice(s, front, back));
    charset_encode(label, c->back, whole);
    buf_add(whole, str_from(s, back));
}

static void encode_anew(struct carrier *c, struct effect *f, size_t front, size_t back)
{
    size_t body = (size_t)(c->p->raw.p - c->m->content.p);
    struct buf whole = {0}, out = {0};
    put_together(c, front, back, &whole);
    if (c->p->encoding == MIME_BASE64)
        encode_base64(buf_str(&whole), &out);
    else
        encode_quoted_printable(buf_str(&whole), &out);
    buf_free(&whole);
    if (c->p->encoding == MIME_BASE64 && c->part == 0) buf_add(&out, STR("\r\n"));
    splice_add(c->m->arena, &f->body, body, body + c->p->raw.n, arena_str(c->m->arena, buf_str(&out)));
    if (!is_encoded(c->p)) part_set_field(c->m, f, c->part, STR("Content-Transfer-Encoding"), STR("quoted-printable"));
    buf_free(&out);
}

/* A delimiter line that follows without a line end between. */
static void keep_border(struct carrier *c, struct effect *f)
{
    size_t end = (size_t)(c->p->raw.p - c->m->content.p) + c->p->raw.n;
    if (end < c->m->content.n && c->m->content.p[end] != '\r' && c->m->content.p[end] != '\n')
        splice_add(c->m->arena, &f->body, end, end, STR("\r\n"));
}

bool part_texts_fit(struct message *m, const struct part_texts *t, struct buf *whole)
{
    struct carrier c;
    size_t front, back;
    carrier_open(&c, m, t, &front, &back);
    if (c.way != WAY_NONE && whole) put_together(&c, front, back, whole);
    carrier_free(&c);
    return c.way != WAY_NONE;
}

void part_texts_write(struct message *m, struct effect *f, const struct part_texts *t)
{
    struct carrier c;
    size_t front = 0, back = 0;
    carrier_open(&c, m, t, &front, &back);
    if (c.way == WAY_INSERT && front == back && c.p->encoding == MIME_BASE64) {
        struct str both = arena_printf(m->arena, "%.*s%.*s", STR_ARG(c.front), STR_ARG(c.back));
        insert_one(&c, f, front, both);
    } else if (c.way == WAY_INSERT) {
        insert_one(&c, f, front, c.front);
        insert_one(&c, f, back, c.back);
    } else if (c.way == WAY_ENCODE) {
        encode_anew(&c, f, front, back);
    }
    if (c.way != WAY_NONE) keep_border(&c, f);
    if (c.way != WAY_NONE && c.relabel) {
        struct buf type = {0};
        utf8_type(c.p, &type);
        part_set_field(m, f, t->part, STR("Content-Type"), buf_str(&type));
        buf_free(&type);
    }
    if (t->part == 0 && (c.relabel || (c.way == WAY_ENCODE && !is_encoded(c.p)))) {
        struct walk w = walk_begin(m, f, STR("MIME-Version"));
        struct instance at;
        if (!walk_next(&w, &at)) effect_set_field(m, f, STR("MIME-Version"), STR("1.0"));
    }
    carrier_free(&c);
}
