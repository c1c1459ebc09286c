#include "compiler/internal.h"
#include "grammar/characters.h"

#include "mail/live_list.h"

/* What a list may hold, and whether a file may. */
static const struct {
    const char *name;
    enum value_type type;
    bool in_file; /* the others need the grammar's literals: units, calendars */
} list_types[] = {
    {"text", TYPE_TEXT, true},          {"address", TYPE_ADDRESS, true}, {"domain", TYPE_DOMAIN, true},
    {"network", TYPE_NETWORK, true},    {"number", TYPE_NUMBER, true},   {"size", TYPE_SIZE, false},
    {"duration", TYPE_DURATION, false}, {"date", TYPE_DATE, false},      {"clock", TYPE_CLOCK, false},
};
enum { LIST_TYPES = sizeof list_types / sizeof *list_types };

bool lists_type(struct str name, enum value_type *out)
{
    for (size_t i = 0; i < LIST_TYPES; i++) {
        if (!str_eq(str_of(list_types[i].name), name)) continue;
        *out = list_types[i].type;
        return true;
    }
    return false;
}

static bool type_of_item(struct compiler *c, const struct ast_item *item, enum value_type *out)
{
    if (lists_type(item->element_type, out)) return true;
    struct str names[LIST_TYPES];
    for (size_t i = 0; i < LIST_TYPES; i++) names[i] = str_of(list_types[i].name);
    struct diag *d =
        diag_add(c->d, DIAG_E200, item->element_type_span, "no list can be of `%.*s`", STR_ARG(item->element_type));
    struct str near = suggest_nearest(item->element_type, names, LIST_TYPES);
    if (near.n)
        diag_fix(c->d, d, "did you mean:", "%.*s", STR_ARG(near));
    else
        diag_fix(c->d, d, "the kinds are:", "text, address, domain, network, number, size, duration, date, clock");
    return false;
}

/* Elements under construction; the same one twice is kept once. */
struct gather {
    struct compiler *c;
    struct map seen;
    struct buf key;
    VEC(struct constant) v;
};

/* False: it is there already. */
static bool gather_add(struct gather *g, const struct constant *k)
{
    g->key.n = 0;
    buf_add(&g->key, (struct str){(const char *)&k->number, sizeof k->number});
    buf_add(&g->key, (struct str){(const char *)k->low, sizeof k->low});
    buf_add(&g->key, (struct str){(const char *)k->high, sizeof k->high});
    buf_add_byte(&g->key, (char)(k->date_only | k->date_zoned << 1));
    buf_add(&g->key, k->text);
    if (map_has(&g->seen, buf_str(&g->key))) return false;
    map_put(&g->seen, arena_str(g->c->a, buf_str(&g->key)), g);
    VEC_PUSH(&g->v, *k);
    return true;
}

static bool gather_value(struct gather *g, const struct ast_value *v, enum value_type type)
{
    struct compiler *c = g->c;
    if (v->field) {
        struct name *other = names_list(c, v->field->name, v->span);
        if (!other) return false;
        if (other->type != type) {
            struct diag *d = diag_add(c->d, DIAG_E203, v->span, "`%.*s` is a list of %s, and %s are wanted",
                                      STR_ARG(other->name), value_type_plurals[other->type], value_type_plurals[type]);
            diag_note(c->d, d, other->at, "it is here");
            return false;
        }
        if (!lists_are_written(c, other, v->span, NULL)) return false;
        for (size_t i = 0; i < other->element_count; i++) gather_add(g, &other->elements[i]);
        return true;
    }
    struct constant k;
    if (type == TYPE_TEXT ? !value_needle(c, v->literal, true, &k)
                          : !value_literal(c, v->literal, type, STR("this list"), &k)) {
        return false;
    }
    if (!gather_add(g, &k)) diag_add(c->d, DIAG_W305, v->span, "this stands in the list already");
    return true;
}

/* An entry without its comment: a `#` at the line's start, or, but in texts, behind a blank. */
static struct str entry_of(struct str line, enum value_type type)
{
    for (size_t i = 0; i < line.n; i++) {
        if (line.p[i] != '#') continue;
        struct str before = str_slice(line, 0, i);
        if (!str_trim(before).n) return STR_NONE;
        if (type != TYPE_TEXT && ascii_is_blank(line.p[i - 1])) return str_trim(before);
    }
    return str_trim(line);
}

static bool gather_entry(struct gather *g, const struct source *s, struct str entry, enum value_type type)
{
    uint32_t from = (uint32_t)(entry.p - s->text.p);
    struct span at = {s->number, from, from + (uint32_t)entry.n};
    struct constant k;
    const char *why = str_is_utf8(entry) ? NULL : "is not UTF-8";
    if (!why && str_find_byte(entry, '\0') != STR_NPOS) why = "holds a NUL byte";
    if (!why && type == TYPE_TEXT) why = value_needle_fault(entry, true) ? "is nothing that can be searched for" : NULL;
    if (!why) why = value_parse(g->c, type, entry, &k);
    if (why) {
        diag_add(g->c->d, DIAG_E217, at, "this entry %s", why);
        return false;
    }
    characters_check(g->c->d, entry, at, false);
    gather_add(g, &k); /* files are often merged from several: the same entry twice is none of our business */
    return true;
}

