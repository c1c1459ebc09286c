/* What a process cannot do any more once its filter stands, tried from inside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "jail/jail.h"
#include "jail/warm.h"

enum { ALLOWED = 10, REFUSED = 11, NO_FILTER = 12 };

static pid_t parent;
static int pair[2];
static int scratch = -1;

/* Each answers like a system call: negative is refused. */
static long try_open(void) { return syscall(SYS_open, "/etc/passwd", O_RDONLY); }
static long try_openat(void) { return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY); }
static long try_create(void) { return syscall(SYS_openat, AT_FDCWD, "/tmp/jail-test", O_WRONLY | O_CREAT, 0600); }
static long try_openat2(void) { return syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", (uint64_t[3]){0}, 24); }
static long try_socket(void) { return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0); }
static long try_unix_socket(void) { return syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0); }
static long try_connect(void) { return syscall(SYS_connect, pair[0], "\1\0/x", 4); }
static long try_execve(void)
{
    return syscall(SYS_execve, "/bin/true", (const char *[]){"true", NULL}, (char *[]){NULL});
}
static long try_execveat(void)
{
    return syscall(SYS_execveat, AT_FDCWD, "/bin/true", (const char *[]){"true", NULL}, NULL, 0);
}
static long try_fork(void)
{
    long pid = syscall(SYS_fork);
    if (pid == 0) _exit(0);
    return pid;
}
static long try_clone(void)
{
    long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) _exit(0);
    return pid;
}
static long try_clone3(void)
{
    uint64_t arguments[8] = {[4] = SIGCHLD};
    long pid = syscall(SYS_clone3, arguments, sizeof arguments);
    if (pid == 0) _exit(0);
    return pid;
}
static long try_ptrace(void) { return syscall(SYS_ptrace, PTRACE_ATTACH, parent, 0, 0); }
static long try_kill(void) { return syscall(SYS_kill, parent, 0); }
static long try_kill_hard(void) { return syscall(SYS_kill, 0x3fffffff, SIGKILL) < 0 && errno == ESRCH ? 0 : -1; }
static long try_tgkill(void) { return syscall(SYS_tgkill, parent, parent, 0); }
static long try_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? -1 : 0;
}
static long try_make_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mprotect(p, 4096, PROT_READ | PROT_EXEC);
}
static long try_prctl(void) { return syscall(SYS_prctl, PR_SET_DUMPABLE, 1); }
static long try_seccomp(void) { return syscall(SYS_seccomp, 1, 0, NULL) < 0 && errno == EFAULT ? 0 : -1; }
static long try_write(void) { return syscall(SYS_write, scratch, "x", 1); }
static long try_unshare(void) { return syscall(SYS_unshare, CLONE_NEWUSER); }
static long try_peek(void)
{
    char byte;
    struct iovec here = {&byte, 1}, there = {(void *)&parent, 1};
    return syscall(SYS_process_vm_readv, parent, &here, 1, &there, 1, 0);
}
static long try_io_uring(void) { return syscall(SYS_io_uring_setup, 1, (char[120]){0}); }
static long try_unlink(void) { return syscall(SYS_unlink, "/tmp/jail-test-none") < 0 && errno == ENOENT ? 0 : -1; }
static long try_memory(void)
{
    volatile char *p = malloc(3 * 1024 * 1024);
    p[4096] = 1;
    free((void *)p);
    return 0;
}
static long try_clock(void)
{
    struct timespec t;
    return syscall(SYS_clock_gettime, CLOCK_REALTIME, &t);
}
static long try_send(void)
{
    struct iovec v = {(char[]){'x'}, 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    return sendmsg(pair[0], &m, 0);
}
static void *nothing(void *p) { return p; }
static long try_thread(void)
{
    pthread_t t;
    return pthread_create(&t, NULL, nothing, NULL) ? -1 : pthread_join(t, NULL);
}
static long try_words(void) { return fprintf(stderr, "%s", "") < 0 ? -1 : (long)syscall(SYS_write, 2, "", 0); }

enum { R = 1 << JAIL_RELAY, B = 1 << JAIL_TEMPLATE_BUILD, S = 1 << JAIL_TEMPLATE_SERVE, J = 1 << JAIL_JUDGE };
static const struct attempt {
    const char *name;
    long (*go)(void);
    unsigned allowed_in; /* filters; in all others it is refused */
} attempts[] = {
    {"open", try_open, R | B},
    {"openat", try_openat, R | B},
    {"create a file", try_create, R},
    {"openat2", try_openat2, 0},
    {"socket", try_socket, R},
    {"unix socket", try_unix_socket, R},
    {"connect", try_connect, 0},
    {"execve", try_execve, 0},
    {"execveat", try_execveat, 0},
    {"fork", try_fork, B | S},
    {"clone", try_clone, B | S},
    {"clone3", try_clone3, 0},
    {"ptrace", try_ptrace, 0},
    {"kill the parent", try_kill, 0},
    {"tgkill the parent", try_tgkill, 0},
    {"kill", try_kill_hard, B | S},
    {"executable mapping", try_code, B | S},
    {"executable by mprotect", try_make_code, B | S},
    {"prctl", try_prctl, R | B | S},
    {"seccomp", try_seccomp, B | S},
    {"write to a file", try_write, R | B},
    {"unshare", try_unshare, 0},
    {"read another's memory", try_peek, 0},
    {"io_uring", try_io_uring, 0},
    {"unlink", try_unlink, R},
    {"memory", try_memory, R | B | S | J},
    {"clock", try_clock, R | B | S | J},
    {"send", try_send, R | B | S | J},
    {"thread", try_thread, R},
    {"last words", try_words, R | B | S | J},
};

/* Filters as the processes meet them: a judge stands under all three of its line. */
static bool install_line(enum jail_filter last)
{
    struct err e = {0};
    enum jail_filter first = last == JAIL_RELAY ? JAIL_RELAY : JAIL_TEMPLATE_BUILD;
    for (enum jail_filter f = first; f <= last; f++)
        if (!jail_install(f, &e)) return false;
    return true;
}

static int outcome_of(enum jail_filter f, const struct attempt *a)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct err e = {0};
        jail_harden_process();
        if (!warm_run(warm_common, warm_common_count, &e) || !install_line(f)) _exit(NO_FILTER);
        _exit(a->go() >= 0 ? ALLOWED : REFUSED);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) return WTERMSIG(status) == SIGSYS ? REFUSED : -WTERMSIG(status);
    return WEXITSTATUS(status);
}

