/* message/html: the text a reader sees of an HTML part.
 *
 * Tags out (inline ones leave nothing, block ones a line break, table cells a blank); comments, script and style
 * dropped; character references decoded; white space collapsed as browsers do, outside <pre>.  No layout: to the best
 * reading text that styles hide is text.  Tokens as in the HTML Living Standard section 13.2.5, as far as they decide
 * what is text.  Manners: HTML_HIDDEN, HTML_EXTRA, HTML_LOOSE.  Linear; the output is at most a fifth longer than the
 * input (&nGt; is six octets). */
#ifndef SLUICE_MESSAGE_HTML_H
#define SLUICE_MESSAGE_HTML_H

#include "message/viewer.h"

/* `html` is UTF-8. */
void html_to_text(struct viewer *r, struct str html, struct buf *out);

/* The charset that a <meta> near the start names, for parts whose Content-Type names none; empty when none does. */
struct str html_meta_charset(struct str html);

#endif
