/* base/base64: RFC 4648 section 4, strictly: what a protocol demands, not what mail readers put up with (that is
 * message/decode's).  Owns nothing. */
#ifndef SLUICE_BASE_BASE64_H
#define SLUICE_BASE_BASE64_H

#include "base/vec.h"

void base64_encode(struct str s, struct buf *out);
/* False, with *out as it was, for anything but whole groups with "=" at the end only and no stray bits (section
 * 3.5). */
bool base64_decode(struct str s, struct buf *out);

#endif
