/* Rule sets and messages in, what the real compiler and machine make of them out, for evaluator_test.py: nothing of
 * ours but text reaches the second evaluator.
 *
 * Reads commands from standard input, each answered by one line of JSON:
 *     TABLES\n                  the rows of the vocabulary
 *     RULES n\n<n bytes>        compiles and loads: {"trees": […], "rules": [identities in the order they run]} |
 * {"error"} MESSAGE n\n<n bytes>      followed by lines FROM a, TO a (each), IP, HELO, USER, TLS, LISTENER, TRUSTED,
 * NOW seconds, OFFSET seconds, HEADER name (each; whose instances are told), LIVE name (a live list that is there) and
 * after it ENTRY text (each), NOTIFY bits (of the recipient before), DISCLAIMER text TAB html (each; whether the
 * message takes it is told), JUDGE:
 *                               {"facts", "headers", "raw", "takes", "wraps", "verdict", "rules", "actions"} |
 * {"error"}
 *
 * Facts are what the getters of stdlib say of the message as received.  One thing is not stdlib's: `client.helo` of a
 * client that calls itself "unavailable.example" cannot be known here, so that conditions can be unavailable. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip.h"
#include "base/json.h"
#include "base/sort.h"
#include "builder/build.h"
#include "bytecode/verify.h"
#include "compiler/compiler.h"
#include "grammar/tree.h"
#include "judge/judge.h"
#include "mail/live_list.h"
#include "message/charset.h"
#include "message/edits.h"
#include "message/message.h"
#include "stdlib/vocabulary.h"
#include "vm/judgement.h"

static struct vocabulary vocabulary;

/* --- input ------------------------------------------------------------------------------------------------------- */

static bool read_line(struct buf *line)
{
    line->n = 0;
    for (int c; (c = getchar()) != EOF && c != '\n';) buf_add_byte(line, (char)c);
    return line->n > 0;
}

static struct str read_bytes(struct arena *a, size_t n)
{
    char *p = arena_alloc(a, n + 1);
    return (struct str){p, fread(p, 1, n, stdin)};
}

static void answer(struct js **o)
{
    struct buf out = {0};
    js_print(*o, &out);
    buf_add_byte(&out, '\n');
    fwrite(out.p, 1, out.n, stdout);
    buf_free(&out);
    js_free(o);
}

static void answer_error(struct str text)
{
    struct js *o = js_object();
    js_put_str(o, "error", text);
    answer(&o);
}

/* --- rule sets --------------------------------------------------------------------------------------------------- */

struct rule_set {
    struct arena *arena;
    struct program *program;
    struct settings settings;
    struct judge *judge;
};

static void rule_set_close(struct rule_set *s)
{
    judge_free(&s->judge);
    program_free(&s->program);
    arena_free(&s->arena);
}

static void add_tree(void *context, const struct ast_file *file) { js_add(context, tree_json(file)); }

static void rule_set_open(struct rule_set *s, struct str text)
{
    struct sources sources = {{0}};
    struct diags d = {.arena = s->arena, .sources = &sources};
    struct compiler_memory_file file = {STR("oracle.sluice"), text};
    struct compiler_memory files = {&file, 1};
    struct js *o = js_object(), *trees = js_array();
    struct compile_input in = {
        .path = file.path, .read = compiler_read_memory, .context = &files, .tree = add_tree, .tree_context = trees};
    struct err e = {0};
    s->program = compiler_compile(&in, &d);
    if (!s->program) {
        struct buf b = {0};
        diags_print_text(&d, &b, false);
        js_put_str(o, "error", buf_str(&b));
        buf_free(&b);
    } else if (!program_verify_err(s->program, vocabulary.rows, &e) ||
               !settings_declared(s->arena, s->program, NULL, &s->settings, &e) ||
               !(s->judge = judge_create_with(s->program, &s->settings, &vocabulary, &e))) {
        js_put_cstr(o, "error", e.text);
    } else {
        struct js *rules = js_array();
        for (uint32_t i = 0; i < s->program->rules_count; i++) js_add_str(rules, s->program->rules[i].identity);
        js_put(o, "rules", rules);
    }
    js_put(o, "trees", trees);
    answer(&o);
    VEC_FREE(&d.list);
    VEC_FREE(&sources.list);
}

