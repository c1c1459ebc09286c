/* Goldens of the grammar: tests/golden/grammar/NAME.sluice gives NAME.tree and NAME.diag, to the caret.
 *
 * SLUICE_UPDATE_GOLDENS=1 writes them anew, to be read before they are committed; never set where tests are to judge.
 * Every code of syntax has a file eNNN.sluice that shows it and eNNN_near.sluice, a near miss that is accepted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "grammar/parse.h"
#include "tests/support/near_miss.h"
#include "tests/support/read_file.h"
#include "tests/support/rules.h"

#define FOLDER "tests/golden/grammar"

static struct arena *arena;

static struct str path_with(struct str source, const char *ending)
{
    return arena_printf(arena, "%.*s%s", STR_ARG(str_slice(source, 0, source.n - strlen(".sluice"))), ending);
}

static struct str read_golden(struct str path)
{
    FILE *f = fopen(path.p, "rb");
    if (!f) return STR_NONE;
    fclose(f);
    return read_file(arena, path.p);
}

static void write_golden(struct str path, struct str text)
{
    if (text.n == 0) {
        remove(path.p);
        return;
    }
    FILE *f = fopen(path.p, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text.p, 1, text.n, f), text.n);
    assert_int_equal(fclose(f), 0);
}

static void compare(struct str path, struct str actual)
{
    if (getenv("SLUICE_UPDATE_GOLDENS")) write_golden(path, actual);
    struct str expected = read_golden(path);
    if (str_eq(expected, actual)) return;
    fail_msg("%s differs\n--- expected\n%.*s--- actual\n%.*s", path.p, STR_ARG(expected), STR_ARG(actual));
}

/* The name shown is the file's own, so that goldens do not depend on where they lie. */
static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void every_golden_agrees(void **state)
{
    (void)state;
    size_t count;
    char **paths = list_files(arena, FOLDER, ".sluice", &count);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        struct rules r;
        struct buf tree = {0}, diag = {0};
        rules_open(&r, base_name(paths[i]), read_file(arena, paths[i]));
        ast_print(r.file, &tree);
        diags_print_text(&r.diags, &diag, false);
        compare(path_with(str_of(paths[i]), ".tree"), buf_str(&tree));
        compare(path_with(str_of(paths[i]), ".diag"), buf_str(&diag));
        buf_free(&tree);
        buf_free(&diag);
        rules_close(&r);
    }
}

/* Does the file tell this code?  *others: does it tell any other error? */
static bool file_tells(const char *path, enum diag_code code, bool *others)
{
    struct rules r;
    bool found = false;
    *others = false;
    rules_open(&r, base_name(path), read_file(arena, path));
    for (size_t i = 0; i < r.diags.list.n; i++) {
        if (r.diags.list.v[i]->code == code) found = true;
        else *others = true;
    }
    rules_close(&r);
    return found;
}

static void every_code_has_an_example_and_a_near_miss(void **state)
{
    (void)state;
    for (int i = 0; i < DIAG_CODE_COUNT; i++) {
        enum diag_code code = (enum diag_code)i;
        const char *name = diag_code_name(code);
        if (name[0] != 'E' || name[1] != '1' || code == DIAG_E114) continue; /* E114 needs 8 MiB: below */
        bool others;
        const char *shown = arena_printf(arena, FOLDER "/e%s.sluice", name + 1).p;
        if (!file_tells(shown, code, &others)) fail_msg("%s does not tell %s", shown, name);
        const char *near = arena_printf(arena, FOLDER "/e%s_near.sluice", name + 1).p;
        if (file_tells(near, code, &others) || others) fail_msg("%s is refused", near);
        if (!near_miss_is_near(read_file(arena, shown), read_file(arena, near))) fail_msg("%s is not near", near);
        /* To the caret: the golden that every_golden_agrees holds it to. */
        struct str golden = read_golden(arena_printf(arena, FOLDER "/e%s.diag", name + 1));
        if (str_find(golden, str_of(name)) == STR_NPOS || str_find(golden, STR("^")) == STR_NPOS)
            fail_msg("%s has no golden with a caret", shown);
    }
}

static void a_file_above_the_limit_is_refused_and_one_at_it_is_read(void **state)
{
    (void)state;
    size_t n = PARSE_TEXT_MAX + 1;
    char *text = malloc(n);
    assert_non_null(text);
    memset(text, ' ', n);
    struct rules r;
    rules_open(&r, "large.sluice", (struct str){text, n});
    assert_int_equal(r.diags.list.n, 1);
    assert_int_equal(r.diags.list.v[0]->code, DIAG_E114);
    rules_close(&r);
    rules_open(&r, "large.sluice", (struct str){text, n - 1});
    assert_int_equal(r.diags.list.n, 0);
    rules_close(&r);
    free(text);
}

static int setup(void **state)
{
    (void)state;
    arena = arena_create();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_golden_agrees, setup, teardown),
        cmocka_unit_test_setup_teardown(every_code_has_an_example_and_a_near_miss, setup, teardown),
        cmocka_unit_test(a_file_above_the_limit_is_refused_and_one_at_it_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
