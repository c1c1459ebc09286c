#include <string.h>

#include "message/decode.h"
#include "message/header.h"
#include "message/mime_header.h"
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
    struct buf joined;   /* its mime_part's `outside`, once it is put together of several */
};

struct parser {
    struct message *m;
    struct viewer *reading;
    struct str bytes; /* the content, or a decoded body */
    size_t at;        /* how far `bytes` was consumed */
    size_t blank;     /* the first empty line at or after some earlier `at`: looked for once */
    bool decoded;     /* something had to be, here or further in */
    bool derived;     /* `bytes` is no part of the content; positions are those of part `outside` */
    size_t outside;
    struct mime_part *parts; /* all parts so far, of outer parsers too */
    size_t n, cap;
    uint32_t unreadable;
    struct open_part *open; /* as many as may be open, and one more */
    size_t depth;           /* how many are open here */
    size_t base;            /* depth of the first part of this parser */
};

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

/* One more: a multipart that is closed and goes on has as many epilogues as its sender likes. */
static void outside_append(struct parser *p, struct open_part *open, struct mime_part *part, struct str text)
{
    if (open->joined.n == 0) buf_add(&open->joined, part->outside);
    if (open->joined.n + text.n > p->m->limits.text_bytes) {
        part->unreadable |= UNREADABLE_LIMIT;
        p->unreadable |= UNREADABLE_LIMIT;
        return;
    }
    buf_add_byte(&open->joined, '\n');
    buf_add(&open->joined, text);
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
        outside_append(p, open, part, text);
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
    if (open.joined.n) part->outside = arena_str(p->m->arena, buf_str(&open.joined));
    buf_free(&open.joined);
    if (!p->derived) part->to = last;
    if (open.boundary.p) part->malformed = true; /* no close delimiter */
    bool encoded = part->encoding == MIME_BASE64 || part->encoding == MIME_QUOTED_PRINTABLE;
    /* Composite types may not be encoded (RFC 2045 section 6.4), yet readers decode them. */
    if (encoded && mime_holds_message(p->reading, part))
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

/* Whether what begins here is the header of a message, not of a part. */
static bool in_message(struct parser *p)
{
    return p->depth == 0 ? p->derived : mime_holds_message(p->reading, &p->parts[p->open[p->depth - 1].part]);
}

static void part_header_read(struct parser *p, size_t from, size_t end, struct part_header *h, size_t *body,
                             uint32_t *unreadable)
{
    struct header_scan scan;
    size_t fields = 0;
    header_scan_begin(&scan, p->reading, str_slice(p->bytes, from, end), in_message(p));
    scan.empty_line = p->blank < end ? 1 : 2; /* not looked for in each part anew: that would be the square of them */
    for (struct message_field field; header_scan_next(&scan, &field);) {
        if (++fields > p->m->limits.fields || field.from >= p->m->limits.header_bytes)
            *unreadable |= UNREADABLE_LIMIT;
        else
            part_header_take(p->reading, h, &field);
    }
    *body = from + scan.body;
    h->empty_message = scan.message && !scan.any;
}

/* Where a boundary ends for who takes blanks, quotes and parentheses for its end where nothing encloses them. */
static size_t boundary_cut(const struct mime_param *boundary, struct str text)
{
    size_t i = 0;
    for (; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\v' || c == '\f' || c == '\xa0') break;
        if (!boundary->quoted && (ascii_is_blank(c) || c == '"' || c == '(')) break;
    }
    return i;
}

/* Whether a line soon behind `body` is the delimiter of this boundary. */
static bool delimiter_stands(const struct parser *p, size_t body, struct str boundary)
{
    enum { SOON = 4096 };
    struct str near = str_slice(p->bytes, body, body + SOON);
    bool close;
    for (size_t at = 0; at < near.n;) {
        struct str line = str_slice(near, at, header_line_end(near, at));
        if (str_starts(line, STR("--")) && delimiter_match(line, boundary, &close) == IS_DELIMITER) return true;
        size_t hit = str_find_by(str_from(near, at), STR("\n--"), 1);
        at = hit == STR_NPOS ? near.n : at + hit + 1;
    }
    return false;
}

/* Where one that is not in quotes ends for who takes a token for it, by the letter (RFC 2045 section 5.1): of those
 * that programs write, many hold a "=", so it counts only where the delimiters are such. */
static size_t boundary_token(const struct parser *p, const struct mime_param *boundary, struct str text, size_t body)
{
    size_t i = 0;
    if (boundary->quoted) return text.n;
    const char *ends = boundary->extended ? "()<>@,;:\\\"/[]?='*%" : "()<>@,;:\\\"/[]?="; /* RFC 2231 section 7 */
    while (i < text.n && text.p[i] && !strchr(ends, text.p[i])) i++;
    return i < text.n && i > 0 && delimiter_stands(p, body, str_slice(text, 0, i)) ? i : text.n;
}

static struct str decoded_words(struct arena *a, struct str text)
{
    struct buf out = {0};
    decode_header_value(BEST_VIEWER, text, &out);
    text = arena_str(a, buf_str(&out));
    buf_free(&out);
    return text;
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
    size_t cut = boundary ? boundary_cut(boundary, text) : 0;
    size_t token = boundary ? boundary_token(p, boundary, text, body) : 0;
    if (token < cut) cut = token;
    if (cut < text.n && manner_is(p->reading, MANNER_PARAM_CUT)) text.n = cut;
    /* Trailing blanks cannot stand in a delimiter line (RFC 2046 section 5.1.1). */
    while (text.n && ascii_is_blank(text.p[text.n - 1])) text.n--;
    if (text.n && str_find(text, STR("=?")) != STR_NPOS && manner_is(p->reading, MANNER_PARAM_DECODED))
        text = decoded_words(p->m->arena, text);
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
    bool in_digest = parent != MIME_NO_PART && mime_part_is(&p->parts[parent], "multipart", "digest");
    size_t index = p->n;
    struct mime_part *part = part_add(p);
    part->parent = parent;
    part->depth = (uint32_t)(p->base + p->depth);
    part->unreadable = unreadable;
    part_header_apply(p->reading, p->m, h, in_digest, part);
    part_place(p, part, from, body);
    bool encoded = part->encoding == MIME_BASE64 || part->encoding == MIME_QUOTED_PRINTABLE;
    if (encoded && mime_holds_message(p->reading, part) && manner_is(p->reading, MANNER_COMPOSITE))
        part->encoding = MIME_BINARY;
    struct open_part *open = &p->open[p->depth++];
    *open = (struct open_part){.part = index, .outside = SIZE_MAX};
    if (mime_part_is(part, "multipart", NULL)) boundary_set(p, part, open, body);
    p->unreadable |= part->unreadable;
    p->at = body;
}

/* Where the header of a message in a message begins for who steps over empty lines before it. */
static size_t message_start(struct parser *p, size_t at)
{
    if (!in_message(p)) return at;
    size_t start = at;
    while (start < p->bytes.n &&
           (ascii_is_blank(p->bytes.p[start]) || p->bytes.p[start] == '\r' || p->bytes.p[start] == '\n'))
        start++;
    while (start > at && p->bytes.p[start - 1] != '\n') start--;
    return start > at && manner_is(p->reading, MANNER_JUNK_FIRST) ? start : at;
}

/* So many that are followed by a field are looked at, or it would take quadratic time. */
enum { DELIMITERS_IN_HEADER = 4 };

/* Whether the line at `at` begins a field, indented or not. */
static bool is_field(const struct parser *p, size_t at)
{
    struct header_scan scan;
    struct message_field field;
    while (at < p->bytes.n && ascii_is_blank(p->bytes.p[at])) at++;
    header_scan_begin(&scan, BEST_VIEWER, str_slice(p->bytes, at, header_line_end(p->bytes, at)), false);
    scan.empty_line = 2;
    return header_scan_next(&scan, &field);
}

/* The delimiter before the empty line at which the header that begins at `from` ends; its `from` is bytes.n when there
 * is none.  To those who read over delimiters, the last of a multipart, or one with no field behind, is the empty line.
 */
static struct delimiter header_delimiter(struct parser *p, size_t from, bool *over, uint32_t *unreadable)
{
    struct delimiter d = delimiter_find(p, from, p->blank);
    *over = d.from < p->bytes.n && manner_is(p->reading, MANNER_HEADER_OVER);
    for (int i = 0; *over && d.from < p->bytes.n && !d.close && is_field(p, d.to); i++) {
        if (i == DELIMITERS_IN_HEADER) {
            *unreadable |= UNREADABLE_LIMIT;
            break;
        }
        d = delimiter_find(p, d.to, p->blank);
    }
    return d;
}

/* Reads the header at p->at, no further than a delimiter, and opens the part; a message inside it likewise. */
static void part_begin(struct parser *p)
{
    for (;;) {
        size_t from = p->at = message_start(p, p->at);
        if (p->blank < from) p->blank = header_empty_line(p->bytes, from);
        size_t end = header_line_end(p->bytes, p->blank), body;
        struct part_header h = {0};
        uint32_t unreadable = 0;
        bool over;
        struct delimiter cut = header_delimiter(p, from, &over, &unreadable);
        if (cut.from < p->bytes.n) end = cut.from;
        part_header_read(p, from, end, &h, &body, &unreadable);
        if (over && cut.from < p->bytes.n) body = cut.to; /* what stood before it was all header, junk too */
        part_open(p, &h, from, body, unreadable);
        struct mime_part *part = &p->parts[p->open[p->depth - 1].part];
        bool encoded = part->encoding == MIME_BASE64 || part->encoding == MIME_QUOTED_PRINTABLE;
        if (!mime_holds_message(p->reading, part) || encoded || limit_reached(p, part)) return;
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
    outer->decoded = true;
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
                             .open = ARENA_ARRAY(m->arena, struct open_part, MESSAGE_DEPTH_MAX + 1),
                             .reading = outer->reading,
                             .bytes = arena_str(m->arena, buf_str(&bytes)),
                             .derived = true,
                             .outside = part,
                             .parts = outer->parts,
                             .n = outer->n,
                             .cap = outer->cap,
                             .base = at->depth + 1u};
    buf_free(&bytes);
    if (header_has_bare_cr(inner->bytes) && manner_is(outer->reading, MANNER_NAME_LOOSE))
        inner->bytes = header_cr_as_lf(m->arena, inner->bytes);
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

/* Answers whether a part had to be decoded to see what it holds. */
static bool tree_parse(struct message *m, struct viewer *r, struct mime_tree *tree)
{
    struct open_part open[MESSAGE_DEPTH_MAX + 1];
    struct parser *p = ARENA_NEW(m->arena, struct parser);
    bool cr_ends = r->manners >> MANNER_NAME_LOOSE & 1;
    *p = (struct parser){.m = m, .reading = r, .bytes = cr_ends ? message_lines(m) : m->content, .open = open};
    struct part_header h = {0};
    size_t body = m->header.body;
    uint32_t unreadable = m->header.unreadable;
    r->differs |= m->header_reading.differs;
    if (r->manners) {
        struct header_scan mbox;
        header_scan_begin(&mbox, r, p->bytes, true);
        p->blank = header_empty_line(p->bytes, mbox.at);
        part_header_read(p, mbox.at, p->bytes.n, &h, &body, &unreadable);
    } else {
        for (size_t i = 0; i < m->header.field_count; i++) part_header_take(r, &h, &m->header.fields[i]);
    }
    p->at = body;
    p->blank = body ? body - 1 : 0;
    part_open(p, &h, m->header.from, body, unreadable);
    struct mime_part *top = &p->parts[0];
    bool encoded = top->encoding == MIME_BASE64 || top->encoding == MIME_QUOTED_PRINTABLE;
    if (mime_holds_message(r, top) && !encoded && !limit_reached(p, top)) part_begin(p);
    parts_read(p);
    bool composite = p->n > 1 || mime_part_is(top, "multipart", NULL) || mime_part_is(top, "message", NULL);
    struct str told_by_lines = composite ? m->content : str_slice(m->content, 0, body); /* what is where */
    if (!cr_ends && header_has_bare_cr(told_by_lines)) p->unreadable |= message_has_bare_cr(m, r);
    *tree = (struct mime_tree){p->parts, p->n, p->unreadable};
    return p->decoded;
}

/* The tree read with these manners, if it was read already. */
static struct read_tree *tree_find(const struct message *m, uint64_t manners)
{
    struct read_tree *t = m->trees;
    while (t && t->manners != manners) t = t->next;
    return t;
}

/* In the place of a further one, for which there is no room: the best one again, and that it is not the one asked for.
 */
static struct read_tree *tree_left_out(struct message *m)
{
    if (!m->tree_left_out) {
        m->tree_left_out = ARENA_NEW(m->arena, struct read_tree);
        m->tree_left_out->tree = tree_find(m, 0)->tree;
        m->tree_left_out->tree.unreadable |= UNREADABLE_LIMIT;
    }
    return m->tree_left_out;
}

static struct read_tree *tree_read(struct message *m, struct viewer *r, uint64_t manners)
{
    struct read_tree *t = tree_find(m, manners);
    if (t) return t;
    if (manners && m->trees_kept > TREES_KEPT_MAX) return tree_left_out(m);
    r->work += m->content.n;
    size_t before = arena_used(m->arena);
    t = ARENA_NEW(m->arena, struct read_tree);
    struct viewer structure = {.manners = manners};
    t->decoded = tree_parse(m, &structure, &t->tree);
    m->trees_kept += arena_used(m->arena) - before;
    t->manners = manners;
    t->differs = structure.differs;
    t->next = m->trees;
    return m->trees = t;
}

const struct mime_tree *mime_tree_of(struct message *m, struct viewer *r)
{
    struct read_tree *t = tree_read(m, r, r->manners & MANNERS_OF_STRUCTURE);
    if (t->decoded && r->manners & MANNERS_OF_DECODING)
        t = tree_read(m, r, r->manners & (MANNERS_OF_STRUCTURE | MANNERS_OF_DECODING));
    r->differs |= t->differs;
    return &t->tree;
}

const struct mime_tree *message_mime(struct message *m)
{
    struct viewer best = {0};
    return mime_tree_of(m, &best);
}

bool mime_is_carried(const struct mime_tree *tree, size_t i)
{
    for (size_t up = tree->parts[i].parent; up != MIME_NO_PART; up = tree->parts[up].parent)
        if (str_eq(tree->parts[up].type, STR("message"))) return true;
    return false;
}

bool mime_has_children(const struct mime_tree *tree, size_t i)
{
    return i + 1 < tree->part_count && tree->parts[i + 1].parent == i;
}

/* --- leaves ------------------------------------------------------------------------------------------------------ */

static uint32_t encoding_undo(struct viewer *r, const struct mime_part *p, struct str raw, struct buf *out)
{
    bool composite = mime_part_is(p, "message", NULL) || mime_part_is(p, "multipart", NULL);
    if (p->encoding == MIME_BASE64) return decode_base64(r, raw, out);
    if (p->encoding == MIME_UUENCODE) return decode_uuencode(r, raw, out);
    if (p->encoding == MIME_QUOTED_PRINTABLE)
        decode_quoted_printable(r, raw, composite, out);
    else
        buf_add(out, raw);
    return p->encoding == MIME_UNKNOWN ? UNREADABLE_ENCODING : 0;
}

uint32_t mime_transfer_decode(struct viewer *r, const struct mime_part *p, struct str raw, struct buf *out)
{
    size_t begin = out->n;
    uint32_t flags = encoding_undo(r, p, raw, out);
    if (flags && p->encoding != MIME_UNKNOWN && manner_is(r, MANNER_CODE_RAW)) {
        out->n = begin;
        buf_add(out, raw);
    }
    return flags;
}

bool mime_is_text(const struct mime_part *p) { return mime_part_is(p, "text", NULL); }
