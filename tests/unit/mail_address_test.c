/* Mailboxes, paths, their canonical form, domains, and the mailboxes of header fields. */
#include "tests/support/check.h"

#include <string.h>

#include "base/limits.h"
#include "mail/address.h"
#include "mail/domain.h"
#include "mail/idn.h"

static void strict_mailboxes(void **state)
{
    (void)state;
    struct address a;
    static const char *const good[] = {"a@b.example",
                                       "a.b+c=d@x",
                                       "!#$%&'*/?^_`{|}~-@b.example",
                                       "\"a b\"@c.example",
                                       "\"a\\\"@b\"@c.example",
                                       "\"\"@c.example",
                                       "a@[192.0.2.1]",
                                       "a@[IPv6:2001:db8::1]",
                                       "a@1.2.3.4x",
                                       "A@xn--bcher-kva.example"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!address_parse(str_of(good[i]), 0, &a)) fail_msg("refused %s", good[i]);
    static const char *const bad[] = {"",
                                      "@",
                                      "a@",
                                      "@b",
                                      "a",
                                      ".a@b",
                                      "a.@b",
                                      "a..b@c",
                                      "a b@c",
                                      "a@b c",
                                      "a@-b",
                                      "a@b-",
                                      "a@b..c",
                                      "a@.b",
                                      "a@b.",
                                      "a@b@c",
                                      "a@b_c",
                                      "a@[1.2.3]",
                                      "a@[2001:db8::1]",
                                      "a@[IPv6:1.2.3.4]",
                                      "a@[IPv6:::1",
                                      "a@[Foo:bar]",
                                      "\"a@b",
                                      "\"a\"b@c",
                                      "\"a\nb\"@c",
                                      "\"a\\\n\"@c",
                                      "a\r\n@b",
                                      "a@b\r\n",
                                      "<a@b>",
                                      "a(c)@b",
                                      "\xc3\xa9@b",
                                      "a@\xc3\xa9.example",
                                      "a%b",
                                      "a:b@c",
                                      "a,b@c"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (address_parse(str_of(bad[i]), 0, &a)) fail_msg("took %s", bad[i]);
    assert_false(address_parse(STR("a\0@b"), 0, &a));
    assert_false(address_parse(STR("\"\0\"@b"), ADDRESS_UTF8, &a));
    assert_true(address_parse(STR("j\xc3\xb6rg@b\xc3\xbc" "cher.example"), ADDRESS_UTF8, &a));
    assert_false(address_parse(STR("j\xc3@b.example"), ADDRESS_UTF8, &a));
    assert_false(address_parse(STR("j\xc2\x85@b.example"), ADDRESS_UTF8, &a));
    assert_false(address_parse(STR("a@\xef\xbd\x81.example"), ADDRESS_UTF8, &a)); /* full-width: no letter of a name */

    assert_true(address_parse(STR("\"a@b\"@[10.0.0.1]"), 0, &a));
    check_str(a.local, "\"a@b\"");
    check_str(a.domain, "[10.0.0.1]");
    assert_true(a.quoted && a.literal);

    char longer[400];
    memset(longer, 'a', sizeof longer);
    longer[LIMIT_LOCAL_PART] = '@';
    assert_true(address_parse((struct str){longer, LIMIT_LOCAL_PART + 2}, 0, &a));
    longer[LIMIT_LOCAL_PART] = 'a';
    longer[LIMIT_LOCAL_PART + 1] = '@';
    assert_false(address_parse((struct str){longer, LIMIT_LOCAL_PART + 3}, 0, &a));
    memset(longer, 'a', sizeof longer);
    longer[1] = '@';
    for (size_t i = 40; i < sizeof longer; i += 40) longer[i] = '.';
    assert_true(address_parse((struct str){longer, LIMIT_PATH - 2}, 0, &a));
    assert_false(address_parse((struct str){longer, LIMIT_PATH - 1}, 0, &a));
}

static void paths(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned flags;
        size_t taken;
        const char *whole;
    } cases[] = {
        {"<a@b.example> SIZE=1", 0, 13, "a@b.example"},
        {"<> BODY=7BIT", ADDRESS_NULL, 2, ""},
        {"<>", 0, 0, NULL},
        {"<Postmaster>", ADDRESS_POSTMASTER, 12, "Postmaster"},
        {"<postmaster>", 0, 0, NULL},
        {"<webmaster>", ADDRESS_POSTMASTER, 0, NULL},
        {"<@a.example,@b.example:c@d.example>", 0, 35, "c@d.example"},
        {"<@[192.0.2.1],@[IPv6:::1]:c@d.example>x", 0, 38, "c@d.example"},
        {"<@a.example:postmaster>", ADDRESS_POSTMASTER, 0, NULL},
        {"<@a.example c@d.example>", 0, 0, NULL},
        {"<@:c@d.example>", 0, 0, NULL},
        {"<@a,:c@d>", 0, 0, NULL},
        {"<\"a>b\"@c.example>", 0, 17, "\"a>b\"@c.example"},
        {"<a@b.example", 0, 0, NULL},
        {"a@b.example>", 0, 0, NULL},
        {"< a@b.example>", 0, 0, NULL},
        {"<a@b.example >", 0, 0, NULL},
        {"<<a@b.example>>", 0, 0, NULL},
        {"<", ADDRESS_NULL, 0, NULL},
        {"<@", 0, 0, NULL},
        {"<@[", 0, 0, NULL},
        {"", 0, 0, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct address a = {0};
        size_t taken = address_parse_path(str_of(cases[i].text), cases[i].flags, &a);
        if (taken != cases[i].taken) fail_msg("%s: took %zu", cases[i].text, taken);
        if (taken) check_str(a.whole, cases[i].whole);
    }
}

static void canonical_forms(void **state)
{
    (void)state;
    static const struct {
        const char *written, *canonical;
    } cases[] = {
        {"John.Doe@Corp.EXAMPLE", "john.doe@corp.example"},
        {"\"john.doe\"@corp.example", "john.doe@corp.example"},
        {"\"jo\\hn\"@corp.example", "john@corp.example"},
        {"\"John Doe\"@corp.example", "\"john doe\"@corp.example"},
        {"\"a@b\\\"\\\\\"@c", "\"a@b\\\"\\\\\"@c"},
        {"JO\xcc\x88RG@B\xc3\x9c" "CHER.example", "j\xc3\xb6rg@xn--bcher-kva.example"},
        {"a@STRA\xc3\x9f" "E.example", "a@xn--strae-oqa.example"},
        {"a@[IPv6:2001:DB8:0::1]", "a@[IPv6:2001:db8::1]"},
        {"a@[192.0.2.1]", "a@[192.0.2.1]"},
        {"@Corp.Example", "@corp.example"},
        {"@*.Corp.Example", "@*.corp.example"},
    };
    struct buf b = {0}, again = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        b.n = again.n = 0;
        assert_true(address_canonical_pattern(str_of(cases[i].written), &b));
        check_buf(&b, cases[i].canonical);
        assert_true(address_canonical_pattern(buf_str(&b), &again));
        check_buf(&again, cases[i].canonical);
    }
    b.n = 0;
    assert_false(address_canonical(STR("@corp.example"), &b));
    assert_false(address_canonical(STR("a@b_c"), &b));
    assert_false(address_canonical_pattern(STR("@"), &b));
    assert_int_equal(b.n, 0);
    buf_free(&b);
    buf_free(&again);
    assert_true(address_matches(STR("a@b.example"), STR("a@b.example")));
    assert_true(address_matches(STR("@b.example"), STR("\"x@y\"@b.example")));
    assert_false(address_matches(STR("@b.example"), STR("x@a.b.example")));
    assert_true(address_matches(STR("@*.b.example"), STR("x@a.b.example")));
    check_str(address_domain(STR("\"a@b\"@c.d")), "c.d");
    check_str(address_local(STR("\"a@b\"@c.d")), "\"a@b\"");
    check_str(address_domain(STR("postmaster")), "");
}

