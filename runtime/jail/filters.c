#include "jail/filters.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <termios.h>

#include <seccomp.h>

#ifndef F_GET_SEALS
#define F_GET_SEALS 1034
#endif
#define CALL(call)                                                                                                     \
    {                                                                                                                  \
        SCMP_SYS(call), #call, CALL_ALWAYS, 0, 0, 0                                                                    \
    }
#define WHEN(call, argument, mask, value)                                                                              \
    {                                                                                                                  \
        SCMP_SYS(call), #call, CALL_MASKED, argument, mask, value                                                      \
    }
#define SELF(call, argument)                                                                                           \
    {                                                                                                                  \
        SCMP_SYS(call), #call, CALL_SELF, argument, 0, 0                                                               \
    }
#define EXACTLY   UINT64_MAX
#define SET(name) static const struct call_set name = {name##_rules, sizeof name##_rules / sizeof *name##_rules}

#define NO_NAMESPACES                                                                                                  \
    ((uint64_t)CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |            \
     CLONE_NEWNET)

/* Ending, waiting for locks, telling the time, one's own memory: everybody. */
static const struct call_rule living_rules[] = {CALL(exit),
                                                CALL(exit_group),
                                                CALL(rt_sigreturn),
                                                CALL(rt_sigprocmask),
                                                CALL(restart_syscall),
                                                CALL(getpid),
                                                CALL(gettid),
                                                SELF(tgkill, 0),
                                                CALL(futex),
                                                CALL(sched_yield),
                                                CALL(clock_gettime),
                                                CALL(clock_getres),
                                                CALL(gettimeofday),
                                                CALL(time),
                                                CALL(clock_nanosleep),
                                                CALL(nanosleep),
                                                CALL(getrandom),
                                                CALL(brk),
                                                CALL(munmap),
                                                CALL(mremap),
                                                CALL(madvise),
                                                CALL(close),
                                                CALL(recvmsg),
                                                CALL(sendmsg),
                                                CALL(fstat),
                                                WHEN(fcntl, 1, EXACTLY, F_GET_SEALS),
                                                WHEN(newfstatat, 3, AT_EMPTY_PATH, AT_EMPTY_PATH),
                                                WHEN(sendto, 4, EXACTLY, 0)};
SET(living);

/* The last words of a broken promise (INVARIANT), and nothing else. */
static const struct call_rule last_words_rules[] = {WHEN(write, 0, EXACTLY, 2), WHEN(writev, 0, EXACTLY, 2)};
SET(last_words);

static const struct call_rule plain_memory_rules[] = {WHEN(mmap, 2, PROT_EXEC, 0), WHEN(mprotect, 2, PROT_EXEC, 0)};
SET(plain_memory);

/* The template compiles patterns to machine code before it seals it. */
static const struct call_rule code_memory_rules[] = {CALL(mmap), CALL(mprotect)};
SET(code_memory);

static const struct call_rule forking_rules[] = {WHEN(clone, 0, NO_NAMESPACES | CLONE_VM, 0),
                                                 CALL(fork),
                                                 CALL(wait4),
                                                 WHEN(kill, 1, EXACTLY, SIGKILL),
                                                 CALL(seccomp),
                                                 CALL(prctl),
                                                 CALL(poll),
                                                 CALL(ppoll),
                                                 CALL(read),
                                                 CALL(pread64),
                                                 CALL(lseek),
                                                 CALL(close_range),
                                                 CALL(fcntl),
                                                 WHEN(socketpair, 0, EXACTLY, AF_UNIX),
                                                 CALL(setsockopt),
                                                 CALL(getsockopt),
                                                 CALL(set_robust_list),
                                                 CALL(rseq),
                                                 CALL(set_tid_address),
                                                 CALL(rt_sigaction),
                                                 CALL(sigaltstack),
                                                 CALL(prlimit64),
                                                 CALL(getuid),
                                                 CALL(geteuid),
                                                 CALL(getgid),
                                                 CALL(getegid),
                                                 CALL(getppid),
                                                 CALL(sched_getaffinity),
                                                 CALL(sysinfo),
                                                 CALL(uname),
                                                 CALL(getcpu)};
