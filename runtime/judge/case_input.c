#include "judge/case_input.h"

#include "base/ip.h"
#include "mail/header_emit.h"
#include "message/message.h"
#include "stdlib/words.h"
#include "vm/judgement.h"

static struct str name_of(const struct program *p, const struct given *g)
{
    return str_of(stdlib_rows.fields[p->field_refs[g->index].field].name);
}

static const struct constant *first_value(const struct program *p, const struct given *g)
{
    return g->kind == GIVEN_VALUES ? &p->constants[p->lists[g->list].first] : NULL;
}

static struct str first_text(const struct program *p, const struct given *g)
{
    const struct constant *c = first_value(p, g);
    return c ? c->text : STR("");
}

/* --- the envelope ------------------------------------------------------------------------------------------------- */

static void set_recipients(struct case_input *in, const struct program *p, const struct given *g)
{
    struct envelope *env = &in->request.envelope;
    const struct program_list *l = &p->lists[g->list];
    env->recipients = ARENA_ARRAY(in->arena, struct str, l->count);
    for (uint32_t i = 0; i < l->count; i++) {
        struct str address = p->constants[l->first + i].text;
        bool again = false;
        for (size_t k = 0; k < env->recipient_count; k++) again |= str_eq(env->recipients[k], address);
        if (!again) env->recipients[env->recipient_count++] = address;
    }
}

static void set_ip(struct case_input *in, const struct constant *c)
{
    char text[IP_TEXT_MAX];
    if (c) in->request.envelope.client.ip = arena_str(in->arena, (struct str){text, ip_print(c->low, text)});
}

/* True when the fact is one of the envelope: the getters then read it there. */
static bool take_envelope(struct case_input *in, const struct program *p, const struct given *g)
{
    struct envelope *env = &in->request.envelope;
    struct client_facts *client = &env->client;
    struct str name = name_of(p, g);
    bool yes = g->kind == GIVEN_YES;
    if (str_eq(name, STR("sender"))) env->reverse_path = first_text(p, g);
    else if (str_eq(name, STR("recipient"))) set_recipients(in, p, g);
    else if (str_eq(name, STR("client.ip"))) set_ip(in, first_value(p, g));
    else if (str_eq(name, STR("client.helo"))) client->helo = first_text(p, g);
    else if (str_eq(name, STR("client.user"))) client->user = first_text(p, g);
    else if (str_eq(name, STR("client.tls_version"))) client->tls_version = first_text(p, g);
    else if (str_eq(name, STR("listener"))) client->listener = first_text(p, g);
    else if (str_eq(name, STR("requiretls"))) env->requiretls = yes;
    else if (str_eq(name, STR("authenticated"))) in->authenticated = yes;
    else if (str_eq(name, STR("encrypted"))) in->encrypted = yes;
    else return false;
    return true;
}

/* What one fact says of another; and without a recipient nothing could be expected. */
static void complete_envelope(struct case_input *in, const struct settings *s)
{
    static struct str somebody[] = {{"recipient@test.invalid", 22}};
    struct envelope *env = &in->request.envelope;
    if (in->authenticated && !env->client.user.n) env->client.user = STR("test");
    if (in->encrypted && !env->client.tls_version.n) env->client.tls_version = STR("TLSv1.3");
    for (size_t i = 0; s && i < s->listener_count; i++) {
        const struct listener_settings *l = &s->listeners[i];
        if (env->client.listener.n && !str_eq(env->client.listener, l->name)) continue;
        env->client.trusted |= env->client.ip.n && ranges_contain(&l->relay_for, env->client.ip);
    }
    if (env->recipient_count) return;
    env->recipients = somebody;
    env->recipient_count = 1;
}

/* --- the message -------------------------------------------------------------------------------------------------- */

static struct str header_of(const struct program *p, const struct given *g, unsigned *flags)
{
    static const struct {
        const char *field, *header;
        unsigned flags;
    } rows[] = {{"subject", "Subject", 0},
                {"from", "From", HEADER_STRUCTURED | HEADER_UTF8},
                {"to", "To", HEADER_STRUCTURED | HEADER_UTF8},
                {"cc", "Cc", HEADER_STRUCTURED | HEADER_UTF8},
                {"reply_to", "Reply-To", HEADER_STRUCTURED | HEADER_UTF8},
                {"message_id", "Message-ID", HEADER_STRUCTURED | HEADER_UTF8}};
    struct str name = name_of(p, g);
    *flags = 0;
    if (str_eq(name, STR("header"))) return p->field_refs[g->index].text;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!str_eq(name, str_of(rows[i].field))) continue;
        *flags = rows[i].flags;
        return str_of(rows[i].header);
    }
    return STR_NONE;
}

static void emit(struct buf *out, struct str name, struct str value, unsigned flags)
{
    if (!header_emit(out, name, value, flags)) header_emit(out, name, value, 0);
}

