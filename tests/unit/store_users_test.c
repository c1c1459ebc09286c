/* Users in the store: what is done to them by hand, looking one up, passwords held against what is stored, older
 * forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "tests/support/store_driver.h"

static char *state;
static struct driver driver;

static void begin(void)
{
    struct err e = {0};
    if (!driver_open(&driver, state, NULL, &e)) fail_msg("%s", e.text);
}

static int set_up(void **unused)
{
    (void)unused;
    state = directory_temporary();
    begin();
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    driver_close(&driver);
    directory_remove(state);
    free(state);
    return 0;
}

/* The status: 0, or the error's. */
static int change(enum change_kind kind, const char *name, const char *password, int64_t now)
{
    struct store_change c = {.kind = kind, .user = {.name = str_of(name)}, .now = now};
    struct answer a;
    if (password)
        scram_secret_of(str_of(password), (const uint8_t *)"0123456789abcdef", SCRAM_ITERATIONS, &c.user.secret);
    driver_change(&driver, &c, &a);
    driver_run(&driver);
    return a.ok ? 0 : a.err.sysexit;
}

struct seen {
    struct answer answer; /* first: it is the owner */
    size_t n;
    char names[256];
    struct stored_user last;
    bool password_is;
};

static void on_user(void *owner, const struct stored_user *u, bool password_is)
{
    struct seen *s = owner;
    s->n++;
    snprintf(s->names + strlen(s->names), sizeof s->names - strlen(s->names), "%.*s%s ", STR_ARG(u->name),
             u->disabled ? "-" : "");
    s->last = *u;
    s->password_is = password_is;
}

static struct seen ask(int kind, const char *name, const char *password)
{
    struct seen s = {0};
    struct store_query q = {.kind = kind,
                            .user_name = str_of(name),
                            .password = password ? str_of(password) : STR_NONE,
                            .user = on_user};
    driver_query(&driver, &q, &s.answer);
    while (!s.answer.answered) driver_turn(&driver);
    return s;
}

static bool is_password(const char *name, const char *password)
{
    struct seen s = ask(QUERY_USER, name, password);
    assert_true(s.answer.ok);
    return s.n == 1 && s.password_is;
}

static void by_hand(void **unused)
{
    (void)unused;
    assert_string_equal(ask(QUERY_USERS, "", NULL).names, "");
    assert_int_equal(change(CHANGE_USER_ADD, "zoë", "z", 7), 0);
    assert_int_equal(change(CHANGE_USER_ADD, "anna", "one", 1234), 0);
    assert_int_equal(change(CHANGE_USER_ADD, "anna", "two", 1), EX_CANTCREAT);
    assert_string_equal(ask(QUERY_USERS, "", NULL).names, "anna zoë ");
    struct seen s = ask(QUERY_USER, "anna", NULL);
    assert_int_equal(s.n, 1);
    assert_false(s.password_is); /* it was not asked */
    assert_int_equal(s.last.created, 1234);
    assert_int_equal(s.last.secret.iterations, SCRAM_ITERATIONS);
    assert_memory_equal(s.last.secret.salt, "0123456789abcdef", SCRAM_SALT_SIZE);
    assert_true(is_password("anna", "one"));
    assert_false(is_password("anna", "two") || is_password("anna", "") || is_password("Anna", "one"));
    assert_false(is_password("nobody", "one"));

    assert_int_equal(change(CHANGE_USER_PASSWORD, "anna", "two", 9), 0);
    assert_int_equal(change(CHANGE_USER_DISABLE, "anna", NULL, 9), 0);
    assert_string_equal(ask(QUERY_USERS, "", NULL).names, "anna- zoë ");
    assert_true(is_password("anna", "two")); /* `disabled` says the rest */
    driver_close(&driver);
    begin();
    assert_string_equal(ask(QUERY_USERS, "", NULL).names, "anna- zoë ");
    assert_int_equal(ask(QUERY_USER, "anna", NULL).last.created, 1234);
    assert_int_equal(change(CHANGE_USER_ENABLE, "anna", NULL, 9), 0);
    assert_int_equal(change(CHANGE_USER_REMOVE, "zoë", NULL, 9), 0);
    assert_string_equal(ask(QUERY_USERS, "", NULL).names, "anna ");
    const enum change_kind kinds[] = {CHANGE_USER_PASSWORD, CHANGE_USER_REMOVE, CHANGE_USER_DISABLE,
                                      CHANGE_USER_ENABLE};
    for (size_t i = 0; i < 4; i++) assert_int_equal(change(kinds[i], "zoë", "x", 9), EX_NOINPUT);
}

static void run_sql(const char *sql)
{
    char path[4096];
    sqlite3 *db;
    char *why = NULL;
    snprintf(path, sizeof path, "%s/queue.db", state);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) fail_msg("%s", why);
    sqlite3_close(db);
}

