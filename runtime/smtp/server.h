/* smtp/server: the receiving side of SMTP (RFC 5321) as a pure state machine.
 *
 * Bytes go in, events come out, reply bytes collect in a buffer.  It owns the dialogue: order of commands, syntax,
 * limits, line ends, dot-stuffing, replies and their enhanced codes.  It decides nothing about addresses, policy or
 * content: those are events that the caller answers.  No input or output, no clock: timeouts are the caller's, who
 * calls smtp_server_stop.
 *
 * How to drive it:
 *     smtp_server_feed(s, bytes);
 *     while (smtp_server_next(s, &ev)) handle(&ev);
 *     write smtp_server_output(s) and empty it; if (smtp_server_waits(s)) stop reading
 * An event with `asks` set holds the dialogue until smtp_server_answer: until then next() is false, input is kept, and
 * no command is looked at.  The answer may be given at once, inside the handler (then the same loop goes on without
 * copying), or later; in that case run next() and write the output again afterwards.  Replies of one burst leave
 * together (RFC 2920).
 *
 * Offered: PIPELINING, SIZE, 8BITMIME, CHUNKING, ENHANCEDSTATUSCODES, LIMITS, and as options STARTTLS, DSN, SMTPUTF8,
 * BINARYMIME, and inside TLS REQUIRETLS and AUTH (PLAIN, LOGIN, SCRAM-SHA-256; RFC 4954).
 *
 * Promise of state, held by INVARIANT after every reply: no MAIL means no recipients and no data.  Only CR LF ends a
 * line; a bare CR, a bare LF or a NUL behind DATA refuses the message and ends the session, so nothing behind it is
 * ever taken for a command (RFC 5321 section 2.3.8; CVE-2023-51764).  Behind BDAT it refuses the message; the session
 * goes on, for there the octets are counted and none is looked at for an end (RFC 3030).  Only BODY=BINARYMIME may hold
 * them. */
#ifndef SLUICE_SMTP_SERVER_H
#define SLUICE_SMTP_SERVER_H

#include "base/limits.h"
#include "base/vec.h"
#include "mail/scram.h"
#include "mail/status.h"

enum {
    SMTP_SERVER_LINE_MAX = LIMIT_COMMAND_LINE, /* a longer command line is refused and ends the session */
    SMTP_SERVER_AUTH_LINE_MAX = LIMIT_AUTH_LINE,
    SMTP_SERVER_ERRORS_MAX = LIMIT_SESSION_ERRORS, /* then 421 */
    SMTP_SERVER_AUTH_FAILURES_MAX = 3,             /* likewise */
    SMTP_SERVER_JUNK_MAX = LIMIT_SESSION_JUNK, /* NOOP, RSET, VRFY, HELP, HELO, tiny chunks without a message between */
    SMTP_SERVER_TINY_CHUNK = 512,              /* octets: a smaller chunk that is not the last counts as junk */
};

struct smtp_server_options {
    struct str hostname;       /* greeting, EHLO and QUIT; copied */
    bool starttls;             /* offered as long as the session is in clear */
    bool dsn;                  /* RFC 3461 offered; otherwise its parameters are refused with 555 */
    bool requiretls;           /* RFC 8689 offered inside TLS; otherwise its parameter is refused */
    bool smtputf8;             /* RFC 6531 offered; otherwise addresses beyond ASCII are refused */
    bool binarymime;           /* RFC 3030 BINARYMIME offered */
    bool auth;                 /* RFC 4954 offered inside TLS */
    bool auth_required;        /* no MAIL without it: 530 5.7.0 */
    bool tls_required;         /* in clear only EHLO, STARTTLS, NOOP, QUIT: 530 5.7.0 (RFC 3207 section 4) */
    bool tls;                  /* TLS stands from the first byte on (RFC 8314 section 3) */
    bool xclient;              /* Postfix's XCLIENT, for a proxy that is trusted */
    uint64_t message_size;     /* bytes, SIZE; 0: no limit */
    uint32_t recipient_limit;  /* 0: 1000; never below 100 (RFC 5321 section 4.5.3.1.8) */
};

enum smtp_server_event_kind {
    SMTP_SERVER_HELO,     /* greeted: helo, esmtp.  Answered already; a transaction under way was aborted before */
    SMTP_SERVER_STARTTLS, /* asks.  220: write the output, start TLS on the stream, then smtp_server_secured.  Else it
                           * goes on in clear */
    SMTP_SERVER_XCLIENT,  /* xclient: who a trusted proxy speaks for.  Answered already; the session begins anew */
    SMTP_SERVER_AUTH,     /* asks: auth.  With a password: whether it is the user's.  Without: smtp_server_secret */
    SMTP_SERVER_AUTHENTICATED, /* auth.user is who the client is, until STARTTLS or the end.  Answered already */
    SMTP_SERVER_AUTH_FAILED, /* auth: who did not prove it (the user may be empty).  Answered already, with 535 or alike
                              */
    SMTP_SERVER_MAIL,        /* asks: mail */
    SMTP_SERVER_RCPT,        /* asks: rcpt */
    SMTP_SERVER_REFUSED,     /* mail or rcpt, sound and over a limit of ours: refusal.  Answered already */
    SMTP_SERVER_DATA,    /* asks: content begins, by DATA or the first BDAT; only with at least one accepted recipient.
                          * Refusing DATA changes no state, refusing a chunk ends the transaction with ABORT */
    SMTP_SERVER_CONTENT, /* bytes: the next run of the content, without framing, CR LF included, never empty */
    SMTP_SERVER_MESSAGE, /* asks, with a full reply: the content is whole, `size` bytes.  No 2xx before it is durable */
    SMTP_SERVER_ABORT,   /* the transaction is over without a message (RSET, EHLO, STARTTLS, refused content, the end).
                          * Comes exactly once for every transaction whose MAIL was accepted and that saw no MESSAGE;
                          * also when the end comes while a MESSAGE is unanswered: then its fate is the caller's to
                          * settle */
    SMTP_SERVER_CLOSE    /* the last event: write the output, then close the stream.  `why` is for the log */
};

