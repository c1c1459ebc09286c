/* Goldens of the compiler: every tests/golden/compiler/NAME.sluice with what it says (carets and all) and, when it is a
 * program, the listing of its code, in NAME.expected.  SLUICE_UPDATE_GOLDENS=1 writes them anew. */
#include "tests/support/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "bytecode/disasm.h"
#include "bytecode/verify.h"
#include "compiler/words.h"
#include "tests/support/compiled.h"
#include "tests/support/near_miss.h"
#include "tests/support/read_file.h"

#define FOLDER "tests/golden/compiler"
#define CODES  "tests/golden/codes"

static void goldens_hold(void **state)
{
    (void)state;
    struct arena *a = arena_create();
    size_t n, wrong = 0;
    char **paths = list_files(a, FOLDER, ".sluice", &n);
    assert_true(n >= 10);
    for (size_t i = 0; i < n; i++) {
        struct compiled c;
        struct buf got = {0};
        compiled_open_disk(&c, paths[i]);
        buf_add(&got, compiled_diagnostics(&c));
        bool near_miss = strstr(paths[i], "/near_") != NULL || strstr(paths[i], "/code_") != NULL;
        assert_true(near_miss == (c.program != NULL)); /* near misses compile, the others do not */
        if (c.program) {
            struct verify_failure f;
            assert_true(program_verify(c.program, &words_rows, &f));
            program_disassemble(c.program, &words_rows, &got);
        }
        size_t stem = strlen(paths[i]) - strlen(".sluice");
        const char *expected =
            arena_printf(a, "%.*s.expected", (int)stem, paths[i]).p; /* arena strings end with a NUL */
        wrong += !golden_holds(expected, buf_str(&got));
        buf_free(&got);
        compiled_close(&c);
    }
    arena_free(&a);
    assert_int_equal(wrong, 0);
}

/* Diagnostics of one file, and whether it tells the code (NULL: anything at all). */
static bool tells(const char *path, const char *code, const char *expected)
{
    struct compiled c;
    compiled_open_disk(&c, path);
    bool told = code ? compiled_has(&c, code) : c.diags.list.n != 0;
    if (code ? !told : told) print_error("%s tells\n%.*s", path, STR_ARG(compiled_diagnostics(&c)));
    if (expected && !golden_holds(expected, compiled_diagnostics(&c))) told = false;
    compiled_close(&c);
    return told;
}

/* Every code of meaning and of doubt: codes/NAME.sluice tells it, to the caret as in NAME.expected, and
 * codes/NAME_near.sluice, which is nearly the same, tells nothing. */
static void every_code_has_an_example_and_a_near_miss(void **state)
{
    (void)state;
    struct arena *a = arena_create();
    size_t wrong = 0, seen = 0;
    for (int i = 0; i < DIAG_CODE_COUNT; i++) {
        const char *code = diag_code_name((enum diag_code)i);
        if (code[1] == '1') continue; /* syntax: grammar_golden_test */
        const char *stem = arena_printf(a, CODES "/%c%s", ascii_lower(code[0]), code + 1).p;
        wrong += !tells(arena_printf(a, "%s.sluice", stem).p, code, arena_printf(a, "%s.expected", stem).p);
        struct str golden = read_file(a, arena_printf(a, "%s.expected", stem).p);
        if (str_find(golden, str_of(code)) == STR_NPOS || str_find(golden, STR("^")) == STR_NPOS) {
            print_error("%s.expected does not show %s at its caret\n", stem, code);
            wrong++;
        }
        const char *near = arena_printf(a, "%s_near.sluice", stem).p;
        wrong += tells(near, NULL, NULL);
        if (!near_miss_is_near(read_file(a, arena_printf(a, "%s.sluice", stem).p), read_file(a, near))) {
            print_error("%s is not near what it should miss\n", near);
            wrong++;
        }
        seen++;
    }
    arena_free(&a);
    assert_int_equal(wrong, 0);
    assert_true(seen >= 50); /* the table of codes was there */
}

/* `sluice explain` has something to say: a sentence or more, ended. */
static void every_code_is_explained(void **state)
{
    (void)state;
    for (int i = 0; i < DIAG_CODE_COUNT; i++) {
        struct str text = str_of(diag_code_text((enum diag_code)i));
        if (text.n < 80 || !str_ends(text, STR("."))) fail_msg("%s says too little", diag_code_name((enum diag_code)i));
        assert_true(diag_code_title((enum diag_code)i)[0] != '\0');
    }
}

/* One error must not hide the next: every file that shows an error, with a rule behind it that holds another. */
static void no_error_hides_the_next(void **state)
{
    (void)state;
    static const char *const folders[] = {CODES, "tests/golden/grammar"};
    /* Of these nothing is read, or what is open does not end: their texts say so. */
    static const char *const whole[] = {"/e102.", "/e112.", "/e113.", "/e115."};
    struct arena *a = arena_create();
    size_t wrong = 0, tried = 0;
    for (size_t f = 0; f < 2; f++) {
        size_t n;
        char **paths = list_files(a, folders[f], ".sluice", &n);
        for (size_t i = 0; i < n; i++) {
            bool skip = !strstr(paths[i], "/e") || strstr(paths[i], "_near");
            for (size_t k = 0; k < 4; k++) skip = skip || strstr(paths[i], whole[k]);
            if (skip) continue;
            struct compiled c;
            struct str text = read_file(a, paths[i]);
            struct buf b = {0};
            buf_add(&b, text);
            buf_add(&b, STR("\nwhen sentinel_of_the_test contains \"x\" then log \"y\"\n"));
            compiled_open(&c, buf_str(&b));
            bool found = false;
            for (size_t k = 0; k < c.diags.list.n; k++)
                found = found || str_find(c.diags.list.v[k]->text, STR("sentinel_of_the_test")) != STR_NPOS;
            if (!found) print_error("%s hides the next error\n%.*s", paths[i], STR_ARG(compiled_diagnostics(&c)));
            wrong += !found;
            tried++;
            compiled_close(&c);
            buf_free(&b);
        }
    }
    arena_free(&a);
    assert_int_equal(wrong, 0);
    assert_true(tried > 55);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goldens_hold),
        cmocka_unit_test(every_code_has_an_example_and_a_near_miss),
        cmocka_unit_test(every_code_is_explained),
        cmocka_unit_test(no_error_hides_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
