/* message/: the views of a value, what they are called, and the facts of a message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "message/charset.h"
#include "message/filetype.h"
#include "message/message.h"

static int begin(void **state) { return *state = arena_create(), 0; }
static int end(void **state) { return arena_free((struct arena **)state), 0; }

#define TOP    "From: a@b.example\r\nTo: c@d.example\r\nMIME-Version: 1.0\r\n"
#define SECRET "dG9wIHNlY3JldA==" /* top secret */

/* The view whose name holds `how` contains `text`; the best reading does so when `best`. */
static const struct {
    const char *message, *text, *how;
    bool best, ambiguous;
} bodies[] = {
    {TOP "\r\ntop secret\r\n", "top secret", NULL, true, false},
    {TOP "Content-Type: text/html\r\nContent-Type: text/plain\r\n\r\n<b>x</b>", "<b>", "the last of equal fields",
     false, true},
    {TOP "Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64\r\n\r\n" SECRET, "top secret",
     "the last of equal fields", false, true},
    {TOP "Content-Transfer-Encoding: base64\r\n\r\neA==" SECRET, "top secret", NULL, true, true},
    {TOP "Content-Transfer-Encoding: base64\r\n\r\n" SECRET "eA==", "top secret", "base64 ends at its padding", true,
     true},
    {TOP "Content-Transfer-Encoding: base64\r\n\r\ntop secret!", "top secret", "a broken encoding is not undone", false,
     true},
    {TOP "Content-Transfer-Encoding: quoted-printable\r\n\r\ntop= \r\n secret", "top secret", NULL, true, true},
    {TOP "Content-Transfer-Encoding: base64 (x)\r\n\r\ntop secret", "top secret",
     "a transfer encoding with more than its name is unknown", false, true},
    {TOP "Content-Transfer-Encoding: x-base64\r\n\r\n" SECRET, "top secret", "an unknown transfer encoding is guessed",
     false, true},
    {TOP "\r\nsee\r\nbegin 644 x\r\n*=&]P('-E8W)E=```\r\nend\r\n", "top secret", "uuencoded", false, false},
    {TOP "\r\n+AHQ-op secret", "top secret", "the charset the bytes look like", false, true},
    {TOP "Content-Type: text/plain; charset=utf-7\r\n\r\ntop secret +AHQ-", "secret +AHQ-",
     "as if no charset were named", false, true},
    {TOP "Content-Type: text/plain; charset=utf-8\r\n\r\nt\xc1\xafp", "top", "too long", false, true},
    {TOP "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\nto\x1b"
         "B#p",
     "top", "unknown escapes of ISO-2022 as three bytes", false, true},
    {TOP "Content-Type: text/plain\r\n; charset=utf-16be\r\nX-A: b\r\n\r\ntop", "top",
     "lines that are no field are skipped", false, true},
    {TOP "Content-Type: text/plain\r\n; charset=iso-8859-1\r\n\r\n\xc3\xa9\xff", "\xc3\xa9",
     "lines that are no field are skipped; unlabelled text is UTF-8", false, true},
    {TOP "Content-Type: text/plain; charset=iso-8859-1\r\n\r\n\xc3\xa9", "\xc3\xa9", "the charset the bytes look like",
     false, true},
    {TOP "Content-Type: text/html\r\n\r\nto<i style='Display : None'>xx</i>p", "top", "hidden", false, false},
    {TOP "Content-Type: text/html\r\n\r\n<style>p .q{color:red;display:none}</style>to<i class='a q'>xx</i>p", "top",
     "hidden", false, false},
    {TOP "Content-Type: text/html\r\n\r\n<img alt=\"top&#32;secret\">", "top secret", "alternative texts", false,
     false},
    {TOP "Content-Type: text/html\r\n\r\n<a href='http://top/'>x</a>", "top", "the targets of links", false, false},
    {TOP "Content-Type: multipart/mixed; boundary=b(c)\r\n\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n" SECRET,
     "top secret", "an unquoted parameter ends at", false, true},
    {TOP "Content-Type: text/html\r\n\r\n<!--[if mso]>top<![endif]-->", "top", "conditional comments", false, false},
    {TOP "Content-Type: multipart/mixed; boundary=b\r\n\r\ntop\r\n--b\r\n\r\nx\r\n--b--\r\n", "top", "preamble", false,
     false},
    {TOP "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\ntop\r\n", "top", "epilogue", false,
     false},
    {TOP "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n--b\r\nContent-Transfer-Encoding: "
         "base64\r\n\r\n" SECRET "\r\n--b--\r\n",
     "top secret", "parts go on behind the close", false, true},
    {TOP "Content-Type: multipart/mixed; boundary=a; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: "
         "base64\r\n\r\n" SECRET "\r\n--b--\r\n",
     "top secret", "the last of equal parameters", false, true},
    {TOP "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b \r\n\r\ntop\r\n--bc\r\n\r\nx\r\n--b--\r\n", "--bc", NULL,
     true, true},
    {TOP "Content-Disposition: somehow\r\n\r\ntop", "top", "an unknown disposition is inline", false, true},
    {TOP "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nSubject: x\r\n\r\ntop secret",
     "top secret", "the encoding of a composite part is ignored", false, true},
    {TOP "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n \r\nContent-Type: "
         "image/png\r\n\r\ntop secret",
     "top secret", NULL, true, true},
    {TOP "Content-Type: multipart/mixed; boundary=\"b\r\n\r\n--\"b\r\nContent-Transfer-Encoding: base64\r\n\r\n" SECRET,
     "top secret", "a quote that never ends belongs to the value", false, true},
    {TOP "Content-Type: \\ text/html\r\n\r\nt<b>op", "top", "a broken type is guessed", false, true},
    {TOP "Content-Type: image/png text/plain\r\n\r\ntop", "top", "a broken type is guessed", false, true},
    {TOP "Content-Transfer-Encoding: ;base64\r\n\r\n" SECRET, "top secret", "an unknown transfer encoding is guessed",
     false, true},
    {TOP "Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 x\r\nX-A: b\r\n*=&]P('-E8W)E=```\r\nend\r\n",
     "top secret", NULL, true, true},
    {TOP "Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 x\r\n#=&]P\r\nX-A: b\r\n'('-E8W)E= \r\nend\r\n",
     "top secret", "uuencode by the letter", false, true},
    {TOP "Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 x\r\n#=&]P'('-E8W)E= \r\nend\r\n", "top secret",
     "uuencoded lines end where they say", false, true},
    {TOP "Content-Type: text/plain; charset=utf-7\r\n\r\n+r al=+AHQ-op", "top", NULL, true, true},
    {TOP "Content-Type: text/plain; charset=utf-7\r\n\r\n+AH%Q-op", "top", "over broken bytes", false, true},
    {TOP "Content-Type: text/plain; charset==euc-jp\r\n\r\n\xa3\xf0", "\uff50", "the name of a charset without", false,
     true},
    {TOP
     "Content-Type: multipart/mixed; boundary=\"b\xa0\"\r\n\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n" SECRET,
     "top secret", "an unquoted parameter ends at", false, true},
    {TOP "Content-Type: text/plain; charset=iso-8859-1\r\n\r\n\xc3\xa9\xc3\xa8\xc3", "\xc3\xa9\xc3\xa8",
     "the charset the bytes look like", false, true},
    {TOP "Content-Type: text/plain; charset=iso-2022-kr\r\n\r\nto\x1b(Bp", "top",
     "unknown escapes of ISO-2022 as three bytes", false, true},
    {TOP "Content-Type: text/plain; charset=gb2312x:y\r\n\r\n\xa3\xf0", "\uff50", "the name of a charset without",
     false, true},
    {TOP "Content-Type: text/plain; charset=shift_ji--s\r\n\r\n\x82\x90", "\uff50", "the name of a charset without",
     false, true},
    {TOP "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n Content-Type: "
         "image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n" SECRET "\r\n--b--\r\n",
     "top secret", "before the first field are skipped; lines that are no field are skipped", false, true},
    {TOP "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\ntop: secret\r\n\r\n--b--\r\n", "top: secret",
     "parts of a digest are text", false, false},
    {TOP "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: base64\r\neA==\r\n"
         "--b--\r\n" SECRET,
     "top secret", "no delimiter ends a header", false, true},
    {TOP "Content-Type: text/html\r\n\r\n<p>to<=7>p</p>", "top", "simple programs", false, false},
    {TOP "Content-Type: text/html\r\n\r\n<p>to<!-- x --\n>p</p>", "top", "simple programs", false, false},
    {TOP "Content-Disposition: attachment\r\n\tinline\r\n\r\ntop", "top", "an unknown disposition is inline", false,
     true},
};

