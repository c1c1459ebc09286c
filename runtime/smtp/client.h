/* smtp/client: the sending side of SMTP (RFC 5321) as a pure state machine: one engine per connection.
 *
 * Reply bytes go in, events come out, command bytes collect in a buffer.  It owns the dialogue: greeting, EHLO with
 * fall-back to HELO, STARTTLS, pipelining, transactions one after another, dot-stuffing, strict reading of replies.  It
 * decides no policy: after READY it stands still until the caller says what to do, so no MAIL is ever written that the
 * caller did not order after having seen what was offered and whether TLS is on.  No input or output, no clock.
 *
 * How to drive it:
 *     on received: smtp_client_feed(c, bytes); while (smtp_client_next(c, &ev)) handle(&ev); then write the output
 *     on READY:    tls_policy decides: smtp_client_starttls, smtp_client_send, or smtp_client_quit
 *     on STARTTLS: write the output, start TLS on the stream; when it stands smtp_client_secured; READY comes again
 *     to log in:   smtp_client_auth instead; on AUTH_WORK smtp_client_auth_work, a portion a loop turn, until it is
 * true; on AUTHENTICATED smtp_client_send on BODY:     smtp_client_body(c, &run, &piece) … smtp_client_body_end(c) on
 * RESULT:   smtp_client_send again (or ahead of it: smtp_client_may_send_ahead), or smtp_client_quit, or leave it idle
 * Every order may be given from inside the handling of an event. */
#ifndef SLUICE_SMTP_CLIENT_H
#define SLUICE_SMTP_CLIENT_H

#include "base/vec.h"
#include "mail/status.h"

enum { /* what the server's EHLO offered */
    SMTP_EXT_PIPELINING = 1,
    SMTP_EXT_SIZE = 2,
    SMTP_EXT_8BITMIME = 4,
    SMTP_EXT_ENHANCEDSTATUSCODES = 8,
    SMTP_EXT_STARTTLS = 16,
    SMTP_EXT_DSN = 32,
    SMTP_EXT_REQUIRETLS = 64,
    SMTP_EXT_SMTPUTF8 = 128,
    SMTP_EXT_CHUNKING = 256,
    SMTP_EXT_BINARYMIME = 512,
    SMTP_EXT_LIMITS = 1024,
    SMTP_EXT_AUTH = 2048 /* with a mechanism that we speak */
};

struct smtp_client_options {
    struct str hostname;       /* for EHLO and HELO; copied */
};

enum smtp_client_event_kind {
    SMTP_CLIENT_READY,            /* greeted, in clear or in TLS: `ready`.  Waits for an order */
    SMTP_CLIENT_STARTTLS,         /* 220 read and nothing behind it: start TLS now */
    SMTP_CLIENT_STARTTLS_REFUSED, /* `reply`; the session goes on in clear and waits for an order */
    SMTP_CLIENT_AUTH_WORK,        /* there is hashing to do: smtp_client_auth_work */
    SMTP_CLIENT_AUTHENTICATED,    /* waits for an order */
    SMTP_CLIENT_AUTH_REFUSED,     /* `reply`: the session goes on unauthenticated and waits for an order */
    SMTP_CLIENT_RECIPIENT, /* `recipient` was answered with `reply`; one for each, in order, unless MAIL was refused */
    SMTP_CLIENT_BODY,      /* at least one recipient accepted, and 354 or BDAT: supply the content */
    SMTP_CLIENT_RESULT,    /* the transaction is over: `stage` and `reply`; ready for another */
    SMTP_CLIENT_FAILED,    /* the connection is of no further use: `why`, `reply` (code 0 when none), `stage`, and
                            * whether the message `may_be_delivered`: the final dot was given out, its answer is not
                            * known.  Also ends a transaction under way.  The last event */
    SMTP_CLIENT_CLOSED     /* QUIT was answered.  The last event */
};

/* Where a session stands: what the reply answers, and what the caller's timer should be. */
enum smtp_client_stage {
    SMTP_STAGE_GREETING,
    SMTP_STAGE_EHLO,
    SMTP_STAGE_STARTTLS,
    SMTP_STAGE_TLS,      /* waiting for smtp_client_secured */
    SMTP_STAGE_AUTH,
    SMTP_STAGE_IDLE,     /* waiting for the caller's order */
    SMTP_STAGE_MAIL,
    SMTP_STAGE_RCPT,
    SMTP_STAGE_DATA,
    SMTP_STAGE_BODY,     /* the caller supplies content */
    SMTP_STAGE_DOT,
    SMTP_STAGE_QUIT,
    SMTP_STAGE_OVER
};

struct smtp_client_ready {
    uint32_t extensions;       /* SMTP_EXT_…; 0 after HELO */
    uint64_t size_limit;       /* SIZE's number; 0: none told */
    uint32_t recipient_limit;  /* RCPTMAX of LIMITS (RFC 9422); 0: none told */
    uint32_t message_limit;    /* MAILMAX: transactions in one session; 0: none told */
    uint32_t domain_limit;     /* RCPTDOMAINMAX: different domains in one transaction; 0: none told */
    bool tls;                  /* smtp_client_secured was called */
    struct str greeted_by;     /* first word of the EHLO reply, printable; lives until the next event */
};

