/* tests/support/memory_ports: net, store and content in memory, a clock that only tests move, scripted SMTP servers,
 * and a judge in the same process: a whole message runs through relay/ with no loop, no database and no socket.
 *
 * Everything happens in memory_run, in a fixed order, until nothing is left to do; timers fire in memory_advance.  Owns
 * all of it until memory_free. */
#ifndef TESTS_MEMORY_PORTS_H
#define TESTS_MEMORY_PORTS_H

#include "base/arena.h"
#include "base/link.h"
#include "judge/protocol.h"
#include "net/port.h"
#include "relay/relay.h"
#include "store/port.h"

struct memory;

/* --- the judge: what a test makes of a request -------------------------------------------------------------------- */
enum judge_behaviour { JUDGE_ANSWERS, JUDGE_DIES, JUDGE_HANGS, JUDGE_LIES };
/* Fills *answer (id and an accepting verdict stand there already: everybody gets the content untouched). */
typedef enum judge_behaviour judge_script(void *owner, const struct judge_request *request, struct arena *a,
                                          struct judge_answer *answer);

/* --- the SMTP servers mail is sent to ----------------------------------------------------------------------------- */
struct memory_mail {
    struct buf from, to, data; /* whole command lines "MAIL FROM:<…>…"; to: one per line; data as sent, with dots */
    bool tls;
    unsigned connection; /* which one, from 1 */
};
struct memory_server {
    uint16_t port;
    const char *host;    /* as connected to; NULL: any */
    char tls_name[256];  /* that the last handshake asked for */
    bool refuses; /* connections */
    unsigned recipients_most; /* LIMITS RCPTMAX; 0: none told */
    const char *more_limits;  /* further words of LIMITS */
    unsigned size_limit;      /* of SIZE; 0: ten million */
    bool utf8;                /* SMTPUTF8 */
    const char *silent_at; /* what is never answered: "greeting", "EHLO", "STARTTLS", "MAIL", "RCPT", "DATA", "dot" */
    const char *silent_to;    /* a session that names a recipient with this in it is answered no more; NULL: none */
    bool starttls, starttls_breaks, certificate_good, tls_1_2, requiretls, no_8bit;
    const char *auth; /* mechanisms, offered inside TLS; NULL: none.  Only PLAIN is spoken */
    const char *auth_reply; /* to PLAIN; NULL: good.  Without AUTH, MAIL is then refused by 530 */
    struct buf logins; /* what came behind AUTH PLAIN, a line each */
    const char *greeting, *mail_reply, *rcpt_reply, *data_reply, *dot_reply; /* NULL: a good one; dot: "" is none */
    const char *rcpt_refused; /* recipients that contain this get rcpt_reply; NULL: all */
    bool drops_idle;          /* hangs up when the next MAIL comes on a used connection */
    bool dots_wait;           /* content is answered by memory_answer_dots only */
    bool hangs_up_ahead;      /* on MAIL that comes before content was answered */
    unsigned ahead;           /* such MAILs */
    unsigned connections;
    struct buf clear; /* every byte that came before TLS */
    struct memory_mail mail[160];
    size_t mail_count;
};

/* What DNS says: a row answers its name and kind; without one there is no such data. */
struct memory_dns {
    const char *name; /* NULL ends the table */
    uint8_t kind, status; /* enum net_dns_kind, net_dns_status */
    const char *records;  /* "10 mx.example, 20 ." or "192.0.2.1" */
    bool secure;
};

struct memory {
    struct net_port net;
    struct store_port store;
    struct content_port content;
    int64_t utc_us, mono_us; /* moved by memory_advance */
    judge_script *script;
    void *script_owner;
    unsigned spawned, killed, retired; /* judges; templates that closed */
    struct memory_server servers[4];
    struct buf supervisor; /* kinds of what the relay told the supervisor, one byte each */
    struct buf said;       /* … and the text of the last LINK_REFUSED */
    unsigned listed;       /* live lists that judges took */
    bool list_kills;       /* a judge dies of the next one */
    const struct memory_dns *dns;
    const char *local; /* the address of an interface; NULL: none */
    unsigned dns_asked;
    bool dns_silent; /* no question is answered while set */
    bool writes_stick; /* what is written to a dialled stream stays with us, and is told as waiting */
    bool store_fails;      /* every write and every look at a user is answered not-ok while set */
    bool store_waits;      /* nothing is answered while set */
    unsigned writes, user_queries, loads; /* loads: looks at what is due */
    uint64_t free_bytes;
    int64_t peer_uid;
    struct impl *impl;
};

struct memory *memory_create(void);
void memory_free(struct memory **m);
/* The relay's process is gone: what was not stored is lost, nobody hears of it. */
void memory_crash(struct memory *m);
void memory_run(struct memory *m);
void memory_advance(struct memory *m, int64_t ms); /* stepwise: every timer at its time */
int memory_supervisor(struct memory *m);           /* the relay's end, for relay_begin */
void memory_link(struct memory *m, const struct link_message *message, const int fds[4]);
int memory_file(struct memory *m, struct str bytes);   /* a descriptor that `fetch` reads */
int memory_socket(struct memory *m, const char *name); /* a listening one; `name` is for memory_dial */
int memory_template(struct memory *m);                 /* a channel whose other end spawns judges */

/* A client of the relay's. */
struct net_stream *memory_dial(struct memory *m, const char *name, const char *ip);
void memory_say(struct memory *m, struct net_stream *s, const char *text);
struct str memory_heard(struct net_stream *s); /* since the last memory_forget */
void memory_forget(struct net_stream *s);
void memory_hang_up(struct memory *m, struct net_stream *s);
bool memory_is_open(const struct net_stream *s); /* the relay has not closed it */

/* All servers answer the content that they keep waiting. */
void memory_answer_dots(struct memory *m);

/* The store's rows. */
size_t memory_stored(const struct memory *m); /* messages */
const struct stored_message *memory_message(const struct memory *m, size_t i);
uint64_t memory_hits(const struct memory *m, const char *rule, unsigned column);
size_t memory_audited(const struct memory *m, const char *what);

#endif
