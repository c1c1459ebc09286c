/* DNS with validation, by libunbound in a thread of its own (ub_ctx_async with 1: its default would fork the relay);
 * the only user of that library.  Its answers come through a descriptor of the loop. */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unbound.h>

#include "net/core.h"
#include "net/dns_records.h"

enum { RR_A = 1, RR_MX = 15, RR_AAAA = 28, CLASS_IN = 1 };
static const int types[NET_DNS_KINDS] = {[NET_DNS_MX] = RR_MX, [NET_DNS_A] = RR_A, [NET_DNS_AAAA] = RR_AAAA};

struct dns {
    struct loop *loop;
    struct ub_ctx *ctx;
    struct poller *poller;
};

/* One question; told by `work` where it failed before it was asked. */
struct question {
    struct dns *dns; /* NULL: never asked */
    struct loop *loop;
    struct link link;
    struct net_dns_query *query;
    int id;
    struct work work;
    const char *why;
    enum net_dns_status status;
};

static void answer(struct question *q, const struct net_dns_answer *a)
{
    struct net_dns_query *query = q->query;
    link_remove(&q->link);
    free(q);
    query->impl = NULL;
    query->done(query->owner, a);
}

static void tell_failure(struct work *w)
{
    struct question *q = LINK_OWNER(w, struct question, work);
    answer(q, &(struct net_dns_answer){.status = q->status, .why = q->why});
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

static size_t take_records(struct arena *a, enum net_dns_kind kind, const struct ub_result *r,
                           struct net_dns_record *out)
{
    size_t n = 0;
    for (size_t i = 0; r->data[i] && n < DNS_RECORDS_MAX; i++) {
        struct str rdata = {r->data[i], r->len[i] > 0 ? (size_t)r->len[i] : 0};
        if (dns_record_read(a, kind, rdata, &out[n])) n++;
    }
    return n;
}

/* RCODE 3 without proof of a lie is "no such domain"; 0 without data is "no such records"; all else says nothing. */
static void read_answer(struct arena *a, enum net_dns_kind kind, const struct ub_result *r,
                        struct net_dns_record *records, struct net_dns_answer *out)
{
    enum { NOERROR = 0, NXDOMAIN = 3 };
    out->secure = r->secure && !r->bogus;
    if (r->canonname && r->qname && strcmp(r->canonname, r->qname) != 0) {
        struct str name = str_of(r->canonname);
        out->canonical = name.n && name.p[name.n - 1] == '.' ? str_slice(name, 0, name.n - 1) : name;
    }
    if (r->bogus) {
        out->status = NET_DNS_BOGUS;
        out->why = r->why_bogus ? r->why_bogus : "the DNSSEC signatures are broken";
        out->secure = false;
    } else if (r->nxdomain) {
        out->status = NET_DNS_NO_DOMAIN;
        out->why = "the domain does not exist";
    } else if (r->rcode != NOERROR) {
        out->status = NET_DNS_FAILED;
        out->why = "the name servers do not answer";
    } else if (!r->havedata) {
        out->status = NET_DNS_NO_DATA;
        out->why = "the domain has no such records";
    } else {
        out->v = records;
        out->n = take_records(a, kind, r, records);
        out->status = out->n ? NET_DNS_FOUND : NET_DNS_FAILED;
        out->why = out->n ? NULL : "the records make no sense";
    }
}

static void on_answer(void *owner, int trouble, struct ub_result *result)
{
    struct question *q = owner;
    struct net_dns_record records[DNS_RECORDS_MAX];
    struct net_dns_answer a = {0};
    struct arena *arena = arena_create();
    if (trouble || !result) {
        a.status = NET_DNS_FAILED;
        a.why = trouble ? ub_strerror(trouble) : "no answer";
    } else {
        read_answer(arena, q->query->kind, result, records, &a);
    }
    answer(q, &a);
    ub_resolve_free(result);
    arena_free(&arena);
}

static void on_ready(void *owner, int events)
{
    struct dns *d = owner;
    (void)events;
    ub_process(d->ctx);
}

/* --- the port ----------------------------------------------------------------------------------------------------- */

static void fail_later(struct question *q, enum net_dns_status status, const char *why)
{
    q->status = status;
    q->why = why;
    q->work.run = tell_failure;
    loop_queue(q->loop, &q->work);
}

static void port_ask(void *self, struct net_dns_query *query)
{
    struct loop *l = self;
    char name[DNS_NAME_MAX + 1];
    struct question *q = mem_alloc(sizeof *q);
    INVARIANT(!query->impl && query->kind < NET_DNS_KINDS);
    q->loop = l;
    q->query = query;
    link_add(&l->questions, &q->link);
    query->impl = q;
    if (!dns_name_is_sound(query->name)) {
        fail_later(q, NET_DNS_NO_DOMAIN, "that is no domain name");
        return;
    }
    if (!l->dns) {
        fail_later(q, NET_DNS_FAILED, "no resolver is set up");
        return;
    }
    memcpy(name, query->name.p, query->name.n);
    name[query->name.n] = '\0';
    int rc = ub_resolve_async(l->dns->ctx, name, types[query->kind], CLASS_IN, q, on_answer, &q->id);
    if (rc) {
        fail_later(q, NET_DNS_FAILED, ub_strerror(rc));
        return;
    }
    q->dns = l->dns;
}

static void port_withdraw(void *self, struct net_dns_query *query)
{
    struct loop *l = self;
    struct question *q = query->impl;
    if (!q) return;
    query->impl = NULL;
    if (q->dns) ub_cancel(q->dns->ctx, q->id);
    loop_unqueue(l, &q->work);
    link_remove(&q->link);
    free(q);
}

/* The context goes, and with it its thread; its questions are none any more. */
static void dns_free(struct loop *l)
{
    struct dns *d = l->dns;
    l->dns = NULL;
    if (!d) return;
    for (struct link *at = l->questions.next; at != &l->questions; at = at->next) {
        struct question *q = LINK_OWNER(at, struct question, link);
        if (!q->dns) continue;
        ub_cancel(d->ctx, q->id);
        q->dns = NULL;
        fail_later(q, NET_DNS_FAILED, "the resolver was set up anew");
    }
    poller_free(&d->poller);
    ub_ctx_delete(d->ctx);
    free(d);
}

/* Zones that libunbound answers for by itself unless told otherwise (RFC 6761, RFC 8375).  The last step: it fixes the
 * rest. */
static int unblock(struct ub_ctx *ctx)
{
    static const char *const zones[] = {"test.", "home.arpa."};
    int rc = 0;
    for (size_t i = 0; i < sizeof zones / sizeof *zones && !rc; i++) rc = ub_ctx_zone_remove(ctx, zones[i]);
    return rc;
}

static bool set_up(struct ub_ctx *ctx, struct str resolver, struct str anchor, struct err *e)
{
    char text[256];
    if (resolver.n >= sizeof text || anchor.n >= sizeof text)
        return err_set(e, EX_CONFIG, "the resolver's name is too long");
    int rc = ub_ctx_async(ctx, 1);
    if (!rc && resolver.n) {
        memcpy(text, resolver.p, resolver.n);
        text[resolver.n] = '\0';
        rc = ub_ctx_set_fwd(ctx, text);
        if (rc) return err_set(e, EX_CONFIG, "resolver \"%s\": %s", text, ub_strerror(rc));
    } else if (!rc) {
        ub_ctx_resolvconf(ctx, NULL); /* without the file it asks the root servers itself */
    }
    if (!rc && resolver.n) { /* whoever names a name server means it to be asked: on loopback, and about local zones */
        ub_ctx_set_option(ctx, "do-not-query-localhost:", "no");
        ub_ctx_set_option(ctx, "unblock-lan-zones:", "yes");
    }
    if (!rc && anchor.n) {
        memcpy(text, anchor.p, anchor.n);
        text[anchor.n] = '\0';
        rc = ub_ctx_add_ta_file(ctx, text);
        if (rc) return err_set(e, EX_CONFIG, "DNSSEC trust anchor %s: %s", text, ub_strerror(rc));
    }
    if (!rc && resolver.n) rc = unblock(ctx);
    return rc == 0 || err_set(e, EX_OSERR, "cannot set up the resolver: %s", ub_strerror(rc));
}

static bool port_use(void *self, struct str resolver, struct str anchor, struct err *e)
{
    struct loop *l = self;
    struct ub_ctx *ctx = ub_ctx_create();
    if (!ctx) return err_set(e, EX_OSERR, "cannot set up the resolver");
    if (!set_up(ctx, resolver, anchor, e)) {
        ub_ctx_delete(ctx);
        return false;
    }
    dns_free(l);
    struct dns *d = mem_alloc(sizeof *d);
    d->loop = l;
    d->ctx = ctx;
    d->poller = poller_create(l, ub_fd(ctx), on_ready, d);
    poller_want(d->poller, UV_READABLE);
    l->dns = d;
    return true;
}

void dns_end(struct loop *l)
{
    dns_free(l);
    while (l->questions.next != &l->questions) {
        struct question *q = LINK_OWNER(l->questions.next, struct question, link);
        loop_unqueue(l, &q->work);
        link_remove(&q->link);
        q->query->impl = NULL;
        free(q);
    }
}

void dns_fill_port(struct net_port *p)
{
    p->dns_use = port_use;
    p->dns_ask = port_ask;
    p->dns_withdraw = port_withdraw;
}
