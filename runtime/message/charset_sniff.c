#include <string.h>

#include "message/charset.h"
#include "message/decode.h"

/* Readers look at some of the first bytes only; a sender who hides behind more than this hides from them too. */
enum { SNIFF_MAX = 4096 };

static struct str by_mark(struct str s)
{
    if (str_starts(s, STR("\xff\xfe\0\0")) && s.n % 4 == 0) return STR("utf-32le");
    if (str_starts(s, STR("\0\0\xfe\xff"))) return STR("utf-32be");
    if (str_starts(s, STR("\xff\xfe"))) return STR("utf-16le");
    if (str_starts(s, STR("\xfe\xff"))) return STR("utf-16be");
    if (str_starts(s, STR("\xef\xbb\xbf"))) return STR("utf-8");
    return STR("");
}

/* Text in Latin letters has a NUL in each unit of UTF-16, three in each of UTF-32. */
static struct str by_nuls(struct str s)
{
    size_t nuls[4] = {0}, n = s.n < SNIFF_MAX ? s.n : SNIFF_MAX, quarter = n / 4;
    for (size_t i = 0; i < n; i++) nuls[i % 4] += s.p[i] == 0;
    if (quarter == 0) return STR("");
    bool many[4];
    for (size_t i = 0; i < 4; i++) many[i] = nuls[i] * 3 >= quarter * 2;
    if (many[0] && many[1] && many[2] && !many[3]) return STR("utf-32be");
    if (!many[0] && many[1] && many[2] && many[3]) return STR("utf-32le");
    if (many[0] && many[2] && !many[1] && !many[3]) return STR("utf-16be");
    if (many[1] && many[3] && !many[0] && !many[2]) return STR("utf-16le");
    return STR("");
}

static struct str by_escape(struct str s)
{
    for (const char *p = s.p, *end = s.p + s.n; (p = memchr(p, 0x1b, (size_t)(end - p))); p++) {
        struct str rest = {p + 1, (size_t)(end - p) - 1};
        if (str_starts(rest, STR("$)C"))) return STR("iso-2022-kr");
        if (str_starts(rest, STR("$)A")) || str_starts(rest, STR("$)G"))) return STR("iso-2022-cn");
        if (str_starts(rest, STR("$B")) || str_starts(rest, STR("$@")) || str_starts(rest, STR("$(D")) ||
            str_starts(rest, STR("(J")) || str_starts(rest, STR("(I")))
            return STR("iso-2022-jp");
    }
    return STR("");
}

static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (ascii_is_digit(c)) return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Whether the base64 behind a "+" is whole UTF-16 units of which the first is ASCII and the spare bits are zero
 * (RFC 2152): nobody writes "+A…" so by accident. */
static bool is_utf7_ascii(struct str s)
{
    uint32_t bits = 0;
    size_t n = 0;
    for (int v; n < s.n && n < 64 && (v = sextet(s.p[n])) >= 0; n++) {
        bits = bits << 6 | (uint32_t)v;
        if (n == 2 && (bits >> 2 > 0x7e || bits >> 2 < 0x20)) return false; /* 18 bits: one unit and two more */
    }
    size_t spare = n * 6 % 16;
    return n >= 3 && (n == 64 || (spare < 6 && (bits & ((1u << spare) - 1)) == 0));
}

static struct str by_utf7(struct str s)
{
    for (size_t at; (at = str_find_by(s, STR("+A"), 0)) != STR_NPOS; s = str_from(s, at + 2))
        if (is_utf7_ascii(str_from(s, at + 1))) return STR("utf-7");
    return STR("");
}

struct str charset_sniff(struct str bytes) { return charset_sniff_behind(bytes, decode_clean_prefix(bytes)); }

struct str charset_sniff_behind(struct str bytes, size_t clean)
{
    if (bytes.n < 2) return STR("");
    struct str found = STR("");
    unsigned char first = (unsigned char)bytes.p[0];
    if (first >= 0xef || first == 0) found = by_mark(bytes);
    struct str rest = str_from(bytes, clean);
    if (found.n == 0 && decode_controls_prefix(rest) < rest.n) found = by_nuls(bytes);
    if (found.n == 0) found = by_escape(rest);
    if (found.n == 0) found = by_utf7(bytes);
    if (found.n == 0 && !str_is_ascii(rest) && str_is_utf8(rest)) found = STR("utf-8");
    return found;
}
