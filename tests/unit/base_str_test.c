/* Views, buffers, maps, arenas. */
#include "tests/support/check.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/map.h"

static void views(void **state)
{
    (void)state;
    struct str head, tail;
    assert_true(str_cut(STR("a=b=c"), '=', &head, &tail));
    check_str(head, "a");
    check_str(tail, "b=c");
    assert_false(str_cut(STR("abc"), '=', &head, &tail));
    check_str(head, "abc");
    assert_int_equal(tail.n, 0);
    check_str(str_slice(STR("abc"), 1, 99), "bc");
    check_str(str_slice(STR("abc"), 5, 9), "");
    check_str(str_trim(STR(" \r\n a b\t ")), "a b");
    assert_int_equal(str_find(STR("abcabd"), STR("abd")), 3);
    assert_int_equal(str_find(STR("ab"), STR("abc")), STR_NPOS);
    assert_true(str_eq(STR_NONE, STR("")));
    assert_true(str_cmp(STR("a"), STR("ab")) < 0);
    assert_true(str_eq_nocase(STR("MAIL"), STR("mail")));
    assert_false(str_eq_nocase(STR("\xc3\x84"), STR("\xc3\xa4")));
}

/* Beside the plain search, for every needle of a text of few letters, by each of its bytes. */
static void found_by_a_rare_byte(void **state)
{
    (void)state;
    static const char text[] = "\n-a\n--b---\n--\n-";
    for (size_t from = 0; from < sizeof text; from++) {
        for (size_t n = 1; n <= 3; n++) {
            char needle[3];
            for (size_t kind = 0; kind < 27; kind++) {
                size_t code = kind;
                for (size_t i = 0; i < n; i++, code /= 3) needle[i] = "\n-a"[code % 3];
                struct str s = {text + from, sizeof text - 1 - from}, what = {needle, n};
                for (size_t rare = 0; rare < n; rare++) assert_int_equal(str_find_by(s, what, rare), str_find(s, what));
            }
        }
    }
}

/* Each pair of a text, and each half of it, in texts about the blocks that are looked at at once. */
static void found_by_a_pair(void **state)
{
    (void)state;
    char text[3 * STR_BLOCK];
    for (size_t n = 0; n <= sizeof text; n++) {
        memset(text, 'a', sizeof text);
        for (size_t at = 0; at + 1 < sizeof text; at++) {
            text[at] = '\n';
            assert_int_equal(str_find_pair((struct str){text, n}, '\n', 'b'), STR_NPOS);
            text[at + 1] = 'b';
            assert_int_equal(str_find_pair((struct str){text, n}, '\n', 'b'), at + 1 < n ? at : STR_NPOS);
            text[at] = 'a';
            assert_int_equal(str_find_pair((struct str){text, n}, '\n', 'b'), STR_NPOS);
            text[at + 1] = 'a';
        }
    }
}

/* One byte that is none, at each place of texts about the blocks that are looked at at once. */
static void ascii_up_to_a_place(void **state)
{
    (void)state;
    char text[131];
    for (size_t n = 0; n <= sizeof text; n++) {
        memset(text, 'a', sizeof text);
        assert_int_equal(str_ascii_prefix((struct str){text, n}), n);
        for (size_t at = 0; at < n; at++) {
            text[at] = (char)0x80;
            assert_int_equal(str_ascii_prefix((struct str){text, n}), at);
            text[at] = 'a';
        }
    }
}

static void numbers(void **state)
{
    (void)state;
    uint64_t u;
    int64_t i;
    assert_true(str_to_u64(STR("18446744073709551615"), &u) && u == UINT64_MAX);
    assert_false(str_to_u64(STR("18446744073709551616"), &u));
    assert_true(str_to_i64(STR("-9223372036854775808"), &i) && i == INT64_MIN);
    assert_false(str_to_i64(STR("9223372036854775808"), &i));
    static const char *const bad[] = {"", "-", "+1", " 1", "1 ", "0x1", "1.0", "--1"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        assert_false(str_to_u64(str_of(bad[k]), &u));
        assert_false(str_to_i64(str_of(bad[k]), &i));
    }
}

