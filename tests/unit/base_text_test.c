/* Log lines, JSON, digests, sorting, the calendar, addresses of hosts. */
#include "tests/support/check.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/civil.h"
#include "base/digest.h"
#include "base/ip.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/sort.h"

static void one_event_is_one_line(void **state)
{
    (void)state;
    struct log *l = log_create(-1, LOG_LEVEL_INFO, false);
    log_set_time(l, 1795474202123456);
    log_begin(l, LOG_LEVEL_DEBUG, STR("q"), "never");
    log_str(l, "k", STR("v"));
    log_end(l);
    log_begin(l, LOG_LEVEL_INFO, STR("ABC"), "deliver");
    log_str(l, "to", STR("b@partner.example"));
    log_str(l, "reply", STR("250 2.0.0 \"ok\"\r\nAnd=more\0\xff\xc3\xbc\xe2\x80\xa8\\"));
    log_num(l, "delay_ms", -12);
    log_cstr(l, "absent", NULL);
    log_str(l, "empty", STR(""));
    log_end(l);
    struct err e = {0};
    err_set(&e, 74, "disk full");
    e.os = 28;
    log_begin(l, LOG_LEVEL_ERROR, STR_NONE, "store");
    log_err(l, &e);
    log_end(l);
    check_str(
        log_buffered(l),
        "2026-11-23T22:50:02.123456Z ABC: event=deliver to=b@partner.example "
        "reply=\"250 2.0.0 \\\"ok\\\"\\r\\nAnd=more\\x00\\xff\xc3\xbc\\xe2\\x80\\xa8\\\\\" delay_ms=-12 empty=\"\"\n"
        "2026-11-23T22:50:02.123456Z -: event=store level=error error=\"disk full\" errno=28\n");
    log_free(&l);
    l = log_create(-1, LOG_LEVEL_INFO, false);
    log_set_time(l, 1795474202123456);
    log_set_form(l, LOG_JSON);
    log_begin(l, LOG_LEVEL_INFO, STR("ABC"), "deliver");
    log_str(l, "reply", STR("250 \"ok\"\r\nAnd=more\1\xff\xc3\xbc\\"));
    log_num(l, "delay_ms", -12);
    log_end(l);
    log_begin(l, LOG_LEVEL_ERROR, STR_NONE, "store");
    log_err(l, &e);
    log_end(l);
    struct str line, rest = log_buffered(l);
    while (rest.n && str_cut(rest, '\n', &line, &rest)) { /* JSON, and its own reader says the same */
        struct js *v = js_parse(line, 1000, &e);
        struct str text;
        assert_non_null(v);
        assert_true(js_get_str(v, "time", &text));
        check_str(text, "2026-11-23T22:50:02.123456Z");
        assert_true(js_get_str(v, "event", &text));
        if (str_eq(text, STR("deliver"))) {
            int64_t number;
            assert_true(js_get_num(v, "delay_ms", &number) && number == -12 && js_get_str(v, "reply", &text));
            assert_true(str_eq(text, STR("250 \"ok\"\r\nAnd=more\1\xef\xbf\xbd\xc3\xbc\\")));
        } else {
            assert_true(js_get_str(v, "level", &text) && str_eq(text, STR("error")));
        }
        js_free(&v);
    }
    log_free(&l);
    log_begin(NULL, LOG_LEVEL_INFO, STR_NONE, "x");
    log_str(NULL, "k", STR("v"));
    log_end(NULL);
    log_flush(NULL);
}

static void log_values_are_reversible(void **state)
{
    (void)state;
    struct dice d = {1};
    struct buf written = {0}, back = {0};
    for (int round = 0; round < 20000; round++) {
        char bytes[24];
        static const char some[] = " \"\\=\n\rab\x7f\xc2\x85\xe2\x80\xae\xc3\xa9\0x";
        struct str value = {bytes, dice_roll(&d, sizeof bytes)};
        for (size_t i = 0; i < value.n; i++)
            bytes[i] = dice_roll(&d, 3) ? some[dice_roll(&d, sizeof some - 1)] : (char)dice_roll(&d, 256);
        written.n = back.n = 0;
        log_escape(&written, value);
        for (size_t i = 0; i < written.n; i++) assert_true((unsigned char)written.p[i] >= 0x20 && written.p[i] != 0x7f);
        assert_true(str_is_utf8(buf_str(&written)));
        assert_true(log_unescape(&back, buf_str(&written)));
        assert_true(str_eq(buf_str(&back), value));
    }
    assert_false(log_unescape(&back, STR("a b")));
    assert_false(log_unescape(&back, STR("\"a")));
    assert_false(log_unescape(&back, STR("\"a\"b\"")));
    assert_false(log_unescape(&back, STR("\"\\x4\"")));
    buf_free(&written);
    buf_free(&back);
}

