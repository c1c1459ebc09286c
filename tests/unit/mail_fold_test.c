/* Text folding against utf8proc's own normalisation of the whole, its way back, words, wildcards. */
#include "tests/support/check.h"

#include <string.h>
#include <time.h>

#include <utf8proc.h>

#include "mail/confusables.h"
#include "mail/fold.h"
#include "mail/like.h"

static void check_fold(const char *in, unsigned flags, const char *wanted)
{
    struct buf b = {0};
    fold_text(str_of(in), flags, &b, NULL);
    check_buf(&b, wanted);
    buf_free(&b);
}

static void known_foldings(void **state)
{
    (void)state;
    check_fold("Top SECRET", 0, "top secret");
    check_fold("  a \t\r\n b  ", 0, " a b ");
    check_fold("  a \t\r\n b  ", FOLD_TRIM, "a b");
    check_fold(" \t", FOLD_TRIM, "");
    check_fold("\xc2\xa0"
               "a\xe3\x80\x80\xe2\x80\xa8"
               "b",
               0, " a b"); /* no-break, ideographic, line separator */
    check_fold("STRASSE Stra\xc3\x9f" "e \xe1\xba\x9e", 0, "strasse strasse ss");
    check_fold("\xef\xbc\xb3\xef\xbd\x85\xef\xbd\x83ret", 0, "secret");         /* full width */
    check_fold("\xf0\x9d\x90\x92\xf0\x9d\x90\x9e" "cret", 0, "secret");         /* mathematical bold */
    check_fold("s\xe2\x80\x8b" "e\xc2\xad" "c\xef\xbb\xbf" "ret", 0, "secret"); /* zero width, soft hyphen, BOM */
    check_fold("CAFE\xcc\x81 caf\xc3\xa9", 0, "caf\xc3\xa9 caf\xc3\xa9");
    check_fold("e\xe2\x80\x8d\xcc\x81", 0, "\xc3\xa9");                         /* a joiner between does not hide it */
    check_fold("\xef\xac\x81le \xe2\x85\xa3", 0, "file iv");
    check_fold("\xce\xa3\xcf\x82", 0, "\xcf\x83\xcf\x83");                      /* both sigmas */
    check_fold("\xef\xbd\xb6\xef\xbe\x9e", 0, "\xe3\x82\xac");                  /* half-width ka, voiced mark: ga */
    check_fold("\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", 0, "\xed\x95\x9c");      /* conjoining Jamo: han */
    check_fold("\xff" "A\xc3", 0, "\xef\xbf\xbd" "a\xef\xbf\xbd");              /* what is not UTF-8 */
    check_fold("=\xcc\xb8", 0, "\xe2\x89\xa0");
    check_fold("resume r\xc3\xa9sum\xc3\xa9", 0, "resume r\xc3\xa9sum\xc3\xa9"); /* accents stay */
    check_fold("\xd0\xb0", 0, "\xd0\xb0");                                      /* so does Cyrillic a */
}

