/* smtp/server: scripts, segmentation, smuggling, limits.  Random dialogues: smtp_walk_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/smtp_drive.h"

/* The codes of the replies, one for each reply, "-" lines left out: "220 250 354". */
static void codes_of(struct str replies, struct buf *out)
{
    struct str line, rest = replies;
    while (rest.n && str_cut(rest, '\n', &line, &rest)) {
        assert_true(line.n >= 5 && line.p[line.n - 1] == '\r' && line.n <= 511);
        if (line.p[3] == '-') continue;
        if (out->n) buf_add_byte(out, ' ');
        buf_add(out, str_slice(line, 0, 3));
    }
}

static const struct script {
    const char *name, *input, *codes, *events;
} scripts[] = {
    {"a whole session",
     "EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nSubject: "
     "x\r\n\r\nhi\r\n.\r\nQUIT\r\n",
     "220 250 250 250 354 250 221",
     "EHLO c.example\nMAIL <a@b.example>\nRCPT <c@d.example>\nDATA\nMESSAGE Subject: x\r\n\r\nhi\r\n\nCLOSE\n"},
    {"HELO, null reverse-path, postmaster, blanks, any case",
     "helo c\r\nmail from: <>\r\nrcpt to:<PostMaster>\r\ndata \r\n.\r\nquit\r\n", "220 250 250 250 354 250 221",
     "HELO c\nMAIL <>\nRCPT <PostMaster>\nDATA\nMESSAGE \nCLOSE\n"},
    {"two messages in one session",
     "EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n1\r\n.\r\nMAIL FROM:<a@b.example>\r\n"
     "RCPT TO:<c@d.example>\r\nDATA\r\n2\r\n.\r\n",
     "220 250 250 250 354 250 250 250 354 250",
     "EHLO c\nMAIL <a@b.example>\nRCPT <c@d.example>\nDATA\nMESSAGE 1\r\n\nMAIL <a@b.example>\nRCPT "
     "<c@d.example>\nDATA\nMESSAGE 2\r\n\n"},
    {"dots", "EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n..\r\n...x\r\n.y\r\na.b\r\n.\r\n",
     "220 250 250 250 354 250",
     "EHLO c\nMAIL <a@b.example>\nRCPT <c@d.example>\nDATA\nMESSAGE .\r\n..x\r\ny\r\na.b\r\n\n"},
    {"source route", "EHLO c\r\nMAIL FROM:<@x.example,@y.example:a@b.example>\r\n", "220 250 250",
     "EHLO c\nMAIL <a@b.example>\n"},
    {"order", "MAIL FROM:<a@b.example>\r\nRCPT TO:<a@b.example>\r\nDATA\r\nEHLO c\r\nRCPT TO:<a@b.example>\r\nDATA\r\n",
     "220 503 503 503 250 503 503", "EHLO c\n"},
    {"nested MAIL, no recipients", "EHLO c\r\nMAIL FROM:<a@b.example>\r\nMAIL FROM:<a@b.example>\r\nDATA\r\n",
     "220 250 250 503 503", "EHLO c\nMAIL <a@b.example>\n"},
    {"RSET and EHLO end a transaction",
     "EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nRSET\r\nDATA\r\nMAIL FROM:<a@b.example>\r\nEHLO "
     "d\r\nRCPT TO:<c@d.example>\r\n",
     "220 250 250 250 250 503 250 250 503",
     "EHLO c\nMAIL <a@b.example>\nRCPT <c@d.example>\nABORT\nMAIL <a@b.example>\nABORT\nEHLO d\n"},
    {"refusals of the caller",
     "EHLO c\r\nMAIL FROM:<defer@b.example>\r\nRCPT TO:<x@d.example>\r\nMAIL FROM:<a@b.example>\r\nRCPT "
     "TO:<bad@d.example>\r\n"
     "RCPT TO:<later@d.example>\r\nDATA\r\nRCPT TO:<good@d.example>\r\nDATA\r\nx\r\n.\r\n",
     "220 250 451 503 250 550 451 554 250 354 250",
     "EHLO c\nMAIL <defer@b.example>\nMAIL <a@b.example>\nRCPT <bad@d.example>\nRCPT <later@d.example>\nRCPT "
     "<good@d.example>\nDATA\nMESSAGE x\r\n\n"},
    {"421 ends", "EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<close@d.example>\r\nNOOP\r\n", "220 250 250 421",
     "EHLO c\nMAIL <a@b.example>\nRCPT <close@d.example>\nABORT\nCLOSE\n"},
    {"syntax",
     "EHLO\r\nEHLO c\r\nMAIL\r\nMAIL FROM:\r\nMAIL FROM:a@b.example\r\nMAIL FROM:<a@b.example\r\nMAIL "
     "FROM:<a@b@c>\r\nMAIL TO:<a@b.example>\r\n"
     "MAIL FROM:<a@b.example>SIZE=1\r\nRSET x\r\nQUIT x\r\nVRFY\r\nVRFY a\r\nHELP\r\nNOOP x\r\nFOO\r\n\r\nMAIL "
     "FROM:<a>\r\n",
     "220 501 250 501 501 501 501 501 501 501 501 501 501 252 214 250 500 500 501", "EHLO c\n"},
    {"parameters",
     "EHLO c\r\nMAIL FROM:<a@b.example> SIZE=1001\r\nMAIL FROM:<a@b.example> SIZE=x\r\nMAIL FROM:<a@b.example> SIZE\r\n"
     "MAIL FROM:<a@b.example> SIZE=1 SIZE=1\r\nMAIL FROM:<a@b.example> FOO=1\r\nMAIL FROM:<a@b.example> SMTPUTF8\r\n"
     "MAIL FROM:<a@b.example> AUTH=<>\r\nMAIL FROM:<a@b.example> BODY=BINARYMIME\r\nMAIL FROM:<a@b.example> "
     "REQUIRETLS\r\n"
     "MAIL FROM:<a@b.example> RET=FULL\r\nMAIL FROM:<a@b.example>  BODY=8bitmime  size=1000 \r\nRCPT TO:<c@d.example> "
     "NOTIFY=NEVER\r\n"
     "RCPT TO:<c@d.example> SIZE=1\r\n",
     "220 250 552 501 501 501 555 555 555 555 530 555 250 555 555",
     "EHLO c\nREFUSED <a@b.example> 552\nMAIL <a@b.example> size=1000 8bit\n"},
    {"beyond ASCII",
     "EHLO c\r\nMAIL FROM:<\xc3\xa4@b.example>\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<\xc3\xa4@b.example>\r\n",
     "220 250 550 250 553", "EHLO c\nMAIL <a@b.example>\n"},
    {"bare LF in a command", "EHLO c\nMAIL FROM:<a@b.example>\r\n", "220 500", "CLOSE\n"},
    {"bare CR in a command", "EHLO c\rd\r\nMAIL FROM:<a@b.example>\r\n", "220 500", "CLOSE\n"},
    {"BDAT is no way to smuggle commands", "EHLO c\r\nBDAT 25 LAST\r\nMAIL FROM:<a@b.example>\r\nNOOP\r\n",
     "220 250 503 250", "EHLO c\n"},
    {"a chunk of unknown size", "EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nBDAT x\r\nRSET\r\n",
     "220 250 250 250 501", "EHLO c\nMAIL <a@b.example>\nRCPT <c@d.example>\nABORT\nCLOSE\n"},
    {"a chunk of more octets than there are numbers",
     "EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nBDAT 18446744073709551616\r\nRSET\r\n",
     "220 250 250 250 501", "EHLO c\nMAIL <a@b.example>\nRCPT <c@d.example>\nABORT\nCLOSE\n"},
    {"chunks",
     "EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nBDAT 6\r\n..x\r\nabdat 2 last\r\n\r\nMAIL "
     "FROM:<a@b.example>\r\n",
     "220 250 250 250 250 250 250",
     "EHLO c\nMAIL <a@b.example>\nRCPT <c@d.example>\nDATA\nMESSAGE ..x\r\na\r\n\nMAIL <a@b.example>\n"},
    {"CR LF cut by a chunk's end, and an empty last chunk",
     "EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nBDAT 2\r\na\rBDAT 1\r\n\nBDAT 0 LAST\r\n",
     "220 250 250 250 250 250 250", "EHLO c\nMAIL <a@b.example>\nRCPT <c@d.example>\nDATA\nMESSAGE a\r\n\n"},
    {"an end of data inside a chunk is content",
     "EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nBDAT 12 LAST\r\na\r\n.\r\nRSET\r\nb\r\n",
     "220 250 250 250 250 500", "EHLO c\nMAIL <a@b.example>\nRCPT <c@d.example>\nDATA\nMESSAGE a\r\n.\r\nRSET\r\n\n"},
    {"a stray line end in a chunk refuses it, the next ones fail, and DATA is not due",
     "EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nBDAT 4\r\na\nb\nBDAT 2 LAST\r\n\r\nDATA\r\n"
     "MAIL FROM:<a@b.example>\r\n",
     "220 250 250 250 554 503 503 250",
     "EHLO c\nMAIL <a@b.example>\nRCPT <c@d.example>\nDATA\nABORT\nMAIL <a@b.example>\n"},
    {"content that ends in a bare CR",
     "EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nBDAT 2\r\na\rBDAT 0 LAST\r\n",
     "220 250 250 250 250 554", "EHLO c\nMAIL <a@b.example>\nRCPT <c@d.example>\nDATA\nABORT\n"},
    {"neither DATA nor RCPT nor MAIL between chunks, RSET clears",
     "EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nBDAT 1\r\naDATA\r\nRCPT TO:<c@d.example>\r\n"
     "MAIL FROM:<a@b.example>\r\nRSET\r\nBDAT 1 LAST\r\nbNOOP\r\n",
     "220 250 250 250 250 503 503 503 250 503 250", "EHLO c\nMAIL <a@b.example>\nRCPT <c@d.example>\nDATA\nABORT\n"},
    {"chunks without recipients",
     "EHLO c\r\nMAIL FROM:<a@b.example>\r\nBDAT 1\r\nxRCPT TO:<bad@d.example>\r\nMAIL FROM:<a@b.example>\r\n"
     "RCPT TO:<bad@d.example>\r\nBDAT 3 LAST\r\na\r\nNOOP\r\n",
     "220 250 250 503 503 250 550 554 250",
     "EHLO c\nMAIL <a@b.example>\nABORT\nMAIL <a@b.example>\nRCPT <bad@d.example>\nABORT\n"},
    {"a browser", "POST / HTTP/1.1\r\nHost: x\r\n\r\nEHLO c\r\n", "220 502", "CLOSE\n"},
    {"not offered", "EHLO c\r\nSTARTTLS\r\nAUTH PLAIN\r\nEXPN x\r\nXCLIENT ADDR=192.0.2.1\r\n",
     "220 250 502 502 502 550", "EHLO c\n"},
};

