#include "compiler/internal.h"

#include <string.h>

#include "base/digest.h"
#include "base/sort.h"

/* --- options --- */

static const struct param_row option_params[OPTION_COUNT] = {
#define OPTION(id, name, type, words, value, doc, example) {name, type, words, false, false, false, false},
#include "stdlib/options.def"
#undef OPTION
};

/* The position of a word among a row's words: the enums of bytecode/program.h are in that order. */
static uint8_t word_index(const char *words, struct str word)
{
    struct str rest = str_of(words), head;
    for (uint8_t i = 0; rest.n; i++) {
        str_cut(rest, ' ', &head, &rest);
        if (str_eq(head, word)) return i;
    }
    INVARIANT(!"the argument was one of the words");
    return 0;
}

static struct rule_options options_default(void)
{
    struct rule_options o = {0};
    uint64_t priority = 0;
    INVARIANT(str_to_u64(str_of(words_options[OPTION_PRIORITY].value), &priority));
    o.values.priority = (uint16_t)priority;
    o.values.mode = word_index(words_options[OPTION_MODE].words, str_of(words_options[OPTION_MODE].value));
    o.values.on_error = word_index(words_options[OPTION_ON_ERROR].words, str_of(words_options[OPTION_ON_ERROR].value));
    o.values.on_unreadable =
        word_index(words_options[OPTION_ON_UNREADABLE].words, str_of(words_options[OPTION_ON_UNREADABLE].value));
    return o;
}

static bool set_option(struct compiler *c, struct rule_options *o, enum option_id id, const struct bound *b)
{
    const struct constant *k = &b->constant;
    struct rule *r = &o->values;
    o->set[id] = true;
    o->at[id] = b->span;
    switch (id) {
    case OPTION_PRIORITY:
        if (k->number > 9999) {
            diag_add(c->d, DIAG_E219, b->value->span, "a priority is a number from 0 to 9999; lower runs first");
            return false;
        }
        r->priority = (uint16_t)k->number;
        break;
    case OPTION_MODE: r->mode = word_index(words_options[id].words, k->text); break;
    case OPTION_ON_ERROR: r->on_error = word_index(words_options[id].words, k->text); break;
    case OPTION_ON_UNREADABLE: r->on_unreadable = word_index(words_options[id].words, k->text); break;
    case OPTION_CONFUSABLES: o->alike = word_index(words_options[id].words, k->text) == 1; break;
    case OPTION_EFFECTIVE:
        r->has_effective = true;
        r->effective = *k;
        break;
    case OPTION_EXPIRES:
        r->has_expires = true;
        r->expires = *k;
        break;
    case OPTION_OWNER: r->owner = k->text; break;
    case OPTION_TICKET: r->ticket = k->text; break;
    case OPTION_COMMENT: r->comment = k->text; break;
    case OPTION_SEVERITY: r->severity = k->text; break;
    case OPTION_COUNT: break;
    }
    return true;
}

static bool take_options(struct compiler *c, const char *what, struct span at, const struct ast_argument *first,
                         struct rule_options *o)
{
    struct argument_rows rows = {what, option_params, OPTION_COUNT, false, false, NULL};
    struct bound bound[OPTION_COUNT];
    bool ok = arguments_bind(c, &rows, at, first, bound);
    for (size_t i = 0; ok && i < OPTION_COUNT; i++) {
        if (bound[i].value) ok = set_option(c, o, (enum option_id)i, &bound[i]);
    }
    const struct rule *r = &o->values;
    if (ok && r->has_effective && r->has_expires && r->effective.date_zoned == r->expires.date_zoned &&
        r->effective.number >= r->expires.number) {
        struct diag *d =
            diag_add(c->d, DIAG_E219, o->at[OPTION_EXPIRES], "the rule would expire before it takes effect");
        diag_note(c->d, d, o->at[OPTION_EFFECTIVE], "it takes effect here");
        ok = false;
    }
    return ok;
}

/* --- identity --- */

