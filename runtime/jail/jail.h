/* jail: what each process may no longer ask of the kernel: seccomp filters and, where the kernel has it, Landlock.
 *
 * Owns the filter tables (jail/filters.c) and their installation; holds no state.  A filter is forever and for every
 * thread of the process; a later one can only take more away.  Filters have nothing to do with privileges: they hold
 * without root too. */
#ifndef SLUICE_JAIL_JAIL_H
#define SLUICE_JAIL_JAIL_H

#include "base/err.h"

/* In the order in which a generation meets them (DESIGN section 2). */
enum jail_filter {
    JAIL_RELAY,          /* network, files, threads; no exec, fork, ptrace, executable memory */
    JAIL_TEMPLATE_BUILD, /* filter 0: open only for reading; no network, no exec */
    JAIL_TEMPLATE_SERVE, /* filter 1: no open; keeps fork, wait, kill, mmap, mprotect, seccomp, prctl */
    JAIL_JUDGE,          /* filter 2: recvmsg, sendmsg, memory, clock */
    JAIL_FILTER_COUNT
};
extern const char *const jail_filter_names[JAIL_FILTER_COUNT];

/* Installs the filter, no_new_privs first.  False (EX_CONFIG) when the kernel refuses: the process must then not go on,
 * unless the configuration says `sandbox off`.  What is not allowed ends the process with SIGSYS; in the relay and in
 * a building template, where libraries may try what they can do without (a name service daemon's socket), only what an
 * attack would ask for (exec, ptrace …) does, and the rest answers EPERM.  In sanitizer builds (SLUICE_SANITIZED)
 * everything answers EPERM, and what the sanitizers need is allowed. */
bool jail_install(enum jail_filter filter, struct err *e);

/* Confines writing, creating and removing to `directory` (Landlock), for this thread and those it starts; reading is
 * not touched.  False, with *e saying why, when the kernel has no Landlock: never relied on. */
bool jail_confine_writes(const char *directory, struct err *e);

/* No core files (they would hold mail and keys), and no ptrace by processes of the same user. */
void jail_harden_process(void);

/* Becomes `user` for good when running as root and user is not empty: groups, group, user.  False with *e (EX_NOUSER,
 * EX_OSERR). */
bool jail_become(const char *user, struct err *e);

/* Every writable and executable mapping becomes readable and executable.  `maps_fd` is /proc/self/maps opened while
 * opening was still allowed (read from its start).  Afterwards nothing may be compiled or freed in those mappings.
 * False (EX_OSERR) when one cannot be changed. */
bool jail_seal_code(int maps_fd, struct err *e);

#endif
