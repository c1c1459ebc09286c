/* The queue's rows: what is written comes back, outcomes take it away, and one bad request spoils nothing. */
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

#include "base/digest.h"
#include "mail/verdict.h"
#include "tests/support/store_driver.h"

static char *state;
static struct driver driver;
static struct buf lists_read;

static int set_up(void **unused)
{
    struct err e = {0};
    (void)unused;
    state = directory_temporary();
    if (driver_open(&driver, state, NULL, &e)) return 0;
    fprintf(stderr, "%s\n", e.text);
    return -1;
}

static int tear_down(void **unused)
{
    (void)unused;
    driver_close(&driver);
    directory_remove(state);
    free(state);
    return 0;
}

static void reopen(const struct store_options *o)
{
    struct err e = {0};
    driver_close(&driver);
    if (!driver_open(&driver, state, o, &e)) fail_msg("%s", e.text);
}

static bool write_now(struct store_write *w)
{
    struct answer a;
    driver_write(&driver, w, &a);
    driver_run(&driver);
    return a.ok;
}

static size_t count(int kind)
{
    struct read_back r;
    driver_read(&driver, kind, STR_NONE, &r);
    assert_true(r.answer.ok);
    size_t n = r.message_count;
    read_back_free(&r);
    return n;
}

static void assert_str(struct str got, const char *want)
{
    if (!str_eq(got, str_of(want))) fail_msg("got \"%.*s\", want \"%s\"", STR_ARG(got), want);
}

static void everything_comes_back(void **unused)
{
    (void)unused;
    struct piece cut[] = {{.from = 0, .to = 4}, {.insert = STR("X: y\r\n")}, {.from = 6, .to = 11}};
    struct stored_copy copies[] = {{.length = 11},
                                   {.pieces = {cut, 3}, .length = 15, .sha256 = {9, 8, 7}}}; /* believed by nobody */
    struct piece whole = {.from = 0, .to = 11};
    copies[0].pieces = (struct pieces){&whole, 1};
    struct stored_recipient r[2] = {
        {.address = STR("a@x.example"), .next_try = 5, .expires = 50, .notify = 6, .orcpt = STR("rfc822;a+2Bb@x")},
        {.address = STR("b@y.example"),
         .state = RECIPIENT_QUARANTINED,
         .need = {TLS_PEER_VERIFIED, TLS_FLOOR_1_3, true},
         .copy = 1,
         .connector = STR("out"),
         .rule = STR("r1"),
         .tls_rule = STR("r2"),
         .reason = STR("why"),
         .attempts = 3,
         .next_try = 6,
         .expires = 60},
    };
    struct stored_message m = {.queue_id = STR("Q1"),
                               .arrived = 4,
                               .reverse_path = STR(""),
                               .client_ip = STR("2001:db8::1"),
                               .helo = STR("h"),
                               .size = 11,
                               .content = STR("a: b\r\n\r\nhey"),
                               .eight_bit = true,
                               .relay_made = true,
                               .envid = STR("e+3Dx"),
                               .ret = 'H',
                               .generation = 1ull << 40,
                               .evidence = {"e\0x", 3},
                               .copies = copies,
                               .copy_count = 2,
                               .recipients = r,
                               .recipient_count = 2};
    m.content.n = 11;
    struct store_write w = {.messages = &m, .message_count = 1, .now = 4};
    assert_true(write_now(&w));
    assert_true(r[0].id != 0 && r[1].id != 0 && r[0].id != r[1].id);
    reopen(NULL);

    struct read_back back;
    driver_read(&driver, QUERY_MESSAGE, STR("Q1"), &back);
    assert_true(back.answer.ok);
    assert_int_equal(back.message_count, 1);
    struct stored_message *g = back.messages;
    assert_true(str_eq(g->content, m.content));
    assert_int_equal(g->arrived, 4);
    assert_int_equal(g->reverse_path.n, 0);
    assert_str(g->client_ip, "2001:db8::1");
    assert_str(g->envid, "e+3Dx");
    assert_true(g->eight_bit && g->relay_made && !g->smtputf8);
    assert_int_equal(g->ret, 'H');
    assert_true(g->generation == 1ull << 40);
    assert_int_equal(g->evidence.n, 3);
    assert_memory_equal(g->evidence.p, "e\0x", 3);
    uint8_t hash[32];
    digest_sha256(m.content, hash);
    assert_memory_equal(g->sha256, hash, 32);
    assert_int_equal(g->copy_count, 2);
    assert_true(pieces_are_identity(&g->copies[0].pieces, 11));
    assert_int_equal(g->copies[1].pieces.n, 3);
    assert_str(g->copies[1].pieces.v[1].insert, "X: y\r\n");
    assert_int_equal(g->copies[1].pieces.v[2].from, 6);
    digest_sha256(STR("a: bX: y\r\n\r\nhey"), hash);
    assert_memory_equal(g->copies[1].sha256, hash, 32);
    assert_int_equal(g->recipient_count, 2);
    assert_str(g->recipients[0].orcpt, "rfc822;a+2Bb@x");
    assert_int_equal(g->recipients[0].notify, 6);
    const struct stored_recipient *b = &g->recipients[1];
    assert_int_equal(b->id, r[1].id);
    assert_int_equal(b->state, RECIPIENT_QUARANTINED);
    assert_true(obligation_equal(b->need, r[1].need));
    assert_int_equal(b->copy, 1);
    assert_str(b->connector, "out");
    assert_str(b->tls_rule, "r2");
    assert_str(b->reason, "why");
    assert_int_equal(b->attempts, 3);
    read_back_free(&back);

    driver_read(&driver, QUERY_DUE, STR_NONE, &back);
    assert_int_equal(back.due.n, 1); /* the quarantined one is not due */
    assert_int_equal(back.due.v[0].recipient, r[0].id);
    assert_int_equal(back.due.v[0].next_try, 5);
    read_back_free(&back);
}

