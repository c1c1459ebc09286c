#include "bytecode/codec.h"

#include <string.h>
#include <sysexits.h>

#include "base/digest.h"
#include "base/wire.h"

static const struct str magic = {"SLUICEC\n", 8};

/* --- rows: io_<table>, both ways --- */

static void io_origin(struct wire_io *io, struct origin *o)
{
    io_u32(io, &o->source);
    io_u32(io, &o->line);
    io_u32(io, &o->column);
    io_str(io, &o->text);
}

static void io_sources(struct wire_io *io, struct program_source *s)
{
    io_str(io, &s->name);
    io_bytes(io, s->sha256, sizeof s->sha256);
}

/* Only what the type uses is written; the rest is zero again after decoding. */
static void io_constants(struct wire_io *io, struct constant *c)
{
    IO_ENUM(io, c->type, TYPE_NAME + 1);
    switch (c->type) {
    case TYPE_TEXT:
    case TYPE_ADDRESS:
    case TYPE_DOMAIN:
    case TYPE_WORD:
    case TYPE_NAME: io_str(io, &c->text); break;
    case TYPE_NETWORK:
        io_bytes(io, c->low, sizeof c->low);
        io_bytes(io, c->high, sizeof c->high);
        break;
    case TYPE_NUMBER:
    case TYPE_SIZE:
    case TYPE_DURATION:
    case TYPE_DATE:
    case TYPE_CLOCK:
    case TYPE_YESNO:
        io_i64(io, &c->number);
        io_bool(io, &c->date_only);
        io_bool(io, &c->date_zoned);
        break;
    }
}

static void io_lists(struct wire_io *io, struct program_list *l)
{
    io_str(io, &l->name);
    io_str(io, &l->table);
    IO_ENUM(io, l->type, TYPE_NAME + 1);
    io_u32(io, &l->first);
    io_u32(io, &l->count);
}

static void io_patterns(struct wire_io *io, struct pattern_source *p)
{
    io_str(io, &p->text);
    io_u8(io, &p->flags);
}

static void io_field_refs(struct wire_io *io, struct field_ref *f)
{
    io_u32(io, &f->field);
    io_str(io, &f->text);
    io_u8(io, &f->part);
}

static void io_tests(struct wire_io *io, struct test *t)
{
    io_u32(io, &t->field);
    io_u8(io, &t->quantifier);
    io_u8(io, &t->relation);
    io_bool(io, &t->negated);
    io_bool(io, &t->word);
    io_bool(io, &t->alike);
    io_bool(io, &t->all);
    io_bool(io, &t->counted);
    io_i64(io, &t->least);
    io_i64(io, &t->most);
    io_u8(io, &t->operand);
    io_u32(io, &t->a);
    io_u32(io, &t->b);
    io_origin(io, &t->origin);
}

static void io_arguments(struct wire_io *io, struct argument *a)
{
    io_u8(io, &a->param);
    io_u8(io, &a->operand);
    io_u32(io, &a->index);
}

static void io_actions(struct wire_io *io, struct action *a)
{
    io_u32(io, &a->action);
    io_u32(io, &a->first_argument);
    io_u32(io, &a->argument_count);
    io_origin(io, &a->origin);
}

static void io_moment(struct wire_io *io, bool *has, struct constant *c)
{
    io_bool(io, has);
    if (*has) io_constants(io, c);
}

static void io_rules(struct wire_io *io, struct rule *r)
{
    io_str(io, &r->identity);
    io_bool(io, &r->named);
    io_u32(io, &r->first);
    io_u32(io, &r->end);
    io_u16(io, &r->priority);
    io_u8(io, &r->mode);
    io_u8(io, &r->on_error);
    io_u8(io, &r->on_unreadable);
    io_moment(io, &r->has_effective, &r->effective);
    io_moment(io, &r->has_expires, &r->expires);
    io_str(io, &r->owner);
    io_str(io, &r->ticket);
    io_str(io, &r->comment);
    io_str(io, &r->severity);
    io_origin(io, &r->origin);
}

