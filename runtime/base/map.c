#include "base/map.h"

#include <stdlib.h>

#include "base/err.h"

static uint64_t seed = 0xcbf29ce484222325u;

void map_seed(uint64_t s) { seed = s; }

uint64_t map_hash(struct str key)
{
    uint64_t h = seed;
    for (size_t i = 0; i < key.n; i++) h = (h ^ (unsigned char)key.p[i]) * 0x100000001b3u;
    h ^= h >> 32;
    h *= 0x9e3779b97f4a7c15u;
    return h ^ (h >> 29);
}

void map_free(struct map *m)
{
    free(m->entries);
    free(m->slots);
    *m = (struct map){0};
}

/* The slot that holds key, or the free one where it would go. */
static size_t slot_of(const struct map *m, struct str key)
{
    size_t mask = m->slot_count - 1, i = (size_t)map_hash(key) & mask;
    while (m->slots[i] && !str_eq(m->entries[m->slots[i] - 1].key, key)) i = (i + 1) & mask;
    return i;
}

bool map_has(const struct map *m, struct str key) { return m->slot_count && m->slots[slot_of(m, key)]; }

void *map_get(const struct map *m, struct str key)
{
    if (!m->slot_count) return NULL;
    uint32_t at = m->slots[slot_of(m, key)];
    return at ? m->entries[at - 1].value : NULL;
}

static void grow(struct map *m)
{
    INVARIANT(m->n < UINT32_MAX / 4);
    m->cap = m->cap ? m->cap * 2 : 8;
    m->entries = mem_grow(m->entries, m->cap, sizeof *m->entries);
    m->slot_count = m->cap * 2;
    free(m->slots);
    m->slots = mem_array(m->slot_count, sizeof *m->slots);
    for (size_t i = 0; i < m->n; i++) m->slots[slot_of(m, m->entries[i].key)] = (uint32_t)i + 1;
}

void *map_put(struct map *m, struct str key, void *value)
{
    if (m->n == m->cap) grow(m);
    size_t slot = slot_of(m, key);
    if (m->slots[slot]) {
        struct map_entry *e = &m->entries[m->slots[slot] - 1];
        void *before = e->value;
        e->value = value;
        return before;
    }
    m->entries[m->n] = (struct map_entry){key, value};
    m->slots[slot] = (uint32_t)++m->n;
    return NULL;
}
