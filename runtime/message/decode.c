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

/* How many of the alphabet, padding too: of whole quanta a multiple of four. */
static size_t base64_letters(struct str s)
{
    const uint8_t *table = base64_table();
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += table[(unsigned char)s.p[i]] < NOT_BASE64 || s.p[i] == '=';
    return n;
}

/* Ends a quantum of `count` sextets; one sextet alone is no byte. */
static uint32_t base64_tail(struct buf *out, uint32_t bits, unsigned count)
{
    if (count >= 2) buf_add_byte(out, (char)(bits >> (count * 6 - 8)));
    if (count == 3) buf_add_byte(out, (char)(bits >> 2));
    return count == 1 ? UNREADABLE_ENCODING : 0;
}

/* What a byte that is no letter of the alphabet does: white space nothing, padding ends a quantum. */
struct base64_state {
    uint32_t bits, flags;
    unsigned count;
    bool padded, join, url;
};

/* False where the reader stops. */
static bool base64_letter(struct viewer *r, struct base64_state *b, uint8_t v, struct buf *out)
{
    if (b->padded) { /* data behind padding */
        b->flags |= UNREADABLE_ENCODING;
        r->differs |= (uint64_t)1 << MANNER_BASE64_JOIN;
        if (manner_is(r, MANNER_BASE64_STOP)) return false;
        b->padded = false; /* all that it does is done: whole quanta may come again */
    }
    b->bits = b->bits << 6 | v;
    if (++b->count == 4) {
        char *to = out->p + out->n; /* decode_base64 made room for all there can be */
        to[0] = (char)(b->bits >> 16), to[1] = (char)(b->bits >> 8), to[2] = (char)b->bits;
        out->n += 3;
        b->bits = b->count = 0;
    }
    return true;
}

static bool base64_other(struct viewer *r, struct base64_state *b, unsigned char c, uint8_t v, struct buf *out)
{
    if (v == PAD64) {
        b->padded = true;
        if (b->join) return true;
        b->flags |= base64_tail(out, b->bits, b->count);
        b->bits = b->count = 0;
    } else if (v == NOT_BASE64) {
        b->flags |= UNREADABLE_ENCODING;
        if ((c == '-' || c == '_') && manner_is(r, MANNER_BASE64_URL))
            return base64_letter(r, b, c == '-' ? 62 : 63, out);
    }
    return true;
}

