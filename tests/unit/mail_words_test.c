/* The small words of mail: obligations, status codes, settings, xtext, queue ids, dates. */
#include "tests/support/check.h"

#include <string.h>

#include "base/ip.h"
#include "mail/datetime.h"
#include "mail/obligation.h"
#include "mail/queue_id.h"
#include "mail/settings.h"
#include "mail/status.h"
#include "mail/verdict.h"
#include "mail/orcpt.h"
#include "mail/xtext.h"

enum { OBLIGATIONS = 4 * 3 * 2 };

static struct obligation obligation_number(unsigned i)
{
    return (struct obligation){(uint8_t)(i % 4), (uint8_t)(i / 4 % 3), i / 12 != 0};
}

static void obligations_only_rise(void **state)
{
    (void)state;
    for (unsigned i = 0; i < OBLIGATIONS; i++) {
        struct obligation a = obligation_number(i), back;
        char text[OBLIGATION_TEXT_MAX];
        size_t n = obligation_print(a, text);
        assert_int_equal(n, strlen(text));
        assert_true(obligation_parse(str_of(text), &back) && obligation_equal(a, back));
        assert_int_equal(obligation_demands_tls(a), i != 0);
        for (unsigned k = 0; k < OBLIGATIONS; k++) {
            struct obligation b = obligation_number(k), j = obligation_join(a, b);
            assert_true(obligation_equal(j, obligation_join(b, a)));
            assert_true(obligation_covers(j, a) && obligation_covers(j, b));
            assert_int_equal(obligation_covers(a, b), a.peer >= b.peer && a.floor >= b.floor && a.onward >= b.onward);
            for (unsigned m = 0; m < OBLIGATIONS; m++) {
                struct obligation c = obligation_number(m);
                assert_true(obligation_equal(obligation_join(j, c), obligation_join(a, obligation_join(b, c))));
            }
        }
    }
    char text[OBLIGATION_TEXT_MAX];
    obligation_print((struct obligation){TLS_PEER_VERIFIED, TLS_FLOOR_1_3, true}, text);
    assert_string_equal(text, "verified+onward+1.3");
    static const char *const bad[] = {"",         "None",        "none ", "clear", "verified+1.3+onward",
                                      "encrypt+", "encrypt+1.1", "+1.2"};
    struct obligation o = {TLS_PEER_DANE, 0, false};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(obligation_parse(str_of(bad[i]), &o));
    assert_false(obligation_parse(STR("none\0"), &o));
    assert_int_equal(o.peer, TLS_PEER_DANE); /* damage leaves what was there */
}