/* Unicode's prototypes, whichever of a letter's two forms they are drawn like. */
static void look_alikes_are_the_same(void **state)
{
    (void)state;
    check_fold("top secret", FOLD_ALIKE, "top secret");
    check_fold("\xd1\x82\xd0\xbe\xd1\x80 \xd1\x95\xd0\xb5\xd1\x81r\xd0\xb5\xd1\x82", FOLD_ALIKE,
               "top secret"); /* Cyrillic, small */
    check_fold("\xd0\xa2\xd0\x9e\xd0\xa0 \xd0\x85\xd0\x95\xd0\xa1R\xd0\x95\xd0\xa2", FOLD_ALIKE,
               "top secret"); /* and capital */
    check_fold("\xce\xa4\xce\x9f\xce\xa1 \xce\x9d\xce\x91\xce\x9d\xce\x9f", FOLD_ALIKE,
               "top nano"); /* Greek capitals */
    check_fold("PaypaI paypa1 paypal PAYPAL |", FOLD_ALIKE, "paypal paypal paypal paypal l");
    check_fold("INVOICE inv0ice lNV0lCE", FOLD_ALIKE, "lnvolce lnvolce lnvolce");
    check_fold("Modern rnodern", FOLD_ALIKE, "rnodern rnodern");
    check_fold("\xe2\x80\x9c"
               "a\" \"",
               FOLD_ALIKE, "''a'' ''");
    check_fold("caf\xc3\xa9 cafe\xcc\x81 cafe", FOLD_ALIKE, "caf\xc3\xa9 caf\xc3\xa9 cafe"); /* accents stay */
    check_fold("\xd0\xb5\xcc\x81", FOLD_ALIKE, "\xc3\xa9"); /* on a Cyrillic letter too */
    check_fold("o\xe0\xa4\x82", FOLD_ALIKE, "\xc8\xaf");    /* an anusvara for a dot above */
    check_fold(" A\t\n1 ", FOLD_ALIKE | FOLD_TRIM, "a l");
    check_fold("\xe6\x9d\xb1\xe4\xba\xac \xec\x95\x84", FOLD_ALIKE, "\xe6\x9d\xb1\xe4\xba\xac \xec\x95\x84");
    check_fold("\xed\x95\x9c", FOLD_ALIKE, "\xed\x95\x98\xe1\x84\x82"); /* a final consonant looks like an initial */
}

static void others(void **state)
{
    (void)state;
    struct buf b = {0};
    fold_case_nfc(STR("Jo\xcc\x88rg.STRA\xc3\x9f" "E  \xef\xbc\xa1"), &b);
    check_buf(&b, "j\xc3\xb6rg.strasse  \xef\xbd\x81");
    b.n = 0;
    fold_lower_nfc(STR("BU\xcc\x88" "CHER Stra\xc3\x9f" "E"), &b);
    check_buf(&b, "b\xc3\xbc" "cher stra\xc3\x9f" "e");
    buf_free(&b);
}

/* Code points that meet each other in interesting ways. */
static uint32_t interesting(struct dice *d)
{
    static const uint32_t some[] = {'a',    'E',    'z',    ' ',     '=',    '9',    0x301,   0x308,  0x323,  0x345,
                                    0x338,  0xe9,   0xdf,   0xad,    0x200d, 0x200b, 0xfb01,  0xff21, 0xff76, 0xff9e,
                                    0x1100, 0x1161, 0x11a8, 0xac00,  0x9be,  0x9c7,  0x3b1,   0x1fb3, 0x130,  0x149,
                                    0x344,  0x3000, 0x2028, 0x4e2d,  0x3099, 0x304b, 0x1d400, 0x3c2,  0xfdfa, 0x212b,
                                    0x2126, 0xe01,  0xe33,  0x16d67, 0x115f, 0x3164, 0x1f80,  0x1e9e, 0xab70, 0x13a0,
                                    0x10a0, 0x418,  0x435,  0xd6,    0xd7,   0xf7,   0x30ab,  0x4e00, 0xd7a3};
    return some[dice_roll(d, sizeof some / sizeof *some)];
}

/* NFKD without ignorables, then folding, composition: of the whole at once. */
static void reference(struct str s, struct buf *out)
{
    utf8proc_uint8_t *first = NULL, *second = NULL;
    utf8proc_option_t common = UTF8PROC_COMPAT | UTF8PROC_IGNORE | UTF8PROC_STABLE;
    utf8proc_ssize_t n =
        utf8proc_map((const utf8proc_uint8_t *)s.p, (utf8proc_ssize_t)s.n, &first, common | UTF8PROC_DECOMPOSE);
    assert_true(n >= 0);
    n = utf8proc_map(first, n, &second, common | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD);
    assert_true(n >= 0);
    bool blank = false;
    for (size_t i = 0; i < (size_t)n;) {
        uint32_t c;
        i += fold_decode((const char *)second + i, (size_t)n - i, &c);
        bool white = c == ' ' || c == '\n' || c == 0x2028 || c == 0x3000;
        if (!white) fold_encode(out, c);
        else if (!blank) buf_add_byte(out, ' ');
        blank = white;
    }
    free(first);
    free(second);
}

