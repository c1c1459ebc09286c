/* fuzz/mutate_rules: a libFuzzer mutator that knows words: keywords, the vocabulary's names and its examples.
 *
 * Included by the one file of a target (fuzz targets are linked with the library alone).  Half of the mutations are
 * libFuzzer's own, of bytes; the others take away, repeat, move or put in whole words. */
#ifndef SLUICE_FUZZ_MUTATE_RULES_H
#define SLUICE_FUZZ_MUTATE_RULES_H

#include <string.h>

#include "base/str.h"
#include "compiler/words.h"
#include "tests/support/dice.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

static const char *const mutate_keywords[] = {
#define KEYWORD(token, spelling, doc, example) spelling,
#include "grammar/keywords.def"
};
static const char *const mutate_literals[] = {"\"x\"",
                                              "\"a@b.example\"",
                                              "\"*.corp.example\"",
                                              "\"{subject}\"",
                                              "/a+b/c",
                                              "10",
                                              "2 MB",
                                              "5 minutes",
                                              "2026-09-01",
                                              "18:00",
                                              "10.0.0.0/8",
                                              "(",
                                              ")",
                                              ",",
                                              "=",
                                              ".",
                                              "\n",
                                              "# said\n",
                                              "\"\"\"\nblock\n\"\"\"",
                                              "file",
                                              "table",
                                              "domain",
                                              "text",
                                              "network",
                                              "rule \"r\" priority 10 mode audit\nwhen ",
                                              " then stop\n",
                                              " then reject \"no\", ",
                                              "list l of text = \"a\", \"b\"\n",
                                              "define d as ",
                                              " is in l ",
                                              " and d ",
                                              "any to where (domain is \"b.example\" and name contains \"x\")",
                                              "test \"t\" given subject \"x\" expect nothing\n",
                                              " unless ",
                                              " (subject or body) ",
                                              "subject or body contains any word of (",
                                              "import \"1.sluice\"\n",
                                              "defaults priority 7\n",
                                              "at least 2",
                                              "between 1 and 3"};
enum { MUTATE_KEYWORDS = sizeof mutate_keywords / sizeof *mutate_keywords,
       MUTATE_LITERALS = sizeof mutate_literals / sizeof *mutate_literals };

static const char *mutate_word(struct dice *d)
{
    switch (dice_roll(d, 9)) {
    case 0: return words_rows.fields[dice_roll(d, words_rows.field_count)].name;
    case 1: return words_rows.fields[dice_roll(d, words_rows.field_count)].example;
    case 2: return words_rows.actions[dice_roll(d, words_rows.action_count)].example;
    case 3: return words_options[dice_roll(d, OPTION_COUNT)].example;
    case 4: return words_rows.declarations[dice_roll(d, words_rows.declaration_count)].example;
    case 5: return words_rows.actions[dice_roll(d, words_rows.action_count)].name;
    case 6: return mutate_keywords[dice_roll(d, MUTATE_KEYWORDS)];
    default: return mutate_literals[dice_roll(d, MUTATE_LITERALS)];
    }
}

/* Where a word ends that begins at `at`: a run of name characters, a quoted text, or one byte. */
static size_t mutate_word_end(const uint8_t *data, size_t size, size_t at)
{
    size_t end = at + 1;
    if (data[at] == '"') {
        while (end < size && data[end] != '"' && data[end] != '\n') end++;
        return end < size ? end + 1 : size;
    }
    bool name = ascii_is_alpha((char)data[at]) || ascii_is_digit((char)data[at]);
    while (name && end < size &&
           (ascii_is_alpha((char)data[end]) || ascii_is_digit((char)data[end]) || data[end] == '_'))
        end++;
    return end;
}

/* A place where a word begins. */
static size_t mutate_place(const uint8_t *data, size_t size, struct dice *d)
{
    size_t at = dice_roll(d, size);
    while (at > 0 && data[at - 1] > ' ' && (ascii_is_alpha((char)data[at - 1]) || data[at - 1] == '_')) at--;
    return at;
}

static size_t mutate_put(uint8_t *data, size_t size, size_t max, size_t at, size_t cut, const char *text, size_t n)
{
    if (size - cut + n > max) return size;
    memmove(data + at + n, data + at + cut, size - at - cut);
    memcpy(data + at, text, n);
    return size - cut + n;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    struct dice d = {seed};
    char word[400];
    if (size == 0 || dice_roll(&d, 5) < 2) return LLVMFuzzerMutate(data, size, max);
    for (size_t times = 1 + dice_roll(&d, 3); times > 0 && size > 0; times--) {
        size_t at = mutate_place(data, size, &d), end = mutate_word_end(data, size, at), n;
        switch (dice_roll(&d, 5)) {
        case 0: /* away */
            size = mutate_put(data, size, max, at, end - at, "", 0);
            break;
        case 1: /* another's word in its place */
        case 2: /* one more */
            strcpy(word, " ");
            strncat(word, mutate_word(&d), sizeof word - 3);
            strcat(word, " ");
            n = strlen(word);
            size = mutate_put(data, size, max, at, dice_roll(&d, 2) ? end - at : 0, word, n);
            break;
        default: { /* a stretch of this text, again somewhere */
            size_t from = mutate_place(data, size, &d);
            n = 1 + dice_roll(&d, sizeof word - 1);
            if (n > size - from) n = size - from;
            memcpy(word, data + from, n);
            size = mutate_put(data, size, max, at, 0, word, n);
        }
        }
    }
    return size;
}

#endif
