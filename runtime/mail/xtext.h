/* mail/xtext: the encoding of ENVID, ORCPT and AUTH parameters (RFC 3461 section 4). */
#ifndef SLUICE_MAIL_XTEXT_H
#define SLUICE_MAIL_XTEXT_H

#include "base/vec.h"

/* Any bytes; printable ASCII but "+" and "=" stands for itself, all else as "+HH". */
void xtext_encode(struct str s, struct buf *out);
/* False, and nothing appended, for what is no xtext, and for an encoded NUL, CR or LF: nothing good comes of them. */
bool xtext_decode(struct str s, struct buf *out);
bool xtext_is_valid(struct str s); /* what xtext_decode accepts */

#endif
