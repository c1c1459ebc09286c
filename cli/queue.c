/* `sluice queue`: what waits, and what is done about it. */
#include <string.h>
#include <sysexits.h>

#include "cli/queue_rows.h"
#include "cli/transfer.h"

/* What the command line said.  A text option that was given goes into the request's filter as it stands, a number is
 * read with its unit. */
struct words {
    const char *sender, *recipient, *domain, *rule, *connector, *state, *reason, *older, *newer, *larger, *smaller;
    const char *text, *to, *lasts;
    bool all, dry_run, json;
    bool filtered;
};

/* --- numbers with units ------------------------------------------------------------------------------------------- */

struct unit {
    const char *name;
    int64_t factor;
};
static const struct unit spans[] = {{"s", 1}, {"m", 60}, {"min", 60}, {"h", 3600}, {"d", 86400}, {NULL, 0}};
static const struct unit sizes[] = {{"", 1},        {"B", 1},        {"K", 1 << 10}, {"KB", 1 << 10},
                                    {"M", 1 << 20}, {"MB", 1 << 20}, {NULL, 0}};

static bool read_number(const char *text, const struct unit *units, int64_t *out)
{
    struct str s = str_of(text);
    size_t digits = 0;
    int64_t n;
    while (digits < s.n && ascii_is_digit(s.p[digits])) digits++;
    struct str unit = str_trim(str_from(s, digits));
    if (!str_to_i64(str_slice(s, 0, digits), &n)) return false;
    for (; units->name; units++)
        if (str_eq_nocase(unit, str_of(units->name))) return !__builtin_mul_overflow(n, units->factor, out);
    return false;
}

/* --- the filter --------------------------------------------------------------------------------------------------- */

/* False after one sentence. */
static bool put_filter(struct words *w, struct js *request)
{
    const struct {
        const char *key, *text;
        const struct unit *units;
    } parts[] = {{"sender", w->sender, NULL},   {"recipient", w->recipient, NULL}, {"domain", w->domain, NULL},
                 {"rule", w->rule, NULL},       {"connector", w->connector, NULL}, {"state", w->state, NULL},
                 {"reason", w->reason, NULL},   {"older", w->older, spans},        {"newer", w->newer, spans},
                 {"larger", w->larger, sizes},  {"smaller", w->smaller, sizes}};
    struct js *filter = js_object();
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        int64_t n = 0;
        if (!parts[i].text) continue;
        w->filtered = true;
        if (!parts[i].units) {
            js_put_cstr(filter, parts[i].key, parts[i].text);
        } else if (read_number(parts[i].text, parts[i].units, &n)) {
            js_put_num(filter, parts[i].key, n);
        } else {
            usage("queue", parts[i].units == spans ? "`--%s %s`: a time is a number with s, m, h or d: 90m"
                                                   : "`--%s %s`: a size is a number with K or M: 500K",
                  parts[i].key, parts[i].text);
            js_free(&filter);
            return false;
        }
    }
    js_put(request, "filter", filter);
    return true;
}

/* A request with the filter, and for one message its id; NULL after one sentence. */
static struct js *request(const char *op, struct words *w, const char *id)
{
    struct js *o = client_request(op);
    if (id) js_put_cstr(o, "id", id);
    if (w->all) js_put_bool(o, "all", true);
    if (w->dry_run) js_put_bool(o, "dry_run", true);
    if (put_filter(w, o)) return o;
    js_free(&o);
    return NULL;
}

/* --- what is looked at -------------------------------------------------------------------------------------------- */

static int list(struct client *c, struct words *w, const char *id)
{
    struct queue_listing l = {.json = w->json, .colour = use_colour(stdout)};
    struct js *o = request("queue", w, id);
    if (!o) return EX_USAGE;
    c->row = queue_print_row;
    c->owner = &l;
    int status = client_send(c, o);
    if (status == EX_OK && !w->json && !id) {
        if (l.messages)
            printf("%zu message%s, %zu recipient%s\n", l.messages, l.messages == 1 ? "" : "s", l.recipients,
                   l.recipients == 1 ? "" : "s");
        else
            printf(w->filtered ? "Nothing in the queue is like that.\n" : "The queue is empty.\n");
    }
    buf_free(&l.out);
    return status;
}

