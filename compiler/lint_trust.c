/* An exemption that rests alone on what the sender writes: whoever wants to be exempt writes it too.
 *
 * An exemption is an `unless` of a rule that decides or protects, and the condition of a rule that takes mail out of
 * the judging (`stop`) when a later one decides or protects.  It rests on the sender alone when some alternative of it
 * asks for nothing else. */
#include "compiler/prove.h"

static bool is_vouched(const struct compiler *c, const struct ir *x)
{
    const struct test *t = &c->pool.tests.v[x->index];
    if (!element_known(c->pool.field_refs.v[t->field].field)->authored) return true;
    return t->operand == OPERAND_FIELD && !element_known(c->pool.field_refs.v[t->a].field)->authored;
}

/* A test that everybody can fulfil by writing; NULL: some other fact is asked for too.  `holds`: as claimed. */
static const struct ir *open_to_all(const struct compiler *c, const struct ir *x, bool holds)
{
    const struct ir *left, *right;
    bool both;
    switch (x->kind) {
    case IR_ALWAYS: return NULL;
    case IR_NOT: return open_to_all(c, x->left, !holds);
    case IR_TEST: return is_vouched(c, x) ? NULL : x;
    case IR_LOOP: return element_known(c->pool.field_refs.v[x->index].field)->authored ? x : NULL;
    case IR_AND:
    case IR_OR: break;
    }
    both = (x->kind == IR_AND) == holds;
    left = open_to_all(c, x->left, holds);
    right = open_to_all(c, x->right, holds);
    if (both) return left && right ? left : NULL;
    return left ? left : right;
}

/* A rule that concerns clients of ours only: they answer for what they write. */
static bool concerns_ours(const struct compiler *c, const struct ir *x)
{
    if (x->kind == IR_AND) return concerns_ours(c, x->left) || concerns_ours(c, x->right);
    if (x->kind == IR_OR) return concerns_ours(c, x->left) && concerns_ours(c, x->right);
    if (x->kind != IR_TEST) return false;
    const struct test *t = &c->pool.tests.v[x->index];
    struct str name = str_of(words_rows.fields[c->pool.field_refs.v[t->field].field].name);
    if (t->negated) return false;
    if (str_eq(name, STR("authenticated")) || str_eq(name, STR("client.ip"))) return true;
    if (!str_eq(name, STR("sender.scope")) && !str_eq(name, STR("direction"))) return false;
    if (t->operand != OPERAND_CONSTANT) return false;
    struct str word = c->pool.constants.v[t->a].text;
    return str_eq(word, STR("inside")) || str_eq(word, STR("outbound")) || str_eq(word, STR("internal"));
}

static void tell(struct compiler *c, const struct ir *x, const char *what)
{
    struct diag *d =
        diag_add(c->d, DIAG_W313, x->at, "%s rests on what the sender writes, and anybody can write it", what);
    struct str text = str_slice(c->d->sources->list.v[x->at.source]->text, x->at.from, x->at.to);
    if (text.n > 90 || str_find_byte(text, '\n') != STR_NPOS) text = STR("…");
    diag_fix(c->d, d, "from clients that proved who they are:", "authenticated and %.*s", STR_ARG(text));
}

bool lint_guards(const struct compiler *c, const struct checked_rule *r)
{
    bool guards = false;
    for (uint32_t i = 0; i < r->action_count; i++) {
        const struct action_row *row = &words_rows.actions[c->pool.actions.v[r->first_action + i].action];
        guards = guards || row->final || row->guard == GUARD_PROTECTS;
    }
    return guards && r->rule.mode == MODE_ENFORCE;
}

void lint_trust(struct compiler *c, const struct checked_rule *r, bool guarded_later)
{
    if (r->rule.mode != MODE_ENFORCE || concerns_ours(c, r->when)) return;
    bool guards = lint_guards(c, r), stops = false;
    for (uint32_t i = 0; i < r->action_count; i++)
        stops = stops || words_rows.actions[c->pool.actions.v[r->first_action + i].action].join == JOIN_STOP;
    for (uint32_t i = 0; guards && i < r->unless_count; i++) {
        const struct ir *x = open_to_all(c, r->unless[i], true);
        if (x) tell(c, x, "this exemption");
    }
    const struct ir *x = stops && !guards && guarded_later ? open_to_all(c, r->condition, true) : NULL;
    if (x) tell(c, x, "an exemption from the rules after this one");
}
