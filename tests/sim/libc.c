/* The system calls of the library, answered by the simulated disk and clock (the linker's --wrap).
 *
 * Descriptors from FIRST on are ours; any other, and any path not under /sim, goes through to the system: the simulator
 * reads and prints like any program.  Time is the world's for everybody. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/sim.h"

enum { FIRST = 100000, MOST = 20000, BLOCK = 4096 };
#define ROOT "/sim"

enum kind { FREE, FILE_ITSELF, DIRECTORY, EVENT };
struct open_file {
    enum kind kind;
    struct disk_file *file;
    char name[96];
    size_t at;
    uint64_t count;
    int seals;
};
static struct open_file table[MOST];
static int table_used;
sim_action *libc_store_readable;

static struct open_file *ours(int fd)
{
    return fd >= FIRST && fd < FIRST + table_used && table[fd - FIRST].kind ? &table[fd - FIRST] : NULL;
}

static int open_as(enum kind kind, struct disk_file *file, const char *name)
{
    int i = 0;
    while (i < table_used && table[i].kind) i++;
    INVARIANT(i < MOST);
    if (i == table_used) table_used++;
    table[i] = (struct open_file){.kind = kind, .file = file};
    snprintf(table[i].name, sizeof table[i].name, "%s", name);
    if (file) disk_hold(file);
    return FIRST + i;
}

static int fail(int number)
{
    errno = number;
    return -1;
}

static int fail_of(enum disk_trouble t) { return fail(t == DISK_ENOSPC ? ENOSPC : EIO); }

void libc_forget(void)
{
    memset(table, 0, (size_t)table_used * sizeof *table);
    table_used = 0;
}

int libc_memory_file(struct str bytes)
{
    struct disk_file *f = disk_make(NULL);
    disk_write(f, 0, bytes.p, bytes.n);
    return open_as(FILE_ITSELF, f, "");
}

struct str libc_bytes(int fd)
{
    INVARIANT(ours(fd) && ours(fd)->kind == FILE_ITSELF);
    return disk_view(ours(fd)->file);
}

/* --- names -------------------------------------------------------------------------------------------------------- */

static bool is_directory(const char *path)
{
    return strcmp(path, ROOT) == 0 || strcmp(path, ROOT "/spool") == 0 || strcmp(path, ROOT "/backup") == 0;
}

static int open_path(const char *path, int flags)
{
    if (is_directory(path)) return open_as(DIRECTORY, NULL, path);
    struct disk_file *f = disk_find(path);
    if (f && (flags & O_CREAT) && (flags & O_EXCL)) return fail(EEXIST);
    if (!f && !(flags & O_CREAT)) return fail(ENOENT);
    if (!f && disk_free_bytes() == 0) return fail(ENOSPC);
    if (!f) f = disk_make(path);
    return open_as(FILE_ITSELF, f, path);
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    if (strncmp(path, ROOT, sizeof ROOT - 1) == 0) return open_path(path, flags);
    return __real_open(path, flags, mode);
}

int __wrap_openat(int directory, const char *path, int flags, ...);
int __wrap_openat(int directory, const char *path, int flags, ...)
{
    char whole[256];
    struct open_file *d = ours(directory);
    INVARIANT(d && d->kind == DIRECTORY);
    snprintf(whole, sizeof whole, "%s/%s", d->name, path);
    return open_path(whole, flags);
}

int __wrap_unlinkat(int directory, const char *path, int flags);
int __wrap_unlinkat(int directory, const char *path, int flags)
{
    char whole[256];
    struct open_file *d = ours(directory);
    (void)flags;
    INVARIANT(d && d->kind == DIRECTORY);
    snprintf(whole, sizeof whole, "%s/%s", d->name, path);
    struct disk_file *f = disk_find(whole);
    if (!f) return fail(ENOENT);
    disk_unlink(f);
    return 0;
}

int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode)
{
    (void)path, (void)mode;
    return fail(EEXIST);
}
int __wrap_mkdirat(int directory, const char *path, mode_t mode);
int __wrap_mkdirat(int directory, const char *path, mode_t mode)
{
    (void)directory, (void)path, (void)mode;
    return fail(EEXIST);
}

/* --- reading a directory ------------------------------------------------------------------------------------------ */

struct listing {
    VEC(const char *) names;
    size_t at;
    struct dirent entry;
    int fd;
};

