/* smtp/server's AUTH: every mechanism, what is refused and when, in every segmentation; SCRAM against a client of RFC
 * 5802. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "tests/support/smtp_drive.h"

static const struct smtp_server_options offering = {
    .hostname = {"mx.example", 10}, .starttls = true, .auth = true, .auth_required = true};

/* A session inside TLS, greeted. */
static void begin(struct smtp_drive *d, bool late)
{
    smtp_drive_init(d, &offering);
    smtp_drive_feed(d, STR("EHLO c\r\nSTARTTLS\r\n"));
    smtp_server_secured(d->server);
    smtp_drive_feed(d, STR("EHLO c\r\n"));
    d->late = late;
    d->replies.n = d->events.n = 0;
}

/* PLAIN: "\0u\0right" AHUAcmlnaHQ=, "\0u\0wrong" AHUAd3Jvbmc=, "\0u\0later" AHUAbGF0ZXI=, "x\0u\0right" eAB1AHJpZ2h0;
 * LOGIN: u dQ==, right cmlnaHQ=, wrong d3Jvbmc=. */
static const struct script {
    const char *name, *input, *replies, *events;
} scripts[] = {
    {"PLAIN at once", "AUTH PLAIN AHUAcmlnaHQ=\r\n", "235 2.7.0 Authentication successful\r\n",
     "AUTH PLAIN u right\nIS u\n"},
    {"PLAIN when asked", "auth plain\r\nAHUAcmlnaHQ=\r\n", "334 \r\n235 2.7.0 Authentication successful\r\n",
     "AUTH PLAIN u right\nIS u\n"},
    {"LOGIN", "AUTH LOGIN\r\ndQ==\r\ncmlnaHQ=\r\n",
     "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n235 2.7.0 Authentication successful\r\n", "AUTH LOGIN u right\nIS u\n"},
    {"LOGIN with the name at once", "AUTH LOGIN dQ==\r\nd3Jvbmc=\r\n", "334 UGFzc3dvcmQ6\r\n535 5.7.8 Wrong\r\n",
     "AUTH LOGIN u wrong\nNOT u\n"},
    {"later", "AUTH PLAIN AHUAbGF0ZXI=\r\nNOOP\r\n", "451 4.3.0 Later\r\n250 2.0.0 Ok\r\n", "AUTH PLAIN u later\n"},
    {"another identity", "AUTH PLAIN eAB1AHJpZ2h0\r\n", "535 5.7.8 Authentication credentials invalid\r\n", "NOT u\n"},
    {"cancelled", "AUTH LOGIN\r\n*\r\nNOOP\r\n",
     "334 VXNlcm5hbWU6\r\n501 5.7.0 Authentication cancelled\r\n250 2.0.0 Ok\r\n", ""},
    {"no base64", "AUTH PLAIN AHU\r\nAUTH PLAIN\r\nRSET\r\nNOOP\r\n",
     "501 5.5.2 That is not base64\r\n334 \r\n501 5.5.2 That is not what this mechanism expects\r\n250 2.0.0 Ok\r\n",
     ""},
    {"nothing in it", "AUTH PLAIN =\r\nAUTH PLAIN AAA=\r\nAUTH LOGIN =\r\n",
     "501 5.5.2 That is not what this mechanism expects\r\n501 5.5.2 That is not what this mechanism expects\r\n"
     "501 5.5.2 That is not what this mechanism expects\r\n",
     ""},
    {"unknown mechanism", "AUTH CRAM-MD5\r\nAUTH\r\n",
     "504 5.5.4 That mechanism is not offered\r\n504 5.5.4 That mechanism is not offered\r\n", ""},
    {"no MAIL before, one AUTH only, none in a transaction; AUTH= is taken",
     "MAIL FROM:<a@b.example>\r\nAUTH PLAIN AHUAcmlnaHQ=\r\nAUTH PLAIN AHUAcmlnaHQ=\r\nMAIL FROM:<a@b.example> "
     "AUTH=<>\r\nAUTH PLAIN\r\nRSET\r\nMAIL FROM:<a@b.example> AUTH=u+40b\r\n",
     "530 5.7.0 Authentication required\r\n235 2.7.0 Authentication successful\r\n503 5.5.1 Authenticated already\r\n"
     "250 2.1.0 Ok\r\n503 5.5.1 A transaction is under way already\r\n250 2.0.0 Ok\r\n250 2.1.0 Ok\r\n",
     "AUTH PLAIN u right\nIS u\nMAIL <a@b.example>\nABORT\nMAIL <a@b.example>\n"},
    {"three wrong passwords",
     "AUTH PLAIN AHUAd3Jvbmc=\r\nAUTH PLAIN AHUAd3Jvbmc=\r\nAUTH PLAIN AHUAd3Jvbmc=\r\nNOOP\r\n",
     "535 5.7.8 Wrong\r\n535 5.7.8 Wrong\r\n535 5.7.8 Wrong\r\n421 4.7.0 Too many failed authentications\r\n",
     "AUTH PLAIN u wrong\nNOT u\nAUTH PLAIN u wrong\nNOT u\nAUTH PLAIN u wrong\nNOT u\nCLOSE\n"},
};

