/* smtp/server beside a reference automaton (tests/support/smtp_model): random dialogues go through both, in random
 * segments, answered at once or late, under random offers: every reply code and every event must be the same
 * (reliability T03).
 *
 * SLUICE_ROUNDS: dialogues of 40 steps; 20,000 without it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/dice.h"
#include "tests/support/smtp_drive.h"
#include "tests/support/smtp_model.h"

#define STEPS(...)                                                                                                     \
    {                                                                                                                  \
        __VA_ARGS__, NULL                                                                                              \
    }
#define LONG  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define BIG   LONG LONG LONG LONG LONG LONG
#define CHUNK "BDAT 600"
static const char *const anything[] = {
    "EHLO c\r\n",
    "HELO c\r\n",
    "MAIL FROM:<a@b.example>\r\n",
    "MAIL FROM:<>\r\n",
    "MAIL FROM:<defer@b.example>\r\n",
    "MAIL FROM:<a@b.example> SIZE=99999\r\n",
    "MAIL FROM:<a@b.example> SIZE=10 BODY=8BITMIME RET=FULL ENVID=a+2Bb\r\n",
    "MAIL FROM:<a@b.example> ENVID=a+0Ab\r\n",
    "MAIL FROM:<a@b.example> REQUIRETLS AUTH=<>\r\n",
    "MAIL FROM:<a@b.example> BODY=BINARYMIME\r\n",
    "MAIL FROM:<\xc3\xa4@b.example>\r\n",
    "MAIL FROM:<\xc3\xa4@b.example> SMTPUTF8\r\n",
    "MAIL FROM:<a@b.example> FOO\r\n",
    "MAIL FROM:a@b.example\r\n",
    "RCPT TO:<c@d.example>\r\n",
    "RCPT TO:<bad@d.example>\r\n",
    "RCPT TO:<later@d.example>\r\n",
    "RCPT TO:<c@d.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb\r\n",
    "RCPT TO:<c@d.example> NOTIFY=NEVER,DELAY\r\n",
    "RCPT TO:<c@d.example> ORCPT=rfc822;a+00b\r\n",
    "RCPT TO:<c@d.example> ORCPT=utf-8;\xc3\xa4\r\n",
    "RCPT TO:<\xc3\xb6@d.example>\r\n",
    "RCPT TO:c\r\n",
    "DATA\r\n",
    "RSET\r\n",
    "NOOP\r\n",
    "VRFY x\r\n",
    "VRFY \xc3\xa4 SMTPUTF8\r\n",
    "HELP\r\n",
    "EXPN x\r\n",
    "FOO\r\n",
    "\r\n",
    "text\r\n",
    ".\r\n",
    "..\r\n",
    ".x\r\n",
    "BDAT 3\r\na\r\n",
    "BDAT 2 LAST\r\n\r\n",
    "BDAT 0 LAST\r\n",
    "BDAT 0\r\n",
    "BDAT 1\r\n\r",
    "BDAT 1 LAST\r\n\n",
    "BDAT 1\r\nx",
    "BDAT 13 last\r\nEHLO c\r\n.\r\n\r\n",
    "BDAT 2000 LAST\r\n",
    "BDAT 600\r\n",
    "STARTTLS\r\n",
    "AUTH PLAIN AHUAcmlnaHQ=\r\n",
    "AUTH PLAIN AHUAd3Jvbmc=\r\n",
    "AUTH PLAIN AHUAbGF0ZXI=\r\n",
    "AUTH PLAIN\r\n",
    "AUTH LOGIN\r\n",
    "AUTH LOGIN dQ==\r\n",
    "AUTH SCRAM-SHA-256 biwsbj11LHI9YWJj\r\n",
    "AUTH SCRAM-SHA-256\r\n",
    "AUTH FOO\r\n",
    "AHUAcmlnaHQ=\r\n",
    "dQ==\r\n",
    "cmlnaHQ=\r\n",
    "biwsbj11LHI9YWJj\r\n",
    "*\r\n",
    "XCLIENT ADDR=192.0.2.1\r\n",
    "XCLIENT ADDR=192.0.2.1 LOGIN=u\r\n",
    "XCLIENT FOO\r\n",
    LONG LONG LONG LONG LONG LONG LONG "x\r\n",
    "RCPT TO:<c@d.example> NOTIFY=DELAY,DELAY\r\n",
    "MAIL FROM:<defer@b.example> SMTPUTF8\r\n",
};
/* What a client that errs little says: it meets the limit of commands that bring no message nearer. */
static const char *const calm[] = {"NOOP\r\n", "VRFY x\r\n", "HELP\r\n"};
/* Rare: they end the session. */
static const char *const ends[] = {
    ".\rx\r\n",

    "QUIT\r\n", "RCPT TO:<close@d.example>\r\n", "GET / HTTP/1.1\r\n", "BDAT x\r\n", "BDAT 5 FIRST\r\n", "a\rb\r\n",
    "NOOP\n"};
