#include "bytecode/codec.h"

#include <string.h>
#include <sysexits.h>

#include "base/digest.h"
#include "base/wire.h"

static const struct str magic = {"SLUICEC\n", 8};

/* --- rows: put_<table> and get_<table>, least bytes of a row beside them --- */

static void put_origin(struct buf *b, const struct origin *o)
{
    wire_put_u32(b, o->source);
    wire_put_u32(b, o->line);
    wire_put_u32(b, o->column);
    wire_put_str(b, o->text);
}
static void get_origin(struct wire *w, struct origin *o)
{
    o->source = wire_u32(w);
    o->line = wire_u32(w);
    o->column = wire_u32(w);
    o->text = wire_str(w);
}

static void put_sources(struct buf *b, const struct program_source *s)
{
    wire_put_str(b, s->name);
    wire_put_bytes(b, s->sha256, sizeof s->sha256);
}
static void get_sources(struct wire *w, struct program_source *s)
{
    s->name = wire_str(w);
    wire_copy(w, s->sha256, sizeof s->sha256);
}

/* Only what the type uses is written; the rest is zero again after decoding. */
static void put_constants(struct buf *b, const struct constant *c)
{
    wire_put_u8(b, (uint8_t)c->type);
    switch (c->type) {
    case TYPE_TEXT:
    case TYPE_ADDRESS:
    case TYPE_DOMAIN:
    case TYPE_WORD:
    case TYPE_NAME: wire_put_str(b, c->text); break;
    case TYPE_NETWORK:
        wire_put_bytes(b, c->low, sizeof c->low);
        wire_put_bytes(b, c->high, sizeof c->high);
        break;
    case TYPE_NUMBER:
    case TYPE_SIZE:
    case TYPE_DURATION:
    case TYPE_DATE:
    case TYPE_CLOCK:
    case TYPE_YESNO:
        wire_put_i64(b, c->number);
        wire_put_bool(b, c->date_only);
        wire_put_bool(b, c->date_zoned);
        break;
    }
}
static void get_constants(struct wire *w, struct constant *c)
{
    c->type = (enum value_type)wire_enum(w, TYPE_NAME + 1);
    switch (c->type) {
    case TYPE_TEXT:
    case TYPE_ADDRESS:
    case TYPE_DOMAIN:
    case TYPE_WORD:
    case TYPE_NAME: c->text = wire_str(w); break;
    case TYPE_NETWORK:
        wire_copy(w, c->low, sizeof c->low);
        wire_copy(w, c->high, sizeof c->high);
        break;
    case TYPE_NUMBER:
    case TYPE_SIZE:
    case TYPE_DURATION:
    case TYPE_DATE:
    case TYPE_CLOCK:
    case TYPE_YESNO:
        c->number = wire_i64(w);
        c->date_only = wire_bool(w);
        c->date_zoned = wire_bool(w);
        break;
    }
}

static void put_lists(struct buf *b, const struct program_list *l)
{
    wire_put_str(b, l->name);
    wire_put_u8(b, (uint8_t)l->type);
    wire_put_u32(b, l->first);
    wire_put_u32(b, l->count);
}
static void get_lists(struct wire *w, struct program_list *l)
{
    l->name = wire_str(w);
    l->type = (enum value_type)wire_enum(w, TYPE_NAME + 1);
    l->first = wire_u32(w);
    l->count = wire_u32(w);
}

static void put_patterns(struct buf *b, const struct pattern_source *p)
{
    wire_put_str(b, p->text);
    wire_put_u8(b, p->flags);
}
static void get_patterns(struct wire *w, struct pattern_source *p)
{
    p->text = wire_str(w);
    p->flags = wire_u8(w);
}

static void put_field_refs(struct buf *b, const struct field_ref *f)
{
    wire_put_u32(b, f->field);
    wire_put_str(b, f->text);
    wire_put_u8(b, f->part);
}
static void get_field_refs(struct wire *w, struct field_ref *f)
{
    f->field = wire_u32(w);
    f->text = wire_str(w);
    f->part = wire_u8(w);
}

static void put_tests(struct buf *b, const struct test *t)
{
    wire_put_u32(b, t->field);
    wire_put_u8(b, t->quantifier);
    wire_put_u8(b, t->relation);
    wire_put_bool(b, t->negated);
    wire_put_bool(b, t->word);
    wire_put_bool(b, t->all);
    wire_put_bool(b, t->counted);
    wire_put_i64(b, t->least);
    wire_put_i64(b, t->most);
    wire_put_u8(b, t->operand);
    wire_put_u32(b, t->a);
    wire_put_u32(b, t->b);
    put_origin(b, &t->origin);
}
static void get_tests(struct wire *w, struct test *t)
{
    t->field = wire_u32(w);
    t->quantifier = wire_u8(w);
    t->relation = wire_u8(w);
    t->negated = wire_bool(w);
    t->word = wire_bool(w);
    t->all = wire_bool(w);
    t->counted = wire_bool(w);
    t->least = wire_i64(w);
    t->most = wire_i64(w);
    t->operand = wire_u8(w);
    t->a = wire_u32(w);
    t->b = wire_u32(w);
    get_origin(w, &t->origin);
}

