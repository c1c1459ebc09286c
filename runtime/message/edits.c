#include "message/edits.h"

#include <string.h>

#include "base/limits.h"
#include "mail/header_emit.h"
#include "message/decode.h"
#include "message/header.h"
#include "message/state.h"

/* A list of edits is resolved against a message into an effect: per field of the content nothing, or what became of it,
 * and the fields that are new.  Views and pieces both read the effect, so they cannot disagree. */

struct made_field {
    struct str name;
    struct str bytes;      /* the whole field with its line end, as it will stand */
    struct str raw;        /* of `bytes`: what stands behind the colon */
    bool gone;
};

enum change_kind { CHANGE_REMOVED, CHANGE_REPLACED, CHANGE_PREPENDED };
struct change {
    enum change_kind kind;
    struct made_field made; /* REPLACED; PREPENDED: as it will be read, `bytes` unused */
    struct str prefix;      /* PREPENDED: the text before the old value */
    struct str insert;      /* PREPENDED: the bytes between [field.from, keep) and [resume, field.to) */
    size_t keep, resume;
};

struct effect {
    size_t place;            /* index of the field before which new ones stand */
    size_t position;         /* in the content */
    struct change **changes; /* per field; NULL: untouched */
    struct made_field *added;
    size_t added_count, added_cap;
};

struct edits {
    const struct edits *before;
    uint8_t kind;            /* enum edit_kind */
    struct str name, value;
    struct str emitted;      /* ADD, SET, and PREPEND where there was no Subject: the whole field */
    size_t count;
    struct effect *effect;   /* of the last message it was resolved against */
    const struct message *effect_of;
};

/* --- lists ------------------------------------------------------------------------------------------------------- */

