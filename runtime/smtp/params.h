/* smtp/params: the parameters behind MAIL FROM:<…> and RCPT TO:<…> (RFC 5321 section 4.1.2; RFC 1870, 6152, 3030,
 * 3461, 4954, 6531, 6533, 8689).
 *
 * Private to smtp/.  Owns syntax and repetition; what is offered is said by the caller.  Results are views of the
 * line. */
#ifndef SLUICE_SMTP_PARAMS_H
#define SLUICE_SMTP_PARAMS_H

#include "smtp/server.h"

struct smtp_params_offer {
    bool dsn, requiretls, smtputf8, binarymime, auth, tls;
    bool utf8; /* of this transaction, as MAIL asked */
};

/* Reads all of `text` (what follows the path, maybe empty).  False with *refusal filled: 501 5.5.4 for bad syntax or a
 * parameter given twice, 555 5.5.4 for one that is not offered, 530 5.7.0 for REQUIRETLS in clear. */
bool smtp_params_mail(struct str text, const struct smtp_params_offer *offer, struct smtp_server_mail *out,
                      struct reply *refusal);
bool smtp_params_rcpt(struct str text, const struct smtp_params_offer *offer, struct smtp_server_rcpt *out,
                      struct reply *refusal);

#endif
