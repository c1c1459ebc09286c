/* The judge's channel: what is sent arrives; what is damaged is refused without harm; unsound verdicts are named. */
#include <string.h>

#include "judge/fit.h"
#include "tests/support/check.h"

static const struct str to[] = {{"b@partner.example", 17}, {"c@corp.example", 14}};

static const uint8_t notify[] = {1, 14};

static struct judge_request request(void)
{
    struct judge_request r = {.id = 77,
                              .queue_id = STR("QUEUE"),
                              .now = -5,
                              .utc_offset = -3600,
                              .size = 9,
                              .content_inline = true,
                              .content = STR("A: b\r\n\r\nx")};
    r.envelope = (struct envelope){.client = {.ip = STR("2001:db8::1"),
                                              .helo = STR("x"),
                                              .user = STR("u"),
                                              .tls_version = STR("TLSv1.3"),
                                              .listener = STR("inbound"),
                                              .trusted = true},
                                   .reverse_path = STR("a@corp.example"),
                                   .recipients = (struct str *)(uintptr_t)to,
                                   .recipient_count = 2,
                                   .notify = (uint8_t *)(uintptr_t)notify,
                                   .notify_count = 2,
                                   .requiretls = true,
                                   .eight_bit = true,
                                   .envid = STR("e"),
                                   .ret = 'H'};
    return r;
}

/* Everything set, so that every field would be missed. */
static struct judge_answer answer(struct arena *a)
{
    static const char content[] = "A: b\r\n\r\nx";
    struct judge_answer r = {.id = 77, .kind = JUDGE_VERDICT};
    struct verdict *v = &r.verdict;
    v->answer = VERDICT_ACCEPT;
    v->recipient_count = 3;
    v->recipients = ARENA_ARRAY(a, struct verdict_recipient, 3);
    v->recipients[0] = (struct verdict_recipient){.address = to[0],
                                                  .need = {TLS_PEER_DANE, TLS_FLOOR_1_3, true},
                                                  .copy = 1,
                                                  .connector = STR("vault"),
                                                  .not_before = 1795474800,
                                                  .rule = STR(""),
                                                  .tls_rule = STR("r")};
    v->recipients[1] = (struct verdict_recipient){.address = to[1],
                                                  .disposition = DISPOSITION_REJECT,
                                                  .rule = STR("r"),
                                                  .reply = {554, STATUS(5, 6, 0), STR("no")}};
    v->recipients[2] = (struct verdict_recipient){
        .address = STR("x@y.example"), .added = true, .disposition = DISPOSITION_HOLD, .reason = STR("why")};
    v->copy_count = 2;
    v->copies = ARENA_ARRAY(a, struct verdict_copy, 2);
    for (size_t i = 0; i < 2; i++) {
        struct pieces *p = &v->copies[i].pieces;
        p->n = i ? 3 : 1;
        p->v = ARENA_ARRAY(a, struct piece, 3);
        p->v[0] = (struct piece){0, i ? 6 : sizeof content - 1, STR_NONE};
        p->v[1] = (struct piece){0, 0, STR("X: y\r\n")};
        p->v[2] = (struct piece){6, sizeof content - 1, STR_NONE};
        v->copies[i].length = pieces_length(p);
        v->copies[i].sha256[31] = (uint8_t)(i + 1);
    }
    v->hit_count = 1;
    v->hits = ARENA_NEW(a, struct verdict_hit);
    v->hits[0] = (struct verdict_hit){STR("r"), HIT_APPLIED | HIT_REJECTED};
    v->note_count = 1;
    v->notes = ARENA_NEW(a, struct verdict_note);
    v->notes[0] = (struct verdict_note){NOTE_AUDIT, STR("r"), to[0], STR("text")};
    v->notice_count = 1;
    v->notices = ARENA_NEW(a, struct verdict_notice);
    v->notices[0] = (struct verdict_notice){STR("r"),           STR("dlp@corp.example"), STR("Auto: \xc3\xa4"),
                                            STR("1@x.example"), STR("one\n\ttwo"),       true,
                                            NOTICE_HEADER};
    v->evidence.rows = ARENA_NEW(a, struct evidence_row);
    v->evidence.rows[0] = (struct evidence_row){STR("r"), STR("subject contains \"x\""), STR("subject"), STR("lenient"),
                                                STR("\xc3\xa4"), 1, 2, 3, 5, EVIDENCE_DISPUTED};
    v->evidence.lists = ARENA_NEW(a, struct evidence_list);
    v->evidence.lists[0] = (struct evidence_list){STR("vips"), 41, true};
    v->evidence.row_count = v->evidence.list_count = 1;
    return r;
}

