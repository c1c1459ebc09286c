#include <string.h>

#include "base/digest.h"
#include "mail/fold.h"
#include "message/charset.h"
#include "message/edits_text.h"
#include "message/header.h"
#include "message/html.h"

/* --- which parts show a text -------------------------------------------------------------------------------------- */

/* The text parts that a text goes to: one, or one of each alternative. */
struct places {
    struct message *m;
    const struct mime_tree *tree;
    bool last; /* a text at the end: the last part that is shown, not the first */
    size_t *v;
    size_t n;
    size_t new_in; /* no text is shown: it becomes a part of this multipart; or MIME_NO_PART */
};

enum found { FOUND_NOTHING, FOUND_TEXT, FOUND_UNSAFE };

static bool is_type(const struct mime_part *p, const char *type, const char *subtype)
{
    return str_eq(p->type, str_of(type)) && (!subtype || str_eq(p->subtype, str_of(subtype)));
}

static bool has_name(const struct mime_part *p)
{
    return mime_part_param(p, STR("name")) || mime_part_disposition_param(p, STR("filename"));
}

/* The text of one part as the body shows it. */
static struct str shown_text(struct message *m, size_t part)
{
    const struct message_body *body = message_body(m);
    for (size_t i = 0; i < body->part_count; i++)
        if (body->parts[i].part == part)
            return str_slice(message_text_best(&body->text), body->parts[i].from, body->parts[i].to);
    return STR("");
}

/* S/MIME and OpenPGP (RFC 1847, RFC 8551, RFC 3156; RFC 9580 section 6.2 and 7 for what stands in the text itself). */
static bool is_sealed(struct message *m, size_t part)
{
    const struct mime_part *p = &message_mime(m)->parts[part];
    if (is_type(p, "multipart", "signed") || is_type(p, "multipart", "encrypted")) return true;
    if (is_type(p, "application", "pkcs7-mime") || is_type(p, "application", "x-pkcs7-mime")) return true;
    if (!is_type(p, "text", NULL)) return false;
    struct str text = shown_text(m, part);
    return str_find(text, STR("-----BEGIN PGP ")) != STR_NPOS;
}

static enum found places_in(struct places *x, size_t part, unsigned depth);

static bool is_shown_child(const struct places *x, size_t parent, size_t i)
{
    const struct mime_part *p = &x->tree->parts[i];
    if (p->parent != parent || p->disposition == MIME_ATTACHMENT) return false;
    return !has_name(p) || i == parent + 1 || !is_type(p, "text", NULL);
}

/* Of parts that are shown one after the other: the first with a text, or the last. */
static enum found places_in_row(struct places *x, size_t part, unsigned depth)
{
    size_t n = x->tree->part_count;
    for (size_t k = part + 1; k < n; k++) {
        size_t i = x->last ? n - (k - part) : k;
        if (!is_shown_child(x, part, i)) continue;
        enum found found = places_in(x, i, depth + 1);
        if (found != FOUND_NOTHING) return found;
    }
    return FOUND_NOTHING;
}

static enum found places_in_each(struct places *x, size_t part, unsigned depth)
{
    enum found all = FOUND_NOTHING;
    for (size_t i = part + 1; i < x->tree->part_count; i++) {
        if (x->tree->parts[i].parent != part || x->tree->parts[i].disposition == MIME_ATTACHMENT) continue;
        enum found found = places_in(x, i, depth + 1);
        if (found == FOUND_UNSAFE) return found;
        if (found == FOUND_TEXT) all = found;
    }
    return all;
}

/* The part of a multipart/related that the others belong to (RFC 2387 section 3.2). */
static enum found places_in_root(struct places *x, size_t part, unsigned depth)
{
    const struct mime_param *start = mime_part_param(&x->tree->parts[part], STR("start"));
    if (start && start->raw.n) return FOUND_UNSAFE; /* the few that name it may name any */
    return part + 1 < x->tree->part_count ? places_in(x, part + 1, depth + 1) : FOUND_NOTHING;
}

/* A boundary that every reader takes the same way: RFC 2046 section 5.1.1, and no other begins with it, or it with
 * another. */
