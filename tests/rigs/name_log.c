/* A disk that promises no more than POSIX does for names: a directory, shown in a mount of its own (FUSE), in which a
 * name that was made, moved or removed is sure to stand so only when its directory was synced since.  Syncing the file
 * is not enough here, as it is on ext4, xfs and btrfs.
 *
 *     name_log MOUNTPOINT DISK DICE      (in the foreground; ends when unmounted)
 *
 * DISK/names is what is shown, and nobody else changes it.  Being unmounted is the power cut: every change of a name
 * since the last sync of its directory is then taken back, the last first; with DICE, a seed other than 0, some are and
 * some are not.  One line says how many of how many.  What was removed or replaced lies in a directory beside it for so
 * long.
 *
 * It models names only: content that was written counts as written, synced or not (block_log is the disk that loses
 * content).  What no relay does is refused: links, and moving a directory or between directories. */
#include "tests/rigs/fuse_disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Of a name: made (no `from`), removed (no `to`), or moved.  Names are paths below DISK/names. */
struct change {
    char *from, *to;
    int grave; /* of what stood there before and was removed, or replaced by the move; 0: nothing did */
    bool stays;
};
enum { CHANGES_MOST = 65536, NUMBER_MAX = 16 };
static struct change changes[CHANGES_MOST]; /* since the last sync of their directories, in their order */
static size_t change_count;
static int names_fd, graves_fd, last_grave;

static void give_up(const char *what)
{
    perror(what);
    abort(); /* a disk that forgets what it did proves nothing */
}

/* As openat and its like want it. */
static const char *below(const char *path) { return path[1] ? path + 1 : "."; }

/* --- the account -------------------------------------------------------------------------------------------------- */

static void remember(const char *from, const char *to, int grave)
{
    if (change_count == CHANGES_MOST) give_up("name_log: too many names for one life");
    changes[change_count++] = (struct change){from ? strdup(from) : NULL, to ? strdup(to) : NULL, grave, false};
}

static void print_number(int grave, char out[NUMBER_MAX]) { snprintf(out, NUMBER_MAX, "%d", grave); }

/* The number of its grave, or 0 with errno. */
static int bury(const char *name)
{
    char number[NUMBER_MAX];
    print_number(last_grave + 1, number);
    return renameat(names_fd, name, graves_fd, number) == 0 ? ++last_grave : 0;
}

/* It will not come back. */
static void forget(struct change *c)
{
    char number[NUMBER_MAX];
    print_number(c->grave, number);
    if (c->grave && unlinkat(graves_fd, number, 0) < 0) unlinkat(graves_fd, number, AT_REMOVEDIR);
    free(c->from);
    free(c->to);
}

static size_t directory_length(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? (size_t)(slash - name) : 0;
}

static bool is_in(const char *name, const char *directory, size_t n)
{
    return directory_length(name) == n && memcmp(name, directory, n) == 0;
}

static void synced(const char *directory)
{
    size_t kept = 0, n = strlen(directory);
    for (size_t i = 0; i < change_count; i++)
        if (is_in(changes[i].to ? changes[i].to : changes[i].from, directory, n))
            forget(&changes[i]);
        else
            changes[kept++] = changes[i];
    change_count = kept;
}

/* --- the power cut ------------------------------------------------------------------------------------------------ */

static bool is_of(const struct change *c, const char *name)
{
    return name && ((c->from && strcmp(c->from, name) == 0) || (c->to && strcmp(c->to, name) == 0));
}

/* A later change of the same name stays, so this one does. */
static bool is_held(const struct change *c)
{
    for (const struct change *later = c + 1; later < changes + change_count; later++)
        if (later->stays && (is_of(later, c->from) || is_of(later, c->to))) return true;
    return false;
}

