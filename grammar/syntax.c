/* Telling a syntax error: common mistakes first, then what was expected. */
#include "grammar/syntax.h"

#include <string.h>

#include "grammar/grammar.tab.h"
#include "grammar/scan.h"

_Static_assert(SL_BAD - SL_RULE < SYNTAX_TOKENS, "every token has a place in syntax_error.expected");

static bool expects(const struct syntax_error *e, int token) { return e->expected[token - SL_RULE]; }

static bool expects_all(const struct syntax_error *e, const int *tokens)
{
    for (; *tokens; tokens++)
        if (!expects(e, *tokens)) return false;
    return true;
}

/* --- what was expected ------------------------------------------------------------------------------------------- */

/* Sets of tokens that have one name.  A row applies when all of `all` are expected, and takes `takes` off the list. */
struct group {
    const char *name;
    int all[8];
    int takes[24];
};
#define LITERALS SL_TEXT, SL_REGEX, SL_NUMBER, SL_SIZE, SL_DURATION, SL_DATE, SL_CLOCK, SL_NETWORK
#define VERBS SL_IS, SL_CONTAINS, SL_DOES, SL_MATCHES, SL_STARTS, SL_ENDS
static const struct group groups[] = {
    {"the next item", {SL_RULE, SL_IMPORT, SL_LIST, SL_DEFINE},
     {SL_RULE, SL_IMPORT, SL_LIST, SL_DEFINE, SL_WHEN, SL_TEST, SL_DEFAULTS, SL_KIND}},
    {"a condition", {SL_NOT, SL_ANY, SL_LPAREN, SL_NAME, SL_IS},
     {SL_NOT, SL_ANY, SL_EVERY, SL_NO, SL_LPAREN, SL_NAME, SL_KIND, LITERALS, VERBS, SL_ALWAYS}},
    {"a verb such as `is` or `contains`", {VERBS}, {VERBS, SL_DOT, SL_TEXT}},
    {"an argument", {SL_TEXT, SL_SIZE, SL_NAME, SL_NO, SL_LPAREN},
     {LITERALS, SL_NAME, SL_NO, SL_LPAREN, SL_DOT, SL_KIND}},
    {"a value or how it compares (`in`, `like`, `over`, `under`, …)", {SL_IN_, SL_LIKE, SL_OVER, SL_NAME},
     {SL_IN_, SL_LIKE, SL_OVER, SL_UNDER, SL_AT, SL_BETWEEN, SL_BEFORE, SL_AFTER, SL_PRESENT, SL_ABSENT, SL_NOT,
      SL_ANY, SL_NAME,
      SL_KIND, LITERALS}},
    {"a value", {SL_TEXT, SL_SIZE, SL_NAME}, {LITERALS, SL_NAME, SL_KIND}},
    {"a text, `word`, `any of (…)` or a detector", {SL_TEXT, SL_WORD, SL_NAME, SL_ANY},
     {SL_TEXT, SL_WORD, SL_NAME, SL_ANY, SL_ALL, SL_AT, SL_BETWEEN}},
    {"a pattern such as `/…/`", {SL_REGEX, SL_TEXT, SL_ANY}, {SL_REGEX, SL_TEXT, SL_ANY, SL_ALL}},
    {"a set such as `(…)` or the name of a list", {SL_LPAREN, SL_NAME, SL_NETWORK},
     {SL_LPAREN, SL_NAME, SL_KIND, SL_NETWORK}},
    {"a field", {SL_NAME, SL_KIND}, {SL_NAME, SL_KIND}},
};

static const char *token_words(int token)
{
    switch (token) {
    case SL_NAME: return "a name";
    case SL_KIND: return "a declaration";
    case SL_TEXT: return "a text in quotes";
    case SL_REGEX: return "a pattern";
    case SL_NUMBER: return "a number";
    case SL_SIZE: return "a size";
    case SL_DURATION: return "a duration";
    case SL_DATE: return "a date";
    case SL_CLOCK: return "a time of day";
    case SL_NETWORK: return "an address range";
    case SL_LPAREN: return "`(`";
    case SL_RPAREN: return "`)`";
    case SL_COMMA: return "`,`";
    case SL_DOT: return "`.`";
    case SL_EQUALS: return "`=`";
    default: return NULL;
    }
}

/* After these only an action's name can follow where a name is expected at all. */
static bool actions_begin(const struct parse *p)
{
    int kind = p->previous.kind;
    return kind == SL_THEN || kind == SL_EXPECT || kind == SL_COMMA || kind == SL_AND;
}

