/* relay/tls_policy: may this mail go out on this connection, now?  The only place that answers that.
 *
 * A pure function, asked three times in a connection's life: before connecting, after EHLO in clear, after the
 * handshake (and once more right before MAIL is released, as a guard).  DESIGN section 6: there is no path from "TLS
 * required" to clear text; every answer but GO, for mail that demands TLS, keeps it here.  Owns nothing; texts of
 * decisions live as long as the situation's. */
#ifndef SLUICE_RELAY_TLS_POLICY_H
#define SLUICE_RELAY_TLS_POLICY_H

#include "mail/obligation.h"
#include "mail/settings.h"
#include "mail/status.h"

enum tls_moment {
    TLS_BEFORE,   /* no connection yet */
    TLS_IN_CLEAR, /* connected, EHLO answered, nothing encrypted */
    TLS_FAILED,   /* STARTTLS was refused, or the handshake or the certificate failed: this connection is spent */
    TLS_DONE,     /* encrypted, and EHLO answered again */
    TLS_MOMENT_COUNT
};

enum tls_step {
    TLS_GO,    /* connect, or send the mail */
    TLS_START, /* STARTTLS */
    TLS_PLAIN, /* opportunistic only: connect again and do not try TLS */
    TLS_NEXT,  /* this host will not do; another may */
    TLS_DEFER, /* the mail waits, with `status` and `lack` as the reason */
    TLS_STEP_COUNT
};

/* What was missing, so that the reason can be written out and expiry can name the right code. */
enum tls_lack {
    TLS_LACK_NONE,
    TLS_LACK_OFFER,       /* no STARTTLS in the EHLO reply */
    TLS_LACK_CONNECTOR,   /* the connector is set to `tls none` */
    TLS_LACK_HANDSHAKE,   /* refused or failed; the situation's `why` says how */
    TLS_LACK_CERTIFICATE, /* encrypted, but not to the one it should be */
    TLS_LACK_VERSION,     /* below the demanded version */
    TLS_LACK_REQUIRETLS,  /* RFC 8689 not offered after TLS */
    TLS_LACK_DANE,        /* this relay has no validating resolver */
    TLS_LACK_COUNT
};

struct tls_situation {
    struct obligation need;  /* of the mail */
    uint8_t connector_tls;   /* enum connector_tls */
    uint8_t moment;          /* enum tls_moment */
    bool offered;            /* IN_CLEAR: STARTTLS is in the EHLO reply */
    bool tls_spent;          /* IN_CLEAR: TLS was tried on the connection before this one and failed */
    bool verified;           /* DONE: chain and name are good */
    bool is_1_3;             /* DONE: TLS 1.3 or later */
    bool requiretls_offered; /* DONE: REQUIRETLS is in the EHLO reply */
    bool more_hosts;
};

struct tls_decision {
    uint8_t step;         /* enum tls_step */
    uint8_t lack;         /* enum tls_lack */
    struct status status; /* of DEFER: 4.7.4, 4.7.5, or 4.7.30 where only REQUIRETLS lacked */
};

struct tls_decision tls_policy(const struct tls_situation *s);

/* What a connection for this mail over this connector must be: the mail's demand joined with the connector's own
 * policy. `onward` implies `verified` (RFC 8689 section 4.2.1).  Connections are pooled by this. */
struct obligation tls_policy_demand(struct obligation need, uint8_t connector_tls);

/* "TLS required but not offered by", and so on: the beginning of the reason, to which the host's name is added. */
const char *tls_policy_lack_text(uint8_t lack);

#endif
