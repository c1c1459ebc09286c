/* Paths, mailboxes and address lists from any bytes.  What holds: a parsed path lies inside what was read; the
 * canonical form of a mailbox is a fixed point; a list's addresses are bounded by its text. */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mail/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(struct str s)
{
    struct address a;
    size_t n = address_parse_path(s, ADDRESS_UTF8 | ADDRESS_NULL | ADDRESS_POSTMASTER, &a);
    INVARIANT(n <= s.n && (n == 0 || s.p[n - 1] == '>'));
    if (n == 0 || a.whole.n == 0) return;
    INVARIANT(a.whole.p > s.p && a.whole.p + a.whole.n < s.p + n);
    for (size_t i = 0; i < a.whole.n; i++) INVARIANT((unsigned char)a.whole.p[i] >= 0x20 && a.whole.p[i] != 0x7f);
}

static void check_canonical(struct str s)
{
    struct buf once = {0}, twice = {0};
    if (address_canonical(s, &once)) {
        struct address a;
        /* Folding may lengthen a local part beyond the limit; within it the form must be a mailbox and stay. */
        if (address_parse(buf_str(&once), ADDRESS_UTF8, &a)) {
            INVARIANT(address_canonical(buf_str(&once), &twice));
            INVARIANT(str_eq(buf_str(&once), buf_str(&twice)));
        }
    } else {
        INVARIANT(once.n == 0);
    }
    buf_free(&once);
    buf_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str s = {(const char *)data, size};
    check_path(s);
    check_canonical(s);
    struct arena *a = arena_create();
    struct header_mailboxes m = address_list_parse(a, s);
    size_t sum = 0;
    for (size_t i = 0; i < m.n; i++) {
        sum += m.v[i].address.n;
        INVARIANT(m.v[i].local.n + m.v[i].domain.n <= m.v[i].address.n);
        INVARIANT(address_phrase_text(a, m.v[i].phrase).n <= m.v[i].phrase.n);
    }
    INVARIANT(sum <= s.n);
    arena_free(&a);
    return 0;
}
