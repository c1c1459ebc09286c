#include "mail/address.h"

#include "base/ip.h"
#include "base/limits.h"
#include "mail/domain.h"
#include "mail/fold.h"

/* --- envelope, strictly ----------------------------------------------------------------------------------------- */

static bool is_beyond_ascii(char c) { return (unsigned char)c >= 0x80; }

/* RFC 5322 section 3.2.3, and RFC 6531 section 3.3. */
static bool is_atext(char c, bool utf8)
{
    static const struct str others = {"!#$%&'*+-/=?^_`{|}~", 19};
    if (is_beyond_ascii(c)) return utf8;
    return ascii_is_alpha(c) || ascii_is_digit(c) || str_find_byte(others, c) != STR_NPOS;
}

/* Bytes of a Dot-string at the start of s; 0 when there is none. */
static size_t dot_string_length(struct str s, bool utf8)
{
    size_t i = 0;
    for (bool atom = false; i < s.n; i++) {
        if (is_atext(s.p[i], utf8))
            atom = true;
        else if (s.p[i] == '.' && atom)
            atom = false;
        else
            break;
    }
    return i && s.p[i - 1] == '.' ? 0 : i;
}

/* Bytes of a Quoted-string (RFC 5321 section 4.1.2: no controls, no line ends); 0 when there is none. */
static size_t quoted_string_length(struct str s, bool utf8)
{
    if (s.n == 0 || s.p[0] != '"') return 0;
    for (size_t i = 1; i < s.n; i++) {
        if (s.p[i] == '"') return i + 1;
        if (s.p[i] == '\\') {
            if (++i == s.n || !ascii_is_print(s.p[i])) return 0;
        } else if (is_beyond_ascii(s.p[i]) ? !utf8 : !ascii_is_print(s.p[i])) {
            return 0;
        }
    }
    return 0;
}

/* UTF-8 without C1 controls: nothing that a terminal or a log would act on. */
static bool is_clean_utf8(struct str s)
{
    if (!str_is_utf8(s)) return false;
    for (size_t i = 0; i + 1 < s.n; i++)
        if ((unsigned char)s.p[i] == 0xc2 && (unsigned char)s.p[i + 1] < 0xa0) return false;
    return true;
}

bool address_literal(struct str s, uint8_t ip[IP_SIZE])
{
    if (s.n < 3 || s.p[0] != '[' || s.p[s.n - 1] != ']') return false;
    struct str inside = str_slice(s, 1, s.n - 1);
    bool six = str_starts_nocase(inside, STR("IPv6:"));
    if (six) inside = str_from(inside, 5);
    return six == (str_find_byte(inside, ':') != STR_NPOS) && ip_parse(inside, ip);
}

bool address_parse(struct str s, unsigned flags, struct address *out)
{
    bool utf8 = flags & ADDRESS_UTF8;
    struct address a = {.whole = s, .quoted = s.n && s.p[0] == '"'};
    uint8_t ip[IP_SIZE];
    if (s.n > LIMIT_PATH - 2) return false;
    size_t n = a.quoted ? quoted_string_length(s, utf8) : dot_string_length(s, utf8);
    if (n == 0 || n > LIMIT_LOCAL_PART || n == s.n || s.p[n] != '@') return false;
    a.local = str_slice(s, 0, n);
    a.domain = str_from(s, n + 1);
    a.literal = a.domain.n && a.domain.p[0] == '[';
    if (!is_clean_utf8(s)) return false;
    if (a.literal ? !address_literal(a.domain, ip) : !domain_is_valid(a.domain, utf8)) return false;
    *out = a;
    return true;
}

/* Bytes of a source route "@a,@[192.0.2.1]:" at the start of s; 0 when there is none (or it is not one). */
static size_t source_route_length(struct str s, bool utf8)
{
    uint8_t ip[IP_SIZE];
    for (size_t at = 0; at < s.n && s.p[at] == '@';) {
        size_t from = ++at;
        bool literal = at < s.n && s.p[at] == '[';
        while (at < s.n && (literal ? s.p[at] != ']' : s.p[at] != ',' && s.p[at] != ':')) at++;
        at += literal && at < s.n;
        struct str domain = str_slice(s, from, at);
        if (at == s.n || !(literal ? address_literal(domain, ip) : domain_is_valid(domain, utf8))) return 0;
        if (s.p[at++] == ':') return at;
        if (s.p[at - 1] != ',') return 0;
    }
    return 0;
}

