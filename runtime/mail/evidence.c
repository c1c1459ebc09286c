#include "mail/evidence.h"

#include "base/wire.h"

enum { EVIDENCE_FORM = 1, ROW_LEAST = 5 * 4 + 4 * 4 + 1, LIST_LEAST = 4 + 8 + 1 };

const char *const evidence_answer_names[EVIDENCE_ANSWER_COUNT] = {"holds", "disputed", "unreadable", "unavailable"};

size_t evidence_row_bytes(const struct evidence_row *r)
{
    return r->rule.n + r->test.n + r->field.n + r->view.n + r->text.n;
}

/* A terminal obeys those above ASCII too (U+0080 to U+009F). */
static bool is_control(struct str s, size_t i)
{
    unsigned char c = (unsigned char)s.p[i], next = i + 1 < s.n ? (unsigned char)s.p[i + 1] : 0;
    return c < 0x20 || c == 0x7f || (c == 0xc2 && next >= 0x80 && next < 0xa0);
}

static bool text_is_sound(struct str s)
{
    if (s.n > EVIDENCE_TEXT_MAX || !str_is_utf8(s)) return false;
    for (size_t i = 0; i < s.n; i++)
        if (is_control(s, i)) return false;
    return true;
}

bool evidence_is_sound(const struct evidence *e)
{
    size_t bytes = 0;
    if (e->row_count > EVIDENCE_ROWS_MAX || e->list_count > EVIDENCE_LISTS_MAX) return false;
    for (size_t i = 0; i < e->row_count; i++) {
        const struct evidence_row *r = &e->rows[i];
        bytes += evidence_row_bytes(r);
        if (!text_is_sound(r->rule) || !text_is_sound(r->test) || !text_is_sound(r->field) || !text_is_sound(r->view) ||
            !text_is_sound(r->text) || r->from > r->to || r->answer >= EVIDENCE_ANSWER_COUNT)
            return false;
    }
    for (size_t i = 0; i < e->list_count; i++)
        if (!text_is_sound(e->lists[i].name) || !e->lists[i].name.n || e->lists[i].revision > INT64_MAX) return false;
    return bytes <= EVIDENCE_BYTES_MAX;
}

void io_evidence(struct wire_io *io, struct evidence *e, void (*text)(struct wire_io *io, struct str *s))
{
    if (io_count(io, &e->row_count, ROW_LEAST)) e->rows = ARENA_ARRAY(io->arena, struct evidence_row, e->row_count);
    for (size_t i = 0; i < e->row_count && io_goes_on(io); i++) {
        struct evidence_row *r = &e->rows[i];
        struct str *texts[] = {&r->rule, &r->test, &r->field, &r->view, &r->text};
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) text(io, texts[k]);
        io_u32(io, &r->element);
        io_u32(io, &r->elements);
        io_u32(io, &r->from);
        io_u32(io, &r->to);
        io_enum(io, &r->answer, EVIDENCE_ANSWER_COUNT);
    }
    if (io_count(io, &e->list_count, LIST_LEAST))
        e->lists = ARENA_ARRAY(io->arena, struct evidence_list, e->list_count);
    for (size_t i = 0; i < e->list_count && io_goes_on(io); i++) {
        text(io, &e->lists[i].name);
        io_u64(io, &e->lists[i].revision);
        io_bool(io, &e->lists[i].there);
    }
    io_bool(io, &e->cut);
}

static void io_stored(struct wire_io *io, struct evidence *e)
{
    io_tag(io, EVIDENCE_FORM);
    io_evidence(io, e, io_str);
}

void evidence_encode(const struct evidence *e, struct buf *out)
{
    struct evidence same = *e; /* writing stores nothing: base/wire.h */
    if (e->row_count || e->list_count) io_stored(&(struct wire_io){.out = out}, &same);
}

bool evidence_decode(struct arena *a, struct str blob, struct evidence *out)
{
    struct wire w = wire_of(blob);
    *out = (struct evidence){0};
    if (!blob.n) return true;
    io_stored(&(struct wire_io){.in = &w, .arena = a}, out);
    if (wire_done(&w) && evidence_is_sound(out)) return true;
    *out = (struct evidence){0};
    return false;
}
