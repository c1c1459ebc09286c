#include "relay/queue.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "relay/deliver.h"
#include "relay/events.h"
#include "relay/schedule.h"

enum { PUMP_BATCH = 256 };

struct queue {
    struct relay *relay;
    struct queued_message *first;
    struct queued_recipient **heap;
    size_t n, cap;
    size_t messages, recipients;
    struct net_timer timer;
    struct store_query due;
    bool loading, pumping;
    void (*loaded)(struct relay *r, const char *failure);
};

/* --- blocks --------------------------------------------------------------------------------------------------------
 */

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

/* Only the recipients that `take` marks. */
static struct queued_message *message_copy(const struct stored_message *m, const bool *take, size_t taken)
{
    size_t bytes = m->queue_id.n + m->reverse_path.n + m->envid.n;
    for (size_t i = 0; i < m->recipient_count; i++)
        if (take[i]) bytes += text_size(&m->recipients[i]);
    struct queued_message *q = mem_alloc(sizeof *q + taken * sizeof *q->recipients + bytes);
    char *text = (char *)(q->recipients + taken);
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
        if (!take[i]) continue;
        const struct stored_recipient *from = &m->recipients[i];
        q->recipients[q->recipient_count++] = (struct queued_recipient){
            .message = q,
            .id = from->id,
            .next_try = from->next_try,
            .expires = from->expires,
            .address = put(&text, from->address),
            .connector = put(&text, from->connector),
            .orcpt = put(&text, from->orcpt),
            .tls_rule = put(&text, from->tls_rule),
            .need = from->need,
            .copy = from->copy,
            .attempts = from->attempts,
            .notify = from->notify,
        };
    }
    q->left = q->recipient_count;
    return q;
}

/* --- heap ----------------------------------------------------------------------------------------------------------
 */

static void heap_set(struct queue *q, size_t at, struct queued_recipient *rcpt)
{
    q->heap[at] = rcpt;
    rcpt->heap = (uint32_t)at + 1;
}

