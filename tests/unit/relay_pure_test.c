/* The parts of relay/ that only compute: schedule, trouble, DSN, the Received field. */
#include <stdio.h>
#include <string.h>

#include "mail/datetime.h"
#include "relay/letter.h"
#include "relay/dsn.h"
#include "relay/received.h"
#include "relay/route.h"
#include "relay/schedule.h"
#include "relay/trouble.h"
#include "tests/support/check.h"

static void schedule(void **state)
{
    (void)state;
    const struct retry r = {.first = 60, .most = 3600, .until = 500, .notice = 100};
    static const int64_t delays[] = {60, 120, 240, 480, 960, 1920, 3600, 3600, 3600};
    for (uint32_t i = 0; i < sizeof delays / sizeof *delays; i++) {
        const struct attempt a = {.number = i + 1, .now = 1000, .expires = 1000000};
        assert_int_equal(schedule_next(&r, &a, 0).at, 1000 + delays[i]);
        for (uint32_t chance = 1; chance; chance <<= 1) {
            int64_t at = schedule_next(&r, &a, chance).at;
            assert_true(at >= 1000 + delays[i] && at <= 1000 + delays[i] + delays[i] / 8);
        }
    }
    /* The last attempt falls on the end; after it, it is over. */
    assert_int_equal(schedule_next(&r, &(struct attempt){5, 1000, 1500, 300, false, 0}, 0).at, 1500);
    assert_true(schedule_next(&r, &(struct attempt){6, 1500, 1500, 300, false, 0}, 0).expired);
    assert_int_equal(schedule_next(&r, &(struct attempt){UINT32_MAX, 0, INT64_MAX, 0, false, 0}, 0).at, 3600);
    const struct retry seconds = {.first = 1, .most = 1};
    assert_int_equal(schedule_next(&seconds, &(struct attempt){1, 10, 13, 0, false, 0}, 99).at, 11);
    /* A clock that leapt ahead returns nothing that was tried too rarely, or not for half its lifetime. */
    assert_false(schedule_next(&r, &(struct attempt){2, 900000, 1500, 300, false, 0}, 0).expired);
    assert_int_equal(schedule_next(&r, &(struct attempt){2, 900000, 1500, 300, false, 0}, 0).at, 900120);
    assert_false(schedule_next(&r, &(struct attempt){50, 900000, 1500, 249, false, 0}, 0).expired);
    assert_true(schedule_next(&r, &(struct attempt){3, 900000, 1500, 250, false, 0}, 0).expired);
    /* One that fell back prolongs no lifetime. */
    assert_false(schedule_next(&r, &(struct attempt){9, 1000, 900000, 499, false, 500}, 0).expired);
    assert_true(schedule_next(&r, &(struct attempt){9, 1000, 900000, 500, false, 500}, 0).expired);
    assert_false(schedule_next(&r, &(struct attempt){2, 1000, 900000, 500, false, 500}, 0).expired);
    assert_int_equal(schedule_next(&r, &(struct attempt){2, 1000, 900000, 500, false, 500}, 0).at, 1120);
    /* A delay is told once, after so much real waiting. */
    assert_false(schedule_next(&r, &(struct attempt){4, 1000, 9000, 99, false, 0}, 0).notice);
    assert_true(schedule_next(&r, &(struct attempt){4, 1000, 9000, 100, false, 0}, 0).notice);
    assert_false(schedule_next(&r, &(struct attempt){4, 1000, 9000, 100, true, 0}, 0).notice);
    assert_false(schedule_next(&seconds, &(struct attempt){4, 1000, 9000, 100, false, 0}, 0).notice);
    /* A clock that was ahead strands nothing. */
    assert_int_equal(schedule_clamp(&r, 100, 1000), 100);
    assert_int_equal(schedule_clamp(&r, 9000000, 1000), 1000 + 3600 + 450);
}

