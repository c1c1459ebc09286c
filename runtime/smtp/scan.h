/* smtp/scan: the one inner loop of both engines: where in a run of content is the next byte that means something?
 *
 * In SMTP content those are CR, LF and NUL only; everything between passes through untouched. */
#ifndef SLUICE_SMTP_SCAN_H
#define SLUICE_SMTP_SCAN_H

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/str.h"

/* Offset of the first CR, LF or NUL in p[0 .. n); n when there is none. */
static inline size_t smtp_scan(const char *p, size_t n)
{
    size_t i = 0;
#ifdef __SSE2__
    const __m128i cr = _mm_set1_epi8('\r'), lf = _mm_set1_epi8('\n'), nul = _mm_setzero_si128();
    for (; n - i >= 16; i += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        __m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, cr), _mm_cmpeq_epi8(v, lf)), _mm_cmpeq_epi8(v, nul));
        unsigned mask = (unsigned)_mm_movemask_epi8(hit);
        if (mask) return i + (size_t)__builtin_ctz(mask);
    }
#endif
    while (i < n && p[i] != '\r' && p[i] != '\n' && p[i] != '\0') i++;
    return i;
}

#endif