static void utf8_as_rfc_3629_has_it(void **state)
{
    (void)state;
    static const char *const good[] = {"",
                                       "abcdefghijk",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       ("01234567\xc3\xa9"
                                        "0123456789")};
    static const char *const bad[] = {"\x80",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc3",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "01234567\xff",
                                      "\xe2\x82",
                                      "\xff"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) assert_true(str_is_utf8(str_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(str_is_utf8(str_of(bad[i])));
    char text[32];
    for (size_t at = 0; at < sizeof text; at++) {
        memset(text, 'a', sizeof text);
        text[at] = (char)0x80;
        assert_int_equal(str_ascii_prefix((struct str){text, sizeof text}), at);
        assert_int_equal(str_ascii_prefix((struct str){text, at}), at);
        assert_false(str_is_ascii((struct str){text, sizeof text}));
    }
    assert_true(str_is_ascii(STR_NONE));
}

static void maps_keep_the_order_of_insertion(void **state)
{
    (void)state;
    struct arena *a = arena_create();
    struct map m = {0};
    static int values[1000];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 1000; i++) {
            void *before = map_put(&m, arena_printf(a, "key %d", i * 7919 % 1000), &values[i]);
            assert_ptr_equal(before, round ? &values[i] : NULL);
        }
    }
    assert_int_equal(m.n, 1000);
    check_str(m.entries[1].key, "key 919");
    assert_ptr_equal(map_get(&m, STR("key 919")), &values[1]);
    assert_true(map_has(&m, STR("key 0")));
    assert_null(map_get(&m, STR("key")));
    map_free(&m);
    assert_null(map_get(&m, STR("key 0")));
    arena_free(&a);
}

static void arenas_and_buffers(void **state)
{
    (void)state;
    struct arena *a = arena_create();
    for (size_t n = 0; n < 300000; n = n * 3 + 1) {
        unsigned char *p = arena_alloc(a, n);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < n; i++) assert_int_equal(p[i], 0);
        memset(p, 0xff, n);
    }
    assert_true(arena_used(a) >= 200000);
    arena_reset(a);
    assert_int_equal(arena_used(a), 0);
    check_str(arena_str(a, STR("abc")), "abc");
    assert_int_equal(*(char *)arena_alloc(a, 1), 0);
    arena_free(&a);
    assert_null(a);

    struct buf b = {0};
    for (int i = 0; i < 1000; i++) buf_printf(&b, "%d,", i);
    assert_true(str_starts(buf_str(&b), STR("0,1,2,")));
    buf_consume(&b, 4);
    assert_true(str_starts(buf_str(&b), STR("2,3,")));
    buf_add(&b, STR_NONE);
    assert_true(str_ends(buf_str(&b), STR("998,999,")));
    buf_consume(&b, b.n);
    assert_int_equal(b.n, 0);
    buf_free(&b);
}

static void errors_say_what_and_how_to_end(void **state)
{
    (void)state;
    struct err e = {0};
    assert_false(err_set(&e, 65, "line %d", 7));
    assert_int_equal(e.sysexit, 65);
    assert_string_equal(e.text, "line 7");
    assert_false(err_set(NULL, 65, "nobody listens"));
    char longer[1000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    err_set(&e, 70, "%s", longer);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views),
        cmocka_unit_test(found_by_a_rare_byte),
        cmocka_unit_test(found_by_a_pair),
        cmocka_unit_test(ascii_up_to_a_place),
        cmocka_unit_test(numbers),
        cmocka_unit_test(utf8_as_rfc_3629_has_it),
        cmocka_unit_test(maps_keep_the_order_of_insertion),
        cmocka_unit_test(arenas_and_buffers),
        cmocka_unit_test(errors_say_what_and_how_to_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
