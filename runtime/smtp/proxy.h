/* smtp/proxy: the header a load balancer writes before the first byte of a connection: the PROXY protocol, version 1 (a
 * line) and 2 (binary), https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt.  Pure. */
#ifndef SLUICE_SMTP_PROXY_H
#define SLUICE_SMTP_PROXY_H

#include "base/ip.h"

enum { PROXY_HEADER_MAX = 16 + 2048 }; /* more is no header that anybody writes */

enum proxy_result { PROXY_MORE, PROXY_BAD, PROXY_DONE };

struct proxy_header {
    bool local;   /* the balancer speaks for itself (LOCAL, UNKNOWN): the connection's own address holds */
    char ip[IP_TEXT_MAX]; /* the client's, unless local */
    uint16_t port;
    size_t size;  /* bytes of the header; what follows is the client's */
};

/* Reads a header at the start of `bytes`; MORE: it is not whole yet. */
enum proxy_result proxy_read(struct str bytes, struct proxy_header *out);

#endif
