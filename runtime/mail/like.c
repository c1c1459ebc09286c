#include "mail/like.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"

/* A pattern is pieces between stars.  The first is tied to the start, the last to the end, and each of the others is
 * best taken at its leftmost place after the one before. */

static bool is_inner(char c) { return ((unsigned char)c & 0xc0) == 0x80; } /* not the first byte of a character */

static size_t character_end(struct str s, size_t at)
{
    at++;
    while (at < s.n && is_inner(s.p[at])) at++;
    return at;
}

/* Bytes of text that the piece takes when it begins at `at`; STR_NPOS when it does not fit there. */
static size_t fit_forward(struct str piece, struct str text, size_t at)
{
    size_t begin = at;
    for (size_t i = 0; i < piece.n; i++) {
        if (at == text.n) return STR_NPOS;
        if (piece.p[i] == '?')
            at = character_end(text, at);
        else if (piece.p[i] == text.p[at])
            at++;
        else
            return STR_NPOS;
    }
    return at - begin;
}

/* The same from the end of text backwards. */
static size_t fit_backward(struct str piece, struct str text)
{
    size_t at = text.n;
    for (size_t i = piece.n; i-- > 0;) {
        if (at == 0) return STR_NPOS;
        at--;
        if (piece.p[i] == '?')
            while (at > 0 && is_inner(text.p[at])) at--;
        else if (piece.p[i] != text.p[at])
            return STR_NPOS;
    }
    return text.n - at;
}

enum { WORDS_MAX = LIMIT_LIKE_PATTERN / 64 };

/* Shift-And (Baeza-Yates and Gonnet): bit i of `state` says that piece[0 .. i] ends here.  A "?" is taken by the first
 * byte of a character and kept by its further ones.  Answers where a leftmost-ending fit ends. */
static size_t find_wild(struct str piece, struct str text)
{
    size_t words = (piece.n + 63) / 64, end = STR_NPOS;
    uint64_t *accepts = mem_array(257 * words, sizeof *accepts), *keeps = accepts + 256 * words;
    for (size_t i = 0; i < piece.n; i++) {
        uint64_t bit = (uint64_t)1 << (i % 64);
        if (piece.p[i] != '?') {
            accepts[(unsigned char)piece.p[i] * words + i / 64] |= bit;
            continue;
        }
        keeps[i / 64] |= bit;
        for (unsigned c = 0; c < 256; c++)
            if (!is_inner((char)c)) accepts[c * words + i / 64] |= bit;
    }
    uint64_t state[WORDS_MAX] = {0}, last = (uint64_t)1 << ((piece.n - 1) % 64);
    for (size_t at = 0; at < text.n && end == STR_NPOS; at++) {
        const uint64_t *accept = accepts + (unsigned char)text.p[at] * words;
        bool inner = is_inner(text.p[at]);
        uint64_t carry = inner ? 0 : 1;
        for (size_t w = 0; w < words; w++) {
            uint64_t before = state[w];
            state[w] = ((before << 1 | carry) & accept[w]) | (inner ? before & keeps[w] : 0);
            carry = before >> 63;
        }
        if (state[words - 1] & last) end = at + 1;
    }
    free(accepts);
    while (end != STR_NPOS && end < text.n && is_inner(text.p[end])) end++;
    return end;
}

/* Where the leftmost fit of a piece ends, or STR_NPOS. */
static size_t find_piece(struct str piece, struct str text)
{
    if (str_find_byte(piece, '?') != STR_NPOS) return find_wild(piece, text);
    size_t at = str_find(text, piece);
    return at == STR_NPOS ? STR_NPOS : at + piece.n;
}

bool like_is_valid(struct str pattern) { return pattern.n <= LIMIT_LIKE_PATTERN; }

bool like_match(struct str pattern, struct str text)
{
    struct str first, rest, piece;
    if (!like_is_valid(pattern)) return false;
    bool starred = str_cut(pattern, '*', &first, &rest);
    size_t n = fit_forward(first, text, 0);
    if (!starred) return n == text.n;
    if (n == STR_NPOS) return false;
    text = str_from(text, n);
    while (str_cut(rest, '*', &piece, &rest)) {
        if (piece.n == 0) continue;
        size_t end = find_piece(piece, text);
        if (end == STR_NPOS) return false;
        text = str_from(text, end);
    }
    return fit_backward(piece, text) != STR_NPOS;
}
