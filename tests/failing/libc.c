/* The store's own calls, which the linker sends here.  Only files, directories and memory fail: no event descriptor
 * does. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/database.h"
#include "store/writer.h"
#include "tests/failing/failing.h"

#define WRAP(result, name, ...)                                                                                        \
    result __real_##name(__VA_ARGS__);                                                                                 \
    result __wrap_##name(__VA_ARGS__);                                                                                 \
    result __wrap_##name(__VA_ARGS__)

int __real_fstat(int fd, struct stat *out);

#define FAIL(op, answer)                                                                                               \
    do                                                                                                                 \
        if (fails(LAYER_LIBC, op)) {                                                                                   \
            errno = errno_of_kind();                                                                                   \
            return answer;                                                                                             \
        }                                                                                                              \
    while (0)

/* Names made since the last sync of their directory: that sync failing may lose them. */
enum { MADE_MOST = 64 };
static char made[MADE_MOST][4096];
static unsigned made_count;

void libc_forget(void) { made_count = 0; }

static bool is_file(int fd)
{
    struct stat st;
    return shared->armed && __real_fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
}

static bool is_short(enum op op, size_t n)
{
    return shared->point.kind == KIND_SHORT && n > 1 && fails(LAYER_LIBC, op);
}

WRAP(int, open, const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    int mode = flags & O_CREAT ? va_arg(rest, int) : 0;
    va_end(rest);
    FAIL(flags & O_CREAT ? OP_MAKE : OP_OPEN, -1);
    return __real_open(path, flags, mode);
}

WRAP(int, openat, int at, const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    int mode = flags & O_CREAT ? va_arg(rest, int) : 0;
    va_end(rest);
    FAIL(flags & O_CREAT ? OP_MAKE : OP_OPEN, -1);
    int fd = __real_openat(at, path, flags, mode);
    if (fd >= 0 && (flags & O_EXCL) && shared->armed && made_count < MADE_MOST) {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, made[made_count], sizeof made[0] - 1);
        if (n > 0) made[made_count++][n] = 0;
    }
    return fd;
}

WRAP(ssize_t, read, int fd, void *out, size_t n)
{
    if (!is_file(fd)) return __real_read(fd, out, n);
    if (is_short(OP_READ, n)) return __real_read(fd, out, n / 2);
    if (shared->point.kind != KIND_SHORT) FAIL(OP_READ, -1);
    return __real_read(fd, out, n);
}

WRAP(ssize_t, pread, int fd, void *out, size_t n, off_t at)
{
    if (is_short(OP_READ, n)) return __real_pread(fd, out, n / 2, at);
    if (shared->point.kind != KIND_SHORT) FAIL(OP_READ, -1);
    return __real_pread(fd, out, n, at);
}

WRAP(ssize_t, write, int fd, const void *bytes, size_t n)
{
    if (!is_file(fd)) return __real_write(fd, bytes, n);
    if (is_short(OP_WRITE, n)) {
        ssize_t half = __real_write(fd, bytes, n / 2);
        return mistaken("short-write-ignored") ? (ssize_t)n : half;
    }
    if (shared->point.kind != KIND_SHORT) FAIL(OP_WRITE, -1);
    return __real_write(fd, bytes, n);
}

/* What a failed sync lost: all of a file; of a directory, the names made since its last. */
static int failed_sync(int fd)
{
    struct stat st;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (shared->point.kind == KIND_LOST && __real_fstat(fd, &st) == 0) {
        if (!S_ISDIR(st.st_mode) && truncate(link, 0) < 0) perror("losing a file's content");
        for (unsigned i = 0; S_ISDIR(st.st_mode) && i < made_count; i++) unlink(made[i]);
    }
    errno = errno_of_kind();
    return -1;
}

WRAP(int, fdatasync, int fd)
{
    if (!fails(LAYER_LIBC, OP_SYNC)) return __real_fdatasync(fd);
    int result = failed_sync(fd);
    return mistaken("content-sync-ignored") ? 0 : result;
}

WRAP(int, fsync, int fd)
{
    if (fails(LAYER_LIBC, OP_SYNC)) {
        int result = failed_sync(fd);
        return mistaken("directory-sync-ignored") ? 0 : result;
    }
    made_count = 0;
    return __real_fsync(fd);
}

WRAP(int, ftruncate, int fd, off_t n)
{
    FAIL(OP_TRUNCATE, -1);
    return __real_ftruncate(fd, n);
}

WRAP(int, unlinkat, int at, const char *path, int flags)
{
    FAIL(OP_DELETE, -1);
    return __real_unlinkat(at, path, flags);
}

WRAP(void *, mmap, void *where, size_t n, int protection, int flags, int fd, off_t at)
{
    FAIL(OP_MAP, MAP_FAILED);
    return __real_mmap(where, n, protection, flags, fd, at);
}

WRAP(int, memfd_create, const char *name, unsigned flags)
{
    FAIL(OP_MAKE, -1);
    return __real_memfd_create(name, flags);
}

WRAP(int, mkdir, const char *path, mode_t mode)
{
    FAIL(OP_MAKE, -1);
    return __real_mkdir(path, mode);
}

WRAP(int, mkdirat, int at, const char *path, mode_t mode)
{
    FAIL(OP_MAKE, -1);
    return __real_mkdirat(at, path, mode);
}

WRAP(int, fstat, int fd, struct stat *out)
{
    FAIL(OP_SIZE, -1);
    return __real_fstat(fd, out);
}

WRAP(int, stat, const char *path, struct stat *out)
{
    FAIL(OP_SIZE, -1);
    return __real_stat(path, out);
}

WRAP(off_t, lseek, int fd, off_t at, int whence)
{
    FAIL(OP_SIZE, -1);
    return __real_lseek(fd, at, whence);
}

WRAP(int, flock, int fd, int how)
{
    FAIL(OP_LOCK, -1);
    return __real_flock(fd, how);
}

WRAP(DIR *, fdopendir, int fd)
{
    FAIL(OP_LIST, NULL);
    return __real_fdopendir(fd);
}

WRAP(struct dirent *, readdir, DIR *d)
{
    FAIL(OP_LIST, NULL);
    return __real_readdir(d);
}

/* --- between the store's objects: what is noted, and mistakes ----------------------------------------------------- */

WRAP(enum trouble_kind, database_run, struct database *d, sqlite3_stmt *s)
{
    enum trouble_kind kind = __real_database_run(d, s);
    return s == d->statements[SQL_COMMIT] && mistaken("commit-ignored") ? TROUBLE_NONE : kind;
}

WRAP(bool, writer_cut_log, struct writer *w)
{
    bool cut = mistaken("log-not-cut") || __real_writer_cut_log(w);
    if (!cut) shared->cut_in_vain = true;
    return cut;
}