static void outcomes_take_it_away(void **unused)
{
    (void)unused;
    struct stored_recipient r[3];
    struct stored_message m = plain_message(STR("Q2"), STR("x"), r);
    r[1] = r[2] = r[0];
    m.recipient_count = 3;
    struct store_write w = {.messages = &m, .message_count = 1};
    assert_true(write_now(&w));
    assert_int_equal(driver.port.space(driver.port.self).queued_messages, 1);
    struct outcome first[] = {
        {.recipient = r[0].id, .kind = OUTCOME_DONE},
        {.recipient = r[1].id, .kind = OUTCOME_RETRY, .reason = STR("451 later"), .attempts = 2, .next_try = 77,
         .waited = 9, .noticed = true},
        {.recipient = r[2].id, .kind = OUTCOME_DAMAGED, .reason = STR("damaged")}};
    struct store_write o = {.outcomes = first, .outcome_count = 3, .may_wait = true};
    assert_true(write_now(&o));
    struct read_back back;
    driver_read(&driver, QUERY_QUEUE, STR_NONE, &back);
    assert_int_equal(back.message_count, 1);
    assert_int_equal(back.messages[0].recipient_count, 2);
    assert_int_equal(back.messages[0].recipients[0].next_try, 77);
    assert_int_equal(back.messages[0].recipients[0].attempts, 2);
    assert_str(back.messages[0].recipients[0].reason, "451 later");
    assert_int_equal(back.messages[0].recipients[0].waited, 9);
    assert_true(back.messages[0].recipients[0].noticed);
    assert_int_equal(back.messages[0].recipients[1].state, RECIPIENT_DAMAGED);
    read_back_free(&back);

    struct store_change rel = {
        .kind = CHANGE_RELEASE, .recipients = (int64_t[]){r[1].id, r[2].id, 77}, .recipient_count = 3, .now = 5000};
    struct answer a;
    driver_change(&driver, &rel, &a);
    driver_run(&driver);
    assert_true(a.ok);
    assert_int_equal(rel.changed, 2);
    driver_read(&driver, QUERY_QUEUE, STR("Q2"), &back);
    assert_int_equal(back.messages[0].recipient_count, 2);
    assert_int_equal(back.messages[0].recipients[1].next_try, 5000);
    assert_int_equal(back.messages[0].recipients[1].expires, 5000 + (2000 - 900));
    assert_int_equal(back.messages[0].recipients[1].waited, 0);
    assert_int_equal(back.messages[0].recipients[0].expires, 2000);
    assert_int_equal(back.messages[0].recipients[0].waited, 9);
    read_back_free(&back);

    struct outcome rest[] = {{.recipient = r[1].id, .kind = OUTCOME_DONE},
                             {.recipient = r[2].id, .kind = OUTCOME_DONE}};
    struct store_write end = {.outcomes = rest, .outcome_count = 2, .may_wait = true};
    assert_true(write_now(&end));
    assert_int_equal(count(QUERY_QUEUE), 0);
    assert_int_equal(driver.port.space(driver.port.self).queued_messages, 0);
    driver_read(&driver, QUERY_QUEUE, STR("Q2"), &back);
    assert_false(back.answer.ok);
    assert_int_equal(back.answer.err.sysexit, EX_NOINPUT);
    read_back_free(&back);
}

