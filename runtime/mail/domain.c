#include "mail/domain.h"

#include "base/limits.h"
#include "mail/idn.h"
#include "mail/like.h"

static bool label_is_valid(struct str label)
{
    if (label.n == 0 || label.n > LIMIT_LABEL || label.p[0] == '-' || label.p[label.n - 1] == '-') return false;
    for (size_t i = 0; i < label.n; i++)
        if (!ascii_is_alpha(label.p[i]) && !ascii_is_digit(label.p[i]) && label.p[i] != '-') return false;
    return true;
}

static bool is_valid_ascii(struct str s)
{
    struct str label, rest = s;
    if (s.n == 0 || s.n > LIMIT_DOMAIN) return false;
    while (str_cut(rest, '.', &label, &rest))
        if (!label_is_valid(label)) return false;
    return label_is_valid(label);
}

bool domain_is_valid(struct str s, bool utf8)
{
    if (is_valid_ascii(s)) return true;
    if (!utf8 || str_is_ascii(s)) return false;
    struct buf ascii = {0};
    bool valid = idn_to_ascii(s, &ascii) && is_valid_ascii(buf_str(&ascii));
    buf_free(&ascii);
    return valid;
}

bool domain_canonical(struct str s, struct buf *out)
{
    size_t before = out->n;
    if (str_starts(s, STR("*."))) {
        buf_add(out, STR("*."));
        s = str_from(s, 2);
    }
    size_t name = out->n;
    if (s.n && s.p[s.n - 1] == '.') s.n--;
    if (idn_to_ascii(s, out) && is_valid_ascii(str_from(buf_str(out), name))) return true;
    out->n = before;
    return false;
}

bool domain_matches(struct str pattern, struct str domain)
{
    if (!str_starts(pattern, STR("*."))) return str_eq(pattern, domain);
    struct str tail = str_from(pattern, 1); /* ".b.example" */
    return domain.n > tail.n && str_ends(domain, tail);
}

bool domain_is_like(struct str pattern, struct str domain)
{
    struct buf unicode = {0};
    idn_to_unicode(domain, &unicode);
    bool like = like_match(pattern, buf_str(&unicode));
    buf_free(&unicode);
    return like;
}
