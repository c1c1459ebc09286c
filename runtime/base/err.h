/* base/err: the three kinds of failure, never mixed.
 *
 *  - the author's (a rule file that is wrong): a diagnostic, grammar/diag.h;
 *  - the world's (a disk, a peer, a file): struct err, filled by whoever met it, returned upwards, logged once;
 *  - ours (a broken promise inside the code): INVARIANT, which aborts and stays on in release builds.
 *
 * Out of memory is ours: every allocator here aborts, the supervisor starts the process again, and no reply was
 * given for what was not yet stored. */
#ifndef SLUICE_BASE_ERR_H
#define SLUICE_BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>

struct err {
    int sysexit;    /* the exit status a command-line tool would end with (sysexits.h); 0 while there is no error */
    int os;         /* errno, or 0 */
    char text[384]; /* one sentence without a full stop, naming the thing and the mend */
};

/* Fills *e (which may be NULL) and returns false, so that `return err_set(e, EX_DATAERR, "…")` reads well.
 * err_os adds ": strerror(errno)" and keeps errno. */
bool err_set(struct err *e, int sysexit, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool err_os(struct err *e, int sysexit, const char *format, ...) __attribute__((format(printf, 3, 4)));

_Noreturn void invariant_failed(const char *file, int line, const char *what);
#define INVARIANT(condition) ((condition) ? (void)0 : invariant_failed(__FILE__, __LINE__, #condition))

/* Allocation that cannot fail.  mem_array checks the product. */
void *mem_alloc(size_t n);          /* zeroed */
void *mem_array(size_t n, size_t size);
void *mem_grow(void *p, size_t n, size_t size);
char *mem_strdup(const char *z);
/* For a process that reads what strangers send: from now on a large block is the system's again when it is freed.  glibc
 * would put those up to the size of the largest that was ever freed into its heap, which never shrinks. */
void mem_return_large(void);

#endif
