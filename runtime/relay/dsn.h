/* relay/dsn: what a delivery status notification looks like (RFC 3464 in RFC 6522's multipart/report).
 *
 * Pure: facts in, bytes out.  Headers of the original only, never its body: right for every message and a must for
 * obliged ones (DESIGN section 6; RFC 8689 section 5).  Whether one is sent is relay/trouble's to say. */
#ifndef SLUICE_RELAY_DSN_H
#define SLUICE_RELAY_DSN_H

#include "base/vec.h"
#include "mail/status.h"

struct dsn_recipient {
    struct str address;
    struct str orcpt;      /* RFC 3461 "type;xtext"; empty: not given */
    struct status status;  /* 5.x.x */
    struct str diagnostic; /* one line: the peer's reply, or our own reason */
    struct str remote;     /* host that gave the reply; empty: `diagnostic` is ours */
};

struct dsn {
    struct str hostname;     /* ours: Reporting-MTA, From, Message-ID */
    struct str queue_id;     /* of this notification: boundary and Message-ID */
    struct str original_id;  /* queue id of the message it is about */
    struct str reverse_path; /* its recipient; never empty */
    struct str envid;        /* RFC 3461, still xtext; empty: not given */
    struct str header;       /* the original's header section as the recipients would have got it; may be empty */
    int64_t arrived, now;    /* UTC seconds */
    int32_t utc_offset;
    const struct dsn_recipient *recipients;
    size_t recipient_count; /* at least 1 */
};

void dsn_build(const struct dsn *d, struct buf *out);

/* The header section of a message: up to and with the CRLF of its last field, without the empty line. */
struct str dsn_header_section(struct str content);

#endif
