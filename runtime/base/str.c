#include "base/str.h"

#include <string.h>

struct str str_of(const char *z) { return z ? (struct str){z, strlen(z)} : STR_NONE; }

bool str_eq(struct str a, struct str b) { return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0); }

bool str_eq_nocase(struct str a, struct str b) { return a.n == b.n && str_starts_nocase(a, b); }

int str_cmp(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool str_starts_nocase(struct str s, struct str prefix)
{
    if (s.n < prefix.n) return false;
    for (size_t i = 0; i < prefix.n; i++)
        if (ascii_lower(s.p[i]) != ascii_lower(prefix.p[i])) return false;
    return true;
}

bool str_ends(struct str s, struct str suffix)
{
    return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

size_t str_find(struct str s, struct str needle)
{
    if (needle.n == 0) return 0;
    if (s.n < needle.n) return STR_NPOS;
    const char *hit = memmem(s.p, s.n, needle.p, needle.n);
    return hit ? (size_t)(hit - s.p) : STR_NPOS;
}

size_t str_find_by(struct str s, struct str needle, size_t rare)
{
    for (size_t at = rare; s.n >= needle.n && at <= s.n - (needle.n - rare); at++) {
        const char *hit = memchr(s.p + at, needle.p[rare], s.n - (needle.n - rare) + 1 - at);
        if (!hit) break;
        at = (size_t)(hit - s.p);
        const char *begin = hit - rare;
        if (begin[needle.n - 1] == needle.p[needle.n - 1] && memcmp(begin, needle.p, needle.n) == 0) return at - rare;
    }
    return STR_NPOS;
}

size_t str_find_pair(struct str s, char first, char second)
{
    size_t i = 0;
    for (; s.n - i > STR_BLOCK; i += STR_BLOCK) {
        unsigned char any = 0;
        for (size_t k = 0; k < STR_BLOCK; k++) any |= (s.p[i + k] == first) & (s.p[i + k + 1] == second);
        if (any) break;
    }
    for (; i + 1 < s.n; i++)
        if (s.p[i] == first && s.p[i + 1] == second) return i;
    return STR_NPOS;
}

size_t str_find_byte(struct str s, char c)
{
    const char *hit = s.n ? memchr(s.p, c, s.n) : NULL;
    return hit ? (size_t)(hit - s.p) : STR_NPOS;
}

size_t str_rfind_byte(struct str s, char c)
{
    const char *hit = s.n ? memrchr(s.p, c, s.n) : NULL;
    return hit ? (size_t)(hit - s.p) : STR_NPOS;
}

static bool is_white(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

struct str str_trim(struct str s)
{
    while (s.n && is_white(s.p[0])) s.p++, s.n--;
    while (s.n && is_white(s.p[s.n - 1])) s.n--;
    return s;
}

bool str_cut(struct str s, char sep, struct str *head, struct str *tail)
{
    size_t at = str_find_byte(s, sep);
    if (at == STR_NPOS) {
        *head = s;
        *tail = STR_NONE;
        return false;
    }
    *head = str_slice(s, 0, at);
    *tail = str_from(s, at + 1);
    return true;
}

bool str_to_u64(struct str s, uint64_t *out)
{
    uint64_t v = 0;
    if (s.n == 0) return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!ascii_is_digit(s.p[i])) return false;
        if (__builtin_mul_overflow(v, (uint64_t)10, &v)) return false;
        if (__builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v)) return false;
    }
    *out = v;
    return true;
}

bool str_to_i64(struct str s, int64_t *out)
{
    bool minus = s.n && s.p[0] == '-';
    uint64_t v;
    if (!str_to_u64(minus ? str_from(s, 1) : s, &v)) return false;
    if (v > (uint64_t)INT64_MAX + (minus ? 1 : 0)) return false;
    *out = minus ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

size_t str_ascii_prefix(struct str s)
{
    size_t i = 0;
    for (; s.n - i >= STR_BLOCK; i += STR_BLOCK) {
        unsigned char all = 0;
        for (size_t k = 0; k < STR_BLOCK; k++) all |= (unsigned char)s.p[i + k];
        if (all >= 0x80) break;
    }
    while (i < s.n && (unsigned char)s.p[i] < 0x80) i++;
    return i;
}

bool str_is_ascii(struct str s) { return str_ascii_prefix(s) == s.n; }

/* RFC 3629 section 4: the well-formed byte sequences, by lead byte. */
bool str_is_utf8(struct str s)
{
    if (s.n == 0) return true;
    const unsigned char *p = (const unsigned char *)s.p, *end = p + s.n;
    while (p < end) {
        unsigned char c = *p;
        if (c < 0x80) {
            p += str_ascii_prefix((struct str){(const char *)p, (size_t)(end - p)});
            continue;
        }
        p++;
        size_t more = c >= 0xc2 && c <= 0xdf ? 1 : c >= 0xe0 && c <= 0xef ? 2 : c >= 0xf0 && c <= 0xf4 ? 3 : 0;
        if (more == 0 || (size_t)(end - p) < more) return false;
        unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
        unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
        if (*p < low || *p > high) return false;
        for (size_t i = 1; i < more; i++)
            if ((p[i] & 0xc0) != 0x80) return false;
        p += more;
    }
    return true;
}
