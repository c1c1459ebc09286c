#include <string.h>

#include "message/decode.h"
#include "message/header.h"
#include "message/params.h"
#include "message/state.h"

/* One pass over the content with a stack of the parts that are open.  A delimiter line (RFC 2046 section 5.1.1) of any
 * open multipart ends all parts inside it, at any depth (section 5.1.2), so hostile nesting costs no second look: every
 * byte is searched once for a line that begins with "--". */

struct open_part {
    size_t part;         /* index */
    struct str boundary; /* p NULL: no multipart, or one whose close delimiter was seen */
    struct str closed;   /* the boundary, once its close delimiter was seen; else p NULL */
    size_t outside;      /* where preamble or epilogue begin, while no part of it is open; else SIZE_MAX */
    bool begun;          /* a delimiter of it was seen */
};

struct parser {
    struct message *m;
    struct viewer *reading;
    struct str bytes; /* the content, or a decoded body */
    size_t at;        /* how far `bytes` was consumed */
    size_t blank;     /* the first empty line at or after some earlier `at`: looked for once */
    bool derived;     /* `bytes` is no part of the content; positions are those of part `outside` */
    size_t outside;
    struct mime_part *parts; /* all parts so far, of outer parsers too */
    size_t n, cap;
    uint32_t unreadable;
    struct open_part open[MESSAGE_DEPTH_MAX + 1];
    size_t depth; /* how many are open here */
    size_t base;  /* depth of the first part of this parser */
};

/* --- one part's header ------------------------------------------------------------------------------------------- */

struct part_header {
    struct str type, encoding, disposition;
    bool has_type, has_encoding, has_disposition;
    bool empty_message; /* a message without a single field */
};

static void take_once(struct viewer *r, struct str raw, struct str *to, bool *has)
{
    if (*has && (str_eq(*to, raw) || !manner_is(r, MANNER_LAST_FIELD))) return;
    *to = raw;
    *has = true;
}

static void take_field(struct viewer *r, struct part_header *h, const struct message_field *f)
{
    if (f->name.n < 12 || ascii_lower(f->name.p[0]) != 'c') return;
    if (str_eq_nocase(f->name, STR("Content-Type"))) take_once(r, f->raw, &h->type, &h->has_type);
    if (str_eq_nocase(f->name, STR("Content-Transfer-Encoding"))) take_once(r, f->raw, &h->encoding, &h->has_encoding);
    if (str_eq_nocase(f->name, STR("Content-Disposition"))) take_once(r, f->raw, &h->disposition, &h->has_disposition);
}

static bool is_type_word(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f || memchr("()<>@,;:\\\"/[]?=", s.p[i], 15)) return false;
    return s.n > 0;
}

static struct str letters_of(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        if (ascii_is_alpha(s.p[i])) p[n++] = s.p[i];
    return (struct str){p, n};
}

static void set_type(struct parser *p, struct mime_part *part, const struct part_header *h, bool in_digest)
{
    part->type = STR("text"), part->subtype = STR("plain");
    if (in_digest) part->type = STR("message"), part->subtype = STR("rfc822"); /* RFC 2046 section 5.1.5 */
    if (!h->has_type) return;
    struct params params = params_parse(p->reading, p->m->arena, h->type);
    struct str type, subtype;
    part->params = params.v;
    part->param_count = params.n;
    part->unreadable |= params.unreadable;
    part->loose_params = params.loose;
    bool sound = str_cut(params.value, '/', &type, &subtype) && is_type_word(type) && is_type_word(subtype);
    if (sound) part->type = type, part->subtype = subtype;
    part->malformed = !sound;
    /* Some look for the words only, whatever stands between, and for a boundary. */
    struct str words = letters_of(p->m->arena, params.value);
    bool composite = mime_part_param(part, STR("boundary")) && !str_eq(part->type, STR("multipart"));
    bool html = str_find(words, STR("html")) != STR_NPOS && !str_eq(part->subtype, STR("html"));
    bool message = !sound && str_starts(words, STR("message"));
    if (!(composite || html || message) || !manner_is(p->reading, MANNER_TYPE_LOOSE)) return;
    part->type = composite ? STR("multipart") : message ? STR("message") : STR("text");
    part->subtype = composite ? STR("mixed") : message ? STR("rfc822") : STR("html");
}

