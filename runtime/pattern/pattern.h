/* pattern/pattern: regular expressions under a budget; the only user of PCRE2.
 *
 * UTF and UCP, caseless unless PATTERN_C, newline LF.  What bounds what:
 *   - the whole match: the budget's deadline, looked at before the first call of PCRE2 and between calls.
 *   - one call: PCRE2's own limits do not bound it (`\s+$` on 200 KB of blanks: 152 s under a match limit of 1,000,000,
 *     which starts anew at every start offset).  So PCRE2 is given windows of start offsets, with a limit of steps at
 *     each start such that both together stay within about a million steps.  Windows grow while they go fast and shrink
 *     when they do not; at a start that needs more steps they shrink to it, and the limit is raised as long as the next
 *     try can be expected to end in time.
 *   - one start: the limit of steps (pattern_budget.steps at most), 8 MiB of heap when interpreted, 512 KiB of stack in
 *     machine code.
 *   - one step of an open pattern (a repeat, reference or recursion without a bound) may run over the whole text, which
 *     machine code does not count: its windows begin the smaller the longer the text is, have at most 4,096 starts in
 *     machine code (64 Ki interpreted), and there a few starts at a window's end are tried before the window, so that
 *     it does not enter a long run unprepared.  That is an estimate, not a proof: text made to evade those few starts
 *     can make one window longer.
 * A text that PCRE2 can answer in one window costs one look at the clock and one call.  Windows do not change what
 * a pattern means: lookbehinds, \b and ^ see the whole text, and what asks for the search's own beginning is refused.
 * Any answer of PCRE2 that is neither a match nor "no match" is PATTERN_UNREADABLE: never "no".
 *
 * A struct pattern is immutable once compiled and may be shared; a struct pattern_matcher holds the scratch (match
 * data, JIT stack) of one thread and outlives its calls. */
#ifndef SLUICE_PATTERN_PATTERN_H
#define SLUICE_PATTERN_PATTERN_H

#include "base/str.h"

/* Flags as written behind the slashes; the values are those of the grammar's REGEX_FLAG_… . */
enum {
    PATTERN_S = 1, /* . also matches LF */
    PATTERN_M = 2, /* ^ and $ at every line */
    PATTERN_X = 4, /* blanks and # comments in the pattern are ignored */
    PATTERN_C = 8, /* case matters */
    PATTERN_FLAGS = 15
};

struct pattern;
struct pattern_fault {
    char text[256]; /* one sentence, PCRE2's or ours */
    size_t offset;  /* byte inside the pattern where it was noticed */
};

/* NULL with *f for what is no pattern here: not UTF-8, over LIMIT_PATTERN_SOURCE or LIMIT_PATTERN_COMPILED, nested
 * deeper than LIMIT_PATTERN_NESTING, a setting at its start ((*UTF), (*LIMIT_MATCH=…)), a callout, \C, \G,
 * (*COMMIT), (*SKIP). */
struct pattern *pattern_compile(struct str source, unsigned flags, struct pattern_fault *f);
void pattern_free(struct pattern **p);
/* Compiles to machine code, while the process still may.  False: it stays interpreted, which means the same. */
bool pattern_jit(struct pattern *p);
/* True when it can match the empty string (`x*`): such a test nearly always holds, which the linter tells. */
bool pattern_matches_empty(const struct pattern *p);

struct pattern_matcher;
struct pattern_matcher *pattern_matcher_create(void);
void pattern_matcher_free(struct pattern_matcher **m);

/* What is searched.  `checked` is set once the bytes are known to be UTF-8, so that many patterns pay once. */
struct pattern_subject {
    struct str text;
    bool checked;
};

/* How long.  `clock` answers microseconds of any steady clock; NULL: no deadline, only steps
 * at each start, which over a large text is no bound of time. */
struct pattern_budget {
    uint64_t (*clock)(void *self);
    void *self;
    uint64_t deadline; /* in the clock's microseconds */
    uint32_t steps;    /* of PCRE2 at any one start offset before the answer is PATTERN_UNREADABLE; 0: PATTERN_STEPS */
};
enum { PATTERN_STEPS = 1000000 }; /* `.*` over 800 KB and back; time stops most others long before */

enum pattern_answer { PATTERN_NO, PATTERN_YES, PATTERN_UNREADABLE };
struct pattern_span {
    size_t from, to;
};

/* The first match that begins at or after `from` (a character boundary).  `where` may be NULL. */
enum pattern_answer pattern_match(const struct pattern *p, struct pattern_matcher *m, struct pattern_subject *subject,
                                  size_t from, const struct pattern_budget *budget, struct pattern_span *where);
/* PCRE2's number behind the last PATTERN_UNREADABLE, for explanations; 0 when the budget was used up. */
int pattern_matcher_error(const struct pattern_matcher *m);

#endif
