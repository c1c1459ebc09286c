/* tests/support/vfs_methods: what SQLite asks of a file, for a VFS that stands in front of the disk or instead of it:
 * the functions x_close, x_read, … of the file that includes this.  A database with WAL needs all of them, and no
 * others. */
#ifndef TESTS_VFS_METHODS_H
#define TESTS_VFS_METHODS_H

#include <sqlite3.h>

#define VFS_METHODS                                                                                                    \
    {                                                                                                                  \
        .iVersion = 2, .xClose = x_close, .xRead = x_read, .xWrite = x_write, .xTruncate = x_truncate,                 \
        .xSync = x_sync, .xFileSize = x_size, .xLock = x_lock, .xUnlock = x_unlock,                                    \
        .xCheckReservedLock = x_check_reserved, .xFileControl = x_control, .xSectorSize = x_sector,                    \
        .xDeviceCharacteristics = x_characteristics, .xShmMap = x_shm_map, .xShmLock = x_shm_lock,                     \
        .xShmBarrier = x_shm_barrier, .xShmUnmap = x_shm_unmap                                                         \
    }

#endif
