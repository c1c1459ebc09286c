/* base/map: byte-string keys to pointers, kept in the order of first insertion.
 *
 * Keys are not copied: they must outlive the map (an arena's usually do).  The hash is seeded per process, because keys
 * come from outside; iteration order does not depend on the seed. */
#ifndef SLUICE_BASE_MAP_H
#define SLUICE_BASE_MAP_H

#include "base/str.h"

struct map_entry {
    struct str key;
    void *value;
};

struct map {
    struct map_entry *entries; /* entries[0 .. n), in order of insertion */
    size_t n, cap;
    uint32_t *slots; /* index + 1 into entries, 0 = free; a power of two of them */
    size_t slot_count;
};

void map_free(struct map *m); /* a zeroed map is an empty map */
void *map_get(const struct map *m, struct str key); /* NULL when absent */
bool map_has(const struct map *m, struct str key);
/* Sets, and answers the value that stood there before (NULL: the key is new). */
void *map_put(struct map *m, struct str key, void *value);

/* The seeded hash itself (FNV-1a over a seed, then mixed), for other tables of outside keys. */
uint64_t map_hash(struct str key);
/* Gives the process its seed; before that the seed is a constant, which tests rely on. */
void map_seed(uint64_t seed);

#endif
