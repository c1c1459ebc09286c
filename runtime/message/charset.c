#include "message/charset.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>
#include <sysexits.h>

#include "mail/fold.h"
#include "message/decode.h"
#include "message/message.h"

/* The first rows of charsets.def, which need no iconv. */
enum { CHARSET_UTF8, CHARSET_ASCII, CHARSET_1252, CHARSET_WITH_ICONV };

static const struct charset_row {
    const char *iconv_name;
    bool plain;
    const char *labels;
} rows[] = {
#define CHARSET(iconv_name, plain, labels) {iconv_name, plain, labels},
#include "message/charsets.def"
#undef CHARSET
};
enum { ROWS = sizeof rows / sizeof rows[0], SLOTS = 1024, LABEL_MIN = 4, LABEL_MAX = 40 };

/* After this many bytes that are nothing in their charset the label is plainly wrong: the rest is read as windows-1252,
 * because asking iconv again for every byte would cost the hostile sender nothing and us seconds. */
enum { BAD_BYTES_MAX = 4096 };

static struct {
    bool ready;
    iconv_t handle[ROWS];
    bool open[ROWS];
    struct label {
        struct str text;
        size_t row;
    } slots[SLOTS], bare[SLOTS]; /* as they are; only their letters and digits */
    char bare_text[SLOTS / 2 * 8];
} charsets;

static uint32_t label_hash(struct str s)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < s.n; i++) h = (h ^ (unsigned char)s.p[i]) * 16777619u;
    return h;
}

static struct label *label_slot(struct label slots[SLOTS], struct str text)
{
    size_t at = label_hash(text) % SLOTS;
    while (slots[at].text.p && !str_eq(slots[at].text, text)) at = (at + 1) % SLOTS;
    return &slots[at];
}

/* The letters, in lower case, and digits of a label, as far as there is room. */
static struct str label_bare(struct str label, char *room, size_t most)
{
    size_t n = 0;
    for (size_t i = 0; i < label.n && n < most; i++)
        if (ascii_is_alpha(label.p[i]) || ascii_is_digit(label.p[i])) room[n++] = ascii_lower(label.p[i]);
    return (struct str){room, n};
}

static void table_prepare(void)
{
    if (charsets.ready) return;
    size_t used = 0, bare_used = 0;
    for (size_t i = 0; i < ROWS; i++) {
        struct str rest = str_of(rows[i].labels), label;
        while (rest.n) {
            str_cut(rest, ' ', &label, &rest);
            struct label *slot = label_slot(charsets.slots, label);
            INVARIANT(slot->text.p == NULL && label.n > 0 && label.n <= LABEL_MAX && ++used < SLOTS / 2);
            *slot = (struct label){label, i};
            INVARIANT(bare_used + label.n <= sizeof charsets.bare_text);
            struct str bare = label_bare(label, charsets.bare_text + bare_used, label.n);
            slot = label_slot(charsets.bare, bare);
            if (slot->text.p) continue;
            *slot = (struct label){bare, i};
            bare_used += bare.n;
        }
    }
    charsets.ready = true;
}

static bool row_open(size_t i)
{
    if (!charsets.open[i]) {
        charsets.handle[i] = iconv_open("UTF-8", rows[i].iconv_name);
        charsets.open[i] = charsets.handle[i] != (iconv_t)-1;
    }
    return charsets.open[i];
}

bool charset_warm(struct err *e)
{
    table_prepare();
    for (size_t i = CHARSET_WITH_ICONV; i < ROWS; i++)
        if (!row_open(i))
            return err_os(e, EX_OSERR, "the C library cannot convert from the charset %s", rows[i].iconv_name);
    return true;
}

size_t charset_count(void) { return ROWS; }
const char *charset_iconv_name(size_t i) { return i < ROWS ? rows[i].iconv_name : NULL; }

/* The row of a label as a message wrote it; ROWS when there is none.  An empty label is unlabelled text: ASCII. */
static size_t row_find(struct str label)
{
    char normal[LABEL_MAX];
    label = str_trim(label);
    if (label.n == 0) return CHARSET_ASCII;
    if (label.n > sizeof normal) return ROWS;
    for (size_t i = 0; i < label.n; i++) normal[i] = label.p[i] == '_' ? '-' : ascii_lower(label.p[i]);
    table_prepare();
    const struct label *slot = label_slot(charsets.slots, (struct str){normal, label.n});
    return slot->text.p ? slot->row : ROWS;
}