typedef VEC(struct str) names;

/* --- facts ------------------------------------------------------------------------------------------------------- */

static void get_helo(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    if (!str_eq(j->in->envelope->client.helo, STR("unavailable.example"))) {
        stdlib_vocabulary.getters[FIELD_CLIENT_HELO](j, ask, out);
        return;
    }
    out->trouble = ANSWER_UNAVAILABLE;
    out->why = STR("the driver says so");
}

static struct js *view_json(const struct field_row *row, const struct view *v)
{
    struct js *o = js_object();
    char ip[IP_TEXT_MAX];
    switch (row->type) {
    case TYPE_ADDRESS: js_put_str(o, "name", v->name); /* fall through */
    case TYPE_TEXT: case TYPE_WORD: js_put_str(o, "text", v->text); break;
    case TYPE_DOMAIN: js_put_str(o, "text", v->address.unicode_domain); break;
    case TYPE_NETWORK: js_put_str(o, "text", (struct str){ip, ip_print(v->ip, ip)}); break;
    default: js_put_num(o, "number", v->number);
    }
    if (v->partial) js_put_bool(o, "partial", true);
    if (v->absent) js_put_bool(o, "absent", true);
    return o;
}

static struct js *values_json(const struct field_row *row, const struct values *values)
{
    struct js *o = js_object(), *elements = js_array();
    for (uint32_t i = 0; i < values->n; i++) {
        struct js *element = js_object(), *views = js_array();
        for (uint32_t k = 0; k < values->v[i].count; k++) js_add(views, view_json(row, &values->v[i].views[k]));
        js_put_num(element, "list", values->v[i].list);
        js_put(element, "views", views);
        js_add(elements, element);
    }
    js_put(o, "elements", elements);
    js_put_num(o, "lists", values->lists ? values->lists : 1);
    if (values->trouble) js_put_cstr(o, "trouble", answer_names[values->trouble]);
    return o;
}

static struct js *facts_json(struct arena *a, const struct vm_input *in)
{
    struct js *o = js_object();
    struct judgement j = {.in = in, .arena = a};
    canonical_address_of(a, in->envelope->reverse_path, &j.sender);
    for (uint32_t f = 0; f < vocabulary.rows->field_count; f++) {
        const struct field_row *row = &vocabulary.rows->fields[f];
        if (row->of == FACT_RECIPIENT || row->text != FIELD_TEXT_NONE || row->needs) continue;
        if (f == FIELD_RECIPIENT_COUNT || f == FIELD_SENDER_SCOPE) continue; /* the evaluator's own to find */
        struct values values = {0};
        vocabulary.getters[f](&j, &(struct field_ask){STR_NONE, 0, NULL}, &values);
        js_put(o, row->name, values_json(row, &values));
    }
    return o;
}

static struct js *header_json(struct message *m, struct str name)
{
    struct js *list = js_array();
    const struct message_values *all = message_header(m, name);
    for (size_t i = 0; i < all->n; i++) {
        struct js *views = js_array();
        for (size_t k = 0; k < all->v[i].text.view_count; k++) {
            struct js *view = js_object();
            js_put_str(view, "text", all->v[i].text.views[k]);
            if (all->v[i].text.unreadable) js_put_bool(view, "partial", true);
            js_add(views, view);
        }
        js_add(list, views);
    }
    return list;
}

/* Whether each text can be put behind the body, and before it; of what the message can carry rules speak, and no
 * test. */
static struct js *takes_json(struct arena *a, struct message *m, const names *texts)
{
    struct js *list = js_array();
    for (size_t i = 0; i < texts->n; i++) {
        struct str text, html;
        struct js *one = js_array();
        str_cut(texts->v[i], '\t', &text, &html);
        js_add_num(one, message_takes_text(m, EDIT_APPEND_TEXT, arena_str(a, text), arena_str(a, html)));
        js_add_num(one, message_takes_text(m, EDIT_PREPEND_TEXT, arena_str(a, text), arena_str(a, html)));
        js_add(list, one);
    }
    return list;
}

