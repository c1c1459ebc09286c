#include "message/message.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "mail/address.h"
#include "message/charset.h"
#include "message/decode.h"
#include "message/header.h"
#include "message/state.h"

const struct message_limits message_limits_default = {.header_bytes = LIMIT_HEADER_SECTION,
                                                      .fields = LIMIT_HEADER_FIELDS,
                                                      .depth = LIMIT_MIME_DEPTH,
                                                      .parts = LIMIT_MIME_PARTS,
                                                      .text_bytes = 12 * 1024 * 1024,
                                                      .memory = 24 * 1024 * 1024};

size_t unreadable_print(uint32_t unreadable, char out[UNREADABLE_TEXT_MAX])
{
    static const struct {
        uint32_t bit;
        const char *text;
    } reasons[] = {{UNREADABLE_CHARSET, "unknown charset"},  {UNREADABLE_BYTES, "invalid bytes"},
                   {UNREADABLE_ENCODING, "broken encoding"}, {UNREADABLE_LIMIT, "over a limit"},
                   {UNREADABLE_ENCRYPTED, "encrypted"},      {UNREADABLE_UNSUPPORTED, "unsupported form"}};
    size_t n = 0;
    out[0] = 0;
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (unreadable & reasons[i].bit)
            n += (size_t)snprintf(out + n, UNREADABLE_TEXT_MAX - n, "%s%s", n ? ", " : "", reasons[i].text);
    return n;
}

/* --- the index of the header section ----------------------------------------------------------------------------- */

static uint32_t name_bucket(struct str name)
{
    if (name.n == 0) return 0;
    /* Four things names differ in; more would cost more than it saves. */
    uint32_t h = (uint32_t)name.n;
    h = h * 31 + (unsigned char)ascii_lower(name.p[0]);
    h = h * 31 + (unsigned char)ascii_lower(name.p[name.n / 2]);
    h = h * 31 + (unsigned char)ascii_lower(name.p[name.n - 1]);
    return (h ^ h >> 8) % HEADER_BUCKETS;
}

static void index_fields(struct message *m, const struct message_field *fields, size_t n)
{
    m->next = ARENA_ARRAY(m->arena, uint32_t, n + 1);
    m->values = ARENA_ARRAY(m->arena, struct message_values *, n + 1);
    m->addresses = ARENA_ARRAY(m->arena, struct message_addresses *, n + 1);
    for (size_t i = n; i-- > 0;) { /* backwards, so that each chain is in the order of the content */
        uint32_t *head = &m->bucket[name_bucket(fields[i].name)];
        m->next[i] = *head;
        *head = (uint32_t)i + 1;
    }
}

struct str message_lines(struct message *m)
{
    bool copy = !m->cr_as_lf.p && m->content.n <= m->limits.memory && header_has_bare_cr(m->content);
    if (copy) m->cr_as_lf = header_cr_as_lf(m->arena, m->content);
    return m->cr_as_lf.p ? m->cr_as_lf : m->content;
}

uint32_t message_has_bare_cr(struct message *m, struct viewer *r)
{
    if (m->content.n > m->limits.memory) return UNREADABLE_LIMIT;
    r->differs |= (uint64_t)1 << MANNER_NAME_LOOSE;
    return 0;
}

/* The fields that a reader sees who goes on where we end the header, or who takes other lines for fields. */
static void read_doubtful(struct message *m)
{
    const uint64_t lenient =
        (uint64_t)1 << MANNER_NAME_LOOSE | (uint64_t)1 << MANNER_JUNK_GOES_ON | (uint64_t)1 << MANNER_JUNK_FIRST;
    if (!(m->header_reading.differs & lenient)) return;
    struct viewer r = {.manners = lenient};
    struct header_scan scan;
    struct message_field *v = ARENA_ARRAY(m->arena, struct message_field, m->limits.fields);
    size_t known = 0;
    header_scan_begin(&scan, &r, message_lines(m), true);
    for (struct message_field f; header_scan_next(&scan, &f);) {
        if (m->doubtful_count == m->limits.fields || f.from >= m->limits.header_bytes) {
            m->header.unreadable |= UNREADABLE_LIMIT;
            break;
        }
        while (known < m->header.field_count && m->header.fields[known].from < f.from) known++;
        if (known == m->header.field_count || m->header.fields[known].from != f.from) v[m->doubtful_count++] = f;
    }
    m->doubtful = v;
}