static void segments_fold_as_the_whole(void **state)
{
    (void)state;
    struct dice d = {42};
    struct buf text = {0}, got = {0}, wanted = {0}, again = {0};
    for (int round = 0; round < 60000; round++) {
        text.n = got.n = wanted.n = again.n = 0;
        for (size_t n = dice_roll(&d, 20); n > 0; n--) fold_encode(&text, interesting(&d));
        fold_text(buf_str(&text), 0, &got, NULL);
        reference(buf_str(&text), &wanted);
        check_str_at(buf_str(&got), buf_str(&wanted), __FILE__, __LINE__);
        assert_true(str_is_utf8(buf_str(&got)));
        fold_text(buf_str(&got), 0, &again, NULL);
        check_str_at(buf_str(&again), buf_str(&got), __FILE__, __LINE__);
    }
    buf_free(&text);
    buf_free(&got);
    buf_free(&wanted);
    buf_free(&again);
}

/* NFKD without ignorables, each character as it looks or in folded case, composition: of the whole at once. */
static void reference_alike(struct str s, struct buf *out)
{
    utf8proc_uint8_t *first = NULL;
    utf8proc_option_t common = UTF8PROC_COMPAT | UTF8PROC_IGNORE | UTF8PROC_STABLE | UTF8PROC_DECOMPOSE;
    utf8proc_ssize_t n = utf8proc_map((const utf8proc_uint8_t *)s.p, (utf8proc_ssize_t)s.n, &first, common);
    struct buf alike = {0};
    assert_true(n >= 0);
    for (size_t i = 0; i < (size_t)n;) {
        uint32_t c;
        utf8proc_int32_t folded[8];
        int bound = 0;
        i += fold_decode((const char *)first + i, (size_t)n - i, &c);
        const struct confusable *like = confusable_find(c);
        for (uint32_t k = 0; like && k < like->n; k++) fold_encode(&alike, (uint32_t)like->to[k]);
        utf8proc_ssize_t m =
            like ? 0 : utf8proc_decompose_char((utf8proc_int32_t)c, folded, 8, common | UTF8PROC_CASEFOLD, &bound);
        for (utf8proc_ssize_t k = 0; k < m; k++) fold_encode(&alike, (uint32_t)folded[k]);
    }
    reference(buf_str(&alike), out);
    buf_free(&alike);
    free(first);
}

static void look_alikes_fold_as_the_whole(void **state)
{
    (void)state;
    static const uint32_t some[] = {'I',    'm',     '0',    '|',    '"',    '%',    'a',    ' ',   0x301, 0x307,
                                    0x323,  0x902,   0x981,  0xe4d,  0x17cb, 0x391,  0x3bd,  0x39d, 0x3b2, 0x430,
                                    0x422,  0x442,   0x406,  0x44b,  0x42b,  0xe33,  0x5d5,  0x627, 0x660, 0x6f0,
                                    0x2028, 0x1d7d8, 0x1f6c, 0x4e36, 0x30ce, 0xa731, 0x2e9f, 0xdf,  0xad};
    struct dice d = {45};
    struct buf text = {0}, got = {0}, wanted = {0}, again = {0}, mapped = {0};
    struct fold_map map = {0};
    for (int round = 0; round < 60000; round++) {
        text.n = got.n = wanted.n = again.n = mapped.n = 0;
        for (size_t n = dice_roll(&d, 20); n > 0; n--)
            fold_encode(&text, dice_roll(&d, 3)   ? some[dice_roll(&d, sizeof some / sizeof *some)]
                               : dice_roll(&d, 2) ? interesting(&d)
                                                  : 0xa0 + (uint32_t)dice_roll(&d, 0x500));
        fold_text(buf_str(&text), FOLD_ALIKE, &got, NULL);
        reference_alike(buf_str(&text), &wanted);
        check_str_at(buf_str(&got), buf_str(&wanted), __FILE__, __LINE__);
        fold_text(buf_str(&got), FOLD_ALIKE, &again, NULL);
        check_str_at(buf_str(&again), buf_str(&got), __FILE__, __LINE__);
        fold_text(buf_str(&text), FOLD_ALIKE, &mapped, &map);
        check_str_at(buf_str(&mapped), buf_str(&got), __FILE__, __LINE__);
        size_t last = 0;
        for (size_t i = 0; i < mapped.n; i++) {
            size_t from, to;
            fold_map_range(&map, i, i + 1, &from, &to);
            assert_true(from >= last && from <= to && to <= text.n);
            last = from;
        }
    }
    fold_map_free(&map);
    buf_free(&text);
    buf_free(&got);
    buf_free(&wanted);
    buf_free(&again);
    buf_free(&mapped);
}

