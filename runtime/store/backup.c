#include "store/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { NAME_MAX_LENGTH = 64, PATH_BYTES = 4096 };

struct backup {
    sqlite3 *to;
    sqlite3_backup *under_way;
};

static bool is_name(struct str name)
{
    if (!name.n || name.n > NAME_MAX_LENGTH) return false;
    for (size_t i = 0; i < name.n; i++)
        if (!ascii_is_alpha(name.p[i]) && !ascii_is_digit(name.p[i]) && name.p[i] != '-') return false;
    return true;
}

static bool make_directory(int state_fd, struct str name, struct err *e)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, BACKUP_DIRECTORY "/%.*s", STR_ARG(name));
    if (mkdirat(state_fd, BACKUP_DIRECTORY, 0700) < 0 && errno != EEXIST)
        return err_os(e, EX_CANTCREAT, BACKUP_DIRECTORY);
    if (mkdirat(state_fd, path, 0700) < 0) return err_os(e, EX_CANTCREAT, "%s", path);
    return true;
}

struct backup *backup_begin(struct writer *w, struct str name, struct err *e)
{
    char path[PATH_BYTES];
    struct str database = str_of(sqlite3_db_filename(w->db.handle, "main"));
    size_t slash = str_rfind_byte(database, '/');
    if (!is_name(name) || slash == STR_NPOS ||
        (size_t)snprintf(path, sizeof path, "%.*s/" BACKUP_DIRECTORY "/%.*s/queue.db", (int)slash, database.p,
                         STR_ARG(name)) >= sizeof path) {
        err_set(e, EX_USAGE, "a backup's name is made of letters, digits and hyphens");
        return NULL;
    }
    if (!make_directory(w->state_fd, name, e)) return NULL;
    struct backup *b = mem_alloc(sizeof *b);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
                SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE;
    if (sqlite3_open_v2(path, &b->to, flags, NULL) == SQLITE_OK)
        b->under_way = sqlite3_backup_init(b->to, "main", w->db.handle, "main");
    if (b->under_way) return b;
    err_set(e, EX_CANTCREAT, "the backup cannot begin: %s", b->to ? sqlite3_errmsg(b->to) : "no memory");
    backup_end(&b);
    backup_remove(w->state_fd, name);
    return NULL;
}

enum backup_step backup_go_on(struct backup *b, int pages, int64_t *done, int64_t *total, struct err *e)
{
    int result = sqlite3_backup_step(b->under_way, pages);
    *total = sqlite3_backup_pagecount(b->under_way);
    *done = *total - sqlite3_backup_remaining(b->under_way);
    if (result == SQLITE_OK || result == SQLITE_BUSY || result == SQLITE_LOCKED) return BACKUP_GOES_ON;
    if (result == SQLITE_DONE) return BACKUP_WHOLE;
    err_set(e, (result & 0xff) == SQLITE_FULL ? EX_TEMPFAIL : EX_IOERR, "the backup failed: %s",
            sqlite3_errstr(result));
    return BACKUP_FAILED;
}

void backup_end(struct backup **at)
{
    struct backup *b = *at;
    *at = NULL;
    if (!b) return;
    if (b->under_way) sqlite3_backup_finish(b->under_way);
    sqlite3_close(b->to);
    free(b);
}

static void remove_one(int directory, const char *name)
{
    int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        if (fd >= 0) close(fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(d));)
        if (entry->d_name[0] != '.') unlinkat(fd, entry->d_name, 0);
    closedir(d);
    unlinkat(directory, name, AT_REMOVEDIR);
}

void backup_remove(int state_fd, struct str name)
{
    int fd = openat(state_fd, BACKUP_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        if (fd >= 0) close(fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(d));) {
        struct str one = str_of(entry->d_name);
        if (is_name(one) && (!name.n || str_eq(one, name))) remove_one(fd, entry->d_name);
    }
    closedir(d);
}
