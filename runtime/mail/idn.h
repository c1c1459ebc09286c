/* mail/idn: internationalised domain names, IDNA2008 (RFC 5891); the only user of libidn2.
 *
 * No UTS #46 mapping: letters are lowered and composed (NFC), nothing else, so "ß" is never "ss" and full-width
 * letters are no letters of a name.  ASCII passes without the library. */
#ifndef SLUICE_MAIL_IDN_H
#define SLUICE_MAIL_IDN_H

#include "base/vec.h"

/* Appends the lower-case A-label form ("bücher.example" -> "xn--bcher-kva.example").  Pure ASCII is only lowered, not
 * judged: mail/domain does that.  False, and nothing appended, for what IDNA2008 does not allow. */
bool idn_to_ascii(struct str domain, struct buf *out);
/* Appends the lower-case U-label form; a label that is no valid A-label stays as it is (lowered). */
void idn_to_unicode(struct str domain, struct buf *out);

#endif
