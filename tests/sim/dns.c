/* Name servers: what hosts.c's domains have, when they answer. */
#include <string.h>

#include "base/ip.h"
#include "tests/sim/sim.h"

/* Only mx.example follows MX records; the others are connectors' hosts, which net/ resolves by itself. */
static const struct {
    const char *name;
    uint8_t kind;
    uint16_t preference;
    const char *says;
} records[] = {
    {"mx.example", NET_DNS_MX, 10, "mx1.mx.example"}, {"mx.example", NET_DNS_MX, 20, "mx2.mx.example"},
    {"mx1.mx.example", NET_DNS_A, 0, "192.0.2.1"},    {"mx2.mx.example", NET_DNS_A, 0, "192.0.2.2"},
    {"mx2.mx.example", NET_DNS_A, 0, "192.0.2.3"},
};

struct question {
    struct net_dns_query *query; /* NULL: withdrawn */
    char name[256];
    uint8_t kind;
};

static void answer(void *what)
{
    struct question *q = what;
    struct net_dns_record v[8];
    if (!q->query) return;
    struct net_dns_answer a = {.status = NET_DNS_NO_DATA, .v = v, .why = "there are no such records"};
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        if (records[i].kind != q->kind || !str_eq_nocase(str_of(records[i].name), str_of(q->name))) continue;
        v[a.n] = (struct net_dns_record){.preference = records[i].preference};
        if (q->kind == NET_DNS_MX)
            v[a.n].name = str_of(records[i].says);
        else
            INVARIANT(ip_parse(str_of(records[i].says), v[a.n].ip));
        a.n++;
        a.status = NET_DNS_FOUND;
    }
    if (sim_happens(POINT_DNS_FAILS))
        a = (struct net_dns_answer){.status = sim_roll(2) ? NET_DNS_FAILED : NET_DNS_BOGUS, .why = "SERVFAIL"};
    if (sim_happens(POINT_DNS_EMPTY)) {
        a = (struct net_dns_answer){.status = sim_roll(2) ? NET_DNS_NO_DATA : NET_DNS_NO_DOMAIN,
                                    .why = "nothing there"};
        history_refused(str_of("@mx.example"));
    }
    sim_trace("dns %s kind %d: %d", q->name, q->kind, (int)a.status);
    struct net_dns_query *query = q->query;
    query->impl = NULL;
    query->done(query->owner, &a);
}

static bool port_use(void *self, struct str resolver, struct str anchor, struct err *e)
{
    (void)self, (void)resolver, (void)anchor, (void)e;
    return true;
}

static void port_ask(void *self, struct net_dns_query *query)
{
    struct question *q = mem_alloc(sizeof *q);
    (void)self;
    INVARIANT(!query->impl && query->name.n < sizeof q->name);
    memcpy(q->name, query->name.p, query->name.n);
    q->query = query;
    q->kind = query->kind;
    query->impl = q;
    sim_after_alive(sim_happens(POINT_DNS_SLOW) ? sim_between(SECONDS(1), MINUTES(3)) : sim_between(100, 200000),
                    answer, q);
}

static void port_withdraw(void *self, struct net_dns_query *query)
{
    struct question *q = query->impl;
    (void)self;
    if (q) q->query = NULL;
    query->impl = NULL;
}

void dns_fill_port(struct net_port *p)
{
    p->dns_use = port_use;
    p->dns_ask = port_ask;
    p->dns_withdraw = port_withdraw;
}
