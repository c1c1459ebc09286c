/* store/whole: what is read back is held to its hashes: the content, and every form of it that is delivered.
 *
 * Used by the reader's thread.  Damage is an error here, and never delivered. */
#ifndef SLUICE_STORE_WHOLE_H
#define SLUICE_STORE_WHOLE_H

#include "store/port.h"

/* False with *e: EX_DATAERR for what is damaged, EX_IOERR for a disk that does not answer. */
bool whole_verify(int state_fd, const struct stored_message *m, struct err *e);

#endif
