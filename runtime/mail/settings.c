#include "mail/settings.h"

#include <sysexits.h>

#include "base/ip.h"
#include "base/limits.h"
#include "base/wire.h"
#include "mail/domain.h"
#include "mail/evidence.h"
#include "mail/live_list.h"

/* The block begins with these; another layout gets another number, and is refused by a process of another build. */
static const struct str magic = {"sluice-settings-7", 17};

/* A path or name: what goes to the system as a C string may hold no NUL. */
static void io_name(struct wire_io *io, struct str *s)
{
    io_str(io, s);
    io_demand(io, str_find_byte(*s, '\0') == STR_NPOS);
}

static void io_range(struct wire_io *io, struct address_range *r)
{
    io_bytes(io, r->low, IP_SIZE);
    io_bytes(io, r->high, IP_SIZE);
    io_demand(io, ip_compare(r->low, r->high) <= 0);
}

static void io_ranges(struct wire_io *io, struct address_ranges *r) { IO_TABLE(io, r->v, r->n, 2 * IP_SIZE, io_range); }

static void io_domain(struct wire_io *io, struct str *d)
{
    io_str(io, d);
    struct str name = str_starts(*d, STR("*.")) ? str_from(*d, 2) : *d;
    io_demand(io, domain_is_valid(name, false));
}

static void io_domains(struct wire_io *io, struct domain_set *d) { IO_TABLE(io, d->v, d->n, 4, io_domain); }

static void io_listener(struct wire_io *io, struct listener_settings *l)
{
    io_name(io, &l->name);
    io_name(io, &l->ip);
    io_u16(io, &l->port);
    io_name(io, &l->certificate);
    io_name(io, &l->key);
    io_ranges(io, &l->relay_for);
    io_domains(io, &l->domains);
    io_enum(io, &l->tls, LISTENER_TLS_IMPLICIT + 1);
    io_enum(io, &l->auth, LISTENER_AUTH_REQUIRED + 1);
    io_ranges(io, &l->proxy_from);
    io_ranges(io, &l->xclient_from);
    io_u32(io, &l->sessions);
    io_u32(io, &l->client_sessions);
    io_u32(io, &l->client_connects);
    io_u32(io, &l->client_messages);
    io_u32(io, &l->client_recipients);
    io_u32(io, &l->patience);
    io_u32(io, &l->least_rate);
}

static void io_connector(struct wire_io *io, struct connector_settings *k)
{
    io_name(io, &k->name);
    io_name(io, &k->host);
    io_u16(io, &k->port);
    io_enum(io, &k->tls, CONNECTOR_TLS_VERIFIED + 1);
    io_name(io, &k->tls_name);
    io_name(io, &k->trust);
    io_domains(io, &k->domains);
    io_name(io, &k->user);
    io_name(io, &k->password_file);
    io_demand(io, !k->user.n == !k->password_file.n);
    io_demand(io, !k->user.n || (k->host.n && k->tls == CONNECTOR_TLS_VERIFIED)); /* where passwords may go */
    io_u32(io, &k->retry_first);
    io_u32(io, &k->retry_most);
    io_u32(io, &k->retry_until);
    io_u32(io, &k->retry_notice);
}

static void io_live_list(struct wire_io *io, struct live_list_settings *l)
{
    io_name(io, &l->name);
    io_name(io, &l->table);
    io_enum(io, &l->type, LIVE_TYPE_COUNT);
    io_demand(io, l->name.n && l->table.n);
}

static void io_rule(struct wire_io *io, struct rule_settings *r)
{
    io_str(io, &r->name);
    io_name(io, &r->mode);
    io_u32(io, &r->file);
    io_u32(io, &r->line);
}

/* Bytes of an empty one. */
enum { LISTENER_LEAST = 4 * 15 + 4, CONNECTOR_LEAST = 4 * 7 + 3 + 4 * 4, LIVE_LEAST = 4 * 2 + 1, RULE_LEAST = 4 * 4 };