/* Fields whose value is tokens, not text: encoded-words may not stand just anywhere in them (RFC 2047 section 5). */
static bool is_structured(struct str name)
{
    static const char *const names[] = {"From", "To", "Cc", "Bcc", "Reply-To", "Sender", "Message-ID", "In-Reply-To",
                                        "References", "Date", "Disposition-Notification-To", "Errors-To"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (str_eq_nocase(name, str_of(names[i]))) return true;
    return str_starts_nocase(name, STR("Resent-"));
}

static struct str field_emit(struct arena *a, struct str name, struct str value)
{
    struct buf out = {0}, tokens = {0};
    bool structured = is_structured(name);
    if (structured && !str_is_ascii(value)) {
        structured = message_address_tokens(a, value, &tokens);
        if (structured) value = buf_str(&tokens);
    }
    if (!structured || !header_emit(&out, name, value, HEADER_STRUCTURED)) {
        bool emitted = header_emit(&out, name, value, 0);
        INVARIANT(emitted); /* unstructured text under a valid name can always be written */
    }
    struct str bytes = arena_str(a, buf_str(&out));
    buf_free(&out);
    buf_free(&tokens);
    return bytes;
}

const struct edits *edits_add(struct arena *a, const struct edits *before, enum edit_kind kind, struct str name,
                              struct str value)
{
    if (kind == EDIT_PREPEND_SUBJECT) name = STR("Subject");
    if (edits_count(before) >= EDITS_MAX || !header_name_is_valid(name) || header_name_is_protected(name)) return NULL;
    struct edits *e = ARENA_NEW(a, struct edits);
    e->before = before;
    e->kind = (uint8_t)kind;
    e->name = arena_str(a, name);
    e->count = edits_count(before) + 1;
    if (kind == EDIT_REMOVE_HEADER) return e;
    e->value = arena_str(a, value);
    e->emitted = field_emit(a, e->name, e->value);
    return e;
}

size_t edits_count(const struct edits *e) { return e ? e->count : 0; }
struct str edits_name(const struct edits *e) { return e->name; }
const struct edits *edits_before(const struct edits *e) { return e->before; }

bool edits_equal(const struct edits *a, const struct edits *b)
{
    if (edits_count(a) != edits_count(b)) return false;
    for (; a != b; a = a->before, b = b->before)
        if (a->kind != b->kind || !str_eq_nocase(a->name, b->name) || !str_eq(a->value, b->value)) return false;
    return true;
}

/* --- resolving --------------------------------------------------------------------------------------------------- */

static struct made_field made_of(struct str name, struct str bytes)
{
    struct str raw = str_from(bytes, str_find_byte(bytes, ':') + 1);
    return (struct made_field){.name = name, .bytes = bytes, .raw = str_slice(raw, 0, raw.n - 2)};
}

static void add_field(struct message *m, struct effect *f, const struct edits *e)
{
    if (f->added_count == f->added_cap) {
        struct made_field *more = ARENA_ARRAY(m->arena, struct made_field, f->added_cap ? f->added_cap * 2 : 4);
        if (f->added_count) memcpy(more, f->added, f->added_count * sizeof *more);
        f->added = more;
        f->added_cap = f->added_cap ? f->added_cap * 2 : 4;
    }
    f->added[f->added_count++] = made_of(e->name, e->emitted);
}

static bool is_removed(const struct effect *f, size_t field)
{
    return f->changes[field] && f->changes[field]->kind == CHANGE_REMOVED;
}

/* The live instances of a name in the order of the edited message: fields of the content before the place of new ones,
 * the new ones, the other fields of the content.  A walk is {NULL, 0} at first. */
struct instance {
    struct made_field *added; /* or NULL: the field of the content */
    size_t field;
};
struct walk {
    struct message *m;
    struct effect *f;
    struct str name;
    size_t field, added; /* what comes next in each of the two rows */
};

static struct walk walk_begin(struct message *m, struct effect *f, struct str name)
{
    return (struct walk){m, f, name, message_field_find(m, name, 0), 0};
}

static bool walk_next(struct walk *w, struct instance *out)
{
    size_t n = w->m->header.field_count;
    while (w->field < n && is_removed(w->f, w->field)) w->field = message_field_find(w->m, w->name, w->field + 1);
    while (w->added < w->f->added_count &&
           (w->f->added[w->added].gone || !str_eq_nocase(w->f->added[w->added].name, w->name)))
        w->added++;
    bool field_first = w->field < n && (w->field < w->f->place || w->added == w->f->added_count);
    if (!field_first && w->added == w->f->added_count) return false;
    if (field_first) {
        *out = (struct instance){NULL, w->field};
        w->field = message_field_find(w->m, w->name, w->field + 1);
    } else {
        *out = (struct instance){&w->f->added[w->added++], 0};
    }
    return true;
}

static struct change *change_of(struct message *m, struct effect *f, size_t field)
{
    if (!f->changes[field]) f->changes[field] = ARENA_NEW(m->arena, struct change);
    return f->changes[field];
}

static void instance_remove(struct message *m, struct effect *f, const struct instance *at)
{
    if (at->added)
        at->added->gone = true;
    else
        change_of(m, f, at->field)->kind = CHANGE_REMOVED;
}

static void instance_replace(struct message *m, struct effect *f, const struct instance *at, struct made_field made)
{
    if (at->added) {
        *at->added = made;
        return;
    }
    struct change *change = change_of(m, f, at->field);
    *change = (struct change){.kind = CHANGE_REPLACED, .made = made};
}

static void resolve_set_or_remove(struct message *m, struct effect *f, const struct edits *e)
{
    struct walk w = walk_begin(m, f, e->name);
    struct instance at;
    bool set = e->kind == EDIT_REMOVE_HEADER;
    while (walk_next(&w, &at)) {
        if (set)
            instance_remove(m, f, &at);
        else
            instance_replace(m, f, &at, made_of(e->name, e->emitted));
        set = true;
    }
    if (!set) add_field(m, f, e);
}

/* --- the subject ------------------------------------------------------------------------------------------------- */

static struct str instance_raw(const struct message *m, const struct effect *f, const struct instance *at)
{
    if (at->added) return at->added->raw;
    const struct change *change = f->changes[at->field];
    return change ? change->made.raw : m->header.fields[at->field].raw;
}

/* Behind any "Re:", "Fwd[2]:" and the like in the languages of common readers. */
static struct str skip_reply_marks(struct str s)
{
    static const char *const marks[] = {"re", "fw", "fwd", "aw", "wg", "sv", "vs", "vb", "vl", "tr", "rv", "res", "ref",
                                        "antw", "enc", "odp", "pd", "rif", "i", "r", "doorst"};
    for (;;) {
        s = str_trim(s);
        size_t n = 0;
        while (n < s.n && ascii_is_alpha(s.p[n])) n++;
        bool known = false;
        for (size_t i = 0; i < sizeof marks / sizeof marks[0] && !known; i++)
            known = str_eq_nocase(str_slice(s, 0, n), str_of(marks[i]));
        if (!known) return s;
        if (n < s.n && (s.p[n] == '[' || s.p[n] == '(' || s.p[n] == '^')) {
            while (n < s.n && s.p[n] != ':' && s.p[n] != ' ') n++;
        }
        if (n >= s.n || s.p[n] != ':') return s;
        s = str_from(s, n + 1);
    }
}

static bool begins_with(struct str subject, struct str prefix)
{
    return str_starts_nocase(subject, prefix) || str_starts_nocase(skip_reply_marks(subject), prefix);
}

static struct str join(struct arena *a, struct str first, struct str second)
{
    char *p = arena_alloc(a, first.n + second.n);
    memcpy(p, first.p, first.n);
    if (second.n) memcpy(p + first.n, second.p, second.n);
    return (struct str){p, first.n + second.n};
}

/* The prefix written in front of the value's own bytes, which stay.  False when a reader could not tell the two apart
 * (an encoded-word would touch text): then the whole value is written anew. */
static bool prepend_in_place(struct message *m, struct change *change, const struct message_field *field)
{
    struct str rest = str_trim(field->raw);
    size_t value_at = (size_t)(rest.p - m->content.p), colon = (size_t)(field->raw.p - m->content.p);
    struct encoded_word word;
    bool before_word = encoded_word_parse(rest, &word);
    struct buf out = {0};
    buf_add_byte(&out, ' ');
    size_t column = header_emit_fragment(&out, change->prefix, colon - field->from + 1, before_word);
    bool blank = ascii_is_blank(out.p[out.n - 1]);
    bool touches = !blank && (before_word || str_ends(buf_str(&out), STR("?=")));
    if (!touches) {
        size_t line = str_find_byte(rest, '\n');
        if (line == STR_NPOS) line = rest.n;
        if (column + line > LIMIT_TEXT_LINE || (blank && column + line > 78)) {
            if (blank) out.n--; /* the blank moves behind the fold */
            buf_add(&out, STR("\r\n "));
        }
        change->insert = arena_str(m->arena, buf_str(&out));
        change->keep = colon;
        change->resume = value_at;
        struct str old = str_slice(m->content, value_at, colon + field->raw.n);
        change->made.raw = join(m->arena, change->insert, old);
    }
    buf_free(&out);
    return !touches;
}

static struct made_field prepend_anew(struct message *m, struct str prefix, struct str raw)
{
    struct buf text = {0};
    buf_add(&text, prefix);
    decode_header_value(raw, &text);
    struct made_field made = made_of(STR("Subject"), field_emit(m->arena, STR("Subject"), buf_str(&text)));
    buf_free(&text);
    return made;
}

static void resolve_prepend(struct message *m, struct effect *f, const struct edits *e)
{
    struct str wanted = str_trim(e->value);
    if (wanted.n == 0) return;
    struct walk w = walk_begin(m, f, e->name);
    struct instance at;
    if (!walk_next(&w, &at)) {
        add_field(m, f, e);
        return;
    }
    struct str raw = instance_raw(m, f, &at);
    struct message_text now = message_text_of_header(m->arena, raw);
    if (begins_with(message_text_best(&now), wanted)) return;
    struct change *change = at.added ? NULL : f->changes[at.field];
    if (at.added || (change && change->kind == CHANGE_REPLACED) || str_trim(raw).n == 0) {
        instance_replace(m, f, &at, prepend_anew(m, e->value, raw));
        return;
    }
    const struct message_field *field = &m->header.fields[at.field];
    struct str older = change ? change->prefix : STR("");
    change = change_of(m, f, at.field);
    *change = (struct change){.kind = CHANGE_PREPENDED, .made.name = field->name};
    change->prefix = join(m->arena, e->value, older);
    if (!prepend_in_place(m, change, field)) instance_replace(m, f, &at, prepend_anew(m, change->prefix, field->raw));
}

static struct effect *resolve(struct message *m, const struct edits *list)
{
    struct edits *head = (struct edits *)list; /* the effect is a cache: what it says of the list never changes */
    if (head->effect_of == m) return head->effect;
    const struct message_header *h = &m->header;
    struct effect *f = ARENA_NEW(m->arena, struct effect);
    f->changes = ARENA_ARRAY(m->arena, struct change *, h->field_count + 1);
    f->position = h->from;
    while (f->place < h->field_count && header_is_trace(h->fields[f->place].name))
        f->position = h->fields[f->place++].to;
    const struct edits **order = ARENA_ARRAY(m->arena, const struct edits *, list->count);
    for (const struct edits *e = list; e; e = e->before) order[e->count - 1] = e;
    for (size_t i = 0; i < list->count; i++) {
        if (order[i]->kind == EDIT_ADD_HEADER)
            add_field(m, f, order[i]);
        else if (order[i]->kind == EDIT_PREPEND_SUBJECT)
            resolve_prepend(m, f, order[i]);
        else
            resolve_set_or_remove(m, f, order[i]);
    }
    head->effect = f;
    head->effect_of = m;
    return f;
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
    struct message_value *v = ARENA_ARRAY(m->arena, struct message_value, n);
    *out = (struct message_values){v, n, m->header.unreadable};
    w = walk_begin(m, f, name);
    for (size_t original = 0; walk_next(&w, &at); v++) {
        if (!at.added && !f->changes[at.field]) { /* read before, and kept */
            while (plain->v[original].field != &m->header.fields[at.field]) original++;
            *v = plain->v[original];
        } else {
            v->raw = instance_raw(m, f, &at);
            v->text = message_text_of_header(m->arena, v->raw);
        }
        out->unreadable |= v->text.unreadable;
    }
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
    *out = message_addresses_of(m->arena, message_header_edited(m, e, name));
    return out;
}

/* --- pieces ------------------------------------------------------------------------------------------------------ */

struct piece_list {
    struct arena *arena;
    struct piece *v;
    size_t n, cap;
    uint64_t at; /* how far the content was copied or stepped over */
};

static struct piece *piece_add(struct piece_list *l)
{
    if (l->n == l->cap) {
        struct piece *more = ARENA_ARRAY(l->arena, struct piece, l->cap ? l->cap * 2 : 4);
        if (l->n) memcpy(more, l->v, l->n * sizeof *more);
        l->v = more;
        l->cap = l->cap ? l->cap * 2 : 4;
    }
    return &l->v[l->n++];
}

static void copy_to(struct piece_list *l, uint64_t to)
{
    if (to <= l->at) return;
    if (l->n && !l->v[l->n - 1].insert.p && l->v[l->n - 1].to == l->at)
        l->v[l->n - 1].to = to;
    else
        *piece_add(l) = (struct piece){.from = l->at, .to = to};
    l->at = to;
}

static void insert_bytes(struct piece_list *l, struct str bytes)
{
    if (bytes.n) *piece_add(l) = (struct piece){.insert = arena_str(l->arena, bytes)};
}

static void insert_added(struct piece_list *l, const struct message *m, const struct effect *f)
{
    struct buf out = {0};
    copy_to(l, f->position);
    for (size_t i = 0; i < f->added_count; i++)
        if (!f->added[i].gone) buf_add(&out, f->added[i].bytes);
    /* A header section without a field ends where it begins: only an empty line keeps new fields and the body apart. */
    bool no_border = m->header.field_count == 0 && m->header.body == m->header.from && m->header.body < m->content.n;
    if (out.n && f->position > 0 && m->content.p[f->position - 1] != '\n') insert_bytes(l, STR("\r\n"));
    if (out.n && no_border) buf_add(&out, STR("\r\n"));
    insert_bytes(l, buf_str(&out));
    buf_free(&out);
}

void edits_pieces(struct message *m, const struct edits *e, struct arena *a, struct pieces *out)
{
    struct piece_list l = {.arena = a};
    const struct message_header *h = &m->header;
    const struct effect *f = e ? resolve(m, e) : NULL;
    for (size_t i = 0; f && i <= h->field_count; i++) {
        if (i == f->place) insert_added(&l, m, f);
        const struct change *change = i < h->field_count ? f->changes[i] : NULL;
        if (!change) continue;
        const struct message_field *field = &h->fields[i];
        copy_to(&l, change->kind == CHANGE_PREPENDED ? change->keep : field->from);
        if (change->kind == CHANGE_REPLACED) insert_bytes(&l, change->made.bytes);
        if (change->kind == CHANGE_PREPENDED) insert_bytes(&l, change->insert);
        l.at = change->kind == CHANGE_PREPENDED ? change->resume : field->to;
    }
    copy_to(&l, m->content.n);
    *out = (struct pieces){l.v, l.n};
}
