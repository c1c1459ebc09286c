#include <sysexits.h>

#include "builder/build.h"
#include "bytecode/codec.h"
#include "bytecode/verify.h"
#include "cli/cli.h"
#include "compiler/compiler.h"
#include "compiler/words.h"
#include "grammar/tree.h"

bool read_file(const char *path, size_t most, struct buf *out, struct err *e)
{
    return build_read_file(path, most, out, e);
}

static struct program *decode(struct str file, const char *path, int *status)
{
    struct err e = {0};
    struct program *p = program_decode(file, &words_rows, &e);
    if (p && !program_verify_err(p, &words_rows, &e)) program_free(&p);
    if (!p) {
        fprintf(stderr, "sluice: %s: %s\n", path, e.text);
        *status = e.sysexit;
    }
    return p;
}

static struct program *compile(const struct compile_input *in, enum diagnostics_form form, FILE *to,
                               struct counts *counts, int *status)
{
    struct sources sources = {0};
    struct diags d = {.arena = arena_create(), .sources = &sources};
    struct program *p = compiler_compile(in, &d);
    struct buf out = {0};
    if (form == DIAGNOSTICS_JSON) diags_print_json(&d, &out);
    else diags_print_text(&d, &out, use_colour(to));
    put(&out, to);
    if (counts) {
        *counts = (struct counts){d.errors, d.warnings, false};
        for (size_t i = 0; i < d.list.n; i++) counts->unknown_names |= d.list.v[i]->code == DIAG_E200;
    }
    *status = p ? EX_OK : EX_DATAERR;
    buf_free(&out);
    VEC_FREE(&sources.list);
    VEC_FREE(&d.list);
    arena_free(&d.arena);
    return p;
}

static void put_tree(void *context, const struct ast_file *file)
{
    struct js *tree = tree_json(file);
    js_print(tree, context);
    buf_add_byte(context, '\n');
    js_free(&tree);
}

struct program *rule_set_load(const char *path, enum diagnostics_form form, bool werror, FILE *to,
                              struct counts *counts, int *status)
{
    struct buf file = {0};
    struct err e = {0};
    struct program *p = NULL;
    if (!read_file(path, BUILD_PROGRAM_MAX, &file, &e)) *status = fail(&e);
    else if (program_is_compiled(buf_str(&file))) p = decode(buf_str(&file), path, status);
    else {
        struct compile_input in = {.path = str_of(path), .read = compiler_read_disk, .warnings_as_errors = werror};
        p = compile(&in, form, to, counts, status);
    }
    buf_free(&file);
    return p;
}

int rule_set_trees(const char *path, struct buf *out)
{
    struct compile_input in = {.path = str_of(path), .read = compiler_read_disk, .tree = put_tree, .tree_context = out};
    int status = EX_OK;
    struct program *p = compile(&in, DIAGNOSTICS_TEXT, stderr, NULL, &status);
    if (!p) out->n = 0;
    program_free(&p);
    return status;
}
