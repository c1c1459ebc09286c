/* relay/: AUTH on memory ports: while the store is asked, when it fails, when somebody leaves meanwhile, made-up
 * secrets. */
#include <string.h>

#include "base/base64.h"
#include "base/log.h"
#include "mail/scram.h"
#include "tests/support/check.h"
#include "tests/support/relay_rig.h"

static const char ask_user[] = "{\"v\":1,\"op\":\"user list\"}\n";

static void begin(struct rig *g, enum listener_auth auth)
{
    rig_setup(g);
    g->listener.auth = auth;
    rig_start(g);
    rig_generation(g, "certificate");
}

static void change(struct rig *g, const char *op, const char *user, const char *password)
{
    struct buf request = {0};
    struct net_stream *c = memory_dial(g->memory, "control", "");
    buf_printf(&request, "{\"v\":1,\"op\":\"user %s\",\"user\":\"%s\"", op, user);
    if (password) {
        struct scram_secret s;
        scram_secret_of(str_of(password), (const uint8_t *)"0123456789abcdef", SCRAM_ITERATIONS_MIN, &s);
        buf_printf(&request, ",\"iterations\":%u,\"salt\":\"", (unsigned)s.iterations);
        base64_encode((struct str){(const char *)s.salt, sizeof s.salt}, &request);
        buf_add(&request, STR("\",\"stored_key\":\""));
        base64_encode((struct str){(const char *)s.stored_key, sizeof s.stored_key}, &request);
        buf_add(&request, STR("\",\"server_key\":\""));
        base64_encode((struct str){(const char *)s.server_key, sizeof s.server_key}, &request);
        buf_add_byte(&request, '"');
    }
    buf_add(&request, STR("}\n"));
    buf_add_byte(&request, '\0');
    const char *answer = rig_ask(g, c, request.p);
    if (!strstr(answer, "\"ok\":true")) fail_msg("%s: %s", request.p, answer);
    buf_free(&request);
    memory_hang_up(g->memory, c);
    memory_run(g->memory);
}

static void tell(struct rig *g, struct net_stream *s, const char *text, const char *wanted)
{
    memory_forget(s);
    memory_say(g->memory, s, text);
    memory_run(g->memory);
    struct str got = memory_heard(s);
    if (!str_eq(got, str_of(wanted))) fail_msg("%s: heard \"%.*s\", wanted \"%s\"", text, STR_ARG(got), wanted);
}

/* From outside, inside TLS. */
static struct net_stream *secure(struct rig *g)
{
    struct net_stream *s = rig_session(g, "192.0.2.1");
    memory_say(g->memory, s, "STARTTLS\r\n");
    memory_run(g->memory);
    memory_say(g->memory, s, "EHLO client.example\r\n");
    memory_run(g->memory);
    if (str_find(memory_heard(s), STR("250-AUTH PLAIN LOGIN SCRAM-SHA-256\r\n")) == STR_NPOS) fail_msg("no AUTH");
    return s;
}

/* NUL u NUL right; NUL u NUL wrong */
#define RIGHT "AUTH PLAIN AHUAcmlnaHQ=\r\n"
#define WRONG "AUTH PLAIN AHUAd3Jvbmc=\r\n"
#define GOOD  "235 2.7.0 Authentication successful\r\n"
#define BAD   "535 5.7.8 Authentication credentials invalid\r\n"

