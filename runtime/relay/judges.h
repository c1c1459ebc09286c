/* relay/judges: the judges of one generation and the work given to them.
 *
 * A job is one message to be judged.  At most 4 are with a judge, answered in order.  When a judge dies, or overruns
 * the time of its oldest job (2 s + 0.2 s per MiB: then it is killed), that job is the suspect: it goes alone to a
 * fresh judge, the others go back to the head of the line; a second time, and the job is answered *unavailable*.  A
 * judge that answers what is not sound is killed, and its job unavailable at once.  After 10,000 messages a judge is
 * replaced.  Before its first job a judge gets every live list of its rules, and each newer one before any further job.
 *
 * Owns the template's channel and the judges'.  Jobs are the submitter's and live until answered or withdrawn. */
#ifndef SLUICE_RELAY_JUDGES_H
#define SLUICE_RELAY_JUDGES_H

#include "judge/protocol.h"
#include "mail/live_list.h"
#include "relay/state.h"

enum { JUDGE_IN_FLIGHT = 4, JUDGE_REPLACE_AFTER = 10000 };

struct judges;
struct judge;

struct judge_job {
    struct judge_request request; /* views live until the job is over; `id` is set here */
    int fd;                       /* of the content when it is not inline; stays the submitter's */
    struct arena *arena;          /* where the answer's tables and bytes go */
    /* Once, from the loop.  NULL: the message could not be judged, `why` says what happened (451). */
    void (*done)(void *owner, const struct verdict *v, const char *why);
    void *owner;
    /* private */
    struct judge_job *next;
    struct judge *judge;
    bool suspect; /* a judge died over it */
    bool over;    /* withdrawn while with a judge */
};

/* `template` is the channel LINK_TEMPLATE brought; `wanted` the number of judges; `s` of the generation, whose live
 * lists they are given. */
struct judges *judges_create(struct relay *r, int template, unsigned wanted, const struct settings *s);
/* Some live list changed: the judges are given it. */
void judges_lists_changed(struct judges *js);
/* Whether every judge that runs has answered for the table as of this version of lists_block (or the rules do not name
 * it). */
bool judges_have_list(const struct judges *js, struct str table, uint64_t version);
void judges_submit(struct judges *js, struct judge_job *j);
/* The submitter no longer wants the answer; its memory is free at once. */
void judges_withdraw(struct judges *js, struct judge_job *j);
/* No more jobs will be submitted: closes by itself as soon as nothing is with it. */
void judges_retire(struct judges *js);
void judges_free(struct judges **js); /* closes all; INVARIANT: no job is left */

struct judges_status {
    unsigned running, starting, waiting, in_flight;
    uint64_t judged, deaths, unavailable;
};
struct judges_status judges_status(const struct judges *js);

#endif
