#include "store/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

bool directory_sync(int fd, const char *path, struct err *e)
{
    int result;
    do result = fsync(fd);
    while (result < 0 && errno == EINTR);
    return result == 0 || err_os(e, EX_IOERR, "syncing the directory %s", path);
}

static bool sync_parent(const char *path, struct err *e)
{
    char parent[PATH_MAX + sizeof "/.."];
    snprintf(parent, sizeof parent, "%s/..", path);
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return err_os(e, EX_IOERR, "syncing the directory %s", parent);
    bool ok = directory_sync(fd, parent, e);
    close(fd);
    return ok;
}

bool directory_make(const char *path, mode_t mode, struct err *e)
{
    char part[PATH_MAX];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof part) return err_set(e, EX_CANTCREAT, "no directory can be named \"%.100s\"", path);
    memcpy(part, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (part[i] != '/' && part[i] != 0) continue;
        char cut = part[i];
        part[i] = 0;
        bool made = mkdir(part, cut ? 0755 : mode) == 0;
        if (!made && errno != EEXIST) return err_os(e, EX_CANTCREAT, "making the directory %s", part);
        if (made && !sync_parent(part, e)) return false;
        part[i] = cut;
    }
    return true;
}

int directory_open_private(const char *path, struct err *e)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        err_os(e, EX_CANTCREAT, "%s", path);
        return -1;
    }
    if (fstat(fd, &st) == 0 && st.st_uid == geteuid() && !(st.st_mode & 0022)) return fd;
    err_set(e, EX_NOPERM, "%s must belong to the relay's user and be writable by nobody else", path);
    close(fd);
    return -1;
}
