/* `sluice explain`: a diagnostic by its code, or a word of the language. */
#include <strings.h>
#include <sysexits.h>

#include "cli/cli.h"
#include "cli/words.h"
#include "compiler/words.h"
#include "grammar/diag.h"

static const struct {
    const char *id, *title, *text;
} codes[] = {
#define CODE(id, severity, title, text) {#id, title, text},
#include "grammar/codes.def"
#undef CODE
};

static bool explain_code(struct str word, struct buf *out)
{
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (!str_eq_nocase(str_of(codes[i].id), word)) continue;
        buf_printf(out, "%s: %s\n\n%s\n", codes[i].id, codes[i].title, codes[i].text);
        return true;
    }
    return false;
}

static bool explain_field(struct str word, struct buf *out)
{
    struct word_field field;
    if (!words_find_field(word, &field)) return false;
    if (field.part != PART_WHOLE) /* of which the field is printed too */
        buf_printf(out, "%.*s: %s\n\n", STR_ARG(word), words_parts[field.part - PART_ADDRESS].doc);
    field_print(&words_rows.fields[field.field], out);
    for (size_t i = 0; words_verb(field.type, i); i++)
        buf_printf(out, "%s%s", i ? ", " : "    verbs: ", words_verb(field.type, i));
    buf_add(out, words_verb(field.type, 0) ? STR("\n") : STR(""));
    return true;
}

static bool explain_action(struct str word, struct buf *out)
{
    uint32_t action = words_find_action(word);
    if (action == WORDS_NONE) return false;
    const struct action_row *a = &words_rows.actions[action];
    action_print(a, out);
    for (size_t i = 0; i < a->param_count; i++) {
        const struct param_row *p = &a->params[i];
        buf_printf(out, "    %s: %s%s\n", p->name, p->type == TYPE_WORD ? p->words : type_names[p->type],
                   p->required ? ", required" : "");
    }
    return true;
}

static bool explain_option(struct str word, struct buf *out)
{
    uint32_t i = words_find_option(word);
    if (i == WORDS_NONE) return false;
    const struct option_row *o = &words_options[i];
    buf_printf(out, "%s: an option of rules and `defaults`\n    %s\n    e.g. %s\n", o->name, o->doc, o->example);
    if (*o->words) buf_printf(out, "    one of: %s\n", o->words);
    if (*o->value) buf_printf(out, "    without it: %s\n", o->value);
    return true;
}

static bool explain_setting(struct str word, struct buf *out)
{
    const char *declaration = "";
    size_t before = out->n;
    for (size_t i = 0; i < setting_row_count; i++) {
        const struct setting_row *r = &setting_rows[i];
        if (!r->name) declaration = r->declaration;
        if (!r->name && str_eq(word, str_of(r->declaration)))
            buf_printf(out, "%s: %s\n    e.g. %s\n    `sluice settings` lists what it can say\n", r->declaration,
                       r->doc, r->value);
        if (r->name && str_eq(word, str_of(r->name)))
            buf_printf(out, "%s of `%s`: %s%s%s\n", r->name, declaration, r->doc, *r->value ? "; default " : "",
                       r->value);
    }
    return out->n > before;
}

static bool explain_keyword(struct str word, struct buf *out)
{
    static const struct {
        const char *word, *doc, *example;
    } rows[] = {
#define KEYWORD(token, spelling, doc, example) {spelling, doc, example},
#include "grammar/keywords.def"
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!str_eq_nocase(word, str_of(rows[i].word))) continue;
        buf_printf(out, "%s: a keyword\n    %s\n    e.g. %s\n", rows[i].word, rows[i].doc, rows[i].example);
        return true;
    }
    return false;
}

/* A word of another language, and how it is said here. */
static bool explain_tried(struct str word, struct buf *out)
{
    struct str right = suggest_tried(word);
    if (right.n) buf_printf(out, "%.*s: no word of this language; it is said `%.*s`\n", STR_ARG(word), STR_ARG(right));
    return right.n != 0;
}

static bool explain_detector(struct str word, struct buf *out)
{
    struct program *p = library_detectors();
    bool known = false;
    for (uint32_t i = 0; i < p->declarations_count; i++) known |= str_eq(p->declarations[i].name, word);
    if (known)
        buf_printf(out,
                   "%.*s: a detector, for `contains`; `sluice detectors` says what it finds\n    e.g. body contains at "
                   "least 2 %.*s\n",
                   STR_ARG(word), STR_ARG(word));
    program_free(&p);
    return known;
}

/* The nearest of all words, for one that is none. */
static struct str nearest(struct str word)
{
    VEC(struct str) known = {0};
    for (size_t i = 0; i < words_rows.field_count; i++) VEC_PUSH(&known, str_of(words_rows.fields[i].name));
    for (size_t i = 0; i < words_rows.action_count; i++) VEC_PUSH(&known, str_of(words_rows.actions[i].name));
    for (size_t i = 0; i < OPTION_COUNT; i++) VEC_PUSH(&known, str_of(words_options[i].name));
#define KEYWORD(token, spelling, doc, example) VEC_PUSH(&known, STR(spelling));
#include "grammar/keywords.def"
    struct str near = suggest_nearest(word, known.v, known.n);
    VEC_FREE(&known);
    return near;
}

int explain_main(int argc, char **argv)
{
    static bool (*const ways[])(struct str, struct buf *) = {explain_code,   explain_field,   explain_action,
                                                             explain_option, explain_setting, explain_detector,
                                                             explain_keyword};
    argc = options_parse(command_find("explain"), argc, argv, NULL, 0);
    if (argc != 2) return usage("explain", "which code or word? For example E201, or recipient.scope");
    struct buf out = {0};
    bool known = false;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) known |= ways[i](str_of(argv[1]), &out);
    if (!known) known = explain_tried(str_of(argv[1]), &out);
    put(&out, stdout);
    buf_free(&out);
    if (known) return EX_OK;
    struct str near = nearest(str_of(argv[1]));
    fprintf(stderr, "sluice explain: there is no diagnostic and no word `%s`", argv[1]);
    if (near.n) fprintf(stderr, "; did you mean `%.*s`?", STR_ARG(near));
    fputc('\n', stderr);
    return EX_DATAERR;
}