static void add_alternative(struct buf *b, size_t i, size_t n, const char *words, bool is_keyword)
{
    if (i) buf_add(b, i + 1 == n ? STR(" or ") : STR(", "));
    buf_printf(b, is_keyword ? "`%s`" : "%s", words);
}

/* "a verb such as `is`, `and` or `then`", at most six of them, the groups first. */
static void describe_expected(const struct parse *p, const struct syntax_error *e, struct buf *out)
{
    bool left[SYNTAX_TOKENS];
    const char *words[16];
    bool keyword[16];
    size_t n = 0;
    memcpy(left, e->expected, sizeof left);
    for (size_t g = 0; g < sizeof groups / sizeof *groups && n < 3; g++) {
        struct syntax_error rest = *e;
        memcpy(rest.expected, left, sizeof left);
        if (!expects_all(&rest, groups[g].all)) continue;
        words[n] = groups[g].name;
        keyword[n++] = false;
        for (const int *t = groups[g].takes; *t; t++) left[*t - SL_RULE] = false;
    }
    if (n || expects(e, SL_NAME)) left[SL_DOT - SL_RULE] = false;
    for (int token = SL_RULE; token < SL_RULE + SYNTAX_TOKENS && n < 6; token++) {
        const char *spelling = keyword_spelling(token), *other = token_words(token);
        if (!left[token - SL_RULE] || (!spelling && !other)) continue;
        if (token == SL_NAME && actions_begin(p)) other = "an action";
        words[n] = spelling ? spelling : other;
        keyword[n++] = spelling != NULL;
    }
    for (size_t i = 0; i < n; i++) add_alternative(out, i, n, words[i], keyword[i]);
    if (!n) buf_add(out, STR("something else"));
}

/* --- mistakes with a sentence of their own ----------------------------------------------------------------------- */

static struct str shown(const struct parse *p, struct span at) { return str_slice(span_text(p, at), 0, 60); }

/* The name after `list` or `define`. */
static bool tell_reserved_name(struct parse *p, const struct syntax_error *e)
{
    if ((p->previous.kind != SL_LIST && p->previous.kind != SL_DEFINE) || !expects(e, SL_NAME)) return false;
    struct str word = shown(p, e->at);
    if (p->found.kind == SL_KIND)
        diag_add(p->diags, DIAG_E129, e->at, "`%.*s` begins a declaration and cannot name anything else",
                 STR_ARG(word));
    else if (keyword_spelling(p->found.kind) && !token_starts_item(p->found.kind))
        diag_add(p->diags, DIAG_E130, e->at, "`%.*s` is a keyword and cannot be a name", STR_ARG(word));
    else return false;
    return true;
}

/* `=` where a comparison is meant. */
static bool tell_equals_sign(struct parse *p, const struct syntax_error *e)
{
    if (p->found.kind != SL_EQUALS) return false;
    bool defines = p->previous.kind == SL_NAME && expects(e, SL_AS), compares = expects(e, SL_IS);
    if (!defines && !compares && p->previous.kind != SL_IS) {
        if (p->previous.kind != SL_NAME || !expects(e, SL_TEXT)) return false;
        diag_add(p->diags, DIAG_E107, e->at, "`=` is not read here; a value follows its name directly");
        return true;
    }
    struct diag *d = diag_add(p->diags, DIAG_E107, e->at, "`=` is not read here; it is said in words");
    diag_fix(p->diags, d, "", "%s", defines ? "as" : "is");
    return true;
}

/* list x of domain = corp.example: a dot where no field is meant. */
static bool tell_bare_domain(struct parse *p, const struct syntax_error *e)
{
    if (p->found.kind != SL_DOT || p->previous.kind != SL_NAME) return false;
    struct str text = p->source->text;
    size_t from = p->previous.span.from, to = e->at.to;
    while (to < text.n && to < from + 255 && (scan_is_word(text.p[to]) || text.p[to] == '-' || text.p[to] == '.')) to++;
    struct span whole = {e->at.source, (uint32_t)from, (uint32_t)to};
    struct diag *d = diag_add(p->diags, DIAG_E111, whole, "a domain stands between quotes");
    diag_fix(p->diags, d, "", "\"%.*s\"", STR_ARG(span_text(p, whole)));
    return true;
}

/* contain, match, start, end without `does not`. */
static bool tell_bare_infinitive(struct parse *p, const struct syntax_error *e)
{
    const char *right = p->found.kind == SL_CONTAIN ? "contains" : p->found.kind == SL_MATCH ? "matches"
                      : p->found.kind == SL_START   ? "starts"   : p->found.kind == SL_END_  ? "ends" : NULL;
    if (!right || !expects(e, SL_CONTAINS)) return false;
    struct diag *d = diag_add(p->diags, DIAG_E119, e->at, "`%.*s` follows `does not`; alone it is `%s`",
                              STR_ARG(shown(p, e->at)), right);
    diag_fix(p->diags, d, "", "%s", right);
    return true;
}