/* Where all that can be turned on is. */
static const struct smtp_server_options full = {.hostname = {"mx.example", 10},
                                                .message_size = 1000,
                                                .dsn = true,
                                                .smtputf8 = true,
                                                .binarymime = true,
                                                .xclient = true};

static const struct script full_scripts[] = {
    {"binary content is for BDAT, and only where it is offered",
     "EHLO c\r\nMAIL FROM:<a@b.example> BODY=BINARYMIME\r\nRCPT TO:<c@d.example>\r\nDATA\r\nBDAT 4 LAST\r\na\nb\r",
     "220 250 250 250 503 250", "EHLO c\nMAIL <a@b.example> binary\nRCPT <c@d.example>\nDATA\nMESSAGE a\nb\r\n"},
    {"XCLIENT begins anew",
     "EHLO c\r\nMAIL FROM:<a@b.example>\r\nXCLIENT ADDR=192.0.2.1\r\nRSET\r\nXCLIENT ADDR=192.0.2.1 HELO=a+2Bb "
     "NAME=x\r\n"
     "MAIL FROM:<a@b.example>\r\nXCLIENT addr=IPv6:2001:db8::1 login=[UNAVAILABLE] port=25\r\nEHLO d\r\n",
     "220 250 250 503 250 220 503 220 250",
     "EHLO c\nMAIL <a@b.example>\nABORT\nXCLIENT 192.0.2.1 helo=a+b login=\nXCLIENT 2001:db8::1 helo= login=\nEHLO "
     "d\n"},
    {"XCLIENT that makes no sense",
     "EHLO c\r\nXCLIENT\r\nXCLIENT ADDR\r\nXCLIENT FOO=1\r\nXCLIENT HELO=a+0Ab\r\nXCLIENT HELO=a+20b\r\n",
     "220 250 501 501 501 501 501", "EHLO c\n"},
    {"SMTPUTF8",
     "EHLO c\r\nMAIL FROM:<\xc3\xa4@b.example>\r\nMAIL FROM:<a@b.example> SMTPUTF8=1\r\nMAIL FROM:<\xc3\xa4@b.example> "
     "SMTPUTF8\r\nRCPT TO:<\xc3\xb6@b.example>\r\nVRFY \xc3\xa4 SMTPUTF8\r\nRSET\r\nMAIL FROM:<a@b.example>\r\nRCPT "
     "TO:<\xc3\xb6@b.example>\r\n",
     "220 250 550 501 250 250 252 250 250 553",
     "EHLO c\nMAIL <\xc3\xa4@b.example> utf8\nRCPT <\xc3\xb6@b.example>\nABORT\nMAIL <a@b.example>\n"},
    {"ORCPT of the type utf-8",
     "EHLO c\r\nMAIL FROM:<a@b.example> SMTPUTF8 RET=\xc3\xa4\r\nMAIL FROM:<a@b.example> SMTPUTF8 ENVID=\xc3\xa4\r\n"
     "MAIL FROM:<a@b.example> SMTPUTF8\r\nRCPT TO:<c@d.example> ORCPT=utf-8;\xc3\xb6@d.example\r\nRCPT "
     "TO:<c@d.example> "
     "ORCPT=rfc822;\xc3\xb6@d.example\r\nRCPT TO:<c@d.example> ORCPT=utf-8;\xb6@d.example\r\nRSET\r\nMAIL "
     "FROM:<a@b.example>\r\nRCPT TO:<c@d.example> ORCPT=utf-8;\\x{F6}@d.example\r\nRCPT TO:<c@d.example> "
     "ORCPT=utf-8;\xc3\xb6@d.example\r\n",
     "220 250 501 501 250 250 501 501 250 250 250 553",
     "EHLO c\nMAIL <a@b.example> utf8\nRCPT <c@d.example> orcpt=utf-8;\xc3\xb6@d.example\nABORT\nMAIL "
     "<a@b.example>\nRCPT "
     "<c@d.example> orcpt=utf-8;\\x{F6}@d.example\n"},
};

