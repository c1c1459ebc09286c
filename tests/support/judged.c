#include "tests/support/judged.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/check.h"

static struct str corp[] = {{"corp.example", 12}};
static const struct settings corp_settings = {.internal = {corp, 1}};

static void fill_request(struct judged *j, const struct judged_case *c)
{
    struct envelope *env = &j->request.envelope;
    static const char *const standard[] = {"b@partner.example", "c@corp.example"};
    const char *const *to = c->to[0] ? c->to : standard;
    size_t most = c->to[0] ? JUDGED_RECIPIENTS_MAX : 2;
    env->recipients = ARENA_ARRAY(j->arena, struct str, most);
    while (env->recipient_count < most && to[env->recipient_count]) {
        env->recipients[env->recipient_count] = str_of(to[env->recipient_count]);
        env->recipient_count++;
    }
    env->notify_count = c->notify != 0;
    env->notify = arena_alloc(j->arena, 1);
    env->notify[0] = c->notify;
    env->reverse_path = str_of(c->from ? c->from : "a@corp.example");
    env->client = c->client;
    if (env->client.ip.n == 0) env->client.ip = STR("192.0.2.7");
    if (env->client.helo.p == NULL) env->client.helo = STR("client.example");
    j->request.queue_id = STR("TEST");
    j->request.now = c->now ? c->now : 1795474800; /* 2026-11-23 23:00 UTC */
    j->request.utc_offset = c->utc_offset;
}

/* Tests write LF; the wire has CR LF. */
static struct str to_wire(struct arena *a, const char *text)
{
    struct buf b = {0};
    for (const char *p = text; *p; p++) {
        if (*p == '\n') buf_add_byte(&b, '\r');
        buf_add_byte(&b, *p);
    }
    struct str s = arena_str(a, buf_str(&b));
    buf_free(&b);
    return s;
}

void judged_run(struct judged *j, const struct judged_case *c)
{
    struct err e = {0};
    *j = (struct judged){.arena = arena_create()};
    struct program *p = compiled_program(&j->compiled, str_of(c->rules));
    fill_request(j, c);
    j->content = to_wire(j->arena, c->message);
    j->request.size = j->content.n;
    const struct settings *s = c->settings ? c->settings : &corp_settings;
    j->judge = c->vocabulary ? judge_create_with(p, s, c->vocabulary, &e) : judge_create(p, s, &e);
    if (!j->judge) fail_msg("%s", e.text);
    for (size_t i = 0; i < 4 && c->lists[i].name; i++)
        if (!judge_set_list(j->judge, str_of(c->lists[i].name), c->lists[i].block, &e)) fail_msg("%s", e.text);
    j->trace.arena = j->arena;
    judge_message(j->judge, j->arena, &j->request, j->content, &j->answer, &j->trace);
    if (j->answer.kind != JUDGE_VERDICT) fail_msg("%.*s", STR_ARG(j->answer.why));
    j->verdict = &j->answer.verdict;
    if (!verdict_is_sound(j->verdict, &j->request.envelope, j->content, &e)) fail_msg("%s", e.text);
}

void judged_free(struct judged *j)
{
    trace_free(&j->trace);
    judge_free(&j->judge);
    arena_free(&j->arena);
    compiled_close(&j->compiled);
}

const struct verdict_recipient *judged_recipient(const struct judged *j, const char *address)
{
    for (size_t i = 0; i < j->verdict->recipient_count; i++)
        if (str_eq(j->verdict->recipients[i].address, str_of(address))) return &j->verdict->recipients[i];
    fail_msg("nobody called %s in the verdict", address);
    return NULL;
}

struct str judged_copy(struct judged *j, const char *address)
{
    const struct verdict_copy *c = &j->verdict->copies[judged_recipient(j, address)->copy];
    struct buf b = {0};
    for (size_t i = 0; i < c->pieces.n; i++) {
        const struct piece *p = &c->pieces.v[i];
        buf_add(&b, p->insert.p ? p->insert : str_slice(j->content, p->from, p->to));
    }
    struct str s = arena_str(j->arena, buf_str(&b));
    buf_free(&b);
    return s;
}

uint32_t judged_hits(const struct judged *j, const char *rule)
{
    for (size_t i = 0; i < j->verdict->hit_count; i++)
        if (str_eq(j->verdict->hits[i].rule, str_of(rule))) return j->verdict->hits[i].what;
    return 0;
}

char judged_condition(const char *condition, const char *message, const struct judged_case *base)
{
    char rules[2000];
    snprintf(rules, sizeof rules, "rule \"r\" on_error skip\nwhen %s\nthen require_tls\n", condition);
    struct judged_case c = base ? *base : (struct judged_case){0};
    c.rules = rules;
    c.message = message;
    if (!c.to[0]) c.to[0] = "b@partner.example";
    struct judged j;
    judged_run(&j, &c);
    char letter = j.trace.rules.v[0].answers.p[0];
    judged_free(&j);
    return letter;
}

void judged_hold(const struct judged_row *rows, size_t n, const char *message, const struct judged_case *base)
{
    for (size_t i = 0; i < n; i++) {
        char got = judged_condition(rows[i].condition, message, base);
        if (got != rows[i].wanted) fail_msg("%s: got %c, wanted %c", rows[i].condition, got, rows[i].wanted);
    }
}
