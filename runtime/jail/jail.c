#include "jail/jail.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include <seccomp.h>

#include "jail/filters.h"

#ifdef SLUICE_SANITIZED
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

/* Adds one row.  A call that this architecture has not got needs no rule. */
static int add_rule(scmp_filter_ctx context, uint32_t action, const struct call_rule *r)
{
    if (r->number == __NR_SCMP_ERROR) return 0;
    struct scmp_arg_cmp compare = {0};
    int result;
    switch (r->when) {
    case CALL_ALWAYS: result = seccomp_rule_add(context, action, r->number, 0); break;
    case CALL_SELF:
        compare = SCMP_CMP64(r->argument, SCMP_CMP_EQ, (uint64_t)getpid(), 0);
        result = seccomp_rule_add(context, action, r->number, 1, compare);
        break;
    default:
        compare = SCMP_CMP64(r->argument, SCMP_CMP_MASKED_EQ, r->mask, r->value);
        result = seccomp_rule_add(context, action, r->number, 1, compare);
        break;
    }
    return result == -EDOM ? 0 : result;
}

static int add_set(scmp_filter_ctx context, uint32_t action, const struct call_set *set)
{
    int result = 0;
    for (size_t i = 0; i < set->count && result == 0; i++) result = add_rule(context, action, &set->rules[i]);
    return result;
}

static bool is_allowed(const struct filter *f, int number)
{
    for (size_t i = 0; i < FILTER_SETS_MAX && f->sets[i]; i++)
        for (size_t k = 0; k < f->sets[i]->count; k++)
            if (f->sets[i]->rules[k].number == number) return true;
    return false;
}

/* clone3 hides its flags behind a pointer: answered ENOSYS, so that libc falls back to clone, whose flags can be seen.
 */
static int fill(scmp_filter_ctx context, const struct filter *f)
{
    int result = seccomp_attr_set(context, SCMP_FLTATR_CTL_TSYNC, 1);
    for (size_t i = 0; i < FILTER_SETS_MAX && f->sets[i] && result == 0; i++)
        result = add_set(context, SCMP_ACT_ALLOW, f->sets[i]);
    if (SANITIZED && result == 0) result = add_set(context, SCMP_ACT_ALLOW, &sanitizer_calls);
    if (result == 0) result = seccomp_rule_add(context, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (SANITIZED || f->kill) return result;
    for (size_t i = 0; i < deadly_calls.count && result == 0; i++)
        if (!is_allowed(f, deadly_calls.rules[i].number))
            result = add_rule(context, SCMP_ACT_KILL_PROCESS, &deadly_calls.rules[i]);
    return result;
}

bool jail_install(enum jail_filter filter, struct err *e)
{
    const struct filter *f = &filters[filter];
    uint32_t otherwise = f->kill && !SANITIZED ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(EPERM);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return err_os(e, EX_CONFIG, "forbidding new privileges");
    scmp_filter_ctx context = seccomp_init(otherwise);
    int result = context ? fill(context, f) : -ENOMEM;
    if (result == 0) result = seccomp_load(context);
    if (context) seccomp_release(context);
    if (result == 0) return true;
    errno = -result;
    return err_os(e, EX_CONFIG, "the kernel refuses the filter of the %s process", jail_filter_names[filter]);
}

void jail_harden_process(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
