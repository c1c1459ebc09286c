#include "mail/settings.h"

#include <sysexits.h>

#include "base/ip.h"
#include "base/limits.h"
#include "base/wire.h"
#include "mail/domain.h"

/* The block begins with these; another layout gets another number, and is refused by a process of another build. */
static const struct str magic = {"sluice-settings-1", 17};

/* One walk over the fields serves writing and reading: a field is named once, in `settings_walk` and its parts, so the
 * two cannot differ.  Exactly one of `out` and `in` is set. */
struct codec {
    struct buf *out;
    struct wire *in;
    struct arena *arena; /* when reading */
};

#define WALK_NUMBER(name, type)                        \
    static void walk_##name(struct codec *c, type *v)  \
    {                                                  \
        if (c->out)                                    \
            wire_put_##name(c->out, *v);               \
        else                                           \
            *v = wire_##name(c->in);                   \
    }
WALK_NUMBER(u16, uint16_t)
WALK_NUMBER(u32, uint32_t)
WALK_NUMBER(u64, uint64_t)
WALK_NUMBER(bool, bool)
WALK_NUMBER(str, struct str)
#undef WALK_NUMBER

static void walk_enum(struct codec *c, uint8_t *v, unsigned n)
{
    if (c->out)
        wire_put_u8(c->out, *v);
    else
        *v = wire_enum(c->in, n);
}

/* A path or name: what goes to the system as a C string may hold no NUL. */
static void walk_name(struct codec *c, struct str *s)
{
    walk_str(c, s);
    if (c->in && str_find_byte(*s, '\0') != STR_NPOS) wire_fail(c->in);
}

/* The number of records of at least `each` bytes; when reading, the table for them. */
static void *walk_table(struct codec *c, void *table, size_t *n, size_t each, size_t size)
{
    if (c->out) {
        wire_put_count(c->out, *n);
        return table;
    }
    *n = wire_count(c->in, each);
    return *n ? arena_array(c->arena, *n, size) : NULL;
}

static void walk_ranges(struct codec *c, struct address_ranges *r)
{
    r->v = walk_table(c, r->v, &r->n, 2 * IP_SIZE, sizeof *r->v);
    for (size_t i = 0; i < r->n; i++) {
        if (c->out) {
            wire_put_bytes(c->out, r->v[i].low, IP_SIZE);
            wire_put_bytes(c->out, r->v[i].high, IP_SIZE);
            continue;
        }
        wire_copy(c->in, r->v[i].low, IP_SIZE);
        wire_copy(c->in, r->v[i].high, IP_SIZE);
        if (ip_compare(r->v[i].low, r->v[i].high) > 0) wire_fail(c->in);
    }
}

static void walk_domains(struct codec *c, struct domain_set *d)
{
    d->v = walk_table(c, d->v, &d->n, 4, sizeof *d->v);
    for (size_t i = 0; i < d->n; i++) {
        walk_str(c, &d->v[i]);
        struct str name = str_starts(d->v[i], STR("*.")) ? str_from(d->v[i], 2) : d->v[i];
        if (c->in && !domain_is_valid(name, false)) wire_fail(c->in);
    }
}

static void walk_listener(struct codec *c, struct listener_settings *l)
{
    walk_name(c, &l->name);
    walk_name(c, &l->ip);
    walk_u16(c, &l->port);
    walk_name(c, &l->certificate);
    walk_name(c, &l->key);
    walk_ranges(c, &l->relay_for);
    walk_domains(c, &l->domains);
}

static void walk_connector(struct codec *c, struct connector_settings *k)
{
    walk_name(c, &k->name);
    walk_name(c, &k->host);
    walk_u16(c, &k->port);
    walk_enum(c, &k->tls, CONNECTOR_TLS_VERIFIED + 1);
    walk_name(c, &k->tls_name);
    walk_name(c, &k->trust);
    walk_domains(c, &k->domains);
}

enum { LISTENER_LEAST = 4 * 6 + 2, CONNECTOR_LEAST = 4 * 5 + 3 }; /* bytes of an empty one */

static void settings_walk(struct codec *c, struct settings *s)
{
    walk_name(c, &s->hostname);
    walk_name(c, &s->state);
    walk_name(c, &s->control);
    walk_name(c, &s->user);
    walk_name(c, &s->judge_user);
    walk_domains(c, &s->internal);
    walk_bool(c, &s->sandbox);
    walk_u64(c, &s->memory);
    walk_u64(c, &s->free_space);
    walk_u64(c, &s->message_size);
    walk_u32(c, &s->judges);
    walk_enum(c, &s->partial_reject, 4);
    walk_u32(c, &s->retry_first);
    walk_u32(c, &s->retry_most);
    walk_u32(c, &s->retry_until);
    s->listeners = walk_table(c, s->listeners, &s->listener_count, LISTENER_LEAST, sizeof *s->listeners);
    for (size_t i = 0; i < s->listener_count; i++) walk_listener(c, &s->listeners[i]);
    s->connectors = walk_table(c, s->connectors, &s->connector_count, CONNECTOR_LEAST, sizeof *s->connectors);
    for (size_t i = 0; i < s->connector_count; i++) walk_connector(c, &s->connectors[i]);
}

void settings_encode(const struct settings *s, struct buf *out)
{
    struct settings same = *s; /* writing changes nothing: every walk_… only reads when `out` is set */
    struct codec c = {.out = out};
    buf_add(out, magic);
    settings_walk(&c, &same);
}

bool settings_decode(struct arena *a, struct str block, struct settings *out, struct err *e)
{
    if (block.n > LIMIT_SETTINGS_BLOCK) return err_set(e, EX_DATAERR, "a settings block of %zu bytes", block.n);
    if (!str_starts(block, magic)) return err_set(e, EX_DATAERR, "the settings are of another build");
    struct wire w = wire_of(arena_str(a, str_from(block, magic.n)));
    struct codec c = {.in = &w, .arena = a};
    *out = (struct settings){0};
    settings_walk(&c, out);
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