static const struct script_set {
    const struct script *v;
    size_t n;
    const struct smtp_server_options *options; /* NULL: the driver's */
} script_sets[] = {{scripts, sizeof scripts / sizeof *scripts, NULL},
                   {full_scripts, sizeof full_scripts / sizeof *full_scripts, &full}};

static void check_script(const struct script *s, const struct smtp_server_options *options)
{
    struct str input = str_of(s->input);
    for (size_t piece = 0; piece <= input.n; piece++) { /* 0: whole; else every segmentation into equal pieces */
        for (int late = 0; late < 2; late++) {
            struct smtp_drive d;
            struct buf codes = {0};
            smtp_drive_init(&d, options);
            d.late = late;
            smtp_drive_feed_pieces(&d, input, piece);
            codes_of(buf_str(&d.replies), &codes);
            if (!str_eq(buf_str(&codes), str_of(s->codes)) || !str_eq(buf_str(&d.events), str_of(s->events)))
                fail_msg("%s, pieces of %zu: codes %.*s, events\n%.*s", s->name, piece, STR_ARG(buf_str(&codes)),
                         STR_ARG(buf_str(&d.events)));
            buf_free(&codes);
            smtp_drive_free(&d);
        }
    }
    for (size_t cut = 1; cut < input.n; cut++) { /* and every cut in two */
        struct smtp_drive d;
        smtp_drive_init(&d, options);
        smtp_drive_feed_pieces(&d, str_slice(input, 0, cut), 0);
        smtp_drive_feed_pieces(&d, str_from(input, cut), 0);
        if (!str_eq(buf_str(&d.events), str_of(s->events))) fail_msg("%s, cut at %zu", s->name, cut);
        smtp_drive_free(&d);
    }
}