/* What stands for a whole rule: its name, else its condition. */
struct span rule_heading(const struct ast_item *item)
{
    if (item->rule.name) return item->rule.name->span;
    return item->rule.when && item->rule.when->span.to ? item->rule.when->span : item->span;
}

enum { IDENTITY_HEX = 12 };

static bool name_fault(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f) return true;
    }
    return !s.n || s.n > 200;
}

static struct str hash_of(struct compiler *c, const struct ast_rule *rule)
{
    struct buf b = {0};
    uint8_t digest[DIGEST_SIZE];
    char hex[DIGEST_HEX_SIZE];
    ast_rule_canonical(rule, &b);
    digest_sha256(buf_str(&b), digest);
    digest_hex(digest, hex);
    buf_free(&b);
    return arena_str(c->a, (struct str){hex, IDENTITY_HEX});
}

static bool take_identity(struct compiler *c, const struct ast_item *item, struct rule *out)
{
    const struct ast_rule *rule = &item->rule;
    out->named = rule->name != NULL;
    out->identity = out->named ? rule->name->text : hash_of(c, rule);
    if (out->named && name_fault(rule->name->text)) {
        diag_add(c->d, DIAG_E219, rule->name->span, "a rule's name has 1 to 200 bytes and no control characters");
        return false;
    }
    const struct ast_item *other = map_get(&c->rule_names, out->identity);
    if (!other) {
        map_put(&c->rule_names, out->identity, (void *)item);
        return true;
    }
    if (out->named) {
        struct diag *d =
            diag_add(c->d, DIAG_E201, rule->name->span, "another rule is named `%.*s`", STR_ARG(out->identity));
        diag_note(c->d, d, rule_heading(other), "it is here");
        return false;
    }
    struct diag *d = diag_add(c->d, DIAG_W305, rule_heading(item), "the same rule is written twice");
    diag_note(c->d, d, rule_heading(other), "it is here already");
    struct str base = out->identity;
    uintptr_t copy = (uintptr_t)map_get(&c->rule_copies, base);
    for (copy = copy ? copy : 1; map_has(&c->rule_names, out->identity);) {
        out->identity = arena_printf(c->a, "%.*s-%u", STR_ARG(base), (unsigned)++copy);
    }
    map_put(&c->rule_copies, base, (void *)copy); /* the next one need not try them all */
    map_put(&c->rule_names, out->identity, (void *)item);
    return true;
}

/* --- one rule --- */

static struct ir *part_of_condition(struct compiler *c, const struct ast_condition *written, bool alike, bool *changed)
{
    struct ir *x = check_condition(c, written, NULL), *folded = x && alike ? look_alikes(c, x) : x;
    *changed |= folded != x;
    return folded;
}

/* when and not unless and not unless …  Answers whether some test folds look-alikes. */
static bool whole_condition(struct compiler *c, const struct ast_rule *rule, bool alike, struct checked_rule *out)
{
    bool changed = false;
    size_t n = 0;
    for (const struct ast_condition *u = rule->unless; u; u = u->next) n++;
    out->unless = n ? ARENA_ARRAY(c->a, struct ir *, n) : NULL;
    struct ir *x = out->when = part_of_condition(c, rule->when, alike, &changed);
    bool ok = x != NULL;
    for (const struct ast_condition *u = rule->unless; u; u = u->next) {
        struct ir *exception = out->unless[out->unless_count++] = part_of_condition(c, u, alike, &changed);
        if (!exception) ok = false;
        if (!ok) continue;
        struct ir *denied = ir_new(c, IR_NOT, exception, NULL);
        denied->at = u->span;
        x = ir_new(c, IR_AND, x, denied);
        x->at = rule->when->span;
    }
    out->condition = ok ? x : NULL;
    return changed;
}

