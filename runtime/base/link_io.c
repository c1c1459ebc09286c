#include "base/link_io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

bool link_pair(int ends[2], struct err *e)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return err_os(e, EX_OSERR, "making a channel");
    int room = 2 * LINK_DATAGRAM_MAX; /* a hint: the kernel's own limit is enough for one datagram */
    for (int i = 0; i < 2; i++) setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    return true;
}

static void cut_text(struct link_message *m, struct buf *text)
{
    if (m->text.n <= LINK_TEXT_MAX) return;
    buf_add(text, str_slice(m->text, 0, LINK_TEXT_MAX));
    buf_add(text, STR("\n(cut here)\n"));
    m->text = buf_str(text);
}

bool link_send(int channel, const struct link_message *message, const int *fds, size_t n, struct err *e)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(LINK_FDS_MAX * sizeof(int))];
    } control;
    struct link_message m = *message;
    struct buf datagram = {0}, text = {0};
    INVARIANT(n <= LINK_FDS_MAX);
    cut_text(&m, &text);
    link_encode(&m, &datagram);
    struct iovec part = {datagram.p, datagram.n};
    struct msghdr h = {.msg_iov = &part, .msg_iovlen = 1};
    if (n) {
        memset(&control, 0, sizeof control);
        h.msg_control = &control;
        h.msg_controllen = CMSG_SPACE(n * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&h);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(c), fds, n * sizeof(int));
    }
    ssize_t sent;
    do sent = sendmsg(channel, &h, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    buf_free(&datagram);
    buf_free(&text);
    return sent >= 0 || err_os(e, EX_OSERR, "telling another process of ours");
}

static void take_descriptors(struct msghdr *h, int fds[LINK_FDS_MAX])
{
    size_t taken = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (taken < LINK_FDS_MAX)
                fds[taken++] = fd;
            else
                close(fd);
        }
    }
}

void link_close_all(int fds[LINK_FDS_MAX])
{
    for (int i = 0; i < LINK_FDS_MAX; i++) {
        if (fds[i] >= 0) close(fds[i]);
        fds[i] = -1;
    }
}

enum link_got link_receive(int channel, bool wait, struct buf *datagram, struct link_message *m, int fds[LINK_FDS_MAX],
                           struct err *e)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(LINK_FDS_MAX * sizeof(int))];
    } control;
    for (int i = 0; i < LINK_FDS_MAX; i++) fds[i] = -1;
    datagram->n = 0;
    buf_reserve(datagram, LINK_DATAGRAM_MAX);
    struct iovec part = {datagram->p, LINK_DATAGRAM_MAX};
    struct msghdr h = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n;
    do n = recvmsg(channel, &h, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return LINK_NOTHING;
    if (n < 0 && errno == ECONNRESET) return LINK_ENDED;
    if (n < 0) {
        err_os(e, EX_OSERR, "hearing another process of ours");
        return LINK_FAILED;
    }
    take_descriptors(&h, fds);
    if (n == 0) return LINK_ENDED;
    datagram->n = (size_t)n;
    if (h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        err_set(e, EX_DATAERR, "a datagram between our own processes is too large");
    } else if (link_decode(buf_str(datagram), m, e)) {
        return LINK_GOT;
    }
    link_close_all(fds);
    return LINK_FAILED;
}

bool link_greet(int channel, struct str build_id, struct err *e)
{
    struct link_message hello = {.kind = LINK_HELLO, .text = build_id}, got = {0};
    struct buf datagram = {0};
    int fds[LINK_FDS_MAX];
    bool ok = link_send(channel, &hello, NULL, 0, e);
    if (ok) {
        enum link_got what = link_receive(channel, true, &datagram, &got, fds, e);
        if (what == LINK_ENDED) err_set(e, EX_SOFTWARE, "another process of ours ended before it said anything");
        ok = what == LINK_GOT;
        if (ok && (got.kind != LINK_HELLO || !str_eq(got.text, build_id)))
            ok = err_set(e, EX_SOFTWARE, "another process of ours is of another build");
        link_close_all(fds);
    }
    buf_free(&datagram);
    return ok;
}

int link_memfd(const char *name, struct str bytes, struct err *e)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    bool ok = fd >= 0;
    while (ok && bytes.n) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR) continue;
        ok = n >= 0;
        if (ok) bytes = str_from(bytes, (size_t)n);
    }
    if (ok) ok = fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0;
    if (ok) return fd;
    err_os(e, EX_OSERR, "making a memory file");
    if (fd >= 0) close(fd);
    return -1;
}