static void read_header(struct message *m)
{
    struct message_header *h = &m->header;
    struct message_field *fields = ARENA_ARRAY(m->arena, struct message_field, 32);
    size_t n = 0, cap = 32;
    struct header_scan scan;
    header_scan_begin(&scan, &m->header_reading, m->content, true);
    h->from = h->end = scan.at;
    for (struct message_field field; header_scan_next(&scan, &field); h->end = field.to) {
        if (n == m->limits.fields || field.from >= m->limits.header_bytes) {
            h->unreadable = UNREADABLE_LIMIT;
            continue; /* go on, for where the body begins */
        }
        if (n == cap) {
            struct message_field *more = ARENA_ARRAY(m->arena, struct message_field, cap * 2);
            memcpy(more, fields, n * sizeof *more);
            fields = more;
            cap *= 2;
        }
        fields[n++] = field;
    }
    h->fields = fields;
    h->field_count = n;
    h->body = scan.body;
    bool bare_cr = header_has_bare_cr(str_slice(m->content, 0, h->body));
    h->malformed = scan.malformed || bare_cr; /* RFC 5322 section 2.2 */
    if (bare_cr) h->unreadable |= message_has_bare_cr(m, &m->header_reading);
    index_fields(m, fields, n);
    read_doubtful(m);
}

struct message *message_open(struct arena *a, struct str content, const struct message_limits *limits)
{
    struct message *m = ARENA_NEW(a, struct message);
    m->arena = arena_within(a);
    m->content = content.p ? content : STR("");
    m->limits = limits ? *limits : message_limits_default;
    if (m->limits.depth > MESSAGE_DEPTH_MAX) m->limits.depth = MESSAGE_DEPTH_MAX;
    if (m->limits.fields > UINT32_MAX - 1) m->limits.fields = UINT32_MAX - 1;
    m->params_left = PARAM_READINGS_MAX;
    m->types_left = TYPE_READINGS_MAX;
    read_header(m);
    return m;
}

size_t message_room(const struct message *m)
{
    size_t kept = arena_used(m->arena);
    return kept < m->limits.memory ? m->limits.memory - kept : 0;
}

struct str message_content(const struct message *m) { return m->content; }
struct arena *message_arena(const struct message *m) { return m->arena; }
const struct message_header *message_header_section(struct message *m) { return &m->header; }

size_t message_field_find(const struct message *m, struct str name, size_t from)
{
    uint32_t i = from ? m->next[from - 1] : m->bucket[name_bucket(name)];
    while (i && !str_eq_nocase(m->header.fields[i - 1].name, name)) i = m->next[i - 1];
    return i ? i - 1 : m->header.field_count;
}

/* --- values ------------------------------------------------------------------------------------------------------ */

struct message_text message_text_one(struct arena *a, struct str text, uint32_t unreadable)
{
    static const uint64_t best = 0;
    struct str *view = ARENA_NEW(a, struct str);
    *view = text;
    return (struct message_text){view, 1, unreadable, &best};
}

static uint32_t header_text(void *self, struct viewer *r, struct buf *out)
{
    return decode_header_value(r, *(struct str *)self, out);
}

/* A field body as far as it is read: the last one that begins within the limit may be as long as its sender likes, and
 * each of its octets may become three of text. */
static struct str value_within(const struct message *m, struct str raw, uint32_t *unreadable)
{
    size_t most = m->limits.text_bytes / 3;
    if (most < m->limits.header_bytes) most = m->limits.header_bytes;
    if (raw.n <= most) return raw;
    *unreadable |= UNREADABLE_LIMIT;
    return str_slice(raw, 0, utf8_cut(raw, most));
}

struct message_text message_text_of_header(struct message *m, struct str raw)
{
    uint32_t unreadable = 0;
    raw = value_within(m, raw, &unreadable);
    if (decode_header_is_plain(raw)) return message_text_one(m->arena, str_trim(raw), unreadable);
    struct message_text text = views_collect(m, raw.n, header_text, &raw);
    text.unreadable |= unreadable;
    return text;
}

struct message_text message_text_of_param(struct message *m, struct str raw)
{
    if (decode_header_is_plain(raw)) return message_text_one(m->arena, str_trim(raw), 0);
    return views_collect_within(m, raw.n, &m->params_left, header_text, &raw);
}

static const struct message_values no_values, no_values_read = {.unreadable = UNREADABLE_LIMIT};

