/* A judge's answer as the relay reads it: decoded, held to what is sound, and encoded again to the same meaning. */
#include <stdlib.h>
#include <string.h>

#include "judge/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str recipients[] = {{"b@partner.example", 17}, {"c@corp.example", 14}};
static const struct str content = {"A: b\r\n\r\nx", 9};

static void walk(struct arena *a, const struct judge_answer *answer)
{
    struct envelope env = {.recipients = recipients, .recipient_count = 2};
    struct buf once = {0}, twice = {0};
    struct judge_answer back;
    struct err e = {0};
    if (answer->kind == JUDGE_VERDICT && verdict_is_sound(&answer->verdict, &env, content, &e)) {
        for (size_t i = 0; i < answer->verdict.copy_count; i++) { /* what is sound can be read to its end */
            struct pieces_cursor at = {.pieces = &answer->verdict.copies[i].pieces};
            struct str insert;
            uint64_t from, n, total = 0;
            while ((n = pieces_next(&at, 4096, &insert, &from)) > 0) {
                if (!insert.p && from + n > content.n) abort();
                total += n;
            }
            if (total != answer->verdict.copies[i].length) abort();
        }
    }
    protocol_encode_answer(answer, &once);
    if (!protocol_decode_answer(a, buf_str(&once), &back, &e)) abort();
    protocol_encode_answer(&back, &twice);
    if (!str_eq(buf_str(&once), buf_str(&twice))) abort();
    buf_free(&once);
    buf_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_create();
    struct judge_answer answer;
    struct judge_request request;
    struct err e = {0};
    struct str datagram = {(const char *)data, size};
    if (protocol_decode_answer(a, datagram, &answer, &e)) walk(a, &answer);
    if (protocol_decode_request(a, datagram, &request, &e)) {
        struct buf out = {0};
        buf_add(&out, protocol_encode_request(&request, &out));
        if (!str_eq(buf_str(&out), datagram)) abort(); /* a request has one form only */
        buf_free(&out);
    }
    arena_free(&a);
    return 0;
}
