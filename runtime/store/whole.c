#include "store/whole.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/digest.h"
#include "store/spool.h"

enum { STEP = 256 * 1024 };

/* The content, in memory or in a spool file, which is read and never mapped: a failing disk is an error and no signal.
 */
struct source {
    struct str bytes;
    int fd; /* -1: in memory */
    char *part;
};

/* Bytes [from, to); fewer where the file ends before.  Answers how many, or -1. */
static int64_t hash_range(const struct source *s, struct digest *d, uint64_t from, uint64_t to)
{
    if (s->fd < 0) {
        struct str part = str_slice(s->bytes, (size_t)from, to > s->bytes.n ? s->bytes.n : (size_t)to);
        digest_add(d, part);
        return (int64_t)part.n;
    }
    uint64_t at = from;
    while (at < to) {
        ssize_t n = pread(s->fd, s->part, to - at < STEP ? (size_t)(to - at) : STEP, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        if (n == 0) break;
        digest_add(d, (struct str){s->part, (size_t)n});
        at += (uint64_t)n;
    }
    return (int64_t)(at - from);
}

static bool told(const struct stored_message *m, const char *what, struct err *e)
{
    return err_set(e, EX_DATAERR, "%s of message %.*s is damaged: it does not match its hash", what,
                   STR_ARG(m->queue_id));
}

static bool verify_content(const struct source *s, const struct stored_message *m, struct digest *d, struct err *e)
{
    uint8_t hash[DIGEST_SIZE];
    int64_t n = hash_range(s, d, 0, m->size + 1); /* one more: the file may have grown */
    digest_finish(d, hash);
    if (n < 0) return err_os(e, EX_IOERR, "a spool file");
    return ((uint64_t)n == m->size && memcmp(hash, m->sha256, sizeof hash) == 0) || told(m, "the content", e);
}

static bool verify_copy(const struct source *s, const struct stored_message *m, const struct stored_copy *c,
                        struct digest *d, struct err *e)
{
    uint8_t hash[DIGEST_SIZE];
    bool read_all = true;
    for (size_t i = 0; i < c->pieces.n && read_all; i++) {
        const struct piece *x = &c->pieces.v[i];
        if (x->insert.p)
            digest_add(d, x->insert);
        else
            read_all = hash_range(s, d, x->from, x->to) == (int64_t)(x->to - x->from);
    }
    digest_finish(d, hash);
    if (!read_all) return err_os(e, EX_IOERR, "a spool file");
    return memcmp(hash, c->sha256, sizeof hash) == 0 || told(m, "a delivered form", e);
}

bool whole_verify(int state_fd, const struct stored_message *m, struct err *e)
{
    struct source s = {m->content, -1, NULL};
    if (m->spool.n) {
        s.fd = spool_open(state_fd, m->spool, e);
        if (s.fd < 0) {
            if (e && e->sysexit == EX_NOINPUT) e->sysexit = EX_DATAERR;
            return false;
        }
        s.part = mem_alloc(STEP);
    }
    struct digest *d = digest_create();
    bool ok = verify_content(&s, m, d, e);
    for (size_t i = 0; i < m->copy_count && ok; i++)
        if (!pieces_are_identity(&m->copies[i].pieces, m->size)) ok = verify_copy(&s, m, &m->copies[i], d, e);
    digest_free(&d);
    free(s.part);
    if (s.fd >= 0) close(s.fd);
    return ok;
}
