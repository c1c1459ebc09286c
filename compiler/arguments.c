#include "compiler/internal.h"

#include <string.h>

#include "base/ip.h"
#include "mail/address.h"
#include "mail/domain.h"
#include "mail/header_emit.h"
#include "mail/status.h"
#include "pattern/pattern.h"

/* --- forms of text parameters --- */

/* Each answers NULL, or why the text is not of the form (one clause). */
static const char *form_plain(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char b = (unsigned char)s.p[i];
        if (b < 0x20 || b == 0x7f) return "may hold no line end or other control character";
    }
    return s.n ? NULL : "is empty";
}
static const char *form_reply(struct str s)
{
    const char *why = form_plain(s);
    if (why) return why;
    if (!str_is_ascii(s)) return "goes into an SMTP reply, which is ASCII only";
    return s.n > COMPILER_REPLY_TEXT_MAX ? "is too long for one line of an SMTP reply (400 characters)" : NULL;
}
/* Notices and disclaimers have lines; nothing else of them moves a terminal or a reader. */
static const char *form_lines(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char b = (unsigned char)s.p[i];
        if ((b < 0x20 && b != '\n' && b != '\t') || b == 0x7f) return "may hold no control character but line ends";
    }
    return s.n ? NULL : "is empty";
}
static const char *form_needle(struct str s)
{
    const char *why = form_plain(s);
    return why ? why : value_needle_fault(s, true) ? "is nothing that can be searched for" : NULL;
}
static const char *form_header(struct str s) { return header_name_is_valid(s) ? NULL : "is no name of a header field"; }
static const char *form_status(struct str s)
{
    struct status x;
    return status_parse(s, &x) ? NULL : "is no enhanced status code such as \"5.7.1\" (RFC 3463)";
}
static const char *form_path(struct str s) { return str_find_byte(s, '\0') == STR_NPOS ? form_plain(s) : "is no path"; }
static const char *form_host(struct str s)
{
    uint8_t ip[IP_SIZE];
    return domain_is_valid(s, true) || ip_parse(s, ip) ? NULL : "is neither a host name nor an address";
}
static const char *form_hosts(struct str s)
{
    struct str one;
    for (bool more = true; more;) {
        more = str_cut(s, ',', &one, &s);
        if (form_host(str_trim(one))) return "is neither a host name nor an address, nor several with commas between";
    }
    return NULL;
}
static const char *form_resolver(struct str s)
{
    uint8_t ip[IP_SIZE];
    uint64_t port;
    struct str address, number;
    bool has_port = str_cut(s, '@', &address, &number);
    if (!ip_parse(address, ip)) return "needs the IP address of a name server: \"127.0.0.1\", \"127.0.0.1@5353\"";
    return has_port && (!str_to_u64(number, &port) || port < 1 || port > 65535) ? "needs a port from 1 to 65535" : NULL;
}
static const char *form_endpoint(struct str s)
{
    uint8_t ip[IP_SIZE];
    uint64_t port;
    size_t colon = str_rfind_byte(s, ':');
    if (colon == STR_NPOS) return "needs an address and a port: \"127.0.0.1:25\", \"[::1]:25\"";
    struct str host = str_slice(s, 0, colon);
    bool bracketed = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
    if (bracketed) host = str_slice(host, 1, host.n - 1);
    if (!ip_parse(host, ip)) return "needs an IP address before its port: \"127.0.0.1:25\", \"[::1]:25\"";
    if (bracketed == ip_is_v4(ip))
        return bracketed ? "has brackets, which only IPv6 addresses have" : "is IPv6, whose address stands in brackets";
    if (!str_to_u64(str_from(s, colon + 1), &port) || port < 1 || port > 65535) return "needs a port from 1 to 65535";
    return NULL;
}
static const struct {
    const char *name;
    const char *(*fault)(struct str);
} forms[] = {
    {"", form_plain},        {"reply", form_reply}, {"header", form_header},     {"status", form_status},
    {"path", form_path},     {"host", form_host},   {"endpoint", form_endpoint}, {"lines", form_lines},
    {"hosts", form_hosts},   {"resolver", form_resolver},
    {"needle", form_needle}, {"html", form_lines},
};