static bool boundary_is_clear(const struct places *x, size_t part)
{
    const struct mime_param *mine = mime_part_param(&x->tree->parts[part], STR("boundary"));
    if (!mine || mine->raw.n == 0 || mine->raw.n > 70 || ascii_is_blank(mine->raw.p[mine->raw.n - 1])) return false;
    for (size_t i = 0; i < mine->raw.n; i++) {
        char b = mine->raw.p[i];
        if (!ascii_is_alpha(b) && !ascii_is_digit(b) && str_find_byte(STR("'()+_,-./:=? "), b) == STR_NPOS)
            return false;
    }
    for (size_t i = 0; i < x->tree->part_count; i++) {
        const struct mime_param *other = i == part ? NULL : mime_part_param(&x->tree->parts[i], STR("boundary"));
        if (other && (str_starts(other->raw, mine->raw) || str_starts(mine->raw, other->raw))) return false;
    }
    return true;
}

static enum found places_in(struct places *x, size_t part, unsigned depth)
{
    const struct mime_part *p = &x->tree->parts[part];
    if (!part_header_is_clear(x->m, p) || is_sealed(x->m, part)) return FOUND_UNSAFE;
    if (is_type(p, "multipart", NULL)) {
        if (part + 1 >= x->tree->part_count || x->tree->parts[part + 1].parent != part) return FOUND_UNSAFE;
        if (!boundary_is_clear(x, part)) return FOUND_UNSAFE;
        if (is_type(p, "multipart", "digest")) return FOUND_NOTHING;
        if (is_type(p, "multipart", "alternative")) return places_in_each(x, part, depth);
        if (is_type(p, "multipart", "related")) return places_in_root(x, part, depth);
        enum found found = places_in_row(x, part, depth);
        if (found == FOUND_NOTHING && depth == 0 && is_type(p, "multipart", "mixed")) {
            x->new_in = part;
            return FOUND_TEXT;
        }
        return found;
    }
    if ((!is_type(p, "text", "plain") && !is_type(p, "text", "html")) || p->disposition == MIME_ATTACHMENT)
        return FOUND_NOTHING;
    x->v[x->n++] = part;
    return FOUND_TEXT;
}

/* False when the body is no place for texts at all. */
static bool places_find(struct message *m, enum edit_kind kind, struct places *x)
{
    const struct mime_tree *tree = message_mime(m);
    *x = (struct places){.m = m, .tree = tree, .last = kind == EDIT_APPEND_TEXT, .new_in = MIME_NO_PART};
    if (m->header.malformed || m->header.unreadable || (tree->unreadable & UNREADABLE_LIMIT)) return false;
    const struct message_facts *facts = message_facts(m);
    if (facts->ambiguous || facts->truncated) return false; /* truncated: it may be ambiguous where nobody looked */
    x->v = ARENA_ARRAY(m->arena, size_t, tree->part_count);
    return places_in(x, 0, 0) == FOUND_TEXT;
}

/* --- texts, once -------------------------------------------------------------------------------------------------- */

/* Appends the text folded, white space and quotation marks at the beginning of lines away: however a reply or a long
 * line was wrapped. */
static void add_key(struct str text, struct buf *key)
{
    size_t n = key->n;
    while (text.n) {
        struct str line;
        str_cut(text, '\n', &line, &text);
        while (line.n && (ascii_is_blank(line.p[0]) || line.p[0] == '>')) line = str_from(line, 1);
        if (line.n) fold_text(line, FOLD_TRIM, key, NULL);
        size_t kept = n;
        for (; n < key->n; n++)
            if (key->p[n] != ' ') key->p[kept++] = key->p[n];
        n = key->n = kept;
    }
}

static bool is_html(struct message *m, size_t part) { return is_type(&message_mime(m)->parts[part], "text", "html"); }

/* The text in the markup of the part. */
static struct str markup_of(struct message *m, bool html, struct str text, struct str given)
{
    if (!html) return text;
    return html_as_ascii(m->arena, given.n ? given : text_as_html(m->arena, text));
}

/* The same of what markup shows. */
static void add_key_of_markup(bool html, struct str markup, struct buf *key)
{
    struct buf text = {0};
    if (html) html_to_text(BEST_VIEWER, markup, &text);
    add_key(html ? buf_str(&text) : markup, key);
    buf_free(&text);
}

enum whereabouts { ANYWHERE, AT_THE_BEGINNING };

/* The next lines of *text, or part of a very long one, up to a letter that nothing before it changes. */
static struct str lines_next(struct str *text)
{
    enum { LINES = 64 * 1024 };
    size_t n = text->n;
    if (n > LINES) {
        n = str_rfind_byte(str_slice(*text, 0, LINES), '\n');
        n = n == STR_NPOS ? LINES : n + 1;
        if (n == LINES)
            while (n > LINES / 2 && !ascii_is_alpha(text->p[n])) n--;
        n = utf8_cut(*text, n);
    }
    struct str lines = str_slice(*text, 0, n);
    *text = str_from(*text, n);
    return lines;
}

