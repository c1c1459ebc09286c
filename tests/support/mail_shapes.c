#include "tests/support/mail_shapes.h"

#include <string.h>

#include "tests/support/dice.h"

const struct mail_shape mail_shapes[] = {
    {"lines", "A: b\r\n\r\n", "some words\r\n", ""},
    {"bare CR", "A: b\r\n\r\n", "\r", ""},
    {"fields", "", "A: b\r\n", "\r\n"},
    {"fields of one name", "", "To: b\r\n", "\r\n"},
    {"folds", "To: x", "\r\n ", "\r\n\r\n"},
    {"junk in the header", "A: b\r\n", "junk\r\n", "\r\n"},
    {"junk without an end", "A: b\r\n", "junk\r\n", ""},
    {"encoded-words", "Subject:", " =?utf-8?q?=C3=A9?=", "\r\n\r\n"},
    {"encoded-words that never end", "Subject:", "=?utf-8?q?", "\r\n\r\n"},
    {"encoded-words of other charsets", "Subject:", " =?koi8-r?q?=E9?= =?big5?q?=A4@?=", "\r\n\r\n"},
    {"addresses", "To: a@b.example", ", a@b.example", "\r\n\r\n"},
    {"comments", "To: ", "(", "\r\n\r\n"},
    {"quotes", "To: ", "\"", "\r\n\r\n"},
    {"groups", "To: ", "a:", "\r\n\r\n"},
    {"parameters", "Content-Type: text/plain", "; a*1=b", "\r\n\r\n"},
    {"parameter of semicolons", "Content-Type: text/plain", ";", "\r\n\r\n"},
    {"parts", "Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--b\r\n\r\nx\r\n", "--b--"},
    {"parts without a body", "Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--b\r\n", "--b--"},
    {"nested parts of one boundary", "Content-Type: multipart/mixed; boundary=b\r\n\r\n",
     "--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n", ""},
    {"nested messages", "", "Content-Type: message/rfc822\r\n\r\n", ""},
    {"lines that might be delimiters", "Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--\n", ""},
    {"boundaries that nearly match", "Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--bb\n", ""},
    {"base64", "Content-Transfer-Encoding: base64\r\n\r\n", "QUJD", ""},
    {"base64 of junk", "Content-Transfer-Encoding: base64\r\n\r\n", "=*", ""},
    {"quoted-printable", "Content-Transfer-Encoding: quoted-printable\r\n\r\n", "=C3=", ""},
    {"soft line breaks", "Content-Transfer-Encoding: quoted-printable\r\n\r\n", "=\r\n", ""},
    {"trailing blanks", "Content-Transfer-Encoding: quoted-printable\r\n\r\n", " ", ""},
    {"uuencode", "Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 a\r\n", "M\r\n", ""},
    {"invalid UTF-8", "Content-Type: text/plain; charset=utf-8\r\n\r\n", "\xff", ""},
    {"invalid in iconv", "Content-Type: text/plain; charset=shift_jis\r\n\r\n", "\xff", ""},
    {"escapes", "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n", "\x1b$B\x1b(B", ""},
    {"UTF-7", "Content-Type: text/plain; charset=utf-7\r\n\r\n", "+AGE-", ""},
    {"tags", "Content-Type: text/html\r\n\r\n", "<b>", ""},
    {"open tags", "Content-Type: text/html\r\n\r\n", "<b ", ""},
    {"open quotes", "Content-Type: text/html\r\n\r\n", "<a b=\"", ""},
    {"open comments", "Content-Type: text/html\r\n\r\n", "<!--", ""},
    {"dashes", "Content-Type: text/html\r\n\r\n<!--", "-", ""},
    {"scripts", "Content-Type: text/html\r\n\r\n", "<script>", ""},
    {"script ends", "Content-Type: text/html\r\n\r\n<script>", "</script", ""},
    {"references", "Content-Type: text/html\r\n\r\n", "&", ""},
    {"long references", "Content-Type: text/html\r\n\r\n&#", "1", ""},
    {"white space", "Content-Type: text/html\r\n\r\n", " \n", ""},
    {"preformatted", "Content-Type: text/html\r\n\r\n", "<pre> ", ""},
    {"equal fields", "", "Subject: a\r\nSubject: b\r\n", "\r\n"},
    {"types", "", "Content-Type: text/html\r\nContent-Type: text/plain\r\n", "\r\n"},
    {"hidden", "Content-Type: text/html\r\n\r\n", "<i hidden>x", ""},
    {"style sheets", "Content-Type: text/html\r\n\r\n<style>", ".a{display:none}", "</style><p class=b>x"},
    {"classes", "Content-Type: text/html\r\n\r\n<style>.a{display:none}</style><p class='", "b ", "'>x"},
    {"alternative texts", "Content-Type: text/html\r\n\r\n", "<img alt='&'>", ""},
    {"odd comments", "Content-Type: text/html\r\n\r\n", "<!---!", ""},
    {"quoted greater", "Content-Type: text/html\r\n\r\n", "<a b='>", ""},
    {"conditional", "Content-Type: text/html\r\n\r\n", "<!--[if a]>x", ""},
    {"likely UTF-7", "A: b\r\n\r\n", "+AHQ", ""},
    {"likely UTF-16", "Content-Transfer-Encoding: base64\r\n\r\n", "AGEAYgBj", ""},
    {"controls", "Content-Transfer-Encoding: base64\r\n\r\n", "YQhhCGEI", ""},
    {"begin", "A: b\r\n\r\n", "\r\nbegin 644 a", ""},
    {"padding", "Content-Transfer-Encoding: base64\r\n\r\n", "eA==", ""},
    {"soft blanks", "Content-Transfer-Encoding: quoted-printable\r\n\r\n", "= \r\n", ""},
    {"too long", "Content-Type: text/plain; charset=utf-8\r\n\r\n", "\xc1\xa1", ""},
    {"preamble", "Content-Type: multipart/mixed; boundary=b\r\n\r\n", "words\r\n", "--b\r\n\r\nx\r\n--b--"},
    {"epilogues", "Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--b\r\n\r\n--b--\r\nx\r\n", ""},
    {"delimiters in a row", "Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--b\r\n--b--\r\n", ""},
    {"words to join", "Subject:", " =?utf-8?b?e?=", "\r\n\r\n"},
    {"names", "Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--b\r\nContent-Type: a/b; name=c\r\n\r\n", "--b--"},
    {"junk before a field", "Content-Type: message/rfc822\r\n\r\n", "junk\r\n", "Subject: x\r\n\r\nx"},
    {"names without a colon", "", "Subject\r\n", "\r\n"},
    {"what is cut off a name", "", "\v\n ", "x\r\n"},
    {"parts whose header ends with junk", "Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--b\nA: b\nx\n", ""},
    {"less-than signs", "Content-Type: text/html\r\n\r\n", "<", ""},
    {"comments that end for some", "Content-Type: text/html\r\n\r\n", "<!-- -- >", ""},
    {"encoded-words that end together", "Subject: ", "=?a?q?x", "?=\r\n\r\n"},
    {"characters that stand for many", "Content-Type: text/plain; charset=utf-8\r\n\r\n", "\xef\xb7\xba", ""},
    {"parameters of encoded-words", "Content-Type: ", "=?utf-8?b?=\n\xa0\n <a@b>} b=\"<!--", "\r\n\r\n"},
    {"encoded-words in a part's type",
     "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
     "Content-Type: multipart/mixed; boundary=bb\n",
     "=?iso-2022-jp?b?", ""},
};
const size_t mail_shape_count = sizeof mail_shapes / sizeof mail_shapes[0];

