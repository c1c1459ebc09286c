/* vm/answer: what a condition says of each member of a domain (recipients, or elements): LANGUAGE section 2.
 *
 * Five values: no, yes, and undecided with one of three reasons.  An answer is one value for everybody (the usual case:
 * a fact of the message) or four bit planes, one bit a member; a member in no plane is `no`.  Owns the laws and the
 * bits; knows neither fields nor rules.  Planes live in the arena given to answer_reserve and are reused. */
#ifndef SLUICE_VM_ANSWER_H
#define SLUICE_VM_ANSWER_H

#include "base/arena.h"

/* In order of gravity: and, or take the greater of two undecided. */
enum answer_value { ANSWER_NO, ANSWER_YES, ANSWER_DISPUTED, ANSWER_UNREADABLE, ANSWER_UNAVAILABLE };
enum { ANSWER_PLANES = 4 };
extern const char *const answer_names[ANSWER_UNAVAILABLE + 1]; /* "no", "yes", "disputed", … */

static inline enum answer_value value_and(enum answer_value a, enum answer_value b)
{
    if (a == ANSWER_NO || b == ANSWER_NO) return ANSWER_NO;
    return a > b ? a : b;
}
static inline enum answer_value value_or(enum answer_value a, enum answer_value b)
{
    if (a == ANSWER_YES || b == ANSWER_YES) return ANSWER_YES;
    return a > b ? a : b;
}
static inline enum answer_value value_not(enum answer_value a)
{
    return a == ANSWER_NO ? ANSWER_YES : a == ANSWER_YES ? ANSWER_NO : a;
}

/* The views of one value: yes if every one says yes, no if none does, otherwise disputed, or undecided as the gravest
 * of those that could not say (LANGUAGE section 3). */
struct answer_tally {
    uint32_t views, yes;
    bool some; /* one of them is itself disputed: it matched for somebody */
    enum answer_value undecided;
};
static inline void tally_add(struct answer_tally *t, enum answer_value view)
{
    t->views++;
    if (view == ANSWER_YES)
        t->yes++;
    else if (view == ANSWER_DISPUTED)
        t->some = true;
    else
        t->undecided = value_or(t->undecided, view);
}
static inline enum answer_value tally_answer(const struct answer_tally *t)
{
    if (t->views && t->yes == t->views) return ANSWER_YES;
    return t->yes || t->some ? ANSWER_DISPUTED : t->undecided;
}

struct answer {
    bool uniform;
    enum answer_value value;        /* of everybody, when uniform */
    size_t words;                   /* room in each plane */
    uint64_t *plane[ANSWER_PLANES]; /* plane[v - 1]: the members whose value is v; meaningful when not uniform */
};

static inline size_t bits_words(size_t members) { return (members + 63) / 64; }
static inline bool bit_has(const uint64_t *bits, size_t i) { return bits[i / 64] >> (i % 64) & 1; }
static inline void bit_set(uint64_t *bits, size_t i) { bits[i / 64] |= (uint64_t)1 << (i % 64); }
static inline void bit_clear(uint64_t *bits, size_t i) { bits[i / 64] &= ~((uint64_t)1 << (i % 64)); }

void answer_reserve(struct answer *x, struct arena *a, size_t members); /* room for that many; contents are undefined */
void answer_set_all(struct answer *x, enum answer_value v);
void answer_clear(struct answer *x); /* not uniform, everybody `no`: fill with answer_set */
void answer_set(struct answer *x, size_t member,
                enum answer_value v); /* after answer_clear; each member at most once */
enum answer_value answer_get(const struct answer *x, size_t member);
/* x = x op y, over words whose members both know. */
void answer_and(struct answer *x, const struct answer *y);
void answer_or(struct answer *x, const struct answer *y);
void answer_not(struct answer *x, size_t members);
/* True when every member in `who` (members bits) has the value. */
bool answer_is_all(const struct answer *x, enum answer_value v, const uint64_t *who, size_t members);
/* The disjunction and the conjunction over the first `members`: over none, `no` and `yes`. */
enum answer_value answer_any(const struct answer *x, size_t members);
enum answer_value answer_every(const struct answer *x, size_t members);

#endif
