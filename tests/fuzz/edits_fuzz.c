/* Edits, a NUL, a message.  Each edit is one line: a digit for its kind, the name (of a text: its HTML; of a removal:
 * the part), a colon, the value.  The pieces are sound; without edits of the body the border stays, and the written
 * message is read as the edits said it would be; with them it is well formed where it was, and a text is not added
 * twice. */
#include <string.h>

#include "base/err.h"
#include "message/edits.h"

static const struct edits *read_body_edit(struct message *m, const struct edits *e, enum edit_kind kind,
                                          struct str name, struct str value)
{
    struct arena *a = message_arena(m);
    if (kind == EDIT_REMOVE_PART) return edits_remove_part(a, e, name.n ? (unsigned char)name.p[0] % 8 : 0, value);
    bool takes = message_takes_text(m, kind, value, name);
    return takes || message_can_wrap(m) ? edits_add_text(a, e, kind, value, name, !takes) : NULL;
}

static const struct edits *read_edits(struct message *m, struct str lines, bool *body)
{
    struct arena *a = message_arena(m);
    const struct edits *e = NULL;
    struct str line, name, value;
    while (lines.n) {
        str_cut(lines, '\n', &line, &lines);
        if (line.n < 2) continue;
        str_cut(str_from(line, 1), ':', &name, &value);
        enum edit_kind kind = (enum edit_kind)((unsigned char)line.p[0] & 7); /* '0' is 0, whatever kinds there are */
        if (kind > EDIT_REMOVE_PART) continue;
        const struct edits *more =
            kind < EDIT_APPEND_TEXT ? edits_add(a, e, kind, name, value) : read_body_edit(m, e, kind, name, value);
        *body |= more && kind >= EDIT_APPEND_TEXT;
        if (more) e = more;
    }
    return e;
}

static struct str apply(struct arena *a, struct str content, const struct pieces *p)
{
    char *out = arena_alloc(a, (size_t)pieces_length(p));
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++) {
        struct str s = p->v[i].insert.p ? p->v[i].insert : str_slice(content, (size_t)p->v[i].from, (size_t)p->v[i].to);
        for (size_t k = 0; p->v[i].insert.p && k < s.n; k++) {
            INVARIANT(s.p[k] != 0);
            INVARIANT(s.p[k] != '\r' || (k + 1 < s.n && s.p[k + 1] == '\n'));
            INVARIANT(s.p[k] != '\n' || (k > 0 && s.p[k - 1] == '\r'));
        }
        memcpy(out + n, s.p, s.n);
        n += s.n;
    }
    return (struct str){out, n};
}

/* By a hash of their names: what is asked of all fields of one name is asked once, or it would take the square. */
struct asked {
    bool seen[1024];
};
static bool is_asked(struct asked *a, struct str name)
{
    uint32_t h = 0;
    for (size_t i = 0; i < name.n; i++) h = h * 31 + (unsigned char)ascii_lower(name.p[i]);
    bool seen = a->seen[h % 1024];
    return a->seen[h % 1024] = true, seen;
}

static void check_header(struct message *m, const struct edits *e, struct message *again, struct str name)
{
    const struct message_values *seen = message_header_edited(m, e, name), *written = message_header(again, name);
    size_t n = seen->n - seen->doubtful; /* what only some readers take for a field may be one less, or one more */
    INVARIANT(n == written->n - written->doubtful);
    for (size_t i = 0; i < n; i++) INVARIANT(str_eq(seen->v[i].raw, written->v[i].raw));
    message_addresses_edited(m, e, name);
}

/* What carries a text takes it again without change. */
static void check_once(struct message *m, struct str text)
{
    const struct message_header *h = message_header_section(m);
    if (h->malformed || !message_takes_text(m, EDIT_APPEND_TEXT, text, STR(""))) return;
    struct arena *a = message_arena(m);
    struct pieces p;
    const struct edits *e = edits_add_text(a, NULL, EDIT_APPEND_TEXT, text, STR(""), false);
    edits_pieces(m, e, a, &p);
    struct message *again = message_open(a, apply(a, message_content(m), &p), NULL);
    e = edits_add_text(a, NULL, EDIT_APPEND_TEXT, text, STR(""), false);
    edits_pieces(again, e, a, &p);
    INVARIANT(pieces_are_identity(&p, message_content(again).n) || message_mime(again)->unreadable);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Every field is seen, those that edits add too: a table of so many is made for each message that is read. */
    const struct message_limits wide = {.header_bytes = SIZE_MAX,
                                        .fields = size + EDITS_MAX,
                                        .depth = 6,
                                        .parts = 8,
                                        .text_bytes = 20000,
                                        .memory = 1 << 20};
    static struct arena *arena;
    if (!arena) arena = arena_create();
    arena_reset(arena);
    struct str all = arena_str(arena, (struct str){(const char *)data, size}), lines, content;
    str_cut(all, '\0', &lines, &content);
    bool body_edits = false;
    struct message *m = message_open(arena, content, &wide);
    const struct edits *e = read_edits(m, lines, &body_edits);
    content = message_content(m);
    struct pieces p;
    edits_pieces(m, e, arena, &p);
    INVARIANT(pieces_are_sound(&p, content.n));
    struct str result = apply(arena, content, &p);
    struct message *again = message_open(arena, result, &wide);
    const struct message_header *before = message_header_section(m), *after = message_header_section(again);
    size_t body = content.n - before->body;
    if (body_edits) {
        INVARIANT(before->malformed || !after->malformed);
        check_once(m, STR("Confidential: Gr\xc3\xbc\xc3\x9f"
                          "e"));
        return 0;
    }
    INVARIANT(body == 0 || result.n - after->body == body);
    struct asked asked = {0};
    for (size_t i = 0; i < before->field_count; i++)
        if (!is_asked(&asked, before->fields[i].name)) check_header(m, e, again, before->fields[i].name);
    for (size_t i = 0; i < after->field_count; i++)
        if (!is_asked(&asked, after->fields[i].name)) check_header(m, e, again, after->fields[i].name);
    message_subject_edited(m, e, NULL);
    return 0;
}