static void log_reaches_its_descriptor_and_counts_losses(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct log *l = log_create(fds[1], LOG_LEVEL_INFO, true);
    log_begin(l, LOG_LEVEL_WARNING, STR("Q"), "full");
    log_end(l);
    log_flush(l);
    char got[256];
    ssize_t n = read(fds[0], got, sizeof got);
    check_str(((struct str){got, (size_t)n}), "<4>1970-01-01T00:00:00.000000Z Q: event=full level=warning\n");
    close(fds[1]);
    close(fds[0]);
    log_free(&l);

    l = log_create(63, LOG_LEVEL_INFO, false); /* no such descriptor: nothing can be written */
    for (int i = 0; i < 30000; i++) {
        log_begin(l, LOG_LEVEL_INFO, STR_NONE, "noise");
        log_str(l, "text", STR("some words of noise here"));
        log_end(l);
    }
    assert_in_range(log_buffered(l).n, LIMIT_LOG_BUFFER, LIMIT_LOG_BUFFER + 200);
    log_free(&l);
}

static void json_out(void **state)
{
    (void)state;
    struct js *v = js_object(), *list = js_array();
    js_put_str(v, "text", STR("a\"b\n\xff\xc3\xa9"));
    js_put_num(v, "big", INT64_MAX);
    js_put_bool(v, "yes", true);
    js_put_null(v, "nothing");
    js_put_cstr(v, "none", NULL);
    js_put_real(v, "not_finite", 1e308 * 10);
    js_add_str(list, STR("x"));
    js_add_num(list, -1);
    js_put(v, "list", list);
    struct buf b = {0};
    js_print(v, &b);
    check_buf(&b,
              "{\"text\":\"a\\\"b\\n\xef\xbf\xbd\xc3\xa9\",\"big\":9223372036854775807,\"yes\":true,\"nothing\":null,"
              "\"none\":null,\"not_finite\":null,\"list\":[\"x\",-1]}");
    b.n = 0;
    js_escape(&b, STR("\"\\\x01"));
    check_buf(&b, "\\\"\\\\\\u0001");
    buf_free(&b);
    js_free(&v);
    assert_null(v);
}