static bool view_holds(const struct message_text *t, const char *how, const char *text, struct arena *a)
{
    for (size_t i = 0; i < t->view_count; i++) {
        char name[MANNERS_TEXT_MAX];
        struct str whole = arena_str(a, (struct str){name, message_manners_print(t->manners[i], name, sizeof name)});
        if (str_find(whole, str_of(how)) != STR_NPOS && str_find(t->views[i], str_of(text)) != STR_NPOS) return true;
    }
    return false;
}

static void body_views(void **state)
{
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct message *m = message_open(*state, str_of(bodies[i].message), NULL);
        const struct message_text *t = &message_body(m)->text;
        bool best = str_find(message_text_best(t), str_of(bodies[i].text)) != STR_NPOS;
        if (best != bodies[i].best)
            fail_msg("case %zu: the best reading is \"%.*s\"", i, STR_ARG(message_text_best(t)));
        if (bodies[i].how && !view_holds(t, bodies[i].how, bodies[i].text, *state))
            if (!best) fail_msg("case %zu: no view \"%s\" holds \"%s\"", i, bodies[i].how, bodies[i].text);
        if (message_facts(m)->ambiguous != bodies[i].ambiguous) fail_msg("case %zu: ambiguous is wrong", i);
        for (size_t v = 0; v < t->view_count; v++)
            for (size_t w = 0; w < v; w++) assert_false(str_eq(t->views[v], t->views[w]));
    }
}

