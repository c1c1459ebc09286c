/* pattern/literals: which of many literal texts stand in a text, found in one pass; the only user of Hyperscan.
 *
 * Only literals, and never regular expressions (with UTF and UCP ten thousand of those took Hyperscan 40 to 87 s and
 * 691 MB; without, \w is ASCII and matches are missed).  Databases hold at most LITERALS_DATABASE_MAX each, for the
 * time one takes to build grows faster than its size.  A text is found when its bytes are there: folding is the
 * caller's.
 *
 * A struct literals is immutable and may be shared; a struct literals_scratch belongs to one thread.  Where Hyperscan
 * is not built in, or the processor lacks what it needs (SSSE3), literals_available answers false and nothing else may
 * be called. */
#ifndef SLUICE_PATTERN_LITERALS_H
#define SLUICE_PATTERN_LITERALS_H

#include "base/err.h"
#include "base/str.h"

enum { LITERALS_DATABASE_MAX = 4096 };

bool literals_available(void);

struct literals_scratch;
struct literals_scratch *literals_scratch_create(void);
void literals_scratch_free(struct literals_scratch **s); /* NULL-safe */

struct literal {
    struct str text; /* not empty */
    bool every;      /* told of each place where it stands, else of one */
};
/* n of them, no two texts equal; they are copied.  Makes the scratch fit.  NULL with *e (EX_SOFTWARE). */
struct literals *literals_create(const struct literal *v, size_t n, struct literals_scratch *s, struct err *e);
void literals_free(struct literals **l); /* NULL-safe */

/* Calls found(self, index, end) for the literals that stand in the UTF-8 text `in`; the place ends before byte `end`.
 * False when the scan failed, or found answered false: any of them may then be there. */
typedef bool literals_found(void *self, uint32_t index, size_t end);
bool literals_scan(const struct literals *l, struct literals_scratch *s, struct str in, literals_found *found,
                   void *self);

#endif
