/* Doubts about rules as they follow one another: a rule that can never run, because an earlier one takes all its
 * recipients; the same rule twice; a rule that undoes what another did for the same mail.
 *
 * Rules are not compared with one another: each is looked up by the parts of its normal form among the rules before it,
 * and only what is found there is proved.  So the work grows with the rules, not with their square. */
#include <string.h>

#include "compiler/prove.h"

enum { CANDIDATES_MAX = 16, PARTS_MAX = 64, LOOSE_MAX = 8 };

/* Actions that neither change what later rules see nor bring recipients whom the earlier rules have not met. */
static const char *const quiet[] = {
    "require_tls", "reject",    "defer",  "drop",          "quarantine",      "hold",          "disconnect", "stop",
    "log",         "route_via", "notify", "notify_sender", "incident_report", "deliver_after",
};
/* Change the message, but bring nobody. */
static const char *const edits[] = {
    "add_header",        "set_header",         "remove_header",     "prepend_subject",
    "append_disclaimer", "prepend_disclaimer", "remove_attachment", "set_importance",
    "set_scl",           "set_classification", "sign_dkim",         "mark",
};
/* Take their recipients out of all later rules; what quarantine and hold keep still collects what protects. */
static const char *const takes[] = {"reject", "drop", "defer", "disconnect", "stop"};

struct bucket {
    VEC(const struct checked_rule *) v;
};
struct order {
    struct compiler *c;
    struct map by_condition; /* normal id -> the first rule of that condition */
    struct map by_part;      /* normal id, or field and constant -> struct bucket of rules that take */
    struct map marks;        /* set by the rules so far */
    VEC(struct bucket *) buckets;
    const struct checked_rule *takes_all;
    const struct checked_rule *rules;
    uint32_t *brings; /* how many of the rules before each bring recipients; the last: of all */
    size_t n;
    bool keeps; /* some rule keeps mail aside, for which later rules still collect what protects */
    struct buf key;
};

static bool has_action(const struct compiler *c, const struct checked_rule *r, bool (*is)(const struct action_row *))
{
    for (uint32_t i = 0; i < r->action_count; i++)
        if (is(&words_rows.actions[c->pool.actions.v[r->first_action + i].action])) return true;
    return false;
}
static bool row_takes(const struct action_row *row) { return LINT_ONE_OF(row, takes); }
static bool row_brings(const struct action_row *row) { return !LINT_ONE_OF(row, quiet) && !LINT_ONE_OF(row, edits); }

static bool row_keeps(const struct action_row *row)
{
    return row->final && !row_takes(row) && strcmp(row->name, "redirect") != 0;
}
static bool row_protects(const struct action_row *row) { return row->guard == GUARD_PROTECTS; }

static bool always_runs(const struct checked_rule *r)
{
    return r->rule.mode == MODE_ENFORCE && !r->rule.has_effective && !r->rule.has_expires;
}

/* Whether earlier and later rules see the same: an edit, a mark or a new recipient may come between them. */
static bool is_stable(const struct compiler *c, const struct ir *x)
{
    if (x->left && !is_stable(c, x->left)) return false;
    if (x->right && !is_stable(c, x->right)) return false;
    if (x->kind == IR_LOOP) return false;
    if (x->kind != IR_TEST) return true;
    const struct test *t = &c->pool.tests.v[x->index];
    const struct field_ref *ref = &c->pool.field_refs.v[t->field];
    const struct field_row *row = &words_rows.fields[ref->field];
    if (row->editable || row->text == FIELD_TEXT_MARK || str_eq(str_of(row->name), STR("recipient_count")))
        return false;
    if (row->of == FACT_RECIPIENT && t->quantifier != Q_NONE) return false;
    return t->operand != OPERAND_FIELD || !words_rows.fields[c->pool.field_refs.v[t->a].field].editable;
}

/* --- where a rule is found ---------------------------------------------------------------------------------------- */

static struct str key_of_id(struct order *o, uint32_t id)
{
    o->key.n = 0;
    buf_add_byte(&o->key, 'n');
    buf_add(&o->key, (struct str){(const char *)&id, sizeof id});
    return buf_str(&o->key);
}
/* One value of a field; a domain as all addresses of it, so that `sender` and `sender.domain` meet.  NULL: any value.
 */
