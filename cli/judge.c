/* `sluice judge`: what the rules would do with one message, and why.  Judges in this process; no relay is asked. */
#include "judge/judge.h"

#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "base/civil.h"
#include "base/ip.h"
#include "base/sort.h"
#include "builder/build.h"
#include "cli/judge_report.h"
#include "cli/judge_run.h"
#include "mail/address.h"
#include "mail/live_list.h"

void judge_to_wire(struct str file, struct buf *out)
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

static bool take_recipients(struct arena *a, const struct judge_options *o, struct envelope *env, int *status)
{
    env->recipients = ARENA_ARRAY(a, struct str, o->to.list.n);
    for (size_t i = 0; i < o->to.list.n; i++) {
        struct str address;
        if (!take_address(o->to.list.v[i], ADDRESS_UTF8, &address)) {
            *status = usage("judge", "`--to %s` is no address", o->to.list.v[i]);
            return false;
        }
        bool again = false;
        for (size_t k = 0; k < env->recipient_count; k++) again |= str_eq(env->recipients[k], address);
        if (!again) env->recipients[env->recipient_count++] = address;
    }
    return true;
}

static bool take_client(const struct judge_options *o, const struct settings *s, struct envelope *env, int *status)
{
    uint8_t ip[IP_SIZE];
    const struct listener_settings *l = find_listener(s, o->listener);
    if (!ip_parse(str_of(o->client), ip)) *status = usage("judge", "`--client %s` is no IP address", o->client);
    else if (o->listener && !l) *status = usage("judge", "the rules name no listener `%s`", o->listener);
    if (*status != EX_OK) return false;
    env->client = (struct client_facts){
        .ip = str_of(o->client),
        .helo = str_of(o->helo),
        .user = str_of(o->user ? o->user : ""),
        .tls_version = str_of(o->tls ? o->tls : ""),
        .listener = l ? l->name : STR(""),
        .trusted = l && ranges_contain(&l->relay_for, str_of(o->client)),
    };
    return true;
}

/* When it is: now, but for what was told, in this machine's timezone as the relay takes its own. */
static bool take_clock(const struct judge_options *o, struct tm *local, int *status)
{
    const time_t now = time(NULL);
    struct civil c = {.year = 2000, .month = 1, .day = 1};
    struct str date = str_of(o->date ? o->date : ""), clock = str_of(o->time ? o->time : ""), rest;
    localtime_r(&now, local);
    local->tm_isdst = -1;
    if (str_cut(date, 'T', &date, &rest) && !o->time) clock = rest;
    if (o->date && !(civil_read_date(date, &c) && civil_is_valid(&c)))
        *status = usage("judge", "`--date %s` is no date such as 2026-09-01 or 2026-09-01T18:00", o->date);
    else if (clock.n && !(civil_read_clock(clock, &c) && civil_is_valid(&c)))
        *status = usage("judge", "`%.*s` is no time of day such as 18:00", STR_ARG(clock));
    if (*status != EX_OK) return false;
    if (o->date) local->tm_year = c.year - 1900, local->tm_mon = c.month - 1, local->tm_mday = c.day;
    if (clock.n) local->tm_hour = c.hour, local->tm_min = c.minute, local->tm_sec = 0;
    return true;
}

bool judge_request_make(const struct judge_run *r, struct arena *a, uint64_t size, struct judge_request *out,
                        int *status)
{
    struct tm local;
    *status = EX_OK;
    if (!take_clock(r->o, &local, status)) return false;
    const time_t now = mktime(&local); /* settles the zone's offset of that day */
    *out = (struct judge_request){
        .id = 1, .queue_id = STR("judge"), .now = now, .utc_offset = (int32_t)local.tm_gmtoff, .size = size};
    if (r->o->from && !take_address(r->o->from, ADDRESS_UTF8 | ADDRESS_NULL, &out->envelope.reverse_path)) {
        *status = usage("judge", "`--from %s` is no address", r->o->from);
        return false;
    }
    return take_recipients(a, r->o, &out->envelope, status) && take_client(r->o, r->settings, &out->envelope, status);
}

