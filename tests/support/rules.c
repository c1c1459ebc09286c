#include "tests/support/rules.h"

#include "base/map.h"
#include "grammar/scan.h"
#include "tests/support/dice.h"

static bool is_one_of(struct str name, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(name, str_of(words[i]))) return true;
    return false;
}

bool rules_is_kind(struct str name)
{
    static const char *const kinds[] = {"relay", "listener", "connector", "retry"};
    return is_one_of(name, kinds, sizeof kinds / sizeof *kinds);
}

/* Yes/no fields, and the defines of the file. */
static bool stands_bare(void *context, struct str name)
{
    static const char *const fields[] = {"authenticated", "encrypted", "marked", "ambiguous", "attachment.encrypted",
                                         "attachment.executable"};
    return is_one_of(name, fields, sizeof fields / sizeof *fields) || map_has(context, name);
}

void rules_open(struct rules *r, const char *name, struct str text)
{
    *r = (struct rules){.arena = arena_create(), .source = {.name = str_of(name), .text = text}};
    VEC_PUSH(&r->sources.list, &r->source);
    r->diags.arena = r->arena;
    r->diags.sources = &r->sources;
    r->file = ast_parse(r->arena, &r->source, rules_is_kind, &r->diags);
    struct map defines = {0};
    for (struct ast_item *i = r->file->items; i; i = i->next)
        if (i->kind == ITEM_DEFINE) map_put(&defines, i->name, i);
    ast_fold(r->arena, r->file, stands_bare, &defines, &r->diags);
    map_free(&defines);
    diags_sort(&r->diags);
}

void rules_close(struct rules *r)
{
    VEC_FREE(&r->diags.list);
    VEC_FREE(&r->sources.list);
    arena_free(&r->arena);
}

struct str rules_disarranged(struct arena *a, struct str text, ast_is_kind *is_kind, uint64_t seed)
{
    static const char *const gaps[] = {" ",    "  ",     "\n",        "\t ",         "\r\n",
                                       "\n\n", "\n\n\n", " # said\n", "\n# said \n", "\n\n#\n"};
    struct dice dice = {seed};
    struct source source = {.name = STR("policy.sluice"), .text = text};
    struct sources sources = {0};
    struct diags d = {.arena = a, .sources = &sources};
    struct parse p = {.arena = a, .source = &source, .is_kind = is_kind, .diags = &d};
    struct buf b = {0};
    p.scanner = scan_create(&p);
    uint32_t end = 0;
    for (;;) {
        SL_STYPE value;
        struct span at;
        int kind = sl_lex(&value, &at, &p);
        bool tight = end == at.from && dice_roll(&dice, 4) != 0; /* x( needs no blank */
        if (!tight) buf_add(&b, str_of(gaps[dice_roll(&dice, dice_roll(&dice, 2) ? 2 : 10)]));
        if (kind == SL_END) break;
        buf_add(&b, span_text(&p, at));
        end = at.to;
    }
    scan_free(&p.scanner);
    struct str out = arena_str(a, buf_str(&b));
    buf_free(&b);
    return out;
}
