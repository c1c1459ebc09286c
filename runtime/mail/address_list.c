#include "mail/address.h"

#include "base/limits.h"

enum { COMMENT_DEPTH = 32 };

/* One pass over a field body.  An element is what stands between commas; it becomes one mailbox: `phrase <spec>`, or a
 * bare spec.  The spec collects tokens without what may stand between them. */
struct scan {
    struct arena *arena;
    struct header_mailboxes *out;
    VEC(struct header_mailbox) list;
    struct str body, group;
    size_t at;
    size_t phrase_from; /* where the element began */
    size_t spec_from, spec_to; /* source range of the spec's tokens; equal: none yet */
    struct buf spec;
    bool open_word;  /* the last token was a word: another one after a gap begins the spec anew */
    bool gap;        /* something was skipped since the last token */
    bool has_at;     /* the spec has an "@" outside quotes, the last of them at spec_at */
    size_t spec_at;
    bool after_angle; /* the element has already given its mailbox */
    bool no_quote;   /* no closing quote is left in the body */
    bool no_comment; /* nor a closing parenthesis */
    struct str comment;
};

static void spec_forget(struct scan *s)
{
    s->spec.n = 0;
    s->spec_from = s->spec_to = s->at;
    s->open_word = s->gap = s->has_at = false;
}

static void element_begin(struct scan *s)
{
    spec_forget(s);
    s->phrase_from = s->at;
    s->comment = STR_NONE;
    s->after_angle = false;
}

/* The end of a comment that begins at `at`, STR_NPOS when it has none. */
static size_t comment_end(struct str body, size_t at)
{
    size_t depth = 0;
    for (size_t i = at; i < body.n; i++) {
        if (body.p[i] == '\\') i++;
        else if (body.p[i] == '(' && ++depth > COMMENT_DEPTH) return STR_NPOS;
        else if (body.p[i] == ')' && --depth == 0) return i + 1;
    }
    return STR_NPOS;
}

static size_t quote_end(struct str body, size_t at)
{
    for (size_t i = at + 1; i < body.n; i++) {
        if (body.p[i] == '\\') i++;
        else if (body.p[i] == '"') return i + 1;
    }
    return STR_NPOS;
}

/* Takes white space or a comment at s->at; false when neither stands there. */
static bool skip_gap(struct scan *s)
{
    char c = s->body.p[s->at];
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
        s->at++;
        s->gap = true;
        return true;
    }
    if (c != '(') return false;
    size_t end = s->no_comment ? STR_NPOS : comment_end(s->body, s->at);
    if (end == STR_NPOS) {
        s->no_comment = s->out->malformed = s->gap = true;
        s->at++; /* the rest is read as if it were not there: it may hide an address */
        return true;
    }
    struct str inside = str_trim(str_slice(s->body, s->at + 1, end - 1));
    if (s->after_angle && s->list.n && s->spec.n == 0)
        s->list.v[s->list.n - 1].comment = inside;
    else
        s->comment = inside;
    s->at = end;
    s->gap = true;
    return true;
}

/* Bytes of the word at s->at: a quoted-string, a domain literal, or a run of anything not special. */
static size_t word_length(struct scan *s)
{
    static const struct str specials = {" \t\r\n()<>[]:;@\\,.\"", 17};
    char c = s->body.p[s->at];
    if (c == '"' && !s->no_quote) {
        size_t end = quote_end(s->body, s->at);
        if (end != STR_NPOS) return end - s->at;
        s->no_quote = s->out->malformed = true;
        return 1;
    }
    if (c == '[') {
        size_t i = s->at + 1;
        while (i < s->body.n && s->body.p[i] != ']' && str_find_byte(STR("[\\<>,\r\n"), s->body.p[i]) == STR_NPOS) i++;
        if (i < s->body.n && s->body.p[i] == ']') return i + 1 - s->at;
    }
    if (str_find_byte(specials, c) != STR_NPOS) {
        if (c != '.' && c != '@') s->out->malformed = true;
        return c == '\\' && s->at + 1 < s->body.n ? 2 : 1;
    }
    size_t i = s->at + 1;
    while (i < s->body.n && str_find_byte(specials, s->body.p[i]) == STR_NPOS) i++;
    return i - s->at;
}

/* The collected spec as a view where the source has it in one piece. */
static struct str spec_take(struct scan *s)
{
    struct str spec = buf_str(&s->spec), source = str_slice(s->body, s->spec_from, s->spec_to);
    if (spec.n == 0) return STR("");
    return str_eq(spec, source) ? source : arena_str(s->arena, spec);
}

