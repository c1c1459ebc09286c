/* `sluice backup DIRECTORY`: the queue's database and spool files, as they are at one moment, beside a relay that
 * works. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/client.h"

enum { PATH_BYTES = 8192, STEP = 1024 * 1024 };

struct backup {
    char database[PATH_BYTES], spool[PATH_BYTES];
    bool progress;
};

static void take_row(void *owner, const struct js *row, struct str line)
{
    struct backup *b = owner;
    struct str text;
    int64_t done, total;
    (void)line;
    if (js_get_str(row, "database", &text)) snprintf(b->database, sizeof b->database, "%.*s", STR_ARG(text));
    if (js_get_str(row, "spool", &text)) snprintf(b->spool, sizeof b->spool, "%.*s", STR_ARG(text));
    if (b->progress && js_get_num(row, "pages", &done) && js_get_num(row, "of", &total) && total)
        fprintf(stderr, "\r%lld %%", (long long)(done * 100 / total));
}

/* A file made anew, whole and on disk. */
static bool copy_file(const char *from, const char *to, struct err *e)
{
    int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), out = -1;
    if (in < 0) return err_os(e, EX_NOINPUT, "%s", from);
    out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool ok = out >= 0 || err_os(e, EX_CANTCREAT, "%s", to);
    char *part = mem_alloc(STEP);
    ssize_t n = 0;
    while (ok && (n = read(in, part, STEP)) > 0)
        for (ssize_t at = 0, k; at < n && ok; at += k)
            if ((k = write(out, part + at, (size_t)(n - at))) < 0) ok = err_os(e, EX_CANTCREAT, "%s", to);
    if (ok && n < 0) ok = err_os(e, EX_IOERR, "%s", from);
    if (ok && fsync(out) < 0) ok = err_os(e, EX_IOERR, "%s", to);
    free(part);
    if (out >= 0) close(out);
    close(in);
    return ok;
}

static bool sync_directory(const char *path, struct err *e)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok) err_os(e, EX_IOERR, "%s", path);
    if (fd >= 0) close(fd);
    return ok;
}

static bool copy_spool(const char *from, const char *to, size_t *files, struct err *e)
{
    char source[PATH_BYTES], target[PATH_BYTES];
    if (mkdir(to, 0700) < 0) return err_os(e, EX_CANTCREAT, "%s", to);
    DIR *d = opendir(from);
    if (!d) return err_os(e, EX_NOINPUT, "%s", from);
    bool ok = true;
    for (struct dirent *entry; ok && (entry = readdir(d));) {
        if (entry->d_name[0] == '.') continue;
        if ((size_t)snprintf(source, sizeof source, "%s/%s", from, entry->d_name) >= sizeof source ||
            (size_t)snprintf(target, sizeof target, "%s/%s", to, entry->d_name) >= sizeof target)
            ok = err_set(e, EX_CANTCREAT, "%s: too long", to);
        ok = ok && copy_file(source, target, e);
        if (!ok && e->sysexit == EX_NOINPUT) ok = true; /* one that was never committed, and is withdrawn by now */
        *files += ok;
    }
    closedir(d);
    return ok && sync_directory(to, e);
}

static bool fetch(const struct backup *b, const char *directory, size_t *files, struct err *e)
{
    char database[PATH_BYTES], spool[PATH_BYTES], parent[PATH_BYTES];
    if ((size_t)snprintf(database, sizeof database, "%s/queue.db", directory) >= sizeof database ||
        (size_t)snprintf(spool, sizeof spool, "%s/spool", directory) >= sizeof spool ||
        (size_t)snprintf(parent, sizeof parent, "%s/..", directory) >= sizeof parent)
        return err_set(e, EX_CANTCREAT, "%s: too long", directory);
    return copy_file(b->database, database, e) && copy_spool(b->spool, spool, files, e) &&
           sync_directory(directory, e) && sync_directory(parent, e);
}

int backup_main(int argc, char **argv)
{
    struct backup b = {.progress = isatty(STDERR_FILENO)};
    struct client c = {.row = take_row, .owner = &b};
    const struct option options[] = {CLIENT_SOCKET_OPTION(c.socket)};
    struct err e = {0};
    size_t files = 0;
    argc = options_parse(command_find("backup"), argc, argv, options, 1);
    if (argc != 2) return usage("backup", "say a new directory for the copy");
    if (mkdir(argv[1], 0700) < 0) {
        err_os(&e, EX_CANTCREAT, errno == EEXIST ? "%s: a backup goes into a new directory" : "%s", argv[1]);
        return fail(&e);
    }
    /* The relay keeps the moment for as long as this connection lives. */
    int status;
    struct client_talk *talk = client_talk_begin(&c, &status);
    if (talk) status = client_talk_line(talk, STR("{\"v\":1,\"op\":\"backup\"}"));
    if (b.progress) fputc('\r', stderr);
    if (status == EX_OK && !fetch(&b, argv[1], &files, &e)) status = fail(&e);
    if (status == EX_OK) status = client_talk_line(talk, STR("{\"v\":1,\"op\":\"backup drop\"}"));
    client_talk_end(&talk);
    if (status == EX_OK)
        printf("%s holds the queue and %zu spool file%s; it can be a relay's state directory\n", argv[1], files,
               files == 1 ? "" : "s");
    else
        rmdir(argv[1]); /* only when nothing is in it yet */
    return status;
}