SET(forking);

/* Files, but only to read; and memfds, which are the results. */
static const struct call_rule reading_rules[] = {WHEN(openat, 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY),
                                                 WHEN(open, 1, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY),
                                                 CALL(newfstatat),
                                                 CALL(stat),
                                                 CALL(lstat),
                                                 CALL(statx),
                                                 CALL(access),
                                                 CALL(faccessat),
                                                 CALL(faccessat2),
                                                 CALL(readlink),
                                                 CALL(readlinkat),
                                                 CALL(getcwd),
                                                 CALL(getdents64),
                                                 CALL(write),
                                                 CALL(writev),
                                                 CALL(memfd_create),
                                                 CALL(ftruncate),
                                                 CALL(statfs),
                                                 CALL(fstatfs),
                                                 CALL(readv),
                                                 CALL(dup),
                                                 CALL(umask),
                                                 CALL(signalfd4),
                                                 CALL(setresuid),
                                                 CALL(setresgid),
                                                 CALL(setgroups),
                                                 CALL(getgroups),
                                                 CALL(fadvise64),
                                                 WHEN(ioctl, 1, EXACTLY, TCGETS)};
SET(reading);

/* Landlock, where there is one, keeps the relay's writing inside the state directory. */
static const struct call_rule relay_rules[] = {CALL(read),
                                               CALL(readv),
                                               CALL(pread64),
                                               CALL(preadv),
                                               CALL(write),
                                               CALL(writev),
                                               CALL(pwrite64),
                                               CALL(pwritev),
                                               CALL(lseek),
                                               CALL(newfstatat),
                                               CALL(stat),
                                               CALL(lstat),
                                               CALL(statx),
                                               CALL(open),
                                               CALL(openat),
                                               CALL(unlink),
                                               CALL(unlinkat),
                                               CALL(mkdir),
                                               CALL(mkdirat),
                                               CALL(rename),
                                               CALL(renameat),
                                               CALL(ftruncate),
                                               CALL(fallocate),
                                               CALL(fsync),
                                               CALL(fdatasync),
                                               CALL(sync_file_range),
                                               CALL(fcntl),
                                               CALL(flock),
                                               CALL(dup),
                                               CALL(dup2),
                                               CALL(dup3),
                                               CALL(pipe2),
                                               CALL(eventfd2),
                                               CALL(memfd_create),
                                               CALL(epoll_create1),
                                               CALL(epoll_ctl),
                                               CALL(epoll_wait),
                                               CALL(epoll_pwait),
                                               CALL(epoll_pwait2),
                                               CALL(poll),
                                               CALL(ppoll),
                                               CALL(select),
                                               CALL(pselect6),
                                               CALL(timerfd_create),
                                               CALL(timerfd_settime),
                                               CALL(signalfd4),
                                               CALL(socket),
                                               WHEN(socketpair, 0, EXACTLY, AF_UNIX), /* libunbound's, to its thread */
                                               CALL(connect),
                                               CALL(bind),
                                               CALL(listen),
                                               CALL(accept),
                                               CALL(accept4),
                                               CALL(shutdown),
                                               CALL(getsockname),
                                               CALL(getpeername),
                                               CALL(getsockopt),
                                               CALL(setsockopt),
                                               CALL(sendto),
                                               CALL(recvfrom),
                                               CALL(sendmmsg),
                                               CALL(recvmmsg),
                                               WHEN(ioctl, 1, EXACTLY, FIONBIO),
                                               WHEN(ioctl, 1, EXACTLY, FIONREAD),
                                               WHEN(ioctl, 1, EXACTLY, TCGETS),
                                               WHEN(ioctl, 1, EXACTLY, TIOCGWINSZ),
                                               WHEN(clone, 0, CLONE_THREAD, CLONE_THREAD),
                                               CALL(set_robust_list),
                                               CALL(rseq),
                                               CALL(set_tid_address),
                                               CALL(rt_sigaction),
                                               CALL(sigaltstack),
                                               CALL(rt_sigtimedwait),
                                               CALL(prctl),
                                               CALL(prlimit64),
                                               CALL(getrusage),
                                               CALL(getuid),
                                               CALL(geteuid),
                                               CALL(getgid),
                                               CALL(getegid),
                                               CALL(getppid),
                                               CALL(getcwd),
                                               CALL(readlink),
                                               CALL(readlinkat),
                                               CALL(access),
                                               CALL(faccessat),
                                               CALL(faccessat2),
                                               CALL(getdents64),
                                               CALL(statfs),
                                               CALL(fstatfs),
                                               CALL(uname),
                                               CALL(sysinfo),
                                               CALL(sched_getaffinity),
                                               CALL(sched_setaffinity),
                                               CALL(sched_getparam),
                                               CALL(sched_getscheduler),
                                               CALL(getcpu),
                                               CALL(umask),
                                               CALL(fchmod),
                                               CALL(fchown),
                                               CALL(membarrier),
                                               CALL(fadvise64)};