/* Ordinary mail is read once. */
static void one_view(void **state)
{
    static const char *const messages[] = {
        TOP "\r\nwords + numbers = more\r\n",
        TOP "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
            "quoted-printable\r\n\r\n=C3=A9=\r\nx\r\n",
        TOP "Content-Transfer-Encoding: base64\r\n\r\n" SECRET "\r\n",
        TOP "Content-Type: text/html\r\n\r\n<html><!-- c --><body class=x><p style=\"color:red\">a &amp; "
            "b</p></body></html>",
        TOP "Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\nThis is a multi-part message in MIME "
            "format.\r\n--b\r\n\r\nx\r\n--b--\r\n",
        TOP "Subject: =?utf-8?q?caf=C3=A9?= and\r\n =?iso-8859-1?b?6Q==?=\r\n\r\nx\r\n",
    };
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        struct message *m = message_open(*state, str_of(messages[i]), NULL);
        assert_int_equal(message_body(m)->text.view_count, 1);
        assert_int_equal(message_subject(m, NULL)->view_count, 1);
        assert_int_equal(message_attachments(m)->lists, 1);
        const struct message_facts *f = message_facts(m);
        assert_false(f->ambiguous || f->malformed || f->unscannable || f->truncated);
    }
}

static void subject_views(void **state)
{
    static const struct {
        const char *raw, *text, *how;
    } rows[] = {
        {"x=?utf-8?q?top?=", "x=?utf-8?q?top?=", "by the letter"},
        {"=?utf-8?q?t o p?=", "top", "blanks in encoded-words are dropped"},
        {"=?utf-8?b?dG9wI?= =?utf-8?b?HNlY3JldA?=", "top secret", "from one encoded-word to the next"},
        {"top\r\njunk\r\n secret", "top secret", "lines that are no field are skipped"},
        {"=?utf-8?q?to=00p?=", "top", "without control characters"},
        {"=?utf-8?q?=74op", "top", "an encoded-word may lack its end"},
        {"=?utf-8?q?to=\t70?=", "top", "blanks in encoded-words are dropped"},
        {"=?utf-8?q?to=\xa0\x37\x30?=", "top", "blanks in encoded-words are dropped"},
        {"=?utf-8?b?dG9wI?= =?utf8?b?HNlY3JldA?=", "top secret", "from one encoded-word to the next"},
        {"=?x=??q?=74op?=", "=?x=??q?=74op?=", "by the letter"},
        {"=?gb180\"30?b?o/Q=?=", "\uff54", "the name of a charset without"},
        {"=?utf-8?b?772Q7w==?= =?us-ascii?b?vYw=?=", "\uff50\uff4c", "joined whatever their charsets"},
        {"=?utf-8?b?772Q7w==?= =?x-never?b?vYw=?=", "\uff50\uff4c", "joined whatever their charsets"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct str content = arena_printf(*state, "Subject: %s\r\nTo: a@b.example\r\n\r\nx", rows[i].raw);
        if (!view_holds(message_subject(message_open(*state, content, NULL), NULL), rows[i].how, rows[i].text, *state))
            fail_msg("%s: no view \"%s\"", rows[i].raw, rows[i].how);
    }
    /* A charset's name may hold anything, or nothing that could be one. */
    static const char *const words[] = {"=?utf-8\x1b(B?q?top?=", "=?\xff\x01\"?q?top?=", "=?_?q?top?="};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        struct message *m = message_open(*state, arena_printf(*state, "Subject: %s\r\n\r\nx", words[i]), NULL);
        assert_true(str_eq(message_text_best(message_subject(m, NULL)), STR("top")));
    }
}

