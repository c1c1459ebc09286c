/* `sluice fields`, `sluice actions` and `sluice settings`: the vocabulary, from its tables. */
#include <sysexits.h>

#include "base/json.h"
#include "cli/cli.h"
#include "cli/words.h"
#include "compiler/words.h"

const char *const type_names[TYPE_NAME + 1] = {
    [TYPE_TEXT] = "text",   [TYPE_ADDRESS] = "address", [TYPE_DOMAIN] = "domain",   [TYPE_NUMBER] = "number",
    [TYPE_SIZE] = "size",   [TYPE_DURATION] = "duration", [TYPE_DATE] = "date",     [TYPE_CLOCK] = "clock",
    [TYPE_NETWORK] = "network", [TYPE_WORD] = "word",   [TYPE_YESNO] = "yes/no",    [TYPE_NAME] = "name",
};
const char *const fact_names[FACT_ELEMENT + 1] = {
    [FACT_MESSAGE] = "message", [FACT_RECIPIENT] = "recipient", [FACT_ELEMENT] = "element"};
const char *const join_names[JOIN_LATEST + 1] = {
    [JOIN_ACCUMULATE] = "each once", [JOIN_MAXIMUM] = "the strongest", [JOIN_LAST] = "the last wins",
    [JOIN_FINAL] = "final",          [JOIN_STOP] = "stop",             [JOIN_UNION] = "together",
    [JOIN_LATEST] = "the latest"};
const char *const guard_names[GUARD_RELAXES + 1] = {
    [GUARD_NEITHER] = "", [GUARD_PROTECTS] = "protects", [GUARD_RELAXES] = "relaxes"};

static struct js *field_json(const struct field_row *f)
{
    struct js *o = js_object();
    js_put_cstr(o, "field", f->name);
    js_put_cstr(o, "type", type_names[f->type]);
    js_put_cstr(o, "fact_of", fact_names[f->of]);
    js_put_bool(o, "takes_text", f->text != FIELD_TEXT_NONE);
    js_put_bool(o, "several", f->many);
    if (*f->words) js_put_cstr(o, "words", f->words);
    if (f->needs) js_put_cstr(o, "needs", f->needs);
    js_put_cstr(o, "doc", f->doc);
    js_put_cstr(o, "example", f->example);
    return o;
}

static struct js *action_json(const struct action_row *a)
{
    struct js *o = js_object(), *params = js_array();
    js_put_cstr(o, "action", a->name);
    js_put_bool(o, "final", a->final);
    js_put_cstr(o, "joins", join_names[a->join]);
    if (a->guard != GUARD_NEITHER) js_put_cstr(o, "guard", guard_names[a->guard]);
    for (size_t i = 0; i < a->param_count; i++) {
        struct js *p = js_object();
        js_put_cstr(p, "name", a->params[i].name);
        js_put_cstr(p, "type", type_names[a->params[i].type]);
        if (a->params[i].type == TYPE_WORD) js_put_cstr(p, "words", a->params[i].words);
        js_put_bool(p, "required", a->params[i].required);
        js_add(params, p);
    }
    js_put(o, "parameters", params);
    if (a->needs) js_put_cstr(o, "needs", a->needs);
    js_put_cstr(o, "doc", a->doc);
    js_put_cstr(o, "example", a->example);
    return o;
}

static void print_line(struct js *o, struct buf *out)
{
    js_print(o, out);
    buf_add_byte(out, '\n');
    js_free(&o);
}

static bool wants_json(const char *command, int argc, char **argv)
{
    bool json = false;
    const struct option options[] = {{"json", NULL, &json, NULL}};
    if (options_parse(command_find(command), argc, argv, options, 1) > 1)
        exit(usage(command, "it takes no argument"));
    return json;
}

static void print_needs(const char *needs, struct buf *out)
{
    if (needs) buf_printf(out, "    not in this version: it needs %s\n", needs);
}

void field_print(const struct field_row *f, struct buf *out)
{
    buf_printf(out, "%s%s\n    %s of the %s%s%s%s\n    %s\n    e.g. %s\n", f->name, f->text ? " \"…\"" : "",
               type_names[f->type], fact_names[f->of], f->many ? ", several" : "", *f->words ? ": " : "", f->words,
               f->doc, f->example);
    print_needs(f->needs, out);
}

