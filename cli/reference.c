/* `sluice reference`: docs/reference.md, from the tables.  `make reference` writes it, a test holds it to this. */
#include <string.h>
#include <sysexits.h>

#include "cli/cli.h"
#include "cli/words.h"
#include "compiler/library.h"
#include "compiler/words.h"
#include "grammar/diag.h"

/* Text of a table's cell: a bar would end it. */
static void cell(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '|') buf_add_byte(out, '\\');
        buf_add_byte(out, s.p[i] == '\n' ? ' ' : s.p[i]);
    }
}
static void code(struct buf *out, const char *s)
{
    buf_add(out, STR("`"));
    cell(out, str_of(s));
    buf_add(out, STR("`"));
}

static void needs(struct buf *out, const char *what)
{
    if (what) buf_printf(out, " *Not in this version: it needs %s.*", what);
}

static void write_verbs(struct buf *out)
{
    buf_add(out, STR("## Types and verbs\n\n| type | verbs |\n| --- | --- |\n"));
    for (int type = 0; type < TYPE_NAME; type++) {
        buf_printf(out, "| %s | ", type_names[type]);
        for (size_t i = 0; words_verb((enum value_type)type, i); i++)
            buf_printf(out, "%s%s", i ? ", " : "", words_verb((enum value_type)type, i));
        if (type == TYPE_YESNO) buf_add(out, STR("none: it stands bare, `not` before it denies it"));
        buf_add(out, STR(" |\n"));
    }
    buf_add(out, STR("\nEvery verb has its negative: `is not`, `does not contain`, `does not match` …\n\n"));
}

static void write_field(struct buf *out, const struct field_row *f)
{
    buf_add(out, STR("| "));
    buf_printf(out, "`%s%s`", f->name, f->text == FIELD_TEXT_NONE ? "" : " \"…\"");
    buf_printf(out, " | %s%s | %s | ", type_names[f->type], f->many ? ", several" : "", fact_names[f->of]);
    cell(out, str_of(f->doc));
    buf_add_byte(out, '.');
    for (struct str rest = str_of(f->words), word; rest.n;) {
        bool first = rest.p == f->words;
        str_cut(rest, ' ', &word, &rest);
        buf_printf(out, "%s `%.*s`%s", first ? " One of" : "", STR_ARG(word), rest.n ? "," : ".");
    }
    needs(out, f->needs);
    buf_add(out, STR(" | "));
    code(out, f->example);
    buf_add(out, STR(" |\n"));
}

static void write_fields(struct buf *out)
{
    buf_add(
        out,
        STR("## Fields\n\n*Of the message*: it holds for all recipients or for none.  *Of a recipient*: for each by "
            "itself.  *Of an element*: the field has several values, and a quantifier says which are meant.\n"));
    for (size_t i = 0; i < words_field_listing_count; i++) {
        const struct word_listing *l = &words_field_listing[i];
        if (l->group)
            buf_printf(out,
                       "\n### %s\n\n| field | type | fact of | meaning | example |\n| --- | --- | --- | --- | --- |\n",
                       l->group);
        else
            write_field(out, &words_rows.fields[l->row]);
    }
    buf_add(out, STR("\n### Parts of an address\n\n| part | type | meaning |\n| --- | --- | --- |\n"));
    for (size_t i = 0; i < words_part_count; i++)
        buf_printf(out, "| `.%s` | %s | %s |\n", words_parts[i].name, type_names[words_parts[i].type],
                   words_parts[i].doc);
    buf_add_byte(out, '\n');
}

static void write_options(struct buf *out)
{
    buf_add(out, STR("## Options of a rule\n\n| option | type | default | meaning | example |\n| --- | --- | --- | --- "
                     "| --- |\n"));
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *o = &words_options[i];
        buf_printf(out, "| `%s` | %s | %s | ", o->name, *o->words ? o->words : type_names[o->type],
                   *o->value ? o->value : "-");
        cell(out, str_of(o->doc));
        buf_printf(out, " | `%s` |\n", o->example);
    }
    buf_add_byte(out, '\n');
}

static void write_param(struct buf *out, const struct param_row *p)
{
    const char *form = p->type == TYPE_WORD     ? p->words
                       : p->type == TYPE_NAME   ? p->words
                       : p->type == TYPE_NUMBER ? (*p->words ? p->words : "number")
                                                : type_names[p->type];
    buf_printf(out, "  - `%s`%s: %s%s%s%s\n", p->name, p->positional ? " (the name may be left out)" : "", form,
               p->type == TYPE_ADDRESS && strcmp(p->words, "field") == 0 ? ", or a field that is one" : "",
               p->many ? ", or several: (a, b)" : "", p->required ? "; required" : "");
}

static void write_action(struct buf *out, const struct action_row *a)
{
    buf_printf(out, "- **`%s`**: %s.  Joins: %s%s%s.", a->name, a->doc, join_names[a->join], a->guard ? "; " : "",
               guard_names[a->guard]);
    needs(out, a->needs);
    buf_printf(out, "  \n  `%s`\n", a->example);
    for (size_t i = 0; i < a->param_count; i++) write_param(out, &a->params[i]);
}

