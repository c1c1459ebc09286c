#include "compiler/internal.h"

#include "base/limits.h"
#include "mail/header_emit.h"
#include "mail/status.h"

/* The rows that have rules of their own. */
enum {
#define ACTION(id, name, join, guard, final, params, doc, example) ROW_##id,
#define PARAM(action, id, index, name, type, words, positional, required, templated, many)
#include "stdlib/actions.def"
#undef ACTION
#undef PARAM
    ROWS
};
enum {
#define ACTION(id, name, join, guard, final, params, doc, example)
#define PARAM(action, id, index, name, type, words, positional, required, templated, many)                             \
    PARAM_##action##_##id = index,
#include "stdlib/actions.def"
#undef ACTION
#undef PARAM
    PARAMS_END = 255
};

static bool check_headers(struct compiler *c, const struct action_row *row, const struct bound *b)
{
    for (size_t i = 0; i < row->param_count; i++) {
        if (row->params[i].type != TYPE_TEXT || !str_eq(str_of(row->params[i].words), STR("header"))) continue;
        if (!b[i].value || !header_name_is_protected(b[i].constant.text)) continue;
        diag_add(c->d, DIAG_E226, b[i].value->span, "a rule may not touch `%.*s`", STR_ARG(b[i].constant.text));
        return false;
    }
    return true;
}

/* Code and status of reject and defer: of one class (RFC 2034 section 4), and of the action's own. */
static bool check_reply(struct compiler *c, const struct action_row *row, int class, const struct bound *code,
                        const struct bound *status)
{
    struct status s;
    bool ok = true;
    if (code->value) {
        int64_t n = code->constant.number;
        if (n / 100 != class || n == 421) {
            diag_add(c->d, DIAG_E225, code->span,
                     n == 421     ? "`%s` cannot answer 421, which ends the session"
                     : class == 5 ? "`%s` answers 500 to 599"
                                  : "`%s` answers 400 to 499",
                     row->name);
            ok = false;
        }
    }
    if (status->value && status_parse(status->constant.text, &s) && s.class != class) {
        struct diag *d = diag_add(c->d, DIAG_E225, status->span, "the status of `%s` begins with %d", row->name, class);
        diag_fix(c->d, d, "", "status \"%d.%u.%u\"", class, s.subject, s.detail);
        ok = false;
    }
    return ok;
}

static bool check_action(struct compiler *c, uint32_t id, struct span at, const struct bound *b)
{
    const struct action_row *row = &words_rows.actions[id];
    bool ok = check_headers(c, row, b);
    if (id == ROW_REJECT) ok = check_reply(c, row, 5, &b[PARAM_REJECT_CODE], &b[PARAM_REJECT_STATUS]) && ok;
    if (id == ROW_DELIVER_AFTER && b[PARAM_DELIVER_AFTER_DELAY].value &&
        b[PARAM_DELIVER_AFTER_DELAY].constant.number > LIMIT_DELIVER_AFTER) {
        diag_add(c->d, DIAG_E219, b[PARAM_DELIVER_AFTER_DELAY].value->span, "mail can be kept for 30 days at most");
        ok = false;
    }
    if (id == ROW_DELIVER_AFTER && !b[PARAM_DELIVER_AFTER_DELAY].value && !b[PARAM_DELIVER_AFTER_TIME].value) {
        struct diag *d = diag_add(c->d, DIAG_E218, at, "`deliver_after` needs to know how long");
        diag_fix(c->d, d, "for a while:", "deliver_after 2 hours");
        diag_fix(c->d, d, "until a time of day:", "deliver_after 18:00");
        ok = false;
    }
    if (id == ROW_DEFER) ok = check_reply(c, row, 4, &b[PARAM_DEFER_CODE], &b[PARAM_DEFER_STATUS]) && ok;
    return ok;
}

static void tell_unknown(struct compiler *c, const struct ast_action *a)
{
    struct str names[ROWS];
    for (size_t i = 0; i < ROWS; i++) names[i] = str_of(words_rows.actions[i].name);
    struct diag *d = diag_add(c->d, DIAG_E205, a->name_span, "there is no action `%.*s`", STR_ARG(a->name));
    struct str joined = STR_NONE; /* `require tls` */
    if (a->arguments && a->arguments->kind == ARGUMENT_NAME)
        joined = arena_printf(c->a, "%.*s_%.*s", STR_ARG(a->name), STR_ARG(a->arguments->name));
    if (words_find_action(joined) == WORDS_NONE) names_help(c, d, a->name, names, ROWS);
    else diag_fix(c->d, d, "with `_` between its parts:", "%.*s", STR_ARG(joined));
}

static void warn_final(struct compiler *c, const struct ast_action *a, uint32_t id, const struct rule_options *o,
                       const struct ir *condition)
{
    if (!words_rows.actions[id].final || !condition) return;
    if (condition->content && !o->set[OPTION_ON_UNREADABLE]) {
        struct diag *d =
            diag_add(c->d, DIAG_W311, a->name_span,
                     "`%.*s` decides on content and does not say what happens when the content cannot be read",
                     STR_ARG(a->name));
        diag_fix(c->d, d, "keep such mail back:", "on_unreadable hold");
        diag_fix(c->d, d, "let it pass:", "on_unreadable skip");
    }
    if ((id == ROW_DEFER || id == ROW_DISCONNECT) && condition->recipients) {
        struct diag *d = diag_add(c->d, DIAG_W312, a->name_span,
                                  id == ROW_DEFER ? "one deferred recipient defers the message for all"
                                                  : "the session ends for all recipients, not for these only");
        diag_fix(c->d, d, "for these recipients only:", "hold");
    }
}

bool actions_check(struct compiler *c, const struct ast_rule *rule, const struct rule_options *o,
                   const struct ir *condition, uint32_t *first, uint32_t *count)
{
    const struct ast_action *final = NULL;
    bool ok = true;
    *first = (uint32_t)c->pool.actions.n;
    for (const struct ast_action *a = rule->actions; a; a = a->next) {
        uint32_t id = words_find_action(a->name);
        if (id == WORDS_NONE) {
            tell_unknown(c, a);
            ok = false;
            continue;
        }
        const struct action_row *row = &words_rows.actions[id];
        struct argument_rows rows = {.what = arena_printf(c->a, "`%s`", row->name).p,
                                     .params = row->params,
                                     .n = row->param_count,
                                     .action = true,
                                     .example = row->example};
        struct bound bound[ACTION_PARAMS_MAX];
        if (row->final && final) {
            struct diag *d =
                diag_add(c->d, DIAG_E222, a->name_span, "`%s` is the second final decision of this rule", row->name);
            diag_note(c->d, d, final->name_span, "the first is here");
            ok = false;
        }
        if (row->final && !final) final = a;
        if (!arguments_bind(c, &rows, a->name_span, a->arguments, bound) || !check_action(c, id, a->name_span, bound)) {
            ok = false;
            continue;
        }
        if (row->needs) names_warn_needs(c, a->name_span, row->name, row->needs);
        warn_final(c, a, id, o, condition);
        struct action out = {.action = id, .origin = load_origin(c, a->span)};
        arguments_record(c, bound, row->param_count, &out.first_argument, &out.argument_count);
        VEC_PUSH(&c->pool.actions, out);
    }
    *count = (uint32_t)c->pool.actions.n - *first;
    return ok;
}
