/* mail/orcpt: ORCPT, whom the sender meant originally: "type;address", where the address is xtext (RFC 3461
 * section 4.2) or, of the type utf-8, in one of the forms of RFC 6533 section 3. */
#ifndef SLUICE_MAIL_ORCPT_H
#define SLUICE_MAIL_ORCPT_H

#include "base/vec.h"

/* `utf8`: the transaction has SMTPUTF8, so that UTF-8 may stand for itself in an address of the type utf-8. */
bool orcpt_is_valid(struct str value, bool utf8);

/* A valid value in ASCII, for hosts without SMTPUTF8 and for reports: what stood for itself as "\x{…}". */
void orcpt_ascii(struct str value, struct buf *out);

/* For an address of our own: "rfc822;…" or, where it is not ASCII, "utf-8;…"; ASCII in both cases. */
void orcpt_of(struct str address, struct buf *out);

/* As a report names an address (RFC 3464 section 2.3.1, RFC 6533 section 4): "rfc822;b@d.example", with xtext undone;
 * the type utf-8 stays encoded, so that the field is ASCII.  False, and nothing appended, for what is not valid. */
bool orcpt_report(struct str value, struct buf *out);

#endif
