#include "base/ip.h"
#include "stdlib/put.h"
#include "stdlib/vocabulary.h"

/* --- small makers ------------------------------------------------------------------------------------------------- */

static struct str why_unreadable(struct judgement *j, uint32_t bits)
{
    char text[UNREADABLE_TEXT_MAX];
    size_t n = unreadable_print(bits, text);
    return arena_str(j->arena, (struct str){text, n});
}

void put_limits(struct judgement *j, struct values *out, uint32_t unreadable)
{
    if (unreadable) out->why = why_unreadable(j, unreadable);
    if (unreadable & UNREADABLE_LIMIT) out->trouble = ANSWER_UNREADABLE;
}

/* --- the client, the envelope ------------------------------------------------------------------------------------- */

void get_CLIENT_IP(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    (void)ask;
    struct view v = {0};
    if (ip_parse(j->in->envelope->client.ip, v.ip)) values_one(j, out, v);
}
void get_CLIENT_HELO(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    (void)ask;
    put_text(j, out, j->in->envelope->client.helo);
}
void get_AUTHENTICATED(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    (void)ask;
    put_number(j, out, client_is_authenticated(&j->in->envelope->client));
}
void get_ENCRYPTED(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    (void)ask;
    put_number(j, out, client_is_encrypted(&j->in->envelope->client));
}

void get_CLIENT_USER(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    (void)ask;
    put_text(j, out, j->in->envelope->client.user);
}
void get_CLIENT_TLS_VERSION(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    (void)ask;
    struct str version = j->in->envelope->client.tls_version; /* "TLSv1.3": written as require_tls writes it */
    put_text(j, out, str_starts(version, STR("TLSv")) ? str_from(version, 4) : version);
}
void get_LISTENER(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    (void)ask;
    put_text(j, out, j->in->envelope->client.listener);
}
void get_REQUIRETLS(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    (void)ask;
    put_number(j, out, j->in->envelope->requiretls);
}

static bool domain_is_inside(const struct judgement *j, struct str domain)
{
    return j->in->settings && domain.n && domains_contain(&j->in->settings->internal, domain);
}

/* A domain of ours in the reverse-path proves nothing: the client must be one of ours too. */
bool sender_is_inside(const struct judgement *j)
{
    const struct client_facts *c = &j->in->envelope->client;
    return (client_is_authenticated(c) || c->trusted) && domain_is_inside(j, j->sender.domain);
}

static bool domain_is_partner(const struct judgement *j, struct str domain)
{
    if (!j->in->settings || !domain.n) return false;
    for (size_t i = 0; i < j->in->settings->connector_count; i++) {
        const struct connector_settings *c = &j->in->settings->connectors[i];
        if (c->tls == CONNECTOR_TLS_VERIFIED && domains_contain(&c->domains, domain)) return true;
    }
    return false;
}

void get_SENDER(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    (void)ask;
    struct str path = j->in->envelope->reverse_path;
    if (path.n) values_one(j, out, (struct view){.text = path, .address = j->sender});
}
void get_SENDER_SCOPE(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    (void)ask;
    put_word(j, out, sender_is_inside(j) ? "inside" : "outside");
}
void get_RECIPIENT(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    const struct member *m = &j->members.v[ask->recipient];
    values_one(j, out, (struct view){.text = m->address, .address = m->canonical});
}
void get_RECIPIENT_SCOPE(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    struct str domain = j->members.v[ask->recipient].canonical.domain;
    put_word(j, out, domain_is_inside(j, domain) ? "inside" : domain_is_partner(j, domain) ? "partner" : "outside");
}
void get_RECIPIENT_COUNT(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    (void)ask;
    put_number(j, out, (int64_t)j->members.n);
}
/* Added recipients have none: nobody asked for anything. */
void get_RECIPIENT_DSN_NOTIFY(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    static const char *const words[] = {"never", "success", "failure", "delay"}; /* by bit: mail/envelope.h */
    const struct envelope *env = j->in->envelope;
    uint8_t bits = ask->recipient < env->notify_count ? env->notify[ask->recipient] : 0;
    struct view *v = values_room(j, out, (uint32_t)__builtin_popcount(bits & 15));
    for (size_t i = 0; i < 4; i++)
        if (bits >> i & 1) *v++ = (struct view){.text = str_of(words[i])};
}
void get_DIRECTION(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    bool from = sender_is_inside(j), to = domain_is_inside(j, j->members.v[ask->recipient].canonical.domain);
    put_word(j, out, from ? (to ? "internal" : "outbound") : (to ? "inbound" : "relay"));
}
void get_MARKED(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    const struct mark *m = judgement_mark(j, ask->text, false);
    put_number(j, out, m && bit_has(j->audit ? m->shadow : m->bits, ask->recipient));
}