static const char *form_fault(const char *form, struct str s)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (strcmp(forms[i].name, form) == 0) return forms[i].fault(s);
    }
    INVARIANT(!"every form of the tables is known here");
    return NULL;
}

/* --- templates: {subject}, {sender}, {rule}; {{ is a brace --- */

static const struct str template_names[] = {{"subject", 7}, {"sender", 6}, {"rule", 4}};
enum { TEMPLATE_NAMES = sizeof template_names / sizeof *template_names };

static bool check_template(struct compiler *c, struct str s, struct span at)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '{') continue;
        if (i + 1 < s.n && s.p[i + 1] == '{') {
            i++;
            continue;
        }
        struct str rest = str_from(s, i + 1);
        size_t close = str_find_byte(rest, '}');
        if (close == STR_NPOS) {
            struct diag *d = diag_add(c->d, DIAG_E227, at, "`{` begins the name of a value, and no `}` ends it");
            diag_fix(c->d, d, "a brace itself is written", "{{");
            return false;
        }
        struct str name = str_slice(rest, 0, close);
        bool known = false;
        for (size_t k = 0; k < TEMPLATE_NAMES; k++) known |= str_eq(name, template_names[k]);
        if (!known) {
            struct diag *d = diag_add(c->d, DIAG_E227, at, "there is no value `{%.*s}`", STR_ARG(name));
            struct str near = suggest_nearest(name, template_names, TEMPLATE_NAMES);
            if (near.n)
                diag_fix(c->d, d, "did you mean:", "{%.*s}", STR_ARG(near));
            else
                diag_fix(c->d, d, "there are:", "{subject}, {sender}, {rule}, and {{ for a brace");
            return false;
        }
        i += close + 1;
    }
    return true;
}

/* --- one value --- */

static bool tell_kind(struct compiler *c, const struct param_row *p, struct span at, const char *wanted)
{
    diag_add(c->d, DIAG_E219, at, "`%s` takes %s", p->name, wanted);
    return false;
}

/* `require_tls "1.3"`: a word of a place that is named. */
static void help_other_place(struct compiler *c, struct diag *d, const struct argument_rows *rows,
                             const struct ast_argument *a, struct str word)
{
    for (size_t i = 0; i < rows->n; i++) {
        const struct param_row *p = &rows->params[i];
        bool quoted = a->kind == ARGUMENT_LITERAL;
        if (p->type != TYPE_WORD || p->positional || !vocabulary_has_word(p->words, word)) continue;
        diag_fix(c->d, d, "did you mean:", quoted ? "%s \"%.*s\"" : "%s %.*s", p->name, STR_ARG(word));
    }
}

static bool word_value(struct compiler *c, const struct argument_rows *rows, const struct param_row *p,
                       const struct ast_argument *a, struct constant *out)
{
    bool quoted = a->kind == ARGUMENT_LITERAL && a->literal->kind == LITERAL_TEXT;
    struct str word = a->kind == ARGUMENT_NAME ? a->name : quoted ? a->literal->text : STR_NONE;
    bool known = vocabulary_has_word(p->words, word);
    bool bare = word.n && ascii_is_alpha(word.p[0]); /* "1.2" cannot be written bare */
    if (known && quoted != bare) {
        *out = (struct constant){.type = TYPE_WORD, .text = word};
        return true;
    }
    struct diag *d = diag_add(c->d, DIAG_E219, a->span, "`%s` takes one of its words", p->name);
    diag_fix(c->d, d,
             !known   ? "its words are:"
             : quoted ? "without quotes:"
                      : "in quotes:",
             "%.*s", STR_ARG(known ? word : str_of(p->words)));
    if (!known) help_other_place(c, d, rows, a, word);
    return false;
}

