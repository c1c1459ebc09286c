/* Any bytes with a good checksum are refused, or are a program that can be listed, written again, loaded and run on any
 * message, within its bound of steps and with one answer, traced or not. */
#include "bytecode/disasm.h"
#include "bytecode/verify.h"
#include "judge/judge.h"
#include "message/charset.h"
#include "stdlib/vocabulary.h"
#include "tests/fuzz/mutate_program.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const mails[] = {
    "From: a@corp.example\r\nTo: X <x@corp.example>, y@q.example\r\nCc: z@d.example\r\nReply-To: r@r.example\r\n"
    "Subject: the secret plan\r\nX-A: aaab\r\nDate: Mon, 21 Sep 2026 12:00:00 +0000\r\nImportance: high\r\n\r\nfoo foo "
    "secret 4111 1111 1111 1111\r\n",
    "Subject: one\r\nSubject: two\r\nFrom: a@b.example\r\nFrom: =?utf-8?q?J=C3=B6rg?= <j@x.example>\r\nMIME-Version: "
    "1.0\r\n"
    "Content-Type: text/plain; charset=x-nobody\r\n\r\nsecret\r\n",
    "\r\n",
};
static struct str to[] = {{"b@partner.example", 17}, {"c@corp.example", 14}, {"d@q.example", 11}};
static struct str inside[] = {{"corp.example", 12}};
static const struct settings settings = {.internal = {inside, 1}};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    struct err e = {0};
    INVARIANT(charset_warm(&e));
    return 0;
}

static void judge(struct arena *a, struct judge *j, const struct program *p, struct str mail)
{
    struct judge_request r = {.id = 1, .queue_id = STR("Q"), .now = 1795474800, .size = mail.n};
    r.envelope = (struct envelope){.client = {.ip = STR("192.0.2.7"), .helo = STR("h.example"), .trusted = true},
                                   .reverse_path = STR("a@corp.example"),
                                   .recipients = to,
                                   .recipient_count = 3};
    struct trace trace = {.arena = a};
    struct judge_answer traced, plain, decoded;
    struct buf one = {0}, other = {0};
    struct err e = {0};
    judge_message(j, a, &r, mail, &traced, &trace);
    INVARIANT(traced.kind == JUDGE_VERDICT); /* the verifier promises what the machine checks once more */
    INVARIANT(trace.steps <= 2 * program_steps_bound(p));
    INVARIANT(verdict_is_sound(&traced.verdict, &r.envelope, mail, &e));
    judge_message(j, a, &r, mail, &plain, NULL);
    protocol_encode_answer(&traced, &one);
    protocol_encode_answer(&plain, &other);
    /* Patterns have a budget of time, which is spent differently each time. */
    INVARIANT(p->patterns_count || str_eq(buf_str(&one), buf_str(&other)));
    INVARIANT(protocol_decode_answer(a, buf_str(&one), &decoded, &e));
    buf_free(&one);
    buf_free(&other);
    trace_free(&trace);
}

static void run(const struct program *p)
{
    struct err e = {0};
    struct judge *j = judge_create(p, &settings, &e);
    struct arena *a = arena_create();
    for (size_t i = 0; j && i < sizeof mails / sizeof *mails; i++) {
        arena_reset(a);
        judge(a, j, p, str_of(mails[i]));
    }
    INVARIANT(j || e.text[0]);
    arena_free(&a);
    judge_free(&j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = mem_alloc(size ? size : 1);
    struct err e = {0};
    if (size) memcpy(copy, data, size);
    put_right(copy, size);
    struct program *p = program_decode((struct str){copy, size}, &words_rows, &e);
    if (p && program_verify_err(p, &words_rows, &e)) {
        struct buf listing = {0}, again = {0};
        program_disassemble(p, &words_rows, &listing);
        program_encode(p, &again);
        struct program *q = program_decode(buf_str(&again), &words_rows, &e);
        INVARIANT(q && program_verify_err(q, &words_rows, &e));
        program_free(&q);
        run(p);
        buf_free(&listing);
        buf_free(&again);
    }
    program_free(&p);
    free(copy);
    return 0;
}