bool charset_is_known(struct str label) { return row_find(label) != ROWS; }

bool charset_is_same(struct str label, struct str other)
{
    size_t row = row_find(label);
    return str_eq_nocase(label, other) || (row != ROWS && rows[row].plain && row == row_find(other));
}

struct str charset_tight(struct viewer *r, struct str label)
{
    char room[LABEL_MAX];
    if (label.n == 0 || charset_is_known(label)) return label;
    struct str bare = label_bare(label, room, sizeof room);
    const struct label *slot = label_slot(charsets.bare, bare);
    for (; !slot->text.p && bare.n > LABEL_MIN; slot = label_slot(charsets.bare, bare)) bare.n--;
    if (!slot->text.p || !manner_is(r, MANNER_CHARSET_TIGHT)) return label;
    struct str first, rest;
    str_cut(str_of(rows[slot->row].labels), ' ', &first, &rest);
    return first;
}

bool charset_is_plain(struct str label, struct str bytes)
{
    return charset_is_plain_behind(label, bytes, decode_clean_prefix(bytes));
}

bool charset_is_plain_behind(struct str label, struct str bytes, size_t clean)
{
    size_t row = row_find(label);
    if (row == ROWS || !rows[row].plain) return false;
    struct str rest = str_from(bytes, clean), sniffed = charset_sniff_behind(bytes, clean);
    if (row == CHARSET_UTF8 && row_find(sniffed) == row) return str_is_utf8(rest); /* a mark alone says nothing */
    return sniffed.n == 0 && str_is_ascii(rest);
}