static void io_declarations(struct wire_io *io, struct declaration *d)
{
    io_u32(io, &d->declaration);
    io_str(io, &d->name);
    io_u32(io, &d->first_argument);
    io_u32(io, &d->argument_count);
    io_origin(io, &d->origin);
}

static void io_code(struct wire_io *io, uint32_t *i) { io_u32(io, i); }

static void io_mails(struct wire_io *io, struct program_mail *m)
{
    io_str(io, &m->name);
    io_str(io, &m->content);
}

static void io_givens(struct wire_io *io, struct given *g)
{
    io_u8(io, &g->kind);
    io_u32(io, &g->index);
    io_u32(io, &g->list);
}

static void io_expectations(struct wire_io *io, struct expectation *x)
{
    io_u32(io, &x->action);
    io_u32(io, &x->first_argument);
    io_u32(io, &x->argument_count);
    io_u32(io, &x->list);
    io_origin(io, &x->origin);
}

static void io_scopes(struct wire_io *io, uint32_t *source) { io_u32(io, source); }

static void io_cases(struct wire_io *io, struct program_case *c)
{
    io_str(io, &c->name);
    io_u32(io, &c->first_given);
    io_u32(io, &c->given_count);
    io_u32(io, &c->first_expectation);
    io_u32(io, &c->expectation_count);
    io_u32(io, &c->first_scope);
    io_u32(io, &c->scope_count);
    io_u32(io, &c->mail);
    io_bool(io, &c->enforce);
    io_bool(io, &c->windows);
    io_i64(io, &c->now);
    io_origin(io, &c->origin);
}

/* Every table is one section, in this order; its number is its place here.  SECTION(table, least bytes of a row) */
#define SECTIONS                                                                                                       \
    SECTION(sources, 36)                                                                                               \
    SECTION(constants, 5)                                                                                              \
    SECTION(lists, 17)                                                                                                 \
    SECTION(patterns, 5)                                                                                               \
    SECTION(field_refs, 9)                                                                                             \
    SECTION(tests, 52)                                                                                                 \
    SECTION(arguments, 6)                                                                                              \
    SECTION(actions, 28)                                                                                               \
    SECTION(rules, 54)                                                                                                 \
    SECTION(declarations, 32)                                                                                          \
    SECTION(code, 4)                                                                                                   \
    SECTION(mails, 8)                                                                                                  \
    SECTION(givens, 9)                                                                                                 \
    SECTION(expectations, 32)                                                                                          \
    SECTION(scopes, 4)                                                                                                 \
    SECTION(cases, 58)

enum {
#define SECTION(table, least) SECTION_##table,
    SECTIONS
#undef SECTION
        SECTION_COUNT,
    /* magic, version, vocabulary hash, section count; a directory row is number, rows, length */
    HEAD_SIZE = 8 + 4 + 32 + 4,
    DIRECTORY_ROW = 4 + 4 + 8,
};

