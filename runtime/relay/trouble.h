/* relay/trouble: owns every "what now?" of a delivery.
 *
 * A failure goes in (where it happened, the reply or what broke), the fate of the recipients comes out: done, tried
 * again with a reason, or returned to the sender.  Also what a return says, and whether one is sent at all.  Pure; owns
 * nothing: texts point into what was given. */
#ifndef SLUICE_RELAY_TROUBLE_H
#define SLUICE_RELAY_TROUBLE_H

#include "mail/status.h"

enum trouble_phase {
    TROUBLE_ROUTE, /* no connector */
    TROUBLE_CONNECT,
    TROUBLE_GREETING,
    TROUBLE_EHLO,
    TROUBLE_TLS,
    TROUBLE_AUTH,
    TROUBLE_MAIL,
    TROUBLE_RCPT,
    TROUBLE_DATA,    /* the command */
    TROUBLE_DOT,     /* the reply to the content */
    TROUBLE_CONTENT, /* our own copy cannot be read or is damaged */
    TROUBLE_PHASE_COUNT
};

enum trouble_cause {
    TROUBLE_REPLY, /* the peer answered: `reply` */
    TROUBLE_LOST,  /* the connection broke or could not be made: `why` */
    TROUBLE_TIMEOUT,
    TROUBLE_GARBLED, /* what came is no SMTP reply */
    TROUBLE_UNABLE,  /* the peer lacks an extension that this message needs: `reply` holds our own 5.x.x words */
    TROUBLE_POLICY,  /* tls_policy: `reply.status` is its code, `why` its words */
    TROUBLE_DAMAGED,  /* our own copy is not what was stored, or is gone: set aside, never delivered */
    TROUBLE_CAUSE_COUNT
};

struct trouble {
    uint8_t phase, cause;
    struct reply reply;
    struct str why;
};

enum trouble_fate { FATE_DONE, FATE_RETRY, FATE_RETURN, FATE_HOLD };

struct trouble_answer {
    uint8_t fate;         /* enum trouble_fate */
    bool host;            /* the whole destination failed, not this message: others for it need not try at once */
    bool maybe_delivered; /* lost after the final dot: it may arrive twice */
    struct status status; /* always set; class fits the fate */
};

struct trouble_answer trouble_decide(const struct trouble *t);

/* The reason as it stands in the queue: a peer's reply as it came, "450 4.2.1 mailbox busy", or an enhanced code and
 * our own words, "4.7.4 TLS required but not offered by …"; one printable line of at most `room` - 1 bytes.  Returns
 * its length. */
size_t trouble_reason(const struct trouble *t, const struct trouble_answer *a, char *out, size_t room);

/* What an expired recipient is returned with.  `reason` is its last one, as written by trouble_reason: mail that waited
 * for TLS, its own demand or the connector's, comes back as 5.7.10, or 5.7.30 where only REQUIRETLS lacked; all
 * else 5.4.7. */
struct reply trouble_expiry(struct str reason);

/* Mail without a sender, a report of ours among it, that found no TLS in all its time (trouble_expiry's 5.7.10, 5.7.30)
 * can neither be sent in clear nor returned: it is held for whoever runs the relay. */
bool trouble_must_keep(struct str reverse_path, struct status returned);

/* Whether the reverse-path is told: never for <> (no bounce of a bounce, RFC 5321 section 4.5.5), never for what the
 * relay made itself, and only of what NOTIFY allows: a failure or a delay unless it is given without them, a success
 * only where it was asked for (RFC 3461 sections 4.1 and 5.2). */
enum report_kind { REPORT_FAILED, REPORT_DELAYED, REPORT_RELAYED, REPORT_NONE };
bool trouble_may_report(struct str reverse_path, bool relay_made, uint8_t notify, enum report_kind kind);

#endif
