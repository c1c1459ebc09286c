/* Which addresses are this machine's own. */
#include <string.h>

#include "base/ip.h"
#include "net/core.h"

static bool port_is_local(void *self, const uint8_t ip[16])
{
    static const uint8_t v6_loopback[IP_SIZE] = {[15] = 1};
    uv_interface_address_t *list;
    int n;
    bool found = (ip_is_v4(ip) && ip[12] == 127) || memcmp(ip, v6_loopback, IP_SIZE) == 0;
    (void)self;
    if (found || uv_interface_addresses(&list, &n) != 0) return found;
    for (int i = 0; i < n && !found; i++) {
        if (list[i].address.address4.sin_family == AF_INET)
            found = ip_is_v4(ip) && memcmp(&list[i].address.address4.sin_addr, ip + 12, 4) == 0;
        else
            found = memcmp(&list[i].address.address6.sin6_addr, ip, IP_SIZE) == 0;
    }
    uv_free_interface_addresses(list, n);
    return found;
}

void local_fill_port(struct net_port *p) { p->is_local = port_is_local; }
