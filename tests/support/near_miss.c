#include "tests/support/near_miss.h"

#include <string.h>

enum { WORDS_MAX = 400 };

struct line_words {
    struct str v[WORDS_MAX];
    size_t n;
};

static bool in_a_word(char c) { return ascii_is_alpha(c) || ascii_is_digit(c) || c == '_' || (unsigned char)c >= 0x80; }

/* Runs of letters and digits, and every other sign by itself. */
static void split(struct str line, struct line_words *out)
{
    out->n = 0;
    for (size_t i = 0; i < line.n && out->n < WORDS_MAX;) {
        size_t to = i + 1;
        while (in_a_word(line.p[i]) && to < line.n && in_a_word(line.p[to])) to++;
        if (line.p[i] != ' ') out->v[out->n++] = str_slice(line, i, to);
        i = to;
    }
}

/* How many words a longest common subsequence has. */
static size_t in_common(const struct line_words *a, const struct line_words *b)
{
    static size_t rows[2][WORDS_MAX + 1];
    memset(rows, 0, sizeof rows);
    for (size_t i = 0; i < a->n; i++) {
        const size_t *before = rows[i % 2];
        size_t *now = rows[1 - i % 2];
        for (size_t k = 0; k < b->n; k++) {
            size_t longest = before[k + 1] > now[k] ? before[k + 1] : now[k];
            now[k + 1] = str_eq(a->v[i], b->v[k]) ? before[k] + 1 : longest;
        }
    }
    return rows[a->n % 2][b->n];
}

static bool has_line(struct str text, struct str wanted)
{
    struct str line;
    while (text.n) {
        str_cut(text, '\n', &line, &text);
        if (str_eq(line, wanted)) return true;
    }
    return false;
}

static bool some_line_is_near(const struct line_words *shown, struct str near, struct str all)
{
    static struct line_words words;
    struct str line, rest = near;
    while (rest.n) {
        str_cut(rest, '\n', &line, &rest);
        if (has_line(all, line)) continue;
        split(line, &words);
        size_t longer = words.n > shown->n ? words.n : shown->n;
        if (words.n && 2 * in_common(shown, &words) >= longer) return true;
    }
    return false;
}

bool near_miss_is_near(struct str shown, struct str near)
{
    static struct line_words words;
    struct str line, rest = shown;
    while (rest.n) {
        str_cut(rest, '\n', &line, &rest);
        if (has_line(near, line)) continue;
        split(line, &words);
        if (words.n && some_line_is_near(&words, near, shown)) return true;
    }
    return false;
}
