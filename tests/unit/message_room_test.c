/* message/: what reading keeps is bounded and told; and what is read is the same in whatever order it is asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "message/charset.h"
#include "message/edits.h"
#include "tests/support/mail_shapes.h"
#include "tests/support/read_file.h"

static int begin(void **state)
{
    struct err e;
    assert_true(charset_warm(&e));
    return *state = arena_create(), 0;
}
static int end(void **state) { return arena_free((struct arena **)state), 0; }

static struct str many(struct arena *a, const char *head, const char *unit, size_t n, const char *tail)
{
    struct mail_shape shape = {"", head, unit, tail};
    struct buf b = mail_shape_make(&shape, n * strlen(unit));
    struct str s = arena_str(a, buf_str(&b));
    buf_free(&b);
    return s;
}

/* --- limits ------------------------------------------------------------------------------------------------------- */

/* The best reading is whole whatever else is kept, and views of an ordinary field are: nothing honest is in doubt
 * because a body is large, in whatever order things are asked for. */
static void large_mail_is_read_whole(void **state)
{
    static const char *const tops[] = {"Subject: =?utf-8?q?J=C3=B6rg?=\r\nContent-Type: text/plain\r\n\r\n",
                                       "Subject: =?utf-8?q?J=C3=B6rg?=\r\nContent-Type: text/html\r\n\r\n"};
    for (size_t i = 0; i < 2; i++) {
        struct str content = many(*state, tops[i], "one of many words\r\n", 11 * 1024 * 1024 / 19, "payroll\r\n");
        for (int source_first = 0; source_first < 2; source_first++) {
            struct message *m = message_open(*state, content, NULL);
            if (source_first) message_body_source(m);
            const struct message_text *body = &message_body(m)->text, *source = message_body_source(m);
            assert_int_equal(body->unreadable | source->unreadable, 0);
            assert_true(str_find(message_text_best(body), STR("payroll")) != STR_NPOS);
            assert_true(str_find(message_text_best(source), STR("payroll")) != STR_NPOS);
            assert_int_equal(message_subject(m, NULL)->unreadable, 0);
            assert_false(message_facts(m)->truncated);
        }
    }
}

/* What is decoded from the text, and what stands outside of parts, is told when there is no room for it: also where the
 * text fills the room to the octet, or a character would not fit. */
static void additions_are_told(void **state)
{
    struct str uuencoded = STR("A: b\r\n\r\nbegin 644 a\r\n&PZG#J<.I\r\nend\r\n"); /* e with acute, three times */
    struct str epilogue =
        STR("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n12345678\r\n--b--\r\nepilogue\r\n");
    for (size_t most = 8; most < 60; most++) {
        struct message_limits limits = message_limits_default;
        limits.text_bytes = most;
        const struct message_text *t = &message_body(message_open(*state, uuencoded, &limits))->text;
        bool whole = t->view_count > 1 && str_find(t->views[1], STR("\xc3\xa9\xc3\xa9\xc3\xa9")) != STR_NPOS;
        assert_true(whole || t->unreadable & UNREADABLE_LIMIT);
        t = &message_body(message_open(*state, epilogue, &limits))->text;
        whole = t->view_count > 1 && str_find(t->views[1], STR("epilogue")) != STR_NPOS;
        assert_true(whole || t->unreadable & UNREADABLE_LIMIT);
    }
}

