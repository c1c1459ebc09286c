/* SQLite's files on the simulated disk, as its default VFS.
 *
 * Locks and shared memory are between the connections of one process, which is all there is: the store locks its
 * directory against another.  The semantics are those of SQLite's unix VFS; a database file that SIZE_HINT makes longer
 * has its blocks. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim.h"
#include "tests/support/vfs_methods.h"

enum { REGIONS_MOST = 64, REGION = 32 * 1024, SHM_LOCKS = 8, PATH_MOST = 512 };

/* What the connections to one database share. */
struct shared {
    struct shared *next;
    struct disk_file *file;
    char *regions[REGIONS_MOST];
    unsigned users, readers, shm_readers[SHM_LOCKS];
    bool shm_writer[SHM_LOCKS];
    bool reserved, pending, exclusive;
};

struct handle {
    sqlite3_file base;
    struct disk_file *file;
    struct shared *shared; /* of a main database */
    bool delete_on_close, maps;
    int lock;
    unsigned shm_reads, shm_writes; /* bits of SHM_LOCKS */
    int chunk;
};

static struct shared *all_shared;

void vfs_forget(void) { all_shared = NULL; }

static int result_of(enum disk_trouble t, int otherwise)
{
    return t == DISK_GOOD ? SQLITE_OK : t == DISK_ENOSPC ? SQLITE_FULL : otherwise;
}

static struct handle *of(sqlite3_file *f) { return (struct handle *)(void *)f; }

static int x_read(sqlite3_file *f, void *out, int n, sqlite3_int64 at)
{
    size_t got = disk_read(of(f)->file, (size_t)at, out, (size_t)n);
    if (got == (size_t)n) return SQLITE_OK;
    memset((char *)out + got, 0, (size_t)n - got);
    return SQLITE_IOERR_SHORT_READ;
}

static int x_write(sqlite3_file *f, const void *bytes, int n, sqlite3_int64 at)
{
    return result_of(disk_write(of(f)->file, (size_t)at, bytes, (size_t)n), SQLITE_IOERR_WRITE);
}

/* As SQLite's own: a file that grows in chunks is cut to whole ones. */
static size_t whole_chunks(const struct handle *h, sqlite3_int64 n)
{
    size_t chunk = h->chunk ? (size_t)h->chunk : 1;
    return ((size_t)n + chunk - 1) / chunk * chunk;
}

static int x_truncate(sqlite3_file *f, sqlite3_int64 n)
{
    size_t wanted = whole_chunks(of(f), n);
    if (wanted >= disk_size(of(f)->file)) return SQLITE_OK;
    return result_of(disk_resize(of(f)->file, wanted), SQLITE_IOERR_TRUNCATE);
}

static int x_sync(sqlite3_file *f, int flags)
{
    (void)flags;
    sim_fiber_pause(sim_happens(POINT_DISK_SLOW) ? SECONDS(1) : sim_between(50, 3000));
    return result_of(disk_sync(of(f)->file), SQLITE_IOERR_FSYNC);
}

static int x_size(sqlite3_file *f, sqlite3_int64 *n)
{
    *n = (sqlite3_int64)disk_size(of(f)->file);
    return SQLITE_OK;
}

/* --- locks of the database file ----------------------------------------------------------------------------------- */

static int x_unlock(sqlite3_file *f, int to)
{
    struct handle *h = of(f);
    struct shared *s = h->shared;
    if (!s || h->lock <= to) return SQLITE_OK;
    if (h->lock >= SQLITE_LOCK_EXCLUSIVE) s->exclusive = false;
    if (h->lock >= SQLITE_LOCK_PENDING) s->pending = false;
    if (h->lock >= SQLITE_LOCK_RESERVED && to < SQLITE_LOCK_RESERVED) s->reserved = false;
    if (to == SQLITE_LOCK_NONE) s->readers--;
    h->lock = to;
    return SQLITE_OK;
}

static int x_lock(sqlite3_file *f, int to)
{
    struct handle *h = of(f);
    struct shared *s = h->shared;
    if (!s || h->lock >= to) return SQLITE_OK;
    if (h->lock == SQLITE_LOCK_NONE) {
        if (s->pending || s->exclusive) return SQLITE_BUSY;
        s->readers++;
        h->lock = SQLITE_LOCK_SHARED;
    }
    if (to >= SQLITE_LOCK_RESERVED && h->lock < SQLITE_LOCK_RESERVED) {
        if (s->reserved) return SQLITE_BUSY;
        s->reserved = true;
        h->lock = SQLITE_LOCK_RESERVED;
    }
    if (to == SQLITE_LOCK_EXCLUSIVE) {
        s->pending = true;
        h->lock = SQLITE_LOCK_PENDING;
        if (s->readers > 1) return SQLITE_BUSY;
        s->exclusive = true;
        h->lock = SQLITE_LOCK_EXCLUSIVE;
    }
    return SQLITE_OK;
}

static int x_check_reserved(sqlite3_file *f, int *out)
{
    *out = of(f)->shared && of(f)->shared->reserved;
    return SQLITE_OK;
}

static int x_control(sqlite3_file *f, int what, void *argument)
{
    struct handle *h = of(f);
    if (what == SQLITE_FCNTL_CHUNK_SIZE) {
        h->chunk = *(int *)argument;
        return SQLITE_OK;
    }
    if (what == SQLITE_FCNTL_SIZE_HINT) {
        size_t wanted = whole_chunks(h, *(sqlite3_int64 *)argument);
        return wanted <= disk_size(h->file) ? SQLITE_OK : result_of(disk_resize(h->file, wanted), SQLITE_IOERR_WRITE);
    }
    if (what == SQLITE_FCNTL_PERSIST_WAL) {
        *(int *)argument = 1;
        return SQLITE_OK;
    }
    return SQLITE_NOTFOUND;
}

