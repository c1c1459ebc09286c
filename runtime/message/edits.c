#include "message/edits_state.h"

#include <string.h>

#include "base/sort.h"
#include "mail/header_emit.h"
#include "message/header.h"

/* --- lists ------------------------------------------------------------------------------------------------------- */

static struct edits *list_add(struct arena *a, const struct edits *before, enum edit_kind kind)
{
    if (edits_count(before) >= EDITS_MAX) return NULL;
    struct edits *e = ARENA_NEW(a, struct edits);
    e->before = before;
    e->kind = (uint8_t)kind;
    e->count = edits_count(before) + 1;
    e->has_body = kind >= EDIT_APPEND_TEXT || (before && before->has_body);
    e->part = MIME_NO_PART;
    return e;
}

const struct edits *edits_add(struct arena *a, const struct edits *before, enum edit_kind kind, struct str name,
                              struct str value)
{
    INVARIANT(kind < EDIT_APPEND_TEXT);
    if (kind == EDIT_PREPEND_SUBJECT) name = STR("Subject");
    if (!header_name_is_valid(name) || header_name_is_protected(name)) return NULL;
    struct edits *e = list_add(a, before, kind);
    if (!e) return NULL;
    e->name = arena_str(a, name);
    if (kind == EDIT_REMOVE_HEADER) return e;
    e->value = arena_str(a, value);
    e->emitted = edits_field_emit(a, e->name, e->value);
    return e;
}

const struct edits *edits_add_text(struct arena *a, const struct edits *before, enum edit_kind kind, struct str text,
                                   struct str html, bool wrap)
{
    INVARIANT(kind == EDIT_APPEND_TEXT || kind == EDIT_PREPEND_TEXT);
    struct edits *e = list_add(a, before, kind);
    if (!e) return NULL;
    e->value = edits_text_clean(a, text);
    if (html.n) e->html = edits_text_clean(a, html);
    e->wrap = wrap;
    return e;
}

const struct edits *edits_remove_part(struct arena *a, const struct edits *before, size_t part, struct str note)
{
    struct edits *e = list_add(a, before, EDIT_REMOVE_PART);
    if (!e) return NULL;
    e->part = part;
    e->value = edits_text_clean(a, note);
    return e;
}

size_t edits_count(const struct edits *e) { return e ? e->count : 0; }
struct str edits_name(const struct edits *e) { return e->name; }
const struct edits *edits_before(const struct edits *e) { return e->before; }

bool edits_equal(const struct edits *a, const struct edits *b)
{
    if (edits_count(a) != edits_count(b)) return false;
    for (; a != b; a = a->before, b = b->before)
        if (a->kind != b->kind || a->wrap != b->wrap || a->part != b->part || !str_eq_nocase(a->name, b->name) ||
            !str_eq(a->value, b->value) || !str_eq(a->html, b->html))
            return false;
    return true;
}

/* --- resolving --------------------------------------------------------------------------------------------------- */

static const struct edits **in_order(struct message *m, const struct edits *list)
{
    const struct edits **order = ARENA_ARRAY(m->arena, const struct edits *, list->count);
    for (const struct edits *e = list; e; e = e->before) order[e->count - 1] = e;
    return order;
}

static struct effect *effect_create(struct message *m, const struct edits *const *order, size_t n)
{
    const struct message_header *h = &m->header;
    struct effect *f = ARENA_NEW(m->arena, struct effect);
    f->changes = ARENA_ARRAY(m->arena, struct change *, h->field_count + 1);
    f->position = h->from;
    while (f->place < h->field_count && header_is_trace(h->fields[f->place].name))
        f->position = h->fields[f->place++].to;
    for (size_t i = 0; i < n; i++) effect_of_header(m, f, order[i]);
    return f;
}

/* Without the body: content is seen as it was received (LANGUAGE section 4), and so are the MIME fields. */
static struct effect *resolve(struct message *m, const struct edits *list)
{
    struct edits *head = (struct edits *)list; /* the effect is a cache: what it says of the list never changes */
    if (head->effect_of == m) return head->effect;
    head->effect = effect_create(m, in_order(m, list), list->count);
    head->effect_of = m;
    return head->effect;
}

/* --- views ------------------------------------------------------------------------------------------------------- */

const struct message_values *message_header_edited(struct message *m, const struct edits *e, struct str name)
{
    const struct message_values *plain = message_header(m, name);
    if (!e) return plain;
    struct effect *f = resolve(m, e);
    struct walk w = walk_begin(m, f, name);
    struct instance at;
    struct message_values *out = ARENA_NEW(m->arena, struct message_values);
    size_t n = 0;
    while (walk_next(&w, &at)) n++;
    struct message_value *v = ARENA_ARRAY(m->arena, struct message_value, n + plain->doubtful);
    *out = (struct message_values){v, n + plain->doubtful, plain->doubtful, m->header.unreadable};
    w = walk_begin(m, f, name);
    for (size_t original = 0; walk_next(&w, &at); v++) {
        if (!at.added && !f->changes[at.field]) { /* read before, and kept */
            while (plain->v[original].field != &m->header.fields[at.field]) original++;
            *v = plain->v[original];
        } else {
            v->raw = instance_raw(m, f, &at);
            v->text = message_text_of_header(m, v->raw);
        }
        out->unreadable |= v->text.unreadable;
    }
    for (size_t i = plain->n - plain->doubtful; i < plain->n; i++) *v++ = plain->v[i];
    return out;
}

