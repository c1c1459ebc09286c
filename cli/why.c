/* `sluice why ID`: everything that is known about one message that waits. */
#include <sysexits.h>
#include <time.h>

#include "cli/queue_rows.h"

/* "label      text" with the text of a member; nothing when it is not there. */
static void line_of(struct buf *out, const struct js *row, const char *member, const char *label)
{
    struct str text;
    if (js_get_str(row, member, &text)) buf_printf(out, "    %-14s %.*s\n", label, STR_ARG(text));
}

static void time_of(struct buf *out, const struct js *row, const char *member, const char *label, int64_t now)
{
    int64_t at;
    if (!js_get_num(row, member, &at) || !at) return;
    char when[64];
    time_t t = (time_t)at;
    struct tm local;
    size_t n = strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", localtime_r(&t, &local));
    buf_printf(out, "    %-14s %.*s (%s", label, (int)n, when, at > now ? "in " : "");
    queue_print_span(out, at > now ? at - now : now - at);
    buf_printf(out, at < now ? " ago)\n" : ")\n");
}

static void number_of(struct buf *out, const struct js *row, const char *member, const char *label)
{
    int64_t n;
    if (js_get_num(row, member, &n)) buf_printf(out, "    %-14s %lld\n", label, (long long)n);
}

static void recipient(struct queue_listing *l, const struct js *r, int64_t now)
{
    struct str address = STR(""), state = STR("");
    int64_t waited = 0;
    js_get_str(r, "address", &address);
    js_get_str(r, "state", &state);
    js_get_num(r, "waited", &waited);
    buf_printf(&l->out, "\n  %s%.*s%s  %.*s\n", l->colour ? "\033[1m" : "", STR_ARG(address),
               l->colour ? "\033[0m" : "", STR_ARG(state));
    line_of(&l->out, r, "waits_for", "waits for");
    time_of(&l->out, r, "suspended_until", "suspended till", now);
    line_of(&l->out, r, "delay_reason", "last answer");
    line_of(&l->out, r, "rule", "held by rule");
    line_of(&l->out, r, "tls", "TLS demanded");
    line_of(&l->out, r, "tls_rule", "by rule");
    line_of(&l->out, r, "connector", "connector");
    line_of(&l->out, r, "routed_by", "routed by");
    line_of(&l->out, r, "orcpt", "first address");
    number_of(&l->out, r, "attempts", "attempts");
    if (waited) {
        buf_printf(&l->out, "    %-14s ", "really waited");
        queue_print_span(&l->out, waited);
        buf_add_byte(&l->out, '\n');
    }
    if (str_eq(state, STR("queued"))) {
        time_of(&l->out, r, "next_try", "next try", now);
        time_of(&l->out, r, "expires", "returned after", now);
    }
}

/* rule "cards": body contains credit_card_number
 *     body, 2 of 3, at 17: "**** 1111" */
static void evidence(struct queue_listing *l, const struct js *all, bool cut)
{
    struct str before = STR_NONE;
    if (js_count(all)) buf_printf(&l->out, "\n  rules that acted\n");
    for (size_t i = 0; i < js_count(all); i++) {
        const struct js *r = js_at(all, i);
        struct str rule = STR(""), text;
        int64_t n, of, from;
        js_get_str(r, "rule", &rule);
        if (!str_eq(rule, before)) buf_printf(&l->out, "    %.*s\n", STR_ARG(rule));
        before = rule;
        buf_printf(&l->out, "      ");
        buf_add(&l->out, js_get_str(r, "test", &text) ? text : STR("always"));
        if (js_get_str(r, "answer", &text) && !str_eq(text, STR("holds"))) buf_printf(&l->out, ": %.*s", STR_ARG(text));
        bool field = js_get_str(r, "field", &text);
        if (field) buf_printf(&l->out, "\n        %.*s", STR_ARG(text));
        if (js_get_num(r, "value", &n) && js_get_num(r, "of", &of))
            buf_printf(&l->out, ", %lld of %lld", (long long)n, (long long)of);
        if (js_get_str(r, "view", &text)) buf_printf(&l->out, " (%.*s)", STR_ARG(text));
        if (js_get_num(r, "from", &from)) buf_printf(&l->out, ", at %lld", (long long)from);
        if (js_get_str(r, "text", &text)) {
            buf_printf(&l->out, field ? ": \"" : " (");
            js_escape(&l->out, text);
            buf_add_byte(&l->out, field ? '"' : ')');
        }
        buf_add_byte(&l->out, '\n');
    }
    if (cut) buf_printf(&l->out, "    and more\n");
}

static void lists(struct queue_listing *l, const struct js *all)
{
    if (js_count(all)) buf_printf(&l->out, "\n  live lists as they were\n");
    for (size_t i = 0; i < js_count(all); i++) {
        struct str name = STR("");
        int64_t revision = 0;
        js_get_str(js_at(all, i), "list", &name);
        buf_printf(&l->out, "    %.*s: ", STR_ARG(name));
        if (js_get_num(js_at(all, i), "revision", &revision))
            buf_printf(&l->out, "revision %lld\n", (long long)revision);
        else buf_printf(&l->out, "not there\n");
    }
}

/* A row about the message, or a row of the audit table. */
static void why_row(void *owner, const struct js *row, struct str line)
{
    struct queue_listing *l = owner;
    int64_t now = (int64_t)time(NULL), size = 0;
    struct str id = STR(""), sender = STR(""), what;
    if (l->json) {
        buf_add(&l->out, line);
        buf_add_byte(&l->out, '\n');
    } else if (js_get_str(row, "what", &what)) {
        if (!l->recipients++) buf_printf(&l->out, "\n  audit\n");
        time_of(&l->out, row, "at", "at", now);
        line_of(&l->out, row, "what", "what");
        line_of(&l->out, row, "rule", "rule");
        line_of(&l->out, row, "recipient", "recipient");
        line_of(&l->out, row, "text", "text");
    } else {
        js_get_str(row, "queue_id", &id);
        js_get_str(row, "sender", &sender);
        js_get_num(row, "message_size", &size);
        buf_printf(&l->out, "%s%.*s%s  from <%.*s>, %lld bytes\n", l->colour ? "\033[1m" : "", STR_ARG(id),
                   l->colour ? "\033[0m" : "", STR_ARG(sender), (long long)size);
        line_of(&l->out, row, "client", "client");
        time_of(&l->out, row, "arrival_time", "arrived", now);
        number_of(&l->out, row, "generation", "rule set");
        bool cut = false;
        js_get_bool(row, "evidence_cut", &cut);
        evidence(l, js_get(row, "evidence"), cut);
        lists(l, js_get(row, "lists"));
        line_of(&l->out, row, "evidence_damaged", "evidence");
        const struct js *all = js_get(row, "recipients");
        for (size_t i = 0; i < js_count(all); i++) recipient(l, js_at(all, i), now);
    }
    put(&l->out, stdout);
}

int why_main(int argc, char **argv)
{
    struct queue_listing l = {.colour = use_colour(stdout)};
    struct client c = {.row = why_row, .owner = &l};
    const struct option options[] = {CLIENT_SOCKET_OPTION(c.socket), {"json", NULL, &l.json, NULL}};
    argc = options_parse(command_find("why"), argc, argv, options, 2);
    if (argc != 2) return usage("why", "say the queue id of one message");
    int status = client_call(&c, "queue why", argv[1]);
    buf_free(&l.out);
    return status;
}
