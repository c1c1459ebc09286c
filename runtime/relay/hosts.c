#include "relay/hosts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/ip.h"
#include "base/sort.h"
#include "mail/address.h"

struct exchange {
    struct str name;
    uint16_t preference;
    uint32_t chance; /* among equals */
    bool secure;
};

struct hosts {
    struct relay *relay;
    struct str domain; /* empty: a connector's own hosts */
    uint16_t port;
    struct arena *arena; /* of the list */
    struct exchange *exchanges;
    size_t exchange_count, next; /* next: whose addresses are being asked for */
    struct host v[HOSTS_MOST];
    int64_t bad_until[HOSTS_MOST]; /* UTC seconds */
    size_t n;
    bool has_trouble, asking;
    bool loops;  /* an exchanger is ourselves */
    bool unsure; /* some look-up failed: that there is no host may not be the truth */
    struct trouble trouble;
    char why[300];
    int64_t known_at; /* UTC seconds; 0: not yet */
    uint64_t edition;
    struct net_dns_query query;
    void (*known)(void *owner);
    void *owner;
};

static struct hosts *create(struct relay *r, struct str domain)
{
    struct hosts *h = mem_alloc(sizeof *h + domain.n);
    if (domain.n) memcpy(h + 1, domain.p, domain.n);
    h->relay = r;
    h->domain = (struct str){(char *)(h + 1), domain.n};
    h->arena = arena_create();
    h->edition = (uint64_t)relay_ms(r) << 20; /* another life of the same next hop counts elsewhere */
    return h;
}

struct hosts *hosts_of_domain(struct relay *r, struct str domain, uint16_t port)
{
    INVARIANT(domain.n);
    struct hosts *h = create(r, domain);
    h->port = port;
    return h;
}

struct hosts *hosts_of_connector(struct relay *r, const struct connector_settings *c)
{
    struct hosts *h = create(r, STR(""));
    struct str name, rest = arena_str(h->arena, c->host);
    for (bool more = true; more && h->n < HOSTS_MOST;) {
        more = str_cut(rest, ',', &name, &rest);
        name = str_trim(name);
        if (name.n) h->v[h->n++] = (struct host){.name = name, .where = name};
    }
    h->known_at = 1;
    return h;
}

