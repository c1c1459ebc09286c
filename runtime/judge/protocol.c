#include "judge/protocol.h"

#include <sysexits.h>

#include "base/limits.h"
#include "base/map.h"
#include "base/wire.h"

/* A byte of version before everything: relay and judge are of one build, so a difference is damage. */
enum { PROTOCOL_REQUEST = 0x51, PROTOCOL_ANSWER = 0x41 };

static bool malformed(struct err *e, const char *what)
{
    return err_set(e, EX_DATAERR, "the judge channel carried %s that is not well formed", what);
}

/* --- request ------------------------------------------------------------------------------------------------------ */

void protocol_encode_request(const struct judge_request *r, struct buf *out)
{
    const struct envelope *env = &r->envelope;
    wire_put_u8(out, PROTOCOL_REQUEST);
    wire_put_u64(out, r->id);
    wire_put_str(out, r->queue_id);
    wire_put_i64(out, r->now);
    wire_put_i32(out, r->utc_offset);
    wire_put_str(out, env->client.ip);
    wire_put_str(out, env->client.helo);
    wire_put_str(out, env->client.user);
    wire_put_str(out, env->client.tls_version);
    wire_put_str(out, env->client.listener);
    wire_put_bool(out, env->client.trusted);
    wire_put_str(out, env->reverse_path);
    wire_put_count(out, env->recipient_count);
    for (size_t i = 0; i < env->recipient_count; i++) wire_put_str(out, env->recipients[i]);
    wire_put_bool(out, env->smtputf8);
    wire_put_bool(out, env->requiretls);
    wire_put_bool(out, env->eight_bit);
    wire_put_str(out, env->envid);
    wire_put_u8(out, env->ret);
    wire_put_u64(out, r->size);
    wire_put_bool(out, r->content_inline);
    if (r->content_inline) wire_put_str(out, r->content);
}

static void read_envelope(struct wire *w, struct arena *a, struct envelope *env)
{
    env->client.ip = wire_str(w);
    env->client.helo = wire_str(w);
    env->client.user = wire_str(w);
    env->client.tls_version = wire_str(w);
    env->client.listener = wire_str(w);
    env->client.trusted = wire_bool(w);
    env->reverse_path = wire_str(w);
    env->recipient_count = wire_count(w, 4);
    env->recipients = ARENA_ARRAY(a, struct str, env->recipient_count);
    for (size_t i = 0; i < env->recipient_count; i++) env->recipients[i] = wire_str(w);
    env->smtputf8 = wire_bool(w);
    env->requiretls = wire_bool(w);
    env->eight_bit = wire_bool(w);
    env->envid = wire_str(w);
    env->ret = wire_u8(w);
    if (env->ret != 0 && env->ret != 'H' && env->ret != 'F') wire_fail(w);
}

bool protocol_decode_request(struct arena *a, struct str datagram, struct judge_request *out, struct err *e)
{
    struct wire w = wire_of(datagram);
    *out = (struct judge_request){0};
    if (wire_u8(&w) != PROTOCOL_REQUEST) wire_fail(&w);
    out->id = wire_u64(&w);
    out->queue_id = wire_str(&w);
    out->now = wire_i64(&w);
    out->utc_offset = wire_i32(&w);
    if (out->utc_offset < -86400 || out->utc_offset > 86400) wire_fail(&w);
    read_envelope(&w, a, &out->envelope);
    out->size = wire_u64(&w);
    out->content_inline = wire_bool(&w);
    if (out->content_inline) {
        out->content = wire_str(&w);
        if (out->content.n != out->size || out->content.n > PROTOCOL_INLINE_MAX) wire_fail(&w);
    }
    return wire_done(&w) || malformed(e, "a request");
}

/* --- answer: texts once in a table, then numbers ------------------------------------------------------------------ */

/* Rule names, reasons and addresses come again and again: each is carried once. */
struct texts {
    struct map index; /* text to index + 1 */
    size_t n;
};

static uint32_t text_index(struct texts *t, struct str s)
{
    if (s.n == 0) return 0; /* absent and empty are one */
    uintptr_t known = (uintptr_t)map_get(&t->index, s);
    if (known) return (uint32_t)known;
    map_put(&t->index, s, (void *)(uintptr_t)++t->n);
    return (uint32_t)t->n;
}

