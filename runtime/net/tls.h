/* net/tls: the only user of OpenSSL's SSL: contexts, and one session over bytes that others move.
 *
 * A session reads cipher text from a view the stream sets and appends cipher text to the stream's buffer; it never sees
 * a descriptor.  Verification is per session; client sessions are never resumed, because a resumed session skips the
 * name check (reliability 0.5).  Private to net/. */
#ifndef SLUICE_NET_TLS_H
#define SLUICE_NET_TLS_H

#include "base/vec.h"
#include "net/port.h"

struct tls_session;

enum tls_progress {
    TLS_MORE,   /* needs more cipher text */
    TLS_DONE,   /* handshake over and good; or plain text was read */
    TLS_ENDED,  /* close_notify: nothing may follow, neither in TLS nor in clear */
    TLS_FAILED  /* tls_session_problem says why */
};

/* NULL with *e (EX_CONFIG, EX_DATAERR) when certificate and key do not fit. */
void *tls_server_context_create(struct str certificate, struct str key, struct err *e);
void tls_server_context_free(void *context);

/* *in and *wire are the stream's and outlive the session.  NULL with *e (EX_CONFIG, EX_OSFILE) when verification could
 * not be set up: then there is no session at all. */
struct tls_session *tls_session_client(const struct net_tls_client *how, struct str *in, struct buf *wire,
                                       struct err *e);
struct tls_session *tls_session_server(void *context, struct str *in, struct buf *wire);
void tls_session_free(struct tls_session **t);

enum tls_progress tls_session_handshake(struct tls_session *t);
enum tls_progress tls_session_read(struct tls_session *t, char *out, size_t room, size_t *got);
bool tls_session_write(struct tls_session *t, struct str plain); /* all of it, into *wire */
void tls_session_shutdown(struct tls_session *t);                /* close_notify into *wire, unless it failed before */
const struct net_tls_facts *tls_session_facts(const struct tls_session *t);
const char *tls_session_problem(const struct tls_session *t);

bool tls_warm(struct err *e);

#endif
