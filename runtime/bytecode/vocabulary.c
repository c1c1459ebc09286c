#include "bytecode/vocabulary.h"

#include <string.h>

#include "base/digest.h"
#include "base/vec.h"

bool vocabulary_has_word(const char *words, struct str word)
{
    struct str rest = str_of(words), head;
    while (rest.n) {
        str_cut(rest, ' ', &head, &rest);
        if (str_eq(head, word) && word.n) return true;
    }
    return false;
}

enum value_type vocabulary_part_type(const struct field_row *row, uint8_t part)
{
    switch (part) {
    case PART_ADDRESS: return TYPE_ADDRESS;
    case PART_DOMAIN: return TYPE_DOMAIN;
    case PART_LOCAL:
    case PART_NAME: return TYPE_TEXT;
    default: return row->type;
    }
}

bool vocabulary_is_seen(const struct field_row *row, uint8_t part)
{
    return row->type == TYPE_TEXT || (row->type == TYPE_ADDRESS && (part == PART_WHOLE || part == PART_NAME));
}

bool vocabulary_is_detector(const struct declaration_row *row) { return strcmp(row->name, "detector") == 0; }

void vocabulary_range(const char *words, int64_t *least, int64_t *most)
{
    struct str low, high;
    str_cut(str_of(words), ' ', &low, &high);
    if (!str_to_i64(low, least)) *least = 0;
    if (!str_to_i64(high, most)) *most = INT64_MAX;
}

bool vocabulary_is_of_element(const struct field_row *row, const struct field_row *element)
{
    if (row == element) return true;
    size_t n = strlen(element->name);
    return row->of == element->of && element->text == FIELD_TEXT_NONE && strncmp(row->name, element->name, n) == 0 &&
           row->name[n] == '.';
}

/* One canonical text: unambiguous because names and words hold no line end. */
static void describe_params(struct buf *b, const struct param_row *params, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct param_row *p = &params[i];
        buf_printf(b, "  %s %d [%s] %d%d%d%d\n", p->name, p->type, p->words ? p->words : "", p->positional, p->required,
                   p->template, p->many);
    }
}

void vocabulary_hash(const struct vocabulary_rows *rows, uint8_t out[32])
{
    struct buf b = {0};
    for (size_t i = 0; i < rows->field_count; i++) {
        const struct field_row *f = &rows->fields[i];
        buf_printf(&b, "field %s %d %d %d %d%d [%s]\n", f->name, f->type, f->of, f->text, f->many, f->editable,
                   f->words ? f->words : "");
    }
    for (size_t i = 0; i < rows->action_count; i++) {
        const struct action_row *a = &rows->actions[i];
        buf_printf(&b, "action %s %d %d %d\n", a->name, a->join, a->guard, a->final);
        describe_params(&b, a->params, a->param_count);
    }
    for (size_t i = 0; i < rows->declaration_count; i++) {
        const struct declaration_row *d = &rows->declarations[i];
        buf_printf(&b, "declaration %s %d%d\n", d->name, d->named, d->once);
        describe_params(&b, d->params, d->param_count);
    }
    digest_sha256(buf_str(&b), out);
    buf_free(&b);
}
