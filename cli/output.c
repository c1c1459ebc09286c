#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/cli.h"

bool use_colour(FILE *stream)
{
    const char *no = getenv("NO_COLOR");
    return isatty(fileno(stream)) && !(no && *no);
}

void put(struct buf *out, FILE *stream)
{
    if (out->n && fwrite(out->p, 1, out->n, stream) != out->n) {
        fputs("sluice: cannot write the output\n", stderr);
        exit(EX_IOERR);
    }
    out->n = 0;
    fflush(stream);
}

int fail(const struct err *e)
{
    fprintf(stderr, "sluice: %s\n", e->text);
    return e->sysexit ? e->sysexit : EX_SOFTWARE;
}

static bool write_all(int fd, struct str bytes)
{
    while (bytes.n) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        bytes = str_from(bytes, (size_t)n);
    }
    return true;
}

/* A file that is there keeps its permissions. */
static mode_t mode_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_mode & 07777 : 0644;
}

bool replace_file(const char *path, struct str bytes, struct err *e)
{
    struct buf name = {0};
    buf_printf(&name, "%s.XXXXXX", path);
    buf_add_byte(&name, '\0');
    int fd = mkostemp(name.p, O_CLOEXEC);
    bool ok = fd >= 0 && fchmod(fd, mode_of(path)) == 0 && write_all(fd, bytes) && fsync(fd) == 0 &&
              rename(name.p, path) == 0;
    if (!ok) {
        err_os(e, EX_CANTCREAT, "cannot write %s", path);
        if (fd >= 0) unlink(name.p);
    }
    if (fd >= 0) close(fd);
    buf_free(&name);
    return ok;
}
