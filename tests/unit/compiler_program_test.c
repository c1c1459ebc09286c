/* What a program holds: order, files, paths, equal rows once, identities, size and time. */
#include "tests/support/check.h"

#include <string.h>
#include <time.h>

#include "base/vec.h"
#include "bytecode/verify.h"
#include "compiler/words.h"
#include "tests/support/compiled.h"

static void rules_run_by_priority_then_appearance(void **state)
{
    (void)state;
    const struct compiler_memory_file files[] = {
        {STR("etc/relay.sluice"),
         STR("rule \"a\" when always then stop\nimport \"sub/b.sluice\"\nrule \"c\" priority 5 when always then stop\n"
             "import \"sub/../sub/b.sluice\"\nrule \"d\" when always then stop\n")},
        {STR("etc/sub/b.sluice"),
         STR("defaults mode audit\nrule \"b\" when always then stop\nimport \"../e.sluice\"\n")},
        {STR("etc/sub/../e.sluice"), STR("rule \"e\" when always then stop\n")},
    };
    struct compiled c;
    compiled_open_files(&c, files, 3);
    assert_non_null(c.program);
    assert_int_equal(c.program->rules_count, 5);
    static const char *const order[] = {"c", "a", "b", "e", "d"};
    for (size_t i = 0; i < 5; i++) check_str(c.program->rules[i].identity, order[i]);
    assert_int_equal(c.program->rules[2].mode, MODE_AUDIT);
    assert_int_equal(c.program->rules[3].mode, MODE_ENFORCE); /* not of its imports */
    assert_int_equal(c.program->sources_count, 3);            /* every file once */
    compiled_close(&c);
}

static struct str setting(const struct program *p, const char *declaration, const char *name)
{
    uint32_t id = words_find_declaration(str_of(declaration));
    const struct declaration_row *row = &words_rows.declarations[id];
    uint32_t param = words_find_param(row->params, row->param_count, str_of(name));
    for (uint32_t i = 0; i < p->declarations_count; i++) {
        const struct declaration *d = &p->declarations[i];
        for (uint32_t k = 0; d->declaration == id && k < d->argument_count; k++) {
            const struct argument *a = &p->arguments[d->first_argument + k];
            if (a->param == param) return p->constants[a->index].text;
        }
    }
    return STR_NONE;
}

static void list_files_are_of_their_file_and_paths_as_written(void **state)
{
    (void)state;
    const struct compiler_memory_file files[] = {
        {STR("/etc/sluice/relay.sluice"),
         STR("import \"sub/more.sluice\"\nlist l of text in file \"lists/a.txt\"\nwhen subject is in l then stop\n")},
        {STR("/etc/sluice/sub/more.sluice"),
         STR("relay hostname \"x.example\" state \"run/state\" control \"/run/c.sock\"\n"
             "list m of text in file \"a.txt\"\nwhen subject is in m then stop\n")},
        {STR("/etc/sluice/lists/a.txt"), STR("x\n")},
        {STR("/etc/sluice/sub/a.txt"), STR("y\n")},
    };
    struct compiled c;
    compiled_open_files(&c, files, 4);
    assert_non_null(c.program);
    check_str(setting(c.program, "relay", "state"), "run/state"); /* whoever loads it knows where it stands */
    check_str(setting(c.program, "relay", "control"), "/run/c.sock");
    const struct program_list *l = program_find_list(c.program, STR("l")), *m = program_find_list(c.program, STR("m"));
    assert_true(l && m && l->count == 1 && m->count == 1);
    check_str(c.program->constants[l->first].text, "x");
    check_str(c.program->constants[m->first].text, "y");
    assert_null(program_find_list(c.program, STR("n")));
    assert_null(program_find_list(c.program, STR("")));
    compiled_close(&c);
}

static void equal_rows_are_kept_once(void **state)
{
    (void)state;
    struct compiled c;
    struct program *p = compiled_program(
        &c, STR("define d as subject contains \"x\"\n"
                "rule \"1\" when d and sender is any of (\"a@b.example\", \"c@d.example\") then stop\n"
                "rule \"2\" when not d or sender is any of (\"a@b.example\", \"c@d.example\") then stop\n"
                "rule \"3\" when subject contains \"x\" or body contains \"x\" or subject matches /a/ or body matches "
                "/a/ then stop\n"));
    assert_int_equal(p->tests_count, 5);
    assert_int_equal(p->lists_count, 1);
    assert_int_equal(p->patterns_count, 1);
    assert_int_equal(p->field_refs_count, 3);
    assert_int_equal(p->constants_count, 3);
    compiled_close(&c);
}