static void scripts_give_replies_and_events(void **state)
{
    (void)state;
    for (const struct script_set *set = script_sets; set < script_sets + 2; set++)
        for (size_t i = 0; i < set->n; i++) check_script(&set->v[i], set->options);
}

static void check_enhanced_codes(const struct script *s, const struct smtp_server_options *options)
{
    struct smtp_drive d;
    struct str line, rest;
    smtp_drive_init(&d, options);
    smtp_drive_feed(&d, str_of(s->input));
    rest = buf_str(&d.replies);
    while (rest.n && str_cut(rest, '\n', &line, &rest)) {
        bool bare = str_starts(line, STR("220 mx.example ESMTP")) || str_starts(line, STR("250-")) ||
                    str_starts(line, STR("250 8BITMIME")) || str_starts(line, STR("250 mx.example\r")) ||
                    line.p[0] == '3';
        if (!bare) assert_true(line.n > 8 && line.p[4] == line.p[0] && line.p[5] == '.');
    }
    smtp_drive_free(&d);
}

static void every_reply_has_its_enhanced_code(void **state)
{
    (void)state;
    for (const struct script_set *set = script_sets; set < script_sets + 2; set++)
        for (size_t i = 0; i < set->n; i++) check_enhanced_codes(&set->v[i], set->options);
}

