#include "mail/datetime.h"

#include <stdio.h>

#include "base/err.h"

static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

size_t datetime_print_rfc5322(int64_t utc, int32_t offset, char out[DATETIME_RFC5322_MAX])
{
    int minutes = offset / 60;
    unsigned size = (unsigned)(minutes < 0 ? -minutes : minutes) % (24 * 60);
    struct civil c = civil_of(utc, minutes * 60);
    int n = snprintf(out, DATETIME_RFC5322_MAX, "%s, %u %s %04d %02u:%02u:%02u %c%02u%02u", days[c.weekday], c.day,
                     months[c.month - 1], c.year, c.hour, c.minute, c.second, minutes < 0 ? '-' : '+', size / 60,
                     size % 60);
    INVARIANT(n > 0 && n < DATETIME_RFC5322_MAX);
    return (size_t)n;
}

/* --- reading ---------------------------------------------------------------------------------------------------- */

enum { COMMENT_DEPTH = 32 };

/* The next token: a word, a number, or one of , : + - ; empty at the end.  Skips white space and comments. */
static struct str token(struct str *s)
{
    size_t i = 0, depth = 0;
    while (i < s->n && (depth || s->p[i] == '(' || s->p[i] == ' ' || (s->p[i] >= 9 && s->p[i] <= 13))) {
        if (s->p[i] == '\\' && depth)
            i++;
        else if (s->p[i] == '(' && ++depth > COMMENT_DEPTH)
            break;
        else if (s->p[i] == ')')
            depth--;
        i++;
    }
    *s = str_from(*s, i);
    size_t n = 0;
    while (n < s->n && (ascii_is_alpha(s->p[n]) || ascii_is_digit(s->p[n]))) n++;
    if (n == 0 && s->n) n = 1;
    struct str t = str_slice(*s, 0, n);
    *s = str_from(*s, n);
    return t;
}

static bool number(struct str t, size_t most_digits, unsigned *out)
{
    uint64_t v;
    if (t.n > most_digits || !str_to_u64(t, &v)) return false;
    *out = (unsigned)v;
    return true;
}

/* Position of a three-letter name in a table of `n`, or -1; what follows the three letters is not looked at. */
static int name_of(struct str t, const char (*names)[4], int n)
{
    for (int i = 0; i < n; i++)
        if (str_starts_nocase(t, str_of(names[i]))) return i;
    return -1;
}

/* RFC 5322 section 4.3: two digits are 20xx below 50, three and the other two digits count from 1900. */
static bool year_of(struct str t, int32_t *out)
{
    unsigned v;
    if (t.n < 2 || !number(t, 4, &v)) return false;
    *out = (int32_t)(t.n >= 4 ? v : t.n == 2 && v < 50 ? v + 2000 : v + 1900);
    return true;
}

/* "+0100", or an obsolete name; what is unknown is -0000 by the RFC. */
static bool zone_of(struct str sign, struct str *rest, int32_t *offset)
{
    static const struct {
        const char *name;
        int8_t hours;
    } zones[] = {{"EST", -5}, {"EDT", -4}, {"CST", -6}, {"CDT", -5},
                 {"MST", -7}, {"MDT", -6}, {"PST", -8}, {"PDT", -7}};
    *offset = 0;
    if (str_eq(sign, STR("+")) || str_eq(sign, STR("-"))) {
        unsigned v;
        struct str digits = token(rest);
        if (digits.n != 4 || !number(digits, 4, &v) || v % 100 > 59 || v / 100 > 23) return false;
        int32_t seconds = (int32_t)(v / 100 * 3600 + v % 100 * 60);
        *offset = sign.p[0] == '-' ? -seconds : seconds;
        return true;
    }
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++)
        if (str_eq_nocase(sign, str_of(zones[i].name))) *offset = zones[i].hours * 3600;
    return true;
}

bool datetime_parse_rfc5322(struct str s, int64_t *utc, int32_t *offset)
{
    struct civil c = {0};
    unsigned day, hour, minute, second = 0;
    struct str t = token(&s);
    if (name_of(t, days, 7) >= 0) {
        t = token(&s);
        if (str_eq(t, STR(","))) t = token(&s);
    }
    if (!number(t, 2, &day)) return false;
    int month = name_of(token(&s), months, 12);
    if (month < 0 || !year_of(token(&s), &c.year)) return false;
    if (!number(token(&s), 2, &hour) || !str_eq(token(&s), STR(":")) || !number(token(&s), 2, &minute)) return false;
    t = token(&s);
    if (str_eq(t, STR(":"))) {
        if (!number(token(&s), 2, &second)) return false;
        t = token(&s);
    }
    if (second == 60) second = 59; /* a leap second: UTC seconds have none */
    c.month = (uint8_t)(month + 1);
    c.day = (uint8_t)day;
    c.hour = (uint8_t)hour;
    c.minute = (uint8_t)minute;
    c.second = (uint8_t)second;
    if (!civil_is_valid(&c) || !zone_of(t, &s, offset)) return false;
    *utc = civil_to_utc(&c, *offset);
    return true;
}