/* Several addresses stand in one field, several values of any other in one field each. */
static void emit_values(struct case_input *in, const struct program *p, const struct given *g, struct str name,
                        unsigned flags, struct buf *out)
{
    const struct program_list *l = &p->lists[g->list];
    struct buf all = {0};
    (void)in;
    for (uint32_t i = 0; i < l->count; i++) {
        struct str value = p->constants[l->first + i].text;
        if (flags) buf_printf(&all, "%s%.*s", i ? ", " : "", STR_ARG(value));
        else emit(out, name, value, flags);
    }
    if (flags) emit(out, name, buf_str(&all), flags);
    buf_free(&all);
}

/* The header facts, then what the message has besides them. */
static struct str make_content(struct case_input *in, const struct program *p, const struct program_case *c)
{
    struct str base = c->mail == NO_INDEX ? STR("\r\n") : p->mails[c->mail].content;
    struct message *m = message_open(in->arena, base, NULL);
    const struct message_header *h = message_header_section(m);
    struct buf out = {0};
    bool *gone = ARENA_ARRAY(in->arena, bool, h->field_count);
    for (uint32_t i = 0; i < c->given_count; i++) {
        const struct given *g = &p->givens[c->first_given + i];
        unsigned flags;
        struct str name = g->kind == GIVEN_ELEMENTS ? STR_NONE : header_of(p, g, &flags);
        if (!name.n) continue;
        for (size_t k = 0; k < h->field_count; k++) gone[k] |= str_eq_nocase(h->fields[k].name, name);
        if (g->kind == GIVEN_VALUES) emit_values(in, p, g, name, flags, &out);
    }
    size_t at = 0;
    for (size_t k = 0; k < h->field_count; k++) {
        if (!gone[k]) continue;
        buf_add(&out, str_slice(base, at, h->fields[k].from));
        at = h->fields[k].to;
    }
    buf_add(&out, str_from(base, at));
    struct str content = arena_str(in->arena, buf_str(&out));
    buf_free(&out);
    return content;
}

/* --- everything else ---------------------------------------------------------------------------------------------- */

static struct view view_of(struct case_input *in, enum value_type type, const struct constant *c)
{
    struct view v = {.text = c->text, .number = c->number};
    switch (type) {
    case TYPE_ADDRESS: canonical_address_of(in->arena, c->text, &v.address); break;
    case TYPE_DOMAIN:
        canonical_address_of(in->arena, arena_printf(in->arena, "x@%.*s", STR_ARG(c->text)), &v.address);
        break;
    case TYPE_NETWORK:
        for (size_t i = 0; i < IP_SIZE; i++) v.ip[i] = c->low[i];
        break;
    default: break;
    }
    return v;
}

static void add_value(struct case_input *in, uint32_t field, struct str text, const struct view *views, uint32_t n)
{
    struct vm_given_value *v = &in->values[in->given.n++];
    *v = (struct vm_given_value){.field = field, .text = text};
    v->values.n = n;
    v->values.v = ARENA_ARRAY(in->arena, struct element, n);
    struct view *copies = ARENA_ARRAY(in->arena, struct view, n);
    for (uint32_t i = 0; i < n; i++) {
        copies[i] = views[i];
        v->values.v[i] = (struct element){.views = &copies[i], .count = 1};
    }
}

static void take_other(struct case_input *in, const struct program *p, const struct given *g)
{
    const struct field_ref *ref = &p->field_refs[g->index];
    const struct field_row *row = &stdlib_rows.fields[ref->field];
    if (g->kind == GIVEN_UNSAID) {
        add_value(in, ref->field, ref->text, NULL, 0);
        in->values[in->given.n - 1].values.trouble = ANSWER_UNAVAILABLE;
        in->values[in->given.n - 1].values.why = STR("the test does not say when it is");
        return;
    }
    if (g->kind != GIVEN_VALUES) {
        bool said = row->type == TYPE_YESNO && !row->many; /* always answers: yes or no */
        if (g->kind == GIVEN_ABSENT && row->text == FIELD_TEXT_MARK) return; /* no rule has set it yet */
        add_value(in, ref->field, ref->text, &(struct view){.number = g->kind == GIVEN_YES},
                  g->kind == GIVEN_YES || said);
        return;
    }
    const struct program_list *l = &p->lists[g->list];
    struct view *views = ARENA_ARRAY(in->arena, struct view, l->count);
    for (uint32_t i = 0; i < l->count; i++) views[i] = view_of(in, row->type, &p->constants[l->first + i]);
    add_value(in, ref->field, ref->text, views, l->count);
}

/* `given attachment.extension "exe"`: then there is an attachment.  As many as the part with the most values. */
static void complete_elements(struct case_input *in)
{
    size_t given = in->given.n;
    for (uint32_t f = 0; f < stdlib_rows.field_count; f++) {
        const struct field_row *element = &stdlib_rows.fields[f];
        uint32_t n = 0;
        bool said = element->of != FACT_ELEMENT || element->type == TYPE_ADDRESS; /* those stand in the header */
        for (size_t i = 0; i < given && !said; i++) {
            const struct vm_given_value *v = &in->values[i];
            said = v->field == f;
            bool part = vocabulary_is_of_element(&stdlib_rows.fields[v->field], element);
            if (part && v->values.n > n) n = v->values.n;
        }
        if (!said && n) add_value(in, f, STR_NONE, ARENA_ARRAY(in->arena, struct view, n), n);
    }
}

