/* What was answered ok is there after a kill; a full or failing disk is told, and loses nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "tests/support/store_driver.h"

static char *state;

static int set_up(void **unused)
{
    (void)unused;
    state = directory_temporary();
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    directory_remove(state);
    free(state);
    return 0;
}

static void open_or_fail(struct driver *d, const struct store_options *o)
{
    struct err e = {0};
    if (!driver_open(d, state, o, &e)) fail_msg("%s", e.text);
}

static bool write_one(struct driver *d, const char *id, struct str content, struct stored_recipient *r)
{
    struct stored_message m = plain_message(str_of(id), content, r);
    struct store_write w = {.messages = &m, .message_count = 1};
    struct answer a;
    driver_write(d, &w, &a);
    driver_run(d);
    return a.ok;
}

static bool finish_one(struct driver *d, const struct stored_recipient *r)
{
    struct outcome o = {.recipient = r->id, .kind = OUTCOME_DONE};
    struct store_write w = {.outcomes = &o, .outcome_count = 1};
    struct answer a;
    driver_write(d, &w, &a);
    driver_run(d);
    return a.ok;
}

/* --- kill -9 ------------------------------------------------------------------------------------------------------ */

enum { IN_FLIGHT = 8 };

/* Writes without end, a few at a time, and says each acknowledged number on `to`; every third message is a file. */
static _Noreturn void write_until_killed(int to)
{
    struct driver d;
    struct err e = {0};
    static char body[3000];
    memset(body, 'b', sizeof body);
    struct store_options o = {.spool_threshold = 2000};
    if (!driver_open(&d, state, &o, &e)) _exit(1);
    for (uint32_t next = 0;; next += IN_FLIGHT) {
        struct stored_recipient r[IN_FLIGHT];
        struct stored_message m[IN_FLIGHT];
        struct store_write w[IN_FLIGHT];
        struct answer a[IN_FLIGHT];
        char id[IN_FLIGHT][24];
        for (uint32_t i = 0; i < IN_FLIGHT; i++) {
            snprintf(id[i], sizeof id[i], "K%u-%d", next + i, (int)getpid());
            m[i] = plain_message(str_of(id[i]), (struct str){body, i % 3 ? 1000 : sizeof body}, &r[i]);
            w[i] = (struct store_write){.messages = &m[i], .message_count = 1};
            driver_write(&d, &w[i], &a[i]);
        }
        driver_run(&d);
        for (uint32_t i = 0; i < IN_FLIGHT; i++)
            if (!a[i].ok || write(to, id[i], sizeof id[i]) != sizeof id[i]) _exit(2);
    }
}

static void acknowledged_survives_a_kill(void **unused)
{
    (void)unused;
    for (int round = 0; round < 5; round++) {
        int pipes[2];
        assert_int_equal(pipe(pipes), 0);
        pid_t pid = fork();
        if (pid == 0) {
            close(pipes[0]);
            write_until_killed(pipes[1]);
        }
        close(pipes[1]);
        char id[24];
        VEC(char *) acknowledged = {0};
        ssize_t n;
        size_t enough = 60 + 37 * (size_t)round; /* killed in the middle of what comes after */
        while ((n = read(pipes[0], id, sizeof id)) == sizeof id) {
            VEC_PUSH(&acknowledged, mem_strdup(id));
            if (acknowledged.n == enough) kill(pid, SIGKILL);
        }
        close(pipes[0]);
        int status;
        waitpid(pid, &status, 0);
        assert_true(WIFSIGNALED(status));
        assert_true(acknowledged.n >= enough);

        struct driver d;
        open_or_fail(&d, NULL);
        for (size_t i = 0; i < acknowledged.n; i++) {
            struct read_back back;
            driver_read(&d, QUERY_MESSAGE, str_of(acknowledged.v[i]), &back);
            if (!back.answer.ok) fail_msg("%s: %s", acknowledged.v[i], back.answer.err.text);
            assert_int_equal(back.message_count, 1);
            read_back_free(&back);
            free(acknowledged.v[i]);
        }
        VEC_FREE(&acknowledged);
        driver_close(&d);
    }
}

static void one_relay_a_directory(void **unused)
{
    (void)unused;
    struct driver d;
    struct err e = {0};
    open_or_fail(&d, NULL);
    assert_null(store_open(state, NULL, &e));
    assert_int_equal(e.sysexit, EX_TEMPFAIL);
    driver_close(&d);
    assert_int_equal(chmod(state, 0777), 0);
    assert_null(store_open(state, NULL, &e));
    assert_int_equal(e.sysexit, EX_NOPERM);
    assert_int_equal(chmod(state, 0700), 0);
}

static void a_strange_file_is_refused(void **unused)
{
    (void)unused;
    char path[4200];
    struct err e = {0};
    snprintf(path, sizeof path, "%s/queue.db", state);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    char junk[8192];
    memset(junk, 'j', sizeof junk);
    assert_int_equal(write(fd, junk, sizeof junk), sizeof junk);
    close(fd);
    assert_null(store_open(state, NULL, &e));
    assert_int_equal(e.sysexit, EX_DATAERR);
}

