#include <string.h>

#include "message/charset.h"
#include "message/html.h"
#include "message/state.h"

/* The body's text is put together in one growing buffer and then copied once into the arena.  Each part goes through
 * transfer encoding, charset, HTML; a step that would change nothing hands its input on. */

struct assembly {
    struct message *m;
    struct buf text;
    struct message_body_part *parts;
    size_t part_count;
    uint32_t unreadable;
};

static bool has_children(const struct mime_tree *tree, size_t i)
{
    return i + 1 < tree->part_count && tree->parts[i + 1].parent == i;
}

/* Text parts that are no attachments, and multiparts whose parts cannot be told apart: readers show those as text. */
static bool is_body_text(const struct mime_tree *tree, size_t i)
{
    const struct mime_part *p = &tree->parts[i];
    if (p->disposition == MIME_ATTACHMENT || has_children(tree, i)) return false;
    return mime_is_text(p) || str_eq(p->type, STR("multipart"));
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

static struct str charset_of(const struct mime_part *p, struct str bytes)
{
    const struct mime_param *named = mime_part_param(p, STR("charset"));
    struct str charset = named ? str_trim(message_text_best(&named->value)) : STR("");
    size_t blank = 0; /* "utf-8 format=flowed", the semicolon forgotten */
    while (blank < charset.n && !ascii_is_blank(charset.p[blank])) blank++;
    charset.n = blank;
    if (charset.n == 0 && str_eq(p->subtype, STR("html"))) return html_meta_charset(bytes);
    return charset;
}

/* Cuts what was added since `begin` to the room there is. */
static uint32_t hold_to_limit(struct assembly *as, size_t begin)
{
    size_t limit = as->m->limits.text_bytes;
    if (as->text.n <= limit) return 0;
    size_t room = limit > begin ? limit - begin : 0;
    as->text.n = begin + utf8_cut((struct str){as->text.p + begin, as->text.n - begin}, room);
    return UNREADABLE_LIMIT;
}

static uint32_t add_part_text(struct assembly *as, const struct mime_part *p)
{
    uint32_t unreadable = 0;
    size_t begin = as->text.n, room = as->m->limits.text_bytes - begin;
    struct str raw = p->raw;
    struct buf bytes = {0}, text = {0};
    if (raw.n / 4 > room) { /* the work is bounded too, whatever it would shrink to */
        raw.n = room * 4;
        unreadable |= UNREADABLE_LIMIT;
    }
    if (p->encoding != MIME_7BIT && p->encoding != MIME_8BIT && p->encoding != MIME_BINARY) {
        unreadable |= mime_transfer_decode(p, raw, &bytes);
        raw = buf_str(&bytes);
    }
    struct str charset = charset_of(p, raw);
    if (!charset_is_plain(charset, raw)) {
        unreadable |= charset_decode(charset, raw, &text);
        raw = buf_str(&text);
    }
    if (str_eq(p->subtype, STR("html")) && mime_is_text(p))
        html_to_text(raw, &as->text);
    else
        add_lines(&as->text, raw);
    buf_free(&bytes);
    buf_free(&text);
    unreadable |= hold_to_limit(as, begin);
    /* OpenPGP in the text itself: RFC 9580 section 6.2. */
    if (str_find(str_slice(buf_str(&as->text), begin, as->text.n), STR("-----BEGIN PGP MESSAGE-----")) != STR_NPOS)
        unreadable |= UNREADABLE_ENCRYPTED;
    return unreadable;
}

static void add_part(struct assembly *as, size_t index, const struct mime_part *p)
{
    if (as->text.n && as->text.p[as->text.n - 1] != '\n') buf_add_byte(&as->text, '\n');
    struct message_body_part *part = &as->parts[as->part_count++];
    *part = (struct message_body_part){.part = index, .from = as->text.n};
    if (as->text.n >= as->m->limits.text_bytes)
        part->unreadable = p->raw.n ? UNREADABLE_LIMIT : 0;
    else
        part->unreadable = add_part_text(as, p);
    part->to = as->text.n;
    as->unreadable |= part->unreadable;
}

const struct message_body *message_body(struct message *m)
{
    if (m->body) return m->body;
    const struct mime_tree *tree = message_mime(m);
    size_t texts = 0;
    for (size_t i = 0; i < tree->part_count; i++) texts += is_body_text(tree, i);
    struct assembly as = {.m = m, .unreadable = tree->unreadable};
    as.parts = ARENA_ARRAY(m->arena, struct message_body_part, texts);
    for (size_t i = 0; i < tree->part_count; i++)
        if (is_body_text(tree, i)) add_part(&as, i, &tree->parts[i]);
    m->body = ARENA_NEW(m->arena, struct message_body);
    m->body->text = message_text_one(m->arena, arena_str(m->arena, buf_str(&as.text)), as.unreadable);
    m->body->parts = as.parts;
    m->body->part_count = as.part_count;
    buf_free(&as.text);
    return m->body;
}