/* A name that is missing was in a directory that has gone before. */
static void take_back(const struct change *c)
{
    char number[NUMBER_MAX];
    print_number(c->grave, number);
    bool good = true;
    if (c->from && c->to) good = renameat(names_fd, c->to, names_fd, c->from) == 0;
    if (!c->from) good = unlinkat(names_fd, c->to, 0) == 0 || (errno == EISDIR && bury(c->to));
    if (good && c->grave) good = renameat(graves_fd, number, names_fd, c->to ? c->to : c->from) == 0;
    if (!good && errno != ENOENT) give_up("name_log: taking a change back");
}

static void cut_power(unsigned dice)
{
    size_t taken = 0;
    srandom(dice);
    for (size_t i = change_count; i-- > 0;) {
        struct change *c = &changes[i];
        c->stays = (dice && random() & 1) || is_held(c);
        if (c->stays) continue;
        take_back(c);
        taken++;
    }
    for (size_t i = 0; i < change_count; i++) forget(&changes[i]);
    printf("%zu of %zu\n", taken, change_count);
}

/* --- what changes names ------------------------------------------------------------------------------------------- */

static int name_create(const char *path, mode_t mode, struct fuse_file_info *file)
{
    int fd = openat(names_fd, below(path), (file->flags & ~O_APPEND) | O_CREAT | O_EXCL, mode);
    if (fd < 0) return -errno;
    file->fh = (uint64_t)fd;
    remember(NULL, below(path), 0);
    return 0;
}

static int name_mkdir(const char *path, mode_t mode)
{
    if (mkdirat(names_fd, below(path), mode) < 0) return -errno;
    remember(NULL, below(path), 0);
    return 0;
}

static int name_unlink(const char *path)
{
    int grave = bury(below(path));
    if (!grave) return -errno;
    remember(below(path), NULL, grave);
    return 0;
}

/* What comes back is a directory as empty as this one. */
static int name_rmdir(const char *path)
{
    char number[NUMBER_MAX];
    if (unlinkat(names_fd, below(path), AT_REMOVEDIR) < 0) return -errno;
    print_number(++last_grave, number);
    if (mkdirat(graves_fd, number, 0700) < 0) give_up(path);
    remember(below(path), NULL, last_grave);
    return 0;
}

static int name_rename(const char *path, const char *to, unsigned flags)
{
    struct stat st;
    const char *old = below(path), *new = below(to);
    if (flags) return -EINVAL;
    if (fstatat(names_fd, old, &st, AT_SYMLINK_NOFOLLOW) < 0) return -errno;
    if (S_ISDIR(st.st_mode) || !is_in(new, old, directory_length(old))) return -EXDEV;
    if (strcmp(old, new) == 0) return 0;
    int grave = bury(new);
    if (!grave && errno != ENOENT) return -errno;
    if (renameat(names_fd, old, names_fd, new) < 0) give_up(path);
    remember(old, new, grave);
    return 0;
}

static int name_fsyncdir(const char *path, int datasync, struct fuse_file_info *unused)
{
    (void)datasync, (void)unused;
    if (path) synced(path + 1);
    return 0;
}

/* --- what does not ------------------------------------------------------------------------------------------------ */

static int of_call(long result) { return result < 0 ? -errno : (int)result; }

static int name_fsync(const char *path, int datasync, struct fuse_file_info *unused)
{
    (void)path, (void)datasync, (void)unused;
    return 0; /* its content counts as written; its name is another matter */
}

static int name_getattr(const char *path, struct stat *st, struct fuse_file_info *file)
{
    return of_call(file ? fstat((int)file->fh, st) : fstatat(names_fd, below(path), st, AT_SYMLINK_NOFOLLOW));
}

static int name_open(const char *path, struct fuse_file_info *file)
{
    int fd = openat(names_fd, below(path), file->flags & ~O_APPEND);
    if (fd < 0) return -errno;
    file->fh = (uint64_t)fd;
    return 0;
}

static int name_release(const char *path, struct fuse_file_info *file)
{
    (void)path;
    return of_call(close((int)file->fh));
}