size_t address_parse_path(struct str s, unsigned flags, struct address *out)
{
    struct str rest = str_from(s, 1);
    if (s.n < 2 || s.p[0] != '<') return 0;
    if (rest.p[0] == '>') {
        *out = (struct address){.whole = str_slice(rest, 0, 0)};
        return flags & ADDRESS_NULL ? 2 : 0;
    }
    size_t route = 0;
    if (rest.p[0] == '@') {
        route = source_route_length(str_slice(rest, 0, LIMIT_COMMAND_LINE), flags & ADDRESS_UTF8);
        if (route == 0) return 0;
    }
    struct str mailbox = str_from(rest, route);
    size_t quoted = quoted_string_length(str_slice(mailbox, 0, LIMIT_PATH), flags & ADDRESS_UTF8);
    size_t close = str_find_byte(str_from(mailbox, quoted), '>');
    if (close == STR_NPOS) return 0;
    mailbox = str_slice(mailbox, 0, quoted + close);
    if ((flags & ADDRESS_POSTMASTER) && route == 0 && str_eq_nocase(mailbox, STR("postmaster")))
        *out = (struct address){.whole = mailbox, .local = mailbox};
    else if (!address_parse(mailbox, flags, out))
        return 0;
    return 1 + route + mailbox.n + 1;
}

/* --- comparison ------------------------------------------------------------------------------------------------- */

/* A local part without its quotes and backslashes, folded, and quoted again only where it must be. */
static void local_canonical(const struct address *a, struct buf *out)
{
    struct buf plain = {0}, folded = {0};
    struct str s = a->quoted ? str_slice(a->local, 1, a->local.n - 1) : a->local;
    for (size_t i = 0; i < s.n; i++) {
        if (a->quoted && s.p[i] == '\\') i++;
        buf_add_byte(&plain, s.p[i]);
    }
    fold_case_nfc(buf_str(&plain), &folded);
    if (folded.n && dot_string_length(buf_str(&folded), true) == folded.n) {
        buf_add(out, buf_str(&folded));
    } else {
        buf_add_byte(out, '"');
        for (size_t i = 0; i < folded.n; i++) {
            if (folded.p[i] == '"' || folded.p[i] == '\\') buf_add_byte(out, '\\');
            buf_add_byte(out, folded.p[i]);
        }
        buf_add_byte(out, '"');
    }
    buf_free(&plain);
    buf_free(&folded);
}

bool address_canonical(struct str mailbox, struct buf *out)
{
    struct address a;
    if (!address_parse(mailbox, ADDRESS_UTF8, &a)) return false;
    size_t before = out->n;
    local_canonical(&a, out);
    buf_add_byte(out, '@');
    if (!a.literal) {
        if (domain_canonical(a.domain, out)) return true;
        out->n = before;
        return false;
    }
    uint8_t ip[IP_SIZE];
    char text[IP_TEXT_MAX];
    INVARIANT(address_literal(a.domain, ip));
    size_t n = ip_print(ip, text);
    buf_add(out, ip_is_v4(ip) ? STR("[") : STR("[IPv6:"));
    buf_add(out, (struct str){text, n});
    buf_add_byte(out, ']');
    return true;
}

bool address_canonical_pattern(struct str written, struct buf *out)
{
    if (!str_starts(written, STR("@"))) return address_canonical(written, out);
    size_t before = out->n;
    buf_add_byte(out, '@');
    if (domain_canonical(str_from(written, 1), out)) return true;
    out->n = before;
    return false;
}

bool address_matches(struct str pattern, struct str address)
{
    if (!str_starts(pattern, STR("@"))) return str_eq(pattern, address);
    return domain_matches(str_from(pattern, 1), address_domain(address));
}

/* No domain holds an "@", so the last one parts the two even behind a quoted local part. */
struct str address_domain(struct str mailbox)
{
    size_t at = str_rfind_byte(mailbox, '@');
    return at == STR_NPOS ? STR("") : str_from(mailbox, at + 1);
}

struct str address_local(struct str mailbox)
{
    size_t at = str_rfind_byte(mailbox, '@');
    return at == STR_NPOS ? mailbox : str_slice(mailbox, 0, at);
}
