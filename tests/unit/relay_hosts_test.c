/* relay/hosts on a scripted DNS: which hosts, in which order, and what is refused for good or for now. */
#include <string.h>

#include "net/dns_records.h"
#include "relay/hosts.h"
#include "tests/support/check.h"
#include "tests/support/relay_rig.h"

struct asked {
    struct hosts *hosts;
    int known;
};

static void on_known(void *owner) { ((struct asked *)owner)->known++; }

static void look_up(struct rig *g, struct asked *a, const char *domain)
{
    *a = (struct asked){.hosts = hosts_of_domain(g->relay, str_of(domain), 25)};
    if (hosts_are_known(a->hosts, on_known, a)) return;
    memory_run(g->memory);
    assert_int_equal(a->known, 1);
    assert_true(hosts_are_known(a->hosts, on_known, a));
}

/* "name where name where" of all hosts, in the order in which they would be tried. */
static void check_hosts(const struct hosts *h, const char *wanted)
{
    struct buf got = {0};
    uint64_t tried = 0;
    for (int i; (i = hosts_pick(h, tried)) != HOSTS_NONE; tried |= (uint64_t)1 << i) {
        const struct host *at = hosts_at(h, i);
        buf_printf(&got, "%s%.*s %.*s%s", got.n ? ", " : "", STR_ARG(at->name), STR_ARG(at->where),
                   at->secure ? " s" : "");
    }
    check_buf(&got, wanted);
    buf_free(&got);
}

static const struct memory_dns zone[] = {
    {"two.example", NET_DNS_MX, NET_DNS_FOUND, "20 b.example, 10 a.example, 30 nowhere.example", true},
    {"a.example", NET_DNS_A, NET_DNS_FOUND, "192.0.2.1, 192.0.2.2", true},
    {"a.example", NET_DNS_AAAA, NET_DNS_FOUND, "2001:db8::1", true},
    {"b.example", NET_DNS_A, NET_DNS_FOUND, "192.0.2.3", false},
    {"equal.example", NET_DNS_MX, NET_DNS_FOUND, "5 a.example, 5 b.example, 5 c.example", false},
    {"c.example", NET_DNS_A, NET_DNS_FOUND, "192.0.2.4", false},
    {"implicit.example", NET_DNS_A, NET_DNS_FOUND, "192.0.2.5", false},
    {"null.example", NET_DNS_MX, NET_DNS_FOUND, "0 .", false},
    {"null.example", NET_DNS_A, NET_DNS_FOUND, "192.0.2.6", false},
    {"gone.example", NET_DNS_MX, NET_DNS_NO_DOMAIN, "", false},
    {"failed.example", NET_DNS_MX, NET_DNS_FAILED, "", false},
    {"failed.example", NET_DNS_A, NET_DNS_FOUND, "192.0.2.7", false},
    {"bogus.example", NET_DNS_MX, NET_DNS_BOGUS, "", false},
    {"bogus.example", NET_DNS_A, NET_DNS_FOUND, "192.0.2.8", false},
    {"hollow.example", NET_DNS_MX, NET_DNS_FOUND, "10 nowhere.example", false},
    {"unsure.example", NET_DNS_MX, NET_DNS_FOUND, "10 unsure-mx.example", false},
    {"unsure-mx.example", NET_DNS_A, NET_DNS_FAILED, "", false},
    {"loop.example", NET_DNS_MX, NET_DNS_FOUND, "10 relay.corp.example, 20 b.example", false},
    {"backup.example", NET_DNS_MX, NET_DNS_FOUND, "10 a.example, 20 RELAY.corp.example, 20 b.example, 30 c.example",
     false},
    {"ours.example", NET_DNS_A, NET_DNS_FOUND, "192.0.2.99", false},
    {"ours6.example", NET_DNS_AAAA, NET_DNS_FOUND, "2001:db8::99", false},
    {"nothing.example", NET_DNS_A, NET_DNS_FOUND, "0.0.0.0", false},
    {"best.example", NET_DNS_MX, NET_DNS_FOUND, "10 ours.example, 20 b.example", false},
    {"best6.example", NET_DNS_MX, NET_DNS_FOUND, "10 ours6.example, 20 b.example", false},
    {"equals.example", NET_DNS_MX, NET_DNS_FOUND, "10 a.example, 10 ours.example, 10 b.example, 20 c.example", false},
    {"second.example", NET_DNS_MX, NET_DNS_FOUND, "10 b.example, 20 a.example, 20 ours.example, 30 c.example", false},
    {"halfsure.example", NET_DNS_MX, NET_DNS_FOUND, "10 unsure-mx.example, 20 ours.example", false},
    {NULL, 0, 0, NULL, false},
};

