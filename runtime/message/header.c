#include "message/header.h"

#include <string.h>

size_t header_line_end(struct str content, size_t at)
{
    const char *hit = at < content.n ? memchr(content.p + at, '\n', content.n - at) : NULL;
    return hit ? (size_t)(hit - content.p) + 1 : content.n;
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

/* The length of the name when [at, end) is a field's first line: printable ASCII, blanks, colon; else 0. */
static size_t field_name_length(struct str content, size_t at, size_t end, size_t *colon)
{
    size_t i = at;
    while (i < end && content.p[i] > ' ' && content.p[i] < 0x7f && content.p[i] != ':') i++;
    size_t length = i - at;
    while (i < end && ascii_is_blank(content.p[i])) i++;
    *colon = i;
    return i < end && content.p[i] == ':' ? length : 0;
}

void header_scan_begin(struct header_scan *s, struct str content, bool mbox)
{
    *s = (struct header_scan){.content = content, .line = 1};
    if (mbox && (str_starts(content, STR("From ")) || str_starts(content, STR(">From ")))) {
        s->at = header_line_end(content, 0);
        s->line = 2;
    }
}

static bool scan_done(struct header_scan *s)
{
    size_t skip = empty_line_length(s->content, s->at);
    s->body = s->at + skip;
    if (skip == 0) s->malformed = true;
    return false;
}

static bool empty_line_follows(struct header_scan *s)
{
    if (s->empty_line == 0) s->empty_line = header_empty_line(s->content, s->at) < s->content.n ? 1 : 2;
    return s->empty_line == 1;
}

/* Whether the line at `at` goes on with the field that began before it. */
static bool line_continues(struct header_scan *s, size_t at)
{
    struct str c = s->content;
    if (at >= c.n || empty_line_length(c, at)) return false;
    if (ascii_is_blank(c.p[at])) return true;
    size_t colon;
    if (field_name_length(c, at, header_line_end(c, at), &colon)) return false;
    if (!empty_line_follows(s)) return false;
    s->malformed = true;
    return true;
}

bool header_scan_next(struct header_scan *s, struct message_field *out)
{
    struct str c = s->content;
    if (s->at >= c.n || empty_line_length(c, s->at)) return scan_done(s);
    size_t end = header_line_end(c, s->at), colon;
    size_t name = field_name_length(c, s->at, end, &colon);
    if (name == 0) return scan_done(s); /* what could be taken into a field before it, was */
    *out = (struct message_field){.name = str_slice(c, s->at, s->at + name), .from = s->at, .line = s->line};
    uint32_t lines = 1;
    while (line_continues(s, end)) {
        end = header_line_end(c, end);
        lines++;
    }
    out->to = end;
    struct str raw = str_slice(c, colon + 1, end);
    if (str_ends(raw, STR("\r\n")))
        raw.n -= 2;
    else if (str_ends(raw, STR("\n")))
        raw.n--;
    out->raw = raw;
    s->at = end;
    s->line += lines;
    s->any = true;
    return true;
}

bool header_is_trace(struct str name)
{
    return str_eq_nocase(name, STR("Received")) || str_eq_nocase(name, STR("Return-Path")) ||
           str_starts_nocase(name, STR("Resent-"));
}
