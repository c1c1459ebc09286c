/* judge/fit: an answer that fits its datagram.
 *
 * What may be left out of one that does not is what only tells: evidence, then all but the first notes.  What decides
 * is never left out: then the message is not judged, and the reason says what was too much. */
#ifndef SLUICE_JUDGE_FIT_H
#define SLUICE_JUDGE_FIT_H

#include "judge/protocol.h"

enum { FIT_NOTES = 100 }; /* that stay */

/* Appends the encoded answer to *out: at most PROTOCOL_DATAGRAM_MAX bytes. */
void fit_answer(const struct judge_answer *answer, struct buf *out);

#endif
