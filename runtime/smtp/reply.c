#include "smtp/reply.h"

#include <stdio.h>
#include <string.h>

enum { REPLY_LINE_OUT = 512 }; /* RFC 5321 section 4.5.3.1.5, CR LF included */

static void add_printable(struct buf *out, struct str s)
{
    buf_reserve(out, s.n);
    for (size_t i = 0; i < s.n; i++) out->p[out->n++] = ascii_is_print(s.p[i]) ? s.p[i] : '?';
}

void smtp_reply_emit(struct buf *out, const struct reply *r)
{
    INVARIANT(r->code >= 200 && r->code <= 599);
    char status[STATUS_TEXT_MAX + 1] = "";
    size_t status_n = 0;
    if (r->status.class != 0) {
        int n = snprintf(status, sizeof status, "%u.%u.%u ", r->status.class, r->status.subject, r->status.detail);
        INVARIANT(n > 0 && (size_t)n < sizeof status);
        status_n = (size_t)n;
    }
    const size_t room = REPLY_LINE_OUT - 2 - 4 - status_n;
    struct str rest = r->text;
    char code[4] = {(char)('0' + r->code / 100), (char)('0' + r->code / 10 % 10), (char)('0' + r->code % 10), '-'};
    for (bool more = true; more;) {
        size_t end = str_find_byte(rest, '\n');
        struct str line = str_slice(rest, 0, end == STR_NPOS ? rest.n : end);
        size_t next = end == STR_NPOS ? rest.n : end + 1;
        more = end != STR_NPOS;
        if (line.n && line.p[line.n - 1] == '\r') line.n--;
        if (line.n > room) {
            line.n = room;
            next = room;
            more = true;
        }
        rest = str_from(rest, next);
        code[3] = more ? '-' : ' ';
        buf_add(out, (struct str){code, 4});
        buf_add(out, (struct str){status, status_n});
        add_printable(out, line);
        buf_add(out, STR("\r\n"));
    }
}

static enum smtp_reply_progress bad(struct smtp_reader *r, const char *problem)
{
    r->problem = problem;
    return SMTP_REPLY_BAD;
}

/* An enhanced code counts only when its class is the reply's own first digit; anything else is text. */
static struct status status_of(struct str text, unsigned code)
{
    struct status s;
    size_t end = 0;
    while (end < text.n && text.p[end] != ' ' && text.p[end] != '\n') end++;
    struct str first = str_slice(text, 0, end);
    if (first.n >= STATUS_TEXT_MAX || !status_parse(first, &s) || s.class != code / 100) return (struct status){0};
    return s;
}

/* One line without its CR LF. */
static enum smtp_reply_progress take_line(struct smtp_reader *r, struct str line)
{
    if (line.n < 3 || line.p[0] < '2' || line.p[0] > '5' || !ascii_is_digit(line.p[1]) || !ascii_is_digit(line.p[2]))
        return bad(r, "the server's answer does not begin with a reply code");
    if (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-')
        return bad(r, "the server's answer has something other than a space or a hyphen behind its code");
    unsigned code = (unsigned)(line.p[0] - '0') * 100 + (unsigned)(line.p[1] - '0') * 10 + (unsigned)(line.p[2] - '0');
    if (r->lines != 0 && code != r->code) return bad(r, "the server's answer changes its code from line to line");
    if (++r->lines > SMTP_REPLY_LINES_MAX) return bad(r, "the server's answer has too many lines");
    r->code = code;
    if (r->lines > 1) buf_add_byte(&r->text, '\n');
    add_printable(&r->text, str_from(line, 4));
    if (line.n > 3 && line.p[3] == '-') return SMTP_REPLY_MORE;
    r->whole = true;
    r->reply =
        (struct reply){.code = (uint16_t)code, .status = status_of(buf_str(&r->text), code), .text = buf_str(&r->text)};
    return SMTP_REPLY_WHOLE;
}

enum smtp_reply_progress smtp_reader_feed(struct smtp_reader *r, struct str *input)
{
    if (r->problem) return SMTP_REPLY_BAD;
    if (r->whole) {
        r->whole = false;
        r->text.n = 0;
        r->code = r->lines = 0;
    }
    while (input->n) {
        size_t lf = str_find_byte(*input, '\n');
        size_t part = lf == STR_NPOS ? input->n : lf + 1;
        if (part > SMTP_REPLY_LINE_MAX - r->line.n) return bad(r, "the server's answer has a line that is too long");
        struct str line = str_slice(*input, 0, part);
        *input = str_from(*input, part);
        if (lf == STR_NPOS) {
            buf_add(&r->line, line);
            break;
        }
        if (r->line.n) {
            buf_add(&r->line, line);
            line = buf_str(&r->line);
        }
        if (line.n < 2 || line.p[line.n - 2] != '\r') return bad(r, "the server's answer has a line without CR LF");
        line.n -= 2;
        if (memchr(line.p, '\r', line.n) || memchr(line.p, '\0', line.n))
            return bad(r, "the server's answer has a bare CR or a NUL");
        enum smtp_reply_progress got = take_line(r, line);
        r->line.n = 0;
        if (got != SMTP_REPLY_MORE) return got;
    }
    return SMTP_REPLY_MORE;
}

bool smtp_reader_is_idle(const struct smtp_reader *r) { return r->line.n == 0 && (r->lines == 0 || r->whole); }

void smtp_reader_free(struct smtp_reader *r)
{
    buf_free(&r->line);
    buf_free(&r->text);
    *r = (struct smtp_reader){0};
}
