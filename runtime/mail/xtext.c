#include "mail/xtext.h"

static bool is_xchar(char c) { return c > 0x20 && c < 0x7f && c != '+' && c != '='; }

void xtext_encode(struct str s, struct buf *out)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (is_xchar(s.p[i])) {
            buf_add_byte(out, s.p[i]);
            continue;
        }
        char hex[3] = {'+', digits[c >> 4], digits[c & 15]};
        buf_add(out, (struct str){hex, sizeof hex});
    }
}

/* RFC 3461 section 4: hexchar has upper-case digits only. */
static int hex_value(char c) { return ascii_is_digit(c) ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

/* The byte at *at of s, decoded, and *at moved behind it; -1 for what may not stand there. */
static int next(struct str s, size_t *at)
{
    char c = s.p[(*at)++];
    if (is_xchar(c)) return (unsigned char)c;
    if (c != '+' || s.n - *at < 2) return -1;
    int high = hex_value(s.p[*at]), low = hex_value(s.p[*at + 1]);
    if (high < 0 || low < 0) return -1;
    *at += 2;
    int v = high * 16 + low;
    return v == '\0' || v == '\r' || v == '\n' ? -1 : v;
}

bool xtext_is_valid(struct str s)
{
    for (size_t i = 0; i < s.n;)
        if (next(s, &i) < 0) return false;
    return true;
}

bool xtext_decode(struct str s, struct buf *out)
{
    if (!xtext_is_valid(s)) return false;
    for (size_t i = 0; i < s.n;) buf_add_byte(out, (char)next(s, &i));
    return true;
}
