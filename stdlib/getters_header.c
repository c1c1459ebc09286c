/* What the header says beyond text and addresses: measures, words, and what kind of message it is. */
#include "mail/datetime.h"
#include "message/charset.h"
#include "stdlib/put.h"
#include "stdlib/vocabulary.h"

/* --- single fields ------------------------------------------------------------------------------------------------ */

static bool read_date(struct str text, struct view *out)
{
    int32_t offset;
    return datetime_parse_rfc5322(text, &out->number, &offset);
}
void get_DATE_SENT(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    put_unique(j, ask, STR("Date"), read_date, out);
}

static bool read_scl(struct str text, struct view *out)
{
    return str_to_i64(text, &out->number) && out->number >= -1 && out->number <= 9;
}
void get_SCL(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    put_unique(j, ask, STR("X-MS-Exchange-Organization-SCL"), read_scl, out);
}

void get_CLASSIFICATION(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    put_unique(j, ask, STR("X-Microsoft-Classification"), NULL, out);
}
void get_SENDER_OVERRIDE(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    put_unique(j, ask, STR("X-MS-Exchange-Organization-Dlp-SenderOverrideJustification"), NULL, out);
}

void get_HOP_COUNT(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    (void)ask;
    const struct message_values *all = message_header(j->in->message, STR("Received"));
    put_limits(j, out, all->unreadable);
    put_number(j, out, (int64_t)all->n);
}

/* Octets that are no UTF-8 are shown as readers show unlabelled text. */
static struct str readable(struct judgement *j, struct str raw)
{
    if (charset_is_plain(STR(""), raw)) return raw;
    struct buf b = {0};
    charset_decode(BEST_VIEWER, STR(""), raw, &b);
    struct str s = arena_str(j->arena, buf_str(&b));
    buf_free(&b);
    return s;
}

static void put_raw(struct judgement *j, const struct message_value *value, struct element *e)
{
    e->views = ARENA_NEW(j->arena, struct view);
    e->views[0] = (struct view){.text = readable(j, value->raw)};
    e->count = 1;
}
void get_HEADER_RAW(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    const struct message_values *all = message_header_edited(j->in->message, ask->edits, ask->text);
    put_limits(j, out, all->unreadable & UNREADABLE_LIMIT);
    put_instances(j, out, all, put_raw);
}

/* --- importance --------------------------------------------------------------------------------------------------- */

/* Which of the fields a reader looks at differs, so what each says is a view. */
static const struct {
    const char *field, *value, *means;
} importance_words[] = {
    {"Importance", "high", "high"},
    {"Importance", "normal", "normal"},
    {"Importance", "low", "low"},
    {"X-Priority", "1", "high"},
    {"X-Priority", "2", "high"},
    {"X-Priority", "3", "normal"},
    {"X-Priority", "4", "low"},
    {"X-Priority", "5", "low"},
    {"X-MSMail-Priority", "high", "high"},
    {"X-MSMail-Priority", "normal", "normal"},
    {"X-MSMail-Priority", "low", "low"},
    {"Priority", "urgent", "high"},
    {"Priority", "normal", "normal"},
    {"Priority", "non-urgent", "low"},
};
enum { IMPORTANCE_WORDS = sizeof importance_words / sizeof *importance_words };

/* The first word: "1 (Highest)", "auto-replied; owner=x". */
static struct str first_word(struct str s)
{
    size_t n = 0;
    while (n < s.n && !ascii_is_blank(s.p[n]) && s.p[n] != ';' && s.p[n] != '(') n++;
    return str_slice(s, 0, n);
}

