/* message/edits: what is written, what later rules see of it, and that nothing else changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "message/charset.h"
#include "message/edits.h"
#include "tests/support/read_file.h"

static int begin(void **state) { return *state = arena_create(), 0; }
static int end(void **state) { return arena_free((struct arena **)state), 0; }

static struct str apply(struct arena *a, struct str content, const struct pieces *p)
{
    char *out = arena_alloc(a, pieces_length(p));
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++) {
        struct str s = p->v[i].insert.p ? p->v[i].insert : str_slice(content, p->v[i].from, p->v[i].to);
        memcpy(out + n, s.p, s.n);
        n += s.n;
    }
    return (struct str){out, n};
}

static struct str edited(struct arena *a, struct message *m, const struct edits *e)
{
    struct pieces p;
    edits_pieces(m, e, a, &p);
    assert_true(pieces_are_sound(&p, message_content(m).n));
    return apply(a, message_content(m), &p);
}

static const struct edits *parse_edits(struct arena *a, const char *words)
{
    static const struct {
        char letter;
        enum edit_kind kind;
    } kinds[] = {
        {'+', EDIT_ADD_HEADER}, {'=', EDIT_SET_HEADER}, {'-', EDIT_REMOVE_HEADER}, {'^', EDIT_PREPEND_SUBJECT}};
    const struct edits *e = NULL;
    struct str rest = str_of(words), one, name, value;
    while (rest.n) {
        str_cut(rest, '|', &one, &rest);
        str_cut(str_from(one, 1), ':', &name, &value);
        for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
            if (kinds[i].letter == one.p[0])
                e = edits_add(a, e, kinds[i].kind, name, kinds[i].kind == EDIT_PREPEND_SUBJECT ? name : value);
        assert_non_null(e);
    }
    return e;
}

static const struct {
    const char *content, *edits, *result;
} rows[] = {
    /* where a field is added: behind trace and resent fields */
    {"Received: a\r\nReturn-Path: <>\r\nFrom: b\r\n\r\nc", "+X:1|+Y:2",
     "Received: a\r\nReturn-Path: <>\r\nX: 1\r\nY: 2\r\nFrom: b\r\n\r\nc"},
    {"Received: a\r\nResent-From: x\r\nReceived: b\r\nFrom: b\r\n\r\n", "+X:1",
     "Received: a\r\nResent-From: x\r\nReceived: b\r\nX: 1\r\nFrom: b\r\n\r\n"},
    {"From: b\r\n\r\nc", "+X:1", "X: 1\r\nFrom: b\r\n\r\nc"},
    {"From: b\n\nc\n", "+X:1", "X: 1\r\nFrom: b\n\nc\n"},
    {"From me\nFrom: b\n\n", "+X:1", "From me\nX: 1\r\nFrom: b\n\n"},
    {"Received: a", "+X:1", "Received: a\r\nX: 1\r\n"},
    {"hello\r\n\r\nworld", "+X:1", "X: 1\r\n\r\nhello\r\n\r\nworld"},
    {"\r\nworld", "+X:1", "X: 1\r\n\r\nworld"},
    {"", "+X:1", "X: 1\r\n"},
    {"A: 1\r\nno field\r\n", "+X:1", "X: 1\r\nA: 1\r\nno field\r\n"},
    /* set: the first in its place, the others gone */
    {"A: 1\r\nX: 2\r\n 3\r\nB: 4\r\nx: 5\r\n\r\n", "=X:9", "A: 1\r\nX: 9\r\nB: 4\r\n\r\n"},
    {"A: 1\r\n\r\n", "=X:9|=X:8", "X: 8\r\nA: 1\r\n\r\n"},
    {"A: 1\r\nX: 2\r\n\r\n", "+X:9|=x:8", "x: 8\r\nA: 1\r\n\r\n"},
    {"X: 1", "=X:9", "X: 9\r\n"},
    /* remove */
    {"A: 1\r\nX: 2\r\nB: 4\r\nX: 5\r\n\r\nX: 6", "-x:", "A: 1\r\nB: 4\r\n\r\nX: 6"},
    {"A: 1\r\n\r\n", "+X:9|-X:", "A: 1\r\n\r\n"},
    {"X: 1\r\n\r\n", "-X:|+X:2", "X: 2\r\n\r\n"},
    /* subject */
    {"Subject: hi\r\n\r\n", "^[EXT] ", "Subject: [EXT] hi\r\n\r\n"},
    {"SUBJECT :hi\r\n\r\n", "^[EXT] ", "SUBJECT : [EXT] hi\r\n\r\n"},
    {"Subject: hi\r\n there\r\n\r\n", "^[EXT] ", "Subject: [EXT] hi\r\n there\r\n\r\n"},
    {"Subject: [ext] hi\r\n\r\n", "^[EXT] ", "Subject: [ext] hi\r\n\r\n"},
    {"Subject: Re: AW[2]: [EXT]hi\r\n\r\n", "^[EXT] ", "Subject: Re: AW[2]: [EXT]hi\r\n\r\n"},
    {"Subject: =?utf-8?q?=5BEXT=5D_hi?=\r\n\r\n", "^[EXT] ", "Subject: =?utf-8?q?=5BEXT=5D_hi?=\r\n\r\n"},
    {"Subject: hi\r\n\r\n", "^[A] |^[B] |^[B] ", "Subject: [B] [A] hi\r\n\r\n"},
    {"Subject: =?utf-8?q?=C3=A9?=\r\n\r\n", "^[EXT] ", "Subject: [EXT] =?utf-8?q?=C3=A9?=\r\n\r\n"},
    {"A: 1\r\n\r\n", "^[EXT] ", "Subject: [EXT]\r\nA: 1\r\n\r\n"},
    {"Subject:\r\nA: 1\r\n\r\n", "^[EXT] ", "Subject: [EXT]\r\nA: 1\r\n\r\n"},
    {"Subject: hi\r\n\r\n", "=Subject:new|^[EXT] ", "Subject: [EXT] new\r\n\r\n"},
    {"Subject: hi\r\n\r\n", "^[EXT] |=Subject:new", "Subject: new\r\n\r\n"},
    {"Subject: hi\r\n\r\n", "-Subject:|^[EXT] ", "Subject: [EXT]\r\n\r\n"},
    {"Subject: hi\r\nSubject: two\r\n\r\n", "^[EXT] ", "Subject: [EXT] hi\r\nSubject: [EXT] two\r\n\r\n"},
    {"Subject: [ext] hi\r\nA: 1\r\nSubject: two\r\nSubject:\r\n\r\n", "^[EXT] ",
     "Subject: [ext] hi\r\nA: 1\r\nSubject: [EXT] two\r\nSubject: [EXT]\r\n\r\n"},
    {"Subject: hi\r\nSubject: two\r\n\r\n", "+Subject:three|^[EXT] |^[B] ",
     "Subject: [B] [EXT] three\r\nSubject: [B] [EXT] hi\r\nSubject: [B] [EXT] two\r\n\r\n"},
    /* nothing but whole fields gets in */
    {"A: 1\r\n\r\n", "+X:a\r\nBcc: evil\r\n\r\nbody", "X: a  Bcc: evil    body\r\nA: 1\r\n\r\n"},
    {"A: 1\r\n\r\n", "+From:Zo\xc3\xab <z@b.example>, Doe <d@b.example>",
     "From: =?utf-8?Q?Zo=C3=AB?= <z@b.example>, Doe <d@b.example>\r\nA: 1\r\n\r\n"},
};

