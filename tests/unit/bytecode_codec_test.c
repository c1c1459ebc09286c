/* The .sluicec file: there and back, damage, foreign formats, and what gets past the checksum. */
#include "tests/support/check.h"

#include <string.h>
#include <sysexits.h>

#include "base/wire.h"
#include "bytecode/codec.h"
#include "bytecode/disasm.h"
#include "bytecode/verify.h"
#include "compiler/words.h"
#include "tests/support/compiled.h"

static const char policy[] =
    "list doms of domain = \"corp.example\", \"*.corp.example\"\n"
    "list nets of network = 10.0.0.0/8, 2001:db8::/32\n"
    "relay hostname \"relay.corp.example\" internal doms state \"run/state\"\n"
    "listener \"in\" address \"127.0.0.1:2525\" relay_for nets domains doms\n"
    "connector \"default\" host \"127.0.0.1\" port 2526\n"
    "retry first 1 second until 3 seconds\n"
    "define leaving as recipient.scope is outside\n"
    "rule \"a\" priority 10 owner \"o\" effective 2026-09-01 expires 2026-10-15T18:00Z\n"
    "when subject or body contains any word of (\"secret\", \"confidential\") and leaving\n"
    "unless authenticated and sender is any of (\"a@corp.example\", \"@b.example\")\n"
    "then require_tls verified min \"1.3\", prepend_subject \"[SECURE] \"\n"
    "rule \"b\" when any to where (domain is in doms or name contains \"x\") or header \"X-A\" matches /a+b/s\n"
    "then set_header \"X-B\" \"{rule}\", mark \"m\", stop\n"
    "rule \"c\" mode audit when size is over 10 MB and any reply_to.domain is not from.domain and recipient_count is "
    "between 2 and 5\n"
    "then quarantine reason \"x\"\n"
    "when body contains at least 2 \"foo\" and client.ip is in nets then copy to \"a@b.example\"\n";

struct fixture {
    struct compiled c;
    struct buf file;
};

static void fixture_open(struct fixture *f)
{
    *f = (struct fixture){0};
    program_encode(compiled_program(&f->c, str_of(policy)), &f->file);
}
static void fixture_close(struct fixture *f)
{
    buf_free(&f->file);
    compiled_close(&f->c);
}

static void there_and_back(void **state)
{
    (void)state;
    struct fixture f;
    struct err e = {0};
    struct buf again = {0}, listing = {0}, listing_again = {0};
    fixture_open(&f);
    assert_true(program_is_compiled(buf_str(&f.file)));
    struct program *p = program_decode(buf_str(&f.file), &words_rows, &e);
    assert_non_null(p);
    assert_true(program_verify(p, &words_rows, NULL));
    program_encode(p, &again);
    assert_true(str_eq(buf_str(&again), buf_str(&f.file)));
    program_disassemble(f.c.program, &words_rows, &listing);
    program_disassemble(p, &words_rows, &listing_again);
    assert_true(listing.n > 1000 && str_eq(buf_str(&listing), buf_str(&listing_again)));
    assert_int_equal(program_steps_bound(p), p->code_count);
    program_free(&p);
    buf_free(&again);
    buf_free(&listing);
    buf_free(&listing_again);
    fixture_close(&f);
}

static void nothing_is_a_program_too(void **state)
{
    (void)state;
    struct compiled c;
    struct buf file = {0};
    struct err e = {0};
    program_encode(compiled_program(&c, STR("# nothing\n")), &file);
    struct program *p = program_decode(buf_str(&file), &words_rows, &e);
    assert_non_null(p);
    assert_true(program_verify(p, &words_rows, NULL));
    assert_int_equal(p->rules_count, 0);
    program_free(&p);
    buf_free(&file);
    compiled_close(&c);
}

