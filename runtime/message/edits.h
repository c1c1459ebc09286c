/* message/edits: what rules change in a message's header, kept as a list, seen by later rules, written as pieces.
 *
 * A list of edits is immutable and shared: adding one makes a new head that refers to the list before it, so edit
 * classes that split share what they had in common.  NULL is the empty list.  Lists live in the arena they are added
 * in; that is the message's arena, or one that lives as long.
 *
 * Bytes of the content that no edit names are never touched: other parts of the body, borders, long lines, order.  What
 * is written goes through mail/header_emit only (RFC 5322, RFC 2047: no CR, LF or NUL from a value survives, no line
 * over 998 octets), always with CRLF. */
#ifndef SLUICE_MESSAGE_EDITS_H
#define SLUICE_MESSAGE_EDITS_H

#include "base/pieces.h"
#include "message/message.h"

enum edit_kind {
    EDIT_ADD_HEADER,      /* one more field, after the leading trace and resent fields (RFC 5322 section 3.6.7) */
    EDIT_SET_HEADER,      /* the first instance gets the value in its place, others go; none: as add */
    EDIT_REMOVE_HEADER,   /* every instance goes; value unused */
    EDIT_PREPEND_SUBJECT, /* name unused; each subject, but those that begin so already, behind "Re:" and the like too
                           */
    /* The following change the body: edits_add_text, edits_remove_part. */
    EDIT_APPEND_TEXT,
    EDIT_PREPEND_TEXT,
    EDIT_REMOVE_PART
};

struct edits; /* a list; NULL is empty */

enum { EDITS_MAX = 1000 };

/* The list with one edit more.  `name` and `value` (UTF-8) are copied into the arena.  NULL when the edit may not be
 * made: the list is full, the name is no field name (header_name_is_valid), or no rule may touch it
 * (header_name_is_protected). */
const struct edits *edits_add(struct arena *a, const struct edits *before, enum edit_kind kind, struct str name,
                              struct str value);
/* A text for readers at the end of the body (EDIT_APPEND_TEXT) or before it: in every alternative that is text/plain or
 * text/html, once: nothing where the text is already (docs/edits.md says how that is seen).  `html`, when not empty,
 * is what goes into HTML; else it is made from `text`.  With `wrap` the message becomes an attachment of a new one that
 * shows the text: for those that message_takes_text says cannot be changed; it needs message_can_wrap. */
const struct edits *edits_add_text(struct arena *a, const struct edits *before, enum edit_kind kind, struct str text,
                                   struct str html, bool wrap);
/* A MIME part of the content (index into its tree) gives way to a part that says `note`; one that was found inside an
 * encoded body takes with it the part around it that stands in the content. */
const struct edits *edits_remove_part(struct arena *a, const struct edits *before, size_t part, struct str note);

/* Whether the text can be put into the body: no signature or encryption is in its way, header and structure are as the
 * RFCs have them, and charset and transfer encoding can carry it or the part can be encoded anew. */
bool message_takes_text(struct message *m, enum edit_kind kind, struct str text, struct str html);
/* Whether the message can become an attachment of a new one: its header section is not over EDITS_WRAP_HEADER_MAX. */
bool message_can_wrap(struct message *m);
enum { EDITS_WRAP_HEADER_MAX = 64 * 1024, EDITS_ENCODE_MAX = 64 * 1024 /* bytes of a part to be encoded anew */ };

size_t edits_count(const struct edits *e);
/* Of a list that is not empty: the name of the field its last edit changes (empty: the body), and the list before. */
struct str edits_name(const struct edits *e);
const struct edits *edits_before(const struct edits *e);
bool edits_equal(const struct edits *a, const struct edits *b); /* the same edits in the same order */

/* The header as it looks after the edits, the MIME fields as they were received: as the functions of message/message.h
 * without `_edited`, with which they agree for NULL.  A value that an edit wrote is seen as a parser of the written
 * message will see it. */
const struct message_values *message_header_edited(struct message *m, const struct edits *e, struct str name);
const struct message_text *message_subject_edited(struct message *m, const struct edits *e, bool *present);
const struct message_addresses *message_addresses_edited(struct message *m, const struct edits *e, struct str name);

/* The edited message over the content of `m`; the pieces and their text live in `a`.  Sound (pieces_are_sound), and the
 * identity for NULL and for edits without effect. */
void edits_pieces(struct message *m, const struct edits *e, struct arena *a, struct pieces *out);

#endif
