#include "relay/route.h"

#include <stdio.h>

#include "base/vec.h"
#include "mail/address.h"
#include "mail/domain.h"

const struct connector_settings *route_find(const struct settings *s, struct str address, struct str connector,
                                            char why[ROUTE_WHY_MAX])
{
    if (connector.n) {
        const struct connector_settings *c = settings_connector(s, connector);
        if (!c) snprintf(why, ROUTE_WHY_MAX, "connector %.*s is no longer declared", STR_ARG(connector));
        return c;
    }
    struct str domain = address_domain(address);
    struct buf canonical = {0};
    if (!str_is_ascii(domain) && domain_canonical(domain, &canonical)) domain = buf_str(&canonical);
    const struct connector_settings *c = settings_route(s, domain);
    if (!c) snprintf(why, ROUTE_WHY_MAX, "no connector for the domain %.*s", STR_ARG(domain));
    buf_free(&canonical);
    return c;
}

struct retry route_retry(const struct settings *s, const struct connector_settings *c)
{
    if (c && c->retry_until) return (struct retry){c->retry_first, c->retry_most, c->retry_until, c->retry_notice};
    return (struct retry){s->retry_first, s->retry_most, s->retry_until, s->retry_notice};
}