DIR *__wrap_fdopendir(int fd);
DIR *__wrap_fdopendir(int fd)
{
    struct listing *l = mem_alloc(sizeof *l);
    struct open_file *d = ours(fd);
    const char *name;
    INVARIANT(d && d->kind == DIRECTORY);
    l->fd = fd;
    size_t length = strlen(d->name);
    for (size_t i = 0; disk_nth(i, &name); i++) {
        bool inside = strncmp(name, d->name, length) == 0 && name[length] == '/' && !strchr(name + length + 1, '/');
        if (inside) VEC_PUSH(&l->names, mem_strdup(name + length + 1));
    }
    return (DIR *)(void *)l;
}
struct dirent *__wrap_readdir(DIR *d);
struct dirent *__wrap_readdir(DIR *d)
{
    struct listing *l = (struct listing *)(void *)d;
    if (l->at == l->names.n) return NULL;
    snprintf(l->entry.d_name, sizeof l->entry.d_name, "%s", l->names.v[l->at++]);
    return &l->entry;
}
int __wrap_close(int fd);
int __wrap_closedir(DIR *d);
int __wrap_closedir(DIR *d)
{
    struct listing *l = (struct listing *)(void *)d;
    int result = __wrap_close(l->fd);
    VEC_FREE(&l->names);
    free(l);
    return result;
}

/* --- descriptors -------------------------------------------------------------------------------------------------- */

int __real_close(int fd);
int __wrap_close(int fd)
{
    struct open_file *o = ours(fd);
    if (!o) return fd >= FIRST ? fail(EBADF) : __real_close(fd);
    if (o->file) disk_let_go(o->file);
    *o = (struct open_file){0};
    return 0;
}

ssize_t __real_read(int fd, void *out, size_t n);
ssize_t __wrap_read(int fd, void *out, size_t n);
ssize_t __wrap_read(int fd, void *out, size_t n)
{
    struct open_file *o = ours(fd);
    if (!o) return __real_read(fd, out, n);
    if (o->kind == EVENT) {
        if (!o->count) return fail(EAGAIN);
        memcpy(out, &o->count, sizeof o->count);
        o->count = 0;
        return sizeof o->count;
    }
    size_t got = disk_read(o->file, o->at, out, n);
    o->at += got;
    return (ssize_t)got;
}

ssize_t __real_pread(int fd, void *out, size_t n, off_t at);
ssize_t __wrap_pread(int fd, void *out, size_t n, off_t at);
ssize_t __wrap_pread(int fd, void *out, size_t n, off_t at)
{
    struct open_file *o = ours(fd);
    return o ? (ssize_t)disk_read(o->file, (size_t)at, out, n) : __real_pread(fd, out, n, at);
}

ssize_t __real_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_write(int fd, const void *bytes, size_t n)
{
    struct open_file *o = ours(fd);
    if (!o) return __real_write(fd, bytes, n);
    if (o->kind == EVENT) {
        if (!o->count) sim_after_alive(sim_between(0, 200), libc_store_readable, NULL);
        o->count++;
        return (ssize_t)n;
    }
    if (n > 1 && sim_roll(8) == 0) n = 1 + sim_roll(n); /* a short write */
    enum disk_trouble t = disk_write(o->file, o->at, bytes, n);
    if (t != DISK_GOOD) return fail_of(t);
    o->at += n;
    return (ssize_t)n;
}

off_t __wrap_lseek(int fd, off_t at, int whence);
off_t __wrap_lseek(int fd, off_t at, int whence)
{
    struct open_file *o = ours(fd);
    INVARIANT(o && whence == SEEK_END && at == 0);
    o->at = disk_size(o->file);
    return (off_t)o->at;
}

int __wrap_ftruncate(int fd, off_t n);
int __wrap_ftruncate(int fd, off_t n)
{
    sim_trace("disk: %s cut from %zu to %lld bytes", ours(fd)->name, disk_size(ours(fd)->file), (long long)n);
    enum disk_trouble t = disk_resize(ours(fd)->file, (size_t)n);
    return t == DISK_GOOD ? 0 : fail_of(t);
}

static int sync_of(int fd)
{
    struct open_file *o = ours(fd);
    INVARIANT(o != NULL);
    sim_fiber_pause(sim_happens(POINT_DISK_SLOW) ? SECONDS(1) : sim_between(50, 3000));
    enum disk_trouble t = o->kind == DIRECTORY ? disk_sync_directory() : disk_sync(o->file);
    return t == DISK_GOOD ? 0 : fail_of(t);
}
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd) { return sync_of(fd); }
int __wrap_fsync(int fd);
int __wrap_fsync(int fd) { return sync_of(fd); }

