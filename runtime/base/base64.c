#include "base/base64.h"

static const struct str alphabet = {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 64};

void base64_encode(struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i += 3) {
        uint32_t group = 0;
        size_t n = s.n - i < 3 ? s.n - i : 3;
        for (size_t k = 0; k < 3; k++) group = group << 8 | (k < n ? (uint8_t)s.p[i + k] : 0u);
        for (size_t k = 0; k < 4; k++) buf_add_byte(out, k <= n ? alphabet.p[group >> (18 - 6 * k) & 63] : '=');
    }
}

bool base64_decode(struct str s, struct buf *out)
{
    size_t start = out->n;
    if (s.n % 4) return false;
    for (size_t i = 0; i < s.n; i += 4) {
        uint32_t group = 0;
        size_t n = 4;
        if (i + 4 == s.n)
            while (n > 2 && s.p[i + n - 1] == '=') n--;
        for (size_t k = 0; k < 4; k++) {
            size_t value = k < n ? str_find_byte(alphabet, s.p[i + k]) : 0;
            if (value == STR_NPOS) goto bad;
            group = group << 6 | (uint32_t)value;
        }
        if (n < 4 && group & ((1u << 8 * (4 - n)) - 1)) goto bad;
        for (size_t k = 0; k + 1 < n; k++) buf_add_byte(out, (char)(group >> (16 - 8 * k)));
    }
    return true;
bad:
    out->n = start;
    return false;
}
