/* RDATA of any kind: no read beyond it, and a name that is taken could be asked for again. */
#include "net/dns_records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    struct arena *a = arena_create();
    struct net_dns_record r;
    struct str rdata = {(const char *)data + 1, size - 1};
    if (dns_record_read(a, data[0] % NET_DNS_KINDS, rdata, &r) && r.name.n) INVARIANT(dns_name_is_sound(r.name));
    arena_free(&a);
    return 0;
}
