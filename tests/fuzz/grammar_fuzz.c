/* Any bytes are a rule file: reading, folding and printing must end, in bounds, and a file without errors must have a
 * canonical line for every rule that reads back as itself. */
#include <stdint.h>
#include <stdlib.h>

/* Fuzz targets are linked with the library alone. */
#include "tests/fuzz/mutate_rules.h"
#include "tests/support/rules.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void canonical_of(const struct ast_rule *rule, struct buf *out)
{
    out->n = 0;
    ast_rule_canonical(rule, out);
}

/* A define is not part of the rules that name it, so a file with defines is left out. */
static void hold_canonical(const struct rules *r)
{
    for (const struct ast_item *i = r->file->items; i; i = i->next)
        if (i->kind == ITEM_DEFINE) return;
    struct buf line = {0}, again = {0};
    for (const struct ast_item *i = r->file->items; i; i = i->next) {
        if (i->kind != ITEM_RULE) continue;
        canonical_of(&i->rule, &line);
        struct rules second;
        rules_open(&second, "again", buf_str(&line));
        /* The canonical line puts runs in parentheses, which may be the one level too many. */
        bool too_deep = second.diags.errors > 0 && second.diags.list.v[0]->code == DIAG_E115;
        if (second.diags.errors == 0) canonical_of(&second.file->items->rule, &again);
        if (!too_deep && (second.diags.errors > 0 || !str_eq(buf_str(&line), buf_str(&again)))) abort();
        rules_close(&second);
    }
    buf_free(&line);
    buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rules r;
    struct buf out = {0};
    rules_open(&r, "fuzz", (struct str){(const char *)data, size});
    ast_print(r.file, &out);
    diags_print_text(&r.diags, &out, true);
    diags_print_json(&r.diags, &out);
    if (r.diags.errors == 0) hold_canonical(&r);
    buf_free(&out);
    rules_close(&r);
    return 0;
}
