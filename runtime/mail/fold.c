#include "mail/fold.h"

#include <string.h>

#include <utf8proc.h>

#include "base/library.h"
#include "mail/confusables.h"

enum {
    MARKS_MAX = 32,     /* code points that may join one segment behind its base: UAX #15 section 13 allows 30 marks */
    EXPANSION_MAX = 32, /* one code point decomposes to at most 18 (U+FDFA) */
    SEGMENT_MAX = (MARKS_MAX + 2) * EXPANSION_MAX,
    FOLDED_MAX = SEGMENT_MAX * CONFUSABLE_MAX /* full case folding makes at most three of one */
};

#define REPLACEMENT 0xfffdu

/* What the foldings differ in. */
struct manner {
    utf8proc_option_t decompose;
    utf8proc_option_t fold; /* 0: simple lower case instead of case folding */
    bool collapse;          /* runs of white space to one blank */
    bool alike;             /* characters become what they look like */
};

static const struct manner manner_text = {
    UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_IGNORE | UTF8PROC_STABLE,
    UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_IGNORE | UTF8PROC_STABLE | UTF8PROC_CASEFOLD,
    true,
    false,
};
static const struct manner manner_alike = {
    UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_IGNORE | UTF8PROC_STABLE,
    UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_IGNORE | UTF8PROC_STABLE | UTF8PROC_CASEFOLD,
    true,
    true,
};
static const struct manner manner_case = {
    UTF8PROC_DECOMPOSE | UTF8PROC_STABLE,
    UTF8PROC_DECOMPOSE | UTF8PROC_STABLE | UTF8PROC_CASEFOLD,
    false,
    false,
};
static const struct manner manner_lower = {UTF8PROC_DECOMPOSE | UTF8PROC_STABLE, 0, false, false};

/* A segment is a base and what may compose with it or be reordered behind it: normalising segments one by one is
 * normalising the whole.  It holds decomposed code points, not yet ordered. */
struct folder {
    const struct manner *manner;
    struct buf *out;
    size_t out_from, end; /* where it began; beyond this length it stops */
    struct fold_map *map; /* of texts only; may be NULL */
    bool blank;           /* the output ends with a blank, or is to have none at its start */
    bool broken;          /* the next byte does not continue the map's last point */
    size_t source;        /* where the segment began */
    size_t n, marks;
    utf8proc_int32_t segment[SEGMENT_MAX];
};

size_t fold_decode(const char *p, size_t n, uint32_t *out)
{
    const unsigned char *u = (const unsigned char *)p;
    unsigned char c = u[0];
    *out = c;
    if (c < 0x80) return 1;
    size_t length = c >= 0xc2 && c <= 0xdf ? 2 : c >= 0xe0 && c <= 0xef ? 3 : c >= 0xf0 && c <= 0xf4 ? 4 : 1;
    *out = REPLACEMENT;
    if (length == 1 || length > n) return 1;
    uint32_t v = c & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((u[i] & 0xc0) != 0x80) return 1;
        v = v << 6 | (u[i] & 0x3f);
    }
    if (v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff) || v < (length == 3 ? 0x800u : length == 4 ? 0x10000u : 0x80u))
        return 1;
    *out = v;
    return length;
}

void fold_encode(struct buf *out, uint32_t c)
{
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    if (out->cap - out->n < n) buf_reserve(out, n);
    char *p = out->p + out->n;
    for (size_t i = n; i-- > 1; c >>= 6) p[i] = (char)(0x80 | (c & 0x3f));
    p[0] = (char)(lead[n] | c);
    out->n += n;
}

/* --- one segment ------------------------------------------------------------------------------------------------ */

/* May c begin a segment: is it a starter that never composes with what stands before it?  Those that do are marks,
 * vowels and finals of conjoining Jamo, and Kirat Rai vowel signs (which Unicode calls letters). */
static bool is_safe_starter(utf8proc_int32_t c)
{
    if (c < 0x300) return true;
    if ((c >= 0x1160 && c <= 0x11ff) || (c >= 0xd7b0 && c <= 0xd7ff) || (c >= 0x16d40 && c <= 0x16d7f)) return false;
    const utf8proc_property_t *p = utf8proc_get_property(c);
    return p->combining_class == 0 && p->category != UTF8PROC_CATEGORY_MN && p->category != UTF8PROC_CATEGORY_MC &&
           p->category != UTF8PROC_CATEGORY_ME;
}