static void trouble(void **state)
{
    (void)state;
    static const struct {
        struct trouble t;
        uint8_t fate;
        struct status status;
        bool host, twice;
    } cases[] = {
        {{TROUBLE_DOT, TROUBLE_REPLY, {250, {2, 0, 0}, {0}}, {0}}, FATE_DONE, {2, 0, 0}, false, false},
        {{TROUBLE_DOT, TROUBLE_REPLY, {451, {4, 3, 0}, {0}}, {0}}, FATE_RETRY, {4, 3, 0}, false, false},
        {{TROUBLE_DOT, TROUBLE_REPLY, {554, {5, 7, 1}, {0}}, {0}}, FATE_RETURN, {5, 7, 1}, false, false},
        {{TROUBLE_RCPT, TROUBLE_REPLY, {550, {5, 1, 1}, {0}}, {0}}, FATE_RETURN, {5, 1, 1}, false, false},
        {{TROUBLE_RCPT, TROUBLE_REPLY, {552, {0}, {0}}, {0}}, FATE_RETRY, {4, 0, 0}, false, false},
        {{TROUBLE_RCPT, TROUBLE_REPLY, {552, {5, 2, 2}, {0}}, {0}}, FATE_RETURN, {5, 2, 2}, false, false},
        /* The code rules, not the enhanced one (RFC 5321 section 4.2). */
        {{TROUBLE_RCPT, TROUBLE_REPLY, {450, {5, 1, 1}, {0}}, {0}}, FATE_RETRY, {4, 1, 1}, false, false},
        {{TROUBLE_RCPT, TROUBLE_REPLY, {550, {4, 1, 1}, {0}}, {0}}, FATE_RETURN, {5, 1, 1}, false, false},
        {{TROUBLE_MAIL, TROUBLE_REPLY, {530, {5, 7, 0}, {0}}, {0}}, FATE_RETRY, {4, 7, 0}, false, false},
        {{TROUBLE_RCPT, TROUBLE_REPLY, {530, {5, 7, 0}, {0}}, {0}}, FATE_RETRY, {4, 7, 0}, false, false},
        {{TROUBLE_MAIL, TROUBLE_REPLY, {503, {5, 5, 1}, {0}}, {0}}, FATE_RETRY, {4, 5, 1}, false, false},
        {{TROUBLE_DATA, TROUBLE_REPLY, {503, {5, 5, 1}, {0}}, {0}}, FATE_RETRY, {4, 5, 1}, false, false},
        {{TROUBLE_DOT, TROUBLE_REPLY, {503, {5, 5, 1}, {0}}, {0}}, FATE_RETURN, {5, 5, 1}, false, false},
        {{TROUBLE_DOT, TROUBLE_REPLY, {535, {0}, {0}}, {0}}, FATE_RETRY, {4, 0, 0}, false, false},
        {{TROUBLE_AUTH, TROUBLE_REPLY, {535, {5, 7, 8}, {0}}, {0}}, FATE_RETRY, {4, 7, 8}, true, false},
        {{TROUBLE_AUTH, TROUBLE_REPLY, {554, {5, 7, 1}, {0}}, {0}}, FATE_RETRY, {4, 7, 1}, true, false},
        {{TROUBLE_AUTH, TROUBLE_LOST, {0}, {0}}, FATE_RETRY, {4, 7, 0}, true, false},
        {{TROUBLE_MAIL, TROUBLE_REPLY, {421, {4, 3, 2}, {0}}, {0}}, FATE_RETRY, {4, 3, 2}, true, false},
        {{TROUBLE_GREETING, TROUBLE_REPLY, {554, {5, 3, 2}, {0}}, {0}}, FATE_RETRY, {4, 3, 2}, true, false},
        {{TROUBLE_DATA, TROUBLE_REPLY, {399, {0}, {0}}, {0}}, FATE_RETRY, {4, 5, 0}, false, false},
        {{TROUBLE_CONNECT, TROUBLE_LOST, {0}, {0}}, FATE_RETRY, {4, 4, 1}, true, false},
        {{TROUBLE_DATA, TROUBLE_TIMEOUT, {0}, {0}}, FATE_RETRY, {4, 4, 2}, true, false},
        {{TROUBLE_DOT, TROUBLE_LOST, {0}, {0}}, FATE_RETRY, {4, 4, 2}, true, true},
        {{TROUBLE_ROUTE, TROUBLE_LOST, {0}, {0}}, FATE_RETRY, {4, 4, 4}, false, false},
        {{TROUBLE_MAIL, TROUBLE_UNABLE, {554, {5, 6, 3}, {0}}, {0}}, FATE_RETURN, {5, 6, 3}, false, false},
        {{TROUBLE_TLS, TROUBLE_POLICY, {0, {4, 7, 4}, {0}}, {0}}, FATE_RETRY, {4, 7, 4}, false, false},
        {{TROUBLE_CONTENT, TROUBLE_DAMAGED, {0}, {0}}, FATE_HOLD, {4, 3, 0}, false, false},
        {{TROUBLE_CONTENT, TROUBLE_LOST, {0}, {0}}, FATE_RETRY, {4, 3, 0}, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct trouble_answer a = trouble_decide(&cases[i].t);
        if (a.fate != cases[i].fate || a.status.class != cases[i].status.class ||
            a.status.subject != cases[i].status.subject || a.status.detail != cases[i].status.detail ||
            a.maybe_delivered != cases[i].twice)
            fail_msg("case %zu: fate %u, %u.%u.%u", i, a.fate, a.status.class, a.status.subject, a.status.detail);
        if (a.fate == FATE_RETRY && a.host != cases[i].host) fail_msg("case %zu: host %d", i, a.host);
    }
}

static void reasons(void **state)
{
    (void)state;
    char out[40];
    struct trouble t = {
        .phase = TROUBLE_RCPT, .cause = TROUBLE_REPLY, .reply = {450, {4, 2, 1}, STR("4.2.1 busy\nsecond\x01\xff")}};
    struct trouble_answer a = trouble_decide(&t);
    size_t n = trouble_reason(&t, &a, out, sizeof out);
    check_str(((struct str){out, n}), "450 4.2.1 busy second??");
    t.reply.text = STR("a text that is much longer than the room there is for it");
    n = trouble_reason(&t, &a, out, sizeof out);
    assert_int_equal(n, sizeof out - 1);
    t = (struct trouble){.phase = TROUBLE_CONNECT, .cause = TROUBLE_LOST, .why = STR("refused")};
    a = trouble_decide(&t);
    n = trouble_reason(&t, &a, out, sizeof out);
    check_str(((struct str){out, n}), "4.4.1 refused");

    assert_int_equal(trouble_expiry(STR("4.7.4 TLS required")).status.detail, 10);
    assert_int_equal(trouble_expiry(STR("4.7.5 TLS required")).status.detail, 10);
    assert_int_equal(trouble_expiry(STR("4.7.30 REQUIRETLS")).status.detail, 30);
    assert_int_equal(trouble_expiry(STR("450 4.7.4 the peer's words")).status.subject, 4);
    assert_int_equal(trouble_expiry(STR("4.4.1 refused")).status.detail, 7);
    assert_int_equal(trouble_expiry(STR_NONE).status.detail, 7);

    static const struct {
        uint8_t notify;
        bool failed, delayed, relayed;
    } reports[] = {{0, true, true, false},  {4 | 8, true, true, false}, {1, false, false, false},
                   {2, false, false, true}, {2 | 4, true, false, true}, {8, false, true, false}};
    struct str sender = STR("a@b.example");
    for (size_t i = 0; i < sizeof reports / sizeof *reports; i++) {
        uint8_t notify = reports[i].notify;
        assert_int_equal(trouble_may_report(sender, false, notify, REPORT_FAILED), reports[i].failed);
        assert_int_equal(trouble_may_report(sender, false, notify, REPORT_DELAYED), reports[i].delayed);
        assert_int_equal(trouble_may_report(sender, false, notify, REPORT_RELAYED), reports[i].relayed);
        for (uint8_t kind = REPORT_FAILED; kind <= REPORT_NONE; kind++) {
            assert_false(trouble_may_report(sender, true, notify, kind));
            assert_false(trouble_may_report(STR(""), false, notify, kind));
        }
    }
}

static void dsn(void **state)
{
    (void)state;
    const struct dsn_recipient recipients[] = {
        {.address = STR("b@partner.example"),
         .orcpt = STR("rfc822;B+2Bx@Partner.example"),
         .status = {5, 1, 1},
         .diagnostic = STR("550 5.1.1 no such\r\nX-Injected: user"),
         .remote = STR("mx.partner.example:25")},
        {.address = STR("c@partner.example"),
         .status = {5, 7, 10},
         .diagnostic = STR("4.7.4 TLS required but not offered by x")},
        {.address = STR("\xc3\xb6@d.example"),
         .orcpt = STR("utf-8;\xc3\xa4@d.example"),
         .status = {5, 6, 7},
         .diagnostic = STR("5.6.7 no SMTPUTF8")},
    };
    struct dsn d = {.hostname = STR("relay.corp.example"),
                    .queue_id = STR("0DSN"),
                    .original_id = STR("0MSG"),
                    .reverse_path = STR("a@corp.example"),
                    .envid = STR("QQ314159"),
                    .header = STR("Subject: secret plan\r\nX-Long: folded\r\n value\r\n"),
                    .arrived = 1795474000,
                    .now = 1795474800,
                    .utc_offset = 3600,
                    .recipients = recipients,
                    .recipient_count = 3};
    struct buf out = {0};
    dsn_build(&d, &out);
    struct str s = buf_str(&out);
    static const char *const wanted[] = {
        "From: Mail Delivery System <MAILER-DAEMON@relay.corp.example>\r\n",
        "To: <a@corp.example>\r\n",
        "Auto-Submitted: auto-replied\r\n",
        "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"=_0DSN\"\r\n",
        "Reporting-MTA: dns; relay.corp.example\r\n",
        "Original-Envelope-Id: QQ314159\r\n",
        ("\r\n\r\nOriginal-Recipient: rfc822;B+x@Partner.example\r\n"
         "Final-Recipient: rfc822; b@partner.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"),
        "Remote-MTA: dns; mx.partner.example:25\r\n",
        "\r\n\r\nFinal-Recipient: rfc822; c@partner.example\r\nAction: failed\r\nStatus: 5.7.10\r\n",
        "\r\n\r\nOriginal-Recipient: utf-8;\\x{E4}@d.example\r\nFinal-Recipient: utf-8; \\x{F6}@d.example\r\n",
        "Diagnostic-Code: x-sluice; 4.7.4 TLS required but not offered by x\r\n",
        "--=_0DSN\r\nContent-Type: text/rfc822-headers\r\n\r\nSubject: secret plan\r\nX-Long: folded\r\n value\r\n",
        "\r\n--=_0DSN--\r\n",
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (str_find(s, str_of(wanted[i])) == STR_NPOS) fail_msg("missing: %s\nin %.*s", wanted[i], STR_ARG(s));
    assert_true(str_find(s, STR("\r\nX-Injected")) == STR_NPOS);
    for (size_t i = 0; i < s.n; i++) {
        assert_true(s.p[i] != '\n' || (i && s.p[i - 1] == '\r'));
        assert_true(s.p[i] != '\r' || (i + 1 < s.n && s.p[i + 1] == '\n'));
    }
    /* Four opening boundaries' worth: three parts and the end. */
    size_t boundaries = 0;
    for (struct str rest = s; str_find(rest, STR("\r\n--=_0DSN")) != STR_NPOS;) {
        rest = str_from(rest, str_find(rest, STR("\r\n--=_0DSN")) + 4);
        boundaries++;
    }
    assert_int_equal(boundaries, 4);
    buf_free(&out);
    check_str(letter_header_section(STR("A: b\r\n\r\nbody\r\n\r\n")), "A: b\r\n");
    check_str(letter_header_section(STR("\r\nbody")), "");
    check_str(letter_header_section(STR("A: b\r\n")), "A: b\r\n");
}

/* Each fate has its words; RET=FULL is heard only where something failed and nobody demanded TLS. */
static void dsn_kinds(void **state)
{
    (void)state;
    struct dsn_recipient two[] = {{.kind = REPORT_RELAYED,
                                   .address = STR("b@x.example"),
                                   .status = {2, 0, 0},
                                   .diagnostic = STR("250 taken over")},
                                  {.kind = REPORT_DELAYED,
                                   .address = STR("c@x.example"),
                                   .status = {4, 4, 1},
                                   .diagnostic = STR("4.4.1 refused"),
                                   .until = 1795474800}};
    struct dsn d = {.hostname = STR("r.example"), .queue_id = STR("0D"), .original_id = STR("0M"),
                    .reverse_path = STR("a@x.example"), .header = STR("Subject: \xc3\xa4\r\n\r\nall of it\r\n"),
                    .whole = true, .recipients = two, .recipient_count = 2};
    struct buf out = {0};
    dsn_build(&d, &out);
    static const char *const wanted[] = {
        "Subject: Delayed Mail",
        "\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report",
        "will not report its delivery, for:\r\n\r\n  <b@x.example>",
        "Action: relayed\r\nStatus: 2.0.0\r\n",
        "Action: delayed\r\nStatus: 4.4.1\r\n",
        "Will-Retry-Until: Mon, 23 Nov 2026",
        ("Content-Type: message/global; name=\"message.eml\"\r\n"
         "Content-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogw6QNCg0KYWxsIG9mIGl0DQo=\r\n"),
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (str_find(buf_str(&out), str_of(wanted[i])) == STR_NPOS)
            fail_msg("missing: %s\nin %.*s", wanted[i], STR_ARG(buf_str(&out)));
    buf_free(&out);
    assert_false(dsn_returns_whole('F', 100, false, two, 2));
    two[0].kind = REPORT_FAILED;
    assert_true(dsn_returns_whole('F', 100, false, two, 2));
    assert_false(dsn_returns_whole('F', 100, true, two, 2));
    assert_false(dsn_returns_whole('F', DSN_WHOLE_MOST + 1, false, two, 2));
    assert_false(dsn_returns_whole('H', 100, false, two, 2));
    assert_false(dsn_returns_whole(0, 100, false, two, 2));
}

static void received(void **state)
{
    (void)state;
    struct client_facts client = {
        .ip = STR("2001:db8::1"), .helo = STR("evil\r\nX: (y) <z>; helo"), .tls_version = STR("TLSv1.3")};
    struct received r = {.client = &client,
                         .tls_cipher = STR("TLS_AES_128_GCM_SHA256"),
                         .hostname = STR("relay.corp.example"),
                         .queue_id = STR("0ID"),
                         .esmtp = true,
                         .now = 1795474800,
                         .utc_offset = -5400};
    struct buf out = {0};
    received_emit(&r, &out);
    struct str s = buf_str(&out);
    assert_true(str_starts(s, STR("Received: from evil??X:??y???z???helo ([IPv6:2001:db8::1])")));
    assert_true(str_find(s, STR("ESMTPS")) != STR_NPOS);
    assert_true(str_find(s, STR("-0130")) != STR_NPOS);
    assert_true(str_find(s, STR("for <")) == STR_NPOS);
    assert_true(str_ends(s, STR("\r\n")));
    assert_int_equal(received_count(s), 1);
    static const struct {
        bool esmtp, tls;
        const char *user, *with;
    } protocols[] = {{false, false, "", "SMTP"},
                     {true, false, "", "ESMTP"},
                     {true, true, "", "ESMTPS"},
                     {true, false, "u", "ESMTPA"},
                     {true, true, "u", "ESMTPSA"}};
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) {
        out.n = 0;
        r.esmtp = protocols[i].esmtp;
        client.tls_version = protocols[i].tls ? STR("TLSv1.3") : STR_NONE;
        client.user = str_of(protocols[i].user);
        received_emit(&r, &out);
        struct buf word = {0};
        for (size_t k = 0; k < out.n; k++)
            if (out.p[k] != '\r' && out.p[k] != '\n') buf_add_byte(&word, out.p[k] == '\t' ? ' ' : out.p[k]);
        char wanted[32];
        snprintf(wanted, sizeof wanted, " with %s id 0ID", protocols[i].with);
        if (str_find(buf_str(&word), str_of(wanted)) == STR_NPOS) fail_msg("%s: %.*s", wanted, STR_ARG(buf_str(&word)));
        buf_free(&word);
    }
    buf_free(&out);
    assert_int_equal(
        received_count(STR("RECEIVED: a\r\nreceived\t: b\r\nReceived-SPF: c\r\n Received: d\r\n\r\nReceived: e\r\n")),
        2);
    assert_int_equal(received_count(STR("")), 0);
}

static void route(void **state)
{
    (void)state;
    char why[ROUTE_WHY_MAX];
    struct str partner[] = {STR("partner.example"), STR("*.partner.example")};
    struct connector_settings connectors[] = {{.name = STR("partner"), .domains = {partner, 2}},
                                              {.name = STR("other")}};
    struct settings s = {.connectors = connectors, .connector_count = 2};
    assert_ptr_equal(route_find(&s, STR("a@partner.example"), STR_NONE, why), &connectors[0]);
    assert_ptr_equal(route_find(&s, STR("a@x.Partner.example"), STR_NONE, why), &connectors[0]);
    assert_ptr_equal(route_find(&s, STR("a@partner.example"), STR("other"), why), &connectors[1]);
    assert_null(route_find(&s, STR("a@else.example"), STR_NONE, why));
    assert_string_equal(why, "no connector for the domain else.example");
    assert_null(route_find(&s, STR("a@partner.example"), STR("gone"), why));
    assert_string_equal(why, "connector gone is no longer declared");
    connectors[1].name = STR("default");
    assert_ptr_equal(route_find(&s, STR("a@else.example"), STR_NONE, why), &connectors[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schedule), cmocka_unit_test(trouble),  cmocka_unit_test(reasons),
        cmocka_unit_test(dsn), cmocka_unit_test(dsn_kinds),      cmocka_unit_test(received), cmocka_unit_test(route),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
