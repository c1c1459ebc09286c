#include "relay/suspend.h"

#include <stdlib.h>
#include <string.h>

#include "mail/address.h"
#include "mail/like.h"
#include "relay/events.h"

enum { VALUE_MAX = 1024 }; /* longer than any address that is taken in */

struct suspension {
    struct suspension *next;
    struct stored_suspension what; /* texts behind the struct */
    struct net_timer timer;
    struct suspensions *all;
    VEC(struct due) parked;
};

struct suspensions {
    struct relay *relay;
    struct suspension *first, **end;
    size_t count;
    struct store_query load;
};

static void arm(struct suspension *one);

static struct str put(char **at, struct str s)
{
    struct str copy = {*at, s.n};
    if (s.n) memcpy(*at, s.p, s.n);
    *at += s.n;
    return copy;
}

void suspensions_add(struct suspensions *s, const struct stored_suspension *from)
{
    size_t bytes = from->sender.n + from->recipient.n + from->domain.n + from->connector.n + from->reason.n;
    struct suspension *one = mem_alloc(sizeof *one + bytes);
    char *text = (char *)(one + 1);
    one->all = s;
    one->what = *from;
    one->what.sender = put(&text, from->sender);
    one->what.recipient = put(&text, from->recipient);
    one->what.domain = put(&text, from->domain);
    one->what.connector = put(&text, from->connector);
    one->what.reason = put(&text, from->reason);
    *s->end = one;
    s->end = &one->next;
    s->count++;
    arm(one);
}

static void drop(struct suspensions *s, struct suspension **at)
{
    struct suspension *one = *at;
    *at = one->next;
    if (!*at) s->end = at;
    s->count--;
    s->relay->net->timer_clear(s->relay->net->self, &one->timer);
    VEC_FREE(&one->parked);
    free(one);
}

static void let_go(struct suspensions *s, struct suspension **at)
{
    struct relay *r = s->relay;
    struct suspension *one = *at;
    queue_put(r->queue, one->parked.v, one->parked.n, relay_now(r));
    drop(s, at);
    queue_pump(r->queue);
}

void suspensions_end(struct suspensions *s, int64_t id)
{
    for (struct suspension **at = &s->first; *at; at = &(*at)->next) {
        if ((*at)->what.id != id) continue;
        let_go(s, at);
        return;
    }
}

/* --- its end ------------------------------------------------------------------------------------------------------ */

/* Its row goes too; should that fail, the next start finds one that is over. */
struct ending {
    struct store_change change;
};
static void ended(void *owner, bool ok, const struct err *e)
{
    (void)ok, (void)e;
    free(owner);
}

static void timer_fired(void *owner)
{
    struct suspension *one = owner;
    struct suspensions *s = one->all;
    struct relay *r = s->relay;
    if (relay_now(r) < one->what.ends) {
        arm(one);
        return;
    }
    struct ending *g = mem_alloc(sizeof *g);
    g->change = (struct store_change){
        .kind = CHANGE_RESUME, .suspension = {.id = one->what.id}, .now = relay_now(r), .done = ended, .owner = g};
    r->store->change(r->store->self, &g->change);
    events_note(r, EVENT_INFO, "suspension %lld is over", (long long)one->what.id);
    suspensions_end(s, one->what.id);
}

/* In steps of a minute: the calendar may be set meanwhile. */
static void arm(struct suspension *one)
{
    const struct relay *r = one->all->relay;
    if (!one->what.ends) return;
    int64_t left = one->what.ends - relay_now(r);
    one->timer.fired = timer_fired;
    one->timer.owner = one;
    r->net->timer_set(r->net->self, &one->timer, left <= 0 ? 1 : (left < 60 ? left : 60) * 1000);
}

/* --- looking ------------------------------------------------------------------------------------------------------ */

/* Patterns are in lower case already. */
static bool fits(struct str pattern, struct str value)
{
    char lower[VALUE_MAX];
    if (!pattern.n) return true;
    if (value.n > sizeof lower) return false;
    for (size_t i = 0; i < value.n; i++) lower[i] = ascii_lower(value.p[i]);
    return like_match(pattern, (struct str){lower, value.n});
}

const struct stored_suspension *suspensions_find(const struct suspensions *s, struct str sender, struct str recipient,
                                                 struct str connector)
{
    for (const struct suspension *one = s->first; one; one = one->next) {
        const struct stored_suspension *w = &one->what;
        bool from = str_eq(w->sender, STR("<>")) ? !sender.n : fits(w->sender, sender);
        if (from && fits(w->recipient, recipient) && fits(w->domain, address_domain(recipient)) &&
            fits(w->connector, connector))
            return w;
    }
    return NULL;
}

bool suspensions_cover(const struct suspensions *s, const struct queued_recipient *rcpt, struct str connector)
{
    return s->first && suspensions_find(s, rcpt->message->reverse_path, rcpt->address, connector);
}

bool suspensions_park(struct suspensions *s, const struct queued_recipient *rcpt, struct str connector)
{
    if (!s->first) return false;
    const struct stored_suspension *what = suspensions_find(s, rcpt->message->reverse_path, rcpt->address, connector);
    if (!what) return false;
    struct suspension *one = s->first;
    while (&one->what != what) one = one->next;
    VEC_PUSH(&one->parked, queue_entry(s->relay->queue, rcpt));
    return true;
}

bool suspensions_have_room(const struct suspensions *s) { return s->count < SUSPENSIONS_MAX; }
size_t suspensions_count(const struct suspensions *s) { return s->count; }

const struct stored_suspension *suspensions_at(const struct suspensions *s, size_t i, size_t *waiting)
{
    const struct suspension *one = s->first;
    while (one && i--) one = one->next;
    if (one) *waiting = one->parked.n;
    return one ? &one->what : NULL;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void loaded_one(void *owner, const struct stored_suspension *one) { suspensions_add(owner, one); }

static void loaded_all(void *owner, bool ok, const struct err *e)
{
    struct suspensions *s = owner;
    if (!ok) events_note(s->relay, EVENT_ERROR, "suspensions cannot be read: %s", e ? e->text : "unknown");
}

struct suspensions *suspensions_create(struct relay *r)
{
    struct suspensions *s = mem_alloc(sizeof *s);
    s->relay = r;
    s->end = &s->first;
    return s;
}

void suspensions_load(struct suspensions *s)
{
    s->load = (struct store_query){.kind = QUERY_SUSPENSIONS, .suspension = loaded_one, .done = loaded_all, .owner = s};
    s->relay->store->query(s->relay->store->self, &s->load);
}

void suspensions_free(struct suspensions **at)
{
    struct suspensions *s = *at;
    *at = NULL;
    while (s->first) drop(s, &s->first);
    free(s);
}