/* --- the header --------------------------------------------------------------------------------------------------- */

void put_views(struct judgement *j, struct element *e, const struct message_text *t)
{
    e->views = ARENA_ARRAY(j->arena, struct view, t->view_count);
    e->count = (uint32_t)t->view_count;
    for (size_t i = 0; i < t->view_count; i++)
        e->views[i] = (struct view){.text = t->views[i], .partial = t->unreadable != 0, .manners = t->manners[i]};
}

void put_unique(struct judgement *j, const struct field_ask *ask, struct str name, put_reader *read, struct values *out)
{
    const struct message_values *all = message_header_edited(j->in->message, ask->edits, name);
    size_t room = 0, n = 0;
    bool shown = false;
    put_limits(j, out, all->unreadable);
    bool absent = all->n && all->doubtful == all->n; /* to the best reader there is none */
    for (size_t i = 0; i < all->n; i++) room += all->v[i].text.view_count;
    struct view *v = ARENA_ARRAY(j->arena, struct view, room + absent);
    if (absent) v[n++].absent = true;
    for (size_t i = 0; i < all->n; i++) {
        const struct message_text *t = &all->v[i].text;
        for (size_t w = 0; w < t->view_count; w++) {
            v[n] = (struct view){.text = t->views[w], .partial = t->unreadable != 0, .manners = t->manners[w]};
            if (i > 0 || absent) v[n].manners |= MANNER_BIT_OTHER_INSTANCE;
            v[n].absent = !v[n].partial && (read ? !read(t->views[w], &v[n]) : t->views[w].n == 0);
            shown |= !v[n++].absent;
        }
    }
    if (!shown) return; /* none, or nothing in any */
    out->v = ARENA_NEW(j->arena, struct element);
    out->v[0] = (struct element){.views = v, .count = (uint32_t)n};
    out->n = 1;
}

void get_SUBJECT(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    put_unique(j, ask, STR("Subject"), NULL, out);
}
void get_MESSAGE_ID(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    put_unique(j, ask, STR("Message-ID"), NULL, out);
}

void put_instances(struct judgement *j, struct values *out, const struct message_values *all, put_instance *put)
{
    size_t certain = all->n - all->doubtful;
    if (all->n == 0) return;
    out->lists = all->doubtful ? 2 : 1;
    out->n = (uint32_t)(all->n + (all->doubtful ? certain : 0));
    out->v = ARENA_ARRAY(j->arena, struct element, out->n);
    for (size_t i = 0; i < out->n; i++) {
        bool again = all->doubtful && i >= certain;
        put(j, &all->v[again ? i - certain : i], &out->v[i]);
        out->v[i].list = again;
        for (uint32_t k = 0; again && k < out->v[i].count; k++) out->v[i].views[k].manners |= MANNER_BIT_OTHER_INSTANCE;
    }
}

static void put_decoded(struct judgement *j, const struct message_value *value, struct element *e)
{
    put_views(j, e, &value->text);
}
void get_HEADER(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    const struct message_values *all = message_header_edited(j->in->message, ask->edits, ask->text);
    put_limits(j, out, all->unreadable);
    put_instances(j, out, all, put_decoded);
}