/* What only some take for a field stands behind those that all do. */
static void doubtful_fields(void **state)
{
    static const char *const fields[] = {"Subject\r\n : top",     "Subject\r\n \r\n\t\r\n : top", "\xa0Subject: top",
                                         "\xa0\r\n Subject: top", "\xa0 \r\n \xa0 Subject: top",  "Subject\xa0: top",
                                         "Subject \x0b : top",   "X-A: b\rSubject: top"};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        struct str content = arena_printf(*state, "From: a@b.example\r\n%s\r\n\r\nx", fields[i]);
        struct message *m = message_open(*state, content, NULL);
        const struct message_values *v = message_header(m, STR("Subject"));
        if (v->n != 1 || v->doubtful != 1 || v->v[0].field) fail_msg("%s: %zu fields", fields[i], v->n);
        assert_true(str_eq(message_text_best(&v->v[0].text), STR("top")));
    }
}

/* To some a CR alone ends a line, of the header and of a multipart; in the header it is against the rules (RFC 5322
 * section 2.2), and in a text of honest mail it makes no difference. */
static void bare_cr(void **state)
{
    struct message *m = message_open(*state, STR(TOP "X-A: b\rContent-Type: text/html\r\n\r\n<p>x"), NULL);
    assert_true(message_header_section(m)->malformed && message_facts(m)->malformed);
    assert_true(view_holds(&message_body(m)->text, "a CR alone ends one", "x", *state));
    m = message_open(*state,
                     STR(TOP "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\rContent-Disposition: attachment; "
                             "filename=c\r\rx\r--b--\r"),
                     NULL);
    assert_int_equal(message_attachments(m)->n, 1);
    assert_true(message_facts(m)->ambiguous);
    m = message_open(*state, STR(TOP "\r\none\rtwo\r\n"), NULL);
    assert_int_equal(message_body(m)->text.view_count, 1);
    assert_false(message_facts(m)->malformed || message_facts(m)->ambiguous);
}

/* --- attachments ------------------------------------------------------------------------------------------------- */

