#include <string.h>

#include "message/charset.h"
#include "message/decode.h"
#include "message/html.h"
#include "message/state.h"

/* The body's text is put together in one growing buffer and then copied once into the arena.  Each part goes through
 * transfer encoding, charset, HTML; a step that would change nothing hands its input on. */

struct assembly {
    struct message *m;
    struct viewer *reading;
    struct buf *text;
    struct message_body_part *parts; /* of the best reading; else NULL */
    size_t part_count;
    size_t limit; /* of the text, in octets */
    uint32_t unreadable;
    bool source; /* HTML as it is written */
    bool own;    /* not the text of messages that this one carries */
};

/* Text parts that are no attachments; multiparts whose parts cannot be told apart, and messages about messages
 * (delivery-status, a fragment): readers show those as text. */
static bool is_body_text(const struct mime_tree *tree, size_t i)
{
    const struct mime_part *p = &tree->parts[i];
    if (p->disposition == MIME_ATTACHMENT || mime_has_children(tree, i)) return false;
    return mime_is_text(p) || str_eq(p->type, STR("multipart")) || str_eq(p->type, STR("message"));
}

/* Line ends become LF, a bare CR too. */
static void add_lines(struct buf *out, struct str s)
{
    buf_reserve(out, s.n);
    while (s.n) {
        size_t end = str_find_byte(s, '\r');
        if (end == STR_NPOS) {
            buf_add(out, s);
            return;
        }
        buf_add(out, str_slice(s, 0, end));
        if (end + 1 == s.n || s.p[end + 1] != '\n') buf_add_byte(out, '\n');
        s = str_from(s, end + 1);
    }
}

static struct str charset_word(struct viewer *r, struct str charset)
{
    charset = str_trim(charset);
    struct str tight = charset_tight(r, charset);
    size_t blank = 0; /* "utf-8 format=flowed", the semicolon forgotten */
    while (blank < tight.n && !ascii_is_blank(tight.p[blank])) blank++;
    return str_slice(tight, 0, blank);
}

static struct str charset_of(struct viewer *r, const struct mime_part *p, struct str bytes)
{
    const struct mime_param *named = mime_part_param(p, STR("charset"));
    for (size_t i = 0; named && i < p->param_count; i++)
        if (str_eq(p->params[i].name, STR("charset")) && !str_eq(p->params[i].raw, named->raw) &&
            manner_is(r, MANNER_LAST_PARAM))
            named = &p->params[i];
    struct str charset = named ? charset_word(r, message_text_best(&named->value)) : STR("");
    if (!str_eq(p->subtype, STR("html")) || str_is_ascii(bytes)) return charset;
    struct str meta = html_meta_charset(bytes);
    if (charset.n == 0) return meta;
    return meta.n && !str_eq_nocase(meta, charset) && manner_is(r, MANNER_CHARSET_META) ? meta : charset;
}

/* Cuts what was added since `begin` to the room there is. */
static uint32_t hold_to_limit(struct assembly *as, size_t begin)
{
    if (as->text->n <= as->limit) return 0;
    size_t room = as->limit > begin ? as->limit - begin : 0;
    as->text->n = begin + utf8_cut((struct str){as->text->p + begin, as->text->n - begin}, room);
    return UNREADABLE_LIMIT;
}

/* What old programs put into the text: "begin 644 name", lines, "end" (POSIX uuencode).  Answers UNREADABLE_LIMIT or 0.
 */
static uint32_t add_uuencoded(struct assembly *as, size_t begin)
{
    uint32_t unreadable = 0;
    struct str text = str_slice(buf_str(as->text), begin, as->text->n), name;
    size_t at = 0, end;
    struct buf bytes = {0}, found = {0};
    for (; (at = decode_uuencode_find(text, at, &name, &end)) != STR_NPOS; at = end) {
        if (!manner_is(as->reading, MANNER_UUENCODE)) break;
        struct viewer plain = {0};
        bytes.n = 0;
        decode_uuencode(as->reading, str_slice(text, at, end), &bytes);
        buf_add_byte(&found, '\n');
        size_t so_far = as->text->n + found.n;
        if (so_far > as->limit) { /* what is over the caller cuts, and tells */
            unreadable = UNREADABLE_LIMIT;
            break;
        }
        unreadable |= charset_decode_within(&plain, STR(""), buf_str(&bytes), as->limit - so_far, &found);
    }
    buf_add(as->text, buf_str(&found));
    buf_free(&bytes);
    buf_free(&found);
    return unreadable & UNREADABLE_LIMIT;
}

/* What one step made takes the place of what it was made of: never more than two are held. */
static struct str step_done(struct buf *held, struct buf *made)
{
    buf_free(held);
    *held = *made;
    *made = (struct buf){0};
    return buf_str(held);
}

/* A part's body as it was transferred, as UTF-8, of which *clean octets at the start are known to be so; *held may hold
 * it. */
