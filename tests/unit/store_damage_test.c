/* Rows, files and a log that changed on the disk: never sent, never weakened, told; and what nobody changed is
 * whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "store/log_file.h"
#include "tests/support/store_driver.h"

enum { TWO = 2 };
static char *state;
static struct driver driver;
static struct stored_recipient stored[TWO];
static const char content[] = "Subject: x\r\n\r\nbody\r\n";

static void open_or_fail(void)
{
    struct err e = {0};
    if (!driver_open(&driver, state, NULL, &e)) fail_msg("%s", e.text);
}

static struct answer put(struct store_write *w)
{
    struct answer a;
    driver_write(&driver, w, &a);
    driver_run(&driver);
    return a;
}

/* "M": to `one` the content itself, to `two`, held and with a demand, a form of it with a header inserted. */
static void message(const char *id)
{
    struct piece whole = {.to = sizeof content - 1};
    struct piece edited[] = {{.insert = STR("X: 1\r\n")}, {.to = sizeof content - 1}};
    struct stored_copy copies[] = {{.pieces = {&whole, 1}, .length = sizeof content - 1},
                                   {.pieces = {edited, 2}, .length = sizeof content - 1 + 6}};
    memset(stored, 0, sizeof stored);
    stored[0] = (struct stored_recipient){.address = STR("one@x.example"), .next_try = 1, .expires = 900};
    stored[1] = (struct stored_recipient){.address = STR("two@x.example"),
                                          .state = RECIPIENT_HELD,
                                          .need = {.peer = TLS_PEER_VERIFIED},
                                          .copy = 1,
                                          .reason = STR("look"),
                                          .expires = 900};
    struct stored_message m = {.queue_id = str_of(id),
                               .arrived = 1,
                               .reverse_path = STR("from@x.example"),
                               .size = sizeof content - 1,
                               .content = {content, sizeof content - 1},
                               .copies = copies,
                               .copy_count = 2,
                               .recipients = stored,
                               .recipient_count = TWO};
    assert_true(put(&(struct store_write){.messages = &m, .message_count = 1}).ok);
}

static void run_sql(const char *sql)
{
    char path[4200];
    sqlite3 *db;
    char *why = NULL;
    snprintf(path, sizeof path, "%s/queue.db", state);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) fail_msg("%s", why);
    sqlite3_close(db);
}

/* The states of both as a delivery or a listing sees them, and whether the message can be read whole. */
static void look(struct str id, uint8_t states[TWO], bool *whole)
{
    struct read_back back;
    driver_read(&driver, QUERY_QUEUE, id, &back);
    assert_true(back.answer.ok);
    for (size_t i = 0; i < TWO; i++) states[i] = back.messages[0].recipients[i].state;
    read_back_free(&back);
    driver_read(&driver, QUERY_MESSAGE, id, &back);
    *whole = back.answer.ok;
    if (!back.answer.ok) assert_int_equal(back.answer.err.sysexit, EX_DATAERR);
    read_back_free(&back);
}

static void changed_rows(void **unused)
{
    (void)unused;
    static const struct {
        const char *sql;
        bool one_is_damaged, two_is_damaged, readable;
    } table[] = {
        {"UPDATE recipients SET attempts=attempts", false, false, true},
        {"UPDATE recipients SET address='onf@x.example' WHERE address='one@x.example'", true, false, true},
        {"UPDATE recipients SET state=0 WHERE state=1", false, true, true},
        {"UPDATE recipients SET need='none' WHERE state=1", false, true, true},
        {"UPDATE recipients SET need='encrypt' WHERE state=1", false, true, true},
        {"UPDATE recipients SET copy=0 WHERE copy=1", false, true, true},
        {"UPDATE recipients SET connector='b'", true, true, true},
        {"UPDATE recipients SET notify=1", true, true, true},
        {"UPDATE recipients SET orcpt='rfc822;a@b'", true, true, true},
        {"UPDATE recipients SET seal=seal+1", true, true, true},
        {"UPDATE messages SET reverse_path='fron@x.example'", true, true, false},
        {"UPDATE messages SET flags=flags+4", true, true, false},
        {"UPDATE messages SET envid='e'", true, true, false},
        {"UPDATE messages SET copies=3", true, true, false},
        {"UPDATE messages SET edited=0", true, true, false},
        {"UPDATE copies SET pieces=CAST(replace(CAST(pieces AS TEXT), 'X: 1', 'X: 2') AS BLOB)", false, false, false},
        {"UPDATE copies SET id=id-1", false, false, false},
        {"DELETE FROM copies", false, false, false},
        {"UPDATE contents SET body=CAST('x' AS BLOB)", false, false, false},
        {"DELETE FROM contents", false, false, false},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        uint8_t states[TWO];
        bool whole;
        run_sql("DELETE FROM messages; DELETE FROM recipients; DELETE FROM copies; DELETE FROM contents");
        open_or_fail();
        message("M");
        driver_close(&driver);
        run_sql(table[i].sql);
        open_or_fail();
        look(STR("M"), states, &whole);
        driver_close(&driver);
        if (states[0] != (table[i].one_is_damaged ? RECIPIENT_DAMAGED : RECIPIENT_QUEUED) ||
            states[1] != (table[i].two_is_damaged ? RECIPIENT_DAMAGED : RECIPIENT_HELD) || whole != table[i].readable)
            fail_msg("%s: states %d %d, %s", table[i].sql, states[0], states[1], whole ? "whole" : "not whole");
    }
}

