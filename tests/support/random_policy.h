/* support/random_policy: rule sets and messages made at random, to hold two ways of judging against each other.
 *
 * Words are few, so that rules and messages meet; they are written with combining marks, invisible characters,
 * full-width letters, ligatures (code points of Unicode 14: libraries differ above), in charsets that cannot be read,
 * in fields that stand there twice.  The same dice give the same text. */
#ifndef SLUICE_TESTS_SUPPORT_RANDOM_POLICY_H
#define SLUICE_TESTS_SUPPORT_RANDOM_POLICY_H

#include "base/arena.h"
#include "base/vec.h"
#include "mail/envelope.h"
#include "tests/support/dice.h"

/* Up to `most` words, disguised. */
void random_text(struct dice *d, size_t most, struct buf *out);
/* Regular expressions that the words meet, with everything a reader of sources may trip over. */
extern const char *const random_patterns[];
extern const size_t random_pattern_count;
/* The source of a rule set that (nearly always) compiles. */
void random_rules(struct dice *d, struct buf *out);
/* A whole message, line ends CR LF. */
void random_message(struct dice *d, struct buf *out);
/* Who sends it and who gets it; in `a`. */
void random_envelope(struct dice *d, struct arena *a, struct envelope *out);

#endif
