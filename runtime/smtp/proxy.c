#include "smtp/proxy.h"

#include <string.h>

enum { V1_MAX = 107, V2_FIXED = 16 };

static const struct str signature = {"\r\n\r\n\0\r\nQUIT\n", 12};

static bool take_address(struct str ip, struct str port, struct proxy_header *out)
{
    uint8_t bytes[IP_SIZE];
    uint64_t number;
    if (!ip_parse(ip, bytes) || port.n > 5 || !str_to_u64(port, &number) || number > UINT16_MAX) return false;
    ip_print(bytes, out->ip);
    out->port = (uint16_t)number;
    return true;
}

/* "PROXY TCP4 source destination sport dport" CR LF, or "PROXY UNKNOWN" with anything behind it. */
static enum proxy_result read_v1(struct str bytes, struct proxy_header *out)
{
    struct str words[6], rest;
    size_t lf = str_find_byte(str_slice(bytes, 0, V1_MAX), '\n');
    if (lf == STR_NPOS) return bytes.n < V1_MAX ? PROXY_MORE : PROXY_BAD;
    if (lf == 0 || bytes.p[lf - 1] != '\r') return PROXY_BAD;
    out->size = lf + 1;
    rest = str_slice(bytes, 0, lf - 1);
    size_t n = 0;
    for (bool more = true; more && n < 6; n++) more = str_cut(rest, ' ', &words[n], &rest);
    out->local = n >= 2 && str_eq(words[1], STR("UNKNOWN"));
    if (out->local) return PROXY_DONE;
    if (n != 6 || rest.n || (!str_eq(words[1], STR("TCP4")) && !str_eq(words[1], STR("TCP6")))) return PROXY_BAD;
    return take_address(words[2], words[4], out) ? PROXY_DONE : PROXY_BAD;
}

static unsigned u16_at(struct str s, size_t at)
{
    return (unsigned)(unsigned char)s.p[at] << 8 | (unsigned char)s.p[at + 1];
}

static enum proxy_result read_v2(struct str bytes, struct proxy_header *out)
{
    if (bytes.n < V2_FIXED) return PROXY_MORE;
    unsigned command = (unsigned char)bytes.p[12], family = (unsigned char)bytes.p[13], length = u16_at(bytes, 14);
    if (command >> 4 != 2 || (command & 15) > 1 || length > PROXY_HEADER_MAX - V2_FIXED) return PROXY_BAD;
    if (bytes.n < V2_FIXED + length) return PROXY_MORE;
    out->size = V2_FIXED + length;
    bool v4 = family == 0x11, v6 = family == 0x21; /* stream sockets; all else says nothing of a client */
    out->local = (command & 15) == 0 || (!v4 && !v6);
    if (out->local) return PROXY_DONE;
    size_t width = v4 ? 4 : IP_SIZE;
    if (length < 2 * width + 4) return PROXY_BAD;
    uint8_t ip[IP_SIZE] = {[10] = 0xff, [11] = 0xff};
    memcpy(v4 ? ip + 12 : ip, bytes.p + V2_FIXED, width);
    ip_print(ip, out->ip);
    out->port = (uint16_t)u16_at(bytes, V2_FIXED + 2 * width);
    return PROXY_DONE;
}

enum proxy_result proxy_read(struct str bytes, struct proxy_header *out)
{
    *out = (struct proxy_header){0};
    const struct str v1 = STR("PROXY ");
    size_t n = bytes.n < signature.n ? bytes.n : signature.n;
    if (memcmp(bytes.p ? bytes.p : "", signature.p, n) == 0) return n < signature.n ? PROXY_MORE : read_v2(bytes, out);
    n = bytes.n < v1.n ? bytes.n : v1.n;
    if (memcmp(bytes.p, v1.p, n) != 0) return PROXY_BAD;
    return n < v1.n ? PROXY_MORE : read_v1(bytes, out);
}
