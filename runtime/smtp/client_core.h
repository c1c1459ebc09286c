/* smtp/client_core: one client session, as client.c (greeting, EHLO, STARTTLS, the loop), client_auth.c (AUTH) and
 * client_transaction.c (from MAIL to the reply to the content) share it.  Private to the three. */
#ifndef SLUICE_SMTP_CLIENT_CORE_H
#define SLUICE_SMTP_CLIENT_CORE_H

#include "smtp/client.h"
#include "smtp/reply.h"

enum body_state { BODY_LINE, BODY_TEXT, BODY_CR };
enum { MECHANISM_SCRAM = 1, MECHANISM_PLAIN = 2, MECHANISM_LOGIN = 4 };
enum { LIMIT_RCPTMAX, LIMIT_MAILMAX, LIMIT_RCPTDOMAINMAX, LIMIT_KINDS }; /* RFC 9422 */

struct smtp_client {
    char *hostname;
    struct buf out;
    struct str in; /* the caller's bytes, used up before next() answers false */
    struct smtp_reader reader;
    enum smtp_client_stage stage;
    bool tls;
    bool hello_only; /* HELO instead of EHLO */
    uint32_t extensions;
    uint64_t size_limit;
    uint32_t limits[LIMIT_KINDS];
    struct buf greeted_by;
    unsigned mechanisms;      /* MECHANISM_…, offered for AUTH */
    struct client_auth *auth; /* while it is under way */
    bool authenticated;
    /* the transaction */
    struct buf commands; /* its lines not yet given out: without PIPELINING one goes at a time */
    bool pipelined;
    bool reset_sent; /* its first answer is RSET's */
    bool reset_due;  /* the last transaction ended without a dot: RSET goes before the next */
    size_t recipients, answered, accepted;
    bool lone_dot; /* 354 came though nothing was accepted: the dot ends nothing (RFC 2920 section 3.1) */
    bool data_sent;
    enum smtp_client_stage result_stage; /* where it was decided before its end: MAIL or RCPT; else IDLE */
    struct reply result;
    struct buf result_text;
    enum body_state body;
    bool chunked, binary; /* the content goes by BDAT; it may hold anything */
    uint64_t left;        /* octets of the chunk still to write */
    uint64_t size_ahead;  /* of the transaction sent ahead, and whether it is binary */
    bool binary_ahead;
    size_t ahead; /* recipients of the transaction sent ahead of this one's result; 0: none */
    /* the end */
    bool failed;
    const char *why;
    enum smtp_client_stage failed_stage;
    struct reply failure;
    bool may_be_delivered;
};

/* The session is of no further use: next() gives FAILED with this constant sentence, and the reply where one says
 * it. */
void client_fail(struct smtp_client *c, const char *why, const struct reply *r);
/* Bytes that nobody asked for would be taken for the answer to what is written next: false, and the session has
 * failed. */
bool client_is_in_step(struct smtp_client *c);

void client_auth_read(struct smtp_client *c, struct str names); /* behind AUTH in the reply to EHLO */
bool client_on_auth(struct smtp_client *c, const struct reply *r, struct smtp_client_event *ev);
bool client_auth_tell(struct smtp_client *c, struct smtp_client_event *ev); /* AUTH_WORK, once */
void client_auth_free(struct smtp_client *c);

/* What a reply means in the stages of a transaction.  True: *ev is to be told. */
bool client_on_mail(struct smtp_client *c, const struct reply *r, struct smtp_client_event *ev);
bool client_on_rcpt(struct smtp_client *c, const struct reply *r, struct smtp_client_event *ev);
bool client_on_data(struct smtp_client *c, const struct reply *r, struct smtp_client_event *ev);
bool client_on_dot(struct smtp_client *c, const struct reply *r, struct smtp_client_event *ev);
bool client_follow_recipients(struct smtp_client *c, struct smtp_client_event *ev);

#endif