const struct message_text *message_subject_edited(struct message *m, const struct edits *e, bool *present)
{
    if (!e) return message_subject(m, present);
    const struct message_values *values = message_header_edited(m, e, STR("Subject"));
    if (present) *present = values->n > 0;
    if (values->n) return &values->v[0].text;
    struct message_text *none = ARENA_NEW(m->arena, struct message_text);
    *none = message_text_one(m->arena, STR(""), values->unreadable);
    return none;
}

const struct message_addresses *message_addresses_edited(struct message *m, const struct edits *e, struct str name)
{
    if (!e) return message_addresses(m, name);
    struct message_addresses *out = ARENA_NEW(m->arena, struct message_addresses);
    *out = message_addresses_of(m, message_header_edited(m, e, name));
    return out;
}

/* --- pieces ------------------------------------------------------------------------------------------------------ */

void splice_add(struct arena *a, struct splices *s, size_t from, size_t to, struct str insert)
{
    if (from == to && insert.n == 0) return;
    if (s->n == s->cap) {
        struct splice *more = ARENA_ARRAY(a, struct splice, s->cap ? s->cap * 2 : 8);
        if (s->n) memcpy(more, s->v, s->n * sizeof *more);
        s->v = more;
        s->cap = s->cap ? s->cap * 2 : 8;
    }
    s->v[s->n] = (struct splice){from, to, s->n, insert};
    s->n++;
}

/* What is inserted at a place stands before what replaces the bytes there; else as they came. */
static int splice_order(const void *x, const void *y, void *ctx)
{
    const struct splice *a = x, *b = y;
    (void)ctx;
    if (a->from != b->from) return a->from < b->from ? -1 : 1;
    bool more = a->to > a->from, other = b->to > b->from;
    if (more != other) return more ? 1 : -1;
    return a->order < b->order ? -1 : a->order > b->order;
}

struct piece_list {
    struct piece *v;
    size_t n;
    uint64_t at; /* how far the content was copied or stepped over */
};

static void copy_to(struct piece_list *l, uint64_t to)
{
    if (to <= l->at) return;
    if (l->n && !l->v[l->n - 1].insert.p && l->v[l->n - 1].to == l->at)
        l->v[l->n - 1].to = to;
    else
        l->v[l->n++] = (struct piece){.from = l->at, .to = to};
    l->at = to;
}

/* A splice inside one that went before is of bytes that are gone. */
static struct piece_list pieces_of(struct arena *a, struct splices *s, size_t from, size_t to)
{
    struct piece_list l = {.at = from, .v = ARENA_ARRAY(a, struct piece, 2 * s->n + 1)};
    if (s->n > 1) sort_array(s->v, s->n, sizeof *s->v, splice_order, NULL);
    for (size_t i = 0; i < s->n; i++) {
        const struct splice *x = &s->v[i];
        if (x->from < l.at) continue;
        copy_to(&l, x->from);
        if (x->insert.n) l.v[l.n++] = (struct piece){.insert = arena_str(a, x->insert)};
        if (x->to > l.at) l.at = x->to;
    }
    copy_to(&l, to);
    return l;
}

struct str splices_apply(struct arena *a, struct str content, size_t from, size_t to, struct splices *s)
{
    struct piece_list l = pieces_of(a, s, from, to);
    struct buf out = {0};
    for (size_t i = 0; i < l.n; i++)
        buf_add(&out, l.v[i].insert.p ? l.v[i].insert : str_slice(content, l.v[i].from, l.v[i].to));
    struct str bytes = arena_str(a, buf_str(&out));
    buf_free(&out);
    return bytes;
}

void edits_pieces(struct message *m, const struct edits *e, struct arena *a, struct pieces *out)
{
    struct splices s = {0};
    if (e) {
        const struct edits **order = in_order(m, e);
        struct effect *f = effect_create(m, order, e->count);
        if (e->has_body) effect_of_body(m, f, order, e->count);
        effect_header_splices(m, f, &s, a);
        for (size_t i = 0; i < f->body.n; i++)
            splice_add(a, &s, f->body.v[i].from, f->body.v[i].to, f->body.v[i].insert);
    }
    struct piece_list l = pieces_of(a, &s, 0, m->content.n);
    *out = (struct pieces){l.v, l.n};
}
