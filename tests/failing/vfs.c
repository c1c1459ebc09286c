/* SQLite's unix VFS with failures in front of it and, for its calls, behind it. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/vec.h"
#include "tests/failing/failing.h"
#include "tests/support/vfs_methods.h"

struct undone {
    sqlite3_int64 at, size_before;
    char *before;
    int saved;
};
struct handle {
    sqlite3_file base;
    VEC(struct undone) unsynced;
    sqlite3_file *real; /* behind this */
};

static sqlite3_vfs *unix_vfs;

static struct handle *of(sqlite3_file *f) { return (struct handle *)(void *)f; }
static sqlite3_file *real(sqlite3_file *f) { return of(f)->real; }

static int code(int error)
{
    static const int codes[KIND_COUNT] = {[KIND_FULL] = SQLITE_FULL, [KIND_MEMORY] = SQLITE_NOMEM};
    int other = codes[shared->point.kind];
    return other ? other : error;
}

#define FAIL(op, error)                                                                                                \
    if (fails(LAYER_VFS, op)) return code(error)

static void forget(struct handle *h)
{
    for (size_t i = 0; i < h->unsynced.n; i++) free(h->unsynced.v[i].before);
    h->unsynced.n = 0;
}

static void remember(struct handle *h, int n, sqlite3_int64 at)
{
    struct undone u = {.at = at, .before = mem_alloc((size_t)n)};
    h->real->pMethods->xFileSize(h->real, &u.size_before);
    u.saved = at >= u.size_before ? 0 : u.size_before - at < n ? (int)(u.size_before - at) : n;
    if (u.saved) h->real->pMethods->xRead(h->real, u.before, u.saved, at);
    VEC_PUSH(&h->unsynced, u);
}

static void lose(struct handle *h)
{
    for (size_t i = h->unsynced.n; i-- > 0;) {
        struct undone *u = &h->unsynced.v[i];
        sqlite3_int64 size;
        if (u->saved) h->real->pMethods->xWrite(h->real, u->before, u->saved, u->at);
        h->real->pMethods->xFileSize(h->real, &size);
        if (size > u->size_before) h->real->pMethods->xTruncate(h->real, u->size_before);
    }
    forget(h);
}

static int x_close(sqlite3_file *f)
{
    forget(of(f));
    VEC_FREE(&of(f)->unsynced);
    return real(f)->pMethods->xClose(real(f));
}
static int x_read(sqlite3_file *f, void *out, int n, sqlite3_int64 at)
{
    FAIL(OP_READ, SQLITE_IOERR_READ);
    return real(f)->pMethods->xRead(real(f), out, n, at);
}
static int x_write(sqlite3_file *f, const void *bytes, int n, sqlite3_int64 at)
{
    FAIL(OP_WRITE, SQLITE_IOERR_WRITE);
    if (shared->point.kind == KIND_LOST) remember(of(f), n, at);
    return real(f)->pMethods->xWrite(real(f), bytes, n, at);
}
static int x_truncate(sqlite3_file *f, sqlite3_int64 n)
{
    FAIL(OP_TRUNCATE, SQLITE_IOERR_TRUNCATE);
    return real(f)->pMethods->xTruncate(real(f), n);
}
static int x_sync(sqlite3_file *f, int flags)
{
    if (fails(LAYER_VFS, OP_SYNC)) {
        if (shared->point.kind == KIND_LOST) lose(of(f));
        return code(SQLITE_IOERR_FSYNC);
    }
    forget(of(f));
    return real(f)->pMethods->xSync(real(f), flags);
}
static int x_size(sqlite3_file *f, sqlite3_int64 *n)
{
    FAIL(OP_SIZE, SQLITE_IOERR_FSTAT);
    return real(f)->pMethods->xFileSize(real(f), n);
}
static int x_lock(sqlite3_file *f, int to)
{
    FAIL(OP_LOCK, SQLITE_IOERR_LOCK);
    return real(f)->pMethods->xLock(real(f), to);
}
static int x_unlock(sqlite3_file *f, int to) { return real(f)->pMethods->xUnlock(real(f), to); }
static int x_check_reserved(sqlite3_file *f, int *out) { return real(f)->pMethods->xCheckReservedLock(real(f), out); }
static int x_control(sqlite3_file *f, int what, void *argument)
{
    if (what == SQLITE_FCNTL_SIZE_HINT) FAIL(OP_GROW, SQLITE_IOERR_WRITE);
    return real(f)->pMethods->xFileControl(real(f), what, argument);
}
static int x_sector(sqlite3_file *f) { return real(f)->pMethods->xSectorSize(real(f)); }
static int x_characteristics(sqlite3_file *f) { return real(f)->pMethods->xDeviceCharacteristics(real(f)); }
static int x_shm_map(sqlite3_file *f, int region, int size, int extend, void volatile **out)
{
    FAIL(OP_MAP, SQLITE_IOERR_SHMMAP);
    return real(f)->pMethods->xShmMap(real(f), region, size, extend, out);
}
static int x_shm_lock(sqlite3_file *f, int from, int n, int flags)
{
    if (flags & SQLITE_SHM_LOCK) FAIL(OP_LOCK, SQLITE_IOERR_SHMLOCK);
    return real(f)->pMethods->xShmLock(real(f), from, n, flags);
}
static void x_shm_barrier(sqlite3_file *f) { real(f)->pMethods->xShmBarrier(real(f)); }
static int x_shm_unmap(sqlite3_file *f, int remove) { return real(f)->pMethods->xShmUnmap(real(f), remove); }

