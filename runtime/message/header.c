#include "message/header.h"

#include <string.h>

size_t header_line_end(struct str content, size_t at)
{
    const char *hit = at < content.n ? memchr(content.p + at, '\n', content.n - at) : NULL;
    return hit ? (size_t)(hit - content.p) + 1 : content.n;
}

bool header_has_bare_cr(struct str s)
{
    size_t i = 0;
    for (; s.n - i > STR_BLOCK; i += STR_BLOCK) {
        unsigned char any = 0;
        for (size_t k = i; k < i + STR_BLOCK; k++) any |= (s.p[k] == '\r') & (s.p[k + 1] != '\n');
        if (any) return true;
    }
    for (; i < s.n; i++)
        if (s.p[i] == '\r' && (i + 1 == s.n || s.p[i + 1] != '\n')) return true;
    return false;
}

struct str header_cr_as_lf(struct arena *a, struct str s)
{
    struct str copy = arena_str(a, s);
    char *p = (char *)copy.p; /* just made */
    for (size_t i = 0; i < s.n; i++)
        if (p[i] == '\r' && (i + 1 == s.n || p[i + 1] != '\n')) p[i] = '\n';
    return copy;
}

/* The length of the line end that [at, end) consists of, when the line is empty; else 0. */
static size_t empty_line_length(struct str content, size_t at)
{
    if (at < content.n && content.p[at] == '\n') return 1;
    return content.n - at >= 2 && content.p[at] == '\r' && content.p[at + 1] == '\n' ? 2 : 0;
}

size_t header_empty_line(struct str content, size_t at)
{
    while (at < content.n && empty_line_length(content, at) == 0) at = header_line_end(content, at);
    return at;
}

/* To programs that cut what they take for a name to its printable part. */
static bool is_trimmed(char c) { return c == '\v' || c == '\f' || c == '\xa0'; }

/* Where a colon stands behind a name that fills the rest of its line: on a later one, with only blanks before it. */
static size_t folded_colon(struct str content, size_t end)
{
    size_t i = end;
    while (i < content.n && ascii_is_blank(content.p[i])) {
        while (i < content.n && (ascii_is_blank(content.p[i]) || is_trimmed(content.p[i]))) i++;
        if (i < content.n && content.p[i] == ':') return i;
        size_t line = i;
        while (i < content.n && content.p[i] == '\r') i++;
        if (i == content.n || content.p[i] != '\n' || i - line > 1) break;
        i++;
    }
    return STR_NPOS;
}

/* Behind what they cut off in front of it, with the folds in that; *end becomes that of the name's line. */
static size_t name_begin(struct str content, size_t at, size_t *end)
{
    if (at == content.n || !is_trimmed(content.p[at])) return at;
    for (;;) {
        while (at < content.n && (ascii_is_blank(content.p[at]) || is_trimmed(content.p[at]))) at++;
        size_t fold = empty_line_length(content, at);
        if (!fold || at + fold == content.n || !ascii_is_blank(content.p[at + fold])) return at;
        at += fold;
        *end = header_line_end(content, at);
    }
}

/* The name when [at, end) is a field's first line: printable ASCII, blanks, colon; else empty. */
static struct str field_name(struct viewer *r, struct str content, size_t at, size_t end, size_t *colon)
{
    size_t from = name_begin(content, at, &end), to = from;
    while (to < end && content.p[to] > ' ' && content.p[to] < 0x7f && content.p[to] != ':') to++;
    size_t i = to;
    while (i < end && ascii_is_blank(content.p[i])) i++;
    bool loose = from > at, strict = i > to;
    for (; i < end && (ascii_is_blank(content.p[i]) || is_trimmed(content.p[i])); i++) loose = true;
    if (to > from && i < end && (content.p[i] == '\r' || content.p[i] == '\n')) {
        i = folded_colon(content, end);
        loose = true;
    }
    *colon = i;
    bool field = to > from && i < content.n && content.p[i] == ':';
    if (!field || (loose ? !manner_is(r, MANNER_NAME_LOOSE) : strict && manner_is(r, MANNER_STRICT_NAME)))
        return STR("");
    return str_slice(content, from, to);
}

void header_scan_begin(struct header_scan *s, struct viewer *r, struct str content, bool message)
{
    *s = (struct header_scan){.content = content, .line = 1, .reading = r, .message = message};
    if (message && (str_starts(content, STR("From ")) || str_starts(content, STR(">From ")))) {
        s->at = header_line_end(content, 0);
        s->line = 2;
    }
}

