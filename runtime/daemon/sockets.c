#include "daemon/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/ip.h"
#include "builder/build.h"
#include "store/directory.h"

enum { BACKLOG = 1024 };

static socklen_t socket_address(const struct listener_settings *l, struct sockaddr_storage *out)
{
    uint8_t ip[IP_SIZE];
    memset(out, 0, sizeof *out);
    if (!ip_parse(l->ip, ip)) return 0;
    if (ip_is_v4(ip)) {
        struct sockaddr_in *a = (struct sockaddr_in *)out;
        a->sin_family = AF_INET;
        a->sin_port = htons(l->port);
        memcpy(&a->sin_addr, ip + 12, 4);
        return sizeof *a;
    }
    struct sockaddr_in6 *a = (struct sockaddr_in6 *)out;
    a->sin6_family = AF_INET6;
    a->sin6_port = htons(l->port);
    memcpy(&a->sin6_addr, ip, sizeof ip);
    return sizeof *a;
}

int socket_listen(const struct listener_settings *l, struct err *e)
{
    struct sockaddr_storage address;
    socklen_t n = socket_address(l, &address);
    int on = 1;
    int fd = n ? socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) : -1;
    bool ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0;
    if (ok && address.ss_family == AF_INET6) ok = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0;
    if (ok) ok = bind(fd, (struct sockaddr *)&address, n) == 0 && listen(fd, BACKLOG) == 0;
    if (ok) return fd;
    err_os(e, errno == EACCES ? EX_NOPERM : EX_UNAVAILABLE, "listener \"%.*s\" cannot listen on %.*s port %u",
           STR_ARG(l->name), STR_ARG(l->ip), l->port);
    if (fd >= 0) close(fd);
    return -1;
}

/* Nobody to give to without root or without a user. */
static bool give(const char *path, const char *user, struct err *e)
{
    if (geteuid() != 0 || !*user) return true;
    errno = 0;
    const struct passwd *p = getpwnam(user);
    if (!p) return err_set(e, EX_NOUSER, "there is no user %.100s", user);
    return lchown(path, p->pw_uid, p->pw_gid) == 0 || err_os(e, EX_OSERR, "giving %s to %s", path, user);
}

bool file_make_state(const char *path, const char *user, struct err *e)
{
    struct stat st;
    if (stat(path, &st) == 0) return S_ISDIR(st.st_mode) || err_set(e, EX_CANTCREAT, "%s is no directory", path);
    return directory_make(path, 0700, e) && give(path, user, e);
}

static bool make_parent(const char *path, struct err *e)
{
    char parent[PATH_MAX];
    snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    if (!slash || slash == parent) return true;
    *slash = 0;
    return directory_make(parent, 0755, e);
}

/* A socket that nobody answers on is left over from a relay that was killed. */
static bool remove_stale(const char *path, const struct sockaddr_un *address, struct err *e)
{
    struct stat st;
    if (lstat(path, &st) < 0) return true;
    if (!S_ISSOCK(st.st_mode)) return err_set(e, EX_CANTCREAT, "%s is there already and is no socket", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answers = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0;
    if (fd >= 0) close(fd);
    if (answers) return err_set(e, EX_UNAVAILABLE, "another relay answers on %s", path);
    return unlink(path) == 0 || err_os(e, EX_CANTCREAT, "removing the stale socket %s", path);
}

int socket_control(const char *path, const char *user, struct err *e)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    if (n >= sizeof address.sun_path) {
        err_set(e, EX_CONFIG, "the control socket's path is longer than %zu bytes: %s", sizeof address.sun_path - 1,
                path);
        return -1;
    }
    memcpy(address.sun_path, path, n + 1);
    if (!make_parent(path, e) || !remove_stale(path, &address, e)) return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    mode_t before = umask(0117); /* 0660 from its first moment */
    bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    umask(before);
    if (ok) ok = listen(fd, 16) == 0;
    if (!ok) err_os(e, EX_CANTCREAT, "the control socket %s", path);
    if (ok && give(path, user, e)) return fd;
    if (fd >= 0) close(fd);
    return -1;
}

static bool write_out(int directory, const char *name, struct str bytes, struct err *e)
{
    int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return err_os(e, EX_CANTCREAT, "%s", name);
    bool ok = true;
    while (ok && bytes.n) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR) continue;
        ok = n >= 0;
        if (ok) bytes = str_from(bytes, (size_t)n);
    }
    ok = (ok && fsync(fd) == 0) || err_os(e, EX_IOERR, "%s", name);
    close(fd);
    return ok;
}

/* In a directory that another user owns: no link is followed, and what is there by that name is replaced, not opened.
 */
bool file_keep_program(const char *state, int program, struct err *e)
{
    static const char fresh[] = ACCEPTED_PROGRAM ".new";
    struct buf bytes = {0};
    int directory = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return err_os(e, EX_CANTCREAT, "%s", state);
    unlinkat(directory, fresh, 0);
    bool ok = build_read_fd(program, BUILD_PROGRAM_MAX, &bytes, e) && write_out(directory, fresh, buf_str(&bytes), e);
    if (ok && renameat(directory, fresh, directory, ACCEPTED_PROGRAM) < 0)
        ok = err_os(e, EX_IOERR, "%s/" ACCEPTED_PROGRAM, state);
    ok = ok && directory_sync(directory, state, e);
    buf_free(&bytes);
    close(directory);
    return ok;
}

void socket_notify(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t n = path ? strlen(path) : 0;
    if (n < 2 || n >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@')) return;
    memcpy(address.sun_path, path, n);
    if (path[0] == '@') address.sun_path[0] = 0; /* an abstract name */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&address, length);
    close(fd);
}