/* At the limit to the octet, and cut between two characters. */
static void text_within(void **state)
{
    static const struct {
        const char *charset, *bytes, *text;
        size_t most;
        uint32_t unreadable;
    } rows[] = {
        {"us-ascii", "abcdef", "abcdef", 6, 0},
        {"us-ascii", "abcdef", "abcde", 5, UNREADABLE_LIMIT},
        {"utf-8", "\xc3\xa4\xc3\xa4", "\xc3\xa4", 3, UNREADABLE_LIMIT},
        {"utf-8", "\xc3\xa4\xc3\xa4", "\xc3\xa4\xc3\xa4", 4, 0},
        {"utf-8", "\xff\xff", "\xef\xbf\xbd", 5, UNREADABLE_LIMIT | UNREADABLE_BYTES},
        {"windows-1252", "a\x80\x80", "a\xe2\x82\xac", 5, UNREADABLE_LIMIT},
        {"windows-1252", "a\x80", "a\xe2\x82\xac", 4, 0},
        {"koi8-r", "\xc1\xc1\xc1", "\xd0\xb0\xd0\xb0", 4, UNREADABLE_LIMIT},
        {"iso-2022-jp", "\x1b$B\x46\x7c\x4b\x5c\x1b(B", "\xe6\x97\xa5", 3, UNREADABLE_LIMIT},
        {"iso-2022-jp", "\x1b$B\x46\x7c\x4b\x5c\x1b(B", "\xe6\x97\xa5\xe6\x9c\xac", 6, 0},
        {"utf-7", "+AGE-bc", "abc", 3, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct viewer best = {0};
        struct buf out = {0};
        buf_add(&out, STR("behind "));
        uint32_t told =
            charset_decode_within(&best, str_of(rows[i].charset), str_of(rows[i].bytes), rows[i].most, &out);
        struct str text = str_from(buf_str(&out), 7);
        if (!str_eq(text, str_of(rows[i].text)) || told != rows[i].unreadable)
            fail_msg("row %zu, %s: \"%.*s\", %u", i, rows[i].charset, STR_ARG(text), told);
        buf_free(&out);
    }
}

/* A long text in any charset is as it is without a limit, up to that. */
static void long_text_within(void **state)
{
    static const char *const units[] = {"word\n", "\xc3\xa4", "\xff", "\x1b$BF|\x1b(B", "+AGE-", "\xa4@", "\x80"};
    for (size_t c = 0; c < charset_count(); c++)
        for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
            struct str bytes = many(*state, "", units[i], 300, ""), label = str_of(charset_iconv_name(c));
            struct viewer best = {0};
            struct buf whole = {0}, part = {0};
            charset_decode(&best, label, bytes, &whole);
            uint32_t told = charset_decode_within(&best, label, bytes, 100, &part);
            size_t want = utf8_cut(buf_str(&whole), 100);
            assert_int_equal((told & UNREADABLE_LIMIT) != 0, whole.n > 100);
            assert_true(str_eq(buf_str(&part), str_slice(buf_str(&whole), 0, want)));
            buf_free(&whole);
            buf_free(&part);
        }
}

static void bodies_are_cut(void **state)
{
    struct message_limits limits = message_limits_default;
    limits.text_bytes = 64 * 1024;
    struct message *m = message_open(*state, many(*state, "A: b\r\n\r\n", "words\r\n", 20000, ""), &limits);
    const struct message_text *t = &message_body(m)->text;
    assert_true(t->unreadable & UNREADABLE_LIMIT);
    assert_in_range(message_text_best(t).n, limits.text_bytes / 2, limits.text_bytes);
    assert_true(message_facts(m)->truncated);
    assert_false(message_takes_text(m, EDIT_APPEND_TEXT, STR("Confidential"), STR("")));
}

/* The best reading fits whole, another does not any more. */
static void views_are_cut(void **state)
{
    struct message_limits limits = message_limits_default;
    struct str content = many(*state, "Content-Transfer-Encoding: base64\r\n\r\n", "QUJD", 140000, "=\r\nQUJDREVG\r\n");
    assert_true(message_body(message_open(*state, content, &limits))->text.view_count > 1);
    limits.memory = 450 * 1024;
    const struct message_text *t = &message_body(message_open(*state, content, &limits))->text;
    assert_true(message_text_best(t).n > 400000);
    assert_true(t->unreadable & UNREADABLE_LIMIT);
}