/* Whether what `markup` shows is in what is shown.  That is folded a few lines at a time: it may be large, and a sender
 * can make it many times larger. */
static bool is_in(struct str shown, struct str markup, bool html, enum whereabouts where)
{
    struct buf key = {0}, some = {0};
    add_key_of_markup(html, markup, &key);
    bool is = key.n == 0;
    size_t left = fold_most(shown.n); /* of its folded form: beyond, nobody wrote it */
    while (!is && shown.n) {
        struct str lines = lines_next(&shown);
        size_t before = some.n;
        add_key(lines, &some);
        if (some.n - before > left) break;
        left -= some.n - before;
        if (where == AT_THE_BEGINNING) {
            if (some.n < key.n) continue;
            is = str_starts(buf_str(&some), buf_str(&key));
            break;
        }
        is = str_find(buf_str(&some), buf_str(&key)) != STR_NPOS;
        if (some.n >= key.n) buf_consume(&some, some.n - (key.n - 1));
    }
    buf_free(&key);
    buf_free(&some);
    return is;
}

/* The markup at the place where a text before the others would stand. */
static bool markup_begins(struct message *m, size_t part, struct str markup)
{
    const struct mime_part *p = &message_mime(m)->parts[part];
    struct buf bytes = {0};
    mime_transfer_decode(BEST_VIEWER, p, p->raw, &bytes);
    struct str s = buf_str(&bytes);
    s = str_from(s, html_first_place(s));
    size_t i = 0;
    bool same = true;
    for (size_t k = 0; same && k < markup.n; k++) {
        if (ascii_is_blank(markup.p[k]) || markup.p[k] == '\r' || markup.p[k] == '\n') continue;
        while (i < s.n && (ascii_is_blank(s.p[i]) || s.p[i] == '\r' || s.p[i] == '\n')) i++;
        same = i < s.n && s.p[i++] == markup.p[k];
    }
    buf_free(&bytes);
    return same;
}

/* A text at the end is there when the part shows it anywhere, quoted too.  One before the body is there only when the
 * part begins with it: a warning deep in a quotation, or hidden by styles, warns nobody. */
static bool is_there(struct message *m, size_t part, enum edit_kind kind, struct str markup)
{
    bool html = is_html(m, part);
    if (kind == EDIT_PREPEND_TEXT && html) return markup_begins(m, part, markup);
    return is_in(shown_text(m, part), markup, html, kind == EDIT_PREPEND_TEXT ? AT_THE_BEGINNING : ANYWHERE);
}

/* --- does it fit? ------------------------------------------------------------------------------------------------- */

/* In HTML a text can be where nobody sees it: within a comment, a script, a tag that never ends. */
static bool is_shown_there(struct message *m, const struct part_texts *t, struct str markup)
{
    struct buf whole = {0}, shown = {0};
    bool html = is_html(m, t->part), fits = part_texts_fit(m, t, html ? &whole : NULL);
    if (!html) return fits;
    html_to_text(BEST_VIEWER, buf_str(&whole), &shown);
    buf_free(&whole);
    fits = fits && is_in(buf_str(&shown), markup, true, ANYWHERE);
    buf_free(&shown);
    return fits;
}

bool message_takes_text(struct message *m, enum edit_kind kind, struct str text, struct str html)
{
    struct places places;
    text = edits_text_clean(m->arena, text);
    html = edits_text_clean(m->arena, html);
    if (!places_find(m, kind, &places))
        return kind == EDIT_APPEND_TEXT && is_in(message_text_best(&message_body(m)->text), text, false, ANYWHERE);
    for (size_t i = 0; i < places.n; i++) {
        struct str markup = markup_of(m, is_html(m, places.v[i]), text, html);
        struct part_texts t = {.part = places.v[i]};
        *(kind == EDIT_PREPEND_TEXT ? &t.front : &t.back) = markup;
        if (!is_there(m, t.part, kind, markup) && !is_shown_there(m, &t, markup)) return false;
    }
    return true;
}

bool message_can_wrap(struct message *m)
{
    const struct message_header *h = &m->header;
    return !h->unreadable && h->body - h->from <= EDITS_WRAP_HEADER_MAX;
}