static void scripts_come_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
        for (size_t piece = 0; piece < 80; piece++) {
            const struct script *s = &scripts[i];
            struct smtp_drive d;
            begin(&d, piece & 1);
            smtp_drive_feed_pieces(&d, str_of(s->input), piece);
            if (!str_eq(buf_str(&d.replies), str_of(s->replies)) || !str_eq(buf_str(&d.events), str_of(s->events)))
                fail_msg("%s, pieces of %zu: replies\n%.*s\nevents\n%.*s", s->name, piece, STR_ARG(buf_str(&d.replies)),
                         STR_ARG(buf_str(&d.events)));
            smtp_drive_free(&d);
        }
}

static void in_clear_nothing_is_offered(void **state)
{
    (void)state;
    struct smtp_drive d;
    smtp_drive_init(&d, &offering);
    smtp_drive_feed(&d, STR("EHLO c\r\nAUTH PLAIN AHUAcmlnaHQ=\r\n"));
    assert_true(str_find(buf_str(&d.replies), STR("AUTH")) == STR_NPOS);
    assert_true(str_find(buf_str(&d.replies), STR("538 5.7.11")) != STR_NPOS);
    assert_true(str_eq(buf_str(&d.events), STR("EHLO c\n")));
    smtp_drive_free(&d);
}

static void lines_may_be_long_and_not_longer(void **state)
{
    (void)state;
    for (int over = 0; over < 2; over++) {
        struct smtp_drive d;
        struct buf line = {0};
        begin(&d, false);
        buf_add(&line, STR("AUTH PLAIN "));
        while (line.n < SMTP_SERVER_AUTH_LINE_MAX - 6 + (over ? 100 : 0)) buf_add(&line, STR("AAAA"));
        buf_add(&line, STR("\r\n"));
        smtp_drive_feed(&d, buf_str(&line));
        assert_true(str_starts(buf_str(&d.replies), over ? STR("500 ") : STR("501 ")));
        assert_int_equal(d.closed, over);
        buf_free(&line);
        smtp_drive_free(&d);
    }
}

/* --- SCRAM -------------------------------------------------------------------------------------------------------- */

static struct str bytes(const uint8_t *p) { return (struct str){(const char *)p, DIGEST_SIZE}; }

/* The last reply's text behind "334 ", decoded. */
static void last_challenge(const struct smtp_drive *d, struct buf *out)
{
    struct str all = buf_str(&d->replies), line;
    size_t at = all.n - 2;
    while (at && all.p[at - 1] != '\n') at--;
    line = str_slice(all, at, all.n - 2);
    assert_true(str_starts(line, STR("334 ")));
    out->n = 0;
    assert_true(base64_decode(str_from(line, 4), out));
}