/* A block of bytes at a time, one at a time with a map, and the plain meaning. */
static void ascii_folds_the_same_every_way(void **state)
{
    (void)state;
    struct dice d = {77};
    struct buf fast = {0}, slow = {0}, wanted = {0};
    struct fold_map map = {0};
    for (int round = 0; round < 50000; round++) {
        char bytes[5 * STR_BLOCK];
        size_t n = dice_roll(&d, sizeof bytes), letters = 1 + dice_roll(&d, 60); /* that stand together, or so */
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)(dice_roll(&d, letters) ? 'A' - 2 + dice_roll(&d, 60)
                              : dice_roll(&d, 5) ? ' '
                                                 : dice_roll(&d, 128));
        fast.n = slow.n = wanted.n = 0;
        bool blank = false;
        for (size_t i = 0; i < n; i++) {
            bool white = bytes[i] == ' ' || (bytes[i] >= 9 && bytes[i] <= 13);
            if (!white || !blank) buf_add_byte(&wanted, white ? ' ' : ascii_lower(bytes[i]));
            blank = white;
        }
        fold_text((struct str){bytes, n}, 0, &fast, NULL);
        fold_text((struct str){bytes, n}, 0, &slow, &map);
        check_str_at(buf_str(&fast), buf_str(&wanted), __FILE__, __LINE__);
        check_str_at(buf_str(&slow), buf_str(&wanted), __FILE__, __LINE__);
    }
    fold_map_free(&map);
    buf_free(&fast);
    buf_free(&slow);
    buf_free(&wanted);
}

static void any_bytes_fold_to_utf8(void **state)
{
    (void)state;
    struct dice d = {43};
    struct buf out = {0};
    for (int round = 0; round < 50000; round++) {
        char bytes[40];
        size_t n = dice_roll(&d, sizeof bytes);
        for (size_t i = 0; i < n; i++) bytes[i] = (char)dice_roll(&d, 256);
        out.n = 0;
        fold_text((struct str){bytes, n}, FOLD_TRIM, &out, NULL);
        assert_true(str_is_utf8(buf_str(&out)));
        assert_true(out.n == 0 || (out.p[0] != ' ' && out.p[out.n - 1] != ' '));
    }
    buf_free(&out);
}

/* Stops soon behind the limit, and is till there what it would be; tells exactly whether there was more. */
static void fold_stops_in_time(void **state)
{
    (void)state;
    struct str text = STR("Zw\u00f6lf \ufdfa\ufdfa  Boxk\u00c4mpfer e\u0301 \uff34OP \ufdfa end");
    struct buf whole = {0}, part = {0};
    fold_text(text, 0, &whole, NULL);
    for (size_t most = 0; most <= whole.n + 2; most++) {
        part.n = 0;
        buf_add(&part, STR("before"));
        assert_int_equal(fold_text_within(text, 0, most, &part), most >= whole.n);
        struct str got = str_from(buf_str(&part), 6);
        assert_true(got.n >= (most < whole.n ? most : whole.n) && got.n <= most + 2 * 33 + 4);
        assert_true(str_starts(buf_str(&whole), got));
        assert_true(str_is_utf8(got));
    }
    buf_free(&whole);
    buf_free(&part);
}

