/* relay/control: the control socket: JSON lines, one table of operations (DESIGN section 7).
 *
 * A request is one object on one line of at most 64 KiB: {"v":1,"op":"queue release","id":"…"}.  The answer is any
 * number of rows, each an object on a line, and then one object with "ok": {"v":1,"ok":true,"text":"…"} or
 * {"v":1,"ok":false, "status":64..78,"error":"…"}.  Requests of one connection are answered in order.  Reading is for
 * whoever may open the socket; changing things is for root and the relay's own user.
 *
 *   - status: one row: state hostname generation last_good sandbox listeners judges sessions deliveries queued held memory
 *     uptime, and counts since the start (held is left out of a long queue)
 *   - queue: a row per message, names of `postqueue -j`: queue_name queue_id arrival_time message_size forced_expire sender
 *     recipients[{address, delay_reason, and ours: state tls rule tls_rule connector next_try expires attempts}]
 *   - queue release: "id": every recipient of that message is due now
 *   - rules: a row per rule that was ever counted: rule applied rejected deferred undecided audit last_hit
 *   - list: a row per live list: list table type entries revision available; list show: a row per entry: entry
 *   - list add, list remove: "list", "entries":[…]: answered when it is stored and every judge has it, by one row:
 *     table changed unchanged entries revision
 *   - reload: answered when the new generation is in force, or refused: then "error" is the diagnostics
 *
 * Owns the listening socket and the connections. */
#ifndef SLUICE_RELAY_CONTROL_H
#define SLUICE_RELAY_CONTROL_H

#include "relay/state.h"

struct control *control_create(struct relay *r);
void control_free(struct control **c);
void control_open(struct control *c, int fd); /* a listening socket; replaces one that is open */
void control_stop(struct control *c);
bool control_is_idle(const struct control *c); /* no request waits for its answer */

#endif