/* The length of a line of nothing but blanks, where that ends the header for this reader. */
static size_t blank_line_length(const struct header_scan *s, size_t at)
{
    struct str c = s->content;
    size_t i = at;
    while (i < c.n && ascii_is_blank(c.p[i])) i++;
    size_t end = i > at ? empty_line_length(c, i) : 0;
    return end && manner_is(s->reading, MANNER_BLANK_ENDS) ? i + end - at : 0;
}

static bool scan_done(struct header_scan *s)
{
    size_t skip = empty_line_length(s->content, s->at);
    if (skip == 0 && s->any) skip = blank_line_length(s, s->at);
    s->body = s->at + skip;
    if (skip == 0) s->malformed = true;
    return false;
}

static bool empty_line_follows(struct header_scan *s)
{
    if (s->empty_line == 0) s->empty_line = header_empty_line(s->content, s->at) < s->content.n ? 1 : 2;
    return s->empty_line == 1;
}

static struct header_line line_look(const struct header_scan *s, size_t at)
{
    if (s->ahead.end && s->ahead.from == at) return s->ahead;
    struct header_line line = {.from = at, .end = header_line_end(s->content, at)};
    line.name = field_name(s->reading, s->content, at, line.end, &line.colon);
    return line;
}

/* Whether the line at `at` goes on with the field that began before it. */
static bool line_continues(struct header_scan *s, size_t at)
{
    struct str c = s->content;
    if (at >= c.n || empty_line_length(c, at)) return false;
    if (ascii_is_blank(c.p[at])) return blank_line_length(s, at) == 0;
    s->ahead = line_look(s, at);
    if (s->ahead.name.n) return false;
    bool from_line =
        c.p[at] == ':' || str_starts(str_from(c, at), STR("From ")) || str_starts(str_from(c, at), STR(">From "));
    if (from_line && manner_is(s->reading, MANNER_FROM_LINE)) return true;
    if (!empty_line_follows(s) && !manner_is(s->reading, MANNER_JUNK_GOES_ON)) return false;
    s->malformed = true;
    return !manner_is(s->reading, MANNER_JUNK_ENDS);
}

/* Where the first field begins for who steps over what stands before it: junk, and empty lines before a message. */
static void skip_to_first_field(struct header_scan *s)
{
    struct str c = s->content;
    size_t colon, at = s->at, cut = 0; /* before it, what is trimmed stands in front of no field */
    while (at < c.n) {
        size_t end = header_line_end(c, at), name_end = end, blank = at;
        if (empty_line_length(c, at) && !s->message) {
            if (at > s->at && manner_is(s->reading, MANNER_JUNK_FIRST))
                s->at = at; /* junk is all the header there is */
            return;
        }
        while (blank < end && ascii_is_blank(c.p[blank])) blank++;
        bool cut_already = blank < cut && is_trimmed(c.p[blank]); /* or each line would look at all behind it */
        bool field = !cut_already && field_name(s->reading, c, blank, end, &colon).n > 0;
        if (blank >= cut) cut = name_begin(c, blank, &name_end);
        if (field && !(blank > at && manner_is(s->reading, MANNER_JUNK_SKIPPED))) {
            if (blank > s->at && manner_is(s->reading, MANNER_JUNK_FIRST)) s->at = blank;
            return;
        }
        at = end;
        if (at > s->at + 4096) return;
    }
}

bool header_scan_next(struct header_scan *s, struct message_field *out)
{
    struct str c = s->content;
    if (!s->any) skip_to_first_field(s);
    if (s->at >= c.n || empty_line_length(c, s->at)) return scan_done(s);
    struct header_line first = line_look(s, s->at);
    if (first.name.n == 0) return scan_done(s); /* what could be taken into a field before it, was */
    *out = (struct message_field){.name = first.name, .from = s->at, .line = s->line};
    s->any = true;
    uint32_t lines = 1;
    size_t end = first.end;
    for (; first.colon >= end; lines++) end = header_line_end(c, end);
    while (line_continues(s, end)) {
        end = header_line_end(c, end);
        lines++;
    }
    out->to = end;
    struct str raw = str_slice(c, first.colon + 1, end);
    if (str_ends(raw, STR("\r\n")))
        raw.n -= 2;
    else if (str_ends(raw, STR("\n")))
        raw.n--;
    out->raw = raw;
    s->at = end;
    s->line += lines;
    return true;
}

bool header_is_trace(struct str name)
{
    return str_eq_nocase(name, STR("Received")) || str_eq_nocase(name, STR("Return-Path")) ||
           str_starts_nocase(name, STR("Resent-"));
}
