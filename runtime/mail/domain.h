/* mail/domain: domain names as mail writes them: validity, one canonical form, wildcards.
 *
 * Canonical is lower-case A-labels, without a trailing dot.  Comparisons take canonical names. */
#ifndef SLUICE_MAIL_DOMAIN_H
#define SLUICE_MAIL_DOMAIN_H

#include "base/vec.h"

/* RFC 5321 section 4.1.2 Domain: labels of letters, digits and inner hyphens, at most 63 each, 255 in all; one label is
 * enough.  With `utf8` U-labels too (RFC 6531). */
bool domain_is_valid(struct str s, bool utf8);
/* Appends the canonical form; accepts one trailing dot and a leading "*."; false, and nothing appended, for no
 * domain. */
bool domain_canonical(struct str s, struct buf *out);
/* `pattern` "b.example" is that very name, "*.b.example" every name below it, not itself. */
bool domain_matches(struct str pattern, struct str domain);
/* `is like` (LANGUAGE section 3): * and ? over lower-case U-labels; pattern as fold_lower_nfc gives it. */
bool domain_is_like(struct str pattern, struct str domain);

#endif