static void status_codes(void **state)
{
    (void)state;
    struct status s;
    char text[STATUS_TEXT_MAX];
    assert_true(status_parse(STR("5.7.10"), &s));
    status_print(s, text);
    assert_string_equal(text, "5.7.10");
    static const char *const bad[] = {"",        "5",        "5.7",    "5.7.",   "5..1", "3.7.1",
                                      "5.7.1.1", "5.7.1000", "5.07.1", "5.7.1 ", "x.7.1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(status_parse(str_of(bad[i]), &s));
    assert_true(reply_is_consistent(&(struct reply){550, STATUS(5, 7, 1), STR_NONE}));
    assert_false(reply_is_consistent(&(struct reply){450, STATUS(5, 7, 1), STR_NONE}));
    for (size_t i = 0; i < DISPOSITION_COUNT; i++) assert_non_null(disposition_names[i]);
}

static struct address_range range(const char *text)
{
    struct address_range r;
    assert_true(ip_range_parse(str_of(text), r.low, r.high, NULL));
    return r;
}

static void settings_come_back_or_are_refused(void **state)
{
    (void)state;
    struct address_range relay_for[] = {range("10.0.0.0/8"), range("2001:db8::/32")};
    struct str ours[] = {STR("corp.example"), STR("*.corp.example")}, theirs[] = {STR("*.partner.example")},
               exact[] = {STR("mail.partner.example")};
    struct listener_settings listeners[] = {{STR("mx"),
                                             STR("::"),
                                             25,
                                             STR("/c.pem"),
                                             STR("/k.pem"),
                                             {relay_for, 2},
                                             {ours, 2},
                                             LISTENER_TLS_REQUIRED,
                                             LISTENER_AUTH_OFFERED,
                                             {relay_for, 1},
                                             {relay_for, 2},
                                             5000,
                                             50,
                                             60,
                                             100,
                                             1000,
                                             300,
                                             500}};
    struct connector_settings connectors[] = {
        {STR("wild"),
         STR("a.example"),
         25,
         CONNECTOR_TLS_VERIFIED,
         STR("a"),
         STR(""),
         {theirs, 1},
         STR("u"),
         STR("/p"),
         1,
         2,
         3,
         4},
        {STR("exact"),
         STR("b.example"),
         26,
         CONNECTOR_TLS_NONE,
         STR(""),
         STR(""),
         {exact, 1},
         STR(""),
         STR(""),
         60,
         3600,
         432000,
         0},
        {STR("default"),
         STR("c.example"),
         25,
         CONNECTOR_TLS_OPPORTUNISTIC,
         STR(""),
         STR(""),
         {NULL, 0},
         STR(""),
         STR(""),
         5,
         6,
         7,
         8},
    };
    struct str files[] = {STR("a.sluice"), STR("b.sluice")};
    struct rule_settings rules[] = {{STR("secrets"), STR("audit"), 1, 9}};
    struct settings s = {.hostname = STR("relay.corp.example"),
                         .state = STR("/var/lib/sluice"),
                         .internal = {ours, 2},
                         .sandbox = true,
                         .memory = 1 << 28,
                         .message_size = 1 << 26,
                         .judges = 2,
                         .partial_reject = 3,
                         .evidence = 2,
                         .retry_first = 60,
                         .retry_most = 3600,
                         .retry_until = 432000,
                         .retry_notice = 9,
                         .listeners = listeners,
                         .listener_count = 1,
                         .connectors = connectors,
                         .connector_count = 3,
                         .files = files,
                         .file_count = 2,
                         .rules = rules,
                         .rule_count = 1},
                    got;
    struct arena *a = arena_create();
    struct buf b = {0}, again = {0};
    struct err e = {0};
    settings_encode(&s, &b);
    assert_true(settings_decode(a, buf_str(&b), &got, &e));
    settings_encode(&got, &again);
    assert_true(str_eq(buf_str(&b), buf_str(&again)));
    check_str(got.hostname, "relay.corp.example");
    assert_true(got.sandbox);
    assert_int_equal(got.listeners[0].port, 25);
    assert_true(ranges_contain(&got.listeners[0].relay_for, STR("10.1.2.3")));
    assert_true(ranges_contain(&got.listeners[0].relay_for, STR("::ffff:10.1.2.3")));
    assert_false(ranges_contain(&got.listeners[0].relay_for, STR("11.1.2.3")));
    assert_false(ranges_contain(&got.listeners[0].relay_for, STR("nonsense")));
    assert_true(domains_contain(&got.internal, STR("A.CORP.example")));
    assert_false(domains_contain(&got.internal, STR("xcorp.example")));
    check_str(settings_route(&got, STR("mail.PARTNER.example"))->name, "exact");
    check_str(settings_route(&got, STR("x.partner.example"))->name, "wild");
    check_str(settings_route(&got, STR("partner.example"))->name, "default");
    assert_null(settings_connector(&got, STR("gone")));

    for (size_t n = 0; n < b.n; n++) assert_false(settings_decode(a, str_slice(buf_str(&b), 0, n), &got, &e));
    assert_int_equal(e.sysexit, 65);
    /* Any one byte changed: refused, or settings that are sound enough to be written and read again. */
    struct dice d = {1};
    for (size_t i = 0; i < b.n; i++) {
        char was = b.p[i];
        b.p[i] = (char)(was ^ (1 + dice_roll(&d, 255)));
        if (settings_decode(a, buf_str(&b), &got, &e)) {
            again.n = 0;
            settings_encode(&got, &again);
            assert_true(str_eq(buf_str(&b), buf_str(&again)));
        }
        b.p[i] = was;
    }
    buf_add_byte(&b, 0);
    assert_false(settings_decode(a, buf_str(&b), &got, &e));
    buf_free(&b);
    buf_free(&again);
    arena_free(&a);
}

static void orcpt(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        bool ascii, utf8; /* valid without SMTPUTF8, with it */
        const char *in_ascii, *reported;
    } values[] = {
        {"rfc822;B+2Bx@d.example", true, true, "rfc822;B+2Bx@d.example", "rfc822;B+x@d.example"},
        {"x-400;a", true, true, "x-400;a", "x-400;a"},
        {"utf-8;b@d.example", true, true, "utf-8;b@d.example", "utf-8;b@d.example"},
        {"utf-8;\\x{E4}\\x{20}b@d.example", true, true, "utf-8;\\x{E4}\\x{20}b@d.example",
         "utf-8;\\x{E4}\\x{20}b@d.example"},
        {"UTF-8;\xc3\xa4@d.example", false, true, "UTF-8;\\x{E4}@d.example", "UTF-8;\\x{E4}@d.example"},
        {"utf-8;\xe6\x97\xa5\xf0\x9f\x98\x80@\xc3\xbc.example", false, true,
         "utf-8;\\x{65E5}\\x{1F600}@\\x{FC}.example", "utf-8;\\x{65E5}\\x{1F600}@\\x{FC}.example"},
        {"rfc822;\xc3\xa4@d.example", false, false, NULL, NULL},
        {"utf-8;\xc3@d.example", false, false, NULL, NULL},
        {"utf-8;a+2Bb@d.example", false, false, NULL, NULL}, /* no xtext here: RFC 6533 section 3 */
        {"utf-8;\\x{A}b", false, false, NULL, NULL},
        {"utf-8;\\x{0D}b", false, false, NULL, NULL},
        {"utf-8;\\x{00}b", false, false, NULL, NULL},
        {"utf-8;\\x{7F}b", false, false, NULL, NULL},
        {"utf-8;\\x{41}b", false, false, NULL, NULL},
        {"utf-8;\\x{D800}b", false, false, NULL, NULL},
        {"utf-8;\\x{110000}b", false, false, NULL, NULL},
        {"utf-8;\\x{e4}b", false, false, NULL, NULL},
        {"utf-8;\\x{00E4}b", false, false, NULL, NULL},
        {"utf-8;\\x{E4", false, false, NULL, NULL},
        {"utf-8;\\y", false, false, NULL, NULL},
        {"utf-8;", false, false, NULL, NULL},
        {";a", false, false, NULL, NULL},
        {"a", false, false, NULL, NULL},
        {"a b;c", false, false, NULL, NULL},
        {"rfc822;a+0Ab", false, false, NULL, NULL},
    };
    struct buf b = {0};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct str value = str_of(values[i].value);
        assert_int_equal(orcpt_is_valid(value, false), values[i].ascii);
        assert_int_equal(orcpt_is_valid(value, true), values[i].utf8);
        b.n = 0;
        assert_int_equal(orcpt_report(value, &b), values[i].utf8);
        if (values[i].utf8) check_buf(&b, values[i].reported);
        b.n = 0;
        if (values[i].utf8) orcpt_ascii(value, &b);
        if (values[i].utf8) check_buf(&b, values[i].in_ascii);
    }
    static const char *const addresses[][2] = {
        {"a+b@d.example", "rfc822;a+2Bb@d.example"},
        {"\xc3\xa4+\"\\\\ \"@d.example", "utf-8;\\x{E4}\\x{2B}\"\\x{5C}\\x{5C}\\x{20}\"@d.example"}};
    for (size_t i = 0; i < 2; i++) {
        b.n = 0;
        orcpt_of(str_of(addresses[i][0]), &b);
        check_buf(&b, addresses[i][1]);
        assert_true(orcpt_is_valid(buf_str(&b), false));
    }
    /* Every byte, alone and behind another: what is taken is one word, and its forms in ASCII are ASCII and taken
     * again. */
    for (unsigned i = 0; i < 65536; i++) {
        const char text[] = {'u', 't', 'f', '-', '8', ';', (char)(i >> 8), (char)i};
        struct str value = {text, sizeof text};
        if (!orcpt_is_valid(value, true)) continue;
        for (size_t k = 6; k < 8; k++) assert_true((unsigned char)text[k] > ' ' && text[k] != 0x7f && text[k] != '=');
        b.n = 0;
        orcpt_ascii(value, &b);
        assert_true(str_is_ascii(buf_str(&b)) && orcpt_is_valid(buf_str(&b), false));
    }
    buf_free(&b);
}

