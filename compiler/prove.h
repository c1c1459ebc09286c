/* compiler/prove: what can be shown of conditions without a message: that some of them exclude one another.
 *
 * "Never" and "always" are proved, never guessed (LANGUAGE section 6).  A claim says that a condition holds, or that it
 * does not; a set of claims is excluded when no message and no recipient fulfils all of them at once.  `never x` is the
 * claim x excluded, `always x` the claim not x, `a implies b` both a and not b.  The method: every claim is taken apart
 * down to single tests (not pushed inward, a branch for each alternative), and each branch must hold two tests, or one,
 * that cannot be.  Work is capped; what would take longer is not proved, and nothing is told.
 *
 * What is proved speaks of one reading of the message.  Kleene's logic is kept: where the claims are excluded the
 * machine never answers yes to their conjunction, but it may answer undecided when a test is disputed or unreadable;
 * `decided` says that it cannot.
 *
 * Knows nothing of diagnostics.  What it answers lives in the compilation's scratch arena. */
#ifndef SLUICE_COMPILER_PROVE_H
#define SLUICE_COMPILER_PROVE_H

#include "compiler/internal.h"

struct claim {
    const struct ir *ir;
    bool holds;
};

struct proof {
    bool decided;                    /* every test of the claims is always yes or no */
    const struct ir *first, *second; /* the tests that exclude each other, when there is one reason only; second may be
                                        NULL: the first alone cannot be */
};

bool prove_excluded(struct compiler *c, const struct claim *claims, size_t n, struct proof *out);
bool prove_is_decided(struct compiler *c, const struct ir *x);

/* --- element.c: one value ----------------------------------------------------------------------------------------- */

/* A test asked of one value without its negation and quantifier, and whether that holds. */
struct asked {
    const struct test *test;
    bool holds;
    const struct ir *from;
};

/* Whether no value (and, if it may be absent, no absence either) answers as claimed.  All tests are of one field;
 * *culprits are then two of `from`, the second NULL when one suffices. */
bool element_is_impossible(struct compiler *c, const struct asked *v, size_t n, bool may_be_absent,
                           const struct ir *culprits[2]);

struct known_field {
    bool one, decided, present, authored;
    int64_t least; /* INT64_MIN: no bound */
};
/* Never NULL; of a field the table does not know, nothing is known. */
const struct known_field *element_known(uint32_t field);

#endif
