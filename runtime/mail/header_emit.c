#include "mail/header_emit.h"

#include "base/limits.h"
#include "mail/fold.h"

enum {
    NAME_MOST = 76,
    LINE_WISH = 78,           /* RFC 5322 section 2.1.1 */
    ENCODED_LINE_WISH = 76,   /* RFC 2047 section 2, for lines with encoded-words */
    ENCODED_WORD_MOST = 75,   /* likewise */
    ENCODED_WORD_FRAME = 12,  /* "=?utf-8?Q?" and "?=" */
    ENCODED_CONTENT_LEAST = 12, /* one character of four octets, each as =HH */
    TOKEN_MOST = 900,         /* with name and blanks before it still under LIMIT_TEXT_LINE */
    GAP_MOST = 16             /* blanks between two words; longer runs are cut */
};
_Static_assert(NAME_MOST + 2 + GAP_MOST + TOKEN_MOST <= LIMIT_TEXT_LINE, "a token fits behind any name");

bool header_name_is_valid(struct str name)
{
    if (name.n == 0 || name.n > NAME_MOST) return false;
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= ' ' || name.p[i] >= 0x7f || name.p[i] == ':') return false;
    return true;
}

bool header_name_is_protected(struct str name)
{
    static const char *const names[] = {"Received", "Return-Path", "DKIM-Signature", "Content-Type",
                                        "Content-Transfer-Encoding", "MIME-Version"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (str_eq_nocase(name, str_of(names[i]))) return true;
    return str_starts_nocase(name, STR("ARC-"));
}

/* --- the value, before it is written ---------------------------------------------------------------------------- */

/* Ends a line, or begins one, for somebody: C0 and C1 controls, DEL, line and paragraph separator. */
static bool is_control(uint32_t c) { return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029; }

/* A copy that is UTF-8, without controls, and without blanks at its start. */
static void clean(struct str value, struct buf *out)
{
    for (size_t i = 0; i < value.n;) {
        uint32_t c;
        i += fold_decode(value.p + i, value.n - i, &c);
        if (is_control(c)) c = ' ';
        if (c != ' ' || out->n) fold_encode(out, c);
    }
}

/* The next word of *rest, and the blanks before it; false at the end. */
static bool word_next(struct str *rest, struct str *gap, struct str *word)
{
    size_t blanks = 0, end;
    while (blanks < rest->n && rest->p[blanks] == ' ') blanks++;
    for (end = blanks; end < rest->n && rest->p[end] != ' ';) end++;
    *gap = str_slice(*rest, 0, blanks < GAP_MOST ? blanks : GAP_MOST);
    *word = str_slice(*rest, blanks, end);
    *rest = str_from(*rest, end);
    return word->n > 0;
}

/* A word that cannot stand as it is: beyond ASCII, like an encoded-word to a reader, or too long for a line. */
static bool must_encode(struct str word, unsigned flags)
{
    return word.n > TOKEN_MOST || str_find(word, STR("=?")) != STR_NPOS ||
           (!(flags & HEADER_UTF8) && !str_is_ascii(word));
}

/* The stretch from the first word to be encoded to the last: it is encoded as one, so blanks inside are kept. */
static void find_stretch(struct str text, unsigned flags, size_t *from, size_t *to)
{
    struct str rest = text, gap, word;
    *from = *to = text.n;
    bool any = false;
    while (word_next(&rest, &gap, &word)) {
        if (!must_encode(word, flags)) continue;
        if (!any) *from = (size_t)(word.p - text.p);
        any = true;
        *to = (size_t)(word.p - text.p) + word.n;
    }
}

/* --- lines ------------------------------------------------------------------------------------------------------ */

struct line {
    struct buf *out;
    size_t column;
    bool may_fold; /* something that is no blank stands on the line */
};

static void line_fold(struct line *l)
{
    buf_add(l->out, STR("\r\n"));
    l->column = 0;
    l->may_fold = false;
}

static void line_add(struct line *l, struct str s)
{
    buf_add(l->out, s);
    l->column += s.n;
}

static void plain_emit(struct line *l, struct str text)
{
    struct str gap, word;
    while (word_next(&text, &gap, &word)) {
        if (l->may_fold && gap.n && l->column + gap.n + word.n > LINE_WISH) line_fold(l);
        line_add(l, gap);
        line_add(l, word);
        l->may_fold = true;
    }
}

/* Characters that stand for themselves in a Q word wherever one may stand (RFC 2047 section 5, rule 3). */
static bool is_q_safe(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || str_find_byte(STR("!*+-/"), c) != STR_NPOS;
}
static size_t q_cost(char c) { return is_q_safe(c) || c == ' ' ? 1 : 3; }

/* Q while people can read it: B only where it is shorter by a third. */
static bool prefers_b(struct str text)
{
    size_t q = 0;
    for (size_t i = 0; i < text.n; i++) q += q_cost(text.p[i]);
    return q > (text.n + 2) / 3 * 6;
}

/* Bytes of text, whole characters, that fit into `capacity` octets of an encoded-word's content. */
static size_t fitting(struct str text, bool b, size_t capacity)
{
    size_t taken = 0, cost = 0;
    while (taken < text.n) {
        uint32_t c;
        size_t n = fold_decode(text.p + taken, text.n - taken, &c);
        if (b)
            cost = (taken + n + 2) / 3 * 4;
        else
            for (size_t i = 0; i < n; i++) cost += q_cost(text.p[taken + i]);
        if (cost > capacity) break;
        taken += n;
    }
    return taken;
}

static void q_emit(struct line *l, struct str s)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        char hex[3] = {'=', digits[c >> 4], digits[c & 15]};
        line_add(l, c == ' ' ? STR("_") : is_q_safe((char)c) ? str_slice(s, i, i + 1) : (struct str){hex, 3});
    }
}