static struct str key_of_value(struct order *o, const struct test *t, const struct constant *k)
{
    const struct field_ref *ref = &o->c->pool.field_refs.v[t->field];
    bool domain = k && k->type == TYPE_DOMAIN;
    uint8_t part = domain || (k && k->type == TYPE_ADDRESS) || !k ? 0 : ref->part;
    o->key.n = 0;
    buf_add_byte(&o->key, k ? 'v' : 'f');
    buf_add(&o->key, (struct str){(const char *)&ref->field, sizeof ref->field});
    buf_add_byte(&o->key, (char)part);
    if (!k) return buf_str(&o->key);
    buf_add(&o->key, (struct str){(const char *)&k->number, sizeof k->number});
    buf_add(&o->key, (struct str){(const char *)k->low, sizeof k->low});
    if (domain) buf_add_byte(&o->key, '@');
    buf_add(&o->key, k->text);
    return buf_str(&o->key);
}
static bool is_wild(const struct constant *k)
{
    return str_starts(k->text, STR("*.")) || str_starts(k->text, STR("@*."));
}

static void file_under(struct order *o, struct str key, const struct checked_rule *r, size_t most)
{
    struct bucket *b = map_get(&o->by_part, key);
    if (!b) {
        b = ARENA_NEW(o->c->a, struct bucket);
        VEC_PUSH(&o->buckets, b);
        map_put(&o->by_part, arena_str(o->c->a, key), b);
    }
    if (b->v.n < most) VEC_PUSH(&b->v, r);
}

static const struct test *test_of(const struct order *o, const struct normal *n)
{
    return n->kind == NORMAL_TEST ? &o->c->pool.tests.v[n->ir->index] : NULL;
}

struct constants {
    const struct constant *v;
    uint32_t n;
};
/* The constants a field may equal for this to hold; none when there is more to it. */
static struct constants equals(const struct order *o, const struct normal *n)
{
    const struct test *t = test_of(o, n);
    const struct pool *pool = &o->c->pool;
    if (!t || t->relation != REL_EQUAL || t->quantifier != Q_NONE || t->negated == n->holds)
        return (struct constants){NULL, 0};
    if (t->operand == OPERAND_CONSTANT) return (struct constants){&pool->constants.v[t->a], 1};
    if (t->operand != OPERAND_LIST) return (struct constants){NULL, 0};
    const struct program_list *l = &pool->lists.v[t->a];
    return (struct constants){pool->constants.v + l->first, l->count};
}

/* Under one condition of the rule: its number, and the values that fulfil it. */
static void file_part(struct order *o, uint32_t id, const struct checked_rule *r)
{
    const struct normal *n = normal_row(o->c, id);
    const struct test *t = test_of(o, n);
    struct constants k = equals(o, n);
    file_under(o, key_of_id(o, id), r, LOOSE_MAX);
    if (!t) return;
    bool loose = !k.n || k.n > PARTS_MAX;
    for (uint32_t i = 0; i < k.n && k.n <= PARTS_MAX; i++) {
        file_under(o, key_of_value(o, t, &k.v[i]), r, LOOSE_MAX);
        loose = loose || is_wild(&k.v[i]);
    }
    if (loose) file_under(o, key_of_value(o, t, NULL), r, LOOSE_MAX);
}

/* Of a chain of `and` the part that was met last, which few share; of `or` each. */
static void file_taker(struct order *o, const struct checked_rule *r)
{
    uint32_t id = normal_of(o->c, r->condition, true);
    const struct normal n = *normal_row(o->c, id);
    struct claim denied = {r->condition, false};
    struct proof p;
    if (!o->takes_all && prove_excluded(o->c, &denied, 1, &p) && p.decided) o->takes_all = r;
    if (n.kind == NORMAL_AND)
        file_part(o, n.parts[n.part_count - 1], r);
    else if (n.kind == NORMAL_OR && n.part_count <= PARTS_MAX)
        for (uint32_t i = 0; i < n.part_count; i++) file_part(o, n.parts[i], r);
    else
        file_part(o, id, r);
}

/* --- rules that can never run ------------------------------------------------------------------------------------- */

struct found {
    const struct checked_rule *v[CANDIDATES_MAX];
    size_t n;
};

static void look_up(struct order *o, struct str key, struct found *out)
{
    const struct bucket *b = map_get(&o->by_part, key);
    for (size_t i = 0; b && i < b->v.n && out->n < CANDIDATES_MAX; i++) {
        bool known = false;
        for (size_t k = 0; k < out->n; k++) known |= out->v[k] == b->v.v[i];
        if (!known) out->v[out->n++] = b->v.v[i];
    }
}

