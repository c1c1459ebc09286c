/* net/loop: the production adapter of net/port.h: one libuv loop, run by one thread.
 *
 * Owns the loop, its timers, streams, listeners, channels and TLS contexts.  Everything but loop_wake_send is for the
 * loop's own thread.  SIGPIPE is ignored process-wide by loop_create. */
#ifndef SLUICE_NET_LOOP_H
#define SLUICE_NET_LOOP_H

#include "net/port.h"

struct loop;

struct loop *loop_create(struct err *e); /* NULL: EX_OSERR in *e */
/* Aborts what is still open (their owners hear nothing), clears all timers, and frees.  NULL-safe; sets *l to NULL. */
void loop_free(struct loop **l);
const struct net_port *loop_port(struct loop *l);

void loop_run(struct loop *l);  /* until loop_stop, or until nothing is left that could wake it */
void loop_stop(struct loop *l); /* loop_run returns at the end of the turn */

/* Called at the end of every turn of the loop, in the order of registration, before streams are flushed: for batched
 * logs and for work that waits for the end of a burst.  At most 8.  Must not block. */
void loop_on_turn_end(struct loop *l, void (*ended)(void *owner), void *owner);

/* A wake-up from other threads (a writer's completions): `woken` runs in the loop, once for any number of sends. */
struct loop_wake;
struct loop_wake *loop_wake_create(struct loop *l, void (*woken)(void *owner), void *owner);
void loop_wake_send(struct loop_wake *w); /* any thread */
void loop_wake_free(struct loop_wake **w); /* no send may follow */

/* A descriptor that something else owns (eventfd, signalfd): `readable` runs while it is readable. */
struct loop_watch;
struct loop_watch *loop_watch_create(struct loop *l, int fd, void (*readable)(void *owner), void *owner);
void loop_watch_free(struct loop_watch **w); /* the descriptor stays open */

/* A signal, as an event of the loop. */
struct loop_signal;
struct loop_signal *loop_signal_create(struct loop *l, int signum, void (*raised)(void *owner, int signum),
                                       void *owner);
void loop_signal_free(struct loop_signal **s);

#endif