static void identities_are_names_or_hashes(void **state)
{
    (void)state;
    struct compiled c, d;
    struct program *p =
        compiled_program(&c, STR("when subject contains \"x\" then stop\nrule \"n\" when always then stop\n"));
    struct program *q =
        compiled_program(&d, STR("# moved, and laid out otherwise\n\nWHEN  Subject\n contains \"x\"\nthen stop\n"));
    assert_int_equal(p->rules[0].identity.n, 12);
    assert_true(str_eq(p->rules[0].identity, q->rules[0].identity));
    assert_false(p->rules[0].named);
    check_str(p->rules[1].identity, "n");
    assert_true(p->rules[1].named);
    compiled_close(&c);
    compiled_close(&d);
    compiled_open(&c, STR("when always then stop\nwhen always then stop\nwhen always then stop\n"));
    assert_true(c.program && compiled_has(&c, "W305"));
    assert_true(program_verify(c.program, &words_rows, NULL)); /* still unique */
    compiled_close(&c);
}

static void warnings_can_be_errors(void **state)
{
    (void)state;
    struct arena *a = arena_create();
    struct sources sources = {0};
    struct diags d = {.arena = a, .sources = &sources};
    struct compiler_memory_file file = {STR("p.sluice"), STR("list unused of text = \"x\"\n")};
    struct compiler_memory memory = {&file, 1};
    struct compile_input in = {.path = file.path, .read = compiler_read_memory, .context = &memory};
    struct program *p = compiler_compile(&in, &d);
    assert_true(p && d.warnings == 1 && !d.errors);
    program_free(&p);
    in.warnings_as_errors = true;
    assert_null(compiler_compile(&in, &d)); /* a second run into the same diagnostics */
    in.warnings_as_errors = false;
    p = compiler_compile(&in, &d);
    assert_non_null(p);
    program_free(&p);
    VEC_FREE(&d.list);
    VEC_FREE(&sources.list);
    arena_free(&a);
}

static void nothing_crashes(const char *text)
{
    struct compiled c;
    compiled_open(&c, str_of(text));
    compiled_close(&c);
}

static void odd_sources(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "import \"\"",
        "import \"policy.sluice\"",
        "list",
        "list x",
        "list x of text in file \"\"",
        "define a as a\nwhen a then stop",
        "when",
        "when subject",
        "rule \"x\" when always then",
        "relay",
        "listener",
        "connector \"\"",
        "when any recipient where () then stop",
        "when header \"\" is present then stop",
        "list a of text = a\nwhen subject is in a then stop",
        "test \"x\" expect nothing",
        "when subject contains any of () then stop",
        "defaults",
        "when always then reject \"\"",
        "when marked \"\" then stop",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) nothing_crashes(texts[i]);
    struct compiled c;
    compiled_open_files(&c, (const struct compiler_memory_file[]){{STR("a\0b"), STR("when always then stop")}}, 1);
    assert_true(!c.program && compiled_has(&c, "E215"));
    compiled_close(&c);
}

/* What the machine would refuse to load is refused with a diagnostic. */
static void what_cannot_be_loaded_is_told(void **state)
{
    (void)state;
    struct compiled c;
    struct buf b = {0}, list = {0};
    for (int i = 0; i < 5000; i++) buf_add_byte(&list, 'x');
    buf_printf(&b,
               "list l of text in file \"1\"\nwhen subject is like any of l then stop\nwhen subject is like any of "
               "(\"a*\", l) then stop\n"
               "when sender.domain is like any of l then stop\nwhen subject is like \"*%.*s\" then stop\n",
               STR_ARG(buf_str(&list)));
    const struct compiler_memory_file files[] = {{STR("p"), buf_str(&b)}, {STR("1"), buf_str(&list)}};
    compiled_open_files(&c, files, 2);
    assert_true(!c.program && c.diags.errors == 4 && compiled_has(&c, "E219"));
    compiled_close(&c);
    compiled_open(&c, STR("list l of text = \"x\", \" \"\nwhen subject is in l then stop\n"));
    assert_true(!c.program && compiled_has(&c, "E214"));
    compiled_close(&c);
    buf_free(&b);
    buf_free(&list);
}

