/* message/edits_text: a text written into one text part that stands in the content, in that part's own form.
 *
 * Internal to edits.  Charset, transfer encoding and format=flowed (RFC 3676) of the part are kept where they can carry
 * the text, and then every byte of the part stays; else the part says UTF-8, or is encoded anew. */
#ifndef SLUICE_MESSAGE_EDITS_TEXT_H
#define SLUICE_MESSAGE_EDITS_TEXT_H

#include "message/edits_state.h"

struct part_texts {
    size_t part;            /* text/plain or text/html, not derived */
    struct str front, back; /* UTF-8 in the part's own markup, CR LF between lines, none at the ends; or empty */
};

/* Whether part_texts_write would write these.  What the part will then hold, without its transfer encoding, is appended
 * to *whole, which may be NULL. */
bool part_texts_fit(struct message *m, const struct part_texts *t, struct buf *whole);
/* Adds to the body's splices, and to the header's changes where the part is the message itself. */
void part_texts_write(struct message *m, struct effect *f, const struct part_texts *t);

/* Sets one MIME field of a part: in the effect for the message itself, else in the body's splices; `value` may be
 * STR_NONE: the field goes. */
void part_set_field(struct message *m, struct effect *f, size_t part, struct str name, struct str value);
/* Whether the part's header section is as RFC 2045 has it: its fields once, an empty line at its end. */
bool part_header_is_clear(struct message *m, const struct mime_part *p);

/* Whether all readers take it for one field: its other lines begin with a blank, and no CR or NUL stands in it. */
bool field_is_clear(struct str content, const struct message_field *field);

/* UTF-8 text as a body of its own, with the MIME fields that say so, the empty line between, no line end behind. */
void text_body_emit(struct str text, const char *subtype, struct buf *out);
/* Text as HTML that shows it. */
struct str text_as_html(struct arena *a, struct str text);
/* HTML for any charset: what is not ASCII as character references. */
struct str html_as_ascii(struct arena *a, struct str html);

/* edits_html.c: where in an HTML part a text may stand so that it is shown first or last; offsets into `html`, which is
 * of any charset that has ASCII in its place.  Last: STR_NPOS when nothing behind its end would be shown. */
size_t html_first_place(struct str html);
size_t html_last_place(struct str html);

#endif