static void hits_are_summed(void **unused)
{
    (void)unused;
    struct stored_hit h[] = {{STR("a"), HIT_APPLIED | HIT_UNDECIDED, 1}, {STR("b"), HIT_REJECTED, 2}};
    struct store_write w[3];
    struct answer a[3];
    for (int i = 0; i < 3; i++) {
        w[i] = (struct store_write){.hits = h, .hit_count = 2, .now = 100 + i};
        driver_write(&driver, &w[i], &a[i]);
    }
    driver_run(&driver);
    struct read_back back;
    driver_read(&driver, QUERY_RULES, STR_NONE, &back);
    assert_int_equal(back.rule_count, 2);
    assert_str(back.rules[0].rule, "a");
    assert_int_equal(back.rules[0].counts[0], 3);
    assert_int_equal(back.rules[0].counts[3], 3);
    assert_int_equal(back.rules[1].counts[1], 6);
    assert_int_equal(back.rules[1].counts[0], 0);
    assert_int_equal(back.rules[1].last, 102);
    read_back_free(&back);
}

/* What QUERY_LISTS says, as text: "list type revision: key=entry …;" */
static void print_list(void *owner, const struct stored_list *l)
{
    struct buf *out = &lists_read;
    (void)owner;
    buf_printf(out, "%.*s %.*s %llu:", STR_ARG(l->list), STR_ARG(l->type), (unsigned long long)l->revision);
    for (size_t i = 0; i < l->entry_count; i++)
        buf_printf(out, " %.*s=%.*s", STR_ARG(l->entries[i].key), STR_ARG(l->entries[i].entry));
    buf_add(out, STR("; "));
}

static void assert_lists(const char *want)
{
    struct answer a;
    struct store_query q = {.kind = QUERY_LISTS, .list = print_list, .owner = &a};
    lists_read.n = 0;
    driver_query(&driver, &q, &a);
    driver_run(&driver);
    assert_true(a.ok);
    assert_str(buf_str(&lists_read), want);
    buf_free(&lists_read);
}

static void lists_are_kept(void **unused)
{
    (void)unused;
    struct stored_entry first[] = {{STR("b"), STR("B")}, {STR("a"), STR("A")}}, again = {STR("a"), STR("aa")};
    struct str gone[] = {STR("b"), STR("never there")};
    const struct stored_list_change changes[] = {
        {.list = STR("vips"), .type = STR("text"), .revision = 1, .add = first, .add_count = 2},
        {.list = STR("others"), .type = STR("domain"), .revision = 1, .add = first, .add_count = 1},
        {.list = STR("vips"), .type = STR("text"), .revision = 2, .add = &again, .add_count = 1},
        {.list = STR("vips"), .type = STR("text"), .revision = 3, .remove = gone, .remove_count = 2},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct store_write w = {.lists = &changes[i], .list_count = 1};
        struct answer a;
        driver_write(&driver, &w, &a);
        driver_run(&driver);
        assert_true(a.ok);
        if (i == 2) assert_lists("others domain 1: b=B; vips text 2: a=aa b=B; ");
    }
    reopen(NULL);
    assert_lists("others domain 1: b=B; vips text 3: a=aa; ");
}