static struct js *raw_json(const struct vm_input *in, struct arena *a, const names *headers)
{
    struct js *o = js_object();
    struct judgement j = {.in = in, .arena = a};
    for (size_t i = 0; i < headers->n; i++) {
        struct values values = {0};
        vocabulary.getters[FIELD_HEADER_RAW](&j, &(struct field_ask){headers->v[i], 0, NULL}, &values);
        js_put(o, arena_cstr(a, headers->v[i]), values_json(&vocabulary.rows->fields[FIELD_HEADER_RAW], &values));
    }
    return o;
}

/* --- verdicts ---------------------------------------------------------------------------------------------------- */

static void put_reply(struct js *o, const struct reply *r)
{
    struct js *reply = js_array();
    js_add_num(reply, r->code);
    js_add_num(reply, r->status.class * 1000000 + r->status.subject * 1000 + r->status.detail);
    js_add_str(reply, r->text);
    js_put(o, "reply", reply);
}

static struct js *copy_json(struct arena *a, const struct verdict_copy *c, struct str content, const names *headers)
{
    struct buf b = {0};
    for (size_t i = 0; i < c->pieces.n; i++) {
        const struct piece *p = &c->pieces.v[i];
        buf_add(&b, p->insert.p ? p->insert : str_slice(content, p->from, p->to));
    }
    struct message *m = message_open(a, arena_str(a, buf_str(&b)), NULL);
    struct js *o = js_object();
    for (size_t i = 0; i < headers->n; i++)
        js_put(o, arena_cstr(a, headers->v[i]), header_json(m, headers->v[i]));
    js_put_str(o, " body", message_text_best(&message_body(m)->text));
    const struct message_attachments *all = message_attachments(m);
    struct js *attachments = js_array();
    for (size_t i = 0; i < all->n; i++)
        if (all->v[i].list == 0) js_add_str(attachments, message_text_best(&all->v[i].name));
    js_put(o, " attachments", attachments);
    buf_free(&b);
    return o;
}

static struct js *verdict_json(struct arena *a, const struct verdict *v, struct str content, const names *headers)
{
    static const char *const answers[] = {"accept", "reject", "defer"};
    struct js *o = js_object(), *recipients = js_array(), *copies = js_array(), *hits = js_object(),
              *notes = js_array(), *notices = js_array();
    js_put_cstr(o, "answer", answers[v->answer]);
    if (v->answer != VERDICT_ACCEPT) put_reply(o, &v->reply), js_put_str(o, "rule", v->rule);
    for (size_t i = 0; i < v->recipient_count; i++) {
        const struct verdict_recipient *r = &v->recipients[i];
        struct js *x = js_object();
        js_put_str(x, "address", r->address);
        js_put_bool(x, "added", r->added);
        js_put_cstr(x, "disposition", disposition_names[r->disposition]);
        js_put_num(x, "peer", r->need.peer);
        js_put_bool(x, "onward", r->need.onward);
        js_put_num(x, "floor", r->need.floor);
        js_put_num(x, "copy", r->copy);
        js_put_num(x, "not_before", r->not_before);
        js_put_str(x, "connector", r->connector);
        js_put_str(x, "rule", r->rule);
        js_put_str(x, "tls_rule", r->tls_rule);
        js_put_str(x, "reason", r->reason);
        if (r->disposition == DISPOSITION_REJECT) put_reply(x, &r->reply);
        js_add(recipients, x);
    }
    for (size_t i = 0; i < v->copy_count; i++) js_add(copies, copy_json(a, &v->copies[i], content, headers));
    for (size_t i = 0; i < v->hit_count; i++) js_put_num(hits, arena_cstr(a, v->hits[i].rule), v->hits[i].what);
    for (size_t i = 0; i < v->note_count; i++) {
        struct js *x = js_array();
        js_add_str(x, v->notes[i].kind == NOTE_LOG ? STR("log") : STR("audit"));
        js_add_str(x, v->notes[i].rule);
        js_add_str(x, v->notes[i].recipient);
        js_add_str(x, v->notes[i].text);
        js_add(notes, x);
    }
    for (size_t i = 0; i < v->notice_count; i++) {
        const struct verdict_notice *n = &v->notices[i];
        struct js *x = js_array();
        js_add_str(x, n->rule);
        js_add_str(x, n->to);
        js_add_str(x, n->subject);
        js_add_str(x, n->text);
        js_add_num(x, n->attach);
        js_add_num(x, n->report);
        js_add(notices, x);
    }
    js_put(o, "notices", notices);
    js_put(o, "recipients", recipients);
    js_put(o, "copies", copies);
    js_put(o, "hits", hits);
    js_put(o, "notes", notes);
    return o;
}

