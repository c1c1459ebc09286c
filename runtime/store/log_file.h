/* store/log_file: SQLite's log as a file (file format, section 4.1), read where SQLite itself would look away.
 *
 * SQLite ends its log at the first frame whose checksum is wrong: after a power cut that is the commit that was under
 * way, and nothing of it was promised.  Where whole commits stand behind that frame it is no torn end but damage in the
 * middle: what they hold was promised, and pages of the database may be newer than what is left of the log.  Owns no
 * state. */
#ifndef SLUICE_STORE_LOG_FILE_H
#define SLUICE_STORE_LOG_FILE_H

#include <stdbool.h>

#include "base/err.h"

#define LOG_FILE_NAME "queue.db-wal"

enum {
    LOG_PAGE = 8192,
    LOG_HEADER = 32,
    LOG_FRAME_HEADER = 24,
    LOG_FRAME = LOG_FRAME_HEADER + LOG_PAGE,
    LOG_SALT_AT = 16,
    LOG_SALT = 8
};

/* To be asked before SQLite opens the database: it writes over what it does not take.  `state_fd` is the state
 * directory's. True also when there is no log.  False with EX_DATAERR: damage; EX_IOERR: it cannot be read. */
bool log_file_check(int state_fd, struct err *e);

#endif