void action_print(const struct action_row *a, struct buf *out)
{
    buf_printf(out, "%s", a->name);
    for (size_t k = 0; k < a->param_count; k++)
        buf_printf(out, a->params[k].required ? " %s" : " [%s]", a->params[k].name);
    buf_printf(out, "\n    joins: %s%s%s\n    %s\n    e.g. %s\n", join_names[a->join], a->guard ? ", " : "",
               guard_names[a->guard], a->doc, a->example);
    print_needs(a->needs, out);
}

int fields_main(int argc, char **argv)
{
    bool json = wants_json("fields", argc, argv);
    struct buf out = {0};
    for (size_t i = 0; i < words_field_listing_count; i++) {
        const struct word_listing *l = &words_field_listing[i];
        const struct field_row *f = &words_rows.fields[l->row];
        if (l->group) {
            if (!json) buf_printf(&out, "%s# %s\n", i ? "\n" : "", l->group);
            continue;
        }
        if (json) {
            print_line(field_json(f), &out);
            continue;
        }
        field_print(f, &out);
    }
    if (!json) {
        buf_printf(&out, "\nAddresses have parts:");
        for (size_t i = 0; i < words_part_count; i++)
            buf_printf(&out, " .%s (%s)", words_parts[i].name, type_names[words_parts[i].type]);
        buf_add_byte(&out, '\n');
    }
    put(&out, stdout);
    buf_free(&out);
    return EX_OK;
}

int actions_main(int argc, char **argv)
{
    bool json = wants_json("actions", argc, argv);
    struct buf out = {0};
    for (size_t i = 0; i < words_action_listing_count; i++) {
        const struct word_listing *l = &words_action_listing[i];
        const struct action_row *a = &words_rows.actions[l->row];
        if (l->group) {
            if (!json) buf_printf(&out, "%s# %s\n", i ? "\n" : "", l->group);
            continue;
        }
        if (json) {
            print_line(action_json(a), &out);
            continue;
        }
        action_print(a, &out);
    }
    put(&out, stdout);
    buf_free(&out);
    return EX_OK;
}

/* --- settings ----------------------------------------------------------------------------------------------------- */
/* The rows of the table as it is written, with the words that a compiled program does not carry. */
const struct setting_row setting_rows[] = {
#define DECLARATION(id, name, named, once, settings, doc, example) {name, NULL, TYPE_TEXT, "", example, doc, false},
#define SETTING(declaration, id, index, name, type, words, positional, required, many, value, doc) \
    {NULL, name, type, words, value, doc, required},
#include "stdlib/declarations.def"
#undef DECLARATION
#undef SETTING
};
const size_t setting_row_count = sizeof setting_rows / sizeof *setting_rows;

static void setting_json(const struct setting_row *r, const char *declaration, struct buf *out)
{
    struct js *o = js_object();
    js_put_cstr(o, "declaration", declaration);
    js_put_cstr(o, "setting", r->name);
    js_put_cstr(o, "type", type_names[r->type]);
    if (r->type == TYPE_WORD) js_put_cstr(o, "words", r->words);
    js_put_bool(o, "required", r->required);
    if (*r->value) js_put_cstr(o, "default", r->value);
    js_put_cstr(o, "doc", r->doc);
    print_line(o, out);
}

int settings_main(int argc, char **argv)
{
    bool json = wants_json("settings", argc, argv);
    struct buf out = {0};
    const char *declaration = "";
    for (size_t i = 0; i < setting_row_count; i++) {
        const struct setting_row *r = &setting_rows[i];
        if (!r->name) {
            declaration = r->declaration;
            if (!json) buf_printf(&out, "%s%s: %s\n    e.g. %s\n", i ? "\n" : "", declaration, r->doc, r->value);
        } else if (json) {
            setting_json(r, declaration, &out);
        } else {
            buf_printf(&out, "  %-15s %s%s%s%s\n", r->name, r->doc, r->required ? " (required)" : "",
                       *r->value ? "; default " : "", r->value);
            if (r->type == TYPE_WORD) buf_printf(&out, "  %-15s   one of: %s\n", "", r->words);
        }
    }
    put(&out, stdout);
    buf_free(&out);
    return EX_OK;
}