static void requests_arrive(void **state)
{
    (void)state;
    struct arena *a = arena_create();
    struct buf first = {0}, second = {0};
    struct judge_request r = request(), back;
    buf_add(&first, protocol_encode_request(&r, &first));
    assert_true(protocol_decode_request(a, buf_str(&first), &back, NULL));
    buf_add(&second, protocol_encode_request(&back, &second));
    assert_int_equal(first.n, second.n);
    assert_memory_equal(first.p, second.p, first.n);
    check_str(back.content, "A: b\r\n\r\nx");
    check_str(back.envelope.recipients[1], "c@corp.example");
    assert_int_equal(back.envelope.notify_count, 2);
    assert_int_equal(back.envelope.notify[1], 14);
    assert_int_equal(back.utc_offset, -3600);
    assert_int_equal(back.envelope.ret, 'H');
    r.content_inline = false;
    first.n = 0;
    buf_add(&first, protocol_encode_request(&r, &first));
    assert_true(protocol_decode_request(a, buf_str(&first), &back, NULL));
    assert_null(back.content.p);
    assert_int_equal(back.size, 9);
    buf_free(&first);
    buf_free(&second);
    arena_free(&a);
}

static void answers_arrive(void **state)
{
    (void)state;
    struct arena *a = arena_create();
    struct buf first = {0}, second = {0};
    struct judge_answer r = answer(a), back;
    protocol_encode_answer(&r, &first);
    assert_true(protocol_decode_answer(a, buf_str(&first), &back, NULL));
    protocol_encode_answer(&back, &second);
    assert_int_equal(first.n, second.n);
    assert_memory_equal(first.p, second.p, first.n);
    const struct verdict *v = &back.verdict;
    assert_int_equal(v->recipients[0].need.peer, TLS_PEER_DANE);
    assert_true(v->recipients[0].need.onward);
    check_str(v->recipients[0].connector, "vault");
    assert_int_equal(v->recipients[1].reply.code, 554);
    assert_int_equal(v->copies[1].sha256[31], 2);
    check_str(v->copies[1].pieces.v[1].insert, "X: y\r\n");
    check_str(v->notes[0].text, "text");
    assert_int_equal(v->notice_count, 1);
    check_str(v->notices[0].rule, "r");
    check_str(v->notices[0].to, "dlp@corp.example");
    check_str(v->notices[0].subject, "Auto: \xc3\xa4");
    check_str(v->notices[0].about, "1@x.example");
    check_str(v->notices[0].text, "one\n\ttwo");
    assert_true(v->notices[0].report && v->notices[0].attach == NOTICE_HEADER);
    const struct evidence_row *row = &v->evidence.rows[0];
    check_str(row->test, "subject contains \"x\"");
    check_str(row->view, "lenient");
    check_str(row->text, "\xc3\xa4");
    assert_true(row->element == 1 && row->elements == 2 && row->from == 3 && row->to == 5);
    assert_int_equal(row->answer, EVIDENCE_DISPUTED);
    check_str(v->evidence.lists[0].name, "vips");
    assert_true(v->evidence.lists[0].revision == 41 && v->evidence.lists[0].there && !v->evidence.cut);
    struct judge_answer failed = {.id = 3, .kind = JUDGE_FAILED, .why = STR("because")};
    first.n = 0;
    protocol_encode_answer(&failed, &first);
    assert_true(protocol_decode_answer(a, buf_str(&first), &back, NULL));
    check_str(back.why, "because");
    buf_free(&first);
    buf_free(&second);
    arena_free(&a);
}

