#include "judge/protocol.h"

#include <sysexits.h>

#include "base/limits.h"
#include "base/map.h"
#include "base/wire.h"
#include "mail/live_list.h"

/* A byte of version before everything: relay and judge are of one build, so a difference is damage. */
enum { PROTOCOL_REQUEST = 0x51, PROTOCOL_ANSWER = 0x41, PROTOCOL_LIST = 0x4c };

static bool malformed(struct err *e, const char *what)
{
    return err_set(e, EX_DATAERR, "the judge channel carried %s that is not well formed", what);
}

/* --- request ------------------------------------------------------------------------------------------------------ */

static void io_client(struct wire_io *io, struct client_facts *c)
{
    io_str(io, &c->ip);
    io_str(io, &c->helo);
    io_str(io, &c->user);
    io_str(io, &c->tls_version);
    io_str(io, &c->listener);
    io_bool(io, &c->trusted);
}

static void io_envelope(struct wire_io *io, struct envelope *env)
{
    io_client(io, &env->client);
    io_str(io, &env->reverse_path);
    IO_TABLE(io, env->recipients, env->recipient_count, 4, io_str);
    IO_TABLE(io, env->notify, env->notify_count, 1, io_u8);
    io_demand(io, env->notify_count <= env->recipient_count);
    io_bool(io, &env->smtputf8);
    io_bool(io, &env->requiretls);
    io_bool(io, &env->eight_bit);
    io_bool(io, &env->binary);
    io_str(io, &env->envid);
    io_u8(io, &env->ret);
    io_demand(io, env->ret == 0 || env->ret == 'H' || env->ret == 'F');
}

/* All but the bytes of content that travels inside, which are the datagram's last. */
static void io_request_head(struct wire_io *io, struct judge_request *r)
{
    uint32_t inside = (uint32_t)r->content.n;
    io_tag(io, PROTOCOL_REQUEST);
    io_u64(io, &r->id);
    io_str(io, &r->queue_id);
    io_i64(io, &r->now);
    io_i32(io, &r->utc_offset);
    io_demand(io, r->utc_offset >= -86400 && r->utc_offset <= 86400);
    io_envelope(io, &r->envelope);
    io_u64(io, &r->size);
    io_bool(io, &r->content_inline);
    if (!r->content_inline) return;
    io_u32(io, &inside);
    io_demand(io, inside == r->size && inside <= PROTOCOL_INLINE_MAX);
}

struct str protocol_encode_request(const struct judge_request *r, struct buf *out)
{
    struct judge_request same = *r; /* writing stores nothing: base/wire.h */
    io_request_head(&(struct wire_io){.out = out}, &same);
    return r->content_inline ? r->content : STR("");
}

bool protocol_decode_request(struct arena *a, struct str datagram, struct judge_request *out, struct err *e)
{
    struct wire w = wire_of(datagram);
    *out = (struct judge_request){0};
    io_request_head(&(struct wire_io){.in = &w, .arena = a}, out);
    if (out->content_inline) out->content = wire_bytes(&w, (size_t)out->size);
    return wire_done(&w) || malformed(e, "a request");
}

/* --- live lists --------------------------------------------------------------------------------------------------- */

static void io_list(struct wire_io *io, struct judge_list *l)
{
    io_tag(io, PROTOCOL_LIST);
    io_u64(io, &l->id);
    io_str(io, &l->name);
    io_u64(io, &l->size);
    io_demand(io, l->size <= LIVE_BLOCK_MAX);
}

void protocol_encode_list(const struct judge_list *l, struct buf *out)
{
    struct judge_list same = *l; /* writing stores nothing: base/wire.h */
    io_list(&(struct wire_io){.out = out}, &same);
}

bool protocol_is_list(struct str datagram) { return datagram.n && (unsigned char)datagram.p[0] == PROTOCOL_LIST; }

bool protocol_decode_list(struct str datagram, struct judge_list *out, struct err *e)
{
    struct wire w = wire_of(datagram);
    *out = (struct judge_list){0};
    io_list(&(struct wire_io){.in = &w}, out);
    return wire_done(&w) || malformed(e, "a list");
}

/* --- answer: texts once in a table, then numbers ------------------------------------------------------------------ */

/* Rule names, reasons and addresses come again and again: each is carried once, and named by its index + 1. */
struct answer_io {
    struct wire_io io; /* first: io_text finds the texts from it */
    struct map index;  /* writing: text to index + 1 */
    struct str *texts; /* reading */
    size_t text_count;
};

static uint32_t text_index(struct answer_io *x, struct str s)
{
    if (s.n == 0) return 0; /* absent and empty are one */
    uintptr_t known = (uintptr_t)map_get(&x->index, s);
    if (known) return (uint32_t)known;
    map_put(&x->index, s, (void *)(uintptr_t)++x->text_count);
    return (uint32_t)x->text_count;
}

static struct str text_at(struct answer_io *x, uint32_t i)
{
    if (i > x->text_count) wire_fail(x->io.in);
    return i == 0 || i > x->text_count ? STR("") : x->texts[i - 1];
}