static void domains(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_true(domain_canonical(STR("B\xc3\x9c" "CHER.Example."), &b));
    check_buf(&b, "xn--bcher-kva.example");
    b.n = 0;
    assert_true(domain_canonical(STR("*.Example"), &b));
    check_buf(&b, "*.example");
    b.n = 0;
    static const char *const bad[] = {"",
                                      ".",
                                      "*.",
                                      "a..b",
                                      "-a.b",
                                      "a b",
                                      "*",
                                      "a.*.b",
                                      "\xff.example",
                                      ("a\xe2\x80\x8b"
                                       "b.example")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(domain_canonical(str_of(bad[i]), &b));
    assert_int_equal(b.n, 0);
    assert_true(domain_matches(STR("*.b.example"), STR("a.b.example")));
    assert_true(domain_matches(STR("*.b.example"), STR("x.a.b.example")));
    assert_false(domain_matches(STR("*.b.example"), STR("b.example")));
    assert_false(domain_matches(STR("*.b.example"), STR("ab.example")));
    assert_false(domain_matches(STR("*.b.example"), STR(".b.example")));
    assert_true(domain_is_like(STR("b?cher.*"), STR("xn--bcher-kva.example")));
    assert_false(domain_is_like(STR("xn--*"), STR("xn--bcher-kva.example")));
    idn_to_unicode(STR("XN--BCHER-KVA.xn--zzzzzzzzz999.Example"), &b);
    check_buf(&b, "b\xc3\xbc" "cher.xn--zzzzzzzzz999.example");
    buf_free(&b);
}

static void check_list(const char *body, const char *wanted, bool malformed)
{
    struct arena *a = arena_create();
    struct header_mailboxes m = address_list_parse(a, str_of(body));
    struct buf got = {0};
    for (size_t i = 0; i < m.n; i++)
        buf_printf(&got, "%s%.*s|%.*s|%.*s|%.*s", i ? " ; " : "", STR_ARG(address_phrase_text(a, m.v[i].phrase)),
                   STR_ARG(m.v[i].local), STR_ARG(m.v[i].domain), STR_ARG(m.v[i].group));
    check_buf(&got, wanted);
    if (m.malformed != malformed) fail_msg("%s: malformed is %d", body, m.malformed);
    assert_false(m.truncated);
    buf_free(&got);
    arena_free(&a);
}

static void header_lists(void **state)
{
    (void)state;
    check_list("a@b.example", "|a|b.example|", false);
    check_list(" John Doe <jd@b.example> , \"Doe, Jane\" <jane@b.example>",
               "John Doe|jd|b.example| ; Doe, Jane|jane|b.example|", false);
    check_list("jd@b.example (John (Joe) Doe)", "|jd|b.example|", false);
    check_list("(hello) a@b", "|a|b|", false);
    check_list("Team: a@b, Bob <c@d>;, e@f", "|a|b|Team ; Bob|c|d|Team ; |e|f|", false);
    check_list("undisclosed-recipients:;", "", false);
    check_list("John Q. Public <a . b @ c . d>", "John Q. Public|a.b|c.d|", false);
    check_list("a\r\n (c)\r\n @b", "|a|b|", false);
    check_list("<@x,@y:a@b>", "|a|b|", false);
    check_list("\"a@b\"@c", "|\"a@b\"|c|", false);
    check_list("\"x \\\" y\" <a@[192.0.2.1]>", "x \" y|a|[192.0.2.1]|", false);
    check_list("=?utf-8?Q?J=C3=B6rg?= <a@b>", "=?utf-8?Q?J=C3=B6rg?=|a|b|", false);
    check_list(",, a@b,,", "|a|b|", false);
    check_list("", "", false);
    /* What a reader may take either way is told. */
    check_list("a@b <c@d>", "a@b|c|d|", true);
    check_list("<a@b> <c@d>", "|a|b| ; |c|d|", true);
    check_list("John Doe", "John Doe|||", true);
    check_list("<John>", "|John||", true);
    check_list("<a@b", "|a|b|", true);
    check_list("<a@b, c@d", "|a|b| ; |c|d|", true);
    check_list("a@b; c@d", "|a|b| ; |c|d|", true);
    check_list("a@b c@d", "|a|b| ; |c|d|", true);
    check_list("foo bar a@b", "foo bar|a|b|", true);
    check_list("\"open <a@b>, c@d", "open|a|b| ; |c|d|", true);
    check_list("a@b (open", "|a|b| ; open|||", true);
}

/* Nothing hostile takes more than one pass, or more mailboxes than the limit. */
static void header_lists_are_bounded(void **state)
{
    (void)state;
    static const char *const pieces[] = {"a@b,", "((((", "\"", "\\", "<", "[", "(a)", ":", "@", "x ", "<a@b>", ";"};
    struct buf b = {0};
    for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++) {
        struct arena *a = arena_create();
        b.n = 0;
        while (b.n < 200000) buf_add(&b, str_of(pieces[k]));
        struct header_mailboxes m = address_list_parse(a, buf_str(&b));
        assert_true(m.n <= LIMIT_HEADER_MAILBOXES);
        assert_int_equal(m.truncated, k == 0 || k == 10);
        arena_free(&a);
    }
    struct dice d = {11};
    for (int round = 0; round < 50000; round++) {
        struct arena *a = arena_create();
        b.n = 0;
        for (size_t n = dice_roll(&d, 12); n > 0; n--)
            buf_add(&b, str_of(pieces[dice_roll(&d, sizeof pieces / sizeof *pieces)]));
        struct header_mailboxes m = address_list_parse(a, buf_str(&b));
        for (size_t i = 0; i < m.n; i++) {
            assert_true(m.v[i].local.n + m.v[i].domain.n <= m.v[i].address.n);
            address_phrase_text(a, m.v[i].phrase);
        }
        arena_free(&a);
    }
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strict_mailboxes),
        cmocka_unit_test(paths),
        cmocka_unit_test(canonical_forms),
        cmocka_unit_test(domains),
        cmocka_unit_test(header_lists),
        cmocka_unit_test(header_lists_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