static void the_reserve_is_there(void **unused)
{
    (void)unused;
    struct driver d;
    struct stat st;
    char path[4200];
    snprintf(path, sizeof path, "%s/queue.db-wal", state);
    open_or_fail(&d, NULL);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size >= 8 * 1024 * 1024);
    off_t before = st.st_size;
    struct stored_recipient r;
    static char body[200000];
    memset(body, 'x', sizeof body);
    for (int i = 0; i < 200; i++) { /* 40 MB through a log of 8 */
        char id[24];
        snprintf(id, sizeof id, "W%d", i);
        assert_true(write_one(&d, id, (struct str){body, sizeof body}, &r));
        assert_true(finish_one(&d, &r));
    }
    assert_true(store_counts_of(d.store).checkpoints > 5);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size < before + 4 * 1024 * 1024);
    driver_close(&d);
    assert_int_equal(stat(path, &st), 0); /* it stays for the next start */
    assert_true(st.st_size >= 8 * 1024 * 1024);
}

/* --- a full disk -------------------------------------------------------------------------------------------------- */

enum { FILL_MAX = 4000 };

/* Fills until it is told so; then what is queued must still drain, all of it, and room must come back.  Answers what
 * went wrong, or NULL: it also runs in a child, where cmocka's checks have no place. */
static const char *fill_and_drain(struct driver *d, void (*full)(void))
{
    static struct stored_recipient r[FILL_MAX];
    static char body[4096], id[24];
    int n = 0;
    memset(body, 'f', sizeof body);
    for (; n < FILL_MAX; n++) {
        snprintf(id, sizeof id, "F%d", n);
        if (n == 300 && full) full();
        if (!write_one(d, id, (struct str){body, sizeof body}, &r[n])) break;
    }
    if (n == FILL_MAX || n < 100) return "it was full too early, or never";
    if (d->fatal || r[n].id) return "a full disk is no failing disk, and stores nothing";
    struct read_back back;
    driver_read(d, QUERY_QUEUE, STR_NONE, &back);
    bool whole = back.answer.ok && back.message_count == (size_t)n;
    read_back_free(&back);
    if (!whole) return "not exactly what was acknowledged is there";
    for (int i = 0; i < n; i++)
        if (!finish_one(d, &r[i])) return "what was queued does not drain";
    struct stored_recipient again;
    if (!write_one(d, "again", (struct str){body, sizeof body}, &again)) return "room does not come back";
    return d->fatal ? "the end was fatal" : NULL;
}

static void a_bounded_file_drains(void **unused)
{
    (void)unused;
    struct driver d;
    struct store_options o = {.max_pages = 2048};
    open_or_fail(&d, &o);
    const char *wrong = fill_and_drain(&d, NULL);
    if (wrong) fail_msg("%s", wrong);
    driver_close(&d);
}

/* The last block of the disk goes to somebody else. */
static void take_the_rest(void)
{
    char path[4200], zeros[4096] = {1};
    snprintf(path, sizeof path, "%s/ballast", state);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    while (write(fd, zeros, sizeof zeros) > 0) {}
    close(fd);
}