static void put_trace(struct js *o, const struct program *p, const struct trace *t)
{
    struct js *rules = js_array(), *actions = js_array();
    for (size_t i = 0; i < t->rules.n; i++) {
        const struct trace_rule *r = &t->rules.v[i];
        struct js *x = js_array();
        js_add_num(x, r->rule);
        js_add_num(x, r->state);
        js_add_num(x, r->second);
        js_add_str(x, r->answers);
        js_add(rules, x);
    }
    for (size_t i = 0; i < t->actions.n; i++) {
        const struct trace_action *x = &t->actions.v[i];
        struct js *one = js_array();
        js_add_num(one, x->rule);
        js_add_str(one, str_of(vocabulary.rows->actions[p->actions[x->action].action].name));
        js_add_num(one, x->recipient);
        js_add_num(one, x->audit);
        js_add(actions, one);
    }
    js_put(o, "rules", rules);
    js_put(o, "actions", actions);
}

/* --- messages ---------------------------------------------------------------------------------------------------- */

struct live_case {
    struct str name;
    names entries;
};
struct message_case {
    struct str content;
    struct judge_request request;
    VEC(struct str) to;
    names headers, disclaimers;
    VEC(uint8_t) notify;
    VEC(struct live_case) live;
};

static int key_order(const void *a, const void *b, void *context)
{
    (void)context;
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Gives the judge one live list as the relay would: keys in order, each once. */
static void put_live(const struct rule_set *s, struct arena *a, const struct live_list_settings *l, struct live_case *c)
{
    struct buf block = {0}, key = {0};
    struct err e = {0};
    size_t n = 0;
    struct str *keys = ARENA_ARRAY(a, struct str, c->entries.n + 1);
    for (size_t i = 0; i < c->entries.n; i++, key.n = 0) {
        INVARIANT(live_key(l->type, c->entries.v[i], &key, &e));
        keys[i] = arena_str(a, buf_str(&key));
    }
    sort_array(keys, c->entries.n, sizeof *keys, key_order, NULL);
    for (size_t i = 0; i < c->entries.n; i++)
        if (i == 0 || !str_eq(keys[i], keys[n - 1])) keys[n++] = keys[i];
    live_block(l->type, 1, keys, n, &block);
    INVARIANT(judge_set_list(s->judge, l->name, arena_str(a, buf_str(&block)), &e));
    buf_free(&block);
    buf_free(&key);
}

static void set_live_lists(const struct rule_set *s, struct arena *a, const struct message_case *c)
{
    struct err e = {0};
    for (size_t i = 0; i < s->settings.live_list_count; i++) {
        const struct live_list_settings *l = &s->settings.live_lists[i];
        judge_set_list(s->judge, l->name, STR_NONE, &e);
        for (size_t k = 0; k < c->live.n; k++)
            if (str_eq(c->live.v[k].name, l->name)) put_live(s, a, l, &c->live.v[k]);
    }
}

static void take_line(struct arena *a, struct message_case *c, struct str line)
{
    struct str word, rest;
    str_cut(line, ' ', &word, &rest);
    rest = arena_str(a, rest);
    struct envelope *env = &c->request.envelope;
    if (str_eq(word, STR("FROM"))) env->reverse_path = rest;
    else if (str_eq(word, STR("TO"))) {
        VEC_PUSH(&c->to, rest);
        VEC_PUSH(&c->notify, 0);
    } else if (str_eq(word, STR("NOTIFY"))) c->notify.v[c->notify.n - 1] = (uint8_t)atoi(rest.p);
    else if (str_eq(word, STR("DISCLAIMER"))) VEC_PUSH(&c->disclaimers, rest);
    else if (str_eq(word, STR("IP"))) env->client.ip = rest;
    else if (str_eq(word, STR("HELO"))) env->client.helo = rest;
    else if (str_eq(word, STR("USER"))) env->client.user = rest;
    else if (str_eq(word, STR("TLS"))) env->client.tls_version = rest;
    else if (str_eq(word, STR("LISTENER"))) env->client.listener = rest;
    else if (str_eq(word, STR("TRUSTED"))) env->client.trusted = true;
    else if (str_eq(word, STR("NOW"))) str_to_i64(rest, &c->request.now);
    else if (str_eq(word, STR("OFFSET"))) c->request.utc_offset = atoi(rest.p);
    else if (str_eq(word, STR("HEADER"))) VEC_PUSH(&c->headers, rest);
    else if (str_eq(word, STR("LIVE"))) VEC_PUSH(&c->live, (struct live_case){.name = rest});
    else if (str_eq(word, STR("ENTRY"))) VEC_PUSH(&c->live.v[c->live.n - 1].entries, rest);
    else INVARIANT(!"a line of a message case is wrong");
}

/* The machine must decide the same without a trace, where it also has its index.  False after answering. */
static bool agrees_untraced(const struct rule_set *s, struct arena *a, const struct message_case *c, struct js *traced)
{
    struct judge_answer out;
    struct buf with = {0}, without = {0};
    judge_message(s->judge, a, &c->request, c->content, &out, NULL);
    if (out.kind != JUDGE_VERDICT) return answer_error(out.why), false;
    struct js *plain = verdict_json(a, &out.verdict, c->content, &c->headers);
    js_print(traced, &with);
    js_print(plain, &without);
    bool same = str_eq(buf_str(&with), buf_str(&without));
    if (!same)
        answer_error(arena_printf(a, "without a trace: %.*s, with one: %.*s", STR_ARG(buf_str(&without)),
                                  STR_ARG(buf_str(&with))));
    js_free(&plain);
    buf_free(&with);
    buf_free(&without);
    return same;
}

static void judge_case(const struct rule_set *s, struct arena *a, struct message_case *c)
{
    c->request.queue_id = STR("oracle");
    c->request.size = c->content.n;
    c->request.envelope.recipients = c->to.v;
    c->request.envelope.recipient_count = c->to.n;
    c->request.envelope.notify = c->notify.v;
    c->request.envelope.notify_count = c->notify.n;
    struct judge_answer out;
    struct trace t = {.arena = a};
    struct err e = {0};
    judge_message(s->judge, a, &c->request, c->content, &out, &t);
    if (out.kind != JUDGE_VERDICT) {
        answer_error(out.why);
    } else if (!verdict_is_sound(&out.verdict, &c->request.envelope, c->content, &e)) {
        answer_error(arena_printf(a, "the verdict is not sound: %s", e.text));
    } else {
        struct vm_input in = {.envelope = &c->request.envelope,
                              .message = message_open(a, c->content, NULL),
                              .now = c->request.now,
                              .utc_offset = c->request.utc_offset,
                              .settings = &s->settings};
        struct js *verdict = verdict_json(a, &out.verdict, c->content, &c->headers);
        if (!agrees_untraced(s, a, c, verdict)) {
            js_free(&verdict);
            trace_free(&t);
            return;
        }
        struct js *o = js_object(), *headers = js_object();
        for (size_t i = 0; i < c->headers.n; i++)
            js_put(headers, arena_cstr(a, c->headers.v[i]), header_json(in.message, c->headers.v[i]));
        js_put(o, "facts", facts_json(a, &in));
        js_put(o, "headers", headers);
        js_put(o, "raw", raw_json(&in, a, &c->headers));
        js_put(o, "takes", takes_json(a, in.message, &c->disclaimers));
        js_put_bool(o, "wraps", message_can_wrap(in.message));
        js_put(o, "verdict", verdict);
        put_trace(o, s->program, &t);
        answer(&o);
    }
    trace_free(&t);
}

static void run_message(const struct rule_set *s, struct arena *a, size_t n, struct buf *line)
{
    struct message_case c = {.content = read_bytes(a, n), .request = {.id = 1}};
    while (read_line(line) && !str_eq(buf_str(line), STR("JUDGE"))) take_line(a, &c, buf_str(line));
    if (s->judge) set_live_lists(s, a, &c), judge_case(s, a, &c);
    else answer_error(STR("no rule set"));
    for (size_t i = 0; i < c.live.n; i++) VEC_FREE(&c.live.v[i].entries);
    VEC_FREE(&c.live);
    VEC_FREE(&c.to);
    VEC_FREE(&c.headers);
    VEC_FREE(&c.disclaimers);
    VEC_FREE(&c.notify);
}

/* --- the vocabulary ---------------------------------------------------------------------------------------------- */

static void answer_tables(void)
{
    static const char *const types[] = {"text", "address", "domain", "number", "size", "duration",
                                        "date", "clock", "network", "word", "yesno", "name"};
    static const char *const facts[] = {"message", "recipient", "element"};
    static const char *const texts[] = {"", "header", "mark", "name"};
    static const char *const guards[] = {"neither", "protects", "relaxes"};
    struct js *o = js_object(), *fields = js_array(), *actions = js_array();
    for (uint32_t i = 0; i < vocabulary.rows->field_count; i++) {
        const struct field_row *f = &vocabulary.rows->fields[i];
        struct js *x = js_object();
        js_put_cstr(x, "name", f->name);
        js_put_cstr(x, "type", types[f->type]);
        js_put_cstr(x, "of", facts[f->of]);
        js_put_cstr(x, "text", texts[f->text]);
        js_put_bool(x, "many", f->many);
        js_put_bool(x, "editable", f->editable);
        js_put_cstr(x, "words", f->words);
        js_put_bool(x, "works", f->needs == NULL);
        js_add(fields, x);
    }
    for (uint32_t i = 0; i < vocabulary.rows->action_count; i++) {
        struct js *x = js_object();
        js_put_cstr(x, "name", vocabulary.rows->actions[i].name);
        js_put_cstr(x, "guard", guards[vocabulary.rows->actions[i].guard]);
        js_put_bool(x, "works", vocabulary.rows->actions[i].needs == NULL);
        js_add(actions, x);
    }
    js_put(o, "fields", fields);
    js_put(o, "actions", actions);
    answer(&o);
}

int main(void)
{
    field_getter *getters[FIELD_COUNT];
    memcpy(getters, stdlib_vocabulary.getters, sizeof getters);
    getters[FIELD_CLIENT_HELO] = get_helo;
    vocabulary = stdlib_vocabulary;
    vocabulary.getters = getters;
    struct err e = {0};
    INVARIANT(charset_warm(&e));

    struct rule_set s = {.arena = arena_create()};
    struct arena *a = arena_create();
    struct buf line = {0};
    while (read_line(&line)) {
        struct str word, rest;
        uint64_t n = 0;
        str_cut(buf_str(&line), ' ', &word, &rest);
        str_to_u64(rest, &n);
        arena_reset(a);
        if (str_eq(word, STR("TABLES"))) {
            answer_tables();
        } else if (str_eq(word, STR("RULES"))) {
            rule_set_close(&s);
            s = (struct rule_set){.arena = arena_create()};
            rule_set_open(&s, read_bytes(s.arena, n));
        } else if (str_eq(word, STR("MESSAGE"))) {
            run_message(&s, a, n, &line);
        } else {
            return EXIT_FAILURE;
        }
    }
    rule_set_close(&s);
    arena_free(&a);
    buf_free(&line);
    return EXIT_SUCCESS;
}