static int name_read(const char *path, char *out, size_t n, off_t at, struct fuse_file_info *file)
{
    (void)path;
    return of_call(pread((int)file->fh, out, n, at));
}

static int name_write(const char *path, const char *bytes, size_t n, off_t at, struct fuse_file_info *file)
{
    (void)path;
    return of_call(pwrite((int)file->fh, bytes, n, at));
}

static int name_truncate(const char *path, off_t n, struct fuse_file_info *file)
{
    if (file) return of_call(ftruncate((int)file->fh, n));
    int fd = openat(names_fd, below(path), O_WRONLY | O_NOFOLLOW);
    if (fd < 0) return -errno;
    int result = of_call(ftruncate(fd, n));
    close(fd);
    return result;
}

static int name_fallocate(const char *path, int mode, off_t at, off_t n, struct fuse_file_info *file)
{
    (void)path;
    return of_call(fallocate((int)file->fh, mode, at, n));
}

static int name_chmod(const char *path, mode_t mode, struct fuse_file_info *unused)
{
    (void)unused;
    return of_call(fchmodat(names_fd, below(path), mode, 0));
}

static int name_chown(const char *path, uid_t user, gid_t group, struct fuse_file_info *unused)
{
    (void)unused;
    return of_call(fchownat(names_fd, below(path), user, group, AT_SYMLINK_NOFOLLOW));
}

static int name_statfs(const char *path, struct statvfs *out)
{
    (void)path;
    return of_call(fstatvfs(names_fd, out));
}

static int name_readdir(const char *path, void *out, fuse_fill_dir_t fill, off_t at, struct fuse_file_info *unused,
                        enum fuse_readdir_flags flags)
{
    (void)at, (void)unused, (void)flags;
    int fd = openat(names_fd, below(path), O_RDONLY | O_DIRECTORY);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) return -errno;
    for (struct dirent *entry; (entry = readdir(d));) fill(out, entry->d_name, NULL, 0, 0);
    closedir(d);
    return 0;
}

/* The kernel keeps what it has read, which SQLite's mapping of its shared memory wants.  Locks it keeps by itself. */
static void *name_init(struct fuse_conn_info *unused, struct fuse_config *config)
{
    (void)unused;
    config->kernel_cache = config->use_ino = config->hard_remove = 1;
    return NULL;
}

int main(int argc, char **argv)
{
    static const struct fuse_operations operations = {.init = name_init,
                                                      .create = name_create,
                                                      .mkdir = name_mkdir,
                                                      .unlink = name_unlink,
                                                      .rmdir = name_rmdir,
                                                      .rename = name_rename,
                                                      .fsyncdir = name_fsyncdir,
                                                      .fsync = name_fsync,
                                                      .getattr = name_getattr,
                                                      .open = name_open,
                                                      .release = name_release,
                                                      .read = name_read,
                                                      .write = name_write,
                                                      .truncate = name_truncate,
                                                      .chmod = name_chmod,
                                                      .chown = name_chown,
                                                      .fallocate = name_fallocate,
                                                      .statfs = name_statfs,
                                                      .readdir = name_readdir};
    if (argc != 4) return fprintf(stderr, "usage: name_log MOUNTPOINT DISK DICE\n"), 64;
    umask(0); /* the kernel has applied that of whoever asks */
    char graves[PATH_MAX], names[PATH_MAX];
    snprintf(names, sizeof names, "%s/names", argv[2]);
    snprintf(graves, sizeof graves, "%s/graves-XXXXXX", argv[2]);
    names_fd = open(names, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    graves_fd = mkdtemp(graves) ? open(graves, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (names_fd < 0 || graves_fd < 0) return perror("name_log"), 71;
    int status = fuse_disk_serve(argv[0], argv[1], &operations);
    if (status == 0) cut_power((unsigned)strtoul(argv[3], NULL, 10));
    rmdir(graves); /* directories taken back are left in it */
    return status;
}
