/* relay/: notices of the rules are mail of the relay's own, stored with the message or instead of it. */
#include <string.h>
#include <time.h>

#include "relay/chain.h"
#include "relay/notice.h"
#include "tests/support/check.h"
#include "tests/support/relay_rig.h"

/* What the judge answers: notices, and for everybody this disposition and demand. */
struct wanted {
    struct verdict_notice notices[3];
    size_t count;
    struct obligation need;
    bool reject;
};

static enum judge_behaviour script(void *owner, const struct judge_request *request, struct arena *a,
                                   struct judge_answer *answer)
{
    struct wanted *w = owner;
    struct verdict *v = &answer->verdict;
    (void)request;
    v->notices = ARENA_ARRAY(a, struct verdict_notice, 3);
    v->notice_count = w->count;
    for (size_t i = 0; i < w->count; i++) v->notices[i] = w->notices[i];
    for (size_t i = 0; i < v->recipient_count; i++) v->recipients[i].need = w->need;
    if (!w->reject) return JUDGE_ANSWERS;
    v->answer = VERDICT_REJECT;
    v->rule = STR("r");
    v->reply = (struct reply){550, STATUS(5, 7, 1), STR("not wanted")};
    for (size_t i = 0; i < v->recipient_count; i++) {
        v->recipients[i].disposition = DISPOSITION_REJECT;
        v->recipients[i].reply = v->reply;
    }
    return JUDGE_ANSWERS;
}

static struct net_stream *begin(struct rig *g, struct wanted *w)
{
    rig_setup(g);
    g->memory->script = script;
    g->memory->script_owner = w;
    rig_start(g);
    return rig_session(g, "10.0.0.1");
}

/* To the second server, which the message's recipient does not share. */
static const struct verdict_notice desk = {STR_INIT("r"), STR_INIT("desk@side.example"), STR_INIT("Auto: hello"),
                                           STR_INIT("1@x.example"), STR_INIT("one\ntwo"), false, NOTICE_ALONE};

static bool has(const struct memory_mail *m, const char *text)
{
    return str_find(buf_str(&m->data), str_of(text)) != STR_NPOS;
}

static size_t count(struct str s, const char *text)
{
    size_t n = 0, at;
    for (; (at = str_find(s, str_of(text))) != STR_NPOS; n++) s = str_from(s, at + 1);
    return n;
}

static void beside_the_message(void **state)
{
    (void)state;
    struct wanted w = {.notices = {desk}, .count = 1};
    struct rig g;
    struct net_stream *s = begin(&g, &w);
    unsigned writes = g.memory->writes;
    assert_int_equal(strncmp(rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail), "250", 3), 0);
    memory_run(g.memory);
    assert_int_equal(rig_mails(&g, 0), 1);
    assert_int_equal(rig_mails(&g, 1), 1);
    assert_true(g.memory->writes > writes);
    const struct memory_mail *m = &g.memory->servers[1].mail[0];
    assert_true(str_starts(buf_str(&m->from), STR("MAIL FROM:<>")));
    check_buf(&m->to, "RCPT TO:<desk@side.example>\n");
    static const char *const wanted[] = {"\r\nFrom: Mail Delivery System <MAILER-DAEMON@relay.corp.example>\r\n",
                                         "\r\nTo: <desk@side.example>\r\n",
                                         "\r\nSubject: Auto: hello\r\n",
                                         "\r\nMessage-ID: <",
                                         "\r\nIn-Reply-To: <1@x.example>\r\n",
                                         "\r\nAuto-Submitted: auto-replied\r\n",
                                         "\r\n\r\none\r\ntwo\r\n"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!has(m, wanted[i])) fail_msg("%s is missing in %.*s", wanted[i], STR_ARG(buf_str(&m->data)));
    assert_false(has(m, "partner.example")); /* no recipient of the message is named */
    assert_int_equal(memory_stored(g.memory), 0);
    rig_teardown(&g);
}