/* --- smuggling: reliability T01, 335 sequences -------------------------------------------------------------------- */

#define Z(literal)                                                                                                     \
    {                                                                                                                  \
        "" literal, sizeof(literal) - 1                                                                                \
    }
static const struct str befores[] = {Z("\n"),   Z("\r"),     Z("\r\n"),     Z("\r\r\n"),
                                     Z("\n\r"), Z("\0\r\n"), Z("\r\0\n"),   Z("\r\n\0"),
                                     Z("\x0b"), Z("\x0c"),   Z("\xc2\x85"), Z("\xe2\x80\xa8")};
static const struct str middles[] = {Z("."), Z(".."), Z(". "), Z(".\0")};
static const struct str afters[] = {Z("\n"), Z("\r"), Z("\r\n"), Z("\r\r\n"), Z("\r\0\n"), Z("\0\r\n"), Z("\n\n")};

static void no_sequence_smuggles_a_second_message(void **state)
{
    (void)state;
    size_t sequences = 0;
    for (size_t b = 0; b < 12; b++)
        for (size_t m = 0; m < 4; m++)
            for (size_t a = 0; a < 7; a++) {
                if (b == 2 && m == 0 && a == 2) continue; /* the legal one */
                sequences++;
                struct buf in = {0};
                buf_add(&in, STR("EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nSubject: "
                                 "one\r\n\r\nhello"));
                size_t from = in.n;
                buf_add(&in, befores[b]);
                buf_add(&in, middles[m]);
                buf_add(&in, afters[a]);
                size_t to = in.n;
                buf_add(&in, STR("MAIL FROM:<evil@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nSubject: "
                                 "two\r\n\r\n2\r\n.\r\nQUIT\r\n"));
                bool stray = false; /* anything but text and CR LF refuses all */
                for (size_t i = from; i < to; i++) {
                    char c = in.p[i];
                    if (c == '\0' || (c == '\n' && in.p[i - 1] != '\r') || (c == '\r' && in.p[i + 1] != '\n'))
                        stray = true;
                }
                for (size_t cut = from - 1; cut <= to + 1; cut++) {
                    struct smtp_drive d;
                    smtp_drive_init(&d, NULL);
                    smtp_drive_feed_pieces(&d, str_slice(buf_str(&in), 0, cut), 0);
                    smtp_drive_feed_pieces(&d, str_from(buf_str(&in), cut), 0);
                    assert_int_equal(d.messages, stray ? 0 : 1);
                    if (stray) {
                        assert_true(d.closed);
                        assert_true(str_find(buf_str(&d.replies), STR("554 5.6.0 ")) != STR_NPOS);
                    }
                    assert_true(str_find(buf_str(&d.events), STR("evil")) == STR_NPOS || !stray);
                    smtp_drive_free(&d);
                }
                buf_free(&in);
            }
    assert_int_equal(sequences, 335);
}