static uint8_t encoding_guess(struct str value)
{
    if (str_find(value, STR("base64")) != STR_NPOS || str_find(value, STR("base-64")) != STR_NPOS) return MIME_BASE64;
    if (str_find(value, STR("quoted")) != STR_NPOS) return MIME_QUOTED_PRINTABLE;
    return str_find(value, STR("uu")) != STR_NPOS ? MIME_UUENCODE : MIME_UNKNOWN;
}

static uint8_t encoding_of(struct parser *p, const struct part_header *h)
{
    static const struct {
        const char *name;
        uint8_t encoding;
    } names[] = {{"7bit", MIME_7BIT},
                 {"8bit", MIME_8BIT},
                 {"binary", MIME_BINARY},
                 {"base64", MIME_BASE64},
                 {"quoted-printable", MIME_QUOTED_PRINTABLE},
                 {"x-uuencode", MIME_UUENCODE},
                 {"uuencode", MIME_UUENCODE},
                 {"x-uue", MIME_UUENCODE},
                 {"uue", MIME_UUENCODE},
                 {"", MIME_7BIT}};
    if (!h->has_encoding) return MIME_7BIT;
    struct str value = params_parse(p->reading, p->m->arena, h->encoding).value;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!str_eq(value, str_of(names[i].name))) continue;
        bool decodes = names[i].encoding >= MIME_BASE64, exact = str_eq_nocase(str_trim(h->encoding), value);
        return decodes && !exact && manner_is(p->reading, MANNER_CODE_EXACT) ? MIME_UNKNOWN : names[i].encoding;
    }
    uint8_t guess = encoding_guess(value);
    return guess != MIME_UNKNOWN && manner_is(p->reading, MANNER_CODE_GUESS) ? guess : MIME_UNKNOWN;
}

static void set_disposition(struct parser *p, struct mime_part *part, const struct part_header *h)
{
    if (!h->has_disposition) return;
    struct params params = params_parse(p->reading, p->m->arena, h->disposition);
    bool shown = str_eq(params.value, STR("inline")) || params.value.n == 0;
    if (!shown && !str_eq(params.value, STR("attachment"))) shown = manner_is(p->reading, MANNER_SHOWN);
    part->disposition = shown ? MIME_INLINE : MIME_ATTACHMENT;
    part->disposition_params = params.v;
    part->disposition_param_count = params.n;
    part->unreadable |= params.unreadable;
}

static bool part_is(const struct mime_part *part, const char *type, const char *subtype)
{
    return str_eq(part->type, str_of(type)) && (!subtype || str_eq(part->subtype, str_of(subtype)));
}

/* What holds a whole message; to some readers its fragments do too. */
static bool holds_message(struct viewer *r, const struct mime_part *part)
{
    static const char *const texts[] = {"delivery-status", "disposition-notification", "feedback-report",
                                        "tracking-status"};
    if (!str_eq(part->type, STR("message"))) return false;
    if (part_is(part, "message", "rfc822") || part_is(part, "message", "global") || part_is(part, "message", "news"))
        return true;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (str_eq(part->subtype, str_of(texts[i]))) return false;
    return manner_is(r, MANNER_FRAGMENT);
}

/* What a type says about text we cannot see: RFC 1847, RFC 8551, RFC 3156, RFC 2046 sections 5.2.2 and 5.2.3. */
static uint32_t unreadable_by_type(const struct mime_part *part)
{
    if (part_is(part, "multipart", "encrypted") || part_is(part, "application", "pgp-encrypted"))
        return UNREADABLE_ENCRYPTED;
    if (part_is(part, "message", "partial") || part_is(part, "message", "external-body")) return UNREADABLE_UNSUPPORTED;
    if (!part_is(part, "application", "pkcs7-mime") && !part_is(part, "application", "x-pkcs7-mime")) return 0;
    const struct mime_param *kind = mime_part_param(part, STR("smime-type"));
    struct str word = kind ? message_text_best(&kind->value) : STR("");
    if (str_eq_nocase(word, STR("certs-only"))) return 0;
    bool open = str_eq_nocase(word, STR("signed-data")) || str_eq_nocase(word, STR("compressed-data"));
    return open ? UNREADABLE_UNSUPPORTED : UNREADABLE_ENCRYPTED;
}

