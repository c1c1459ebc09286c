/* message/header: where the fields of a header section stand (RFC 5322 section 2.2).
 *
 * A scanner over bytes, one field at a time, without memory of its own: the message's header, the header of a MIME part
 * and the editor walk with it, so they agree on what is a field and where the body begins.
 *
 * A header section ends at the first empty line.  A line that is no field belongs to the field before it when an empty
 * line comes later; when none does, or no field came before it, the body begins with that line.  A line end is CR LF or
 * LF. */
#ifndef SLUICE_MESSAGE_HEADER_H
#define SLUICE_MESSAGE_HEADER_H

#include "message/viewer.h"

/* A line as the first of a field. */
struct header_line {
    size_t from, end, colon;
    struct str name; /* empty: it is none */
};

struct header_scan {
    struct str content;
    size_t at;     /* the next field, or the end of the last one */
    uint32_t line; /* of `at` */
    size_t body;   /* set when next answers false */
    bool malformed;
    bool any;                 /* a field was seen */
    uint8_t empty_line;       /* does an empty line follow: 0 not looked yet, 1 yes, 2 no; who knows may say so */
    bool message;             /* of a whole message, not of a part */
    struct header_line ahead; /* the line at which the last field was seen to end; end 0: none was looked at */
    struct viewer *reading;   /* JUNK_FIRST, JUNK_ENDS, STRICT_NAME, BLANK_ENDS */
};

/* `message`: of a message; an mbox "From " line at its start is stepped over. */
void header_scan_begin(struct header_scan *s, struct viewer *r, struct str content, bool message);
bool header_scan_next(struct header_scan *s, struct message_field *out);

/* Whether a CR stands alone somewhere, which ends a line to some; and those bytes as they see them, in the arena: an LF in
 * the place of each. */
bool header_has_bare_cr(struct str s);
struct str header_cr_as_lf(struct arena *a, struct str s);

/* Where the first empty line at or after `at` begins (at the start of a line); content.n when there is none. */
size_t header_empty_line(struct str content, size_t at);
/* The end of the line that begins at `at`, its line end included. */
size_t header_line_end(struct str content, size_t at);

/* Trace and resent fields (RFC 5322 sections 3.6.6 and 3.6.7), which stand in blocks at the top. */
bool header_is_trace(struct str name);

#endif
