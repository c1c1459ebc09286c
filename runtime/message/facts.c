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

/* Not in a message that this one carries. */
static bool is_own(const struct mime_tree *tree, size_t i)
{
    for (size_t up = tree->parts[i].parent; up != MIME_NO_PART; up = tree->parts[up].parent)
        if (str_eq(tree->parts[up].type, STR("message"))) return false;
    return true;
}

static bool part_is(const struct mime_part *p, struct str type, struct str subtype)
{
    return str_eq(p->type, type) && str_eq(p->subtype, subtype);
}

/* RFC 1847, RFC 8551 section 3.5, RFC 9580 section 7. */
static bool is_signed(struct message *m, const struct mime_tree *tree)
{
    for (size_t i = 0; i < tree->part_count; i++) {
        const struct mime_part *p = &tree->parts[i];
        if (!is_own(tree, i)) continue;
        if (part_is(p, STR("multipart"), STR("signed"))) return true;
        if (!part_is(p, STR("application"), STR("pkcs7-mime")) && !part_is(p, STR("application"), STR("x-pkcs7-mime")))
            continue;
        const struct mime_param *kind = mime_part_param(p, STR("smime-type"));
        if (kind && str_eq_nocase(message_text_best(&kind->value), STR("signed-data"))) return true;
    }
    return str_find(message_text_best(&message_body(m)->text), STR("-----BEGIN PGP SIGNED MESSAGE-----")) != STR_NPOS;
}

static bool is_encrypted(struct message *m, const struct mime_tree *tree)
{
    for (size_t i = 0; i < tree->part_count; i++)
        if (tree->parts[i].unreadable & UNREADABLE_ENCRYPTED && is_own(tree, i)) return true;
    const struct message_body *body = message_body(m);
    for (size_t i = 0; i < body->part_count; i++)
        if (body->parts[i].unreadable & UNREADABLE_ENCRYPTED && is_own(tree, body->parts[i].part)) return true;
    return false;
}

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
    f->is_signed = is_signed(m, tree);
    f->is_encrypted = is_encrypted(m, tree);
    for (size_t i = 0; i < tree->part_count; i++)
        if (tree->parts[i].depth > f->depth) f->depth = tree->parts[i].depth;
    for (size_t i = 0; i < attachments->n; i++) f->attachments += attachments->v[i].list == 0;
    return f;
}
