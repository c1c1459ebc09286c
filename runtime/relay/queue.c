#include "relay/queue.h"

#include <stdlib.h>
#include <sysexits.h>

#include "relay/deliver.h"
#include "relay/events.h"
#include "relay/route.h"
#include "relay/schedule.h"

enum {
    PUMP_BATCH = 256,  /* handed out in one go */
    LOADED_MAX = 4096, /* messages in memory: what is new beyond that is read again when its turn comes */
    BUCKETS = 4096,
    CLOCK_TOLERANCE_S = 5, /* the calendar is slewed all the time; a jump is more */
    LOOK_AGAIN_S = 1
};

/* Entries whose messages are being read. */
struct batch {
    struct store_query query;
    struct queue *queue;
    uint64_t epoch;
    size_t n, messages;
    struct due entries[PUMP_BATCH];
    int64_t ids[PUMP_BATCH]; /* of their messages, each once */
    size_t taken_count;
    struct queued_message *taken[PUMP_BATCH]; /* what came, pinned until the end */
};

struct queue {
    struct relay *relay;
    struct due_heap due;
    struct queued_message *buckets[BUCKETS];
    size_t loaded_count;
    struct batch *batch; /* NULL: none is under way */
    struct batch *spare;
    uint64_t epoch; /* raised by every change made by hand: what was read before does not hold */
    int64_t drift;  /* calendar less monotonic seconds, when last looked at */
    struct net_timer timer;
    struct store_query load;
    bool loading, pumping;
    void (*loaded)(struct relay *r, const char *failure);
};

static int64_t steady(const struct queue *q) { return relay_ms(q->relay) / 1000; }

/* --- messages ----------------------------------------------------------------------------------------------------- */

static struct queued_message **bucket(struct queue *q, int64_t id) { return &q->buckets[(uint64_t)id % BUCKETS]; }

static struct queued_message *find(struct queue *q, int64_t id)
{
    struct queued_message *m = *bucket(q, id);
    while (m && m->id != id) m = m->chain;
    return m;
}

/* Pinned by the caller. */
static void take_in(struct queue *q, struct queued_message *m)
{
    struct queued_message **at = bucket(q, m->id);
    INVARIANT(!find(q, m->id));
    m->chain = *at;
    m->pins = 1;
    *at = m;
    q->loaded_count++;
}

static void message_free(struct queue *q, struct queued_message *m)
{
    INVARIANT(!m->waits && !m->loading);
    struct queued_message **at = bucket(q, m->id);
    while (*at != m) at = &(*at)->chain;
    *at = m->chain;
    q->loaded_count--;
    queued_free(&m);
}

static void unpin(struct queue *q, struct queued_message *m)
{
    INVARIANT(m->pins > 0);
    if (--m->pins == 0) message_free(q, m);
}

void queue_put(struct queue *q, const struct due *entries, size_t n, int64_t at)
{
    for (size_t i = 0; i < n; i++) due_push(&q->due, (struct due){at, entries[i].recipient, entries[i].since});
}

struct due queue_entry(const struct queue *q, const struct queued_recipient *rcpt)
{
    (void)q;
    return (struct due){rcpt->next_try, rcpt->id, rcpt->since};
}

void queue_add(struct queue *q, const struct stored_message *m, struct body *body)
{
    int64_t now = steady(q);
    bool room = q->loaded_count < LOADED_MAX;
    for (size_t i = 0; i < m->recipient_count; i++)
        if (m->recipients[i].state == RECIPIENT_QUEUED)
            due_push(&q->due, (struct due){m->recipients[i].next_try, m->recipients[i].id, now});
    struct queued_message *message = room ? queued_copy(m, now) : NULL;
    if (message) {
        take_in(q, message);
        for (size_t i = 0; i < message->recipient_count; i++) message->recipients[i].fresh = true;
        message->pins += (unsigned)message->recipient_count;
        if (body && relay_memory_has_room(q->relay)) {
            message->body = body_ref(body);
            message->forms = forms_copy(m->copies, m->copy_count);
        }
        unpin(q, message);
    }
    queue_pump(q);
}

static void no_longer_fresh(struct queue *q, struct queued_recipient *rcpt)
{
    if (!rcpt->fresh) return;
    rcpt->fresh = false;
    unpin(q, rcpt->message);
}