static void try_all(enum jail_filter f)
{
    parent = getpid();
    scratch = memfd_create("scratch", 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        int want = attempts[i].allowed_in & (1u << f) ? ALLOWED : REFUSED, got = outcome_of(f, &attempts[i]);
        if (attempts[i].go == try_connect && f == JAIL_RELAY) want = got; /* allowed; what it answers is not ours */
        if (got != want) fail_msg("%s: %s: %d instead of %d", jail_filter_names[f], attempts[i].name, got, want);
    }
    unlink("/tmp/jail-test");
    close(scratch);
    close(pair[0]);
    close(pair[1]);
}

static void the_relay(void **unused) { (void)unused; try_all(JAIL_RELAY); }
static void the_template_building(void **unused) { (void)unused; try_all(JAIL_TEMPLATE_BUILD); }
static void the_template_serving(void **unused) { (void)unused; try_all(JAIL_TEMPLATE_SERVE); }
static void the_judge(void **unused) { (void)unused; try_all(JAIL_JUDGE); }

#ifndef SLUICE_SANITIZED /* there, what is refused answers EPERM */
static void an_attack_ends_the_relay(void **unused)
{
    (void)unused;
    pid_t pid = fork();
    if (pid == 0) {
        install_line(JAIL_RELAY);
        try_execve();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}
#endif

/* A filter holds for threads that were there before it. */
static int begin[2];
static void *early(void *unused)
{
    char byte;
    (void)unused;
    if (read(begin[0], &byte, 1) != 1) _exit(NO_FILTER);
    _exit(try_openat2() >= 0 ? ALLOWED : REFUSED);
}
static void threads_are_held_too(void **unused)
{
    (void)unused;
    assert_int_equal(pipe(begin), 0);
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t t;
        if (pthread_create(&t, NULL, early, NULL) || !install_line(JAIL_RELAY)) _exit(NO_FILTER);
        if (write(begin[1], "x", 1) != 1) _exit(NO_FILTER);
        pthread_join(t, NULL);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), REFUSED);
}

static void code_is_sealed(void **unused)
{
    (void)unused;
    pid_t pid = fork();
    if (pid == 0) {
        struct err e = {0};
        unsigned char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memcpy(code, "\xb8\x07\x00\x00\x00\xc3", 6); /* mov eax, 7; ret */
        int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
        if (!install_line(JAIL_TEMPLATE_SERVE) || !jail_seal_code(maps, &e)) _exit(NO_FILTER);
        char text[65536];
        size_t n = 0;
        lseek(maps, 0, SEEK_SET);
        for (ssize_t got; n < sizeof text - 1 && (got = read(maps, text + n, sizeof text - 1 - n)) > 0;)
            n += (size_t)got;
        text[n] = 0;
        if (strstr(text, " rwx")) _exit(ALLOWED);
        int (*call)(void);
        memcpy(&call, &code, sizeof call);
#ifdef __x86_64__
        if (call() != 7) _exit(NO_FILTER);
#endif
        _exit(REFUSED);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), REFUSED);
}

static void the_kernel_says_so(void **unused)
{
    (void)unused;
    int go[2];
    assert_int_equal(pipe(go), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct iovec v = {(char[]){'y'}, 1};
        struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
        if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) || !install_line(JAIL_JUDGE)) _exit(NO_FILTER);
        close(go[1]);
        recvmsg(pair[0], &m, 0); /* until it is killed */
        _exit(0);
    }
    close(go[1]);
    char byte;
    assert_int_equal(read(go[0], &byte, 1), 0); /* end of file: the filter stands */
    char path[64], text[8192];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_non_null(strstr(text, "Seccomp:\t2"));
    assert_non_null(strstr(text, "NoNewPrivs:\t1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_relay), cmocka_unit_test(the_template_building), cmocka_unit_test(the_template_serving),
        cmocka_unit_test(the_judge),
#ifndef SLUICE_SANITIZED
        cmocka_unit_test(an_attack_ends_the_relay),
#endif
        cmocka_unit_test(threads_are_held_too), cmocka_unit_test(code_is_sealed), cmocka_unit_test(the_kernel_says_so),
    };
    return cmocka_run_group_tests_name("jail: the filters", tests, NULL, NULL);
}