const struct mime_param *mime_part_param(const struct mime_part *p, struct str name)
{
    return params_find(p->params, p->param_count, name);
}

const struct mime_param *mime_part_disposition_param(const struct mime_part *p, struct str name)
{
    return params_find(p->disposition_params, p->disposition_param_count, name);
}

/* --- delimiters -------------------------------------------------------------------------------------------------- */

struct delimiter {
    size_t from, to; /* the line; from == bytes.n: there is none */
    size_t level;    /* in the stack */
    bool close;
};

enum delimiter_match { NO_DELIMITER, BEGINS_AS_DELIMITER, IS_DELIMITER };

/* RFC 2046 section 5.1.1: "--", the boundary, "--" for the last, white space, line end. */
static enum delimiter_match delimiter_match(struct str line, struct str boundary, bool *close)
{
    struct str rest = str_from(line, 2);
    if (!boundary.p || !str_starts(rest, boundary)) return NO_DELIMITER;
    rest = str_from(rest, boundary.n);
    *close = str_starts(rest, STR("--"));
    if (*close) rest = str_from(rest, 2);
    if (str_trim(rest).n == 0) return IS_DELIMITER;
    return boundary.n ? BEGINS_AS_DELIMITER : NO_DELIMITER;
}

/* Whose delimiter a line is that begins with "--": the innermost multipart's of those it fits. */
static bool delimiter_at(const struct parser *p, struct str line, struct delimiter *out)
{
    bool found = false, close, near_miss = false, inner_open = false;
    struct delimiter prefix = *out;
    for (size_t level = p->depth; level-- > 0;) {
        const struct open_part *open = &p->open[level];
        enum delimiter_match match = delimiter_match(line, open->boundary, &close);
        if (match == IS_DELIMITER) {
            if (inner_open && !found && manner_is(p->reading, MANNER_INNER)) return false;
            if (found && !manner_is(p->reading, MANNER_OUTER)) break;
            found = true;
            out->level = level, out->close = close;
        } else if (match == BEGINS_AS_DELIMITER && !near_miss) {
            near_miss = true;
            prefix.level = level, prefix.close = close;
        } else if (!found && open->closed.p && delimiter_match(line, open->closed, &close) == IS_DELIMITER &&
                   manner_is(p->reading, MANNER_REOPEN)) {
            out->level = level, out->close = close;
            return true;
        }
        inner_open |= open->boundary.p != NULL;
    }
    if (found || !near_miss || !manner_is(p->reading, MANNER_PREFIX)) return found;
    *out = prefix;
    return true;
}

/* The first delimiter of any open multipart that begins in [from, before), `from` being the start of a line. */
static struct delimiter delimiter_find(const struct parser *p, size_t from, size_t before)
{
    struct delimiter none = {.from = p->bytes.n, .to = p->bytes.n}, found;
    bool any = false;
    for (size_t level = p->depth; level-- > 0 && !any;) any = p->open[level].boundary.p || p->open[level].closed.p;
    if (!any) return none;
    size_t end = p->bytes.n - before < 2 ? p->bytes.n : before + 2;
    for (size_t at = from; at < before;) {
        if (p->bytes.n - at >= 2 && p->bytes.p[at] == '-' && p->bytes.p[at + 1] == '-') {
            found.from = at;
            found.to = header_line_end(p->bytes, at);
            if (delimiter_at(p, str_slice(p->bytes, at, found.to), &found)) return found;
        }
        size_t hit = str_find_by(str_slice(p->bytes, at, end), STR("\n--"), 1);
        if (hit == STR_NPOS) break;
        at += hit + 1;
    }
    return none;
}

