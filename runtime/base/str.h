/* base/str: views of bytes that somebody else owns.
 *
 * A struct str may hold any byte, NUL included, and is never NUL-terminated by contract.  It owns nothing: whoever
 * hands one out says how long the bytes live.  Comparisons "nocase" fold ASCII letters only; what people would call
 * equal in other scripts is mail/fold's business. */
#ifndef SLUICE_BASE_STR_H
#define SLUICE_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
    const char *p;
    size_t n;
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
/* STR for static tables. */
#define STR_INIT(literal)                                                                                              \
    {                                                                                                                  \
        literal, sizeof(literal) - 1                                                                                   \
    }
#define STR_NONE ((struct str){NULL, 0})
#define STR_NPOS ((size_t)-1)
/* For printf's "%.*s"; precision is an int, so longer views are cut at INT_MAX. */
#define STR_ARG(s) (int)((s).n > 0x7fffffff ? 0x7fffffff : (s).n), ((s).p ? (s).p : "")

struct str str_of(const char *z); /* NULL gives STR_NONE */
bool str_eq(struct str a, struct str b);
bool str_eq_nocase(struct str a, struct str b);
int str_cmp(struct str a, struct str b); /* bytewise, like memcmp, a prefix sorts first */
bool str_starts(struct str s, struct str prefix);
bool str_starts_nocase(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
size_t str_find(struct str s, struct str needle); /* offset, or STR_NPOS; the empty needle is at 0 */
/* The same, by way of needle.p[rare], a byte that text seldom has: memchr is many times as fast as memmem. */
size_t str_find_by(struct str s, struct str needle, size_t rare);
/* Where `first` stands with `second` behind it: as fast in text that is full of either. */
size_t str_find_pair(struct str s, char first, char second);
size_t str_find_byte(struct str s, char c);
size_t str_rfind_byte(struct str s, char c);
struct str str_trim(struct str s); /* SP, TAB, CR, LF at both ends */

/* Cuts s at the first `sep`: *head before it, *tail after it.  False (head = s, tail = none) when there is none. */
bool str_cut(struct str s, char sep, struct str *head, struct str *tail);

/* Decimal digits only, whole view, no sign for u64; false on overflow or anything else. */
bool str_to_u64(struct str s, uint64_t *out);
bool str_to_i64(struct str s, int64_t *out);

enum { STR_BLOCK = 32 }; /* bytes that loops look at without a branch: compilers make vector instructions of it */

size_t str_ascii_prefix(struct str s); /* how many bytes at its start are below 0x80 */
bool str_is_ascii(struct str s);
bool str_is_utf8(struct str s); /* RFC 3629: no overlong forms, no surrogates */

/* Clamped to the view. */
static inline struct str str_slice(struct str s, size_t from, size_t to)
{
    if (to > s.n) to = s.n;
    if (from > to) from = to;
    return (struct str){s.p ? s.p + from : NULL, to - from};
}
static inline struct str str_from(struct str s, size_t from) { return str_slice(s, from, s.n); }

static inline char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }
static inline bool ascii_is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static inline bool ascii_is_digit(char c) { return c >= '0' && c <= '9'; }
static inline bool ascii_is_blank(char c) { return c == ' ' || c == '\t'; }
static inline bool ascii_is_print(char c) { return c >= 0x20 && c < 0x7f; }

#endif