/* A definition that doubles at every step is refused by its size, not built; a long chain of them by its depth. */
static void blown_up_definitions_are_refused(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_printf(&b, "define d0 as authenticated\n");
    for (int i = 1; i < 60; i++) buf_printf(&b, "define d%d as d%d or d%d\n", i, i - 1, i - 1);
    buf_printf(&b, "when d59 then stop\n");
    struct compiled c;
    compiled_open(&c, buf_str(&b));
    assert_true(!c.program && compiled_has(&c, "E232"));
    compiled_close(&c);
    b.n = 0;
    buf_printf(&b, "when d5000 then stop\ndefine d0 as authenticated\n");
    for (int i = 1; i <= 5000; i++) buf_printf(&b, "define d%d as not d%d\n", i, i - 1);
    compiled_open(&c, buf_str(&b));
    assert_true(!c.program && compiled_has(&c, "E232"));
    compiled_close(&c);
    buf_free(&b);
}

/* 10,000 rules and a list of 100,000: linear, or this would take minutes. */
static void large_sets_compile_quickly(void **state)
{
    (void)state;
    struct buf rules = {0}, list = {0};
    buf_printf(&rules, "list big of domain in file \"big.txt\"\n");
    for (int i = 0; i < 10000; i++) {
        buf_printf(
            &rules,
            "rule \"rule %d\" priority %d when subject contains \"word%d\" and recipient.domain is \"d%d.example\" "
            "unless header \"X-%d\" is present or recipient.domain is in big then require_tls verified, add_header "
            "\"X-R\" \"%d\"\n",
            i, i % 100, i, i, i, i);
    }
    for (int i = 0; i < 100000; i++) buf_printf(&list, "host%d.partner.example\n", i);
    const struct compiler_memory_file files[] = {{STR("p.sluice"), buf_str(&rules)}, {STR("big.txt"), buf_str(&list)}};
    struct compiled c;
    struct timespec from, to;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    compiled_open_files(&c, files, 2);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    assert_non_null(c.program);
    assert_int_equal(c.program->rules_count, 10000);
    assert_true(program_verify(c.program, &words_rows, NULL));
    double seconds = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
    print_message("10,000 rules and 100,000 entries: %.2f s of CPU\n", seconds);
#ifndef SLUICE_SANITIZED
    assert_true(seconds < 1.5);
#endif
    compiled_close(&c);
    buf_free(&rules);
    buf_free(&list);
}

static double seconds_of(struct compiled *c, struct str text)
{
    struct timespec from, to;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    compiled_open(c, text);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

/* The same nameless rule again and again, one line of many tests, as many tests of rules as rules: each place and name
 * is found at once, and which rules take part. */
static void odd_shapes_compile_quickly(void **state)
{
    (void)state;
    struct buf copies = {0}, line = {0}, cases = {0};
    for (int i = 0; i < 5000; i++) buf_printf(&copies, "when authenticated then stop\n");
    buf_printf(&line, "when subject contains \"\u00fc\"");
    size_t last = 0; /* where the last test begins */
    for (int i = 0; i < 20000; i++) {
        last = line.n + 4;
        buf_printf(&line, " or subject contains \"a%d\"", i);
    }
    buf_printf(&line, " then stop");
    for (int i = 0; i < 10000; i++)
        buf_printf(&cases, "when subject contains \"w%d\" then stop\ntest \"%d\" given subject \"x\" expect nothing\n",
                   i, i);
    struct compiled c;
    double seconds = seconds_of(&c, buf_str(&copies));
    assert_non_null(c.program);
    assert_int_equal(c.program->rules_count, 5000);
    assert_true(str_ends(c.program->rules[4999].identity, STR("-5000")));
    compiled_close(&c);
    seconds += seconds_of(&c, buf_str(&line));
    assert_non_null(c.program);
    /* Columns count characters from 1, and the line begins with one of two bytes. */
    assert_int_equal(c.program->tests[c.program->tests_count - 1].origin.column, last);
    compiled_close(&c);
    seconds += seconds_of(&c, buf_str(&cases));
    assert_non_null(c.program);
    assert_int_equal(c.program->cases_count, 10000);
    compiled_close(&c);
    print_message("5,000 copies, 20,000 tests on a line, 10,000 rules each with a test: %.2f s of CPU\n", seconds);
#ifndef SLUICE_SANITIZED
    assert_true(seconds < 1.5);
#endif
    buf_free(&copies);
    buf_free(&line);
    buf_free(&cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_run_by_priority_then_appearance),
        cmocka_unit_test(list_files_are_of_their_file_and_paths_as_written),
        cmocka_unit_test(equal_rows_are_kept_once),
        cmocka_unit_test(identities_are_names_or_hashes),
        cmocka_unit_test(warnings_can_be_errors),
        cmocka_unit_test(odd_sources),
        cmocka_unit_test(what_cannot_be_loaded_is_told),
        cmocka_unit_test(blown_up_definitions_are_refused),
        cmocka_unit_test(large_sets_compile_quickly),
        cmocka_unit_test(odd_shapes_compile_quickly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
