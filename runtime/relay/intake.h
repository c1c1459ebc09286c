/* relay/intake: one message while it is taken in: from MAIL to the commit of what was decided about it.
 *
 * It belongs to its session until the final dot was answered or the client is gone; after that only to whatever it is
 * waiting for, and frees itself then.  Everything in it lives in its arena, except the body. */
#ifndef SLUICE_RELAY_INTAKE_H
#define SLUICE_RELAY_INTAKE_H

#include "base/arena.h"
#include "base/map.h"
#include "mail/queue_id.h"
#include "relay/body.h"
#include "relay/judges.h"

struct session;
struct receive;
struct origin;

enum intake_phase { INTAKE_ENVELOPE, INTAKE_CONTENT, INTAKE_JUDGING, INTAKE_WRITING, INTAKE_OVER };

struct intake_recipient {
    struct str orcpt;
    uint8_t notify;
};

struct intake {
    struct intake *next; /* in the store of unused ones */
    struct relay *relay;
    struct session *session;       /* NULL: nobody waits for the answer any more */
    struct generation *generation; /* the one that judges it; NULL before the final dot */
    struct arena *arena;
    uint8_t phase; /* enum intake_phase */
    char queue_id[QUEUE_ID_SIZE];
    struct envelope envelope; /* recipients: the vec below */
    VEC(struct str) recipients;
    VEC(struct intake_recipient) extras; /* same order */
    struct map seen;                     /* recipients, once there are many */
    size_t recipient_bytes;
    uint64_t declared; /* SIZE= */
    struct body *body;
    struct judge_job job;
    struct store_write write;
    struct stored_message *messages; /* the message, if it stays; then what the relay writes itself about it */
    struct origin **made;            /* the latter: a DSN for those refused while others are accepted, notices */
    size_t made_count;
    struct reply reply; /* what the client is told once the write is done */
    bool stores;        /* messages[0] is the message */
    bool of_a_notice;   /* it comes of a notice that this relay sent */
};

/* The final dot was read: has it judged, carries out the verdict; the answer comes by session_answer.  Frees the intake
 * in the end. */
void accept_message(struct intake *in);
/* The client is gone before its answer: what is not yet given to the store is dropped (no 250: nobody gets it). */
void accept_abandon(struct intake *in);

/* receive.c: the answer to the message; the session lets go of it. */
void session_answer(struct session *s, const struct reply *r);

struct intake *intake_create(struct session *s); /* with a queue id */
void intake_free(struct intake *in);             /* no session's any more; the memory is kept for the next */
void intake_free_unused(struct receive *rc);     /* what was kept */

#endif
