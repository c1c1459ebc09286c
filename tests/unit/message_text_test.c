/* message/: what is read of header values, addresses, MIME trees and bodies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "message/charset.h"
#include "message/decode.h"
#include "message/filetype.h"
#include "message/message.h"

static struct viewer plain; /* the best reading */

static int begin(void **state) { return *state = arena_create(), 0; }
static int end(void **state) { return arena_free((struct arena **)state), 0; }

static struct message *open_text(void **state, const char *content)
{
    return message_open(*state, str_of(content), NULL);
}

static void assert_text(struct str got, const char *want)
{
    if (str_eq(got, str_of(want))) return;
    fail_msg("got \"%.*s\", wanted \"%s\"", STR_ARG(got), want);
}

/* --- header values ----------------------------------------------------------------------------------------------- */

static const struct {
    const char *raw, *text;
    uint32_t unreadable;
} values[] = {
    {" plain text ", "plain text", 0},
    {" folded\r\n\tonce", "folded\tonce", 0},
    {" =?utf-8?Q?top_s=65cret?=", "top secret", 0},
    {" =?UTF-8?b?dG9wIHNlY3JldA==?=", "top secret", 0},
    {" =?utf-8?b?dG9wIHNl?=\r\n =?utf-8?q?cret?=", "top secret", 0}, /* white space between words is dropped */
    {" =?utf-8?b?w?= =?utf-8?b?6Q==?=", "\xef\xbf\xbd", UNREADABLE_ENCODING | UNREADABLE_BYTES},
    {" =?utf-8?q?=C3?= =?utf-8?q?=A9t=C3=A9?=", "\xc3\xa9t\xc3\xa9", 0}, /* a character split over two words */
    {" a =?iso-8859-1?q?=E9?= b", "a \xc3\xa9 b", 0},
    {" =?iso-8859-1*fr?q?=E9?=", "\xc3\xa9", 0}, /* RFC 2231 section 5 */
    {" glued=?utf-8?q?=20word?=here", "glued wordhere", 0},
    {" =?utf-8?q?with blank?=", "with blank", 0},
    {" =?utf-8?q?a=0D=0ABcc:_x?=", "a  Bcc: x", 0}, /* no line end gets in */
    {" =?x-no-such?q?abc?=", "abc", UNREADABLE_CHARSET},
    {" =?utf-8?q?=FF?=", "\xef\xbf\xbd", UNREADABLE_BYTES},
    {" =?utf-8?x?abc?=", "=?utf-8?x?abc?=", 0},
    {" =?utf-8?q?never ends", "=?utf-8?q?never ends", 0},
    {" \xc3\xa9 as UTF-8", "\xc3\xa9 as UTF-8", 0},
    {" caf\xe9", "caf\xc3\xa9", 0},
    {" =?iso-2022-jp?b?GyRCRnxLXBsoQg==?=", "\xe6\x97\xa5\xe6\x9c\xac", 0},
    {" =?shift_jis?b?k/qWew==?=", "\xe6\x97\xa5\xe6\x9c\xac", 0},
    {" =?gb2312?b?1tDOxA==?=", "\xe4\xb8\xad\xe6\x96\x87", 0},
    {" =?koi8-r?b?7c/Tyw==?=", "\xd0\x9c\xd0\xbe\xd1\x81\xd0\xba", 0},
    {" =?windows-1252?q?=80?=", "\xe2\x82\xac", 0},
    {" =?utf-7?q?+AGE-b?=", "ab", 0},
    {"", "", 0},
};

static void header_values(void **state)
{
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct str content = arena_printf(*state, "Subject:%s\r\n\r\n", values[i].raw);
        const struct message_text *text = message_subject(message_open(*state, content, NULL), NULL);
        assert_text(message_text_best(text), values[i].text);
        if (text->unreadable != values[i].unreadable) fail_msg("%s: unreadable %u", values[i].raw, text->unreadable);
    }
}

static void every_charset_opens(void **state)
{
    (void)state;
    struct err e;
    assert_true(charset_warm(&e));
    assert_true(charset_count() >= 60);
    assert_true(charset_is_known(STR("ISO_8859-2")));
    assert_true(charset_is_known(STR("\tBig5 ")));
    assert_false(charset_is_known(STR("../../etc/passwd")));
    assert_false(charset_is_known(STR("UTF-8//TRANSLIT")));
}

