#include "relay/due.h"

#include <stdlib.h>

#include "base/err.h"

static bool before(const struct due *a, const struct due *b)
{
    return a->at != b->at ? a->at < b->at : a->recipient < b->recipient;
}

void due_push(struct due_heap *h, struct due d)
{
    if (h->n == h->cap) {
        h->cap = h->cap ? h->cap * 2 : 64;
        h->v = mem_grow(h->v, h->cap, sizeof *h->v);
    }
    size_t at = h->n++;
    for (; at && before(&d, &h->v[(at - 1) / 2]); at = (at - 1) / 2) h->v[at] = h->v[(at - 1) / 2];
    h->v[at] = d;
}

static struct due take_first(struct due_heap *h)
{
    struct due first = h->v[0], last = h->v[--h->n];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < h->n; at = child) {
        if (child + 1 < h->n && before(&h->v[child + 1], &h->v[child])) child++;
        if (!before(&h->v[child], &last)) break;
        h->v[at] = h->v[child];
    }
    if (h->n) h->v[at] = last;
    return first;
}

bool due_pop(struct due_heap *h, int64_t now, struct due *out)
{
    if (!h->n || h->v[0].at > now) return false;
    *out = take_first(h);
    while (h->n && h->v[0].at == out->at && h->v[0].recipient == out->recipient) {
        struct due same = take_first(h);
        if (same.since < out->since) out->since = same.since;
    }
    return true;
}

bool due_first(const struct due_heap *h, int64_t *at)
{
    if (h->n) *at = h->v[0].at;
    return h->n != 0;
}

/* Order by recipient may be upset among those that were equalled: they are sifted anew. */
void due_clamp(struct due_heap *h, int64_t most)
{
    size_t n = h->n;
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        if (h->v[i].at <= most) continue;
        h->v[i].at = most;
        any = true;
    }
    if (!any) return;
    h->n = 0;
    for (size_t i = 0; i < n; i++) due_push(h, h->v[i]);
}

void due_free(struct due_heap *h)
{
    free(h->v);
    *h = (struct due_heap){0};
}
