/* message/charset: bytes in the charset a message names, as UTF-8.  The only user of iconv.
 *
 * The converters belong to the process: charset_warm opens all of message/charsets.def and keeps them open, because a
 * judge may not open files.  A label from a message is looked up in that table and never handed to iconv.  One thread
 * per process may use this module.  Owns no message memory: output goes to the caller's buffer. */
#ifndef SLUICE_MESSAGE_CHARSET_H
#define SLUICE_MESSAGE_CHARSET_H

#include "message/viewer.h"

/* Opens every converter.  False with *e (EX_OSERR) naming the first that this system lacks. */
bool charset_warm(struct err *e);

/* True when text in this charset can be read. */
bool charset_is_known(struct str label);
/* True when the labels are equal, or name one charset that knows no states between two words. */
bool charset_is_same(struct str label, struct str other);
/* The label, or that of the charset known by its letters and digits, or by what these begin with, when it is not known
 * itself.  Manner: CHARSET_TIGHT. */
struct str charset_tight(struct viewer *r, struct str label);
size_t charset_count(void);
const char *charset_iconv_name(size_t i); /* for i < charset_count() */

/* Appends `bytes` to *out as valid UTF-8 and answers enum unreadable bits (message/message.h): CHARSET for an unknown
 * label, BYTES where U+FFFD stands for what is nothing in the charset.
 * An empty label, US-ASCII and unknown labels are read as UTF-8 when the bytes are that, else as windows-1252: what
 * readers show for unlabelled 8-bit text.
 * Manners: CHARSET_SNIFF, CHARSET_BYTES, UTF8_GUESSED, BYTES_LOOSE, BYTES_DROPPED. */
uint32_t charset_decode(struct viewer *r, struct str label, struct str bytes, struct buf *out);
/* The same, of at most so many octets: LIMIT where there would have been more. */
uint32_t charset_decode_within(struct viewer *r, struct str label, struct str bytes, size_t most, struct buf *out);

/* True when charset_decode would append `bytes` unchanged for every reader: they are ASCII, or valid UTF-8 under such a
 * label, so that the caller may use them in place. */
bool charset_is_plain(struct str label, struct str bytes);
/* The same; `clean` is decode_clean_prefix(bytes). */
bool charset_is_plain_behind(struct str label, struct str bytes, size_t clean);

/* True for text that says it is ASCII, or says nothing. */
bool charset_is_ascii(struct str label);
/* True for those, for UTF-8 by any name, and for labels that are not known. */
bool charset_may_be_utf8(struct str label);
/* Appends UTF-8 text in the charset; false, with part of it perhaps appended, when the charset has not all of it, or is
 * one whose characters are more than one byte and not UTF-8 (those are only written when all of the text is ASCII). */
bool charset_encode(struct str label, struct str utf8, struct buf *out);

/* The label of the charset that bytes look like whatever they are labelled: by a byte order mark, by NULs in every
 * second or fourth place, by escape sequences, by UTF-7's form of ASCII letters, by being UTF-8.  Empty: like
 * nothing. */
struct str charset_sniff(struct str bytes);
struct str charset_sniff_behind(struct str bytes, size_t clean); /* decode_clean_prefix(bytes) */

/* Appends the code point as UTF-8; U+FFFD for surrogates and what lies beyond U+10FFFF. */
void utf8_add(struct buf *out, uint32_t code_point);
/* The largest n <= most that ends no sequence of UTF-8 in its middle; `most` where it could be none. */
size_t utf8_cut(struct str s, size_t most);

#endif