void get_IMPORTANCE(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    static const char *const fields[] = {"Importance", "X-Priority", "X-MSMail-Priority", "Priority"};
    struct view *v = NULL;
    size_t n = 0;
    bool certain = false;
    for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
        const struct message_values *all = message_header_edited(j->in->message, ask->edits, str_of(fields[f]));
        put_limits(j, out, all->unreadable & UNREADABLE_LIMIT);
        struct view *more = ARENA_ARRAY(j->arena, struct view, n + all->n + 1);
        for (size_t i = 0; i < n; i++) more[i] = v[i];
        v = more;
        for (size_t i = 0; i < all->n; i++) {
            struct str word = first_word(message_text_best(&all->v[i].text));
            for (size_t k = 0; k < IMPORTANCE_WORDS; k++) {
                if (!str_eq(str_of(importance_words[k].field), str_of(fields[f])) ||
                    !str_eq_nocase(str_of(importance_words[k].value), word))
                    continue;
                v[n++] = (struct view){.text = str_of(importance_words[k].means)};
                certain |= i < all->n - all->doubtful;
                break;
            }
        }
    }
    if (n == 0) {
        put_word(j, out, "normal");
        return;
    }
    if (!certain) v[n++] = (struct view){.text = STR("normal")}; /* only some readers see the others */
    out->v = ARENA_NEW(j->arena, struct element);
    out->v[0] = (struct element){.views = v, .count = (uint32_t)n};
    out->n = 1;
}

/* --- kinds of messages -------------------------------------------------------------------------------------------- */

/* One search for signs; what was beyond a limit may have held one. */
struct signs {
    struct judgement *j;
    const struct edits *edits;
    bool found, doubted; /* doubted: in what only some readers take for a field */
    uint32_t unreadable;
};

static struct signs look(struct judgement *j, const struct field_ask *ask)
{
    return (struct signs){.j = j, .edits = ask->edits};
}

/* A field of that name whose first word is one of these (space-separated); NULL: any. */
static void look_header(struct signs *s, const char *name, const char *words)
{
    if (s->found) return;
    const struct message_values *all = message_header_edited(s->j->in->message, s->edits, str_of(name));
    s->unreadable |= all->unreadable & UNREADABLE_LIMIT;
    for (size_t i = 0; i < all->n && !s->found; i++) {
        struct str rest = words ? str_of(words) : STR(""), word;
        bool is = !words;
        while (rest.n && !is) {
            str_cut(rest, ' ', &word, &rest);
            is = str_eq_nocase(word, first_word(message_text_best(&all->v[i].text)));
        }
        if (i < all->n - all->doubtful)
            s->found |= is;
        else
            s->doubted |= is;
    }
}

/* A part of that type; with a parameter of that value, when one is named. */
static void look_part(struct signs *s, const char *type, const char *subtype, const char *param, const char *value)
{
    if (s->found) return;
    const struct mime_tree *t = message_mime(s->j->in->message);
    s->unreadable |= t->unreadable & UNREADABLE_LIMIT;
    for (size_t i = 0; i < t->part_count && !s->found; i++) {
        const struct mime_part *p = &t->parts[i];
        if (!str_eq(p->type, str_of(type)) || !str_eq(p->subtype, str_of(subtype))) continue;
        const struct mime_param *found = param ? mime_part_param(p, str_of(param)) : NULL;
        s->found = !param || (found && str_eq_nocase(message_text_best(&found->value), str_of(value)));
    }
}

static void put_signs(const struct signs *s, struct values *out)
{
    if (!s->found) put_limits(s->j, out, s->unreadable);
    put_number(s->j, out, s->found);
    if (out->trouble != ANSWER_NO) out->n = 0; /* not seen is not absent */
    if (s->found || !s->doubted || out->n == 0) return;
    struct view *v = out->v[0].views = ARENA_ARRAY(s->j->arena, struct view, 2);
    v[1] = (struct view){.number = 1, .manners = MANNER_BIT_OTHER_INSTANCE};
    out->v[0].count = 2;
}

