/* tests/support/smtp_model: a reference automaton for smtp/server: a second reading of RFC 5321, 3207, 3030, 3461,
 * 4954, 6531, 8689 and XCLIENT, by whole lines and whole chunks, that shares no code with the engine.
 *
 * It knows the driver's policy (smtp_drive.h) and the vocabulary of tests/unit/smtp_walk_test.c, and says which codes
 * and which events must come of a segment. */
#ifndef SLUICE_TESTS_SMTP_MODEL_H
#define SLUICE_TESTS_SMTP_MODEL_H

#include "base/vec.h"

enum { SMTP_MODEL_SIZE = 1000 }; /* the limit of a message */

/* What the server offers. */
enum {
    OFFER_STARTTLS = 1,
    OFFER_TLS_FIRST = 2,
    OFFER_TLS_REQUIRED = 4,
    OFFER_AUTH = 8,
    OFFER_AUTH_REQUIRED = 16,
    OFFER_DSN = 32,
    OFFER_UTF8 = 64,
    OFFER_BINARY = 128,
    OFFER_XCLIENT = 256,
    OFFER_REQUIRETLS = 512
};

enum smtp_model_wait {
    WAIT_COMMAND,
    WAIT_DATA,
    WAIT_CHUNK,
    WAIT_HANDSHAKE,
    WAIT_LOGIN_USER,
    WAIT_LOGIN_PASSWORD,
    WAIT_PLAIN,
    WAIT_SCRAM_FIRST,
    WAIT_SCRAM_LAST,
    WAIT_OVER
};

struct smtp_model {
    unsigned offers;
    enum smtp_model_wait wait;
    bool tls, greeted, esmtp, authenticated;
    bool mail, utf8, binary, tried, chunked, told; /* told: it is aborted, the rest of its content is swallowed */
    unsigned recipients, errors, junk, guesses;
    struct str user; /* LOGIN's */
    size_t left;     /* of a chunk */
    bool last;
    unsigned refusal; /* at the content's end */
    struct buf content, codes, events;
};

void smtp_model_feed(struct smtp_model *m, struct str segment); /* whole lines and whole chunks, or parts of a chunk */
void smtp_model_secured(struct smtp_model *m);                  /* TLS stands */
void smtp_model_free(struct smtp_model *m);

#endif
