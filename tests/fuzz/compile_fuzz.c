/* Any text is a program or diagnostics, never both, and every program holds the verifier's promises.  A line that
 * begins with "%%" cuts the input into files: policy.sluice, then 1.sluice, 2.sluice, which may be imported or read as
 * lists. */
#include "bytecode/codec.h"
#include "bytecode/disasm.h"
#include "bytecode/verify.h"
#include "compiler/compiler.h"
#include "compiler/words.h"
#include "tests/fuzz/mutate_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct compiler_memory_file files[3] = {
        {STR("policy.sluice"), STR_NONE}, {STR("1.sluice"), STR_NONE}, {STR("2.sluice"), STR_NONE}};
    struct str rest = {(const char *)data, size};
    for (size_t i = 0; i < 3; i++) {
        size_t cut = i < 2 ? str_find(rest, STR("\n%%")) : STR_NPOS;
        files[i].text = cut == STR_NPOS ? rest : str_slice(rest, 0, cut + 1);
        rest = cut == STR_NPOS ? STR_NONE : str_from(rest, cut + 3);
    }
    struct compiler_memory memory = {files, 3};
    struct arena *a = arena_create();
    struct sources sources = {0};
    struct diags d = {.arena = a, .sources = &sources};
    struct compile_input in = {.path = files[0].path, .read = compiler_read_memory, .context = &memory};
    struct program *p = compiler_compile(&in, &d);
    INVARIANT(!p == (d.errors != 0));
    struct buf out = {0}, file = {0};
    diags_print_text(&d, &out, false);
    if (p) {
        struct err e = {0};
        INVARIANT(program_verify_err(p, &words_rows, &e));
        program_disassemble(p, &words_rows, &out);
        program_encode(p, &file);
        struct program *q = program_decode(buf_str(&file), &words_rows, &e);
        INVARIANT(q != NULL);
        program_free(&q);
    }
    buf_free(&out);
    buf_free(&file);
    program_free(&p);
    VEC_FREE(&d.list);
    VEC_FREE(&sources.list);
    arena_free(&a);
    return 0;
}
