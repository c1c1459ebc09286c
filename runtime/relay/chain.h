/* relay/chain: whether a mail comes of a notice that this relay wrote.
 *
 * Rules at two relays may each tell somebody behind the other of what they see, notices and incident reports among it;
 * each would make another, for ever.  So one names what it is about, and what that came of (References, RFC 5322
 * section 3.6.4), and its own Message-ID bears a mark that nobody else can make, nor guess.  A mail with the null
 * reverse-path that is such a notice itself, forwarded back to us, or whose references name one, makes no notice.  The
 * key lives as long as the process: a restart lets a chain go round once more. Pure but for the key, which is the
 * relay's. */
#ifndef SLUICE_RELAY_CHAIN_H
#define SLUICE_RELAY_CHAIN_H

#include "relay/state.h"

enum { CHAIN_KEY_SIZE = 32, CHAIN_MARK_SIZE = 17, CHAIN_REFERENCES_MAX = 20 };

/* The mark of our notice with that queue id: hexadecimal digits and a NUL. */
void chain_mark(const struct relay *r, struct str queue_id, char out[CHAIN_MARK_SIZE]);
/* Whether Message-ID, References or In-Reply-To in this header section name a notice of ours. */
bool chain_is_ours(const struct relay *r, struct str header);
/* The ids that it refers to, each in angle brackets, with blanks between: the last CHAIN_REFERENCES_MAX of them. */
void chain_references(struct str header, struct buf *out);

#endif