static int list_all(struct client *c, struct words *w, int argc, char **argv)
{
    if (argc > 0) return usage("queue", "`list` takes options; one message is shown by `show %s`", argv[0]);
    return list(c, w, NULL);
}

static int show(struct client *c, struct words *w, int argc, char **argv)
{
    if (argc == 0) return usage("queue", "show which message? Say its queue id");
    int status = EX_OK;
    for (int i = 0; i < argc && status == EX_OK; i++) status = list(c, w, argv[i]);
    return status;
}

/* --- what is done ------------------------------------------------------------------------------------------------- */

/* One call for each id, or one for the filter. */
static int change(struct client *c, struct words *w, const char *op, const char *verb, const char *text, int argc,
                  char **argv)
{
    struct queue_listing l = {.json = w->json, .colour = use_colour(stdout)};
    int status = EX_OK;
    c->row = queue_print_row;
    c->owner = &l;
    for (int i = 0; i < (argc ? argc : 1) && status == EX_OK; i++) {
        struct js *o = request(op, w, argc ? argv[i] : NULL);
        if (!o) return EX_USAGE;
        if (!argc && !w->filtered && !w->all) {
            js_free(&o);
            return usage("queue", "%s which message? Say its queue id, a filter, or --all", verb);
        }
        if (text) js_put_cstr(o, "text", text);
        status = client_send(c, o);
    }
    buf_free(&l.out);
    return status;
}

static int hold(struct client *c, struct words *w, int argc, char **argv)
{
    return change(c, w, "queue hold", "hold", w->text, argc, argv);
}

static int release(struct client *c, struct words *w, int argc, char **argv)
{
    return change(c, w, "queue release", "release", NULL, argc, argv);
}

static int retry(struct client *c, struct words *w, int argc, char **argv)
{
    return change(c, w, "queue retry", "retry", NULL, argc, argv);
}

static int remove_mail(struct client *c, struct words *w, int argc, char **argv)
{
    return change(c, w, "queue remove", "remove", w->text, argc, argv);
}

static int redirect(struct client *c, struct words *w, int argc, char **argv)
{
    if (!w->to) return usage("queue", "redirect where? Say --to ADDRESS");
    return change(c, w, "queue redirect", "redirect", w->to, argc, argv);
}

/* --- suspensions -------------------------------------------------------------------------------------------------- */

static void suspension_row(void *owner, const struct js *row, struct str line)
{
    static const char *const members[] = {"connector", "domain", "recipient", "sender"};
    struct queue_listing *l = owner;
    struct str reason = STR(""), text;
    int64_t id = 0, ends = 0, began = 0, waiting = 0;
    l->messages++;
    if (l->json) {
        buf_add(&l->out, line);
        buf_add_byte(&l->out, '\n');
        put(&l->out, stdout);
        return;
    }
    js_get_num(row, "suspension", &id);
    js_get_num(row, "began", &began);
    js_get_num(row, "ends", &ends);
    js_get_num(row, "waiting", &waiting);
    js_get_str(row, "reason", &reason);
    buf_printf(&l->out, "%lld ", (long long)id);
    bool any = false;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (!js_get_str(row, members[i], &text)) continue;
        buf_printf(&l->out, " %s %.*s", members[i], STR_ARG(text));
        any = true;
    }
    buf_printf(&l->out, "%s: %.*s; %lld wait, ", any ? "" : " everything", STR_ARG(reason), (long long)waiting);
    if (ends) {
        buf_printf(&l->out, "for ");
        queue_print_span(&l->out, ends - began);
        buf_printf(&l->out, " in all\n");
    } else {
        buf_printf(&l->out, "until it is resumed\n");
    }
    put(&l->out, stdout);
}