static bool name_value(struct compiler *c, const struct param_row *p, const struct ast_argument *a,
                       struct constant *out)
{
    *out = (struct constant){.type = TYPE_NAME};
    if (strcmp(p->words, "connector") == 0) {
        if (a->kind != ARGUMENT_LITERAL || a->literal->kind != LITERAL_TEXT) {
            return tell_kind(c, p, a->span, "the name of a connector in quotes");
        }
        out->text = a->literal->text;
        if (!c->connectors.n || map_has(&c->connectors, out->text)) return true;
        struct diag *d = diag_add(c->d, DIAG_E223, a->span, "no connector is named `%.*s`", STR_ARG(out->text));
        struct str known[64];
        size_t n = 0;
        for (; n < c->connectors.n && n < 64; n++) known[n] = c->connectors.entries[n].key;
        struct str near = suggest_nearest(out->text, known, n);
        if (near.n) diag_fix(c->d, d, "did you mean:", "\"%.*s\"", STR_ARG(near));
        return false;
    }
    struct str want = str_from(str_of(p->words), strlen("list:"));
    if (a->kind != ARGUMENT_NAME) {
        struct diag *d =
            diag_add(c->d, DIAG_E219, a->span, "`%s` takes the name of a list of %.*s", p->name, STR_ARG(want));
        diag_fix(c->d, d, "declare one:", "list NAME of %.*s = …", STR_ARG(want));
        return false;
    }
    struct name *n = names_list(c, a->name, a->span);
    enum value_type type;
    if (!n) return false;
    if (lists_type(want, &type) && n->type != type) {
        struct diag *d = diag_add(c->d, DIAG_E219, a->span, "`%s` takes a list of %.*s, and `%.*s` is one of %.*s",
                                  p->name, STR_ARG(want), STR_ARG(n->name), STR_ARG(n->item->element_type));
        diag_note(c->d, d, n->at, "it is here");
        return false;
    }
    if (!lists_are_written(c, n, a->span, NULL)) return false;
    out->text = n->name;
    return true;
}

/* Recorded as a text, its flags inside: it is looked for in folded text, where case is gone. */
static bool pattern_value(struct compiler *c, const struct param_row *p, const struct ast_argument *a,
                          struct constant *out)
{
    struct pattern_source s;
    if (a->kind != ARGUMENT_LITERAL || a->literal->kind != LITERAL_REGEX)
        return tell_kind(c, p, a->span, "a pattern between slashes: /like this/");
    if (!value_pattern(c, a->literal, &s)) return false;
    char flags[8];
    size_t n = 0;
    if (s.flags & PATTERN_S) flags[n++] = 's';
    if (s.flags & PATTERN_M) flags[n++] = 'm';
    if (s.flags & PATTERN_X) flags[n++] = 'x';
    struct str text = n ? arena_printf(c->a, "(?%.*s)%.*s", (int)n, flags, STR_ARG(s.text)) : s.text;
    *out = (struct constant){.type = TYPE_TEXT, .text = text};
    return true;
}

static bool text_value(struct compiler *c, const struct param_row *p, const struct ast_argument *a,
                       struct constant *out)
{
    if (strcmp(p->words, "pattern") == 0) return pattern_value(c, p, a, out);
    if (a->kind != ARGUMENT_LITERAL || a->literal->kind != LITERAL_TEXT)
        return tell_kind(c, p, a->span, "a text in quotes");
    const char *why = form_fault(p->words, a->literal->text);
    if (why) {
        struct diag *d = diag_add(c->d, DIAG_E219, a->span, "this text %s", why);
        struct str name, value;
        if (strcmp(p->words, "header") == 0 && str_cut(a->literal->text, ':', &name, &value) &&
            header_name_is_valid(name) && value.n <= 80)
            diag_fix(c->d, d, "the name alone:", str_trim(value).n ? "\"%.*s\" \"%.*s\"" : "\"%.*s\"", STR_ARG(name),
                     STR_ARG(str_trim(value)));
        uint64_t port;
        if (strcmp(p->words, "hosts") == 0 && str_cut(a->literal->text, ':', &name, &value) && !form_host(name) &&
            str_to_u64(value, &port) && port <= 65535)
            diag_fix(c->d, d, "the port by itself:", "\"%.*s\" port %.*s", STR_ARG(name), STR_ARG(value));
        return false;
    }
    *out = (struct constant){.type = TYPE_TEXT, .text = a->literal->text};
    return !p->template || check_template(c, out->text, a->span);
}