static void write_actions(struct buf *out)
{
    buf_add(
        out,
        STR("## Actions\n\nHow an action *joins* with those of earlier rules: each is done once, the strongest, the "
            "last, "
            "the latest counts, together.  A rule whose condition is disputed is carried out without what *relaxes*; "
            "one that could not be read, with what *protects* alone.  Templates in texts: `{subject}`, `{sender}`, "
            "`{rule}`; `{{` is a brace.\n"));
    for (size_t i = 0; i < words_action_listing_count; i++) {
        const struct word_listing *l = &words_action_listing[i];
        if (l->group)
            buf_printf(out, "\n### %s\n\n", l->group);
        else
            write_action(out, &words_rows.actions[l->row]);
    }
    buf_add_byte(out, '\n');
}

static struct str text_of(const struct program *p, const struct declaration *d, const char *name)
{
    const struct constant *c = library_argument(p, d, name);
    return c ? c->text : STR("");
}

static void write_detectors(struct buf *out)
{
    struct program *p = library_detectors();
    buf_add(out, STR("## Detectors\n\nOf `std/detectors`; `sluice library std/detectors` shows how each is made.\n\n"
                     "| detector | finds | checksum |\n| --- | --- | --- |\n"));
    for (uint32_t i = 0; i < p->declarations_count; i++) {
        const struct declaration *d = &p->declarations[i];
        struct str checksum = text_of(p, d, "checksum");
        buf_printf(out, "| `%.*s` | ", STR_ARG(d->name));
        cell(out, text_of(p, d, "comment"));
        buf_printf(out, " | %.*s |\n", STR_ARG(checksum.n ? checksum : STR("-")));
    }
    program_free(&p);
    buf_add_byte(out, '\n');
}

static void write_library(struct buf *out)
{
    buf_add(out, STR("## The library\n\n| import | lists |\n| --- | --- |\n"));
    for (size_t i = 0; library_file(i); i++) {
        struct str rest = library_file(i)->text, line, name, of;
        size_t n = 0;
        buf_printf(out, "| `\"%.*s\"` | ", STR_ARG(library_file(i)->name));
        while (str_cut(rest, '\n', &line, &rest)) {
            if (!str_starts(line, STR("list ")) || !str_cut(str_from(line, 5), ' ', &name, &of)) continue;
            struct str type = str_from(of, 3);
            size_t blank = str_find_byte(type, ' ');
            buf_printf(out, "%s`%.*s` (%.*s)", n++ ? ", " : "", STR_ARG(name), STR_ARG(str_slice(type, 0, blank)));
        }
        buf_printf(out, "%s |\n", n ? "" : "detectors");
    }
    buf_add_byte(out, '\n');
}

static void write_settings(struct buf *out)
{
    buf_add(out, STR("## Declarations\n"));
    for (size_t i = 0; i < setting_row_count; i++) {
        const struct setting_row *r = &setting_rows[i];
        if (!r->name) {
            buf_printf(out, "\n### `%s`\n\n%s.  ", r->declaration, r->doc);
            buf_printf(out, "\n`%s`\n\n| setting | type | default | meaning |\n| --- | --- | --- | --- |\n", r->value);
            continue;
        }
        buf_printf(out, "| `%s` | %s | %s | ", r->name, r->type == TYPE_WORD ? r->words : type_names[r->type],
                   r->required ? "required" : *r->value ? r->value : "-");
        cell(out, str_of(r->doc));
        buf_add(out, STR(" |\n"));
    }
    buf_add_byte(out, '\n');
}

static void write_codes(struct buf *out)
{
    static const struct {
        const char *id, *title, *text;
    } codes[] = {
#define CODE(id, severity, title, text) {#id, title, text},
#include "grammar/codes.def"
#undef CODE
    };
    buf_add(out, STR("## Diagnostics\n\n`E` is an error, `W` a warning (an error under `--werror`).  `sluice explain "
                     "CODE` prints one.\n\n"
                     "| code | what | meaning |\n| --- | --- | --- |\n"));
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        buf_printf(out, "| %s | ", codes[i].id);
        cell(out, str_of(codes[i].title));
        buf_add(out, STR(" | "));
        cell(out, str_of(codes[i].text));
        buf_add(out, STR(" |\n"));
    }
}

int reference_main(int argc, char **argv)
{
    if (options_parse(command_find("reference"), argc, argv, NULL, 0) > 1)
        return usage("reference", "it takes no argument");
    struct buf out = {0};
    buf_add(
        &out,
        STR("# Reference of the rule language\n\nAll words, from the tables of this version: `sluice reference` prints "
            "this page, `make reference` writes it.\n[The manual](language.md) explains what they mean together.\n\n"));
    write_verbs(&out);
    write_fields(&out);
    write_options(&out);
    write_actions(&out);
    write_detectors(&out);
    write_library(&out);
    write_settings(&out);
    write_codes(&out);
    put(&out, stdout);
    buf_free(&out);
    return EX_OK;
}
