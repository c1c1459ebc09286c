#include "daemon/roles.h"

#include <elf.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/link_io.h"

static const struct role roles[] = {{"relay", relay_main}, {"template", template_main}};

const struct role *role_find(const char *name)
{
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (strcmp(roles[i].name, name) == 0) return &roles[i];
    return NULL;
}

/* --- the build id ------------------------------------------------------------------------------------------------- */

static size_t aligned(size_t n) { return (n + 3) & ~(size_t)3; }

static struct str find_note(const char *p, size_t n)
{
    while (n >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        memcpy(&note, p, sizeof note);
        size_t name = aligned(note.n_namesz), whole = sizeof note + name + aligned(note.n_descsz);
        if (whole > n) break;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(p + sizeof note, "GNU", 4) == 0)
            return (struct str){p + sizeof note + name, note.n_descsz};
        p += whole;
        n -= whole;
    }
    return STR_NONE;
}

/* The first object is the program itself. */
static int look_at_object(struct dl_phdr_info *info, size_t size, void *context)
{
    struct str *id = context;
    (void)size;
    for (size_t i = 0; i < info->dlpi_phnum && !id->n; i++)
        if (info->dlpi_phdr[i].p_type == PT_NOTE)
            *id = find_note((const char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr), info->dlpi_phdr[i].p_memsz);
    return 1;
}

struct str role_build_id(void)
{
    static struct str id;
    if (!id.n) dl_iterate_phdr(look_at_object, &id);
    if (!id.n) id = STR("a build without an id: " __DATE__ " " __TIME__);
    return id;
}

/* --- a child's beginning ------------------------------------------------------------------------------------------ */

/* Signals to the whole group (a terminal's, a service manager's) are for the supervisor: it tells its children over
 * their channels, and a child whose channel ends goes by itself. */
bool role_begin(const char *name, int last_fd, struct err *e)
{
    sigset_t none;
    prctl(PR_SET_NAME, name, 0, 0, 0); /* what ps shows; after fexecve it would be a number */
    const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) signal(ignored[i], SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    close_range((unsigned)last_fd + 1, ~0u, 0);
    return link_greet(ROLE_CHANNEL_FD, role_build_id(), e);
}

int role_fail(const char *name, const struct err *e)
{
    fprintf(stderr, "sluiced: %s: %s\n", name, e->text);
    fflush(stderr);
    return e->sysexit ? e->sysexit : EX_SOFTWARE;
}
