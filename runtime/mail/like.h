/* mail/like: wildcard patterns: * is any run, ? is one character (code point), everything else itself.
 *
 * Both sides are UTF-8 that the caller folded (text) or lowered (domains).  Whole view.  Time is linear in the text
 * for any pattern up to LIMIT_LIKE_PATTERN bytes (bit-parallel: times a 64th of the pattern); there is no
 * backtracking. */
#ifndef SLUICE_MAIL_LIKE_H
#define SLUICE_MAIL_LIKE_H

#include "base/str.h"

bool like_is_valid(struct str pattern); /* not over the limit */
bool like_match(struct str pattern, struct str text); /* false for a pattern that is not valid */

#endif