/* Exchangers that are ourselves under another name: by address and port. */
static void loops_by_address(void **state)
{
    (void)state;
    static const struct {
        const char *listener, *local; /* where we listen, and an interface's address */
        uint16_t port;
        const char *domain, *hosts; /* NULL: 5.4.6 */
    } rows[] = {
        {"192.0.2.99", "", 25, "best.example", NULL},
        {"192.0.2.99", "", 25, "ours.example", NULL}, /* without MX records */
        {"192.0.2.99", "", 25, "[192.0.2.99]", NULL},
        {"192.0.2.99", "", 26, "[192.0.2.99]", "[192.0.2.99] [192.0.2.99]"}, /* another server's port */
        {"192.0.2.99", "", 26, "best.example", "ours.example 192.0.2.99, b.example 192.0.2.3"},
        {"192.0.2.98", "192.0.2.99", 25, "ours.example",
         "ours.example 192.0.2.99"}, /* nobody listens on that address */
        {"0.0.0.0", "192.0.2.99", 25, "best.example", NULL},
        {"0.0.0.0", "192.0.2.98", 25, "ours.example", "ours.example 192.0.2.99"},
        {"0.0.0.0", "2001:db8::99", 25, "ours6.example", "ours6.example 2001:db8::99"},
        {"::", "2001:db8::99", 25, "best6.example", NULL},
        {"2001:db8::99", "", 25, "ours6.example", NULL},
        {"2001:db8::99", "", 25, "[IPv6:2001:db8::99]", NULL},
        {"0.0.0.0", "", 25, "nothing.example", NULL},
        {"127.0.0.1", "", 25, "nothing.example", NULL},
        {"127.0.0.1", "", 26, "nothing.example", "nothing.example 0.0.0.0"},
        {"192.0.2.99", "", 25, "equals.example", NULL}, /* whoever is as good as we are is no nearer */
        {"192.0.2.99", "", 25, "second.example", "b.example 192.0.2.3"},
        {"192.0.2.99", "", 25, "halfsure.example", ""}, /* the better one could not be looked up: it waits */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig g;
        struct asked a;
        rig_setup(&g);
        g.memory->dns = zone;
        g.memory->local = rows[i].local;
        g.listener.ip = str_of(rows[i].listener);
        g.listener.port = rows[i].port;
        rig_start(&g);
        for (int again = 0; again < 8; again++) { /* equals come in any order */
            look_up(&g, &a, rows[i].domain);
            const struct trouble *t = hosts_trouble(a.hosts);
            bool waits = rows[i].hosts && !*rows[i].hosts;
            if (!t != (rows[i].hosts && !waits)) fail_msg("row %zu: %s", i, t ? "trouble" : "no trouble");
            if (!t) check_hosts(a.hosts, rows[i].hosts);
            if (t) assert_int_equal(t->cause, waits ? TROUBLE_LOST : TROUBLE_UNABLE);
            if (t && !waits) assert_int_equal(t->reply.status.detail, 6);
            hosts_free(&a.hosts);
        }
        rig_teardown(&g);
    }
}

