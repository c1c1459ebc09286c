#include "base/ip.h"

#include <arpa/inet.h>
#include <string.h>
#include <sysexits.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool ip_parse(struct str s, uint8_t out[IP_SIZE])
{
    char z[IP_TEXT_MAX];
    if (s.n == 0 || s.n >= sizeof z || memchr(s.p, '\0', s.n)) return false;
    memcpy(z, s.p, s.n);
    z[s.n] = '\0';
    if (strchr(z, ':')) return inet_pton(AF_INET6, z, out) == 1;
    memcpy(out, mapped, sizeof mapped);
    return inet_pton(AF_INET, z, out + sizeof mapped) == 1;
}

bool ip_is_v4(const uint8_t ip[IP_SIZE]) { return memcmp(ip, mapped, sizeof mapped) == 0; }

size_t ip_print(const uint8_t ip[IP_SIZE], char out[IP_TEXT_MAX])
{
    const char *z = ip_is_v4(ip) ? inet_ntop(AF_INET, ip + sizeof mapped, out, IP_TEXT_MAX)
                                 : inet_ntop(AF_INET6, ip, out, IP_TEXT_MAX);
    INVARIANT(z != NULL);
    return strlen(z);
}

int ip_compare(const uint8_t a[IP_SIZE], const uint8_t b[IP_SIZE]) { return memcmp(a, b, IP_SIZE); }

/* The first and last address that share `bits` leading bits with `ip`. */
static void spread(const uint8_t ip[IP_SIZE], unsigned bits, uint8_t low[IP_SIZE], uint8_t high[IP_SIZE])
{
    for (unsigned i = 0; i < IP_SIZE; i++) {
        unsigned fixed = bits >= 8 * (i + 1) ? 8 : bits <= 8 * i ? 0 : bits - 8 * i;
        uint8_t host = (uint8_t)(0xff >> fixed);
        low[i] = (uint8_t)(ip[i] & ~host);
        high[i] = ip[i] | host;
    }
}

static bool network_parse(struct str s, struct str address, struct str prefix, uint8_t low[IP_SIZE],
                          uint8_t high[IP_SIZE], struct err *e)
{
    uint8_t ip[IP_SIZE];
    uint64_t bits;
    if (!ip_parse(address, ip) || !str_to_u64(prefix, &bits) || prefix.n > 3)
        return err_set(e, EX_DATAERR, "`%.*s` is no network: write `10.0.0.0/8` or `2001:db8::/32`", STR_ARG(s));
    unsigned most = ip_is_v4(ip) && str_find_byte(address, ':') == STR_NPOS ? 32 : 128;
    if (bits > most)
        return err_set(e, EX_DATAERR, "the prefix of `%.*s` is longer than %u bits", STR_ARG(s), most);
    spread(ip, (unsigned)bits + (128 - most), low, high);
    if (ip_compare(ip, low) == 0) return true;
    char text[IP_TEXT_MAX];
    ip_print(low, text);
    return err_set(e, EX_DATAERR, "`%.*s` has bits beyond its prefix: the network is `%s/%u`", STR_ARG(s), text,
                   (unsigned)bits);
}

bool ip_range_parse(struct str s, uint8_t low[IP_SIZE], uint8_t high[IP_SIZE], struct err *e)
{
    struct str left, right;
    if (str_cut(s, '/', &left, &right)) return network_parse(s, left, right, low, high, e);
    if (!str_cut(s, '-', &left, &right)) {
        if (!ip_parse(s, low)) return err_set(e, EX_DATAERR, "`%.*s` is no IP address", STR_ARG(s));
        memcpy(high, low, IP_SIZE);
        return true;
    }
    if (!ip_parse(str_trim(left), low) || !ip_parse(str_trim(right), high))
        return err_set(e, EX_DATAERR, "`%.*s` is no range: write `10.0.0.1-10.0.0.9`", STR_ARG(s));
    if (ip_is_v4(low) != ip_is_v4(high))
        return err_set(e, EX_DATAERR, "`%.*s` goes from one address family to the other", STR_ARG(s));
    if (ip_compare(low, high) > 0)
        return err_set(e, EX_DATAERR, "the ends of `%.*s` are in the wrong order", STR_ARG(s));
    return true;
}
