/* What others got wrong between 2020 and 2026, one test each: 24 (PF: Postfix's HISTORY by date).  Four of them are
 * about TLS and descriptors and stand elsewhere:
 *
 *   double close at the end of TLS (PF 20260713)             net_tls_test: no_descriptor_is_closed_twice
 *   a session ticket taken by another service (PF 20260805)  net_tls_traps_test: trap_2_and_no_session_of_ours_resumes
 *   close_notify inside BDAT (Exim, CVE-2026-45185)          net_tls_test: nothing_in_clear_follows_tls;
 *                                                            e2e/starttls_test
 *   a certificate without a subject (Exim 4.96-deb12u8)      net_tls_traps_test: names_that_openssl_would_take */
#include <stdio.h>
#include <string.h>

#include "base/pieces.h"
#include "base/wire.h"
#include "mail/fold.h"
#include "mail/xtext.h"
#include "net/dns_records.h"
#include "relay/dsn.h"
#include "smtp/client.h"
#include "smtp/reply.h"
#include "tests/support/check.h"
#include "tests/support/dice.h"
#include "tests/support/judged.h"
#include "tests/support/relay_rig.h"
#include "tests/support/smtp_drive.h"

#define BEGIN "EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n"

/* The codes of what is answered to `input`, and the events. */
static void expect(const struct smtp_server_options *o, const char *input, const char *codes, const char *events)
{
    struct smtp_drive d;
    struct buf got = {0};
    smtp_drive_init(&d, o);
    smtp_drive_feed_pieces(&d, str_of(input), 0);
    struct str line, rest = buf_str(&d.replies);
    while (rest.n && str_cut(rest, '\n', &line, &rest))
        if (line.p[3] == ' ') buf_printf(&got, "%s%.3s", got.n ? " " : "", line.p);
    check_buf(&got, codes);
    if (events) check_buf(&d.events, events);
    buf_free(&got);
    smtp_drive_free(&d);
}

/* --- the dialogue ------------------------------------------------------------------------------------------------- */

/* PF 20260724: an error in BDAT left the recipients, and DATA went on without MAIL. */
static void an_error_in_bdat_then_data(void **state)
{
    (void)state;
    expect(NULL, BEGIN "BDAT 4\r\na\nb\nDATA\r\nRCPT TO:<c@d.example>\r\nBDAT 0 LAST\r\n",
           "220 250 250 250 554 503 503 503", "EHLO c\nMAIL <a@b.example>\nRCPT <c@d.example>\nDATA\nABORT\n");
    expect(NULL, BEGIN "BDAT 1001 LAST\r\n", "220 250 250 250",
           "EHLO c\nMAIL <a@b.example>\nRCPT <c@d.example>\nABORT\n");
}

/* PF 20260803: after a message was refused at its end its recipients stayed, so the next one went past all checks. */
static void a_refusal_at_the_end_of_data_then_rcpt(void **state)
{
    (void)state;
    static const char *const contents[] = {"DATA\r\nx\r\n.\r\n", "BDAT 1 LAST\r\nx"};
    for (size_t i = 0; i < 2; i++) {
        struct smtp_server *s = smtp_server_create(&(struct smtp_server_options){.hostname = STR("mx.example")});
        struct smtp_server_event ev;
        struct buf in = {0};
        buf_printf(&in,
                   BEGIN "%sRCPT TO:<evil@d.example>\r\nDATA\r\nBDAT 0 LAST\r\nMAIL FROM:<a@b.example>\r\nDATA\r\n",
                   contents[i]);
        smtp_server_feed(s, buf_str(&in));
        unsigned messages = 0;
        while (smtp_server_next(s, &ev)) {
            messages += ev.kind == SMTP_SERVER_MESSAGE;
            assert_true(ev.kind != SMTP_SERVER_RCPT || !str_starts(ev.rcpt.forward_path, STR("evil")));
            static const struct reply no = {550, {5, 7, 1}, {"no", 2}};
            if (ev.asks) smtp_server_answer(s, ev.kind == SMTP_SERVER_MESSAGE ? &no : NULL);
        }
        assert_int_equal(messages, 1);
        struct str out = buf_str(smtp_server_output(s));
        assert_true(str_ends(
            out, STR("550 5.7.1 no\r\n503 5.5.1 Send MAIL first\r\n503 5.5.1 Send MAIL first\r\n503 5.5.1 Send MAIL "
                     "first\r\n250 2.1.0 Ok\r\n503 5.5.1 Send RCPT first\r\n")));
        buf_free(&in);
        smtp_server_free(&s);
    }
}

