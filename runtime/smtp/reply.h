/* smtp/reply: the text form of replies (RFC 5321 section 4.2), written and read.
 *
 * Owns the wire form only; struct reply is mail/status's.  Writing appends to the caller's buffer.  A reader owns the
 * text it collects; it knows no policy and no command. */
#ifndef SLUICE_SMTP_REPLY_H
#define SLUICE_SMTP_REPLY_H

#include "base/vec.h"
#include "mail/status.h"

/* Appends one reply, several lines where r->text holds LF.  The enhanced code stands in every line when r->status.class
 * is not 0 (RFC 2034 section 4).  A line over 512 bytes is continued on the next (RFC 5321 section 4.5.3.1.5); bytes
 * that are not printable ASCII become '?', so no text can forge a line.  INVARIANT: 200 <= code <= 599. */
void smtp_reply_emit(struct buf *out, const struct reply *r);

/* Bounds for what a peer may answer (reliability T12). */
enum { SMTP_REPLY_LINES_MAX = 100, SMTP_REPLY_LINE_MAX = 2048 };

enum smtp_reply_progress {
    SMTP_REPLY_MORE,  /* all input used, the reply is not whole */
    SMTP_REPLY_WHOLE, /* one reply; *input begins behind its last CRLF */
    SMTP_REPLY_BAD    /* not a reply: the connection is of no further use; smtp_reader.problem says why */
};

/* Reads replies out of any segmentation of a byte stream.  A zeroed reader is ready; free with smtp_reader_free. */
struct smtp_reader {
    struct buf line;     /* an incomplete line */
    struct buf text;     /* lines so far, without code, joined by LF, unprintable bytes as '?' */
    unsigned code, lines;
    bool whole;          /* the last feed ended a reply: the next one begins anew */
    struct reply reply;  /* after WHOLE; the text lives until the next feed or free */
    const char *problem; /* after BAD: a constant sentence */
};
enum smtp_reply_progress smtp_reader_feed(struct smtp_reader *r, struct str *input);
bool smtp_reader_is_idle(const struct smtp_reader *r); /* nothing of a further reply has been seen */
void smtp_reader_free(struct smtp_reader *r);

#endif