void hosts_free(struct hosts **at)
{
    struct hosts *h = *at;
    *at = NULL;
    if (!h) return;
    if (h->asking) h->relay->net->dns_withdraw(h->relay->net->self, &h->query);
    arena_free(&h->arena);
    free(h);
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

static void tell(struct hosts *h)
{
    h->asking = false;
    h->known_at = relay_now(h->relay);
    h->known(h->owner);
}

static void ask(struct hosts *h, enum net_dns_kind kind, struct str name,
                void (*done)(void *owner, const struct net_dns_answer *a))
{
    h->query = (struct net_dns_query){.kind = kind, .name = name, .done = done, .owner = h};
    h->relay->net->dns_ask(h->relay->net->self, &h->query);
}

/* For good: nobody will ever take mail for this domain, as far as DNS can say. */
static void settle(struct hosts *h, struct status status, const char *what)
{
    snprintf(h->why, sizeof h->why, "%.*s %s", (int)(h->domain.n > 200 ? 200 : h->domain.n), h->domain.p, what);
    h->has_trouble = true;
    h->trouble = (struct trouble){.phase = TROUBLE_ROUTE,
                                  .cause = TROUBLE_UNABLE,
                                  .reply = {.code = 550, .status = status, .text = str_of(h->why)}};
}

static void refuse(struct hosts *h, struct status status, const char *what)
{
    settle(h, status, what);
    tell(h);
}

static void refuse_loop(struct hosts *h)
{
    refuse(h, STATUS(5, 4, 6), "has this relay as its best mail exchanger: the mail would loop");
}

static bool is_unspecified(const uint8_t ip[IP_SIZE])
{
    static const uint8_t zero[IP_SIZE];
    return memcmp(ip, zero, IP_SIZE) == 0 || (ip_is_v4(ip) && memcmp(ip + 12, zero, 4) == 0);
}

/* Whether who connects there reaches one of our listeners.  To connect to no address at all reaches this machine. */
static bool leads_to_us(const struct hosts *h, const uint8_t ip[IP_SIZE])
{
    const struct net_port *net = h->relay->net;
    const struct settings *s = relay_settings(h->relay);
    for (size_t i = 0; i < s->listener_count; i++) {
        const struct listener_settings *l = &s->listeners[i];
        uint8_t at[IP_SIZE];
        if (l->port != h->port || !ip_parse(l->ip, at) || ip_is_v4(at) != ip_is_v4(ip)) continue;
        if (ip_compare(at, ip) == 0 || is_unspecified(ip)) return true;
        if (is_unspecified(at) && net->is_local(net->self, ip)) return true;
    }
    return false;
}

/* What DNS could not say about `name`; the last word stands if no address is found in the end. */
static void note(struct hosts *h, struct str name, const struct net_dns_answer *a)
{
    h->unsure |= a->status == NET_DNS_FAILED || a->status == NET_DNS_BOGUS;
    snprintf(h->why, sizeof h->why, "looking up %.*s: %s", (int)(name.n > 200 ? 200 : name.n), name.p, a->why);
}

static void next_exchange(struct hosts *h);

/* We are this exchanger: only what is nearer to the goal may be tried (RFC 5321 section 5.1), of what is known and of
 * what is still to be asked for. */
static void leave_loop(struct hosts *h, uint16_t preference)
{
    while (h->n && h->v[h->n - 1].preference >= preference) h->n--;
    h->exchange_count = h->next;
    h->loops = true;
}

static void take_addresses(struct hosts *h, const struct net_dns_answer *a)
{
    const struct exchange *x = &h->exchanges[h->next];
    if (a->status != NET_DNS_FOUND) note(h, x->name, a);
    for (size_t i = 0; i < a->n; i++) {
        if (!leads_to_us(h, a->v[i].ip)) continue;
        leave_loop(h, x->preference);
        return;
    }
    for (size_t i = 0; i < a->n && h->n < HOSTS_MOST; i++) {
        char text[IP_TEXT_MAX];
        size_t n = ip_print(a->v[i].ip, text);
        h->v[h->n++] = (struct host){
            .name = x->name, .where = arena_str(h->arena, (struct str){text, n}), .preference = x->preference,
            .secure = x->secure && a->secure};
    }
}

static void on_v4(void *owner, const struct net_dns_answer *a)
{
    struct hosts *h = owner;
    take_addresses(h, a);
    if (!h->loops) h->next++;
    next_exchange(h);
}

static void on_v6(void *owner, const struct net_dns_answer *a)
{
    struct hosts *h = owner;
    take_addresses(h, a);
    if (h->loops)
        next_exchange(h);
    else
        ask(h, NET_DNS_A, h->exchanges[h->next].name, on_v4);
}

/* All was asked.  No address at all is for good only where every answer said so (RFC 5321 section 5.1). */
static void conclude(struct hosts *h)
{
    if (h->n) {
        tell(h);
    } else if (h->unsure) {
        h->has_trouble = true;
        h->trouble = (struct trouble){.phase = TROUBLE_ROUTE, .cause = TROUBLE_LOST, .why = str_of(h->why)};
        tell(h);
    } else if (h->loops) {
        refuse_loop(h);
    } else {
        refuse(h, STATUS(5, 4, 4), "has no mail exchanger with an address");
    }
}

static void next_exchange(struct hosts *h)
{
    if (h->next == h->exchange_count || h->n == HOSTS_MOST)
        conclude(h);
    else
        ask(h, NET_DNS_AAAA, h->exchanges[h->next].name, on_v6);
}

/* --- MX records --------------------------------------------------------------------------------------------------- */

static int by_preference(const void *a, const void *b, void *unused)
{
    const struct exchange *x = a, *y = b;
    (void)unused;
    if (x->preference != y->preference) return x->preference < y->preference ? -1 : 1;
    return (x->chance > y->chance) - (x->chance < y->chance);
}

/* Where we are in the list ourselves, only what is nearer to the goal may be tried (RFC 5321 section 5.1). */
static size_t without_loops(const struct hosts *h, size_t n)
{
    struct str us = relay_settings(h->relay)->hostname;
    for (size_t i = 0; i < n; i++) {
        if (!str_eq_nocase(h->exchanges[i].name, us)) continue;
        size_t nearer = 0;
        while (nearer < n && h->exchanges[nearer].preference < h->exchanges[i].preference) nearer++;
        return nearer;
    }
    return n;
}

static void take_exchanges(struct hosts *h, const struct net_dns_answer *a)
{
    h->exchanges = ARENA_ARRAY(h->arena, struct exchange, a->n);
    size_t n = 0;
    for (size_t i = 0; i < a->n; i++) {
        if (!a->v[i].name.n) continue; /* a null MX beside others says nothing */
        h->exchanges[n++] = (struct exchange){.name = arena_str(h->arena, a->v[i].name),
                                              .preference = a->v[i].preference,
                                              .chance = relay_chance(h->relay),
                                              .secure = a->secure};
    }
    sort_array(h->exchanges, n, sizeof *h->exchanges, by_preference, NULL);
    h->exchange_count = without_loops(h, n);
    if (n == 0)
        refuse(h, STATUS(5, 1, 10), "takes no mail (null MX)"); /* RFC 7505 section 3 */
    else if (h->exchange_count == 0)
        refuse_loop(h);
    else
        next_exchange(h);
}

/* Without MX records the domain is its own (RFC 5321 section 5.1). */
static void on_mx(void *owner, const struct net_dns_answer *a)
{
    struct hosts *h = owner;
    switch (a->status) {
    case NET_DNS_FOUND: take_exchanges(h, a); return;
    case NET_DNS_NO_DATA:
        h->exchanges = ARENA_ARRAY(h->arena, struct exchange, 1);
        h->exchanges[0] = (struct exchange){.name = arena_str(h->arena, h->domain), .secure = a->secure};
        h->exchange_count = without_loops(h, 1);
        if (h->exchange_count)
            next_exchange(h);
        else
            refuse_loop(h);
        return;
    case NET_DNS_NO_DOMAIN: refuse(h, STATUS(5, 1, 2), "does not exist"); return;
    case NET_DNS_FAILED:
    case NET_DNS_BOGUS:
        note(h, h->domain, a);
        conclude(h);
        return;
    }
}

bool hosts_are_known(struct hosts *h, void (*known)(void *owner), void *owner)
{
    if (!h->domain.n) return true;
    int64_t now = relay_now(h->relay);
    if (h->asking) return false;
    if (h->known_at && now >= h->known_at && now - h->known_at < (h->n ? HOSTS_KEPT_S : 1)) return true;
    arena_reset(h->arena);
    h->edition++;
    h->n = h->next = h->exchange_count = 0;
    memset(h->bad_until, 0, sizeof h->bad_until);
    h->has_trouble = h->unsure = h->loops = false;
    if (h->domain.p[0] == '[') { /* an address literal is its own answer */
        uint8_t ip[IP_SIZE];
        h->known_at = now;
        if (address_literal(h->domain, ip) && leads_to_us(h, ip))
            settle(h, STATUS(5, 4, 6), "is this relay: the mail would loop");
        else
            h->v[h->n++] = (struct host){.name = h->domain, .where = h->domain};
        return true;
    }
    h->asking = true;
    h->known = known;
    h->owner = owner;
    ask(h, NET_DNS_MX, h->domain, on_mx);
    return false;
}

/* --- choosing ----------------------------------------------------------------------------------------------------- */

const struct trouble *hosts_trouble(const struct hosts *h) { return h->has_trouble ? &h->trouble : NULL; }

int hosts_pick(const struct hosts *h, uint64_t not)
{
    int64_t now = relay_now(h->relay);
    for (size_t i = 0; i < h->n; i++)
        if (!(not >> i & 1) && h->bad_until[i] <= now) return (int)i;
    return HOSTS_NONE;
}

const struct host *hosts_at(const struct hosts *h, int which)
{
    INVARIANT(which >= 0 && (size_t)which < h->n);
    return &h->v[which];
}

uint64_t hosts_edition(const struct hosts *h) { return h->edition; }

void hosts_failed(struct hosts *h, int which)
{
    if (which >= 0 && (size_t)which < h->n) h->bad_until[which] = relay_now(h->relay) + HOSTS_BAD_S;
}

void hosts_worked(struct hosts *h, int which)
{
    if (which >= 0 && (size_t)which < h->n) h->bad_until[which] = 0;
}

void hosts_forgive(struct hosts *h) { memset(h->bad_until, 0, sizeof h->bad_until); }