static int x_sector(sqlite3_file *f)
{
    (void)f;
    return 4096;
}
static int x_characteristics(sqlite3_file *f)
{
    (void)f;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* --- the index of the log, in shared memory ----------------------------------------------------------------------- */

static int x_shm_map(sqlite3_file *f, int region, int size, int extend, void volatile **out)
{
    struct handle *h = of(f);
    INVARIANT(h->shared && region < REGIONS_MOST && size == REGION);
    if (!h->maps) h->shared->users++;
    h->maps = true;
    char **at = &h->shared->regions[region];
    if (!*at && extend) *at = mem_alloc(REGION);
    *out = *at;
    return SQLITE_OK;
}

static int x_shm_lock(sqlite3_file *f, int from, int n, int flags)
{
    struct handle *h = of(f);
    struct shared *s = h->shared;
    bool take = flags & SQLITE_SHM_LOCK, write = flags & SQLITE_SHM_EXCLUSIVE;
    for (int i = from; i < from + n && take; i++) {
        bool mine_read = h->shm_reads & (1u << i), mine_write = h->shm_writes & (1u << i);
        if (s->shm_writer[i] && !mine_write) return SQLITE_BUSY;
        if (write && s->shm_readers[i] > (mine_read ? 1u : 0u)) return SQLITE_BUSY;
    }
    for (int i = from; i < from + n; i++) {
        unsigned bit = 1u << i;
        unsigned *mine = write ? &h->shm_writes : &h->shm_reads;
        if (((*mine & bit) != 0) == take) continue;
        *mine ^= bit;
        if (write)
            s->shm_writer[i] = take;
        else if (take)
            s->shm_readers[i]++;
        else
            s->shm_readers[i]--;
    }
    return SQLITE_OK;
}

static void x_shm_barrier(sqlite3_file *f) { (void)f; }

static int x_shm_unmap(sqlite3_file *f, int remove)
{
    struct handle *h = of(f);
    (void)remove;
    if (!h->maps) return SQLITE_OK;
    h->maps = false;
    if (--h->shared->users) return SQLITE_OK;
    for (int i = 0; i < REGIONS_MOST; i++) {
        free(h->shared->regions[i]);
        h->shared->regions[i] = NULL;
    }
    return SQLITE_OK;
}

static int x_close(sqlite3_file *f)
{
    struct handle *h = of(f);
    x_unlock(f, SQLITE_LOCK_NONE);
    if (h->delete_on_close) disk_unlink(h->file);
    disk_let_go(h->file);
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = VFS_METHODS;

/* --- the file system ---------------------------------------------------------------------------------------------- */

static struct shared *share(struct disk_file *file)
{
    for (struct shared *s = all_shared; s; s = s->next)
        if (s->file == file) return s;
    struct shared *s = mem_alloc(sizeof *s);
    s->file = file;
    s->next = all_shared;
    all_shared = s;
    return s;
}

static int x_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    struct handle *h = of(f);
    (void)vfs;
    memset(h, 0, sizeof *h);
    struct disk_file *file = name ? disk_find(name) : NULL;
    if (!file && !(flags & SQLITE_OPEN_CREATE)) return SQLITE_CANTOPEN;
    if (!file) file = disk_make(name);
    disk_hold(file);
    h->file = file;
    h->delete_on_close = name && (flags & SQLITE_OPEN_DELETEONCLOSE);
    if (flags & SQLITE_OPEN_MAIN_DB) h->shared = share(file);
    h->base.pMethods = &methods;
    if (out) *out = flags;
    return SQLITE_OK;
}

static int x_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    struct disk_file *file = disk_find(name);
    (void)vfs, (void)sync;
    if (!file) return SQLITE_IOERR_DELETE_NOENT;
    disk_unlink(file);
    return SQLITE_OK;
}

static int x_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    (void)vfs, (void)flags;
    *out = disk_find(name) != NULL;
    return SQLITE_OK;
}

static int x_full_name(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
    (void)vfs;
    snprintf(out, (size_t)n, "%s", name);
    return SQLITE_OK;
}

static int x_randomness(sqlite3_vfs *vfs, int n, char *out)
{
    (void)vfs;
    for (int i = 0; i < n; i++) out[i] = (char)sim_roll(256);
    return n;
}

static int x_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    sim_fiber_pause(us);
    return us;
}

static int x_time(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
    (void)vfs;
    *out = 210866760000000LL + sim_utc() / 1000; /* Julian day, milliseconds */
    return SQLITE_OK;
}

static int x_last_error(sqlite3_vfs *vfs, int n, char *out)
{
    (void)vfs, (void)n, (void)out;
    return 0;
}

void vfs_register(void)
{
    static sqlite3_vfs vfs = {
        .iVersion = 2,
        .szOsFile = sizeof(struct handle),
        .mxPathname = PATH_MOST,
        .zName = "simulated",
        .xOpen = x_open,
        .xDelete = x_delete,
        .xAccess = x_access,
        .xFullPathname = x_full_name,
        .xRandomness = x_randomness,
        .xSleep = x_sleep,
        .xGetLastError = x_last_error,
        .xCurrentTimeInt64 = x_time,
    };
    INVARIANT(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK);
}