static void put_reply(struct texts *t, const struct reply *r, struct buf *out)
{
    wire_put_u16(out, r->code);
    wire_put_u8(out, r->status.class);
    wire_put_u16(out, r->status.subject);
    wire_put_u16(out, r->status.detail);
    wire_put_u32(out, text_index(t, r->text));
}

enum {
    REPLY_BYTES = 2 + 1 + 2 + 2 + 4,
    RECIPIENT_BYTES = 4 + 1 + 1 + 3 + 4 + 4 * 4 + REPLY_BYTES,
    PIECE_BYTES = 1 + 4,
    COPY_BYTES = 4 + 8 + 32,
    HIT_BYTES = 4 + 4,
    NOTE_BYTES = 1 + 3 * 4
};

static void put_recipient(struct texts *t, const struct verdict_recipient *r, struct buf *out)
{
    wire_put_u32(out, text_index(t, r->address));
    wire_put_bool(out, r->added);
    wire_put_u8(out, r->disposition);
    wire_put_u8(out, r->need.peer);
    wire_put_u8(out, r->need.floor);
    wire_put_bool(out, r->need.onward);
    wire_put_u32(out, r->copy);
    wire_put_u32(out, text_index(t, r->connector));
    wire_put_u32(out, text_index(t, r->rule));
    wire_put_u32(out, text_index(t, r->tls_rule));
    wire_put_u32(out, text_index(t, r->reason));
    put_reply(t, &r->reply, out);
}

static void put_copy(const struct verdict_copy *c, struct buf *out)
{
    wire_put_count(out, c->pieces.n);
    for (size_t i = 0; i < c->pieces.n; i++) {
        const struct piece *p = &c->pieces.v[i];
        wire_put_bool(out, p->insert.p != NULL);
        if (p->insert.p) {
            wire_put_str(out, p->insert);
        } else {
            wire_put_u64(out, p->from);
            wire_put_u64(out, p->to);
        }
    }
    wire_put_u64(out, c->length);
    wire_put_bytes(out, c->sha256, sizeof c->sha256);
}

static void put_verdict(struct texts *t, const struct verdict *v, struct buf *out)
{
    wire_put_u8(out, v->answer);
    put_reply(t, &v->reply, out);
    wire_put_u32(out, text_index(t, v->rule));
    wire_put_count(out, v->recipient_count);
    for (size_t i = 0; i < v->recipient_count; i++) put_recipient(t, &v->recipients[i], out);
    wire_put_count(out, v->copy_count);
    for (size_t i = 0; i < v->copy_count; i++) put_copy(&v->copies[i], out);
    wire_put_count(out, v->hit_count);
    for (size_t i = 0; i < v->hit_count; i++) {
        wire_put_u32(out, text_index(t, v->hits[i].rule));
        wire_put_u32(out, v->hits[i].what);
    }
    wire_put_count(out, v->note_count);
    for (size_t i = 0; i < v->note_count; i++) {
        wire_put_u8(out, v->notes[i].kind);
        wire_put_u32(out, text_index(t, v->notes[i].rule));
        wire_put_u32(out, text_index(t, v->notes[i].recipient));
        wire_put_u32(out, text_index(t, v->notes[i].text));
    }
}

void protocol_encode_answer(const struct judge_answer *r, struct buf *out)
{
    struct texts t = {0};
    struct buf body = {0};
    if (r->kind == JUDGE_VERDICT)
        put_verdict(&t, &r->verdict, &body);
    else
        wire_put_u32(&body, text_index(&t, r->why));
    wire_put_u8(out, PROTOCOL_ANSWER);
    wire_put_u64(out, r->id);
    wire_put_u8(out, r->kind);
    wire_put_count(out, t.n);
    for (size_t i = 0; i < t.n; i++) wire_put_str(out, t.index.entries[i].key);
    wire_put_bytes(out, body.p, body.n);
    map_free(&t.index);
    buf_free(&body);
}

struct text_table {
    struct str *v;
    size_t n;
};

static struct str read_text(struct wire *w, const struct text_table *t)
{
    uint32_t i = wire_u32(w);
    if (i == 0) return STR("");
    if (i > t->n) {
        wire_fail(w);
        return STR("");
    }
    return t->v[i - 1];
}

