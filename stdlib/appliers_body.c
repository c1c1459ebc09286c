/* Actions that change the body. */
#include "mail/fold.h"
#include "mail/like.h"
#include "stdlib/vocabulary.h"
#include "vm/plan.h"

/* --- disclaimers -------------------------------------------------------------------------------------------------- */

struct disclaimer_params {
    uint8_t text, html, fallback;
};

/* A message that cannot be changed where the reader would see the text: the rule says what then. */
static void fall_back(struct judgement *j, const struct action_call *c, enum edit_kind kind, struct disclaimer_params p)
{
    struct str word = call_text(c, p.fallback);
    if (str_eq(word, STR("skip"))) {
        plan_note(
            j, NOTE_LOG, c->who,
            arena_printf(j->arena, "%s skipped: the message cannot be changed where it would be seen", c->row->name));
    } else if (!str_eq(word, STR("reject")) && message_can_wrap(j->in->message)) {
        plan_text(j, c, kind, call_text(c, p.text), call_text(c, p.html), true);
    } else {
        struct reply r = {550, STATUS(5, 6, 3), STR("A text must be added to this message, and it cannot be changed")};
        plan_final(j, c, DISPOSITION_REJECT, &r, STR_NONE);
    }
}

static void disclaimer(struct judgement *j, const struct action_call *c, enum edit_kind kind,
                       struct disclaimer_params p)
{
    struct str text = call_text(c, p.text), html = call_text(c, p.html);
    if (str_trim(text).n == 0) return;
    if (message_takes_text(j->in->message, kind, text, html))
        plan_text(j, c, kind, text, html, false);
    else
        fall_back(j, c, kind, p);
}

void apply_APPEND_DISCLAIMER(struct judgement *j, const struct action_call *c)
{
    disclaimer(j, c, EDIT_APPEND_TEXT,
               (struct disclaimer_params){PARAM_APPEND_DISCLAIMER_TEXT, PARAM_APPEND_DISCLAIMER_HTML,
                                          PARAM_APPEND_DISCLAIMER_FALLBACK});
}
void apply_PREPEND_DISCLAIMER(struct judgement *j, const struct action_call *c)
{
    disclaimer(j, c, EDIT_PREPEND_TEXT,
               (struct disclaimer_params){PARAM_PREPEND_DISCLAIMER_TEXT, PARAM_PREPEND_DISCLAIMER_HTML,
                                          PARAM_PREPEND_DISCLAIMER_FALLBACK});
}

/* --- attachments -------------------------------------------------------------------------------------------------- */

static struct str folded(struct arena *a, struct str s)
{
    struct buf out = {0};
    fold_text(s, FOLD_TRIM, &out, NULL);
    struct str made = arena_str(a, buf_str(&out));
    buf_free(&out);
    return made;
}

static bool name_is_asked(struct judgement *j, const struct action_call *c, struct str name)
{
    struct str text = folded(j->arena, name);
    bool any = false;
    for (size_t i = 0; i < c->argument_count; i++) {
        if (c->arguments[i].param != PARAM_REMOVE_ATTACHMENT_NAME) continue;
        any = true;
        if (like_match(folded(j->arena, c->arguments[i].text), text)) return true;
    }
    return !any;
}

/* Its names are all that a reader may save it under; one without a name is asked for by "*" and by no name at all. */
static bool is_asked(struct judgement *j, const struct action_call *c, const struct message_attachment *x)
{
    for (size_t i = 0; i < x->name.view_count; i++)
        if (name_is_asked(j, c, x->name.views[i])) return true;
    return false;
}

/* Whether the best reading has an attachment in the same place: then that one was taken out. */
static bool is_elsewhere(const struct message_attachments *all, const struct message_attachment *x)
{
    for (size_t i = 0; i < all->n; i++) {
        const struct mime_part *p = all->v[i].part;
        if (all->v[i].list == 0 && p->from == x->part->from && p->to == x->part->to) return false;
    }
    return true;
}

/* One that only some readers see cannot be taken out for all of them, so the message does not go on. */
static void refuse_unremovable(struct judgement *j, const struct action_call *c)
{
    struct reply r = {550, STATUS(5, 6, 3), STR("An attachment must be removed, and readers differ in where it is")};
    plan_final(j, c, DISPOSITION_REJECT, &r, STR_NONE);
}

void apply_REMOVE_ATTACHMENT(struct judgement *j, const struct action_call *c)
{
    const struct message_attachments *all = message_attachments(j->in->message);
    const struct mime_tree *tree = message_mime(j->in->message);
    struct str note = call_text(c, PARAM_REMOVE_ATTACHMENT_NOTE);
    if (note.n == 0) note = STR("An attachment was removed from this message.");
    for (size_t i = 0; i < all->n; i++) {
        const struct message_attachment *x = &all->v[i];
        struct str name = message_text_best(&x->name);
        if (!is_asked(j, c, x)) continue;
        if (x->list == 0) {
            struct str text = name.n ? arena_printf(j->arena, "%.*s\n%.*s", STR_ARG(note), STR_ARG(name)) : note;
            plan_remove_part(j, c, (size_t)(x->part - tree->parts), text);
        } else if (is_elsewhere(all, x)) {
            refuse_unremovable(j, c);
        }
    }
}