static void domains(void **state)
{
    (void)state;
    static const struct {
        const char *domain, *hosts;
        uint8_t cause;
        struct status status;
    } rows[] = {
        {"two.example",
         "a.example 2001:db8::1 s, a.example 192.0.2.1 s, a.example 192.0.2.2 s, b.example 192.0.2.3",
         0,
         {0}},
        {"implicit.example", "implicit.example 192.0.2.5", 0, {0}},
        {"backup.example", "a.example 2001:db8::1, a.example 192.0.2.1, a.example 192.0.2.2", 0, {0}},
        {"[192.0.2.9]", "[192.0.2.9] [192.0.2.9]", 0, {0}},
        {"null.example", NULL, TROUBLE_UNABLE, {5, 1, 10}},
        {"gone.example", NULL, TROUBLE_UNABLE, {5, 1, 2}},
        {"hollow.example", NULL, TROUBLE_UNABLE, {5, 4, 4}},
        {"empty.example", NULL, TROUBLE_UNABLE, {5, 4, 4}},
        {"loop.example", NULL, TROUBLE_UNABLE, {5, 4, 6}},
        {"failed.example", NULL, TROUBLE_LOST, {4, 4, 4}},
        {"bogus.example", NULL, TROUBLE_LOST, {4, 4, 4}},
        {"unsure.example", NULL, TROUBLE_LOST, {4, 4, 4}},
    };
    struct rig g;
    rig_setup(&g);
    rig_start(&g);
    g.memory->dns = zone;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct asked a;
        look_up(&g, &a, rows[i].domain);
        const struct trouble *t = hosts_trouble(a.hosts);
        if (!t != (rows[i].hosts != NULL)) fail_msg("%s: %s", rows[i].domain, t ? "trouble" : "no trouble");
        if (rows[i].hosts) check_hosts(a.hosts, rows[i].hosts);
        if (t) {
            struct trouble_answer answer = trouble_decide(t);
            if (t->cause != rows[i].cause || answer.status.class != rows[i].status.class ||
                answer.status.subject != rows[i].status.subject || answer.status.detail != rows[i].status.detail)
                fail_msg("%s: %u.%u.%u", rows[i].domain, answer.status.class, answer.status.subject,
                         answer.status.detail);
            assert_int_equal(answer.fate, rows[i].cause == TROUBLE_UNABLE ? FATE_RETURN : FATE_RETRY);
        }
        hosts_free(&a.hosts);
    }
    rig_teardown(&g);
}

static void equal_preferences_are_shuffled(void **state)
{
    (void)state;
    struct rig g;
    unsigned first[3] = {0};
    rig_setup(&g);
    rig_start(&g);
    g.memory->dns = zone;
    for (int i = 0; i < 300; i++) {
        struct asked a;
        look_up(&g, &a, "equal.example");
        struct str name = hosts_at(a.hosts, hosts_pick(a.hosts, 0))->name;
        first[name.p[0] - 'a']++;
        hosts_free(&a.hosts);
    }
    for (int i = 0; i < 3; i++) assert_in_range(first[i], 60, 140);
    rig_teardown(&g);
}

static void what_failed_is_passed_over(void **state)
{
    (void)state;
    struct rig g;
    struct asked a;
    rig_setup(&g);
    rig_start(&g);
    g.memory->dns = zone;
    look_up(&g, &a, "two.example");
    unsigned asked = g.memory->dns_asked;
    hosts_failed(a.hosts, 0);
    hosts_failed(a.hosts, 1);
    check_hosts(a.hosts, "a.example 192.0.2.2 s, b.example 192.0.2.3");
    assert_int_equal(hosts_pick(a.hosts, 1 << 2), 3);
    hosts_worked(a.hosts, 1);
    assert_int_equal(hosts_pick(a.hosts, 0), 1);
    for (int i = 0; i < 4; i++) hosts_failed(a.hosts, i);
    assert_int_equal(hosts_pick(a.hosts, 0), HOSTS_NONE);
    hosts_forgive(a.hosts);
    assert_int_equal(hosts_pick(a.hosts, 0), 0);
    hosts_failed(a.hosts, 0);
    memory_advance(g.memory, HOSTS_BAD_S * 1000);
    assert_int_equal(hosts_pick(a.hosts, 0), 0);
    assert_true(hosts_are_known(a.hosts, on_known, &a));
    assert_int_equal(g.memory->dns_asked, asked);
    memory_advance(g.memory, HOSTS_KEPT_S * 1000);
    assert_false(hosts_are_known(a.hosts, on_known, &a));
    hosts_free(&a.hosts); /* in the middle: no answer comes */
    memory_run(g.memory);
    assert_int_equal(a.known, 1);
    rig_teardown(&g);
}

