/* relay/operate: what is done by hand to a part of the queue: a filter is asked of the store, and what passes is
 * changed in transactions of a bounded size, so that mail goes on meanwhile.
 *
 * Also sets aside what the store's check in the background finds damaged. */
#ifndef SLUICE_RELAY_OPERATE_H
#define SLUICE_RELAY_OPERATE_H

#include "relay/queue.h"

struct operation {
    enum change_kind kind;
    struct queue_filter filter; /* its texts, `text` and `audit` are the owner's, alive until `done` */
    struct str text;
    struct str audit;                                         /* the text of the audit rows: store/port */
    bool dry_run;                                             /* only look */
    void (*row)(void *owner, const struct stored_message *m); /* what passes, as it stands before; may be NULL */
    void (*done)(void *owner, bool ok, const struct err *e);
    void *owner;
    uint64_t messages, recipients; /* that passed */
    uint64_t kept;                 /* of the recipients: held, quarantined, damaged */
    uint64_t put_off;              /* of the recipients: waiting for the hour that deliver_after set */
    uint64_t changed;
    /* private */
    struct relay *relay;
    struct store_query query;
    struct store_change change;
    VEC(int64_t) ids;
    size_t at;
};

/* An empty filter means everything: whether that was meant is the caller's to know. */
void operate(struct relay *r, struct operation *o);

/* Never tried, and not to be tried before an hour that is still to come: a rule's deliver_after. */
bool operate_is_put_off(const struct relay *r, const struct stored_recipient *rcpt);

/* What the store's filter cannot know: by which connector a recipient is routed now. */
bool operate_takes(struct relay *r, const struct queue_filter *f, const struct stored_recipient *rcpt);

/* From now on damage that the store finds is set aside and told. */
void operate_watch(struct relay *r);

#endif
