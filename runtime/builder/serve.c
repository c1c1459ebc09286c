#include "builder/serve.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/link_io.h"
#include "jail/jail.h"
#include "judge/serve.h"

int serve_watch_children(struct err *e)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) err_os(e, EX_OSERR, "watching for children");
    return fd;
}

/* A judge has its channel and the error stream, and nothing else that its template had. */
static void keep_only(int channel)
{
    if (channel > 3) close_range(3, (unsigned)channel - 1, 0);
    close_range((unsigned)channel + 1, ~0u, 0);
    close(0);
    close(1);
}

static _Noreturn void be_judge(struct serving *s, int channel)
{
    struct err e = {0};
    prctl(PR_SET_NAME, "sluiced-judge", 0, 0, 0);
    keep_only(channel);
    if (s->sandbox && !jail_install(JAIL_JUDGE, &e)) {
        fprintf(stderr, "sluiced: judge: %s\n", e.text);
        _exit(EX_CONFIG);
    }
    _exit(judge_serve(s->judge, channel));
}

static bool tell_relay(struct serving *s, enum link_kind kind, int pid, const char *text, const int *fd)
{
    struct link_message m = {.kind = kind, .generation = (uint64_t)pid, .text = str_of(text), .name = STR("")};
    return link_send(s->relay, &m, fd, fd ? 1 : 0, NULL);
}

/* A template that cannot fork has no use: it ends, and the supervisor makes another after a pause. */
static bool spawn(struct serving *s)
{
    int ends[2];
    struct err e = {0};
    if (s->pid_count == SERVE_JUDGES_MAX || !link_pair(ends, &e)) return false;
    fflush(stderr);
    pid_t pid = fork();
    if (pid == 0) be_judge(s, ends[1]);
    close(ends[1]);
    bool ok = pid > 0;
    if (ok) {
        s->pids[s->pid_count++] = pid;
        ok = tell_relay(s, LINK_JUDGE, pid, "", &ends[0]);
    }
    close(ends[0]);
    return ok;
}

static bool forget(struct serving *s, int pid)
{
    for (size_t i = 0; i < s->pid_count; i++) {
        if (s->pids[i] != pid) continue;
        s->pids[i] = s->pids[--s->pid_count];
        return true;
    }
    return false;
}

static bool reap(struct serving *s)
{
    struct signalfd_siginfo unused;
    int status, pid;
    while (read(s->children, &unused, sizeof unused) > 0) {
    }
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        char how[64];
        if (!forget(s, pid)) continue;
        if (WIFSIGNALED(status))
            snprintf(how, sizeof how, "signal %d", WTERMSIG(status));
        else
            snprintf(how, sizeof how, "exit %d", WEXITSTATUS(status));
        if (!tell_relay(s, LINK_DIED, pid, how, NULL)) return false;
    }
    return true;
}

/* Only a child of this template, not yet reaped, is ever killed: its number cannot be another process's. */
static void kill_judge(struct serving *s, uint64_t pid)
{
    for (size_t i = 0; i < s->pid_count; i++)
        if ((uint64_t)s->pids[i] == pid) kill(s->pids[i], SIGKILL);
}

static bool obey(struct serving *s, const struct link_message *m)
{
    switch (m->kind) {
    case LINK_HELLO: return str_eq(m->text, s->build_id);
    case LINK_SPAWN: return spawn(s);
    case LINK_KILL: kill_judge(s, m->generation); return true;
    default: return true;
    }
}

/* False: this channel is at its end. */
static bool hear(struct serving *s, int channel, struct buf *datagram, int *status)
{
    struct link_message m;
    struct err e = {0};
    int fds[LINK_FDS_MAX];
    switch (link_receive(channel, false, datagram, &m, fds, &e)) {
    case LINK_NOTHING: return true;
    case LINK_ENDED: return false;
    case LINK_FAILED:
        fprintf(stderr, "sluiced: template: %s\n", e.text);
        *status = EX_PROTOCOL;
        return false;
    case LINK_GOT: break;
    }
    link_close_all(fds);
    if (channel == s->supervisor || obey(s, &m)) return true;
    *status = EX_SOFTWARE;
    return false;
}

int serve_forks(struct serving *s)
{
    struct buf datagram = {0};
    int status = EX_OK;
    struct link_message hello = {.kind = LINK_HELLO, .text = s->build_id, .name = STR("")};
    if (!link_send(s->relay, &hello, NULL, 0, NULL)) return EX_OK; /* the relay is gone already */
    for (;;) {
        struct pollfd p[] = {{s->supervisor, POLLIN, 0}, {s->relay, POLLIN, 0}, {s->children, POLLIN, 0}};
        if (poll(p, 3, -1) < 0 && errno != EINTR) return EX_OSERR;
        if (p[2].revents && !reap(s)) return status;
        if (p[0].revents && !hear(s, s->supervisor, &datagram, &status)) return status;
        if (p[1].revents && !hear(s, s->relay, &datagram, &status)) return status;
    }
}
