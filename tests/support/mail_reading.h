/* support/mail_reading: one message read to the last thing a rule can ask of it, and what that costs. */
#ifndef SLUICE_TESTS_SUPPORT_MAIL_READING_H
#define SLUICE_TESTS_SUPPORT_MAIL_READING_H

#include "base/arena.h"

/* Every header field, address, view of body and source, attachment with its type and size, fact, and edit.  Aborts where
 * a best reading is no UTF-8, or the pieces of the edits are not sound. */
void mail_read_all(struct arena *a, struct str content);

struct mail_cost {
    double seconds; /* of CPU; below 0: the process that read it died */
    long kib;       /* by which its memory grew, at most */
};
/* In a process of its own, for its memory.  The caller has done what a judge does first: mem_return_large, charset_warm,
 * filetype_warm. */
struct mail_cost mail_cost_of(struct str content);

#endif
