/* store/port: the queue's memory as relay/ sees it.
 *
 * Everything that must survive goes through here: messages with their recipients, outcomes, holds, rule counters,
 * audit. All SQL is behind this interface (production: store/sqlite.c and its neighbours; tests: a memory one).
 * Requests are submitted; each is answered once, later, from the loop.  A request's views must stay valid until it is
 * answered: the submitter owns the memory.  What was answered `ok` is durable: committed with synchronous=FULL. */
#ifndef SLUICE_STORE_PORT_H
#define SLUICE_STORE_PORT_H

#include "base/err.h"
#include "base/pieces.h"
#include "base/vec.h"
#include "mail/obligation.h"
#include "mail/scram.h"
#include "mail/status.h"

enum recipient_state {
    RECIPIENT_QUEUED,      /* due at next_try */
    RECIPIENT_HELD,        /* until released by hand */
    RECIPIENT_QUARANTINED, /* likewise, and set apart in listings */
    RECIPIENT_DAMAGED,     /* what was stored is not what was read: never sent; a release reads it once more */
    RECIPIENT_STATE_COUNT
};

/* A recipient's id tells its message: the store gives them out so. */
enum { STORE_RECIPIENT_BITS = 20 };
static inline int64_t store_message_of(int64_t recipient) { return recipient >> STORE_RECIPIENT_BITS; }

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
    int64_t waited;           /* seconds it was really waited, by a clock that does not jump: relay/schedule */
    bool noticed;             /* its sender was told of the delay */
    uint8_t notify;           /* RFC 3461 NOTIFY: bits 1 NEVER, 2 SUCCESS, 4 FAILURE, 8 DELAY; 0 not given */
    struct str orcpt;         /* RFC 3461, as the client wrote it: mail/orcpt */
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
    struct str content; /* to write: always all of it (a view of content_port's when large); MESSAGE: see `spool` */
    struct str spool;   /* path under the state directory; empty: content is in the database.  To write: the store
                         * syncs the file and its directory before the commit.  MESSAGE: open it with content_port */
    uint8_t sha256[32];       /* of the content: made by the store when it writes (what stands here then is not looked
                               * at), and held against the content when it is read back */
    bool eight_bit, binary, smtputf8;
    bool relay_made;          /* a DSN of ours: never judged, never bounced */
    struct str envid;
    uint8_t ret;
    uint64_t generation;      /* of the rule set that judged it */
    struct str evidence;      /* mail/evidence, encoded; empty: none.  MESSAGE, and QUEUE of one queue id */
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
enum outcome_kind { OUTCOME_DONE, OUTCOME_RETRY, OUTCOME_DAMAGED, OUTCOME_HELD };
struct outcome {
    int64_t recipient;        /* id; one whose row is gone by now (removed by hand) is passed over */
    uint8_t kind; /* DONE: delivered, returned or dropped: the row goes, with the message when it was its last */
    struct str reason;
    uint32_t attempts;
    int64_t next_try, waited;
    bool noticed;
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

/* Which part of the queue.  Texts are patterns (`*`, `?`, letter case apart); an empty one, or 0, asks for nothing. */
struct queue_filter {
    struct str queue_id;      /* exact */
    struct str sender;        /* "<>": the null reverse-path */
    struct str recipient, domain, reason; /* reason: anywhere in it */
    struct str rule;          /* who held it or who demanded TLS */
    struct str connector;     /* the stored name; a recipient that is routed at each attempt passes */
    uint32_t states;          /* bits 1 << enum recipient_state */
    int64_t arrived_from, arrived_until; /* UTC seconds, both inclusive */
    uint64_t size_from, size_until;      /* bytes, likewise */
};

/* Mail that is not tried for a while, by hand. */
struct stored_suspension {
    int64_t id;
    struct str sender, recipient, domain, connector; /* patterns; empty: all */
    struct str reason;
    int64_t began, ends;      /* UTC seconds; ends 0: until it is resumed */
};

/* Who may authenticate.  Names are compared as bytes: the owner gives them in one form. */
struct stored_user {
    struct str name;
    struct scram_secret secret;
    bool disabled;
    int64_t created;          /* UTC seconds */
};

struct due_entry {
    int64_t recipient, next_try;
};

/* Reading.  Each answer's rows live until its callback returns; `done` ends it. */
struct store_query {
    enum {
        QUERY_DUE,     /* `due`: every queued recipient, in pages */
        QUERY_LOAD,    /* `message`: those of `ids` that still stand, without content, with their queued recipients */
        QUERY_MESSAGE, /* `message`: the one of that queue id, with content and all copies */
        QUERY_QUEUE,   /* `message`: what passes the filter, without content and copies; EX_NOINPUT: no such queue id */
        QUERY_COUNT,   /* `count`: recipients by state */
        QUERY_RULES,   /* `rule` */
        QUERY_AUDIT,   /* `audit`: rows about that queue id */
        QUERY_SUSPENSIONS, /* `suspension` */
        QUERY_LISTS,       /* `list` */
        QUERY_USER,        /* `user`: the one of that name, unless there is none; with a password: whether it is theirs,
                            * hashed on a thread of its own, and at the same cost when there is no such user */
        QUERY_USERS        /* `user`: all, by name */
    } kind;
    struct str queue_id;      /* MESSAGE, AUDIT */
    struct queue_filter filter; /* QUEUE */
    struct str user_name, password; /* USER; p of the password NULL: not asked */
    const int64_t *ids;       /* LOAD: of messages */
    size_t id_count;
    void (*due)(void *owner, const struct due_entry *v, size_t n);
    void (*message)(void *owner, const struct stored_message *m);
    void (*count)(void *owner, const uint64_t by_state[RECIPIENT_STATE_COUNT]);
    void (*rule)(void *owner, struct str rule, const uint64_t counts[5],
                 int64_t last); /* in the order of the HIT_ bits */
    void (*list)(void *owner, const struct stored_list *l);
    void (*audit)(void *owner, int64_t at, const struct stored_audit *a);
    void (*suspension)(void *owner, const struct stored_suspension *s);
    void (*user)(void *owner, const struct stored_user *u, bool password_is);
    void (*done)(void *owner, bool ok, const struct err *e); /* content that fails its hash: ok is false, EX_DATAERR */
    void *owner;
    void *impl;
};

/* What is done by hand, to the queue or to users.  One transaction; a recipient that is gone by now is passed over. */
enum change_kind {
    CHANGE_RELEASE,       /* queued and due now; one that was held has its lifetime anew; an audit row each */
    CHANGE_HOLD,          /* of those queued: held with `text` as the reason */
    CHANGE_RETRY,         /* of those queued: due now */
    CHANGE_REMOVE,        /* without a report to anybody; an audit row each */
    CHANGE_REDIRECT,      /* to the address `text`, due now; its demands stay; an audit row each */
    CHANGE_DAMAGED,       /* set aside with `text` as the reason */
    CHANGE_SUSPEND,       /* adds `suspension`, and fills in its id */
    CHANGE_RESUME,        /* ends the suspension of that id, EX_NOINPUT when there is none */
    CHANGE_USER_ADD,      /* `user`; EX_CANTCREAT when there is one of that name */
    CHANGE_USER_PASSWORD, /* the secret of `user` from now on; this and the next three: EX_NOINPUT when there is no such
                           */
    CHANGE_USER_REMOVE,
    CHANGE_USER_DISABLE,
    CHANGE_USER_ENABLE
};
struct store_change {
    enum change_kind kind;
    const int64_t *recipients;
    size_t recipient_count;
    struct str text;
    struct str audit; /* the text of the audit rows: why, and who */
    struct stored_suspension suspension;
    struct stored_user user;
    int64_t now;
    uint32_t changed;         /* filled in before the answer: how many recipients */
    void (*done)(void *owner, bool ok, const struct err *e);
    void *owner;
    void *impl;
};

/* A copy of the whole store, made while it works: the database in a directory of its own under the state directory; of
 * the spool directory no file goes until backup_drop.  Both together are one moment of the queue. */
struct store_backup {
    struct str name;          /* of the directory: letters, digits, '-' */
    char database[4096];      /* filled in before the answer: path of the copy … */
    char spool[4096];         /* … and of the spool directory */
    void (*progress)(void *owner, int64_t pages_done, int64_t pages);
    void (*done)(void *owner, bool ok, const struct err *e); /* EX_UNAVAILABLE: another one is under way */
    void *owner;
    void *impl;
};

/* --- content ------------------------------------------------------------------------------------------------------ */

/* The bytes of one message that outgrew the session's buffer: a memfd first, above the adapter's threshold a spool file
 * named after the queue id.  Not asynchronous: nothing here syncs (the store does that, in its writer, before the
 * commit). Every failure is the world's: EX_TEMPFAIL or EX_IOERR in *e. */
struct content_file; /* the adapter's */

struct content_port {
    void *self;
    struct content_file *(*create)(void *self, struct str queue_id, struct err *e); /* NULL: refused */
    bool (*append)(void *self, struct content_file *f, struct str bytes, struct err *e);
    bool (*seal)(void *self, struct content_file *f, struct err *e); /* ends appending; a memfd is sealed against all */
    /* An existing spool file, sealed already: what QUERY_MESSAGE named. */
    struct content_file *(*open)(void *self, struct str spool, struct err *e);
    /* Of a sealed one: all bytes (in memory, whatever becomes of a spool file), a read-only descriptor for SCM_RIGHTS
     * that stays the port's, and the spool path (empty for a memfd).  Valid until free. */
    struct str (*view)(void *self, struct content_file *f);
    int (*descriptor)(void *self, struct content_file *f);
    struct str (*spool)(void *self, struct content_file *f);
    void (*keep)(void *self,
                 struct content_file *f); /* committed: a spool file now belongs to the store, free leaves it */
    void (*free)(void *self,
                 struct content_file *f); /* NULL-safe; removes a spool file that was neither kept nor opened */

