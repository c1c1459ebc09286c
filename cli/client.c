#include "cli/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

enum { ROW_MAX = 16 * 1024 * 1024, SILENCE_MS = 3000 };

static const char *socket_path(const struct client *c)
{
    if (c->socket) return c->socket;
    const char *named = getenv("SLUICE_SOCKET");
    return named && *named ? named : "/run/sluice/control.sock";
}

static int connect_to(const char *path, struct err *e)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof a.sun_path) {
        err_set(e, EX_USAGE, "%s: the path of a socket has at most %zu bytes", path, sizeof a.sun_path - 1);
        return -1;
    }
    memcpy(a.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof a) == 0) return fd;
    if (errno == EACCES)
        err_os(e, EX_NOPERM, "%s is for root, the relay's user and its group", path);
    else
        err_os(e, EX_UNAVAILABLE, "no relay answers at %s (is sluiced running?)", path);
    if (fd >= 0) close(fd);
    return -1;
}

struct js *client_request(const char *op)
{
    struct js *o = js_object();
    js_put_num(o, "v", 1);
    js_put_cstr(o, "op", op);
    return o;
}

static bool send_line(int fd, struct str request, struct err *e)
{
    struct buf line = {0};
    buf_add(&line, request);
    buf_add_byte(&line, '\n');
    struct str rest = buf_str(&line);
    while (rest.n) {
        ssize_t n = send(fd, rest.p, rest.n, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) break;
        rest = str_from(rest, (size_t)n);
    }
    bool ok = rest.n == 0 || err_os(e, EX_IOERR, "cannot write to the relay");
    buf_free(&line);
    return ok;
}

/* The last line: what the relay said of the whole call. */
static int finish(const struct js *last)
{
    bool ok = false;
    int64_t status = EX_SOFTWARE;
    struct str text = STR("");
    js_get_bool(last, "ok", &ok);
    js_get_str(last, "text", &text);
    if (ok) {
        if (text.n) printf("%.*s%s", STR_ARG(text), text.p[text.n - 1] == '\n' ? "" : "\n");
        return EX_OK;
    }
    js_get_num(last, "status", &status);
    js_get_str(last, "error", &text);
    fprintf(stderr, "%.*s%s", STR_ARG(text), text.n && text.p[text.n - 1] == '\n' ? "" : "\n");
    return (int)status;
}

/* Takes one line; *status is set when it was the last. */
static bool take_line(const struct client *c, struct str line, int *status, struct err *e)
{
    struct js *row = js_parse(line, ROW_MAX, e);
    if (!row) return false;
    bool last = js_get(row, "ok") != NULL;
    if (last) *status = finish(row);
    else if (c->row) c->row(c->owner, row, line);
    js_free(&row);
    return true;
}

/* The supervisor holds the socket while there is no relay behind it: who waits hears so, and may go on waiting. */
static void wait_for_bytes(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, SILENCE_MS) == 0)
        fprintf(stderr,
                "sluice: no answer yet: the relay is busy, or does not run (its log says why); still waiting\n");
}

/* Reads until the last line; -1 with *e when the answer breaks off. */
static int read_answer(const struct client *c, int fd, struct err *e)
{
    struct buf in = {0};
    size_t begin = 0; /* of the line that is not yet whole */
    int status = -1;
    wait_for_bytes(fd);
    while (status < 0) {
        struct str rest = str_from(buf_str(&in), begin);
        size_t end = str_find_byte(rest, '\n');
        if (end != STR_NPOS) {
            if (!take_line(c, str_slice(rest, 0, end), &status, e)) break;
            begin += end + 1;
            continue;
        }
        buf_consume(&in, begin);
        begin = 0;
        if (in.n > ROW_MAX) {
            err_set(e, EX_PROTOCOL, "the relay's answer has no end");
            break;
        }
        buf_reserve(&in, 65536);
        ssize_t n = recv(fd, in.p + in.n, 65536, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            err_set(e, EX_UNAVAILABLE, "the relay closed the connection before its answer was whole");
            break;
        }
        in.n += (size_t)n;
    }
    buf_free(&in);
    return status;
}

/* --- several requests --------------------------------------------------------------------------------------------- */

struct client_talk {
    const struct client *client;
    int fd;
};

struct client_talk *client_talk_begin(const struct client *c, int *status)
{
    struct err e = {0};
    int fd = connect_to(socket_path(c), &e);
    *status = fd < 0 ? fail(&e) : EX_OK;
    if (fd < 0) return NULL;
    struct client_talk *t = mem_alloc(sizeof *t);
    *t = (struct client_talk){c, fd};
    return t;
}

int client_talk_line(struct client_talk *t, struct str request)
{
    struct err e = {0};
    int status = send_line(t->fd, request, &e) ? read_answer(t->client, t->fd, &e) : -1;
    return status < 0 ? fail(&e) : status;
}

void client_talk_end(struct client_talk **t)
{
    if (*t) close((*t)->fd);
    free(*t);
    *t = NULL;
}

/* --- one request -------------------------------------------------------------------------------------------------- */

int client_send(const struct client *c, struct js *request)
{
    struct buf line = {0};
    js_print(request, &line);
    js_free(&request);
    int status;
    struct client_talk *t = client_talk_begin(c, &status);
    if (t) status = client_talk_line(t, buf_str(&line));
    client_talk_end(&t);
    buf_free(&line);
    return status;
}

int client_call(const struct client *c, const char *op, const char *id)
{
    struct js *o = client_request(op);
    if (id) js_put_cstr(o, "id", id);
    return client_send(c, o);
}
