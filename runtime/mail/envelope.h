/* mail/envelope: what SMTP says around a message (RFC 5321 section 2.3.1), and who said it.
 *
 * Plain facts, as smtp/server collected them and as the judge sees them.  Owns nothing: the views live as long as the
 * session's transaction, or the request that carried them. */
#ifndef SLUICE_MAIL_ENVELOPE_H
#define SLUICE_MAIL_ENVELOPE_H

#include "base/str.h"

struct client_facts {
    struct str ip;          /* text form, without brackets; IPv4-mapped IPv6 is written as IPv4 */
    struct str helo;        /* as the client wrote it in EHLO or HELO */
    struct str user;        /* the authenticated identity; empty without AUTH */
    struct str tls_version; /* "TLSv1.3"; empty in clear */
    struct str listener;    /* the name of the listener declaration */
    bool trusted;           /* the address is in the listener's relay_for */
};

/* RFC 3461 section 4.1: bits of NOTIFY. */
enum { NOTIFY_NEVER = 1, NOTIFY_SUCCESS = 2, NOTIFY_FAILURE = 4, NOTIFY_DELAY = 8 };

struct envelope {
    struct client_facts client;
    struct str reverse_path;      /* "" is the null reverse-path <> */
    struct str *recipients;       /* forward-paths, in the order of RCPT, without duplicates */
    size_t recipient_count;
    uint8_t *notify;              /* NOTIFY of the first notify_count recipients: bits as above; */
    size_t notify_count;          /* 0, or no entry: not given */
    bool smtputf8;                /* RFC 6531 was asked for */
    bool requiretls;              /* RFC 8689 was asked for */
    bool eight_bit;               /* BODY=8BITMIME, RFC 6152 */
    bool binary;                  /* BODY=BINARYMIME, RFC 3030 */
    struct str envid;             /* RFC 3461 ENVID, still xtext; empty when not given */
    uint8_t ret;                  /* RFC 3461 RET: 0 not given, 'H', 'F' */
};

static inline bool client_is_encrypted(const struct client_facts *c) { return c->tls_version.n != 0; }
static inline bool client_is_authenticated(const struct client_facts *c) { return c->user.n != 0; }

#endif
