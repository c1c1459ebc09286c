/* message/: every hostile shape costs time linear in its size, and memory within a bound; ordinary mail is cheap; real
 * mail is read whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "message/charset.h"
#include "message/filetype.h"
#include "tests/support/mail_reading.h"
#include "tests/support/mail_shapes.h"
#include "tests/support/read_file.h"

static int begin(void **state)
{
    struct err e;
    mem_return_large(); /* as a judge does */
    assert_true(charset_warm(&e) && filetype_warm(&e));
    return *state = arena_create(), 0;
}
static int end(void **state) { return arena_free((struct arena **)state), 0; }

/* CPU seconds of this thread: other work on the machine does not count. */
static double cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double time_of(struct buf made)
{
    double best = 1e9;
    for (int round = 0; round < 3; round++) {
        struct arena *a = arena_create();
        double from = cpu_now();
        mail_read_all(a, buf_str(&made));
        double took = cpu_now() - from;
        if (took < best) best = took;
        arena_free(&a);
    }
    buf_free(&made);
    return best;
}

static struct buf shape(size_t i, size_t size) { return mail_shape_make(&mail_shapes[i], size); }

/* Words that some read as one whatever their charsets, behind ASCII as long as all of them. */
static struct buf mixed_words(size_t unused, size_t size)
{
    (void)unused;
    struct buf b = {0};
    buf_add(&b, STR("Subject: =?utf-8?q?"));
    while (b.n < size / 2) buf_add_byte(&b, 'a');
    buf_add(&b, STR("=E9?="));
    while (b.n < size) buf_add(&b, STR(" =?x?q?\?= =?y?q?\?="));
    buf_add(&b, STR("\r\n\r\n"));
    return b;
}

#ifdef SLUICE_SANITIZED
/* Sanitizers look at all bytes that a search may look at, on each call: times say nothing then, but the shapes are
 * read. */
static void is_linear(const char *name, struct buf (*make)(size_t, size_t), size_t i)
{
    (void)name;
    time_of(make(i, 32 * 1024));
}
#else
/* Eight times the bytes in at most 8 * 2.3 times the time would also hold for n log n; quadratic work takes 64
 * times.  And a MiB in half of what a judge is given (relay/judges.h): what grows no more may still be too much. */
static void is_linear(const char *name, struct buf (*make)(size_t, size_t), size_t i)
{
    enum { SMALL = 128 * 1024, FACTOR = 8 };
    double small = time_of(make(i, SMALL)), large = 0;
    for (int again = 0; again < 3; again++) { /* a busy machine may spoil one reading, not three */
        large = time_of(make(i, (size_t)SMALL * FACTOR));
        if (large <= FACTOR * 2.3 * small + 0.002 && large < 1) return;
        small = time_of(make(i, SMALL));
    }
    fail_msg("%s: %.6f s, then %.6f s", name, small, large);
}
#endif

static void work_is_linear(void **state)
{
    (void)state;
    for (size_t i = 0; i < mail_shape_count; i++) is_linear(mail_shapes[i].name, shape, i);
    is_linear("mixed encoded-words", mixed_words, 0);
}

/* However large what comes of it could be: docs/language.md, "Facts of the message".  Memory is the same on every
 * machine, so nothing is tried again. */
static void memory_is_bounded(void **state)
{
    (void)state;
#ifdef SLUICE_SANITIZED
    skip(); /* sanitizers keep what is freed */
#endif
    enum { LARGE = 10 * 1000 * 1000, MOST_KIB = 64 * 1024 };
    long largest = 0;
    for (size_t i = 0; i < mail_shape_count; i++) {
        struct buf made = shape(i, LARGE);
        struct mail_cost cost = mail_cost_of(buf_str(&made));
        buf_free(&made);
        if (cost.seconds < 0 || cost.kib > MOST_KIB) fail_msg("%s: %ld KiB", mail_shapes[i].name, cost.kib);
        if (cost.kib > largest) largest = cost.kib;
    }
    print_message("10 MB of any shape in %ld KiB at most\n", largest);
}

/* What nobody thought of. */
static void random_shapes_are_cheap(void **state)
{
    enum { SHAPES = 60, SIZE = 128 * 1024 };
    for (uint64_t seed = 1; seed <= SHAPES; seed++) {
        struct mail_shape s = mail_shape_random(*state, seed);
        double took = time_of(mail_shape_make(&s, SIZE));
#ifndef SLUICE_SANITIZED
        if (took > 0.5) fail_msg("%s: %.3f s", s.name, took);
#else
        (void)took;
#endif
    }
}

static void ordinary_mail_is_cheap(void **state)
{
    struct buf b = {0};
    buf_add(&b, STR("Received: from a.example by b.example with ESMTPS id X; Mon, 5 Oct 2026 10:00:00 +0000\r\nFrom: "
                    "Ann <a@a.example>\r\n"
                    "To: Bob <b@b.example>\r\nSubject: the minutes\r\nDate: Mon, 5 Oct 2026 10:00:00 +0000\r\n"
                    "Message-ID: <1@a.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                    "Content-Transfer-Encoding: 7bit\r\n\r\n"));
    while (b.n < 4096) buf_add(&b, STR("The quick brown fox jumps over the lazy dog, and says so at some length.\r\n"));
    enum { ROUNDS = 2000 };
    double best = 1e9;
    for (int attempt = 0; attempt < 5; attempt++) {
        double from = cpu_now();
        for (int i = 0; i < ROUNDS; i++) {
            arena_reset(*state);
            struct message *m = message_open(*state, buf_str(&b), NULL);
            assert_int_equal(message_text_best(message_subject(m, NULL)).n, 11);
            assert_true(message_text_best(&message_body(m)->text).n > 3000);
        }
        double took = (cpu_now() - from) / ROUNDS;
        if (took < best) best = took;
    }
    buf_free(&b);
    print_message("4 KiB of plain text: subject and body in %.2f us\n", best * 1e6);
#ifdef SLUICE_SANITIZED
    assert_true(best < 2000e-6);
#else
    assert_true(best < 20e-6);
#endif
}

/* Real mail: read without a mark, unless it is broken in a way we know; and its words are found. */
static void real_mail(void **state)
{
    static const char *const folders[] = {"tests/mail/rfc", "tests/mail/thirdparty", "tests/mail/malformed"};
    size_t read = 0, marked = 0;
    for (size_t f = 0; f < sizeof folders / sizeof folders[0]; f++) {
        size_t count;
        char **paths = list_files(*state, folders[f], ".eml", &count);
        for (size_t i = 0; i < count; i++, read++) {
            struct str content = read_file(*state, paths[i]);
            mail_read_all(*state, content);
            marked += message_body(message_open(*state, content, NULL))->text.unreadable != 0;
        }
    }
    assert_true(read >= 50);
    print_message("%zu messages, %zu marked unreadable\n", read, marked);
    assert_true(marked * 5 <= read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(real_mail, begin, end),
        cmocka_unit_test_setup_teardown(ordinary_mail_is_cheap, begin, end),
        cmocka_unit_test_setup_teardown(work_is_linear, begin, end),
        cmocka_unit_test_setup_teardown(random_shapes_are_cheap, begin, end),
        cmocka_unit_test_setup_teardown(memory_is_bounded, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
