#include "base/err.h"

#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 4, 0)))
static void fill(struct err *e, int sysexit, int os, const char *format, va_list args)
{
    if (!e) return;
    e->sysexit = sysexit;
    e->os = os;
    int n = vsnprintf(e->text, sizeof e->text, format, args);
    if (os == 0 || n < 0 || (size_t)n >= sizeof e->text) return;
    char reason[96];
    snprintf(e->text + n, sizeof e->text - (size_t)n, ": %s", strerror_r(os, reason, sizeof reason));
}

bool err_set(struct err *e, int sysexit, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(e, sysexit, 0, format, args);
    va_end(args);
    return false;
}

bool err_os(struct err *e, int sysexit, const char *format, ...)
{
    int os = errno;
    va_list args;
    va_start(args, format);
    fill(e, sysexit, os, format, args);
    va_end(args);
    errno = os;
    return false;
}

_Noreturn void invariant_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "sluice: internal error at %s:%d: %s does not hold\n", file, line, what);
    fflush(stderr);
    abort();
}

void *mem_alloc(size_t n)
{
    void *p = calloc(1, n ? n : 1);
    INVARIANT(p != NULL);
    return p;
}

void *mem_array(size_t n, size_t size)
{
    size_t bytes;
    INVARIANT(!__builtin_mul_overflow(n, size, &bytes));
    return mem_alloc(bytes);
}

void *mem_grow(void *p, size_t n, size_t size)
{
    size_t bytes;
    INVARIANT(!__builtin_mul_overflow(n, size, &bytes));
    void *q = realloc(p, bytes ? bytes : 1);
    INVARIANT(q != NULL);
    return q;
}

void mem_return_large(void)
{
    enum { LARGE = 256 * 1024 };
    mallopt(M_MMAP_THRESHOLD, LARGE);
}

char *mem_strdup(const char *z)
{
    size_t n = strlen(z) + 1;
    return memcpy(mem_alloc(n), z, n);
}
