/* Evidence as it is stored and travels between queues: any bytes are sound evidence that is written the same again, or
 * none at all; and cut anywhere, what is sound is none. */
#include "base/err.h"
#include "mail/evidence.h"

static bool is_none(const struct evidence *e)
{
    return !e->rows && !e->row_count && !e->lists && !e->list_count && !e->cut;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena *arena;
    if (!arena) arena = arena_create();
    arena_reset(arena);
    struct str blob = arena_str(arena, (struct str){(const char *)data, size});
    struct evidence e, part;
    struct buf again = {0};
    if (!evidence_decode(arena, blob, &e)) {
        INVARIANT(is_none(&e));
        return 0;
    }
    INVARIANT(evidence_is_sound(&e));
    INVARIANT(blob.n || is_none(&e));
    evidence_encode(&e, &again);
    /* Evidence of nothing is stored as nothing. */
    INVARIANT(e.row_count || e.list_count ? str_eq(buf_str(&again), blob) : again.n == 0);
    for (size_t n = 1; n < blob.n && blob.n <= 4096; n += 1 + blob.n / 64)
        INVARIANT(!evidence_decode(arena, str_slice(blob, 0, n), &part));
    buf_free(&again);
    return 0;
}
