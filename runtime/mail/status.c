#include "mail/status.h"

#include <stdio.h>

#include "base/err.h"

/* One to three digits, no leading zero but "0" itself (RFC 3463 section 2). */
static bool part_parse(struct str s, uint16_t *out)
{
    uint64_t v;
    if (s.n > 3 || (s.n > 1 && s.p[0] == '0') || !str_to_u64(s, &v)) return false;
    *out = (uint16_t)v;
    return true;
}

bool status_parse(struct str s, struct status *out)
{
    struct str class, rest, subject, detail;
    uint16_t c;
    struct status r;
    if (!str_cut(s, '.', &class, &rest) || !str_cut(rest, '.', &subject, &detail)) return false;
    if (!part_parse(class, &c) || (c != 2 && c != 4 && c != 5)) return false;
    r.class = (uint8_t)c;
    if (!part_parse(subject, &r.subject) || !part_parse(detail, &r.detail)) return false;
    *out = r;
    return true;
}

size_t status_print(struct status s, char out[STATUS_TEXT_MAX])
{
    int n = snprintf(out, STATUS_TEXT_MAX, "%u.%u.%u", s.class, s.subject, s.detail);
    INVARIANT(n > 0 && n < STATUS_TEXT_MAX);
    return (size_t)n;
}

bool reply_is_consistent(const struct reply *r) { return r->code / 100 == r->status.class; }