/* Answers how many bytes it took, at most four. */
static size_t utf8_put(char *b, uint32_t c)
{
    if (c < 0x80) return b[0] = (char)c, 1;
    if (c < 0x800) return b[0] = (char)(0xc0 | c >> 6), b[1] = (char)(0x80 | (c & 0x3f)), 2;
    if (c < 0x10000) {
        b[0] = (char)(0xe0 | c >> 12), b[1] = (char)(0x80 | (c >> 6 & 0x3f)), b[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    b[0] = (char)(0xf0 | c >> 18), b[1] = (char)(0x80 | (c >> 12 & 0x3f));
    b[2] = (char)(0x80 | (c >> 6 & 0x3f)), b[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

void utf8_add(struct buf *out, uint32_t c)
{
    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) c = 0xfffd;
    buf_reserve(out, 4);
    out->n += utf8_put(out->p + out->n, c);
}

size_t utf8_cut(struct str s, size_t most)
{
    if (most >= s.n) return s.n;
    size_t n = most;
    while (n > 0 && most - n < 4 && ((unsigned char)s.p[n] & 0xc0) == 0x80) n--;
    return most - n < 4 ? n : most;
}

/* The length of the sequence at p: positive when well formed (RFC 3629 section 4); else minus the length of the longest
 * prefix that could begin one, at least 1: what one U+FFFD replaces (Unicode, section 3.9, maximal subparts). */
static int utf8_step(const unsigned char *p, size_t n)
{
    unsigned char c = p[0];
    int more = c < 0x80 ? 0 : c >= 0xc2 && c <= 0xdf ? 1 : c >= 0xe0 && c <= 0xef ? 2 : c >= 0xf0 && c <= 0xf4 ? 3 : -1;
    if (more < 0) return -1;
    unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80, high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    for (int i = 1; i <= more; i++) {
        if ((size_t)i >= n || p[i] < low || p[i] > high) return -i;
        low = 0x80, high = 0xbf;
    }
    return more + 1;
}

/* For bytes that are nothing in their charset. */
static void add_invalid(struct viewer *r, struct buf *out)
{
    if (!manner_is(r, MANNER_BYTES_DROPPED)) utf8_add(out, 0xfffd);
}

/* The length of a form that is too long (RFC 3629 section 3), with what it would stand for; 0 for other bytes. */
static size_t long_form(const unsigned char *p, size_t n, uint32_t *out)
{
    size_t length = p[0] == 0xc0 || p[0] == 0xc1 ? 2
                    : p[0] == 0xe0               ? 3
                    : p[0] == 0xf0               ? 4
                    : p[0] == 0xf8               ? 5
                    : p[0] == 0xfc               ? 6
                                                 : 0;
    if (length == 0 || length > n) return 0;
    uint32_t c = p[0] & (length == 2 ? 1 : 0);
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80) return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    *out = c;
    return length;
}

/* So much of s as may be wanted, and a character more: all that adds text stops soon beyond `end`, the length that *out
 * is to have at most, and charset_decode_within cuts. */
static void add_up_to(struct buf *out, struct str s, size_t end)
{
    buf_add(out, s.n > end - out->n ? str_slice(s, 0, utf8_cut(s, end - out->n + 4)) : s);
}

static uint32_t add_utf8(struct viewer *r, struct str s, size_t end, struct buf *out)
{
    uint32_t flags = 0;
    while (s.n && out->n <= end) {
        size_t ok = str_ascii_prefix(s);
        int step = 0;
        while (ok < s.n && (step = utf8_step((const unsigned char *)s.p + ok, s.n - ok)) > 0) ok += (size_t)step;
        add_up_to(out, str_slice(s, 0, ok), end);
        s = str_from(s, ok);
        if (s.n == 0 || out->n > end) break;
        flags = UNREADABLE_BYTES;
        uint32_t c;
        size_t length = long_form((const unsigned char *)s.p, s.n, &c);
        bool loose = length && manner_is(r, MANNER_BYTES_LOOSE);
        if (loose)
            utf8_add(out, c);
        else
            add_invalid(r, out);
        s = str_from(s, loose ? length : (size_t)-step);
    }
    return flags;
}

/* windows-1252 with the five holes as C1 controls (WHATWG): every byte has a reading. */
static void add_1252(struct str s, size_t end, struct buf *out)
{
    static const uint16_t high[32] = {0x20ac, 0x81,   0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
                                      0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8d,   0x017d, 0x8f,
                                      0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
                                      0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x9d,   0x017e, 0x0178};
    while (s.n && out->n <= end) {
        size_t ascii = str_ascii_prefix(s);
        add_up_to(out, str_slice(s, 0, ascii), end);
        s = str_from(s, ascii);
        if (out->n > end) break;
        size_t run = 0;
        while (run < s.n && run <= end - out->n && (unsigned char)s.p[run] >= 0x80) run++;
        buf_reserve(out, run * 3);
        for (size_t i = 0; i < run; i++) {
            unsigned char c = (unsigned char)s.p[i];
            out->n += utf8_put(out->p + out->n, c < 0xa0 ? high[c - 0x80] : c);
        }
        s = str_from(s, run);
    }
}

/* Whether some of it is a character beyond ASCII in UTF-8, or a letter in a form that is too long. */
static bool has_utf8(struct str s)
{
    uint32_t c = 0;
    for (size_t i = 0; i < s.n; i++) {
        const unsigned char *p = (const unsigned char *)s.p + i;
        if (*p < 0xc0) continue;
        if (utf8_step(p, s.n - i) > 1 || (long_form(p, s.n - i, &c) && c >= 0x20)) return true;
    }
    return false;
}

static void add_ascii(struct str s, struct buf *out)
{
    buf_reserve(out, s.n);
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x80) out->p[out->n++] = s.p[i];
}

static void add_guessed(struct viewer *r, struct str s, size_t end, struct buf *out)
{
    size_t ascii = str_ascii_prefix(s);
    if (ascii == s.n || str_is_utf8(str_from(s, ascii)))
        add_up_to(out, s, end);
    else if (has_utf8(str_from(s, ascii)) && manner_is(r, MANNER_UTF8_GUESSED))
        add_utf8(r, s, end, out);
    else
        add_1252(s, end, out);
}

/* How many bytes to step over for one that is nothing: a whole unit, or all that follows would be out of step. */
static size_t unit_of(size_t row)
{
    const char *name = rows[row].iconv_name;
    return strncmp(name, "UTF-16", 6) == 0 ? 2 : strncmp(name, "UTF-32", 6) == 0 ? 4 : 1;
}

/* That no byte of a message can make glibc write anything but UTF-8 is not ours to promise. */
static uint32_t make_sound(struct viewer *r, size_t begin, size_t end, struct buf *out)
{
    struct str made = {out->p + begin, out->n - begin};
    if (str_is_utf8(made)) return 0;
    struct buf sound = {0};
    uint32_t flags = add_utf8(r, made, end - begin, &sound);
    out->n = begin;
    buf_add(out, buf_str(&sound));
    buf_free(&sound);
    return flags;
}

static uint32_t add_with_iconv(struct viewer *r, size_t row, struct str s, size_t end, struct buf *out)
{
    iconv_t handle = charsets.handle[row];
    uint32_t flags = 0;
    size_t bad = 0, begin = out->n;
    char *in = (char *)s.p; /* iconv's prototype; it does not write there */
    size_t left = s.n, unit = unit_of(row);
    bool utf7 = strcmp(rows[row].iconv_name, "UTF-7") == 0;
    const char *stuck = NULL;
    iconv(handle, NULL, NULL, NULL, NULL);
    while (out->n <= end) {
        size_t wanted = end - out->n < SIZE_MAX / 4 ? end - out->n + 64 : SIZE_MAX / 4;
        buf_reserve(out, left + 64 < wanted ? left + 64 : wanted);
        char *to = out->p + out->n;
        size_t room = out->cap - out->n < wanted ? out->cap - out->n : wanted;
        size_t result = left ? iconv(handle, &in, &left, &to, &room) : iconv(handle, NULL, NULL, &to, &room);
        out->n = (size_t)(to - out->p);
        if (result != (size_t)-1 && left == 0) {
            if (in == NULL) break;
            in = NULL; /* the input is done: once more, for what the converter still holds */
            continue;
        }
        if (result == (size_t)-1 && errno == E2BIG) {
            if (out->n <= end) buf_reserve(out, out->cap - out->n + 256); /* twice as much */
            continue;
        }
        if (in == NULL || left == 0) break;
        flags = UNREADABLE_BYTES;
        if (errno == EINVAL || ++bad > BAD_BYTES_MAX) { /* cut short in the middle of a character, or hopeless */
            if (errno == EINVAL)
                add_invalid(r, out);
            else
                add_1252((struct str){in, left}, end, out);
            break;
        }
        add_invalid(r, out);
        /* Some begin anew behind what is no UTF-7, some go on with the bits they have. */
        bool anew = utf7 && !manner_is(r, MANNER_BYTES_LOOSE), shifted = anew && in != stuck;
        if (anew) iconv(handle, NULL, NULL, NULL, NULL); /* or it would wait for the end of what began so badly */
        stuck = in;
        size_t step = unit > 1 && manner_is(r, MANNER_BYTES_LOOSE) ? 1 : unit;
        size_t skip = shifted && *in != '-' ? 0 : step < left ? step : left;
        in += skip, left -= skip;
    }
    return flags | make_sound(r, begin, end, out);
}

/* What many readers do not know, or take for ASCII. */
static bool is_exotic(size_t row)
{
    static const char *const names[] = {"UTF-7",    "UTF-16",   "UTF-16LE",    "UTF-16BE",       "UTF-32",
                                        "UTF-32LE", "UTF-32BE", "ISO-2022-KR", "ISO-2022-CN-EXT"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(rows[row].iconv_name, names[i]) == 0) return true;
    return false;
}

/* Of ISO-2022-JP and its kin, by what follows the escape. */
static bool is_known_escape(struct str after, bool japanese)
{
    char first = after.n > 0 ? after.p[0] : 0, second = after.n > 1 ? after.p[1] : 0;
    if (first == 'N' || first == 'O') return true;
    if (first == '.') return second == 'A' || second == 'F';
    if (first == '$') return second == ')' || second == '*' || (japanese && memchr("@AB(", second, 4));
    return first == '(' && japanese && memchr("BHIJ", second, 4);
}

/* Programs that know those take any other for as long. */
static size_t unknown_escape(struct str s, size_t from, bool japanese)
{
    for (size_t at = from; at < s.n; at++) {
        size_t escape = str_find_byte(str_from(s, at), '\x1b');
        if (escape == STR_NPOS) break;
        at += escape;
        if (!is_known_escape(str_from(s, at + 1), japanese)) return at;
    }
    return STR_NPOS;
}

/* False when there are none, or for who shows them. */
static bool drop_unknown_escapes(struct viewer *r, struct str s, bool japanese, struct buf *out)
{
    size_t at = unknown_escape(s, 0, japanese), done = 0;
    if (at == STR_NPOS || !manner_is(r, MANNER_BYTES_LOOSE)) return false;
    for (; at != STR_NPOS; at = unknown_escape(s, done, japanese)) {
        buf_add(out, str_slice(s, done, at));
        done = at + 3 < s.n ? at + 3 : s.n;
    }
    buf_add(out, str_from(s, done));
    return true;
}

/* Of GB2312 and EUC-KR, to those who know no more of GB18030 and UHC, only pairs of these bytes are characters: how
 * many at `at` are one, or ASCII; 0 for a byte that is nothing. */
static size_t pair_of_94(struct str s, size_t at)
{
    unsigned char c = (unsigned char)s.p[at], next = at + 1 < s.n ? (unsigned char)s.p[at + 1] : 0;
    if (c < 0x80) return 1;
    return c > 0xa0 && c < 0xff && next > 0xa0 && next < 0xff ? 2 : 0;
}

/* False when there are no others, or for who knows them. */
static bool drop_beyond_pairs(struct viewer *r, size_t row, struct str s, struct buf *out)
{
    if (strcmp(rows[row].iconv_name, "GB18030") != 0 && strcmp(rows[row].iconv_name, "UHC") != 0) return false;
    size_t at = 0;
    for (size_t n; at < s.n && (n = pair_of_94(s, at)) > 0;) at += n;
    if (at == s.n || !manner_is(r, MANNER_BYTES_DROPPED)) return false;
    buf_reserve(out, s.n);
    for (size_t i = 0; i < s.n;) {
        size_t n = pair_of_94(s, i);
        buf_add(out, str_slice(s, i, i + n));
        i += n ? n : 1;
    }
    return true;
}

/* What says it is ASCII and is neither that nor UTF-8: to some, other bytes are nothing. */
static bool other_bytes_drop(struct viewer *r, struct str label, struct str bytes)
{
    struct str rest = str_from(bytes, str_ascii_prefix(bytes));
    return label.n && rest.n && !str_is_utf8(rest) && manner_is(r, MANNER_BYTES_DROPPED);
}

static uint32_t add_row(struct viewer *r, size_t row, struct str bytes, size_t end, struct buf *out)
{
    if (row == CHARSET_UTF8) return add_utf8(r, bytes, end, out);
    if (row == CHARSET_1252) return add_1252(bytes, end, out), 0;
    if (row == CHARSET_ASCII || row == ROWS || !row_open(row)) {
        add_guessed(r, bytes, end, out);
        return row == CHARSET_ASCII ? 0 : UNREADABLE_CHARSET;
    }
    if (rows[row].plain && str_ascii_prefix(bytes) == bytes.n) return add_up_to(out, bytes, end), 0;
    if (is_exotic(row) && manner_is(r, MANNER_CHARSET_BYTES)) return add_guessed(r, bytes, end, out), 0;
    size_t begin = out->n;
    struct buf known = {0};
    uint32_t flags = 0;
    bool japanese = strncmp(rows[row].iconv_name, "ISO-2022-JP", 11) == 0;
    if (strncmp(rows[row].iconv_name, "ISO-2022", 8) == 0 && drop_unknown_escapes(r, bytes, japanese, &known))
        flags = UNREADABLE_BYTES;
    if (drop_beyond_pairs(r, row, bytes, &known)) flags = UNREADABLE_BYTES;
    flags |= add_with_iconv(r, row, flags ? buf_str(&known) : bytes, end, out);
    buf_free(&known);
    if (flags && !is_exotic(row) && manner_is(r, MANNER_CHARSET_BYTES)) {
        out->n = begin;
        if (r->manners >> MANNER_BYTES_DROPPED & 1)
            add_ascii(bytes, out); /* to converters that know fewer characters, more bytes are nothing */
        else
            add_guessed(r, bytes, end, out);
    }
    return flags;
}

/* Whether there are more characters beyond ASCII that are UTF-8 than such as are not: some of it may be damaged. */
static bool is_mostly_utf8(struct str s)
{
    size_t sound = 0, broken = 0;
    for (size_t at = str_ascii_prefix(s); at < s.n; at += str_ascii_prefix(str_from(s, at))) {
        int step = utf8_step((const unsigned char *)s.p + at, s.n - at);
        sound += step > 1, broken += step < 0;
        at += (size_t)(step < 0 ? -step : step);
    }
    return sound > broken;
}

static uint32_t decode_up_to(struct viewer *r, struct str label, struct str bytes, size_t end, struct buf *out)
{
    size_t row = row_find(label);
    struct str sniffed = charset_sniff(bytes);
    if (sniffed.n) {
        size_t other = row_find(sniffed);
        bool same = other == row || (other == CHARSET_UTF8 && (row == CHARSET_ASCII || row == ROWS));
        if (!same && manner_is(r, MANNER_CHARSET_SNIFF)) row = other;
    }
    if (row == CHARSET_ASCII && other_bytes_drop(r, str_trim(label), bytes)) return add_ascii(bytes, out), 0;
    if (row == CHARSET_1252 && sniffed.n == 0 && is_mostly_utf8(bytes) && manner_is(r, MANNER_CHARSET_SNIFF))
        row = CHARSET_UTF8;
    return add_row(r, row, bytes, end, out);
}

uint32_t charset_decode_within(struct viewer *r, struct str label, struct str bytes, size_t most, struct buf *out)
{
    if (bytes.n == 0) return 0;
    size_t begin = out->n, end = most < SIZE_MAX / 2 - begin ? begin + most : SIZE_MAX / 2;
    uint32_t flags = decode_up_to(r, label, bytes, end, out);
    if (out->n <= end) return flags;
    out->n = begin + utf8_cut((struct str){out->p + begin, out->n - begin}, most);
    return flags | UNREADABLE_LIMIT;
}

uint32_t charset_decode(struct viewer *r, struct str label, struct str bytes, struct buf *out)
{
    return charset_decode_within(r, label, bytes, SIZE_MAX, out);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

bool charset_may_be_utf8(struct str label)
{
    size_t row = row_find(label);
    return row == CHARSET_ASCII || row == CHARSET_UTF8 || row == ROWS;
}

bool charset_is_ascii(struct str label) { return row_find(label) == CHARSET_ASCII; }

/* We read ISO 8859 labels as the Windows charsets that are meant; what is written keeps to what they say. */
static bool has_c1_controls(struct str label)
{
    static const char *const begins[] = {"iso", "latin", "l1", "l5", "tis", "cp819", "ibm819", "cs"};
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        if (str_starts_nocase(str_trim(label), str_of(begins[i]))) return true;
    return false;
}

/* The 128 upper bytes of a charset as code points; 0 where a byte alone is nothing, or begins a longer character. */
static void upper_half(struct str label, uint32_t out[128])
{
    struct buf one = {0};
    for (unsigned i = 0; i < 128; i++) {
        char byte = (char)(i + 128);
        one.n = 0;
        uint32_t c = 0;
        bool read = charset_decode(BEST_VIEWER, label, (struct str){&byte, 1}, &one) == 0 && one.n;
        size_t used = read ? fold_decode(one.p, one.n, &c) : 0;
        out[i] = used && used == one.n && !(i < 32 && has_c1_controls(label)) ? c : 0;
    }
    buf_free(&one);
}

bool charset_encode(struct str label, struct str utf8, struct buf *out)
{
    size_t row = row_find(label), ascii = str_ascii_prefix(utf8);
    if (row == ROWS) return false;
    if (row == CHARSET_UTF8 || (rows[row].plain && ascii == utf8.n)) {
        buf_add(out, utf8);
        return true;
    }
    if (row == CHARSET_ASCII || !rows[row].plain) return false;
    uint32_t upper[128];
    upper_half(label, upper);
    for (size_t i = 0; i < utf8.n;) {
        uint32_t c;
        i += fold_decode(utf8.p + i, utf8.n - i, &c);
        unsigned at = 0;
        while (c >= 0x80 && at < 128 && upper[at] != c) at++;
        if (at == 128) return false;
        buf_add_byte(out, c < 0x80 ? (char)c : (char)(at + 128));
    }
    return true;
}
