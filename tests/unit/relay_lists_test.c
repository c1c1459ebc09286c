/* relay/lists and the judges: a list is with every judge before a change is answered, and before any job. */
#include <string.h>
#include <sysexits.h>

#include "mail/live_list.h"
#include "relay/lists.h"
#include "relay/relay.h"
#include "relay/state.h"
#include "tests/support/check.h"
#include "tests/support/relay_rig.h"

static struct live_list_settings live[] = {{{"vips", 4}, {"vips", 4}, LIVE_ADDRESS},
                                           {{"nets", 4}, {"nets", 4}, LIVE_NETWORK}};

static struct {
    struct buf rows;
    int status; /* -1: not answered */
    struct buf text;
} heard;

static void on_row(void *owner, struct js *row)
{
    (void)owner;
    js_print(row, &heard.rows);
    js_free(&row);
}
static void on_done(void *owner, int status, struct str text)
{
    (void)owner;
    heard.status = status;
    heard.text.n = 0;
    buf_add(&heard.text, text);
}
static const struct lists_call call = {on_row, on_done, NULL};

static void change(struct rig *g, const char *list, const char *entry, bool remove)
{
    struct js *o = js_object(), *entries = js_array();
    js_add_str(entries, str_of(entry));
    js_put(o, "entries", entries);
    heard.rows.n = 0;
    heard.status = -1;
    lists_change(g->relay->lists, str_of(list), js_get(o, "entries"), remove, &call);
    js_free(&o);
}

static void begin(struct rig *g)
{
    rig_setup(g);
    g->settings.live_lists = live;
    g->settings.live_list_count = 2;
    rig_start(g);
}

static void end(struct rig *g)
{
    buf_free(&heard.rows);
    buf_free(&heard.text);
    rig_teardown(g);
}

static void expect_entries(struct rig *g, const char *rows)
{
    heard.rows.n = 0;
    lists_show(g->relay->lists, STR("vips"), &call);
    assert_int_equal(heard.status, 0);
    check_buf(&heard.rows, rows);
}

static void changes_reach_the_judges_first(void **state)
{
    (void)state;
    struct rig g;
    begin(&g);
    assert_int_equal(g.memory->listed, 2); /* both, empty, as soon as the judge was there */
    change(&g, "vips", "A@corp.example", false);
    assert_int_equal(heard.status, -1); /* not before it is stored … */
    memory_run(g.memory);
    assert_int_equal(heard.status, 0); /* … and the judge has answered */
    assert_int_equal(g.memory->listed, 3);
    check_buf(&heard.rows, "{\"table\":\"vips\",\"changed\":1,\"unchanged\":0,\"entries\":1,\"revision\":1}");
    expect_entries(&g, "{\"entry\":\"A@corp.example\"}");
    change(&g, "vips", "x@y.example", true);
    memory_run(g.memory);
    check_buf(&heard.rows, "{\"table\":\"vips\",\"changed\":0,\"unchanged\":1,\"entries\":1,\"revision\":2}");
    /* A new generation's judges get the lists anew; a restart reads them from the store. */
    unsigned before = g.memory->listed;
    rig_generation(&g, NULL);
    assert_int_equal(g.memory->listed, before + 2);
    rig_restart(&g);
    expect_entries(&g, "{\"entry\":\"A@corp.example\"}");
    end(&g);
}

static void refused(void **state)
{
    (void)state;
    struct rig g;
    begin(&g);
    change(&g, "vips", "nonsense", false);
    assert_int_equal(heard.status, EX_DATAERR);
    change(&g, "nobodys", "a@corp.example", false);
    assert_int_equal(heard.status, EX_NOINPUT);
    g.memory->store_fails = true;
    change(&g, "vips", "a@corp.example", false);
    memory_run(g.memory);
    assert_true(heard.status > 0);
    g.memory->store_fails = false;
    expect_entries(&g, ""); /* what was not stored is not in force */
    assert_int_equal(g.memory->listed, 2);
    end(&g);
}

/* A judge that ends over a list is replaced, and the change is answered when the next one has it. */
static void a_judge_dies_of_a_list(void **state)
{
    (void)state;
    struct rig g;
    begin(&g);
    g.memory->list_kills = true;
    change(&g, "vips", "a@corp.example", false);
    struct net_stream *s = rig_session(&g, "10.0.0.1");
    g.memory->list_kills = false;
    memory_advance(g.memory, 2000);
    assert_int_equal(heard.status, 0);
    assert_true(g.memory->spawned >= 2);
    assert_true(strncmp(rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail), "250", 3) == 0);
    end(&g);
}

static void another_type_is_refused(void **state)
{
    (void)state;
    struct rig g;
    begin(&g);
    change(&g, "vips", "a@corp.example", false);
    memory_run(g.memory);
    live[0].type = LIVE_DOMAIN;
    rig_generation(&g, NULL);
    assert_true(str_find(buf_str(&g.memory->said), STR("holds entries of type address")) != STR_NPOS);
    live[0].type = LIVE_ADDRESS;
    expect_entries(&g, "{\"entry\":\"a@corp.example\"}");
    end(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_reach_the_judges_first),
        cmocka_unit_test(refused),
        cmocka_unit_test(a_judge_dies_of_a_list),
        cmocka_unit_test(another_type_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
