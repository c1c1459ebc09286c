/* `sluice detectors` and `sluice library`: what comes with Sluice, written in its own language. */
#include <sysexits.h>

#include "base/json.h"
#include "cli/cli.h"
#include "compiler/compiler.h"
#include "compiler/library.h"
#include "compiler/words.h"

struct program *library_detectors(void)
{
    struct compiler_memory_file file = {STR("detectors.sluice"), STR("import \"std/detectors\"\n")};
    struct compiler_memory memory = {&file, 1};
    struct sources sources = {0};
    struct diags d = {.arena = arena_create(), .sources = &sources};
    struct compile_input in = {.path = file.path, .read = compiler_read_memory, .context = &memory};
    struct program *p = compiler_compile(&in, &d);
    if (!p) {
        struct buf out = {0};
        diags_print_text(&d, &out, false);
        put(&out, stderr);
        exit(EX_SOFTWARE);
    }
    VEC_FREE(&sources.list);
    VEC_FREE(&d.list);
    arena_free(&d.arena);
    return p;
}

const struct constant *library_argument(const struct program *p, const struct declaration *d, const char *name)
{
    const struct declaration_row *row = &words_rows.declarations[d->declaration];
    uint32_t param = words_find_param(row->params, row->param_count, str_of(name));
    for (uint32_t i = 0; i < d->argument_count; i++) {
        const struct argument *a = &p->arguments[d->first_argument + i];
        if (a->param == param) return &p->constants[a->index];
    }
    return NULL;
}

int detectors_main(int argc, char **argv)
{
    bool json = false;
    const struct option options[] = {{"json", NULL, &json, NULL}};
    if (options_parse(command_find("detectors"), argc, argv, options, 1) > 1)
        return usage("detectors", "it takes no argument");
    struct program *p = library_detectors();
    struct buf out = {0};
    for (uint32_t i = 0; i < p->declarations_count; i++) {
        const struct declaration *d = &p->declarations[i];
        const struct constant *doc = library_argument(p, d, "comment"), *checksum = library_argument(p, d, "checksum");
        const struct constant *alone = library_argument(p, d, "confidence"), *gives = library_argument(p, d, "gives");
        const struct constant *pattern = library_argument(p, d, "pattern"), *near = library_argument(p, d, "near");
        if (!json) {
            buf_printf(&out, "%.*s\n    %.*s\n    confidence %lld", STR_ARG(d->name),
                       STR_ARG(doc ? doc->text : STR("")), (long long)alone->number);
            if (near) buf_printf(&out, ", with certain words nearby %lld", (long long)gives->number);
            if (checksum) buf_printf(&out, "; checksum %.*s", STR_ARG(checksum->text));
            buf_add_byte(&out, '\n');
            continue;
        }
        struct js *o = js_object();
        js_put_str(o, "detector", d->name);
        js_put_str(o, "pattern", pattern->text);
        if (checksum) js_put_str(o, "checksum", checksum->text);
        js_put_num(o, "confidence", alone->number);
        if (near) js_put_num(o, "gives", gives->number);
        if (doc) js_put_str(o, "doc", doc->text);
        js_print(o, &out);
        buf_add_byte(&out, '\n');
        js_free(&o);
    }
    put(&out, stdout);
    buf_free(&out);
    program_free(&p);
    return EX_OK;
}

int library_main(int argc, char **argv)
{
    argc = options_parse(command_find("library"), argc, argv, NULL, 0);
    if (argc > 2) return usage("library", "one name at most");
    struct buf out = {0};
    const struct library_file *f = argc == 2 ? library_find(str_of(argv[1])) : NULL;
    if (argc == 2 && !f) {
        fprintf(stderr, "sluice library: there is no `%s`; `sluice library` lists what there is\n", argv[1]);
        return EX_NOINPUT;
    }
    if (f) buf_add(&out, f->text);
    for (size_t i = 0; !f && library_file(i); i++) {
        struct str first, rest; /* "# std/files: what it is" … up to the first empty comment or line */
        str_cut(library_file(i)->text, '\n', &first, &rest);
        buf_printf(&out, "%.*s\n", STR_ARG(str_from(first, 2)));
    }
    put(&out, stdout);
    buf_free(&out);
    return EX_OK;
}