static void who_may_send(void **state)
{
    (void)state;
    struct rig g;
    begin(&g, LISTENER_AUTH_OFFERED);
    change(&g, "add", "U", "right");
    struct net_stream *s = secure(&g);
    tell(&g, s, "MAIL FROM:<a@corp.example>\r\n", "250 2.1.0 Ok\r\n");
    tell(&g, s, "RCPT TO:<b@partner.example>\r\n", "550 5.7.1 Relaying denied\r\n");
    tell(&g, s, "RSET\r\n" WRONG, "250 2.0.0 Ok\r\n" BAD);
    assert_true(rig_log_has(&g, "event=auth-failed client=192.0.2.1 listener=inbound user=u mechanism=PLAIN"));
    tell(&g, s, RIGHT, GOOD);
    assert_true(rig_log_has(&g, "event=authenticated client=192.0.2.1 listener=inbound user=u mechanism=PLAIN"));
    assert_false(rig_log_has(&g, "right") || rig_log_has(&g, "AHUA"));
    rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail);
    memory_run(g.memory);
    assert_int_equal(rig_mails(&g, 0), 1);
    assert_true(str_find(buf_str(&g.memory->servers[0].mail[0].data), STR(" with ESMTPSA")) != STR_NPOS);
    change(&g, "disable", "u", NULL);
    tell(&g, secure(&g), RIGHT, BAD);
    rig_teardown(&g);
}

static void required(void **state)
{
    (void)state;
    struct rig g;
    begin(&g, LISTENER_AUTH_REQUIRED);
    change(&g, "add", "u", "right");
    struct net_stream *s = secure(&g);
    tell(&g, s, "MAIL FROM:<a@corp.example>\r\n", "530 5.7.0 Authentication required\r\n");
    tell(&g, s, RIGHT "MAIL FROM:<a@corp.example>\r\n", GOOD "250 2.1.0 Ok\r\n");
    rig_teardown(&g);
}

/* While the store is asked nothing further is answered; when it fails, that is no failure of the client's. */
static void the_store_takes_its_time(void **state)
{
    (void)state;
    struct rig g;
    begin(&g, LISTENER_AUTH_OFFERED);
    change(&g, "add", "u", "right");
    struct net_stream *s = secure(&g);
    g.memory->store_waits = true;
    tell(&g, s, RIGHT "NOOP\r\n", "");
    memory_advance(g.memory, 20 * 60 * 1000); /* nobody is idle who waits for us */
    assert_true(memory_is_open(s));
    g.memory->store_waits = false;
    memory_run(g.memory);
    check_str(memory_heard(s), GOOD "250 2.0.0 Ok\r\n");

    g.memory->store_fails = true;
    struct net_stream *again = secure(&g);
    for (int i = 0; i < 5; i++) tell(&g, again, RIGHT, "454 4.7.0 Temporary authentication failure\r\n");
    tell(&g, again, "AUTH SCRAM-SHA-256 biwsbj11LHI9YWJj\r\n", "454 4.7.0 Temporary authentication failure\r\n");
    assert_true(rig_log_has(&g, "the disk is gone"));
    g.memory->store_fails = false;
    tell(&g, again, RIGHT, GOOD);
    rig_teardown(&g);
}

static void somebody_leaves(void **state)
{
    (void)state;
    struct rig g;
    begin(&g, LISTENER_AUTH_OFFERED);
    change(&g, "add", "u", "right");
    const char *const commands[] = {RIGHT, WRONG, "AUTH SCRAM-SHA-256 biwsbj11LHI9YWJj\r\n"}; /* n,,n=u,r=abc */
    for (size_t i = 0; i < 3; i++) {
        struct net_stream *s = secure(&g);
        unsigned asked = g.memory->user_queries;
        g.memory->store_waits = true;
        tell(&g, s, commands[i], "");
        memory_hang_up(g.memory, s);
        memory_run(g.memory);
        g.memory->store_waits = false;
        memory_run(g.memory);
        assert_int_equal(g.memory->user_queries, asked + 1);
    }
    /* The relay itself: it says so and does not wait for the answer. */
    struct net_stream *s = secure(&g);
    g.memory->store_waits = true;
    tell(&g, s, RIGHT, "");
    relay_stop(g.relay);
    memory_run(g.memory);
    check_str(memory_heard(s), "421 4.3.2 Service shutting down\r\n");
    assert_int_equal(g.stopped, 0);
    g.memory->store_waits = false;
    memory_run(g.memory);
    rig_teardown(&g);
}

