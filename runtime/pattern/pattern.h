/* pattern/pattern: regular expressions under a budget; the only user of PCRE2.
 *
 * UTF and UCP, caseless unless PATTERN_C, newline LF.  PCRE2's own limits do not bound time (`\s+$` on 200 KB of
 * blanks: 152 s under a match limit of 1,000,000, which starts anew at every start offset).  So patterns are compiled
 * with PCRE2_AUTO_CALLOUT: before every item that PCRE2 tries, at every start and every way back, ours is called,
 * counts and looks at the clock.  That bounds a match to its deadline within a millisecond or two, in machine code and
 * interpreted alike, without cutting the subject into windows of start offsets (which repeat PCRE2's search for a first
 * character per window, and of which one alone may be long).  Any answer of PCRE2 that is neither a match nor "no
 * match" is PATTERN_UNREADABLE: never "no".
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
 * deeper than LIMIT_PATTERN_NESTING, a setting at its start ((*UTF), (*LIMIT_MATCH=…)), a callout, \C, \G. */
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

/* How long.  `clock` answers microseconds of any steady clock; NULL: no deadline, only steps. */
struct pattern_budget {
    uint64_t (*clock)(void *self);
    void *self;
    uint64_t deadline; /* in the clock's microseconds */
    uint32_t steps;    /* items tried, in all, before the answer is PATTERN_UNREADABLE; 0: PATTERN_STEPS */
};
enum { PATTERN_STEPS = 20000000 }; /* 0.1 to 0.6 s: for whoever has no clock */

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
