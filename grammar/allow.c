/* The comment that allows a warning: # allow W304 because "the pilot ends in March". */
#include "grammar/parse.h"

static void skip_blanks(struct str *s)
{
    while (s->n && ascii_is_blank(s->p[0])) *s = str_from(*s, 1);
}

static struct str take_word(struct str *s)
{
    size_t n = 0;
    while (n < s->n && (ascii_is_alpha(s->p[n]) || ascii_is_digit(s->p[n]))) n++;
    struct str word = str_slice(*s, 0, n);
    *s = str_from(*s, n);
    return word;
}

static bool is_code(struct str word)
{
    if (word.n < 2 || (ascii_lower(word.p[0]) != 'w' && ascii_lower(word.p[0]) != 'e')) return false;
    for (size_t i = 1; i < word.n; i++)
        if (!ascii_is_digit(word.p[i])) return false;
    return true;
}

static bool has_reason(struct str s)
{
    skip_blanks(&s);
    if (!str_eq_nocase(take_word(&s), STR("because"))) return false;
    skip_blanks(&s);
    s = str_trim(s);
    return s.n > 2 && s.p[0] == '"' && s.p[s.n - 1] == '"' && str_trim(str_slice(s, 1, s.n - 1)).n;
}

/* Only a comment that begins with `allow` and a code is one; any other may say what it likes. */
void allow_comment(struct parse *p, struct span at)
{
    struct str rest = str_from(span_text(p, at), 1), word;
    enum diag_code code;
    skip_blanks(&rest);
    if (!str_eq_nocase(take_word(&rest), STR("allow"))) return;
    skip_blanks(&rest);
    word = take_word(&rest);
    if (!is_code(word)) return;
    struct diag *d;
    if (!diag_code_find(word, &code)) {
        diag_add(p->diags, DIAG_W318, at, "there is no warning `%.*s` to allow", STR_ARG(word));
    } else if (diag_code_severity(code) == SEVERITY_ERROR) {
        diag_add(p->diags, DIAG_W318, at, "`%.*s` is an error, which cannot be allowed", STR_ARG(word));
    } else if (!has_reason(rest)) {
        d = diag_add(p->diags, DIAG_W318, at, "this allows nothing, for it gives no reason");
        diag_fix(p->diags, d, "", "# allow %s because \"…\"", diag_code_name(code));
    } else {
        struct ast_allow *a = ARENA_NEW(p->arena, struct ast_allow);
        *a = (struct ast_allow){.span = at, .code = code};
        if (p->last_allow)
            p->last_allow->next = a;
        else
            p->file->allows = a;
        p->last_allow = a;
    }
}
