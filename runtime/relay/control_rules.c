/* The control socket's listing of rules: those in force in their order, with what the store has counted of each, then
 * those that were counted once and are gone. */
#include <stdlib.h>

#include "base/map.h"
#include "relay/control_core.h"
#include "relay/generation.h"

enum { RULE_COLUMNS = 5 };

struct hits {
    struct str rule;
    uint64_t counts[RULE_COLUMNS];
    int64_t last;
    bool told;
};
struct rule_listing {
    struct generation *generation; /* NULL: none is in force yet */
    struct arena *arena;
    VEC(struct hits *) all;
    struct map by_rule;
};

static void counted(void *owner, struct str rule, const uint64_t counts[RULE_COLUMNS], int64_t last)
{
    struct client *c = owner;
    struct rule_listing *l = c->rules;
    struct hits *h = ARENA_NEW(l->arena, struct hits);
    h->rule = arena_str(l->arena, rule);
    h->last = last;
    for (size_t i = 0; i < RULE_COLUMNS; i++) h->counts[i] = counts[i];
    VEC_PUSH(&l->all, h);
    map_put(&l->by_rule, h->rule, h);
}

static void tell(struct client *c, struct str rule, struct str mode, const struct rule_settings *r,
                 const struct hits *h)
{
    static const char *const columns[RULE_COLUMNS] = {"applied", "rejected", "deferred", "undecided", "audit"};
    struct js *o = js_object();
    js_put_str(o, "rule", rule);
    js_put_str(o, "mode", mode);
    if (r) {
        js_put_str(o, "file", c->rules->generation->settings.files[r->file]);
        js_put_num(o, "line", r->line);
    }
    for (size_t i = 0; i < RULE_COLUMNS; i++) js_put_num(o, columns[i], h ? (int64_t)h->counts[i] : 0);
    if (h && h->last) js_put_num(o, "last_hit", h->last);
    else js_put_null(o, "last_hit");
    control_row(c, o);
}

static void release(struct client *c)
{
    struct rule_listing *l = c->rules;
    c->rules = NULL;
    VEC_FREE(&l->all);
    map_free(&l->by_rule);
    arena_free(&l->arena);
    if (l->generation) generation_unref(&l->generation);
    free(l);
}

static void all_counted(void *owner, bool ok, const struct err *e)
{
    struct client *c = owner;
    struct rule_listing *l = c->rules;
    const struct settings *s = l->generation ? &l->generation->settings : NULL;
    for (size_t i = 0; ok && s && i < s->rule_count; i++) {
        struct hits *h = map_get(&l->by_rule, s->rules[i].name);
        if (h) h->told = true;
        tell(c, s->rules[i].name, s->rules[i].mode, &s->rules[i], h);
    }
    for (size_t i = 0; ok && i < l->all.n; i++)
        if (!l->all.v[i]->told) tell(c, l->all.v[i]->rule, STR("gone"), NULL, l->all.v[i]);
    release(c);
    control_result(c, ok, e);
}

void control_rules(struct client *c)
{
    struct rule_listing *l = mem_alloc(sizeof *l);
    l->generation = c->relay->current ? generation_ref(c->relay->current) : NULL;
    l->arena = arena_create();
    c->rules = l;
    control_query(c, (struct store_query){.kind = QUERY_RULES, .rule = counted, .done = all_counted});
}
