/* support/hostile: a verdict as a judge that was taken over might answer it: one member after another made wrong. */
#ifndef SLUICE_TESTS_SUPPORT_HOSTILE_H
#define SLUICE_TESTS_SUPPORT_HOSTILE_H

#include "judge/protocol.h"

/* Changes one to three members of the verdict, chosen by *seed, which moves on.  What is new lives in the arena. */
void hostile_mutate(struct verdict *v, struct str content, uint64_t *seed, struct arena *a);
uint32_t hostile_random(uint64_t *seed, uint32_t below);

#endif