/* --- limits ------------------------------------------------------------------------------------------------------- */

static void limits_end_the_session(void **state)
{
    (void)state;
    struct smtp_drive d;
    struct buf in = {0};
    for (int i = 0; i < 4200; i++) buf_add_byte(&in, 'x');
    smtp_drive_init(&d, NULL);
    smtp_drive_feed_pieces(&d, buf_str(&in), 100);
    assert_true(d.closed && str_find(buf_str(&d.replies), STR("500 5.5.2")) != STR_NPOS);
    smtp_drive_free(&d);

    in.n = 0;
    for (int i = 0; i < 25; i++) buf_add(&in, STR("FOO\r\n"));
    smtp_drive_init(&d, NULL);
    smtp_drive_feed(&d, buf_str(&in));
    struct buf codes = {0};
    codes_of(buf_str(&d.replies), &codes);
    assert_true(d.closed && codes.n == 4 * 22 - 1 && str_ends(buf_str(&codes), STR("421")));
    smtp_drive_free(&d);
    buf_free(&codes);

    in.n = 0;
    for (int i = 0; i < 150; i++) buf_add(&in, STR("NOOP\r\n"));
    smtp_drive_init(&d, NULL);
    smtp_drive_feed(&d, buf_str(&in));
    assert_true(d.closed && str_find(buf_str(&d.replies), STR("421 4.7.0")) != STR_NPOS);
    smtp_drive_free(&d);

    in.n = 0;
    buf_add(&in, STR("EHLO c\r\nMAIL FROM:<a@b.example>\r\n"));
    for (int i = 0; i < 101; i++) buf_printf(&in, "RCPT TO:<u%d@d.example>\r\n", i);
    struct smtp_server_options o = {.hostname = STR("mx.example"), .recipient_limit = 7};
    smtp_drive_init(&d, &o);
    smtp_drive_feed(&d, buf_str(&in));
    assert_true(str_find(buf_str(&d.replies), STR("452 4.5.3")) != STR_NPOS && !d.closed);
    assert_true(str_find(buf_str(&d.events), STR("u99@")) != STR_NPOS &&
                str_find(buf_str(&d.events), STR("RCPT <u100@")) == STR_NPOS);
    assert_true(str_ends(buf_str(&d.events), STR("RCPT <u99@d.example>\nREFUSED <u100@d.example> 452\n")));
    smtp_drive_free(&d);
    buf_free(&in);
}

/* One byte too much: ABORT at once, the rest is swallowed, 552 at the dot, the session lives on. */
static void a_message_over_the_limit_is_refused_at_its_dot(void **state)
{
    (void)state;
    struct buf in = {0};
    buf_add(&in, STR("EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"));
    for (int i = 0; i < 99; i++) buf_add(&in, STR("12345678\r\n")); /* 990 */
    for (int over = 0; over < 2; over++) {
        struct smtp_drive d;
        smtp_drive_init(&d, NULL);
        smtp_drive_feed_pieces(&d, buf_str(&in), 7);
        smtp_drive_feed(&d, over ? STR("..23456789\r\n")
                                 : STR("..234567\r\n")); /* 11 and 9: the stuffed dot is not counted */
        assert_int_equal(d.open, !over);
        smtp_drive_feed(&d, STR(".\r\nMAIL FROM:<a@b.example>\r\n"));
        assert_int_equal(d.messages, !over);
        assert_true((str_find(buf_str(&d.replies), STR("552 5.3.4 ")) != STR_NPOS) == over);
        assert_true(d.open && !d.closed);
        smtp_drive_free(&d);
    }
    buf_free(&in);
}

