/* relay/queued: one message that is queued and in memory, copied out of what is stored: its recipients, and its content
 * while somebody needs it.
 *
 * A message with its recipients and all their texts is one block; content and forms are its own.  Which messages are
 * here, and for how long, is relay/queue's: the marks below (fresh, busy, gone, changed, pins) are written there. */
#ifndef SLUICE_RELAY_QUEUED_H
#define SLUICE_RELAY_QUEUED_H

#include "relay/body.h"

/* Delivered forms, copied out of a verdict or the store: one block. */
struct forms {
    struct stored_copy *v;
    size_t n;
};
struct forms *forms_copy(const struct stored_copy *copies, size_t n); /* the caller's: free */

struct queued_recipient {
    struct queued_message *message;
    int64_t id, next_try, expires;
    int64_t waited; /* as of `since`, monotonic seconds: relay/schedule */
    int64_t since;
    struct str address, connector, orcpt, tls_rule;
    struct obligation need;
    uint32_t copy, attempts;
    uint8_t notify;
    bool noticed;
    bool fresh;   /* stored a moment ago, and its entry not yet taken: it holds the message in memory */
    bool busy;    /* with relay/deliver */
    bool gone;    /* its row is gone, or no longer queued */
    bool changed; /* by hand, while it is here: what stands in this struct does not hold any more */
};

struct content_wait {
    struct content_wait *next;
    /* NULL: message->body and ->forms are there.  EX_DATAERR, EX_NOINPUT: what was stored is damaged or gone; any other
     * failure may pass. */
    void (*ready)(void *owner, const struct err *failure);
    void *owner;
};

struct queued_message {
    struct queued_message *chain; /* in its bucket */
    int64_t id;
    struct str queue_id, reverse_path, envid;
    int64_t arrived;
    uint64_t size;
    bool eight_bit, binary, smtputf8, relay_made;
    uint8_t ret;
    struct body *body; /* NULL: not in memory */
    struct forms *forms;
    struct content_wait *waits;
    void *loading; /* the query under way */
    unsigned busy; /* recipients with deliver; content stays while there are any */
    unsigned pins; /* what keeps the message here: busy and fresh recipients, and whoever looks at it just now */
    size_t recipient_count;
    struct queued_recipient recipients[];
};

/* With the recipients that are RECIPIENT_QUEUED, who wait since then (monotonic seconds); NULL when there are none.
 * Without content. */
struct queued_message *queued_copy(const struct stored_message *m, int64_t since);
void queued_free(struct queued_message **m);
struct queued_recipient *queued_find(struct queued_message *m, int64_t id); /* the store's; NULL: not one of its */
void queued_drop_content(struct queued_message *m);

#endif