/* An address that a field gives: of the message, or of each recipient.  Those of the header can be several. */
static bool field_value(struct compiler *c, const struct param_row *p, const struct ast_argument *a, uint32_t *ref)
{
    struct ast_field field = {.name = a->name, .span = a->span, .name_span = a->span};
    struct field_use use;
    if (!check_field(c, &field, NULL, &use)) return false;
    if (use.word.type != TYPE_ADDRESS || use.row->of == FACT_ELEMENT) {
        struct diag *d =
            diag_add(c->d, DIAG_E219, a->span, "`%s` takes an address, which `%.*s` is not", p->name, STR_ARG(a->name));
        diag_fix(c->d, d, "fields that are:", "sender, sender.manager, recipient, recipient.manager");
        return false;
    }
    *ref = use.ref;
    return true;
}

static bool convert(struct compiler *c, const struct argument_rows *rows, const struct param_row *p,
                    const struct ast_argument *a, struct constant *out)
{
    switch (p->type) {
    case TYPE_WORD: return word_value(c, rows, p, a, out);
    case TYPE_NAME: return name_value(c, p, a, out);
    case TYPE_TEXT: return text_value(c, p, a, out);
    default: break;
    }
    struct str of = arena_printf(c->a, "`%s`", p->name);
    if (a->kind != ARGUMENT_LITERAL) return tell_kind(c, p, a->span, value_type_phrases[p->type]);
    if (p->type == TYPE_ADDRESS) {
        bool whole = a->literal->kind == LITERAL_TEXT && !value_parse(c, TYPE_ADDRESS, a->literal->text, out) &&
                     out->text.p[0] != '@';
        if (!whole) return tell_kind(c, p, a->span, "one whole address in quotes: \"a@b.example\"");
        /* Mail goes to the local part as written: what case means there is the receiving host's affair (RFC 5321
         * section 2.4).  The domain is in its compared form, which every host can read. */
        out->text = arena_printf(c->a, "%.*s@%.*s", STR_ARG(address_local(a->literal->text)),
                                 STR_ARG(address_domain(out->text)));
        return true;
    }
    if (!value_literal(c, a->literal, p->type, of, out)) return false;
    int64_t least, most;
    vocabulary_range(p->type == TYPE_NUMBER ? p->words : "", &least, &most);
    bool measure = p->type == TYPE_SIZE || p->type == TYPE_DURATION || p->type == TYPE_NUMBER;
    if (!measure || (out->number >= least && out->number <= most)) return true;
    if (most == INT64_MAX) return tell_kind(c, p, a->span, "nothing below zero");
    diag_add(c->d, DIAG_E219, a->span, "`%s` takes a number from %lld to %lld", p->name, (long long)least,
             (long long)most);
    return false;
}

/* (a, b): each entry one value. */
static bool convert_group(struct compiler *c, const struct argument_rows *rows, const struct param_row *p,
                          struct bound *b)
{
    size_t n = 0;
    for (const struct ast_entry *e = b->value->entries; e; e = e->next) n++;
    b->many = ARENA_ARRAY(c->a, struct constant, n);
    for (const struct ast_entry *e = b->value->entries; e; e = e->next) {
        if (!e->arguments || e->arguments->next) return tell_kind(c, p, e->span, "one word between two commas");
        if (!convert(c, rows, p, e->arguments, &b->many[b->count++])) return false;
    }
    b->constant = b->many[0];
    return true;
}