static void the_caller_can_discard_and_stop(void **state)
{
    (void)state;
    struct smtp_drive d;
    smtp_drive_init(&d, NULL);
    smtp_drive_feed(&d, STR("EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nabc\r\n"));
    smtp_server_discard(d.server, &(struct reply){452, STATUS(4, 3, 1), STR("No room")});
    smtp_drive_feed(&d, STR_NONE);
    assert_false(d.open);
    smtp_drive_feed(&d, STR("more\r\n.\r\n"));
    assert_true(str_ends(buf_str(&d.replies), STR("452 4.3.1 No room\r\n")));
    assert_int_equal(d.messages, 0);
    smtp_drive_feed(&d, STR("MAIL FROM:<a@b.example>\r\n"));
    assert_true(d.open);
    smtp_server_stop(d.server, &(struct reply){421, STATUS(4, 4, 2), STR("Timeout")});
    smtp_drive_feed(&d, STR_NONE);
    assert_true(d.closed && str_ends(buf_str(&d.replies), STR("421 4.4.2 Timeout\r\n")));
    assert_true(str_ends(buf_str(&d.events), STR("ABORT\nCLOSE\n")));
    smtp_drive_free(&d);

    /* The stream goes while the message's answer is outstanding: the caller is told, once. */
    struct smtp_server *s = smtp_server_create(&(struct smtp_server_options){.hostname = STR("mx.example")});
    struct smtp_server_event ev;
    smtp_server_feed(s, STR("EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n.\r\nNOOP\r\n"));
    while (smtp_server_next(s, &ev) && ev.kind != SMTP_SERVER_MESSAGE)
        if (ev.asks) smtp_server_answer(s, NULL);
    assert_true(ev.kind == SMTP_SERVER_MESSAGE && !smtp_server_next(s, &ev) && smtp_server_waits(s));
    smtp_server_stop(s, NULL);
    assert_true(smtp_server_next(s, &ev) && ev.kind == SMTP_SERVER_ABORT);
    assert_true(smtp_server_next(s, &ev) && ev.kind == SMTP_SERVER_CLOSE);
    assert_false(smtp_server_next(s, &ev));
    smtp_server_answer(s, &(struct reply){250, STATUS(2, 0, 0), STR("too late")}); /* no harm */
    smtp_server_free(&s);
}

/* --- STARTTLS ----------------------------------------------------------------------------------------------------- */

static const struct smtp_server_options with_tls = {
    .hostname = {"mx.example", 10}, .starttls = true, .dsn = true, .requiretls = true};

static void starttls_forgets_everything(void **state)
{
    (void)state;
    struct smtp_drive d;
    smtp_drive_init(&d, &with_tls);
    smtp_drive_feed(&d, STR("EHLO c\r\nMAIL FROM:<a@b.example>\r\nSTARTTLS\r\n"));
    assert_true(smtp_server_expects_tls(d.server) && smtp_server_waits(d.server) && !d.open);
    assert_true(str_find(buf_str(&d.replies), STR("250-STARTTLS\r\n")) != STR_NPOS);
    assert_true(str_find(buf_str(&d.replies), STR("REQUIRETLS")) == STR_NPOS);
    smtp_server_secured(d.server);
    d.replies.n = 0;
    smtp_drive_feed(&d,
                    STR("MAIL FROM:<a@b.example>\r\nEHLO c\r\nSTARTTLS\r\nMAIL FROM:<a@b.example> REQUIRETLS RET=HDRS "
                        "ENVID=a+2Bb\r\n"
                        "RCPT TO:<c@d.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x+2By@z\r\n"
                        "RCPT TO:<c@d.example> NOTIFY=NEVER,DELAY\r\nRCPT TO:<c@d.example> ORCPT=rfc822;a+0Ab\r\n"));
    struct buf codes = {0};
    codes_of(buf_str(&d.replies), &codes);
    assert_true(str_eq(buf_str(&codes), STR("503 250 503 250 250 501 501")));
    assert_true(str_find(buf_str(&d.replies), STR("250-STARTTLS\r\n")) == STR_NPOS);
    assert_true(str_find(buf_str(&d.replies), STR("250-REQUIRETLS\r\n250-DSN\r\n")) != STR_NPOS);
    assert_true(str_find(buf_str(&d.events), STR("MAIL <a@b.example> requiretls ret=H envid=a+2Bb\n")) != STR_NPOS);
    assert_true(str_find(buf_str(&d.events), STR("RCPT <c@d.example> notify=10 orcpt=rfc822;x+2By@z\n")) != STR_NPOS);
    buf_free(&codes);
    smtp_drive_free(&d);
}

