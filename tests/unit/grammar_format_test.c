/* The formatter: goldens; whatever it formats stays the same program, and formatted again the same text. */
#include "tests/support/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "bytecode/codec.h"
#include "compiler/words.h"
#include "grammar/format.h"
#include "tests/support/compiled.h"
#include "tests/support/read_file.h"
#include "tests/support/rules.h"

/* Formats into *out; false when the text cannot be read. */
static bool format(struct arena *a, struct str text, struct buf *out)
{
    struct source source = {.name = STR("policy.sluice"), .text = text};
    struct sources sources = {0};
    struct diags d = {.arena = a, .sources = &sources};
    VEC_PUSH(&sources.list, &source);
    bool ok = format_source(a, &source, words_is_declaration, &d, out);
    VEC_FREE(&sources.list);
    VEC_FREE(&d.list);
    return ok;
}

/* The file, formatted, under its own name; everything it names is read from disk. */
struct overlay {
    struct str path, text;
};

static bool read_overlay(void *context, struct arena *a, struct str path, struct str *out, struct err *e)
{
    const struct overlay *o = context;
    if (!str_eq(path, o->path)) return compiler_read_disk(NULL, a, path, out, e);
    *out = o->text;
    return true;
}

/* A program without what tells of its text: places, and hashes of the sources.  Empty when there is none. */
static void essence(const char *path, struct str text, struct buf *out)
{
    struct arena *a = arena_create();
    struct sources sources = {0};
    struct diags d = {.arena = a, .sources = &sources};
    struct overlay overlay = {str_of(path), text};
    struct compile_input in = {.path = overlay.path, .read = read_overlay, .context = &overlay};
    struct program *p = compiler_compile(&in, &d);
    if (p) {
        p->sources_count = 0;
        for (uint32_t i = 0; i < p->tests_count; i++) p->tests[i].origin = (struct origin){0};
        for (uint32_t i = 0; i < p->actions_count; i++) p->actions[i].origin = (struct origin){0};
        for (uint32_t i = 0; i < p->rules_count; i++) p->rules[i].origin = (struct origin){0};
        for (uint32_t i = 0; i < p->declarations_count; i++) p->declarations[i].origin = (struct origin){0};
        for (uint32_t i = 0; i < p->expectations_count; i++) p->expectations[i].origin = (struct origin){0};
        for (uint32_t i = 0; i < p->cases_count; i++) p->cases[i].origin = (struct origin){0};
        program_encode(p, out);
    }
    program_free(&p);
    VEC_FREE(&sources.list);
    VEC_FREE(&d.list);
    arena_free(&a);
}

/* 0: not a file that can be read; 1: formatted; 2: and a program. */
static int hold(struct arena *a, const char *path, struct str text)
{
    struct buf once = {0}, twice = {0}, before = {0}, after = {0};
    int level = 0;
    if (format(a, text, &once)) {
        level = 1;
        if (!format(a, buf_str(&once), &twice))
            fail_msg("%s cannot be read when formatted:\n%.*s\n--- from\n%.*s", path, STR_ARG(buf_str(&once)),
                     STR_ARG(text));
        if (!str_eq(buf_str(&once), buf_str(&twice)))
            fail_msg("%s formatted twice:\n%.*s\n--- once\n%.*s\n--- from\n%.*s", path, STR_ARG(buf_str(&twice)),
                     STR_ARG(buf_str(&once)), STR_ARG(text));
        essence(path, text, &before);
        essence(path, buf_str(&once), &after);
        if (!str_eq(buf_str(&before), buf_str(&after)))
            fail_msg("%s is another program when formatted:\n%.*s", path, STR_ARG(buf_str(&once)));
        if (before.n) level = 2;
    }
    buf_free(&once);
    buf_free(&twice);
    buf_free(&before);
    buf_free(&after);
    return level;
}

static void goldens_hold(void **state)
{
    (void)state;
    struct arena *a = arena_create();
    size_t n, wrong = 0;
    char **paths = list_files(a, "tests/golden/format", ".sluice", &n);
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) {
        struct buf out = {0};
        assert_true(format(a, read_file(a, paths[i]), &out));
        const char *expected = arena_printf(a, "%.*s.expected", (int)(strlen(paths[i]) - 7), paths[i]).p;
        wrong += !golden_holds(expected, buf_str(&out));
        buf_free(&out);
    }
    arena_free(&a);
    assert_int_equal(wrong, 0);
}

static void what_is_formatted_is_the_same_program(void **state)
{
    (void)state;
    static const char *const folders[] = {"tests/golden/grammar", "tests/golden/compiler", "tests/golden/format",
                                          "examples"};
    struct arena *a = arena_create();
    size_t files = 0, programs = 0;
    for (size_t f = 0; f < sizeof folders / sizeof *folders; f++) {
        size_t n;
        char **paths = list_files(a, folders[f], ".sluice", &n);
        for (size_t i = 0; i < n; i++) {
            struct str text = read_file(a, paths[i]);
            int level = hold(a, paths[i], text);
            files += level > 0;
            programs += level == 2;
            for (uint64_t seed = 0; level > 0 && text.n < 20000 && seed < 20; seed++) {
                if (hold(a, paths[i], rules_disarranged(a, text, words_is_declaration, seed)) != level)
                    fail_msg("%s, disarranged by seed %d, is read differently", paths[i], (int)seed);
            }
        }
    }
    print_message("# %zu files formatted, %zu of them programs\n", files, programs);
    assert_true(files >= 40 && programs >= 10);
    arena_free(&a);
}

static void a_file_with_errors_is_left_alone(void **state)
{
    (void)state;
    struct arena *a = arena_create();
    struct buf out = {0};
    assert_false(format(a, STR("when subject contains then drop"), &out));
    assert_int_equal(out.n, 0);
    assert_true(format(a, STR(""), &out));
    assert_int_equal(out.n, 0);
    assert_true(format(a, STR("  # nothing but this"), &out));
    check_buf(&out, "# nothing but this\n");
    buf_free(&out);
    arena_free(&a);
}

/* Words without any place to break a line must not make the formatter slow. */
static void very_long_lines_take_linear_time(void **state)
{
    (void)state;
    struct arena *a = arena_create();
    struct buf text = {0}, out = {0};
    buf_add(&text, STR("defaults"));
    for (int i = 0; i < 500000; i++) buf_add(&text, STR(" name"));
    buf_add(&text, STR(" when subject is any of ("));
    for (int i = 0; i < 300000; i++) buf_add(&text, STR("\"x\","));
    buf_add(&text, STR(") then drop"));
    assert_true(format(a, buf_str(&text), &out)); /* quadratic, this would take minutes: the test program's limit */
    buf_free(&text);
    buf_free(&out);
    arena_free(&a);
}

static void differences_are_told_by_line(void **state)
{
    (void)state;
    struct buf out = {0};
    format_difference(STR("a\nbb\ncc\n"), STR("a\nbb\ncc\n"), &out);
    assert_int_equal(out.n, 0);
    format_difference(STR("aa\nbb\ncc\ndd"), STR("aa\nxx\ncc\ndd\n"), &out);
    check_buf(&out, "@@ line 2 @@\n-bb\n+xx\n@@ line 4 @@\n-dd\n\\ no end of line\n+dd\n");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goldens_hold),
        cmocka_unit_test(what_is_formatted_is_the_same_program),
        cmocka_unit_test(a_file_with_errors_is_left_alone),
        cmocka_unit_test(very_long_lines_take_linear_time),
        cmocka_unit_test(differences_are_told_by_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