void queue_busy(struct queue *q, struct queued_recipient *rcpt)
{
    INVARIANT(!rcpt->busy && !rcpt->gone);
    rcpt->busy = true;
    rcpt->message->busy++;
    rcpt->message->pins++;
    no_longer_fresh(q, rcpt);
}

static void no_longer_busy(struct queue *q, struct queued_recipient *rcpt)
{
    struct queued_message *m = rcpt->message;
    INVARIANT(rcpt->busy && m->busy > 0);
    rcpt->busy = false;
    if (--m->busy == 0 && !m->waits && !m->loading) queued_drop_content(m);
    unpin(q, m);
}

static void set_timer(struct queue *q, int64_t now);

void queue_again(struct queue *q, struct queued_recipient *rcpt, int64_t next_try)
{
    rcpt->next_try = next_try;
    due_push(&q->due, queue_entry(q, rcpt));
    no_longer_busy(q, rcpt);
    set_timer(q, relay_now(q->relay)); /* in a turn of its own: whoever puts it back is in the middle of its line */
}

void queue_gone(struct queue *q, struct queued_recipient *rcpt)
{
    INVARIANT(!rcpt->gone);
    rcpt->gone = true;
    no_longer_busy(q, rcpt);
}

int64_t queue_waited(const struct queue *q, const struct queued_recipient *rcpt)
{
    int64_t more = steady(q) - rcpt->since;
    return rcpt->waited + (more > 0 ? more : 0);
}

void queue_changed(struct queue *q, const int64_t *recipients, size_t n, bool due)
{
    int64_t now = relay_now(q->relay), since = steady(q);
    q->epoch++;
    for (size_t i = 0; i < n; i++) {
        struct queued_message *m = find(q, store_message_of(recipients[i]));
        struct queued_recipient *rcpt = m ? queued_find(m, recipients[i]) : NULL;
        if (rcpt) rcpt->changed = true;
        if (due) due_push(&q->due, (struct due){now, recipients[i], rcpt ? rcpt->since : since});
    }
    if (due) deliver_forget_failures(q->relay->deliver);
    queue_pump(q);
}

size_t queue_waiting(const struct queue *q) { return q->due.n; }
size_t queue_loaded(const struct queue *q) { return q->loaded_count; }

/* --- time --------------------------------------------------------------------------------------------------------- */

static void timer_fired(void *owner) { queue_pump(owner); }

/* The latest time that any schedule of ours could have meant. */
static int64_t furthest(const struct queue *q)
{
    const struct settings *settings = relay_settings(q->relay);
    struct retry longest = {.first = settings->retry_first, .most = settings->retry_most};
    for (size_t i = 0; i < settings->connector_count; i++)
        if (route_retry(settings, &settings->connectors[i]).most > longest.most)
            longest.most = route_retry(settings, &settings->connectors[i]).most;
    return schedule_clamp(&longest, INT64_MAX, relay_now(q->relay));
}

/* What is put off by a rule (deliver_after) is looked at too early then, and put off again: hand_out. */
void queue_clamp(struct queue *q) { due_clamp(&q->due, furthest(q)); }

/* A calendar that was set back would strand what is due by the old one. */
static void look_at_clock(struct queue *q)
{
    int64_t drift = relay_now(q->relay) - steady(q), jump = drift - q->drift;
    if (jump > CLOCK_TOLERANCE_S || jump < -CLOCK_TOLERANCE_S) {
        events_note(q->relay, EVENT_WARNING, "the clock jumped by %lld seconds; nothing is returned for that",
                    (long long)jump);
        queue_clamp(q);
    }
    q->drift = drift;
}

/* When it may be tried.  By a calendar that was set back since, a time lies too far ahead: after an attempt no pause is
 * longer than the schedule's, and what a rule put off waits as long as the rule meant by the clock that does not jump,
 * and at most till the next look. */
static int64_t may_be_tried(const struct queue *q, const struct queued_recipient *rcpt, int64_t now)
{
    if (rcpt->next_try <= now) return now;
    if (rcpt->attempts) return rcpt->next_try > furthest(q) ? now : rcpt->next_try;
    int64_t left = rcpt->next_try - rcpt->message->arrived - queue_waited(q, rcpt);
    int64_t by_waiting = now + (left > 0 ? left : 0);
    return rcpt->next_try > by_waiting + CLOCK_TOLERANCE_S ? by_waiting : rcpt->next_try;
}