static void say(struct smtp_drive *d, const char *before, struct str message)
{
    struct buf line = {0};
    buf_add(&line, str_of(before));
    base64_encode(message, &line);
    buf_add(&line, STR("\r\n"));
    smtp_drive_feed_pieces(d, buf_str(&line), 7);
    buf_free(&line);
}

/* The client's half of RFC 5802 section 3, with `password`; true when the server's signature is right as well. */
static bool scram_login(struct smtp_drive *d, struct str password)
{
    struct buf challenge = {0}, without = {0}, said = {0}, final = {0}, salt = {0};
    struct str nonce, rest, part, salt64;
    say(d, "AUTH SCRAM-SHA-256 ", STR("n,,n=u,r=abc"));
    last_challenge(d, &challenge);
    str_cut(buf_str(&challenge), ',', &nonce, &rest);
    str_cut(rest, ',', &salt64, &part);
    assert_true(str_starts(nonce, STR("r=abc")) && nonce.n == 5 + 24 && str_eq(part, STR("i=4096")));
    assert_true(base64_decode(str_from(salt64, 2), &salt));
    uint8_t salted[DIGEST_SIZE], key[DIGEST_SIZE], stored[DIGEST_SIZE], signature[DIGEST_SIZE];
    digest_pbkdf2(password, buf_str(&salt), 4096, salted);
    digest_hmac(bytes(salted), STR("Client Key"), key);
    digest_sha256(bytes(key), stored);
    buf_printf(&without, "c=biws,%.*s", STR_ARG(nonce));
    buf_printf(&said, "n=u,r=abc,%.*s,%.*s", STR_ARG(buf_str(&challenge)), STR_ARG(buf_str(&without)));
    digest_hmac(bytes(stored), buf_str(&said), signature);
    for (size_t i = 0; i < DIGEST_SIZE; i++) key[i] ^= signature[i];
    buf_printf(&final, "%.*s,p=", STR_ARG(buf_str(&without)));
    base64_encode(bytes(key), &final);
    d->replies.n = 0;
    say(d, "", buf_str(&final));
    bool good = str_starts(buf_str(&d->replies), STR("334 "));
    if (good) {
        last_challenge(d, &challenge);
        digest_hmac(bytes(salted), STR("Server Key"), key);
        digest_hmac(bytes(key), buf_str(&said), signature);
        final.n = 0;
        buf_add(&final, STR("v="));
        base64_encode(bytes(signature), &final);
        assert_true(str_eq(buf_str(&challenge), buf_str(&final)));
        d->replies.n = 0;
        smtp_drive_feed(d, STR("\r\n"));
    }
    buf_free(&challenge);
    buf_free(&without);
    buf_free(&said);
    buf_free(&final);
    buf_free(&salt);
    return good;
}

static void scram_with_a_client(void **state)
{
    (void)state;
    for (int round = 0; round < 4; round++) {
        bool late = round & 1, wrong = round & 2;
        struct smtp_drive d;
        begin(&d, late);
        scram_secret_of(STR("pencil"), (const uint8_t *)"0123456789abcdef", 4096, &d.secret);
        assert_int_equal(scram_login(&d, wrong ? STR("pencils") : STR("pencil")), !wrong);
        if (wrong) {
            assert_true(str_starts(buf_str(&d.replies), STR("535 5.7.8 ")));
            assert_true(str_eq(buf_str(&d.events), STR("AUTH SCRAM-SHA-256 u\nNOT u\n")));
        } else {
            assert_true(str_starts(buf_str(&d.replies), STR("235 2.7.0 ")));
            assert_true(str_eq(buf_str(&d.events), STR("AUTH SCRAM-SHA-256 u\nIS u\n")));
        }
        smtp_drive_free(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scripts_come_out),
        cmocka_unit_test(in_clear_nothing_is_offered),
        cmocka_unit_test(lines_may_be_long_and_not_longer),
        cmocka_unit_test(scram_with_a_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
