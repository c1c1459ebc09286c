#include "mail/orcpt.h"

#include "mail/xtext.h"

static bool is_utf8_type(struct str type) { return str_eq_nocase(type, STR("utf-8")); }

/* QCHAR of RFC 6533: printable ASCII but SP "\" "+" "=". */
static bool is_qchar(unsigned char c) { return c > 0x20 && c < 0x7f && c != '\\' && c != '+' && c != '='; }

static int hex_value(char c) { return ascii_is_digit(c) ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

/* "\x{" HEXPOINT "}" at the start of s: its length; 0 for none, and for what may not stand in an address: a control
 * character, one that needs no encoding, a surrogate, more than there is. */
static size_t escape_length(struct str s)
{
    if (!str_starts(s, STR("\\x{"))) return 0;
    size_t end = str_find_byte(s, '}');
    if (end == STR_NPOS || end < 5 || end > 9) return 0;
    uint32_t point = 0;
    for (size_t i = 3; i < end; i++) {
        int v = hex_value(s.p[i]);
        if (v < 0) return 0;
        point = point * 16 + (uint32_t)v;
    }
    if (s.p[3] == '0' || point < 0x20 || point == 0x7f || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
        return 0;
    return point < 0x80 && is_qchar((unsigned char)point) ? 0 : end + 1;
}

static bool is_unitext(struct str s, bool utf8)
{
    if (!str_is_ascii(s) && (!utf8 || !str_is_utf8(s))) return false;
    while (s.n) {
        unsigned char c = (unsigned char)s.p[0];
        size_t n = c >= 0x80 || is_qchar(c) ? 1 : escape_length(s);
        if (n == 0) return false;
        s = str_from(s, n);
    }
    return true;
}

bool orcpt_is_valid(struct str value, bool utf8)
{
    struct str type, address;
    if (!str_cut(value, ';', &type, &address) || type.n == 0 || address.n == 0) return false;
    for (size_t i = 0; i < type.n; i++)
        if (!ascii_is_alpha(type.p[i]) && !ascii_is_digit(type.p[i]) && type.p[i] != '-') return false;
    return is_utf8_type(type) ? is_unitext(address, utf8) : xtext_is_valid(address);
}

/* The code point that begins s, which is valid UTF-8; *n is its length. */
static uint32_t point_at(struct str s, size_t *n)
{
    unsigned char c = (unsigned char)s.p[0];
    *n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (*n > s.n) *n = s.n; /* no UTF-8 after all */
    uint32_t point = *n == 1 ? c : c & (0x7fu >> *n);
    for (size_t i = 1; i < *n; i++) point = point << 6 | ((unsigned char)s.p[i] & 0x3f);
    return point;
}

void orcpt_ascii(struct str value, struct buf *out)
{
    for (size_t n; value.n; value = str_from(value, n)) {
        uint32_t point = point_at(value, &n);
        if (point < 0x80)
            buf_add_byte(out, (char)point);
        else
            buf_printf(out, "\\x{%X}", (unsigned)point);
    }
}

void orcpt_of(struct str address, struct buf *out)
{
    if (str_is_ascii(address) || !str_is_utf8(address)) {
        buf_add(out, STR("rfc822;"));
        xtext_encode(address, out);
        return;
    }
    buf_add(out, STR("utf-8;"));
    for (size_t n; address.n; address = str_from(address, n)) {
        uint32_t point = point_at(address, &n);
        if (point < 0x80 && is_qchar((unsigned char)point))
            buf_add_byte(out, (char)point);
        else
            buf_printf(out, "\\x{%02X}", (unsigned)point);
    }
}

bool orcpt_report(struct str value, struct buf *out)
{
    struct str type, address;
    if (!orcpt_is_valid(value, true)) return false;
    str_cut(value, ';', &type, &address);
    if (is_utf8_type(type)) {
        orcpt_ascii(value, out);
        return true;
    }
    buf_add(out, type);
    buf_add_byte(out, ';');
    return xtext_decode(address, out);
}
