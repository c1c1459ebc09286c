#include "message/mime_header.h"
#include "message/state.h"

/* Fields of which a message has one at most (RFC 5322 section 3.6), and that people are shown. */
static const char *const unique_fields[] = {"From", "Sender", "Reply-To", "To", "Cc", "Subject", "Date", "Message-ID"};

static bool header_is_ambiguous(struct message *m)
{
    for (size_t i = 0; i < sizeof unique_fields / sizeof unique_fields[0]; i++) {
        const struct message_values *values = message_header(m, str_of(unique_fields[i]));
        for (size_t k = 0; k < values->n; k++) {
            if (message_text_is_ambiguous(&values->v[k].text)) return true;
            if (k > 0 && !str_eq(str_trim(values->v[k].raw), str_trim(values->v[0].raw))) return true;
        }
    }
    return false;
}

static bool attachments_are_ambiguous(struct message *m)
{
    const struct message_attachments *all = message_attachments(m);
    for (uint32_t list = 1; list < all->lists; list++)
        if (message_manners_are_ambiguous(all->list_manners[list])) return true;
    for (size_t i = 0; i < all->n; i++)
        if (message_text_is_ambiguous(&all->v[i].name)) return true;
    return false;
}

static bool is_malformed(struct message *m, const struct mime_tree *tree)
{
    static const char *const lists[] = {"From", "To", "Cc", "Reply-To"};
    if (message_header_section(m)->malformed) return true;
    for (size_t i = 0; i < tree->part_count; i++)
        if (tree->parts[i].malformed) return true;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        if (message_addresses(m, str_of(lists[i]))->malformed) return true;
    return false;
}

/* --- signed, encrypted -------------------------------------------------------------------------------------------- */

/* RFC 1847, RFC 8551 section 3.5. */
static bool part_is_signed(const struct mime_part *p)
{
    if (mime_part_is(p, "multipart", "signed")) return true;
    if (!mime_part_is(p, "application", "pkcs7-mime") && !mime_part_is(p, "application", "x-pkcs7-mime")) return false;
    const struct mime_param *kind = mime_part_param(p, STR("smime-type"));
    return kind && str_eq_nocase(message_text_best(&kind->value), STR("signed-data"));
}
static bool part_is_encrypted(const struct mime_part *p) { return p->unreadable & UNREADABLE_ENCRYPTED; }

struct protection {
    struct message *m;
    bool (*is)(const struct mime_part *p);
    struct str armor; /* the same said in the text itself: RFC 9580 sections 6.2 and 7 */
};

/* What one reader makes of it: "yes" or "no". */
static uint32_t protection_read(void *self, struct viewer *r, struct buf *out)
{
    const struct protection *x = self;
    const struct mime_tree *tree = mime_tree_of(x->m, r);
    uint32_t unreadable = tree->unreadable & UNREADABLE_LIMIT;
    bool yes = false;
    for (size_t i = 0; i < tree->part_count && !yes; i++) yes = x->is(&tree->parts[i]) && !mime_is_carried(tree, i);
    if (!yes) {
        struct buf text = {0};
        unreadable |= body_own_text(x->m, r, &text) & UNREADABLE_LIMIT;
        yes = str_find(buf_str(&text), x->armor) != STR_NPOS;
        buf_free(&text);
    }
    buf_add(out, yes ? STR("yes") : STR("no"));
    return yes ? 0 : unreadable;
}

/* Whether only the text can say it, and that text is the body's, which was read: to every reader of it no part does,
 * and no part is another message's. */
static bool only_body_can_say(const struct protection *x)
{
    for (const struct read_tree *t = x->m->trees; t; t = t->next)
        for (size_t i = 0; i < t->tree.part_count; i++)
            if (x->is(&t->tree.parts[i]) || mime_is_carried(&t->tree, i)) return false;
    return true;
}

static struct message_text protection_of_body(const struct protection *x)
{
    const struct message_text *body = &x->m->body->text;
    struct message_text out = {.unreadable = body->unreadable & UNREADABLE_LIMIT};
    struct str *views = ARENA_ARRAY(x->m->arena, struct str, 2);
    uint64_t *manners = ARENA_ARRAY(x->m->arena, uint64_t, 2);
    bool seen[2] = {false, false};
    for (size_t i = 0; i < body->view_count; i++) {
        bool yes = str_find_by(body->views[i], x->armor, 7) != STR_NPOS; /* by the G */
        if (seen[yes]) continue;
        seen[yes] = true;
        views[out.view_count] = yes ? STR("yes") : STR("no");
        manners[out.view_count++] = body->manners[i];
    }
    if (!seen[false]) out.unreadable = 0; /* to nobody could there be a further yes */
    out.views = views;
    out.manners = manners;
    return out;
}

/* First the body, whoever asks: the answer is not to depend on the order of questions. */
static struct message_text protection(struct protection x)
{
    message_body(x.m);
    return only_body_can_say(&x) ? protection_of_body(&x) : views_collect(x.m, 0, protection_read, &x);
}

struct message_text message_is_signed(struct message *m)
{
    if (!m->is_signed.view_count)
        m->is_signed = protection((struct protection){m, part_is_signed, STR("-----BEGIN PGP SIGNED MESSAGE-----")});
    return m->is_signed;
}

struct message_text message_is_encrypted(struct message *m)
{
    if (!m->is_encrypted.view_count)
        m->is_encrypted = protection((struct protection){m, part_is_encrypted, STR("-----BEGIN PGP MESSAGE-----")});
    return m->is_encrypted;
}

static bool says_yes(struct message_text t) { return str_eq(message_text_best(&t), STR("yes")); }

/* --- all together ------------------------------------------------------------------------------------------------- */

const struct message_facts *message_facts(struct message *m)
{
    if (m->facts) return m->facts;
    struct message_facts *f = m->facts = ARENA_NEW(m->arena, struct message_facts);
    const struct mime_tree *tree = message_mime(m);
    const struct message_attachments *attachments = message_attachments(m);
    uint32_t unreadable = m->header.unreadable | message_body(m)->text.unreadable | attachments->unreadable;
    for (size_t i = 0; i < sizeof unique_fields / sizeof unique_fields[0]; i++)
        unreadable |= message_header(m, str_of(unique_fields[i]))->unreadable;
    f->ambiguous =
        message_text_is_ambiguous(&message_body(m)->text) || header_is_ambiguous(m) || attachments_are_ambiguous(m);
    f->malformed = is_malformed(m, tree);
    f->unscannable = (unreadable & ~(uint32_t)UNREADABLE_LIMIT) != 0;
    f->truncated = (unreadable & UNREADABLE_LIMIT) != 0;
    f->is_signed = says_yes(message_is_signed(m));
    f->is_encrypted = says_yes(message_is_encrypted(m));
    for (size_t i = 0; i < tree->part_count; i++)
        if (tree->parts[i].depth > f->depth) f->depth = tree->parts[i].depth;
    for (size_t i = 0; i < attachments->n; i++) f->attachments += attachments->v[i].list == 0;
    return f;
}
