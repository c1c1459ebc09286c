/* net/warm: what libc, libuv and OpenSSL open lazily, opened before a sandbox forbids it.
 *
 * Owns nothing afterwards. */
#ifndef SLUICE_NET_WARM_H
#define SLUICE_NET_WARM_H

#include "base/err.h"

/* Starts libuv's worker threads, loads the name service modules (a look-up of localhost), seeds OpenSSL and fetches its
 * algorithms, reads the time zone, and reads the system's trust anchors into the cache that stream_tls_client uses.
 * False with *e (EX_OSFILE) when the system's trust anchors cannot be read: verified TLS would then fail closed. */
bool net_warm(struct err *e);

#endif
