/* relay/judges_core: the pool of judges, as judges.c (lines of jobs, who gets which, the template) and judge.c (one
 * judge: what it holds, what it answers, its end) share it.  Private to the two. */
#ifndef SLUICE_RELAY_JUDGES_CORE_H
#define SLUICE_RELAY_JUDGES_CORE_H

#include "base/link.h"
#include "relay/judges.h"
#include "relay/lists.h"

/* A job on its way: outlives a withdrawn job, because the judge answers it all the same.  Or a live list. */
struct flight {
    uint64_t id, size;
    struct judge_job *job; /* NULL: withdrawn, or a list */
    bool is_list;
    size_t list;      /* index into the settings' live lists … */
    uint64_t version; /* … as of this version: lists.h */
};

enum { FLIGHTS_MAX = JUDGE_IN_FLIGHT + LIVE_LISTS_MAX };

struct judge {
    struct judges *judges;
    struct judge *next;
    struct net_channel *channel;
    uint64_t pid, judged;
    struct flight flights[FLIGHTS_MAX];
    unsigned in_flight, jobs;                           /* jobs: those that are no lists */
    uint64_t sent[LIVE_LISTS_MAX], has[LIVE_LISTS_MAX]; /* versions by list; 0: none yet */
    bool full;                 /* its socket is; writable() will come */
    bool alone;                /* holds a suspect: nothing else goes there */
    struct net_timer watchdog; /* runs for flights[0] */
};

/* A line of jobs; push at the tail, or back at the head. */
struct line {
    struct judge_job *first, *last;
    unsigned n;
};

struct judges {
    struct relay *relay;
    const struct settings *settings;
    struct net_channel *template;
    struct judge *list;
    unsigned wanted, running, starting, idle_deaths;
    struct line waiting, suspects;
    uint64_t next_id;
    struct buf out;            /* one encoded request or link message */
    struct arena *scratch;     /* for decoding answers that are about lists */
    struct net_timer patience; /* while jobs wait: since `moved_ms` none was taken */
    bool impatient;            /* … and it runs */
    struct net_timer respawn;
    int64_t moved_ms;
    bool retired;
    struct judges_status status;
};

/* judges.c */
void judges_wait_again(struct judges *js, struct judge_job *job); /* at the head of the line */
void judges_suspect(struct judges *js, struct judge_job *job);    /* goes alone to a fresh judge */
void judges_finish(struct judges *js, struct judge_job *job, const struct verdict *v, const char *why);
void judges_dispatch(struct judges *js);
void judges_spawn(struct judges *js);   /* those that are missing */
void judges_replace(struct judges *js); /* likewise, but in a second when judges die in a circle */
void judges_tell_template(struct judges *js, const struct link_message *m);

/* judge.c */
void judge_add(struct judges *js, uint64_t pid, int fd);
void judge_remove(struct judge *j); /* the process ends when its channel does */
void judge_lost(struct judge *j, const char *how); /* its unanswered jobs find another; the oldest is under suspicion */
bool judge_is_free(const struct judge *j);
bool judge_send(struct judge *j, struct judge_job *job); /* false: its socket is full, nothing was sent */
/* Gives it every list that it has not got as it is now.  False when some must wait for room. */
bool judge_push_lists(struct judge *j);

#endif