/* One transaction: without it neither the message nor the notice is there, and nobody heard a 250 or a 5xx. */
static void all_or_nothing(void **state)
{
    (void)state;
    for (int reject = 0; reject < 2; reject++) {
        struct wanted w = {.notices = {desk}, .count = 1, .reject = reject};
        struct rig g;
        struct net_stream *s = begin(&g, &w);
        g.memory->store_fails = true;
        assert_int_equal(strncmp(rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail), "451 4.3.0", 9), 0);
        g.memory->store_fails = false;
        memory_advance(g.memory, 100000);
        assert_int_equal(memory_stored(g.memory), 0);
        assert_int_equal(rig_mails(&g, 0) + rig_mails(&g, 1), 0);
        rig_teardown(&g);
    }
}

static void of_a_rejected_message(void **state)
{
    (void)state;
    struct wanted w = {.notices = {desk}, .count = 1, .reject = true};
    struct rig g;
    struct net_stream *s = begin(&g, &w);
    unsigned writes = g.memory->writes;
    const char *answer = rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail);
    assert_int_equal(strncmp(answer, "550 5.7.1 not wanted", 20), 0);
    assert_true(g.memory->writes > writes);
    memory_run(g.memory);
    assert_int_equal(rig_mails(&g, 0), 0);
    assert_int_equal(rig_mails(&g, 1), 1);
    rig_teardown(&g);
}

/* It quotes the message, so it waits for TLS where the message must; a restart forgets neither. */
static void the_demand_travels_on(void **state)
{
    (void)state;
    for (int reject = 0; reject < 2; reject++) {
        struct wanted w = {.notices = {desk}, .count = 1, .need = {.peer = TLS_PEER_ENCRYPT}, .reject = reject};
        w.notices[0].attach = NOTICE_ORIGINAL; /* in TLS it may go along */
        struct rig g;
        struct net_stream *s = begin(&g, &w);
        rig_send(&g, s, "a@corp.example", "b@partner.example", rig_mail);
        memory_run(g.memory);
        assert_int_equal(rig_mails(&g, 0) + rig_mails(&g, 1), 0);
        assert_int_equal(memory_stored(g.memory), reject ? 1 : 2);
        rig_restart(&g);
        memory_advance(g.memory, 100000);
        assert_int_equal(rig_mails(&g, 1), 0);
        assert_true(str_find(buf_str(&g.memory->servers[1].clear), STR("MAIL")) == STR_NPOS);
        g.memory->servers[1].starttls = true;
        memory_advance(g.memory, 3600000);
        assert_int_equal(rig_mails(&g, 1), 1);
        assert_true(g.memory->servers[1].mail[0].tls);
        assert_true(has(&g.memory->servers[1].mail[0], "Content-Type: message/rfc822\r\n"));
        rig_teardown(&g);
    }
}

/* Each is a mail of its own; one that cannot be delivered is not returned to anybody. */
static void several_and_lost(void **state)
{
    (void)state;
    struct wanted w = {.notices = {desk, desk, desk}, .count = 3};
    w.notices[1].to = STR("other@side.example");
    w.notices[2].to = STR("gone@side.example");
    struct rig g;
    struct net_stream *s = begin(&g, &w);
    g.memory->servers[1].rcpt_refused = "gone";
    g.memory->servers[1].rcpt_reply = "550 5.1.1 no such user";
    rig_send(&g, s, "a@side.example", "b@partner.example", rig_mail);
    memory_advance(g.memory, 1000);
    assert_int_equal(rig_mails(&g, 0), 1);
    assert_int_equal(rig_mails(&g, 1), 3); /* the three, and no report on the one that was refused */
    /* They came over several connections at once; what matters is that each is there once, by itself. */
    struct buf all = {0};
    for (size_t i = 0; i < 3; i++) buf_add(&all, buf_str(&g.memory->servers[1].mail[i].data));
    assert_int_equal(count(buf_str(&all), "Subject: Auto: hello\r\n"), 2);
    assert_int_equal(count(buf_str(&all), "To: <desk@side.example>\r\n"), 1);
    assert_int_equal(count(buf_str(&all), "To: <other@side.example>\r\n"), 1);
    buf_free(&all);
    assert_int_equal(memory_stored(g.memory), 0);
    rig_teardown(&g);
}