static void heap_up(struct queue *q, size_t at, struct queued_recipient *rcpt)
{
    while (at && q->heap[(at - 1) / 2]->next_try > rcpt->next_try) {
        heap_set(q, at, q->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_set(q, at, rcpt);
}

static void heap_down(struct queue *q, size_t at, struct queued_recipient *rcpt)
{
    for (size_t child; (child = 2 * at + 1) < q->n; at = child) {
        if (child + 1 < q->n && q->heap[child + 1]->next_try < q->heap[child]->next_try) child++;
        if (q->heap[child]->next_try >= rcpt->next_try) break;
        heap_set(q, at, q->heap[child]);
    }
    heap_set(q, at, rcpt);
}

static void heap_push(struct queue *q, struct queued_recipient *rcpt)
{
    INVARIANT(rcpt->heap == 0 && q->n < UINT32_MAX - 1);
    if (q->n == q->cap) {
        q->cap = q->cap ? q->cap * 2 : 64;
        q->heap = mem_grow(q->heap, q->cap, sizeof *q->heap);
    }
    heap_up(q, q->n++, rcpt);
}

static void heap_remove(struct queue *q, struct queued_recipient *rcpt)
{
    INVARIANT(rcpt->heap && q->heap[rcpt->heap - 1] == rcpt);
    size_t at = rcpt->heap - 1;
    rcpt->heap = 0;
    struct queued_recipient *last = q->heap[--q->n];
    if (last == rcpt) return;
    if (at && q->heap[(at - 1) / 2]->next_try > last->next_try)
        heap_up(q, at, last);
    else
        heap_down(q, at, last);
}

/* --- messages ------------------------------------------------------------------------------------------------------
 */

static void take_in(struct queue *q, struct queued_message *m)
{
    m->next = q->first;
    if (q->first) q->first->before = m;
    q->first = m;
    q->messages++;
    q->recipients += m->recipient_count;
    for (size_t i = 0; i < m->recipient_count; i++) heap_push(q, &m->recipients[i]);
}

static void drop_content(struct queued_message *m)
{
    body_unref(&m->body);
    free(m->forms);
    m->forms = NULL;
}

static void message_free(struct queue *q, struct queued_message *m)
{
    INVARIANT(!m->waits && !m->loading);
    if (m->before)
        m->before->next = m->next;
    else
        q->first = m->next;
    if (m->next) m->next->before = m->before;
    q->messages--;
    drop_content(m);
    free(m);
}

static size_t mark_queued(const struct stored_message *m, bool *take)
{
    size_t taken = 0;
    for (size_t i = 0; i < m->recipient_count; i++) taken += take[i] = m->recipients[i].state == RECIPIENT_QUEUED;
    return taken;
}

void queue_add(struct queue *q, const struct stored_message *m, struct body *body)
{
    bool few[16], *take = m->recipient_count <= 16 ? few : mem_array(m->recipient_count, sizeof *take);
    size_t taken = mark_queued(m, take);
    if (taken) {
        struct queued_message *message = message_copy(m, take, taken);
        if (body && relay_memory_has_room(q->relay)) {
            message->body = body_ref(body);
            message->forms = forms_copy(m->copies, m->copy_count);
        }
        take_in(q, message);
    }
    if (take != few) free(take);
    queue_pump(q);
}

void queue_busy(struct queue *q, struct queued_recipient *rcpt)
{
    if (rcpt->heap) heap_remove(q, rcpt);
    rcpt->message->busy++;
}

static void no_longer_busy(struct queue *q, struct queued_message *m)
{
    INVARIANT(m->busy > 0);
    (void)q;
    if (--m->busy == 0 && !m->waits && !m->loading) drop_content(m);
}

void queue_again(struct queue *q, struct queued_recipient *rcpt, int64_t next_try)
{
    rcpt->next_try = next_try;
    heap_push(q, rcpt);
    no_longer_busy(q, rcpt->message);
    queue_pump(q);
}

void queue_gone(struct queue *q, struct queued_recipient *rcpt)
{
    struct queued_message *m = rcpt->message;
    INVARIANT(!rcpt->gone && !rcpt->heap);
    rcpt->gone = true;
    q->recipients--;
    no_longer_busy(q, m);
    if (--m->left == 0 && !m->loading) message_free(q, m);
}

size_t queue_recipients(const struct queue *q) { return q->recipients; }
size_t queue_messages(const struct queue *q) { return q->messages; }

/* --- time ----------------------------------------------------------------------------------------------------------
 */

static void timer_fired(void *owner) { queue_pump(owner); }

void queue_pump(struct queue *q)
{
    struct relay *r = q->relay;
    if (q->pumping || q->loading || !r->current || r->stopping) return;
    q->pumping = true;
    int64_t now = relay_now(r);
    unsigned done = 0;
    while (q->n && q->heap[0]->next_try <= now && done < PUMP_BATCH && deliver_has_room(r->deliver)) {
        deliver_due(r->deliver, q->heap[0]);
        done++;
    }
    q->pumping = false;
    if (!q->n || !deliver_has_room(r->deliver)) return; /* deliver pumps again when it has room */
    int64_t wait = q->heap[0]->next_try <= now ? 0 : (q->heap[0]->next_try * 1000000 - relay_micro(r)) / 1000 + 1;
    q->timer.fired = timer_fired;
    q->timer.owner = q;
    r->net->timer_set(r->net->self, &q->timer, wait);
}

void queue_clamp(struct queue *q)
{
    const struct settings *settings = relay_settings(q->relay);
    const struct retry retry = {settings->retry_first, settings->retry_most};
    int64_t now = relay_now(q->relay);
    for (size_t i = 0; i < q->n; i++) { /* what was never tried waits because a rule says so: deliver_after */
        struct queued_recipient *rcpt = q->heap[i];
        if (rcpt->attempts) rcpt->next_try = schedule_clamp(&retry, rcpt->next_try, now);
    }
    for (size_t i = q->n / 2; i-- > 0;) heap_down(q, i, q->heap[i]);
}

/* --- reading -------------------------------------------------------------------------------------------------------
 */

static void due_message(void *owner, const struct stored_message *m)
{
    struct queue *q = owner;
    bool few[16], *take = m->recipient_count <= 16 ? few : mem_array(m->recipient_count, sizeof *take);
    size_t taken = mark_queued(m, take);
    if (taken) take_in(q, message_copy(m, take, taken));
    if (take != few) free(take);
}

static void due_done(void *owner, bool ok, const struct err *e)
{
    struct queue *q = owner;
    q->loading = false;
    q->loaded(q->relay, ok ? NULL : e ? e->text : "the queue cannot be read");
}

struct queue *queue_create(struct relay *r)
{
    struct queue *q = mem_alloc(sizeof *q);
    q->relay = r;
    return q;
}

void queue_load(struct queue *q, void (*loaded)(struct relay *r, const char *failure))
{
    q->loading = true;
    q->loaded = loaded;
    q->due = (struct store_query){.kind = QUERY_DUE, .message = due_message, .done = due_done, .owner = q};
    q->relay->store->query(q->relay->store->self, &q->due);
}

void queue_free(struct queue **at)
{
    struct queue *q = *at;
    *at = NULL;
    if (!q) return;
    q->relay->net->timer_clear(q->relay->net->self, &q->timer);
    while (q->first) {
        q->first->waits = NULL;
        q->first->loading = NULL;
        message_free(q, q->first);
    }
    free(q->heap);
    free(q);
}

/* One message read again: its content for a delivery, or its recipients after a release. */
struct reading {
    struct store_query query;
    struct queue *queue;
    struct queued_message *message; /* content: for it */
    struct str queue_id;            /* refresh: own copy behind the struct */
    struct err failure;             /* sysexit 0: none */
};

static void content_message(void *owner, const struct stored_message *m)
{
    struct reading *g = owner;
    struct relay *r = g->queue->relay;
    struct err e = {0};
    drop_content(g->message);
    if (m->spool.n && !m->content.n) {
        struct content_file *f = r->content->open(r->content->self, m->spool, &e);
        if (f)
            g->message->body = body_of_file(r, f);
        else
            g->failure = e;
    } else {
        g->message->body = body_of_bytes(r, m->content);
    }
    if (g->message->body && body_size(g->message->body) != m->size) {
        body_unref(&g->message->body);
        err_set(&g->failure, EX_DATAERR, "the content has another length than was stored");
    }
    g->message->forms = forms_copy(m->copies, m->copy_count);
}

static void content_done(void *owner, bool ok, const struct err *e)
{
    struct reading *g = owner;
    struct queued_message *m = g->message;
    m->loading = NULL;
    struct err *failure = &g->failure;
    if (!ok && e)
        *failure = *e;
    else if (!ok)
        err_set(failure, EX_TEMPFAIL, "the content cannot be read");
    else if (!failure->sysexit && !m->body)
        err_set(failure, EX_NOINPUT, "the message is not in the store");
    if (failure->sysexit) {
        events_note(g->queue->relay, EVENT_ERROR, "message %.*s: %s", STR_ARG(m->queue_id), failure->text);
        drop_content(m);
    }
    /* Held while the waiters are told: each may end its recipients. */
    m->busy++;
    m->left++;
    while (m->waits) {
        struct content_wait *w = m->waits;
        m->waits = w->next;
        w->ready(w->owner, failure->sysexit ? failure : NULL);
    }
    no_longer_busy(g->queue, m);
    if (--m->left == 0) message_free(g->queue, m);
    free(g);
}

bool queue_content(struct queue *q, struct queued_message *m, struct content_wait *w)
{
    INVARIANT(m->busy > 0);
    if (m->body && !m->loading) return true;
    w->next = m->waits;
    m->waits = w;
    if (m->loading) return false;
    struct reading *g = mem_alloc(sizeof *g);
    g->queue = q;
    g->message = m;
    g->query = (struct store_query){
        .kind = QUERY_MESSAGE, .queue_id = m->queue_id, .message = content_message, .done = content_done, .owner = g};
    m->loading = g;
    q->relay->store->query(q->relay->store->self, &g->query);
    return false;
}

void queue_content_withdraw(struct queued_message *m, struct content_wait *w)
{
    for (struct content_wait **at = &m->waits; *at; at = &(*at)->next) {
        if (*at != w) continue;
        *at = w->next;
        return;
    }
}

/* By hand and rare, so a walk will do. */
static struct queued_recipient *find_here(const struct queue *q, struct str queue_id, int64_t recipient)
{
    for (struct queued_message *m = q->first; m; m = m->next) {
        if (!str_eq(m->queue_id, queue_id)) continue;
        for (size_t i = 0; i < m->recipient_count; i++)
            if (m->recipients[i].id == recipient && !m->recipients[i].gone) return &m->recipients[i];
    }
    return NULL;
}

static void refresh_message(void *owner, const struct stored_message *m)
{
    struct reading *g = owner;
    struct queue *q = g->queue;
    bool *take = mem_array(m->recipient_count, sizeof *take);
    size_t taken = 0;
    for (size_t i = 0; i < m->recipient_count; i++) {
        const struct stored_recipient *rcpt = &m->recipients[i];
        struct queued_recipient *here = find_here(q, m->queue_id, rcpt->id);
        taken += take[i] = rcpt->state == RECIPIENT_QUEUED && !here;
        if (!here || !here->heap) continue;
        heap_remove(q, here);
        here->next_try = rcpt->next_try;
        heap_push(q, here);
    }
    if (taken) take_in(q, message_copy(m, take, taken));
    free(take);
}

static void refresh_done(void *owner, bool ok, const struct err *e)
{
    struct reading *g = owner;
    if (!ok)
        events_note(g->queue->relay, EVENT_ERROR, "after a release: %s", e ? e->text : "the store does not answer");
    queue_pump(g->queue);
    free(g);
}

void queue_refresh(struct queue *q, struct str queue_id)
{
    struct reading *g = mem_alloc(sizeof *g + queue_id.n);
    char *text = (char *)(g + 1);
    g->queue = q;
    g->queue_id = put(&text, queue_id);
    g->query = (struct store_query){
        .kind = QUERY_FIND, .queue_id = g->queue_id, .message = refresh_message, .done = refresh_done, .owner = g};
    q->relay->store->query(q->relay->store->self, &g->query);
}
