/* base/sort: a stable merge sort, O(n log n) at worst.
 *
 * libc's qsort asks the kernel for the size of memory above 1 KB (it opens /proc), which a judge's filter refuses;
 * and it is not stable.  This one takes its scratch from the heap and nothing else. */
#ifndef SLUICE_BASE_SORT_H
#define SLUICE_BASE_SORT_H

#include <stddef.h>

/* Negative, zero, positive, as memcmp. */
typedef int sort_compare(const void *a, const void *b, void *ctx);

void sort_array(void *base, size_t n, size_t size, sort_compare *compare, void *ctx);

/* The first of n sorted elements that is not before `key`; n when all are.  compare(element, key, ctx). */
size_t sort_lower_bound(const void *base, size_t n, size_t size, const void *key, sort_compare *compare, void *ctx);

#endif
