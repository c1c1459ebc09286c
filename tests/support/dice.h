/* support/dice: seeded randomness. */
#ifndef SLUICE_TESTS_SUPPORT_DICE_H
#define SLUICE_TESTS_SUPPORT_DICE_H

#include <stdint.h>

/* splitmix64: the same numbers from the same seed on every machine. */
struct dice {
    uint64_t state;
};

static inline uint64_t dice_roll(struct dice *d, uint64_t sides)
{
    uint64_t z = d->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % sides;
}

#endif