/* Every byte to every value, every length: refused or decoded, never out of bounds (an exact heap block, for ASan). */
static void damaged(bool requests)
{
    struct arena *a = arena_create(), *scratch = arena_create();
    struct buf good = {0};
    struct judge_request r = request();
    struct judge_answer w = answer(a);
    if (requests)
        buf_add(&good, protocol_encode_request(&r, &good));
    else
        protocol_encode_answer(&w, &good);
    char *p = mem_alloc(good.n);
    for (size_t i = 0; i < good.n * 256; i++) {
        struct judge_request rq;
        struct judge_answer an;
        struct err e = {0};
        memcpy(p, good.p, good.n);
        p[i / 256] = (char)(i % 256);
        struct str d = {p, good.n};
        if (requests) {
            protocol_decode_request(scratch, d, &rq, &e);
        } else if (protocol_decode_answer(scratch, d, &an, &e) && an.kind == JUDGE_VERDICT) {
            verdict_is_sound(&an.verdict, &r.envelope, r.content, &e);
        }
        arena_reset(scratch);
    }
    free(p);
    for (size_t n = 0; n < good.n; n++) {
        char *cut = mem_alloc(n ? n : 1);
        struct judge_request rq;
        struct judge_answer an;
        struct err e = {0};
        memcpy(cut, good.p, n);
        struct str d = {cut, n};
        assert_false(requests ? protocol_decode_request(scratch, d, &rq, &e)
                              : protocol_decode_answer(scratch, d, &an, &e));
        assert_true(e.text[0] != 0);
        free(cut);
    }
    buf_add_byte(&good, 0); /* nothing may follow */
    struct judge_request rq;
    struct judge_answer an;
    assert_false(requests ? protocol_decode_request(scratch, buf_str(&good), &rq, NULL)
                          : protocol_decode_answer(scratch, buf_str(&good), &an, NULL));
    buf_free(&good);
    arena_free(&scratch);
    arena_free(&a);
}
static void damaged_requests(void **state)
{
    (void)state;
    damaged(true);
}
static void damaged_answers(void **state)
{
    (void)state;
    damaged(false);
}

/* --- soundness ---------------------------------------------------------------------------------------------------- */

typedef void spoil(struct verdict *v);

static void spoil_order(struct verdict *v)
{
    struct verdict_recipient r = v->recipients[0];
    v->recipients[0] = v->recipients[1];
    v->recipients[1] = r;
}
static void spoil_missing(struct verdict *v) { v->recipient_count = 1; }
static void spoil_added_flag(struct verdict *v) { v->recipients[1].added = true; }
static void spoil_added_address(struct verdict *v) { v->recipients[2].address = STR("x y@example"); }
static void spoil_copy(struct verdict *v) { v->recipients[0].copy = 2; }
static void spoil_range(struct verdict *v)
{
    v->copies[0].pieces.v[0].to = 10;
    v->copies[0].length = 10;
}
static void spoil_descending(struct verdict *v)
{
    v->copies[1].pieces.v[2].from = 5;
    v->copies[1].length++;
}
static void spoil_length(struct verdict *v) { v->copies[1].length--; }
static void spoil_bare_lf(struct verdict *v) { v->copies[1].pieces.v[1].insert = STR("X: yy\n"); }
static void spoil_bare_cr(struct verdict *v) { v->copies[1].pieces.v[1].insert = STR("X: yy\r"); }
static void spoil_nul(struct verdict *v) { v->copies[1].pieces.v[1].insert = STR("X\0 y\r\n"); }
static void spoil_header_end(struct verdict *v)
{
    v->copies[1].pieces.v[0].to = 4; /* "A: b" "X: y\r\n" "x": no empty line any more */
    v->copies[1].pieces.v[2].from = 8;
    v->copies[1].length = 4 + 6 + 1;
}
static void spoil_reply_text(struct verdict *v) { v->recipients[1].reply.text = STR("no\r\n250 ok"); }
static void spoil_reply_code(struct verdict *v) { v->recipients[1].reply.code = 250; }
static void spoil_status(struct verdict *v) { v->recipients[1].reply.status.class = 2; }
static void spoil_hit(struct verdict *v) { v->hits[0].what = 0; }
static void spoil_hit_bits(struct verdict *v) { v->hits[0].what = 64; }
static void spoil_rule_text(struct verdict *v) { v->recipients[0].rule = STR("\xff"); }
static void spoil_answer(struct verdict *v) { v->answer = 9; }
static void spoil_accept_as_reject(struct verdict *v)
{
    v->answer = VERDICT_REJECT;
    v->reply = v->recipients[1].reply;
}
static void spoil_defer(struct verdict *v)
{
    v->answer = VERDICT_DEFER;
    v->reply = (struct reply){451, STATUS(4, 3, 0), STR("later")};
}
static void spoil_defer_reply(struct verdict *v)
{
    v->answer = VERDICT_DEFER;
    v->recipient_count = 0;
}