/* --- what becomes of the body ------------------------------------------------------------------------------------- */

struct composition {
    struct message *m;
    struct effect *f;
    const struct mime_tree *tree;
    struct part_texts *texts; /* by part */
    const struct str **notes; /* by part: it is removed, and this is said */
    struct buf front, back;   /* of a new message around it */
    struct buf front_html, back_html;
    bool wrap, wrap_html; /* there is one; an author gave HTML for it */
};

/* A later text before the body stands before earlier ones, a later one behind it behind them. */
static struct str joined(struct arena *a, struct str first, struct str gap, struct str second)
{
    if (first.n == 0) return second;
    return arena_printf(a, "%.*s%.*s%.*s", STR_ARG(first), STR_ARG(gap), STR_ARG(second));
}

static void add_text(struct composition *c, const struct edits *e, size_t part)
{
    bool html = is_html(c->m, part) && !c->notes[part];
    struct str gap = html ? STR("\r\n") : STR("\r\n\r\n");
    struct str markup = markup_of(c->m, html, e->value, e->html);
    struct part_texts *t = &c->texts[part];
    struct str so_far = e->kind == EDIT_PREPEND_TEXT ? t->front : t->back;
    if (markup.n == 0 || str_find(so_far, markup) != STR_NPOS) return;
    if (!c->notes[part] && is_there(c->m, part, (enum edit_kind)e->kind, markup)) return;
    if (e->kind == EDIT_PREPEND_TEXT)
        t->front = t->front.n ? joined(c->m->arena, markup, gap, t->front) : markup;
    else
        t->back = joined(c->m->arena, t->back, gap, markup);
}

static void wrapper_add(struct buf *to, struct str text, bool before)
{
    struct str so_far = buf_str(to);
    if (text.n == 0 || str_find(so_far, text) != STR_NPOS) return;
    struct buf both = {0};
    buf_add(&both, before ? text : so_far);
    if (to->n) buf_add(&both, STR("\r\n\r\n"));
    buf_add(&both, before ? so_far : text);
    buf_free(to);
    *to = both;
}

/* A part of its own in a multipart that shows no text. */
static void add_new_part(struct composition *c, const struct edits *e, size_t parent)
{
    const struct mime_part *p = &c->tree->parts[parent];
    struct str boundary = mime_part_param(p, STR("boundary"))->raw;
    while (boundary.n && ascii_is_blank(boundary.p[boundary.n - 1])) boundary.n--;
    size_t first = parent + 1, last = first;
    for (size_t i = first; i < c->tree->part_count; i++)
        if (c->tree->parts[i].parent == parent) last = i;
    struct buf out = {0};
    if (e->kind == EDIT_APPEND_TEXT) buf_add(&out, STR("\r\n"));
    buf_printf(&out, "--%.*s\r\n", STR_ARG(boundary));
    text_body_emit(e->value, "plain", &out);
    size_t at = c->tree->parts[last].to;
    if (e->kind == EDIT_PREPEND_TEXT) {
        buf_add(&out, STR("\r\n"));
        at = c->tree->parts[first].from - 1; /* the line end of the delimiter line */
        while (at > p->body && c->m->content.p[at - 1] != '\n') at--;
    } else if (at < c->m->content.n && c->m->content.p[at] != '\r' && c->m->content.p[at] != '\n') {
        buf_add(&out, STR("\r\n"));
    }
    splice_add(c->m->arena, &c->f->body, at, at, arena_str(c->m->arena, buf_str(&out)));
    buf_free(&out);
}

static void place_text(struct composition *c, const struct edits *e)
{
    struct places places;
    if (e->value.n == 0) return;
    if (e->wrap || c->wrap) {
        bool before = e->kind == EDIT_PREPEND_TEXT;
        c->wrap = true;
        wrapper_add(before ? &c->front : &c->back, e->value, before);
        wrapper_add(before ? &c->front_html : &c->back_html, markup_of(c->m, true, e->value, e->html), before);
        c->wrap_html |= e->html.n > 0;
    } else if (places_find(c->m, (enum edit_kind)e->kind, &places)) {
        for (size_t i = 0; i < places.n; i++) add_text(c, e, places.v[i]);
        if (places.new_in != MIME_NO_PART) add_new_part(c, e, places.new_in);
    }
}

/* --- removing ----------------------------------------------------------------------------------------------------- */

