/* relay/control: the control socket: JSON lines, one table of operations (DESIGN section 7).
 *
 * A request is one object on one line of at most 64 KiB: {"v":1,"op":"queue release","id":"…"}.  The answer is any
 * number of rows, each an object on a line, and then one object with "ok": {"v":1,"ok":true,"text":"…"} or
 * {"v":1,"ok":false, "status":64..78,"error":"…"}.  Requests of one connection are answered in order.  Reading is for
 * whoever may open the socket; changing things is for root and the relay's own user.
 *
 *   - status: one row: state hostname generation last_good sandbox listeners judges sessions deliveries messages queued
 * held damaged suspensions free_space accepting checked memory uptime, and counts since the start (held and damaged are
 * left out of a long queue)
 *   - queue: a row per message that passes "filter" {id sender recipient domain connector rule reason state older newer
 * larger smaller}; names of `postqueue -j`: queue_name queue_id arrival_time message_size forced_expire sender
 *     recipients[{address, delay_reason, and ours: state tls rule tls_rule connector routed_by waits_for next_try
 * expires attempts waited}]
 *   - queue hold | release | retry | remove | redirect: "id", or "filter", or "all":true; "text" is the reason or the
 * new address; "dry_run":true answers the rows that would be touched
 *   - queue why: "id": the row of that message, then its audit rows: at what rule recipient text
 *   - queue suspend: "filter" (connector domain recipient sender) or "all", "text" the reason, "for" seconds; queue
 * resume: "suspension"; queue suspensions: a row each: suspension, its filter, reason began ends waiting
 *   - queue export, queue import begin | copy | recipient | content | end: relay/control_transfer
 *   - backup: rows of progress, then one with the paths `database` and `spool`, which hold still until "backup drop" or
 * the end of the connection
 *   - rules: a row per rule that was ever counted: rule applied rejected deferred undecided audit last_hit
 *   - list: a row per live list: list table type entries revision available; list show: a row per entry: entry
 *   - list add, list remove: "list", "entries":[…]: answered when it is stored and every judge has it, by one row:
 *     table changed unchanged entries revision
 *   - reload: answered when the new generation is in force, or refused: then "error" is the diagnostics
 *
 * What a command changed, or was not let, is a line of the log with the uid of who gave it; what decides a recipient's
 * fate leaves an audit row with it.
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
