/* Which connection a mail gets: one that stands, or a new one, to which host and under which name. */
#include <stdio.h>
#include <string.h>

#include "relay/connection.h"

bool connection_takes(const struct connection *c, const struct delivery *d, const struct connector_settings *how)
{
    if (c->over || !c->stream || c->generation != c->relay->current->number || how->tls != c->connector_tls)
        return false;
    if (!obligation_covers(c->demand, tls_policy_demand(d->need, c->connector_tls))) return false;
    if (d->lacking && d->edition == c->edition && (d->lacking >> c->which & 1)) return false;
    return !d->tls_spent || !c->tls || c->served; /* one that was told to go without TLS may use any that works */
}

static struct str keep(char **at, struct str s)
{
    struct str copy = {*at, s.n};
    if (s.n) memcpy(*at, s.p, s.n);
    (*at)[s.n] = '\0';
    *at += s.n + 1;
    return copy;
}

/* Which name a verified certificate must bear.  An exchanger that DNS named without proof is anybody's word: there only
 * the domain itself will do (RFC 8689 section 4.2.1, RFC 7672 section 2.2.1). */
static struct str name_to_verify(const struct destination *to, const struct host *host,
                                 const struct connector_settings *how)
{
    if (how->tls_name.n) return how->tls_name;
    return to->hop.n && !host->secure ? to->hop : host->name;
}

static void write_label(const struct host *host, uint16_t port, char *out, size_t size)
{
    int n = (int)(host->name.n > 255 ? 255 : host->name.n);
    if (str_eq(host->name, host->where))
        snprintf(out, size, "%.*s:%u", n, host->name.p, (unsigned)port);
    else
        snprintf(out, size, "%.*s[%.*s]:%u", n, host->name.p, STR_ARG(host->where), (unsigned)port);
}

struct connection *connection_open(struct destination *to, struct delivery *first, const struct connector_settings *how,
                                   int which)
{
    struct relay *r = to->deliver->relay;
    struct connection *c = mem_alloc(sizeof *c);
    const struct host *host = hosts_at(to->hosts, which);
    struct str tls_name = name_to_verify(to, host, how);
    char label[340];
    write_label(host, how->port, label, sizeof label);
    char *at = c->text = mem_alloc(host->where.n + tls_name.n + how->trust.n + sizeof label + 4);
    c->where = keep(&at, host->where);
    c->tls_name = keep(&at, tls_name);
    c->trust = keep(&at, how->trust);
    c->label = keep(&at, str_of(label));
    c->edition = hosts_edition(to->hosts);
    c->which = which;
    c->destination = to;
    c->relay = r;
    c->port = how->port;
    c->connector_tls = how->tls;
    c->login = how->user.n != 0;
    c->demand = tls_policy_demand(first->need, how->tls);
    c->tls_spent = first->tls_spent;
    c->generation = r->current->number;
    c->client = smtp_client_create(&(struct smtp_client_options){.hostname = relay_settings(r)->hostname});
    c->next = to->connections;
    to->connections = c;
    to->open++;
    to->deliver->connections++;
    connection_give(c, first);
    c->stream =
        r->net->connect(r->net->self, &(struct net_target){.host = c->where, .port = c->port}, &connection_events, c);
    connection_deadline(c, DELIVER_CONNECT_MS);
    return c;
}