/* One field of any length: that it goes on is told of this field, and of no other. */
static void long_header_fields(void **state)
{
    struct str content =
        many(*state, "Subject: short\r\nX-Long: \xc3\xa4", "words ", 50000, "secret\r\nTo: a@b.example\r\n\r\n");
    struct message_limits limits = message_limits_default;
    struct message *m = message_open(*state, content, &limits);
    const struct message_text *long_text = &message_header(m, STR("X-Long"))->v[0].text;
    assert_int_equal(long_text->unreadable, 0);
    assert_true(str_ends(message_text_best(long_text), STR("secret")));
    limits.text_bytes = limits.header_bytes;
    m = message_open(*state, content, &limits);
    const struct message_values *x = message_header(m, STR("X-Long"));
    assert_int_equal(x->n, 1);
    assert_true(x->v[0].text.unreadable & UNREADABLE_LIMIT);
    assert_true(str_find(message_text_best(&x->v[0].text), STR("secret")) == STR_NPOS);
    assert_int_equal(message_subject(m, NULL)->unreadable, 0);
    content = many(*state, "To: a@b.example", ", a@b.example", 30000, ", last@b.example\r\n\r\n");
    struct buf doubtful = {0};
    buf_printf(&doubtful, "A: b\r\nX-Long\v: ");
    for (int i = 0; i < 200000; i++) buf_add(&doubtful, STR("\xc3\xa4"));
    buf_add(&doubtful, STR("\r\n\r\n"));
    m = message_open(*state, buf_str(&doubtful), &limits);
    x = message_header(m, STR("X-Long"));
    assert_int_equal(x->doubtful, 1);
    assert_true(x->unreadable & UNREADABLE_LIMIT);
    assert_true(str_ends(message_text_best(&x->v[0].text), STR("\xc3\xa4"))); /* cut between two characters */
    buf_free(&doubtful);
    const struct message_addresses *to = message_addresses(message_open(*state, content, &limits), STR("To"));
    assert_true(to->n > 1000);
    assert_true(to->unreadable & UNREADABLE_LIMIT);
}

/* As many as a message may have parts. */
static void files_in_text_are_counted(void **state)
{
    struct message_limits limits = message_limits_default;
    limits.parts = 5;
    struct str five = many(*state, "A: b\r\n\r\n", "begin 644 a\r\nM\r\nend\r\n", 5, "");
    struct str six = many(*state, "A: b\r\n\r\n", "begin 644 a\r\nM\r\nend\r\n", 6, "");
    const struct message_attachments *all = message_attachments(message_open(*state, five, &limits));
    assert_int_equal(all->n, 5);
    assert_int_equal(all->unreadable, 0);
    all = message_attachments(message_open(*state, six, &limits));
    assert_int_equal(all->n, 5);
    assert_int_equal(all->unreadable, UNREADABLE_LIMIT);
}

/* What is made of parameters is bounded, in however many ways they are read. */
static void names_are_bounded(void **state)
{
    static const struct {
        const char *head, *unit, *tail;
    } rows[] = {{"attachment; filename=\"a.", "\xc1\xa1", "\""},
                {"attachment; filename=\"", "=?utf-8?q?=C3=A9?= ", "\""},
                {"attachment", "; a=b\"c", ""},
                {"attachment", "; a=\"\\x", "\""},
                {"attachment; filename*=utf-8''", "%c3%a9\"", ""}};
    enum { PARTS = 400, KEPT_MOST = 12 * 1024 * 1024 };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct str field = many(*state, rows[i].head, rows[i].unit, 20000 / strlen(rows[i].unit), rows[i].tail);
        struct buf b = {0};
        buf_add(&b, STR("Content-Type: multipart/mixed; boundary=b\r\n\r\n"));
        for (int k = 0; k < PARTS; k++) buf_printf(&b, "--b\r\nContent-Disposition: %.*s\r\n\r\nx\r\n", STR_ARG(field));
        struct message_limits limits = message_limits_default;
        limits.memory = 1024 * 1024;
        size_t before = arena_used(*state);
        struct message *m = message_open(*state, buf_str(&b), &limits);
        const struct message_attachments *all = message_attachments(m);
        assert_true(all->n >= PARTS);
        if (arena_used(*state) - before > KEPT_MOST) fail_msg("row %zu: %zu octets", i, arena_used(*state) - before);
        buf_free(&b);
    }
}

/* One part that each reader takes in its own way, and many small ones that every reading of the structure keeps again.
 */
