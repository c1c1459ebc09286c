#include "compiler/internal.h"

#include <string.h>

enum {
#define DECLARATION(id, name, named, once, settings, doc, example) ROW_##id,
#define SETTING(declaration, id, index, name, type, words, positional, required, many, value, doc)
#include "stdlib/declarations.def"
#undef DECLARATION
#undef SETTING
    ROWS
};
enum {
#define DECLARATION(id, name, named, once, settings, doc, example)
#define SETTING(declaration, id, index, name, type, words, positional, required, many, value, doc)                     \
    SETTING_##declaration##_##id = index,
#include "stdlib/declarations.def"
#undef DECLARATION
#undef SETTING
    SETTINGS_END = 255
};

static bool tell(struct compiler *c, const struct bound *b, const char *what)
{
    diag_add(c->d, DIAG_E229, b->span, "%s", what);
    return false;
}

static bool is_one_line(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f) return false;
    return true;
}

static bool check_listener(struct compiler *c, const struct bound *b, struct span at)
{
    static const uint8_t counts[] = {SETTING_LISTENER_SESSIONS,        SETTING_LISTENER_CLIENT_SESSIONS,
                                     SETTING_LISTENER_CLIENT_CONNECTS, SETTING_LISTENER_CLIENT_MESSAGES,
                                     SETTING_LISTENER_CLIENT_RECIPIENTS, SETTING_LISTENER_LEAST_RATE};
    const struct bound *certificate = &b[SETTING_LISTENER_CERTIFICATE], *key = &b[SETTING_LISTENER_KEY];
    const struct bound *tls = &b[SETTING_LISTENER_TLS], *patience = &b[SETTING_LISTENER_PATIENCE],
                       *auth = &b[SETTING_LISTENER_AUTH];
    for (size_t i = 0; i < sizeof counts; i++)
        if (b[counts[i]].value && (b[counts[i]].constant.number < 0 || b[counts[i]].constant.number > UINT32_MAX))
            return tell(c, &b[counts[i]], "a limit is a number from 0 (none) to 4294967295");
    if (patience->value && patience->constant.number < 1) return tell(c, patience, "a client has at least 1 second");
    if (!certificate->value && tls->value && !str_eq(tls->constant.text, STR("offered")))
        return tell(c, tls, "TLS needs a `certificate` and its `key`");
    if (!certificate->value && auth->value && !str_eq(auth->constant.text, STR("off")))
        return tell(c, auth, "passwords go inside TLS only, which needs a `certificate` and its `key`");
    if (!certificate->value == !key->value) return true;
    diag_add(c->d, DIAG_E229,
             certificate->value ? certificate->span
             : key->value       ? key->span
                                : at,
             certificate->value ? "a certificate needs its `key`" : "a key needs its `certificate`");
    return false;
}

/* A password goes to one who is named beforehand and proves it. */
static bool check_login(struct compiler *c, const struct bound *b)
{
    const struct bound *user = &b[SETTING_CONNECTOR_USER], *file = &b[SETTING_CONNECTOR_PASSWORD_FILE],
                       *tls = &b[SETTING_CONNECTOR_TLS];
    if (!user->value && file->value) return tell(c, file, "whose password is it? `password_file` needs its `user`");
    if (!user->value) return true;
    if (!user->constant.text.n || user->constant.text.n > 255 || !is_one_line(user->constant.text))
        return tell(c, user, "a user's name has 1 to 255 bytes, and no control characters");
    if (!file->value) return tell(c, user, "the password of `user` is read from a file: `password_file` is missing");
    if (!b[SETTING_CONNECTOR_HOST].value)
        return tell(c, user, "a password is for a `host` that is named, not for whoever takes a domain's mail");
    if (tls->value && !str_eq(tls->constant.text, STR("verified")))
        return tell(c, tls, "a password leaves over verified TLS only: say `tls verified`, or nothing");
    return true;
}

