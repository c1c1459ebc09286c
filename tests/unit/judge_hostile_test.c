/* A judge that was taken over: every member of its verdict made wrong, over and over.  What the relay's check lets pass
 * would do no harm, by a reading of its own; what it refuses has a sentence.  SLUICE_HOSTILE says how many (a million
 * in `make torture-edits`). */
#include <stdio.h>
#include <string.h>

#include "judge/protocol.h"
#include "mail/address.h"
#include "tests/support/check.h"
#include "tests/support/hostile.h"

static struct str to[] = {{"b@partner.example", 17}, {"c@corp.example", 14}};
static const struct envelope envelope = {.recipients = to, .recipient_count = 2};

/* A sound verdict of two copies, one of them edited, all of it in the arena so that it may be spoilt. */
static struct judge_answer sound_answer(struct arena *a, struct str content, size_t body)
{
    struct judge_answer r = {.id = 7, .kind = JUDGE_VERDICT};
    struct verdict *v = &r.verdict;
    v->recipient_count = 3;
    v->recipients = ARENA_ARRAY(a, struct verdict_recipient, 3);
    v->recipients[0] = (struct verdict_recipient){.address = to[0], .copy = 1, .connector = STR("vault")};
    v->recipients[1] = (struct verdict_recipient){.address = to[1],
                                                  .disposition = DISPOSITION_REJECT,
                                                  .rule = STR("r"),
                                                  .reply = {554, STATUS(5, 6, 0), STR("no")}};
    v->recipients[2] = (struct verdict_recipient){
        .address = STR("x@y.example"), .added = true, .disposition = DISPOSITION_HOLD, .reason = STR("why")};
    v->copy_count = 2;
    v->copies = ARENA_ARRAY(a, struct verdict_copy, 2);
    for (size_t i = 0; i < 2; i++) {
        struct piece *p = ARENA_ARRAY(a, struct piece, 3);
        p[0] = (struct piece){0, i ? body - 2 : content.n, STR_NONE};
        p[1] = (struct piece){0, 0, STR("X-New: value\r\n")};
        p[2] = (struct piece){body - 2, content.n, STR_NONE};
        v->copies[i].pieces = (struct pieces){p, i ? 3 : 1};
        v->copies[i].length = pieces_length(&v->copies[i].pieces);
    }
    v->hits = ARENA_NEW(a, struct verdict_hit);
    v->hits[0] = (struct verdict_hit){STR("r"), HIT_APPLIED};
    v->notes = ARENA_NEW(a, struct verdict_note);
    v->notes[0] = (struct verdict_note){NOTE_LOG, STR("r"), to[0], STR("text")};
    v->notices = ARENA_NEW(a, struct verdict_notice);
    v->notices[0] = (struct verdict_notice){STR("r"), to[1], STR("Auto: x"), STR("1@x.example"), STR("text"),
                                              true, NOTICE_ORIGINAL};
    v->evidence.rows = ARENA_NEW(a, struct evidence_row);
    v->evidence.rows[0] = (struct evidence_row){STR("r"), STR("subject contains \"x\""), STR("subject"), STR("lenient"),
                                                STR("\xc3\xa4"), 1, 2, 3, 5, EVIDENCE_DISPUTED};
    v->evidence.lists = ARENA_NEW(a, struct evidence_list);
    v->evidence.lists[0] = (struct evidence_list){STR("vips"), 41, true};
    v->evidence.row_count = v->evidence.list_count = 1;
    v->hit_count = v->note_count = v->notice_count = 1;
    return r;
}

/* The copy as it would leave: whole lines, and a header section that ends. */
static void copy_is_harmless(struct arena *a, const struct verdict_copy *c, struct str content)
{
    assert_true(c->length <= content.n + PROTOCOL_DATAGRAM_MAX);
    char *out = arena_alloc(a, (size_t)c->length + 1);
    struct pieces_cursor at = {.pieces = &c->pieces};
    struct str insert;
    uint64_t from, n, total = 0;
    while ((n = pieces_next(&at, UINT64_MAX, &insert, &from)) > 0) {
        assert_true(total + n <= c->length && (insert.p || from + n <= content.n));
        memcpy(out + total, insert.p ? insert.p : content.p + from, n);
        total += n;
    }
    assert_int_equal(total, c->length);
    for (size_t i = 0; i < total; i++) {
        assert_int_not_equal(out[i], 0);
        assert_true(out[i] != '\r' || (i + 1 < total && out[i + 1] == '\n'));
        assert_true(out[i] != '\n' || (i > 0 && out[i - 1] == '\r'));
    }
    struct str whole = {out, (size_t)total};
    assert_true(str_starts(whole, STR("\r\n")) || str_find(whole, STR("\r\n\r\n")) != STR_NPOS);
}

static void text_is_harmless(struct str s)
{
    assert_true(s.n <= 8192 && str_is_utf8(s) && str_find_byte(s, '\0') == STR_NPOS);
}

static void reply_is_harmless(const struct reply *r, unsigned class)
{
    assert_int_equal(r->code / 100, class);
    assert_int_equal(r->status.class, class);
    assert_true(r->text.n > 0 && r->text.n <= 500);
    for (size_t i = 0; i < r->text.n; i++) assert_true(r->text.p[i] >= ' ' && r->text.p[i] < 0x7f);
}