static int suspensions(struct client *c, struct words *w, int argc, char **argv)
{
    struct queue_listing l = {.json = w->json};
    (void)argv;
    if (argc) return usage("queue", "`suspensions` takes no argument");
    c->row = suspension_row;
    c->owner = &l;
    int status = client_call(c, "queue suspensions", NULL);
    if (status == EX_OK && !w->json && !l.messages) printf("Nothing is suspended.\n");
    buf_free(&l.out);
    return status;
}

static int suspend(struct client *c, struct words *w, int argc, char **argv)
{
    int64_t lasts = 0;
    if (argc)
        return usage("queue", "`%s`: say what to suspend by --connector, --domain, --recipient or --sender", argv[0]);
    const char *why = w->text ? w->text : w->reason;
    w->reason = NULL;
    if (!why) return usage("queue", "suspend why? Say --reason TEXT");
    if (w->lasts && !read_number(w->lasts, spans, &lasts))
        return usage("queue", "`--for %s`: a time is a number with s, m, h or d: 90m", w->lasts);
    struct js *o = request("queue suspend", w, NULL);
    if (!o) return EX_USAGE;
    js_put_cstr(o, "text", why);
    js_put_num(o, "for", lasts);
    return client_send(c, o);
}

static int resume(struct client *c, struct words *w, int argc, char **argv)
{
    int64_t id;
    (void)w;
    if (argc != 1 || !str_to_i64(str_of(argv[0]), &id))
        return usage("queue", "resume which suspension? Say its number (`sluice queue suspensions`)");
    struct js *o = client_request("queue resume");
    js_put_num(o, "suspension", id);
    return client_send(c, o);
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static int export_mail(struct client *c, struct words *w, int argc, char **argv)
{
    if (argc != 1) return usage("queue", "export where? Say a directory");
    struct js *o = request("queue", w, NULL);
    return o ? transfer_export(c, o, argv[0]) : EX_USAGE;
}

static int import_mail(struct client *c, struct words *w, int argc, char **argv)
{
    (void)w;
    if (argc != 1) return usage("queue", "import what? Say a directory, or a file of one");
    return transfer_import(c, argv[0]);
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

static const struct verb {
    const char *name;
    int (*run)(struct client *c, struct words *w, int argc, char **argv);
} verbs[] = {
    {"list", list_all},     {"show", show},           {"hold", hold},
    {"release", release},   {"retry", retry},         {"remove", remove_mail},
    {"redirect", redirect}, {"suspend", suspend},     {"suspensions", suspensions},
    {"resume", resume},     {"export", export_mail},  {"import", import_mail},
};

int queue_main(int argc, char **argv)
{
    struct client c = {0};
    struct words w = {0};
    const struct option options[] = {
        CLIENT_SOCKET_OPTION(c.socket),          {"json", NULL, &w.json, NULL},
        {"dry-run", NULL, &w.dry_run, NULL},     {"all", NULL, &w.all, NULL},
        {"sender", &w.sender, NULL, NULL},       {"recipient", &w.recipient, NULL, NULL},
        {"domain", &w.domain, NULL, NULL},       {"rule", &w.rule, NULL, NULL},
        {"connector", &w.connector, NULL, NULL}, {"state", &w.state, NULL, NULL},
        {"reason", &w.reason, NULL, NULL},       {"older", &w.older, NULL, NULL},
        {"newer", &w.newer, NULL, NULL},         {"larger", &w.larger, NULL, NULL},
        {"smaller", &w.smaller, NULL, NULL},     {"because", &w.text, NULL, NULL},
        {"to", &w.to, NULL, NULL},               {"for", &w.lasts, NULL, NULL}};
    argc = options_parse(command_find("queue"), argc, argv, options, sizeof options / sizeof *options);
    if (argc == 1) return list(&c, &w, NULL);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(argv[1], verbs[i].name) == 0) return verbs[i].run(&c, &w, argc - 2, argv + 2);
    return usage("queue", "there is no `queue %s`", argv[1]);
}
