#include "store/content.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/link_io.h"
#include "store/spool.h"

struct content {
    int state_fd;
    uint64_t spool_over;
};

struct content_file {
    int state_fd;
    int fd;      /* for writing; a memfd's for the judge too */
    int read_fd; /* of a spool file: read only; -1 for a memfd */
    uint64_t size;
    bool sealed, stays;              /* stays: a spool file that free leaves */
    struct str view;                 /* once sealed: a mapped memfd, or a spool file's bytes in memory of its own */
    char queue_path[SPOOL_PATH_MAX]; /* what it will be called if it must become a file */
    bool spooled;
};

struct content *content_create(int state_fd, uint64_t spool_over)
{
    struct content *c = mem_alloc(sizeof *c);
    *c = (struct content){state_fd, spool_over};
    return c;
}

void content_free(struct content **c)
{
    free(*c);
    *c = NULL;
}

static struct content_file *file_create(const struct content *c)
{
    struct content_file *f = mem_alloc(sizeof *f);
    f->state_fd = c->state_fd;
    f->fd = f->read_fd = -1;
    return f;
}

static void port_free(void *self, struct content_file *f)
{
    (void)self;
    if (!f) return;
    if (f->view.n) munmap((void *)(uintptr_t)f->view.p, f->view.n);
    if (f->fd >= 0) close(f->fd);
    if (f->read_fd >= 0) close(f->read_fd);
    if (f->spooled && !f->stays) spool_remove(f->state_fd, str_of(f->queue_path));
    free(f);
}

static struct content_file *port_create(void *self, struct str queue_id, struct err *e)
{
    struct content_file *f = file_create(self);
    if (!spool_path(queue_id, f->queue_path)) {
        err_set(e, EX_TEMPFAIL, "a queue id is not fit for a file's name");
    } else {
        f->fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (f->fd >= 0) return f;
        err_os(e, EX_TEMPFAIL, "making room for a message");
    }
    port_free(self, f);
    return NULL;
}

static bool write_all(int fd, struct str bytes, struct err *e)
{
    while (bytes.n) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_os(e, errno == EIO ? EX_IOERR : EX_TEMPFAIL, "keeping a message");
        bytes = str_from(bytes, (size_t)n);
    }
    return true;
}

/* From memory to disk, once.  A failure leaves the memfd as it was; the half-made file goes. */
static bool become_file(struct content_file *f, struct err *e)
{
    int fd = spool_make(f->state_fd, f->queue_path, e);
    if (fd < 0) return false;
    bool ok = true;
    if (f->size) {
        void *map = mmap(NULL, f->size, PROT_READ, MAP_SHARED, f->fd, 0);
        ok = map != MAP_FAILED ? write_all(fd, (struct str){map, f->size}, e)
                               : err_os(e, EX_TEMPFAIL, "keeping a message");
        if (map != MAP_FAILED) munmap(map, f->size);
    }
    if (!ok) {
        close(fd);
        spool_remove(f->state_fd, str_of(f->queue_path));
        return false;
    }
    close(f->fd);
    f->fd = fd;
    f->spooled = true;
    return true;
}

static bool port_append(void *self, struct content_file *f, struct str bytes, struct err *e)
{
    const struct content *c = self;
    INVARIANT(!f->sealed);
    if (!f->spooled && f->size + bytes.n > c->spool_over && !become_file(f, e)) return false;
    if (!write_all(f->fd, bytes, e)) return false;
    f->size += bytes.n;
    return true;
}

/* A sealed memfd is mapped: it cannot shrink.  A spool file is read: under a mapping, a disk that fails or a file cut
 * short would end this process by SIGBUS; so they are an error, told. */