static void verdict_is_harmless(struct arena *a, const struct verdict *v, struct str content)
{
    struct address parsed;
    assert_true(v->answer <= VERDICT_DEFER);
    if (v->answer == VERDICT_REJECT) reply_is_harmless(&v->reply, 5);
    if (v->answer == VERDICT_DEFER) reply_is_harmless(&v->reply, 4);
    if (v->answer == VERDICT_ACCEPT) assert_true(v->recipient_count >= 2);
    for (size_t i = 0; i < v->recipient_count; i++) {
        const struct verdict_recipient *r = &v->recipients[i];
        if (i < 2) check_str(r->address, i ? "c@corp.example" : "b@partner.example");
        assert_true(r->stands_for <= (r->added ? 2 : 0));
        assert_true(r->added == (i >= 2) && r->disposition < DISPOSITION_COUNT);
        assert_true(address_parse(r->address, ADDRESS_UTF8, &parsed));
        if (r->disposition == DISPOSITION_REJECT) reply_is_harmless(&r->reply, 5);
        bool content_goes = r->disposition == DISPOSITION_DELIVER || r->disposition == DISPOSITION_HOLD ||
                            r->disposition == DISPOSITION_QUARANTINE;
        assert_true(!content_goes || r->copy < v->copy_count);
        assert_true(r->need.peer <= TLS_PEER_DANE && r->need.floor <= TLS_FLOOR_1_3);
        text_is_harmless(r->connector);
        text_is_harmless(r->reason);
    }
    for (size_t i = 0; i < v->notice_count; i++) {
        const struct verdict_notice *n = &v->notices[i];
        assert_int_not_equal(v->answer, VERDICT_DEFER);
        assert_true(address_parse(n->to, ADDRESS_UTF8, &parsed));
        text_is_harmless(n->rule);
        text_is_harmless(n->subject);
        text_is_harmless(n->text);
        assert_true(str_find_byte(n->subject, '\n') == STR_NPOS && str_find_byte(n->subject, '\r') == STR_NPOS);
        assert_true(n->attach < NOTICE_ATTACH_COUNT);
        assert_true(str_find_byte(n->text, '\r') == STR_NPOS && str_find_byte(n->about, '>') == STR_NPOS);
    }
    assert_true(v->evidence.row_count <= EVIDENCE_ROWS_MAX);
    for (size_t i = 0; i < v->evidence.row_count; i++) {
        const struct evidence_row *r = &v->evidence.rows[i];
        const struct str texts[] = {r->rule, r->test, r->field, r->view, r->text};
        for (size_t k = 0; k < 5; k++) {
            text_is_harmless(texts[k]);
            for (size_t c = 0; c < texts[k].n; c++) assert_true((unsigned char)texts[k].p[c] >= ' ');
        }
        assert_non_null(evidence_answer_names[r->answer]);
    }
    for (size_t i = 0; i < v->copy_count; i++) copy_is_harmless(a, &v->copies[i], content);
}

static void hostile(struct str content, size_t body, unsigned rounds)
{
    uint64_t seed = 0x5eed0000 + content.n;
    unsigned refused = 0, passed = 0;
    struct arena *a = arena_create();
    struct buf datagram = {0};
    for (unsigned i = 0; i < rounds; i++) {
        struct judge_answer bad = sound_answer(a, content, body), read;
        struct err e = {0};
        if (i) hostile_mutate(&bad.verdict, content, &seed, a); /* the first is as it should be */
        datagram.n = 0;
        protocol_encode_answer(&bad, &datagram);
        bool good = protocol_decode_answer(a, buf_str(&datagram), &read, &e) &&
                    verdict_is_sound(&read.verdict, &envelope, content, &e);
        if (good)
            verdict_is_harmless(a, &read.verdict, content);
        else
            assert_int_not_equal(e.text[0], 0);
        passed += good;
        refused += !good;
        if (i == 0 && !good) fail_msg("%s", e.text);
        arena_reset(a);
    }
    printf("# %zu bytes: %u refused, %u harmless\n", content.n, refused, passed);
    assert_true(refused > rounds / 3 && passed > rounds / 20);
    buf_free(&datagram);
    arena_free(&a);
}

static unsigned rounds_wanted(void)
{
    const char *n = getenv("SLUICE_HOSTILE");
    return n ? (unsigned)strtoul(n, NULL, 10) : 20000;
}

static void small_content(void **state)
{
    (void)state;
    struct str content = STR("Received: x\r\nSubject: y\r\n\r\nHello\r\nthere\r\n");
    hostile(content, str_find(content, STR("\r\n\r\n")) + 4, rounds_wanted());
}

/* Over PROTOCOL_INLINE_MAX: content that went to the judge as a descriptor. */
static void large_content(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_add(&b, STR("Received: x\r\nSubject: y\r\n\r\n"));
    size_t body = b.n;
    while (b.n <= PROTOCOL_INLINE_MAX) buf_add(&b, STR("0123456789 0123456789 0123456789 0123456789\r\n"));
    hostile(buf_str(&b), body, rounds_wanted() / 20);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(small_content), cmocka_unit_test(large_content)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