/* A sign that looks like a mark (the anusvara like a dot above) is one. */
static bool begins_segment(const struct folder *f, utf8proc_int32_t c)
{
    const struct confusable *alike = f->manner->alike ? confusable_find((uint32_t)c) : NULL;
    return is_safe_starter(c) && (!alike || is_safe_starter(alike->to[0]));
}

/* Canonical ordering (Unicode section 3.11, D109): marks between starters by combining class, stable. */
static void order(utf8proc_int32_t *v, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        utf8proc_int32_t c = v[i];
        utf8proc_propval_t class = utf8proc_get_property(c)->combining_class;
        size_t at = i;
        while (class != 0 && at > 0 && utf8proc_get_property(v[at - 1])->combining_class > class) {
            v[at] = v[at - 1];
            at--;
        }
        v[at] = c;
    }
}

static bool is_white(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
           c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static void point_add(struct folder *f, size_t source, bool linear)
{
    if (!f->map) return;
    VEC_PUSH(&f->map->points, (struct fold_point){f->out->n - f->out_from, source, linear});
}

static void segment_emit(struct folder *f, const utf8proc_int32_t *v, size_t n)
{
    point_add(f, f->source, false);
    f->broken = true;
    for (size_t i = 0; i < n; i++) {
        if (!f->manner->collapse || !is_white((uint32_t)v[i])) {
            fold_encode(f->out, (uint32_t)v[i]);
            f->blank = false;
        } else if (!f->blank) {
            buf_add_byte(f->out, ' ');
            f->blank = true;
        }
    }
}

static void segment_flush(struct folder *f)
{
    if (f->n == 0) return;
    utf8proc_int32_t folded[FOLDED_MAX];
    size_t n = 0;
    order(f->segment, f->n);
    for (size_t i = 0; i < f->n; i++) {
        int bound = 0;
        if (f->manner->fold == 0) {
            folded[n++] = utf8proc_tolower(f->segment[i]);
            continue;
        }
        const struct confusable *alike = f->manner->alike ? confusable_find((uint32_t)f->segment[i]) : NULL;
        if (alike) {
            memcpy(folded + n, alike->to, alike->n * sizeof *folded);
            n += alike->n;
            continue;
        }
        utf8proc_ssize_t got = utf8proc_decompose_char(f->segment[i], folded + n, (utf8proc_ssize_t)(FOLDED_MAX - n),
                                                       f->manner->fold, &bound);
        INVARIANT(got >= 0 && (size_t)got <= FOLDED_MAX - n);
        LIBRARY_WROTE(folded + n, (size_t)got * sizeof *folded);
        n += (size_t)got;
    }
    order(folded, n);
    if (n > 1) {
        utf8proc_ssize_t left =
            utf8proc_normalize_utf32(folded, (utf8proc_ssize_t)n, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
        INVARIANT(left >= 0 && (size_t)left <= n);
        n = (size_t)left;
    }
    segment_emit(f, folded, n);
    f->n = f->marks = 0;
}

static void segment_add(struct folder *f, uint32_t c, size_t source)
{
    utf8proc_int32_t parts[EXPANSION_MAX];
    int bound = 0;
    utf8proc_ssize_t n =
        utf8proc_decompose_char((utf8proc_int32_t)c, parts, EXPANSION_MAX, f->manner->decompose, &bound);
    INVARIANT(n >= 0 && n <= EXPANSION_MAX);
    LIBRARY_WROTE(parts, (size_t)n * sizeof *parts);
    if (n == 0) return; /* Default_Ignorable: what it stood between composes */
    bool safe = begins_segment(f, parts[0]);
    if (safe || f->marks == MARKS_MAX) segment_flush(f);
    if (f->n == 0) f->source = source;
    f->marks += !safe;
    memcpy(f->segment + f->n, parts, (size_t)n * sizeof *parts);
    f->n += (size_t)n;
}

/* --- text ------------------------------------------------------------------------------------------------------- */

/* As 0 or 1; bitwise, for the same reason. */
static unsigned char ascii_is_white(unsigned char c) { return (c == ' ') | ((unsigned char)(c - 9) <= 4); }

/* A block of ASCII, lowered, its white space made blanks; whether there is white space behind other (in[-1] can be
 * read), so that one blank would have to go: then what was written is of no use. */
static bool fold_block(const char *in, char *restrict out)
{
    unsigned char double_white = 0;
    for (size_t k = 0; k < STR_BLOCK; k++) {
        unsigned char c = (unsigned char)in[k], before = (unsigned char)in[(ptrdiff_t)k - 1];
        unsigned char white = ascii_is_white(c), lower = (unsigned char)(c - 'A') <= 'Z' - 'A' ? c | 0x20 : c;
        out[k] = white ? ' ' : (char)lower;
        double_white |= white & ascii_is_white(before);
    }
    return double_white;
}

/* Without a map, the common case: there is room for s.n bytes. */
static void ascii_emit_plainly(struct folder *f, struct str s)
{
    char *out = f->out->p + f->out->n;
    for (size_t i = 0; i < s.n;) {
        if (i > 0 && s.n - i >= STR_BLOCK && !fold_block(s.p + i, out)) {
            i += STR_BLOCK;
            out += STR_BLOCK;
            f->blank = out[-1] == ' ';
            continue;
        }
        for (size_t end = i == 0 ? 1 : s.n - i >= STR_BLOCK ? i + STR_BLOCK : s.n; i < end; i++) {
            char c = ascii_lower(s.p[i]);
            bool white = ascii_is_white((unsigned char)c);
            if (!white || !f->blank) *out++ = white ? ' ' : c;
            f->blank = white;
        }
    }
    f->out->n = (size_t)(out - f->out->p);
}

/* What looks like something else, and all else as ever. */
static void ascii_emit_alike(struct folder *f, struct str s, size_t from, size_t to)
{
    buf_reserve(f->out, (to - from) * CONFUSABLE_ASCII_MAX);
    f->broken = true;
    for (size_t i = from; i < to; i++) {
        char c = ascii_lower(s.p[i]);
        const struct confusable_ascii *alike = &confusables_ascii[(unsigned char)s.p[i]];
        bool white = c == ' ' || (c >= 9 && c <= 13);
        if (white && f->blank) {
            f->broken = true;
            continue;
        }
        f->blank = white;
        if (f->map && (f->broken || alike->n > 1)) point_add(f, i, alike->n < 2);
        f->broken = alike->n > 1;
        char *out = f->out->p + f->out->n;
        if (alike->n) {
            memcpy(out, alike->to, CONFUSABLE_ASCII_MAX);
            f->out->n += alike->n;
        } else {
            *out = white ? ' ' : c;
            f->out->n++;
        }
    }
}

static void ascii_emit(struct folder *f, struct str s, size_t from, size_t to)
{
    if (f->manner->alike) {
        ascii_emit_alike(f, s, from, to);
        return;
    }
    buf_reserve(f->out, to - from);
    if (!f->manner->collapse) {
        for (size_t i = from; i < to; i++) f->out->p[f->out->n++] = ascii_lower(s.p[i]);
        return;
    }
    if (!f->map) {
        ascii_emit_plainly(f, str_slice(s, from, to));
        return;
    }
    f->broken = true;
    for (size_t i = from; i < to; i++) {
        char c = ascii_lower(s.p[i]);
        bool white = c == ' ' || (c >= 9 && c <= 13);
        if (white && f->blank) {
            f->broken = true;
            continue;
        }
        f->blank = white;
        if (f->broken) point_add(f, i, true);
        f->broken = false;
        f->out->p[f->out->n++] = white ? ' ' : c;
    }
}

/* What a character folds to by itself, in all three manners, when no mark follows: for the letters most mail is made
 * of.  0: ask the tables.  All of them are safe starters. */
static uint32_t simple_fold(uint32_t c)
{
    if (c >= 0xc0 && c <= 0xff)
        return c == 0xd7 || c == 0xdf || c == 0xf7 ? 0 : c | 0x20;              /* Latin-1 letters but sharp s */
    if (c >= 0x410 && c <= 0x44f) return c < 0x430 ? c + 0x20 : c;              /* Cyrillic */
    if ((c >= 0x4e00 && c <= 0x9fff) || (c >= 0xac00 && c <= 0xd7a3)) return c; /* Han, Hangul */
    if ((c >= 0x3041 && c <= 0x3096) || (c >= 0x30a1 && c <= 0x30fa)) return c; /* Hiragana, Katakana */
    return 0;
}

/* The same in the manner at hand: what is composed may hold what looks like something else. */
static uint32_t simply(const struct folder *f, uint32_t c)
{
    uint32_t folded = simple_fold(c);
    if (!folded || !f->manner->alike) return folded;
    bool whole = (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x410 && c <= 0x44f && (c | 0x20) != 0x439 /* short i */);
    return whole && !confusable_find(c) ? folded : 0;
}

/* Does what stands at `at` leave alone what stands before it? */
static bool is_apart(const struct folder *f, struct str s, size_t at)
{
    uint32_t c;
    if (at == s.n || (unsigned char)s.p[at] < 0x80) return true;
    fold_decode(s.p + at, s.n - at, &c);
    return simply(f, c) != 0;
}

static void run(struct folder *f, struct str s)
{
    for (size_t i = 0; i < s.n && f->out->n <= f->end;) {
        size_t end = i;
        if ((unsigned char)s.p[i] < 0x80) end += str_ascii_prefix((struct str){s.p + i, s.n - i});
        /* The last ASCII character before others may be the base of marks. */
        if (end > i && !is_apart(f, s, end)) end--;
        if (end > i) {
            segment_flush(f);
            ascii_emit(f, s, i, end);
            i = end;
            continue;
        }
        uint32_t c, folded;
        size_t n = fold_decode(s.p + i, s.n - i, &c);
        if ((folded = simply(f, c)) != 0 && is_apart(f, s, i + n)) {
            segment_flush(f);
            point_add(f, i, false);
            fold_encode(f->out, folded);
            f->blank = false;
        } else {
            segment_add(f, c, i);
        }
        i += n;
    }
    segment_flush(f);
}

static bool fold(struct str s, unsigned flags, size_t most, struct buf *out, struct fold_map *map)
{
    struct folder f;
    f.manner = flags & FOLD_ALIKE ? &manner_alike : &manner_text;
    f.out = out;
    f.out_from = out->n;
    f.end = most < SIZE_MAX - out->n ? out->n + most : SIZE_MAX;
    f.map = map;
    f.blank = (flags & FOLD_TRIM) != 0;
    f.broken = true;
    f.n = f.marks = f.source = 0;
    if (map) {
        map->points.n = 0;
        map->source_size = s.n;
    }
    run(&f, s);
    bool whole = out->n <= f.end;
    if ((flags & FOLD_TRIM) && out->n > f.out_from && out->p[out->n - 1] == ' ') out->n--;
    return whole;
}

void fold_text(struct str s, unsigned flags, struct buf *out, struct fold_map *map)
{
    fold(s, flags, SIZE_MAX, out, map);
}

bool fold_text_within(struct str s, unsigned flags, size_t most, struct buf *out)
{
    return fold(s, flags, most, out, NULL);
}

static void fold_simply(struct str s, const struct manner *manner, struct buf *out)
{
    struct folder f;
    f.manner = manner;
    f.out = out;
    f.out_from = out->n;
    f.end = SIZE_MAX;
    f.map = NULL;
    f.blank = f.broken = false;
    f.n = f.marks = f.source = 0;
    run(&f, s);
}

void fold_nfc(struct str s, struct buf *out)
{
    utf8proc_uint8_t *composed = NULL;
    utf8proc_ssize_t n = utf8proc_map((const utf8proc_uint8_t *)s.p, (utf8proc_ssize_t)s.n, &composed,
                                      UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    INVARIANT(n >= 0 && composed);
    LIBRARY_WROTE(composed, (size_t)n);
    buf_add(out, (struct str){(const char *)composed, (size_t)n});
    free(composed);
}

void fold_case_nfc(struct str s, struct buf *out) { fold_simply(s, &manner_case, out); }
void fold_lower_nfc(struct str s, struct buf *out) { fold_simply(s, &manner_lower, out); }

/* --- the way back ------------------------------------------------------------------------------------------------- */

/* The last point at or before a folded offset; NULL before the first. */
static const struct fold_point *point_at(const struct fold_map *m, size_t folded)
{
    size_t low = 0, high = m->points.n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (m->points.v[mid].folded <= folded)
            low = mid + 1;
        else
            high = mid;
    }
    return low ? &m->points.v[low - 1] : NULL;
}

void fold_map_range(const struct fold_map *m, size_t from, size_t to, size_t *source_from, size_t *source_to)
{
    const struct fold_point *first = point_at(m, from), *last = to > from ? point_at(m, to - 1) : first;
    *source_from = !first ? 0 : first->linear ? first->source + (from - first->folded) : first->source;
    if (!last || to <= from)
        *source_to = *source_from;
    else if (last->linear)
        *source_to = last->source + (to - last->folded);
    else
        *source_to = last + 1 < m->points.v + m->points.n ? last[1].source : m->source_size;
    if (*source_to > m->source_size) *source_to = m->source_size;
    if (*source_from > *source_to) *source_from = *source_to;
}

void fold_map_free(struct fold_map *m)
{
    VEC_FREE(&m->points);
    m->source_size = 0;
}

/* --- words ------------------------------------------------------------------------------------------------------ */

/* Scripts written without spaces: every place is a boundary there. */
static bool is_spaceless(uint32_t c)
{
    static const struct {
        uint32_t from, to;
    } ranges[] = {
        {0x0e00, 0x0eff},   /* Thai, Lao */
        {0x1000, 0x109f},   /* Myanmar */
        {0x1780, 0x17ff},   /* Khmer */
        {0x19e0, 0x19ff},   /* Khmer symbols */
        {0x2e80, 0x2fdf},   /* Han radicals */
        {0x3005, 0x3007},   /* Han iteration mark, zero */
        {0x3021, 0x3029},   /* Hangzhou numerals */
        {0x3038, 0x30ff},   /* Hiragana, Katakana */
        {0x31f0, 0x31ff},   /* Katakana extensions */
        {0x3400, 0x4dbf},   /* Han */
        {0x4e00, 0x9fff},   /* Han */
        {0xa9e0, 0xa9ff},   /* Myanmar extended */
        {0xaa60, 0xaa7f},   /* Myanmar extended */
        {0xf900, 0xfaff},   /* Han compatibility */
        {0xff66, 0xff9f},   /* half-width Katakana */
        {0x1aff0, 0x1b16f}, /* Kana supplements */
        {0x20000, 0x3ffff}, /* Han */
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (c >= ranges[i].from && c <= ranges[i].to) return true;
    return false;
}

/* A letter, mark or digit of a script that puts something between words. */
static bool is_word_character(uint32_t c)
{
    if (c < 0x80) return ascii_is_alpha((char)c) || ascii_is_digit((char)c);
    if (is_spaceless(c)) return false;
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    return (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_ME) || k == UTF8PROC_CATEGORY_ND;
}

bool fold_is_word_boundary(struct str text, size_t at)
{
    if (at == 0 || at >= text.n) return true;
    size_t start = at - 1;
    while (start > 0 && at - start < 4 && ((unsigned char)text.p[start] & 0xc0) == 0x80) start--;
    uint32_t before, after;
    fold_decode(text.p + start, at - start, &before);
    if (!is_word_character(before)) return true;
    fold_decode(text.p + at, text.n - at, &after);
    return !is_word_character(after);
}

static bool is_word_at(struct str text, size_t from, size_t n)
{
    return fold_is_word_boundary(text, from) && fold_is_word_boundary(text, from + n);
}

/* Knuth, Morris, Pratt: for words, where a hit may be refused and the next begin inside it. */
static size_t find_word(struct str text, struct str needle, size_t from)
{
    size_t *back = mem_array(needle.n, sizeof *back), found = STR_NPOS;
    for (size_t i = 1, k = 0; i < needle.n; i++) {
        while (k > 0 && needle.p[i] != needle.p[k]) k = back[k - 1];
        if (needle.p[i] == needle.p[k]) k++;
        back[i] = k;
    }
    for (size_t i = from, k = 0; i < text.n && found == STR_NPOS; i++) {
        while (k > 0 && text.p[i] != needle.p[k]) k = back[k - 1];
        if (text.p[i] == needle.p[k]) k++;
        if (k < needle.n) continue;
        if (is_word_at(text, i + 1 - needle.n, needle.n)) found = i + 1 - needle.n;
        k = back[k - 1];
    }
    free(back);
    return found;
}

size_t fold_find(struct str text, struct str needle, size_t from, bool word)
{
    INVARIANT(needle.n > 0);
    if (from >= text.n) return STR_NPOS;
    size_t at = str_find(str_from(text, from), needle);
    if (at == STR_NPOS) return STR_NPOS;
    if (!word || is_word_at(text, from + at, needle.n)) return from + at;
    return find_word(text, needle, from + at);
}

size_t fold_count(struct str text, struct str needle, bool word, size_t most)
{
    size_t count = 0;
    for (size_t at = 0; count < most && (at = fold_find(text, needle, at, word)) != STR_NPOS; at += needle.n) count++;
    return count;
}
