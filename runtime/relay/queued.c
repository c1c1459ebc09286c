#include "relay/queued.h"

#include <stdlib.h>
#include <string.h>

static struct str put(char **at, struct str s)
{
    struct str copy = {*at, s.n};
    if (s.n) memcpy(*at, s.p, s.n);
    *at += s.n;
    return copy;
}

struct forms *forms_copy(const struct stored_copy *copies, size_t n)
{
    size_t pieces = 0, bytes = 0;
    for (size_t i = 0; i < n; i++) {
        pieces += copies[i].pieces.n;
        for (size_t k = 0; k < copies[i].pieces.n; k++) bytes += copies[i].pieces.v[k].insert.n;
    }
    struct forms *f = mem_alloc(sizeof *f + n * sizeof *f->v + pieces * sizeof(struct piece) + bytes);
    f->v = (struct stored_copy *)(f + 1);
    f->n = n;
    struct piece *piece = (struct piece *)(f->v + n);
    char *text = (char *)(piece + pieces);
    for (size_t i = 0; i < n; i++) {
        f->v[i] = copies[i];
        f->v[i].pieces.v = piece;
        for (size_t k = 0; k < copies[i].pieces.n; k++, piece++) {
            *piece = copies[i].pieces.v[k];
            if (piece->insert.p) piece->insert = put(&text, piece->insert);
        }
    }
    return f;
}

static size_t text_size(const struct stored_recipient *rcpt)
{
    return rcpt->address.n + rcpt->connector.n + rcpt->orcpt.n + rcpt->tls_rule.n;
}

struct queued_message *queued_copy(const struct stored_message *m, int64_t since)
{
    size_t taken = 0;
    size_t bytes = m->queue_id.n + m->reverse_path.n + m->envid.n;
    for (size_t i = 0; i < m->recipient_count; i++) {
        if (m->recipients[i].state != RECIPIENT_QUEUED) continue;
        bytes += text_size(&m->recipients[i]);
        taken++;
    }
    if (!taken) return NULL;
    struct queued_message *q = mem_alloc(sizeof *q + taken * sizeof *q->recipients + bytes);
    char *text = (char *)(q->recipients + taken);
    q->id = store_message_of(m->recipients[0].id);
    q->queue_id = put(&text, m->queue_id);
    q->reverse_path = put(&text, m->reverse_path);
    q->envid = put(&text, m->envid);
    q->arrived = m->arrived;
    q->size = m->size;
    q->eight_bit = m->eight_bit;
    q->binary = m->binary;
    q->smtputf8 = m->smtputf8;
    q->relay_made = m->relay_made;
    q->ret = m->ret;
    for (size_t i = 0; i < m->recipient_count; i++) {
        if (m->recipients[i].state != RECIPIENT_QUEUED) continue;
        const struct stored_recipient *from = &m->recipients[i];
        q->recipients[q->recipient_count++] = (struct queued_recipient){
            .message = q,
            .id = from->id,
            .next_try = from->next_try,
            .expires = from->expires,
            .waited = from->waited,
            .since = since,
            .address = put(&text, from->address),
            .connector = put(&text, from->connector),
            .orcpt = put(&text, from->orcpt),
            .tls_rule = put(&text, from->tls_rule),
            .need = from->need,
            .copy = from->copy,
            .attempts = from->attempts,
            .notify = from->notify,
            .noticed = from->noticed,
        };
    }
    return q;
}

struct queued_recipient *queued_find(struct queued_message *m, int64_t id)
{
    for (size_t i = 0; i < m->recipient_count; i++)
        if (m->recipients[i].id == id) return &m->recipients[i];
    return NULL;
}

void queued_drop_content(struct queued_message *m)
{
    body_unref(&m->body);
    free(m->forms);
    m->forms = NULL;
}

void queued_free(struct queued_message **at)
{
    struct queued_message *m = *at;
    *at = NULL;
    queued_drop_content(m);
    free(m);
}
