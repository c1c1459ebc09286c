/* relay/notice: what a notice of a rule looks like (notify, notify_sender): one text/plain part, to one address.
 *
 * Pure: facts in, bytes out.  Whether one is sent is the rules' to say; what may stand in it is held by judge/sound. */
#ifndef SLUICE_RELAY_NOTICE_H
#define SLUICE_RELAY_NOTICE_H

#include "relay/letter.h"

/* `text` is UTF-8 with LF between its lines. */
void notice_build(const struct letter *head, struct str text, struct buf *out);

#endif
