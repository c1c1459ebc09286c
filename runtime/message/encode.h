/* message/encode: bytes as base64 and quoted-printable lines (RFC 2045 section 6), for what edits write into a body.
 *
 * Lines are at most 76 octets, separated by CR LF, none at the end unless said.  Owns nothing: output is appended. */
#ifndef SLUICE_MESSAGE_ENCODE_H
#define SLUICE_MESSAGE_ENCODE_H

#include "base/vec.h"

void encode_base64(struct str bytes, struct buf *out);

/* Text mode: line ends (CR LF, or LF alone) become CR LF and stay line ends; everything else that could change on its
 * way is escaped: controls, 8-bit bytes, blanks at a line's end, and the dashes that a boundary might begin with. */
void encode_quoted_printable(struct str text, struct buf *out);

#endif
