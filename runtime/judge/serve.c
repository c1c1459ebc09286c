#include "judge/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "judge/fit.h"

/* What one message may have taken from the system before the judge asks to be replaced: DESIGN section 2. */
enum { SERVE_GROWTH_MAX = 64 * 1024 * 1024 };

struct datagram {
    char *bytes; /* PROTOCOL_DATAGRAM_MAX of them */
    size_t n;
    int descriptor; /* -1: none came */
};

static void take_descriptor(struct msghdr *m, int *out)
{
    *out = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (*out < 0)
                *out = fd;
            else
                close(fd);
        }
    }
}

/* 1: a datagram; 0: the other side closed; -1: the channel failed, or carried more than a datagram may hold. */
static int receive(int channel, struct datagram *d)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(4 * sizeof(int))];
    } control;
    struct iovec part = {d->bytes, PROTOCOL_DATAGRAM_MAX};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n;
    do n = recvmsg(channel, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0) return -1;
    take_descriptor(&m, &d->descriptor);
    d->n = (size_t)n;
    if (n == 0 && d->descriptor < 0) return 0;
    if (!(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) return 1;
    if (d->descriptor >= 0) close(d->descriptor);
    return -1;
}

static bool send_answer(int channel, const struct judge_answer *answer, struct buf *out)
{
    fit_answer(answer, out);
    struct iovec part = {out->p, out->n};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t n;
    do n = sendmsg(channel, &m, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)out->n;
}

/* Content that came as a descriptor is mapped, read-only and private, for the time of one judgement.  Its size is what
 * the file has, and must be what the request says. */
static bool map_content(int fd, uint64_t size, struct str *out)
{
    struct stat st;
    *out = STR("");
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size < 0 || (uint64_t)st.st_size != size) return false;
    if (size == 0) return true;
    void *p = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) return false;
    *out = (struct str){p, (size_t)size};
    return true;
}

/* The blocks of live lists stay mapped until the next of the same name; nobody can change what is sealed. */
struct block {
    struct str name, bytes;
};
struct blocks {
    VEC(struct block) list;
};

enum { BLOCK_SEALS = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW };

static void keep_block(struct blocks *b, struct str name, struct str bytes)
{
    for (size_t i = 0; i < b->list.n; i++) {
        struct block *old = &b->list.v[i];
        if (!str_eq(old->name, name)) continue;
        if (old->bytes.n) munmap((void *)(uintptr_t)old->bytes.p, old->bytes.n);
        old->bytes = bytes;
        return;
    }
    char *copy = mem_alloc(name.n + 1);
    memcpy(copy, name.p, name.n);
    VEC_PUSH(&b->list, (struct block){{copy, name.n}, bytes});
}

static bool take_list(struct judge *j, struct blocks *b, const struct datagram *d, struct judge_answer *answer)
{
    struct judge_list l;
    struct err e = {0};
    struct str bytes = STR_NONE;
    if (!protocol_decode_list((struct str){d->bytes, d->n}, &l, &e)) return false;
    if (l.size && ((fcntl(d->descriptor, F_GET_SEALS) & BLOCK_SEALS) != BLOCK_SEALS ||
                   !map_content(d->descriptor, l.size, &bytes)))
        err_set(&e, EX_DATAERR, "the block of a live list cannot be read");
    else if (judge_set_list(j, l.name, bytes, &e))
        keep_block(b, l.name, bytes); /* the one before is not looked at any more */
    if (e.sysexit) fprintf(stderr, "sluiced: judge: %s\n", e.text);
    *answer = (struct judge_answer){.id = l.id, .kind = JUDGE_LISTED};
    return !e.sysexit;
}

static bool serve_list(struct judge *j, int channel, struct blocks *b, struct datagram *d, struct buf *out, int *status)
{
    struct judge_answer answer;
    bool good = take_list(j, b, d, &answer);
    if (!good) *status = EX_DATAERR; /* relay and judge are then not of one build */
    else if (!send_answer(channel, &answer, out)) *status = EX_IOERR;
    return *status == EX_OK;
}

static bool serve_one(struct judge *j, int channel, struct arena *a, struct datagram *d, struct buf *out, int *status)
{
    struct judge_request r;
    struct judge_answer answer;
    struct str content = STR("");
    struct err e;
    if (!protocol_decode_request(a, (struct str){d->bytes, d->n}, &r, &e)) {
        *status = EX_DATAERR;
        return false;
    }
    if (r.content_inline) content = r.content;
    if (!r.content_inline && !map_content(d->descriptor, r.size, &content))
        answer = (struct judge_answer){.id = r.id, .kind = JUDGE_FAILED, .why = STR("the content cannot be read")};
    else
        judge_message(j, a, &r, content, &answer, NULL);
    bool sent = send_answer(channel, &answer, out); /* the answer may point into the content */
    if (!r.content_inline && content.n) munmap((void *)(uintptr_t)content.p, content.n);
    if (!sent) *status = EX_IOERR;
    return sent;
}

int judge_serve(struct judge *j, int channel)
{
    struct arena *a = arena_create();
    struct datagram d = {.bytes = mem_alloc(PROTOCOL_DATAGRAM_MAX), .descriptor = -1};
    struct buf out = {0};
    struct blocks blocks = {0};
    int status = EX_OK;
    for (int served = 0; served < SERVE_MESSAGES_MAX;) {
        int got = receive(channel, &d);
        if (got < 0) status = EX_IOERR;
        if (got <= 0) break;
        bool list = protocol_is_list((struct str){d.bytes, d.n});
        bool good = list ? serve_list(j, channel, &blocks, &d, &out, &status)
                         : serve_one(j, channel, a, &d, &out, &status);
        served += !list;
        if (d.descriptor >= 0) close(d.descriptor);
        if (!good || arena_used(a) > SERVE_GROWTH_MAX) break;
        arena_reset(a);
    }
    for (size_t i = 0; i < blocks.list.n; i++) {
        judge_set_list(j, blocks.list.v[i].name, STR_NONE, NULL);
        keep_block(&blocks, blocks.list.v[i].name, STR_NONE);
        free((void *)(uintptr_t)blocks.list.v[i].name.p);
    }
    VEC_FREE(&blocks.list);
    buf_free(&out);
    free(d.bytes);
    arena_free(&a);
    return status;
}