/* In memory, and its time has come: offered to deliver, or put off. */
static void hand_out(struct queue *q, struct queued_recipient *rcpt, int64_t now)
{
    int64_t at = may_be_tried(q, rcpt, now);
    if (rcpt->changed) { /* its message is still here for another: when that is over, the row is read */
        due_push(&q->due, (struct due){now + LOOK_AGAIN_S, rcpt->id, rcpt->since});
        no_longer_fresh(q, rcpt); /* it may be gone with its message */
    } else if (at > now) {
        due_push(&q->due, (struct due){at, rcpt->id, rcpt->since});
        no_longer_fresh(q, rcpt);
    } else {
        rcpt->message->pins++;
        deliver_due(q->relay->deliver, rcpt);
        struct queued_message *m = rcpt->message;
        no_longer_fresh(q, rcpt);
        unpin(q, m);
    }
}

/* An entry whose message is here; just now: read for it.  Then a recipient that did not come is queued no more (two
 * entries may stand for one, of which the first was the last), else it may be queued since. */
static void take_entry(struct queue *q, struct queued_message *m, const struct due *d, int64_t now, bool just_now)
{
    struct queued_recipient *rcpt = queued_find(m, d->recipient);
    if (!rcpt && just_now) return;
    if (!rcpt) {
        due_push(&q->due, (struct due){now + LOOK_AGAIN_S, d->recipient, d->since});
        return;
    }
    if (rcpt->busy || rcpt->gone) return; /* its outcome makes a new entry, or none */
    /* An entry from before its last attempt (a request by hand makes a second one) would count what was counted
     * then. */
    bool from_before = rcpt->attempts && d->at < rcpt->next_try;
    if (!from_before && d->since < rcpt->since) rcpt->since = d->since;
    hand_out(q, rcpt, now);
}

static void batch_message(void *owner, const struct stored_message *m)
{
    struct batch *b = owner;
    struct queue *q = b->queue;
    if (b->epoch != q->epoch || find(q, store_message_of(m->recipients[0].id))) return;
    struct queued_message *message = queued_copy(m, steady(q));
    if (!message) return;
    take_in(q, message);
    b->taken[b->taken_count++] = message;
}

static bool has_read(const struct batch *b, const struct queued_message *m)
{
    for (size_t i = 0; i < b->taken_count; i++)
        if (b->taken[i] == m) return true;
    return false;
}

/* Each entry is looked at; then the messages that nobody holds go.  What was changed by hand in the meantime is read
 * again. */
static void batch_done(void *owner, bool ok, const struct err *e)
{
    struct batch *b = owner;
    struct queue *q = b->queue;
    int64_t now = relay_now(q->relay);
    bool again = !ok || b->epoch != q->epoch;
    if (!ok) events_note(q->relay, EVENT_ERROR, "what is due cannot be read: %s", e ? e->text : "unknown");
    if (!ok) now += LOOK_AGAIN_S;
    q->pumping = true;
    for (size_t i = 0; i < b->n; i++) {
        struct queued_message *m = find(q, store_message_of(b->entries[i].recipient));
        if (again && !m)
            due_push(&q->due, (struct due){now, b->entries[i].recipient, b->entries[i].since});
        else if (m)
            take_entry(q, m, &b->entries[i], now, !again && has_read(b, m));
    }
    for (size_t i = 0; i < b->taken_count; i++) unpin(q, b->taken[i]);
    q->pumping = false;
    q->batch = NULL;
    q->spare = b;
    queue_pump(q);
}

static void read_batch(struct queue *q)
{
    struct batch *b = q->batch;
    b->epoch = q->epoch;
    b->query = (struct store_query){.kind = QUERY_LOAD,
                                    .ids = b->ids,
                                    .id_count = b->messages,
                                    .message = batch_message,
                                    .done = batch_done,
                                    .owner = b};
    q->relay->store->query(q->relay->store->self, &b->query);
}

