/* relay/control_core: what the operations of the control socket share: a client, its request, its answer.  Private to
 * relay/control*.c.
 *
 * An operation answers any number of rows (control_row) and then, once, control_ok, control_error or control_result. */
#ifndef SLUICE_RELAY_CONTROL_CORE_H
#define SLUICE_RELAY_CONTROL_CORE_H

#include "base/json.h"
#include "relay/control.h"
#include "relay/operate.h"
#include "relay/reload.h"

struct transfer;

struct client {
    struct client *next;
    struct control *control;
    struct relay *relay;
    struct net_stream *stream; /* NULL once closed */
    struct buf in, out;
    bool busy;         /* a request waits for its answer: nothing further is read from `in` */
    bool asked_reload; /* `waiter` is with relay/reload */
    bool closing, overflow;
    bool taking;        /* take_requests runs */
    const struct op *op; /* of the request: control.c */
    int64_t uid;         /* who asks: of the request */
    struct js *request; /* alive until its answer: views into it are good so long */
    struct buf text;    /* of the request's filter, in lower case */
    struct buf audit;   /* what audit rows say of the request: control_signed */
    struct store_query query;
    struct store_change change;
    struct operation operation;
    struct reload_waiter waiter;
    uint64_t states[RECIPIENT_STATE_COUNT]; /* status: counted in the store */
    bool counted;
    uint32_t told; /* why: rows */
    struct transfer *transfer; /* what is being exported or imported: relay/control_transfer */
    struct store_backup backup;
    struct rule_listing *rules; /* while the store counts: relay/control_rules */
};

/* One row; prints and frees the object.  To a client that is gone, or reads too slowly, it vanishes. */
void control_row(struct client *c, struct js *row);
void control_ok(struct client *c, struct str text);
void control_error(struct client *c, int status, struct str text);
void control_result(void *client, bool ok, const struct err *e); /* the `done` of a store request */

/* Runs a query whose `done`, where it is not given, is control_result. */
void control_query(struct client *c, struct store_query query);

/* A text of the request; empty when it is not there. */
struct str control_text(const struct client *c, const char *key);

/* The text of an audit row about the request, in c->audit: `text` (why, or the new address; perhaps empty) and who. */
struct str control_signed(struct client *c, struct str text);

/* The operations of the other files, each a row of control.c's table. */
void control_queue_list(struct client *c);
void control_queue_why(struct client *c);
void control_queue_change(struct client *c); /* hold release retry remove redirect, by the request's op */
void control_suspensions(struct client *c);
void control_suspend(struct client *c);
void control_resume(struct client *c);
void control_export(struct client *c);
void control_import(struct client *c); /* begin, recipient, copy, content, end, by the request's op */
void control_user_list(struct client *c);
void control_user_change(struct client *c); /* add password remove disable enable, by the request's op */
void control_rules(struct client *c);
void control_backup(struct client *c);
void control_backup_drop(struct client *c);

void control_transfer_drained(struct client *c);
void control_transfer_free(struct client *c);
bool control_transfer_stop(struct client *c); /* its reader is gone; true: an export was under way */
void control_backup_over(struct client *c);   /* if it has one */

#endif
