/* Header fields as written: fixed cases, and for any bytes: whole folded lines, nothing that ends a field, and the text
 * comes back from a decoder of RFC 2047. */
#include "tests/support/check.h"

#include <string.h>

#include "mail/fold.h"
#include "mail/header_emit.h"

static void check_field(const char *value, unsigned flags, const char *wanted)
{
    struct buf b = {0};
    assert_true(header_emit(&b, STR("Subject"), str_of(value), flags));
    check_buf(&b, wanted);
    buf_free(&b);
}

static void fixed_cases(void **state)
{
    (void)state;
    check_field("hello world", 0, "Subject: hello world\r\n");
    check_field("", 0, "Subject:\r\n");
    check_field(" \t ", 0, "Subject:\r\n");
    check_field("a\r\nBcc: x@y", 0, "Subject: a  Bcc: x@y\r\n");
    check_field("a\tb\x7f" "c\xc2\x85" "d\xe2\x80\xa8" "e", 0, "Subject: a b c d e\r\n");
    check_field("gr\xc3\xbc\xc3\x9f" "e from here", 0, "Subject: =?utf-8?Q?gr=C3=BC=C3=9Fe?= from here\r\n");
    check_field("gr\xc3\xbc\xc3\x9f" "e", HEADER_UTF8, "Subject: gr\xc3\xbc\xc3\x9f" "e\r\n");
    check_field("\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad\xe6\x96\x87", 0, "Subject: =?utf-8?B?5Lit5paH5Lit5paH?=\r\n");
    check_field("a =?utf-8?Q?b?= c", 0, "Subject: a =?utf-8?Q?=3D=3Futf-8=3FQ=3Fb=3F=3D?= c\r\n");
    check_field("\xff", 0, "Subject: =?utf-8?B?77+9?=\r\n");
    check_field("one two three four five six seven eight nine ten eleven twelve thirteen fourteen", 0,
                "Subject: one two three four five six seven eight nine ten eleven twelve\r\n thirteen fourteen\r\n");
    struct buf b = {0};
    static const char *const bad[] = {"", "a b", "a:", "a\r\n", "\xc3\xa9", "a\t"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(header_emit(&b, str_of(bad[i]), STR("x"), 0));
    assert_false(header_emit(&b, STR("A\0B"), STR("x"), 0));
    assert_false(header_emit(&b, STR("To"), STR("j\xc3\xb6rg@b.example"), HEADER_STRUCTURED));
    assert_int_equal(b.n, 0);
    assert_true(header_emit(&b, STR("To"), STR("=?x?= <j\xc3\xb6rg@b.example>"), HEADER_STRUCTURED | HEADER_UTF8));
    check_buf(&b, "To: =?x?= <j\xc3\xb6rg@b.example>\r\n");
    char longer[901];
    memset(longer, 'x', sizeof longer);
    assert_false(header_emit(&b, STR("To"), (struct str){longer, 901}, HEADER_STRUCTURED));
    assert_true(header_emit(&b, STR("To"), (struct str){longer, 900}, HEADER_STRUCTURED));
    buf_free(&b);
}

/* --- a decoder, for tests only: unfolds, then decodes as RFC 2047 section 6 says ---------------------------------- */

static int hex(char c) { return c >= '0' && c <= '9' ? c - '0' : c - 'A' + 10; }

static void decode_word(struct str w, struct buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct str content = str_slice(w, 10, w.n - 2);
    assert_true(w.n <= 75);
    size_t begin = out->n;
    if (w.p[8] == 'Q') {
        for (size_t i = 0; i < content.n; i++) {
            char c = content.p[i];
            if (c == '=') {
                c = (char)(hex(content.p[i + 1]) * 16 + hex(content.p[i + 2]));
                i += 2;
            } else if (c == '_') {
                c = ' ';
            }
            buf_add_byte(out, c);
        }
    } else {
        assert_int_equal(content.n % 4, 0);
        for (size_t i = 0; i < content.n; i += 4) {
            uint32_t v = 0, n = 0;
            for (size_t k = 0; k < 4; k++) {
                const char *d = content.p[i + k] == '=' ? NULL : strchr(digits, content.p[i + k]);
                v = v << 6 | (uint32_t)(d ? d - digits : 0);
                n += d != NULL;
            }
            for (uint32_t k = 0; k + 1 < n; k++) buf_add_byte(out, (char)(v >> (16 - 8 * k)));
        }
    }
    assert_true(str_is_utf8(str_from(buf_str(out), begin))); /* whole characters in every word */
}

static bool is_encoded_word(struct str w)
{
    return w.n > 12 && (str_starts(w, STR("=?utf-8?Q?")) || str_starts(w, STR("=?utf-8?B?"))) && str_ends(w, STR("?="));
}

static void decode(struct str body, struct buf *out)
{
    bool last_encoded = false;
    for (size_t i = 0; i < body.n;) {
        size_t gap = i, end;
        while (i < body.n && body.p[i] == ' ') i++;
        for (end = i; end < body.n && body.p[end] != ' ';) end++;
        struct str word = str_slice(body, i, end);
        bool encoded = is_encoded_word(word);
        if (!(encoded && last_encoded)) buf_add(out, str_slice(body, gap, i));
        if (encoded) decode_word(word, out);
        else buf_add(out, word);
        last_encoded = encoded;
        i = end;
    }
}

/* What any written field must be; answers its unfolded body. */
static void check_lines(struct str field, bool utf8, struct buf *body)
{
    assert_true(str_ends(field, STR("\r\n")));
    for (size_t at = 0; at < field.n;) {
        size_t end = at + str_find(str_from(field, at), STR("\r\n"));
        struct str line = str_slice(field, at, end);
        bool visible = false;
        assert_true(line.n <= 998);
        for (size_t i = 0; i < line.n; i++) {
            assert_true((unsigned char)line.p[i] >= 0x20 && line.p[i] != 0x7f);
            assert_true(utf8 || (unsigned char)line.p[i] < 0x80);
            visible |= line.p[i] != ' ';
        }
        assert_true(visible);
        assert_int_equal(at == 0, line.p[0] != ' ');
        buf_add(body, line);
        at = end + 2;
    }
    assert_true(str_is_utf8(field));
}

/* The text as header_emit reads it: UTF-8, controls as blanks, trimmed. */
static void cleaned(struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.n;) {
        uint32_t c;
        i += fold_decode(s.p + i, s.n - i, &c);
        fold_encode(out, c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 ? ' ' : c);
    }
    struct str t = str_trim(buf_str(out));
    memmove(out->p, t.p, t.n);
    out->n = t.n;
}

