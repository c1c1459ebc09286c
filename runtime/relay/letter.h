/* relay/letter: the header that every mail the relay writes itself begins with, and how its fields are written.
 *
 * Pure: facts in, bytes out.  What such a mail says is relay/dsn's and relay/notice's. */
#ifndef SLUICE_RELAY_LETTER_H
#define SLUICE_RELAY_LETTER_H

#include "base/vec.h"

struct letter {
    struct str hostname; /* ours: From, Message-ID */
    struct str queue_id; /* of this mail: Message-ID, boundary */
    struct str to;       /* one address; never empty */
    struct str subject;
    bool generated;   /* of our own accord; else in answer to a mail (RFC 3834 section 5) */
    struct str mark;  /* behind the queue id in Message-ID; empty: none */
    struct str before; /* what that message refers to itself, as in References; empty: nothing */
    struct str about; /* Message-ID of the message it is about, without angle brackets; empty: not known */
    int64_t now;      /* UTC seconds */
    int32_t utc_offset;
};

/* Date, From, To, Subject, Message-ID, In-Reply-To, References, Auto-Submitted (RFC 3834 section 3.1), MIME-Version. */
void letter_top(const struct letter *l, struct buf *out);
/* A field in the form of a header field; what cannot stand in a structured one is written as words. */
void letter_field(struct buf *out, const char *name, struct str value);
/* The last part of a mail of ours: a message as it came, or its header section, from the part's Content-Type on. Always
 * in seven bits, so that every next host takes it: what is not goes as message/global in base64, which RFC 6532
 * section 3.7 allows and RFC 2046 section 5.2.1 forbids message/rfc822; a header section in quoted-printable (RFC 6522
 * section 4). */
void letter_original(struct buf *out, struct str content, bool whole);
void letter_base64(struct buf *out, struct str s); /* in lines */
/* Of a message: up to and with the CRLF of its last field, without the empty line. */
struct str letter_header_section(struct str content);
struct str letter_header_cut(struct str header); /* of a giant one the first 64 KiB, in whole lines */
void letter_date(struct buf *out, const char *name, int64_t utc, int32_t offset);

#endif
