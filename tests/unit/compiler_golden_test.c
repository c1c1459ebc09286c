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
#include "tests/support/read_file.h"

#define FOLDER "tests/golden/compiler"

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

/* Every code that the compiler can raise stands in some golden, to the caret. */
static void every_code_has_a_golden(void **state)
{
    (void)state;
    struct arena *a = arena_create();
    struct buf all = {0};
    size_t n, missing = 0;
    char **paths = list_files(a, FOLDER, ".expected", &n);
    for (size_t i = 0; i < n; i++) buf_add(&all, read_file(a, paths[i]));
    paths = list_files(a, "compiler", ".c", &n);
    for (size_t i = 0; i < n; i++) {
        struct str rest = read_file(a, paths[i]);
        for (size_t at; (at = str_find(rest, STR("DIAG_"))) != STR_NPOS;) {
            struct str code = str_slice(rest, at + 5, at + 9);
            rest = str_from(rest, at + 9);
            struct str shown = arena_printf(a, " %.*s: ", STR_ARG(code));
            if (str_find(buf_str(&all), shown) != STR_NPOS) continue;
            print_error("no golden shows %.*s of %s\n", STR_ARG(code), paths[i]);
            missing++;
        }
    }
    buf_free(&all);
    arena_free(&a);
    assert_int_equal(missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goldens_hold),
        cmocka_unit_test(every_code_has_a_golden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