/* size over 10 MB: the verb is `is over`. */
static bool tell_missing_is(struct parse *p, const struct syntax_error *e)
{
    static const int relations[] = {SL_OVER, SL_UNDER, SL_LIKE, SL_IN_, SL_AT, SL_BETWEEN, SL_BEFORE, SL_AFTER,
                                    SL_PRESENT, SL_ABSENT};
    bool found = false;
    for (size_t i = 0; i < sizeof relations / sizeof *relations; i++) found = found || p->found.kind == relations[i];
    if (!found || !expects(e, SL_IS)) return false;
    struct str word = shown(p, e->at);
    struct diag *d = diag_add(p->diags, DIAG_E100, e->at, "`is` is missing before `%.*s`", STR_ARG(word));
    diag_fix(p->diags, d, "", "is %.*s", STR_ARG(word));
    return true;
}

/* `header Foo`, `marked seen`: the text that says which stands in quotes. */
static bool tell_bare_text(struct parse *p, const struct syntax_error *e)
{
    static const struct str words[] = {{"header", 6}, {"raw", 3}, {"marked", 6}};
    struct str before = span_text(p, p->previous.span), word = shown(p, e->at);
    bool takes_text = false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) takes_text |= str_eq_nocase(before, words[i]);
    if (!takes_text || p->found.kind != SL_NAME || p->previous.kind != SL_NAME || !expects(e, SL_TEXT)) return false;
    struct diag *d = diag_add(p->diags, DIAG_E100, e->at, "behind `%.*s` a text in quotes says which", STR_ARG(before));
    diag_fix(p->diags, d, "", "%.*s \"%.*s\"", STR_ARG(before), STR_ARG(word));
    return true;
}

/* Words that are left out: what was found says what was meant.  `before` is the token before it (0: any); the help is
 * what was found between two texts, or (ahead is NULL) the second alone. */
static bool tell_left_out(struct parse *p, const struct syntax_error *e)
{
    static const struct {
        int before, found, expected; /* expected: what could stand here and shows where we are */
        const char *text, *ahead, *behind;
    } rows[] = {
        {SL_CONTAINS, SL_LPAREN, SL_WORD, "several values follow `any of` or `all of`", NULL, "any of (…)"},
        {SL_MATCHES, SL_LPAREN, SL_REGEX, "several patterns follow `any of` or `all of`", NULL, "any of (…)"},
        {SL_WITH, SL_LPAREN, SL_TEXT, "several values follow `any of`", NULL, "any of (…)"},
        {SL_IS, SL_LPAREN, SL_IN_, "several values follow `any of`", NULL, "any of (…)"},
        {SL_LIKE, SL_LPAREN, SL_TEXT, "several values follow `any of`", NULL, "any of (…)"},
        {SL_IN_, SL_TEXT, SL_LPAREN, "the values of a set stand in parentheses", "(", ")"},
        {SL_IN_, SL_TEXT, SL_NAME, "a list stands `in file` or `in table`", "file ", ""},
        {SL_NAME, SL_TEXT, SL_EQUALS, "the elements of a list follow `=`", "= ", ""},
        {SL_NAME, SL_EQUALS, SL_OF, "a list says of what it is", NULL, "of text, of address, of domain, of network"},
        {SL_RULE, SL_NAME, SL_TEXT, "the name of a rule stands in quotes", "\"", "\""},
        {0, SL_ALL, SL_EVERY, "before a field it is `every`", NULL, "every"},
        {0, SL_NAME, SL_THEN, "`then` is missing before the actions", "then ", ""},
    };
    if (p->found.kind == SL_NAME && p->previous.kind == SL_NUMBER) {
        struct diag *d = diag_add(p->diags, DIAG_E109, e->at, "`%.*s` is no unit", STR_ARG(shown(p, e->at)));
        diag_fix(p->diags, d, "of sizes:", "B, KB, MB, GB, TB");
        diag_fix(p->diags, d, "of durations:", "seconds, minutes, hours, days, weeks");
        return true;
    }
    if (tell_bare_text(p, e)) return true;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (p->found.kind != rows[i].found || !expects(e, rows[i].expected)) continue;
        if (rows[i].before && p->previous.kind != rows[i].before) continue;
        struct str word = shown(p, e->at);
        struct diag *d = diag_add(p->diags, DIAG_E100, e->at, "%s", rows[i].text);
        if (!rows[i].ahead) word = STR_NONE;
        diag_fix(p->diags, d, "", "%s%.*s%s", rows[i].ahead ? rows[i].ahead : "", STR_ARG(word), rows[i].behind);
        return true;
    }
    return false;
}

