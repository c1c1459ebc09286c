#include "tests/support/memory_impl.h"

#include <stdio.h>
#include <string.h>

#include "base/ip.h"

/* "10 mx.example, 20 other.example" or "192.0.2.1, 192.0.2.2" into records; what each word means is the kind's. */
static size_t read_records(const struct memory_dns *row, struct net_dns_record *out, size_t most)
{
    struct str word, rest = str_of(row->records);
    size_t n = 0;
    for (bool more = rest.n > 0; more && n < most; n++) {
        more = str_cut(rest, ',', &word, &rest);
        word = str_trim(word);
        out[n] = (struct net_dns_record){0};
        if (row->kind == NET_DNS_MX) {
            struct str preference;
            uint64_t number;
            str_cut(word, ' ', &preference, &out[n].name);
            INVARIANT(str_to_u64(preference, &number));
            out[n].preference = (uint16_t)number;
            if (str_eq(out[n].name, STR("."))) out[n].name = STR("");
        } else {
            INVARIANT(ip_parse(word, out[n].ip));
        }
    }
    return n;
}

static const struct memory_dns *find(struct memory *m, uint8_t kind, struct str name)
{
    for (const struct memory_dns *row = m->dns; row && row->name; row++)
        if (row->kind == kind && str_eq_nocase(name, str_of(row->name))) return row;
    return NULL;
}

static void answer(struct memory *m, struct net_dns_query *q, struct str name)
{
    enum { MOST = 100 };
    static struct net_dns_record records[MOST];
    const struct memory_dns *row = find(m, q->kind, name);
    struct net_dns_answer a = {.status = row ? row->status : NET_DNS_NO_DATA, .secure = row && row->secure};
    if (a.status == NET_DNS_FOUND) {
        a.v = records;
        a.n = read_records(row, records, MOST);
    } else {
        a.why = "the test says so";
    }
    m->dns_asked++;
    q->done(q->owner, &a);
}

static bool port_use(void *self, struct str resolver, struct str anchor, struct err *e)
{
    (void)self, (void)resolver, (void)anchor, (void)e;
    return true;
}

static void port_ask(void *self, struct net_dns_query *q)
{
    struct memory *m = self;
    struct mem_question *mine = mem_alloc(sizeof *mine);
    INVARIANT(!q->impl && q->name.n < sizeof mine->name);
    mine->query = q;
    memcpy(mine->name, q->name.p, q->name.n);
    q->impl = mine;
    struct mem_question **at = &m->impl->questions;
    while (*at) at = &(*at)->next;
    *at = mine;
}

static void port_withdraw(void *self, struct net_dns_query *q)
{
    struct memory *m = self;
    for (struct mem_question **at = &m->impl->questions; *at; at = &(*at)->next) {
        if ((*at)->query != q) continue;
        struct mem_question *gone = *at;
        *at = gone->next;
        q->impl = NULL;
        free(gone);
        return;
    }
}

bool memory_dns_step(struct memory *m)
{
    struct mem_question *first = m->impl->questions;
    if (!first || m->dns_silent) return false;
    m->impl->questions = first->next;
    first->query->impl = NULL;
    answer(m, first->query, str_of(first->name));
    free(first);
    return true;
}

static bool port_is_local(void *self, const uint8_t ip[16])
{
    const struct memory *m = self;
    uint8_t own[IP_SIZE];
    return m->local && ip_parse(str_of(m->local), own) && ip_compare(own, ip) == 0;
}

void memory_dns_init(struct memory *m)
{
    m->net.dns_use = port_use;
    m->net.dns_ask = port_ask;
    m->net.is_local = port_is_local;
    m->net.dns_withdraw = port_withdraw;
}