static void look_up_part(struct order *o, uint32_t id, struct found *out)
{
    const struct normal *n = normal_row(o->c, id);
    const struct test *t = test_of(o, n);
    struct constants k = equals(o, n);
    look_up(o, key_of_id(o, id), out);
    if (!t) return;
    if (k.n) look_up(o, key_of_value(o, t, &k.v[0]), out); /* who takes all takes this one */
    size_t at = k.n && k.v[0].type == TYPE_ADDRESS ? str_rfind_byte(k.v[0].text, '@') : 0;
    if (at && at != STR_NPOS) {
        struct constant domain = {.type = TYPE_DOMAIN, .text = str_from(k.v[0].text, at + 1)};
        look_up(o, key_of_value(o, t, &domain), out);
    }
    look_up(o, key_of_value(o, t, NULL), out);
}

static bool tell_never_runs(struct order *o, const struct checked_rule *r, const struct checked_rule *taker,
                            bool decided)
{
    struct compiler *c = o->c;
    struct diag *d =
        diag_add(c->d, DIAG_W304, rule_heading(r->item), "this rule can never run: `%.*s` takes all its mail first",
                 STR_ARG(taker->rule.identity));
    diag_note(c->d, d, rule_heading(taker->item), "this rule runs before it");
    if (!decided)
        diag_note(c->d, d, (struct span){0},
                  "only content that cannot be read, or that can be read in two ways, gets past it");
    return true;
}

/* Recipients that rules from one up to another bring have not met what stands before. */
static bool brings_between(const struct order *o, const struct checked_rule *from, const struct checked_rule *to)
{
    return o->brings[from - o->rules] != o->brings[to - o->rules];
}

static bool never_runs(struct order *o, const struct checked_rule *r)
{
    struct compiler *c = o->c;
    bool protects = has_action(c, r, row_protects);
    if (protects && o->keeps) return false;
    if (o->takes_all && !brings_between(o, o->takes_all, o->takes_all + 1))
        return tell_never_runs(o, r, o->takes_all, true);
    if (protects && brings_between(o, r, o->rules + o->n)) return false; /* added ones meet no rule before but this */
    uint32_t id = normal_of(c, r->condition, true);
    const struct normal n = *normal_row(c, id);
    struct found found = {.n = 0};
    look_up_part(o, id, &found);
    for (uint32_t i = 0; n.kind == NORMAL_AND && i < n.part_count && i < PARTS_MAX; i++)
        look_up_part(o, n.parts[i], &found);
    for (size_t i = 0; i < found.n; i++) {
        struct claim claims[] = {{r->condition, true}, {found.v[i]->condition, false}};
        struct proof p;
        if (brings_between(o, found.v[i], r) || !prove_excluded(c, claims, 2, &p)) continue;
        if (!prove_excluded(c, claims, 1, &p)) /* else it was told as never true */
            return tell_never_runs(o, r, found.v[i], prove_is_decided(c, found.v[i]->condition));
    }
    return false;
}

/* --- marks -------------------------------------------------------------------------------------------------------- */

static void tell_unset_marks(struct order *o, const struct ir *x)
{
    struct compiler *c = o->c;
    if (x->left) tell_unset_marks(o, x->left);
    if (x->right) tell_unset_marks(o, x->right);
    if (x->kind != IR_TEST) return;
    const struct field_ref *ref = &c->pool.field_refs.v[c->pool.tests.v[x->index].field];
    if (words_rows.fields[ref->field].text != FIELD_TEXT_MARK || map_has(&o->marks, ref->text)) return;
    diag_add(c->d, DIAG_W301, x->at, "this can never be true: no rule that runs before sets the mark");
}

static void remember_marks(struct order *o, const struct checked_rule *r)
{
    const struct compiler *c = o->c;
    for (uint32_t i = 0; i < r->action_count; i++) {
        const struct action *a = &c->pool.actions.v[r->first_action + i];
        if (strcmp(words_rows.actions[a->action].name, "mark") != 0) continue;
        for (uint32_t k = 0; k < a->argument_count; k++) {
            const struct argument *g = &c->pool.arguments.v[a->first_argument + k];
            if (g->operand == OPERAND_CONSTANT) map_put(&o->marks, c->pool.constants.v[g->index].text, o);
        }
    }
}

/* --- the same condition again ------------------------------------------------------------------------------------- */

