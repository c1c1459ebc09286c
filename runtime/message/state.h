/* message/state: the inside of struct message, for the files of this room only.
 *
 * Everything is taken from the message's arena; what is NULL was not asked for yet. */
#ifndef SLUICE_MESSAGE_STATE_H
#define SLUICE_MESSAGE_STATE_H

#include "mail/address.h"
#include "message/viewer.h"

enum {
    HEADER_BUCKETS = 64,
    PART_WORK = 64, /* octets of work that each part is worth, to whoever looks at all of them (viewer.work) */
    /* Every reading of the structure reads the texts of parameters anew: octets of work for all of them together. */
    PARAM_READINGS_MAX = 8 * 1024 * 1024,
    PARAMS_KEPT_MAX = 8 * 1024 * 1024, /* what they may keep; beyond, only the first octets of each are read */
    TREES_KEPT_MAX = 16 * 1024 * 1024, /* what readings of the structure may keep before there are no further ones */
    /* libmagic takes its time for each of them, in every list of attachments: octets, and what one call is worth. */
    TYPE_READINGS_MAX = 256 * 1024 * 1024,
    TYPE_READING_COST = 64 * 1024
};

struct read_tree {
    struct read_tree *next;
    uint64_t manners, differs; /* of the structure; of decoding too, when `decoded` */
    bool decoded;              /* some of its parts stand in what had to be decoded */
    struct mime_tree tree;
};

struct message {
    struct arena *arena; /* its own: what it has used is what this message keeps */
    struct str content;
    struct message_limits limits;
    struct message_header header;
    struct viewer header_reading;
    const struct message_field *doubtful; /* what only some readers take for fields */
    size_t doubtful_count;
    uint32_t bucket[HEADER_BUCKETS]; /* by hash of the lower-case name: index + 1 of the first such field */
    uint32_t *next;                  /* per field: index + 1 of the next one in its bucket */
    struct message_values **values;  /* per field, at the first of its name */
    struct message_addresses **addresses;
    struct message_text *subject;
    struct read_tree *trees;
    struct read_tree *tree_left_out;
    size_t trees_kept;   /* bytes of the arena, until there are more than TREES_KEPT_MAX */
    struct str cr_as_lf; /* the content to those to whom a bare CR ends a line; p NULL: not made yet */
    struct message_body *body;
    struct message_text *body_source;
    bool has_html; /* to one of those who read the body: without, its source is the same */
    struct message_attachments *attachments;
    struct text_files *files; /* attachments.c */
    struct message_facts *facts;
    struct message_text is_signed, is_encrypted; /* without views: not asked for yet */
    size_t decoded;                 /* bytes spent on nested messages that had to be decoded to be parsed */
    size_t params_left, types_left; /* of PARAM_READINGS_MAX, TYPE_READINGS_MAX */
    size_t params_kept;             /* bytes of the arena */
};

/* How much of limits.memory is left for further readings. */
size_t message_room(const struct message *m);
/* The first field of this name at or after field `from`; header.field_count when there is none. */
size_t message_field_find(const struct message *m, struct str name, size_t from);
/* One field body read as text. */
struct message_text message_text_of_header(struct message *m, struct str raw);
/* The value of a parameter, likewise, within what is left for those. */
struct message_text message_text_of_param(struct message *m, struct str raw);
/* The addresses of several instances of one field. */
struct message_addresses message_addresses_of(struct message *m, const struct message_values *values);
/* The display name of one mailbox as it is written: its phrase, or else the comment where old mail keeps it. */
struct str message_mailbox_phrase(struct arena *a, const struct header_mailbox *mailbox);
/* An address list written as UTF-8 text, in the ASCII tokens of a structured field (RFC 2047 section 5):
 * address_field.c. False when it is no list of ASCII addresses; *out is then of no use. */
bool message_address_tokens(struct arena *a, struct str value, struct buf *out);
/* One view of this text. */
struct message_text message_text_one(struct arena *a, struct str text, uint32_t unreadable);

/* The content as a reader sees it to whom a bare CR ends a line: NAME_LOOSE.  The same offsets; a copy where there is
 * one. */
struct str message_lines(struct message *m);
/* Notes that it matters that there is one; UNREADABLE_LIMIT when the copy would be too large, else 0. */
uint32_t message_has_bare_cr(struct message *m, struct viewer *r);
/* The tree as a reader with these manners sees it; *r is told which further ones matter.  Kept. */
const struct mime_tree *mime_tree_of(struct message *m, struct viewer *r);
/* Appends the body of a leaf with its transfer encoding undone; answers enum unreadable bits.  Manner: CODE_RAW, those
 * of the decoders. */
uint32_t mime_transfer_decode(struct viewer *r, const struct mime_part *p, struct str raw, struct buf *out);
/* Whether it has parts below it. */
bool mime_has_children(const struct mime_tree *tree, size_t i);
bool mime_is_text(const struct mime_part *p);
/* Whether it stands in a message that this one carries. */
bool mime_is_carried(const struct mime_tree *tree, size_t i);
/* Appends the body's text as one reader sees it, without that of messages it carries; answers enum unreadable bits. */
uint32_t body_own_text(struct message *m, struct viewer *r, struct buf *out);

#endif