static void one_bad_request_spoils_nothing(void **unused)
{
    (void)unused;
    enum { N = 60 };
    struct stored_recipient r[N];
    struct stored_message m[N];
    struct store_write w[N];
    struct answer a[N];
    char id[N][16];
    struct stored_hit hit = {STR("rule"), HIT_APPLIED, 1};
    for (int i = 0; i < N; i++) {
        snprintf(id[i], sizeof id[i], "M%d", i == 30 ? 7 : i); /* the thirtieth bears an id that is taken */
        m[i] = plain_message(str_of(id[i]), STR("body"), &r[i]);
        if (i == 40) r[i].copy = 5; /* … and this one names a copy that is not there */
        w[i] = (struct store_write){.messages = &m[i], .message_count = 1, .hits = &hit, .hit_count = 1};
        driver_write(&driver, &w[i], &a[i]);
    }
    driver_run(&driver);
    for (int i = 0; i < N; i++) {
        assert_int_equal(a[i].ok, i != 30 && i != 40);
        assert_int_equal(r[i].id != 0, a[i].ok);
    }
    assert_false(driver.fatal);
    assert_int_equal(count(QUERY_QUEUE), N - 2);
    struct read_back back;
    driver_read(&driver, QUERY_RULES, STR_NONE, &back);
    assert_int_equal(back.rules[0].counts[0], N - 2); /* a refused message counts no hits */
    read_back_free(&back);
}

static void requests_share_commits(void **unused)
{
    (void)unused;
    enum { N = 1000 };
    static struct stored_recipient r[N];
    static struct stored_message m[N];
    static struct store_write w[N];
    static struct answer a[N];
    static char id[N][16];
    struct store_counts before = store_counts_of(driver.store);
    for (int i = 0; i < N; i++) {
        snprintf(id[i], sizeof id[i], "S%d", i);
        m[i] = plain_message(str_of(id[i]), STR("body"), &r[i]);
        w[i] = (struct store_write){.messages = &m[i], .message_count = 1};
        driver_write(&driver, &w[i], &a[i]);
    }
    driver_run(&driver);
    struct store_counts after = store_counts_of(driver.store);
    assert_int_equal(after.writes - before.writes, N);
    assert_true(after.commits - before.commits < N / 2);
    assert_true(after.commits - before.commits >= N / 256);
    assert_int_equal(count(QUERY_QUEUE), N); /* several pages */
}

static void audit_rows(void *out, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *s;
    char path[4200];
    snprintf(path, sizeof path, "%s/queue.db", state);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    *(int64_t *)out = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
}

static void audit_is_bounded_in_age(void **unused)
{
    (void)unused;
    static struct stored_audit rows[600];
    for (size_t i = 0; i < 600; i++)
        rows[i] = (struct stored_audit){STR("Q"), STR("rule"), STR("r@x"), STR("reject"), STR("text")};
    struct store_write old = {.audit = rows, .audit_count = 600, .now = 1000};
    struct store_write new = {.audit = rows, .audit_count = 600, .now = 1000 + 40 * 86400};
    assert_true(write_now(&old));
    assert_true(write_now(&new));
    int64_t n = 0, oldest = 0;
    audit_rows(&n, "SELECT count(*) FROM audit");
    audit_rows(&oldest, "SELECT min(at) FROM audit");
    assert_int_equal(n, 600);
    assert_int_equal(oldest, 1000 + 40 * 86400);
}

static void damage(const char *sql)
{
    sqlite3 *db;
    char path[4200];
    snprintf(path, sizeof path, "%s/queue.db", state);
    driver_close(&driver);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    struct err e = {0};
    if (!driver_open(&driver, state, NULL, &e)) fail_msg("%s", e.text);
}

static void never(void *owner, const struct stored_message *m)
{
    (void)owner;
    fail_msg("%.*s was offered", STR_ARG(m->queue_id));
}