static bool check_connector(struct compiler *c, const struct bound *b)
{
    const struct bound *port = &b[SETTING_CONNECTOR_PORT], *tls = &b[SETTING_CONNECTOR_TLS];
    if (port->value && (port->constant.number < 1 || port->constant.number > 65535)) {
        return tell(c, port, "a port is a number from 1 to 65535");
    }
    /* Any other connector may carry mail whose rule demands a verified peer. */
    if (b[SETTING_CONNECTOR_NAME].value && tls->value && str_eq(tls->constant.text, STR("none"))) {
        return tell(c, &b[SETTING_CONNECTOR_NAME], "`name` is held against a certificate, which `tls none` never sees");
    }
    return check_login(c, b);
}

/* Defaults of stdlib/declarations.def take part: 1 minute, 1 hour, 5 days. */
static bool check_retry(struct compiler *c, const struct bound *b)
{
    const struct bound *first = &b[SETTING_RETRY_FIRST], *longest = &b[SETTING_RETRY_LONGEST],
                       *until = &b[SETTING_RETRY_UNTIL];
    if (first->value && first->constant.number < 1) return tell(c, first, "the first pause lasts at least 1 second");
    if (until->value && until->constant.number < 1) return tell(c, until, "mail is kept for at least 1 second");
    if (longest->value && longest->constant.number < 1)
        return tell(c, longest, "the longest pause lasts at least 1 second");
    if (first->value && longest->value && first->constant.number > longest->constant.number) {
        return tell(c, longest, "the longest pause is shorter than the first");
    }
    if (first->value && until->value && first->constant.number > until->constant.number) {
        return tell(c, until, "the mail would be returned before it is tried again");
    }
    return true;
}

static bool check_relay(struct compiler *c, const struct bound *b)
{
    const struct bound *judges = &b[SETTING_RELAY_JUDGES], *memory = &b[SETTING_RELAY_MEMORY];
    const struct bound *largest = &b[SETTING_RELAY_MESSAGE_SIZE];
    if (judges->value && judges->constant.number > 256) return tell(c, judges, "there can be at most 256 judges");
    if (memory->value && memory->constant.number < 16 << 20)
        return tell(c, memory, "less than 16 MB of memory is too little to relay mail");
    if (largest->value && largest->constant.number < 64 << 10) {
        return tell(c, largest, "RFC 5321 demands that messages of 64 KB are taken");
    }
    return true;
}

static bool check_detector(struct compiler *c, const struct bound *b)
{
    const struct bound *near = &b[SETTING_DETECTOR_NEAR], *within = &b[SETTING_DETECTOR_WITHIN];
    const struct bound *gives = &b[SETTING_DETECTOR_GIVES], *alone = &b[SETTING_DETECTOR_CONFIDENCE];
    if (!near->value && within->value)
        return tell(c, within, "`within` says how near the words of `near` are, and there are none");
    if (!near->value && gives->value)
        return tell(c, gives, "`gives` says what the words of `near` give, and there are none");
    if (gives->value && alone->value && gives->constant.number < alone->constant.number)
        return tell(c, gives, "words nearby would make it less sure than it is without them");
    return true;
}

static bool check_meaning(struct compiler *c, uint32_t id, const struct bound *b, struct span at)
{
    switch (id) {
    case ROW_RELAY: return check_relay(c, b);
    case ROW_LISTENER: return check_listener(c, b, at);
    case ROW_CONNECTOR: return check_connector(c, b);
    case ROW_RETRY: return check_retry(c, b);
    case ROW_DETECTOR: return check_detector(c, b);
    default: return true;
    }
}