static bool same_actions(const struct compiler *c, const struct checked_rule *a, const struct checked_rule *b)
{
    if (a->action_count != b->action_count) return false;
    for (uint32_t i = 0; i < a->action_count; i++)
        if (!lint_same_action(c, a->first_action + i, b->first_action + i)) return false;
    return true;
}

/* The last one wins, and the other's value differs. */
static bool overrides(const struct compiler *c, const struct action *earlier, const struct action *later)
{
    const struct action_row *row = &words_rows.actions[later->action];
    if (earlier->action != later->action || row->join != JOIN_LAST || !earlier->argument_count ||
        !later->argument_count)
        return false;
    const struct argument *a = &c->pool.arguments.v[earlier->first_argument],
                          *b = &c->pool.arguments.v[later->first_argument];
    bool named = strcmp(row->params[0].name, "name") == 0; /* set_header: of one name */
    if (!named) return a->operand != b->operand || a->index != b->index;
    bool same = a->index == b->index && earlier->argument_count > 1 && later->argument_count > 1;
    return same && (a + 1)->index != (b + 1)->index;
}

static void tell_same_condition(struct order *o, const struct checked_rule *r, const struct checked_rule *first)
{
    struct compiler *c = o->c;
    if (first->rule.mode != r->rule.mode) return; /* an audit of what another enforces */
    if (same_actions(c, first, r)) {
        struct diag *d = diag_add(c->d, DIAG_W305, rule_heading(r->item), "`%.*s` asks and does the same",
                                  STR_ARG(first->rule.identity));
        diag_note(c->d, d, rule_heading(first->item), "it is here");
        return;
    }
    const struct ast_action *ast = r->item->rule.actions;
    for (uint32_t i = 0; i < r->action_count && ast; i++, ast = ast->next) {
        for (uint32_t k = 0; k < first->action_count; k++) {
            if (!overrides(c, &c->pool.actions.v[first->first_action + k], &c->pool.actions.v[r->first_action + i]))
                continue;
            struct diag *d = diag_add(c->d, DIAG_W306, ast->span, "this undoes what `%.*s` does for the same mail",
                                      STR_ARG(first->rule.identity));
            diag_note(c->d, d, rule_heading(first->item), "that rule is here");
            return;
        }
    }
}

/* A nameless rule written twice was told by its identity. */
static bool is_told(const struct checked_rule *r, const struct checked_rule *first)
{
    return !r->rule.named && !first->rule.named && str_starts(r->rule.identity, first->rule.identity);
}

void lint_order(struct compiler *c, const struct checked_rule *rules, size_t n)
{
    struct order o = {.c = c, .rules = rules, .n = n, .brings = ARENA_ARRAY(c->a, uint32_t, n + 1)};
    for (size_t i = 0; i < n; i++) {
        bool runs = rules[i].rule.mode != MODE_OFF;
        o.brings[i + 1] = o.brings[i] + (runs && has_action(c, &rules[i], row_brings));
        o.keeps = o.keeps || has_action(c, &rules[i], row_keeps) || rules[i].rule.on_unreadable == ON_UNREADABLE_HOLD;
    }
    bool guarded_later = false;
    for (size_t i = n; i-- > 0; guarded_later = guarded_later || lint_guards(c, &rules[i]))
        if (rules[i].condition->size <= COMPILER_LINT_MAX) lint_trust(c, &rules[i], guarded_later);
    for (size_t i = 0; i < n; i++) {
        const struct checked_rule *r = &rules[i];
        if (r->rule.mode == MODE_OFF || r->condition->size > COMPILER_LINT_MAX) continue;
        tell_unset_marks(&o, r->condition);
        remember_marks(&o, r);
        bool dead = never_runs(&o, r);
        struct str key = key_of_id(&o, normal_of(c, r->condition, true));
        const struct checked_rule *first = map_get(&o.by_condition, key);
        bool windowed = r->rule.has_effective || r->rule.has_expires;
        if (!windowed && !first) map_put(&o.by_condition, arena_str(c->a, key), (void *)r);
        if (!dead && !windowed && first && !is_told(r, first)) tell_same_condition(&o, r, first);
        if (!dead && always_runs(r) && has_action(c, r, row_takes) && is_stable(c, r->condition)) file_taker(&o, r);
    }
    for (size_t i = 0; i < o.buckets.n; i++) VEC_FREE(&o.buckets.v[i]->v);
    VEC_FREE(&o.buckets);
    map_free(&o.by_part);
    map_free(&o.marks);
    map_free(&o.by_condition);
    buf_free(&o.key);
}
