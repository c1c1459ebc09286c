/* relay/route: which connector a recipient leaves by, under the running settings.  Pure. */
#ifndef SLUICE_RELAY_ROUTE_H
#define SLUICE_RELAY_ROUTE_H

#include "mail/settings.h"
#include "relay/schedule.h"

enum { ROUTE_WHY_MAX = 320 };

/* By name where a rule chose one, else by the recipient's domain.  NULL: it waits, and `why` says for what: the name is
 * no longer declared, or no connector takes the domain. */
const struct connector_settings *route_find(const struct settings *s, struct str address, struct str connector,
                                            char why[ROUTE_WHY_MAX]);

/* The schedule of a connector's mail; NULL, where there is none: the relay's. */
struct retry route_retry(const struct settings *s, const struct connector_settings *c);

#endif
