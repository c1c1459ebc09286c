/* smtp/server_core: what the parts of the server engine share: server.c (bytes, the loop, answers), server_command.c
 * (the verbs), server_content.c (DATA and BDAT) and server_auth.c (AUTH).  Private to smtp/. */
#ifndef SLUICE_SMTP_SERVER_CORE_H
#define SLUICE_SMTP_SERVER_CORE_H

#include "smtp/server.h"

enum server_phase {
    PHASE_COMMAND,
    PHASE_CONTENT, /* behind DATA, up to the dot */
    PHASE_CHUNK,   /* behind BDAT, up to its last octet */
    PHASE_TLS,    /* 220 given: no byte may come before smtp_server_secured */
    PHASE_ENDING, /* ABORT, if due, and CLOSE are still to be told */
    PHASE_OVER
};

/* Where in the content the next byte stands. */
enum server_content {
    CONTENT_LINE,   /* first of a line */
    CONTENT_TEXT,
    CONTENT_CR,     /* behind a CR */
    CONTENT_DOT,    /* behind a dot that began a line */
    CONTENT_DOT_CR
};

enum server_step { STEP_EVENT, STEP_AGAIN, STEP_STARVED };

struct smtp_server {
    struct smtp_server_options options;
    char *hostname;
    struct buf out;
    struct str in;          /* bytes not yet looked at: the caller's, or those in `held` */
    struct buf held;
    bool in_held;
    enum server_phase phase;
    bool asking;
    enum smtp_server_event_kind question;
    bool greeted, esmtp, tls;
    struct server_auth *auth; /* server_auth.c's; NULL: no exchange is under way */
    bool authenticated;
    struct buf xclient; /* the event's texts */
    unsigned auth_failures;
    /* The transaction.  mail false: recipients 0 and phase not CONTENT. */
    bool mail, told;        /* told: its ABORT was given already */
    bool smtputf8, binary;  /* as MAIL asked */
    uint32_t recipients;
    bool tried;             /* a RCPT was seen */
    enum server_content content;
    uint64_t size;
    bool chunked;           /* content came by BDAT: DATA and RCPT are no longer due */
    uint64_t chunk_left;    /* octets of the chunk still to come */
    bool chunk_last;
    bool discarding;
    uint64_t discarded;     /* octets, while discarding */
    struct reply verdict;   /* for the content's end while discarding; its text is in verdict_text */
    struct buf verdict_text;
    bool abort_due;
    const char *abort_why, *end_why;
    bool abort_refused; /* the ABORT that is due comes of `verdict` */
    bool broken; /* end_why is the client's doing */
    bool has_later;         /* an event that had to let an ABORT pass */
    struct smtp_server_event later;
    unsigned errors, junk;
};

/* One reply into the output. */
void server_say(struct smtp_server *s, uint16_t code, struct status status, struct str text);
/* A refusal that counts as the client's error; the twentieth ends the session with 421. */
enum server_step server_refuse(struct smtp_server *s, uint16_t code, struct status status, struct str text);
enum server_step server_refuse_injection(struct smtp_server *s); /* bytes behind STARTTLS */
/* The transaction goes: ABORT becomes due if the caller holds one. */
void server_reset(struct smtp_server *s, const char *why);
void server_end(struct smtp_server *s, const char *why);
void server_break(struct smtp_server *s, const char *why); /* likewise, for what the client did */

/* server_content.c: content begins, as the DATA event was answered. */
void server_content_begin(struct smtp_server *s, const struct reply *r, bool accepted);
enum server_step server_content_step(struct smtp_server *s,
                                     struct smtp_server_event *ev); /* phases CONTENT and CHUNK */
/* Nothing more of it is kept; r is the reply at its end. */
void server_content_discard(struct smtp_server *s, const struct reply *r);
/* BDAT with its arguments read: asks, or goes on, or has the chunk swallowed and `refusal` (NULL: none) said then. */
enum server_step server_chunk_begin(struct smtp_server *s, uint64_t octets, bool last, const struct reply *refusal,
                                    struct smtp_server_event *ev);

/* server_auth.c: AUTH, and the lines of its exchange, which are no commands. */
bool server_auth_is_offered(const struct smtp_server *s);
enum server_step server_auth_begin(struct smtp_server *s, struct str args, struct smtp_server_event *ev);
enum server_step server_auth_line(struct smtp_server *s, struct str line, struct smtp_server_event *ev);
void server_auth_answer(struct smtp_server *s, const struct reply *r, bool accepted);
bool server_auth_tell(struct smtp_server *s, struct smtp_server_event *ev); /* AUTHENTICATED or AUTH_FAILED, when due */
void server_auth_free(struct smtp_server *s);

void server_greet(struct smtp_server *s); /* the 220 */
enum server_step server_ask(struct smtp_server *s, struct smtp_server_event *ev, enum smtp_server_event_kind kind);

/* Runs one command, a line without its CR LF. */
enum server_step server_command(struct smtp_server *s, struct str line, struct smtp_server_event *ev);

#endif