/* --- random ones -------------------------------------------------------------------------------------------------- */

static const char *const heads[] = {
    "",
    "A: b\r\n\r\n",
    "Subject:",
    "To:",
    "From: a@b\r\nTo:",
    "Content-Type:",
    "Content-Type: text/plain;",
    "Content-Disposition: attachment;",
    "Content-Transfer-Encoding:",
    "Content-Type: text/plain\r\n\r\n",
    "Content-Type: text/html\r\n\r\n",
    "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n",
    "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n",
    "Content-Type: text/html; charset=shift_jis\r\nContent-Transfer-Encoding: base64\r\n\r\n",
    "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n",
    "Content-Type: text/plain; charset=utf-7\r\n\r\n",
    "Content-Type: text/html; charset=gb2312\r\n\r\n",
    "Content-Type: text/html; charset=utf-16\r\n\r\n",
    "Content-Type: text/plain; charset=big5\r\n\r\n",
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n",
    "Content-Type: multipart/alternative; boundary=\"b\r\n\r\n",
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type:",
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n",
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Disposition: attachment; filename*=",
    "Content-Type: message/rfc822\r\n\r\n",
    "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n",
    "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n",
    "Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 a\r\n"};

static const char *const tokens[] = {
    "\r\n", "\n", "\r", " ", "\t", "\r\n ", "x", "abc", "words", "(", ")", "\\", ",", ":", ";", "=", "%", "*", "@", "&",
    "'", "\"", "<", ">", "\v", "\f", "\x01", "\x0e", "\x1b", "\xa0", "\xff",
    /* delimiters, fields, parameters */
    "--b", "--b--", "--b\r\n", "\r\n--b\r\n", "A: b\r\n", "Subject: x\r\n", "To: a@b\r\n", "junk\r\n", "From x\r\n",
    "Content-Type: text/plain", "Content-Type: text/html\r\n", "Content-Type: message/rfc822\r\n",
    "Content-Type: multipart/mixed; boundary=b\r\n", "Content-Type: multipart/mixed; boundary=bb\r\n",
    "Content-Transfer-Encoding: base64\r\n", "Content-Transfer-Encoding: quoted-printable\r\n",
    "Content-Disposition: inline", "Content-Disposition: attachment; filename=\"a.exe\"", "; a=b", "; a*0=b",
    "; a*1*=utf-8''%c3", "; name=", "; charset=utf-16", "; boundary=", "a@b", "<a@b>", "a:",
    /* encodings and charsets */
    "=?utf-8?q?=C3=A9?=", "=?utf-8?b?w6k=?=", "=?x?q?", "=?iso-2022-jp?b?GyRC", "?=", "=C3", "=\r\n", "= \r\n", "QUJD",
    "eA==", "AAAA", "AGEAYgBj", "+AHQ", "+AGE-", "\x1b$B", "\x1b(B", "\xc3\xa9", "\xc1\xa1", "\xa4@", "\xcc\x81",
    "\xe2\x80\x8b", "\xef\xbf\xbd", "begin 644 a\r\n", "M\r\n", "M123\r\n", "end\r\n",
    "-----BEGIN PGP MESSAGE-----\r\n",
    /* HTML */
    "<b>", "<b ", "</b>", "<!--", "-->", "--", "<![", "[if", "<script>", "</script>", "<style>.a{display:none}</style>",
    "<p class=a>", "<i hidden>", "<img alt='x'>", "<pre>", "<table>", "<td>", "<br>", "<a b=\"", "&amp;", "&lt",
    "&#65;", "&#x"};