/* What SCRAM says of a user before any proof: "s=…,i=…". */
static void challenge(struct rig *g, const char *command, char out[128])
{
    struct net_stream *s = secure(g);
    memory_forget(s);
    memory_say(g->memory, s, command);
    memory_run(g->memory);
    struct str line = memory_heard(s);
    struct buf text = {0};
    assert_true(str_starts(line, STR("334 ")) && base64_decode(str_slice(line, 4, line.n - 2), &text));
    size_t at = str_find(buf_str(&text), STR(",s="));
    assert_true(at != STR_NPOS && text.n - at < 128);
    memcpy(out, text.p + at, text.n - at);
    out[text.n - at] = '\0';
    buf_free(&text);
    memory_hang_up(g->memory, s);
    memory_run(g->memory);
}

static void nobody_learns_who_exists(void **state)
{
    (void)state;
    struct rig g;
    begin(&g, LISTENER_AUTH_OFFERED);
    change(&g, "add", "u", "right");
    char u[128], x[128], again[128];
    challenge(&g, "AUTH SCRAM-SHA-256 biwsbj11LHI9YWJj\r\n", u); /* u */
    assert_string_equal(u, ",s=MDEyMzQ1Njc4OWFiY2RlZg==,i=4096");
    change(&g, "disable", "u", NULL);
    challenge(&g, "AUTH SCRAM-SHA-256 biwsbj11LHI9YWJj\r\n", again);
    assert_string_equal(again, u);
    challenge(&g, "AUTH SCRAM-SHA-256 biwsbj14LHI9YWJj\r\n", x); /* x */
    challenge(&g, "AUTH SCRAM-SHA-256 biwsbj1YLHI9YWJj\r\n", again); /* X */
    assert_string_equal(again, x);
    assert_int_equal(strlen(x), strlen(",s=MDEyMzQ1Njc4OWFiY2RlZg==,i=20000"));
    assert_string_equal(strstr(x, ",i="), ",i=20000");
    challenge(&g, "AUTH SCRAM-SHA-256 biwsbj15LHI9YWJj\r\n", again); /* y */
    assert_string_not_equal(again, x);
    rig_restart(&g); /* a salt that changed then would tell who is made up */
    rig_generation(&g, "certificate");
    challenge(&g, "AUTH SCRAM-SHA-256 biwsbj14LHI9YWJj\r\n", again);
    assert_string_equal(again, x);
    rig_teardown(&g);
}

/* Whoever guesses keeps nobody waiting but himself: 2 passwords are with the store, 64 of one client stand in line, and
 * who comes with one goes before them. */
static void guessing_starves_nobody(void **state)
{
    (void)state;
    enum { GUESSERS = 80, WITH_THE_STORE = 2, IN_LINE = 64 };
    struct rig g;
    struct net_stream *guessers[GUESSERS];
    begin(&g, LISTENER_AUTH_OFFERED);
    change(&g, "add", "u", "right");
    for (size_t i = 0; i < GUESSERS; i++) guessers[i] = secure(&g);
    struct net_stream *good = rig_session(&g, "192.0.2.99");
    memory_say(g.memory, good, "STARTTLS\r\n");
    memory_run(g.memory);
    tell(&g, good, "NOOP\r\n", "250 2.0.0 Ok\r\n");
    memory_say(g.memory, good, "EHLO client.example\r\n");
    memory_run(g.memory);

    g.memory->store_waits = true;
    for (size_t i = 0; i < GUESSERS; i++)
        tell(&g, guessers[i], WRONG,
             i < WITH_THE_STORE + IN_LINE ? "" : "454 4.7.0 Too many authentications from your address at once\r\n");
    tell(&g, good, RIGHT, "");
    unsigned before = g.memory->user_queries;
    memory_hang_up(g.memory, guessers[5]); /* one leaves the line */
    g.memory->store_waits = false;
    memory_run(g.memory);
    check_str(memory_heard(good), GOOD);
    check_str(memory_heard(guessers[4]), BAD);
    assert_int_equal(g.memory->user_queries, before + WITH_THE_STORE + IN_LINE - 1 + 1);
    struct str log = log_buffered(g.log), rest;
    size_t at = str_find(log, STR("event=authenticated client=192.0.2.99")), failed = 0;
    assert_true(at != STR_NPOS);
    for (rest = str_slice(log, 0, at); str_find(rest, STR("event=auth-failed")) != STR_NPOS; failed++)
        rest = str_from(rest, str_find(rest, STR("event=auth-failed")) + 1);
    assert_int_equal(failed, WITH_THE_STORE);
    rig_teardown(&g);
}

