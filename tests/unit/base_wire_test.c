/* Wire form, pieces and links: what was written comes back, and nothing hostile gets through. */
#include "tests/support/check.h"

#include <string.h>

#include "base/link.h"
#include "base/pieces.h"
#include "base/wire.h"

static void values_come_back(void **state)
{
    (void)state;
    struct buf b = {0};
    wire_put_u8(&b, 0xfe);
    wire_put_bool(&b, true);
    wire_put_u16(&b, 0xfedc);
    wire_put_u32(&b, 0xfedcba98u);
    wire_put_u64(&b, 0xfedcba9876543210u);
    wire_put_i32(&b, INT32_MIN);
    wire_put_i64(&b, INT64_MIN);
    wire_put_str(&b, STR("a\0b"));
    wire_put_str(&b, STR_NONE);
    wire_put_bytes(&b, "xyz", 3);
    wire_put_count(&b, 2);
    wire_put_u16(&b, 1);
    wire_put_u16(&b, 2);
    assert_memory_equal(b.p, "\xfe\x01\xdc\xfe\x98\xba\xdc\xfe", 8);
    struct wire w = wire_of(buf_str(&b));
    assert_int_equal(wire_u8(&w), 0xfe);
    assert_true(wire_bool(&w));
    assert_int_equal(wire_u16(&w), 0xfedc);
    assert_int_equal(wire_u32(&w), 0xfedcba98u);
    assert_true(wire_u64(&w) == 0xfedcba9876543210u);
    assert_int_equal(wire_i32(&w), INT32_MIN);
    assert_true(wire_i64(&w) == INT64_MIN);
    assert_true(str_eq(wire_str(&w), STR("a\0b")));
    struct str empty = wire_str(&w);
    assert_int_equal(empty.n, 0);
    assert_non_null(empty.p);
    char xyz[3];
    assert_true(wire_copy(&w, xyz, 3));
    assert_memory_equal(xyz, "xyz", 3);
    assert_false(wire_done(&w));
    assert_int_equal(wire_count(&w, 2), 2);
    assert_int_equal(wire_left(&w), 4);
    wire_u32(&w);
    assert_true(wire_done(&w));
    buf_free(&b);
}

static void failure_latches(void **state)
{
    (void)state;
    struct wire w = wire_of(STR("\x05\0\0\0abc"));
    struct str s = wire_str(&w);
    assert_int_equal(s.n, 0);
    assert_true(w.failed);
    assert_int_equal(wire_u8(&w), 0);
    assert_int_equal(wire_left(&w), 0);
    assert_false(wire_done(&w));

    w = wire_of(STR("\xff\xff\xff\xff"));
    assert_int_equal(wire_str(&w).n, 0);
    assert_true(w.failed);

    w = wire_of(STR("\x03\0\0\0abcdef"));
    assert_int_equal(wire_count(&w, 2), 3);
    w = wire_of(STR("\x04\0\0\0abcdef"));
    assert_int_equal(wire_count(&w, 2), 0);
    assert_true(w.failed);

    w = wire_of(STR("\x02"));
    assert_false(wire_bool(&w));
    assert_true(w.failed);
    w = wire_of(STR("\x03"));
    assert_int_equal(wire_enum(&w, 3), 0);
    assert_true(w.failed);
    w = wire_of(STR_NONE);
    assert_true(wire_done(&w));
}

/* A record with one of everything, described once for both ways. */
enum tone { TONE_LOW, TONE_HIGH, TONE_COUNT };
struct note {
    struct str text;
    enum tone tone;
};
struct sheet {
    bool loud;
    uint8_t kind;
    uint16_t page;
    int32_t shift;
    int64_t when;
    char mark[3];
    struct note *notes;
    size_t note_count;
};

static void io_note(struct wire_io *io, struct note *n)
{
    io_str(io, &n->text);
    IO_ENUM(io, n->tone, TONE_COUNT);
}

static void io_sheet(struct wire_io *io, struct sheet *s)
{
    io_tag(io, 'S');
    io_bool(io, &s->loud);
    io_enum(io, &s->kind, 3);
    io_u16(io, &s->page);
    io_i32(io, &s->shift);
    io_i64(io, &s->when);
    io_bytes(io, s->mark, sizeof s->mark);
    io_demand(io, s->mark[0] == 'm');
    IO_TABLE(io, s->notes, s->note_count, 4 + 1, io_note);
}

static bool read_sheet(struct arena *a, struct str bytes, struct sheet *out)
{
    struct wire w = wire_of(bytes);
    *out = (struct sheet){0};
    io_sheet(&(struct wire_io){.in = &w, .arena = a}, out);
    return wire_done(&w);
}

