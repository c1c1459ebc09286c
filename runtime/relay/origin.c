#include "relay/origin.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "mail/queue_id.h"
#include "relay/generation.h"

void origin_queue_id(struct relay *r, char *out)
{
    uint64_t random;
    r->net->random(r->net->self, &random, sizeof random);
    queue_id_make(relay_now(r), random, out);
}

struct origin *origin_dsn(struct relay *r, const struct dsn *facts, struct obligation need)
{
    const struct settings *s = relay_settings(r);
    struct origin *o = mem_alloc(sizeof *o);
    char id[QUEUE_ID_SIZE];
    origin_queue_id(r, id);
    o->text = mem_alloc(QUEUE_ID_SIZE + facts->reverse_path.n);
    memcpy(o->text, id, QUEUE_ID_SIZE);
    memcpy(o->text + QUEUE_ID_SIZE, facts->reverse_path.p, facts->reverse_path.n);
    struct str queue_id = {o->text, QUEUE_ID_LENGTH}, to = {o->text + QUEUE_ID_SIZE, facts->reverse_path.n};

    struct dsn d = *facts;
    d.hostname = s->hostname;
    d.queue_id = queue_id;
    d.now = relay_now(r);
    d.utc_offset = r->net->utc_offset(r->net->self, d.now);
    struct buf out = {0};
    dsn_build(&d, &out);
    o->body = body_of_bytes(r, buf_str(&out));
    buf_free(&out);

    struct str content = body_view(o->body);
    o->piece = (struct piece){.from = 0, .to = content.n};
    o->copy = (struct stored_copy){.pieces = {&o->piece, 1}, .length = content.n};
    digest_sha256(content, o->copy.sha256);
    o->recipient = (struct stored_recipient){
        .address = to, .state = RECIPIENT_QUEUED, .need = need, .next_try = d.now, .expires = d.now + s->retry_until};
    o->message = (struct stored_message){
        .queue_id = queue_id,
        .arrived = d.now,
        .size = content.n,
        .content = content,
        .eight_bit = !str_is_ascii(content),
        .relay_made = true,
        .generation = r->current->number,
        .copies = &o->copy,
        .copy_count = 1,
        .recipients = &o->recipient,
        .recipient_count = 1,
    };
    return o;
}

void origin_free(struct origin **at)
{
    struct origin *o = *at;
    *at = NULL;
    if (!o) return;
    body_unref(&o->body);
    free(o->text);
    free(o);
}
