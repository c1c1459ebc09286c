/* The relay's settings from a configuration's declarations, with their defaults, and through the encoded block. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "builder/build.h"
#include "mail/evidence.h"
#include "tests/support/compiled.h"
#include "tests/support/store_driver.h"

static struct arena *arena;
static struct program *program;

static int tear_down(void **unused)
{
    (void)unused;
    program_free(&program);
    arena_free(&arena);
    return 0;
}

/* Compiles a configuration of its own directory; its name is config.sluice there. */
static bool settings_of(const char *text, struct settings *out, struct err *e)
{
    char *directory = directory_temporary();
    struct buf path = {0}, diagnostics = {0};
    buf_printf(&path, "%s/config.sluice%c", directory, 0);
    FILE *f = fopen(path.p, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    arena = arena_create();
    program = build_compile(path.p, &diagnostics);
    if (!program) fail_msg("%.*s", STR_ARG(buf_str(&diagnostics)));
    struct settings first;
    struct buf block = {0};
    bool ok = settings_from_program(arena, program, path.p, &first, e);
    if (ok) {
        settings_encode(&first, &block);
        ok = settings_decode(arena, buf_str(&block), out, e);
    }
    if (ok && out->state.n && out->state.p[0] == '/' && str_starts(out->state, str_of(directory)))
        out->state = str_from(out->state, strlen(directory) + 1); /* joined with the configuration's directory */
    directory_remove(directory);
    free(directory);
    buf_free(&path);
    buf_free(&diagnostics);
    buf_free(&block);
    return ok;
}

static void assert_str(struct str got, const char *want)
{
    if (!str_eq(got, str_of(want))) fail_msg("got \"%.*s\", want \"%s\"", STR_ARG(got), want);
}

static void everything_said(void **unused)
{
    struct settings s;
    struct err e = {0};
    (void)unused;
    if (!settings_of("list nets of network = 127.0.0.0/8, 2001:db8::/32\n"
                     "list ours of domain = \"corp.example\", \"*.corp.example\"\n"
                     "relay hostname \"relay.corp.example\" internal ours state \"run/state\" control \"/tmp/c.sock\" "
                     "user \"mail\"\n"
                     " judge_user \"nobody\" sandbox off memory 64 MB free_space 10 MB message_size 1 MB judges 3 "
                     "partial_reject dsn evidence place\n"
                     "listener \"a\" address \"127.0.0.1:2525\" relay_for nets domains ours\n"
                     "listener \"b\" address \"[::1]:26\" certificate \"c.pem\" key \"k.pem\" auth required\n"
                     "connector \"default\" host \"mx.example\" port 2526 tls verified name \"name.example\"\n"
                     "connector \"s\" host \"s.example\" user \"me\" password_file \"/s.password\"\n"
                     "connector \"c\" host \"192.0.2.1\" tls none domains ours\n"
                     "retry first 2 seconds longest 3 minutes until 4 hours\n",
                     &s, &e))
        fail_msg("%s", e.text);
    assert_str(s.hostname, "relay.corp.example");
    assert_str(s.state, "run/state");
    assert_str(s.control, "/tmp/c.sock");
    assert_str(s.user, "mail");
    assert_str(s.judge_user, "nobody");
    assert_false(s.sandbox);
    assert_int_equal(s.memory, 64 << 20);
    assert_int_equal(s.free_space, 10 << 20);
    assert_int_equal(s.message_size, 1 << 20);
    assert_int_equal(s.judges, 3);
    assert_int_equal(s.partial_reject, 2);
    assert_int_equal(s.evidence, EVIDENCE_PLACE);
    assert_int_equal(s.retry_first, 2);
    assert_int_equal(s.retry_most, 180);
    assert_int_equal(s.retry_until, 4 * 3600);
    assert_true(domains_contain(&s.internal, STR("corp.example")));
    assert_true(domains_contain(&s.internal, STR("x.corp.example")));
    assert_false(domains_contain(&s.internal, STR("example")));
    assert_int_equal(s.listener_count, 2);
    assert_str(s.listeners[0].name, "a");
    assert_str(s.listeners[0].ip, "127.0.0.1");
    assert_int_equal(s.listeners[0].port, 2525);
    assert_true(ranges_contain(&s.listeners[0].relay_for, STR("127.9.9.9")));
    assert_true(ranges_contain(&s.listeners[0].relay_for, STR("2001:db8::7")));
    assert_false(ranges_contain(&s.listeners[0].relay_for, STR("128.0.0.1")));
    assert_str(s.listeners[1].ip, "::1");
    assert_int_equal(s.listeners[1].port, 26);
    assert_int_equal(s.listeners[0].auth, LISTENER_AUTH_OFF);
    assert_int_equal(s.listeners[1].auth, LISTENER_AUTH_REQUIRED);
    assert_int_equal(s.listeners[1].relay_for.n, 0); /* nobody, not everybody */
    assert_int_equal(s.connector_count, 3);
    assert_int_equal(s.connectors[1].tls, CONNECTOR_TLS_VERIFIED); /* a password goes nowhere else */
    assert_str(s.connectors[1].user, "me");
    assert_str(s.connectors[1].password_file, "/s.password");
    assert_int_equal(s.connectors[0].tls, CONNECTOR_TLS_VERIFIED);
    assert_str(s.connectors[0].tls_name, "name.example");
    assert_int_equal(s.connectors[2].port, 25);
    assert_int_equal(s.connectors[2].tls, CONNECTOR_TLS_NONE);
    assert_int_equal(s.connectors[2].user.n, 0);
    assert_ptr_equal(settings_route(&s, STR("corp.example")), &s.connectors[2]);
    assert_ptr_equal(settings_route(&s, STR("else.example")), &s.connectors[0]);
}

/* Wherever it was compiled: paths begin where the program stands that is loaded, rules are told in the order they
 * run. */
static void a_program_that_was_compiled_elsewhere(void **unused)
{
    const struct str source = STR("relay hostname \"r\" state \"run/state\" control \"/tmp/c.sock\"\n"
                                  "listener \"a\" address \"127.0.0.1:25\" certificate \"c.pem\" key \"k.pem\"\n"
                                  "connector \"default\" host \"h\" trust \"ca.pem\"\n"
                                  "rule \"second\" when encrypted then log \"x\"\n"
                                  "rule \"first\" priority 1 mode audit when encrypted then log \"y\"\n");
    struct compiled c;
    struct err e = {0};
    struct settings first, s;
    struct buf block = {0};
    (void)unused;
    struct program *p = compiled_program(&c, source);
    arena = arena_create();
    assert_true(settings_from_program(arena, p, "/etc/sluice/policy.sluicec", &first, &e));
    settings_encode(&first, &block);
    assert_true(settings_decode(arena, buf_str(&block), &s, &e));
    assert_str(s.state, "/etc/sluice/run/state");
    assert_str(s.control, "/tmp/c.sock");
    assert_str(s.listeners[0].certificate, "/etc/sluice/c.pem");
    assert_str(s.listeners[0].key, "/etc/sluice/k.pem");
    assert_str(s.connectors[0].trust, "/etc/sluice/ca.pem");
    assert_int_equal(s.rule_count, 2);
    assert_str(s.rules[0].name, "first");
    assert_str(s.rules[0].mode, "audit");
    assert_int_equal(s.rules[0].line, 5);
    assert_str(s.files[s.rules[0].file], "policy.sluice");
    assert_str(s.rules[1].name, "second");
    assert_str(s.rules[1].mode, "enforce");
    assert_true(settings_from_program(arena, p, "policy.sluicec", &s, &e));
    assert_str(s.state, "run/state");
    buf_free(&block);
    compiled_close(&c);
}

static void defaults(void **unused)
{
    struct settings s;
    struct err e = {0};
    (void)unused;
    if (!settings_of("relay hostname \"r.example\"\nlistener \"a\" address \"127.0.0.1:25\"\n", &s, &e))
        fail_msg("%s", e.text);
    assert_true(s.sandbox);
    assert_str(s.state, "/var/lib/sluice");
    assert_str(s.control, "/run/sluice/control.sock");
    assert_int_equal(s.memory, 256 << 20);
    assert_int_equal(s.free_space, 256 << 20);
    assert_int_equal(s.message_size, 50 << 20);
    assert_int_equal(s.judges, 0);
    assert_int_equal(s.partial_reject, 0);
    assert_int_equal(s.evidence, EVIDENCE_EXCERPT);
    assert_int_equal(s.retry_first, 60);
    assert_int_equal(s.retry_most, 3600);
    assert_int_equal(s.retry_until, 5 * 86400);
    assert_int_equal(s.user.n, 0);
}

static void what_must_be_there(void **unused)
{
    struct settings s;
    struct err e = {0};
    (void)unused;
    assert_false(settings_of("listener \"a\" address \"127.0.0.1:25\"\n", &s, &e));
    assert_int_equal(e.sysexit, EX_CONFIG);
    tear_down(NULL);
    assert_false(settings_of("relay hostname \"r.example\"\n", &s, &e));
    assert_int_equal(e.sysexit, EX_CONFIG);
}

static void a_broken_configuration_still_names_its_state(void **unused)
{
    (void)unused;
    char *directory = directory_temporary();
    arena = arena_create();
    struct str path = arena_printf(arena, "%s/c.sluice", directory);
    FILE *f = fopen(path.p, "w");
    assert_non_null(f);
    fputs(
        "when subjekt contains \"x\" then rejekt\nrelay hostname \"r\" state \"st\" control \"c\"\nlistener listener\n",
        f);
    fclose(f);
    struct str state = build_salvage_state(arena, path.p);
    assert_true(str_starts(state, str_of(directory)) && str_ends(state, STR("/st")));
    assert_int_equal(build_salvage_state(arena, "/nonexistent/file").n, 0);
    directory_remove(directory);
    free(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(everything_said, tear_down),
        cmocka_unit_test_teardown(a_program_that_was_compiled_elsewhere, tear_down),
        cmocka_unit_test_teardown(defaults, tear_down),
        cmocka_unit_test_teardown(what_must_be_there, tear_down),
        cmocka_unit_test_teardown(a_broken_configuration_still_names_its_state, tear_down),
    };
    return cmocka_run_group_tests_name("builder: settings", tests, NULL, NULL);
}