/* Its message is not here: it joins the batch that will be read. */
static void join_batch(struct batch *b, const struct due *d)
{
    int64_t id = store_message_of(d->recipient);
    b->entries[b->n++] = *d;
    for (size_t i = b->messages; i > 0; i--)
        if (b->ids[i - 1] == id) return;
    b->ids[b->messages++] = id;
}

static struct batch *new_batch(struct queue *q)
{
    struct batch *b = q->spare ? q->spare : mem_alloc(sizeof *b);
    q->spare = NULL;
    b->queue = q;
    b->n = b->messages = b->taken_count = 0;
    return b;
}

static void set_timer(struct queue *q, int64_t now)
{
    struct relay *r = q->relay;
    int64_t at;
    if (!due_first(&q->due, &at)) return;
    if (at <= now && q->batch) return; /* its end pumps again */
    int64_t wait = at <= now ? 0 : (at * 1000000 - relay_micro(r)) / 1000 + 1;
    if (wait > 60000) wait = 60000; /* the calendar may be set meanwhile */
    q->timer.fired = timer_fired;
    q->timer.owner = q;
    r->net->timer_set(r->net->self, &q->timer, wait);
}

void queue_pump(struct queue *q)
{
    struct relay *r = q->relay;
    if (q->pumping || q->loading || !r->current || r->stopping) return;
    q->pumping = true;
    look_at_clock(q);
    int64_t now = relay_now(r);
    struct batch *b = NULL;
    struct due d;
    /* One batch at a time is read, and entries that need one wait for it. */
    for (unsigned done = 0; done < PUMP_BATCH && (!b || b->n < PUMP_BATCH); done++) {
        int64_t at;
        if (!due_first(&q->due, &at) || at > now) break;
        if (q->batch && !find(q, store_message_of(q->due.v[0].recipient))) break;
        if (!due_pop(&q->due, now, &d)) break;
        struct queued_message *m = find(q, store_message_of(d.recipient));
        if (m) {
            take_entry(q, m, &d, now, false);
            continue;
        }
        if (!b) b = new_batch(q);
        join_batch(b, &d);
    }
    q->pumping = false;
    if (b) {
        q->batch = b;
        read_batch(q);
    }
    set_timer(q, now);
}

/* --- the start ---------------------------------------------------------------------------------------------------- */

static void due_page(void *owner, const struct due_entry *v, size_t n)
{
    struct queue *q = owner;
    int64_t since = steady(q);
    for (size_t i = 0; i < n; i++) due_push(&q->due, (struct due){v[i].next_try, v[i].recipient, since});
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
    q->drift = relay_now(r) - steady(q);
    return q;
}

void queue_load(struct queue *q, void (*loaded)(struct relay *r, const char *failure))
{
    q->loading = true;
    q->loaded = loaded;
    q->load = (struct store_query){.kind = QUERY_DUE, .due = due_page, .done = due_done, .owner = q};
    q->relay->store->query(q->relay->store->self, &q->load);
}

void queue_free(struct queue **at)
{
    struct queue *q = *at;
    *at = NULL;
    if (!q) return;
    q->relay->net->timer_clear(q->relay->net->self, &q->timer);
    for (size_t i = 0; i < BUCKETS; i++) {
        while (q->buckets[i]) {
            free(q->buckets[i]->loading);
            q->buckets[i]->waits = NULL;
            q->buckets[i]->loading = NULL;
            message_free(q, q->buckets[i]);
        }
    }
    due_free(&q->due);
    free(q->batch);
    free(q->spare);
    free(q);
}

/* --- content ------------------------------------------------------------------------------------------------------ */

struct reading {
    struct store_query query;
    struct queue *queue;
    struct queued_message *message;
    struct err failure; /* sysexit 0: none */
};

static void content_message(void *owner, const struct stored_message *m)
{
    struct reading *g = owner;
    struct relay *r = g->queue->relay;
    struct err e = {0};
    queued_drop_content(g->message);
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
        queued_drop_content(m);
    }
    /* Held while the waiters are told: each may end its recipients. */
    m->busy++;
    while (m->waits) {
        struct content_wait *w = m->waits;
        m->waits = w->next;
        w->ready(w->owner, failure->sysexit ? failure : NULL);
    }
    if (--m->busy == 0) queued_drop_content(m);
    unpin(g->queue, m);
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
    m->pins++;
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
