#include "base/digest.h"
#include "message/charset.h"
#include "message/decode.h"
#include "message/filetype.h"
#include "message/state.h"

/* --- names ------------------------------------------------------------------------------------------------------- */

enum { NAMES_MAX = 32, EXTENSION_MAX = 255 /* octets: what a name on disk may have altogether */ };

struct names {
    struct str v[NAMES_MAX];
    uint64_t manners[NAMES_MAX];
    size_t n;
    uint32_t unreadable;
};

static void name_add(struct names *names, struct str name, uint64_t manners)
{
    if (name.n == 0) return;
    for (size_t i = 0; i < names->n; i++)
        if (str_eq(names->v[i], name)) return;
    if (names->n == NAMES_MAX) {
        names->unreadable |= UNREADABLE_LIMIT;
        return;
    }
    names->v[names->n] = name;
    names->manners[names->n++] = manners;
}

static void names_add(struct names *names, const struct mime_param *v, size_t n, struct str wanted)
{
    bool first = true;
    for (size_t i = 0; i < n; i++) {
        if (!str_eq(v[i].name, wanted)) continue;
        const struct message_text *value = &v[i].value;
        uint64_t other =
            names->n && (!first || !str_eq(wanted, STR("filename"))) ? (uint64_t)1 << MANNER_NAME_OTHER : 0;
        for (size_t k = 0; k < value->view_count; k++) name_add(names, value->views[k], value->manners[k] | other);
        names->unreadable |= value->unreadable;
        first = false;
    }
}

static struct message_text text_of_names(struct arena *a, const struct names *names)
{
    if (names->n == 0) return message_text_one(a, STR(""), names->unreadable);
    return (struct message_text){.views = arena_copy(a, names->v, names->n, sizeof *names->v),
                                 .view_count = names->n,
                                 .unreadable = names->unreadable,
                                 .manners = arena_copy(a, names->manners, names->n, sizeof *names->manners)};
}

/* "A.Exe. " is opened as "exe": systems drop blanks and dots at the end. */
static struct str extension_of(struct arena *a, struct str name, uint32_t *unreadable)
{
    while (name.n && (ascii_is_blank(name.p[name.n - 1]) || name.p[name.n - 1] == '.')) name.n--;
    size_t dot = str_rfind_byte(name, '.');
    if (dot == STR_NPOS) return STR("");
    name = str_from(name, dot + 1);
    if (name.n > EXTENSION_MAX) {
        name.n = utf8_cut(name, EXTENSION_MAX);
        *unreadable |= UNREADABLE_LIMIT;
    }
    struct str copy = arena_str(a, name);
    char *p = (char *)copy.p; /* just made */
    for (size_t i = 0; i < copy.n; i++) p[i] = ascii_lower(p[i]);
    return copy;
}

static struct message_text extensions_of(struct arena *a, const struct message_text *name)
{
    struct names out;
    out.n = 0;
    out.unreadable = name->unreadable;
    for (size_t i = 0; i < name->view_count; i++) {
        struct str whole = name->views[i];
        name_add(&out, extension_of(a, whole, &out.unreadable), name->manners[i]);
        size_t cut = 0; /* "a.exe;.txt": some take the name to end there */
        while (cut < whole.n && whole.p[cut] != ';' && (unsigned char)whole.p[cut] >= 0x20) cut++;
        if (cut < whole.n)
            name_add(&out, extension_of(a, str_slice(whole, 0, cut), &out.unreadable),
                     name->manners[i] | (uint64_t)1 << MANNER_NAME_CUT);
    }
    return text_of_names(a, &out);
}

/* --- the list ---------------------------------------------------------------------------------------------------- */

static bool is_attachment(const struct mime_tree *tree, size_t i, const struct names *names)
{
    const struct mime_part *p = &tree->parts[i];
    if (i > 0 && str_eq(p->type, STR("message")) && mime_has_children(tree, i)) return true;
    if (mime_has_children(tree, i)) return false;
    if (p->disposition == MIME_ATTACHMENT || names->n) return true;
    return !mime_is_text(p) && !str_eq(p->type, STR("multipart")) && !str_eq(p->type, STR("message"));
}

/* An attachment of one reading, which is made of what is told of it when it stays. */
struct found {
    const struct mime_part *part;
    uint32_t depth;
    struct names names;
};

static uint32_t messages_around(const struct mime_tree *tree, size_t part)
{
    uint32_t n = 0;
    for (; part != MIME_NO_PART; part = tree->parts[part].parent) n += str_eq(tree->parts[part].type, STR("message"));
    return n;
}

