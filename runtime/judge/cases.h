/* judge/cases: the tests in rule files, run (LANGUAGE section 8).
 *
 * A test builds a judgement as a message does: facts of the envelope make an envelope, facts of the header a header (of
 * the message given, or of an empty one), so that later rules see what earlier ones change; every other fact stands in
 * place of its field's getter.  What is not given is absent; live lists are empty; only the rules of the test's own
 * file and of what that imports take part.  The clock is the one given; a test that does not give it fails where a
 * rule's answer hangs on it.  Patterns are bounded by steps alone: a test says the same on every machine at any time.
 *
 * An outcome is what rules decide for a recipient: the joined demand for TLS, and each action carried out; of actions
 * where the last wins, the last; the same twice counts once, but for add_header.  `stop`, `mark` and `log` do nothing
 * to the mail and count only when they are expected. */
#ifndef SLUICE_JUDGE_CASES_H
#define SLUICE_JUDGE_CASES_H

#include "judge/judge.h"

struct case_recipient {
    struct str address;
    struct str expected, actual; /* actions as they are written, or "nothing"; actual may say that it is no recipient */
    bool good;
};
/* What a rule's condition was, for anybody: bits. */
enum { CASE_YES = 1, CASE_NO = 2, CASE_UNDECIDED = 4 };

struct case_result {
    bool passed;
    struct str why; /* not empty: it could not be judged */
    struct case_recipient *recipients;
    size_t recipient_count;
    uint8_t *rules; /* by rule of the program: 0 when it took no part or was not reached */
};

/* Runs one test of the judge's program; everything in *out lives in `a`. */
void case_run(struct judge *j, uint32_t index, struct arena *a, struct case_result *out);
/* What went wrong, expected beside actual for each recipient, each line after `prefix`. */
void case_print(const struct program *p, uint32_t index, const struct case_result *r, const char *prefix,
                struct buf *out);
/* Runs them all; false after printing each one that fails, with its place. */
bool cases_hold(struct judge *j, struct buf *out);

#endif