static void mailbox_push(struct scan *s, struct str phrase, struct str spec)
{
    if (s->list.n == LIMIT_HEADER_MAILBOXES) {
        s->out->truncated = true;
        return;
    }
    struct header_mailbox m = {.phrase = str_trim(phrase), .comment = s->comment, .group = s->group, .address = spec};
    m.local = s->has_at ? str_slice(spec, 0, s->spec_at) : spec;
    m.domain = s->has_at ? str_from(spec, s->spec_at + 1) : STR("");
    if (m.local.n == 0 || m.domain.n == 0) s->out->malformed = true;
    VEC_PUSH(&s->list, m);
}

static void element_end(struct scan *s)
{
    struct str source = str_slice(s->body, s->phrase_from, s->at);
    if (s->spec.n == 0) return;
    if (s->after_angle) s->out->malformed = true;
    if (s->has_at) {
        struct str before = str_slice(s->body, s->phrase_from, s->spec_from);
        if (str_trim(before).n && s->comment.n == 0) s->out->malformed = true;
        mailbox_push(s, s->comment.n ? STR_NONE : before, spec_take(s));
    } else {
        mailbox_push(s, source, STR(""));
    }
}

static void token_take(struct scan *s)
{
    char c = s->body.p[s->at];
    bool word = c != '.' && c != '@';
    size_t from = s->at, n = word_length(s);
    if (word && s->open_word && s->gap) {
        if (s->has_at) {
            s->out->malformed = true; /* two addresses without a comma */
            element_end(s);
            element_begin(s);
        }
        spec_forget(s);
    }
    if (s->spec.n == 0) s->spec_from = from;
    buf_add(&s->spec, str_slice(s->body, from, from + n));
    s->at = s->spec_to = from + n;
    s->open_word = word;
    s->gap = false;
    if (word) return;
    s->has_at |= c == '@';
    if (c == '@') s->spec_at = s->spec.n - 1;
}

/* "<…>": from behind the bracket to behind its end; a comma ends one that is never closed. */
static void angle_take(struct scan *s)
{
    struct str phrase = str_slice(s->body, s->phrase_from, s->at);
    if (s->after_angle || s->has_at) s->out->malformed = true;
    s->at++;
    spec_forget(s);
    bool route = false, closed = false;
    while (s->at < s->body.n && !closed) {
        char c = s->body.p[s->at];
        if (skip_gap(s)) continue;
        if (c == '@' && s->spec.n == 0) route = true;
        if (c == '>') {
            s->at++;
            closed = true;
        } else if (c == ':' && route) {
            s->at++;
            route = false;
            spec_forget(s);
        } else if (c == ',' && !route) {
            break;
        } else if (c == ',') {
            s->at++;
        } else {
            /* Inside brackets a gap parts nothing, but two words beside each other are no address. */
            if (s->open_word && s->gap && c != '.' && c != '@') s->out->malformed = true;
            s->open_word = false;
            token_take(s);
        }
    }
    if (!closed || route) s->out->malformed = true;
    mailbox_push(s, phrase, spec_take(s));
    element_begin(s);
    s->after_angle = true;
}

struct header_mailboxes address_list_parse(struct arena *a, struct str body)
{
    struct header_mailboxes out = {0};
    struct scan s = {.arena = a, .out = &out, .body = body};
    element_begin(&s);
    while (s.at < body.n && !out.truncated) {
        char c = body.p[s.at];
        if (skip_gap(&s)) continue;
        if (c == '<') {
            angle_take(&s);
        } else if (c == ',' || c == ';') {
            element_end(&s);
            if (c == ';') {
                if (!s.group.p) out.malformed = true;
                s.group = STR_NONE;
            }
            s.at++;
            element_begin(&s);
        } else if (c == ':' && !s.has_at && !s.after_angle) {
            if (s.group.p) out.malformed = true;
            s.group = str_trim(str_slice(body, s.phrase_from, s.at));
            s.at++;
            element_begin(&s);
        } else {
            token_take(&s);
        }
    }
    if (!out.truncated) element_end(&s);
    if (s.list.n) {
        out.v = arena_array(a, s.list.n, sizeof *out.v);
        for (size_t i = 0; i < s.list.n; i++) out.v[i] = s.list.v[i];
    }
    out.n = s.list.n;
    VEC_FREE(&s.list);
    buf_free(&s.spec);
    return out;
}

struct str address_phrase_text(struct arena *a, struct str phrase)
{
    char *text = arena_alloc(a, phrase.n + 1);
    size_t n = 0;
    bool quoted = false, blank = false;
    for (size_t i = 0; i < phrase.n; i++) {
        char c = phrase.p[i];
        if (c == '"') {
            quoted = !quoted;
            continue;
        }
        size_t end = c == '(' && !quoted ? comment_end(phrase, i) : STR_NPOS;
        if (end != STR_NPOS) {
            i = end - 1;
            c = ' ';
        }
        if (c == '\\' && i + 1 < phrase.n) c = phrase.p[++i];
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            blank = n > 0;
            continue;
        }
        if (blank) text[n++] = ' ';
        blank = false;
        text[n++] = c;
    }
    return (struct str){text, n};
}
