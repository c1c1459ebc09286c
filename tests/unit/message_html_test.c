/* message/html: what is text and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "message/html.h"

static struct viewer plain; /* the best reading */

static const struct {
    const char *html, *text;
} rows[] = {
    {"plain &amp; simple", "plain & simple"},
    {"t<b>o</b>p", "top"},                                            /* inline tags leave nothing */
    {"<p>one</p><p>two<br>three", "one\ntwo\nthree"},
    {"<table><tr><td>a</td><td>b</td></tr><tr><td>c", "a b\nc"},
    {"a\r\n  b\t c ", "a b c"},
    {"<pre>a\r\n  b</pre> c", "a\n  b\nc"},
    {"to<!-- x > -- y -->p", "top"},
    {"to<!-->p", "top"},
    {"to<!--->p", "top"},
    {"to<!--x--!>p", "top"},
    {"to<!--never closed", "to"},
    {"to<script>alert('<p>')</scriptx></script >p", "top"},
    {"to<STYLE>p{}</style>p", "top"},
    {"<a href=\"x>y\" title='>'>z</a>", "z"},
    {"<a b=c\">z", "z"},
    {"<a/b=\">z", ""},                                                /* the value never ends */
    {"1 < 2 <3 > 4 </ 5> <>", "1 < 2 <3 > 4 <>"},
    {"<!doctype html><?xml x?>z", "z"},
    {"&#116;&#x6F;&#112", "top"},
    {"&#x74;op &#0; &#xd800; &#x110000; &#128;", "top \xef\xbf\xbd \xef\xbf\xbd \xef\xbf\xbd \xe2\x82\xac"},
    {"&nbsp;&eacute;&thetasym;&hearts;", "\xc2\xa0\xc3\xa9\xcf\x91\xe2\x99\xa5"},
    {"&eacute &notit; &hearts &nosuch; &", "\xc3\xa9 \xc2\xacit; &hearts &nosuch; &"},
    {"&lt;b&gt;&quot;&apos;", "<b>\"'"},
    {"a&#10;b&#32;&#32;c", "a b c"},
    {"<title>t</title><body>b", "t\nb"},
    {"", ""},
    {"<", "<"},
    {"</", "</"},
    {"<p", ""},
};

static void texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf out = {0};
        html_to_text(&plain, str_of(rows[i].html), &out);
        if (!str_eq(buf_str(&out), str_of(rows[i].text)))
            fail_msg("%s: \"%.*s\" instead of \"%s\"", rows[i].html, STR_ARG(buf_str(&out)), rows[i].text);
        assert_true(out.n <= strlen(rows[i].html) + 1);
        buf_free(&out);
    }
}

static void what_was_there_before_stays(void **state)
{
    (void)state;
    struct buf out = {0};
    buf_add(&out, STR("before "));
    html_to_text(&plain, STR("<p> a"), &out);
    assert_true(str_eq(buf_str(&out), STR("before a")));
    buf_free(&out);
}

static void meta(void **state)
{
    (void)state;
    assert_true(str_eq(html_meta_charset(STR("<META charset = \"koi8-r\">")), STR("koi8-r")));
    assert_true(str_eq(html_meta_charset(STR("<meta content=\"text/html; Charset=big5\">")), STR("big5")));
    assert_int_equal(html_meta_charset(STR("<meta charset=")).n, 0);
    assert_int_equal(html_meta_charset(STR("charset")).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts), cmocka_unit_test(what_was_there_before_stays),
                                       cmocka_unit_test(meta)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