/* PF 20260812: VRFY with SMTPUTF8 reset MAIL and not RCPT. */
static void vrfy_with_utf8_inside_a_transaction(void **state)
{
    (void)state;
    struct smtp_server_options o = {.hostname = STR("mx.example"), .smtputf8 = true};
    expect(&o, BEGIN "VRFY \xc3\xa4 SMTPUTF8\r\nVRFY \xc3\r\nDATA\r\nx\r\n.\r\n", "220 250 250 250 252 252 354 250",
           "EHLO c\nMAIL <a@b.example>\nRCPT <c@d.example>\nDATA\nMESSAGE x\r\n\n");
}

/* PF 20260805: chunks of an octet filled memory with their history. */
static void tiny_chunks(void **state)
{
    (void)state;
    struct smtp_drive d;
    smtp_drive_init(&d, &(struct smtp_server_options){.hostname = STR("mx.example")});
    smtp_drive_feed(&d, STR(BEGIN));
    size_t chunks = 0;
    for (; chunks < 1000000 && !d.closed; chunks++) smtp_drive_feed(&d, STR("BDAT 1\r\nx"));
    assert_int_equal(chunks, SMTP_SERVER_JUNK_MAX); /* EHLO was one */
    assert_true(str_ends(buf_str(&d.replies), STR("421 4.7.0 Too many commands without a message\r\n")));
    smtp_drive_free(&d);
    smtp_drive_init(&d, &(struct smtp_server_options){.hostname = STR("mx.example")});
    smtp_drive_feed(&d, STR(BEGIN));
    for (chunks = 0; chunks < 1000000 && !d.closed; chunks++) smtp_drive_feed(&d, STR("BDAT 0\r\n"));
    assert_int_equal(chunks, SMTP_SERVER_JUNK_MAX);
    smtp_drive_free(&d);
}

/* PF 20260529: an overlong command, and a chunk that was refused, were read and thrown away without end. */
static void discarding_has_an_end(void **state)
{
    (void)state;
    static char block[64 * 1024];
    static const char *const begins[] = {"",
                                         "EHLO ",
                                         BEGIN "BDAT 18446744073709551615 LAST\r\n",
                                         "EHLO c\r\nBDAT 67108865 LAST\r\n",
                                         BEGIN "BDAT 67108865\r\n",
                                         BEGIN "DATA\r\n",
                                         BEGIN "BDAT 60000000 LAST\r\n"};
    const size_t most[] = {4096, 4096, 0, 0, 0, 65 * 1024 * 1024, 0};
    memset(block, 'x', sizeof block);
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        struct smtp_drive d;
        smtp_drive_init(&d, NULL);
        smtp_drive_feed(&d, str_of(begins[i]));
        size_t fed = 0;
        while (!d.closed && fed <= 80 * 1024 * 1024) {
            smtp_drive_feed(&d, (struct str){block, most[i] < sizeof block ? 4096 : sizeof block});
            fed += sizeof block;
            if (i == 6 && fed > 1024 * 1024) break; /* not over the bound: it is read to its end */
        }
        assert_int_equal(d.closed, i != 6);
        if (i < 6) assert_in_range(fed, 0, most[i] + 2 * sizeof block);
        if (i < 6)
            assert_true(str_starts(str_from(buf_str(&d.replies), d.replies.n - 60), STR("5")) ||
                        str_find(buf_str(&d.replies), i < 2    ? STR("\r\n500 ")
                                                      : i == 3 ? STR("\r\n503 ")
                                                               : STR("\r\n552 ")) != STR_NPOS);
        smtp_drive_free(&d);
    }
}

/* PF 20260602: xtext that stands for NUL.  Exim, CVE-2020-28026 and -28021: a line end in ORCPT or AUTH reached the
 * spool. */
static void xtext_that_stands_for_a_line_end_or_nul(void **state)
{
    (void)state;
    struct smtp_server_options o = {.hostname = STR("mx.example"), .dsn = true, .auth = true, .tls = true};
    static const char *const forms[] = {"MAIL FROM:<a@b.example> ENVID=x", "MAIL FROM:<a@b.example> AUTH=x",
                                        "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example> ORCPT=rfc822;x"};
    for (unsigned f = 0; f < 3; f++)
        for (unsigned byte = 0; byte < 256; byte++) {
            struct smtp_drive d;
            struct buf in = {0};
            buf_add(&in, STR("EHLO c\r\n"));
            buf_printf(&in, "%s+%02Xy\r\n", forms[f], byte);
            smtp_drive_init(&d, &o);
            smtp_drive_feed(&d, buf_str(&in));
            bool bad = byte == 0 || byte == '\r' || byte == '\n';
            assert_int_equal(str_find(buf_str(&d.replies), STR("\r\n501 5.5.4 ")) != STR_NPOS, bad);
            buf_free(&in);
            smtp_drive_free(&d);
        }
}

