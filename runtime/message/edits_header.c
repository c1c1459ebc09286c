#include "message/edits_state.h"

#include <string.h>

#include "base/limits.h"
#include "mail/header_emit.h"
#include "message/decode.h"

/* --- writing a field ---------------------------------------------------------------------------------------------- */

/* Fields whose value is tokens, not text: encoded-words may not stand just anywhere in them (RFC 2047 section 5). */
static bool is_structured(struct str name)
{
    static const char *const names[] = {"From",
                                        "To",
                                        "Cc",
                                        "Bcc",
                                        "Reply-To",
                                        "Sender",
                                        "Message-ID",
                                        "In-Reply-To",
                                        "References",
                                        "Date",
                                        "Disposition-Notification-To",
                                        "Errors-To",
                                        "Content-Type"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (str_eq_nocase(name, str_of(names[i]))) return true;
    return str_starts_nocase(name, STR("Resent-"));
}

struct str edits_field_emit(struct arena *a, struct str name, struct str value)
{
    struct buf out = {0}, tokens = {0};
    bool structured = is_structured(name);
    if (structured && !str_is_ascii(value)) {
        structured = message_address_tokens(a, value, &tokens);
        if (!structured)
            tokens.n = 0, decode_header_value(BEST_VIEWER, value, &tokens); /* all is encoded anew, so nothing twice */
        value = buf_str(&tokens);
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

/* --- resolving --------------------------------------------------------------------------------------------------- */

static struct made_field made_of(struct str name, struct str bytes)
{
    struct str raw = str_from(bytes, str_find_byte(bytes, ':') + 1);
    return (struct made_field){.name = name, .bytes = bytes, .raw = str_slice(raw, 0, raw.n - 2)};
}

static void add_field(struct message *m, struct effect *f, struct str name, struct str emitted)
{
    if (f->added_count == f->added_cap) {
        struct made_field *more = ARENA_ARRAY(m->arena, struct made_field, f->added_cap ? f->added_cap * 2 : 4);
        if (f->added_count) memcpy(more, f->added, f->added_count * sizeof *more);
        f->added = more;
        f->added_cap = f->added_cap ? f->added_cap * 2 : 4;
    }
    f->added[f->added_count++] = made_of(name, emitted);
}

static bool is_removed(const struct effect *f, size_t field)
{
    return f->changes[field] && f->changes[field]->kind == CHANGE_REMOVED;
}

struct walk walk_begin(struct message *m, struct effect *f, struct str name)
{
    return (struct walk){m, f, name, message_field_find(m, name, 0), 0};
}

bool walk_next(struct walk *w, struct instance *out)
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

/* `emitted` empty: every instance goes; else the first gets it in its place, or it is added. */
static void set_or_remove(struct message *m, struct effect *f, struct str name, struct str emitted)
{
    struct walk w = walk_begin(m, f, name);
    struct instance at;
    bool set = emitted.n == 0;
    while (walk_next(&w, &at)) {
        if (set)
            instance_remove(m, f, &at);
        else
            instance_replace(m, f, &at, made_of(name, emitted));
        set = true;
    }
    if (!set) add_field(m, f, name, emitted);
}

void effect_set_field(struct message *m, struct effect *f, struct str name, struct str value)
{
    set_or_remove(m, f, name, edits_field_emit(m->arena, name, value));
}

void effect_remove_field(struct message *m, struct effect *f, struct str name) { set_or_remove(m, f, name, STR("")); }

void effect_restate_field(struct message *m, struct effect *f, size_t field)
{
    struct instance at = {NULL, field};
    struct str name = m->header.fields[field].name;
    if (is_removed(f, field)) return;
    if (!header_name_is_valid(name)) {
        instance_remove(m, f, &at);
        return;
    }
    struct message_text text = message_text_of_header(m, instance_raw(m, f, &at));
    instance_replace(m, f, &at, made_of(name, edits_field_emit(m->arena, name, message_text_best(&text))));
}

/* --- the subject ------------------------------------------------------------------------------------------------- */

struct str instance_raw(const struct message *m, const struct effect *f, const struct instance *at)
{
    if (at->added) return at->added->raw;
    const struct change *change = f->changes[at->field];
    return change ? change->made.raw : m->header.fields[at->field].raw;
}

/* Behind any "Re:", "Fwd[2]:" and the like in the languages of common readers. */
static struct str skip_reply_marks(struct str s)
{
    static const char *const marks[] = {"re",  "fw",  "fwd",  "aw",  "wg",  "sv", "vs",  "vb", "vl", "tr",    "rv",
                                        "res", "ref", "antw", "enc", "odp", "pd", "rif", "i",  "r",  "doorst"};
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
    decode_header_value(BEST_VIEWER, raw, &text);
    struct made_field made = made_of(STR("Subject"), edits_field_emit(m->arena, STR("Subject"), buf_str(&text)));
    buf_free(&text);
    return made;
}

static void prepend_to(struct message *m, struct effect *f, const struct edits *e, struct instance at)
{
    struct str raw = instance_raw(m, f, &at);
    struct message_text now = message_text_of_header(m, raw);
    if (begins_with(message_text_best(&now), str_trim(e->value))) return;
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

/* Of several subjects each: readers differ in which they show. */
static void resolve_prepend(struct message *m, struct effect *f, const struct edits *e)
{
    if (str_trim(e->value).n == 0) return;
    struct walk w = walk_begin(m, f, e->name);
    struct instance at;
    bool some = false;
    for (; walk_next(&w, &at); some = true) prepend_to(m, f, e, at);
    if (!some) add_field(m, f, e->name, e->emitted);
}

void effect_of_header(struct message *m, struct effect *f, const struct edits *e)
{
    switch ((enum edit_kind)e->kind) {
    case EDIT_ADD_HEADER: add_field(m, f, e->name, e->emitted); break;
    case EDIT_SET_HEADER:
    case EDIT_REMOVE_HEADER: set_or_remove(m, f, e->name, e->emitted); break;
    case EDIT_PREPEND_SUBJECT: resolve_prepend(m, f, e); break;
    default: break;
    }
}

/* --- what is written ---------------------------------------------------------------------------------------------- */

static struct str added_bytes(struct arena *a, const struct message *m, const struct effect *f)
{
    struct buf out = {0};
    /* The last field before them may end with the content, not with a line end. */
    const struct change *before = f->place ? f->changes[f->place - 1] : NULL;
    bool open =
        f->position > 0 && m->content.p[f->position - 1] != '\n' && (!before || before->kind == CHANGE_PREPENDED);
    for (size_t i = 0; i < f->added_count; i++) {
        if (f->added[i].gone) continue;
        if (out.n == 0 && open) buf_add(&out, STR("\r\n"));
        buf_add(&out, f->added[i].bytes);
    }
    /* A header section without a field ends where it begins: only an empty line keeps new fields and the body apart. */
    bool no_border = m->header.field_count == 0 && m->header.body == m->header.from && m->header.body < m->content.n;
    if (out.n && no_border && !f->wrapped) buf_add(&out, STR("\r\n"));
    struct str s = arena_str(a, buf_str(&out));
    buf_free(&out);
    return s;
}

void effect_header_splices(const struct message *m, const struct effect *f, struct splices *out, struct arena *a)
{
    const struct message_header *h = &m->header;
    for (size_t i = 0; i <= h->field_count; i++) {
        if (i == f->place) splice_add(a, out, f->position, f->position, added_bytes(a, m, f));
        const struct change *change = i < h->field_count ? f->changes[i] : NULL;
        if (!change) continue;
        const struct message_field *field = &h->fields[i];
        if (change->kind == CHANGE_PREPENDED)
            splice_add(a, out, change->keep, change->resume, change->insert);
        else
            splice_add(a, out, field->from, field->to, change->kind == CHANGE_REPLACED ? change->made.bytes : STR(""));
    }
    if (f->wrapped) splice_add(a, out, h->end, h->body, f->border);
}