/* The name that the action before begins with: it stands behind `then`, `and` or a comma. */
static struct str action_before(const struct parse *p)
{
    for (size_t i = p->stray_count; i-- > 0;) {
        struct str text = p->source->text, ahead = str_trim(str_slice(text, 0, p->strays[i].span.from));
        if (str_ends(ahead, STR(",")) || str_ends(ahead, STR("then")) || str_ends(ahead, STR("and")))
            return span_text(p, p->strays[i].span);
    }
    return STR_NONE;
}

/* then redirect to "a@b.example", "c@b.example" */
static bool tell_text_for_action(struct parse *p, const struct syntax_error *e)
{
    static const struct {
        const char *action, *label, *further; /* how one more is said; NULL: what stands before the comma goes on */
    } rows[] = {{"redirect", "an action for each:", "copy to "},
                {"copy", "an action for each:", "copy to "},
                {"incident_report", "an action for each:", "incident_report to "},
                {"log", "an action for each:", "log "},
                {"mark", "an action for each:", "mark "},
                {"remove_header", "an action for each:", "remove_header "},
                {"set_header", "without the comma:", NULL},
                {"add_header", "without the comma:", NULL},
                {"notify", "without the comma:", NULL}};
    if (p->found.kind != SL_TEXT || p->previous.kind != SL_COMMA || !expects(e, SL_NAME)) return false;
    struct str action = action_before(p), word = shown(p, e->at);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!str_eq_nocase(action, str_of(rows[i].action))) continue;
        struct diag *d = diag_add(p->diags, DIAG_E100, e->at, "`%s` ends before the comma, and a text begins no action",
                                  rows[i].action);
        diag_fix(p->diags, d, rows[i].label, "%s%.*s", rows[i].further ? rows[i].further : "", STR_ARG(word));
        return true;
    }
    return false;
}

/* subject not contains "x" */
static bool tell_not_first(struct parse *p, const struct syntax_error *e)
{
    if (p->found.kind != SL_NOT || !expects(e, SL_DOES)) return false;
    struct str text = p->source->text;
    size_t from = e->at.to;
    while (from < text.n && ascii_is_blank(text.p[from])) from++;
    size_t to = from;
    while (to < text.n && scan_is_word(text.p[to])) to++;
    struct str verb = str_slice(text, from, to);
    bool third = str_ends(verb, STR("s")) && keyword_find(verb);
    struct diag *d = diag_add(p->diags, DIAG_E100, e->at, "`not` does not stand here by itself");
    if (third) diag_fix(p->diags, d, "", "does not %.*s", STR_ARG(str_slice(verb, 0, verb.n - 1)));
    else diag_fix(p->diags, d, "", "is not %.*s", STR_ARG(verb));
    return true;
}

static void tell_tried(struct parse *p, struct span at, struct str right)
{
    struct diag *d = diag_add(p->diags, DIAG_E119, at, "`%.*s` is said otherwise here", STR_ARG(shown(p, at)));
    diag_fix(p->diags, d, "", "%.*s", STR_ARG(right));
}

/* The word right after a span, on the same line; an empty span when there is none. */
static struct span word_after(const struct parse *p, struct span at)
{
    struct str text = p->source->text;
    size_t from = at.to;
    while (from < text.n && from < (size_t)at.to + 8 && ascii_is_blank(text.p[from])) from++;
    size_t to = from;
    while (to < text.n && to < from + 32 && scan_is_word(text.p[to])) to++;
    return (struct span){at.source, (uint32_t)from, (uint32_t)to};
}

/* "more than" for `more   than`. */
static struct str tried_pair(struct parse *p, struct span first, struct span second)
{
    if (second.to <= second.from || second.from - first.to > 8 || first.to - first.from > 32) return STR_NONE;
    return suggest_tried(arena_printf(p->arena, "%.*s %.*s", STR_ARG(span_text(p, first)),
                                      STR_ARG(span_text(p, second))));
}

/* Is the right word one that could stand here? */
static bool right_is_expected(const struct syntax_error *e, struct str right)
{
    struct str first = str_slice(right, 0, str_find_byte(right, ' '));
    int token = keyword_find(first);
    return token ? expects(e, token) || (expects(e, SL_IS) && expects(e, SL_CONTAINS)) : expects(e, SL_NAME);
}

