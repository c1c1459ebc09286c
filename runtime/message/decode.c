#include "message/decode.h"

#include <string.h>

#include "message/charset.h"
#include "message/message.h"

enum { NOT_BASE64 = 64, SPACE64, PAD64 };

static uint8_t base64_value(unsigned char c)
{
    if (c >= 'A' && c <= 'Z') return (uint8_t)(c - 'A');
    if (c >= 'a' && c <= 'z') return (uint8_t)(c - 'a' + 26);
    if (c >= '0' && c <= '9') return (uint8_t)(c - '0' + 52);
    if (c == '+') return 62;
    if (c == '/') return 63;
    if (c == '=') return PAD64;
    return c == '\r' || c == '\n' || c == ' ' || c == '\t' ? SPACE64 : NOT_BASE64;
}

static const uint8_t *base64_table(void)
{
    static uint8_t table[256];
    if (table['B'] == 0)
        for (unsigned c = 0; c < 256; c++) table[c] = base64_value((unsigned char)c);
    return table;
}

/* Ends a quantum of `count` sextets; one sextet alone is no byte. */
static uint32_t base64_tail(struct buf *out, uint32_t bits, unsigned count)
{
    if (count >= 2) buf_add_byte(out, (char)(bits >> (count * 6 - 8)));
    if (count == 3) buf_add_byte(out, (char)(bits >> 2));
    return count == 1 ? UNREADABLE_ENCODING : 0;
}

uint32_t decode_base64(struct str s, struct buf *out)
{
    const uint8_t *table = base64_table();
    const unsigned char *p = (const unsigned char *)s.p, *end = p + s.n;
    uint32_t flags = 0, bits = 0;
    unsigned count = 0;
    bool padded = false;
    buf_reserve(out, s.n / 4 * 3 + 4);
    while (p < end) {
        while (count == 0 && end - p >= 4) { /* whole quanta: nearly all of it */
            uint8_t a = table[p[0]], b = table[p[1]], c = table[p[2]], d = table[p[3]];
            if ((a | b | c | d) & 0xc0) break;
            char *to = out->p + out->n;
            to[0] = (char)(a << 2 | b >> 4), to[1] = (char)(b << 4 | c >> 2), to[2] = (char)(c << 6 | d);
            out->n += 3, p += 4;
            if (padded) flags |= UNREADABLE_ENCODING;
        }
        if (p == end) break;
        uint8_t v = table[*p++];
        if (v < 64) {
            if (padded) flags |= UNREADABLE_ENCODING;
            bits = bits << 6 | v;
            if (++count == 4) {
                char three[3] = {(char)(bits >> 16), (char)(bits >> 8), (char)bits};
                buf_add(out, (struct str){three, 3});
                bits = count = 0;
            }
        } else if (v == PAD64) {
            flags |= base64_tail(out, bits, count);
            bits = count = 0;
            padded = true;
        } else if (v == NOT_BASE64) {
            flags |= UNREADABLE_ENCODING;
        }
    }
    return flags | base64_tail(out, bits, count);
}

