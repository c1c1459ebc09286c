/* relay/control: the control socket: who may ask what, and the answers.
 *
 * JSON lines.  A request is one object, {"v":1,"op":"status"|"reload"|"queue"|"queue release"|"rules"} ("queue release" with
 * "id"), at most LIMIT_CONTROL_REQUEST bytes.  The answer is any number of rows, one object a line, then one last object that
 * alone has "ok":
 *   {"ok":true}                            or with "text": words for a person ("generation 7: 12 rules")
 *   {"ok":false,"status":65,"error":"…"}   a sysexits code and a sentence, or the diagnostics of a refused reload
 * Rows: status {"state","hostname","generation","rules","last_good","sandbox","judges","sessions","deliveries","queued","held",
 * "memory","uptime"}; queue: the fields of postqueue -j (queue_name: "incoming" "active" "deferred" "hold" "quarantine";
 * queue_id, arrival_time, message_size, forced_expire, sender, recipients[{address, delay_reason}]) and per recipient ours:
 * state ("queued" "held" "quarantined"), tls, rule, attempts, next_try, expires; rules {"rule","applied","rejected","deferred",
 * "undecided","audit","last_hit"}.  `cli/client.h` is the other side.
 *
 * Reading is for everybody who can open the socket; reload and release are for root and the relay's own user. */