static bool within_limits(struct compiler *c, const struct ir *x, uint32_t actions, struct span at)
{
    const char *limit = NULL;
    if (x->need > PROGRAM_STACK_MAX)
        limit = "parentheses of this condition are nested too deeply: at most 64 answers can be open at once";
    if (x->size + actions + 2 > COMPILER_RULE_CODE_MAX)
        limit = "with its definitions written out this rule is longer than 65536 instructions";
    if (limit) diag_add(c->d, DIAG_E232, at, "%s", limit);
    return !limit;
}

static bool check_rule(struct compiler *c, const struct ast_item *item, const struct rule_options *defaults,
                       struct checked_rule *out)
{
    const struct ast_rule *rule = &item->rule;
    struct rule_options o = *defaults;
    bool ok = take_options(c, "a rule", rule_heading(item), rule->options, &o);
    out->item = item;
    bool alike = whole_condition(c, rule, o.alike, out);
    struct span said = o.at[OPTION_CONFUSABLES];
    if (o.alike && !alike && out->condition && said.from != defaults->at[OPTION_CONFUSABLES].from)
        diag_add(
            c->d, DIAG_W303, said,
            "`confusables` changes nothing here: it is about texts that `is`, `is like`, `contains`, `starts with` "
            "and `ends with` compare, not about patterns, detectors, live lists, addresses and domains");
    ok = actions_check(c, rule, &o, out->condition, &out->first_action, &out->action_count) && out->condition && ok;
    out->rule = o.values;
    for (int i = 0; i < OPTION_COUNT; i++) out->options_set |= (uint32_t)o.set[i] << i;
    ok = take_identity(c, item, &out->rule) && ok;
    return ok && within_limits(c, out->condition, out->action_count, rule_heading(item));
}

static void record(struct compiler *c, const struct ast_item *item, struct rule *r)
{
    r->identity = pool_text(&c->pool, r->identity);
    r->owner = pool_text(&c->pool, r->owner);
    r->ticket = pool_text(&c->pool, r->ticket);
    r->comment = pool_text(&c->pool, r->comment);
    r->severity = pool_text(&c->pool, r->severity);
    r->origin = load_origin(c, rule_heading(item));
}

static int by_priority(const void *a, const void *b, void *ctx)
{
    (void)ctx;
    return (int)((const struct checked_rule *)a)->rule.priority - (int)((const struct checked_rule *)b)->rule.priority;
}

void rules_check(struct compiler *c)
{
    VEC(struct checked_rule) all = {0};
    struct rule_options *defaults = ARENA_ARRAY(c->a, struct rule_options, c->units.n); /* of each file */
    for (size_t i = 0; i < c->units.n; i++) defaults[i] = options_default();
    size_t total = 0;
    for (size_t i = 0; i < c->items.n; i++) {
        const struct ast_item *item = c->items.v[i].item;
        struct rule_options *o = &defaults[c->items.v[i].unit->index];
        if (item->kind == ITEM_DEFAULTS) take_options(c, "`defaults`", item->span, item->arguments, o);
        if (item->kind != ITEM_RULE) continue;
        struct checked_rule one = {0};
        if (!check_rule(c, item, o, &one)) continue;
        record(c, item, &one.rule);
        lint_rule(c, &one);
        lint_actions(c, &one);
        total += one.condition->size + one.action_count + 2;
        VEC_PUSH(&all, one);
        if (total > COMPILER_CODE_MAX) {
            diag_add(c->d, DIAG_E232, rule_heading(item), "all rules together are longer than %d instructions",
                     COMPILER_CODE_MAX);
            break;
        }
    }
    if (c->d->errors == c->errors_before) {
        sort_array(all.v, all.n, sizeof *all.v, by_priority, NULL); /* stable: then the order of appearance */
        lint_order(c, all.v, all.n);
        for (size_t i = 0; i < all.n; i++) {
            struct checked_rule *x = &all.v[i];
            emit_rule(c, simplify(c, x->condition, false), x->first_action, x->action_count, &x->rule.first,
                      &x->rule.end);
            VEC_PUSH(&c->pool.rules, x->rule);
        }
    }
    VEC_FREE(&all);
}
