#include "compiler/internal.h"

#include <string.h>

#include "base/ip.h"
#include "mail/address.h"
#include "mail/domain.h"
#include "mail/fold.h"
#include "pattern/pattern.h"

const char *const value_type_phrases[TYPE_NAME + 1] = {
    [TYPE_TEXT] = "a text",           [TYPE_ADDRESS] = "an address",  [TYPE_DOMAIN] = "a domain",
    [TYPE_NUMBER] = "a number",       [TYPE_SIZE] = "a size",         [TYPE_DURATION] = "a duration",
    [TYPE_DATE] = "a date",           [TYPE_CLOCK] = "a time of day", [TYPE_NETWORK] = "an address range",
    [TYPE_WORD] = "one of its words", [TYPE_YESNO] = "yes or no",     [TYPE_NAME] = "a name",
};

const char *const value_type_plurals[TYPE_NAME + 1] = {
    [TYPE_TEXT] = "texts",     [TYPE_ADDRESS] = "addresses",  [TYPE_DOMAIN] = "domains",
    [TYPE_NUMBER] = "numbers", [TYPE_SIZE] = "sizes",         [TYPE_DURATION] = "durations",
    [TYPE_DATE] = "dates",     [TYPE_CLOCK] = "times of day", [TYPE_NETWORK] = "address ranges",
    [TYPE_WORD] = "words",     [TYPE_YESNO] = "answers",      [TYPE_NAME] = "names",
};

/* How a literal of each type is written. */
static const char *const written_as[TYPE_NAME + 1] = {
    [TYPE_TEXT] = "a text in quotes: \"like this\"",
    [TYPE_ADDRESS] = "an address in quotes: \"a@b.example\", or \"@b.example\"",
    [TYPE_DOMAIN] = "a domain in quotes: \"b.example\", or \"*.b.example\"",
    [TYPE_NUMBER] = "a number: 10",
    [TYPE_SIZE] = "a size: 10 MB",
    [TYPE_DURATION] = "a duration: 5 minutes",
    [TYPE_DATE] = "a date: 2026-09-01",
    [TYPE_CLOCK] = "a time of day: 18:00",
    [TYPE_NETWORK] = "an address range without quotes: 10.0.0.0/8",
    [TYPE_WORD] = "one of its words, without quotes",
    [TYPE_YESNO] = "nothing: it stands bare",
    [TYPE_NAME] = "a name",
};

static const enum value_type literal_types[] = {
    [LITERAL_TEXT] = TYPE_TEXT,   [LITERAL_REGEX] = TYPE_TEXT,        [LITERAL_NUMBER] = TYPE_NUMBER,
    [LITERAL_SIZE] = TYPE_SIZE,   [LITERAL_DURATION] = TYPE_DURATION, [LITERAL_DATE] = TYPE_DATE,
    [LITERAL_CLOCK] = TYPE_CLOCK, [LITERAL_NETWORK] = TYPE_NETWORK,
};

enum value_type value_literal_type(enum ast_literal_kind kind) { return literal_types[kind]; }

/* Runs one of the `… , struct buf *` canonical forms of mail/ and keeps its result. */
static bool canonical(struct compiler *c, bool (*form)(struct str, struct buf *), struct str text, struct str *out)
{
    struct buf b = {0};
    bool ok = form(text, &b);
    if (ok) *out = arena_str(c->a, buf_str(&b));
    buf_free(&b);
    return ok;
}

const char *value_parse(struct compiler *c, enum value_type type, struct str text, struct constant *out)
{
    *out = (struct constant){.type = type};
    switch (type) {
    case TYPE_TEXT:
    case TYPE_WORD:
    case TYPE_NAME: out->text = text; return NULL;
    case TYPE_ADDRESS:
        if (canonical(c, address_canonical_pattern, text, &out->text)) return NULL;
        if (domain_is_valid(text, true)) return "is a domain; every address of it is written with an @ before it";
        return "is not an address";
    case TYPE_DOMAIN:
        if (canonical(c, domain_canonical, text, &out->text)) return NULL;
        if (str_find_byte(text, '@') != STR_NPOS) return "is an address; a domain is what stands behind the @";
        return "is not a domain";
    case TYPE_NETWORK: return ip_range_parse(text, out->low, out->high, NULL) ? NULL : "is not an address range";
    case TYPE_NUMBER: return str_to_i64(text, &out->number) ? NULL : "is not a number";
    default: return "cannot be read as a value of this type";
    }
}

/* `of` is what the value is for, "`sender.domain`": the sentence begins with it. */
static void tell_form(struct compiler *c, const struct ast_literal *l, enum value_type type, struct str of)
{
    struct diag *d = diag_add(c->d, DIAG_E203, l->span, "%.*s takes %s", STR_ARG(of), written_as[type]);
    struct constant as;
    bool bare = type == TYPE_NETWORK || type == TYPE_NUMBER;
    bool measure = type == TYPE_SIZE || type == TYPE_DURATION || type == TYPE_DATE || type == TYPE_CLOCK;
    measure = measure && l->text.n && l->text.n < 30 && ascii_is_digit(l->text.p[0]);
    if (l->kind == LITERAL_TEXT && (measure || (bare && !value_parse(c, type, l->text, &as)))) {
        diag_fix(c->d, d, "without quotes:", "%.*s", STR_ARG(l->text));
    } else if (l->kind == LITERAL_NUMBER && type == TYPE_SIZE) {
        diag_fix(c->d, d, "with its unit:", "%.*s KB", STR_ARG(l->text));
    } else if (l->kind == LITERAL_NUMBER && type == TYPE_CLOCK && l->number >= 0 && l->number < 24) {
        diag_fix(c->d, d, "with its minutes:", "%02d:00", (int)l->number);
    } else if (l->kind == LITERAL_REGEX) {
        diag_fix(c->d, d, "a pattern follows `matches`:", "matches /%.*s/", STR_ARG(l->text));
    }
}

