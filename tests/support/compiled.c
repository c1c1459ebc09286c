#include "tests/support/compiled.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "tests/support/check.h"
#include "tests/support/read_file.h"

static void open_with(struct compiled *c, struct str path, compiler_read *read, void *context)
{
    *c = (struct compiled){.arena = arena_create()};
    c->diags = (struct diags){.arena = c->arena, .sources = &c->sources};
    struct compile_input in = {.path = path, .read = read, .context = context};
    c->program = compiler_compile(&in, &c->diags);
}

void compiled_open_files(struct compiled *c, const struct compiler_memory_file *files, size_t n)
{
    struct compiler_memory memory = {files, n};
    open_with(c, files[0].path, compiler_read_memory, &memory);
}

void compiled_open(struct compiled *c, struct str text)
{
    struct compiler_memory_file file = {STR("policy.sluice"), text};
    compiled_open_files(c, &file, 1);
}

void compiled_open_disk(struct compiled *c, const char *path) { open_with(c, str_of(path), compiler_read_disk, NULL); }

void compiled_close(struct compiled *c)
{
    program_free(&c->program);
    VEC_FREE(&c->diags.list);
    VEC_FREE(&c->sources.list);
    arena_free(&c->arena);
}

struct str compiled_diagnostics(struct compiled *c)
{
    struct buf b = {0};
    diags_print_text(&c->diags, &b, false);
    struct str out = arena_str(c->arena, buf_str(&b));
    buf_free(&b);
    return out;
}

bool compiled_has(const struct compiled *c, const char *code)
{
    for (size_t i = 0; i < c->diags.list.n; i++) {
        if (strcmp(diag_code_name(c->diags.list.v[i]->code), code) == 0) return true;
    }
    return false;
}

struct program *compiled_program(struct compiled *c, struct str text)
{
    compiled_open(c, text);
    if (!c->program) {
        fprintf(stderr, "%.*s", STR_ARG(compiled_diagnostics(c)));
        exit(1);
    }
    return c->program;
}

bool golden_holds(const char *path, struct str got)
{
    if (getenv("SLUICE_UPDATE_GOLDENS")) {
        FILE *f = fopen(path, "wb");
        bool ok = f && fwrite(got.p, 1, got.n, f) == got.n;
        if (!f || fclose(f) != 0) ok = false;
        return ok;
    }
    struct arena *a = arena_create();
    struct str want = read_file(a, path), wanted_rest = want, got_rest = got, wanted_line, got_line;
    bool same = str_eq(want, got);
    for (unsigned line = 1; !same; line++) {
        str_cut(wanted_rest, '\n', &wanted_line, &wanted_rest);
        str_cut(got_rest, '\n', &got_line, &got_rest);
        if (str_eq(wanted_line, got_line) && (wanted_rest.n || got_rest.n)) continue;
        fprintf(stderr, "%s:%u:\n  wanted %.*s\n  got    %.*s\n", path, line, STR_ARG(wanted_line), STR_ARG(got_line));
        break;
    }
    arena_free(&a);
    return same;
}

void repair_checksum(char *file, size_t n)
{
    uint8_t sum[DIGEST_SIZE];
    digest_sha256((struct str){file, n - DIGEST_SIZE}, sum);
    memcpy(file + n - DIGEST_SIZE, sum, sizeof sum);
}

struct str mutated_program(struct arena *a, struct str file, uint64_t seed, unsigned count)
{
    struct dice dice = {seed};
    char *copy = arena_cstr(a, file);
    for (unsigned i = 0; i < count; i++) {
        size_t at = (size_t)dice_roll(&dice, file.n - DIGEST_SIZE);
        switch (dice_roll(&dice, 4)) {
        case 0: copy[at] = (char)(copy[at] ^ (1 << dice_roll(&dice, 8))); break;
        case 1: copy[at] = (char)dice_roll(&dice, 256); break;
        case 2: copy[at] = (char)(copy[at] + 1); break;
        default: copy[at] = 0; break;
        }
    }
    repair_checksum(copy, file.n);
    return (struct str){copy, file.n};
}