static const sqlite3_io_methods methods = VFS_METHODS;

static int x_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    (void)vfs;
    f->pMethods = NULL;
    FAIL(OP_OPEN, SQLITE_CANTOPEN);
    memset(of(f), 0, sizeof *of(f));
    of(f)->real = (sqlite3_file *)(void *)(of(f) + 1);
    int result = unix_vfs->xOpen(unix_vfs, name, real(f), flags, out);
    if (real(f)->pMethods) f->pMethods = &methods;
    return result;
}
static int x_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    FAIL(OP_DELETE, SQLITE_IOERR_DELETE);
    return unix_vfs->xDelete(unix_vfs, name, sync);
}
static int x_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    (void)vfs;
    FAIL(OP_SIZE, SQLITE_IOERR_ACCESS);
    return unix_vfs->xAccess(unix_vfs, name, flags, out);
}

/* --- the calls of the unix VFS ------------------------------------------------------------------------------------ */

static int (*real_open)(const char *, int, int);
static ssize_t (*real_pread)(int, void *, size_t, off_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_unlink)(const char *);
static int (*real_fallocate)(int, off_t, off_t);

#define FAIL_CALL(op, answer)                                                                                          \
    do                                                                                                                 \
        if (fails(LAYER_CALLS, op)) {                                                                                  \
            errno = errno_of_kind();                                                                                   \
            return answer;                                                                                             \
        }                                                                                                              \
    while (0)

static bool is_short(enum op op, size_t n)
{
    return shared->point.kind == KIND_SHORT && n > 1 && fails(LAYER_CALLS, op);
}

static int call_open(const char *path, int flags, int mode)
{
    FAIL_CALL(flags & O_CREAT ? OP_MAKE : OP_OPEN, -1);
    return real_open(path, flags, mode);
}
static ssize_t call_pread(int fd, void *out, size_t n, off_t at)
{
    if (is_short(OP_READ, n)) return real_pread(fd, out, n / 2, at);
    if (shared->point.kind != KIND_SHORT) FAIL_CALL(OP_READ, -1);
    return real_pread(fd, out, n, at);
}
static ssize_t call_pwrite(int fd, const void *bytes, size_t n, off_t at)
{
    if (is_short(OP_WRITE, n)) return real_pwrite(fd, bytes, n / 2, at);
    if (shared->point.kind != KIND_SHORT) FAIL_CALL(OP_WRITE, -1);
    return real_pwrite(fd, bytes, n, at);
}
static int call_ftruncate(int fd, off_t n)
{
    FAIL_CALL(OP_TRUNCATE, -1);
    return real_ftruncate(fd, n);
}
static int call_unlink(const char *path)
{
    FAIL_CALL(OP_DELETE, -1);
    return real_unlink(path);
}
static int call_fallocate(int fd, off_t at, off_t n)
{
    if (!fails(LAYER_CALLS, OP_GROW)) return real_fallocate(fd, at, n);
    return errno_of_kind(); /* posix_fallocate tells it so */
}

static void set_call(const char *name, sqlite3_syscall_ptr call, sqlite3_syscall_ptr *was)
{
    sqlite3_syscall_ptr now = unix_vfs->xGetSystemCall(unix_vfs, name);
    if (now && unix_vfs->xSetSystemCall(unix_vfs, name, call) == SQLITE_OK) *was = now;
}

#define SET_CALL(name, call, was) set_call(name, (sqlite3_syscall_ptr)(call), (sqlite3_syscall_ptr *)(void *)&(was))

void failing_vfs_register(void)
{
    static sqlite3_vfs vfs;
    unix_vfs = sqlite3_vfs_find("unix");
    vfs = *unix_vfs;
    vfs.pNext = NULL;
    vfs.zName = "failing";
    vfs.szOsFile += (int)sizeof(struct handle);
    vfs.xOpen = x_open;
    vfs.xDelete = x_delete;
    vfs.xAccess = x_access;
    SET_CALL("open", call_open, real_open);
    SET_CALL("pread", call_pread, real_pread);
    SET_CALL("pread64", call_pread, real_pread);
    SET_CALL("pwrite", call_pwrite, real_pwrite);
    SET_CALL("pwrite64", call_pwrite, real_pwrite);
    SET_CALL("ftruncate", call_ftruncate, real_ftruncate);
    SET_CALL("unlink", call_unlink, real_unlink);
    SET_CALL("fallocate", call_fallocate, real_fallocate);
    INVARIANT(real_open && real_pread && real_pwrite && sqlite3_vfs_register(&vfs, 1) == SQLITE_OK);
}