static void the_way_back(void **state)
{
    (void)state;
    struct str text = STR("A  TOP\t\t S\xc2\xad" "e\xcc\x81" "CRET \xef\xac\x81le");
    struct fold_map map = {0};
    struct buf out = {0};
    size_t from, to;
    fold_text(text, 0, &out, &map);
    check_buf(&out, "a top s\xc3\xa9" "cret file");
    static const struct {
        const char *needle, *source;
    } cases[] = {{"top", "TOP"},  {"s\xc3\xa9" "cret", "S\xc2\xad" "e\xcc\x81" "CRET"},
                 {"cret", "CRET"}, {"file", "\xef\xac\x81le"}, {"a", "A"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str needle = str_of(cases[i].needle);
        size_t at = str_find(buf_str(&out), needle);
        fold_map_range(&map, at, at + needle.n, &from, &to);
        check_str(str_slice(text, from, to), cases[i].source);
    }
    fold_map_range(&map, 0, out.n, &from, &to);
    assert_int_equal(from, 0);
    assert_int_equal(to, text.n);
    fold_map_range(&map, out.n + 5, out.n + 9, &from, &to);
    assert_true(from <= to && to <= text.n);
    fold_map_free(&map);
    buf_free(&out);
}

static void words_end_where_letters_do(void **state)
{
    (void)state;
    static const struct {
        const char *text, *needle;
        size_t at;
    } cases[] = {
        {"a secret plan", "secret", 2},
        {"secretary secret", "secret", 10},
        {"topsecret", "secret", STR_NPOS},
        {"secret2", "secret", STR_NPOS},
        {"(secret)", "secret", 1},
        {"secret_plan", "secret", 0}, /* an underscore is no letter */
        {"x\xcc\x81"
         "secret",
         "secret", STR_NPOS},                            /* a mark is part of a word */
        {"\xe4\xb8\xad\xe6\x96\x87secret", "secret", 6}, /* Han has no spaces */
        {"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", "\xe6\x9c\xac", 3},
        {"\xd1\x81\xd0\xb5\xd0\xba\xd1\x80\xd0\xb5\xd1\x82\xd1\x8b", "\xd1\x81\xd0\xb5\xd0\xba\xd1\x80\xd0\xb5\xd1\x82",
         STR_NPOS},
        {"c++ code", "c++", 0},
        {"c++x", "c++", 0}, /* the needle ends with no letter: a boundary */
        {"aaa aa", "aa", 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(fold_find(str_of(cases[i].text), str_of(cases[i].needle), 0, true), cases[i].at);
    assert_int_equal(fold_find(STR("topsecret"), STR("secret"), 0, false), 3);
    assert_int_equal(fold_count(STR("a a a aa a"), STR("a"), true, 100), 4);
    assert_int_equal(fold_count(STR("a a a aa a"), STR("a"), true, 2), 2);
    assert_int_equal(fold_count(STR("aaaa"), STR("aa"), false, 100), 2);
}

/* The plain recursive meaning of a wildcard pattern, for short texts. */
static bool like_reference(struct str p, struct str t)
{
    if (p.n == 0) return t.n == 0;
    uint32_t c;
    size_t n = t.n ? fold_decode(t.p, t.n, &c) : 0; /* a whole character */
    if (p.p[0] == '*') return like_reference(str_from(p, 1), t) || (t.n && like_reference(p, str_from(t, n)));
    if (t.n == 0) return false;
    if (p.p[0] != '?') n = 1;
    return (p.p[0] == '?' || p.p[0] == t.p[0]) && like_reference(str_from(p, 1), str_from(t, n));
}

static void like_means_what_it_says(void **state)
{
    (void)state;
    assert_true(like_match(STR("*.exe"), STR("setup.exe")));
    assert_false(like_match(STR("*.exe"), STR("setup.exe.txt")));
    assert_true(like_match(STR("inv?ice*"), STR("inv\xc3\xb6ice 12")));
    assert_false(like_match(STR("a?c"), STR("ac")));
    assert_true(like_match(STR("*"), STR("")));
    assert_false(like_match(STR(""), STR("x")));
    assert_true(like_match(STR("*?\xc3\xa9*"), STR("\xe4\xb8\xad\xc3\xa9")));
    struct dice d = {5};
    struct buf p = {0}, t = {0};
    unsigned hits = 0;
    for (int round = 0; round < 300000; round++) {
        static const struct str in_pattern[] = {{"a", 1}, {"b", 1}, {"\xc3\xa9", 2}, {"*", 1}, {"?", 1}};
        static const struct str in_text[] = {{"a", 1}, {"b", 1}, {"\xc3\xa9", 2}, {"\xe4\xb8\xad", 3}};
        p.n = t.n = 0;
        for (size_t n = dice_roll(&d, 8); n > 0; n--) buf_add(&p, in_pattern[dice_roll(&d, 5)]);
        for (size_t n = dice_roll(&d, 9); n > 0; n--) buf_add(&t, in_text[dice_roll(&d, 4)]);
        bool got = like_match(buf_str(&p), buf_str(&t));
        hits += got;
        if (got != like_reference(buf_str(&p), buf_str(&t)))
            fail_msg("like \"%.*s\" on \"%.*s\"", STR_ARG(buf_str(&p)), STR_ARG(buf_str(&t)));
    }
    assert_true(hits > 10000);
    buf_free(&p);
    buf_free(&t);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Twice the text, about twice the time: measured as a ratio, so that the machine does not matter. */
static void hostile_texts_stay_linear(void **state)
{
    (void)state;
    enum { N = 1 << 19 };
    struct buf big = {0}, out = {0};
    double took[2] = {0};
    for (int i = 0; i < 2; i++) {
        big.n = 0;
        buf_add_byte(&big, 'a');
        for (size_t n = 0; n < (size_t)(N << i) / 4; n++) buf_add(&big, n % 2 ? STR("\xcc\x81") : STR("\xcc\xa3"));
        double begin = seconds();
        out.n = 0;
        fold_text(buf_str(&big), 0, &out, NULL);
        took[i] = seconds() - begin;
        assert_true(str_is_utf8(buf_str(&out)));
    }
    assert_true(took[1] < 6 * took[0] + 0.05);

    for (int i = 0; i < 2; i++) {
        big.n = 0;
        for (size_t n = 0; n < (size_t)(N << i); n++) buf_add_byte(&big, 'a');
        double begin = seconds();
        assert_false(
            like_match(STR("*a?aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa?b*"), buf_str(&big)));
        assert_false(like_match(STR("*a*a*a*a*a*a*a*a*a*b"), buf_str(&big)));
        assert_int_equal(fold_find(buf_str(&big), STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), 1, true),
                         STR_NPOS);
        took[i] = seconds() - begin;
    }
    assert_true(took[1] < 6 * took[0] + 0.05);
    buf_free(&big);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_foldings),
        cmocka_unit_test(others),
        cmocka_unit_test(look_alikes_are_the_same),
        cmocka_unit_test(segments_fold_as_the_whole),
        cmocka_unit_test(look_alikes_fold_as_the_whole),
        cmocka_unit_test(ascii_folds_the_same_every_way),
        cmocka_unit_test(any_bytes_fold_to_utf8),
        cmocka_unit_test(fold_stops_in_time),
        cmocka_unit_test(the_way_back),
        cmocka_unit_test(words_end_where_letters_do),
        cmocka_unit_test(like_means_what_it_says),
        cmocka_unit_test(hostile_texts_stay_linear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
