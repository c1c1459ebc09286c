#include "net/dns_records.h"

#include <string.h>

enum { LABEL_MAX = 63 };

static bool is_label(struct str s)
{
    if (s.n == 0 || s.n > LABEL_MAX) return false;
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) && s.p[i] != '-' && s.p[i] != '_') return false;
    return true;
}

bool dns_name_is_sound(struct str name)
{
    struct str label, rest = name;
    if (name.n == 0 || name.n > DNS_NAME_MAX) return false;
    for (bool more = true; more;) {
        more = str_cut(rest, '.', &label, &rest);
        if (!is_label(label)) return false;
    }
    return true;
}

/* An uncompressed name that ends exactly where the RDATA does; the root is the empty text. */
static bool read_name(struct arena *a, struct str wire, struct str *out)
{
    char text[DNS_NAME_MAX + 1];
    size_t n = 0;
    for (size_t at = 0; at < wire.n;) {
        size_t length = (unsigned char)wire.p[at++];
        if (length == 0) {
            *out = arena_str(a, (struct str){text, n});
            return at == wire.n;
        }
        struct str label = str_slice(wire, at, at + length);
        if (label.n != length || !is_label(label) || n + length + 1 > DNS_NAME_MAX) return false;
        if (n) text[n++] = '.';
        for (size_t i = 0; i < length; i++) text[n++] = ascii_lower(label.p[i]);
        at += length;
    }
    return false;
}

bool dns_record_read(struct arena *a, enum net_dns_kind kind, struct str rdata, struct net_dns_record *out)
{
    *out = (struct net_dns_record){0};
    switch (kind) {
    case NET_DNS_MX:
        if (rdata.n < 3) return false;
        out->preference = (uint16_t)((unsigned char)rdata.p[0] << 8 | (unsigned char)rdata.p[1]);
        return read_name(a, str_from(rdata, 2), &out->name);
    case NET_DNS_A:
        if (rdata.n != 4) return false;
        out->ip[10] = out->ip[11] = 0xff;
        memcpy(out->ip + 12, rdata.p, 4);
        return true;
    case NET_DNS_AAAA:
        if (rdata.n != 16) return false;
        memcpy(out->ip, rdata.p, 16);
        return true;
    case NET_DNS_KINDS: break;
    }
    return false;
}
