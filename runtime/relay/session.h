/* relay/session: one client's connection, as receive.c (the dialogue), arrival.c (how it comes to one), authenticate.c
 * (who it is), envelope.c (what it may send, to whom), intake.c (its message), room.c (its wait for memory) and
 * patience.c (how long it may take) share it.  Private to these. */
#ifndef SLUICE_RELAY_SESSION_H
#define SLUICE_RELAY_SESSION_H

#include "base/ip.h"
#include "relay/clients.h"
#include "relay/generation.h"
#include "relay/state.h"
#include "smtp/server.h"

struct session {
    struct session *next, *before;
    struct session *room_next; /* in the line for memory */
    struct relay *relay;
    struct net_stream *stream;
    struct smtp_server *server; /* NULL before the greeting: a PROXY header or TLS is awaited */
    struct generation *generation;
    struct listener *listener; /* of that generation */
    struct intake *intake;
    struct auth_check *auth_check; /* the store is asked: authenticate.c's */
    struct net_timer timer;
    int64_t active_ms; /* when the dialogue last moved */
    int64_t content_ms; /* when the content began, and how much of it came */
    uint64_t content_bytes;
    struct client_facts client; /* ip, helo and user: copies below; listener: the generation's */
    struct client *counted;     /* its address in the table; NULL: not limited */
    struct buf helo, user, before_greeting;
    char ip[IP_TEXT_MAX];
    struct net_tls_facts tls;
    uint64_t seen_bytes; /* of content, when the dialogue last counted as moved */
    bool esmtp, running, reading, closing, wants_room;
    bool choked; /* the client reads no replies: nothing more is read from it */
};

struct receive {
    struct relay *relay;
    struct clients *clients;
    struct session *first;
    size_t sessions, intakes;
    struct session *room_first, *room_last;
    struct intake *unused;
    unsigned unused_count;
    struct auth_check *hash_first, *hash_last; /* passwords that wait to be hashed: authenticate.c's */
    unsigned hashing;                          /* of those the store has */
    bool giving_room; /* receive_memory_came_back is on the stack */
};

/* arrival.c */
void session_arrive(struct session *s, struct str peer); /* accepted: up to the greeting, or a PROXY header first */
void session_read_proxy(struct session *s, struct str bytes);
void session_greet(struct session *s); /* admitted, and TLS stands where it comes first */
void session_drop(struct session *s);  /* before the greeting: without a word */
/* The client's address or the listener's rules are new: what follows from both. */
void session_identify(struct session *s);
/* From now on it lives by the running generation's listener of its name; without one by its old rules. */
void session_adopt_generation(struct session *s);
void session_speaks_for(struct session *s, const struct smtp_server_xclient *x);
/* One more of what the listener limits per client; false: it is one too many. */
bool session_may_count(struct session *s, enum client_count what);

/* authenticate.c: the events of AUTH. */
void session_authenticate(struct session *s, const struct smtp_server_auth *auth); /* answered later */
void session_authenticated(struct session *s, const struct smtp_server_auth *auth);
void session_not_authenticated(struct session *s, const struct smtp_server_auth *auth);
void session_forget_auth(struct session *s); /* it ends: what the store still answers is for nobody */

/* envelope.c: answers MAIL, which begins an intake, and RCPT. */
void session_mail(struct session *s, const struct smtp_server_mail *mail);
void session_rcpt(struct session *s, const struct smtp_server_rcpt *rcpt);

/* room.c: the line for memory. */
void session_wait_for_room(struct session *s);
void session_leave_room(struct session *s); /* harmless for one that is not in it */

/* patience.c: from now on the clock is held against the client, until its timer is cleared. */
void session_watch(struct session *s);

/* receive.c */
void session_run(struct session *s); /* whatever was fed or answered: events, replies, and whether to read on */
void session_finds_no_room(struct session *s);               /* one that waits for it: 452 */
void session_stop(struct session *s, const struct reply *r); /* 421 or silence (NULL), and the end */
/* The answer to a command; whoever asks why mail did not come finds it in the log. */
void session_refuse(struct session *s, const struct reply *reply, struct str from, struct str to);
extern const struct reply session_no_storage, session_shutting_down;

#endif
