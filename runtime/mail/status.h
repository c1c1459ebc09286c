/* mail/status: SMTP replies and enhanced status codes (RFC 5321 section 4.2, RFC 3463). */
#ifndef SLUICE_MAIL_STATUS_H
#define SLUICE_MAIL_STATUS_H

#include "base/str.h"

/* An enhanced status code, class.subject.detail; all zero where none is known. */
struct status {
    uint8_t class; /* 2, 4 or 5 */
    uint16_t subject, detail;
};

#define STATUS(c, s, d) ((struct status){(c), (s), (d)})

/* One reply: code, enhanced code, and one line of text (printable ASCII; several lines joined by LF when received). */
struct reply {
    uint16_t code; /* 200..599; 0 is "no reply" */
    struct status status;
    struct str text;
};

/* "5.7.1" whole; RFC 3463 section 2: 2, 4 or 5, then 1 to 3 digits each, no leading zeros. */
bool status_parse(struct str s, struct status *out);
enum { STATUS_TEXT_MAX = 16 };
size_t status_print(struct status s, char out[STATUS_TEXT_MAX]);
/* True when the first digit of the reply equals the class of its enhanced code (RFC 2034 section 4). */
bool reply_is_consistent(const struct reply *r);

#endif