static bool name_is_among(const struct message_text *t, const char *name)
{
    for (size_t i = 0; i < t->view_count; i++)
        if (str_eq(t->views[i], str_of(name))) return true;
    return false;
}

static void name_views(void **state)
{
    static const struct {
        const char *params, *name, *how;
    } rows[] = {
        {"filename=a\\b\"c.exe\"x", "abc.exe", "quotes and backslashes are taken out"},
        {"filename*=utf-8''a\"b.exe", "ab.exe", "quotes and backslashes are taken out"},
        {"filename*0=a; filename*2=b", "ab", "all sections of a parameter are joined"},
        {"filename*0=a; filename*=b", "ab", "all sections of a parameter are joined"},
        {"filename*0-=a; filename*1=b", "ab", "all sections of a parameter are joined"},
        {"filename*0=a; filename* 1=b", "ab", "blanks in the name of a parameter are dropped"},
        {"filename*=\"=?utf-8?q?a=62?=\"", "ab", "undone where none belongs"},
        {"(x; filename=ab", "ab", "a quote or comment that never ends is none"},
        {"filename*0=a\"; filename*1=b", "ab", "an unquoted parameter ends at"},
        {"filename=utf-8''a%62", "ab", "undone where none belongs"},
        {"filename=ut8''a%62", "ab", "undone where none belongs"},
        {"filename*;1=a; filename*2=b", "ab", "blanks in the name of a parameter are dropped"},
        {"( (x) filename=ab", "ab", "a quote or comment that never ends is none"},
        {"filename*=\"=?utf-8?b?YW''I=?=\"", "ab", "undone where none belongs"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct str content = arena_printf(*state, TOP "Content-Disposition: attachment; %s\r\n\r\nx", rows[i].params);
        const struct message_attachments *all = message_attachments(message_open(*state, content, NULL));
        bool found = false;
        for (size_t k = 0; k < all->n; k++) {
            char how[MANNERS_TEXT_MAX];
            message_manners_print(all->list_manners[all->v[k].list], how, sizeof how);
            found |= name_is_among(&all->v[k].name, rows[i].name) &&
                     (strstr(how, rows[i].how) || view_holds(&all->v[k].name, rows[i].how, rows[i].name, *state));
        }
        if (!found) fail_msg("%s: no name %s, for who says: %s", rows[i].params, rows[i].name, rows[i].how);
    }
}

static void attachments(void **state)
{
    static const char content[] =
        TOP "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nwords\r\n"
            "--b\r\nContent-Type: application/octet-stream; name=\"a.txt\"\r\nContent-Transfer-Encoding: base64\r\n"
            "Content-Disposition: attachment; filename=\"a.Exe. \"\r\n\r\nIyEvYmluL3NoCmxzCg==\r\n"
            "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\nContent-Type: "
            "image/png\r\n\r\nGIF89a....\r\n--b--\r\n";
    struct message *m = message_open(*state, (struct str){content, sizeof content - 1}, NULL);
    const struct message_attachments *all = message_attachments(m);
    assert_int_equal(all->lists, 1);
    assert_int_equal(all->n, 3);
    const struct message_attachment *exe = &all->v[0];
    assert_true(name_is_among(&exe->name, "a.Exe. ") || name_is_among(&exe->name, "a.Exe."));
    assert_true(name_is_among(&exe->name, "a.txt"));
    assert_true(name_is_among(&exe->extension, "exe") && name_is_among(&exe->extension, "txt"));
    assert_int_equal(message_attachment_size(exe), 13);
    struct message_text type = message_attachment_true_type(m, exe);
    assert_true(filetype_is_executable(message_text_best(&type)));
    assert_int_equal(exe->depth, 0);
    assert_int_equal(all->v[2].depth, 1);
    type = message_attachment_true_type(m, &all->v[2]);
    assert_true(str_eq(message_text_best(&type), STR("image/gif")));
    assert_int_equal(message_facts(m)->attachments, 3);
    assert_int_equal(message_facts(m)->depth, 2);
}

/* To some readers what is uuencoded in the text is text, to others files. */
static void files_in_the_text(void **state)
{
    static const struct {
        const char *content;
        size_t n[2];
        const char *names[2]; /* of the second reading's last two */
    } rows[] = {
        {"Subject: x\r\n\r\nsee\r\nbegin 644 evil.Exe\r\n#=&]P\r\n`\r\nend\r\nbye\r\n", {0, 1}, {"evil.Exe"}},
        {"Subject: x\r\n\r\nbegin 644 a.txt\r\n#=&]P\r\n`\r\nend\r\n\r\nbegin 0755 \"b c.scr\"\r\n#=&]P\r\n",
         {0, 2},
         {"b c.scr", "a.txt"}},
        {TOP "Content-Transfer-Encoding: base64\r\n\r\nYmVnaW4gNjQ0IGEuZXhlCiM9Jl1QCmAKZW5kCg==\r\n",
         {0, 1},
         {"a.exe"}},
        {TOP "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nbegin 644 a.exe\r\n#=&]P\r\nend\r\n"
             "--b\r\nContent-Type: image/png; name=\"i.png\"\r\n\r\nx\r\n--b--\r\n",
         {1, 2},
         {"a.exe", "i.png"}},
        {"Subject: x\r\n\r\nWe begin 644 times.\r\nbegin 64 x\r\nbegin 644\r\n", {0, 0}, {NULL}},
        {TOP "Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 a.exe\r\n#=&]P\r\n`\r\nend\r\n", {1, 0}, {NULL}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct message *m = message_open(*state, str_of(rows[i].content), NULL);
        const struct message_attachments *all = message_attachments(m);
        size_t n[2] = {0, 0};
        for (size_t k = 0; k < all->n; k++) n[all->v[k].list]++;
        if (n[0] != rows[i].n[0] || n[1] != rows[i].n[1]) fail_msg("row %zu: %zu and %zu files", i, n[0], n[1]);
        for (size_t k = 0; k < 2 && rows[i].names[k]; k++)
            assert_true(name_is_among(&all->v[all->n - 1 - k].name, rows[i].names[k]));
        if (n[1] == 0) continue;
        const struct message_attachment *last = &all->v[all->n - 1];
        assert_int_equal(message_attachment_size(last), 3);
        assert_true(message_manners_are_ambiguous(all->list_manners[1]) == false);
        assert_false(message_facts(m)->ambiguous);
    }
    /* every file's text is body text to a reader who undoes them */
    struct message *m = message_open(*state, str_of(rows[1].content), NULL);
    const struct message_text *body = &message_body(m)->text;
    assert_int_equal(body->view_count, 2);
    assert_true(str_ends(body->views[1], STR("top\ntop")));
}

static void facts(void **state)
{
    static const struct {
        const char *message;
        bool ambiguous, malformed, unscannable, truncated, is_signed, is_encrypted;
    } rows[] = {
        {.message = TOP "\r\nx"},
        {.message = TOP "Subject: a\r\nSubject: b\r\n\r\nx", .ambiguous = true},
        {.message = TOP "Subject: a\r\nSubject: a\r\n\r\nx"},
        {.message = TOP "junk\r\n\r\nx", .ambiguous = true, .malformed = true},
        {.message = TOP "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx", .malformed = true},
        {.message = TOP "Content-Type: text/plain; charset=x-never\r\n\r\nx\xff", .unscannable = true},
        {.message = TOP "Content-Transfer-Encoding: x-never\r\n\r\nx", .unscannable = true},
        {.message = TOP "Content-Type: multipart/signed; boundary=b; "
                        "protocol=\"application/pgp-signature\"\r\n\r\n--b\r\n\r\nx\r\n--b\r\n"
                        "Content-Type: application/pgp-signature\r\n\r\ny\r\n--b--\r\n",
         .is_signed = true},
        {.message = TOP "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\nx",
         .unscannable = true,
         .is_encrypted = true},
        {.message = TOP "Content-Type: application/pkcs7-mime; smime-type=signed-data\r\n\r\nx",
         .unscannable = true,
         .is_signed = true},
        {.message = TOP "\r\n-----BEGIN PGP MESSAGE-----\r\n\r\nx\r\n", .unscannable = true, .is_encrypted = true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct message_facts *f = message_facts(message_open(*state, str_of(rows[i].message), NULL));
        if (f->ambiguous != rows[i].ambiguous || f->malformed != rows[i].malformed ||
            f->unscannable != rows[i].unscannable || f->truncated != rows[i].truncated ||
            f->is_signed != rows[i].is_signed || f->is_encrypted != rows[i].is_encrypted)
            fail_msg("case %zu: %d %d %d %d %d %d", i, f->ambiguous, f->malformed, f->unscannable, f->truncated,
                     f->is_signed, f->is_encrypted);
    }
}

/* Past a limit nothing is passed over in silence. */
static void limits_are_told(void **state)
{
    struct buf b = {0};
    buf_add(&b, STR(TOP "Content-Type: multipart/mixed; boundary=b0\r\n\r\n"));
    for (int i = 0; i < 40; i++)
        buf_printf(&b, "--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n", i, i + 1);
    struct message *m = message_open(*state, buf_str(&b), NULL);
    assert_true(message_facts(m)->truncated);
    assert_true(message_body(m)->text.unreadable & UNREADABLE_LIMIT);
    b.n = 0;
    /* More tricks than views are made of. */
    buf_add(&b, STR(TOP "Content-Type: multipart/mixed; boundary=b\r\n\r\n"));
    static const char *const parts[] = {
        "Content-Transfer-Encoding: base64\r\n\r\neA==" SECRET,
        "Content-Transfer-Encoding: x-base64\r\n\r\n" SECRET,
        "Content-Type: text/html\r\n\r\n<i hidden>x</i>y",
        "Content-Type: text/html\r\n\r\n<img alt=z>",
        "Content-Type: text/plain; charset=iso-8859-1\r\n\r\n\xc3\xa9",
        "\r\n+AHQ-",
        "Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64\r\n\r\n" SECRET,
        "Content-Disposition: x\r\n\r\nq"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) buf_printf(&b, "--b\r\n%s\r\n", parts[i]);
    buf_add(&b, STR("--b--\r\n"));
    m = message_open(*state, buf_str(&b), NULL);
    assert_true(message_body(m)->text.view_count > 8);
    assert_true(message_facts(m)->truncated);
    buf_free(&b);
}

/* A file of 24 MiB beside ordinary HTML, which is read in four ways: what nobody reads as text costs them nothing. */
static void attached_files_cost_no_readings(void **state)
{
    struct buf b = {0};
    buf_add(&b, STR(TOP "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n"
                        "<i hidden>preview</i><img alt=logo>words\r\n--b\r\nContent-Type: application/octet-stream\r\n"
                        "Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=a\r\n\r\n"));
    while (b.n < (size_t)24 * 1024 * 1024)
        buf_add(&b, STR("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3\r\n"));
    buf_add(&b, STR("--b--\r\n"));
    struct message *m = message_open(*state, buf_str(&b), NULL);
    assert_int_equal(message_body(m)->text.view_count, 4);
    assert_false(message_facts(m)->truncated);
    buf_free(&b);
}

/* What every reading of the structure asks again has one limit for all: texts of parameters, types of attachments. */
static void shared_limits_are_told(void **state)
{
    enum { PARTS = 900 };
    struct buf b = {0};
    /* 16 ways to read each of many names of 1 KiB. */
    buf_add(&b, STR(TOP "Content-Type: multipart/mixed; boundary=b\r\n\r\n"));
    for (int i = 0; i < PARTS; i++) {
        buf_printf(&b, "--b\r\nContent-Disposition: attachment; filename=\"%d", i);
        for (int k = 0; k < 64; k++) buf_add(&b, STR("=?utf-8?b?eA== e_?="));
        buf_add(&b, STR("\"\r\nContent-Transfer-Encoding: base64\r\n\r\n"));
        buf_printf(&b, "QUJD-%04d=QUJD\r\n", i);
    }
    struct message *m = message_open(*state, buf_str(&b), NULL);
    const struct message_attachments *all = message_attachments(m);
    assert_true(all->n >= PARTS);
    assert_false(all->v[0].name.unreadable & UNREADABLE_LIMIT);
    assert_true(all->v[PARTS - 1].name.unreadable & UNREADABLE_LIMIT);
    assert_true(all->v[PARTS - 1].name.view_count == 1);
    struct message_text first = message_attachment_true_type(m, &all->v[0]), last = {0};
    for (size_t i = 0; i < all->n; i++) last = message_attachment_true_type(m, &all->v[i]);
    assert_false(first.unreadable & UNREADABLE_LIMIT);
    assert_true(last.unreadable & UNREADABLE_LIMIT);
    buf_free(&b);
}

/* What stands behind the room of a field of parameters is not passed over: of either field, the body is unreadable. */
static void long_fields_are_told(void **state)
{
    static const char *const names[] = {"Content-Type: ", "Content-Transfer-Encoding: ", "Content-Disposition: "};
    static const char *const values[] = {"text/plain; charset=utf-8", "base64", "inline; filename=a"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct buf b = {0};
        buf_printf(&b, TOP "%s(", names[i]);
        for (int k = 0; k < 33 * 1024; k++) buf_add_byte(&b, 'c');
        buf_printf(&b, ") %s\r\n\r\nc2VjcmV0\r\n", values[i]);
        struct message *m = message_open(*state, buf_str(&b), NULL);
        assert_true(message_body(m)->text.unreadable & UNREADABLE_LIMIT);
        buf_free(&b);
    }
}

/* A multipart that is closed and goes on has any number of epilogues: all are seen, also behind a NUL, and what they
 * take grows as they do. */
static void epilogues_without_end(void **state)
{
    enum { EPILOGUES = 30000 };
    struct buf b = {0};
    buf_add(&b, STR(TOP "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nx\r\n--a--\r\nfirst\0too"));
    for (int i = 0; i < EPILOGUES; i++) buf_add(&b, STR("\r\n--a--\r\nx"));
    buf_add(&b, STR("\r\n--a--\r\nbehind\r\n"));
    struct message *m = message_open(*state, buf_str(&b), NULL);
    const struct mime_tree *tree = message_mime(m);
    assert_true(arena_used(*state) < 64 * b.n);
    assert_true(tree->part_count > 0);
    const struct message_text *t = &message_body(m)->text;
    assert_true(view_holds(t, "epilogue", "too\nx\nx", *state));
    assert_true(view_holds(t, "epilogue", "x\nx\nbehind", *state));
    assert_true(arena_used(*state) < (size_t)1024 * b.n);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(body_views, begin, end),
        cmocka_unit_test_setup_teardown(one_view, begin, end),
        cmocka_unit_test_setup_teardown(subject_views, begin, end),
        cmocka_unit_test_setup_teardown(doubtful_fields, begin, end),
        cmocka_unit_test_setup_teardown(bare_cr, begin, end),
        cmocka_unit_test_setup_teardown(name_views, begin, end),
        cmocka_unit_test_setup_teardown(attachments, begin, end),
        cmocka_unit_test_setup_teardown(files_in_the_text, begin, end),
        cmocka_unit_test_setup_teardown(facts, begin, end),
        cmocka_unit_test_setup_teardown(limits_are_told, begin, end),
        cmocka_unit_test_setup_teardown(long_fields_are_told, begin, end),
        cmocka_unit_test_setup_teardown(attached_files_cost_no_readings, begin, end),
        cmocka_unit_test_setup_teardown(shared_limits_are_told, begin, end),
        cmocka_unit_test_setup_teardown(epilogues_without_end, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
