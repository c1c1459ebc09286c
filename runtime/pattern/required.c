#include "pattern/required.h"

#include <string.h>

#include "pattern/pattern.h"

/* A reader of the source at its top level: runs of letters and digits between things of any other kind.  Whatever it
 * does not know for certain ends a run, or ends the search with nothing found. */
struct reader {
    struct str s;
    size_t at;
    bool extended;           /* flag x: blanks and comments are nothing */
    size_t from;             /* the run under way is [from, at) */
    size_t best, best_count; /* the longest run so far */
};

static bool is_alnum(char c) { return ascii_is_alpha(c) || ascii_is_digit(c); }
static char peek(const struct reader *r) { return r->at < r->s.n ? r->s.p[r->at] : '\0'; }

/* The run ends before `at`, `less` characters shorter; the next one begins behind what is read next. */
static void end_run(struct reader *r, size_t less)
{
    size_t n = r->at - r->from;
    n = n > less ? n - less : 0;
    if (n <= r->best_count) return;
    r->best = r->from;
    r->best_count = n;
}

/* Behind the next `close` from `at` on; false when there is none. */
static bool skip_past(struct reader *r, char close)
{
    size_t end = str_find_byte(str_from(r->s, r->at), close);
    if (end == STR_NPOS) return false;
    r->at += end + 1;
    return true;
}

/* Behind a class, whose `[` is at `at`. */
static bool skip_class(struct reader *r)
{
    r->at++;
    if (peek(r) == '^') r->at++;
    if (peek(r) == ']') r->at++;
    while (r->at < r->s.n) {
        char c = r->s.p[r->at++];
        if (c == ']') return true;
        if (c == '\\') {
            if (peek(r) == 'Q') return false;
            r->at++;
        } else if (c == '[' && (peek(r) == ':' || peek(r) == '.' || peek(r) == '=')) {
            char kind = peek(r);
            struct str rest = str_from(r->s, r->at + 1);
            const char end[2] = {kind, ']'};
            size_t close = str_find(rest, (struct str){end, 2}), bracket = str_find_byte(rest, ']');
            if (close != STR_NPOS && bracket == close + 1) r->at += close + 3; /* else the bracket is a plain one */
        }
    }
    return false;
}

/* Behind an escape, whose backslash is at `at`: what it takes with it is no text of ours. */
static bool skip_escape(struct reader *r)
{
    r->at++;
    if (r->at >= r->s.n) return false;
    char c = r->s.p[r->at++], next = peek(r);
    if (c == 'Q') return false;
    if (strchr("pPxoNgku", c)) {
        if (next == '{') return skip_past(r, '}');
        if (next == '<') return skip_past(r, '>');
        if (next == '\'') {
            r->at++;
            return skip_past(r, '\'');
        }
    }
    if (c == 'p' || c == 'P' || c == 'c') {
        r->at++;
    } else if (c == 'g' && (next == '-' || next == '+')) {
        r->at++;
    }
    if (c == 'x' || c == 'g' || c == 'o' || c == 'u' || ascii_is_digit(c)) {
        while (r->at < r->s.n && is_alnum(r->s.p[r->at])) r->at++; /* digits, and whatever follows them closely */
    }
    return true;
}

/* Behind a comment of flag x, whose # is at `at`. */
static void skip_comment(struct reader *r)
{
    if (!skip_past(r, '\n')) r->at = r->s.n;
}

/* Behind a group, whose `(` is at `at`, and all groups in it. */
static bool skip_group(struct reader *r)
{
    size_t depth = 0;
    do {
        char c = peek(r);
        if (c == '(' && str_starts(str_from(r->s, r->at), STR("(?#"))) {
            if (!skip_past(r, ')')) return false;
            continue;
        }
        if (c == '\\') {
            if (!skip_escape(r)) return false;
        } else if (c == '[') {
            if (!skip_class(r)) return false;
        } else if (c == '#' && r->extended) {
            skip_comment(r);
        } else {
            if (c == '(') depth++;
            if (c == ')') depth--;
            r->at++;
        }
    } while (depth && r->at < r->s.n);
    return depth == 0;
}

/* What makes one pass over the source unable to say what is needed: alternatives at the top are found on the way, and a
 * verb may end a match before its end, an inline option change how the rest is read. */
static bool is_beyond(struct str s)
{
    if (str_find(s, STR("(*")) != STR_NPOS) return true;
    for (size_t i = 0; i + 2 < s.n; i++) {
        if (s.p[i] != '(' || s.p[i + 1] != '?') continue;
        char c = s.p[i + 2];
        if (c == '^' || (c == '-' && !(i + 3 < s.n && ascii_is_digit(s.p[i + 3])))) return true;
        if (c != 'P' && c != 'R' && c != 'C' && ascii_is_alpha(c)) return true;
    }
    return false;
}

/* Everything but a letter or digit.  False: there is nothing to be known. */
static bool read_other(struct reader *r)
{
    char c = peek(r);
    switch (c) {
    case '|': return false;
    case '[': end_run(r, 0); return skip_class(r);
    case '(': end_run(r, 0); return skip_group(r);
    case '\\': end_run(r, 0); return skip_escape(r);
    case '?':
    case '*':
    case '+': end_run(r, 1); break;
    case '{': {
        end_run(r, 1);
        size_t end = r->at + 1;
        while (end < r->s.n && (ascii_is_digit(r->s.p[end]) || r->s.p[end] == ',' || r->s.p[end] == ' ')) end++;
        r->at = end;
        return true;
    }
    case '#':
        end_run(r, 1);
        if (r->extended) {
            skip_comment(r);
            return true;
        }
        break;
    default: end_run(r, r->extended ? 1 : 0); /* behind blanks of flag x a repeat may follow */
    }
    r->at++;
    return true;
}

bool pattern_required(struct str source, unsigned flags, struct required *out)
{
    struct reader r = {.s = source, .extended = flags & PATTERN_X};
    if (is_beyond(source)) return false;
    while (r.at < source.n) {
        if (is_alnum(source.p[r.at])) {
            r.at++;
            continue;
        }
        if (!read_other(&r)) return false;
        r.from = r.at;
    }
    end_run(&r, 0);
    if (r.best_count < REQUIRED_LEAST) return false;
    if (!out) return true;
    out->n = r.best_count - 1 < REQUIRED_MOST ? r.best_count - 1 : REQUIRED_MOST;
    for (size_t i = 0; i < out->n; i++) out->text[i] = ascii_lower(source.p[r.best + i]);
    out->next = ascii_lower(source.p[r.best + out->n]);
    return true;
}
