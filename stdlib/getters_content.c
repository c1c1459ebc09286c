/* What the content is: the source of its text, its attachments, and the facts of the whole message. */
#include "message/filetype.h"
#include "stdlib/put.h"
#include "stdlib/vocabulary.h"

void get_BODY_SOURCE(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    (void)ask;
    put_content_text(j, message_body_source(j->in->message), out);
}

/* --- attachments -------------------------------------------------------------------------------------------------- */

/* One element for each, in every reading of the structure; `fill` makes its views and answers false when there is none:
 * the attachment exists without this value. */
typedef bool attachment_fill(struct judgement *j, const struct message_attachment *a, struct element *e);

static void put_attachments(struct judgement *j, struct values *out, attachment_fill *fill)
{
    const struct message_attachments *all = message_attachments(j->in->message);
    put_limits(j, out, all->unreadable);
    out->n = (uint32_t)all->n;
    out->lists = all->lists;
    out->v = ARENA_ARRAY(j->arena, struct element, all->n);
    for (size_t i = 0; i < all->n; i++) {
        const struct message_attachment *a = &all->v[i];
        if (!fill(j, a, &out->v[i])) out->v[i] = (struct element){0};
        out->v[i].list = a->list;
        for (uint32_t k = 0; k < out->v[i].count; k++) out->v[i].views[k].manners |= all->list_manners[a->list];
    }
}

static bool fill_text(struct judgement *j, const struct message_text *t, struct element *e)
{
    if (t->view_count == 1 && t->views[0].n == 0 && !t->unreadable) return false;
    put_views(j, e, t);
    return true;
}

static bool fill_number(struct judgement *j, int64_t n, struct element *e)
{
    e->views = ARENA_NEW(j->arena, struct view);
    e->views->number = n;
    e->count = 1;
    return true;
}

/* `attachment is present` asks whether there is one, named or not. */
static bool fill_itself(struct judgement *j, const struct message_attachment *a, struct element *e)
{
    put_views(j, e, &a->name);
    return true;
}
static bool fill_name(struct judgement *j, const struct message_attachment *a, struct element *e)
{
    return fill_text(j, &a->name, e);
}
static bool fill_extension(struct judgement *j, const struct message_attachment *a, struct element *e)
{
    return fill_text(j, &a->extension, e);
}
static bool fill_type(struct judgement *j, const struct message_attachment *a, struct element *e)
{
    e->views = ARENA_NEW(j->arena, struct view);
    e->views->text = arena_printf(j->arena, "%.*s/%.*s", STR_ARG(a->part->type), STR_ARG(a->part->subtype));
    e->count = 1;
    return true;
}
static bool fill_true_type(struct judgement *j, const struct message_attachment *a, struct element *e)
{
    struct message_text t = message_attachment_true_type(j->in->message, a);
    return fill_text(j, &t, e);
}
static bool fill_executable(struct judgement *j, const struct message_attachment *a, struct element *e)
{
    if (!fill_true_type(j, a, e)) return false;
    for (uint32_t i = 0; i < e->count; i++) e->views[i].number = filetype_is_executable(e->views[i].text);
    return true;
}
static bool fill_size(struct judgement *j, const struct message_attachment *a, struct element *e)
{
    return fill_number(j, (int64_t)message_attachment_size(a), e);
}
static bool fill_depth(struct judgement *j, const struct message_attachment *a, struct element *e)
{
    return fill_number(j, a->depth, e);
}

#define ATTACHMENT_GETTER(id, fill)                                                                                    \
    void get_##id(struct judgement *j, const struct field_ask *ask, struct values *out)                                \
    {                                                                                                                  \
        (void)ask;                                                                                                     \
        put_attachments(j, out, fill);                                                                                 \
    }
ATTACHMENT_GETTER(ATTACHMENT, fill_itself)
ATTACHMENT_GETTER(ATTACHMENT_NAME, fill_name)
ATTACHMENT_GETTER(ATTACHMENT_EXTENSION, fill_extension)
ATTACHMENT_GETTER(ATTACHMENT_TYPE, fill_type)
ATTACHMENT_GETTER(ATTACHMENT_TRUE_TYPE, fill_true_type)
ATTACHMENT_GETTER(ATTACHMENT_EXECUTABLE, fill_executable)
ATTACHMENT_GETTER(ATTACHMENT_SIZE, fill_size)
ATTACHMENT_GETTER(ATTACHMENT_DEPTH, fill_depth)

/* How many there are, in each reading of the structure. */
static void put_counts(struct judgement *j, struct values *out, bool any)
{
    const struct message_attachments *all = message_attachments(j->in->message);
    put_limits(j, out, all->unreadable);
    struct view *v = ARENA_ARRAY(j->arena, struct view, all->lists);
    for (size_t i = 0; i < all->n; i++) v[all->v[i].list].number++;
    for (uint32_t k = 0; k < all->lists; k++) {
        v[k].manners = all->list_manners[k];
        if (any) v[k].number = v[k].number > 0;
    }
    out->v = ARENA_NEW(j->arena, struct element);
    out->v[0] = (struct element){.views = v, .count = all->lists};
    out->n = 1;
}
void get_ATTACHMENT_COUNT(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    (void)ask;
    put_counts(j, out, false);
}
void get_HAS_ATTACHMENTS(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    (void)ask;
    put_counts(j, out, true);
}

/* --- signed, encrypted -------------------------------------------------------------------------------------------- */

/* Readers may differ in it; beyond a limit there may be a further sign, so not seen is not absent. */
static void put_yes_or_no(struct judgement *j, struct values *out, struct message_text t)
{
    struct view *v = ARENA_ARRAY(j->arena, struct view, t.view_count);
    bool some = false;
    for (size_t i = 0; i < t.view_count; i++) {
        v[i] = (struct view){.number = str_eq(t.views[i], STR("yes")), .manners = t.manners[i]};
        some |= v[i].number != 0;
    }
    if (t.unreadable) put_limits(j, out, t.unreadable);
    if (out->trouble != ANSWER_NO && !some) return;
    out->v = ARENA_NEW(j->arena, struct element);
    out->v[0] = (struct element){.views = v, .count = (uint32_t)t.view_count};
    out->n = 1;
}
void get_IS_SIGNED(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    (void)ask;
    put_yes_or_no(j, out, message_is_signed(j->in->message));
}
void get_IS_ENCRYPTED(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    (void)ask;
    put_yes_or_no(j, out, message_is_encrypted(j->in->message));
}

/* --- facts -------------------------------------------------------------------------------------------------------- */

void get_AMBIGUOUS(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    (void)ask;
    put_number(j, out, message_facts(j->in->message)->ambiguous);
}
void get_MALFORMED(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    (void)ask;
    put_number(j, out, message_facts(j->in->message)->malformed);
}
void get_UNSCANNABLE(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    (void)ask;
    put_number(j, out, message_facts(j->in->message)->unscannable);
}
void get_TRUNCATED(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    (void)ask;
    put_number(j, out, message_facts(j->in->message)->truncated);
}
