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
 * unless the configuration says `sandbox off`.  A forbidden call ends the process with SIGSYS; in sanitizer builds
 * (SLUICE_SANITIZED) it answers EPERM, and what the sanitizers need is allowed. */
bool jail_install(enum jail_filter filter, struct err *e);

/* Confines writing, creating and removing to `directory` (Landlock); reading is not touched.  False without *e set when
 * the kernel has no Landlock: never relied on. */
bool jail_confine_writes(const char *directory, struct err *e);

/* No core files, no ptrace by others, no new privileges, and the parent's death is a SIGKILL where `die_with_parent`. */
void jail_harden_process(bool die_with_parent);

/* Every writable and executable mapping becomes readable and executable.  `maps_fd` is /proc/self/maps opened while opening
 * was still allowed (read from its start).  Afterwards nothing may be compiled or freed in those mappings.  False (EX_OSERR)
 * when one cannot be changed. */
bool jail_seal_code(int maps_fd, struct err *e);

#endif
