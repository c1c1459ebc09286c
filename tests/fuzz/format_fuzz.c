/* Whatever can be read can be formatted, stays the same tree, and formatted again stays as it is. */
#include <stdint.h>
#include <stdlib.h>

#include "grammar/format.h"
#include "tests/fuzz/mutate_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The tree of a text as goldens show it, and its layout.  False when it cannot be read. */
static bool read_text(struct str text, struct buf *tree, struct buf *layout)
{
    struct arena *a = arena_create();
    struct source source = {.name = STR("fuzz.sluice"), .text = text};
    struct sources sources = {0};
    struct diags d = {.arena = a, .sources = &sources};
    VEC_PUSH(&sources.list, &source);
    bool ok = format_source(a, &source, words_is_declaration, &d, layout);
    if (ok) ast_print(ast_parse(a, &source, words_is_declaration, &d), tree);
    VEC_FREE(&sources.list);
    VEC_FREE(&d.list);
    arena_free(&a);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct buf tree = {0}, again = {0}, layout = {0}, twice = {0}, difference = {0};
    if (read_text(text, &tree, &layout)) {
        INVARIANT(read_text(buf_str(&layout), &again, &twice));
        INVARIANT(str_eq(buf_str(&tree), buf_str(&again)));
        INVARIANT(str_eq(buf_str(&layout), buf_str(&twice)));
        format_difference(text, buf_str(&layout), &difference);
        INVARIANT((difference.n == 0) == str_eq(text, buf_str(&layout)));
    }
    buf_free(&tree);
    buf_free(&again);
    buf_free(&layout);
    buf_free(&twice);
    buf_free(&difference);
    return 0;
}
