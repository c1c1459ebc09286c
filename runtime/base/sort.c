#include "base/sort.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

enum { RUN = 8 };

/* Everything a merge needs to know of the array. */
struct sorting {
    size_t size;
    sort_compare *compare;
    void *ctx;
};

/* Sorts n elements at `from` in place; `spare` holds one element. */
static void insertion(const struct sorting *s, char *from, size_t n, char *spare)
{
    for (size_t i = 1; i < n; i++) {
        size_t at = i;
        while (at > 0 && s->compare(from + (at - 1) * s->size, from + i * s->size, s->ctx) > 0) at--;
        if (at == i) continue;
        memcpy(spare, from + i * s->size, s->size);
        memmove(from + (at + 1) * s->size, from + at * s->size, (i - at) * s->size);
        memcpy(from + at * s->size, spare, s->size);
    }
}

/* Merges the sorted [0, mid) and [mid, n) of `in` into `out`; of equals the left one goes first. */
static void merge(const struct sorting *s, const char *in, size_t mid, size_t n, char *out)
{
    size_t left = 0, right = mid;
    for (size_t i = 0; i < n; i++) {
        bool take_left =
            right == n || (left < mid && s->compare(in + left * s->size, in + right * s->size, s->ctx) <= 0);
        memcpy(out + i * s->size, in + (take_left ? left++ : right++) * s->size, s->size);
    }
}

void sort_array(void *base, size_t n, size_t size, sort_compare *compare, void *ctx)
{
    if (n < 2) return;
    const struct sorting s = {size, compare, ctx};
    char *scratch = mem_array(n, size), *in = base, *out = scratch;
    for (size_t at = 0; at < n; at += RUN) insertion(&s, in + at * size, n - at < RUN ? n - at : RUN, scratch);
    for (size_t width = RUN; width < n; width *= 2) {
        for (size_t at = 0; at < n; at += 2 * width) {
            size_t left = n - at, span = left < 2 * width ? left : 2 * width;
            merge(&s, in + at * size, span < width ? span : width, span, out + at * size);
        }
        char *swap = in;
        in = out;
        out = swap;
    }
    if (in != base) memcpy(base, in, n * size);
    free(scratch);
}

size_t sort_lower_bound(const void *base, size_t n, size_t size, const void *key, sort_compare *compare, void *ctx)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (compare((const char *)base + mid * size, key, ctx) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}