static void a_connectors_own(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    rig_start(&g);
    struct connector_settings c = {.host = STR("one.example, 192.0.2.1 ,two.example")};
    struct hosts *h = hosts_of_connector(g.relay, &c);
    assert_true(hosts_are_known(h, on_known, NULL));
    check_hosts(h, "one.example one.example, 192.0.2.1 192.0.2.1, two.example two.example");
    hosts_free(&h);
    rig_teardown(&g);
}

/* --- RDATA -------------------------------------------------------------------------------------------------------- */

static void records(void **state)
{
    (void)state;
    static const struct {
        struct str rdata;
        const char *name; /* NULL: refused */
        unsigned preference;
    } rows[] = {
        {{"\0\12\2MX\1b\0", 8}, "mx.b", 10}, {{"\0\0\0", 3}, "", 0},           {{"\1\0\3a_b\0", 7}, "a_b", 256},
        {{"\0\12", 2}, NULL, 0},             {{"\0\12\2mx", 5}, NULL, 0},      {{"\0\12\2mx\1b\0x", 9}, NULL, 0},
        {{"\0\12\5mx\1b\0", 8}, NULL, 0},    {{"\0\12\2m\0\1b\0", 8}, NULL, 0}, {{"\0\12\2m.\1b\0", 8}, NULL, 0},
        {{"\0\12\xc0\0\0", 5}, NULL, 0},
    };
    struct arena *a = arena_create();
    struct net_dns_record r;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool good = dns_record_read(a, NET_DNS_MX, rows[i].rdata, &r);
        if (good != (rows[i].name != NULL)) fail_msg("record %zu", i);
        if (!good) continue;
        check_str(r.name, rows[i].name);
        assert_int_equal(r.preference, rows[i].preference);
    }
    for (size_t n = 0; n <= 40; n++) {
        struct str bytes = {"0123456789012345678901234567890123456789", n};
        assert_int_equal(dns_record_read(a, NET_DNS_A, bytes, &r), n == 4);
        assert_int_equal(dns_record_read(a, NET_DNS_AAAA, bytes, &r), n == 16);
    }
    struct buf longest = {0}; /* a name of 255 octets on the wire is one; 256 are none */
    buf_add(&longest, (struct str){"\0\1", 2});
    for (int i = 0; i < 3; i++) {
        buf_add_byte(&longest, 63);
        for (int k = 0; k < 63; k++) buf_add_byte(&longest, 'x');
    }
    buf_add_byte(&longest, 61);
    for (int k = 0; k < 61; k++) buf_add_byte(&longest, 'y');
    buf_add_byte(&longest, '\0');
    assert_true(dns_record_read(a, NET_DNS_MX, buf_str(&longest), &r) && r.name.n == DNS_NAME_MAX);
    assert_true(dns_name_is_sound(r.name));
    static const char *const bad[] = {"", ".", "a..b", "a.", "a b", "a\n", "\xc3\xa4.example"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(dns_name_is_sound(str_of(bad[i])));
    buf_free(&longest);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(domains),          cmocka_unit_test(loops_by_address),
        cmocka_unit_test(equal_preferences_are_shuffled),
        cmocka_unit_test(what_failed_is_passed_over), cmocka_unit_test(a_connectors_own),
        cmocka_unit_test(records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