static int judge_one(const struct judge_run *run, const char *mail)
{
    struct buf file = {0}, content = {0}, out = {0};
    struct err e = {0};
    struct arena *a = arena_create();
    struct trace trace = {.arena = a};
    struct judge_request r;
    struct judge_answer answer = {0};
    int status = EX_OK;
    if (!read_file(mail, JUDGE_MAIL_MAX, &file, &e)) status = fail(&e);
    judge_to_wire(buf_str(&file), &content);
    if (status == EX_OK && judge_request_make(run, a, content.n, &r, &status)) {
        judge_message(run->judge, a, &r, buf_str(&content), &answer, &trace);
        if (run->o->json) judge_report_json(run->p, &r, &answer, &trace, &out);
        else judge_report_text(run->p, &r, &answer, &trace, use_colour(stdout), &out);
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

/* --- live lists: a relay has them in its store, here they come from files ----------------------------------------- */

static int by_bytes(const void *a, const void *b, void *ctx)
{
    (void)ctx;
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static bool read_list(struct arena *a, uint8_t type, struct str text, struct buf *block, struct err *e)
{
    VEC(struct str) keys = {0};
    struct buf key = {0};
    struct str line;
    bool good = true;
    while (text.n && good) {
        str_cut(text, '\n', &line, &text);
        line = str_trim(line);
        if (!line.n || line.p[0] == '#') continue;
        key.n = 0;
        good = live_key(type, line, &key, e);
        if (good) VEC_PUSH(&keys, arena_str(a, buf_str(&key)));
    }
    if (good)
        good = keys.n <= LIVE_ENTRIES_MAX || err_set(e, EX_DATAERR, "a list has at most %d entries", LIVE_ENTRIES_MAX);
    size_t kept = 0;
    sort_array(keys.v, keys.n, sizeof *keys.v, by_bytes, NULL);
    for (size_t i = 0; i < keys.n; i++)
        if (!kept || !str_eq(keys.v[kept - 1], keys.v[i])) keys.v[kept++] = keys.v[i];
    if (good) live_block(type, 0, keys.v, kept, block);
    VEC_FREE(&keys);
    buf_free(&key);
    return good;
}

/* `--list NAME=FILE`, one entry a line. */
static bool take_list(const struct judge_run *r, struct arena *a, const char *told, struct err *e)
{
    struct str name, path;
    const struct live_list_settings *l = NULL;
    if (!str_cut(str_of(told), '=', &name, &path)) return err_set(e, EX_USAGE, "--list wants NAME=FILE");
    for (size_t i = 0; i < r->settings->live_list_count; i++)
        if (str_eq(r->settings->live_lists[i].name, name)) l = &r->settings->live_lists[i];
    for (size_t i = 0; !l && i < r->settings->live_list_count; i++)
        if (str_eq(r->settings->live_lists[i].table, name)) l = &r->settings->live_lists[i];
    if (!l) return err_set(e, EX_USAGE, "the rules have no list %.*s in a table", STR_ARG(name));
    struct buf text = {0}, block = {0};
    bool good = read_file(arena_cstr(a, path), JUDGE_MAIL_MAX, &text, e) &&
                read_list(a, l->type, buf_str(&text), &block, e) &&
                judge_set_list(r->judge, l->name, arena_str(a, buf_str(&block)), e);
    buf_free(&text);
    buf_free(&block);
    return good;
}

static bool take_lists(const struct judge_run *r, struct arena *a, struct err *e)
{
    for (size_t i = 0; i < r->o->lists.list.n; i++)
        if (!take_list(r, a, r->o->lists.list.v[i], e)) return false;
    return true;
}

static int check_call(int argc, const struct judge_options *o)
{
    if (o->coverage) return argc == 2 ? EX_OK : usage("judge", "with --coverage it wants RULES only");
    if (argc != 3) return usage("judge", "it wants RULES and MAIL");
    if (!o->from) return usage("judge", "who sends it? Say --from A (--from \"\" for the null reverse-path)");
    if (o->to.list.n == 0) return usage("judge", "who gets it? Say --to B");
    return EX_OK;
}

int judge_main(int argc, char **argv)
{
    struct judge_options o = {.client = "127.0.0.1", .helo = "localhost"};
    const struct option options[] = {
        {"from", &o.from, NULL, NULL},         {"to", NULL, NULL, &o.to},     {"client", &o.client, NULL, NULL},
        {"helo", &o.helo, NULL, NULL},         {"user", &o.user, NULL, NULL}, {"tls", &o.tls, NULL, NULL},
        {"listener", &o.listener, NULL, NULL}, {"json", NULL, &o.json, NULL}, {"list", NULL, NULL, &o.lists},
        {"coverage", &o.coverage, NULL, NULL}, {"date", &o.date, NULL, NULL}, {"time", &o.time, NULL, NULL},
    };
    argc = options_parse(command_find("judge"), argc, argv, options, sizeof options / sizeof *options);
    int status = check_call(argc, &o);
    if (status != EX_OK) return status;
    struct program *p = rule_set_load(argv[1], DIAGNOSTICS_TEXT, false, stderr, NULL, &status);
    if (!p) return status;
    struct arena *a = arena_create();
    struct settings s = {0};
    struct err e = {0};
    /* A file of rules need not declare a whole relay.  What it declares counts; without `internal` nobody is inside. */
    struct judge_run r = {settings_declared(a, p, argv[1], &s, &e) ? judge_create(p, &s, &e) : NULL, p, &s, &o};
    if (!r.judge || !take_lists(&r, a, &e)) status = fail(&e);
    else status = o.coverage ? judge_coverage(&r) : judge_one(&r, argv[2]);
    judge_free(&r.judge);
    arena_free(&a);
    program_free(&p);
    VEC_FREE(&o.to.list);
    VEC_FREE(&o.lists.list);
    return status;
}
