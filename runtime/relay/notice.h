/* relay/notice: what a notice of a rule looks like (notify, notify_sender, incident_report): a text to one address,
 * alone or with the message it is about, or that one's header, behind it.
 *
 * Pure: facts in, bytes out.  Whether one is sent is the rules' to say; what may stand in it is held by judge/sound. */
#ifndef SLUICE_RELAY_NOTICE_H
#define SLUICE_RELAY_NOTICE_H

#include "relay/letter.h"

enum { NOTICE_WHOLE_MOST = 8 * 1024 * 1024 }; /* of a message that goes with it; of a larger one the header does */

struct notice {
    struct str text;    /* UTF-8 with LF between its lines */
    struct str content; /* what goes with it, the message or its header section; p NULL: nothing */
    bool whole;         /* it is all of the message */
    bool cut;           /* all was asked for */
};

void notice_build(const struct letter *head, const struct notice *n, struct buf *out);

#endif