/* Every single byte, changed, is refused before anything is read. */
static void a_mutated_byte_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    struct err e;
    fixture_open(&f);
    for (size_t i = 0; i < f.file.n; i++) {
        f.file.p[i] ^= 1;
        e = (struct err){0};
        assert_null(program_decode(buf_str(&f.file), &words_rows, &e));
        assert_int_equal(e.sysexit, EX_DATAERR);
        assert_true(strstr(e.text, "checksum") != NULL || i < 8);
        f.file.p[i] ^= 1;
    }
    fixture_close(&f);
}

static void a_cut_file_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f);
    for (size_t n = 0; n < f.file.n; n++) {
        char *part = mem_alloc(n ? n : 1); /* of its own, so that a read past its end is seen */
        struct err e = {0};
        memcpy(part, f.file.p, n);
        if (n > 40) repair_checksum(part, n);
        assert_null(program_decode((struct str){part, n}, &words_rows, &e));
        assert_int_equal(e.sysexit, EX_DATAERR);
        free(part);
    }
    fixture_close(&f);
}

static void another_format_or_vocabulary_says_so(void **state)
{
    (void)state;
    struct fixture f;
    struct err e = {0};
    fixture_open(&f);
    f.file.p[8]++; /* format version */
    repair_checksum(f.file.p, f.file.n);
    assert_null(program_decode(buf_str(&f.file), &words_rows, &e));
    assert_int_equal(e.sysexit, EX_CONFIG);
    assert_non_null(strstr(e.text, "format"));
    f.file.p[8]--;
    f.file.p[12]++; /* vocabulary hash */
    repair_checksum(f.file.p, f.file.n);
    assert_null(program_decode(buf_str(&f.file), &words_rows, &e));
    assert_int_equal(e.sysexit, EX_CONFIG);
    assert_non_null(strstr(e.text, "vocabulary"));
    fixture_close(&f);
}

/* Past the checksum: each mutation is refused with a reason, or is a program that holds all promises and can be listed.
 */
static void ten_thousand_mutations(void **state)
{
    (void)state;
    struct fixture f;
    size_t damaged = 0, refused = 0, accepted = 0;
    fixture_open(&f);
    for (uint64_t seed = 1; seed <= 10000; seed++) {
        struct arena *a = arena_create();
        struct str file = mutated_program(a, buf_str(&f.file), seed, 1 + (unsigned)(seed % 3));
        struct err e = {0};
        struct program *p = program_decode(file, &words_rows, &e);
        if (!p) {
            assert_true(e.text[0] && e.sysexit);
            damaged++;
        } else {
            struct verify_failure why;
            if (program_verify(p, &words_rows, &why)) {
                struct buf listing = {0};
                program_disassemble(p, &words_rows, &listing);
                assert_true(listing.n > 0);
                buf_free(&listing);
                accepted++;
            } else {
                assert_true(why.check && why.check[0] && why.table[0]);
                refused++;
            }
            program_free(&p);
        }
        arena_free(&a);
    }
    print_message("%zu damaged, %zu refused by the verifier, %zu accepted\n", damaged, refused, accepted);
    assert_true(damaged > 500 && refused > 500 && accepted > 500);
    fixture_close(&f);
}

/* A directory that promises more rows than there are bytes costs no memory. */
static void promised_rows_are_not_believed(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f);
    for (size_t section = 0; section < 11; section++) {
        struct err e = {0};
        char *rows = f.file.p + 48 + section * 16 + 4, kept[4];
        memcpy(kept, rows, 4);
        memcpy(rows, "\xff\xff\xff\x7f", 4);
        repair_checksum(f.file.p, f.file.n);
        assert_null(program_decode(buf_str(&f.file), &words_rows, &e));
        assert_non_null(strstr(e.text, "section"));
        memcpy(rows, kept, 4);
    }
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(nothing_is_a_program_too),
        cmocka_unit_test(a_mutated_byte_is_refused),
        cmocka_unit_test(a_cut_file_is_refused),
        cmocka_unit_test(another_format_or_vocabulary_says_so),
        cmocka_unit_test(ten_thousand_mutations),
        cmocka_unit_test(promised_rows_are_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