/* `copy to ("a@b.example", "c@b.example")`: each has an action of its own. */
static bool tell_several(struct compiler *c, const struct argument_rows *rows, const struct param_row *p,
                         const struct ast_argument *group)
{
    struct diag *d = diag_add(c->d, DIAG_E219, group->span, "`%s` takes one address", p->name);
    const struct ast_entry *one = group->entries, *two = one ? one->next : NULL;
    struct str text = c->d->sources->list.v[group->span.source]->text;
    if (!two || !rows->action) return false;
    struct str a = str_slice(text, one->span.from, one->span.to), b = str_slice(text, two->span.from, two->span.to);
    struct str action = str_slice(str_of(rows->what), 1, strlen(rows->what) - 1); /* without its backquotes */
    bool final = words_rows.actions[words_find_action(action)].final; /* of which there is one */
    if (a.n + b.n <= 120)
        diag_fix(c->d, d, "an action for each:", "%.*s %s %.*s, %.*s %s %.*s", STR_ARG(action), p->name, STR_ARG(a),
                 STR_ARG(final ? STR("copy") : action), final ? "to" : p->name, STR_ARG(b));
    return false;
}

static bool convert_bound(struct compiler *c, const struct argument_rows *rows, const struct param_row *p,
                          struct bound *b)
{
    bool may_be_field = p->type == TYPE_ADDRESS && strcmp(p->words, "field") == 0;
    if (may_be_field && b->value->kind == ARGUMENT_NAME) return field_value(c, p, b->value, &b->field);
    if (p->many && b->value->kind == ARGUMENT_GROUP) return convert_group(c, rows, p, b);
    if (b->value->kind == ARGUMENT_GROUP && p->type == TYPE_ADDRESS) return tell_several(c, rows, p, b->value);
    return convert(c, rows, p, b->value, &b->constant);
}

/* Who it is when the field is absent must be said, where the row has a place for it. */
static bool check_otherwise(struct compiler *c, const struct argument_rows *rows, const struct bound *b)
{
    uint32_t otherwise = words_find_param(rows->params, rows->n, STR("otherwise"));
    if (otherwise == WORDS_NONE) return true;
    const struct bound *field = NULL;
    for (size_t i = 0; i < rows->n; i++)
        if (b[i].value && b[i].field != NO_INDEX) field = &b[i];
    if (!field == !b[otherwise].value) return true;
    struct diag *d;
    if (field) {
        d = diag_add(c->d, DIAG_E218, field->value->span, "`%.*s` can be absent: say who it is `otherwise`",
                     STR_ARG(field->value->name));
        diag_fix(c->d, d, "", "%.*s otherwise \"a@b.example\"", STR_ARG(field->value->name));
    } else {
        diag_add(c->d, DIAG_E220, b[otherwise].span,
                 "an address that is written out is never absent, so `otherwise` says nothing");
    }
    return false;
}

/* --- binding --- */

static bool tell_unknown(struct compiler *c, const struct argument_rows *rows, const struct ast_argument *a)
{
    if (rows->action && words_find_action(a->name) != WORDS_NONE) {
        struct diag *d =
            diag_add(c->d, DIAG_E221, a->span, "a comma is missing before the action `%.*s`", STR_ARG(a->name));
        diag_fix(c->d, d, "", ", %.*s", STR_ARG(a->name));
        return false;
    }
    struct str names[ACTION_PARAMS_MAX + DECLARATION_PARAMS_MAX];
    size_t n = 0;
    for (; n < rows->n; n++) names[n] = str_of(rows->params[n].name);
    struct diag *d = diag_add(c->d, DIAG_E206, a->span, "%s knows no `%.*s`", rows->what, STR_ARG(a->name));
    struct str near = suggest_tried(a->name);
    if (!near.n) near = suggest_nearest(a->name, names, n);
    if (near.n) diag_fix(c->d, d, "did you mean:", "%.*s", STR_ARG(near));
    else if (n && rows->params[0].type == TYPE_TEXT && rows->params[0].positional)
        diag_fix(c->d, d, "a text stands in quotes:", "\"%.*s\"", STR_ARG(a->name));
    struct buf all = {0};
    for (size_t i = 0; i < n; i++) buf_printf(&all, "%s%s", i ? ", " : "", rows->params[i].name);
    if (n) diag_fix(c->d, d, "it knows:", "%.*s", STR_ARG(buf_str(&all)));
    buf_free(&all);
    return false;
}

