/* Folding of any bytes: the result is UTF-8, a fixed point where no run of marks was cut, and every part of it leads
 * back into the source. */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mail/fold.h"
#include "mail/like.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fold_in_manner(struct str s, unsigned manner)
{
    struct buf once = {0}, twice = {0};
    struct fold_map map = {0};
    fold_text(s, manner, &once, &map);
    INVARIANT(str_is_utf8(buf_str(&once)));
    if (s.n <= 32) { /* longer runs of marks may be cut elsewhere once folded */
        fold_text(buf_str(&once), manner, &twice, NULL);
        INVARIANT(str_eq(buf_str(&once), buf_str(&twice)));
    }
    size_t last = 0;
    for (size_t i = 0; i < once.n; i++) {
        size_t from, to;
        fold_map_range(&map, i, i + 1, &from, &to);
        INVARIANT(from >= last && from <= to && to <= s.n);
        last = from;
        fold_is_word_boundary(buf_str(&once), i);
    }
    like_match(str_slice(s, 0, s.n / 2), buf_str(&once));
    fold_map_free(&map);
    buf_free(&once);
    buf_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str s = {(const char *)data, size};
    fold_in_manner(s, 0);
    fold_in_manner(s, FOLD_ALIKE);
    return 0;
}
