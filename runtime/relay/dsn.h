/* relay/dsn: what a delivery status notification looks like (RFC 3464 in RFC 6522's multipart/report).
 *
 * Pure: facts in, bytes out.  The header of the original goes back; the whole only where RET=FULL asked for it,
 * something failed, it is not large, and nobody demanded TLS for it (DESIGN section 6; RFC 8689 section 5):
 * dsn_returns_whole. Whether one is sent is relay/trouble's to say. */
#ifndef SLUICE_RELAY_DSN_H
#define SLUICE_RELAY_DSN_H

#include "base/vec.h"
#include "mail/status.h"
#include "relay/trouble.h"

enum { DSN_WHOLE_MOST = 1024 * 1024 };

struct dsn_recipient {
    uint8_t kind; /* enum report_kind of relay/trouble */
    struct str address;
    struct str orcpt;      /* as mail/orcpt has it; empty: not given */
    struct status status;  /* 5.x.x, 4.x.x, 2.x.x */
    int64_t until;         /* delayed: UTC seconds, when it will be given up */
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
    bool whole;              /* `header` is all of the original */
    int64_t arrived, now;    /* UTC seconds */
    int32_t utc_offset;
    const struct dsn_recipient *recipients;
    size_t recipient_count; /* at least 1 */
};

void dsn_build(const struct dsn *d, struct buf *out);

bool dsn_returns_whole(uint8_t ret, uint64_t size, bool obliged, const struct dsn_recipient *recipients, size_t n);

#endif