/* The positional place that is free and takes such a literal; else the next one that is free, or n. */
static size_t next_place(const struct argument_rows *rows, const struct ast_argument *a, const struct bound *out)
{
    size_t next = rows->n;
    for (size_t i = rows->n; i-- > 0;) {
        if (rows->params[i].positional && !out[i].value) next = i;
    }
    if (a->kind != ARGUMENT_LITERAL || a->literal->kind == LITERAL_TEXT) return next;
    for (size_t i = next; i < rows->n; i++) {
        if (rows->params[i].positional && !out[i].value && value_literal_type(a->literal->kind) == rows->params[i].type)
            return i;
    }
    return next;
}

/* `require_tls verified encrypt`: a word of a place that another word has taken. */
static const struct bound *taken_place(const struct argument_rows *rows, struct str word, const struct bound *out)
{
    for (size_t i = 0; i < rows->n; i++) {
        const struct param_row *p = &rows->params[i];
        if (p->positional && p->type == TYPE_WORD && out[i].value && vocabulary_has_word(p->words, word))
            return &out[i];
    }
    return NULL;
}

static bool takes_names(const struct argument_rows *rows, size_t i)
{
    if (i == rows->n) return false;
    const struct param_row *p = &rows->params[i];
    return p->type == TYPE_WORD || p->type == TYPE_NAME || (p->type == TYPE_ADDRESS && strcmp(p->words, "field") == 0);
}

/* `quarantine "looks bad"`: a text for which there is a place with a name. */
static void tell_too_many(struct compiler *c, const struct argument_rows *rows, const struct ast_argument *a,
                          const struct bound *out)
{
    struct diag *d = diag_add(c->d, DIAG_E220, a->span, "%s takes no further argument", rows->what);
    for (size_t i = 0; i < rows->n && a->kind == ARGUMENT_LITERAL && a->literal->kind == LITERAL_TEXT; i++) {
        const struct param_row *p = &rows->params[i];
        bool text = p->type == TYPE_TEXT && strcmp(p->words, "pattern") != 0; /* which stands between slashes */
        if (text && !p->positional && !out[i].value && a->literal->text.n <= 80 &&
            !form_fault(p->words, a->literal->text))
            diag_fix(c->d, d, "did you mean:", "%s \"%.*s\"", p->name, STR_ARG(a->literal->text));
    }
}

static bool place_unnamed(struct compiler *c, const struct argument_rows *rows, const struct ast_argument *a,
                          struct bound *out)
{
    size_t i = next_place(rows, a, out);
    bool name = a->kind == ARGUMENT_NAME;
    if (name && i < rows->n && rows->params[i].type == TYPE_WORD &&
        !vocabulary_has_word(rows->params[i].words, a->name)) {
        if (rows->action && words_find_action(a->name) != WORDS_NONE) return tell_unknown(c, rows, a);
        struct diag *d = diag_add(c->d, DIAG_E206, a->span, "%s knows no `%.*s`", rows->what, STR_ARG(a->name));
        struct str tried = suggest_tried(a->name);
        if (tried.n) diag_fix(c->d, d, "did you mean:", "%.*s", STR_ARG(tried));
        diag_fix(c->d, d, "it knows:", "%s", rows->params[i].words);
        return false;
    }
    const struct bound *taken = name ? taken_place(rows, a->name, out) : NULL;
    if (taken) {
        struct diag *d = diag_add(c->d, DIAG_E220, a->span, "`%s` is given twice", rows->params[taken - out].name);
        diag_note(c->d, d, taken->span, "it is here already");
        return false;
    }
    if (name && !takes_names(rows, i)) {
        return tell_unknown(c, rows, a);
    }
    if (i == rows->n) {
        tell_too_many(c, rows, a, out);
        return false;
    }
    if (a->kind == ARGUMENT_LITERAL && a->literal->kind == LITERAL_NUMBER && rows->params[i].type == TYPE_TEXT) {
        size_t k = 0; /* reject 550 "…": a number's place has a name */
        while (k < rows->n && (rows->params[k].type != TYPE_NUMBER || out[k].value)) k++;
        if (k < rows->n) {
            struct diag *d = diag_add(c->d, DIAG_E219, a->span, "a number stands behind its name here");
            diag_fix(c->d, d, "", "%s %.*s", rows->params[k].name, STR_ARG(a->literal->text));
            return false;
        }
    }
    out[i].value = a;
    out[i].span = a->span;
    return true;
}

