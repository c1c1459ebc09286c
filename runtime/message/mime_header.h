/* message/mime_header: what the header of one part says of it: Content-Type, Content-Transfer-Encoding,
 * Content-Disposition (RFC 2045, RFC 2183).
 *
 * Internal to message/.  Knows nothing of where parts begin and end: mime.c.  Everything made lives in the arena. */
#ifndef SLUICE_MESSAGE_MIME_HEADER_H
#define SLUICE_MESSAGE_MIME_HEADER_H

#include "message/viewer.h"

struct part_header {
    struct str type, encoding, disposition; /* the field bodies, as they stand there */
    bool has_type, has_encoding, has_disposition;
    bool empty_message; /* a message without a single field */
};

/* Takes what matters of one field.  Manner: LAST_FIELD. */
void part_header_take(struct viewer *r, struct part_header *h, const struct message_field *f);
/* Sets type, encoding, disposition, and what they say about text that cannot be seen.  `in_digest`: of a part of
 * multipart/digest.  Manners: TYPE_LOOSE, CODE_EXACT, CODE_GUESS, SHOWN, DIGEST_TEXT, those of parameters. */
void part_header_apply(struct viewer *r, struct message *m, const struct part_header *h, bool in_digest,
                       struct mime_part *part);

/* `subtype` may be NULL: any. */
bool mime_part_is(const struct mime_part *part, const char *type, const char *subtype);
/* What holds a whole message; to some readers its fragments do too.  Manner: FRAGMENT. */
bool mime_holds_message(struct viewer *r, const struct mime_part *part);

#endif