static void a_full_disk_drains(void **unused)
{
    (void)unused;
    pid_t pid = fork(); /* a mount namespace of its own */
    if (pid == 0) {
        if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("none", state, "tmpfs", 0, "size=40m,mode=0700") < 0)
            _exit(77);
        struct driver d;
        struct err e = {0};
        const char *wrong = driver_open(&d, state, NULL, &e) ? fill_and_drain(&d, take_the_rest) : e.text;
        if (wrong) fprintf(stderr, "%s\n", wrong);
        if (!wrong) driver_close(&d);
        _exit(wrong != NULL);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- a failing disk ----------------------------------------------------------------------------------------------- */

/* A write beyond the limit of file size fails with EFBIG, which SQLite takes for an input/output error. */
static void a_failing_disk_ends_it(void **unused)
{
    (void)unused;
    pid_t pid = fork();
    if (pid == 0) {
        struct driver d;
        struct stored_recipient r, other;
        struct err e = {0};
        if (!driver_open(&d, state, NULL, &e)) _exit(5);
        signal(SIGXFSZ, SIG_IGN);
        if (!write_one(&d, "before", STR("x"), &r)) _exit(1);
        struct rlimit small = {100 * 1024, RLIM_INFINITY};
        setrlimit(RLIMIT_FSIZE, &small);
        static char body[250000];
        memset(body, 'x', sizeof body);
        if (write_one(&d, "during", (struct str){body, sizeof body}, &other)) _exit(2);
        if (!d.fatal || d.fatal_err.sysexit != EX_IOERR) _exit(3);
        small.rlim_cur = RLIM_INFINITY;
        setrlimit(RLIMIT_FSIZE, &small);
        if (write_one(&d, "after", STR("x"), &other)) _exit(4); /* never again in this process */
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    struct driver d; /* the next one checks, and has what was acknowledged and nothing else */
    struct read_back back;
    open_or_fail(&d, NULL);
    driver_read(&d, QUERY_QUEUE, STR_NONE, &back);
    assert_int_equal(back.message_count, 1);
    assert_true(str_eq(back.messages[0].queue_id, STR("before")));
    read_back_free(&back);
    driver_close(&d);
}

/* --- a sync that fails -------------------------------------------------------------------------------------------- */

/* SQLite's own file system with one fault: from the moment it is set, no log is synced any more. */
static _Atomic bool sync_fails; /* set here, seen by the store's threads */
static const sqlite3_io_methods *real_methods;
static sqlite3_io_methods failing_methods;
static sqlite3_vfs failing_vfs, *real_vfs;

static int failing_sync(sqlite3_file *f, int flags)
{
    return sync_fails ? SQLITE_IOERR_FSYNC : real_methods->xSync(f, flags);
}

static int failing_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out)
{
    (void)v;
    int result = real_vfs->xOpen(real_vfs, name, f, flags, out);
    if (result == SQLITE_OK && f->pMethods && (flags & SQLITE_OPEN_WAL)) {
        real_methods = f->pMethods;
        failing_methods = *real_methods;
        failing_methods.xSync = failing_sync;
        f->pMethods = &failing_methods;
    }
    return result;
}

static bool write_some(struct driver *d, const char *letter, int n)
{
    static char body[3000];
    struct stored_recipient r;
    char id[24];
    memset(body, 'b', sizeof body);
    for (int i = 0; i < n; i++) {
        snprintf(id, sizeof id, "%s%d", letter, i);
        if (!write_one(d, id, (struct str){body, sizeof body}, &r)) return false;
    }
    return true;
}

/* A life that ends in a kill. */
static int killed_child(int n)
{
    struct driver d;
    struct err e = {0};
    return driver_open(&d, state, NULL, &e) && write_some(&d, "SE", n) ? 0 : 1;
}

/* Answers 0 when what was said in time and nothing else is there for the next process. */
static int failing_sync_child(int before)
{
    struct driver d;
    struct err e = {0};
    struct stored_recipient r;
    real_vfs = sqlite3_vfs_find(NULL);
    failing_vfs = *real_vfs;
    failing_vfs.zName = "failing";
    failing_vfs.xOpen = failing_open;
    if (sqlite3_vfs_register(&failing_vfs, 1) != SQLITE_OK || !driver_open(&d, state, NULL, &e)) return 1;
    if (!write_some(&d, "S", before)) return 2;
    sync_fails = true;
    if (write_some(&d, "unsaid", 1) || !d.fatal) return 3;
    sync_fails = false;
    if (write_one(&d, "after", STR("x"), &r)) return 4; /* a sync that works again proves nothing */
    return 0;
}

static void in_a_child(int (*run)(int), int argument)
{
    pid_t pid = fork();
    if (pid == 0) _exit(run(argument));
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* A message answered 451 because its sync failed is not found by the next start: not when the log goes on, and not when
 * the failed commit is the one that begins it anew (after so many commits all of it is in the database).  And what was
 * said in time is there, by lives before that were killed too: where the failed commit is the first after them, all of
 * it may stand in the log alone. */
static void a_failed_sync_is_undone(void **unused)
{
    (void)unused;
    /* The log is moved into the database after 94 and 186 messages of one life. */
    static const int before[] = {1, 2, 7, 93, 94, 95, 186, 0, 0, 0, 1}, killed[] = {0, 0, 0, 0, 0, 0, 0, 3, 60, 100, 3};
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        for (int lives = 0; killed[i] && lives < 2; lives++) in_a_child(killed_child, lives ? 0 : killed[i]);
        in_a_child(failing_sync_child, before[i]);
        struct driver d;
        struct read_back back;
        open_or_fail(&d, NULL);
        driver_read(&d, QUERY_QUEUE, STR_NONE, &back);
        assert_int_equal(back.message_count, before[i] + killed[i]);
        for (size_t k = 0; k < back.message_count; k++) assert_true(str_starts(back.messages[k].queue_id, STR("S")));
        read_back_free(&back);
        driver_close(&d);
        directory_remove(state);
        assert_int_equal(mkdir(state, 0700), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        TEST(acknowledged_survives_a_kill), TEST(one_relay_a_directory),   TEST(a_strange_file_is_refused),
        TEST(the_reserve_is_there),         TEST(a_bounded_file_drains),   TEST(a_full_disk_drains),
        TEST(a_failing_disk_ends_it),       TEST(a_failed_sync_is_undone),
    };
    return cmocka_run_group_tests_name("store: durability", tests, NULL, NULL);
}
