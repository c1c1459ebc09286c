/* relay/events: the log lines of the relay, one function per event: the names and keys are an interface.
 *
 * Owns the form of each event, nothing else.  Never a subject, never a body. */
#ifndef SLUICE_RELAY_EVENTS_H
#define SLUICE_RELAY_EVENTS_H

#include "base/json.h"
#include "base/log.h"
#include "mail/envelope.h"
#include "mail/verdict.h"
#include "relay/state.h"
#include "store/port.h"

enum { EVENT_INFO = LOG_LEVEL_INFO, EVENT_WARNING = LOG_LEVEL_WARNING, EVENT_ERROR = LOG_LEVEL_ERROR };

enum { EVENT_NAMES_MAX = 50 }; /* recipients of one event that are named one by one */

/* Something about the relay itself. */
void events_note(struct relay *r, int level, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* `about`: the queue id of the message that a report or notice of ours is about; empty for others. */
void events_queued(struct relay *r, const struct stored_message *m, struct str about);
/* `to`: the recipient; of several the first. */
void events_refused(struct relay *r, struct str queue_id, const struct envelope *env, const struct reply *reply,
                    struct str rule);
/* MAIL (`to` is empty), RCPT, DATA or content that is not kept is refused. */
void events_not_taken(struct relay *r, struct str queue_id, struct str client, struct str from, struct str to,
                      const struct reply *reply);
/* A session ended before its time. */
void events_disconnect(struct relay *r, struct str queue_id, struct str client, const char *reason);
/* event=rule: what a `log` action says; event=audit: what a rule in mode audit would have done. */
void events_rule(struct relay *r, enum note_kind kind, struct str queue_id, struct str rule, struct str recipient,
                 struct str text);

/* event=audit, one for each recipient that it concerns. */
void events_audit(struct relay *r, struct str queue_id, const struct envelope *env, const struct verdict_note *n);

/* What a rule decided for one recipient of a message that is accepted: "dropped", "rejected", "redirected". */
void events_fate(struct relay *r, struct str queue_id, const char *what, struct str rule, struct str recipient,
                 struct str text);

/* Who did what by hand to one recipient, or to a message (`recipient` is empty); `text`: the new address, or why. */
void events_by_hand(struct relay *r, int64_t uid, struct str queue_id, struct str recipient, struct str what,
                    struct str text);

/* event=command: who had what done, over the control socket: its name, what `request` says of which mail and why, and
 * the answer, an error unless `ok`. */
void events_command(struct relay *r, int64_t uid, struct str name, const struct js *request, bool ok,
                    struct str answer);

/* One recipient at one attempt. */
struct event_attempt {
    const char *what; /* "delivered", "deferred", "returned", "held" */
    struct str queue_id, recipient, connector, relay, tls_had, reason;
    struct obligation tls_asked;
    uint32_t attempts;
    int64_t delay_s;
};
void events_attempt(struct relay *r, const struct event_attempt *a);

#endif
