/* What the disks of the rigs have in common: a FUSE file system, shown in a mount of its own by a program that stays in
 * the foreground until it is unmounted, or the rig is gone.  One thread: a disk is told things in one order. */
#ifndef SLUICE_TESTS_FUSE_DISK_H
#define SLUICE_TESTS_FUSE_DISK_H

#define FUSE_USE_VERSION 31
#include <fuse3/fuse.h>
#include <signal.h>
#include <sys/prctl.h>

/* Returns when unmounted: 0, or what the program should end with. */
static inline int fuse_disk_serve(char *program, char *mountpoint, const struct fuse_operations *operations)
{
    char foreground[] = "-f", one_thread[] = "-s", *arguments[] = {program, foreground, one_thread, mountpoint, NULL};
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* at which libfuse unmounts */
    return fuse_main(4, arguments, operations, NULL);
}

#endif
