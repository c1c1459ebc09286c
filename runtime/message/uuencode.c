#include "message/decode.h"

/* uuencode (POSIX): lines that begin with their length, groups of four letters for three bytes. */

static struct str next_line(struct str *s)
{
    size_t end = str_find_byte(*s, '\n');
    struct str line = str_slice(*s, 0, end == STR_NPOS ? s->n : end);
    *s = str_from(*s, end == STR_NPOS ? s->n : end + 1);
    if (line.n && line.p[line.n - 1] == '\r') line.n--;
    return line;
}

static bool is_last_line(struct str line)
{
    bool may_be = line.n && (line.p[0] == 'e' || (unsigned char)line.p[0] <= ' ');
    return may_be && str_eq(str_trim(line), STR("end"));
}

static void uuencode_line(struct str line, struct buf *out)
{
    size_t want = ((unsigned char)line.p[0] - 32u) & 63u, at = 1;
    for (; want > 0 && at < line.n; at += 4) {
        uint32_t bits = 0;
        for (size_t i = at; i < at + 4; i++)
            bits = bits << 6 | ((i < line.n ? (unsigned char)line.p[i] - 32u : 0) & 63u);
        char three[3] = {(char)(bits >> 16), (char)(bits >> 8), (char)bits};
        size_t take = want < 3 ? want : 3;
        buf_add(out, (struct str){three, take});
        want -= take;
    }
}

static bool uuencode_begins(struct str line, struct str *name)
{
    size_t digits = 6;
    if (line.n == 0 || line.p[0] != 'b' || !str_starts(line, STR("begin "))) return false;
    while (digits < line.n && ascii_is_digit(line.p[digits])) digits++;
    if (digits < 9 || digits == line.n || line.p[digits] != ' ') return false;
    *name = str_trim(str_from(line, digits));
    if (name->n > 2 && name->p[0] == '"' && name->p[name->n - 1] == '"') *name = str_slice(*name, 1, name->n - 1);
    return true;
}

size_t decode_uuencode_find(struct str text, size_t at, struct str *name, size_t *end)
{
    struct str rest = str_from(text, at), other;
    while (rest.n) {
        size_t from = text.n - rest.n;
        if (!uuencode_begins(next_line(&rest), name)) {
            bool next = rest.n > 0 && rest.p[0] == 'b'; /* far from every line is looked at */
            size_t hit = next ? 0 : str_find_pair(rest, '\n', 'b');
            rest = str_from(rest, next ? 0 : hit == STR_NPOS ? rest.n : hit + 1);
            continue;
        }
        for (*end = text.n - rest.n; rest.n; *end = text.n - rest.n) {
            struct str line = next_line(&rest);
            if (uuencode_begins(line, &other)) return from;
            if (is_last_line(line)) break;
        }
        *end = text.n - rest.n;
        return from;
    }
    return STR_NPOS;
}

/* Whether its length is what its first byte says, and no letter is one that uuencode does not use. */
static bool uuencode_line_is_sound(struct str line)
{
    if (line.p[0] <= ' ') return false;
    for (size_t i = 0; i < line.n; i++)
        if (line.p[i] >= 'a' && line.p[i] <= 'z') return false;
    return ((((unsigned char)line.p[0] - 32u) & 63u) + 2) / 3 == (line.n + 1) / 4;
}

/* Steps behind the first line that begins so; false when there is none. */
static bool skip_to_line(struct str *s, struct str begin)
{
    for (struct str rest = *s; rest.n;)
        if (str_starts(next_line(&rest), begin)) {
            *s = rest;
            return true;
        }
    return false;
}

/* Whether any line has more or less than its first byte says: groups of four then go over its end for some. */
static bool uuencode_lines_are_even(struct str s)
{
    while (s.n) {
        struct str line = next_line(&s);
        if (is_last_line(line)) break;
        size_t want = line.n ? ((unsigned char)line.p[0] - 32u) & 63u : 0;
        if (want && line.n != 1 + (want + 2) / 3 * 4) return false;
    }
    return true;
}

/* For who looks at the groups of four only: a line ends when it has what it says, whatever is behind it, and a group it
 * leaves open, a CR in it too, the next one closes. */
static void uuencode_groups(struct str s, struct buf *out)
{
    size_t want = 0;
    uint32_t bits = 0;
    bool line_start = true;
    for (unsigned i = 0; s.n; s = str_from(s, 1)) {
        unsigned value = ((unsigned char)s.p[0] - 32u) & 63u;
        if (s.p[0] == '\n') {
            line_start = true;
        } else if (line_start || want == 0) {
            if (value == 0) return;
            want = value;
            line_start = false;
        } else {
            bits = bits << 6 | value;
            if (++i < 4) continue;
            char three[3] = {(char)(bits >> 16), (char)(bits >> 8), (char)bits};
            size_t take = want < 3 ? want : 3;
            buf_add(out, (struct str){three, take});
            want -= take;
            i = bits = 0;
        }
    }
}

uint32_t decode_uuencode(struct viewer *r, struct str s, struct buf *out)
{
    uint32_t flags = 0;
    if (!skip_to_line(&s, STR("begin "))) {
        flags = UNREADABLE_ENCODING;
        if (!skip_to_line(&s, STR("begin"))) return flags;
    }
    size_t begin = out->n;
    bool ended = false;
    for (struct str rest = s; rest.n && !ended;) {
        struct str line = next_line(&rest);
        ended = is_last_line(line);
        if (ended || line.n == 0 || (!uuencode_line_is_sound(line) && manner_is(r, MANNER_QP_STRICT))) continue;
        uuencode_line(line, out);
    }
    if (!ended) flags = UNREADABLE_ENCODING;
    if (!uuencode_lines_are_even(s) && manner_is(r, MANNER_UU_LENGTHS)) {
        out->n = begin;
        uuencode_groups(s, out);
    }
    return flags;
}