bool value_literal(struct compiler *c, const struct ast_literal *l, enum value_type type, struct str of,
                   struct constant *out)
{
    bool quoted = type == TYPE_TEXT || type == TYPE_ADDRESS || type == TYPE_DOMAIN;
    if (quoted ? l->kind != LITERAL_TEXT : l->kind == LITERAL_TEXT || literal_types[l->kind] != type) {
        tell_form(c, l, type, of);
        return false;
    }
    if (quoted || type == TYPE_NETWORK) {
        const char *why = value_parse(c, type, l->text, out);
        if (!why) return true;
        struct diag *d = diag_add(c->d, DIAG_E203, l->span, "`%.*s` %s", STR_ARG(l->text), why);
        struct str rest = str_from(l->text, str_rfind_byte(l->text, '@') + 1); /* without @: the whole text */
        if (type == TYPE_DOMAIN && rest.n < l->text.n && domain_is_valid(rest, true)) {
            diag_fix(c->d, d, "", "\"%.*s\"", STR_ARG(rest));
        } else if (type == TYPE_ADDRESS && domain_is_valid(l->text, true)) {
            diag_fix(c->d, d, "", "\"@%.*s\"", STR_ARG(l->text));
        }
        return false;
    }
    *out = (struct constant){.type = type, .number = l->number, .date_only = l->date_only, .date_zoned = l->date_zoned};
    return true;
}

const char *value_needle_fault(struct str text, bool whole)
{
    if (!text.n) return "the text is empty";
    struct buf folded = {0};
    fold_text(text, whole ? FOLD_TRIM : 0, &folded, NULL);
    bool empty = !folded.n;
    buf_free(&folded);
    return empty ? "nothing of this text can be seen, so there is nothing to search for" : NULL;
}

bool value_needle(struct compiler *c, const struct ast_literal *l, bool whole, struct constant *out)
{
    if (l->kind != LITERAL_TEXT) {
        tell_form(c, l, TYPE_TEXT, STR("this"));
        return false;
    }
    const char *fault = value_needle_fault(l->text, whole);
    if (fault) {
        diag_add(c->d, DIAG_E214, l->span, "%s", fault);
        return false;
    }
    *out = (struct constant){.type = TYPE_TEXT, .text = l->text};
    return true;
}

static bool holds_sign(struct str text, struct str sign)
{
    for (size_t i = 0; i + sign.n <= text.n; i++)
        if (str_starts_nocase(str_from(text, i), sign)) return true;
    return false;
}

bool value_can_be_whole(struct compiler *c, uint32_t field, struct str text, struct span at, const struct span *list)
{
    const struct word_never_has *always = words_whole_has(field);
    if (!always || holds_sign(text, always->sign)) return true;
    struct diag *d = diag_add(c->d, DIAG_E203, at, "`%s` is never `%.*s`: %s", words_rows.fields[field].name,
                              STR_ARG(text), always->why);
    if (list) diag_note(c->d, d, *list, "the list is here");
    diag_fix(c->d, d, "a part of it:", "contains \"%.*s\"", STR_ARG(text));
    return false;
}

bool value_can_occur(struct compiler *c, uint32_t field, struct str text, struct span at, const struct span *list)
{
    const struct word_never_has *never = words_never_has(field);
    if (!never || !holds_sign(text, never->sign)) return true;
    struct diag *d = diag_add(c->d, DIAG_E203, at, "`%s` is never `%.*s`: %s", words_rows.fields[field].name,
                              STR_ARG(text), never->why);
    if (list) diag_note(c->d, d, *list, "the list is here");
    struct str rest = str_starts(text, STR("*")) ? str_from(text, 1) : text;
    bool leads = str_starts_nocase(rest, never->sign);
    if (leads) rest = str_from(rest, never->sign.n);
    if (leads && rest.n && !holds_sign(rest, never->sign))
        diag_fix(c->d, d, "", "\"%.*s\"", STR_ARG(rest));
    else if (*never->instead)
        diag_fix(c->d, d, "of the whole name:", "%s \"%.*s%.*s\"", never->instead,
                 STR_ARG(leads ? STR_NONE : never->sign), STR_ARG(text));
    return false;
}

bool value_is_same(const struct constant *a, const struct constant *b)
{
    return a->number == b->number && a->date_only == b->date_only && a->date_zoned == b->date_zoned &&
           memcmp(a->low, b->low, sizeof a->low) == 0 && memcmp(a->high, b->high, sizeof a->high) == 0 &&
           (a->type == TYPE_TEXT ? str_eq_nocase(a->text, b->text) : str_eq(a->text, b->text));
}

bool value_pattern(struct compiler *c, const struct ast_literal *l, struct pattern_source *out)
{
    if (l->kind != LITERAL_REGEX) {
        diag_add(c->d, DIAG_E203, l->span, "`matches` takes a pattern between slashes: /like this/");
        return false;
    }
    struct pattern_fault f = {0};
    struct pattern *p = pattern_compile(l->text, l->flags, &f);
    if (!p) {
        /* Behind the opening slash; a fault at the pattern's end points at the closing one. */
        size_t offset = f.offset < l->text.n ? f.offset : l->text.n;
        uint32_t at = l->span.from + 1 + (uint32_t)offset;
        diag_add(c->d, DIAG_E211, (struct span){l->span.source, at, at + 1}, "%s", f.text);
        return false;
    }
    pattern_free(&p);
    *out = (struct pattern_source){l->text, l->flags};
    return true;
}
