#include "relay/destination.h"

#include <stdlib.h>
#include <string.h>

#include "mail/address.h"
#include "mail/domain.h"
#include "relay/generation.h"
#include "relay/route.h"

/* --- which there are ---------------------------------------------------------------------------------------------- */

void destination_free(struct destination *to)
{
    hosts_free(&to->hosts);
    VEC_FREE(&to->parked);
    free(to->down_why);
    free(to);
}

static bool is_forgettable(const struct destination *to)
{
    return !to->first && !to->connections && !to->parked.n && relay_ms(to->deliver->relay) >= to->down_until_ms;
}

/* There is a next hop for every domain of the world: those that nothing waits for go, in a turn of their own. */
static void forget_some(void *owner)
{
    struct deliver *d = owner;
    d->sweeping = false;
    map_free(&d->by_name);
    for (struct destination **at = &d->destinations; *at;) {
        struct destination *to = *at;
        if (is_forgettable(to)) {
            *at = to->next;
            destination_free(to);
            continue;
        }
        map_put(&d->by_name, to->key, to);
        at = &to->next;
    }
    d->hops_most = d->by_name.n < DELIVER_HOPS_KEPT / 2 ? DELIVER_HOPS_KEPT : 2 * d->by_name.n;
}

static void ask_for_sweep(struct deliver *d)
{
    const struct net_port *net = d->relay->net;
    if (d->sweeping) return;
    d->sweeping = true;
    d->sweep.fired = forget_some;
    d->sweep.owner = d;
    net->timer_set(net->self, &d->sweep, 0);
}

static struct destination *destination_create(struct deliver *d, struct str key, size_t name)
{
    struct destination *to = mem_alloc(sizeof *to + key.n);
    memcpy(to + 1, key.p, key.n);
    to->key = (struct str){(char *)(to + 1), key.n};
    to->name = str_slice(to->key, 0, name);
    to->hop = str_from(to->key, name + 1);
    to->deliver = d;
    to->window = DELIVER_PER_HOP;
    to->next = d->destinations;
    d->destinations = to;
    map_put(&d->by_name, to->key, to);
    return to;
}

/* The domain whose mail exchangers are asked for, in the form that DNS knows; empty for a connector with hosts of its
 * own. */
static void add_hop(const struct connector_settings *c, struct str address, struct buf *out)
{
    struct str domain = address_domain(address);
    if (c->host.n || (domain.n && domain_canonical(domain, out))) return;
    buf_add(out, domain); /* an address literal; or what DNS will say does not exist */
}

struct destination *destination_of(struct deliver *d, const struct connector_settings *c, struct str address)
{
    struct buf key = {0};
    buf_add(&key, c->name);
    buf_add_byte(&key, '\0');
    add_hop(c, address, &key);
    struct destination *to = map_get(&d->by_name, buf_str(&key));
    if (!to) {
        if (d->by_name.n >= d->hops_most) ask_for_sweep(d);
        to = destination_create(d, buf_str(&key), c->name.n);
    }
    buf_free(&key);
    return to;
}

bool destination_has_hop(const struct destination *to, const struct connector_settings *c, struct str address)
{
    struct buf hop = {0};
    add_hop(c, address, &hop);
    bool same = str_eq(buf_str(&hop), to->hop);
    buf_free(&hop);
    return same;
}

/* --- their lines -------------------------------------------------------------------------------------------------- */

void destination_push(struct destination *to, struct delivery *d)
{
    d->next = NULL;
    if (to->last)
        to->last->next = d;
    else
        to->first = d;
    to->last = d;
    to->line++;
    to->deliver->waiting++;
}

void destination_put_back(struct delivery *d)
{
    struct destination *to = d->destination;
    d->next = to->first;
    to->first = d;
    if (!to->last) to->last = d;
    to->line++;
    to->deliver->waiting++;
}

struct delivery *destination_pop(struct destination *to)
{
    struct delivery *d = to->first;
    to->first = d->next;
    if (!to->first) to->last = NULL;
    to->line--;
    to->deliver->waiting--;
    d->next = NULL;
    return d;
}

void destination_park(struct destination *to, struct due entry) { VEC_PUSH(&to->parked, entry); }

void destination_unpark(struct destination *to)
{
    struct relay *r = to->deliver->relay;
    if (!to->parked.n || to->line > DELIVER_LINE_MAX / 2) return;
    size_t n = to->parked.n < DELIVER_LINE_MAX ? to->parked.n : DELIVER_LINE_MAX;
    queue_put(r->queue, to->parked.v, n, relay_now(r));
    to->parked.n -= n;
    memmove(to->parked.v, to->parked.v + n, to->parked.n * sizeof *to->parked.v);
    queue_pump(r->queue);
}

/* --- what their hosts do ------------------------------------------------------------------------------------------ */

void destination_note_down(struct destination *to, const struct trouble *t)
{
    const struct settings *settings = relay_settings(to->deliver->relay);
    int64_t first_ms = (int64_t)route_retry(settings, settings_connector(settings, to->name)).first * 1000;
    char *why = mem_alloc(t->why.n + t->reply.text.n + 1);
    if (t->why.n) memcpy(why, t->why.p, t->why.n);
    if (t->reply.text.n) memcpy(why + t->why.n, t->reply.text.p, t->reply.text.n);
    to->down = *t;
    to->down.why = (struct str){why, t->why.n};
    to->down.reply.text = (struct str){why + t->why.n, t->reply.text.n};
    free(to->down_why);
    to->down_why = why;
    to->down_until_ms = relay_ms(to->deliver->relay) + (first_ms < DELIVER_DOWN_MS ? first_ms : DELIVER_DOWN_MS);
}

/* Otherwise it would only be one more attempt at a closed door. */
bool destination_is_down(const struct destination *to)
{
    return to->down_why && !to->open && relay_ms(to->deliver->relay) < to->down_until_ms;
}

void destination_took(struct destination *to, uint64_t edition, int which)
{
    if (to->hosts && hosts_edition(to->hosts) == edition) hosts_worked(to->hosts, which);
    if (to->window >= DELIVER_PER_HOP || ++to->taken < to->window) return;
    to->taken = 0;
    to->window++;
}

void destination_turned_away(struct destination *to)
{
    to->taken = 0;
    to->window = to->open > 2 ? to->open / 2 : 1;
}
