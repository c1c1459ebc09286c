/* PROXY headers: never more bytes than there are, and what is read of a whole one is read of no part of it. */
#include "smtp/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str all = {(const char *)data, size};
    struct proxy_header h, part;
    if (proxy_read(all, &h) != PROXY_DONE) return 0;
    INVARIANT(h.size <= size && h.size <= PROXY_HEADER_MAX);
    uint8_t ip[IP_SIZE];
    INVARIANT(h.local || ip_parse(str_of(h.ip), ip));
    for (size_t n = 0; n < h.size; n++) INVARIANT(proxy_read(str_slice(all, 0, n), &part) == PROXY_MORE);
    return 0;
}
