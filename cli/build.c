#include <stdio.h>
#include <sysexits.h>

#include "bytecode/codec.h"
#include "cli/cli.h"

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
    else printf("%s: %u rule%s, %zu bytes\n", output, p->rules_count, p->rules_count == 1 ? "" : "s", out.n);
    buf_free(&out);
    program_free(&p);
    return status;
}