/* … nor does one come out in a report, whatever its texts are. */
static void no_text_adds_a_line_to_a_report(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[] = {'x', (char)byte, 'X', '-', 'E', 'v', 'i', 'l', ':', ' ', '1'};
        struct str s = {text, sizeof text};
        struct buf envid = {0}, orcpt = {0}, out = {0};
        xtext_encode(s, &envid);
        buf_add(&orcpt, STR("rfc822;"));
        xtext_encode(s, &orcpt);
        struct dsn_recipient r = {
            .address = s, .orcpt = buf_str(&orcpt), .status = {5, 0, 0}, .diagnostic = s, .remote = s};
        dsn_build(&(struct dsn){.hostname = STR("r.example"),
                                .queue_id = STR("0D"),
                                .original_id = STR("0M"),
                                .reverse_path = STR("a@x.example"),
                                .envid = buf_str(&envid),
                                .recipients = &r,
                                .recipient_count = 1},
                  &out);
        assert_true(str_find(buf_str(&out), STR("\nX-Evil")) == STR_NPOS && !memchr(out.p, '\0', out.n));
        for (size_t i = 0; i < out.n; i++) {
            assert_true(out.p[i] != '\n' || out.p[i - 1] == '\r');
            assert_true(out.p[i] != '\r' || out.p[i + 1] == '\n');
        }
        buf_free(&envid);
        buf_free(&orcpt);
        buf_free(&out);
    }
}

/* PF 20260608: an ORCPT with "+" was decoded, and sent on without being quoted again. */
static void orcpt_travels_as_it_came(void **state)
{
    (void)state;
    struct smtp_server_options o = {.hostname = STR("mx.example"), .dsn = true};
    expect(&o, "EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example> ORCPT=rfc822;a+2Bb+3D@d.example\r\n",
           "220 250 250 250", "EHLO c\nMAIL <a@b.example>\nRCPT <c@d.example> orcpt=rfc822;a+2Bb+3D@d.example\n");
    struct smtp_client *c = smtp_client_create(&(struct smtp_client_options){STR("me.example")});
    struct smtp_client_event ev;
    struct smtp_client_recipient to = {.forward_path = STR("c@d.example"), .orcpt = STR("rfc822;a+2Bb+3D@d.example")};
    smtp_client_feed(c, STR("220 x\r\n"));
    assert_false(smtp_client_next(c, &ev));
    smtp_client_feed(c, STR("250-x\r\n250-PIPELINING\r\n250 DSN\r\n"));
    assert_true(smtp_client_next(c, &ev));
    smtp_client_send(c, &(struct smtp_client_transaction){
                            .reverse_path = STR("a@b.example"), .recipients = &to, .recipient_count = 1});
    assert_true(str_find(buf_str(smtp_client_output(c)), STR(" ORCPT=rfc822;a+2Bb+3D@d.example\r\n")) != STR_NPOS);
    smtp_client_free(&c);
}

/* CVE-2020-28018: a session that was reset while TLS began went on in memory that was freed. */
static void a_reset_while_tls_begins(void **state)
{
    (void)state;
    struct smtp_server_options o = {.hostname = STR("mx.example"), .starttls = true};
    for (int when = 0; when < 4; when++) {
        struct smtp_drive d;
        smtp_drive_init(&d, &o);
        smtp_drive_feed(&d, STR(BEGIN "BDAT 3\r\nabcSTARTTLS\r\n"));
        assert_true(smtp_server_expects_tls(d.server) && !d.open);
        if (when == 1) smtp_server_secured(d.server);
        if (when == 2) smtp_drive_feed(&d, STR("RSET\r\n"));
        smtp_server_stop(d.server, NULL);
        smtp_drive_feed(&d, STR("BDAT 3 LAST\r\nabc"));
        if (when == 3) smtp_server_secured(d.server);
        smtp_drive_feed(&d, STR("NOOP\r\n"));
        assert_true(d.closed && d.messages == 0);
        smtp_drive_free(&d);
    }
}