/* Without a message its size is nobody's: what is not given is absent. */
static void forget_size(struct case_input *in)
{
    for (uint32_t f = 0; f < stdlib_rows.field_count; f++) {
        if (!str_eq(str_of(stdlib_rows.fields[f].name), STR("size"))) continue;
        for (size_t i = 0; i < in->given.n; i++)
            if (in->values[i].field == f) return;
        add_value(in, f, STR_NONE, NULL, 0);
    }
}

/* --- live lists --------------------------------------------------------------------------------------------------- */

static int by_bytes(const void *a, const void *b, void *ctx)
{
    (void)ctx;
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static struct str key_of(struct case_input *in, uint8_t type, const struct constant *c)
{
    struct buf key = {0};
    if (type == LIVE_NETWORK) {
        buf_add(&key, (struct str){(const char *)c->low, IP_SIZE});
        buf_add(&key, (struct str){(const char *)c->high, IP_SIZE});
    } else if (!live_key(type, c->text, &key, NULL)) {
        key.n = 0;
    }
    struct str out = arena_str(in->arena, buf_str(&key));
    buf_free(&key);
    return out;
}

static void open_list(struct case_input *in, const struct program *p, uint32_t list, const struct program_case *c,
                      struct live_list *out)
{
    static const uint8_t types[] = {[TYPE_TEXT] = LIVE_TEXT,
                                    [TYPE_ADDRESS] = LIVE_ADDRESS,
                                    [TYPE_DOMAIN] = LIVE_DOMAIN,
                                    [TYPE_NETWORK] = LIVE_NETWORK};
    uint8_t type = types[p->lists[list].type];
    struct str *keys = NULL;
    size_t n = 0, kept = 0;
    for (uint32_t i = 0; i < c->given_count; i++) {
        const struct given *g = &p->givens[c->first_given + i];
        if (g->kind != GIVEN_ELEMENTS || g->index != list) continue;
        const struct program_list *l = &p->lists[g->list];
        keys = ARENA_ARRAY(in->arena, struct str, l->count);
        for (uint32_t k = 0; k < l->count; k++) {
            keys[n] = key_of(in, type, &p->constants[l->first + k]);
            n += keys[n].n != 0;
        }
    }
    sort_array(keys, n, sizeof *keys, by_bytes, NULL);
    for (size_t i = 0; i < n; i++)
        if (!kept || !str_eq(keys[kept - 1], keys[i])) keys[kept++] = keys[i];
    struct buf block = {0};
    live_block(type, 0, keys, kept, &block);
    bool sound = live_open(arena_str(in->arena, buf_str(&block)), out, NULL);
    INVARIANT(sound);
    buf_free(&block);
}

static void open_lists(struct case_input *in, const struct program *p, const struct program_case *c)
{
    size_t n = 0;
    struct live_list *lists = ARENA_ARRAY(in->arena, struct live_list, LIVE_LISTS_MAX);
    in->lists = ARENA_ARRAY(in->arena, const struct live_list *, LIVE_LISTS_MAX);
    for (uint32_t i = 0; i < p->lists_count && n < LIVE_LISTS_MAX; i++) {
        if (!p->lists[i].table.n) continue;
        open_list(in, p, i, c, &lists[n]);
        in->lists[n] = &lists[n];
        n++;
    }
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static void choose_rules(struct case_input *in, const struct program *p, const struct program_case *c)
{
    bool *rules = ARENA_ARRAY(in->arena, bool, p->rules_count);
    for (uint32_t r = 0; r < p->rules_count; r++)
        for (uint32_t k = 0; k < c->scope_count; k++)
            rules[r] |= p->rules[r].origin.source == p->scopes[c->first_scope + k];
    in->given.rules = rules;
}

void case_input_make(const struct program *p, const struct settings *s, uint32_t index, struct arena *a,
                     struct case_input *in)
{
    const struct program_case *c = &p->cases[index];
    *in = (struct case_input){.arena = a};
    in->values = ARENA_ARRAY(a, struct vm_given_value, c->given_count * 2u + 1u);
    in->given =
        (struct vm_given){.v = in->values, .absent = c->mail == NO_INDEX, .enforce = c->enforce, .windows = c->windows};
    in->request.queue_id = STR("TEST");
    in->request.now = c->now;
    for (uint32_t i = 0; i < c->given_count; i++) {
        const struct given *g = &p->givens[c->first_given + i];
        unsigned flags;
        if (g->kind == GIVEN_ELEMENTS || take_envelope(in, p, g) || header_of(p, g, &flags).n) continue;
        take_other(in, p, g);
    }
    complete_elements(in);
    if (c->mail == NO_INDEX) forget_size(in);
    complete_envelope(in, s);
    choose_rules(in, p, c);
    open_lists(in, p, c);
    in->content = make_content(in, p, c);
    in->request.size = in->content.n;
}
