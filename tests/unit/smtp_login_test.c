/* smtp/client's AUTH: against our own server engine, whose SCRAM was written from the other side of the RFC; RFC 7677's
 * own exchange; and servers that refuse, lie or ask for more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "mail/scram_client.h"
#include "smtp/client.h"
#include "tests/support/check.h"
#include "tests/support/smtp_drive.h"

/* A client inside TLS, greeted with this EHLO reply; what it wrote so far is in `sent`. */
struct side {
    struct smtp_client *client;
    struct buf sent, events;
    unsigned portions;
};

static void take(struct side *s)
{
    struct buf *out = smtp_client_output(s->client);
    buf_add(&s->sent, buf_str(out));
    out->n = 0;
}

static void hear(struct side *s, struct str bytes)
{
    struct smtp_client_event ev;
    smtp_client_feed(s->client, bytes);
    while (smtp_client_next(s->client, &ev)) {
        switch (ev.kind) {
        case SMTP_CLIENT_READY:
            if (!ev.ready.tls) smtp_client_starttls(s->client);
            break;
        case SMTP_CLIENT_STARTTLS:
            take(s);
            smtp_client_secured(s->client);
            break;
        case SMTP_CLIENT_AUTH_WORK:
            for (s->portions = 1; !smtp_client_auth_work(s->client); s->portions++) continue;
            break;
        case SMTP_CLIENT_AUTHENTICATED: buf_printf(&s->events, "in"); break;
        case SMTP_CLIENT_AUTH_REFUSED: buf_printf(&s->events, "refused %u", ev.reply.code); break;
        case SMTP_CLIENT_FAILED:
            buf_printf(&s->events, "failed %s: %s", smtp_client_stage_name(ev.stage), ev.why);
            break;
        default: fail_msg("event %d", ev.kind);
        }
    }
    take(s);
}

static struct side begin(const char *offer)
{
    struct side s = {.client = smtp_client_create(&(struct smtp_client_options){STR("me.example")})};
    char ehlo[200];
    snprintf(ehlo, sizeof ehlo, "250-mx\r\n250 %s\r\n", offer);
    hear(&s, STR("220 x\r\n"));
    hear(&s, STR("250-mx\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n"));
    hear(&s, STR("220 go\r\n"));
    hear(&s, str_of(ehlo));
    s.sent.n = 0;
    return s;
}

static void log_in(struct side *s, const char *user, const char *password, struct str chance)
{
    smtp_client_auth(s->client, &(struct smtp_client_login){str_of(user), str_of(password), chance, true});
    hear(s, STR("")); /* an order that failed is told in the next turn */
}

static void end(struct side *s)
{
    smtp_client_free(&s->client);
    buf_free(&s->sent);
    buf_free(&s->events);
}

/* --- RFC 7677 section 3 ------------------------------------------------------------------------------------------- */

static struct buf coded(const char *text)
{
    struct buf b = {0};
    base64_encode(str_of(text), &b);
    return b;
}

static void say_334(struct side *s, const char *text)
{
    struct buf line = {0}, b = coded(text);
    buf_printf(&line, "334 %.*s\r\n", STR_ARG(buf_str(&b)));
    s->sent.n = 0;
    hear(s, buf_str(&line));
    buf_free(&line);
    buf_free(&b);
}

static void check_sent(const struct side *s, const char *before, const char *plain)
{
    struct buf want = {0}, b = coded(plain);
    buf_printf(&want, "%s%.*s\r\n", before, STR_ARG(buf_str(&b)));
    if (!str_eq(buf_str(&s->sent), buf_str(&want))) fail_msg("sent %.*s", STR_ARG(buf_str(&s->sent)));
    buf_free(&want);
    buf_free(&b);
}

static const char challenge[] =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