/* PF 20260708: the enhanced code of an earlier reply was taken for the next one's. */
static void no_enhanced_code_is_left_over(void **state)
{
    (void)state;
    struct smtp_reader r = {0};
    struct str in = STR("550-5.7.1 one\r\n550 5.7.1 two\r\n450 wait\r\n250 2.1.5\r\n354\r\n550 5.1\r\n");
    const struct status want[] = {{5, 7, 1}, {0}, {2, 1, 5}, {0}, {0}};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(smtp_reader_feed(&r, &in), SMTP_REPLY_WHOLE);
        assert_memory_equal(&r.reply.status, &want[i], sizeof want[i]);
    }
    smtp_reader_free(&r);
}

/* --- smuggling ---------------------------------------------------------------------------------------------------- */

/* PF 20260816: what a neighbour inside passed on was not looked at. */
static void a_trusted_neighbour_is_read_as_strictly(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    g.listener.xclient_from = (struct address_ranges){&g.trusted, 1};
    rig_start(&g);
    for (int speaks = 0; speaks < 2; speaks++) {
        struct net_stream *s = rig_session(&g, "10.0.0.1");
        if (speaks) memory_say(g.memory, s, "XCLIENT ADDR=10.9.9.9 LOGIN=alice\r\nEHLO x\r\n");
        memory_say(g.memory, s, "MAIL FROM:<a@corp.example>\r\nRCPT TO:<b@partner.example>\r\nDATA\r\n");
        memory_run(g.memory);
        memory_forget(s);
        memory_say(g.memory, s,
                   "x\r\n.\nMAIL FROM:<evil@corp.example>\r\nRCPT TO:<b@partner.example>\r\nDATA\r\ny\r\n.\r\n");
        memory_run(g.memory);
        assert_true(str_starts(memory_heard(s), STR("554 5.6.0 ")) && !memory_is_open(s));
    }
    assert_int_equal(memory_stored(g.memory) + rig_mails(&g, 0), 0);
    rig_teardown(&g);
}

/* PF 20260816: a feature that adds a field to the header made an end of data out of what it was given. */
static void an_added_field_ends_no_content(void **state)
{
    (void)state;
    struct judged j;
    judged_run(&j, &(struct judged_case){
                       .rules = "when always then add_header \"X-Seen\" \"%{subject}\", prepend_subject \"%{subject}\"",
                       .message = "Subject: =?utf-8?q?a=0D=0A=2E=0D=0AMAIL_FROM=3A=3Cevil=40x=3E=0D=0A?=\r\n"
                                  "From: a@b.example\r\n\r\nx\r\n"});
    struct str copy = judged_copy(&j, "b@partner.example");
    assert_true(str_find(copy, STR("\n.")) == STR_NPOS && str_find(copy, STR("\nMAIL")) == STR_NPOS);
    for (size_t i = 0; i < copy.n; i++) assert_true(copy.p[i] != '\n' || (i && copy.p[i - 1] == '\r'));
    judged_free(&j);

    /* And where two pieces meet: the end of the one and the dot of the next. */
    struct smtp_client *c = smtp_client_create(&(struct smtp_client_options){STR("me.example")});
    struct smtp_client_event ev;
    struct smtp_client_recipient to = {.forward_path = STR("c@d.example")};
    static const char *const said[] = {"220 x\r\n", "250-x\r\n250 PIPELINING\r\n", "250 x\r\n250 x\r\n354 x\r\n"};
    for (int i = 0; i < 3; i++) {
        smtp_client_feed(c, str_of(said[i]));
        while (smtp_client_next(c, &ev))
            if (ev.kind == SMTP_CLIENT_READY)
                smtp_client_send(c, &(struct smtp_client_transaction){
                                        .reverse_path = STR("a@b.example"), .recipients = &to, .recipient_count = 1});
    }
    struct str runs[] = {STR("a\r"), STR("\n"), STR("."), STR("\r"), STR("\n"), STR("RSET\r\n")}, piece;
    struct buf wire = {0};
    for (size_t i = 0; i < 6; i++)
        while (smtp_client_body(c, &runs[i], &piece)) buf_add(&wire, piece);
    check_buf(&wire, "a\r\n..\r\nRSET\r\n");
    buf_free(&wire);
    smtp_client_free(&c);
}

