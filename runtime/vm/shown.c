#include "vm/shown.h"

#include "base/civil.h"
#include "base/ip.h"

static bool is_inside_character(char c) { return ((unsigned char)c & 0xc0) == 0x80; }

struct str shown_line(struct arena *a, struct str s, size_t most, bool *cut)
{
    size_t n = s.n;
    if (cut) *cut = n > most;
    if (n > most) {
        n = most;
        while (n > 0 && is_inside_character(s.p[n])) n--;
    }
    char *p = arena_alloc(a, n + 1);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool above = c == 0xc2 && i + 1 < n && (unsigned char)s.p[i + 1] < 0xa0; /* U+0080 to U+009F */
        p[i] = c < 0x20 || c == 0x7f || above ? ' ' : s.p[i];
        if (above) p[++i] = ' ';
    }
    struct str out = {p, n};
    return str_is_utf8(out) ? out : STR("(not UTF-8)");
}

struct str shown_value(struct arena *a, const struct ready_ref *ref, const struct view *v)
{
    char ip[IP_TEXT_MAX];
    switch (ref->row->type) {
    case TYPE_ADDRESS:
        if (ref->part == PART_NAME) return v->name;
        if (ref->part == PART_LOCAL) return v->address.local;
        if (ref->part == PART_DOMAIN) return v->address.unicode_domain;
        return v->text;
    case TYPE_TEXT:
    case TYPE_WORD: return v->text;
    case TYPE_DOMAIN: return v->address.unicode_domain;
    case TYPE_YESNO: return v->number ? STR("yes") : STR("no");
    case TYPE_NETWORK: return arena_printf(a, "%.*s", (int)ip_print(v->ip, ip), ip);
    default: return arena_printf(a, "%lld", (long long)v->number);
    }
}

struct str shown_words(const struct judgement *j, struct arena *a, const struct ready_ref *ref, const struct view *v)
{
    char moment[CIVIL_RFC3339_MAX];
    int64_t n = v->number;
    switch (ref->type) {
    case TYPE_SIZE: return arena_printf(a, "%lld byte%s", (long long)n, n == 1 ? "" : "s");
    case TYPE_CLOCK: return arena_printf(a, "%02d:%02d", (int)(n / 60), (int)(n % 60));
    case TYPE_DATE: return arena_printf(a, "%.*s", (int)civil_print_rfc3339(n, j->in->utc_offset, moment), moment);
    default: return shown_value(a, ref, v);
    }
}

struct str shown_before(struct str text, size_t from, size_t most)
{
    size_t at = from > most ? from - most : 0;
    while (at < from && is_inside_character(text.p[at])) at++;
    return str_slice(text, at, from);
}

struct str shown_after(struct str text, size_t to, size_t most)
{
    size_t end = text.n - to > most ? to + most : text.n;
    while (end > to && end < text.n && is_inside_character(text.p[end])) end--;
    return str_slice(text, to, end);
}