static void random_text(struct dice *d, struct buf *b, size_t most)
{
    static const char *const some[] = {"word",
                                       " ",
                                       " ",
                                       "  ",
                                       "\r\n",
                                       "\xc3\xa9",
                                       "\xe4\xb8\xad\xe6\x96\x87",
                                       "=?",
                                       "?=",
                                       "\xf0\x9f\x98\x80",
                                       "_",
                                       "=",
                                       "\t",
                                       "\xff",
                                       "aVeryLongWordThatGoesOnAndOn",
                                       "x"};
    b->n = 0;
    for (size_t n = dice_roll(d, most); n > 0; n--) {
        if (dice_roll(d, 20) == 0) buf_add_byte(b, (char)dice_roll(d, 256));
        else buf_add(b, str_of(some[dice_roll(d, sizeof some / sizeof *some)]));
    }
    if (dice_roll(d, 50) == 0) for (size_t n = dice_roll(d, 3000); n > 0; n--) buf_add_byte(b, 'y');
}

static void any_text_comes_back(void **state)
{
    (void)state;
    struct dice d = {9};
    struct buf value = {0}, field = {0}, body = {0}, wanted = {0}, got = {0};
    char name[76];
    memset(name, 'N', sizeof name);
    for (int round = 0; round < 60000; round++) {
        random_text(&d, &value, 60);
        struct str n = {name, 1 + dice_roll(&d, sizeof name)};
        bool utf8 = dice_roll(&d, 2);
        field.n = body.n = wanted.n = got.n = 0;
        assert_true(header_emit(&field, n, buf_str(&value), utf8 ? HEADER_UTF8 : 0));
        check_lines(buf_str(&field), utf8, &body);
        assert_true(str_starts(buf_str(&body), n) && body.p[n.n] == ':');
        decode(str_from(buf_str(&body), n.n + 2), &got);
        cleaned(buf_str(&value), &wanted);
        check_str_at(buf_str(&got), buf_str(&wanted), __FILE__, __LINE__);
    }
    buf_free(&value);
    buf_free(&field);
    buf_free(&body);
    buf_free(&wanted);
    buf_free(&got);
}

static void fragments_stand_before_what_is_there(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool before_encoded;
        const char *rest, *shown;
    } cases[] = {
        {"[SECURE] ", false, "plan", "[SECURE] plan"},
        {"[SECURE]", false, "plan", "[SECURE]plan"},
        {"[SECURE] ", true, "=?utf-8?Q?pl=C3=A4n?=", "[SECURE] pl\xc3\xa4n"},
        {"[SECURE]", true, "=?utf-8?Q?pl=C3=A4n?=", "[SECURE]pl\xc3\xa4n"},
        {"[GEHEIM \xc3\xbc] ", true, "=?utf-8?Q?pl=C3=A4n?=", "[GEHEIM \xc3\xbc] pl\xc3\xa4n"},
        {"[GEHEIM \xc3\xbc]", true, "=?utf-8?Q?pl=C3=A4n?=", "[GEHEIM \xc3\xbc]pl\xc3\xa4n"},
        {"[GEHEIM \xc3\xbc] ", false, "plan", "[GEHEIM \xc3\xbc] plan"},
        {"[GEHEIM \xc3\xbc]", false, "plan", "[GEHEIM \xc3\xbc] plan"}, /* an encoded-word must stand apart */
        {"\xc3\xbc x ", true, "=?utf-8?Q?y?=", "\xc3\xbc x y"},
        {"\xc3\xbc x", true, "=?utf-8?Q?y?=", "\xc3\xbc xy"},
        {"", true, "=?utf-8?Q?y?=", "y"},
        {"a\r\nb ", false, "c", "a  b c"},
    };
    struct buf b = {0}, got = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        b.n = got.n = 0;
        buf_add(&b, STR("Subject: "));
        size_t column = header_emit_fragment(&b, str_of(cases[i].text), b.n, cases[i].before_encoded);
        assert_int_equal(column, b.n);
        buf_add(&b, str_of(cases[i].rest));
        decode(str_from(buf_str(&b), 9), &got);
        check_buf(&got, cases[i].shown);
    }
    buf_free(&b);
    buf_free(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_cases),
        cmocka_unit_test(any_text_comes_back),
        cmocka_unit_test(fragments_stand_before_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