static void b_emit(struct line *l, struct str s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < s.n; i += 3) {
        size_t n = s.n - i < 3 ? s.n - i : 3;
        uint32_t v = 0;
        for (size_t k = 0; k < 3; k++) v = v << 8 | (k < n ? (unsigned char)s.p[i + k] : 0);
        char four[4] = {digits[v >> 18], digits[v >> 12 & 63], n > 1 ? digits[v >> 6 & 63] : '=',
                        n > 2 ? digits[v & 63] : '='};
        line_add(l, (struct str){four, 4});
    }
}

/* `gap` stands before the first word.  White space between two encoded-words is not shown, so a line end goes there. */
static void encoded_emit(struct line *l, struct str gap, struct str text)
{
    bool b = prefers_b(text);
    while (text.n) {
        size_t used = l->column + gap.n + ENCODED_WORD_FRAME;
        if (l->may_fold && gap.n && used + ENCODED_CONTENT_LEAST > ENCODED_LINE_WISH) {
            line_fold(l);
            used = gap.n + ENCODED_WORD_FRAME;
        }
        size_t room = used < ENCODED_LINE_WISH ? ENCODED_LINE_WISH - used : 0;
        if (room > ENCODED_WORD_MOST - ENCODED_WORD_FRAME) room = ENCODED_WORD_MOST - ENCODED_WORD_FRAME;
        if (room < ENCODED_CONTENT_LEAST) room = ENCODED_CONTENT_LEAST;
        size_t n = fitting(text, b, room);
        INVARIANT(n > 0);
        line_add(l, gap);
        line_add(l, b ? STR("=?utf-8?B?") : STR("=?utf-8?Q?"));
        (b ? b_emit : q_emit)(l, str_slice(text, 0, n));
        line_add(l, STR("?="));
        l->may_fold = true;
        text = str_from(text, n);
        gap = STR(" ");
    }
}

/* Plain words, the stretch [from, to) as encoded-words, plain words. */
static void unstructured_emit(struct line *l, struct str text, size_t from, size_t to)
{
    struct str before = str_slice(text, 0, from), gap = before;
    while (before.n && before.p[before.n - 1] == ' ') before.n--;
    gap = str_from(gap, before.n);
    plain_emit(l, before);
    if (from < to) encoded_emit(l, str_slice(gap, 0, GAP_MOST), str_slice(text, from, to));
    plain_emit(l, str_from(text, to));
}

static bool structured_is_sound(struct str text, unsigned flags)
{
    struct str gap, word;
    if (!(flags & HEADER_UTF8) && !str_is_ascii(text)) return false;
    while (word_next(&text, &gap, &word))
        if (word.n > TOKEN_MOST) return false;
    return true;
}

bool header_emit(struct buf *out, struct str name, struct str value, unsigned flags)
{
    struct buf text = {0};
    size_t from, to;
    if (!header_name_is_valid(name)) return false;
    clean(value, &text);
    while (text.n && text.p[text.n - 1] == ' ') text.n--;
    from = to = text.n;
    bool sound = !(flags & HEADER_STRUCTURED) || structured_is_sound(buf_str(&text), flags);
    if (sound) {
        struct line l = {.out = out};
        if (!(flags & HEADER_STRUCTURED)) find_stretch(buf_str(&text), flags, &from, &to);
        line_add(&l, name);
        line_add(&l, text.n ? STR(": ") : STR(":"));
        unstructured_emit(&l, buf_str(&text), from, to);
        buf_add(out, STR("\r\n"));
    }
    buf_free(&text);
    return sound;
}

/* Where the last word of the text begins. */
static size_t last_word(struct str text)
{
    size_t at = str_rfind_byte(text, ' ');
    return at == STR_NPOS ? 0 : at + 1;
}

size_t header_emit_fragment(struct buf *out, struct str text, size_t column, bool before_encoded_word)
{
    struct buf cleaned = {0};
    struct line l = {.out = out, .column = column};
    clean(text, &cleaned);
    size_t whole = cleaned.n, n = whole, from, to;
    while (n && cleaned.p[n - 1] == ' ') n--;
    struct str words = str_slice(buf_str(&cleaned), 0, n);
    bool blank = n < whole;
    find_stretch(words, 0, &from, &to);
    /* An encoded-word must not touch what stands before it: with no blank between, the last word becomes one too. */
    bool encoded_end = from < to && to == n;
    if (before_encoded_word && !blank && n && !encoded_end) {
        if (from == to) from = last_word(words);
        to = n;
        encoded_end = true;
    }
    if (encoded_end && blank && before_encoded_word) to++; /* the blank goes inside, where it is shown */
    unstructured_emit(&l, str_slice(buf_str(&cleaned), 0, to > n ? to : n), from, to);
    if (n && (blank || encoded_end)) line_add(&l, STR(" "));
    buf_free(&cleaned);
    return l.column;
}