static struct side pencil(void)
{
    struct buf chance = {0};
    assert_true(base64_decode(STR("rOprNGfwEbeRWgbNEkqO"), &chance));
    struct side s = begin("AUTH PLAIN SCRAM-SHA-256 LOGIN");
    log_in(&s, "user", "pencil", buf_str(&chance));
    check_sent(&s, "AUTH SCRAM-SHA-256 ", "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    buf_free(&chance);
    return s;
}

static void the_example_of_rfc7677(void **state)
{
    (void)state;
    struct side s = pencil();
    say_334(&s, challenge);
    assert_int_equal(s.portions, 5); /* 4,095 rounds in thousands */
    check_sent(&s, "",
               "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+"
               "Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    say_334(&s, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    check_str(buf_str(&s.sent), "\r\n");
    hear(&s, STR("235 2.7.0 ok\r\n"));
    check_str(buf_str(&s.events), "in");
    end(&s);
}

/* Who does not know the password cannot pass for the server, whatever it answers. */
static void servers_that_prove_nothing(void **state)
{
    (void)state;
    static const char *const last[] = {"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=",
                                       "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "v=", "e=other-error", ""};
    for (size_t i = 0; i < sizeof last / sizeof *last; i++) {
        struct side s = pencil();
        say_334(&s, challenge);
        say_334(&s, last[i]);
        assert_true(str_starts(buf_str(&s.events), STR("failed AUTH: the server could not prove")));
        end(&s);
    }
    struct side s = pencil();
    say_334(&s, challenge);
    hear(&s, STR("235 come in\r\n"));
    assert_true(str_starts(buf_str(&s.events), STR("failed AUTH: the server did not prove")));
    end(&s);
    s = pencil();
    hear(&s, STR("235 come in\r\n"));
    assert_true(str_starts(buf_str(&s.events), STR("failed AUTH")));
    end(&s);
    static const char *const first[] = {"r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", /* not our nonce */
                                        "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", /* nothing added */
                                        "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4095",
                                        "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1000001",
                                        "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=",
                                        "r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096",
                                        "r=rOprNGfwEbeRWgbNEkqOx,s=%%%%,i=4096",
                                        "m=x,r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
                                        ""};
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
        s = pencil();
        say_334(&s, first[i]);
        if (!str_starts(buf_str(&s.events), STR("failed AUTH: the server's part of SCRAM-SHA-256 is malformed")))
            fail_msg("\"%s\" was taken: %.*s", first[i], STR_ARG(buf_str(&s.events)));
        end(&s);
    }
}

/* --- dialogues ---------------------------------------------------------------------------------------------------- */

static void dialogues(void **state)
{
    (void)state;
    static const struct {
        const char *offer, *server[4], *sent, *events;
    } rows[] = {
        {"AUTH PLAIN LOGIN", {"235 ok\r\n"}, "AUTH PLAIN AHVzZXIAcMOkc3M=\r\n", "in"},
        {"AUTH LOGIN",
         {"334 VXNlcm5hbWU6\r\n", "334 UGFzc3dvcmQ6\r\n", "235 ok\r\n"},
         "AUTH LOGIN\r\ndXNlcg==\r\ncMOkc3M=\r\n",
         "in"},
        {"AUTH LOGIN",
         {"334\r\n", "334\r\n", "535 5.7.8 no\r\n"},
         "AUTH LOGIN\r\ndXNlcg==\r\ncMOkc3M=\r\n",
         "refused 535"},
        {"auth GSSAPI plain", {"454 4.7.0 later\r\n"}, "AUTH PLAIN AHVzZXIAcMOkc3M=\r\n", "refused 454"},
        /* A server that has it only by name: the next mechanism.  A wrong password is not tried in every form. */
        {"AUTH PLAIN LOGIN",
         {"504 5.5.4 no such\r\n", "334 \r\n", "334 \r\n", "235 ok\r\n"},
         "AUTH PLAIN AHVzZXIAcMOkc3M=\r\nAUTH LOGIN\r\ndXNlcg==\r\ncMOkc3M=\r\n",
         "in"},
        {"AUTH PLAIN LOGIN", {"535 5.7.8 no\r\n"}, "AUTH PLAIN AHVzZXIAcMOkc3M=\r\n", "refused 535"},
        {"AUTH PLAIN", {"504 no\r\n"}, "AUTH PLAIN AHVzZXIAcMOkc3M=\r\n", "refused 504"},
        {"AUTH PLAIN",
         {"334 more\r\n"},
         "AUTH PLAIN AHVzZXIAcMOkc3M=\r\n",
         "failed AUTH: the server asks for more than the mechanism has"},
        {"AUTH PLAIN",
         {"250 ok\r\n"},
         "AUTH PLAIN AHVzZXIAcMOkc3M=\r\n",
         "failed AUTH: the server answered AUTH with an unfit code"},
        {"AUTH LOGIN",
         {"235 too early\r\n"},
         "AUTH LOGIN\r\n",
         "failed AUTH: the server answered AUTH with an unfit code"},
        {"AUTH PLAIN",
         {"421 4.3.2 going\r\n"},
         "AUTH PLAIN AHVzZXIAcMOkc3M=\r\n",
         "failed AUTH: the server ends the session"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct side s = begin(rows[i].offer);
        log_in(&s, "user", "p\xc3\xa4ss", STR("chance"));
        for (size_t k = 0; k < 4 && rows[i].server[k]; k++) hear(&s, str_of(rows[i].server[k]));
        check_str(buf_str(&s.sent), rows[i].sent);
        check_str(buf_str(&s.events), rows[i].events);
        end(&s);
    }
}

/* A first message that would make the line longer than 512 octets waits for its 334 (RFC 4954 section 4). */
/* A session that ends in the middle leaves no password behind in what it wrote from. */
static void lost_in_the_middle(void **state)
{
    (void)state;
    struct side s = begin("AUTH PLAIN");
    struct buf message = {0};
    base64_encode((struct str){"\0user\0pencil", 12}, &message);
    log_in(&s, "user", "pencil", STR("chance"));
    assert_true(str_find(buf_str(&s.sent), buf_str(&message)) != STR_NPOS);
    const struct buf *out = smtp_client_output(s.client);
    assert_true(str_find((struct str){out->p, s.sent.n}, buf_str(&message)) != STR_NPOS);
    smtp_client_lost(s.client, "gone");
    hear(&s, STR(""));
    assert_true(str_find((struct str){out->p, s.sent.n}, buf_str(&message)) == STR_NPOS);
    buf_free(&message);
    end(&s);
}

static void a_long_password(void **state)
{
    (void)state;
    char password[400];
    memset(password, 'x', sizeof password - 1);
    password[sizeof password - 1] = '\0';
    struct side s = begin("AUTH PLAIN");
    log_in(&s, "user", password, STR("chance"));
    check_str(buf_str(&s.sent), "AUTH PLAIN\r\n");
    hear(&s, STR("334 \r\n"));
    assert_int_equal(s.sent.n, 12 + (1 + 4 + 1 + 399 + 2) / 3 * 4 + 2);
    hear(&s, STR("235 ok\r\n"));
    check_str(buf_str(&s.events), "in");
    end(&s);
}

/* --- our own server ----------------------------------------------------------------------------------------------- */

/* One AUTH between the two engines, in pieces; the server knows a password, "right", whoever says it. */
static void our_own_server(void **state)
{
    (void)state;
    static const struct {
        const char *offer, *user, *password, *client, *server;
    } rows[] = {
        {"AUTH SCRAM-SHA-256 PLAIN", "Jo,=hn\xc3\xa9", "right", "in",
         "AUTH SCRAM-SHA-256 Jo,=hn\xc3\xa9\nIS Jo,=hn\xc3\xa9\n"},
        {"AUTH SCRAM-SHA-256 PLAIN", "u", "wrong", "refused 535", "AUTH SCRAM-SHA-256 u\nNOT u\n"},
        {"AUTH PLAIN LOGIN", "u", "right", "in", "AUTH PLAIN u right\nIS u\n"},
        {"AUTH PLAIN LOGIN", "u", "wrong", "refused 535", "AUTH PLAIN u wrong\nNOT u\n"},
        {"AUTH PLAIN LOGIN", "u", "later", "refused 451", "AUTH PLAIN u later\n"},
        {"AUTH LOGIN", "u@corp.example", "right", "in", "AUTH LOGIN u@corp.example right\nIS u@corp.example\n"},
        {"AUTH LOGIN", "u", "wrong", "refused 535", "AUTH LOGIN u wrong\nNOT u\n"},
    };
    static const struct smtp_server_options options = {.hostname = {"mx.example", 10}, .starttls = true, .auth = true};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t piece = 0; piece < 40; piece += 13) {
            struct side s = begin(rows[i].offer);
            struct smtp_drive d;
            smtp_drive_init(&d, &options);
            smtp_drive_feed(&d, STR("EHLO c\r\nSTARTTLS\r\n"));
            smtp_server_secured(d.server);
            smtp_drive_feed(&d, STR("EHLO c\r\n"));
            scram_secret_of(STR("right"), (const uint8_t *)"0123456789abcdef", SCRAM_ITERATIONS, &d.secret);
            d.late = piece != 0;
            d.events.n = d.replies.n = 0;
            log_in(&s, rows[i].user, rows[i].password, STR("eighteen bytes...."));
            while (s.sent.n) {
                struct buf said = s.sent;
                s.sent = (struct buf){0};
                smtp_drive_feed_pieces(&d, buf_str(&said), piece);
                buf_free(&said);
                hear(&s, buf_str(&d.replies));
                d.replies.n = 0;
            }
            check_str(buf_str(&s.events), rows[i].client);
            check_str(buf_str(&d.events), rows[i].server);
            smtp_drive_free(&d);
            end(&s);
        }
}

/* Rounds in portions come to what they do at once, for keys shorter and longer than SHA-256's block. */
static void stretched_in_portions(void **state)
{
    (void)state;
    char password[130];
    memset(password, 'k', sizeof password);
    for (size_t n = 0; n <= sizeof password; n += 13)
        for (uint32_t iterations = 1; iterations < 60; iterations += 7) {
            uint8_t want[DIGEST_SIZE], got[DIGEST_SIZE];
            struct str p = {password, n};
            digest_pbkdf2(p, STR("salt"), iterations, want);
            struct digest_stretch *s = digest_stretch_create(p, STR("salt"), iterations);
            unsigned portions = 1;
            while (!digest_stretch_run(s, 10, got)) portions++;
            assert_true(portions >= iterations / 10 && portions <= iterations / 10 + 1);
            assert_memory_equal(got, want, DIGEST_SIZE);
            digest_stretch_free(&s);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_rfc7677),
        cmocka_unit_test(servers_that_prove_nothing),
        cmocka_unit_test(dialogues),
        cmocka_unit_test(a_long_password),
        cmocka_unit_test(lost_in_the_middle),
        cmocka_unit_test(our_own_server),
        cmocka_unit_test(stretched_in_portions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