struct smtp_client_event {
    enum smtp_client_event_kind kind;
    struct smtp_client_ready ready;
    size_t recipient;          /* index into the transaction's recipients */
    enum smtp_client_stage
        stage;                 /* RESULT: MAIL refused, RCPT (none accepted), DATA refused, DOT (the message's reply) */
    struct reply reply;        /* text lives until the next call on the engine */
    bool may_be_delivered;     /* FAILED */
    const char *why;           /* FAILED: a constant sentence */
};

struct smtp_client_recipient {
    struct str forward_path;   /* without <> */
    uint8_t notify;            /* RFC 3461, as in smtp/server.h; sent only to a server that offers DSN */
    struct str orcpt;          /* as mail/orcpt has it; likewise */
};

/* One message to one server.  Copied into the engine's output at once: nothing here need outlive the call. */
struct smtp_client_transaction {
    struct str reverse_path;   /* without <>; empty is the null reverse-path */
    const struct smtp_client_recipient *recipients;
    size_t recipient_count;    /* at least 1 */
    uint64_t size; /* of the content before dot-stuffing, exactly; told where SIZE is offered, and by BDAT */
    bool eight_bit;            /* BODY=8BITMIME, where offered; whether to send without it is the caller's decision */
    bool binary;               /* BODY=BINARYMIME.  INVARIANT: offered, with CHUNKING */
    bool smtputf8;             /* INVARIANT: offered */
    bool requiretls;           /* INVARIANT: inside TLS and offered there */
    bool tls_demanded;         /* INVARIANT: inside TLS.  The engine's own lock on "TLS required" */
    uint8_t ret;               /* RFC 3461 RET and ENVID, where DSN is offered */
    struct str envid;
};

struct smtp_client;

struct smtp_client *smtp_client_create(const struct smtp_client_options *o);
void smtp_client_free(struct smtp_client **c);

void smtp_client_feed(struct smtp_client *c, struct str bytes); /* copied where not used at once */
bool smtp_client_next(struct smtp_client *c, struct smtp_client_event *ev);
struct buf *smtp_client_output(struct smtp_client *c); /* command bytes; the caller takes them and sets n to 0 */

/* Orders.  INVARIANT: given only while the stage is IDLE; `send` also while smtp_client_may_send_ahead. */
void smtp_client_starttls(struct smtp_client *c); /* INVARIANT: in clear and offered */
void smtp_client_send(struct smtp_client *c, const struct smtp_client_transaction *t);
/* True between smtp_client_body_end and its RESULT where the server pipelines: the next transaction's commands may
 * leave with the last bytes of this one's content (RFC 2920 section 3.1), which saves a round trip and a packet each
 * way.  The RESULT of this one comes first, then the next one's events; FAILED before that RESULT ends both. */
bool smtp_client_may_send_ahead(const struct smtp_client *c);
/* By the strongest mechanism that is offered: SCRAM-SHA-256, PLAIN, LOGIN; another one only where the server says that
 * it does not have that one after all (504).  All is copied, and wiped when it is over; so is the output when the
 * session fails meanwhile, and else it is the caller's to wipe.  INVARIANT: inside TLS, whose peer the caller has
 * verified (RFC 4954 section 4), and offered. */
struct smtp_client_login {
    struct str user, password;
    struct str chance;       /* unpredictable bytes, SCRAM_NONCE_SIZE of them */
    bool verified;           /* INVARIANT: the engine's own lock on where passwords go */
};
void smtp_client_auth(struct smtp_client *c, const struct smtp_client_login *l);
bool smtp_client_auth_work(struct smtp_client *c); /* one portion, about a millisecond; true: done, write the output */
void smtp_client_quit(struct smtp_client *c);
void smtp_client_secured(struct smtp_client *c);  /* stage TLS: the handshake is over and good; EHLO goes out again */

/* Content, in stage BODY, in runs of any size.  Each call cuts the next piece to write off the front of *run: a view of
 * the run itself or of a constant dot; false when the run is used up.  No copy is made: while (smtp_client_body(c,
 * &run, &piece)) stream_write(piece); Output collected by other calls is empty while content flows.  Content that holds
 * a bare CR, a bare LF or a NUL and is not `binary` cannot be sent as it is (RFC 5321 section 2.3.8), nor can more or
 * less of it than `size` by BDAT: false with *run left non-empty, next() then gives FAILED, and nothing of an end of
 * data was written: the caller must abort the stream. */
bool smtp_client_body(struct smtp_client *c, struct str *run, struct str *piece);
/* The final dot goes to the output, after a CR LF where the content did not end in one. */
void smtp_client_body_end(struct smtp_client *c);

/* The stream is gone, or a timer ran out: next() gives FAILED with this constant sentence (after QUIT: CLOSED). */
void smtp_client_lost(struct smtp_client *c, const char *why);

enum smtp_client_stage smtp_client_stage(const struct smtp_client *c);
const char *smtp_client_stage_name(enum smtp_client_stage s); /* "greeting", "MAIL FROM", "end of data" … for logs */
/* How long to wait for the server in this stage, seconds (RFC 5321 section 4.5.3.2); 0: it waits for us. */
unsigned smtp_client_timeout(enum smtp_client_stage s);

#endif