/* --- the tree ---------------------------------------------------------------------------------------------------- */

static struct mime_part *part_add(struct parser *p)
{
    if (p->n == p->cap) {
        struct mime_part *more = ARENA_ARRAY(p->m->arena, struct mime_part, p->cap ? p->cap * 2 : 4);
        if (p->n) memcpy(more, p->parts, p->n * sizeof *more);
        p->parts = more;
        p->cap = p->cap ? p->cap * 2 : 4;
    }
    return &p->parts[p->n++];
}

static void part_place(const struct parser *p, struct mime_part *part, size_t from, size_t body)
{
    part->derived = p->derived;
    part->from = p->derived ? p->parts[p->outside].from : from;
    part->body = p->derived ? p->parts[p->outside].body : body;
    part->to = p->derived ? p->parts[p->outside].to : body;
    part->raw = str_slice(p->bytes, body, body);
}

static void decoded_body_parse(struct parser *outer, size_t part, bool as_message);
static bool limit_reached(struct parser *p, struct mime_part *at);

static bool is_usual_preamble(struct str s)
{
    static const char *const usual[] = {
        "This is a multi-part message in MIME format", "This is a multipart message in MIME format",
        "This is a MIME-encapsulated message",         "This is a cryptographically signed message",
        "This is an OpenPGP/MIME signed message",      "This message is in MIME format",
        "This is an OpenPGP/MIME encrypted message"};
    for (size_t i = 0; s.n < 400 && i < sizeof usual / sizeof usual[0]; i++)
        if (str_starts_nocase(s, str_of(usual[i]))) return true;
    return false;
}

/* Preamble or epilogue of an open multipart, up to `end`. */
static void outside_take(struct parser *p, struct open_part *open, size_t end)
{
    struct str text = open->outside < end ? str_trim(str_slice(p->bytes, open->outside, end)) : STR("");
    open->outside = SIZE_MAX;
    if (text.n == 0 || is_usual_preamble(text)) return;
    struct mime_part *part = &p->parts[open->part];
    if (part->outside.n == 0)
        part->outside = text;
    else
        part->outside = arena_printf(p->m->arena, "%.*s\n%.*s", STR_ARG(part->outside), STR_ARG(text));
    p->reading->differs |= (uint64_t)1 << MANNER_OUTSIDE;
}

/* Ends the innermost open part at `end`, which is the start of a line, or the end of the bytes. */
static void part_close(struct parser *p, size_t end, bool at_delimiter)
{
    struct open_part open = p->open[--p->depth];
    struct mime_part *part = &p->parts[open.part];
    size_t body = (size_t)(part->raw.p - p->bytes.p);
    size_t last = end;
    if (at_delimiter && last > body && p->bytes.p[last - 1] == '\n') last--;
    if (last < end && last > body && p->bytes.p[last - 1] == '\r') last--;
    part->raw = str_slice(p->bytes, body, last);
    if (open.begun) outside_take(p, &open, last);
    if (!p->derived) part->to = last;
    if (open.boundary.p) part->malformed = true; /* no close delimiter */
    bool encoded = part->encoding == MIME_BASE64 || part->encoding == MIME_QUOTED_PRINTABLE;
    /* Composite types may not be encoded (RFC 2045 section 6.4), yet readers decode them. */
    if (encoded && holds_message(p->reading, part))
        decoded_body_parse(p, open.part, true);
    else if (encoded && open.boundary.p && !open.begun)
        decoded_body_parse(p, open.part, false);
}

static bool limit_reached(struct parser *p, struct mime_part *at)
{
    if (p->base + p->depth < p->m->limits.depth && p->n < p->m->limits.parts) return false;
    at->unreadable |= UNREADABLE_LIMIT;
    p->unreadable |= UNREADABLE_LIMIT;
    return true;
}

