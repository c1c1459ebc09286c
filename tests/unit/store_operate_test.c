/* The queue under an operator's hands: filters, changes, suspensions, the check in the background, backups. */
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

#include "tests/support/check.h"
#include "tests/support/store_driver.h"

static char *state;
static struct driver driver;

static void open_or_fail(const struct store_options *o)
{
    struct err e = {0};
    if (!driver_open(&driver, state, o, &e)) fail_msg("%s", e.text);
}

static int set_up(void **unused)
{
    (void)unused;
    state = directory_temporary();
    open_or_fail(NULL);
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

static void write_or_fail(const struct stored_message *m)
{
    struct answer a;
    struct store_write w = {.messages = m, .message_count = 1};
    driver_write(&driver, &w, &a);
    driver_run(&driver);
    assert_true(a.ok);
}

/* --- filters ------------------------------------------------------------------------------------------------------ */

static struct stored_recipient stored[6];

/* A: two recipients, one held by a rule; B: routed by name; C: a report of ours. */
static void three_messages(void)
{
    struct stored_recipient *r = stored;
    r[0] = (struct stored_recipient){
        .address = STR("Anna@Partner.Example"), .reason = STR("450 4.2.1 Mailbox BUSY"), .next_try = 5, .expires = 500};
    r[1] = (struct stored_recipient){.address = STR("bob@sub.partner.example"),
                                     .state = RECIPIENT_HELD,
                                     .rule = STR("Card numbers"),
                                     .reason = STR("cards [4]")};
    r[2] = (struct stored_recipient){.address = STR("carl@other.example"),
                                     .connector = STR("Side"),
                                     .need = {.peer = TLS_PEER_VERIFIED},
                                     .tls_rule = STR("secrets")};
    r[3] = (struct stored_recipient){.address = STR("boss@corp.example")};
    struct stored_message a = {.queue_id = STR("A"),
                               .arrived = 100,
                               .reverse_path = STR("x@corp.example"),
                               .size = 3,
                               .content = STR("aaa"),
                               .recipients = r,
                               .recipient_count = 2};
    struct stored_message b = {.queue_id = STR("B"),
                               .arrived = 200,
                               .reverse_path = STR("Y@corp.example"),
                               .size = 9,
                               .content = STR("bbbbbbbbb"),
                               .recipients = r + 2,
                               .recipient_count = 1};
    struct stored_message c = {.queue_id = STR("C"),
                               .arrived = 300,
                               .size = 1,
                               .content = STR("c"),
                               .relay_made = true,
                               .recipients = r + 3,
                               .recipient_count = 1};
    write_or_fail(&a);
    write_or_fail(&b);
    write_or_fail(&c);
}

/* Which recipients pass, by the first letter of their address. */
static const char *passing(const struct queue_filter *f)
{
    static char letters[16];
    struct read_back back;
    size_t n = 0;
    driver_read_filter(&driver, f, &back);
    assert_true(back.answer.ok);
    for (size_t i = 0; i < back.message_count; i++)
        for (size_t k = 0; k < back.messages[i].recipient_count; k++)
            letters[n++] = back.messages[i].recipients[k].address.p[0];
    letters[n] = '\0';
    read_back_free(&back);
    return letters;
}

static void filters(void **unused)
{
    (void)unused;
    three_messages();
    static const struct {
        struct queue_filter f;
        const char *pass;
    } table[] = {
        {{.size_from = 0}, "Abcb"},
        {{.queue_id = STR("A")}, "Ab"},
        {{.sender = STR("*@corp.example")}, "Abc"},
        {{.sender = STR("y@corp.example")}, "c"},
        {{.sender = STR("<>")}, "b"},
        {{.recipient = STR("anna@*")}, "A"},
        {{.recipient = STR("b?b@*")}, "b"},
        {{.domain = STR("partner.example")}, "A"},
        {{.domain = STR("*.partner.example")}, "b"},
        {{.rule = STR("card*")}, "b"},
        {{.rule = STR("secrets")}, "c"},
        {{.connector = STR("side")}, "Abcb"}, /* what is routed at each attempt passes: relay/operate knows more */
        {{.connector = STR("none")}, "Abb"},
        {{.reason = STR("busy")}, "A"},
        {{.reason = STR("[4]")}, "b"},
        {{.states = 1u << RECIPIENT_HELD}, "b"},
        {{.states = 1u << RECIPIENT_QUEUED, .sender = STR("x@*")}, "A"},
        {{.arrived_from = 200}, "cb"},
        {{.arrived_until = 200}, "Abc"},
        {{.size_from = 3}, "Abc"},
        {{.size_until = 3}, "Abb"},
        {{.sender = STR("x' OR '1'='1")}, ""},
        {{.recipient = STR("%")}, ""},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(passing(&table[i].f), table[i].pass)) fail_msg("row %zu: %s", i, passing(&table[i].f));
    struct read_back back;
    driver_read_filter(&driver, &(struct queue_filter){.queue_id = STR("none")}, &back);
    assert_false(back.answer.ok);
    assert_int_equal(back.answer.err.sysexit, EX_NOINPUT);
    read_back_free(&back);
    driver_read(&driver, QUERY_COUNT, STR_NONE, &back);
    assert_int_equal(back.states[RECIPIENT_QUEUED], 3);
    assert_int_equal(back.states[RECIPIENT_HELD], 1);
    read_back_free(&back);
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

static uint32_t change(enum change_kind kind, int64_t id, struct str text)
{
    struct answer a;
    struct store_change c = {.kind = kind,
                             .recipients = (int64_t[]){id, 999999},
                             .recipient_count = 2,
                             .text = text,
                             .audit = STR("by uid 7"),
                             .now = 1000};
    driver_change(&driver, &c, &a);
    driver_run(&driver);
    assert_true(a.ok);
    return c.changed;
}

static struct stored_recipient row(struct read_back *back, struct str queue_id, size_t i)
{
    driver_read(&driver, QUERY_QUEUE, queue_id, back);
    assert_true(back->answer.ok);
    assert_true(i < back->messages[0].recipient_count);
    return back->messages[0].recipients[i];
}

static void changes(void **unused)
{
    (void)unused;
    struct read_back back;
    three_messages();
    assert_int_equal(change(CHANGE_HOLD, stored[1].id, STR("no")), 0); /* held by its rule already: that reason stays */
    assert_int_equal(change(CHANGE_HOLD, stored[0].id, STR("looking into it")), 1);
    struct stored_recipient r = row(&back, STR("A"), 0);
    assert_int_equal(r.state, RECIPIENT_HELD);
    assert_true(str_eq(r.reason, STR("looking into it")));
    read_back_free(&back);
    assert_int_equal(change(CHANGE_RETRY, stored[0].id, STR_NONE), 0); /* a hold is ended by a release alone */
    assert_int_equal(change(CHANGE_RELEASE, stored[0].id, STR_NONE), 1);
    r = row(&back, STR("A"), 0);
    assert_int_equal(r.state, RECIPIENT_QUEUED);
    assert_int_equal(r.next_try, 1000);
    assert_int_equal(r.expires, 1000 + 400);
    read_back_free(&back);

    /* A redirect keeps what was demanded, and the address that the sender named. */
    assert_int_equal(change(CHANGE_REDIRECT, stored[2].id, STR("new@else.example")), 1);
    r = row(&back, STR("B"), 0);
    assert_true(str_eq(r.address, STR("new@else.example")));
    assert_true(str_eq(r.orcpt, STR("rfc822;carl@other.example")));
    assert_int_equal(r.need.peer, TLS_PEER_VERIFIED);
    read_back_free(&back);
    assert_int_equal(change(CHANGE_REDIRECT, stored[2].id, STR("again@else.example")), 1);
    r = row(&back, STR("B"), 0);
    assert_true(str_eq(r.orcpt, STR("rfc822;carl@other.example")));
    read_back_free(&back);

    assert_int_equal(change(CHANGE_REMOVE, stored[0].id, STR("spam")), 1);
    assert_int_equal(driver.port.space(driver.port.self).queued_messages, 3);
    assert_int_equal(change(CHANGE_REMOVE, stored[1].id, STR("spam")), 1);
    assert_int_equal(driver.port.space(driver.port.self).queued_messages, 2);
    /* What was under way when it was removed may still report. */
    struct outcome late = {.recipient = stored[0].id, .kind = OUTCOME_RETRY, .reason = STR("late")};
    struct answer a;
    struct store_write w = {.outcomes = &late, .outcome_count = 1};
    driver_write(&driver, &w, &a); /* whose thread reads the outcome until it has answered */
    driver_run(&driver);
    assert_true(a.ok);
    late.kind = OUTCOME_DONE;
    driver_write(&driver, &w, &a);
    driver_run(&driver);
    assert_true(a.ok);
    assert_string_equal(passing(&(struct queue_filter){0}), "ab");
}

static void print_audit(void *owner, int64_t at, const struct stored_audit *a)
{
    assert_int_equal(at, 1000);
    buf_printf(owner, "%.*s %.*s %.*s;", STR_ARG(a->what), STR_ARG(a->recipient), STR_ARG(a->text));
}

static void audit_read(void *owner, bool ok, const struct err *e)
{
    (void)e;
    assert_true(ok);
    buf_add_byte(owner, '.');
}

/* What cannot be undone leaves a row, with whoever did it; what can, or concerns nobody who is there, leaves none. */
static void fates_are_audited(void **unused)
{
    (void)unused;
    three_messages();
    change(CHANGE_HOLD, stored[0].id, STR("wait"));
    change(CHANGE_RELEASE, stored[0].id, STR_NONE);
    change(CHANGE_RETRY, stored[0].id, STR_NONE);
    change(CHANGE_REDIRECT, stored[0].id, STR("new@else.example"));
    change(CHANGE_REMOVE, stored[0].id, STR_NONE);
    change(CHANGE_REMOVE, stored[0].id, STR_NONE);
    struct buf rows = {0};
    struct store_query q = {
        .kind = QUERY_AUDIT, .queue_id = STR("A"), .audit = print_audit, .done = audit_read, .owner = &rows};
    driver.port.query(driver.port.self, &q);
    while (!str_ends(buf_str(&rows), STR("."))) driver_turn(&driver);
    check_str(buf_str(&rows), "released Anna@Partner.Example by uid 7;redirected Anna@Partner.Example by uid 7;"
                              "removed new@else.example by uid 7;.");
    buf_free(&rows);
}

static void count_suspension(void *owner, const struct stored_suspension *s)
{
    struct stored_suspension *out = owner;
    assert_true(str_eq(s->domain, STR("*.example")));
    assert_true(str_eq(s->reason, STR("moving")));
    assert_int_equal(s->ends, 77);
    out->id = s->id;
    out->began++;
}

static void suspensions_read(void *owner, bool ok, const struct err *e)
{
    struct stored_suspension *out = owner;
    (void)e;
    assert_true(ok);
    out->ends = 1;
}

static void suspensions_stay(void **unused)
{
    (void)unused;
    struct answer a;
    struct stored_suspension found = {0};
    struct store_change c = {.kind = CHANGE_SUSPEND,
                             .suspension = {.domain = STR("*.example"), .reason = STR("moving"), .ends = 77}};
    driver_change(&driver, &c, &a);
    driver_run(&driver);
    assert_true(a.ok && c.suspension.id > 0);
    driver_close(&driver);
    open_or_fail(NULL);
    for (int gone = 0; gone < 2; gone++) {
        struct store_query q = {
            .kind = QUERY_SUSPENSIONS, .suspension = count_suspension, .done = suspensions_read, .owner = &found};
        found = (struct stored_suspension){0};
        driver.port.query(driver.port.self, &q);
        while (!found.ends) driver_turn(&driver);
        assert_int_equal(found.began, gone ? 0 : 1);
        struct store_change end = {.kind = CHANGE_RESUME, .suspension = {.id = c.suspension.id}};
        driver_change(&driver, &end, &a);
        driver_run(&driver);
        assert_int_equal(a.ok, !gone);
        if (gone) assert_int_equal(a.err.sysexit, EX_NOINPUT);
    }
}

/* --- the check in the background ---------------------------------------------------------------------------------- */

struct found {
    char queue_id[32];
    struct err err;
    unsigned n;
};

static void on_damage(void *owner, struct str queue_id, const struct err *e)
{
    struct found *f = owner;
    snprintf(f->queue_id, sizeof f->queue_id, "%.*s", STR_ARG(queue_id));
    f->err = *e;
    f->n++;
}

static void spoil(const char *sql)
{
    sqlite3 *db;
    char path[4200];
    snprintf(path, sizeof path, "%s/queue.db", state);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void check_finds_damage(void **unused)
{
    (void)unused;
    struct found f = {.n = 0};
    three_messages();
    driver_close(&driver);
    spoil("UPDATE contents SET body=CAST('bbbbbbbbx' AS BLOB) WHERE length(body)=9");
    open_or_fail(&(struct store_options){.check_after_ms = 1});
    driver.port.watch(driver.port.self, on_damage, &f);
    while (!f.n) driver_turn(&driver);
    assert_string_equal(f.queue_id, "B");
    assert_int_equal(f.err.sysexit, EX_DATAERR);
    assert_int_equal(driver.port.space(driver.port.self).damaged_messages, 1);
    /* Once it is set aside, it is no news. */
    assert_int_equal(change(CHANGE_DAMAGED, stored[2].id, STR("damaged")), 1);
    driver_close(&driver);
    open_or_fail(&(struct store_options){.check_after_ms = 1});
    f.n = 0;
    driver.port.watch(driver.port.self, on_damage, &f);
    while (!driver.port.space(driver.port.self).checked) {
        struct read_back back;
        driver_read(&driver, QUERY_COUNT, STR_NONE, &back); /* the same thread checks: it goes on between two */
        read_back_free(&back);
    }
    assert_int_equal(driver.port.space(driver.port.self).checked_messages, 3);
    assert_int_equal(f.n, 0);
}

/* --- backups ------------------------------------------------------------------------------------------------------ */

static void backed_up(void *owner, bool ok, const struct err *e)
{
    struct answer *a = owner;
    a->answered = true;
    a->ok = ok;
    if (e) a->err = *e;
}

static void copy_file(const char *from, const char *to)
{
    char command[20000];
    snprintf(command, sizeof command, "cp -r '%s' '%s'", from, to);
    assert_int_equal(system(command), 0);
}

/* Mail is written and finished while the copy is made; a spool file whose message goes before it is fetched is kept. */
static void backup_is_one_moment(void **unused)
{
    (void)unused;
    enum { MANY = 400 };
    static struct stored_recipient r[MANY + 1], more[MANY];
    static char id[MANY + 1][16], later[MANY][16];
    char *body = mem_alloc(8192), *large = mem_alloc(600000), path[9000], spool[9000];
    memset(body, 'b', 8192);
    memset(large, 'l', 600000);
    for (int i = 0; i <= MANY; i++) {
        snprintf(id[i], sizeof id[i], "M%d", i);
        struct str content = i == MANY ? (struct str){large, 600000} : (struct str){body, 8192};
        struct stored_message m = plain_message(str_of(id[i]), content, &r[i]);
        write_or_fail(&m);
    }
    struct answer a = {.driver = &driver};
    struct store_backup b = {.name = STR("now"), .done = backed_up, .owner = &a};
    driver.port.backup(driver.port.self, &b);
    int written = 0;
    while (!a.answered) {
        if (written < MANY) {
            snprintf(later[written], sizeof later[written], "L%d", written);
            struct stored_message m = plain_message(str_of(later[written]), (struct str){body, 8192}, &more[written]);
            write_or_fail(&m);
            written++;
        } else {
            driver_turn(&driver);
        }
    }
    if (!a.ok) fail_msg("%s", a.err.text);
    struct outcome done = {.recipient = r[MANY].id, .kind = OUTCOME_DONE};
    struct store_write w = {.outcomes = &done, .outcome_count = 1};
    struct answer gone;
    driver_write(&driver, &w, &gone);
    driver_run(&driver);
    assert_true(gone.ok);

    char *copy = directory_temporary();
    snprintf(path, sizeof path, "%s/queue.db", copy);
    snprintf(spool, sizeof spool, "%s/spool", copy);
    copy_file(b.database, path);
    copy_file(b.spool, spool);
    struct stat st;
    snprintf(path, sizeof path, "%s/spool/M%d", state, MANY);
    assert_int_equal(stat(path, &st), 0); /* its message is gone, and it stays for the backup … */
    driver.port.backup_drop(driver.port.self, STR("now"));
    write_or_fail(&(struct stored_message){
        .queue_id = STR("Z"), .size = 1, .content = STR("z"), .recipients = stored, .recipient_count = 1});
    assert_int_equal(stat(path, &st), -1); /* … until that is fetched */
    assert_int_equal(access(b.database, F_OK), -1);

    struct driver restored;
    struct err e = {0};
    if (!driver_open(&restored, copy, NULL, &e)) fail_msg("%s", e.text);
    struct read_back back;
    driver_read(&restored, QUERY_QUEUE, STR_NONE, &back);
    assert_true(back.answer.ok && back.message_count > MANY);
    read_back_free(&back);
    snprintf(path, sizeof path, "M%d", MANY);
    driver_read(&restored, QUERY_MESSAGE, str_of(path), &back);
    if (!back.answer.ok) fail_msg("%s", back.answer.err.text);
    read_back_free(&back);
    driver_close(&restored);
    directory_remove(copy);
    free(copy);
    free(body);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        TEST(filters),
        TEST(changes),
        TEST(fates_are_audited),
        TEST(suspensions_stay),
        TEST(check_finds_damage),
        TEST(backup_is_one_moment),
    };
    return cmocka_run_group_tests_name("store: by hand", tests, NULL, NULL);
}