static struct str part_decoded(struct assembly *as, const struct mime_part *p, struct buf *held, size_t *clean,
                               uint32_t *unreadable)
{
    size_t room = as->limit - as->text->n;
    struct str raw = p->raw;
    struct buf made = {0};
    if (raw.n / 4 > room) { /* the work is bounded too, whatever it would shrink to */
        raw.n = utf8_cut(raw, room * 4);
        *unreadable |= UNREADABLE_LIMIT;
    }
    as->reading->work += raw.n;
    if (p->encoding != MIME_7BIT && p->encoding != MIME_8BIT && p->encoding != MIME_BINARY) {
        *unreadable |= mime_transfer_decode(as->reading, p, raw, &made);
        raw = step_done(held, &made);
    }
    struct str charset = charset_of(as->reading, p, raw);
    *clean = decode_clean_prefix(raw);
    if (!charset_is_plain_behind(charset, raw, *clean)) {
        *unreadable |= charset_decode_within(as->reading, charset, raw, room, &made);
        raw = step_done(held, &made);
        *clean = 0;
    }
    if (raw.n > room) { /* what markup and line ends take away is not waited for */
        raw.n = utf8_cut(raw, room);
        *unreadable |= UNREADABLE_LIMIT;
    }
    return raw;
}

static uint32_t add_part_text(struct assembly *as, const struct mime_part *p)
{
    uint32_t unreadable = 0;
    size_t begin = as->text->n, clean;
    struct buf held = {0}, made = {0};
    struct str text = part_decoded(as, p, &held, &clean, &unreadable), rest = str_from(text, clean);
    if (decode_controls_prefix(rest) < rest.n) {
        decode_controls(as->reading, text, &made);
        text = step_done(&held, &made);
    }
    bool html = str_eq(p->subtype, STR("html")) && mime_is_text(p);
    as->m->has_html |= html;
    if (html && !as->source)
        html_to_text(as->reading, text, as->text);
    else
        add_lines(as->text, text);
    buf_free(&held);
    if (p->encoding != MIME_UUENCODE) unreadable |= add_uuencoded(as, begin);
    unreadable |= hold_to_limit(as, begin);
    /* OpenPGP in the text itself: RFC 9580 section 6.2. */
    struct str added = str_slice(buf_str(as->text), begin, as->text->n);
    if (str_find_by(added, STR("-----BEGIN PGP MESSAGE-----"), 7) != STR_NPOS) /* by the G */
        unreadable |= UNREADABLE_ENCRYPTED;
    return unreadable;
}

static void begin_line(struct assembly *as)
{
    if (as->text->n && as->text->p[as->text->n - 1] != '\n') buf_add_byte(as->text, '\n');
}

static void add_part(struct assembly *as, size_t index, const struct mime_part *p)
{
    begin_line(as);
    struct message_body_part part = {.part = index, .from = as->text->n};
    if (as->text->n >= as->limit)
        part.unreadable = p->raw.n ? UNREADABLE_LIMIT : 0;
    else
        part.unreadable = add_part_text(as, p);
    part.to = as->text->n;
    as->unreadable |= part.unreadable;
    if (as->parts) as->parts[as->part_count++] = part;
}

static void add_outside(struct assembly *as, const struct mime_part *p)
{
    struct viewer plain = {0};
    struct buf text = {0};
    if (p->outside.n == 0) return;
    if (as->text->n >= as->limit) {
        as->unreadable |= UNREADABLE_LIMIT;
        return;
    }
    begin_line(as);
    as->reading->work += p->outside.n;
    as->unreadable |= charset_decode_within(&plain, STR(""), p->outside, as->limit - as->text->n, &text);
    add_lines(as->text, buf_str(&text));
    buf_free(&text);
}

static uint32_t body_read(void *self, struct viewer *r, struct buf *out)
{
    struct assembly *as = self;
    struct message *m = as->m;
    const struct mime_tree *tree = mime_tree_of(m, r);
    as->reading = r;
    as->text = out;
    as->limit = m->limits.text_bytes;
    as->unreadable = tree->unreadable;
    as->parts = NULL;
    if (r->manners == 0 && !as->source && !as->own) {
        size_t texts = 0;
        for (size_t i = 0; i < tree->part_count; i++) texts += is_body_text(tree, i);
        m->body->parts = as->parts = ARENA_ARRAY(m->arena, struct message_body_part, texts);
    }
    r->work += tree->part_count * PART_WORK;
    for (size_t i = 0; i < tree->part_count; i++) {
        if (is_body_text(tree, i) && !(as->own && mime_is_carried(tree, i))) add_part(as, i, &tree->parts[i]);
        if (r->manners >> MANNER_OUTSIDE & 1) add_outside(as, &tree->parts[i]);
    }
    if (as->parts) m->body->part_count = as->part_count;
    return as->unreadable;
}

uint32_t body_own_text(struct message *m, struct viewer *r, struct buf *out)
{
    struct assembly as = {.m = m, .own = true};
    return body_read(&as, r, out);
}

const struct message_body *message_body(struct message *m)
{
    if (m->body) return m->body;
    struct assembly as = {.m = m};
    m->body = ARENA_NEW(m->arena, struct message_body);
    m->body->text = views_collect(m, 0, body_read, &as);
    return m->body;
}

const struct message_text *message_body_source(struct message *m)
{
    if (m->body_source) return m->body_source;
    /* First the body, whoever asks: what there is room for is not to depend on the order of questions. */
    const struct message_body *body = message_body(m);
    if (!m->has_html) return &body->text;
    struct assembly as = {.m = m, .source = true};
    m->body_source = ARENA_NEW(m->arena, struct message_text);
    *m->body_source = views_collect(m, 0, body_read, &as);
    return m->body_source;
}