static void part_header_read(struct parser *p, size_t from, size_t end, struct part_header *h, size_t *body,
                             uint32_t *unreadable)
{
    struct header_scan scan;
    size_t fields = 0;
    header_scan_begin(&scan, p->reading, str_slice(p->bytes, from, end),
                      p->depth > 0 && holds_message(p->reading, &p->parts[p->open[p->depth - 1].part]));
    for (struct message_field field; header_scan_next(&scan, &field);) {
        if (++fields > p->m->limits.fields || field.from >= p->m->limits.header_bytes)
            *unreadable |= UNREADABLE_LIMIT;
        else
            take_field(p->reading, h, &field);
    }
    *body = from + scan.body;
    h->empty_message = scan.message && !scan.any;
}

static void boundary_set(struct parser *p, struct mime_part *part, struct open_part *open, size_t body)
{
    const struct mime_param *boundary = mime_part_param(part, STR("boundary"));
    for (size_t i = 0; boundary && i < part->param_count; i++) {
        const struct mime_param *other = &part->params[i];
        if (str_eq(other->name, STR("boundary")) && !str_eq(other->raw, boundary->raw) &&
            manner_is(p->reading, MANNER_LAST_PARAM))
            boundary = other;
    }
    struct str text = boundary ? boundary->raw : STR("");
    size_t blank = 0;
    while (blank < text.n && !ascii_is_blank(text.p[blank]) && text.p[blank] != '"') blank++;
    if (blank < text.n && manner_is(p->reading, MANNER_PARAM_CUT)) text.n = blank;
    /* Trailing blanks cannot stand in a delimiter line (RFC 2046 section 5.1.1). */
    while (text.n && ascii_is_blank(text.p[text.n - 1])) text.n--;
    if (text.n && str_find(text, STR("=?")) != STR_NPOS && manner_is(p->reading, MANNER_PARAM_WORDS))
        text = message_text_best(&boundary->value);
    bool plain = text.n && !boundary->extended && !part->loose_params;
    bool flat = text.n == 0 && !(boundary && manner_is(p->reading, MANNER_EMPTY_BOUNDARY));
    if (text.n && !plain && manner_is(p->reading, MANNER_FLAT)) flat = true;
    open->boundary = flat ? STR_NONE : text;
    open->outside = body;
    if (text.n == 0) part->malformed = true;
    if (p->base + p->depth < p->m->limits.depth) return;
    limit_reached(p, part);
    open->boundary = STR_NONE;
}

/* Opens a part whose header was read.  Answers false when it is a leaf as far as this pass is concerned. */
static void part_open(struct parser *p, const struct part_header *h, size_t from, size_t body, uint32_t unreadable)
{
    size_t parent = p->depth ? p->open[p->depth - 1].part : p->derived ? p->outside : MIME_NO_PART;
    bool in_digest = parent != MIME_NO_PART && part_is(&p->parts[parent], "multipart", "digest");
    size_t index = p->n;
    struct mime_part *part = part_add(p);
    part->parent = parent;
    part->depth = (uint32_t)(p->base + p->depth);
    part->unreadable = unreadable;
    set_type(p, part, h, in_digest);
    part->encoding = encoding_of(p, h);
    set_disposition(p, part, h);
    part->malformed |= h->empty_message;
    part->unreadable |= unreadable_by_type(part);
    part_place(p, part, from, body);
    bool encoded = part->encoding == MIME_BASE64 || part->encoding == MIME_QUOTED_PRINTABLE;
    if (encoded && holds_message(p->reading, part) && manner_is(p->reading, MANNER_COMPOSITE))
        part->encoding = MIME_BINARY;
    struct open_part *open = &p->open[p->depth++];
    *open = (struct open_part){.part = index, .outside = SIZE_MAX};
    if (part_is(part, "multipart", NULL)) boundary_set(p, part, open, body);
    p->unreadable |= part->unreadable;
    p->at = body;
}