static bool gather_file(struct gather *g, const struct name *n)
{
    struct compiler *c = g->c;
    const struct ast_item *item = n->item;
    for (size_t i = 0; i < LIST_TYPES; i++) {
        if (list_types[i].type != n->type || list_types[i].in_file) continue;
        diag_add(c->d, DIAG_E233, item->origin_span,
                 "lists of %s cannot be read from a file yet: write the elements behind `=`", list_types[i].name);
        return false;
    }
    const struct source *s = load_source(c, load_join(c, n->unit->directory, item->text->text), item->text->span);
    if (!s) return false;
    struct str rest = s->text, line;
    if (str_starts(rest, STR("\xef\xbb\xbf"))) rest = str_from(rest, 3);
    bool ok = true;
    while (rest.n) {
        str_cut(rest, '\n', &line, &rest);
        struct str entry = entry_of(line, n->type);
        if (entry.n && !gather_entry(g, s, entry, n->type)) ok = false;
    }
    return ok;
}

/* A list in a table has its elements in the relay's store; here only its type and its table's name count. */
static bool check_table(struct compiler *c, struct name *n)
{
    const struct ast_item *item = n->item;
    struct str table = item->text->text;
    bool kept = n->type == TYPE_TEXT || n->type == TYPE_ADDRESS || n->type == TYPE_DOMAIN || n->type == TYPE_NETWORK;
    if (!kept) {
        diag_add(c->d, DIAG_E240, item->element_type_span,
                 "a list in a table holds text, address, domain or network; write the elements behind `=`");
        return false;
    }
    bool plain = table.n > 0 && table.n <= 100;
    for (size_t i = 0; i < table.n; i++)
        plain = plain && (ascii_is_alpha(table.p[i]) || ascii_is_digit(table.p[i]) || table.p[i] == '_' ||
                          table.p[i] == '-' || table.p[i] == '.');
    if (!plain) {
        diag_add(c->d, DIAG_E219, item->text->span,
                 "a table's name has 1 to 100 letters, digits, `_`, `-` and `.`");
        return false;
    }
    const struct name *other = map_get(&c->tables, table);
    if (other) {
        struct diag *d = diag_add(c->d, DIAG_E201, item->text->span, "`%.*s` is in this table already: use that list",
                                  STR_ARG(other->name));
        diag_note(c->d, d, other->at, "it is here");
        return false;
    }
    if (c->tables.n == LIVE_LISTS_MAX) {
        diag_add(c->d, DIAG_E232, item->span, "a rule set may have at most %d lists in tables", LIVE_LISTS_MAX);
        return false;
    }
    map_put(&c->tables, table, n);
    n->live = true;
    return true;
}

bool lists_are_written(struct compiler *c, const struct name *n, struct span at, const char *instead)
{
    if (!n->live) return true;
    struct diag *d =
        diag_add(c->d, DIAG_E240, at, "`%.*s` is edited while the relay runs, so its elements are not known here",
                 STR_ARG(n->name));
    diag_note(c->d, d, n->at, "it is in a table");
    if (instead) diag_fix(c->d, d, "a test of its own:", "%s %.*s", instead, STR_ARG(n->name));
    return false;
}

static bool gather_item(struct gather *g, struct name *n)
{
    const struct ast_item *item = n->item;
    if (!item->origin.n) {
        bool ok = true;
        for (const struct ast_value *v = item->elements; v; v = v->next) {
            if (!gather_value(g, v, n->type)) ok = false;
        }
        return ok;
    }
    if (str_eq(item->origin, STR("file"))) return item->text && gather_file(g, n);
    if (str_eq(item->origin, STR("table"))) return item->text && check_table(g->c, n);
    diag_add(g->c->d, DIAG_E200, item->origin_span, "a list stands `in file` or `in table`, not in `%.*s`",
             STR_ARG(item->origin));
    return false;
}

void lists_resolve(struct compiler *c, struct name *n)
{
    if (n->kind != NAME_LIST || n->state != NAME_NEW) return;
    n->state = NAME_BUSY;
    struct gather g = {.c = c};
    bool ok = type_of_item(c, n->item, &n->type) && gather_item(&g, n);
    if (ok) {
        n->element_count = g.v.n;
        n->elements = arena_copy(c->a, g.v.v, g.v.n, sizeof *g.v.v);
        n->index = n->live ? pool_live_list(&c->pool, n->name, n->type, n->item->text->text)
                           : pool_list(&c->pool, n->name, n->type, n->elements, n->element_count);
    }
    n->state = ok ? NAME_DONE : NAME_FAILED;
    map_free(&g.seen);
    buf_free(&g.key);
    VEC_FREE(&g.v);
}
