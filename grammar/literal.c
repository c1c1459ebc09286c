/* Literals that are well-formed, or nearly: their values, and the errors in them. */
#include "grammar/parse.h"

#include <string.h>

#include "base/civil.h"
#include "base/ip.h"
#include "grammar/characters.h"
#include "grammar/scan.h"

struct ast_literal *literal_new(struct parse *p, enum ast_literal_kind kind, struct span at)
{
    struct ast_literal *l = ARENA_NEW(p->arena, struct ast_literal);
    l->kind = kind;
    l->span = at;
    l->text = span_text(p, at);
    return l;
}

/* --- texts ------------------------------------------------------------------------------------------------------- */

static size_t put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) return to[0] = (char)c, 1;
    if (c < 0x800) return to[0] = (char)(0xc0 | c >> 6), to[1] = (char)(0x80 | (c & 63)), 2;
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12), to[1] = (char)(0x80 | (c >> 6 & 63)), to[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    to[0] = (char)(0xf0 | c >> 18), to[1] = (char)(0x80 | (c >> 12 & 63));
    to[2] = (char)(0x80 | (c >> 6 & 63)), to[3] = (char)(0x80 | (c & 63));
    return 4;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The escape at s.p[0] == '\\': bytes it takes, and what it means; 0 when it means nothing.  An escape never becomes
 * longer, so decoding in a buffer of the same size is safe. */
static size_t escape_decode(struct str s, char *to, size_t *written)
{
    *written = 1;
    switch (s.n > 1 ? s.p[1] : 0) {
    case '"': case '\\': *to = s.p[1]; return 2;
    case 'n': *to = '\n'; return 2;
    case 't': *to = '\t'; return 2;
    case 'u': break;
    default: return 0;
    }
    if (s.n < 5 || s.p[2] != '{') return 0;
    uint32_t c = 0;
    size_t i = 3;
    for (; i < s.n && i < 9 && hex_digit(s.p[i]) >= 0; i++) c = c << 4 | (uint32_t)hex_digit(s.p[i]);
    if (i == 3 || i >= s.n || s.p[i] != '}' || c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return 0;
    *written = put_utf8(to, c);
    return i + 1;
}

static void tell_escape(struct parse *p, struct span at, struct str escape)
{
    size_t n = 2;
    if (escape.n > 2 && escape.p[1] == 'u' && escape.p[2] == '{') {
        size_t close = str_find_byte(escape, '}');
        if (close != STR_NPOS && close < 16) n = close + 1;
    } else {
        while (n < escape.n && n < 5 && ((unsigned char)escape.p[n] & 0xc0) == 0x80) n++; /* whole characters only */
    }
    if (n > escape.n) n = escape.n;
    struct str shown = str_slice(escape, 0, n);
    struct diag *d = diag_add(p->diags, DIAG_E103, (struct span){at.source, at.from, at.from + (uint32_t)n},
                              "`%.*s` is no escape of a text", STR_ARG(shown));
    if (n > 1 && escape.p[1] != 'u')
        diag_fix(p->diags, d, "for a backslash:", "\\\\%.*s", STR_ARG(str_from(shown, 1)));
}

struct ast_literal *literal_text(struct parse *p, struct span at)
{
    struct ast_literal *l = literal_new(p, LITERAL_TEXT, at);
    struct str inner = str_slice(l->text, 1, l->text.n - 1);
    l->text = inner;
    characters_check(p->diags, inner, (struct span){at.source, at.from + 1, at.to}, false);
    if (str_find_byte(inner, '\\') == STR_NPOS) return l;
    char *out = arena_alloc(p->arena, inner.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < inner.n;) {
        if (inner.p[i] != '\\') {
            out[n++] = inner.p[i++];
            continue;
        }
        size_t written = 0, taken = escape_decode(str_from(inner, i), out + n, &written);
        if (!taken) {
            uint32_t from = at.from + 1 + (uint32_t)i;
            tell_escape(p, (struct span){at.source, from, from}, str_from(inner, i));
            out[n] = inner.p[i];
            taken = written = 1;
        }
        i += taken;
        n += written;
    }
    l->text = (struct str){out, n};
    return l;
}

struct ast_literal *literal_block(struct parse *p, struct span at)
{
    struct ast_literal *l = literal_new(p, LITERAL_TEXT, at);
    /* Of four or five quotes at the end the last three close; the others belong to the text. */
    struct str inner = str_slice(l->text, 3, l->text.n - 3);
    if (inner.n && inner.p[0] == '\r') inner = str_starts(inner, STR("\r\n")) ? str_from(inner, 2) : inner;
    else if (inner.n && inner.p[0] == '\n') inner = str_from(inner, 1);
    l->text = inner;
    uint32_t skipped = (uint32_t)(inner.p - p->source->text.p) - at.from;
    characters_check(p->diags, inner, (struct span){at.source, at.from + skipped, at.to}, false);
    return l;
}

struct ast_literal *literal_regex(struct parse *p, struct span at)
{
    struct ast_literal *l = literal_new(p, LITERAL_REGEX, at);
    size_t end = str_rfind_byte(l->text, '/'); /* flags hold no slash */
    struct str flags = str_from(l->text, end + 1);
    for (size_t i = 0; i < flags.n; i++) {
        const char *known = "smxc", *hit = strchr(known, flags.p[i]);
        uint8_t bit = hit ? (uint8_t)(1u << (hit - known)) : 0;
        uint32_t from = at.from + (uint32_t)(end + 1 + i);
        struct span here = {at.source, from, from + 1};
        if (!bit) {
            bool needless = flags.p[i] == 'i' || flags.p[i] == 'g';
            struct diag *d = diag_add(p->diags, DIAG_E105, here,
                                      flags.p[i] == 'i'   ? "patterns ignore case already; `%c` is no flag"
                                      : flags.p[i] == 'g' ? "patterns search everywhere already; `%c` is no flag"
                                                          : "`%c` is no flag of a pattern", flags.p[i]);
            diag_fix(p->diags, d, needless ? "" : "the flags are:", "%s", needless ? "leave it out" : "s, m, x, c");
        }
        else if (l->flags & bit)
            diag_add(p->diags, DIAG_E105, here, "the flag `%c` stands here twice", flags.p[i]);
        l->flags |= bit;
    }
    l->text = str_slice(l->text, 1, end);
    characters_check(p->diags, l->text, (struct span){at.source, at.from + 1, at.to}, true);
    if (l->text.n == 0) {
        struct diag *d = diag_add(p->diags, DIAG_E104, at, "the pattern is empty, so it would match everything");
        diag_fix(p->diags, d, "for a comment:", "#");
    }
    return l;
}

/* --- numbers ----------------------------------------------------------------------------------------------------- */

static void tell_range(struct parse *p, struct span at)
{
    diag_add(p->diags, DIAG_E116, at, "the number `%.*s` is too large", STR_ARG(str_slice(span_text(p, at), 0, 40)));
}

struct ast_literal *literal_number(struct parse *p, struct span at)
{
    struct ast_literal *l = literal_new(p, LITERAL_NUMBER, at);
    if (!str_to_i64(l->text, &l->number)) {
        tell_range(p, at);
        l->number = 0;
    }
    return l;
}

/* Units, and what people write for them.  right: what to write; right2: the other thing it may mean. */
struct unit {
    const char *name;
    enum ast_literal_kind kind;
    int64_t factor;
    const char *right, *right2;
};
enum { MINUTE = 60, HOUR = 3600, DAY = 86400, WEEK = 604800 };
#define KIB ((int64_t)1024)
static const struct unit units[] = {
    {"b", LITERAL_SIZE, 1, NULL, NULL},
    {"byte", LITERAL_SIZE, 1, NULL, NULL},
    {"bytes", LITERAL_SIZE, 1, NULL, NULL},
    {"kb", LITERAL_SIZE, KIB, NULL, NULL},
    {"mb", LITERAL_SIZE, KIB * KIB, NULL, NULL},
    {"gb", LITERAL_SIZE, KIB * KIB * KIB, NULL, NULL},
    {"tb", LITERAL_SIZE, KIB * KIB * KIB * KIB, NULL, NULL},
    {"second", LITERAL_DURATION, 1, NULL, NULL},
    {"seconds", LITERAL_DURATION, 1, NULL, NULL},
    {"minute", LITERAL_DURATION, MINUTE, NULL, NULL},
    {"minutes", LITERAL_DURATION, MINUTE, NULL, NULL},
    {"hour", LITERAL_DURATION, HOUR, NULL, NULL},
    {"hours", LITERAL_DURATION, HOUR, NULL, NULL},
    {"day", LITERAL_DURATION, DAY, NULL, NULL},
    {"days", LITERAL_DURATION, DAY, NULL, NULL},
    {"week", LITERAL_DURATION, WEEK, NULL, NULL},
    {"weeks", LITERAL_DURATION, WEEK, NULL, NULL},
    {"k", LITERAL_SIZE, KIB, "KB", NULL},
    {"kib", LITERAL_SIZE, KIB, "KB", NULL},
    {"kbyte", LITERAL_SIZE, KIB, "KB", NULL},
    {"kilobytes", LITERAL_SIZE, KIB, "KB", NULL},
    {"mib", LITERAL_SIZE, KIB * KIB, "MB", NULL},
    {"mbyte", LITERAL_SIZE, KIB * KIB, "MB", NULL},
    {"meg", LITERAL_SIZE, KIB * KIB, "MB", NULL},
    {"megabytes", LITERAL_SIZE, KIB * KIB, "MB", NULL},
    {"m", LITERAL_DURATION, MINUTE, "minutes", "MB"},
    {"g", LITERAL_SIZE, KIB * KIB * KIB, "GB", NULL},
    {"gib", LITERAL_SIZE, KIB * KIB * KIB, "GB", NULL},
    {"gigabytes", LITERAL_SIZE, KIB * KIB * KIB, "GB", NULL},
    {"tib", LITERAL_SIZE, KIB * KIB * KIB * KIB, "TB", NULL},
    {"s", LITERAL_DURATION, 1, "seconds", NULL},
    {"sec", LITERAL_DURATION, 1, "seconds", NULL},
    {"secs", LITERAL_DURATION, 1, "seconds", NULL},
    {"min", LITERAL_DURATION, MINUTE, "minutes", NULL},
    {"mins", LITERAL_DURATION, MINUTE, "minutes", NULL},
    {"h", LITERAL_DURATION, HOUR, "hours", NULL},
    {"hr", LITERAL_DURATION, HOUR, "hours", NULL},
    {"hrs", LITERAL_DURATION, HOUR, "hours", NULL},
    {"d", LITERAL_DURATION, DAY, "days", NULL},
    {"w", LITERAL_DURATION, WEEK, "weeks", NULL},
};

/* 6 pm: a time of day in the other fashion. */
static struct ast_literal *literal_half_day(struct parse *p, struct span at, int64_t hour, bool afternoon)
{
    struct ast_literal *l = literal_new(p, LITERAL_CLOCK, at);
    struct diag *d = diag_add(p->diags, DIAG_E117, at, "times of day are written with 24 hours and minutes");
    if (hour < 1 || hour > 12) return l;
    hour = hour % 12 + (afternoon ? 12 : 0);
    l->number = hour * 60;
    diag_fix(p->diags, d, "", "%02d:00", (int)hour);
    return l;
}

struct ast_literal *literal_with_unit(struct parse *p, struct span at)
{
    struct str text = span_text(p, at), digits = str_slice(text, 0, scan_digits(text));
    size_t start = text.n;
    while (start > digits.n && scan_is_word(text.p[start - 1])) start--;
    struct str word = str_from(text, start);
    int64_t number = 0;
    bool fits = str_to_i64(digits, &number);
    if (str_eq_nocase(word, STR("am")) || str_eq_nocase(word, STR("pm")))
        return literal_half_day(p, at, fits ? number : 0, ascii_lower(word.p[0]) == 'p');
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        const struct unit *u = &units[i];
        if (!str_eq_nocase(word, str_of(u->name))) continue;
        struct ast_literal *l = literal_new(p, u->kind, at);
        if (!fits || __builtin_mul_overflow(number, u->factor, &l->number)) {
            l->number = 0;
            tell_range(p, at);
        }
        if (u->right) {
            struct span unit = {at.source, at.to - (uint32_t)word.n, at.to};
            struct diag *d = diag_add(p->diags, DIAG_E109, unit, "`%.*s` is no unit", STR_ARG(word));
            diag_fix(p->diags, d, "", "%.*s %s", STR_ARG(digits), u->right);
            if (u->right2) diag_fix(p->diags, d, "", "%.*s %s", STR_ARG(digits), u->right2);
        }
        return l;
    }
    return NULL;
}

/* --- dates and times --------------------------------------------------------------------------------------------- */

static uint8_t digits2(struct str s, size_t at) { return (uint8_t)((s.p[at] - '0') * 10 + (s.p[at + 1] - '0')); }

struct ast_literal *literal_date(struct parse *p, struct span at)
{
    struct ast_literal *l = literal_new(p, LITERAL_DATE, at);
    struct str s = l->text;
    struct civil c = {.year = digits2(s, 0) * 100 + digits2(s, 2), .month = digits2(s, 5), .day = digits2(s, 8)};
    l->date_only = s.n == 10;
    l->date_zoned = s.p[s.n - 1] == 'Z';
    if (!civil_is_valid(&c)) {
        diag_add(p->diags, DIAG_E117, at, "there is no day `%.*s`", STR_ARG(str_slice(s, 0, 10)));
        return l;
    }
    if (!l->date_only) c.hour = digits2(s, 11), c.minute = digits2(s, 14);
    if (!civil_is_valid(&c))
        diag_add(p->diags, DIAG_E117, at, "there is no time of day `%.*s`", STR_ARG(str_slice(s, 11, 16)));
    else
        l->number = civil_to_utc(&c, 0);
    return l;
}

struct ast_literal *literal_clock(struct parse *p, struct span at)
{
    struct ast_literal *l = literal_new(p, LITERAL_CLOCK, at);
    int hour = l->text.n == 4 ? l->text.p[0] - '0' : digits2(l->text, 0), minute = digits2(l->text, l->text.n - 2);
    if (hour > 23 || minute > 59) {
        struct diag *d = diag_add(p->diags, DIAG_E117, at, "there is no time of day `%.*s`", STR_ARG(l->text));
        if (hour == 24 && minute == 0) diag_fix(p->diags, d, "midnight:", "00:00");
        return l;
    }
    l->number = hour * 60 + minute;
    return l;
}

/* --- networks ---------------------------------------------------------------------------------------------------- */

struct ast_literal *literal_network(struct parse *p, struct span at)
{
    struct ast_literal *l = literal_new(p, LITERAL_NETWORK, at);
    uint8_t low[IP_SIZE], high[IP_SIZE];
    struct err e;
    if (!ip_range_parse(l->text, low, high, &e)) diag_add(p->diags, DIAG_E118, at, "%s", e.text);
    return l;
}
