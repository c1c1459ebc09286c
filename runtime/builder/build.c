#include "builder/build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "bytecode/codec.h"
#include "bytecode/needs.h"
#include "bytecode/verify.h"
#include "compiler/compiler.h"
#include "compiler/words.h"
#include "grammar/ast.h"
#include "judge/cases.h"
#include "stdlib/ids.h"
#include "stdlib/words.h"

bool build_read_fd(int fd, size_t most, struct buf *out, struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0) return err_os(e, EX_NOINPUT, "reading a file");
    if (!S_ISREG(st.st_mode)) return err_set(e, EX_NOINPUT, "it is no regular file");
    if (st.st_size < 0 || (uint64_t)st.st_size > most)
        return err_set(e, EX_DATAERR, "it is larger than %zu bytes", most);
    off_t at = 0;
    for (;;) { /* to its end, wherever that is by now, but not beyond `most` */
        buf_reserve(out, 65536);
        ssize_t n = pread(fd, out->p + out->n, 65536, at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_os(e, EX_NOINPUT, "reading a file");
        if (n == 0) return true;
        at += n;
        out->n += (size_t)n;
        if ((uint64_t)at > most) return err_set(e, EX_DATAERR, "it is larger than %zu bytes", most);
    }
}

bool build_read_file(const char *path, size_t most, struct buf *out, struct err *e)
{
    struct err why = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return err_os(e, errno == EACCES ? EX_NOPERM : EX_NOINPUT, "%s", path);
    bool ok = build_read_fd(fd, most, out, &why);
    close(fd);
    return ok || err_set(e, why.sysexit, "%s: %s", path, why.text);
}

struct program *build_compile(const char *path, struct buf *diagnostics)
{
    struct arena *arena = arena_create();
    struct sources sources = {0};
    struct diags d = {.arena = arena, .sources = &sources};
    struct compile_input in = {.path = str_of(path), .read = compiler_read_disk};
    struct program *p = compiler_compile(&in, &d);
    diags_print_text(&d, diagnostics, false);
    struct err e = {0};
    if (p && !program_verify_err(p, &stdlib_rows, &e)) { /* a compiler's mistake, but not one to end a relay for */
        buf_printf(diagnostics, "%s: the compiler made a program that does not verify: %s\n", path, e.text);
        program_free(&p);
    }
    if (!p && !diagnostics->n) buf_printf(diagnostics, "%s: cannot be compiled\n", path);
    VEC_FREE(&d.list);
    VEC_FREE(&sources.list);
    arena_free(&arena);
    return p;
}

struct program *build_decode(struct str bytes, struct err *e)
{
    struct program *p = program_decode(bytes, &stdlib_rows, e);
    if (p && !program_verify_err(p, &stdlib_rows, e)) program_free(&p);
    return p;
}

/* A source is compiled, a compiled program read; what is wrong with either stands in the diagnostics. */
static struct program *load_either(const char *path, struct buf *diagnostics)
{
    struct err e = {0};
    struct buf bytes = {0};
    bool compiled = build_read_file(path, BUILD_PROGRAM_MAX, &bytes, &e) && program_is_compiled(buf_str(&bytes));
    struct program *p = compiled ? build_decode(buf_str(&bytes), &e) : build_compile(path, diagnostics);
    if (compiled && !p) buf_printf(diagnostics, "%s: %s\n", path, e.text);
    buf_free(&bytes);
    return p;
}

bool build_check(const char *path, bool (*also)(const struct settings *s, struct buf *diagnostics),
                 struct buf *diagnostics)
{
    struct err e = {0};
    struct settings settings;
    struct arena *a = arena_create();
    struct program *p = load_either(path, diagnostics);
    bool served = p && program_is_served(p, &stdlib_rows, diagnostics);
    bool ok = served && settings_from_program(a, p, path, &settings, &e);
    struct judge *j = ok ? judge_create(p, &settings, &e) : NULL;
    ok = j != NULL;
    if (served && !ok) buf_printf(diagnostics, "%s: %s\n", path, e.text);
    ok = ok && cases_hold(j, diagnostics) && also(&settings, diagnostics);
    judge_free(&j);
    program_free(&p);
    arena_free(&a);
    return ok;
}

/* `relay … state "PATH" …`: the words as they stand, whatever else is wrong with the file. */
static struct str state_of(const struct ast_file *file)
{
    for (const struct ast_item *item = file->items; item; item = item->next) {
        if (item->kind != ITEM_DECLARATION || !str_eq_nocase(item->name, STR("relay"))) continue;
        for (const struct ast_argument *a = item->arguments; a && a->next; a = a->next)
            if (a->kind == ARGUMENT_NAME && str_eq_nocase(a->name, STR("state")) && a->next->kind == ARGUMENT_LITERAL &&
                a->next->literal->kind == LITERAL_TEXT)
                return a->next->literal->text;
    }
    return STR_NONE;
}

struct str build_salvage_state(struct arena *a, const char *path)
{
    struct buf text = {0};
    struct sources sources = {0};
    struct diags d = {.arena = a, .sources = &sources};
    struct source source = {.name = str_of(path)};
    struct str state = STR(""), whole = str_of(path);
    if (build_read_file(path, COMPILER_FILE_MAX, &text, NULL)) {
        source.text = buf_str(&text);
        VEC_PUSH(&sources.list, &source);
        state = arena_str(a, state_of(ast_parse(a, &source, words_is_declaration, &d)));
    }
    size_t slash = str_rfind_byte(whole, '/');
    if (state.n && state.p[0] != '/' && slash != STR_NPOS)
        state = arena_printf(a, "%.*s%.*s", (int)(slash + 1), path, STR_ARG(state));
    VEC_FREE(&d.list);
    VEC_FREE(&sources.list);
    buf_free(&text);
    return state;
}