static void read_reply(struct wire *w, const struct text_table *t, struct reply *out)
{
    out->code = wire_u16(w);
    out->status.class = wire_u8(w);
    out->status.subject = wire_u16(w);
    out->status.detail = wire_u16(w);
    out->text = read_text(w, t);
}

static void read_recipient(struct wire *w, const struct text_table *t, struct verdict_recipient *out)
{
    out->address = read_text(w, t);
    out->added = wire_bool(w);
    out->disposition = wire_enum(w, DISPOSITION_COUNT);
    out->need.peer = wire_enum(w, TLS_PEER_DANE + 1);
    out->need.floor = wire_enum(w, TLS_FLOOR_1_3 + 1);
    out->need.onward = wire_bool(w);
    out->copy = wire_u32(w);
    out->connector = read_text(w, t);
    out->rule = read_text(w, t);
    out->tls_rule = read_text(w, t);
    out->reason = read_text(w, t);
    read_reply(w, t, &out->reply);
}

static void read_copy(struct wire *w, struct arena *a, struct verdict_copy *out)
{
    out->pieces.n = wire_count(w, PIECE_BYTES);
    out->pieces.v = ARENA_ARRAY(a, struct piece, out->pieces.n);
    for (size_t i = 0; i < out->pieces.n && !w->failed; i++) {
        struct piece *p = &out->pieces.v[i];
        if (wire_bool(w)) {
            p->insert = wire_str(w);
        } else {
            p->from = wire_u64(w);
            p->to = wire_u64(w);
        }
    }
    out->length = wire_u64(w);
    wire_copy(w, out->sha256, sizeof out->sha256);
}

static void read_verdict(struct wire *w, struct arena *a, const struct text_table *t, struct verdict *out)
{
    out->answer = wire_enum(w, VERDICT_DEFER + 1);
    read_reply(w, t, &out->reply);
    out->rule = read_text(w, t);
    out->recipient_count = wire_count(w, RECIPIENT_BYTES);
    out->recipients = ARENA_ARRAY(a, struct verdict_recipient, out->recipient_count);
    for (size_t i = 0; i < out->recipient_count && !w->failed; i++) read_recipient(w, t, &out->recipients[i]);
    out->copy_count = wire_count(w, COPY_BYTES);
    out->copies = ARENA_ARRAY(a, struct verdict_copy, out->copy_count);
    for (size_t i = 0; i < out->copy_count && !w->failed; i++) read_copy(w, a, &out->copies[i]);
    out->hit_count = wire_count(w, HIT_BYTES);
    out->hits = ARENA_ARRAY(a, struct verdict_hit, out->hit_count);
    for (size_t i = 0; i < out->hit_count && !w->failed; i++) {
        out->hits[i].rule = read_text(w, t);
        out->hits[i].what = wire_u32(w);
    }
    out->note_count = wire_count(w, NOTE_BYTES);
    out->notes = ARENA_ARRAY(a, struct verdict_note, out->note_count);
    for (size_t i = 0; i < out->note_count && !w->failed; i++) {
        out->notes[i].kind = wire_enum(w, NOTE_AUDIT + 1);
        out->notes[i].rule = read_text(w, t);
        out->notes[i].recipient = read_text(w, t);
        out->notes[i].text = read_text(w, t);
    }
}

bool protocol_decode_answer(struct arena *a, struct str datagram, struct judge_answer *out, struct err *e)
{
    struct wire w = wire_of(datagram);
    *out = (struct judge_answer){0};
    if (wire_u8(&w) != PROTOCOL_ANSWER) wire_fail(&w);
    out->id = wire_u64(&w);
    out->kind = wire_enum(&w, JUDGE_FAILED + 1);
    struct text_table t = {.n = wire_count(&w, 4)};
    t.v = ARENA_ARRAY(a, struct str, t.n);
    for (size_t i = 0; i < t.n && !w.failed; i++) t.v[i] = wire_str(&w);
    if (out->kind == JUDGE_VERDICT)
        read_verdict(&w, a, &t, &out->verdict);
    else
        out->why = read_text(&w, &t);
    return wire_done(&w) || malformed(e, "an answer");
}
