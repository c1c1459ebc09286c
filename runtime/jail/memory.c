/* Sealing generated code: sljit leaves its pages writable and executable (DESIGN section 2, step 4). */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/vec.h"
#include "jail/jail.h"

static bool read_maps(int fd, struct buf *out, struct err *e)
{
    if (lseek(fd, 0, SEEK_SET) < 0) return err_os(e, EX_OSERR, "reading the memory map");
    for (;;) {
        buf_reserve(out, 65536);
        ssize_t n = read(fd, out->p + out->n, 65536);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_os(e, EX_OSERR, "reading the memory map");
        if (n == 0) return true;
        out->n += (size_t)n;
    }
}

/* "55d0c3a00000-55d0c3a21000 rwxp …" */
static bool parse_line(struct str line, uintptr_t *from, uintptr_t *to, bool *writable_code)
{
    char text[64];
    unsigned long long a, b;
    char mode[5];
    size_t n = line.n < sizeof text - 1 ? line.n : sizeof text - 1;
    memcpy(text, line.p, n);
    text[n] = 0;
    if (sscanf(text, "%llx-%llx %4s", &a, &b, mode) != 3 || strlen(mode) != 4) return false;
    *from = (uintptr_t)a;
    *to = (uintptr_t)b;
    *writable_code = mode[1] == 'w' && mode[2] == 'x';
    return true;
}

bool jail_seal_code(int maps_fd, struct err *e)
{
    struct buf maps = {0};
    bool ok = read_maps(maps_fd, &maps, e);
    struct str rest = buf_str(&maps), line;
    while (ok && rest.n) {
        uintptr_t from, to;
        bool writable_code;
        str_cut(rest, '\n', &line, &rest);
        if (!parse_line(line, &from, &to, &writable_code)) {
            ok = err_set(e, EX_OSERR, "the memory map has a line of an unknown form");
        } else if (writable_code && mprotect((void *)from, to - from, PROT_READ | PROT_EXEC) < 0) {
            ok = err_os(e, EX_OSERR, "sealing generated code");
        }
    }
    buf_free(&maps);
    return ok;
}