static bool make_view(struct content_file *f, struct err *e)
{
    f->view = STR("");
    if (!f->size) return true;
    void *map = f->spooled ? mmap(NULL, f->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                           : mmap(NULL, f->size, PROT_READ, MAP_SHARED, f->fd, 0);
    if (map == MAP_FAILED) return err_os(e, EX_TEMPFAIL, "mapping a message");
    f->view = (struct str){map, f->size};
    for (size_t at = 0; f->spooled && at < f->size;) {
        ssize_t n = pread(f->read_fd, (char *)map + at, f->size - at, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_os(e, EX_IOERR, "%s", f->queue_path);
        if (n == 0) return err_set(e, EX_IOERR, "%s ends early", f->queue_path);
        at += (size_t)n;
    }
    return true;
}

static bool port_seal(void *self, struct content_file *f, struct err *e)
{
    (void)self;
    INVARIANT(!f->sealed);
    if (f->spooled) {
        f->read_fd = spool_open(f->state_fd, str_of(f->queue_path), e);
        if (f->read_fd < 0) return false;
        close(f->fd); /* nobody writes to it any more */
        f->fd = -1;
    } else if (fcntl(f->fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
        return err_os(e, EX_OSERR, "sealing a message");
    }
    f->sealed = true;
    return make_view(f, e);
}

static struct content_file *port_open(void *self, struct str spool, struct err *e)
{
    struct content_file *f = file_create(self);
    struct str queue_id;
    struct stat st;
    f->spooled = f->stays = f->sealed = true;
    f->read_fd = spool_open(f->state_fd, spool, e);
    if (f->read_fd >= 0 && spool_path_parse(spool, &queue_id) && spool_path(queue_id, f->queue_path)) {
        if (fstat(f->read_fd, &st) < 0 || !S_ISREG(st.st_mode)) {
            err_set(e, EX_IOERR, "%s is no regular file", f->queue_path);
        } else {
            f->size = (uint64_t)st.st_size;
            if (make_view(f, e)) return f;
        }
    }
    port_free(self, f);
    return NULL;
}

static struct str port_view(void *self, struct content_file *f)
{
    (void)self;
    INVARIANT(f->sealed);
    return f->view;
}

static int port_descriptor(void *self, struct content_file *f)
{
    (void)self;
    INVARIANT(f->sealed);
    return f->spooled ? f->read_fd : f->fd;
}

static struct str port_spool(void *self, struct content_file *f)
{
    (void)self;
    return f->spooled ? str_of(f->queue_path) : STR("");
}

static void port_keep(void *self, struct content_file *f)
{
    (void)self;
    f->stays = true;
}

static bool port_fetch(void *self, int fd, size_t most, struct buf *out, struct err *e)
{
    struct stat st;
    bool ok = false;
    (void)self;
    out->n = 0;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < 0) {
        err_set(e, EX_DATAERR, "a descriptor that came is no file");
    } else if ((uint64_t)st.st_size > most) {
        err_set(e, EX_DATAERR, "a file that came is too large");
    } else {
        size_t size = (size_t)st.st_size;
        ssize_t n = 1;
        buf_reserve(out, size);
        while (out->n < size && n > 0) {
            n = pread(fd, out->p + out->n, size - out->n, (off_t)out->n);
            if (n > 0) out->n += (size_t)n;
            if (n < 0 && errno == EINTR) n = 1;
        }
        ok = out->n == size || err_set(e, EX_DATAERR, "a file that came ends early");
    }
    close(fd);
    return ok;
}

static void port_discard(void *self, int fd)
{
    (void)self;
    if (fd >= 0) close(fd);
}

static int port_share(void *self, struct str bytes, struct err *e)
{
    (void)self;
    return link_memfd("list", bytes, e);
}

struct content_port content_port_of(struct content *c)
{
    return (struct content_port){
        .self = c,
        .create = port_create,
        .append = port_append,
        .seal = port_seal,
        .open = port_open,
        .view = port_view,
        .descriptor = port_descriptor,
        .spool = port_spool,
        .keep = port_keep,
        .free = port_free,
        .fetch = port_fetch,
        .discard = port_discard,
        .share = port_share,
    };
}
