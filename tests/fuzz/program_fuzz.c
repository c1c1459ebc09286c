/* Any bytes with a good checksum are refused, or are a program that can be listed and written again. */
#include <string.h>

#include "base/digest.h"
#include "bytecode/codec.h"
#include "bytecode/disasm.h"
#include "bytecode/verify.h"
#include "compiler/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The seal and the vocabulary's hash are put right, so that what is behind them is reached. */
static void put_right(char *file, size_t size)
{
    uint8_t sum[DIGEST_SIZE];
    if (size < 44 + DIGEST_SIZE) return;
    words_vocabulary_hash(sum);
    memcpy(file + 12, sum, sizeof sum);
    digest_sha256((struct str){file, size - DIGEST_SIZE}, sum);
    memcpy(file + size - DIGEST_SIZE, sum, sizeof sum);
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
        buf_free(&listing);
        buf_free(&again);
    }
    program_free(&p);
    free(copy);
    return 0;
}