/* The relay ends while passwords stand in line. */
static void the_line_ends_with_the_relay(void **state)
{
    (void)state;
    struct rig g;
    begin(&g, LISTENER_AUTH_OFFERED);
    struct net_stream *s[5];
    for (int i = 0; i < 5; i++) s[i] = secure(&g);
    g.memory->store_waits = true;
    for (int i = 0; i < 5; i++) tell(&g, s[i], WRONG, "");
    unsigned asked = g.memory->user_queries;
    relay_stop(g.relay);
    memory_run(g.memory);
    for (int i = 0; i < 5; i++) check_str(memory_heard(s[i]), "421 4.3.2 Service shutting down\r\n");
    g.memory->store_waits = false;
    memory_run(g.memory);
    assert_int_equal(g.memory->user_queries, asked + 2); /* those that the store had already */
    rig_teardown(&g);
}

/* Hostile requests at the control socket. */
static void control_requests(void **state)
{
    (void)state;
    struct rig g;
    begin(&g, LISTENER_AUTH_OFFERED);
    change(&g, "add", "U", "right");
    struct net_stream *c = memory_dial(g.memory, "control", "");
    assert_non_null(strstr(rig_ask(&g, c, ask_user), "{\"user\":\"u\",\"disabled\":false,\"created\":"));
    const struct {
        const char *request, *error;
    } bad[] = {
        {"{\"v\":1,\"op\":\"user remove\"}\n", "a user's name is"},
        {"{\"v\":1,\"op\":\"user remove\",\"user\":\"a\\u0001b\"}\n", "a user's name is"},
        {"{\"v\":1,\"op\":\"user remove\",\"user\":\"x\"}\n", "there is no such user"},
        {"{\"v\":1,\"op\":\"user add\",\"user\":\"x\"}\n", "make no secret"},
        {"{\"v\":1,\"op\":\"user password\",\"user\":\"u\",\"iterations\":4294971392,\"salt\":\"\"}\n",
         "make no secret"},
        {"{\"v\":1,\"op\":\"user add\",\"user\":\"x\",\"iterations\":4096,\"salt\":\"MDEyMzQ1Njc4OWFiY2RlZg==\","
         "\"stored_key\":\"AAAA\",\"server_key\":\"AAAA\"}\n",
         "make no secret"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *answer = rig_ask(&g, c, bad[i].request);
        if (!strstr(answer, bad[i].error)) fail_msg("%s: %s", bad[i].request, answer);
    }
    g.memory->peer_uid = 1000;
    assert_non_null(strstr(rig_ask(&g, c, "{\"v\":1,\"op\":\"user remove\",\"user\":\"u\"}\n"), "may change things"));
    assert_non_null(strstr(rig_ask(&g, c, ask_user), "\"user\":\"u\""));
    rig_teardown(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_may_send),    cmocka_unit_test(required),
        cmocka_unit_test(the_store_takes_its_time), cmocka_unit_test(somebody_leaves),
        cmocka_unit_test(nobody_learns_who_exists), cmocka_unit_test(control_requests),
        cmocka_unit_test(guessing_starves_nobody), cmocka_unit_test(the_line_ends_with_the_relay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