static void remove_part(struct composition *c, const struct edits *e)
{
    size_t part = e->part;
    while (part < c->tree->part_count && c->tree->parts[part].derived) part = c->tree->parts[part].parent;
    if (part >= c->tree->part_count || is_type(&c->tree->parts[part], "multipart", NULL)) return;
    if (!c->notes[part]) c->notes[part] = &e->value;
}

/* Whose header section is that of a message, with more in it than MIME fields. */
static bool is_whole_message(const struct composition *c, size_t part)
{
    size_t parent = c->tree->parts[part].parent;
    return parent == MIME_NO_PART || is_type(&c->tree->parts[parent], "message", NULL);
}

static void drop_mime_fields(struct composition *c, size_t part)
{
    const struct mime_part *p = &c->tree->parts[part];
    struct header_scan scan;
    if (part == 0) {
        for (size_t i = 0; i < c->m->header.field_count; i++) {
            struct str name = c->m->header.fields[i].name;
            if (str_starts_nocase(name, STR("Content-")) || str_eq_nocase(name, STR("MIME-Version")))
                effect_remove_field(c->m, c->f, name);
        }
        return;
    }
    header_scan_begin(&scan, BEST_VIEWER, str_slice(c->m->content, p->from, p->body), true);
    for (struct message_field field; header_scan_next(&scan, &field);)
        if (str_starts_nocase(field.name, STR("Content-")))
            splice_add(c->m->arena, &c->f->body, p->from + field.from, p->from + field.to, STR(""));
}

static void write_note(struct composition *c, size_t part)
{
    const struct mime_part *p = &c->tree->parts[part];
    struct str content = c->m->content, text = *c->notes[part];
    struct buf out = {0};
    const struct part_texts *t = &c->texts[part];
    if (t->front.n) text = joined(c->m->arena, t->front, STR("\r\n\r\n"), text);
    if (t->back.n) text = joined(c->m->arena, text, STR("\r\n\r\n"), t->back);
    text_body_emit(text, "plain", &out);
    struct str made = arena_str(c->m->arena, buf_str(&out));
    buf_free(&out);
    size_t head = str_find(made, STR("\r\n\r\n")) + 2;
    struct str fields = str_slice(made, 0, head), body = str_from(made, head + 2);
    bool open = p->to < content.n && content.p[p->to] != '\r' && content.p[p->to] != '\n';
    if (open || part == 0) body = joined(c->m->arena, body, STR(""), STR("\r\n"));
    if (part == 0) {
        if (c->m->header.body == c->m->header.end) body = joined(c->m->arena, STR("\r\n"), STR(""), body);
        drop_mime_fields(c, 0);
        for (struct str line; fields.n;) {
            struct str name, value;
            str_cut(fields, '\n', &line, &fields);
            str_cut(str_trim(line), ':', &name, &value);
            effect_set_field(c->m, c->f, name, value);
        }
        effect_set_field(c->m, c->f, STR("MIME-Version"), STR("1.0"));
        splice_add(c->m->arena, &c->f->body, c->m->header.body, content.n, body);
    } else if (is_whole_message(c, part)) {
        drop_mime_fields(c, part);
        splice_add(c->m->arena, &c->f->body, p->from, p->from, fields);
        splice_add(c->m->arena, &c->f->body, p->body, p->to, body);
    } else {
        body = joined(c->m->arena, fields, STR("\r\n"), body);
        splice_add(c->m->arena, &c->f->body, p->from, p->to, body);
    }
}

/* --- a new message around it -------------------------------------------------------------------------------------- */

/* A boundary that nothing of the message spells: made of its digest, so that judging twice gives one copy. */
static struct str fresh_boundary(struct composition *c)
{
    uint8_t digest[DIGEST_SIZE];
    struct digest *d = digest_create();
    digest_add(d, c->m->content);
    digest_finish(d, digest);
    digest_free(&d);
    for (unsigned i = 0;; i++) {
        struct str s =
            arena_printf(c->m->arena, "=_%02x%02x%02x%02x%02x%02x%02x%02x%02x%02x_%u", digest[0], digest[1], digest[2],
                         digest[3], digest[4], digest[5], digest[6], digest[7], digest[8], digest[9], i);
        if (str_find(c->m->content, s) == STR_NPOS && str_find(buf_str(&c->front), s) == STR_NPOS &&
            str_find(buf_str(&c->back), s) == STR_NPOS)
            return s;
    }
}