static void xtext(void **state)
{
    (void)state;
    struct buf b = {0}, back = {0};
    char all[256];
    for (int i = 0; i < 256; i++) all[i] = (char)i;
    xtext_encode((struct str){all, 256}, &b);
    assert_true(str_is_ascii(buf_str(&b)));
    assert_false(xtext_decode(buf_str(&b), &back)); /* it holds NUL, CR and LF */
    for (int i = 0; i < 256; i++) {
        b.n = back.n = 0;
        xtext_encode((struct str){all + i, 1}, &b);
        bool refused = i == 0 || i == '\r' || i == '\n';
        assert_int_equal(xtext_decode(buf_str(&b), &back), !refused);
        if (!refused) assert_true(back.n == 1 && back.p[0] == all[i]);
    }
    b.n = 0;
    xtext_encode(STR("a+b=c d"), &b);
    check_buf(&b, "a+2Bb+3Dc+20d");
    static const char *const bad[] = {"+", "+4", "+4g", "+4a", "a b", "a=b", "\x7f", "\xc3\xa9", "+0D", "+0A", "+00"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(xtext_is_valid(str_of(bad[i])));
    assert_true(xtext_is_valid(STR("")));
    buf_free(&b);
    buf_free(&back);
}

static void queue_ids_sort_by_age(void **state)
{
    (void)state;
    struct dice d = {2};
    char before[QUEUE_ID_SIZE] = "";
    for (int64_t t = 0; t < (int64_t)1 << 34; t = t * 2 + 1) {
        char id[QUEUE_ID_SIZE];
        queue_id_make(t, dice_roll(&d, UINT64_MAX), id);
        assert_true(queue_id_is_valid(str_of(id)));
        assert_true(strcmp(before, id) < 0);
        memcpy(before, id, sizeof id);
    }
    char a[QUEUE_ID_SIZE], b[QUEUE_ID_SIZE];
    queue_id_make(1795474202, UINT64_MAX, a);
    queue_id_make(1795474202, UINT64_MAX - 1, b);
    assert_string_not_equal(a, b);
    static const char *const bad[] = {
        "", "0", "0000000000000000000000", "0000000000000000000U", "0000000000000000000i", "../../../../../../../"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(queue_id_is_valid(str_of(bad[i])));
}

static void dates(void **state)
{
    (void)state;
    char text[DATETIME_RFC5322_MAX];
    datetime_print_rfc5322(1795474202, 3600, text);
    assert_string_equal(text, "Mon, 23 Nov 2026 23:50:02 +0100");
    datetime_print_rfc5322(0, -12600, text);
    assert_string_equal(text, "Wed, 31 Dec 1969 20:30:00 -0330");
    datetime_print_rfc5322(INT64_MAX, INT32_MAX, text);
    static const struct {
        const char *text;
        int64_t utc;
        int32_t offset;
    } cases[] = {
        {"Mon, 23 Nov 2026 23:50:02 +0100", 1795474202, 3600},
        {"23 Nov 2026 22:50 +0000", 1795474200, 0},
        {" Mon , 23\r\n Nov (a (nested) comment) 2026 17:50:02 EST", 1795474202, -18000},
        {"monday, 23 november 26 22:50:02 gmt", 1795474202, 0},
        {"23 Nov 126 22:50:02 Z", 1795474202, 0},
        {"Thu, 1 Jan 1970 00:00:60 -0000 (leap)", 59, 0},
        {"Thu, 29 Feb 2024 00:00:00", 1709164800, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t utc;
        int32_t offset;
        if (!datetime_parse_rfc5322(str_of(cases[i].text), &utc, &offset)) fail_msg("refused %s", cases[i].text);
        assert_true(utc == cases[i].utc);
        assert_int_equal(offset, cases[i].offset);
    }
    static const char *const bad[] = {"",
                                      "Mon",
                                      "Mon,",
                                      "32 Nov 2026 00:00",
                                      "29 Feb 2023 00:00",
                                      "1 Foo 2026 00:00",
                                      "1 Nov 2026",
                                      "1 Nov 2026 24:00",
                                      "1 Nov 2026 00:60",
                                      "1 Nov 2026 00:00 +2400",
                                      "1 Nov 2026 00:00 +1",
                                      "1 Nov 2026 0000",
                                      "((((((((((((((((((((((((((((((((((((((((((",
                                      "1 Nov 2026 00:00:61 Z"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t utc;
        int32_t offset;
        if (datetime_parse_rfc5322(str_of(bad[i]), &utc, &offset)) fail_msg("took %s", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(obligations_only_rise),
        cmocka_unit_test(status_codes),
        cmocka_unit_test(settings_come_back_or_are_refused),
        cmocka_unit_test(xtext), cmocka_unit_test(orcpt),
        cmocka_unit_test(queue_ids_sort_by_age),
        cmocka_unit_test(dates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