static void json_in(void **state)
{
    (void)state;
    struct err e = {0};
    struct js *v =
        js_parse(STR("{\"v\":1,\"op\":\"list\",\"all\":true,\"ids\":[\"a\",\"b\"]}"), LIMIT_CONTROL_REQUEST, &e);
    assert_non_null(v);
    int64_t n;
    struct str s;
    bool all;
    assert_true(js_get_num(v, "v", &n) && n == 1);
    assert_true(js_get_str(v, "op", &s));
    check_str(s, "list");
    assert_true(js_get_bool(v, "all", &all) && all);
    assert_false(js_get_str(v, "v", &s));
    assert_false(js_get_num(v, "missing", &n));
    assert_int_equal(js_count(js_get(v, "ids")), 2);
    assert_true(js_str(js_at(js_get(v, "ids"), 1), &s));
    check_str(s, "b");
    assert_null(js_at(js_get(v, "ids"), 2));
    assert_false(js_is_array(js_get(v, "op")));
    js_free(&v);
    static const char *const bad[] = {"", "[]", "{", "{\"a\":1,\"a\":2}", "{} x", "{\"a\":\"\xff\"}", "1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_null(js_parse(str_of(bad[i]), 100, &e));
    assert_null(js_parse(STR("{\"a\":\"0123456789\"}"), 10, &e));
    char deep[400];
    memset(deep, '[', sizeof deep);
    memcpy(deep, "{\"a\":", 5);
    assert_null(js_parse((struct str){deep, sizeof deep}, sizeof deep, &e));
    assert_non_null(strstr(e.text, "nested"));
}

static void sha256_of_the_standard(void **state)
{
    (void)state;
    uint8_t out[DIGEST_SIZE];
    char hex[DIGEST_HEX_SIZE];
    digest_warm();
    digest_sha256(STR("abc"), out);
    digest_hex(out, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_sha256(STR_NONE, out);
    digest_hex(out, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    struct digest *d = digest_create();
    for (int round = 0; round < 2; round++) {
        digest_add(d, STR("a"));
        digest_add(d, STR_NONE);
        digest_add(d, STR("bc"));
        digest_finish(d, out);
        digest_hex(out, hex);
        assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
    digest_free(&d);
}

struct card {
    int key, was;
};
static int by_key(const void *a, const void *b, void *ctx)
{
    ++*(size_t *)ctx;
    return ((const struct card *)a)->key - ((const struct card *)b)->key;
}

static void sorting_is_stable_and_linearithmic(void **state)
{
    (void)state;
    struct dice d = {7};
    for (size_t n = 0; n < 300; n += 1 + n / 8) {
        struct card *v = mem_array(n + 1, sizeof *v);
        size_t compares = 0;
        for (size_t i = 0; i < n; i++) v[i] = (struct card){(int)dice_roll(&d, 20), (int)i};
        sort_array(v, n, sizeof *v, by_key, &compares);
        for (size_t i = 1; i < n; i++)
            assert_true(v[i - 1].key < v[i].key || (v[i - 1].key == v[i].key && v[i - 1].was < v[i].was));
        assert_true(compares <= n * 14);
        struct card key = {10, 0};
        size_t at = sort_lower_bound(v, n, sizeof *v, &key, by_key, &compares);
        assert_true(at == 0 || v[at - 1].key < 10);
        assert_true(at == n || v[at].key >= 10);
        free(v);
    }
}

static void calendar_agrees_with_libc(void **state)
{
    (void)state;
    struct dice d = {3};
    for (int i = 0; i < 50000; i++) {
        int64_t utc = (int64_t)dice_roll(&d, 253402300800u + 62167219200u) - 62167219200;
        time_t t = (time_t)utc;
        struct tm tm;
        gmtime_r(&t, &tm);
        struct civil c = civil_of(utc, 0);
        assert_int_equal(c.year, tm.tm_year + 1900);
        assert_int_equal(c.month, tm.tm_mon + 1);
        assert_int_equal(c.day, tm.tm_mday);
        assert_int_equal(c.hour * 3600 + c.minute * 60 + c.second, tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec);
        assert_int_equal(c.weekday, tm.tm_wday);
        assert_true(civil_is_valid(&c));
        assert_true(civil_to_utc(&c, 0) == utc);
    }
    char text[CIVIL_RFC3339_MAX];
    civil_print_rfc3339(1795474202, 3600, text);
    assert_string_equal(text, "2026-11-23T23:50:02+01:00");
    civil_print_rfc3339(1795474202, -12600, text);
    assert_string_equal(text, "2026-11-23T19:20:02-03:30");
    civil_print_rfc3339(INT64_MAX, INT32_MAX, text);
    civil_print_rfc3339(INT64_MIN, INT32_MIN, text);
    civil_print_micros(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999999Z");
    assert_false(civil_is_valid(&(struct civil){.year = 2026, .month = 2, .day = 29}));
    assert_true(civil_is_valid(&(struct civil){.year = 2028, .month = 2, .day = 29}));
    assert_false(civil_is_valid(&(struct civil){.year = 2026, .month = 13, .day = 1}));
}

static void hosts_and_networks(void **state)
{
    (void)state;
    uint8_t a[IP_SIZE], low[IP_SIZE], high[IP_SIZE];
    char text[IP_TEXT_MAX];
    static const char *const same[] = {"192.0.2.7", "::1", "2001:db8::1:0:0:1", "::", "255.255.255.255"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        assert_true(ip_parse(str_of(same[i]), a));
        assert_int_equal(ip_print(a, text), strlen(same[i]));
        assert_string_equal(text, same[i]);
    }
    assert_true(ip_parse(STR("::ffff:10.0.0.1"), a));
    ip_print(a, text);
    assert_string_equal(text, "10.0.0.1");
    static const char *const bad[] = {"",     "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.256", " 1.2.3.4", "1.2.3.4 ",
                                      "fe80::1%eth0", "[::1]", ":::", "1.2.3.4:25", "localhost"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(ip_parse(str_of(bad[i]), a));
    assert_false(ip_parse(STR("1.2.3.4\0x"), a));

    struct err e;
    assert_true(ip_range_parse(STR("10.0.0.0/8"), low, high, &e));
    assert_true(ip_parse(STR("10.255.255.255"), a) && ip_in_range(a, low, high));
    assert_true(ip_parse(STR("11.0.0.0"), a) && !ip_in_range(a, low, high));
    assert_true(ip_range_parse(STR("0.0.0.0/0"), low, high, &e));
    assert_true(ip_parse(STR("203.0.113.9"), a) && ip_in_range(a, low, high));
    assert_true(ip_parse(STR("2001:db8::1"), a) && !ip_in_range(a, low, high));
    assert_true(ip_range_parse(STR("2001:db8::/33"), low, high, &e));
    ip_print(high, text);
    assert_string_equal(text, "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff");
    assert_true(ip_range_parse(STR("10.0.0.1 - 10.0.0.9"), low, high, &e));
    assert_true(ip_parse(STR("10.0.0.9"), a) && ip_in_range(a, low, high));
    assert_true(ip_range_parse(STR("10.0.0.1"), low, high, &e));
    assert_int_equal(ip_compare(low, high), 0);
    static const char *const wrong[] = {"10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.9-10.0.0.1",
                                        "10.0.0.1-::1", "10.0.0.1-", "-", "/", "::/129", "10.0.0.0/008x"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(ip_range_parse(str_of(wrong[i]), low, high, &e));
    assert_false(ip_range_parse(STR("10.0.0.1/8"), low, high, &e));
    assert_string_equal(e.text, "`10.0.0.1/8` has bits beyond its prefix: the network is `10.0.0.0/8`");
    assert_false(ip_range_parse(STR("x"), low, high, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_event_is_one_line),
        cmocka_unit_test(log_values_are_reversible),
        cmocka_unit_test(log_reaches_its_descriptor_and_counts_losses),
        cmocka_unit_test(json_out),
        cmocka_unit_test(json_in),
        cmocka_unit_test(sha256_of_the_standard),
        cmocka_unit_test(sorting_is_stable_and_linearithmic),
        cmocka_unit_test(calendar_agrees_with_libc),
        cmocka_unit_test(hosts_and_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
