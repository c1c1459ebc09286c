#include "tests/support/mail_shapes.h"

#include <string.h>

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
    {"parameters of encoded-words", "Content-Type: ", "=?utf-8?b?=\n\xa0\n <a@b>} b=\"<!--", "\r\n\r\n"},
    {"encoded-words in a part's type",
     "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
     "Content-Type: multipart/mixed; boundary=bb\n",
     "=?iso-2022-jp?b?", ""},
};
const size_t mail_shape_count = sizeof mail_shapes / sizeof mail_shapes[0];

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