static void nothing_injected_behind_starttls_is_executed(void **state)
{
    (void)state;
    static const struct str injected[] = {
        Z("RSET\r\n"), Z("MAIL FROM:<evil@b.example>\r\n"), Z("EHLO evil\r\n"), Z("N"), Z("\r"), Z("\0")};
    for (size_t i = 0; i < sizeof injected / sizeof *injected; i++)
        for (int late = 0; late < 3; late++) {
            struct smtp_drive d;
            struct buf in = {0};
            smtp_drive_init(&d, &with_tls);
            d.late = late == 1;
            buf_add(&in, STR("EHLO c\r\nSTARTTLS\r\n"));
            if (late < 2) { /* in the same segment */
                buf_add(&in, injected[i]);
                smtp_drive_feed(&d, buf_str(&in));
                assert_true(str_find(buf_str(&d.replies), STR("554 5.5.0 ")) != STR_NPOS);
            } else { /* behind the 220, in clear */
                smtp_drive_feed(&d, buf_str(&in));
                smtp_drive_feed(&d, injected[i]);
            }
            assert_true(d.closed && !smtp_server_expects_tls(d.server));
            assert_true(str_find(buf_str(&d.events), STR("evil")) == STR_NPOS);
            buf_free(&in);
            smtp_drive_free(&d);
        }
}

static void where_tls_is_required(void **state)
{
    (void)state;
    struct smtp_server_options o = {.hostname = STR("mx.example"), .starttls = true, .tls_required = true};
    struct smtp_drive d;
    struct buf codes = {0};
    smtp_drive_init(&d, &o);
    smtp_drive_feed(
        &d, STR("EHLO c\r\nMAIL FROM:<a@b.example>\r\nRSET\r\nVRFY x\r\nNOOP\r\nBDAT 2 LAST\r\nxyFOO\r\nSTARTTLS\r\n"));
    codes_of(buf_str(&d.replies), &codes);
    assert_true(str_eq(buf_str(&codes), STR("220 250 530 530 530 250 503 500 220")));
    smtp_server_secured(d.server);
    d.replies.n = codes.n = 0;
    smtp_drive_feed(&d, STR("EHLO c\r\nMAIL FROM:<a@b.example>\r\n"));
    codes_of(buf_str(&d.replies), &codes);
    assert_true(str_eq(buf_str(&codes), STR("250 250")));
    buf_free(&codes);
    smtp_drive_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scripts_give_replies_and_events),
        cmocka_unit_test(every_reply_has_its_enhanced_code),
        cmocka_unit_test(no_sequence_smuggles_a_second_message),
        cmocka_unit_test(limits_end_the_session),
        cmocka_unit_test(a_message_over_the_limit_is_refused_at_its_dot),
        cmocka_unit_test(the_caller_can_discard_and_stop),
        cmocka_unit_test(starttls_forgets_everything),
        cmocka_unit_test(where_tls_is_required),
        cmocka_unit_test(nothing_injected_behind_starttls_is_executed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
