/* A disk that remembers: one file in a mount of its own (FUSE), to be set up as a loop device, whose every write and
 * barrier is told in order to a log.  What a disk holds after its power went at some record of that log can be made
 * from it: all writes before the last barrier, and of those behind it whatever the rig dices.
 *
 *     block_log MOUNTPOINT SIZE LOG      (in the foreground; ends when unmounted)
 *
 * MOUNTPOINT/disk is SIZE bytes of zeros.  A record of the log is u64 offset, u32 length, and the bytes; a barrier has
 * the offset BARRIER and no bytes.  It is written before the write or sync is answered, so whoever heard an answer
 * finds in the log's size a moment that is not before it.  One thread: the log's order is the order of the answers. */
#include "tests/rigs/fuse_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

static const uint64_t BARRIER = UINT64_MAX;
static const char DISK[] = "/disk";
static char *disk;
static size_t size;
static int log_fd;

static void tell(uint64_t offset, const char *bytes, uint32_t n)
{
    struct iovec parts[] = {{&offset, sizeof offset}, {&n, sizeof n}, {(void *)(uintptr_t)bytes, n}};
    if (writev(log_fd, parts, 3) != (ssize_t)(sizeof offset + sizeof n + n)) {
        perror("block_log: the log");
        abort(); /* a disk that forgets what it did proves nothing */
    }
}

static int disk_getattr(const char *path, struct stat *st, struct fuse_file_info *unused)
{
    (void)unused;
    memset(st, 0, sizeof *st);
    if (strcmp(path, "/") == 0) {
        st->st_mode = S_IFDIR | 0700;
        st->st_nlink = 2;
        return 0;
    }
    if (strcmp(path, DISK) != 0) return -ENOENT;
    st->st_mode = S_IFREG | 0600;
    st->st_nlink = 1;
    st->st_size = (off_t)size;
    return 0;
}

static int disk_open(const char *path, struct fuse_file_info *unused)
{
    (void)unused;
    return strcmp(path, DISK) == 0 ? 0 : -ENOENT;
}

static size_t part(size_t n, off_t offset)
{
    size_t left = (size_t)offset < size ? size - (size_t)offset : 0;
    return n < left ? n : left;
}

static int disk_read(const char *path, char *out, size_t n, off_t offset, struct fuse_file_info *unused)
{
    (void)path, (void)unused;
    n = part(n, offset);
    memcpy(out, disk + offset, n);
    return (int)n;
}

static int disk_write(const char *path, const char *bytes, size_t n, off_t offset, struct fuse_file_info *unused)
{
    (void)path, (void)unused;
    n = part(n, offset);
    if (!n) return -ENOSPC;
    tell((uint64_t)offset, bytes, (uint32_t)n);
    memcpy(disk + offset, bytes, n);
    return (int)n;
}

static int disk_fsync(const char *path, int datasync, struct fuse_file_info *unused)
{
    (void)path, (void)datasync, (void)unused;
    tell(BARRIER, "", 0);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct fuse_operations operations = {
        .getattr = disk_getattr, .open = disk_open, .read = disk_read, .write = disk_write, .fsync = disk_fsync};
    if (argc != 4) return fprintf(stderr, "usage: block_log MOUNTPOINT SIZE LOG\n"), 64;
    size = strtoull(argv[2], NULL, 10);
    log_fd = open(argv[3], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    disk = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (log_fd < 0 || disk == MAP_FAILED) return perror("block_log"), 71;
    return fuse_disk_serve(argv[0], argv[1], &operations);
}
