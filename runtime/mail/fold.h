/* mail/fold: what people would call the same text (LANGUAGE section 3); the only user of utf8proc.
 *
 * Folding: NFKC, full case folding, NFKC; Default_Ignorable code points removed; runs of white space (of any script,
 * line ends too) to one blank.  Accents stay different, and look-alikes of other scripts unless FOLD_ALIKE is asked
 * for: then every character becomes what it looks like (mail/confusables).  Input is UTF-8; bytes that are not become
 * U+FFFD.  Time and memory are linear for any input: a run of more than 32 combining marks is composed in stretches of
 * 32 (as Unicode's stream-safe text, UAX #15 section 13).  ASCII runs bypass the tables. */
#ifndef SLUICE_MAIL_FOLD_H
#define SLUICE_MAIL_FOLD_H

#include "base/vec.h"

enum {
    FOLD_TRIM = 1, /* no blank at either end: for `is` and `like` */
    FOLD_ALIKE = 2 /* look-alikes are the same */
};

/* From folded offsets back to the source, for explanations. */
struct fold_point {
    size_t folded, source;
    bool linear; /* byte for byte from here to the next point; else this stretch is one unit */
};
struct fold_map {
    VEC(struct fold_point) points;
    size_t source_size;
};

/* Appends the folded form of s to *out.  `map` may be NULL; else it is filled anew, with offsets counted from where
 * *out ended before. */
void fold_text(struct str s, unsigned flags, struct buf *out, struct fold_map *map);
/* The same without a map, until the form has so many bytes: then false, and a little more is there. */
bool fold_text_within(struct str s, unsigned flags, size_t most, struct buf *out);
/* What no text that people write comes near: one character of compatibility can stand for eighteen. */
static inline size_t fold_most(size_t n) { return 2 * n + 64 * 1024; }
/* The source bytes that [from, to) of the folded text came from. */
void fold_map_range(const struct fold_map *m, size_t from, size_t to, size_t *source_from, size_t *source_to);
void fold_map_free(struct fold_map *m);

/* NFC alone, of valid UTF-8 that is short (passwords): the library's own pass. */
void fold_nfc(struct str s, struct buf *out);
/* NFC and full case folding, nothing removed: for local parts of addresses. */
void fold_case_nfc(struct str s, struct buf *out);
/* NFC and lower case: for domain labels. */
void fold_lower_nfc(struct str s, struct buf *out);

/* Whether a word may begin or end at byte `at` of folded text: the end of it, or one of its two neighbours is no
 * letter, mark or digit, or is of a script written without spaces (Han, Hiragana, Katakana, Thai, Lao, Khmer,
 * Myanmar). */
bool fold_is_word_boundary(struct str text, size_t at);
/* The first `needle` (folded, not empty) at or after `from`; with `word` only between word boundaries.  STR_NPOS: none.
 * Linear in the text. */
size_t fold_find(struct str text, struct str needle, size_t from, bool word);
/* How many, not overlapping, counting no further than `most`. */
size_t fold_count(struct str text, struct str needle, bool word, size_t most);

/* One code point at p[0 .. n), n >= 1: answers how many bytes it took; *out is U+FFFD for what is not UTF-8. */
size_t fold_decode(const char *p, size_t n, uint32_t *out);
void fold_encode(struct buf *out, uint32_t code_point);

#endif