const struct message_values *message_header(struct message *m, struct str name)
{
    const struct message_header *h = &m->header;
    size_t first = message_field_find(m, name, 0);
    if (first == h->field_count && !m->doubtful_count) return h->unreadable ? &no_values_read : &no_values;
    if (first < h->field_count && m->values[first]) return m->values[first];
    struct message_values *values = ARENA_NEW(m->arena, struct message_values);
    if (first < h->field_count) m->values[first] = values;
    size_t n = 0;
    for (size_t i = 0; i < m->doubtful_count; i++) values->doubtful += str_eq_nocase(m->doubtful[i].name, name);
    n = values->doubtful;
    for (size_t i = first; i < h->field_count; i = message_field_find(m, name, i + 1)) n++;
    struct message_value *v = ARENA_ARRAY(m->arena, struct message_value, n);
    values->v = v;
    values->n = n;
    values->unreadable = h->unreadable;
    for (size_t i = first; i < h->field_count; i = message_field_find(m, name, i + 1), v++) {
        v->raw = h->fields[i].raw;
        v->field = &h->fields[i];
        v->text = message_text_of_header(m, v->raw);
        values->unreadable |= v->text.unreadable;
    }
    for (size_t i = 0; i < m->doubtful_count; i++) {
        if (!str_eq_nocase(m->doubtful[i].name, name)) continue;
        v->raw = m->doubtful[i].raw;
        v->text = message_text_of_header(m, v->raw);
        values->unreadable |= v++->text.unreadable & UNREADABLE_LIMIT;
    }
    return values;
}

const struct message_text *message_subject(struct message *m, bool *present)
{
    const struct message_values *values = message_header(m, STR("Subject"));
    if (present) *present = values->n > 0;
    if (values->n) return &values->v[0].text;
    if (!m->subject) {
        m->subject = ARENA_NEW(m->arena, struct message_text);
        *m->subject = message_text_one(m->arena, STR(""), values->unreadable);
    }
    return m->subject;
}

struct str message_id(struct message *m)
{
    const struct message_values *values = message_header(m, STR("Message-ID"));
    if (values->n == 0) return STR_NONE;
    struct str id = message_text_best(&values->v[0].text);
    if (id.n >= 2 && id.p[0] == '<' && id.p[id.n - 1] == '>') id = str_slice(id, 1, id.n - 1);
    return str_trim(id);
}

/* --- addresses --------------------------------------------------------------------------------------------------- */

struct str message_mailbox_phrase(struct arena *a, const struct header_mailbox *mailbox)
{
    return address_phrase_text(a, mailbox->phrase.n ? mailbox->phrase : mailbox->comment);
}

struct message_addresses message_addresses_of(struct message *m, const struct message_values *values)
{
    struct arena *a = m->arena;
    struct message_addresses out = {.unreadable = values->unreadable};
    struct header_mailboxes *lists = ARENA_ARRAY(a, struct header_mailboxes, values->n);
    size_t n = 0;
    for (size_t i = 0; i < values->n; i++) {
        lists[i] = address_list_parse(a, value_within(m, values->v[i].raw, &out.unreadable));
        n += lists[i].n;
        out.malformed |= lists[i].malformed;
        if (lists[i].truncated) out.unreadable |= UNREADABLE_LIMIT;
    }
    struct message_address *v = ARENA_ARRAY(a, struct message_address, n);
    out.v = v;
    out.n = n;
    uint32_t absent = values->n && values->doubtful == values->n; /* to the best reader there is none */
    out.lists = (uint32_t)values->n + absent;
    for (size_t i = 0; i < values->n; i++)
        for (size_t k = 0; k < lists[i].n; k++, v++) {
            const struct header_mailbox *mailbox = &lists[i].v[k];
            struct message_text name = message_text_of_header(m, message_mailbox_phrase(a, mailbox));
            *v =
                (struct message_address){mailbox->address, mailbox->local, mailbox->domain, name, (uint32_t)i + absent};
            out.unreadable |= v->name.unreadable;
        }
    return out;
}

const struct message_addresses *message_addresses(struct message *m, struct str name)
{
    static const struct message_addresses none, none_read = {.unreadable = UNREADABLE_LIMIT};
    size_t first = message_field_find(m, name, 0);
    if (first == m->header.field_count) {
        const struct message_values *values = message_header(m, name);
        if (!values->n) return m->header.unreadable ? &none_read : &none;
        struct message_addresses *doubtful = ARENA_NEW(m->arena, struct message_addresses);
        *doubtful = message_addresses_of(m, values);
        return doubtful;
    }
    if (!m->addresses[first]) {
        m->addresses[first] = ARENA_NEW(m->arena, struct message_addresses);
        *m->addresses[first] = message_addresses_of(m, message_header(m, name));
    }
    return m->addresses[first];
}
