/* message/state: the inside of struct message, for the files of this room only.
 *
 * Everything is taken from the message's arena; what is NULL was not asked for yet. */
#ifndef SLUICE_MESSAGE_STATE_H
#define SLUICE_MESSAGE_STATE_H

#include "base/vec.h"
#include "message/message.h"

enum { HEADER_BUCKETS = 64 };

struct message {
    struct arena *arena;
    struct str content;
    struct message_limits limits;
    struct message_header header;
    uint32_t bucket[HEADER_BUCKETS];  /* by hash of the lower-case name: index + 1 of the first such field */
    uint32_t *next;                   /* per field: index + 1 of the next one in its bucket */
    struct message_values **values;   /* per field, at the first of its name */
    struct message_addresses **addresses;
    struct message_text *subject;
    struct mime_tree *mime;
    struct message_body *body;
    size_t decoded;                   /* bytes spent on nested messages that had to be decoded to be parsed */
};

/* The first field of this name at or after field `from`; header.field_count when there is none. */
size_t message_field_find(const struct message *m, struct str name, size_t from);
/* One field body read as text. */
struct message_text message_text_of_header(struct arena *a, struct str raw);
/* The addresses of several instances of one field. */
struct message_addresses message_addresses_of(struct arena *a, const struct message_values *values);
/* An address list written as UTF-8 text, in the ASCII tokens of a structured field (RFC 2047 section 5):
 * address_field.c. False when it is no list of ASCII addresses; *out is then of no use. */
bool message_address_tokens(struct arena *a, struct str value, struct buf *out);
/* One view of this text. */
struct message_text message_text_one(struct arena *a, struct str text, uint32_t unreadable);

/* Builds the tree of the whole content: mime.c. */
struct mime_tree *mime_parse(struct message *m);
/* Appends the body of a leaf with its transfer encoding undone; answers enum unreadable bits. */
uint32_t mime_transfer_decode(const struct mime_part *p, struct str raw, struct buf *out);
bool mime_is_text(const struct mime_part *p);

#endif