static void put_address(struct judgement *j, struct element *e, const struct message_address *a)
{
    struct canonical_address canonical;
    canonical_address_of(j->arena, a->address, &canonical);
    e->views = ARENA_ARRAY(j->arena, struct view, a->name.view_count);
    e->count = (uint32_t)a->name.view_count;
    for (size_t i = 0; i < a->name.view_count; i++) {
        struct str name = a->name.views[i];
        struct str text =
            name.n ? arena_printf(j->arena, "%.*s <%.*s>", STR_ARG(name), STR_ARG(a->address)) : a->address;
        e->views[i] =
            (struct view){.text = text, .name = name, .address = canonical, .partial = a->name.unreadable != 0,
                          .manners = a->name.manners[i] | (a->list ? MANNER_BIT_OTHER_INSTANCE : 0)};
    }
}

static void put_addresses(struct judgement *j, const struct field_ask *ask, struct str name, struct values *out)
{
    const struct message_addresses *all = message_addresses_edited(j->in->message, ask->edits, name);
    put_limits(j, out, all->unreadable);
    if (all->n == 0) return;
    out->lists = all->lists;
    out->n = (uint32_t)all->n;
    out->v = ARENA_ARRAY(j->arena, struct element, all->n);
    for (size_t i = 0; i < all->n; i++) {
        put_address(j, &out->v[i], &all->v[i]);
        out->v[i].list = all->v[i].list;
    }
}

void get_FROM(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    put_addresses(j, ask, STR("From"), out);
}
void get_TO(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    put_addresses(j, ask, STR("To"), out);
}
void get_CC(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    put_addresses(j, ask, STR("Cc"), out);
}
void get_REPLY_TO(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    put_addresses(j, ask, STR("Reply-To"), out);
}

/* --- the content -------------------------------------------------------------------------------------------------- */

void put_content_text(struct judgement *j, const struct message_text *t, struct values *out)
{
    if (t->unreadable) out->why = why_unreadable(j, t->unreadable);
    size_t shown = 0;
    for (size_t i = 0; i < t->view_count; i++) shown += t->views[i].n;
    if (shown == 0) {
        if (t->unreadable) out->trouble = ANSWER_UNREADABLE;
        return;
    }
    out->n = 1;
    out->v = ARENA_NEW(j->arena, struct element);
    put_views(j, &out->v[0], t);
}

void get_BODY(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    (void)ask;
    put_content_text(j, &message_body(j->in->message)->text, out);
}
void get_SIZE(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    (void)ask;
    put_number(j, out, (int64_t)message_content(j->in->message).n);
}

/* --- the clock: UTC and the relay's zone are in the request ------------------------------------------------------- */

static int64_t local_now(const struct judgement *j) { return j->in->now + j->in->utc_offset; }

void get_TIME(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    (void)ask;
    put_number(j, out, (local_now(j) % 86400 + 86400) % 86400 / 60);
}
void get_DATE(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    (void)ask;
    put_number(j, out, j->in->now);
}
void get_WEEKDAY(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    (void)ask;
    static const char *const days[] = {"thursday", "friday", "saturday", "sunday", "monday", "tuesday", "wednesday"};
    int64_t day = local_now(j) / 86400 - (local_now(j) % 86400 < 0); /* 1970-01-01 was a Thursday */
    put_word(j, out, days[(day % 7 + 7) % 7]);
}

/* --- templates ---------------------------------------------------------------------------------------------------- */

struct str template_fill(struct judgement *j, const struct rule *rule, struct str name, const struct edits *edits)
{
    if (str_eq(name, STR("rule"))) return rule->named ? rule->identity : STR("a nameless rule");
    if (str_eq(name, STR("sender"))) return j->in->envelope->reverse_path.n ? j->in->envelope->reverse_path : STR("<>");
    if (str_eq(name, STR("subject"))) return message_text_best(message_subject_edited(j->in->message, edits, NULL));
    return STR_NONE;
}