static bool take_name(struct compiler *c, const struct declaration_row *row, const struct ast_item *item,
                      const struct ast_argument **rest, struct str *name)
{
    const struct ast_argument *first = item->arguments;
    if (!first || first->kind != ARGUMENT_LITERAL || first->literal->kind != LITERAL_TEXT || !first->literal->text.n) {
        struct diag *d = diag_add(c->d, DIAG_E218, item->name_span, "`%s` needs a name behind it", row->name);
        diag_fix(c->d, d, "", "%s", row->example);
        return false;
    }
    *name = first->literal->text;
    *rest = first->next;
    if (!is_one_line(*name)) {
        diag_add(c->d, DIAG_E219, first->span, "a name holds no control characters");
        return false;
    }
    if (vocabulary_is_detector(row) && !detectors_check_name(c, *name, first->span)) return false;
    struct str key = arena_printf(c->a, "%s %.*s", row->name, STR_ARG(*name));
    const struct ast_item *other = map_put(&c->declared, key, (void *)item);
    if (!other) return true;
    struct diag *d = diag_add(c->d, DIAG_E201, first->span, "another `%s` is named `%.*s`", row->name, STR_ARG(*name));
    diag_note(c->d, d, other->span, "it is here");
    return false;
}

/* Of a declaration, when they stand on one line. */
static struct str arguments_as_written(struct compiler *c, const struct ast_item *item)
{
    const struct ast_argument *first = item->arguments, *last = first;
    if (!first) return STR_NONE;
    while (last->next) last = last->next;
    struct str s = str_slice(c->d->sources->list.v[first->span.source]->text, first->span.from, last->span.to);
    return str_find_byte(s, '\n') == STR_NPOS ? s : STR_NONE;
}

/* Whether some setting is given in both. */
static bool say_the_same(const struct ast_item *x, const struct ast_item *y)
{
    for (const struct ast_argument *a = x->arguments; a; a = a->next)
        for (const struct ast_argument *b = y->arguments; b; b = b->next)
            if (a->kind == ARGUMENT_NAME && b->kind == ARGUMENT_NAME && str_eq(a->name, b->name)) return true;
    return false;
}

void declarations_check_item(struct compiler *c, const struct ast_item *item)
{
    uint32_t id = words_find_declaration(item->name);
    if (id == WORDS_NONE) return; /* the grammar asked words_is_declaration */
    const struct declaration_row *row = &words_rows.declarations[id];
    const struct ast_argument *rest = item->arguments;
    struct declaration out = {.declaration = id};
    struct str name = STR_NONE;
    if (row->named && !take_name(c, row, item, &rest, &name)) return;
    if (row->once) {
        const struct ast_item *other = map_put(&c->declared, str_of(row->name), (void *)item);
        if (other) {
            struct diag *d = diag_add(c->d, DIAG_E201, item->name_span, "`%s` is declared twice", row->name);
            diag_note(c->d, d, other->name_span, "it is here already");
            struct str first = arguments_as_written(c, other), more = arguments_as_written(c, item);
            if (first.n && more.n && first.n + more.n <= 100 && !say_the_same(other, item))
                diag_fix(c->d, d, "one says it all:", "%s %.*s %.*s", row->name, STR_ARG(first), STR_ARG(more));
            return;
        }
    }
    struct argument_rows rows = {.what = arena_printf(c->a, "`%s`", row->name).p,
                                 .params = row->params,
                                 .n = row->param_count,
                                 .example = row->example};
    struct bound bound[DECLARATION_PARAMS_MAX];
    if (!arguments_bind(c, &rows, item->name_span, rest, bound) || !check_meaning(c, id, bound, item->name_span))
        return;
    out.name = pool_text(&c->pool, name);
    out.origin = load_origin(c, item->span);
    arguments_record(c, bound, row->param_count, &out.first_argument, &out.argument_count);
    if (vocabulary_is_detector(row)) detectors_declare(c, out.name, (uint32_t)c->pool.declarations.n);
    VEC_PUSH(&c->pool.declarations, out);
}

static bool is_detector(const struct ast_item *item)
{
    uint32_t id = words_find_declaration(item->name);
    return id != WORDS_NONE && vocabulary_is_detector(&words_rows.declarations[id]);
}

static void check_those(struct compiler *c, bool detectors)
{
    for (size_t i = 0; i < c->items.n; i++) {
        const struct ast_item *item = c->items.v[i].item;
        if (item->kind == ITEM_DECLARATION && is_detector(item) == detectors) declarations_check_item(c, item);
    }
}

void detectors_check(struct compiler *c) { check_those(c, true); }
void declarations_check(struct compiler *c) { check_those(c, false); }