static bool attachment_read(struct message *m, const struct mime_tree *tree, size_t i, struct found *out)
{
    const struct mime_part *p = &tree->parts[i];
    struct names *names = &out->names;
    names->n = names->unreadable = 0;
    names_add(names, p->disposition_params, p->disposition_param_count, STR("filename"));
    names_add(names, p->params, p->param_count, STR("name"));
    names_add(names, p->disposition_params, p->disposition_param_count, STR("name"));
    names_add(names, p->params, p->param_count, STR("filename"));
    struct str file;
    size_t end;
    if (p->encoding == MIME_UUENCODE && decode_uuencode_find(p->raw, 0, &file, &end) != STR_NPOS) {
        uint64_t other = names->n ? (uint64_t)1 << MANNER_NAME_OTHER : 0;
        struct message_text said = message_text_of_param(m, file);
        for (size_t k = 0; k < said.view_count; k++) name_add(names, said.views[k], said.manners[k] | other);
    }
    if (!is_attachment(tree, i, names)) return false;
    out->part = p;
    out->depth = messages_around(tree, p->parent);
    return true;
}

static struct message_attachment attachment_of(struct arena *a, const struct found *f)
{
    struct message_attachment out = {.part = f->part, .depth = f->depth, .name = text_of_names(a, &f->names)};
    out.extension = extensions_of(a, &out.name);
    return out;
}

/* --- files in the text ------------------------------------------------------------------------------------------- */

/* A reader who undoes uuencoding shows a file as an attachment, and nothing of it in the text. */
struct text_file {
    const struct mime_part *part;
    struct str name;
    uint32_t depth;
};
struct text_files {
    const struct text_file *v;
    size_t n;
    uint32_t unreadable; /* LIMIT: there are more than parts in a message */
};

/* Whether its text is its bytes as they were transferred. */
static bool is_written_plainly(const struct mime_part *p)
{
    const struct mime_param *charset = mime_part_param(p, STR("charset"));
    bool plain = !charset || charset_is_plain(message_text_best(&charset->value), STR(""));
    return plain && p->encoding <= MIME_BINARY && !str_eq(p->subtype, STR("html"));
}

/* Whether the text has to be looked at: it is not made for who asks for attachments alone. */
static bool may_hold_files(const struct mime_tree *tree)
{
    for (size_t i = 0; i < tree->part_count; i++) {
        const struct mime_part *p = &tree->parts[i];
        if (!mime_is_text(p) || mime_has_children(tree, i)) continue;
        if (!is_written_plainly(p) || str_find(p->raw, STR("begin ")) != STR_NPOS) return true;
    }
    return false;
}

static struct text_file file_make(struct message *m, size_t index, struct str raw, struct str name)
{
    const struct mime_part *around = &message_mime(m)->parts[index];
    struct mime_part *p = ARENA_NEW(m->arena, struct mime_part);
    *p = (struct mime_part){.type = STR("application"),
                            .subtype = STR("octet-stream"),
                            .encoding = MIME_UUENCODE,
                            .disposition = MIME_ATTACHMENT,
                            .raw = raw,
                            .from = around->body,
                            .body = around->body,
                            .to = around->to,
                            .derived = true,
                            .depth = around->depth,
                            .parent = index};
    return (struct text_file){p, name, messages_around(message_mime(m), index)};
}

/* In the best reading of the body: one list for all readers. */
static const struct text_files *text_files(struct message *m)
{
    if (m->files) return m->files;
    struct text_files *out = m->files = ARENA_NEW(m->arena, struct text_files);
    const struct message_body *body = message_body(m);
    VEC(struct text_file) all = {0};
    for (size_t i = 0; i < body->part_count; i++) {
        const struct message_body_part *in = &body->parts[i];
        struct str text = str_slice(message_text_best(&body->text), in->from, in->to), name;
        for (size_t at = 0, end; (at = decode_uuencode_find(text, at, &name, &end)) != STR_NPOS; at = end) {
            if (all.n == m->limits.parts) {
                out->unreadable = UNREADABLE_LIMIT;
                break;
            }
            VEC_PUSH(&all, file_make(m, in->part, str_slice(text, at, end), name));
        }
    }
    out->v = arena_copy(m->arena, all.v, all.n, sizeof *all.v);
    out->n = all.n;
    VEC_FREE(&all);
    return out;
}

/* --- all of them ------------------------------------------------------------------------------------------------- */

/* One after the other, in every reading of the message: parts, then files in the text. */
struct attachment_walk {
    struct message *m;
    struct viewer *r;
    const struct mime_tree *tree;
    const struct text_files *files; /* NULL: there can be none */
    size_t part, file;
};
static struct attachment_walk walk_begin(struct message *m, struct viewer *r)
{
    const struct mime_tree *tree = mime_tree_of(m, r);
    return (struct attachment_walk){.m = m, .r = r, .tree = tree, .files = may_hold_files(tree) ? text_files(m) : NULL};
}
static bool walk_next(struct attachment_walk *w, struct found *out)
{
    while (w->part < w->tree->part_count)
        if (attachment_read(w->m, w->tree, w->part++, out)) return true;
    if (!w->files || w->file == w->files->n || !manner_is(w->r, MANNER_UUENCODE)) return false;
    const struct text_file *file = &w->files->v[w->file++];
    out->part = file->part;
    out->depth = file->depth;
    out->names.n = out->names.unreadable = 0;
    name_add(&out->names, file->name, 0);
    return true;
}