static void by_hand(enum change_kind kind, int64_t id, const char *text)
{
    struct answer a;
    struct store_change c = {.kind = kind, .recipients = &id, .recipient_count = 1, .text = str_of(text), .now = 5};
    driver_change(&driver, &c, &a);
    driver_run(&driver);
    assert_true(a.ok && c.changed == 1);
}

/* What is changed by hand is whole afterwards; what was not, does not become so. */
static void changes_by_hand(void **unused)
{
    (void)unused;
    uint8_t states[TWO];
    bool whole;
    open_or_fail();
    message("M");
    int64_t one = stored[0].id, two = stored[1].id;
    by_hand(CHANGE_HOLD, one, "wait");
    by_hand(CHANGE_RELEASE, two, "");
    look(STR("M"), states, &whole);
    assert_int_equal(states[0], RECIPIENT_HELD);
    assert_int_equal(states[1], RECIPIENT_QUEUED);
    by_hand(CHANGE_REDIRECT, one, "else@x.example");
    by_hand(CHANGE_REDIRECT, one, "again@x.example");
    by_hand(CHANGE_RETRY, two, "");
    struct outcome o = {.recipient = two, .kind = OUTCOME_RETRY, .reason = STR("busy"), .attempts = 1, .next_try = 9};
    assert_true(put(&(struct store_write){.outcomes = &o, .outcome_count = 1}).ok);
    look(STR("M"), states, &whole);
    assert_int_equal(states[0], RECIPIENT_QUEUED);
    assert_int_equal(states[1], RECIPIENT_QUEUED);
    assert_true(whole);
    by_hand(CHANGE_DAMAGED, two, "so it is");
    struct read_back back;
    driver_read(&driver, QUERY_QUEUE, STR("M"), &back);
    assert_true(str_eq(back.messages[0].recipients[1].reason, STR("so it is")));
    read_back_free(&back);
    driver_close(&driver);

    run_sql("UPDATE recipients SET address='c@x.example' WHERE address='again@x.example'");
    open_or_fail();
    by_hand(CHANGE_HOLD, one, "wait");
    by_hand(CHANGE_RELEASE, one, "");
    look(STR("M"), states, &whole);
    assert_int_equal(states[0], RECIPIENT_DAMAGED);
    driver_close(&driver);
}

/* A queue of the form before seals: read as it always was, and what comes then is sealed. */
static void older_form(void **unused)
{
    (void)unused;
    uint8_t states[TWO];
    bool whole;
    open_or_fail();
    message("M");
    driver_close(&driver);
    run_sql("ALTER TABLE messages DROP COLUMN seal; ALTER TABLE messages DROP COLUMN edited;"
            "ALTER TABLE messages DROP COLUMN evidence; ALTER TABLE copies DROP COLUMN seal; ALTER TABLE recipients "
            "DROP COLUMN seal; PRAGMA user_version=6");
    open_or_fail();
    message("N");
    for (const char *id = "MN"; *id; id++) {
        look((struct str){id, 1}, states, &whole);
        assert_true(whole && states[0] == RECIPIENT_QUEUED && states[1] == RECIPIENT_HELD);
    }
    driver_close(&driver);
}

/* A column that our statements name is gone: damage with its reason, and no busy database to be tried again. */
static void damaged_schema(void **unused)
{
    (void)unused;
    struct err e = {0};
    open_or_fail();
    driver_close(&driver);
    run_sql("ALTER TABLE recipients RENAME COLUMN copy TO cops");
    assert_false(driver_open(&driver, state, NULL, &e));
    assert_int_equal(e.sysexit, EX_DATAERR);
}

/* --- the log ------------------------------------------------------------------------------------------------------ */

static int open_file(const char *name)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", state, name);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void flip(int fd, off_t at)
{
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
}

