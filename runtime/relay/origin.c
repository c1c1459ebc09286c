#include "relay/origin.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "mail/queue_id.h"
#include "relay/chain.h"
#include "relay/generation.h"
#include "relay/notice.h"

void origin_queue_id(struct relay *r, char *out)
{
    uint64_t random;
    r->net->random(r->net->self, &random, sizeof random);
    queue_id_make(relay_now(r), random, out);
}

/* With an id of its own and its recipient; the bytes come after. */
static struct origin *begin(struct relay *r, struct str to)
{
    struct origin *o = mem_alloc(sizeof *o);
    char id[QUEUE_ID_SIZE];
    origin_queue_id(r, id);
    o->text = mem_alloc(QUEUE_ID_SIZE + to.n);
    memcpy(o->text, id, QUEUE_ID_SIZE);
    memcpy(o->text + QUEUE_ID_SIZE, to.p, to.n);
    o->recipient.address = (struct str){o->text + QUEUE_ID_SIZE, to.n};
    o->message = (struct stored_message){.queue_id = {o->text, QUEUE_ID_LENGTH}, .arrived = relay_now(r)};
    return o;
}

/* The bytes are known; *out is freed. */
static struct origin *finish(struct relay *r, struct origin *o, struct buf *out, struct obligation need)
{
    int64_t now = o->message.arrived;
    o->body = body_of_bytes(r, buf_str(out));
    buf_free(out);
    struct str content = body_view(o->body);
    o->piece = (struct piece){.from = 0, .to = content.n};
    o->copy = (struct stored_copy){.pieces = {&o->piece, 1}, .length = content.n};
    digest_sha256(content, o->copy.sha256);
    o->recipient = (struct stored_recipient){.address = o->recipient.address,
                                             .state = RECIPIENT_QUEUED,
                                             .need = need,
                                             .next_try = now,
                                             .expires = now + relay_settings(r)->retry_until};
    o->message = (struct stored_message){
        .queue_id = o->message.queue_id,
        .arrived = now,
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

struct origin *origin_dsn(struct relay *r, const struct dsn *facts, struct obligation need)
{
    struct origin *o = begin(r, facts->reverse_path);
    struct buf out = {0};
    struct dsn d = *facts;
    d.hostname = relay_settings(r)->hostname;
    d.queue_id = o->message.queue_id;
    d.now = o->message.arrived;
    d.utc_offset = r->net->utc_offset(r->net->self, d.now);
    dsn_build(&d, &out);
    return finish(r, o, &out, need);
}

struct origin *origin_notice(struct relay *r, const struct verdict_notice *notice, const struct origin_about *about)
{
    char mark[CHAIN_MARK_SIZE];
    struct notice n = {
        .text = notice->text, .whole = about->whole, .cut = notice->attach == NOTICE_ORIGINAL && !about->whole};
    if (notice->attach != NOTICE_ALONE)
        n.content = n.whole ? about->content : letter_header_cut(letter_header_section(about->content));
    struct origin *o = begin(r, notice->to);
    struct buf out = {0};
    chain_mark(r, o->message.queue_id, mark);
    notice_build(&(struct letter){.hostname = relay_settings(r)->hostname,
                                  .queue_id = o->message.queue_id,
                                  .to = notice->to,
                                  .subject = notice->subject,
                                  .mark = str_of(mark),
                                  .before = about->before,
                                  .about = notice->about,
                                  .generated = notice->report,
                                  .now = o->message.arrived,
                                  .utc_offset = r->net->utc_offset(r->net->self, o->message.arrived)},
                 &n, &out);
    return finish(r, o, &out, about->need);
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