int decode_hex_pair(char a, char b)
{
    int value = 0;
    for (int i = 0; i < 2; i++) {
        char c = i ? b : a;
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* The escapes of one line, without its line end. */
static void quoted_printable_line(struct str line, struct buf *out)
{
    for (;;) {
        size_t at = str_find_byte(line, '=');
        if (at == STR_NPOS) break;
        int c = line.n - at >= 3 ? decode_hex_pair(line.p[at + 1], line.p[at + 2]) : -1;
        if (c < 0) {
            buf_add(out, str_slice(line, 0, at + 1));
            line = str_from(line, at + 1);
        } else {
            buf_add(out, str_slice(line, 0, at));
            buf_add_byte(out, (char)c);
            line = str_from(line, at + 3);
        }
    }
    buf_add(out, line);
}

void decode_quoted_printable(struct str s, struct buf *out)
{
    buf_reserve(out, s.n);
    while (s.n) {
        size_t end = str_find_byte(s, '\n');
        struct str line = str_slice(s, 0, end == STR_NPOS ? s.n : end), line_end = str_slice(s, line.n, line.n + 1);
        s = str_from(s, line.n + line_end.n);
        if (line_end.n && str_ends(line, STR("\r"))) line_end = (struct str){line_end.p - 1, 2}, line.n--;
        while (line.n && ascii_is_blank(line.p[line.n - 1])) line.n--;
        bool soft = line.n && line.p[line.n - 1] == '=';
        if (soft) line.n--;
        quoted_printable_line(line, out);
        if (!soft) buf_add(out, line_end);
    }
}

static struct str next_line(struct str *s)
{
    size_t end = str_find_byte(*s, '\n');
    struct str line = str_slice(*s, 0, end == STR_NPOS ? s->n : end);
    *s = str_from(*s, end == STR_NPOS ? s->n : end + 1);
    if (str_ends(line, STR("\r"))) line.n--;
    return line;
}

static void uuencode_line(struct str line, struct buf *out)
{
    size_t want = ((unsigned char)line.p[0] - 32u) & 63u;
    for (size_t at = 1; want > 0 && at < line.n; at += 4) {
        uint32_t bits = 0;
        for (size_t i = at; i < at + 4; i++)
            bits = bits << 6 | ((i < line.n ? (unsigned char)line.p[i] - 32u : 0) & 63u);
        char three[3] = {(char)(bits >> 16), (char)(bits >> 8), (char)bits};
        size_t take = want < 3 ? want : 3;
        buf_add(out, (struct str){three, take});
        want -= take;
    }
}

uint32_t decode_uuencode(struct str s, struct buf *out)
{
    struct str line = STR("");
    while (s.n && !str_starts(line = next_line(&s), STR("begin "))) continue;
    if (!str_starts(line, STR("begin "))) return UNREADABLE_ENCODING;
    while (s.n) {
        line = next_line(&s);
        if (str_eq(str_trim(line), STR("end"))) return 0;
        if (line.n) uuencode_line(line, out);
    }
    return UNREADABLE_ENCODING;
}

/* --- header values ----------------------------------------------------------------------------------------------- */

void decode_unfold(struct str raw, struct buf *out)
{
    while (raw.n) {
        size_t end = 0;
        while (end < raw.n && raw.p[end] != '\r' && raw.p[end] != '\n') end++;
        buf_add(out, str_slice(raw, 0, end));
        if (end == raw.n) break;
        while (end < raw.n && (raw.p[end] == '\r' || raw.p[end] == '\n')) end++;
        raw = str_from(raw, end);
        if (raw.n && !ascii_is_blank(raw.p[0])) buf_add_byte(out, ' ');
    }
}

bool encoded_word_parse(struct str s, struct encoded_word *out)
{
    enum { CHARSET_MAX = 64 };
    if (!str_starts(s, STR("=?"))) return false;
    size_t at = 2;
    while (at < s.n && at - 2 <= CHARSET_MAX && s.p[at] != '?' && s.p[at] > ' ' && s.p[at] != '=') at++;
    if (at == 2 || s.n - at < 3 || s.p[at] != '?' || s.p[at + 2] != '?') return false;
    out->charset = str_slice(s, 2, at);
    size_t star = str_find_byte(out->charset, '*');
    if (star != STR_NPOS) out->charset.n = star;
    out->encoding = ascii_lower(s.p[at + 1]);
    if (out->encoding != 'b' && out->encoding != 'q') return false;
    size_t length = str_find(str_from(s, at + 3), STR("?="));
    if (length == STR_NPOS) return false;
    out->text = str_slice(s, at + 3, at + 3 + length);
    out->length = at + 3 + length + 2;
    return true;
}

/* RFC 2047 section 4.2. */
static void q_decode(struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        int c = s.p[i] == '=' && s.n - i >= 3 ? decode_hex_pair(s.p[i + 1], s.p[i + 2]) : -1;
        if (c >= 0) {
            buf_add_byte(out, (char)c);
            i += 2;
        } else {
            buf_add_byte(out, s.p[i] == '_' ? ' ' : s.p[i]);
        }
    }
}

/* Neighbouring encoded-words of one charset, whose bytes are collected before they are decoded. */
struct run {
    bool open;
    struct str charset;
    struct buf bytes;
};

static uint32_t run_flush(struct run *run, struct buf *out)
{
    if (!run->open) return 0;
    size_t begin = out->n;
    uint32_t flags = charset_decode(run->charset, buf_str(&run->bytes), out);
    for (size_t i = begin; i < out->n; i++)
        if (out->p[i] == '\r' || out->p[i] == '\n') out->p[i] = ' ';
    run->bytes.n = 0;
    run->open = false;
    return flags;
}

static uint32_t run_add(struct run *run, const struct encoded_word *word, struct buf *out)
{
    uint32_t flags = 0;
    if (run->open && !str_eq_nocase(run->charset, word->charset)) flags |= run_flush(run, out);
    run->open = true;
    run->charset = word->charset;
    if (word->encoding == 'b')
        flags |= decode_base64(word->text, &run->bytes);
    else
        q_decode(word->text, &run->bytes);
    return flags;
}

static bool is_blank(struct str s) { return str_trim(s).n == 0; }

static uint32_t words_decode(struct str s, struct buf *out)
{
    uint32_t flags = 0;
    struct run run = {0};
    size_t literal = 0, at = 0; /* [literal, at) is text outside words, not yet written */
    /* Without a "?=" behind it nothing is a word: looking for one from every "=?" anew would be quadratic. */
    const char *last_end = NULL;
    for (const char *p = s.p; (p = memmem(p, (size_t)(s.p + s.n - p), "?=", 2)); p += 2) last_end = p;
    while (last_end) {
        size_t next = str_find(str_from(s, at), STR("=?"));
        struct encoded_word word;
        if (next == STR_NPOS || s.p + at + next > last_end) break;
        at += next;
        if (!encoded_word_parse(str_from(s, at), &word)) {
            at += 2;
            continue;
        }
        struct str between = str_slice(s, literal, at);
        if (!(run.open && is_blank(between))) {
            flags |= run_flush(&run, out);
            flags |= charset_decode(STR(""), between, out);
        }
        flags |= run_add(&run, &word, out);
        literal = at += word.length;
    }
    flags |= run_flush(&run, out);
    flags |= charset_decode(STR(""), str_from(s, literal), out);
    buf_free(&run.bytes);
    return flags;
}

bool decode_header_is_plain(struct str raw)
{
    raw = str_trim(raw);
    return charset_is_plain(STR(""), raw) && str_find(raw, STR("=?")) == STR_NPOS &&
           str_find_byte(raw, '\n') == STR_NPOS && str_find_byte(raw, '\r') == STR_NPOS;
}

uint32_t decode_header_value(struct str raw, struct buf *out)
{
    struct buf line = {0}, text = {0};
    raw = str_trim(raw);
    bool folded = str_find_byte(raw, '\n') != STR_NPOS || str_find_byte(raw, '\r') != STR_NPOS;
    if (folded) {
        decode_unfold(raw, &line);
        raw = buf_str(&line);
    }
    uint32_t flags = words_decode(raw, &text);
    buf_add(out, str_trim(buf_str(&text)));
    buf_free(&line);
    buf_free(&text);
    return flags;
}