/* Where the header of a message in a message begins for who steps over empty lines before it. */
static size_t message_start(struct parser *p, size_t at)
{
    if (p->depth == 0 || !holds_message(p->reading, &p->parts[p->open[p->depth - 1].part])) return at;
    size_t start = at;
    while (start < p->bytes.n &&
           (ascii_is_blank(p->bytes.p[start]) || p->bytes.p[start] == '\r' || p->bytes.p[start] == '\n'))
        start++;
    while (start > at && p->bytes.p[start - 1] != '\n') start--;
    return start > at && manner_is(p->reading, MANNER_JUNK_FIRST) ? start : at;
}

/* Reads the header at p->at, no further than a delimiter, and opens the part; a message inside it likewise. */
static void part_begin(struct parser *p)
{
    for (;;) {
        size_t from = p->at = message_start(p, p->at);
        if (p->blank < from) p->blank = header_empty_line(p->bytes, from);
        size_t end = header_line_end(p->bytes, p->blank), body;
        struct delimiter cut = delimiter_find(p, from, p->blank);
        bool over = cut.from < end && manner_is(p->reading, MANNER_HEADER_OVER);
        if (cut.from < end && !over) end = cut.from;
        struct part_header h = {0};
        uint32_t unreadable = 0;
        part_header_read(p, from, end, &h, &body, &unreadable);
        if (over && body == cut.from) body = cut.to;
        part_open(p, &h, from, body, unreadable);
        struct mime_part *part = &p->parts[p->open[p->depth - 1].part];
        bool encoded = part->encoding == MIME_BASE64 || part->encoding == MIME_QUOTED_PRINTABLE;
        if (!holds_message(p->reading, part) || encoded || limit_reached(p, part)) return;
    }
}

/* Delimiters of the same multipart, a closing one too, right behind one: to some they are nothing. */
static void repeated_skip(struct parser *p, size_t level)
{
    for (struct delimiter next; str_starts(str_from(p->bytes, p->at), STR("--")); p->at = next.to) {
        next = delimiter_find(p, p->at, p->at + 1);
        if (next.from != p->at || next.level != level || !manner_is(p->reading, MANNER_REPEATED)) return;
    }
}

/* The children of whatever is open, to the end of the bytes. */
static void parts_read(struct parser *p)
{
    for (;;) {
        struct delimiter d = delimiter_find(p, p->at, p->bytes.n);
        bool found = d.from < p->bytes.n;
        while (p->depth > (found ? d.level + 1 : 0)) part_close(p, d.from, found);
        if (!found) return;
        struct open_part *open = &p->open[d.level];
        if (open->closed.p) open->boundary = open->closed, open->closed = STR_NONE; /* parts go on: REOPEN */
        outside_take(p, open, d.from);
        open->begun = true;
        p->at = d.to;
        if (!d.close) repeated_skip(p, d.level);
        if (d.close) {
            open->closed = open->boundary;
            open->boundary = STR_NONE;
            open->outside = d.to;
        } else if (limit_reached(p, &p->parts[open->part])) {
            while (p->depth) part_close(p, p->bytes.n, false);
            return;
        } else {
            part_begin(p);
        }
    }
}

/* A body that had to be decoded before its parts could be seen.  Each level of this is one level of MIME depth, so it
 * cannot go deeper than MESSAGE_DEPTH_MAX; what it decodes is counted. */
static void decoded_body_parse(struct parser *outer, size_t part, bool as_message)
{
    struct message *m = outer->m;
    struct mime_part *at = &outer->parts[part];
    if (limit_reached(outer, at)) return;
    struct str raw = at->raw;
    size_t room = m->limits.text_bytes - m->decoded;
    if (raw.n > room) {
        raw.n = room;
        at->unreadable |= UNREADABLE_LIMIT;
        outer->unreadable |= UNREADABLE_LIMIT;
    }
    m->decoded += raw.n;
    struct buf bytes = {0};
    at->unreadable |= mime_transfer_decode(outer->reading, at, raw, &bytes);
    struct parser *inner = ARENA_NEW(m->arena, struct parser);
    *inner = (struct parser){.m = m,
                             .reading = outer->reading,
                             .bytes = arena_str(m->arena, buf_str(&bytes)),
                             .derived = true,
                             .outside = part,
                             .parts = outer->parts,
                             .n = outer->n,
                             .cap = outer->cap,
                             .base = at->depth + 1u};
    buf_free(&bytes);
    inner->blank = header_empty_line(inner->bytes, 0);
    if (as_message) {
        part_begin(inner);
    } else { /* a multipart: its own delimiters are in what was decoded; the part itself stands in for its open entry */
        inner->base = at->depth;
        inner->open[0] = (struct open_part){.part = part, .boundary = outer->open[outer->depth].boundary, .outside = 0};
        inner->depth = 1;
        at->raw = inner->bytes;
        at->encoding = MIME_BINARY;
        at->derived = true;
    }
    parts_read(inner);
    outer->parts = inner->parts;
    outer->n = inner->n;
    outer->cap = inner->cap;
    outer->unreadable |= inner->unreadable | outer->parts[part].unreadable;
}

