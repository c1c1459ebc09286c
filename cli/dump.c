#include <sysexits.h>

#include "bytecode/disasm.h"
#include "cli/cli.h"
#include "compiler/words.h"

int dump_main(int argc, char **argv)
{
    argc = options_parse(command_find("dump"), argc, argv, NULL, 0);
    if (argc != 2) return usage("dump", "which one file?");
    int status = EX_OK;
    struct program *p = rule_set_load(argv[1], DIAGNOSTICS_TEXT, false, stderr, NULL, &status);
    if (!p) return status;
    struct buf out = {0};
    program_disassemble(p, &words_rows, &out);
    put(&out, stdout);
    buf_free(&out);
    program_free(&p);
    return EX_OK;
}
