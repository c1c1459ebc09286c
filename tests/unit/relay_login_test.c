/* relay/: AUTH to a smart host: once a connection, only inside TLS to a verified peer; and what happens when it
 * fails. */
#include <stdio.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/relay_rig.h"

#define RIGHT "AHVzZXIAcmlnaHQ=\n" /* "\0user\0right" */

static void begin(struct rig *g)
{
    rig_setup(g);
    g->connectors[0].host = STR("one.example, two.example");
    g->connectors[0].user = STR("user");
    g->connectors[0].password_file = STR("/etc/sluice/password");
    g->connectors[0].tls = CONNECTOR_TLS_VERIFIED;
    g->password = "right";
    for (int i = 0; i < 2; i++) {
        struct memory_server *v = &g->memory->servers[i];
        v->port = RIG_PORT;
        v->host = i ? "two.example" : "one.example";
        v->starttls = v->certificate_good = true;
        v->auth = "PLAIN";
    }
    rig_start(g);
}

static void send(struct rig *g)
{
    struct net_stream *s = rig_session(g, "10.0.0.1");
    const char *answer = rig_send(g, s, "a@corp.example", "b@partner.example", rig_mail);
    if (strncmp(answer, "250", 3) != 0) fail_msg("%s", answer);
    memory_hang_up(g->memory, s);
    memory_run(g->memory);
}

/* No password in a log, whatever happened; none in clear. */
static void end(struct rig *g)
{
    static const char *const secrets[] = {"right", "AHVz", "changed"};
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        assert_false(rig_log_has(g, secrets[i]));
        for (int k = 0; k < 2; k++)
            assert_int_equal(str_find(buf_str(&g->memory->servers[k].clear), str_of(secrets[i])), STR_NPOS);
    }
    rig_teardown(g);
}

static void once_a_connection(void **state)
{
    (void)state;
    struct rig g;
    begin(&g);
    send(&g);
    send(&g);
    const struct memory_server *v = &g.memory->servers[0];
    assert_int_equal(v->mail_count, 2);
    assert_int_equal(v->connections, 1);
    check_buf(&v->logins, RIGHT);
    assert_int_equal(memory_stored(g.memory), 0);
    end(&g);
}

/* Each of these keeps the mail, and the password. */
static void where_it_does_not_go(void **state)
{
    (void)state;
    static const struct {
        bool starttls, certificate;
        const char *auth, *reason;
    } rows[] = {
        {false, true, "PLAIN", "4.7.4 TLS required but not offered by"},
        {true, false, "PLAIN", "4.7.5 TLS required but the handshake failed with two.example:2600: the certificate"},
        {true, true, NULL, "4.7.0 two.example:2600: a user is set, but AUTH by"},
        {true, true, "GSSAPI CRAM-MD5", "4.7.0 two.example:2600: a user is set, but AUTH by"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig g;
        begin(&g);
        for (int k = 0; k < 2; k++) {
            g.memory->servers[k].starttls = rows[i].starttls;
            g.memory->servers[k].certificate_good = rows[i].certificate;
            g.memory->servers[k].auth = rows[i].auth;
        }
        send(&g);
        if (strncmp(rig_reason(&g), rows[i].reason, strlen(rows[i].reason)) != 0)
            fail_msg("row %zu: %s", i, rig_reason(&g));
        assert_int_equal(memory_stored(g.memory), 1);
        for (int k = 0; k < 2; k++) {
            assert_int_equal(g.memory->servers[k].connections, 1);
            assert_int_equal(g.memory->servers[k].logins.n + rig_mails(&g, k), 0);
        }
        end(&g);
    }
}

static void a_wrong_password_keeps_the_mail(void **state)
{
    (void)state;
    static const char *const replies[] = {"535 5.7.8 not you", "454 4.7.0 later", "550 5.7.1 go away", "421 4.3.2 bye"};
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        struct rig g;
        begin(&g);
        g.memory->servers[0].auth_reply = g.memory->servers[1].auth_reply = replies[i];
        send(&g);
        send(&g); /* shares the failure: nobody is locked out for our trying again and again */
        assert_int_equal(memory_stored(g.memory), 2);
        assert_memory_equal(rig_reason(&g), replies[i], strlen(replies[i]));
        assert_int_equal(g.memory->servers[0].connections, 1);
        assert_int_equal(g.memory->servers[1].connections, 1);
        assert_int_equal(i == 3, !rig_log_has(&g, "refuses the user of connector default"));
        g.memory->servers[0].auth_reply = NULL;
        memory_advance(g.memory, 300000);
        assert_int_equal(memory_stored(g.memory), 0);
        assert_int_equal(rig_mails(&g, 0), 2);
        end(&g);
    }
}

static void it_comes_back_in_the_end_as_expired(void **state)
{
    (void)state;
    struct rig g;
    begin(&g);
    g.memory->servers[0].auth_reply = g.memory->servers[1].auth_reply = "535 5.7.8 not you";
    send(&g);
    memory_advance(g.memory, (int64_t)7300 * 1000);
    assert_true(rig_log_has(&g, "5.4.7 Delivery time expired; last: 535 5.7.8 not you"));
    end(&g);
}

static void the_next_host_may_know_us(void **state)
{
    (void)state;
    struct rig g;
    begin(&g);
    g.memory->servers[0].auth_reply = "535 5.7.8 not you";
    send(&g);
    assert_int_equal(rig_mails(&g, 1), 1);
    check_buf(&g.memory->servers[1].logins, RIGHT);
    assert_int_equal(memory_stored(g.memory), 0);
    end(&g);
}

static void a_reload_brings_the_new_password(void **state)
{
    (void)state;
    struct rig g;
    begin(&g);
    send(&g);
    g.password = "changed";
    rig_generation(&g, NULL);
    send(&g);
    check_buf(&g.memory->servers[0].logins, RIGHT "AHVzZXIAY2hhbmdlZA==\n");
    assert_int_equal(rig_mails(&g, 0), 2);
    /* The user is taken away: so is AUTH, and the host says what it thinks of that. */
    g.connectors[0].user = g.connectors[0].password_file = STR("");
    g.password = NULL;
    rig_generation(&g, NULL);
    send(&g);
    assert_memory_equal(rig_reason(&g), "530 5.7.0 ", 10);
    assert_int_equal(memory_stored(g.memory), 1);
    end(&g);
}

/* What the supervisor did not send, or sent for nobody, is no generation. */
static void the_supervisor_is_held_to_it(void **state)
{
    (void)state;
    struct rig g;
    begin(&g);
    g.password = NULL;
    rig_generation(&g, NULL);
    assert_true(str_find(buf_str(&g.memory->said), STR("connector default has no password")) != STR_NPOS);
    g.password = "right";
    g.connectors[0].user = g.connectors[0].password_file = STR("");
    rig_generation(&g, NULL);
    assert_true(str_find(buf_str(&g.memory->said), STR("does not fit the settings")) != STR_NPOS);
    send(&g); /* the first one is in force */
    assert_int_equal(rig_mails(&g, 0), 1);
    end(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(once_a_connection),
        cmocka_unit_test(where_it_does_not_go),
        cmocka_unit_test(a_wrong_password_keeps_the_mail),
        cmocka_unit_test(it_comes_back_in_the_end_as_expired),
        cmocka_unit_test(the_next_host_may_know_us),
        cmocka_unit_test(a_reload_brings_the_new_password),
        cmocka_unit_test(the_supervisor_is_held_to_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
