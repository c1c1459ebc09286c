#include "base/civil.h"

#include <stdio.h>

#include "base/err.h"

enum { DAY = 86400 };

/* Days from 1970-01-01 to a civil date and back, after Howard Hinnant's "chrono-compatible low-level date algorithms":
 * years begin in March, so the leap day is a year's last, and eras of 400 years have 146,097 days. */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    unsigned of_era = (unsigned)(year - era * 400);
    unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + (int64_t)(of_era * 365 + of_era / 4 - of_era / 100 + of_year) - 719468;
}

static const int64_t least = -719528LL * DAY, most = 2932897LL * DAY - 1; /* 0000-01-01, 9999-12-31T23:59:59 */

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

struct civil civil_of(int64_t utc, int32_t offset)
{
    int64_t local;
    if (__builtin_add_overflow(utc, (int64_t)offset, &local)) local = utc < 0 ? least : most;
    local = local < least ? least : local > most ? most : local;
    int64_t days = floor_div(local, DAY), z = days + 719468;
    int64_t era = floor_div(z, 146097);
    unsigned of_era = (unsigned)(z - era * 146097);
    unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year + year / 4 - year / 100), march = (5 * of_year + 2) / 153;
    unsigned month = march < 10 ? march + 3 : march - 9, second = (unsigned)(local - days * DAY);
    return (struct civil){
        .year = (int32_t)(year + era * 400 + (month <= 2)),
        .month = (uint8_t)month,
        .day = (uint8_t)(of_year - (153 * march + 2) / 5 + 1),
        .hour = (uint8_t)(second / 3600),
        .minute = (uint8_t)(second / 60 % 60),
        .second = (uint8_t)(second % 60),
        .weekday = (uint8_t)(((days + 4) % 7 + 7) % 7),
    };
}

int64_t civil_to_utc(const struct civil *c, int32_t offset)
{
    return days_of(c->year, c->month, c->day) * DAY + c->hour * 3600 + c->minute * 60 + c->second - offset;
}

uint8_t civil_days_in_month(int32_t year, uint8_t month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12) return 0;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return (uint8_t)(days[month - 1] + (month == 2 && leap));
}

bool civil_is_valid(const struct civil *c)
{
    return c->year >= 0 && c->year <= 9999 && c->day >= 1 && c->day <= civil_days_in_month(c->year, c->month) &&
           c->hour <= 23 && c->minute <= 59 && c->second <= 59;
}

static size_t print(const struct civil *c, const char *fraction, int32_t offset, char out[CIVIL_RFC3339_MAX])
{
    char zone[8] = "Z";
    int minutes = offset / 60;
    if (minutes != 0) {
        unsigned size = (unsigned)(minutes < 0 ? -minutes : minutes);
        snprintf(zone, sizeof zone, "%c%02u:%02u", minutes < 0 ? '-' : '+', size / 60 % 24, size % 60);
    }
    int n = snprintf(out, CIVIL_RFC3339_MAX, "%04d-%02u-%02uT%02u:%02u:%02u%s%s", c->year, c->month, c->day, c->hour,
                     c->minute, c->second, fraction, zone);
    INVARIANT(n > 0 && n < CIVIL_RFC3339_MAX);
    return (size_t)n;
}

size_t civil_print_rfc3339(int64_t utc, int32_t offset, char out[CIVIL_RFC3339_MAX])
{
    struct civil c = civil_of(utc, offset / 60 * 60);
    return print(&c, "", offset, out);
}

size_t civil_print_micros(int64_t utc_micros, char out[CIVIL_RFC3339_MAX])
{
    int64_t seconds = floor_div(utc_micros, 1000000);
    struct civil c = civil_of(seconds, 0);
    char fraction[12];
    snprintf(fraction, sizeof fraction, ".%06u", (unsigned)(utc_micros - seconds * 1000000) % 1000000u);
    return print(&c, fraction, 0, out);
}

/* "0000-00-00" says where digits stand and which signs are between them. */
static bool has_form(struct str s, const char *form)
{
    if (s.n != str_of(form).n) return false;
    for (size_t i = 0; i < s.n; i++)
        if (form[i] == '0' ? !ascii_is_digit(s.p[i]) : s.p[i] != form[i]) return false;
    return true;
}

static int digits(struct str s, size_t from, size_t to)
{
    int n = 0;
    for (size_t i = from; i < to; i++) n = n * 10 + (s.p[i] - '0');
    return n;
}

bool civil_read_date(struct str s, struct civil *out)
{
    if (!has_form(s, "0000-00-00")) return false;
    out->year = digits(s, 0, 4);
    out->month = (uint8_t)digits(s, 5, 7);
    out->day = (uint8_t)digits(s, 8, 10);
    return true;
}

bool civil_read_clock(struct str s, struct civil *out)
{
    if (!has_form(s, "00:00")) return false;
    out->hour = (uint8_t)digits(s, 0, 2);
    out->minute = (uint8_t)digits(s, 3, 5);
    return true;
}