void get_IS_AUTO_REPLY(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    struct signs s = look(j, ask);
    look_header(&s, "Auto-Submitted", "auto-replied");
    look_header(&s, "X-Autoreply", NULL);
    look_header(&s, "X-Autorespond", NULL);
    look_header(&s, "Precedence", "auto_reply");
    put_signs(&s, out);
}
void get_IS_AUTO_FORWARD(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    struct signs s = look(j, ask);
    look_header(&s, "Autoforwarded", "true");
    look_header(&s, "X-MS-Exchange-Organization-AutoForwarded", "true");
    look_header(&s, "X-MS-Exchange-Inbox-Rules-Loop", NULL);
    look_header(&s, "X-Forwarded-To", NULL);
    put_signs(&s, out);
}
void get_IS_BULK(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    struct signs s = look(j, ask);
    look_header(&s, "Precedence", "bulk list junk");
    look_header(&s, "List-Id", NULL);
    look_header(&s, "List-Unsubscribe", NULL);
    look_header(&s, "List-Post", NULL);
    put_signs(&s, out);
}
/* Mail that machines made: reports, answers, notices of this relay and of others.  What could not be read counts. */
bool is_made_by_machines(struct judgement *j)
{
    if (j->in->envelope->reverse_path.n == 0) return true;
    const struct message_values *all = message_header(j->in->message, STR("Auto-Submitted"));
    for (size_t i = 0; i < all->n; i++)
        if (!str_eq_nocase(first_word(message_text_best(&all->v[i].text)), STR("no"))) return true;
    return all->unreadable & UNREADABLE_LIMIT;
}

bool forbids_answers(struct judgement *j)
{
    static const struct field_ask as_received = {STR_NONE, 0, NULL};
    struct signs s = look(j, &as_received);
    look_header(&s, "Precedence", "bulk list junk auto_reply");
    look_header(&s, "X-Autoreply", NULL);
    look_header(&s, "X-Autorespond", NULL);
    const struct message_header *h = message_header_section(j->in->message);
    for (size_t i = 0; i < h->field_count && !s.found; i++)
        s.found = str_starts_nocase(h->fields[i].name, STR("List-"));
    return s.found || s.doubted || s.unreadable || (h->unreadable & UNREADABLE_LIMIT) || is_made_by_machines(j);
}

void get_IS_READ_RECEIPT(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    struct signs s = look(j, ask);
    look_part(&s, "multipart", "report", "report-type", "disposition-notification");
    look_part(&s, "message", "disposition-notification", NULL, NULL);
    put_signs(&s, out);
}
void get_IS_CALENDAR(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    struct signs s = look(j, ask);
    look_header(&s, "Content-Class", "urn:content-classes:calendarmessage");
    look_part(&s, "text", "calendar", NULL, NULL);
    put_signs(&s, out);
}
void get_IS_VOICEMAIL(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    struct signs s = look(j, ask);
    look_header(&s, "Content-Class", "voice urn:content-classes:voice");
    look_header(&s, "Message-Context", "voice-message");
    look_part(&s, "multipart", "voice-message", NULL, NULL);
    put_signs(&s, out);
}
void get_IS_APPROVAL_REQUEST(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    struct signs s = look(j, ask);
    look_header(&s, "X-MS-Exchange-Organization-Approval-Initiator", NULL);
    put_signs(&s, out);
}
void get_IS_RIGHTS_PROTECTED(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    struct signs s = look(j, ask);
    look_header(&s, "Content-Class", "rpmsg.message");
    look_part(&s, "application", "x-microsoft-rpmsg-message", NULL, NULL);
    put_signs(&s, out);
}

void get_CHARSET(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    (void)ask;
    const struct mime_tree *t = message_mime(j->in->message);
    put_limits(j, out, t->unreadable & UNREADABLE_LIMIT);
    uint32_t n = 0;
    for (int pass = 0; pass < 2; pass++) {
        struct view *v = pass ? values_room(j, out, n) : NULL;
        for (size_t i = 0; i < t->part_count; i++) {
            const struct mime_param *p =
                str_eq(t->parts[i].type, STR("text")) ? mime_part_param(&t->parts[i], STR("charset")) : NULL;
            if (p && pass) *v++ = (struct view){.text = message_text_best(&p->value)};
            n += p && !pass;
        }
    }
}