static void results(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct message *m = message_open(*state, str_of(rows[i].content), NULL);
        struct str got = edited(*state, m, parse_edits(*state, rows[i].edits));
        if (!str_eq(got, str_of(rows[i].result)))
            fail_msg("%s\n%s\ngave\n%.*s\nnot\n%s", rows[i].content, rows[i].edits, STR_ARG(got), rows[i].result);
    }
}

static void what_may_not_be_edited(void **state)
{
    static const char *const names[] = {"Received",
                                        "return-path",
                                        "DKIM-Signature",
                                        "ARC-Seal",
                                        "Content-Type",
                                        "MIME-Version",
                                        "content-transfer-encoding",
                                        "",
                                        "a b",
                                        "a:",
                                        "\xc3\xa9"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_null(edits_add(*state, NULL, EDIT_SET_HEADER, str_of(names[i]), STR("x")));
    const struct edits *e = NULL;
    for (size_t i = 0; i < EDITS_MAX; i++)
        assert_non_null(e = edits_add(*state, e, EDIT_ADD_HEADER, STR("X"), STR("x")));
    assert_null(edits_add(*state, e, EDIT_ADD_HEADER, STR("X"), STR("x")));
    assert_int_equal(edits_count(e), EDITS_MAX);
}

static void lists_are_shared(void **state)
{
    struct message *m = message_open(*state, STR("Subject: a\r\n\r\n"), NULL);
    const struct edits *base = edits_add(*state, NULL, EDIT_ADD_HEADER, STR("X"), STR("1"));
    const struct edits *left = edits_add(*state, base, EDIT_ADD_HEADER, STR("X"), STR("2"));
    const struct edits *right = edits_add(*state, base, EDIT_REMOVE_HEADER, STR("x"), STR(""));
    assert_int_equal(message_header_edited(m, left, STR("X"))->n, 2);
    assert_int_equal(message_header_edited(m, base, STR("X"))->n, 1);
    assert_int_equal(message_header_edited(m, right, STR("X"))->n, 0);
    assert_int_equal(message_header_edited(m, NULL, STR("X"))->n, 0);
    assert_false(edits_equal(left, right));
    assert_true(edits_equal(left, edits_add(*state, base, EDIT_ADD_HEADER, STR("x"), STR("2"))));
    struct pieces p;
    edits_pieces(m, NULL, *state, &p);
    assert_true(pieces_are_identity(&p, message_content(m).n));
    edits_pieces(m, right, *state, &p);
    assert_true(pieces_are_identity(&p, message_content(m).n));
}

static void edited_addresses(void **state)
{
    struct message *m = message_open(*state, STR("From: a@b.example\r\n\r\n"), NULL);
    const struct edits *e =
        edits_add(*state, NULL, EDIT_SET_HEADER, STR("From"),
                  STR("\"M\xc3\xbcller, Dr. J\xc3\xb6rg\" <j@b.example>, Zo\xc3\xab A. <c@d.example>"));
    const struct message_addresses *from = message_addresses_edited(m, e, STR("from"));
    assert_int_equal(from->n, 2);
    assert_false(from->malformed);
    assert_true(str_eq(from->v[from->n - 1].address, STR("c@d.example")));
    assert_true(str_eq(from->v[from->n - 2].address, STR("j@b.example")));
    assert_true(str_eq(message_text_best(&from->v[0].name), STR("M\xc3\xbcller, Dr. J\xc3\xb6rg")));
    assert_true(str_eq(message_text_best(&from->v[1].name), STR("Zo\xc3\xab A.")));
}

/* --- random edits of random messages ----------------------------------------------------------------------------- */

static uint64_t seed = 20260101;
static uint32_t chance(uint32_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % n;
}

static const char *const names[] = {"Subject", "X-A", "x-a", "From", "X-Very-Long-Name-Of-A-Field", "To", "Resent-To"};
enum { NAMES = sizeof names / sizeof names[0] };

static struct str random_value(struct arena *a)
{
    static const char *const words[] = {"[EXT] ",
                                        "a",
                                        " ",
                                        "\xc3\xa9t\xc3\xa9",
                                        "\r\n",
                                        "=?utf-8?q?x?=",
                                        "<a@b.example>",
                                        "\t",
                                        "\xff",
                                        "Re: ",
                                        ",",
                                        "\"",
                                        "\xe6\x97\xa5\xe6\x9c\xac",
                                        "(",
                                        ":",
                                        "\x01",
                                        "secret",
                                        "\r",
                                        "?="};
    struct buf b = {0};
    uint32_t n = chance(6);
    if (chance(40) == 0) n = 400;
    bool solid = chance(4) == 0; /* one long word */
    for (uint32_t i = 0; i < n; i++)
        buf_add(&b, solid ? STR("longlongword") : str_of(words[chance(sizeof words / sizeof words[0])]));
    if (chance(20) == 0) buf_add_byte(&b, '\0');
    struct str s = arena_str(a, buf_str(&b));
    buf_free(&b);
    return s;
}

static struct str random_content(struct arena *a)
{
    static const char *const lines[] = {"Subject: hello",
                                        "subject: Re: [EXT] x",
                                        "Subject:",
                                        "Subject: =?utf-8?q?=C3=A9?=",
                                        "X-A: 1",
                                        "x-a: 2\r\n\tfold",
                                        "From: a@b.example",
                                        "Received: by x",
                                        "Resent-To: y@b.example",
                                        "To: c@d.example",
                                        "junk",
                                        "Content-Type: text/plain",
                                        "Subject:\r\n folded",
                                        " lead"};
    struct buf b = {0};
    bool bare = chance(4) == 0;
    for (uint32_t n = chance(8); n > 0; n--) {
        struct str line = str_of(lines[chance(chance(3) ? 10 : 14)]);
        buf_add(&b, line);
        if (chance(30) == 0)
            for (int i = 0; i < 300; i++) buf_add(&b, STR(" long"));
        buf_add(&b, bare ? STR("\n") : STR("\r\n"));
    }
    if (chance(5)) buf_add(&b, bare ? STR("\n") : STR("\r\n"));
    if (chance(5)) buf_add(&b, STR("Body: x\r\n\r\nSubject: not one\r\n"));
    if (chance(20) == 0 && b.n) b.n--;
    struct str s = arena_str(a, buf_str(&b));
    buf_free(&b);
    return s;
}

/* The count of fields by name that the edits should leave, told without the code under test. */
/* What every reader takes for a field. */
static size_t certain(const struct message_values *values) { return values->n - values->doubtful; }

static size_t expected_count(struct message *m, const struct edits *e[], const enum edit_kind kinds[],
                             const char *const edit_names[], const struct str edit_values[], size_t n, const char *name)
{
    (void)e;
    size_t count = certain(message_header(m, str_of(name)));
    for (size_t i = 0; i < n; i++) {
        const char *of = kinds[i] == EDIT_PREPEND_SUBJECT ? "Subject" : edit_names[i];
        if (!str_eq_nocase(str_of(of), str_of(name))) continue;
        if (kinds[i] == EDIT_ADD_HEADER) count++;
        if (kinds[i] == EDIT_SET_HEADER) count = 1;
        if (kinds[i] == EDIT_REMOVE_HEADER) count = 0;
        if (kinds[i] == EDIT_PREPEND_SUBJECT && count == 0 && str_trim(edit_values[i]).n) count = 1;
    }
    return count;
}

static void assert_lines_are_sound(struct str inserted)
{
    size_t column = 0;
    for (size_t i = 0; i < inserted.n; i++) {
        char c = inserted.p[i];
        assert_true(c != '\0');
        if (c == '\r') assert_true(i + 1 < inserted.n && inserted.p[i + 1] == '\n');
        if (c == '\n') assert_true(i > 0 && inserted.p[i - 1] == '\r');
        column = c == '\n' ? 0 : column + 1;
        assert_true(column <= 999); /* with its CR */
    }
}

/* Every line over 998 octets of the result is the end of one that was that long before. */
static void assert_no_new_long_line(struct str before, struct str after)
{
    for (size_t at = 0; at < after.n;) {
        size_t length = str_find_byte(str_from(after, at), '\n');
        if (length == STR_NPOS) length = after.n - at;
        struct str line = str_slice(after, at, at + length);
        if (str_ends(line, STR("\r"))) line.n--;
        if (line.n > 998) assert_true(str_find(before, str_from(line, line.n - 998)) != STR_NPOS);
        at += length + 1;
    }
}

static void same_as_reparsed(struct message *m, const struct edits *e, struct message *again, const char *name)
{
    const struct message_values *seen = message_header_edited(m, e, str_of(name)),
                                *written = message_header(again, str_of(name));
    assert_int_equal(certain(seen), certain(written));
    for (size_t i = 0; i < certain(seen); i++) {
        assert_true(str_eq(message_text_best(&seen->v[i].text), message_text_best(&written->v[i].text)));
        assert_true(str_eq(seen->v[i].raw, written->v[i].raw));
    }
}

static void check_one(struct arena *a, struct str content)
{
    enum { MOST = 5 };
    const struct edits *lists[MOST + 1] = {NULL};
    enum edit_kind kinds[MOST];
    const char *edit_names[MOST];
    struct str edit_values[MOST];
    struct message *m = message_open(a, content, NULL);
    size_t n = chance(MOST + 1);
    for (size_t i = 0; i < n; i++) {
        kinds[i] = (enum edit_kind)chance(4);
        edit_names[i] = names[chance(NAMES)];
        edit_values[i] = random_value(a);
        lists[i + 1] = edits_add(a, lists[i], kinds[i], str_of(edit_names[i]), edit_values[i]);
        assert_non_null(lists[i + 1]);
    }
    const struct edits *e = lists[n];
    struct pieces p;
    edits_pieces(m, e, a, &p);
    assert_true(pieces_are_sound(&p, content.n));
    for (size_t i = 0; i < p.n; i++)
        if (p.v[i].insert.p) assert_lines_are_sound(p.v[i].insert);
    struct str result = apply(a, content, &p);
    assert_no_new_long_line(content, result);
    struct message *again = message_open(a, result, NULL);
    const struct message_header *before = message_header_section(m), *after = message_header_section(again);
    size_t body = content.n - before->body;
    if (body > 0 && result.n - after->body != body)
        fail_msg("the border moved:\n%.*s\n--- became\n%.*s", STR_ARG(content), STR_ARG(result));
    assert_true(str_eq(str_from(content, before->body), str_from(result, result.n - body)));
    for (size_t i = 0; i < NAMES; i++) {
        same_as_reparsed(m, e, again, names[i]);
        assert_int_equal(expected_count(m, lists, kinds, edit_names, edit_values, n, names[i]),
                         certain(message_header(again, str_of(names[i]))));
    }
    /* Untouched fields keep their bytes, and their order. */
    size_t at = 0;
    for (size_t i = 0; i < before->field_count; i++) {
        bool touchable = false;
        for (size_t k = 0; k < NAMES; k++) touchable |= str_eq_nocase(before->fields[i].name, str_of(names[k]));
        if (touchable) continue;
        while (at < after->field_count && !str_eq(before->fields[i].raw, after->fields[at].raw)) at++;
        assert_true(at++ < after->field_count);
    }
}

static void random_edits(void **state)
{
    for (int i = 0; i < 10000; i++) {
        arena_reset(*state);
        check_one(*state, random_content(*state));
    }
}

static void random_edits_of_real_mail(void **state)
{
    static const char *const folders[] = {"tests/mail/malformed", "tests/mail/rfc", "tests/mail/thirdparty"};
    struct arena *files = arena_create();
    for (size_t f = 0; f < sizeof folders / sizeof folders[0]; f++) {
        size_t count;
        char **paths = list_files(files, folders[f], ".eml", &count);
        assert_true(count > 0);
        for (size_t i = 0; i < count; i++)
            for (int round = 0; round < 20; round++) {
                arena_reset(*state);
                check_one(*state, read_file(*state, paths[i]));
            }
    }
    arena_free(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(results, begin, end),
        cmocka_unit_test_setup_teardown(what_may_not_be_edited, begin, end),
        cmocka_unit_test_setup_teardown(lists_are_shared, begin, end),
        cmocka_unit_test_setup_teardown(edited_addresses, begin, end),
        cmocka_unit_test_setup_teardown(random_edits, begin, end),
        cmocka_unit_test_setup_teardown(random_edits_of_real_mail, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
