/* Programs that were tampered with, checksum made good: each is refused by a named check, or runs without fault within
 * its bound of steps. */
#include <stdio.h>

#include "bytecode/codec.h"
#include "bytecode/verify.h"
#include "stdlib/vocabulary.h"
#include "tests/support/check.h"
#include "tests/support/judged.h"

static const char policy[] =
    "list doms of domain = \"corp.example\", \"*.corp.example\", \"a.example\", \"b.example\", \"c.example\", "
    "\"d.example\","
    " \"e.example\", \"f.example\", \"g.example\"\n"
    "list nets of network = 10.0.0.0/8, 2001:db8::/32, 192.0.2.0/24\n"
    "connector \"vault\" host \"127.0.0.1\" port 2526\n"
    "rule \"a\" priority 10 effective 2026-09-01 expires 2027-10-15T18:00Z\n"
    "when subject or body contains any word of (\"secret\", \"confidential\") and recipient.scope is outside\n"
    "unless authenticated and sender is any of (\"a@corp.example\", \"@b.example\")\n"
    "then require_tls verified min \"1.3\", prepend_subject \"[SECURE] \"\n"
    "rule \"b\" when any to where (to.domain is in doms or to.name contains \"x\") or header \"X-A\" matches /a+b/s\n"
    "then set_header \"X-B\" \"{rule} {subject}\", mark \"m\", stop\n"
    "rule \"c\" mode audit when size is over 1 KB and any reply_to.domain is not from.domain and recipient_count is "
    "between 1 "
    "and 5\nthen quarantine reason \"x\"\n"
    "rule \"d\" mode audit_and_notify when marked \"m\" then log \"{sender}\", reject \"no\"\n"
    "rule \"e\" on_unreadable hold when body contains at least 2 \"foo\" and client.ip is in nets then copy to "
    "\"x@b.example\"\n"
    "rule \"f\" when every recipient.domain is not \"x.example\" and any recipient where (recipient.local is like "
    "\"b*\")\n"
    "then redirect to \"y@a.example\", route_via \"vault\", add_header \"X-C\" \"{{\"\n"
    "rule \"g\" when no cc where (cc.domain is \"d.example\" and cc.local is not \"q\") and subject starts with \"[\"\n"
    "then reject \"{subject}\" status \"5.7.9\", require_tls dane\n"
    "rule \"h\" on_error apply when sender ends with any of (\"example\", \"x\") then defer \"later\"\n";

static const char mail[] =
    "From: a@corp.example\nTo: X <x@corp.example>, y@q.example\nCc: z@d.example\nReply-To: r@r.example\n"
    "Subject: the secret plan\nX-A: aaab\n\nfoo foo secret\n";

enum { MUTATIONS = 10000 };

struct tally {
    unsigned undecodable, unverified, unloadable, failed, judged;
};

/* With the index (nothing is traced) the answer is the same, whatever the code. */
static void check_indexed(struct judge *j, struct arena *a, const struct judge_request *r, struct str content,
                          const struct judge_answer *traced)
{
    struct judge_answer answer;
    struct buf with = {0}, without = {0};
    judge_message(j, a, r, content, &answer, NULL);
    protocol_encode_answer(&answer, &with);
    protocol_encode_answer(traced, &without);
    assert_true(str_eq(buf_str(&with), buf_str(&without)));
    buf_free(&with);
    buf_free(&without);
}

static void judge_mutant(struct arena *a, const struct program *p, struct tally *t)
{
    static struct str to[] = {{"b@partner.example", 17}, {"c@corp.example", 14}, {"d@q.example", 11}};
    static const struct str content = {mail, sizeof mail - 1};
    static const struct settings settings = {0};
    struct err e = {0};
    struct judge *j = judge_create(p, &settings, &e);
    if (!j) {
        assert_true(e.text[0] != 0);
        t->unloadable++;
        return;
    }
    struct judge_request r = {.id = 1, .queue_id = STR("Q"), .now = 1795474800, .size = content.n};
    r.envelope = (struct envelope){.client = {.ip = STR("192.0.2.7"), .helo = STR("h.example"), .trusted = true},
                                   .reverse_path = STR("a@corp.example"),
                                   .recipients = to,
                                   .recipient_count = 3};
    struct judge_answer answer;
    struct trace trace = {.arena = a};
    judge_message(j, a, &r, content, &answer, &trace);
    assert_true(trace.steps <= 2 * program_steps_bound(p)); /* one pass for all, one for added recipients */
    check_indexed(j, a, &r, content, &answer);
    if (answer.kind == JUDGE_VERDICT)
        t->judged++;
    else
        t->failed++;
    struct buf out = {0};
    protocol_encode_answer(&answer, &out);
    assert_true(protocol_decode_answer(a, buf_str(&out), &answer, &e));
    buf_free(&out);
    trace_free(&trace);
    judge_free(&j);
}

static void tampered_programs(void **state)
{
    (void)state;
    struct compiled c;
    struct buf file = {0};
    struct tally t = {0};
    program_encode(compiled_program(&c, str_of(policy)), &file);
    struct arena *a = arena_create();
    for (uint64_t seed = 0; seed < MUTATIONS; seed++) {
        struct err e = {0};
        struct str mutant = mutated_program(a, buf_str(&file), seed, 1 + (unsigned)(seed % 3));
        struct program *p = program_decode(mutant, stdlib_vocabulary.rows, &e);
        if (!p) {
            t.undecodable++;
            assert_true(e.text[0] != 0);
        } else if (!program_verify_err(p, stdlib_vocabulary.rows, &e)) {
            t.unverified++;
            assert_true(e.text[0] != 0);
        } else {
            judge_mutant(a, p, &t);
        }
        program_free(&p);
        arena_reset(a);
    }
    printf("# %d mutations: %u not decoded, %u not verified, %u not loaded, %u failed, %u judged\n", MUTATIONS,
           t.undecodable, t.unverified, t.unloadable, t.failed, t.judged);
    assert_true(t.judged > MUTATIONS / 10);
    assert_true(t.unverified > MUTATIONS / 100);
    assert_int_equal(t.failed, 0); /* the verifier promises what the machine checks once more */
    arena_free(&a);
    buf_free(&file);
    compiled_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tampered_programs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