/* Words of other languages: the one found, with the one after or before it, or the one before. */
static bool tell_tried_word(struct parse *p, const struct syntax_error *e)
{
    struct span found = e->at, before = p->previous.span;
    struct str right;
    bool name_before = p->previous.kind == SL_NAME;
    if (name_before && (right = tried_pair(p, before, found)).n)
        return tell_tried(p, span_join(before, found), right), true;
    if (p->found.kind == SL_NAME) {
        struct span next = word_after(p, found);
        right = tried_pair(p, found, next);
        if (right.n && right_is_expected(e, right)) return tell_tried(p, span_join(found, next), right), true;
        right = suggest_tried(span_text(p, found));
        if (right.n && right_is_expected(e, right)) return tell_tried(p, found, right), true;
    }
    if (name_before && (right = suggest_tried(span_text(p, before))).n) return tell_tried(p, before, right), true;
    return false;
}

/* A name near to a keyword that could stand here, or could have stood where an earlier stray name was taken for an
 * argument: rule "x" wen subject …, or `if` after a rule's last action.  Nothing is suggested for what is a keyword.
 * */
static bool tell_stray(struct parse *p, const struct syntax_error *e)
{
    struct str candidates[SYNTAX_TOKENS];
    size_t n = 0;
    for (int token = SL_RULE; token < SL_RULE + SYNTAX_TOKENS; token++)
        if (e->expected[token - SL_RULE] && keyword_spelling(token)) candidates[n++] = str_of(keyword_spelling(token));
    for (size_t i = p->stray_count; i-- > 0;) {
        struct span at = p->strays[i].span;
        struct str word = span_text(p, at), right = suggest_tried(word), near = STR_NONE;
        if (word.n >= 3 && word.n <= 32) near = suggest_nearest(word, candidates, n);
        int keyword = right.n ? keyword_find(str_slice(right, 0, str_find_byte(right, ' '))) : 0;
        if (keyword && expects(e, keyword)) return tell_tried(p, at, right), true;
        if (!near.n) continue;
        struct diag *d = diag_add(p->diags, DIAG_E120, at, "`%.*s` is not known here; did you mean `%.*s`?",
                                  STR_ARG(word), STR_ARG(near));
        diag_fix(p->diags, d, "", "%.*s", STR_ARG(near));
        return true;
    }
    return false;
}

/* --- the general sentence ---------------------------------------------------------------------------------------- */

static bool is_on_later_line(const struct parse *p, uint32_t from, uint32_t to)
{
    struct str between = str_slice(p->source->text, from, to);
    return str_find_byte(between, '\n') != STR_NPOS || str_find_byte(between, '\r') != STR_NPOS;
}

static void tell_no_item(struct parse *p, struct span at, struct str found)
{
    struct diag *d = diag_add(p->diags, DIAG_E132, at, "no item begins with `%.*s`", STR_ARG(found));
    diag_fix(p->diags, d, "a rule is written:", "when … then …");
}

static void tell_generally(struct parse *p, const struct syntax_error *e)
{
    struct buf expected = {0};
    describe_expected(p, e, &expected);
    struct str words = buf_str(&expected), found = shown(p, e->at);
    struct span before = p->previous.span;
    bool at_end = p->found.kind == SL_END;
    bool later = p->previous.kind && is_on_later_line(p, before.to, e->at.from);
    if (expects(e, SL_IMPORT) && expects(e, SL_RULE) && (!p->previous.kind || later) && !at_end)
        tell_no_item(p, e->at, found);
    else if (later || (p->previous.kind && at_end))
        diag_add(p->diags, DIAG_E131, (struct span){before.source, before.to, before.to},
                 "after `%.*s` %.*s must follow",
                 STR_ARG(shown(p, before)), STR_ARG(words));
    else
        diag_add(p->diags, DIAG_E100, e->at, "expected %.*s, found `%.*s`", STR_ARG(words), STR_ARG(found));
    buf_free(&expected);
}

void syntax_report(struct parse *p, const struct syntax_error *e)
{
    p->resync = !(token_starts_item(p->found.kind) || p->found.kind == SL_END);
    if (p->found.kind == SL_BAD) return; /* told when it was read */
    (void)(tell_reserved_name(p, e) || tell_equals_sign(p, e) || tell_bare_domain(p, e) || tell_bare_infinitive(p, e) ||
           tell_missing_is(p, e) || tell_not_first(p, e) || tell_tried_word(p, e) || tell_stray(p, e) ||
           tell_left_out(p, e) || tell_text_for_action(p, e) || (tell_generally(p, e), true));
}