/* Seven bits and short lines, whatever the text is. */
static void how_texts_are_written(void **state)
{
    (void)state;
    const struct letter head = {.hostname = STR("r.example"), .queue_id = STR("0N"), .to = STR("a@x.example"),
                                .subject = STR("Auto: \xc3\xa4")};
    struct buf out = {0};
    notice_build(&head, &(struct notice){.text = STR("a\n\nb\n")}, &out);
    struct str mail = buf_str(&out);
    assert_true(str_ends(mail, STR("charset=us-ascii\r\n\r\na\r\n\r\nb\r\n")));
    assert_true(str_find(mail, STR("\r\nSubject: Auto: =?utf-8?")) != STR_NPOS && str_is_ascii(mail));
    assert_true(str_find(mail, STR("In-Reply-To")) == STR_NPOS);
    out.n = 0;
    notice_build(&head, &(struct notice){.text = STR("\xc3\xa4\nb")}, &out);
    assert_true(str_ends(buf_str(&out), STR("Content-Transfer-Encoding: base64\r\n\r\nw6QNCmINCg==\r\n")));
    char wide[1200];
    memset(wide, 'w', sizeof wide);
    out.n = 0;
    notice_build(&head, &(struct notice){.text = (struct str){wide, sizeof wide}}, &out);
    struct str rest = buf_str(&out), line;
    assert_true(str_find(rest, STR("base64")) != STR_NPOS);
    while (rest.n) {
        str_cut(rest, '\n', &line, &rest);
        assert_true(line.n <= 79);
    }
    buf_free(&out);
}