enum smtp_body { SMTP_BODY_7BIT, SMTP_BODY_8BIT, SMTP_BODY_BINARY }; /* RFC 6152, RFC 3030; BODY= */

struct smtp_server_mail {
    struct str reverse_path;   /* without <>, source route dropped; empty is the null reverse-path */
    uint64_t size;             /* SIZE as declared; 0: not given */
    uint8_t body;              /* enum smtp_body */
    bool smtputf8;             /* RFC 6531 */
    bool requiretls;
    uint8_t ret;               /* RET: 0 not given, 'H', 'F' */
    struct str envid;          /* ENVID, still xtext; empty: not given */
};
struct smtp_server_rcpt {
    struct str forward_path;   /* without <>, source route dropped; "postmaster" may stand without a domain */
    uint8_t notify;            /* NOTIFY: bits 1 NEVER, 2 SUCCESS, 4 FAILURE, 8 DELAY; 0 not given */
    struct str orcpt;          /* ORCPT as written, "type;xtext" or with utf-8 (mail/orcpt); empty: not given */
};

struct smtp_server_xclient {
    struct str ip;             /* ADDR, an IP address without "IPV6:"; empty: not told, or: */
    bool unknown;              /* the proxy says that it does not know it */
    struct str helo, login;    /* decoded; empty: not told */
};

struct smtp_server_auth {
    struct str mechanism;      /* a constant */
    struct str user;           /* as the client wrote it, UTF-8 without control characters */
    struct str password;       /* p NULL: the mechanism is SCRAM */
};

/* All views live until the next call on the engine, except _output. */
struct smtp_server_event {
    enum smtp_server_event_kind kind;
    bool asks;
    struct str helo;
    bool esmtp;
    struct smtp_server_xclient xclient;
    struct smtp_server_auth auth;
    struct smtp_server_mail mail;
    struct smtp_server_rcpt rcpt;
    struct str bytes;          /* CONTENT */
    uint64_t size;             /* MESSAGE */
    const char *why;           /* ABORT, CLOSE: a constant sentence */
    const struct reply *refusal; /* REFUSED: what the client hears; ABORT: what it will, of content that is refused;
                                  * else NULL */
    bool broken;               /* CLOSE: for what the client did, neither at its QUIT nor by our will */
};

struct smtp_server;

struct smtp_server *smtp_server_create(const struct smtp_server_options *o); /* the greeting is in the output */
void smtp_server_free(struct smtp_server **s);

/* The bytes need live only until the loop of next() calls has ended.  While an answer is outstanding at most 256 KiB
 * are kept; more ends the session. */
void smtp_server_feed(struct smtp_server *s, struct str bytes);
bool smtp_server_next(struct smtp_server *s, struct smtp_server_event *ev);
struct buf *smtp_server_output(struct smtp_server *s); /* reply bytes; the caller takes them and sets n to 0 */
bool smtp_server_waits(const struct smtp_server *s);   /* an answer is outstanding, or all is over: do not read */

/* Answers the event that asked.  NULL accepts with the engine's own words (250 2.1.0, 250 2.1.5, 354, 220; not for
 * MESSAGE).  A 2xx or 3xx code accepts.  After 421 the session ends.  A refused MAIL or RCPT changes no state. */
void smtp_server_answer(struct smtp_server *s, const struct reply *r);
/* The answer to an AUTH that asks without a password: what is stored of it, and fresh chance for the nonce.  For a user
 * that does not exist a made-up secret, always the same one: the exchange then fails as with a wrong password. */
void smtp_server_secret(struct smtp_server *s, const struct scram_secret *secret,
                        const uint8_t chance[SCRAM_NONCE_SIZE]);
/* While content arrives: keeps nothing more (no CONTENT, no MESSAGE event; ABORT comes at once), swallows the rest and
 * gives this reply at the final dot or the chunk's end.  For a full memory budget or a failed write. */
void smtp_server_discard(struct smtp_server *s, const struct reply *r);
/* After a STARTTLS that was accepted: true, unless bytes arrived behind the command before its answer: then the session
 * ends, and TLS must not be started. */
bool smtp_server_expects_tls(const struct smtp_server *s);
/* TLS stands: all is forgotten, the client must greet again (RFC 3207 section 4.2). */
void smtp_server_secured(struct smtp_server *s);
/* Ends the session from our side: r (may be NULL: silence) is the last reply.  Then next() gives ABORT, if due, and
 * CLOSE. For timeouts (421 4.4.2), shutdown (421 4.3.2), and with NULL for a stream that is gone. */
void smtp_server_stop(struct smtp_server *s, const struct reply *r);

bool smtp_server_is_in_data(const struct smtp_server *s); /* for the caller's rate floor and timers */

#endif
