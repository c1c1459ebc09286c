/* relay/received: the trace field the relay puts before a message, and how many there are already.  Pure. */
#ifndef SLUICE_RELAY_RECEIVED_H
#define SLUICE_RELAY_RECEIVED_H

#include "base/vec.h"
#include "mail/envelope.h"

struct received {
    const struct client_facts *client;
    struct str tls_cipher; /* with client->tls_version */
    struct str hostname;   /* ours */
    struct str queue_id;
    struct str recipient; /* the only one; empty when there are several: they must not learn of each other */
    bool esmtp, smtputf8;           /* EHLO, not HELO */
    int64_t now;          /* UTC seconds */
    int32_t utc_offset;
};

/* Appends the whole field with its CRLF: RFC 5321 section 4.4, WITH values of RFC 3848. */
void received_emit(const struct received *r, struct buf *out);

/* Received fields in the header section of `content` (RFC 5321 section 6.3: loop detection). */
unsigned received_count(struct str content);

#endif