static void spoil_notice_to(struct verdict *v) { v->notices[0].to = STR(""); }
static void spoil_notice_two(struct verdict *v) { v->notices[0].to = STR("a@x.example,b@x.example"); }
static void spoil_notice_line(struct verdict *v) { v->notices[0].subject = STR("x\r\nBcc: a@x.example"); }
static void spoil_notice_id(struct verdict *v) { v->notices[0].about = STR("1@x> <2@x"); }
static void spoil_notice_text(struct verdict *v) { v->notices[0].text = STR("one\r\n.\r\n"); }
static void spoil_notice_utf8(struct verdict *v) { v->notices[0].text = STR("\xc3"); }
static void spoil_notice_rule(struct verdict *v) { v->notices[0].rule = STR("\xff"); }
static void spoil_notice_length(struct verdict *v)
{
    static char much[NOTICE_TEXT_MAX + 1];
    memset(much, 'x', sizeof much);
    v->notices[0].text = (struct str){much, sizeof much};
}
static void spoil_notice_count(struct verdict *v)
{
    static struct verdict_notice many[NOTICES_MAX + 1];
    for (size_t i = 0; i <= NOTICES_MAX; i++) many[i] = v->notices[0];
    v->notices = many;
    v->notice_count = NOTICES_MAX + 1;
}
static void spoil_notice_attach(struct verdict *v) { v->notices[0].attach = NOTICE_ATTACH_COUNT; }
static void spoil_notice_deferred(struct verdict *v)
{
    spoil_defer_reply(v);
    v->reply = (struct reply){451, STATUS(4, 3, 0), STR("later")};
}

static void spoil_evidence_line(struct verdict *v) { v->evidence.rows[0].text = STR("a\nb"); }
static void spoil_evidence_escape(struct verdict *v) { v->evidence.rows[0].text = STR("\xc2\x9b" "31m"); }
static void spoil_evidence_answer(struct verdict *v) { v->evidence.rows[0].answer = EVIDENCE_ANSWER_COUNT; }
static void spoil_evidence_place(struct verdict *v) { v->evidence.rows[0].from = 6; }
static void spoil_evidence_list(struct verdict *v) { v->evidence.lists[0].name = STR(""); }
static void spoil_evidence_length(struct verdict *v)
{
    static struct evidence_row rows[EVIDENCE_ROWS_MAX];
    static char much[EVIDENCE_BYTES_MAX / EVIDENCE_ROWS_MAX + 1];
    memset(much, 'x', sizeof much);
    for (size_t i = 0; i < EVIDENCE_ROWS_MAX; i++) rows[i].text = (struct str){much, sizeof much};
    v->evidence.rows = rows;
    v->evidence.row_count = EVIDENCE_ROWS_MAX;
}
static void spoil_stands_for(struct verdict *v) { v->recipients[2].stands_for = 3; }
static void spoil_stands_for_named(struct verdict *v) { v->recipients[0].stands_for = 1; }

