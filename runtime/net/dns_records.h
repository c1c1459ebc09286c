/* net/dns_records: what an answer's RDATA says (RFC 1035 section 3.3, RFC 3596).  Pure: bytes in, records out; the
 * bytes are whatever a server of anybody's sent. */
#ifndef SLUICE_NET_DNS_RECORDS_H
#define SLUICE_NET_DNS_RECORDS_H

#include "base/arena.h"
#include "net/port.h"

enum { DNS_RECORDS_MAX = 100, DNS_NAME_MAX = 253 };

/* One record; false for RDATA that is no such record, or a name that no host can bear.  A name is in the arena. */
bool dns_record_read(struct arena *a, enum net_dns_kind kind, struct str rdata, struct net_dns_record *out);
/* A name as people write it, which a resolver may be asked for: letters, digits, "-", "_", labels of at most 63. */
bool dns_name_is_sound(struct str name);

#endif
