/* Any bytes as a message: everything that can be asked is asked; texts are UTF-8, ranges are inside, limits hold. */
#include "message/charset.h"
#include "message/message.h"

static void check_text(const struct message_text *t)
{
    INVARIANT(t->view_count >= 1);
    INVARIANT(t->manners[0] == 0 || t->view_count > 0);
    for (size_t i = 0; i < t->view_count; i++) {
        INVARIANT(str_is_utf8(t->views[i]));
        for (size_t k = 0; k < i; k++) INVARIANT(!str_eq(t->views[i], t->views[k]));
    }
}

static void check_header(struct message *m, struct str content)
{
    const struct message_header *h = message_header_section(m);
    size_t at = h->from;
    for (size_t i = 0; i < h->field_count; i++) {
        const struct message_field *f = &h->fields[i];
        INVARIANT(f->from >= at && f->from < f->to && f->to <= content.n);
        at = f->to;
        const struct message_values *values = message_header(m, f->name);
        INVARIANT(values->n >= 1 && values->v[0].field);
        if (values->v[0].field != f) continue; /* with the first of its name */
        for (size_t k = 0; k < values->n; k++) check_text(&values->v[k].text);
        const struct message_addresses *addresses = message_addresses(m, f->name);
        for (size_t k = 0; k < addresses->n; k++) check_text(&addresses->v[k].name);
    }
    INVARIANT(at <= h->end && h->end <= h->body && h->body <= content.n);
    check_text(message_subject(m, NULL));
    message_id(m);
}

static void check_params(const struct mime_param *v, size_t n)
{
    for (size_t i = 0; i < n; i++) check_text(&v[i].value);
}

static void check_tree(struct message *m, struct str content, const struct message_limits *limits)
{
    const struct mime_tree *tree = message_mime(m);
    INVARIANT(tree->part_count >= 1 && tree->part_count <= limits->parts);
    for (size_t i = 0; i < tree->part_count; i++) {
        const struct mime_part *p = &tree->parts[i];
        INVARIANT(p->depth < limits->depth && p->from <= p->body && p->body <= p->to && p->to <= content.n);
        INVARIANT(i == 0 ? p->parent == MIME_NO_PART : p->parent < i && tree->parts[p->parent].depth + 1 == p->depth);
        INVARIANT(p->derived || (p->raw.p >= content.p + p->body && p->raw.p + p->raw.n <= content.p + p->to));
        check_params(p->params, p->param_count);
        check_params(p->disposition_params, p->disposition_param_count);
    }
    const struct message_body *body = message_body(m);
    check_text(&body->text);
    INVARIANT(message_text_best(&body->text).n <= limits->text_bytes + limits->parts);
    INVARIANT((tree->unreadable & ~body->text.unreadable) == 0 && body->text.view_count >= 1);
}

static void check_attachments(struct message *m)
{
    const struct message_attachments *all = message_attachments(m);
    uint32_t list = 0;
    for (size_t i = 0; i < all->n; i++) {
        const struct message_attachment *a = &all->v[i];
        INVARIANT(a->list >= list && a->list < all->lists);
        list = a->list;
        check_text(&a->name);
        check_text(&a->extension);
        struct message_text type = message_attachment_true_type(m, a);
        check_text(&type);
        message_attachment_size(a);
    }
    const struct message_facts *f = message_facts(m);
    INVARIANT(f->attachments <= all->n);
    check_text(message_body_source(m));
    struct message_text is_signed = message_is_signed(m), is_encrypted = message_is_encrypted(m);
    check_text(&is_signed);
    check_text(&is_encrypted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct message_limits small = {
        .header_bytes = 200, .fields = 5, .depth = 4, .parts = 6, .text_bytes = 100};
    static struct arena *arena;
    if (!arena) {
        arena = arena_create();
        INVARIANT(charset_warm(NULL));
    }
    arena_reset(arena);
    struct str content = arena_str(arena, (struct str){(const char *)data, size});
    /* One or the other, for speed: an input of one byte more or less is soon made. */
    const struct message_limits *limits = size % 2 ? &small : &message_limits_default;
    struct message *m = message_open(arena, content, limits);
    check_header(m, content);
    check_tree(m, content, limits);
    check_attachments(m);
    return 0;
}
