/* Doubts about the actions of one rule: one undoes or hides another, a connector cannot do what the rule demands. */
#include <string.h>

#include "base/ip.h"
#include "compiler/internal.h"

/* What the mail of a recipient is delivered with: of no use where it is not delivered. */
static const char *const of_delivery[] = {
    "require_tls",     "route_via",          "add_header",        "set_header",         "remove_header",
    "prepend_subject", "deliver_after",      "append_disclaimer", "prepend_disclaimer", "set_importance",
    "set_scl",         "set_classification", "remove_attachment", "sign_dkim",
};
static const char *const not_delivered[] = {"reject", "drop", "defer", "disconnect"};
static const char *const inherited_by[] = {"copy", "add_recipient", "redirect"}; /* added recipients take it over */

struct taken {
    const struct ast_action *ast;
    uint32_t index; /* of the action, in the pool */
    const struct action *action;
    const struct action_row *row;
};

bool lint_is_one_of(const struct action_row *row, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(row->name, names[i]) == 0) return true;
    return false;
}

static bool is(const struct taken *t, const char *name) { return strcmp(t->row->name, name) == 0; }

static const struct constant *argument_of(const struct compiler *c, const struct action *a,
                                          const struct action_row *row, const char *param)
{
    for (uint32_t i = 0; i < a->argument_count; i++) {
        const struct argument *g = &c->pool.arguments.v[a->first_argument + i];
        if (g->operand == OPERAND_CONSTANT && strcmp(row->params[g->param].name, param) == 0)
            return &c->pool.constants.v[g->index];
    }
    return NULL;
}

bool lint_same_action(const struct compiler *c, uint32_t a, uint32_t b)
{
    const struct action *x = &c->pool.actions.v[a], *y = &c->pool.actions.v[b];
    if (x->action != y->action || x->argument_count != y->argument_count) return false;
    for (uint32_t i = 0; i < x->argument_count; i++) {
        const struct argument *g = &c->pool.arguments.v[x->first_argument + i],
                              *h = &c->pool.arguments.v[y->first_argument + i];
        if (g->param != h->param || g->operand != h->operand || g->index != h->index) return false;
    }
    return true;
}

/* Both change the same thing: one header field, or what there is one of. */
static bool same_target(const struct compiler *c, const struct taken *a, const struct taken *b)
{
    const struct constant *x = argument_of(c, a->action, a->row, "name"),
                          *y = argument_of(c, b->action, b->row, "name");
    return x && y ? str_eq_nocase(x->text, y->text) : !x && !y;
}

static bool undoes(const struct compiler *c, const struct taken *earlier, const struct taken *later)
{
    if (earlier->row == later->row) return later->row->join == JOIN_LAST && same_target(c, earlier, later);
    bool writes = is(earlier, "set_header") || is(earlier, "add_header");
    return writes && (is(later, "set_header") || is(later, "remove_header")) && same_target(c, earlier, later);
}

static void tell_pair(struct compiler *c, const struct taken *earlier, const struct taken *later)
{
    if (lint_same_action(c, earlier->index, later->index) && !later->row->final) {
        struct diag *d = diag_add(c->d, DIAG_W305, later->ast->span, "the same action is taken twice");
        diag_note(c->d, d, earlier->ast->span, "it is taken here already");
    } else if (undoes(c, earlier, later)) {
        struct diag *d =
            diag_add(c->d, DIAG_W306, later->ast->span, "this undoes what an earlier action of the rule did");
        diag_note(c->d, d, earlier->ast->span, "this is undone");
    }
}

static void tell_final(struct compiler *c, const struct taken *v, size_t n)
{
    const struct taken *final = NULL, *stop = NULL;
    bool handed_on = false;
    for (size_t i = 0; i < n; i++) {
        if (v[i].row->final) final = &v[i];
        if (v[i].row->join == JOIN_STOP) stop = &v[i];
        handed_on = handed_on || LINT_ONE_OF(v[i].row, inherited_by);
    }
    if (!final) return;
    if (stop) {
        struct diag *d = diag_add(c->d, DIAG_W303, stop->ast->span,
                                  "`stop` adds nothing: `%s` ends the judging already", final->row->name);
        diag_note(c->d, d, final->ast->name_span, "the final action");
    }
    for (size_t i = 0; i < n && !handed_on && LINT_ONE_OF(final->row, not_delivered); i++) {
        if (!LINT_ONE_OF(v[i].row, of_delivery)) continue;
        struct diag *d = diag_add(c->d, DIAG_W306, v[i].ast->span, "this has no effect on mail that is not delivered");
        diag_note(c->d, d, final->ast->name_span, "`%s` decides that", final->row->name);
    }
}

/* --- connectors --------------------------------------------------------------------------------------------------- */

static const struct ast_argument *setting(const struct ast_item *connector, const char *name)
{
    for (const struct ast_argument *a = connector->arguments; a && a->next; a = a->next)
        if (a->kind == ARGUMENT_NAME && str_eq(a->name, str_of(name))) return a->next;
    return NULL;
}

/* A connector without TLS meets no demand; DANE is looked up under a host's name (RFC 6698 section 3). */
static void tell_connector(struct compiler *c, const struct taken *route, const struct taken *demand)
{
    const struct constant *name = argument_of(c, route->action, route->row, "connector");
    const struct ast_item *connector = name ? map_get(&c->connectors, name->text) : NULL;
    const struct constant *level = argument_of(c, demand->action, demand->row, "level");
    uint8_t ip[IP_SIZE];
    if (!connector) return;
    const struct ast_argument *tls = setting(connector, "tls"), *host = setting(connector, "host");
    const struct ast_argument *why = NULL;
    if (tls && tls->kind == ARGUMENT_NAME && str_eq(tls->name, STR("none"))) why = tls;
    bool by_address = host && host->kind == ARGUMENT_LITERAL && ip_parse(host->literal->text, ip);
    if (!why && level && str_eq(level->text, STR("dane")) && by_address) why = host;
    if (!why) return;
    struct diag *d = diag_add(c->d, DIAG_E224, route->ast->span, "mail that this connector gets could never leave: %s",
                              why == tls ? "it uses no TLS, and the rule demands it"
                                         : "`dane` needs a host's name, and it leads to an address");
    diag_note(c->d, d, demand->ast->span, "the demand");
    diag_note(c->d, d, why->span, "the connector");
}

void lint_actions(struct compiler *c, const struct checked_rule *r)
{
    struct taken *v = ARENA_ARRAY(c->a, struct taken, r->action_count);
    const struct ast_action *ast = r->item->rule.actions;
    const struct taken *route = NULL, *demand = NULL;
    size_t n = 0;
    for (; ast && n < r->action_count; ast = ast->next, n++) {
        const struct action *a = &c->pool.actions.v[r->first_action + n];
        v[n] = (struct taken){ast, r->first_action + (uint32_t)n, a, &words_rows.actions[a->action]};
        if (is(&v[n], "route_via")) route = &v[n];
        if (is(&v[n], "require_tls")) demand = &v[n];
    }
    for (size_t i = 1; i < n && n <= 64; i++)
        for (size_t k = 0; k < i; k++) tell_pair(c, &v[k], &v[i]);
    tell_final(c, v, n);
    if (route && demand) tell_connector(c, route, demand);
}