/* A changed byte of an inserted text, which no length and no content's hash tells. */
static void a_damaged_copy_is_told(void **unused)
{
    (void)unused;
    struct piece edited[] = {{.insert = STR("X-Mark: 1\r\n")}, {.from = 0, .to = 8}};
    struct stored_copy copy = {.pieces = {edited, 2}, .length = 19};
    struct stored_recipient r;
    struct stored_message m = plain_message(STR("D2"), STR("precious"), &r);
    m.copies = &copy;
    m.copy_count = 1;
    struct store_write w = {.messages = &m, .message_count = 1};
    assert_true(write_now(&w));
    struct read_back back;
    driver_read(&driver, QUERY_MESSAGE, STR("D2"), &back);
    assert_true(back.answer.ok);
    read_back_free(&back);
    damage("UPDATE copies SET pieces=CAST(replace(CAST(pieces AS TEXT), 'Mark: 1', 'Mark: 2') AS BLOB)");
    driver_read(&driver, QUERY_MESSAGE, STR("D2"), &back);
    assert_false(back.answer.ok);
    assert_int_equal(back.answer.err.sysexit, EX_DATAERR);
    assert_int_equal(back.message_count, 0);
    read_back_free(&back);
}

static void damage_is_told(void **unused)
{
    (void)unused;
    struct stored_recipient r;
    struct stored_message m = plain_message(STR("D1"), STR("precious"), &r);
    struct store_write w = {.messages = &m, .message_count = 1};
    assert_true(write_now(&w));
    struct read_back back;
    damage("UPDATE contents SET body=CAST('previous' AS BLOB)");
    driver_read(&driver, QUERY_MESSAGE, STR("D1"), &back);
    assert_false(back.answer.ok);
    assert_int_equal(back.answer.err.sysexit, EX_DATAERR);
    assert_int_equal(back.message_count, 0);
    read_back_free(&back);
    assert_int_equal(count(QUERY_QUEUE), 1);
    /* An obligation that cannot be read is never taken for none: what a delivery asks for does not find it. */
    damage("UPDATE recipients SET need='encryqt'");
    int64_t id = store_message_of(r.id);
    struct answer a;
    struct store_query load = {.kind = QUERY_LOAD, .ids = &id, .id_count = 1, .message = never};
    driver_query(&driver, &load, &a);
    driver_run(&driver);
    assert_true(a.ok);
    driver_read(&driver, QUERY_QUEUE, STR_NONE, &back);
    assert_int_equal(back.messages[0].recipients[0].state, RECIPIENT_DAMAGED);
    assert_true(obligation_demands_tls(back.messages[0].recipients[0].need));
    read_back_free(&back);
}

/* What happens to a spool file behind the relay's back is an error at the next opening, never a signal. */
static void spool_file_cut_short(void **unused)
{
    (void)unused;
    struct err e = {0};
    struct buf bytes = {0};
    char path[4200];
    for (unsigned i = 0; i < 20000; i++) buf_printf(&bytes, "line %u\r\n", i);
    reopen(&(struct store_options){.spool_over = 1000});
    struct content_port *port = &driver.content;
    struct content_file *f = port->create(port->self, STR("cut"), &e);
    assert_non_null(f);
    assert_true(port->append(port->self, f, buf_str(&bytes), &e));
    assert_true(port->seal(port->self, f, &e));
    assert_true(str_eq(port->spool(port->self, f), STR("spool/cut")));
    snprintf(path, sizeof path, "%s/spool/cut", state);
    assert_int_equal(truncate(path, 100), 0);
    assert_true(str_eq(port->view(port->self, f), buf_str(&bytes))); /* every byte, none from the file */
    port->keep(port->self, f);
    port->free(port->self, f);
    f = port->open(port->self, STR("spool/cut"), &e);
    assert_non_null(f);
    assert_int_equal(port->view(port->self, f).n, 100); /* another length: the relay holds such a message */
    assert_int_equal(truncate(path, 0), 0);
    assert_memory_equal(port->view(port->self, f).p, bytes.p, 100);
    port->free(port->self, f);
    buf_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        TEST(everything_comes_back),
        TEST(outcomes_take_it_away),
        TEST(hits_are_summed),
        TEST(lists_are_kept),
        TEST(one_bad_request_spoils_nothing),
        TEST(requests_share_commits),
        TEST(audit_is_bounded_in_age),
        TEST(damage_is_told),
        TEST(a_damaged_copy_is_told),
        TEST(spool_file_cut_short),
    };
    return cmocka_run_group_tests_name("store: the queue", tests, NULL, NULL);
}
