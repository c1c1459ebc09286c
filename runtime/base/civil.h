/* base/civil: the proleptic Gregorian calendar: UTC seconds to civil time and back, and RFC 3339 text.
 *
 * Pure arithmetic: no clock, no timezone database, no libc time call.  Years 0000 to 9999; an offset is seconds east of
 * UTC, as the caller was told it. */
#ifndef SLUICE_BASE_CIVIL_H
#define SLUICE_BASE_CIVIL_H

#include "base/str.h"

struct civil {
    int32_t year;
    uint8_t month, day;           /* from 1 */
    uint8_t hour, minute, second; /* second 0..59: UTC seconds know no leap second */
    uint8_t weekday;              /* 0 is Sunday */
};

enum { CIVIL_RFC3339_MAX = 40 };

struct civil civil_of(int64_t utc, int32_t offset); /* clamped to the years above */
int64_t civil_to_utc(const struct civil *c, int32_t offset); /* weekday is not looked at */
bool civil_is_valid(const struct civil *c); /* month, day of that month, hour, minute, second in range */
uint8_t civil_days_in_month(int32_t year, uint8_t month);

/* "2026-09-01" and "18:00", exactly: into those members; false for another form.  civil_is_valid says whether they
 * exist. */
bool civil_read_date(struct str s, struct civil *out);
bool civil_read_clock(struct str s, struct civil *out);

/* RFC 3339 section 5.6: "2026-11-23T22:50:02Z", "…+01:00"; length without the NUL. */
size_t civil_print_rfc3339(int64_t utc, int32_t offset, char out[CIVIL_RFC3339_MAX]);
/* The same of UTC microseconds, with six digits of fraction and Z. */
size_t civil_print_micros(int64_t utc_micros, char out[CIVIL_RFC3339_MAX]);

#endif