static void unsound_verdicts(void **state)
{
    (void)state;
    static spoil *const ways[] = {
        spoil_order, spoil_missing,     spoil_added_flag, spoil_added_address, spoil_copy,
        spoil_range, spoil_descending,  spoil_length,     spoil_bare_lf,       spoil_bare_cr,
        spoil_nul,   spoil_header_end,  spoil_reply_text, spoil_reply_code,    spoil_status,
        spoil_hit,   spoil_hit_bits,    spoil_rule_text,  spoil_answer,        spoil_accept_as_reject,
        spoil_defer, spoil_defer_reply, spoil_notice_to,  spoil_notice_two,    spoil_notice_line,
        spoil_notice_id, spoil_notice_text, spoil_notice_utf8, spoil_notice_rule,
        spoil_notice_length, spoil_notice_count, spoil_notice_deferred, spoil_notice_attach,
        spoil_evidence_line, spoil_evidence_escape, spoil_evidence_answer, spoil_evidence_place, spoil_evidence_list,
        spoil_evidence_length, spoil_stands_for, spoil_stands_for_named,
    };
    struct arena *a = arena_create();
    struct judge_request r = request();
    struct err e = {0};
    struct judge_answer good = answer(a);
    if (!verdict_is_sound(&good.verdict, &r.envelope, r.content, &e)) fail_msg("%s", e.text);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct judge_answer bad = answer(a);
        ways[i](&bad.verdict);
        if (verdict_is_sound(&bad.verdict, &r.envelope, r.content, &e))
            fail_msg("spoiling %zu went unnoticed", i);
    }
    arena_free(&a);
}

/* A verdict over its datagram loses what only tells; beyond that it is none, and says what was too much. */
static void what_does_not_fit(void **state)
{
    (void)state;
    struct arena *a = arena_create();
    struct buf out = {0};
    struct judge_answer answer = {.id = 7, .kind = JUDGE_VERDICT}, read;
    struct verdict *v = &answer.verdict;
    v->note_count = 2000;
    v->notes = ARENA_ARRAY(a, struct verdict_note, v->note_count);
    for (size_t i = 0; i < v->note_count; i++)
        v->notes[i] = (struct verdict_note){NOTE_LOG, STR("r"), STR_NONE, arena_printf(a, "%0300zu", i)};
    fit_answer(&answer, &out);
    assert_true(out.n <= PROTOCOL_DATAGRAM_MAX);
    assert_true(protocol_decode_answer(a, buf_str(&out), &read, NULL));
    assert_int_equal(read.kind, JUDGE_VERDICT);
    assert_int_equal(read.verdict.note_count, FIT_NOTES);
    check_str(read.verdict.notes[FIT_NOTES - 2].text, v->notes[FIT_NOTES - 2].text.p);
    check_str(read.verdict.notes[FIT_NOTES - 1].text, "further notes on this message are left out");
    assert_int_equal(v->note_count, 2000); /* what was given is as it was */

    v->copy_count = 250;
    v->copies = ARENA_ARRAY(a, struct verdict_copy, v->copy_count);
    for (size_t i = 0; i < v->copy_count; i++) {
        struct piece *p = ARENA_NEW(a, struct piece);
        p->insert = arena_printf(a, "%01000zu", i);
        v->copies[i].pieces = (struct pieces){p, 1};
    }
    fit_answer(&answer, &out);
    assert_true(protocol_decode_answer(a, buf_str(&out), &read, NULL));
    assert_int_equal(read.id, 7);
    assert_int_equal(read.kind, JUDGE_FAILED);
    assert_true(str_find(read.why, STR("250 different copies with what rules write into them take 25")) != STR_NPOS);
    arena_free(&a);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_arrive), cmocka_unit_test(answers_arrive),   cmocka_unit_test(damaged_requests),
        cmocka_unit_test(damaged_answers), cmocka_unit_test(what_does_not_fit),
        cmocka_unit_test(unsound_verdicts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