static void readings_of_the_structure_are_bounded(void **state)
{
    enum { PARTS = 900, KEPT_MOST = 48 * 1024 * 1024 };
    struct buf b = {0};
    buf_add(&b,
            STR("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/x; a=\"b\" c; d=\"e\\f\"; "
                "g h=\"i; name*3=z; name*9=y; (x\r\nContent-Type: text/plain\r\nContent-Disposition: "
                "x\r\njunk\r\n\r\nx\r\n"));
    for (int i = 0; i < PARTS; i++) {
        static const char *const names[] = {"Type: x/y", "Disposition: attachment", "Transfer-Encoding: 7bit"};
        buf_add(&b, STR("--b\r\n"));
        for (size_t k = 0; k < 3; k++) {
            buf_printf(&b, "Content-%s", names[k]);
            for (int n = 0; n < 16; n++) buf_printf(&b, ";%c=b", 'a' + n);
            buf_add(&b, STR("\r\n"));
        }
        buf_add(&b, STR("\r\nx\r\n"));
    }
    size_t before = arena_used(*state);
    struct message *m = message_open(*state, buf_str(&b), NULL);
    const struct message_attachments *all = message_attachments(m);
    message_body(m);
    assert_true(all->n >= PARTS);
    assert_true(all->unreadable & UNREADABLE_LIMIT);
    assert_in_range(arena_used(*state) - before, 0, KEPT_MOST);
    buf_free(&b);
}

/* What one reader can be shown and another not is told apart whatever bytes stand in names. */
static void names_hold_any_bytes(void **state)
{
    struct message *m =
        message_open(*state,
                     STR("Content-Disposition: attachment; "
                         "filename*=utf-8''a%00evil.exe%00x.txt\r\nContent-Disposition: attachment; "
                         "filename=a; filename=evil.exe; filename=x.txt; filename=aevil.exex.txt\r\n\r\nx"),
                     NULL);
    assert_int_equal(message_attachments(m)->lists, 2);
}

/* A file that stands in the text only when that is decoded. */
static void files_in_decoded_text(void **state)
{
    static const char *const texts[] = {
        "Content-Type: text/html\r\n\r\n<pre>&#98;egin 644 evil.exe\r\nM\r\nend\r\n",
        "Content-Type: text/plain; charset=utf-7\r\n\r\n+AGI-egin 644 evil.exe\r\nM\r\nend\r\n"};
    for (size_t i = 0; i < 2; i++) {
        const struct message_attachments *all = message_attachments(message_open(*state, str_of(texts[i]), NULL));
        assert_int_equal(all->n, 1);
        assert_true(str_eq(message_text_best(&all->v[0].name), STR("evil.exe")));
    }
}

/* Whatever is looked at only so many times: what is behind is seen, or that it was not is told. */
static void counted_looks_are_told(void **state)
{
    for (int k = 1; k < 40; k++) {
        struct buf b = {0};
        buf_add(&b, STR("Content-Disposition: attachment; "));
        for (int i = 0; i < k; i++) buf_add(&b, STR("( "));
        buf_add(&b, STR("filename=evil.exe\r\n\r\nx"));
        const struct message_attachments *all = message_attachments(message_open(*state, buf_str(&b), NULL));
        bool seen = false;
        for (size_t i = 0; i < all->n; i++)
            for (size_t v = 0; v < all->v[i].name.view_count; v++)
                seen |= str_eq(all->v[i].name.views[v], STR("evil.exe"));
        assert_true(seen || all->unreadable & UNREADABLE_LIMIT);
        b.n = 0;
        buf_add(&b,
                STR("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: base64\r\n"));
        for (int i = 0; i < k; i++) buf_printf(&b, "--b\r\nX%d: y\r\n", i);
        buf_add(&b, STR("\r\nZXZpbCBzZWNyZXQ=\r\n--b--\r\n"));
        const struct message_text *t = &message_body(message_open(*state, buf_str(&b), NULL))->text;
        seen = false;
        for (size_t v = 0; v < t->view_count; v++) seen |= str_find(t->views[v], STR("evil secret")) != STR_NPOS;
        assert_true(seen || t->unreadable & UNREADABLE_LIMIT);
        buf_free(&b);
    }
    struct str content = many(*state, "A: b\r\n", "X\v: n\r\n", 1000, "Subject\v: evil\r\n\r\n");
    const struct message_values *subject = message_header(message_open(*state, content, NULL), STR("Subject"));
    assert_true(subject->n || subject->unreadable & UNREADABLE_LIMIT);
}

