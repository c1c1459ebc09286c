#include <string.h>
#include <sysexits.h>

#include "bytecode/disasm.h"
#include "cli/cli.h"
#include "compiler/words.h"
#include "judge/judge.h"

static void add_trigger(void *judge, uint32_t rule, struct buf *out) { judge_describe_trigger(judge, rule, out); }

int dump_main(int argc, char **argv)
{
    const char *ast = NULL;
    const struct option options[] = {{"ast", &ast, NULL, NULL}};
    argc = options_parse(command_find("dump"), argc, argv, options, 1);
    if (argc != 2) return usage("dump", "which one file?");
    if (ast && strcmp(ast, "json") != 0) return usage("dump", "`--ast` is json");
    int status = EX_OK;
    struct buf out = {0};
    if (ast) {
        status = rule_set_trees(argv[1], &out);
        put(&out, stdout);
        buf_free(&out);
        return status;
    }
    struct program *p = rule_set_load(argv[1], DIAGNOSTICS_TEXT, false, stderr, NULL, &status);
    if (!p) return status;
    struct err e = {0};
    struct judge *j = judge_create(p, NULL, &e);
    program_disassemble_noted(p, &words_rows, j ? add_trigger : NULL, j, &out);
    if (!j) buf_printf(&out, "\n# without triggers, for the rules cannot be loaded here: %s\n", e.text);
    put(&out, stdout);
    buf_free(&out);
    judge_free(&j);
    program_free(&p);
    return EX_OK;
}
