#include "daemon/children.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "daemon/roles.h"

enum { CHILD_ARGUMENTS_MAX = 8, CHILD_FDS_MAX = 3, ABOVE_ALL = 16 };

/* First out of the way, then into place: a target may be another's source. */
static bool place_descriptors(const int *fds, size_t n)
{
    int aside[CHILD_FDS_MAX];
    for (size_t i = 0; i < n; i++)
        if ((aside[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, ABOVE_ALL)) < 0) return false;
    for (size_t i = 0; i < n; i++)
        if (dup2(aside[i], ROLE_CHANNEL_FD + (int)i) < 0) return false;
    return true;
}

pid_t child_start(int self, const char *name, const char *const *arguments, const int *fds, size_t n, struct err *e)
{
    char role[64];
    char *argv[CHILD_ARGUMENTS_MAX + 3] = {(char *)"sluiced", role};
    size_t argc = 2;
    INVARIANT(n <= CHILD_FDS_MAX);
    snprintf(role, sizeof role, "--role=%s", name);
    for (; *arguments; arguments++) {
        INVARIANT(argc < CHILD_ARGUMENTS_MAX + 2);
        argv[argc++] = (char *)(uintptr_t)*arguments;
    }
    fflush(stderr);
    pid_t pid = fork();
    if (pid < 0) err_os(e, EX_OSERR, "starting the %s process", name);
    if (pid != 0) return pid;
    int mine = fcntl(self, F_DUPFD_CLOEXEC, ABOVE_ALL);
    if (mine >= 0 && place_descriptors(fds, n)) fexecve(mine, argv, environ);
    _exit(EX_OSERR);
}

const char *child_end(int status)
{
    static char text[64];
    if (WIFSIGNALED(status))
        snprintf(text, sizeof text, "signal %d%s", WTERMSIG(status), WTERMSIG(status) == SIGSYS ? " (its filter)" : "");
    else
        snprintf(text, sizeof text, "exit %d", WEXITSTATUS(status));
    return text;
}
