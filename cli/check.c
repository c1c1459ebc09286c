#include <string.h>
#include <sysexits.h>

#include "bytecode/needs.h"
#include "cli/cli.h"
#include "compiler/words.h"

/* Without errors, and yet refused by every relay of this version: whoever relies on the exit status must see it.  An
 * `allow W317` silences the warning, and changes nothing in that. */
static int served(const struct program *p, FILE *to)
{
    struct buf why = {0};
    bool ok = program_is_served(p, &words_rows, &why);
    put(&why, to);
    buf_free(&why);
    return ok ? EX_OK : EX_DATAERR;
}

int check_main(int argc, char **argv)
{
    const char *format = "text";
    bool werror = false;
    const struct option options[] = {{"format", &format, NULL, NULL}, {"werror", NULL, &werror, NULL}};
    argc = options_parse(command_find("check"), argc, argv, options, 2);
    if (argc < 2) return usage("check", "which file?");
    bool json = strcmp(format, "json") == 0;
    if (!json && strcmp(format, "text") != 0) return usage("check", "`--format` is text or json");

    struct counts total = {0, 0, false};
    int worst = EX_OK;
    for (int i = 1; i < argc; i++) {
        struct counts counts = {0, 0, false};
        int status = EX_OK;
        struct program *p =
            rule_set_load(argv[i], json ? DIAGNOSTICS_JSON : DIAGNOSTICS_TEXT, werror, stdout, &counts, &status);
        if (p) status = served(p, json ? stderr : stdout);
        program_free(&p);
        if (counts.unknown_names && !json) {
            struct buf note = {0};
            importers_note(argv[i], &note);
            put(&note, stdout);
            buf_free(&note);
        }
        total.errors += counts.errors;
        total.warnings += counts.warnings;
        if (status != EX_OK) worst = status;
    }
    if (!json && total.errors + total.warnings)
        printf("%zu error%s, %zu warning%s\n", total.errors, total.errors == 1 ? "" : "s", total.warnings,
               total.warnings == 1 ? "" : "s");
    return worst;
}