/* A row that makes no sense lets nobody in, and is told apart from a user who is not there. */
static void damaged_rows(void **unused)
{
    (void)unused;
    const char *const damage[] = {"salt=x'00'", "iterations=1", "iterations=4294971392", "stored_key=x''",
                                  "server_key=zeroblob(33)"};
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        char sql[128];
        assert_int_equal(change(CHANGE_USER_ADD, "anna", "one", 1), 0);
        driver_close(&driver);
        snprintf(sql, sizeof sql, "UPDATE users SET %s", damage[i]);
        run_sql(sql);
        begin();
        struct seen s = ask(QUERY_USER, "anna", "one");
        assert_false(s.answer.ok);
        assert_int_equal(s.answer.err.sysexit, EX_DATAERR);
        assert_int_equal(s.n, 0);
        assert_int_equal(change(CHANGE_USER_REMOVE, "anna", NULL, 1), 0);
    }
}

/* What the forms after these brought. */
#define NO_LATER_COLUMNS                                                                                               \
    "ALTER TABLE messages DROP COLUMN evidence;"                                                                       \
    "ALTER TABLE messages DROP COLUMN edited; ALTER TABLE messages DROP COLUMN seal; ALTER TABLE copies DROP COLUMN "  \
    "seal;"                                                                                                            \
    "ALTER TABLE recipients DROP COLUMN seal;"

/* A queue of an older version, messages in it, is taken over as it is. */
static void older_form(void **unused)
{
    (void)unused;
    driver_close(&driver);
    run_sql("DROP TABLE users; DROP TABLE secrets;" NO_LATER_COLUMNS "PRAGMA user_version=4");
    begin();
    assert_int_equal(change(CHANGE_USER_ADD, "anna", "one", 1), 0);
    assert_true(is_password("anna", "one"));
}

/* What is made up of it must outlive a restart, and no two stores share it. */
static void the_secret_stays(void **unused)
{
    (void)unused;
    uint8_t first[STORE_SECRET_SIZE], again[STORE_SECRET_SIZE];
    static const uint8_t nothing[STORE_SECRET_SIZE];
    driver.port.secret(driver.port.self, first);
    assert_memory_not_equal(first, nothing, sizeof first);
    driver_close(&driver);
    begin();
    driver.port.secret(driver.port.self, again);
    assert_memory_equal(first, again, sizeof first);
    driver_close(&driver);
    run_sql("UPDATE secrets SET value=x'00'");
    begin();
    driver.port.secret(driver.port.self, again);
    assert_memory_not_equal(first, again, sizeof first);
    assert_memory_not_equal(again, nothing, sizeof first);
    driver_close(&driver);
    run_sql("DROP TABLE secrets;" NO_LATER_COLUMNS "PRAGMA user_version=5");
    begin();
    driver.port.secret(driver.port.self, first);
    assert_memory_not_equal(first, again, sizeof first);
}

/* The queue is read while passwords are hashed: fifty of them are half a second of work, one page is not. */
static void reading_does_not_wait_for_passwords(void **unused)
{
    (void)unused;
    enum { PASSWORDS = 50 };
    static struct seen checks[PASSWORDS];
    static struct store_query queries[PASSWORDS];
    assert_int_equal(change(CHANGE_USER_ADD, "anna", "one", 1), 0);
    for (size_t i = 0; i < PASSWORDS; i++) {
        checks[i] = (struct seen){0};
        queries[i] = (struct store_query){
            .kind = QUERY_USER, .user_name = STR("anna"), .password = STR("wrong"), .user = on_user};
        driver_query(&driver, &queries[i], &checks[i].answer);
    }
    assert_int_equal(ask(QUERY_USERS, "", NULL).n, 1);
    size_t hashed = 0;
    for (size_t i = 0; i < PASSWORDS; i++) hashed += checks[i].answer.answered;
    assert_in_range(hashed, 0, PASSWORDS / 2);
    driver_run(&driver);
    for (size_t i = 0; i < PASSWORDS; i++)
        assert_true(checks[i].answer.ok && checks[i].n == 1 && !checks[i].password_is);
}

static int64_t cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* CPU time of a whole look-up: nobody's costs what a user's costs. */
static void nobody_costs_the_same(void **unused)
{
    (void)unused;
    enum { ROUNDS = 15 };
    int64_t least[2] = {INT64_MAX, INT64_MAX};
    assert_int_equal(change(CHANGE_USER_ADD, "anna", "one", 1), 0);
    for (int i = 0; i < 2 * ROUNDS; i++) {
        int64_t began = cpu_us();
        is_password(i & 1 ? "nobody" : "anna", "wrong");
        int64_t took = cpu_us() - began;
        if (took < least[i & 1]) least[i & 1] = took;
    }
    if (least[1] * 2 < least[0] || least[0] * 2 < least[1])
        fail_msg("anna: %lld us, nobody: %lld us", (long long)least[0], (long long)least[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(by_hand, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(older_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_secret_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reading_does_not_wait_for_passwords, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_costs_the_same, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
