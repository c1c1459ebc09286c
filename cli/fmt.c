/* `sluice fmt`: rule files in their canonical layout: printed, compared, or written back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/cli.h"
#include "compiler/words.h"
#include "grammar/format.h"

enum { FMT_DIFFERS = 1, FMT_FILE_MAX = 64 * 1024 * 1024 };

/* What stands at the end of symbolic links is written, the links stay. */
static int write_back(const char *path, struct str text)
{
    struct err e = {0};
    char *real = realpath(path, NULL);
    bool ok = real && replace_file(real, text, &e);
    if (!real) err_os(&e, EX_CANTCREAT, "cannot write %s", path);
    free(real);
    return ok ? EX_OK : fail(&e);
}

static int check(const char *path, struct str was, struct str is)
{
    if (str_eq(was, is)) return EX_OK;
    struct buf out = {0};
    buf_printf(&out, "%s is not in canonical layout:\n", path);
    format_difference(was, is, &out);
    put(&out, stdout);
    buf_free(&out);
    return FMT_DIFFERS;
}

static int format_file(const char *path, bool only_check, bool write)
{
    struct buf file = {0}, out = {0};
    struct err e = {0};
    if (!read_file(path, FMT_FILE_MAX, &file, &e)) return fail(&e);
    struct source source = {.name = str_of(path), .text = buf_str(&file)};
    struct sources sources = {0};
    struct diags d = {.arena = arena_create(), .sources = &sources};
    VEC_PUSH(&sources.list, &source);
    int status = EX_DATAERR;
    if (!format_source(d.arena, &source, words_is_declaration, &d, &out)) {
        diags_sort(&d);
        diags_print_text(&d, &out, use_colour(stderr));
        put(&out, stderr);
    } else if (only_check) {
        status = check(path, source.text, buf_str(&out));
    } else if (write) {
        status = str_eq(source.text, buf_str(&out)) ? EX_OK : write_back(path, buf_str(&out));
    } else {
        put(&out, stdout);
        status = EX_OK;
    }
    VEC_FREE(&d.list);
    VEC_FREE(&sources.list);
    arena_free(&d.arena);
    buf_free(&file);
    buf_free(&out);
    return status;
}

int fmt_main(int argc, char **argv)
{
    bool only_check = false, write = false;
    const struct option options[] = {{"check", NULL, &only_check, NULL}, {"write w", NULL, &write, NULL}};
    argc = options_parse(command_find("fmt"), argc, argv, options, 2);
    if (argc < 2) return usage("fmt", "which file?");
    if (only_check && write) return usage("fmt", "`--check` writes nothing: leave out one of the two");
    int worst = EX_OK;
    for (int i = 1; i < argc; i++) {
        int status = format_file(argv[i], only_check, write);
        if (status > worst) worst = status;
    }
    return worst;
}
