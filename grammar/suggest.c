/* Suggestions: the nearest of several words, and the right word for one that people try. */
#include "grammar/diag.h"

enum { SUGGEST_LENGTH_MAX = 64 };

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Edits (insert, delete, replace, swap of neighbours) from a to b, or `most` + 1 when there are more. */
static size_t edit_distance(struct str a, struct str b, size_t most)
{
    size_t rows[3][SUGGEST_LENGTH_MAX + 1];
    size_t *older = rows[0], *above = rows[1], *row = rows[2];
    if ((a.n > b.n ? a.n - b.n : b.n - a.n) > most) return most + 1;
    for (size_t j = 0; j <= b.n; j++) above[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        row[0] = i;
        size_t best = row[0];
        for (size_t j = 1; j <= b.n; j++) {
            bool same = ascii_lower(a.p[i - 1]) == ascii_lower(b.p[j - 1]);
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + !same);
            if (i > 1 && j > 1 && ascii_lower(a.p[i - 1]) == ascii_lower(b.p[j - 2]) &&
                ascii_lower(a.p[i - 2]) == ascii_lower(b.p[j - 1]))
                row[j] = least(row[j], older[j - 2] + 1);
            best = least(best, row[j]);
        }
        if (best > most) return most + 1;
        size_t *spare = older;
        older = above, above = row, row = spare;
    }
    return above[b.n];
}

struct str suggest_nearest(struct str word, const struct str *candidates, size_t n)
{
    struct str nearest = STR_NONE;
    if (word.n == 0 || word.n > SUGGEST_LENGTH_MAX) return nearest;
    size_t most = word.n / 3 ? word.n / 3 : 1;
    for (size_t i = 0; i < n && most > 0; i++) {
        if (candidates[i].n == 0 || candidates[i].n > SUGGEST_LENGTH_MAX ||
            str_eq_nocase(word, candidates[i])) continue;
        size_t distance = edit_distance(word, candidates[i], most);
        if (distance > most || distance >= word.n) continue;
        nearest = candidates[i];
        most = distance - 1; /* the next must be nearer still */
    }
    return nearest;
}

struct str suggest_tried(struct str word)
{
    static const struct {
        struct str word, right;
    } tried[] = {
#define TRIED(word, right) {{word, sizeof word - 1}, {right, sizeof right - 1}},
#include "grammar/keywords.def"
    };
    for (size_t i = 0; i < sizeof tried / sizeof *tried; i++)
        if (str_eq_nocase(word, tried[i].word)) return tried[i].right;
    return STR_NONE;
}
