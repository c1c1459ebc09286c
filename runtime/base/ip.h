/* base/ip: IP addresses as sixteen bytes, IPv4 as ::ffff:a.b.c.d; their text, networks and ranges.
 *
 * Text to bytes and back, no sockets, no names, no scope ids. */
#ifndef SLUICE_BASE_IP_H
#define SLUICE_BASE_IP_H

#include "base/err.h"
#include "base/str.h"

enum { IP_SIZE = 16, IP_TEXT_MAX = 46 };

/* "192.0.2.7" (four decimal parts, no leading zeros) or IPv6 (RFC 4291 section 2.2); nothing around it. */
bool ip_parse(struct str s, uint8_t out[IP_SIZE]);
/* IPv4-mapped as dotted quad, else RFC 5952; length without the NUL. */
size_t ip_print(const uint8_t ip[IP_SIZE], char out[IP_TEXT_MAX]);
bool ip_is_v4(const uint8_t ip[IP_SIZE]);
int ip_compare(const uint8_t a[IP_SIZE], const uint8_t b[IP_SIZE]);

/* One address, "10.0.0.0/8", or "10.0.0.1-10.0.0.9" (blanks around the dash allowed), as an inclusive range.  False
 * with *e (may be NULL; EX_DATAERR, a sentence for the author) also for bits beyond the prefix, ends out of order,
 * and ends of two families. */
bool ip_range_parse(struct str s, uint8_t low[IP_SIZE], uint8_t high[IP_SIZE], struct err *e);

static inline bool ip_in_range(const uint8_t ip[IP_SIZE], const uint8_t low[IP_SIZE], const uint8_t high[IP_SIZE])
{
    return ip_compare(low, ip) <= 0 && ip_compare(ip, high) <= 0;
}

#endif