/* Words whose charsets have states are not joined because two labels name one charset. */
static void states_do_not_go_over(void **state)
{
    struct str content = STR("Subject: =?iso-2022-jp?Q?=1B$B?= =?csiso2022jp?Q?evil?=\r\n\r\n");
    const struct message_text *t = message_subject(message_open(*state, content, NULL), NULL);
    bool seen = false;
    for (size_t v = 0; v < t->view_count; v++) seen |= str_find(t->views[v], STR("evil")) != STR_NPOS;
    assert_true(seen);
}

/* No system has such a one: it is cut, and that is told. */
static void long_extensions(void **state)
{
    struct message *m = message_open(
        *state, many(*state, "Content-Disposition: attachment; filename=\"a.", "B", 300, "\"\r\n\r\n"), NULL);
    const struct message_attachments *all = message_attachments(m);
    assert_int_equal(all->n, 1);
    assert_int_equal(message_text_best(&all->v[0].name).n, 302);
    assert_int_equal(message_text_best(&all->v[0].extension).n, 255);
    assert_int_equal(message_text_best(&all->v[0].extension).p[254], 'b');
    assert_true(all->v[0].extension.unreadable & UNREADABLE_LIMIT);
    assert_int_equal(all->v[0].name.unreadable, 0);
}

/* --- limits are told ---------------------------------------------------------------------------------------------- */

static bool same_views(const struct message_text *a, const struct message_text *b)
{
    if (a->view_count != b->view_count) return false;
    for (size_t i = 0; i < a->view_count; i++)
        if (!str_eq(a->views[i], b->views[i])) return false;
    return true;
}

/* Read within a limit: the same as without, or the limit is told. */
static void is_whole_or_told(const char *what, const char *name, const struct message_text *limited,
                             const struct message_text *whole)
{
    if ((limited->unreadable | whole->unreadable) & UNREADABLE_LIMIT) return;
    if (!same_views(limited, whole)) fail_msg("%s, %s: cut in silence", name, what);
}

static void read_within(struct arena *a, const char *name, struct str content, const struct message_limits *limits)
{
    struct message *m = message_open(a, content, limits), *whole = message_open(a, content, NULL);
    struct message_text is_signed = message_is_signed(m), whole_signed = message_is_signed(whole);
    is_whole_or_told("signed", name, &is_signed, &whole_signed);
    is_whole_or_told("source", name, message_body_source(m), message_body_source(whole));
    is_whole_or_told("body", name, &message_body(m)->text, &message_body(whole)->text);
    const struct message_attachments *v = message_attachments(m), *w = message_attachments(whole);
    if (!((v->unreadable | w->unreadable) & UNREADABLE_LIMIT) && (v->n != w->n || v->lists != w->lists))
        fail_msg("%s: attachments are missing in silence", name);
}

static void no_limit_is_silent(void **state)
{
#ifdef SLUICE_SANITIZED
    enum { SHAPES = 40, SIZE = 400 };
#else
    enum { SHAPES = 400, SIZE = 400 };
#endif
    for (uint64_t seed = 1; seed <= SHAPES; seed++) {
        struct mail_shape shape = mail_shape_random(*state, seed);
        struct buf b = mail_shape_make(&shape, SIZE);
        size_t text = message_text_best(&message_body(message_open(*state, buf_str(&b), NULL))->text).n;
        for (size_t k = 0; k < 40; k++) {
            struct arena *a = arena_create();
            struct message_limits limits = message_limits_default;
            limits.text_bytes = (text > 20 ? text - 20 : 0) + k * 2 + seed % 2;
            read_within(a, shape.name, buf_str(&b), &limits);
            limits.text_bytes = message_limits_default.text_bytes;
            limits.memory = 2000 + k * k * 40;
            read_within(a, shape.name, buf_str(&b), &limits);
            arena_free(&a);
        }
        buf_free(&b);
    }
}

/* --- in any order ------------------------------------------------------------------------------------------------- */

/* Text and manners are compared; of protection, what it says. */
static bool same(const struct message_text *a, const struct message_text *b)
{
    if (!same_views(a, b) || a->unreadable != b->unreadable) return false;
    return a->view_count == 0 || memcmp(a->manners, b->manners, a->view_count * sizeof *a->manners) == 0;
}