static void put_arguments(struct buf *b, const struct argument *a)
{
    wire_put_u8(b, a->param);
    wire_put_u8(b, a->operand);
    wire_put_u32(b, a->index);
}
static void get_arguments(struct wire *w, struct argument *a)
{
    a->param = wire_u8(w);
    a->operand = wire_u8(w);
    a->index = wire_u32(w);
}

static void put_actions(struct buf *b, const struct action *a)
{
    wire_put_u32(b, a->action);
    wire_put_u32(b, a->first_argument);
    wire_put_u32(b, a->argument_count);
    put_origin(b, &a->origin);
}
static void get_actions(struct wire *w, struct action *a)
{
    a->action = wire_u32(w);
    a->first_argument = wire_u32(w);
    a->argument_count = wire_u32(w);
    get_origin(w, &a->origin);
}

static void put_moment(struct buf *b, bool has, const struct constant *c)
{
    wire_put_bool(b, has);
    if (has) put_constants(b, c);
}
static void get_moment(struct wire *w, bool *has, struct constant *c)
{
    *has = wire_bool(w);
    if (*has) get_constants(w, c);
}
static void put_rules(struct buf *b, const struct rule *r)
{
    wire_put_str(b, r->identity);
    wire_put_bool(b, r->named);
    wire_put_u32(b, r->first);
    wire_put_u32(b, r->end);
    wire_put_u16(b, r->priority);
    wire_put_u8(b, r->mode);
    wire_put_u8(b, r->on_error);
    wire_put_u8(b, r->on_unreadable);
    put_moment(b, r->has_effective, &r->effective);
    put_moment(b, r->has_expires, &r->expires);
    wire_put_str(b, r->owner);
    wire_put_str(b, r->ticket);
    wire_put_str(b, r->comment);
    wire_put_str(b, r->severity);
    put_origin(b, &r->origin);
}
static void get_rules(struct wire *w, struct rule *r)
{
    r->identity = wire_str(w);
    r->named = wire_bool(w);
    r->first = wire_u32(w);
    r->end = wire_u32(w);
    r->priority = wire_u16(w);
    r->mode = wire_u8(w);
    r->on_error = wire_u8(w);
    r->on_unreadable = wire_u8(w);
    get_moment(w, &r->has_effective, &r->effective);
    get_moment(w, &r->has_expires, &r->expires);
    r->owner = wire_str(w);
    r->ticket = wire_str(w);
    r->comment = wire_str(w);
    r->severity = wire_str(w);
    get_origin(w, &r->origin);
}

static void put_declarations(struct buf *b, const struct declaration *d)
{
    wire_put_u32(b, d->declaration);
    wire_put_str(b, d->name);
    wire_put_u32(b, d->first_argument);
    wire_put_u32(b, d->argument_count);
    put_origin(b, &d->origin);
}
static void get_declarations(struct wire *w, struct declaration *d)
{
    d->declaration = wire_u32(w);
    d->name = wire_str(w);
    d->first_argument = wire_u32(w);
    d->argument_count = wire_u32(w);
    get_origin(w, &d->origin);
}

static void put_code(struct buf *b, const uint32_t *i) { wire_put_u32(b, *i); }
static void get_code(struct wire *w, uint32_t *i) { *i = wire_u32(w); }

/* Every table is one section, in this order; its number is its place here.  SECTION(table, least bytes of a row) */
#define SECTIONS                                                                                                       \
    SECTION(sources, 36)                                                                                               \
    SECTION(constants, 5)                                                                                              \
    SECTION(lists, 13)                                                                                                 \
    SECTION(patterns, 5)                                                                                               \
    SECTION(field_refs, 9)                                                                                             \
    SECTION(tests, 52)                                                                                                 \
    SECTION(arguments, 6)                                                                                              \
    SECTION(actions, 28)                                                                                               \
    SECTION(rules, 54)                                                                                                 \
    SECTION(declarations, 32)                                                                                          \
    SECTION(code, 4)

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
#define SECTION(table, least)                                                                                          \
    {                                                                                                                  \
        size_t before = body.n;                                                                                        \
        for (uint32_t i = 0; i < p->table##_count; i++) put_##table(&body, &p->table[i]);                              \
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
        if (s->rows > s->bytes.n / (least) || s->rows > PROGRAM_ROWS_MAX) return false;                                \
        p->table##_count = s->rows;                                                                                    \
        p->table = arena_array(p->arena, s->rows ? s->rows : 1, sizeof *p->table);                                     \
        for (uint32_t i = 0; i < s->rows && !w.failed; i++) get_##table(&w, &p->table[i]);                             \
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