/* With the message, or its header: as it came, each in a part of its own, and so far as it is not too much. */
static void with_the_message(void **state)
{
    (void)state;
    static const struct {
        uint8_t attach;
        size_t body; /* bytes of the message's text */
        const char *wanted[4], *not;
    } rows[] = {
        {NOTICE_ORIGINAL,
         20,
         {"Content-Type: message/rfc822\r\n\r\nReceived: ", "\r\n\r\nxxxxxxxxxx",
          "\r\nContent-Disposition: attachment\r\nContent-Type: message/rfc822\r\n"},
         "would be too much"},
        {NOTICE_HEADER,
         20,
         {"Content-Type: text/rfc822-headers\r\n\r\nReceived: ", "Subject: canary\r\n\r\n--=_",
          "The header of the message is attached.\r\n"},
         "xxxx"},
        {NOTICE_ORIGINAL,
         NOTICE_WHOLE_MOST,
         {"Content-Type: text/rfc822-headers\r\n", "The header of the message is attached.\r\n",
          "All of it would be too much for a report.\r\n"},
         "xxxx"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct wanted w = {.notices = {desk}, .count = 1};
        w.notices[0].attach = rows[i].attach;
        w.notices[0].report = true;
        struct rig g;
        rig_setup(&g);
        g.settings.message_size = 20 * 1024 * 1024;
        g.memory->script = script;
        g.memory->script_owner = &w;
        rig_start(&g);
        struct net_stream *s = rig_session(&g, "10.0.0.1");
        struct buf mail = {0};
        buf_add(&mail, STR("Subject: canary\r\n\r\n"));
        for (size_t k = 0; k < rows[i].body; k += 100) {
            for (size_t c = 0; c < 98 && c < rows[i].body; c++) buf_add_byte(&mail, 'x');
            buf_add(&mail, STR("\r\n"));
        }
        buf_add_byte(&mail, 0);
        assert_int_equal(strncmp(rig_send(&g, s, "a@corp.example", "b@partner.example", mail.p), "250", 3), 0);
        memory_run(g.memory);
        assert_int_equal(rig_mails(&g, 1), 1);
        const struct memory_mail *m = &g.memory->servers[1].mail[0];
        assert_true(has(m, "\r\nAuto-Submitted: auto-generated\r\n") && has(m, "multipart/mixed; boundary=\"=_"));
        for (size_t k = 0; rows[i].wanted[k]; k++)
            if (!has(m, rows[i].wanted[k])) fail_msg("%zu: %s is missing", i, rows[i].wanted[k]);
        assert_false(has(m, rows[i].not));
        assert_int_equal(count(buf_str(&m->data), "\r\n--=_"), 3);
        buf_free(&mail);
        rig_teardown(&g);
    }
}

/* What came, byte for byte, in seven bits, whatever it was: see relay/letter. */
static void how_messages_are_written(void **state)
{
    (void)state;
    static char wide[1200];
    memset(wide, 'w', sizeof wide);
    memcpy(wide, "A: b\r\n\r\n", 8);
    static const char binary[] = "A: b\r\n\r\na\nb\rc\0d\r\n";
    const struct {
        struct str content;
        bool whole;
        const char *wanted;
    } rows[] = {
        {STR("A: b\r\n\r\nc\r\n"), true, "Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\nc\r\n\r\n--"},
        {STR("A: \xc3\xa4\r\n\r\nc\r\n"), true, "Content-Type: message/global; "
         "name=\"message.eml\"\r\nContent-Transfer-Encoding: base64\r\n\r\nQTogw6QNCg0KYw0K\r\n\r\n--"},
        {{binary, sizeof binary - 1}, true, "base64\r\n\r\nQTogYg0KDQphCmINYwBkDQo=\r\n\r\n--"},
        {{wide, sizeof wide}, true, "message/global; name="},
        {STR("A: b\r\n"), false, "Content-Type: text/rfc822-headers\r\n\r\nA: b\r\n\r\n--"},
        {STR("A: \xc3\xa4=b \r\nC:\td\re\r\n"), false, "Content-Type: text/rfc822-headers; charset=utf-8\r\n"
         "Content-Transfer-Encoding: quoted-printable\r\n\r\nA: =C3=A4=3Db=20\r\nC:\td=0De\r\n\r\n--"},
        {STR("A: \xc3\xa4" "0123456789012345678901234567890123456789012345678901234567890123456789\r\n"), false,
         "\r\n\r\nA: =C3=A40123456789012345678901234567890123456789012345678901234567890123=\r\n456789\r\n\r\n--"},
    };
    const struct letter head = {.hostname = STR("r.example"), .queue_id = STR("0N"), .to = STR("a@x.example")};
    struct buf out = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        out.n = 0;
        notice_build(&head, &(struct notice){.text = STR("t"), .content = rows[i].content, .whole = rows[i].whole},
                     &out);
        if (str_find(buf_str(&out), str_of(rows[i].wanted)) == STR_NPOS)
            fail_msg("%zu: %s is missing in %.*s", i, rows[i].wanted, STR_ARG(buf_str(&out)));
        assert_true(str_is_ascii(buf_str(&out)) && str_find_byte(buf_str(&out), '\0') == STR_NPOS);
        for (struct str line, rest = buf_str(&out); str_cut(rest, '\n', &line, &rest);) assert_true(line.n <= 999);
    }
    buf_free(&out);
}

/* Whoever got a notice can write what seems to come of it: that no other is made then does not go unsaid. */
static void what_comes_of_a_notice(void **state)
{
    (void)state;
    struct wanted w = {.notices = {desk}, .count = 1};
    struct rig g;
    struct net_stream *s = begin(&g, &w);
    assert_int_equal(strncmp(rig_send(&g, s, "a@side.example", "b@partner.example", rig_mail), "250", 3), 0);
    memory_run(g.memory);
    assert_int_equal(rig_mails(&g, 1), 1);
    struct str notice = buf_str(&g.memory->servers[1].mail[0].data), id;
    notice = str_from(notice, str_find(notice, STR("\r\nMessage-ID: ")) + 14);
    assert_true(str_cut(notice, '\r', &id, &notice));
    struct buf mail = {0};
    buf_printf(&mail, "References: %.*s\r\nSubject: canary\r\n\r\nx\r\n", STR_ARG(id));
    buf_add_byte(&mail, 0);
    assert_int_equal(strncmp(rig_send(&g, s, "", "b@partner.example", mail.p), "250", 3), 0);
    memory_run(g.memory);
    assert_int_equal(rig_mails(&g, 1), 1);
    assert_int_equal(memory_audited(g.memory, "left-out"), 1);
    buf_free(&mail);
    rig_teardown(&g);
}