static void ask_in_two_orders(struct arena *a, const char *name, struct str content)
{
    struct message *m = message_open(a, content, NULL), *n = message_open(a, content, NULL);
    struct message_text is_signed = message_is_signed(m), encrypted = message_is_encrypted(m);
    const struct message_attachments *attached = message_attachments(m);
    const struct message_text *source = message_body_source(m), *body = &message_body(m)->text;
    const struct message_text *other_body = &message_body(n)->text, *other_source = message_body_source(n);
    const struct message_attachments *other_attached = message_attachments(n);
    struct message_text other_signed = message_is_signed(n), other_encrypted = message_is_encrypted(n);
    if (!same(body, other_body)) fail_msg("%s: the body", name);
    if (!same(source, other_source)) fail_msg("%s: its source", name);
    if (attached->n != other_attached->n || attached->lists != other_attached->lists)
        fail_msg("%s: the attachments", name);
    if (!same(&is_signed, &other_signed)) fail_msg("%s: whether it is signed", name);
    if (!same(&encrypted, &other_encrypted)) fail_msg("%s: whether it is encrypted", name);
}

static void real_mail_in_any_order(void **state)
{
    static const char *const folders[] = {"tests/mail/rfc", "tests/mail/thirdparty", "tests/mail/malformed"};
    for (size_t f = 0; f < sizeof folders / sizeof *folders; f++) {
        size_t count;
        char **paths = list_files(*state, folders[f], ".eml", &count);
        assert_true(count > 0);
        for (size_t i = 0; i < count; i++) ask_in_two_orders(*state, paths[i], read_file(*state, paths[i]));
    }
}

static void armor_in_any_order(void **state)
{
    static const char *const texts[] = {
        "A: b\r\n\r\n"
        "-----BEGIN PGP SIGNED MESSAGE-----\r\nx\r\n",
        "A: b\r\n\r\n"
        "-----BEGIN PGP MESSAGE-----\r\nx\r\n",
        "Content-Transfer-Encoding: base64\r\n\r\neA==\r\nLS0tLS1CRUdJTiBQR1AgTUVTU0FHRS0tLS0t\r\n",
        "Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n",
        "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
        "Content-Type: application/pkcs7-mime\r\nContent-Type: text/plain\r\n\r\nx\r\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) ask_in_two_orders(*state, texts[i], str_of(texts[i]));
}

static void shapes_in_any_order(void **state)
{
    enum { SHAPES = 400, SIZE = 600 };
    for (uint64_t seed = 1; seed <= SHAPES; seed++) {
        struct mail_shape shape = mail_shape_random(*state, seed);
        struct buf b = mail_shape_make(&shape, SIZE);
        ask_in_two_orders(*state, shape.name, buf_str(&b));
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(large_mail_is_read_whole, begin, end),
        cmocka_unit_test_setup_teardown(additions_are_told, begin, end),
        cmocka_unit_test_setup_teardown(text_within, begin, end),
        cmocka_unit_test_setup_teardown(long_text_within, begin, end),
        cmocka_unit_test_setup_teardown(bodies_are_cut, begin, end),
        cmocka_unit_test_setup_teardown(views_are_cut, begin, end),
        cmocka_unit_test_setup_teardown(long_header_fields, begin, end),
        cmocka_unit_test_setup_teardown(files_in_text_are_counted, begin, end),
        cmocka_unit_test_setup_teardown(names_are_bounded, begin, end),
        cmocka_unit_test_setup_teardown(readings_of_the_structure_are_bounded, begin, end),
        cmocka_unit_test_setup_teardown(names_hold_any_bytes, begin, end),
        cmocka_unit_test_setup_teardown(files_in_decoded_text, begin, end),
        cmocka_unit_test_setup_teardown(counted_looks_are_told, begin, end),
        cmocka_unit_test_setup_teardown(states_do_not_go_over, begin, end),
        cmocka_unit_test_setup_teardown(long_extensions, begin, end),
        cmocka_unit_test_setup_teardown(no_limit_is_silent, begin, end),
        cmocka_unit_test_setup_teardown(real_mail_in_any_order, begin, end),
        cmocka_unit_test_setup_teardown(armor_in_any_order, begin, end),
        cmocka_unit_test_setup_teardown(shapes_in_any_order, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