static const char *const paths[][12] = {
    STEPS("EHLO c\r\n", "MAIL FROM:<a@b.example>\r\n", "RCPT TO:<c@d.example>\r\n", "DATA\r\n", "text\r\n", "..\r\n",
          ".\r\n"),
    STEPS("EHLO c\r\n", "MAIL FROM:<a@b.example>\r\n", "RCPT TO:<c@d.example>\r\n", "BDAT 3\r\na\r\n", "BDAT 1\r\nx",
          "BDAT 2 LAST\r\n\r\n"),
    STEPS("EHLO c\r\n", "MAIL FROM:<a@b.example> BODY=BINARYMIME\r\n", "RCPT TO:<c@d.example>\r\n", "BDAT 1\r\n\r",
          "BDAT 1 LAST\r\n\n"),
    STEPS("EHLO c\r\n", "STARTTLS\r\n", "EHLO c\r\n", "AUTH PLAIN AHUAcmlnaHQ=\r\n",
          "MAIL FROM:<a@b.example> REQUIRETLS AUTH=<>\r\n",
          "RCPT TO:<c@d.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb\r\n", "DATA\r\n", "text\r\n", ".\r\n"),
    STEPS("EHLO c\r\n", "STARTTLS\r\n", "EHLO c\r\n", "AUTH LOGIN\r\n", "dQ==\r\n", "cmlnaHQ=\r\n",
          "MAIL FROM:<\xc3\xa4@b.example> SMTPUTF8\r\n", "RCPT TO:<\xc3\xb6@d.example>\r\n",
          "RCPT TO:<c@d.example> ORCPT=utf-8;\xc3\xa4\r\n", "DATA\r\n", ".\r\n"),
    STEPS("EHLO c\r\n", "MAIL FROM:<a@b.example>\r\n", "RCPT TO:<c@d.example>\r\n", CHUNK "\r\n" BIG,
          CHUNK " LAST\r\n" BIG),
    STEPS("XCLIENT ADDR=192.0.2.1 LOGIN=u\r\n", "EHLO c\r\n", "MAIL FROM:<a@b.example>\r\n",
          "RCPT TO:<c@d.example>\r\n", "BDAT 0\r\n", "BDAT 13 last\r\nEHLO c\r\n.\r\n\r\n"),
    STEPS("EHLO c\r\n", "STARTTLS\r\n", "EHLO c\r\n", "AUTH SCRAM-SHA-256 biwsbj11LHI9YWJj\r\n", "*\r\n",
          "AUTH PLAIN\r\n", "AHUAcmlnaHQ=\r\n"),
};
enum { PATHS = sizeof paths / sizeof *paths };
#define PICK(d, list) (list)[dice_roll(d, sizeof(list) / sizeof *(list))]

static void codes_of(struct str replies, struct buf *out)
{
    struct str line;
    while (replies.n && str_cut(replies, '\n', &line, &replies)) {
        assert_true(line.n >= 5 && line.p[line.n - 1] == '\r' && line.n <= 511);
        if (line.p[3] != '-') buf_printf(out, "%s%.*s", out->n ? " " : "", 3, line.p);
    }
}

static unsigned draw_offers(struct dice *d)
{
    unsigned o = (unsigned)dice_roll(d, 1024);
    if (o & OFFER_TLS_FIRST) o &= ~(unsigned)(OFFER_STARTTLS | OFFER_TLS_REQUIRED);
    if (!(o & OFFER_AUTH)) o &= ~(unsigned)OFFER_AUTH_REQUIRED;
    return o;
}