    /* Descriptors that came over a channel: `fetch` reads a whole file of at most `most` bytes from its start and
     * closes it, failed or not; `discard` only closes. */
    bool (*fetch)(void *self, int fd, size_t most, struct buf *out, struct err *e);
    void (*discard)(void *self, int fd);

    /* A sealed memory file with these bytes, for SCM_RIGHTS; the caller discards it.  -1 with *e. */
    int (*share)(void *self, struct str bytes, struct err *e);
};

enum { STORE_SECRET_SIZE = 32 };

struct store_space {
    uint64_t free_bytes;
    uint64_t queued_messages;
    uint64_t checked_messages, damaged_messages; /* by the check in the background: since the start */
    int64_t checked;          /* UTC seconds: when it was last through; 0: not yet */
};

struct store_port {
    void *self;
    void (*write)(void *self, struct store_write *w);
    void (*query)(void *self, struct store_query *q);
    void (*change)(void *self, struct store_change *c);
    void (*backup)(void *self, struct store_backup *b);
    /* It was copied, or nobody wants it any more: removes it, and spool files may go again. */
    void (*backup_drop)(void *self, struct str name);
    /* Whom the check in the background tells of damage: once for each message, on the loop.  EX_NOUSER: only the
     * records of some of its recipients, which are aside by themselves. */
    void (*watch)(void *self, void (*damaged)(void *owner, struct str queue_id, const struct err *e), void *owner);
    /* This store's own, made by chance with it and the same ever after: for what is made up and must not change. */
    void (*secret)(void *self, uint8_t out[STORE_SECRET_SIZE]);
    struct store_space (*space)(void *self); /* cheap: refreshed by the store at most once a second */
};

#endif
