/* jail/filters: the tables: which calls, with which arguments, in which filter.  Private to this room. */
#ifndef SLUICE_JAIL_FILTERS_H
#define SLUICE_JAIL_FILTERS_H

#include <stddef.h>
#include <stdint.h>

#include "jail/jail.h"

enum call_when {
    CALL_ALWAYS,
    CALL_MASKED, /* when (argument & mask) == value */
    CALL_SELF    /* when the argument is the process's own id */
};
struct call_rule {
    int number;
    const char *name;
    enum call_when when;
    unsigned argument;
    uint64_t mask, value;
};
struct call_set {
    const struct call_rule *rules;
    size_t count;
};

enum { FILTER_SETS_MAX = 6 };
struct filter {
    bool kill; /* what is not allowed ends the process; else it answers EPERM */
    const struct call_set *sets[FILTER_SETS_MAX];
};
extern const struct filter filters[JAIL_FILTER_COUNT];

/* Calls that end the process in any filter that does not allow them: no program of ours asks for them by accident. */
extern const struct call_set deadly_calls;
/* What only the sanitizers ask for. */
extern const struct call_set sanitizer_calls;

#endif
