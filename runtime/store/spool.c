#include "store/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { QUEUE_ID_MAX = 100 };

static bool is_queue_id(struct str s)
{
    if (s.n == 0 || s.n > QUEUE_ID_MAX) return false;
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) && s.p[i] != '-' && s.p[i] != '_') return false;
    return true;
}

bool spool_path(struct str queue_id, char out[SPOOL_PATH_MAX])
{
    if (!is_queue_id(queue_id)) return false;
    snprintf(out, SPOOL_PATH_MAX, SPOOL_DIRECTORY "/%.*s", STR_ARG(queue_id));
    return true;
}

bool spool_path_parse(struct str path, struct str *queue_id)
{
    struct str prefix = STR(SPOOL_DIRECTORY "/");
    if (!str_starts(path, prefix)) return false;
    *queue_id = str_from(path, prefix.n);
    return is_queue_id(*queue_id);
}

/* A path of ours as a C string; false for anything else, so that no row can name a file elsewhere. */
static bool path_cstr(struct str path, char out[SPOOL_PATH_MAX], struct err *e)
{
    struct str id;
    if (spool_path_parse(path, &id)) return spool_path(id, out);
    return err_set(e, EX_DATAERR, "a message names content outside the spool directory");
}

int spool_open(int state_fd, struct str path, struct err *e)
{
    char name[SPOOL_PATH_MAX];
    if (!path_cstr(path, name, e)) return -1;
    int fd = openat(state_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) err_os(e, errno == ENOENT ? EX_NOINPUT : EX_IOERR, "%s", name);
    return fd;
}

int spool_make(int state_fd, const char *path, struct err *e)
{
    int fd = openat(state_fd, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) err_os(e, EX_TEMPFAIL, "%s", path);
    return fd;
}

/* No space is the disk's present state; anything else that a write or sync meets means that what the kernel holds of
 * the file is not to be trusted. */
static enum trouble_kind trouble_of_errno(const char *what, struct err *e)
{
    bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG || errno == EMFILE || errno == ENFILE;
    err_os(e, full ? EX_TEMPFAIL : EX_IOERR, "%s", what);
    return full ? TROUBLE_FULL : TROUBLE_FATAL;
}

static int sync_data(int fd)
{
    int result;
    do result = fdatasync(fd);
    while (result < 0 && errno == EINTR);
    return result;
}

enum trouble_kind spool_write(int state_fd, const char *path, struct str content, struct err *e)
{
    int fd = openat(state_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno == EEXIST) {
        err_os(e, EX_TEMPFAIL, "%s", path);
        return TROUBLE_REFUSED;
    }
    if (fd < 0) return trouble_of_errno(path, e);
    enum trouble_kind kind = TROUBLE_NONE;
    while (content.n && kind == TROUBLE_NONE) {
        ssize_t n = write(fd, content.p, content.n);
        if (n >= 0)
            content = str_from(content, (size_t)n);
        else if (errno != EINTR)
            kind = trouble_of_errno(path, e);
    }
    if (kind == TROUBLE_NONE && sync_data(fd) < 0) kind = trouble_of_errno(path, e);
    close(fd);
    if (kind != TROUBLE_NONE) unlinkat(state_fd, path, 0);
    return kind;
}

enum trouble_kind spool_sync(int state_fd, struct str path, struct err *e)
{
    int fd = spool_open(state_fd, path, e);
    if (fd < 0) return TROUBLE_REFUSED;
    enum trouble_kind kind = sync_data(fd) == 0 ? TROUBLE_NONE : trouble_of_errno("syncing a spool file", e);
    close(fd);
    return kind;
}

enum trouble_kind spool_sync_directory(int state_fd, struct err *e)
{
    int fd = openat(state_fd, SPOOL_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return trouble_of_errno("the spool directory", e);
    int result;
    do result = fsync(fd);
    while (result < 0 && errno == EINTR);
    enum trouble_kind kind = result == 0 ? TROUBLE_NONE : trouble_of_errno("syncing the spool directory", e);
    close(fd);
    return kind;
}

void spool_remove(int state_fd, struct str path)
{
    char name[SPOOL_PATH_MAX];
    if (path_cstr(path, name, NULL)) unlinkat(state_fd, name, 0);
}

bool spool_sweep(int state_fd, bool (*known)(void *context, struct str queue_id), void *context, struct err *e)
{
    int fd = openat(state_fd, SPOOL_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        err_os(e, EX_IOERR, "the spool directory");
        if (fd >= 0) close(fd);
        return false;
    }
    for (struct dirent *entry; (entry = readdir(d));) {
        struct str id = str_of(entry->d_name);
        if (is_queue_id(id) && !known(context, id)) unlinkat(fd, entry->d_name, 0);
    }
    closedir(d);
    return true;
}
