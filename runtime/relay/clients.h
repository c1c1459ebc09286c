/* relay/clients: how much each client address does, held to its listener's limits.
 *
 * Counts sessions that are open and, in windows of one minute, connections, messages, recipients and passwords.  A
 * client is an IPv4 address or an IPv6 /64.  Owns its table, which is bounded: when it is full, who is not in it is not
 * limited. */
#ifndef SLUICE_RELAY_CLIENTS_H
#define SLUICE_RELAY_CLIENTS_H

#include "base/str.h"

enum client_count { CLIENT_CONNECTS, CLIENT_MESSAGES, CLIENT_RECIPIENTS, CLIENT_PASSWORDS, CLIENT_COUNTS };
enum { CLIENTS_WINDOW_MS = 60000, CLIENTS_MOST = 65536 };

struct clients;
struct client; /* one address; valid while one of its sessions is open */

struct clients *clients_create(void);
void clients_free(struct clients **c); /* no session is open any more */

/* A session begins: NULL when the table is full.  `now` is monotonic milliseconds. */
struct client *clients_enter(struct clients *c, struct str ip, int64_t now);
void clients_leave(struct clients *c, struct client *who); /* NULL-safe */
uint32_t client_sessions(const struct client *who); /* open now, this one included; 0 for NULL */

/* One more; false, and not counted, when `most` were counted in this minute already.  most 0: no limit.  NULL: true. */
bool client_count(struct client *who, enum client_count what, uint32_t most, int64_t now);
uint32_t client_counted(const struct client *who, enum client_count what, int64_t now); /* in this minute; 0 for NULL */

#endif
