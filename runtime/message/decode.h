/* message/decode: the encodings that carry bytes through mail: base64 and quoted-printable (RFC 2045 section 6),
 * uuencode, encoded-words (RFC 2047), and header values as text.
 *
 * As the reader's manners are (message/viewer.h): with none, lenient as most readers are.  Linear, and bounded by its
 * input.  Owns nothing: output goes to the caller's buffer.
 * Answers are enum unreadable bits. */
#ifndef SLUICE_MESSAGE_DECODE_H
#define SLUICE_MESSAGE_DECODE_H

#include "message/viewer.h"

/* Bytes outside the alphabet are skipped (RFC 2045 section 6.8); after padding decoding goes on with the next quantum.
 * ENCODING when something other than white space was skipped, data follows padding, or a quantum is cut short.
 * Manners: BASE64_STOP, BASE64_JOIN, BASE64_URL. */
uint32_t decode_base64(struct viewer *r, struct str s, struct buf *out);

/* Text mode: soft line breaks joined, white space at a line's end dropped; what is no valid escape stands for itself,
 * as every reader shows it.  `blanks_matter`: where white space at a line's end makes a difference, because header
 * lines are decoded.  Manners: QP_STRICT, QP_BLANKS. */
void decode_quoted_printable(struct viewer *r, struct str s, bool blanks_matter, struct buf *out);

/* The lines between "begin" and "end" (POSIX uuencode), as old senders name it in Content-Transfer-Encoding; blanks
 * lost inside the last group of a line count as such.  ENCODING when either of the two lines is missing, or the first
 * is misspelt.  Manners: QP_STRICT (lines of another length than they say are skipped), UU_LENGTHS. */
uint32_t decode_uuencode(struct viewer *r, struct str s, struct buf *out);
/* Where the next uuencoded file in a text begins, at or after `at`: at its line "begin 644 name"; STR_NPOS: nowhere.
 * *name as that line says it, *end behind its "end" line, or where the text or the next file comes first. */
size_t decode_uuencode_find(struct str text, size_t at, struct str *name, size_t *end);

/* One encoded-word at the very start of s, without RFC 2047's limit of 75 and with blanks tolerated in its text. */
struct encoded_word {
    struct str charset; /* without a language tag (RFC 2231 section 5) */
    char encoding;      /* 'b' or 'q' */
    struct str text;
    size_t length; /* of all of it in s */
};
bool encoded_word_parse(struct str s, struct encoded_word *out);

/* A field body as text: unfolded, encoded-words decoded wherever they stand (white space between two of them dropped,
 * bytes of neighbours in the same charset joined before they are decoded), other bytes as charset_decode reads
 * unlabelled text, trimmed.  CR and LF that encoded-words smuggle in become blanks.  Manners: those of WORDS_,
 * JUNK_SKIPPED, CONTROLS, CHARSET_TIGHT, those of base64 and charsets. */
uint32_t decode_header_value(struct viewer *r, struct str raw, struct buf *out);
/* True when decode_header_value would append str_trim(raw) unchanged. */
bool decode_header_is_plain(struct str raw);

/* A field body in one line: each line end with the white space after it kept but itself removed (RFC 5322
 * section 2.2.3); a line that follows without white space is set off by a blank. */
void decode_unfold(struct viewer *r, struct str raw, struct buf *out);

/* Appends without control characters (but white space) when the reader drops them. */
void decode_controls(struct viewer *r, struct str s, struct buf *out);
/* How many bytes at the start are no such control characters. */
size_t decode_controls_prefix(struct str s);
/* How many are ASCII besides: what most text consists of, found in one pass. */
size_t decode_clean_prefix(struct str s);

/* The value of two hexadecimal digits, or -1. */
int decode_hex_pair(char a, char b);

#endif
