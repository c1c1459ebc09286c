/* mail/datetime: dates as mail writes them (RFC 5322 section 3.3).  The calendar is base/civil's. */
#ifndef SLUICE_MAIL_DATETIME_H
#define SLUICE_MAIL_DATETIME_H

#include "base/civil.h"

enum { DATETIME_RFC5322_MAX = 48 };

/* "Mon, 23 Nov 2026 22:50:02 +0100"; the offset is seconds east of UTC, cut to minutes.  Length without the NUL. */
size_t datetime_print_rfc5322(int64_t utc, int32_t offset, char out[DATETIME_RFC5322_MAX]);
/* A Date field's body, leniently: obsolete years and zones, comments, missing weekday and seconds (RFC 5322 section
 * 4.3). An unknown zone is -0000.  False for what is no date. */
bool datetime_parse_rfc5322(struct str s, int64_t *utc, int32_t *offset);

#endif
