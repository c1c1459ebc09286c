/* mail/header_emit: THE way a header field is written (RFC 5322 section 2.2, RFC 2047).
 *
 * Everything that puts a field into a message comes through here.  Whatever the value: the output is whole lines
 * ended by CR LF, the field's own line first, each further one beginning with a blank and not empty; no line over 998
 * octets, folded at 78 where there is a place to; ASCII only unless HEADER_UTF8.  CR, LF, NUL and other controls in a
 * value become blanks. */
#ifndef SLUICE_MAIL_HEADER_EMIT_H
#define SLUICE_MAIL_HEADER_EMIT_H

#include "base/vec.h"

enum {
    /* The value is structured: its tokens are written as they are and never become encoded-words (Received, addresses,
     * message ids).  Non-ASCII then needs HEADER_UTF8. */
    HEADER_STRUCTURED = 1,
    HEADER_UTF8 = 2 /* RFC 6532: non-ASCII stays UTF-8; only for mail that will travel with SMTPUTF8 */
};

bool header_name_is_valid(struct str name); /* ftext, 1 to 76 octets: RFC 5322 section 3.6.8 */
/* Fields no rule may touch (LANGUAGE section 4): Received, Return-Path, DKIM-Signature, ARC-*, Content-Type,
 * Content-Transfer-Encoding, MIME-Version.  The compiler refuses them, and message/edits makes no edit of them. */
bool header_name_is_protected(struct str name);

/* Appends "Name: value CR LF".  The value is UTF-8 text; what is not becomes U+FFFD; blanks at its ends are dropped.
 * False, and nothing appended, for an invalid name, and for a structured value that has a token over 900 octets or
 * non-ASCII without HEADER_UTF8. */
bool header_emit(struct buf *out, struct str name, struct str value, unsigned flags);

/* Text that will stand inside an unstructured field, in front of what is already there (prepend_subject): no line end
 * at its end.  `column` is where it begins; answers the column after it.  A blank at the end of `text` stays visible
 * as one blank: `before_encoded_word` says that an encoded-word follows at once, between which and another white
 * space is not shown (RFC 2047 section 6.2). */
size_t header_emit_fragment(struct buf *out, struct str text, size_t column, bool before_encoded_word);

#endif