static void describe(struct disk_file *f, bool directory, struct stat *out)
{
    memset(out, 0, sizeof *out);
    out->st_uid = geteuid();
    out->st_mode = directory ? S_IFDIR | 0700 : S_IFREG | 0600;
    out->st_size = f ? (off_t)disk_size(f) : 0;
}

int __real_fstat(int fd, struct stat *out);
int __wrap_fstat(int fd, struct stat *out);
int __wrap_fstat(int fd, struct stat *out)
{
    struct open_file *o = ours(fd);
    if (!o) return __real_fstat(fd, out);
    describe(o->file, o->kind == DIRECTORY, out);
    return 0;
}

int __real_stat(const char *path, struct stat *out);
int __wrap_stat(const char *path, struct stat *out);
int __wrap_stat(const char *path, struct stat *out)
{
    if (strncmp(path, ROOT, sizeof ROOT - 1) != 0) return __real_stat(path, out);
    struct disk_file *f = disk_find(path);
    if (!f && !is_directory(path)) return fail(ENOENT);
    describe(f, !f, out);
    return 0;
}

int __wrap_fstatvfs(int fd, struct statvfs *out);
int __wrap_fstatvfs(int fd, struct statvfs *out)
{
    (void)fd;
    memset(out, 0, sizeof *out);
    out->f_frsize = BLOCK;
    out->f_bavail = disk_free_bytes() / BLOCK;
    return 0;
}

int __wrap_flock(int fd, int how);
int __wrap_flock(int fd, int how)
{
    (void)fd, (void)how;
    return 0;
}

int __real_fcntl(int fd, int what, ...);
int __wrap_fcntl(int fd, int what, ...);
int __wrap_fcntl(int fd, int what, ...)
{
    va_list args;
    va_start(args, what);
    long argument = va_arg(args, long);
    va_end(args);
    struct open_file *o = ours(fd);
    if (!o) return __real_fcntl(fd, what, argument);
    if (what == F_ADD_SEALS) o->seals |= (int)argument;
    return what == F_GET_SEALS ? o->seals : 0;
}

int __wrap_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags)
{
    (void)name, (void)flags;
    return open_as(FILE_ITSELF, disk_make(NULL), "");
}

int __wrap_eventfd(unsigned count, int flags);
int __wrap_eventfd(unsigned count, int flags)
{
    (void)count, (void)flags;
    return open_as(EVENT, NULL, "");
}

/* A mapping of one of our files is a copy: those that are mapped are sealed. */
void *__real_mmap(void *at, size_t n, int protection, int flags, int fd, off_t from);
void *__wrap_mmap(void *at, size_t n, int protection, int flags, int fd, off_t from);
void *__wrap_mmap(void *at, size_t n, int protection, int flags, int fd, off_t from)
{
    struct open_file *o = ours(fd);
    if (!o) return __real_mmap(at, n, protection, flags, fd, from);
    void *map = __real_mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map != MAP_FAILED) disk_read(o->file, (size_t)from, map, n);
    return map;
}

/* store_close waits for its own answers: the fibers go on until there is one. */
int __real_poll(struct pollfd *v, nfds_t n, int ms);
int __wrap_poll(struct pollfd *v, nfds_t n, int ms);
int __wrap_poll(struct pollfd *v, nfds_t n, int ms)
{
    struct open_file *o = n == 1 ? ours(v->fd) : NULL;
    if (!o) return __real_poll(v, n, ms);
    while (!o->count) INVARIANT(sim_fibers_turn());
    return 1;
}

/* --- time --------------------------------------------------------------------------------------------------------- */

int __wrap_clock_gettime(clockid_t which, struct timespec *out);
int __wrap_clock_gettime(clockid_t which, struct timespec *out)
{
    int64_t us = which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE ? sim_utc() : world.mono_us;
    *out = (struct timespec){us / 1000000, us % 1000000 * 1000};
    return 0;
}

ssize_t __wrap_getrandom(void *out, size_t n, unsigned flags);
ssize_t __wrap_getrandom(void *out, size_t n, unsigned flags)
{
    (void)flags;
    for (size_t i = 0; i < n; i++) ((char *)out)[i] = (char)sim_roll(256);
    return (ssize_t)n;
}

time_t __wrap_time(time_t *out);
time_t __wrap_time(time_t *out)
{
    time_t now = sim_utc() / 1000000;
    if (out) *out = now;
    return now;
}
