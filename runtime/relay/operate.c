#include "relay/operate.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "mail/like.h"
#include "relay/events.h"
#include "relay/generation.h"
#include "relay/route.h"

enum { CHANGE_AT_ONCE = 500 }; /* recipients in one transaction */

bool operate_takes(struct relay *r, const struct queue_filter *f, const struct stored_recipient *rcpt)
{
    char why[ROUTE_WHY_MAX], name[256];
    if (!f->connector.n || rcpt->connector.n) return true;
    const struct connector_settings *c =
        r->current ? route_find(relay_settings(r), rcpt->address, STR_NONE, why) : NULL;
    if (!c || c->name.n > sizeof name) return false;
    for (size_t i = 0; i < c->name.n; i++) name[i] = ascii_lower(c->name.p[i]);
    return like_match(f->connector, (struct str){name, c->name.n});
}

bool operate_is_put_off(const struct relay *r, const struct stored_recipient *rcpt)
{
    return rcpt->state == RECIPIENT_QUEUED && !rcpt->attempts && rcpt->next_try > relay_now(r);
}

static void finish(struct operation *o, bool ok, const struct err *e)
{
    VEC_FREE(&o->ids);
    o->done(o->owner, ok, e);
}

static void change_some(struct operation *o);

static void changed(void *owner, bool ok, const struct err *e)
{
    struct operation *o = owner;
    if (!ok) {
        finish(o, false, e);
        return;
    }
    bool due = o->kind == CHANGE_RELEASE || o->kind == CHANGE_RETRY || o->kind == CHANGE_REDIRECT;
    queue_changed(o->relay->queue, o->change.recipients, o->change.recipient_count, due);
    o->changed += o->change.changed;
    change_some(o);
}

static void change_some(struct operation *o)
{
    size_t left = o->ids.n - o->at;
    if (!left) {
        finish(o, true, NULL);
        return;
    }
    size_t n = left < CHANGE_AT_ONCE ? left : CHANGE_AT_ONCE;
    o->change = (struct store_change){.kind = o->kind,
                                      .recipients = o->ids.v + o->at,
                                      .recipient_count = n,
                                      .text = o->text,
                                      .audit = o->audit,
                                      .now = relay_now(o->relay),
                                      .done = changed,
                                      .owner = o};
    o->at += n;
    o->relay->store->change(o->relay->store->self, &o->change);
}

static void passed(void *owner, const struct stored_message *m)
{
    struct operation *o = owner;
    struct stored_message view = *m;
    view.recipients = mem_array(m->recipient_count, sizeof *view.recipients);
    view.recipient_count = 0;
    for (size_t i = 0; i < m->recipient_count; i++)
        if (operate_takes(o->relay, &o->filter, &m->recipients[i]))
            view.recipients[view.recipient_count++] = m->recipients[i];
    for (size_t i = 0; i < view.recipient_count && !o->dry_run; i++) VEC_PUSH(&o->ids, view.recipients[i].id);
    if (view.recipient_count) {
        o->messages++;
        o->recipients += view.recipient_count;
        for (size_t i = 0; i < view.recipient_count; i++) {
            o->kept += view.recipients[i].state != RECIPIENT_QUEUED;
            o->put_off += operate_is_put_off(o->relay, &view.recipients[i]);
        }
        if (o->row) o->row(o->owner, &view);
    }
    free(view.recipients);
}

static void all_passed(void *owner, bool ok, const struct err *e)
{
    struct operation *o = owner;
    if (!ok || o->dry_run)
        finish(o, ok, e);
    else
        change_some(o);
}

void operate(struct relay *r, struct operation *o)
{
    o->relay = r;
    o->messages = o->recipients = o->changed = o->kept = o->put_off = 0;
    o->at = 0;
    memset(&o->ids, 0, sizeof o->ids);
    o->query = (struct store_query){
        .kind = QUERY_QUEUE, .filter = o->filter, .message = passed, .done = all_passed, .owner = o};
    r->store->query(r->store->self, &o->query);
}

/* --- damage that was found ---------------------------------------------------------------------------------------- */

struct setting_aside {
    struct operation operation;
    char text[256];
    char queue_id[];
};

static void set_aside(void *owner, bool ok, const struct err *e)
{
    struct setting_aside *g = owner;
    struct relay *r = g->operation.relay;
    if (ok)
        events_note(r, EVENT_ERROR, "message %s is set aside: %s", g->queue_id, g->text);
    else
        events_note(r, EVENT_ERROR, "message %s is damaged (%s) and cannot be set aside: %s", g->queue_id, g->text,
                    e ? e->text : "unknown");
    free(g);
}

static void damaged(void *owner, struct str queue_id, const struct err *e)
{
    struct relay *r = owner;
    if (e->sysexit == EX_NOUSER) { /* some recipients, aside already */
        events_note(r, EVENT_ERROR, "message %.*s: %s", STR_ARG(queue_id), e->text);
        return;
    }
    struct setting_aside *g = mem_alloc(sizeof *g + queue_id.n + 1);
    if (queue_id.n) memcpy(g->queue_id, queue_id.p, queue_id.n);
    size_t n = strnlen(e->text, sizeof g->text - 1);
    memcpy(g->text, e->text, n);
    g->operation = (struct operation){.kind = CHANGE_DAMAGED,
                                      .filter = {.queue_id = {g->queue_id, queue_id.n}},
                                      .text = {g->text, n},
                                      .done = set_aside,
                                      .owner = g};
    operate(r, &g->operation);
}

void operate_watch(struct relay *r) { r->store->watch(r->store->self, damaged, r); }