static void utf8_is_made_valid(void **state)
{
    (void)state;
    static const struct {
        struct str bytes;
        const char *text;
    } rows[] = {{{"a\xc0\xaf", 3}, "a\xef\xbf\xbd\xef\xbf\xbd"},               /* overlong */
                {{"\xed\xa0\x80", 3}, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* surrogate */
                {{"\xf0\x9f\x98", 3}, "\xef\xbf\xbd"},                         /* cut short: one U+FFFD (Unicode 3.9) */
                {{"\xf4\x90\x80\x80x", 5}, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf out = {0};
        assert_int_equal(charset_decode(&plain, STR("utf-8"), rows[i].bytes, &out), UNREADABLE_BYTES);
        assert_text(buf_str(&out), rows[i].text);
        buf_free(&out);
    }
}

/* Whatever bytes under whatever label: valid UTF-8 comes out. */
static void every_charset_gives_utf8(void **state)
{
    (void)state;
    struct str bytes = {(char[512]){0}, 512};
    uint32_t seed = 1;
    for (size_t round = 0; round < 20; round++)
        for (size_t c = 0; c < charset_count(); c++) {
            for (size_t i = 0; i < bytes.n; i++)
                ((char *)bytes.p)[i] = (char)((seed = seed * 1664525 + 1013904223) >> 24);
            struct buf out = {0};
            charset_decode(&plain, str_of(charset_iconv_name(c)), bytes, &out);
            assert_true(str_is_utf8(buf_str(&out)));
            buf_free(&out);
        }
}

static void transfer_encodings(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
        uint32_t unreadable;
    } rows[] = {{"aGVs\r\nbG8=", "hello", 0},
                {"aGVsbG8", "hello", 0},
                {"aG Vs*bG8=", "hello", UNREADABLE_ENCODING},
                {"aGk=aGk=", "hihi", UNREADABLE_ENCODING},
                {"a", "", UNREADABLE_ENCODING},
                {"", "", 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf out = {0};
        assert_int_equal(decode_base64(&plain, str_of(rows[i].in), &out), rows[i].unreadable);
        assert_text(buf_str(&out), rows[i].out);
        buf_free(&out);
    }
    struct buf out = {0};
    decode_quoted_printable(&plain, STR("so=\r\nft= \t\r\n=C3=a9=\nx  \r\na=b=4"), false, &out);
    assert_text(buf_str(&out), "soft\xc3\xa9x\r\na=b=4");
    buf_free(&out);
}

/* --- header section ---------------------------------------------------------------------------------------------- */

static void the_header_section(void **state)
{
    struct message *m =
        open_text(state, "From me\r\nA : 1\r\nB:\r\n \r\n 2\r\njunk\r\nSUBJECT: x\r\nsubject: y\r\n\r\nbody");
    const struct message_header *h = message_header_section(m);
    assert_int_equal(h->field_count, 4);
    assert_text(h->fields[0].name, "A");
    assert_int_equal(h->fields[0].line, 2);
    assert_text(h->fields[1].raw, "\r\n \r\n 2\r\njunk");
    assert_int_equal(h->fields[2].line, 7);
    assert_true(h->malformed);
    assert_text(str_from(message_content(m), h->body), "body");
    assert_int_equal(message_header(m, STR("Subject"))->n, 2);
    assert_text(message_text_best(&message_header(m, STR("Subject"))->v[1].text), "y");
    assert_ptr_equal(message_header(m, STR("Subject")), message_header(m, STR("sUBJECT")));
    assert_int_equal(message_header(m, STR("None"))->n, 0);
}

static void where_the_body_begins(void **state)
{
    static const struct {
        const char *content, *body;
        size_t fields;
    } rows[] = {{"A: 1\n\nb", "b", 1},
                {"A: 1\r\nb", "b", 1},
                {"", "", 0},
                {"\r\nb", "b", 0},
                {"hello\n\nb", "hello\n\nb", 0},
                {"A: 1", "", 1},
                {"A: 1\r\n\r\n", "", 1},
                {" x\r\nA: 1\r\n\r\n", " x\r\nA: 1\r\n\r\n", 0},
                {"A: 1\nno\nB: 2\n\nb", "b", 2}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct message *m = open_text(state, rows[i].content);
        assert_text(str_from(message_content(m), message_header_section(m)->body), rows[i].body);
        assert_int_equal(message_header_section(m)->field_count, rows[i].fields);
    }
}

static void header_limits_are_told(void **state)
{
    struct message_limits limits = message_limits_default;
    limits.fields = 2;
    struct message *m = message_open(*state, STR("A: 1\r\nB: 2\r\nC: 3\r\n\r\nbody"), &limits);
    assert_int_equal(message_header(m, STR("C"))->n, 0);
    assert_int_equal(message_header(m, STR("C"))->unreadable, UNREADABLE_LIMIT);
    assert_int_equal(message_header(m, STR("A"))->unreadable, UNREADABLE_LIMIT);
    assert_text(message_text_best(&message_body(m)->text), "body");
    assert_int_equal(message_subject(m, NULL)->unreadable, UNREADABLE_LIMIT);
}

static void addresses(void **state)
{
    struct message *m = open_text(state, "To: =?utf-8?q?J=C3=B6rg?= <j@b.example>, \"Doe, Jane\" <jane@c.example>,\r\n"
                                         " group: x@d.example;\r\nTo: old@e.example (The Old One)\r\n\r\n");
    const struct message_addresses *to = message_addresses(m, STR("to"));
    assert_int_equal(to->n, 4);
    assert_text(to->v[0].address, "j@b.example");
    assert_text(to->v[0].local, "j");
    assert_text(to->v[0].domain, "b.example");
    assert_text(message_text_best(&to->v[0].name), "J\xc3\xb6rg");
    assert_text(message_text_best(&to->v[1].name), "Doe, Jane");
    assert_text(to->v[2].address, "x@d.example");
    assert_text(message_text_best(&to->v[3].name), "The Old One");
    assert_int_equal(message_addresses(m, STR("Cc"))->n, 0);
    assert_text(message_id(open_text(state, "Message-ID: <a@b>\r\n\r\n")), "a@b");
}

/* --- bodies ------------------------------------------------------------------------------------------------------ */

static const struct {
    const char *name, *content, *text;
    uint32_t unreadable;
} bodies[] = {
    {"plain", "A: 1\r\n\r\none\r\ntwo\rthree\n", "one\ntwo\nthree\n", 0},
    {"no header end", "A: 1\r\n", "", 0},
    {"charset", "Content-Type: text/plain; charset=\"iso-8859-2\"\r\n\r\n\xb3", "\xc5\x82", 0},
    {"unknown charset", "Content-Type: text/plain; charset=x-foo\r\n\r\ntop", "top", UNREADABLE_CHARSET},
    {"unknown encoding", "Content-Transfer-Encoding: x-foo\r\n\r\ntop", "top", UNREADABLE_ENCODING},
    {"base64", "Content-Transfer-Encoding: (c) BASE64\r\n\r\ndG9w", "top", 0},
    {"qp", "Content-Transfer-Encoding: quoted-printable\r\n\r\nto=\r\np", "top", 0},
    {"html", "Content-Type: text/HTML\r\n\r\n<p>t<b>o</b>p<p>secret", "top\nsecret", 0},
    {"html meta", "Content-Type: text/html\r\n\r\n<meta charset=koi8-r>\xed", "\xd0\x9c", 0},
    {"bad type", "Content-Type: nonsense\r\n\r\ntop", "top", 0},
    {"no semicolon", "Content-Type: text/html charset=utf-8\r\n\r\n<b>top", "top", 0},
    {"other text", "Content-Type: text/x-foo\r\n\r\n<b>", "<b>", 0},
    {"no text", "Content-Type: image/png\r\n\r\n<b>", "", 0},
    {"alternatives",
     "Content-Type: multipart/alternative; boundary=b\r\n\r\npreamble\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: "
     "text/html\r\n\r\n"
     "<i>two\r\n--b--\r\nepilogue",
     "one\ntwo", 0},
    {"attachment",
     "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Disposition: attachment\r\n\r\none\r\n--b\r\n"
     "Content-Disposition: inline\r\n\r\ntwo\r\n--b--",
     "two", 0},
    {"forwarded", "Content-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\nSubject: x\r\n\r\nin", "in",
     0},
    {"forwarded in base64",
     "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogeA0KDQppbg==", "in", 0},
    {"multipart in base64",
     "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: base64\r\n\r\nLS1iDQoNCmluDQotLWItLQ==",
     "in", 0},
    {"boundary never comes", "Content-Type: multipart/mixed; boundary=b\r\n\r\ntop", "top", 0},
    {"no boundary", "Content-Type: multipart/mixed\r\n\r\ntop", "top", 0},
    {"no close delimiter", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntop", "top", 0},
    {"continued boundary", "Content-Type: multipart/mixed; boundary*1=c; boundary*0=b\r\n\r\n--bc\r\n\r\ntop\r\n--bc--",
     "top", 0},
    {"outer delimiter",
     "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: multipart/mixed; "
     "boundary=i\r\n\r\n--i\r\n\r\none\r\n"
     "--o\r\n\r\ntwo\r\n--o--",
     "one\ntwo", 0},
    {"boundary that begins another",
     "Content-Type: multipart/mixed; boundary=a\r\n\r\n--ab\r\n--a \t\r\n\r\none\r\n--ab\r\n--a--", "one\n--ab", 0},
    {"digest", "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: x\r\n\r\nin\r\n--b--", "in", 0},
    {"encrypted", "Content-Type: multipart/encrypted; boundary=b\r\n\r\n--b\r\n\r\ntop\r\n--b--", "top",
     UNREADABLE_ENCRYPTED},
    {"enveloped", "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\nx", "", UNREADABLE_ENCRYPTED},
    {"opaque signed", "Content-Type: application/pkcs7-mime; smime-type=signed-data\r\n\r\nx", "",
     UNREADABLE_UNSUPPORTED},
    {"inline PGP", "A: b\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n", "-----BEGIN PGP MESSAGE-----\n",
     UNREADABLE_ENCRYPTED},
    {"partial", "Content-Type: message/partial\r\n\r\nx", "x", UNREADABLE_UNSUPPORTED},
    {"uuencode",
     "Content-Type: text/plain\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 a\r\n#=&]P\r\n`\r\nend\r\n",
     "top", 0},
};

static void body_texts(void **state)
{
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        const struct message_body *body = message_body(open_text(state, bodies[i].content));
        struct str text = message_text_best(&body->text);
        if (!str_eq(text, str_of(bodies[i].text))) fail_msg("%s: \"%.*s\"", bodies[i].name, STR_ARG(text));
        if (body->text.unreadable != bodies[i].unreadable)
            fail_msg("%s: unreadable %u", bodies[i].name, body->text.unreadable);
        for (size_t k = 0; k < body->part_count; k++) {
            assert_true(body->parts[k].from <= body->parts[k].to && body->parts[k].to <= text.n);
            assert_true(k == 0 || body->parts[k].from >= body->parts[k - 1].to);
        }
    }
}

static void parameters(void **state)
{
    struct message *m =
        open_text(state, "Content-Type: text/plain; name*0*=utf-8'en'%c3%a9; name*2=c; name*1*=%41; x=\"a\\\"b;\"\r\n"
                         "Content-Disposition: attachment; filename=\"=?utf-8?q?=C3=A9?=\"; size=1\r\n\r\n");
    const struct mime_part *p = &message_mime(m)->parts[0];
    assert_text(message_text_best(&mime_part_param(p, STR("name"))->value), "\xc3\xa9"
                                                                            "Ac");
    assert_text(message_text_best(&mime_part_param(p, STR("x"))->value), "a\"b;");
    assert_text(message_text_best(&mime_part_disposition_param(p, STR("filename"))->value), "\xc3\xa9");
    assert_null(mime_part_disposition_param(p, STR("x")));
    assert_int_equal(p->disposition, MIME_ATTACHMENT);
}

static struct message *nested(struct arena *a, size_t depth, const struct message_limits *limits)
{
    struct buf b = {0};
    buf_add(&b, STR("Content-Type: multipart/mixed; boundary=b0\r\n\r\n"));
    for (size_t i = 0; i < depth; i++)
        buf_printf(&b, "--b%zu\r\nContent-Type: multipart/mixed; boundary=b%zu\r\n\r\n", i, i + 1);
    buf_printf(&b, "--b%zu\r\n\r\ntop secret", depth);
    struct str content = arena_str(a, buf_str(&b));
    buf_free(&b);
    return message_open(a, content, limits);
}

static void limits_of_mime(void **state)
{
    const struct message_body *body = message_body(nested(*state, 20, NULL));
    assert_text(message_text_best(&body->text), "top secret");
    assert_int_equal(body->text.unreadable, 0);
    struct message *deep = nested(*state, 20000, NULL);
    assert_int_equal(message_mime(deep)->unreadable, UNREADABLE_LIMIT);
    assert_int_equal(message_body(deep)->text.unreadable, UNREADABLE_LIMIT);
    assert_int_equal(message_mime(deep)->part_count, 32);
    struct message_limits limits = message_limits_default;
    limits.parts = 3;
    struct message *many =
        message_open(*state,
                     STR("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n1\r\n--b\r\n\r\n2\r\n"
                         "--b\r\n\r\n3\r\n--b--"),
                     &limits);
    assert_text(message_text_best(&message_body(many)->text), "1\n2");
    assert_int_equal(message_body(many)->text.unreadable, UNREADABLE_LIMIT);
    limits.text_bytes = 4;
    struct message *cut = message_open(*state, STR("A: b\r\n\r\nab\xc3\xa9\xc3\xa9"), &limits);
    assert_text(message_text_best(&message_body(cut)->text), "ab\xc3\xa9");
    assert_int_equal(message_body(cut)->text.unreadable, UNREADABLE_LIMIT);
}

/* Each byte at each place of texts about the blocks that are looked at at once. */
static void controls_up_to_a_place(void **state)
{
    (void)state;
    char text[67];
    for (size_t n = 0; n <= sizeof text; n++) {
        memset(text, 'a', sizeof text);
        for (size_t at = 0; at < n; at++) {
            for (int c = 0; c < 256; c++) {
                bool control = (c < 0x20 && (c < 9 || c > 13)) || c == 0x7f;
                text[at] = (char)c;
                assert_int_equal(decode_controls_prefix((struct str){text, n}), control ? at : n);
                assert_int_equal(decode_clean_prefix((struct str){text, n}), control || c >= 0x80 ? at : n);
            }
            text[at] = 'a';
        }
    }
}

/* More kinds of bytes than answers are kept, asked again and again: each stays what it is. */
static void types_of_files(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        for (int n = 0; n < 40; n++) {
            char text[64];
            int size = snprintf(text, sizeof text, n % 2 ? "%%PDF-1.4\n%% %d\n" : "only text, number %d\n", n);
            assert_text(filetype_of((struct str){text, (size_t)size}), n % 2 ? "application/pdf" : "text/plain");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(controls_up_to_a_place),
        cmocka_unit_test(types_of_files),
        cmocka_unit_test_setup_teardown(every_charset_opens, begin, end),
        cmocka_unit_test_setup_teardown(every_charset_gives_utf8, begin, end),
        cmocka_unit_test_setup_teardown(utf8_is_made_valid, begin, end),
        cmocka_unit_test_setup_teardown(header_values, begin, end),
        cmocka_unit_test_setup_teardown(transfer_encodings, begin, end),
        cmocka_unit_test_setup_teardown(the_header_section, begin, end),
        cmocka_unit_test_setup_teardown(where_the_body_begins, begin, end),
        cmocka_unit_test_setup_teardown(header_limits_are_told, begin, end),
        cmocka_unit_test_setup_teardown(addresses, begin, end),
        cmocka_unit_test_setup_teardown(body_texts, begin, end),
        cmocka_unit_test_setup_teardown(parameters, begin, end),
        cmocka_unit_test_setup_teardown(limits_of_mime, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
