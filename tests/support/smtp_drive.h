/* tests/support/smtp_drive: a caller of smtp/server with a simple policy, that writes down what it was told.
 *
 * Policy: MAIL from a local part "defer" 451, RCPT to "bad" 550, to "later" 451, DATA accepted, messages 250 and kept;
 * "close" as a recipient 421; the password "right" is right, "later" 454, all others 535; SCRAM gets `secret`,
 * `chance`.  Events go to `events`, one line each; reply bytes to `replies`. */
#ifndef SLUICE_TESTS_SMTP_DRIVE_H
#define SLUICE_TESTS_SMTP_DRIVE_H

#include "smtp/server.h"

struct smtp_drive {
    struct smtp_server *server;
    bool late; /* answers only after the engine has said that it waits */
    struct scram_secret secret;
    uint8_t chance[SCRAM_NONCE_SIZE];
    struct buf events, replies, content;
    size_t messages;
    bool closed;
    bool open; /* a transaction as the events tell it: MAIL accepted, no ABORT and no MESSAGE yet */
};

void smtp_drive_init(struct smtp_drive *d, const struct smtp_server_options *o);
void smtp_drive_free(struct smtp_drive *d);
void smtp_drive_feed(struct smtp_drive *d, struct str bytes); /* runs the engine until it wants more */
/* In pieces of at most `piece` bytes (0: whole). */
void smtp_drive_feed_pieces(struct smtp_drive *d, struct str bytes, size_t piece);

#endif