static void one_description_serves_both_ways(void **state)
{
    (void)state;
    /* Writing stores nothing: these could not be stored to. */
    static const struct note notes[] = {{{"do", 2}, TONE_HIGH}, {{"", 0}, TONE_LOW}};
    static const struct sheet sheet = {true, 2, 513, -2, INT64_MIN, {'m', 0, 'x'}, (struct note *)(uintptr_t)notes, 2};
    static const char form[] = "S\1\2\1\2\xfe\xff\xff\xff\0\0\0\0\0\0\0\x80m\0x\2\0\0\0\2\0\0\0do\1\0\0\0\0";
    struct arena *a = arena_create();
    struct buf b = {0};
    struct sheet got;
    io_sheet(&(struct wire_io){.out = &b}, (struct sheet *)(uintptr_t)&sheet);
    assert_int_equal(b.n, sizeof form);
    assert_memory_equal(b.p, form, sizeof form);
    assert_true(read_sheet(a, buf_str(&b), &got));
    assert_true(got.loud && got.kind == 2 && got.page == 513 && got.shift == -2 && got.when == INT64_MIN);
    assert_memory_equal(got.mark, "m\0x", 3);
    assert_int_equal(got.note_count, 2);
    check_str(got.notes[0].text, "do");
    assert_int_equal(got.notes[0].tone, TONE_HIGH);
    check_str(got.notes[1].text, "");
    for (size_t n = 0; n < b.n; n++) assert_false(read_sheet(a, str_slice(buf_str(&b), 0, n), &got));

    static const struct {
        size_t at;
        char byte;
    } refused[] = {{0, 'T'}, {1, 2}, {2, 3}, {17, 'n'}, {20, 3}, {30, TONE_COUNT}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char was = b.p[refused[i].at];
        b.p[refused[i].at] = refused[i].byte;
        assert_false(read_sheet(a, buf_str(&b), &got));
        b.p[refused[i].at] = was;
    }
    /* A count that cannot follow is refused before there is a table for it. */
    size_t used = arena_used(a);
    memset(b.p + 20, 0xff, 4);
    assert_false(read_sheet(a, buf_str(&b), &got));
    assert_int_equal(got.note_count, 0);
    assert_true(arena_used(a) - used < 64);
    buf_free(&b);
    arena_free(&a);
}

static void link_comes_back_or_is_refused(void **state)
{
    (void)state;
    struct buf b = {0};
    struct link_message m = {LINK_REFUSED, UINT64_MAX, 1, STR("mx"), STR("line 1\nline 2")}, got;
    struct err e = {0};
    link_encode(&m, &b);
    assert_true(link_decode(buf_str(&b), &got, &e));
    assert_int_equal(got.kind, LINK_REFUSED);
    assert_true(got.generation == UINT64_MAX);
    assert_int_equal(got.flags, 1);
    check_str(got.name, "mx");
    check_str(got.text, "line 1\nline 2");
    for (size_t n = 0; n < b.n; n++) assert_false(link_decode(str_slice(buf_str(&b), 0, n), &got, &e));
    assert_int_equal(e.sysexit, 65);
    buf_add_byte(&b, 0);
    assert_false(link_decode(buf_str(&b), &got, NULL));
    b.n--;
    b.p[0] = LINK_KIND_COUNT;
    assert_false(link_decode(buf_str(&b), &got, NULL));
    buf_free(&b);
}

static void pieces_are_read_and_judged(void **state)
{
    (void)state;
    struct piece v[] = {{0, 3, STR_NONE}, {0, 0, STR("INS")}, {5, 9, STR_NONE}};
    struct pieces p = {v, 3};
    assert_int_equal(pieces_length(&p), 10);
    assert_true(pieces_are_sound(&p, 9));
    assert_false(pieces_are_sound(&p, 8));
    assert_false(pieces_are_identity(&p, 9));
    struct buf result = {0};
    struct pieces_cursor c = {.pieces = &p};
    struct str insert;
    uint64_t from, n;
    while ((n = pieces_next(&c, 2, &insert, &from)) != 0)
        buf_add(&result, insert.p ? insert : str_slice(STR("012345678"), from, from + n));
    check_buf(&result, "012INS5678");
    buf_free(&result);

    struct piece back[] = {{3, 5, STR_NONE}, {0, 3, STR_NONE}};
    assert_false(pieces_are_sound(&(struct pieces){back, 2}, 9));
    struct piece overlap[] = {{0, 5, STR_NONE}, {4, 6, STR_NONE}};
    assert_false(pieces_are_sound(&(struct pieces){overlap, 2}, 9));
    struct piece empty[] = {{2, 2, STR_NONE}};
    assert_false(pieces_are_sound(&(struct pieces){empty, 1}, 9));
    struct piece inverse[] = {{4, 2, STR_NONE}};
    assert_false(pieces_are_sound(&(struct pieces){inverse, 1}, 9));
    struct piece whole[] = {{0, 4, STR_NONE}, {4, 9, STR_NONE}};
    assert_true(pieces_are_identity(&(struct pieces){whole, 2}, 9));
    assert_true(pieces_are_sound(&(struct pieces){whole, 2}, 9));
    assert_false(pieces_are_identity(&(struct pieces){whole, 2}, 10));
    assert_true(pieces_are_identity(&(struct pieces){NULL, 0}, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_back),
        cmocka_unit_test(failure_latches),
        cmocka_unit_test(one_description_serves_both_ways),
        cmocka_unit_test(link_comes_back_or_is_refused),
        cmocka_unit_test(pieces_are_read_and_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
