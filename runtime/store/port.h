/* store/port: the queue's memory as relay/ sees it.
 *
 * Everything that must survive goes through here: messages with their recipients, outcomes, holds, rule counters, audit.
 * All SQL is behind this interface (production: store/sqlite.c and its neighbours; tests: a memory one).  Requests are
 * submitted; each is answered once, later, from the loop.  A request's views must stay valid until it is answered: the
 * submitter owns the memory.  What was answered `ok` is durable: committed with synchronous=FULL. */
#ifndef SLUICE_STORE_PORT_H
#define SLUICE_STORE_PORT_H

#include "base/err.h"
#include "base/pieces.h"
#include "base/vec.h"
#include "mail/obligation.h"
#include "mail/status.h"

enum recipient_state {
    RECIPIENT_QUEUED,      /* due at next_try */
    RECIPIENT_HELD,        /* until released by hand */
    RECIPIENT_QUARANTINED, /* likewise, and set apart in listings */
    RECIPIENT_STATE_COUNT
};

/* Where a message's content is: small ones in the database, large ones in a spool file named after the queue id. */
struct stored_recipient {
    int64_t id;               /* the store's; 0 before it is stored */
    struct str address;
    uint8_t state;            /* enum recipient_state */
    struct obligation need;
    uint32_t copy;            /* which delivered form: index into the message's copies */
    struct str connector;     /* a name, resolved at each attempt; empty: the routing decides */
    struct str rule, tls_rule;/* identities: who held it, who demanded TLS */
    struct str reason;        /* why it waits: last reply, "TLS required but not offered by …", the hold's reason */
    uint32_t attempts;
    int64_t next_try, expires;/* UTC seconds */
    uint8_t notify;           /* RFC 3461 NOTIFY: bits 1 NEVER, 2 SUCCESS, 4 FAILURE, 8 DELAY; 0 not given */
    struct str orcpt;         /* RFC 3461, still xtext */
};

struct stored_copy {
    struct pieces pieces;     /* over the content */
    uint64_t length;
    uint8_t sha256[32];
};

struct stored_message {
    struct str queue_id;
    int64_t arrived;          /* UTC seconds */
    struct str reverse_path;
    struct str client_ip, helo;
    uint64_t size;            /* of the content */
    struct str content;       /* to write: always all of it (a view of content_port's when large); MESSAGE: see `spool` */
    struct str spool;         /* path under the state directory; empty: content is in the database.  To write: the store
                               * syncs the file and its directory before the commit.  MESSAGE: open it with content_port */
    uint8_t sha256[32];       /* of the content: made by the store when it writes (what stands here then is not looked
                               * at), and held against the content when it is read back */
    bool eight_bit, binary, smtputf8;
    bool relay_made;          /* a DSN of ours: never judged, never bounced */
    struct str envid;
    uint8_t ret;
    uint64_t generation;      /* of the rule set that judged it */
    const struct stored_copy *copies;
    size_t copy_count;
    struct stored_recipient *recipients;
    size_t recipient_count;
};

struct stored_hit {
    struct str rule;
    uint32_t what;            /* HIT_… of mail/verdict.h */
    uint32_t count;
};
struct stored_audit {
    struct str queue_id, rule, recipient, what, text;
};

/* A live list (mail/live_list.h): what `key` is compared by and how the entry was written are the owner's affair. */
struct stored_entry {
    struct str key, entry;
};
/* One change of one list: entries that come (or are written anew) and keys that go; the list's type and revision from
 * then on.  Keys that are not there may go. */
struct stored_list_change {
    struct str list, type;
    uint64_t revision;
    const struct stored_entry *add;
    size_t add_count;
    const struct str *remove;
    size_t remove_count;
};
/* A whole list, as it is read back. */
struct stored_list {
    struct str list, type;
    uint64_t revision;
    const struct stored_entry *entries; /* by key, ascending */
    size_t entry_count;
};

/* What became of one stored recipient at one attempt. */
enum outcome_kind { OUTCOME_DONE, OUTCOME_RETRY, OUTCOME_HOLD };
struct outcome {
    int64_t recipient;        /* id */
    uint8_t kind;             /* DONE: delivered, returned or dropped: the row goes, with the message when it was its last */
    struct str reason;
    uint32_t attempts;
    int64_t next_try;
};