/* Only from within an answer_io. */
static void io_text(struct wire_io *io, struct str *s)
{
    struct answer_io *x = (struct answer_io *)io;
    uint32_t i = io->out ? text_index(x, *s) : 0;
    io_u32(io, &i);
    if (io->in) *s = text_at(x, i);
}

static void io_reply(struct wire_io *io, struct reply *r)
{
    io_u16(io, &r->code);
    io_u8(io, &r->status.class);
    io_u16(io, &r->status.subject);
    io_u16(io, &r->status.detail);
    io_text(io, &r->text);
}

enum {
    REPLY_BYTES = 2 + 1 + 2 + 2 + 4,
    RECIPIENT_BYTES = 4 + 1 + 4 + 1 + 3 + 4 + 8 + 4 * 4 + REPLY_BYTES,
    COPY_BYTES = 4 + 8 + 32,
    HIT_BYTES = 4 + 4,
    NOTE_BYTES = 1 + 3 * 4,
    NOTICE_BYTES = 5 * 4 + 2
};

static void io_recipient(struct wire_io *io, struct verdict_recipient *r)
{
    io_text(io, &r->address);
    io_bool(io, &r->added);
    io_u32(io, &r->stands_for);
    io_enum(io, &r->disposition, DISPOSITION_COUNT);
    io_enum(io, &r->need.peer, TLS_PEER_DANE + 1);
    io_enum(io, &r->need.floor, TLS_FLOOR_1_3 + 1);
    io_bool(io, &r->need.onward);
    io_u32(io, &r->copy);
    io_text(io, &r->connector);
    io_i64(io, &r->not_before);
    io_text(io, &r->rule);
    io_text(io, &r->tls_rule);
    io_text(io, &r->reason);
    io_reply(io, &r->reply);
}

static void io_copy(struct wire_io *io, struct verdict_copy *c)
{
    io_pieces(io, &c->pieces, io_text); /* copies differ little: what goes into several is carried once */
    io_u64(io, &c->length);
    io_bytes(io, c->sha256, sizeof c->sha256);
}

static void io_hit(struct wire_io *io, struct verdict_hit *h)
{
    io_text(io, &h->rule);
    io_u32(io, &h->what);
}

static void io_note(struct wire_io *io, struct verdict_note *n)
{
    io_enum(io, &n->kind, NOTE_AUDIT + 1);
    io_text(io, &n->rule);
    io_text(io, &n->recipient);
    io_text(io, &n->text);
}

static void io_notice(struct wire_io *io, struct verdict_notice *n)
{
    io_text(io, &n->rule);
    io_text(io, &n->to);
    io_text(io, &n->subject);
    io_text(io, &n->about);
    io_text(io, &n->text);
    io_bool(io, &n->report);
    io_enum(io, &n->attach, NOTICE_ATTACH_COUNT);
}

static void io_verdict(struct wire_io *io, struct verdict *v)
{
    io_enum(io, &v->answer, VERDICT_DEFER + 1);
    io_reply(io, &v->reply);
    io_text(io, &v->rule);
    IO_TABLE(io, v->recipients, v->recipient_count, RECIPIENT_BYTES, io_recipient);
    IO_TABLE(io, v->copies, v->copy_count, COPY_BYTES, io_copy);
    IO_TABLE(io, v->hits, v->hit_count, HIT_BYTES, io_hit);
    IO_TABLE(io, v->notes, v->note_count, NOTE_BYTES, io_note);
    IO_TABLE(io, v->notices, v->notice_count, NOTICE_BYTES, io_notice);
    io_evidence(io, &v->evidence, io_text);
}

static void io_head(struct wire_io *io, struct judge_answer *r)
{
    io_tag(io, PROTOCOL_ANSWER);
    io_u64(io, &r->id);
    io_enum(io, &r->kind, JUDGE_LISTED + 1);
}

static void io_body(struct wire_io *io, struct judge_answer *r)
{
    if (r->kind == JUDGE_VERDICT)
        io_verdict(io, &r->verdict);
    else if (r->kind == JUDGE_FAILED)
        io_text(io, &r->why);
}

/* The texts stand before the body that collects them, so the body is written first, aside. */
void protocol_encode_answer(const struct judge_answer *r, struct buf *out)
{
    struct judge_answer same = *r; /* writing stores nothing: base/wire.h */
    struct buf body = {0};
    struct answer_io x = {.io = {.out = &body}};
    io_body(&x.io, &same);
    x.io.out = out;
    io_head(&x.io, &same);
    wire_put_count(out, x.text_count);
    for (size_t i = 0; i < x.text_count; i++) wire_put_str(out, x.index.entries[i].key);
    buf_add(out, buf_str(&body));
    map_free(&x.index);
    buf_free(&body);
}

bool protocol_decode_answer(struct arena *a, struct str datagram, struct judge_answer *out, struct err *e)
{
    struct wire w = wire_of(datagram);
    struct answer_io x = {.io = {.in = &w, .arena = a}};
    *out = (struct judge_answer){0};
    io_head(&x.io, out);
    IO_TABLE(&x.io, x.texts, x.text_count, 4, io_str);
    io_body(&x.io, out);
    return wire_done(&w) || malformed(e, "an answer");
}