/* PF 20260821: a milter's body that broke off in the middle was taken for the whole. */
static enum judge_behaviour half(void *owner, const struct judge_request *request, struct arena *a,
                                 struct judge_answer *answer)
{
    (void)owner;
    struct verdict *v = &answer->verdict;
    size_t body = str_find(request->content, STR("\r\n\r\n")) + 4;
    struct piece *p = ARENA_ARRAY(a, struct piece, 2);
    p[0] = (struct piece){0, body, STR_NONE};
    p[1] = (struct piece){0, 0, STR("the new body begins\r\n")};
    v->copy_count = 1;
    v->copies = ARENA_ARRAY(a, struct verdict_copy, 1);
    v->copies[0].pieces = (struct pieces){p, 2};
    v->copies[0].length = request->size; /* what it was to become */
    return JUDGE_ANSWERS;
}

static void half_a_body_is_none(void **state)
{
    (void)state;
    struct rig g;
    rig_setup(&g);
    g.memory->script = half;
    rig_start(&g);
    struct net_stream *s = rig_session(&g, "10.0.0.1");
    const char *reply = rig_send(&g, s, "a@corp.example", "b@partner.example",
                                 "Subject: x\r\n\r\n1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n8\r\n9\r\n10\r\n");
    assert_true(strncmp(reply, "451 ", 4) == 0);
    assert_int_equal(memory_stored(g.memory) + rig_mails(&g, 0), 0);
    rig_teardown(&g);
}

/* --- bytes of strangers ------------------------------------------------------------------------------------------- */

/* PF 20260524 and 20260531: RDATA of TLSA with 0, 3, 1 to 19 octets was read beyond its end.  TLSA is not asked for
 * yet; every kind that is, with every length, in a block of exactly its size. */
static void short_rdata_of_every_kind(void **state)
{
    (void)state;
    struct arena *a = arena_create();
    for (unsigned kind = 0; kind < NET_DNS_KINDS; kind++)
        for (size_t n = 0; n <= 40; n++)
            for (int fill = 0; fill < 256; fill += 15) {
                char *rdata = mem_alloc(n ? n : 1);
                struct net_dns_record r;
                memset(rdata, fill, n);
                bool read = dns_record_read(a, (enum net_dns_kind)kind, (struct str){rdata, n}, &r);
                if (kind == NET_DNS_A) assert_int_equal(read, n == 4);
                if (kind == NET_DNS_AAAA) assert_int_equal(read, n == 16);
                free(rdata);
            }
    arena_free(&a);
}

/* PF 20260623: the RDATA of MX was shorter than its preference. */
static void short_rdata_of_mx(void **state)
{
    (void)state;
    struct arena *a = arena_create();
    static const char whole[] = "\0\x0a\2mx\7example\0";
    for (size_t n = 0; n < sizeof whole; n++) {
        char *rdata = mem_alloc(n ? n : 1);
        struct net_dns_record r;
        memcpy(rdata, whole, n);
        assert_int_equal(dns_record_read(a, NET_DNS_MX, (struct str){rdata, n}, &r), n == sizeof whole - 1);
        free(rdata);
    }
    arena_free(&a);
}

/* PF 20260623: the length of a record was put together by shifts, until they shifted too far. */
static void lengths_that_no_number_holds(void **state)
{
    (void)state;
    static const unsigned char lengths[][4] = {
        {0xff, 0xff, 0xff, 0xff}, {0, 0, 0, 0x80}, {0xff, 0xff, 0xff, 0x7f}, {5, 0, 0, 0}};
    for (size_t i = 0; i < 4; i++) {
        char record[8];
        memcpy(record, lengths[i], 4);
        memcpy(record + 4, "abcd", 4);
        struct wire w = wire_of((struct str){record, 8});
        assert_int_equal(wire_str(&w).n, 0);
        assert_false(wire_done(&w));
        w = wire_of((struct str){record, 8});
        assert_int_equal(wire_count(&w, 1), 0);
        assert_false(wire_done(&w));
    }
    static const char *const chunks[] = {
        "4294967296000000000000", "18446744073709551616", "-1", "0x10", "1e3", "+5", ""};
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        char input[200];
        snprintf(input, sizeof input, BEGIN "BDAT %s\r\nNOOP\r\n", chunks[i]);
        expect(NULL, input, "220 250 250 250 501", NULL);
    }
}

/* PF 20260624: a file that includes itself. */
static void imports_in_a_circle(void **state)
{
    (void)state;
    const struct compiler_memory_file files[] = {
        {.path = STR("a.sluice"), .text = STR("import \"b.sluice\"\n")},
        {.path = STR("b.sluice"), .text = STR("import \"c.sluice\"\n")},
        {.path = STR("c.sluice"), .text = STR("import \"a.sluice\"\nimport \"c.sluice\"\n")}};
    struct compiled c;
    compiled_open_files(&c, files, 3);
    assert_null(c.program);
    assert_true(compiled_has(&c, "E216"));
    compiled_close(&c);
}