static struct smtp_server_options options_of(unsigned o)
{
    return (struct smtp_server_options){.hostname = STR("mx.example"),
                                        .message_size = SMTP_MODEL_SIZE,
                                        .starttls = o & OFFER_STARTTLS,
                                        .tls = o & OFFER_TLS_FIRST,
                                        .tls_required = o & OFFER_TLS_REQUIRED,
                                        .auth = o & OFFER_AUTH,
                                        .auth_required = o & OFFER_AUTH_REQUIRED,
                                        .dsn = o & OFFER_DSN,
                                        .smtputf8 = o & OFFER_UTF8,
                                        .binarymime = o & OFFER_BINARY,
                                        .xclient = o & OFFER_XCLIENT,
                                        .requiretls = o & OFFER_REQUIRETLS};
}

/* Both get the segment; a handshake that is due mostly follows. */
static void feed_both(struct smtp_drive *d, struct smtp_model *m, struct buf *in, struct dice *seed)
{
    smtp_drive_feed_pieces(d, buf_str(in), 0);
    smtp_model_feed(m, buf_str(in));
    in->n = 0;
    if (m->wait != WAIT_HANDSHAKE || !smtp_server_expects_tls(d->server) || dice_roll(seed, 16) == 0) return;
    smtp_server_secured(d->server);
    smtp_model_secured(m);
}

static size_t walk(uint64_t round, struct dice *seed)
{
    bool is_calm = dice_roll(seed, 32) == 0;
    unsigned offers = is_calm ? 0 : draw_offers(seed);
    struct smtp_server_options options = options_of(offers);
    struct smtp_model m = {.offers = offers, .tls = offers & OFFER_TLS_FIRST};
    struct smtp_drive d;
    struct buf in = {0}, got = {0};
    const char *const *path = paths[dice_roll(seed, is_calm ? 2 : PATHS)];
    smtp_drive_init(&d, &options);
    d.late = round & 1;
    buf_add(&m.codes, STR("220"));
    for (int i = 0, at = 0; i < (is_calm ? 300 : 40); i++) {
        uint64_t r = dice_roll(seed, 256);
        bool good = r < (is_calm && (round & 2) ? 10 : 150);
        if (good && !path[at]) {
            path = paths[dice_roll(seed, is_calm ? 2 : PATHS)];
            at = 1; /* greeted already */
        }
        const char *line = good                   ? path[at++]
                           : r == 255 && !is_calm ? PICK(seed, ends)
                           : is_calm              ? PICK(seed, calm)
                                                  : PICK(seed, anything);
        buf_add(&in, str_of(line));
        bool whole_lines = in.p[in.n - 1] == '\n'; /* what is no chunk after all must end a line */
        if (whole_lines && (str_eq(str_of(line), STR("STARTTLS\r\n")) ? dice_roll(seed, 8) : dice_roll(seed, 2)))
            feed_both(&d, &m, &in, seed);
    }
    if (in.n && in.p[in.n - 1] != '\n') buf_add(&in, STR("\r\n"));
    feed_both(&d, &m, &in, seed);
    while (m.wait == WAIT_CHUNK && m.left) buf_add_byte(&in, 'x'), m.left--; /* what a chunk holds is told at its end */
    m.left = in.n;
    feed_both(&d, &m, &in, seed);
    codes_of(buf_str(&d.replies), &got);
    if (!str_eq(buf_str(&m.codes), buf_str(&got)) || !str_eq(buf_str(&m.events), buf_str(&d.events)) ||
        d.closed != (m.wait == WAIT_OVER))
        fail_msg("dialogue %llu, offers %u: expected %.*s\ngot      %.*s\nexpected\n%.*s\ngot\n%.*s",
                 (unsigned long long)round, offers, STR_ARG(buf_str(&m.codes)), STR_ARG(buf_str(&got)),
                 STR_ARG(buf_str(&m.events)), STR_ARG(buf_str(&d.events)));
    size_t messages = d.messages;
    smtp_model_free(&m);
    buf_free(&in);
    buf_free(&got);
    smtp_drive_free(&d);
    return messages;
}

static void random_dialogues_agree_with_the_reference(void **state)
{
    (void)state;
    const char *rounds = getenv("SLUICE_ROUNDS");
    uint64_t n = rounds ? strtoull(rounds, NULL, 10) : 20000, messages = 0;
    struct dice seed = {20261125};
    for (uint64_t round = 0; round < n; round++) messages += walk(round, &seed);
    printf("# %llu dialogues, %llu messages, no divergence\n", (unsigned long long)n, (unsigned long long)messages);
    assert_true(messages > n / 4); /* or the walk would prove little */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_dialogues_agree_with_the_reference)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