static void io_settings(struct wire_io *io, struct settings *s)
{
    io_name(io, &s->hostname);
    io_name(io, &s->state);
    io_name(io, &s->control);
    io_name(io, &s->user);
    io_name(io, &s->judge_user);
    io_domains(io, &s->internal);
    io_bool(io, &s->sandbox);
    io_u64(io, &s->memory);
    io_u64(io, &s->free_space);
    io_u64(io, &s->message_size);
    io_u32(io, &s->judges);
    io_bool(io, &s->log_json);
    io_name(io, &s->resolver);
    io_name(io, &s->trust_anchor);
    io_enum(io, &s->partial_reject, 4);
    io_enum(io, &s->evidence, EVIDENCE_POLICY_COUNT);
    io_u32(io, &s->retry_first);
    io_u32(io, &s->retry_most);
    io_u32(io, &s->retry_until);
    io_u32(io, &s->retry_notice);
    IO_TABLE(io, s->listeners, s->listener_count, LISTENER_LEAST, io_listener);
    IO_TABLE(io, s->connectors, s->connector_count, CONNECTOR_LEAST, io_connector);
    IO_TABLE(io, s->live_lists, s->live_list_count, LIVE_LEAST, io_live_list);
    io_demand(io, s->live_list_count <= LIVE_LISTS_MAX);
    IO_TABLE(io, s->files, s->file_count, 4, io_name);
    IO_TABLE(io, s->rules, s->rule_count, RULE_LEAST, io_rule);
    for (size_t i = 0; i < s->rule_count && io_goes_on(io); i++) io_demand(io, s->rules[i].file < s->file_count);
}

void settings_encode(const struct settings *s, struct buf *out)
{
    struct settings same = *s; /* writing stores nothing: base/wire.h */
    buf_add(out, magic);
    io_settings(&(struct wire_io){.out = out}, &same);
}

bool settings_decode(struct arena *a, struct str block, struct settings *out, struct err *e)
{
    if (block.n > LIMIT_SETTINGS_BLOCK) return err_set(e, EX_DATAERR, "a settings block of %zu bytes", block.n);
    if (!str_starts(block, magic)) return err_set(e, EX_DATAERR, "the settings are of another build");
    struct wire w = wire_of(arena_str(a, str_from(block, magic.n)));
    *out = (struct settings){0};
    io_settings(&(struct wire_io){.in = &w, .arena = a}, out);
    if (wire_done(&w)) return true;
    *out = (struct settings){0};
    return err_set(e, EX_DATAERR, "the settings block is damaged");
}

bool ranges_contain(const struct address_ranges *r, struct str ip)
{
    uint8_t bytes[IP_SIZE];
    if (!ip_parse(ip, bytes)) return false;
    for (size_t i = 0; i < r->n; i++)
        if (ip_in_range(bytes, r->v[i].low, r->v[i].high)) return true;
    return false;
}

enum fit { FIT_NONE, FIT_WILDCARD, FIT_EXACT };

/* How well a set names a domain: exact before wildcard. */
static enum fit domains_fit(const struct domain_set *d, struct str domain)
{
    char lower[LIMIT_DOMAIN];
    enum fit best = FIT_NONE;
    if (domain.n > sizeof lower) return FIT_NONE;
    for (size_t i = 0; i < domain.n; i++) lower[i] = ascii_lower(domain.p[i]);
    struct str name = {lower, domain.n};
    for (size_t i = 0; i < d->n && best != FIT_EXACT; i++) {
        if (!domain_matches(d->v[i], name)) continue;
        best = str_starts(d->v[i], STR("*.")) ? FIT_WILDCARD : FIT_EXACT;
    }
    return best;
}

bool domains_contain(const struct domain_set *d, struct str domain) { return domains_fit(d, domain) != FIT_NONE; }

const struct connector_settings *settings_connector(const struct settings *s, struct str name)
{
    for (size_t i = 0; i < s->connector_count; i++)
        if (str_eq(s->connectors[i].name, name)) return &s->connectors[i];
    return NULL;
}

const struct connector_settings *settings_route(const struct settings *s, struct str domain)
{
    const struct connector_settings *best = NULL;
    enum fit best_fit = FIT_NONE;
    for (size_t i = 0; i < s->connector_count; i++) {
        enum fit fit = domains_fit(&s->connectors[i].domains, domain);
        if (fit <= best_fit) continue;
        best = &s->connectors[i];
        best_fit = fit;
    }
    return best ? best : settings_connector(s, STR("default"));
}
