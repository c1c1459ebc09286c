#include "vm/answer.h"

#include <string.h>

#include "base/err.h"

const char *const answer_names[ANSWER_UNAVAILABLE + 1] = {"no", "yes", "disputed", "unreadable", "unavailable"};

void answer_reserve(struct answer *x, struct arena *a, size_t members)
{
    size_t words = bits_words(members);
    if (x->words >= words && x->plane[0]) return;
    if (words < 4) words = 4; /* a new block per grown word would be the arena's only use */
    uint64_t *block = ARENA_ARRAY(a, uint64_t, ANSWER_PLANES * words);
    for (size_t i = 0; i < ANSWER_PLANES; i++) x->plane[i] = block + i * words;
    x->words = words;
    x->uniform = true;
    x->value = ANSWER_NO;
}

void answer_set_all(struct answer *x, enum answer_value v)
{
    x->uniform = true;
    x->value = v;
}

void answer_clear(struct answer *x)
{
    x->uniform = false;
    for (size_t i = 0; i < ANSWER_PLANES; i++) memset(x->plane[i], 0, x->words * sizeof(uint64_t));
}

void answer_set(struct answer *x, size_t member, enum answer_value v)
{
    if (v != ANSWER_NO) bit_set(x->plane[v - 1], member);
}

enum answer_value answer_get(const struct answer *x, size_t member)
{
    if (x->uniform) return x->value;
    for (size_t i = 0; i < ANSWER_PLANES; i++)
        if (bit_has(x->plane[i], member)) return (enum answer_value)(i + 1);
    return ANSWER_NO;
}

/* The planes of a uniform answer, as words of all ones or none. */
static uint64_t plane_word(const struct answer *x, size_t plane, size_t word)
{
    if (!x->uniform) return x->plane[plane][word];
    return x->value == plane + 1 ? ~(uint64_t)0 : 0;
}

static size_t common_words(const struct answer *x, const struct answer *y)
{
    if (y->uniform) return x->words;
    return x->words < y->words ? x->words : y->words;
}

enum {
    YES = ANSWER_YES - 1,
    DISPUTED = ANSWER_DISPUTED - 1,
    UNREADABLE = ANSWER_UNREADABLE - 1,
    UNAVAILABLE = ANSWER_UNAVAILABLE - 1
};

void answer_and(struct answer *x, const struct answer *y)
{
    if (x->uniform && y->uniform) {
        x->value = value_and(x->value, y->value);
        return;
    }
    size_t words = common_words(x, y);
    for (size_t w = 0; w < words; w++) {
        uint64_t xp[ANSWER_PLANES], yp[ANSWER_PLANES], some_x = 0, some_y = 0;
        for (size_t i = 0; i < ANSWER_PLANES; i++) {
            some_x |= xp[i] = plane_word(x, i, w);
            some_y |= yp[i] = plane_word(y, i, w);
        }
        uint64_t left = some_x & some_y; /* the others are `no` */
        for (size_t i = ANSWER_PLANES; i-- > DISPUTED;) {
            x->plane[i][w] = left & (xp[i] | yp[i]);
            left &= ~x->plane[i][w];
        }
        x->plane[YES][w] = left;
    }
    for (size_t i = 0; i < ANSWER_PLANES; i++)
        for (size_t w = words; w < x->words; w++) x->plane[i][w] = 0;
    x->uniform = false;
}

void answer_or(struct answer *x, const struct answer *y)
{
    if (x->uniform && y->uniform) {
        x->value = value_or(x->value, y->value);
        return;
    }
    size_t words = common_words(x, y);
    for (size_t w = 0; w < words; w++) {
        uint64_t xp[ANSWER_PLANES], yp[ANSWER_PLANES];
        for (size_t i = 0; i < ANSWER_PLANES; i++) {
            xp[i] = plane_word(x, i, w);
            yp[i] = plane_word(y, i, w);
        }
        x->plane[YES][w] = xp[YES] | yp[YES];
        uint64_t left = ~x->plane[YES][w];
        for (size_t i = ANSWER_PLANES; i-- > DISPUTED;) {
            x->plane[i][w] = left & (xp[i] | yp[i]);
            left &= ~x->plane[i][w];
        }
    }
    for (size_t i = 0; i < ANSWER_PLANES; i++)
        for (size_t w = words; w < x->words; w++) x->plane[i][w] = 0;
    x->uniform = false;
}

void answer_not(struct answer *x, size_t members)
{
    if (x->uniform) {
        x->value = value_not(x->value);
        return;
    }
    size_t words = bits_words(members);
    INVARIANT(words <= x->words);
    for (size_t w = 0; w < words; w++) {
        uint64_t undecided = x->plane[DISPUTED][w] | x->plane[UNREADABLE][w] | x->plane[UNAVAILABLE][w];
        x->plane[YES][w] = ~(x->plane[YES][w] | undecided);
    }
    if (members % 64) x->plane[YES][words - 1] &= ((uint64_t)1 << (members % 64)) - 1;
}

bool answer_is_all(const struct answer *x, enum answer_value v, const uint64_t *who, size_t members)
{
    if (x->uniform) return x->value == v;
    for (size_t w = 0; w < bits_words(members); w++) {
        uint64_t has = 0;
        if (v == ANSWER_NO) {
            for (size_t i = 0; i < ANSWER_PLANES; i++) has |= x->plane[i][w];
            has = ~has;
        } else {
            has = x->plane[v - 1][w];
        }
        if (who[w] & ~has) return false;
    }
    return true;
}

enum answer_value answer_any(const struct answer *x, size_t members)
{
    if (members == 0) return ANSWER_NO;
    if (x->uniform) return x->value;
    enum answer_value out = ANSWER_NO;
    for (size_t i = 0; i < members; i++) out = value_or(out, answer_get(x, i));
    return out;
}

enum answer_value answer_every(const struct answer *x, size_t members)
{
    if (members == 0) return ANSWER_YES;
    if (x->uniform) return x->value;
    enum answer_value out = ANSWER_YES;
    for (size_t i = 0; i < members; i++) out = value_and(out, answer_get(x, i));
    return out;
}
