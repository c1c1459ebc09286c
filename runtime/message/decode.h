/* message/decode: the encodings that carry bytes through mail: base64 and quoted-printable (RFC 2045 section 6),
 * uuencode, encoded-words (RFC 2047), and header values as text.
 *
 * Lenient as most readers are, linear, and bounded by its input.  Owns nothing: output goes to the caller's buffer.
 * Answers are enum unreadable bits. */
#ifndef SLUICE_MESSAGE_DECODE_H
#define SLUICE_MESSAGE_DECODE_H

#include "base/vec.h"

/* Bytes outside the alphabet are skipped (RFC 2045 section 6.8); after padding decoding goes on with the next quantum.
 * ENCODING when something other than white space was skipped, data follows padding, or a quantum is cut short. */
uint32_t decode_base64(struct str s, struct buf *out);

/* Text mode: soft line breaks joined, white space at a line's end dropped; what is no valid escape stands for itself,
 * as every reader shows it. */
void decode_quoted_printable(struct str s, struct buf *out);

/* The lines between "begin" and "end" (POSIX uuencode), as old senders name it in Content-Transfer-Encoding; blanks
 * lost inside the last group of a line count as such.  ENCODING when either of the two lines is missing. */
uint32_t decode_uuencode(struct str s, struct buf *out);

/* One encoded-word at the very start of s, without RFC 2047's limit of 75 and with blanks tolerated in its text. */
struct encoded_word {
    struct str charset; /* without a language tag (RFC 2231 section 5) */
    char encoding;      /* 'b' or 'q' */
    struct str text;
    size_t length;      /* of all of it in s */
};
bool encoded_word_parse(struct str s, struct encoded_word *out);

/* A field body as text: unfolded, encoded-words decoded wherever they stand (white space between two of them dropped,
 * bytes of neighbours in the same charset joined before they are decoded), other bytes as charset_decode reads
 * unlabelled text, trimmed.  CR and LF that encoded-words smuggle in become blanks. */
uint32_t decode_header_value(struct str raw, struct buf *out);
/* True when decode_header_value would append str_trim(raw) unchanged. */
bool decode_header_is_plain(struct str raw);

/* A field body in one line: each line end with the white space after it kept but itself removed (RFC 5322
 * section 2.2.3); a line that follows without white space is set off by a blank. */
void decode_unfold(struct str raw, struct buf *out);

/* The value of two hexadecimal digits, or -1. */
int decode_hex_pair(char a, char b);

#endif