SET(relay);

static const struct call_rule deadly_rules[] = {CALL(execve),
                                                CALL(execveat),
                                                CALL(fork),
                                                CALL(vfork),
                                                CALL(ptrace),
                                                CALL(process_vm_readv),
                                                CALL(process_vm_writev),
                                                CALL(kill),
                                                CALL(tkill),
                                                CALL(rt_sigqueueinfo),
                                                CALL(rt_tgsigqueueinfo),
                                                CALL(pidfd_open),
                                                CALL(pidfd_getfd),
                                                CALL(pidfd_send_signal),
                                                CALL(setuid),
                                                CALL(setgid),
                                                CALL(setreuid),
                                                CALL(setregid),
                                                CALL(setresuid),
                                                CALL(setresgid),
                                                CALL(setgroups),
                                                CALL(capset),
                                                CALL(mount),
                                                CALL(umount2),
                                                CALL(pivot_root),
                                                CALL(chroot),
                                                CALL(unshare),
                                                CALL(setns),
                                                CALL(bpf),
                                                CALL(userfaultfd),
                                                CALL(perf_event_open),
                                                CALL(io_uring_setup),
                                                CALL(init_module),
                                                CALL(finit_module),
                                                CALL(kexec_load),
                                                CALL(keyctl),
                                                CALL(add_key),
                                                CALL(personality),
                                                CALL(pkey_mprotect),
                                                CALL(open_by_handle_at)};
const struct call_set deadly_calls = {deadly_rules, sizeof deadly_rules / sizeof *deadly_rules};

static const struct call_rule sanitizer_rules[] = {
    CALL(sigaltstack), CALL(prlimit64), CALL(sched_getaffinity), CALL(rt_sigaction), CALL(getrusage), CALL(getppid),
    CALL(getuid),      CALL(readlink),  CALL(set_robust_list),   CALL(dup),          CALL(uname),     CALL(membarrier)};
const struct call_set sanitizer_calls = {sanitizer_rules, sizeof sanitizer_rules / sizeof *sanitizer_rules};

const struct filter filters[JAIL_FILTER_COUNT] = {
    [JAIL_RELAY] = {false, {&living, &plain_memory, &relay}},
    [JAIL_TEMPLATE_BUILD] = {false, {&living, &last_words, &code_memory, &forking, &reading}},
    [JAIL_TEMPLATE_SERVE] = {true, {&living, &last_words, &code_memory, &forking}},
    [JAIL_JUDGE] = {true, {&living, &last_words, &plain_memory}},
};

const char *const jail_filter_names[JAIL_FILTER_COUNT] = {
    [JAIL_RELAY] = "relay",
    [JAIL_TEMPLATE_BUILD] = "template, building",
    [JAIL_TEMPLATE_SERVE] = "template, serving",
    [JAIL_JUDGE] = "judge",
};