/* Frames of the log's present salt, as it stands. */
static long frames(int fd)
{
    uint8_t header[LOG_HEADER], frame[LOG_FRAME_HEADER];
    long n = 0;
    assert_int_equal(pread(fd, header, sizeof header, 0), sizeof header);
    while (pread(fd, frame, sizeof frame, LOG_HEADER + n * LOG_FRAME) == sizeof frame &&
           memcmp(frame + 8, header + LOG_SALT_AT, LOG_SALT) == 0)
        n++;
    return n;
}

/* Leaves the state directory as a kill would: copied while the store is open, and put back after it closed. */
static void as_killed(void)
{
    char command[9000];
    snprintf(command, sizeof command,
             "rm -rf '%s.kept' && cp -a '%s' '%s.kept'", state, state, state);
    assert_int_equal(system(command), 0);
    driver_close(&driver);
    snprintf(command, sizeof command, "rm -rf '%s' && mv '%s.kept' '%s'", state, state, state);
    assert_int_equal(system(command), 0);
}

static bool opens(struct err *e)
{
    *e = (struct err){0};
    bool ok = driver_open(&driver, state, NULL, e);
    if (ok) driver_close(&driver);
    return ok;
}

static void damaged_log(void **unused)
{
    (void)unused;
    static const char *const ids[] = {"A", "B", "C", "D"};
    struct err e;
    char path[4200];
    open_or_fail();
    for (size_t i = 0; i < 4; i++) message(ids[i]);
    as_killed();
    int fd = open_file(LOG_FILE_NAME);
    long n = frames(fd);
    assert_true(n > 8);
    off_t middle = LOG_HEADER + (n / 2) * LOG_FRAME;
    off_t places[] = {0, 9, 17, 25, LOG_HEADER + 30, middle + 1, middle + 5, middle + 20, middle + 4000};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        flip(fd, places[i]);
        assert_false(opens(&e));
        assert_int_equal(e.sysexit, EX_DATAERR);
        flip(fd, places[i]);
    }
    /* Its own end torn, as by a power cut: the commit under way was promised to nobody. */
    flip(fd, LOG_HEADER + (n - 1) * LOG_FRAME + 100);
    close(fd);
    assert_true(opens(&e));
    snprintf(path, sizeof path, "%s/" LOG_FILE_NAME, state);
    assert_int_equal(unlink(path), 0); /* what the refusal advises */
    assert_true(opens(&e));
}

/* After a clean end nothing that was stored depends on the log. */
static void clean_end(void **unused)
{
    (void)unused;
    uint8_t states[TWO];
    bool whole;
    char path[4200];
    open_or_fail();
    message("M");
    driver_close(&driver);
    int fd = open_file(LOG_FILE_NAME);
    struct stat st;
    fstat(fd, &st);
    assert_true(st.st_size >= 8 * 1024 * 1024); /* the reserve */
    assert_true(frames(fd) <= 2);
    close(fd);
    snprintf(path, sizeof path, "%s/" LOG_FILE_NAME, state);
    assert_int_equal(unlink(path), 0);
    open_or_fail();
    look(STR("M"), states, &whole);
    assert_true(whole && states[0] == RECIPIENT_QUEUED && states[1] == RECIPIENT_HELD);
    driver_close(&driver);
}

/* The first leaf of recipients is changed on the disk, several pages of them standing there. */
static void change_leaf(void (*change)(uint8_t *page))
{
    int fd = open_file("queue.db");
    struct stat st;
    uint8_t page[LOG_PAGE];
    bool found = false;
    fstat(fd, &st);
    for (off_t at = LOG_PAGE; at < st.st_size && !found; at += LOG_PAGE) {
        assert_int_equal(pread(fd, page, sizeof page, at), sizeof page);
        found = page[0] == 13 && memmem(page, sizeof page, "one@x.example", 13);
        if (!found) continue;
        change(page);
        assert_int_equal(pwrite(fd, page, sizeof page, at), sizeof page);
    }
    assert_true(found);
    close(fd);
}

static void many_messages(void)
{
    open_or_fail();
    for (int i = 0; i < 200; i++) {
        char id[16];
        snprintf(id, sizeof id, "P%d", i);
        message(id);
    }
    driver_close(&driver);
}

static void cells_nowhere(uint8_t *page) { memset(page + 8, 0xff, 64); }
static void fewer_cells(uint8_t *page) { page[4] -= 1; }

/* A page that makes no sense: the store fails as a whole, instead of asking again for ever. */
static void damaged_page(void **unused)
{
    (void)unused;
    many_messages();
    open_or_fail();
    change_leaf(cells_nowhere);
    struct read_back back;
    driver_read(&driver, QUERY_QUEUE, STR("P3"), &back);
    assert_false(back.answer.ok);
    read_back_free(&back);
    while (!driver.fatal) driver_turn(&driver);
    assert_int_equal(driver.fatal_err.sysexit, EX_DATAERR);
    driver_close(&driver);
}

