#include "mail/idn.h"

#include <string.h>

#include <idn2.h>

#include "base/limits.h"
#include "mail/fold.h"

enum { NAME_MAX_BYTES = 4 * LIMIT_DOMAIN }; /* no longer name of UTF-8 has an A-label form of 255 octets */

static void lower_add(struct str s, struct buf *out)
{
    buf_reserve(out, s.n);
    for (size_t i = 0; i < s.n; i++) out->p[out->n++] = ascii_lower(s.p[i]);
}

bool idn_to_ascii(struct str domain, struct buf *out)
{
    if (str_is_ascii(domain)) {
        lower_add(domain, out);
        return true;
    }
    if (domain.n > NAME_MAX_BYTES || !str_is_utf8(domain) || str_find_byte(domain, '\0') != STR_NPOS) return false;
    struct buf lower = {0};
    uint8_t *ascii = NULL;
    fold_lower_nfc(domain, &lower);
    buf_add_byte(&lower, '\0');
    int rc = idn2_lookup_u8((const uint8_t *)lower.p, &ascii, IDN2_NO_TR46 | IDN2_NFC_INPUT);
    if (rc == IDN2_OK) lower_add(str_of((const char *)ascii), out);
    idn2_free(ascii);
    buf_free(&lower);
    return rc == IDN2_OK;
}

static void label_to_unicode(struct str label, struct buf *out)
{
    char z[LIMIT_LABEL + 1], *unicode = NULL;
    if (label.n > LIMIT_LABEL || !str_starts_nocase(label, STR("xn--")) || memchr(label.p, '\0', label.n)) {
        fold_lower_nfc(label, out);
        return;
    }
    for (size_t i = 0; i < label.n; i++) z[i] = ascii_lower(label.p[i]);
    z[label.n] = '\0';
    int rc = idn2_to_unicode_8z8z(z, &unicode, 0);
    buf_add(out, rc == IDN2_OK ? str_of(unicode) : (struct str){z, label.n});
    idn2_free(unicode);
}

void idn_to_unicode(struct str domain, struct buf *out)
{
    struct str label, rest = domain;
    bool more;
    if (str_is_ascii(domain) && str_find_pair(domain, '-', '-') == STR_NPOS) { /* no A-label in it, as nearly always */
        lower_add(domain, out);
        return;
    }
    do {
        more = str_cut(rest, '.', &label, &rest);
        label_to_unicode(label, out);
        if (more) buf_add_byte(out, '.');
    } while (more);
}