static void tree_parse(struct message *m, struct viewer *r, struct mime_tree *tree)
{
    struct parser *p = ARENA_NEW(m->arena, struct parser);
    *p = (struct parser){.m = m, .reading = r, .bytes = m->content};
    struct part_header h = {0};
    size_t body = m->header.body;
    uint32_t unreadable = m->header.unreadable;
    r->differs |= m->header_reading.differs;
    if (r->manners) {
        struct header_scan mbox;
        header_scan_begin(&mbox, r, m->content, true);
        part_header_read(p, mbox.at, m->content.n, &h, &body, &unreadable);
    } else {
        for (size_t i = 0; i < m->header.field_count; i++) take_field(r, &h, &m->header.fields[i]);
    }
    p->at = body;
    p->blank = body ? body - 1 : 0;
    part_open(p, &h, m->header.from, body, unreadable);
    struct mime_part *top = &p->parts[0];
    bool encoded = top->encoding == MIME_BASE64 || top->encoding == MIME_QUOTED_PRINTABLE;
    if (holds_message(r, top) && !encoded && !limit_reached(p, top)) part_begin(p);
    parts_read(p);
    *tree = (struct mime_tree){p->parts, p->n, p->unreadable};
}

const struct mime_tree *mime_tree_of(struct message *m, struct viewer *r)
{
    uint64_t manners = r->manners & MANNERS_OF_STRUCTURE;
    struct read_tree *t = m->trees;
    while (t && t->manners != manners) t = t->next;
    if (!t) {
        t = ARENA_NEW(m->arena, struct read_tree);
        struct viewer structure = {.manners = manners};
        tree_parse(m, &structure, &t->tree);
        t->manners = manners;
        t->differs = structure.differs;
        t->next = m->trees;
        m->trees = t;
    }
    r->differs |= t->differs;
    return &t->tree;
}

const struct mime_tree *message_mime(struct message *m)
{
    struct viewer best = {0};
    return mime_tree_of(m, &best);
}

bool mime_has_children(const struct mime_tree *tree, size_t i)
{
    return i + 1 < tree->part_count && tree->parts[i + 1].parent == i;
}

/* --- leaves ------------------------------------------------------------------------------------------------------ */

static uint32_t encoding_undo(struct viewer *r, uint8_t encoding, struct str raw, struct buf *out)
{
    if (encoding == MIME_BASE64) return decode_base64(r, raw, out);
    if (encoding == MIME_UUENCODE) return decode_uuencode(raw, out);
    if (encoding == MIME_QUOTED_PRINTABLE)
        decode_quoted_printable(r, raw, out);
    else
        buf_add(out, raw);
    return encoding == MIME_UNKNOWN ? UNREADABLE_ENCODING : 0;
}

uint32_t mime_transfer_decode(struct viewer *r, const struct mime_part *p, struct str raw, struct buf *out)
{
    size_t begin = out->n;
    uint32_t flags = encoding_undo(r, p->encoding, raw, out);
    if (flags && p->encoding != MIME_UNKNOWN && manner_is(r, MANNER_CODE_RAW)) {
        out->n = begin;
        buf_add(out, raw);
    }
    return flags;
}

bool mime_is_text(const struct mime_part *p) { return part_is(p, "text", NULL); }
