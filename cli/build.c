#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytecode/codec.h"
#include "cli/cli.h"

static bool write_all(int fd, struct str bytes)
{
    while (bytes.n) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        bytes = str_from(bytes, (size_t)n);
    }
    return true;
}

/* Beside the target, synced, then renamed over it: a reader sees the old program or the new one, never a part. */
static bool replace_file(const char *path, struct str bytes, struct err *e)
{
    struct buf name = {0};
    buf_printf(&name, "%s.XXXXXX", path);
    buf_add_byte(&name, '\0');
    int fd = mkostemp(name.p, O_CLOEXEC);
    bool ok = fd >= 0 && fchmod(fd, 0644) == 0 && write_all(fd, bytes) && fsync(fd) == 0 && rename(name.p, path) == 0;
    if (!ok) {
        err_os(e, EX_CANTCREAT, "cannot write %s", path);
        if (fd >= 0) unlink(name.p);
    }
    if (fd >= 0) close(fd);
    buf_free(&name);
    return ok;
}

int build_main(int argc, char **argv)
{
    const char *output = NULL;
    bool werror = false;
    const struct option options[] = {{"output o", &output, NULL, NULL}, {"werror", NULL, &werror, NULL}};
    argc = options_parse(command_find("build"), argc, argv, options, 2);
    if (argc != 2) return usage("build", "which one file?");
    if (!output) return usage("build", "where to? Say -o OUT");

    int status = EX_OK;
    struct program *p = rule_set_load(argv[1], DIAGNOSTICS_TEXT, werror, stderr, NULL, &status);
    if (!p) return status;
    struct buf out = {0};
    struct err e = {0};
    program_encode(p, &out);
    if (!replace_file(output, buf_str(&out), &e)) status = fail(&e);
    else printf("%s: %u rules, %zu bytes\n", output, p->rules_count, out.n);
    buf_free(&out);
    program_free(&p);
    return status;
}
