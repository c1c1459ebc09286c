/* relay/due: the times of the next attempts: a heap of small entries, one and more for each queued recipient.
 *
 * An entry says when the store should be asked about a recipient, never what holds: a stale one costs a look and goes.
 * So whatever changes a row needs only to add an entry where that is due earlier.  Equal ones meet at the top and
 * become one. Pure; owns its memory.  A million of them take 24 MB. */
#ifndef SLUICE_RELAY_DUE_H
#define SLUICE_RELAY_DUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct due {
    int64_t at;        /* UTC seconds */
    int64_t recipient; /* the store's id */
    int64_t since;     /* monotonic seconds: from when on the waiting is not yet counted in the row */
};

struct due_heap {
    struct due *v;
    size_t n, cap;
};

void due_push(struct due_heap *h, struct due d);
/* Takes the first one whose time has come, with all that are equal in time and recipient. */
bool due_pop(struct due_heap *h, int64_t now, struct due *out);
bool due_first(const struct due_heap *h, int64_t *at); /* false: empty */
/* No entry later than `most`: a ceiling for all leaves the heap a heap. */
void due_clamp(struct due_heap *h, int64_t most);
void due_free(struct due_heap *h);

#endif
