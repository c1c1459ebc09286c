#include "mail/queue_id.h"

#include <string.h>

/* In ASCII order, so that text sorts as the numbers do. */
static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

enum { TIME_LENGTH = 7, RANDOM_LENGTH = QUEUE_ID_LENGTH - TIME_LENGTH }; /* 35 bits of seconds (to 3058), 65 for 64 */

static void put(uint64_t v, size_t n, char *out)
{
    for (size_t i = n; i-- > 0; v >>= 5) out[i] = alphabet[v & 31];
}

void queue_id_make(int64_t utc_seconds, uint64_t random, char out[QUEUE_ID_SIZE])
{
    put((uint64_t)utc_seconds, TIME_LENGTH, out);
    put(random, RANDOM_LENGTH, out + TIME_LENGTH);
    out[QUEUE_ID_LENGTH] = '\0';
}

bool queue_id_is_valid(struct str s)
{
    if (s.n != QUEUE_ID_LENGTH) return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\0' || !strchr(alphabet, s.p[i])) return false;
    return true;
}