/* One transaction.  Any part may be empty; all of it happens or nothing does.  Batches are formed by the store
 * (natural group commit); the order between requests is kept. */
struct store_write {
    const struct stored_message *messages; /* ids of the recipients are filled in before the answer */
    size_t message_count;
    const struct stored_hit *hits;
    size_t hit_count;
    const struct stored_audit *audit;
    size_t audit_count;
    const struct outcome *outcomes;
    size_t outcome_count;
    const struct stored_list_change *lists;
    size_t list_count;
    int64_t now;              /* UTC seconds: last_hit, audit time */
    bool may_wait;            /* nothing but outcomes: may wait up to 20 ms for company */
    void (*done)(void *owner, bool ok, const struct err *e);
    void *owner;
    void *impl;               /* the store's, while it is under way */
};

/* Reading.  Each answer's rows live until `row` returns; `done` ends it. */
struct store_query {
    enum { QUERY_DUE, QUERY_MESSAGE, QUERY_QUEUE, QUERY_RULES, QUERY_FIND, QUERY_LISTS } kind;
    struct str queue_id;      /* MESSAGE: with its content; FIND: without */
    /* DUE, QUEUE: without content and copies; DUE: only recipients that are queued.  MESSAGE, FIND: at least one copy. */
    void (*message)(void *owner, const struct stored_message *m);
    void (*rule)(void *owner, struct str rule, const uint64_t counts[5], int64_t last); /* in the order of the HIT_ bits */
    void (*list)(void *owner, const struct stored_list *l);
    void (*done)(void *owner, bool ok, const struct err *e); /* content that fails its hash: ok is false, EX_DATAERR */
    void *owner;
    void *impl;
};

/* Release by hand: every recipient of the message is queued and due now (one that was held has its lifetime anew).  done
 * is not-ok with EX_NOINPUT when there is no such id. */
struct store_release {
    struct str queue_id;
    int64_t now;
    uint32_t released;        /* filled in before the answer: how many recipients */
    void (*done)(void *owner, bool ok, const struct err *e);
    void *owner;
    void *impl;
};

/* --- content ------------------------------------------------------------------------------------------------------
 * The bytes of one message that outgrew the session's buffer: a memfd first, above the adapter's threshold a spool file
 * named after the queue id.  Not asynchronous: nothing here syncs (the store does that, in its writer, before the commit).
 * Every failure is the world's: EX_TEMPFAIL or EX_IOERR in *e. */
struct content_file; /* the adapter's */

struct content_port {
    void *self;
    struct content_file *(*create)(void *self, struct str queue_id, struct err *e); /* NULL: refused */
    bool (*append)(void *self, struct content_file *f, struct str bytes, struct err *e);
    bool (*seal)(void *self, struct content_file *f, struct err *e); /* ends appending; a memfd is sealed against all */
    /* An existing spool file, sealed already: what QUERY_MESSAGE named. */
    struct content_file *(*open)(void *self, struct str spool, struct err *e);
    /* Of a sealed one: all bytes (in memory, whatever becomes of a spool file), a read-only descriptor for SCM_RIGHTS that stays the port's, and the spool
     * path (empty for a memfd).  Valid until free. */
    struct str (*view)(void *self, struct content_file *f);
    int (*descriptor)(void *self, struct content_file *f);
    struct str (*spool)(void *self, struct content_file *f);
    void (*keep)(void *self, struct content_file *f); /* committed: a spool file now belongs to the store, free leaves it */
    void (*free)(void *self, struct content_file *f); /* NULL-safe; removes a spool file that was neither kept nor opened */

    /* Descriptors that came over a channel: `fetch` reads a whole file of at most `most` bytes from its start and closes
     * it, failed or not; `discard` only closes. */
    bool (*fetch)(void *self, int fd, size_t most, struct buf *out, struct err *e);
    void (*discard)(void *self, int fd);

    /* A sealed memory file with these bytes, for SCM_RIGHTS; the caller discards it.  -1 with *e. */
    int (*share)(void *self, struct str bytes, struct err *e);
};

struct store_space {
    uint64_t free_bytes;
    uint64_t queued_messages;
};

struct store_port {
    void *self;
    void (*write)(void *self, struct store_write *w);
    void (*query)(void *self, struct store_query *q);
    void (*release)(void *self, struct store_release *r);
    struct store_space (*space)(void *self); /* cheap: refreshed by the store at most once a second */
};

#endif