uint32_t decode_base64(struct viewer *r, struct str s, struct buf *out)
{
    if (s.n == 0) return 0;
    const uint8_t *table = base64_table();
    const unsigned char *p = (const unsigned char *)s.p, *end = p + s.n;
    struct base64_state b = {.join = r->manners >> MANNER_BASE64_JOIN & 1};
    buf_reserve(out, s.n / 4 * 3 + 4);
    while (p < end) {
        while (b.count == 0 && !b.padded && end - p >= 4) { /* whole quanta: nearly all of it */
            uint8_t v0 = table[p[0]], v1 = table[p[1]], v2 = table[p[2]], v3 = table[p[3]];
            if ((v0 | v1 | v2 | v3) & 0xc0) break;
            char *to = out->p + out->n;
            to[0] = (char)(v0 << 2 | v1 >> 4), to[1] = (char)(v1 << 4 | v2 >> 2), to[2] = (char)(v2 << 6 | v3);
            out->n += 3, p += 4;
        }
        if (p == end) break;
        unsigned char c = *p++;
        uint8_t v = table[c];
        if (!(v < 64 ? base64_letter(r, &b, v, out) : base64_other(r, &b, c, v, out))) break;
    }
    return b.flags | base64_tail(out, b.bits, b.count);
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

/* Some let a "=" that begins no escape take the two characters behind it along, though another may be among them. */
static bool takes_two_along(struct viewer *r, struct str line, size_t at)
{
    return line.n - at >= 3 && (line.p[at + 1] == '=' || line.p[at + 2] == '=') && manner_is(r, MANNER_QP_STRICT);
}

/* The escapes of one line, without its line end. */
static void quoted_printable_line(struct viewer *r, struct str line, struct buf *out)
{
    for (;;) {
        size_t at = str_find_byte(line, '=');
        if (at == STR_NPOS) break;
        int c = line.n - at >= 3 ? decode_hex_pair(line.p[at + 1], line.p[at + 2]) : -1;
        if (c < 0) {
            size_t taken = takes_two_along(r, line, at) ? 3 : 1;
            buf_add(out, str_slice(line, 0, at + taken));
            line = str_from(line, at + taken);
        } else {
            buf_add(out, str_slice(line, 0, at));
            buf_add_byte(out, (char)c);
            line = str_from(line, at + 3);
        }
    }
    buf_add(out, line);
}

/* An escape that a soft line break parts, for who takes the breaks out first: `held` is its beginning, of the line
 * before, and what completes it is taken off the front of this one. */
static void parted_escape(struct viewer *r, struct str held, struct str *line, struct buf *out)
{
    char whole[3];
    size_t more = sizeof whole - held.n;
    int c = -1;
    if (line->n >= more) {
        memcpy(whole, held.p, held.n);
        memcpy(whole + held.n, line->p, more);
        c = decode_hex_pair(whole[1], whole[2]);
    }
    if (c < 0 || !manner_is(r, MANNER_QP_STRICT)) return;
    out->n -= held.n; /* it was written as it stands */
    buf_add_byte(out, (char)c);
    *line = str_from(*line, more);
}

/* The "=" or "=3" at the end of a line that a soft break follows. */
static struct str escape_begun(struct str line)
{
    if (str_ends(line, STR("="))) return str_from(line, line.n - 1);
    return line.n > 1 && line.p[line.n - 2] == '=' ? str_from(line, line.n - 2) : STR("");
}

void decode_quoted_printable(struct viewer *r, struct str s, bool blanks_matter, struct buf *out)
{
    struct str held = STR("");
    buf_reserve(out, s.n);
    while (s.n) {
        size_t end = str_find_byte(s, '\n');
        struct str line = str_slice(s, 0, end == STR_NPOS ? s.n : end), line_end = str_slice(s, line.n, line.n + 1);
        s = str_from(s, line.n + line_end.n);
        if (line_end.n && str_ends(line, STR("\r"))) line_end = (struct str){line_end.p - 1, 2}, line.n--;
        size_t whole = line.n;
        while (line.n && ascii_is_blank(line.p[line.n - 1])) line.n--;
        bool soft = line.n && line.p[line.n - 1] == '=';
        if (soft && line.n < whole && manner_is(r, MANNER_QP_STRICT)) soft = false;
        if (soft)
            line.n--;
        else if (blanks_matter && line.n < whole && manner_is(r, MANNER_QP_BLANKS))
            line.n = whole;
        if (held.n) parted_escape(r, held, &line, out);
        held = soft ? escape_begun(line) : STR("");
        quoted_printable_line(r, line, out);
        if (!soft) buf_add(out, line_end);
    }
}

/* --- header values ----------------------------------------------------------------------------------------------- */

void decode_unfold(struct viewer *r, struct str raw, struct buf *out)
{
    for (bool junk = false; raw.n;) {
        size_t end = 0;
        while (end < raw.n && raw.p[end] != '\r' && raw.p[end] != '\n') end++;
        if (!junk || !manner_is(r, MANNER_JUNK_SKIPPED)) {
            if (junk) buf_add_byte(out, ' ');
            buf_add(out, str_slice(raw, 0, end));
        }
        if (end == raw.n) break;
        while (end < raw.n && (raw.p[end] == '\r' || raw.p[end] == '\n')) end++;
        raw = str_from(raw, end);
        junk = raw.n && !ascii_is_blank(raw.p[0]);
    }
}

/* Up to the last "?" before the text, which begins at the offset answered; 0 when it is no encoded-word. */
static size_t word_head(struct str s, struct encoded_word *out)
{
    enum { CHARSET_MAX = 64 };
    if (!str_starts(s, STR("=?"))) return 0;
    size_t at = 2;
    while (at < s.n && at - 2 <= CHARSET_MAX && s.p[at] != '?') at++;
    if (s.n - at < 3 || s.p[at] != '?' || s.p[at + 2] != '?') return 0; /* some take an empty charset too */
    out->charset = str_trim(str_slice(s, 2, at));
    size_t star = str_find_byte(out->charset, '*');
    if (star != STR_NPOS) out->charset.n = star;
    out->encoding = ascii_lower(s.p[at + 1]);
    return out->encoding == 'b' || out->encoding == 'q' ? at + 3 : 0;
}

/* The first "?=" at or after `from`; s.n when there is none. */
struct word_end {
    size_t from, at;
};

/* The word that begins at `at`; one whose "?=" is missing is all the rest, and `open`.  What was found stays in *end:
 * many words may begin before one ends, and to look for it from each anew would be quadratic. */
static bool word_parse(struct str s, size_t at, struct word_end *end, struct encoded_word *out, bool *open)
{
    size_t begin = word_head(str_from(s, at), out);
    if (begin == 0) return false;
    begin += at;
    if (begin < end->from || begin > end->at) {
        size_t hit = str_find(str_from(s, begin), STR("?="));
        *end = (struct word_end){begin, hit == STR_NPOS ? s.n : begin + hit};
    }
    *open = end->at == s.n;
    out->text = str_slice(s, begin, end->at);
    out->length = end->at - at + (*open ? 0 : 2);
    return true;
}

bool encoded_word_parse(struct str s, struct encoded_word *out)
{
    bool open;
    return word_parse(s, 0, &(struct word_end){0}, out, &open) && !open;
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
    size_t last;       /* where those of the last word begin */
    bool beyond;       /* some of the bytes are no ASCII */
    struct buf base64; /* WORDS_JOIN: not yet decoded */
};

static uint32_t run_flush(struct viewer *r, struct run *run, struct buf *out)
{
    if (!run->open) return 0;
    size_t begin = out->n;
    uint32_t flags = decode_base64(r, buf_str(&run->base64), &run->bytes);
    run->base64.n = 0;
    flags |= charset_decode(r, charset_tight(r, run->charset), buf_str(&run->bytes), out);
    for (size_t i = begin; i < out->n; i++)
        if (out->p[i] == '\r' || out->p[i] == '\n') out->p[i] = ' ';
    run->bytes.n = 0;
    run->open = run->beyond = false;
    return flags;
}

/* What some programs take for a blank. */
static bool is_wide_blank(char c) { return ascii_is_blank(c) || c == '\v' || c == '\f' || c == '\xa0'; }

static uint32_t word_bytes(struct viewer *r, struct run *run, const struct encoded_word *word)
{
    struct str text = word->text;
    struct buf tight = {0};
    uint32_t flags = 0;
    bool blanks = false;
    for (size_t i = 0; i < text.n && !blanks; i++) blanks = is_wide_blank(text.p[i]);
    if (blanks && manner_is(r, MANNER_WORDS_TIGHT)) {
        for (size_t i = 0; i < text.n; i++)
            if (!is_wide_blank(text.p[i])) buf_add_byte(&tight, text.p[i]);
        text = buf_str(&tight);
    }
    bool joins =
        word->encoding == 'b' && (run->base64.n || base64_letters(text) % 4) && manner_is(r, MANNER_WORDS_JOIN);
    if (joins)
        buf_add(&run->base64, text);
    else if (word->encoding == 'b')
        flags = decode_base64(r, text, &run->bytes);
    else
        q_decode(text, &run->bytes);
    buf_free(&tight);
    return flags;
}

/* Words of which some make one text in UTF-8 although their charsets are others: bytes that are nothing in a charset,
 * or in no known one, are kept for whoever reads the whole. */
static bool words_may_mix(const struct run *run, const struct encoded_word *word)
{
    return run->beyond && charset_may_be_utf8(run->charset) && charset_may_be_utf8(word->charset);
}

static uint32_t run_add(struct viewer *r, struct run *run, const struct encoded_word *word, struct buf *out)
{
    uint32_t flags = 0;
    bool same = run->open && charset_is_same(run->charset, word->charset);
    /* A character split over two words (against RFC 2047 section 5) is read by whoever joins them first. */
    struct str before = str_from(buf_str(&run->bytes), run->last);
    if (same && !charset_is_plain(run->charset, before) && manner_is(r, MANNER_WORDS_STRICT)) same = false;
    bool mixed = run->open && !same && words_may_mix(run, word) && manner_is(r, MANNER_WORDS_MIXED);
    if (run->open && !same && !mixed) flags |= run_flush(r, run, out);
    run->open = true;
    if (!mixed || !charset_is_known(run->charset)) run->charset = word->charset;
    run->last = run->bytes.n;
    flags |= word_bytes(r, run, word);
    run->beyond |= !str_is_ascii(str_from(buf_str(&run->bytes), run->last));
    return flags;
}

static bool is_blank(struct str s) { return str_trim(s).n == 0; }

/* RFC 2047 section 5: set off by white space at both ends; section 4: without any inside.  That it is not over 75
 * characters nobody asks. */
static bool word_is_strict(struct str s, size_t at, const struct encoded_word *word)
{
    size_t end = at + word->length;
    if (at > 0 && !ascii_is_blank(s.p[at - 1])) return false;
    if (end < s.n && !ascii_is_blank(s.p[end])) return false;
    for (size_t i = 0; i < word->length - 2; i++)
        if (ascii_is_blank(s.p[at + i])) return false;
    if (word->charset.n == 0 || str_find_byte(word->charset, '=') != STR_NPOS) return false;
    if (str_find_byte(word->text, '?') != STR_NPOS) return false;
    if (word->encoding != 'b') return true;
    struct buf bytes = {0};
    struct viewer plain = {0};
    bool sound = decode_base64(&plain, word->text, &bytes) == 0 && word->text.n % 4 == 0;
    buf_free(&bytes);
    return sound;
}

static uint32_t words_decode(struct viewer *r, struct str s, struct buf *out)
{
    uint32_t flags = 0;
    struct run run = {0};
    struct word_end end = {0};
    size_t literal = 0, at = 0; /* [literal, at) is text outside words, not yet written */
    /* Without a "?=" behind it nothing is a word: looking for one from every "=?" anew would be quadratic. */
    const char *last_end = NULL;
    for (const char *p = s.p; (p = memmem(p, (size_t)(s.p + s.n - p), "?=", 2)); p += 2) last_end = p;
    while (last_end) {
        size_t next = str_find(str_from(s, at), STR("=?"));
        struct encoded_word word;
        if (next == STR_NPOS || s.p + at + next > last_end) break;
        at += next;
        bool open, is_word = word_parse(s, at, &end, &word, &open);
        if (is_word && open) is_word = manner_is(r, MANNER_WORDS_OPEN);
        if (is_word && !open && !word_is_strict(s, at, &word)) {
            bool mark = str_find_byte(word.text, '?') != STR_NPOS && manner_is(r, MANNER_WORDS_MARK);
            is_word = !mark && !manner_is(r, MANNER_WORDS_STRICT);
        }
        if (!is_word) {
            at += 2;
            continue;
        }
        struct str between = str_slice(s, literal, at);
        if (!(run.open && is_blank(between))) {
            flags |= run_flush(r, &run, out);
            flags |= charset_decode(r, STR(""), between, out);
        }
        flags |= run_add(r, &run, &word, out);
        literal = at += word.length;
    }
    flags |= run_flush(r, &run, out);
    flags |= charset_decode(r, STR(""), str_from(s, literal), out);
    buf_free(&run.bytes);
    buf_free(&run.base64);
    return flags;
}

bool decode_header_is_plain(struct str raw)
{
    raw = str_trim(raw);
    size_t clean = decode_clean_prefix(raw);
    return charset_is_plain_behind(STR(""), raw, clean) && str_find_pair(raw, '=', '?') == STR_NPOS &&
           str_find_byte(raw, '\n') == STR_NPOS && str_find_byte(raw, '\r') == STR_NPOS &&
           (clean == raw.n || decode_controls_prefix(str_from(raw, clean)) == raw.n - clean);
}

uint32_t decode_header_value(struct viewer *r, struct str raw, struct buf *out)
{
    struct buf line = {0}, text = {0};
    raw = str_trim(raw);
    bool folded = str_find_byte(raw, '\n') != STR_NPOS || str_find_byte(raw, '\r') != STR_NPOS;
    if (folded) {
        decode_unfold(r, raw, &line);
        raw = buf_str(&line);
    }
    uint32_t flags = words_decode(r, raw, &text);
    decode_controls(r, str_trim(buf_str(&text)), out);
    buf_free(&line);
    buf_free(&text);
    return flags;
}

/* --- control characters ------------------------------------------------------------------------------------------ */

static bool is_control(unsigned char c) { return ((c < 0x20) & ((unsigned char)(c - 9) > 4)) | (c == 0x7f); }

static bool is_unclean(unsigned char c) { return is_control(c) | (c >= 0x80); }

size_t decode_controls_prefix(struct str s)
{
    size_t i = 0;
    for (; s.n - i >= STR_BLOCK; i += STR_BLOCK) {
        unsigned char any = 0;
        for (size_t k = 0; k < STR_BLOCK; k++) any |= (unsigned char)is_control((unsigned char)s.p[i + k]);
        if (any) break;
    }
    while (i < s.n && !is_control((unsigned char)s.p[i])) i++;
    return i;
}

size_t decode_clean_prefix(struct str s)
{
    size_t i = 0;
    for (; s.n - i >= STR_BLOCK; i += STR_BLOCK) {
        unsigned char any = 0;
        for (size_t k = 0; k < STR_BLOCK; k++) any |= (unsigned char)is_unclean((unsigned char)s.p[i + k]);
        if (any) break;
    }
    while (i < s.n && !is_unclean((unsigned char)s.p[i])) i++;
    return i;
}

void decode_controls(struct viewer *r, struct str s, struct buf *out)
{
    size_t n = decode_controls_prefix(s);
    if (n == s.n || !manner_is(r, MANNER_CONTROLS)) {
        buf_add(out, s);
        return;
    }
    for (; s.n; n = decode_controls_prefix(s)) {
        buf_add(out, str_slice(s, 0, n));
        s = str_from(s, n + 1);
    }
}
