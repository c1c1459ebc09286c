/* Who a process is and where it may write: becoming another user, and Landlock. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#include "jail/jail.h"

bool jail_become(const char *user, struct err *e)
{
    if (geteuid() != 0 || !*user) return true;
    errno = 0;
    const struct passwd *p = getpwnam(user);
    if (!p) return err_set(e, EX_NOUSER, "there is no user %.100s", user);
    uid_t uid = p->pw_uid;
    gid_t gid = p->pw_gid;
    if (setgroups(1, &gid) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
        return err_os(e, EX_OSERR, "becoming the user %.100s", user);
    if (uid != 0 && (setresuid(0, 0, 0) == 0 || geteuid() != uid))
        return err_set(e, EX_OSERR, "the privileges of root could not be given up");
    return true;
}

bool jail_confine_writes(const char *directory, struct err *e)
{
    const uint64_t writing = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                             LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                             LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                             LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;
    struct landlock_ruleset_attr attributes = {.handled_access_fs = writing};
    int rules = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
    if (rules < 0) return err_os(e, EX_OSERR, "Landlock");
    struct landlock_path_beneath_attr beneath = {.allowed_access = writing};
    beneath.parent_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool ok = beneath.parent_fd >= 0 &&
              syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) == 0 &&
              prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_landlock_restrict_self, rules, 0) == 0;
    if (!ok) err_os(e, EX_OSERR, "Landlock");
    if (beneath.parent_fd >= 0) close(beneath.parent_fd);
    close(rules);
    return ok;
}