void program_encode(const struct program *p, struct buf *out)
{
    size_t start = out->n;
    buf_add(out, magic);
    wire_put_u32(out, PROGRAM_FORMAT_VERSION);
    wire_put_bytes(out, p->vocabulary_hash, sizeof p->vocabulary_hash);
    wire_put_u32(out, SECTION_COUNT);
    struct buf body = {0}, head = {0};
    struct wire_io io = {.out = &body};
#define SECTION(table, least)                                                                                          \
    {                                                                                                                  \
        size_t before = body.n;                                                                                        \
        for (uint32_t i = 0; i < p->table##_count; i++) io_##table(&io, &p->table[i]); /* stores nothing: wire.h */    \
        wire_put_u32(&head, SECTION_##table);                                                                          \
        wire_put_u32(&head, p->table##_count);                                                                         \
        wire_put_u64(&head, body.n - before);                                                                          \
    }
    SECTIONS
#undef SECTION
    buf_add(out, buf_str(&head));
    buf_add(out, buf_str(&body));
    buf_free(&head);
    buf_free(&body);
    uint8_t sum[DIGEST_SIZE];
    digest_sha256(str_from(buf_str(out), start), sum);
    wire_put_bytes(out, sum, sizeof sum);
}

bool program_is_compiled(struct str file) { return str_starts(file, magic); }

/* --- decoding --- */

struct section {
    uint32_t rows;
    struct str bytes;
};

static bool read_directory(struct wire *w, struct section sections[SECTION_COUNT])
{
    if (wire_u32(w) != SECTION_COUNT) wire_fail(w);
    uint64_t lengths[SECTION_COUNT] = {0};
    for (uint32_t i = 0; i < SECTION_COUNT; i++) {
        if (wire_u32(w) != i) wire_fail(w);
        sections[i].rows = wire_u32(w);
        lengths[i] = wire_u64(w);
    }
    for (uint32_t i = 0; i < SECTION_COUNT; i++) {
        if (lengths[i] > wire_left(w))
            wire_fail(w);
        else
            sections[i].bytes = wire_bytes(w, (size_t)lengths[i]);
    }
    return wire_done(w);
}

/* Rows of one section: exactly so many, filling it exactly. */
#define SECTION(table, least)                                                                                          \
    static bool decode_##table(struct program *p, const struct section *s)                                             \
    {                                                                                                                  \
        struct wire w = wire_of(s->bytes);                                                                             \
        struct wire_io io = {.in = &w};                                                                                \
        if (s->rows > s->bytes.n / (least) || s->rows > PROGRAM_ROWS_MAX) return false;                                \
        p->table##_count = s->rows;                                                                                    \
        p->table = arena_array(p->arena, s->rows ? s->rows : 1, sizeof *p->table);                                     \
        for (uint32_t i = 0; i < s->rows && !w.failed; i++) io_##table(&io, &p->table[i]);                             \
        return wire_done(&w);                                                                                          \
    }
SECTIONS
#undef SECTION

static bool decode_sections(struct program *p, struct wire *w, struct err *e)
{
    struct section sections[SECTION_COUNT] = {0};
    if (!read_directory(w, sections)) return err_set(e, EX_DATAERR, "the program file's table of sections is damaged");
#define SECTION(table, least)                                                                                          \
    if (!decode_##table(p, &sections[SECTION_##table])) {                                                              \
        return err_set(e, EX_DATAERR, "the program file's section `%s` is damaged", #table);                           \
    }
    SECTIONS
#undef SECTION
    return true;
}

static bool decode_checked(struct program *p, struct str file, const struct vocabulary_rows *rows, struct err *e)
{
    uint8_t sum[DIGEST_SIZE], hash[DIGEST_SIZE];
    if (!program_is_compiled(file)) return err_set(e, EX_DATAERR, "this is no compiled program");
    if (file.n < HEAD_SIZE + SECTION_COUNT * DIRECTORY_ROW + DIGEST_SIZE) {
        return err_set(e, EX_DATAERR, "the program file is cut short");
    }
    struct str sealed = str_slice(file, 0, file.n - DIGEST_SIZE);
    digest_sha256(sealed, sum);
    if (memcmp(sum, file.p + sealed.n, sizeof sum) != 0) {
        return err_set(e, EX_DATAERR, "the program file is damaged: its checksum does not agree");
    }
    struct wire w = wire_of(str_from(arena_str(p->arena, sealed), magic.n));
    uint32_t version = wire_u32(&w);
    if (version != PROGRAM_FORMAT_VERSION) {
        return err_set(e, EX_CONFIG, "the program file has format %u, and this version reads %d: build it again",
                       version, PROGRAM_FORMAT_VERSION);
    }
    wire_copy(&w, p->vocabulary_hash, sizeof p->vocabulary_hash);
    vocabulary_hash(rows, hash);
    if (memcmp(hash, p->vocabulary_hash, sizeof hash) != 0) {
        return err_set(e, EX_CONFIG, "the program file was built with another vocabulary: build it again");
    }
    return decode_sections(p, &w, e);
}

struct program *program_decode(struct str file, const struct vocabulary_rows *rows, struct err *e)
{
    if (file.n > PROGRAM_FILE_MAX) {
        err_set(e, EX_DATAERR, "the program file is larger than %d MiB", PROGRAM_FILE_MAX >> 20);
        return NULL;
    }
    struct program *p = program_create();
    if (!decode_checked(p, file, rows, e)) program_free(&p);
    return p;
}
