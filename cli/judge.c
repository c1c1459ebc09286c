/* `sluice judge`: what the rules would do with one message, and why.  Judges in this process; no relay is asked. */
#include "judge/judge.h"

#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "base/ip.h"
#include "builder/build.h"
#include "cli/cli.h"
#include "cli/judge_report.h"
#include "mail/address.h"

enum { MAIL_MAX = 256 * 1024 * 1024 };

struct judge_options {
    const char *from, *client, *helo, *user, *tls, *listener;
    struct strings to;
    bool json;
};

/* Files on disk end lines with LF; on the wire they end with CR LF, and that is what the rules see. */
static void to_wire(struct str file, struct buf *out)
{
    buf_reserve(out, file.n + file.n / 16);
    for (size_t i = 0; i < file.n; i++) {
        if (file.p[i] == '\n' && (i == 0 || file.p[i - 1] != '\r')) buf_add_byte(out, '\r');
        buf_add_byte(out, file.p[i]);
    }
}

/* The address inside optional angle brackets; false when it is none. */
static bool take_address(const char *text, unsigned flags, struct str *out)
{
    struct address a;
    struct str s = str_of(text);
    bool ok = s.n && s.p[0] == '<' ? address_parse_path(s, flags, &a) == s.n : address_parse(s, flags, &a);
    if (s.n == 0 && (flags & ADDRESS_NULL)) a.whole = STR(""), ok = true;
    *out = a.whole;
    return ok;
}

static const struct listener_settings *find_listener(const struct settings *s, const char *name)
{
    for (size_t i = 0; i < s->listener_count; i++)
        if (!name || str_eq(s->listeners[i].name, str_of(name))) return &s->listeners[i];
    return NULL;
}

static int take_envelope(struct arena *a, const struct judge_options *o, const struct settings *s, struct envelope *env)
{
    unsigned utf8 = ADDRESS_UTF8;
    if (!take_address(o->from, utf8 | ADDRESS_NULL, &env->reverse_path))
        return usage("judge", "`--from %s` is no address", o->from);
    env->recipients = ARENA_ARRAY(a, struct str, o->to.list.n);
    for (size_t i = 0; i < o->to.list.n; i++) {
        struct str address;
        if (!take_address(o->to.list.v[i], utf8, &address)) return usage("judge", "`--to %s` is no address", o->to.list.v[i]);
        bool again = false;
        for (size_t k = 0; k < env->recipient_count; k++) again |= str_eq(env->recipients[k], address);
        if (!again) env->recipients[env->recipient_count++] = address;
    }
    uint8_t ip[IP_SIZE];
    if (!ip_parse(str_of(o->client), ip)) return usage("judge", "`--client %s` is no IP address", o->client);
    const struct listener_settings *l = find_listener(s, o->listener);
    if (o->listener && !l) return usage("judge", "the rules name no listener `%s`", o->listener);
    env->client = (struct client_facts){
        .ip = str_of(o->client),
        .helo = str_of(o->helo),
        .user = str_of(o->user ? o->user : ""),
        .tls_version = str_of(o->tls ? o->tls : ""),
        .listener = l ? l->name : STR(""),
        .trusted = l && ranges_contain(&l->relay_for, str_of(o->client)),
    };
    return EX_OK;
}

static int judge_one(struct judge *j, const struct program *p, const struct settings *s, const char *mail,
                     const struct judge_options *o)
{
    struct buf file = {0}, content = {0}, out = {0};
    struct err e = {0};
    struct arena *a = arena_create();
    struct trace trace = {.arena = a};
    struct judge_request r = {.id = 1, .queue_id = STR("judge")};
    struct judge_answer answer = {0};
    int status = read_file(mail, MAIL_MAX, &file, &e) ? take_envelope(a, o, s, &r.envelope) : fail(&e);
    if (status == EX_OK) {
        time_t now = time(NULL);
        struct tm local;
        localtime_r(&now, &local);
        r.now = now;
        r.utc_offset = (int32_t)local.tm_gmtoff;
        to_wire(buf_str(&file), &content);
        r.size = content.n;
        judge_message(j, a, &r, buf_str(&content), &answer, &trace);
        if (o->json) judge_report_json(p, &r.envelope, &answer, &trace, &out);
        else judge_report_text(p, &r.envelope, &answer, &trace, use_colour(stdout), &out);
        put(&out, stdout);
        if (answer.kind == JUDGE_FAILED) status = EX_TEMPFAIL;
    }
    trace_free(&trace);
    buf_free(&file);
    buf_free(&content);
    buf_free(&out);
    arena_free(&a);
    return status;
}

int judge_main(int argc, char **argv)
{
    struct judge_options o = {.client = "127.0.0.1", .helo = "localhost"};
    const struct option options[] = {
        {"from", &o.from, NULL, NULL},         {"to", NULL, NULL, &o.to},   {"client", &o.client, NULL, NULL},
        {"helo", &o.helo, NULL, NULL},         {"user", &o.user, NULL, NULL}, {"tls", &o.tls, NULL, NULL},
        {"listener", &o.listener, NULL, NULL}, {"json", NULL, &o.json, NULL},
    };
    argc = options_parse(command_find("judge"), argc, argv, options, sizeof options / sizeof *options);
    if (argc != 3) return usage("judge", "it wants RULES and MAIL");
    if (!o.from) return usage("judge", "who sends it? Say --from A (--from \"\" for the null reverse-path)");
    if (o.to.list.n == 0) return usage("judge", "who gets it? Say --to B");

    int status = EX_OK;
    struct program *p = rule_set_load(argv[1], DIAGNOSTICS_TEXT, false, stderr, NULL, &status);
    if (!p) return status;
    struct arena *a = arena_create();
    struct settings s = {0};
    struct err e = {0};
    /* A file of rules need not declare a whole relay.  What it declares counts; without `internal` nobody is inside. */
    struct judge *j = settings_declared(a, p, &s, &e) ? judge_create(p, &s, &e) : NULL;
    status = j ? judge_one(j, p, &s, argv[2], &o) : fail(&e);
    judge_free(&j);
    arena_free(&a);
    program_free(&p);
    VEC_FREE(&o.to.list);
    return status;
}