/* What is shown: the text, and where an author gave HTML, that as the other alternative. */
static void emit_shown(struct composition *c, struct str boundary, struct buf *out)
{
    struct buf text = {0}, html = {0};
    wrapper_add(&text, buf_str(&c->front), false);
    wrapper_add(&text, buf_str(&c->back), false);
    wrapper_add(&html, buf_str(&c->front_html), false);
    wrapper_add(&html, buf_str(&c->back_html), false);
    if (!c->wrap_html) {
        text_body_emit(buf_str(&text), "plain", out);
    } else {
        buf_printf(out, "Content-Type: multipart/alternative; boundary=\"_%.*s\"\r\n\r\n--_%.*s\r\n", STR_ARG(boundary),
                   STR_ARG(boundary));
        text_body_emit(buf_str(&text), "plain", out);
        buf_printf(out, "\r\n--_%.*s\r\n", STR_ARG(boundary));
        text_body_emit(buf_str(&html), "html", out);
        buf_printf(out, "\r\n--_%.*s--", STR_ARG(boundary));
    }
    buf_free(&text);
    buf_free(&html);
}

/* What is inserted holds no bare CR, LF or NUL, whatever the header held. */
static void add_sound(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        bool pair = s.p[i] == '\r' && i + 1 < s.n && s.p[i + 1] == '\n';
        if (pair || s.p[i] == '\n')
            buf_add(out, STR("\r\n"));
        else
            buf_add_byte(out, s.p[i] == '\r' || s.p[i] == '\0' ? ' ' : s.p[i]);
        i += pair;
    }
}

static void wrap(struct composition *c)
{
    struct message *m = c->m;
    struct arena *a = m->arena;
    const struct message_header *h = &m->header;
    struct splices inside = {0};
    effect_header_splices(m, c->f, &inside, a);
    struct str header = splices_apply(a, m->content, h->from, h->body, &inside);
    struct str boundary = fresh_boundary(c);
    bool eight_bit = !str_is_ascii(m->content) || !str_is_ascii(header);
    drop_mime_fields(c, 0);
    for (size_t i = 0; i < h->field_count; i++)
        if (!field_is_clear(m->content, &h->fields[i])) effect_restate_field(m, c->f, i);
    effect_set_field(m, c->f, STR("MIME-Version"), STR("1.0"));
    effect_set_field(m, c->f, STR("Content-Type"),
                     arena_printf(a, "multipart/mixed; boundary=\"%.*s\"", STR_ARG(boundary)));
    if (eight_bit) effect_set_field(m, c->f, STR("Content-Transfer-Encoding"), STR("8bit"));
    c->f->wrapped = true;
    struct buf out = {0};
    buf_printf(&out, "\r\n--%.*s\r\n", STR_ARG(boundary));
    emit_shown(c, boundary, &out);
    buf_printf(&out, "\r\n--%.*s\r\nContent-Type: message/rfc822\r\n%s\r\n", STR_ARG(boundary),
               eight_bit ? "Content-Transfer-Encoding: 8bit\r\n" : "");
    add_sound(&out, header);
    c->f->border = arena_str(a, buf_str(&out));
    splice_add(a, &c->f->body, m->content.n, m->content.n, arena_printf(a, "\r\n--%.*s--\r\n", STR_ARG(boundary)));
    buf_free(&out);
}

void effect_of_body(struct message *m, struct effect *f, const struct edits *const *order, size_t n)
{
    struct composition c = {.m = m, .f = f, .tree = message_mime(m)};
    c.texts = ARENA_ARRAY(m->arena, struct part_texts, c.tree->part_count);
    c.notes = ARENA_ARRAY(m->arena, const struct str *, c.tree->part_count);
    for (size_t i = 0; i < n; i++)
        if (order[i]->kind == EDIT_REMOVE_PART) remove_part(&c, order[i]);
    for (size_t i = 0; i < n; i++)
        if (order[i]->kind == EDIT_APPEND_TEXT || order[i]->kind == EDIT_PREPEND_TEXT) place_text(&c, order[i]);
    for (size_t i = 0; i < c.tree->part_count; i++) {
        c.texts[i].part = i;
        if (c.notes[i])
            write_note(&c, i);
        else if (c.texts[i].front.n || c.texts[i].back.n)
            part_texts_write(m, f, &c.texts[i]);
    }
    if (c.wrap) wrap(&c);
    buf_free(&c.front);
    buf_free(&c.back);
    buf_free(&c.front_html);
    buf_free(&c.back_html);
}