/* CVE-2020-28020: continued lines of a header, until an int was full. */
static void a_field_of_a_hundred_thousand_lines(void **state)
{
    (void)state;
    struct buf m = {0};
    buf_add(&m, STR("From: a@b.example\r\nSubject: x"));
    for (int i = 0; i < 100000; i++) buf_add(&m, STR("\r\n continued continued continued"));
    buf_add(&m, STR(" needle\r\nX-Late: a\r\n\r\nbody\r\n"));
    buf_add_byte(&m, '\0');
    assert_int_equal(judged_condition("subject contains \"needle\"", m.p, NULL), 'T'); /* it is read to its end … */
    assert_int_equal(judged_condition("truncated", m.p, NULL), 'T'); /* … what stands behind it is not */
    buf_free(&m);
}

/* Exim, CVE-2026-40686: an operator on UTF-8 read behind a sequence that was cut. */
static void utf8_that_is_cut(void **state)
{
    (void)state;
    static const struct str whole[] = {STR("\xc3\xa4"), STR("\xe6\x97\xa5"), STR("\xf0\x9f\x98\x80"), STR("a\xcc\x88")};
    for (size_t i = 0; i < 4; i++)
        for (size_t n = 0; n <= whole[i].n; n++) {
            char *cut = mem_alloc(n ? n : 1); /* exactly as long */
            struct buf out = {0};
            uint32_t point;
            memcpy(cut, whole[i].p, n);
            struct str s = {cut, n};
            fold_text(s, 0, &out, NULL);
            fold_text(s, FOLD_TRIM, &out, NULL);
            assert_true(str_is_utf8(buf_str(&out)));
            if (n) assert_in_range(fold_decode(cut, n, &point), 1, n);
            fold_is_word_boundary(s, n);
            buf_free(&out);
            free(cut);
        }
}

/* CVE-2025-62875: garbage on the local socket ended the daemon. */
static void garbage_at_the_control_socket(void **state)
{
    (void)state;
    struct rig g;
    struct dice dice = {20251231};
    rig_setup(&g);
    rig_start(&g);
    for (int round = 0; round < 2000; round++) {
        struct net_stream *c = memory_dial(g.memory, "control", "");
        char text[400];
        size_t n = 1 + dice_roll(&dice, sizeof text - 1);
        for (size_t i = 0; i + 1 < n; i++)
            text[i] =
                round & 1 ? (char)(1 + dice_roll(&dice, 255)) : "{}[]\",:\\v1op queue\n0-eE."[dice_roll(&dice, 24)];
        text[n - 1] = '\0';
        memory_say(g.memory, c, text);
        memory_run(g.memory);
        memory_hang_up(g.memory, c);
        memory_run(g.memory);
    }
    assert_int_equal(g.stopped, -1);
    struct net_stream *c = memory_dial(g.memory, "control", "");
    assert_non_null(strstr(rig_ask(&g, c, "{\"v\":1,\"op\":\"queue\"}\n"), "\"ok\":true"));
    rig_teardown(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_in_bdat_then_data),
        cmocka_unit_test(a_refusal_at_the_end_of_data_then_rcpt),
        cmocka_unit_test(vrfy_with_utf8_inside_a_transaction),
        cmocka_unit_test(tiny_chunks),
        cmocka_unit_test(discarding_has_an_end),
        cmocka_unit_test(xtext_that_stands_for_a_line_end_or_nul),
        cmocka_unit_test(no_text_adds_a_line_to_a_report),
        cmocka_unit_test(orcpt_travels_as_it_came),
        cmocka_unit_test(short_rdata_of_every_kind),
        cmocka_unit_test(short_rdata_of_mx),
        cmocka_unit_test(lengths_that_no_number_holds),
        cmocka_unit_test(imports_in_a_circle),
        cmocka_unit_test(no_enhanced_code_is_left_over),
        cmocka_unit_test(a_trusted_neighbour_is_read_as_strictly),
        cmocka_unit_test(an_added_field_ends_no_content),
        cmocka_unit_test(half_a_body_is_none),
        cmocka_unit_test(a_reset_while_tls_begins),
        cmocka_unit_test(a_field_of_a_hundred_thousand_lines),
        cmocka_unit_test(utf8_that_is_cut),
        cmocka_unit_test(garbage_at_the_control_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