enum { DESCRIPTION_MAX = 1024 };

/* In text, and in what is uuencoded, files are looked for. */
static size_t work_of(const struct mime_part *p)
{
    return PART_WORK + (mime_is_text(p) || p->encoding == MIME_UUENCODE ? p->raw.n : 0);
}

/* All that is told of the attachments of one reading, or of much the digest: two readings with equal descriptions are
 * one. */
static uint32_t describe(void *self, struct viewer *r, struct buf *out)
{
    struct attachment_walk w = walk_begin(self, r);
    for (size_t i = 0; i < w.tree->part_count; i++) r->work += work_of(&w.tree->parts[i]);
    for (struct found f; walk_next(&w, &f);) {
        /* Every length before its bytes: names may hold whatever would set them apart. */
        buf_printf(out, "%zu %zu %.*s/%.*s %u %zu %zu %zu", f.part->type.n, f.part->subtype.n, STR_ARG(f.part->type),
                   STR_ARG(f.part->subtype), f.part->encoding, f.part->body, f.part->raw.n, f.names.n);
        for (size_t k = 0; k < f.names.n; k++) {
            buf_printf(out, " %zu ", f.names.v[k].n);
            buf_add(out, f.names.v[k]);
        }
    }
    if (out->n > DESCRIPTION_MAX) {
        uint8_t digest[DIGEST_SIZE];
        digest_sha256(buf_str(out), digest);
        out->n = 0;
        buf_add(out, (struct str){(const char *)digest, sizeof digest});
    }
    uint32_t unreadable = w.files ? message_body(w.m)->text.unreadable | w.files->unreadable : 0;
    return (w.tree->unreadable | unreadable) & UNREADABLE_LIMIT;
}

const struct message_attachments *message_attachments(struct message *m)
{
    if (m->attachments) return m->attachments;
    struct message_attachments *out = m->attachments = ARENA_NEW(m->arena, struct message_attachments);
    struct message_text lists = views_collect(m, 0, describe, m);
    VEC(struct message_attachment) all = {0};
    out->unreadable = lists.unreadable;
    out->lists = (uint32_t)lists.view_count;
    out->list_manners = lists.manners;
    for (size_t k = 0; k < lists.view_count; k++) {
        struct viewer r = {.manners = lists.manners[k]};
        struct attachment_walk w = walk_begin(m, &r);
        for (struct found f; walk_next(&w, &f);) {
            if (k > 0 && !message_room(m)) { /* what the best reader sees is bounded by the parts */
                out->unreadable |= UNREADABLE_LIMIT;
                break;
            }
            struct message_attachment one = attachment_of(m->arena, &f);
            one.list = (uint32_t)k;
            out->unreadable |= one.name.unreadable;
            VEC_PUSH(&all, one);
        }
    }
    out->v = arena_copy(m->arena, all.v, all.n, sizeof *all.v);
    out->n = all.n;
    VEC_FREE(&all);
    return out;
}

/* --- its bytes --------------------------------------------------------------------------------------------------- */

/* Three sextets are at least two bytes of text: what encodings and line ends add is less than this. */
enum { TYPE_BYTES_MAX = 2 * FILETYPE_BYTES_MAX };

static uint32_t true_type_read(void *self, struct viewer *r, struct buf *out)
{
    const struct mime_part *p = self;
    struct buf bytes = {0};
    uint32_t unreadable = mime_transfer_decode(r, p, str_slice(p->raw, 0, TYPE_BYTES_MAX), &bytes);
    buf_add(out, filetype_of(buf_str(&bytes)));
    buf_free(&bytes);
    return p->raw.n > TYPE_BYTES_MAX ? unreadable & ~(uint32_t)UNREADABLE_ENCODING : unreadable;
}

struct message_text message_attachment_true_type(struct message *m, const struct message_attachment *a)
{
    if (str_eq(a->part->type, STR("message"))) return message_text_one(m->arena, STR("message/rfc822"), 0);
    size_t raw = a->part->raw.n, cost = TYPE_READING_COST + (raw < TYPE_BYTES_MAX ? raw : TYPE_BYTES_MAX);
    if (cost > m->types_left) return message_text_one(m->arena, STR(""), UNREADABLE_LIMIT);
    m->types_left -= cost;
    return views_collect_within(m, cost, &m->types_left, true_type_read, (void *)a->part);
}

size_t message_attachment_size(const struct message_attachment *a)
{
    if (a->part->encoding < MIME_BASE64 || a->part->encoding == MIME_UNKNOWN) return a->part->raw.n;
    struct viewer best = {0};
    struct buf bytes = {0};
    mime_transfer_decode(&best, a->part, a->part->raw, &bytes);
    size_t n = bytes.n;
    buf_free(&bytes);
    return n;
}
