/* relay/connection: one SMTP connection outwards, as connection.c (what happens on it), connect.c (which one a mail
 * gets), login.c (who we are there), transaction.c (a mail given to the engine) and carry.c (what it can carry) share
 * it. Private to the five; everybody else sees deliver.h. */
#ifndef SLUICE_RELAY_CONNECTION_H
#define SLUICE_RELAY_CONNECTION_H

#include "relay/destination.h"
#include "relay/generation.h"
#include "smtp/client.h"

struct connection {
    struct connection *next;
    struct destination *destination;
    struct relay *relay;
    struct net_stream *stream; /* NULL once closed */
    struct smtp_client *client;
    struct delivery *delivery; /* NULL: idle, or on its way out */
    struct delivery *ahead;    /* whose commands left ahead of that one's result; NULL: none */
    struct delivery *upcoming; /* taken from the line to be the next of these, while its content is read; NULL: none */
    bool prompt;               /* the last answer to content came at once */
    int64_t ended_ms;          /* when content last ended */
    struct obligation demand;  /* what the connection was made for */
    uint64_t generation;
    uint8_t connector_tls;
    uint64_t edition; /* which place of which list of hosts it leads to */
    int which;
    struct str where, tls_name, trust, label; /* in one block of text; label: "host:port", "host[address]:port" */
    char *text;
    uint16_t port;
    bool tls, verified, is_1_3, tls_spent;
    bool login, authenticated; /* the connector has a user; and the host knows it */
    bool ready; /* the engine waits for an order */
    bool over;  /* no order will follow: only closing is left */
    bool shut;  /* the stream was told to close: nothing more is written */
    unsigned served;
    uint32_t extensions;
    uint64_t size_limit;
    uint32_t recipient_limit, message_limit, domain_limit; /* RFC 9422; 0: none told */
    char had[64];  /* "TLSv1.3 TLS_AES_…", for the log */
    char why[200]; /* why the stream closed */
    struct net_timer timer;
    int64_t deadline_ms, armed_ms; /* armed_ms 0: not */
    struct pieces_cursor cursor;   /* while the content goes out */
    struct str run;
    bool sending;
    struct net_timer work; /* hashing for AUTH */
};

extern const struct net_stream_events connection_events;
/* Moves the deadline; the timer itself is only touched when it would come too late or not at all. */
void connection_deadline(struct connection *c, int64_t ms);

/* transaction.c */
struct tls_situation connection_situation(const struct connection *c, const struct delivery *d, uint8_t moment);
void connection_release(struct connection *c, struct delivery *d);
void connection_send_ahead(struct connection *c); /* the content has ended */
void connection_let_go(struct connection *c);     /* the upcoming one goes back to its line */
void connection_go_on(struct connection *c);      /* an idle one takes what waits, if anything does */
void connection_heard(struct connection *c, enum smtp_client_stage stage); /* the result */

/* connection.c, for login.c */
void connection_turn(struct connection *c);   /* the engine was told something */
void connection_decide(struct connection *c); /* the engine waits for an order: what may happen now? */
void connection_put_back(struct connection *c, bool tls_spent); /* its delivery, as if it had not been tried */
void connection_host_failed(struct connection *c,
                            const struct trouble *t); /* no session came about: another host may do */

/* login.c */
bool connection_login_is_due(const struct connection *c);
void connection_login(struct connection *c);
void connection_login_event(struct connection *c, const struct smtp_client_event *ev);

/* carry.c */
const struct stored_copy *
delivery_copy(const struct delivery *d); /* the form to send; NULL: not stored, or not read yet */
bool delivery_needs_utf8(const struct delivery *d);
/* True: never by this host; *why says what it lacks, with a 5.x.x code. */
bool connection_cannot_carry(const struct connection *c, const struct delivery *d, struct reply *why);

#endif