bool arguments_bind(struct compiler *c, const struct argument_rows *rows, struct span at,
                    const struct ast_argument *first, struct bound *out)
{
    bool ok = true;
    for (size_t i = 0; i < rows->n; i++) out[i] = (struct bound){.field = NO_INDEX};
    for (const struct ast_argument *a = first; a; a = a->next) {
        uint32_t named = a->kind == ARGUMENT_NAME ? words_find_param(rows->params, rows->n, a->name) : WORDS_NONE;
        if (named == WORDS_NONE && !place_unnamed(c, rows, a, out)) {
            ok = false;
            /* What follows an unknown option was meant as its value. */
            if (a->kind == ARGUMENT_NAME && a->next && a->next->kind == ARGUMENT_LITERAL) a = a->next;
        }
        if (named == WORDS_NONE) continue;
        const struct ast_argument *value = a->next;
        if (!value ||
            (value->kind == ARGUMENT_NAME && words_find_param(rows->params, rows->n, value->name) != WORDS_NONE &&
             !vocabulary_has_word(rows->params[named].words, value->name))) {
            diag_add(c->d, DIAG_E218, a->span, "`%.*s` needs %s behind it", STR_ARG(a->name),
                     value_type_phrases[rows->params[named].type]);
            ok = false;
            continue;
        }
        if (out[named].value) {
            struct diag *d = diag_add(c->d, DIAG_E220, a->span, "`%.*s` is given twice", STR_ARG(a->name));
            diag_note(c->d, d, out[named].span, "it is here already");
            ok = false;
        } else {
            out[named].value = value;
            out[named].span = (struct span){a->span.source, a->span.from, value->span.to};
        }
        a = value;
    }
    for (size_t i = 0; i < rows->n; i++) {
        if (out[i].value) {
            ok = convert_bound(c, rows, &rows->params[i], &out[i]) && ok;
        } else if (rows->params[i].required && !rows->partial && ok) {
            struct diag *d = diag_add(c->d, DIAG_E218, at, "%s needs %s: its `%s`", rows->what,
                                      value_type_phrases[rows->params[i].type], rows->params[i].name);
            if (rows->params[i].type == TYPE_TEXT)
                diag_fix(c->d, d, "behind it:", "%s%s\"…\"", rows->params[i].positional ? "" : rows->params[i].name,
                         rows->params[i].positional ? "" : " ");
            else if (rows->example)
                diag_fix(c->d, d, "for example:", "%s", rows->example);
            ok = false;
        }
    }
    return ok && (rows->partial || check_otherwise(c, rows, out));
}

void arguments_record(struct compiler *c, const struct bound *bound, size_t n, uint32_t *first, uint32_t *count)
{
    *first = (uint32_t)c->pool.arguments.n;
    for (size_t i = 0; i < n; i++) {
        if (!bound[i].value) continue;
        if (bound[i].field != NO_INDEX) {
            VEC_PUSH(&c->pool.arguments, (struct argument){(uint8_t)i, OPERAND_FIELD, bound[i].field});
            continue;
        }
        const struct constant *v = bound[i].count ? bound[i].many : &bound[i].constant;
        for (size_t at = 0; at < (bound[i].count ? bound[i].count : 1); at++) {
            uint32_t k = pool_constant(&c->pool, &v[at]);
            VEC_PUSH(&c->pool.arguments, (struct argument){(uint8_t)i, OPERAND_CONSTANT, k});
        }
    }
    *count = (uint32_t)c->pool.arguments.n - *first;
}