/* One that lost rows makes sense by itself: a start finds it, after a clean end too. */
static void lost_rows(void **unused)
{
    (void)unused;
    struct err e = {0};
    many_messages();
    change_leaf(fewer_cells);
    assert_false(driver_open(&driver, state, NULL, &e));
    assert_int_equal(e.sysexit, EX_DATAERR);
}

static void on_damage(void *owner, struct str queue_id, const struct err *e)
{
    (void)queue_id;
    *(struct err *)owner = *e;
}

/* A recipient whose number was changed to that of no message: told when its turn comes, for no listing would show
 * it. */
static void orphan(void **unused)
{
    (void)unused;
    struct err told = {0};
    open_or_fail();
    message("M");
    driver_close(&driver);
    run_sql("UPDATE recipients SET id=id+(7<<20) WHERE address='one@x.example'");
    open_or_fail();
    driver.port.watch(driver.port.self, on_damage, &told);
    int64_t ids[] = {stored[0].id >> 20, (stored[0].id >> 20) + 7, 999};
    struct answer a = {.driver = &driver};
    struct store_query q = {.kind = QUERY_LOAD, .ids = ids, .id_count = 3};
    driver_query(&driver, &q, &a);
    driver_run(&driver);
    assert_int_equal(told.sysexit, EX_NOUSER);
    assert_non_null(strstr(told.text, "one@x.example"));
    assert_int_equal(driver.port.space(driver.port.self).damaged_messages, 1);
    driver_close(&driver);
}

/* So is one whose record was changed. */
static void damaged_and_due(void **unused)
{
    (void)unused;
    struct err told = {0};
    struct answer a;
    open_or_fail();
    message("M");
    driver_close(&driver);
    run_sql("UPDATE recipients SET address='onf@x.example' WHERE address='one@x.example'");
    open_or_fail();
    driver.port.watch(driver.port.self, on_damage, &told);
    int64_t id = stored[0].id >> 20;
    struct store_query q = {.kind = QUERY_LOAD, .ids = &id, .id_count = 1};
    driver_query(&driver, &q, &a);
    driver_run(&driver);
    assert_true(a.ok);
    assert_int_equal(told.sysexit, EX_NOUSER);
    driver_close(&driver);
}

/* An index that lacks an entry: the delivery that meets it fails the store, and the next start makes the index anew. */
static void damaged_index(void **unused)
{
    (void)unused;
    struct err e = {0};
    uint8_t states[TWO];
    bool whole;
    open_or_fail();
    message("M1");
    int64_t one = stored[0].id, two = stored[1].id;
    message("M2");
    driver_close(&driver);
    int fd = open_file("queue.db");
    struct stat st;
    uint8_t page[LOG_PAGE];
    fstat(fd, &st);
    for (off_t at = LOG_PAGE; at < st.st_size; at += LOG_PAGE) { /* the leaf of the index of queue ids */
        assert_int_equal(pread(fd, page, sizeof page, at), sizeof page);
        uint8_t *id = memmem(page, sizeof page, "M1", 2);
        if (page[0] != 10 || !id) continue;
        id[1] = '0';
        assert_int_equal(pwrite(fd, page, sizeof page, at), sizeof page);
    }
    close(fd);
    open_or_fail();
    struct outcome o[] = {{.recipient = one, .kind = OUTCOME_DONE}, {.recipient = two, .kind = OUTCOME_DONE}};
    struct answer a = put(&(struct store_write){.outcomes = o, .outcome_count = 2});
    assert_false(a.ok);
    while (!driver.fatal) driver_turn(&driver);
    assert_int_equal(driver.fatal_err.sysexit, EX_DATAERR);
    driver_close(&driver);
    if (!driver_open(&driver, state, NULL, &e)) fail_msg("%s", e.text);
    look(STR("M1"), states, &whole);
    assert_true(whole);
    assert_true(put(&(struct store_write){.outcomes = o, .outcome_count = 2}).ok);
    driver_close(&driver);
}

static int set_up(void **unused)
{
    (void)unused;
    state = directory_temporary();
    open_or_fail();
    driver_close(&driver);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    directory_remove(state);
    free(state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(changed_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changes_by_hand, set_up, tear_down),
        cmocka_unit_test_setup_teardown(older_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_schema, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_log, set_up, tear_down),
        cmocka_unit_test_setup_teardown(clean_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_page, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lost_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(orphan, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_and_due, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_index, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
