/* After a commit whose sync failed: its frames stand in the log all the same, with sound checksums, and the next start
 * would take them for committed, though every client in it was answered 451.  So the log is cut behind the last commit
 * that succeeded.  Where the kernel lives on, which is nearly always, that is what the next process reads; after a
 * power cut in the same moment nobody can know. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/writer.h"

static int open_log(const struct writer *w, int flags)
{
    return openat(w->state_fd, LOG_FILE_NAME, flags | O_CLOEXEC | O_NOFOLLOW);
}

static bool read_salt(int fd, uint8_t salt[LOG_SALT])
{
    return fd >= 0 && pread(fd, salt, LOG_SALT, LOG_SALT_AT) == LOG_SALT;
}

/* A log begun anew has another salt: noted at the first commit after it was moved into the database. */
void writer_log_began(struct writer *w)
{
    int fd = open_log(w, O_RDONLY);
    w->salt_known = read_salt(fd, w->salt);
    if (fd >= 0) close(fd);
}

bool writer_cut_log(struct writer *w)
{
    uint8_t salt[LOG_SALT];
    int fd = open_log(w, O_RDWR);
    bool read = read_salt(fd, salt), same = read && memcmp(salt, w->salt, sizeof salt) == 0;
    if (!read || !w->salt_known) { /* then it is not known what may go: nothing does */
        if (fd >= 0) close(fd);
        return false;
    }
    /* Another salt: the failed commit had begun the log anew, which it may only when all before is in the database. */
    off_t end = LOG_HEADER + (same ? (off_t)w->log_frames * LOG_FRAME : 0);
    bool ok = fd >= 0 && (lseek(fd, 0, SEEK_END) <= end || ftruncate(fd, end) == 0);
    if (fd >= 0) close(fd); /* no lock of SQLite's is on this file */
    return ok;
}
