#include "mail/confusables.h"

static const struct confusable table[] = {
/* ascending */
#define ALIKE_ASCII(c, count, ...) ALIKE(c, count, __VA_ARGS__)
#define ALIKE(c, count, ...)       {c, count, {__VA_ARGS__}},
#include "mail/confusables.def"
#undef ALIKE_ASCII
#undef ALIKE
};

const struct confusable_ascii confusables_ascii[128] = {
#define ALIKE_ASCII(c, count, ...) [c] = {count, {__VA_ARGS__}},
#define ALIKE(c, count, ...)
#include "mail/confusables.def"
};

const struct confusable *confusable_find(uint32_t c)
{
    size_t low = 0, high = sizeof table / sizeof *table;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table[middle].from < c)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sizeof table / sizeof *table && table[low].from == c ? &table[low] : NULL;
}