/* A sender's References cost what they are long: neither "<" after "<" nor id after id makes the relay stand still. */
static void references_without_end(void **state)
{
    (void)state;
    enum { BYTES = 3 * 1024 * 1024 };
    static const char *const units[] = {"<", "<a.b@c> ", "<<a.b@c"};
    struct wanted w = {.notices = {desk}, .count = 1};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        struct rig g;
        struct net_stream *s = begin(&g, &w);
        struct buf mail = {0};
        buf_add(&mail, STR("References: <first@x.example>\r\n"));
        while (mail.n < BYTES) {
            buf_add_byte(&mail, ' ');
            for (size_t k = 0; k < 100; k++) buf_add(&mail, str_of(units[i]));
            buf_add(&mail, STR("\r\n"));
        }
        buf_add(&mail, STR(" >\r\nSubject: canary\r\n\r\nx\r\n"));
        buf_add_byte(&mail, 0);
        clock_t began = clock();
        assert_int_equal(strncmp(rig_send(&g, s, "", "b@partner.example", mail.p), "250", 3), 0);
        assert_true((double)(clock() - began) / CLOCKS_PER_SEC < 2);
        memory_run(g.memory);
        assert_int_equal(rig_mails(&g, 1), 1);
        buf_free(&mail);
        rig_teardown(&g);
    }
}

/* A report on an 8-bit message, and a DSN on one, reach a host that takes seven bits. */
static void to_a_host_of_seven_bits(void **state)
{
    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        struct wanted w = {.notices = {desk}, .count = 1};
        w.notices[0].attach = whole ? NOTICE_ORIGINAL : NOTICE_HEADER;
        struct rig g;
        struct net_stream *s = begin(&g, &w);
        g.memory->servers[0].no_8bit = g.memory->servers[1].no_8bit = true;
        const char *mail = "Subject: caf\xc3\xa9\r\n\r\n\xc3\xa4\r\n";
        assert_int_equal(strncmp(rig_send(&g, s, "a@side.example", "b@partner.example", mail), "250", 3), 0);
        memory_advance(g.memory, 1000);
        assert_int_equal(rig_mails(&g, 0), 0); /* the message itself is not converted, so it comes back */
        assert_int_equal(rig_mails(&g, 1), 2);
        for (size_t i = 0; i < 2; i++) {
            const struct memory_mail *m = &g.memory->servers[1].mail[i];
            bool report = str_find(buf_str(&m->to), STR("desk@")) != STR_NPOS;
            assert_true(str_is_ascii(buf_str(&m->data)));
            assert_true(has(m, report && whole ? "Content-Type: message/global;" : "\r\nSubject: caf=C3=A9\r\n"));
        }
        assert_int_equal(memory_stored(g.memory), 0);
        rig_teardown(&g);
    }
}

/* What is too long for an id, or never ends, hides none that stands behind it. */
static void references_are_found(void **state)
{
    (void)state;
    struct buf header = {0}, out = {0};
    buf_add(&header, STR("References: <one@x.example> <never"));
    for (size_t i = 0; i < 300; i++) buf_add_byte(&header, 'x');
    buf_add(&header, STR("\r\n <two@x.example> <a b> <three@x.example> <open\r\nSubject: <no@x.example>\r\n"));
    chain_references(buf_str(&header), &out);
    check_buf(&out, "<one@x.example> <two@x.example> <three@x.example>");
    buf_free(&header);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beside_the_message),    cmocka_unit_test(all_or_nothing),
        cmocka_unit_test(of_a_rejected_message), cmocka_unit_test(the_demand_travels_on),
        cmocka_unit_test(several_and_lost),      cmocka_unit_test(how_texts_are_written),
        cmocka_unit_test(with_the_message),      cmocka_unit_test(how_messages_are_written),
        cmocka_unit_test(references_without_end), cmocka_unit_test(what_comes_of_a_notice),
        cmocka_unit_test(references_are_found),
        cmocka_unit_test(to_a_host_of_seven_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