enum { HEADS = sizeof heads / sizeof *heads, TOKENS = sizeof tokens / sizeof *tokens, UNIT_TOKENS_MAX = 5 };

struct mail_shape mail_shape_random(struct arena *a, uint64_t seed)
{
    struct dice d = {seed};
    struct buf unit = {0};
    const char *head = heads[dice_roll(&d, HEADS)], *more = dice_roll(&d, 3) ? "" : tokens[dice_roll(&d, TOKENS)];
    for (uint64_t n = 1 + dice_roll(&d, UNIT_TOKENS_MAX); n > 0; n--)
        buf_add(&unit, str_of(tokens[dice_roll(&d, TOKENS)]));
    struct mail_shape s = {.name = arena_printf(a, "random shape %llu", (unsigned long long)seed).p,
                           .head = arena_printf(a, "%s%s", head, more).p,
                           .unit = arena_str(a, buf_str(&unit)).p,
                           .tail = dice_roll(&d, 2) ? "" : "\r\n\r\nx"};
    buf_free(&unit);
    return s;
}

struct buf mail_shape_make(const struct mail_shape *s, size_t size)
{
    size_t unit = strlen(s->unit);
    struct buf b = {0};
    buf_reserve(&b, size + 4096);
    buf_add(&b, str_of(s->head));
    for (size_t n = 0; n < size; n += unit) buf_add(&b, str_of(s->unit));
    buf_add(&b, str_of(s->tail));
    return b;
}
