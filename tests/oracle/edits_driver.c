/* Edits messages for edits_test.py, one after the other.  A request is a line "EDITS CONTENT\n" with two lengths, then
 * the edits (records ended by 1e, fields ended by 1f: kind, name or part, value, html), then the content.  The answer:
 * a line "MADE PIECES LENGTH\n" (per edit one letter: + made, w wrapped, ! refused, and the total), a line for each
 * piece ("c FROM TO" or "i LENGTH"), then all that is inserted, LENGTH bytes. */
#include <stdio.h>
#include <stdlib.h>

#include "message/charset.h"
#include "message/edits.h"

static struct str field_next(struct str *rest)
{
    struct str field;
    str_cut(*rest, '\x1f', &field, rest);
    return field;
}

/* A text falls back on a new message around the old, as the rule action does by default. */
static const struct edits *make(struct arena *a, struct message *m, const struct edits *e, struct str record,
                                char *made)
{
    struct str kind = field_next(&record), name = field_next(&record), value = field_next(&record),
               html = field_next(&record);
    const struct edits *more = NULL;
    uint64_t part = 0;
    *made = '+';
    switch (kind.n ? kind.p[0] : 0) {
    case '+': more = edits_add(a, e, EDIT_ADD_HEADER, name, value); break;
    case '=': more = edits_add(a, e, EDIT_SET_HEADER, name, value); break;
    case '-': more = edits_add(a, e, EDIT_REMOVE_HEADER, name, value); break;
    case '^': more = edits_add(a, e, EDIT_PREPEND_SUBJECT, name, value); break;
    case 'a':
    case 'p': {
        enum edit_kind place = kind.p[0] == 'a' ? EDIT_APPEND_TEXT : EDIT_PREPEND_TEXT;
        bool takes = message_takes_text(m, place, value, html);
        *made = takes ? '+' : 'w';
        if (takes || message_can_wrap(m)) more = edits_add_text(a, e, place, value, html, !takes);
        break;
    }
    case 'r':
        if (str_to_u64(name, &part)) more = edits_remove_part(a, e, (size_t)part, value);
        break;
    default: break;
    }
    if (!more) *made = '!';
    return more ? more : e;
}

static void answer(struct arena *a, struct str records, struct str content)
{
    struct message *m = message_open(a, content, NULL);
    const struct edits *e = NULL;
    struct buf made = {0};
    for (struct str record; records.n;) {
        char how;
        str_cut(records, '\x1e', &record, &records);
        e = make(a, m, e, record, &how);
        buf_add_byte(&made, how);
    }
    if (made.n == 0) buf_add_byte(&made, '.');
    struct pieces p;
    edits_pieces(m, e, a, &p);
    INVARIANT(pieces_are_sound(&p, content.n));
    size_t inserted = 0;
    for (size_t i = 0; i < p.n; i++) inserted += p.v[i].insert.n;
    printf("%.*s %zu %zu\n", STR_ARG(buf_str(&made)), p.n, inserted);
    for (size_t i = 0; i < p.n; i++) {
        if (p.v[i].insert.p)
            printf("i %zu\n", p.v[i].insert.n);
        else
            printf("c %llu %llu\n", (unsigned long long)p.v[i].from, (unsigned long long)p.v[i].to);
    }
    for (size_t i = 0; i < p.n; i++)
        if (p.v[i].insert.n) fwrite(p.v[i].insert.p, 1, p.v[i].insert.n, stdout);
    buf_free(&made);
    fflush(stdout);
}

int main(void)
{
    struct err err = {0};
    if (!charset_warm(&err)) return fprintf(stderr, "%s\n", err.text), err.sysexit;
    struct arena *a = arena_create();
    size_t edits, content;
    while (scanf("%zu %zu", &edits, &content) == 2 && getchar() == '\n') {
        arena_reset(a);
        char *bytes = arena_alloc(a, edits + content + 1);
        if (fread(bytes, 1, edits + content, stdin) != edits + content) return 65;
        answer(a, (struct str){bytes, edits}, (struct str){bytes + edits, content});
    }
    arena_free(&a);
    return 0;
}
