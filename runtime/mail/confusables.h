/* mail/confusables: what characters look like (Unicode's UTS #39), for mail/fold.
 *
 * Owns the table that tools/confusables.c makes when Sluice is built; that file says how it follows from Unicode's.  It
 * is about characters in NFKD, and gives NFKD with folded case; what it gives, it leaves alone. */
#ifndef SLUICE_MAIL_CONFUSABLES_H
#define SLUICE_MAIL_CONFUSABLES_H

#include <stddef.h>
#include <stdint.h>

enum { CONFUSABLE_MAX = 8, CONFUSABLE_ASCII_MAX = 3 };

struct confusable {
    uint32_t from;
    uint32_t n; /* code points */
    int32_t to[CONFUSABLE_MAX];
};
/* What the character looks like; NULL: like nothing but itself, its case folded. */
const struct confusable *confusable_find(uint32_t c);

/* The same of ASCII, as text.  n 0: like itself. */
struct confusable_ascii {
    uint8_t n;
    char to[CONFUSABLE_ASCII_MAX];
};
extern const struct confusable_ascii confusables_ascii[128];

#endif
