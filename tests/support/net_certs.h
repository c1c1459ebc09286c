/* tests/support/net_certs: certificates made on the spot, so that no test depends on files that expire. */
#ifndef SLUICE_TESTS_NET_CERTS_H
#define SLUICE_TESTS_NET_CERTS_H

#include "base/vec.h"

struct net_cert_wish {
    const char *common_name;
    const char *alt_names;  /* as X509v3 wants them: "DNS:mx.example,IP:127.0.0.1"; NULL: none */
    bool expired, own_root; /* own_root: signed by itself, not by the authority */
};
struct net_cert {
    struct buf certificate, key; /* PEM */
};

/* The authority is made at first use. */
void net_cert_make(const struct net_cert_wish *w, struct net_cert *out);
void net_cert_free(struct net_cert *c);
/* Writes the authority's certificate to a new file under /tmp; the caller unlinks it. */
void net_cert_authority(char path[64]);

#endif
