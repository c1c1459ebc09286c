#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/cli.h"

bool use_colour(FILE *stream)
{
    const char *no = getenv("NO_COLOR");
    return isatty(fileno(stream)) && !(no && *no);
}

void put(struct buf *out, FILE *stream)
{
    if (out->n && fwrite(out->p, 1, out->n, stream) != out->n) {
        fputs("sluice: cannot write the output\n", stderr);
        exit(EX_IOERR);
    }
    out->n = 0;
    fflush(stream);
}

int fail(const struct err *e)
{
    fprintf(stderr, "sluice: %s\n", e->text);
    return e->sysexit ? e->sysexit : EX_SOFTWARE;
}
