/* `sluice judge --coverage FOLDER`: how often each rule applies to real mail. */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/sort.h"
#include "cli/judge_run.h"
#include "mail/address.h"

enum { FOLDER_DEPTH_MAX = 16, PROGRESS_FROM = 20, PROGRESS_MS = 200, RECIPIENTS_MAX = 1000, NAMED_MAX = 10 };

/* What a rule was for one message; the first that is so counts. */
struct tally {
    uint32_t applied, undecided, no, not_asked;
    const char *files[NAMED_MAX]; /* the first that left it undecided */
};

struct coverage {
    const struct judge_run *run;
    VEC(char *) paths;
    struct tally *rules;
    uint32_t failed, unread, answers[3]; /* by enum verdict_answer */
    uint64_t micros, slowest;
    const char *slowest_path;
    int64_t shown_ms;
    bool progress;
};

/* --- the folder --------------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b, void *ctx)
{
    (void)ctx;
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *join(const char *folder, const char *name)
{
    size_t n = strlen(folder), m = strlen(name);
    char *path = mem_alloc(n + m + 2);
    memcpy(path, folder, n);
    path[n] = '/';
    memcpy(path + n + 1, name, m);
    return path;
}

/* Every regular file below; names that begin with a dot are left out. */
static bool walk(struct coverage *c, const char *folder, unsigned depth, struct err *e)
{
    DIR *d = opendir(folder);
    if (!d) return err_os(e, errno == EACCES ? EX_NOPERM : EX_NOINPUT, "%s", folder);
    bool good = depth < FOLDER_DEPTH_MAX || err_set(e, EX_DATAERR, "%s: folders are nested too deeply", folder);
    for (struct dirent *entry; good && (entry = readdir(d));) {
        struct stat st;
        if (entry->d_name[0] == '.') continue;
        char *path = join(folder, entry->d_name);
        if (lstat(path, &st) == 0 && S_ISREG(st.st_mode)) {
            VEC_PUSH(&c->paths, path);
            continue;
        }
        if (S_ISDIR(st.st_mode)) good = walk(c, path, depth + 1, e);
        free(path);
    }
    closedir(d);
    return good;
}

/* --- whom a message is from and for, as its header says ----------------------------------------------------------- */

/* The bodies of all fields of that name, folds as they stand, joined by commas. */
static struct str header_fields(struct arena *a, struct str content, const char *name)
{
    struct buf out = {0};
    struct str line;
    bool taking = false;
    while (content.n) {
        str_cut(content, '\n', &line, &content);
        if (!str_trim(line).n) break;
        bool folded = line.p[0] == ' ' || line.p[0] == '\t';
        size_t colon = str_find_byte(line, ':');
        if (!folded) taking = colon != STR_NPOS && str_eq_nocase(str_trim(str_slice(line, 0, colon)), str_of(name));
        if (!taking) continue;
        if (!folded && out.n) buf_add(&out, STR(", "));
        buf_add(&out, folded ? line : str_from(line, colon + 1));
    }
    struct str s = arena_str(a, buf_str(&out));
    buf_free(&out);
    return s;
}

static void add_recipients(struct arena *a, struct envelope *env, struct str body)
{
    struct header_mailboxes all = address_list_parse(a, body);
    for (size_t i = 0; i < all.n && env->recipient_count < RECIPIENTS_MAX; i++) {
        struct address parsed;
        bool again = false;
        if (!address_parse(all.v[i].address, ADDRESS_UTF8, &parsed)) continue;
        for (size_t k = 0; k < env->recipient_count; k++) again |= str_eq(env->recipients[k], all.v[i].address);
        if (!again) env->recipients[env->recipient_count++] = all.v[i].address;
    }
}

/* What was not told on the command line. */
static void complete(const struct judge_options *o, struct arena *a, struct str content, struct envelope *env)
{
    static const char *const senders[] = {"Return-Path", "Sender", "From"}, *const recipients[] = {"To", "Cc", "Bcc"};
    for (size_t i = 0; !o->from && i < 3 && !env->reverse_path.n; i++) {
        struct header_mailboxes all = address_list_parse(a, header_fields(a, content, senders[i]));
        struct address parsed;
        if (all.n && address_parse(all.v[0].address, ADDRESS_UTF8, &parsed)) env->reverse_path = all.v[0].address;
    }
    if (o->to.list.n) return;
    env->recipients = ARENA_ARRAY(a, struct str, RECIPIENTS_MAX);
    for (size_t i = 0; i < 3; i++) add_recipients(a, env, header_fields(a, content, recipients[i]));
    if (!env->recipient_count) env->recipients[env->recipient_count++] = STR("recipient@test.invalid");
}

/* --- judging ------------------------------------------------------------------------------------------------------ */

static void count_rules(struct coverage *c, const struct trace *t, const char *path)
{
    uint32_t n = c->run->p->rules_count;
    char *was = mem_alloc(n + 1);
    for (size_t i = 0; i < t->rules.n; i++) {
        const struct trace_rule *tr = &t->rules.v[i];
        if (tr->state != TRACE_RAN || tr->second) continue;
        for (size_t k = 0; k < tr->answers.n; k++) {
            char letter = tr->answers.p[k];
            char kind = letter == 'T' ? 3 : letter == 'F' ? 1 : letter == '-' ? 0 : 2;
            if (kind > was[tr->rule]) was[tr->rule] = kind;
        }
    }
    for (uint32_t r = 0; r < n; r++) {
        if (was[r] == 2 && c->rules[r].undecided < NAMED_MAX) c->rules[r].files[c->rules[r].undecided] = path;
        c->rules[r].applied += was[r] == 3;
        c->rules[r].undecided += was[r] == 2;
        c->rules[r].no += was[r] == 1;
        c->rules[r].not_asked += was[r] == 0;
    }
    free(was);
}

static void judge_file(struct coverage *c, const char *path, struct arena *a, int *status)
{
    struct buf file = {0}, content = {0};
    struct err e = {0};
    struct trace trace = {.arena = a};
    struct judge_request r;
    struct judge_answer answer;
    if (!read_file(path, JUDGE_MAIL_MAX, &file, &e)) {
        fprintf(stderr, "sluice: %s\n", e.text);
        c->unread++;
        return;
    }
    judge_to_wire(buf_str(&file), &content);
    if (judge_request_make(c->run, a, content.n, &r, status)) {
        complete(c->run->o, a, buf_str(&content), &r.envelope);
        judge_message(c->run->judge, a, &r, buf_str(&content), &answer, &trace);
        if (answer.kind == JUDGE_VERDICT) c->answers[answer.verdict.answer]++;
        else c->failed++;
        count_rules(c, &trace, path);
        c->micros += trace.micros;
        if (trace.micros >= c->slowest) {
            c->slowest = trace.micros;
            c->slowest_path = path;
        }
    }
    trace_free(&trace);
    buf_free(&file);
    buf_free(&content);
}

static void show_progress(struct coverage *c, size_t done)
{
    struct timespec t;
    if (!c->progress) return;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t now = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
    bool last = done == c->paths.n;
    if (!last && now - c->shown_ms < PROGRESS_MS) return;
    c->shown_ms = now;
    fprintf(stderr, "\r%zu of %zu messages%s", done, c->paths.n, last ? "\r\033[K" : "");
}

/* --- what came of it ---------------------------------------------------------------------------------------------- */

static void print_json(const struct coverage *c, struct buf *out)
{
    const struct program *p = c->run->p;
    for (uint32_t i = 0; i < p->rules_count; i++) {
        struct js *o = js_object();
        js_put_str(o, "rule", p->rules[i].identity);
        js_put_str(o, "file", p->sources[p->rules[i].origin.source].name);
        js_put_num(o, "line", p->rules[i].origin.line);
        js_put_num(o, "applied", c->rules[i].applied);
        js_put_num(o, "undecided", c->rules[i].undecided);
        js_put_num(o, "no", c->rules[i].no);
        js_put_num(o, "not_asked", c->rules[i].not_asked);
        struct js *files = js_array();
        for (uint32_t k = 0; k < c->rules[i].undecided && k < NAMED_MAX; k++)
            js_add_str(files, str_of(c->rules[i].files[k]));
        js_put(o, "undecided_files", files);
        js_print(o, out);
        js_free(&o);
        buf_add_byte(out, '\n');
    }
    struct js *o = js_object();
    js_put_num(o, "messages", (int64_t)(c->paths.n - c->unread));
    js_put_num(o, "accepted", c->answers[VERDICT_ACCEPT]);
    js_put_num(o, "rejected", c->answers[VERDICT_REJECT]);
    js_put_num(o, "deferred", c->answers[VERDICT_DEFER]);
    js_put_num(o, "failed", c->failed);
    js_put_num(o, "unread", c->unread);
    js_put_num(o, "micros", (int64_t)c->micros);
    js_put_num(o, "slowest_micros", (int64_t)c->slowest);
    if (c->slowest_path) js_put_cstr(o, "slowest", c->slowest_path);
    js_print(o, out);
    js_free(&o);
    buf_add_byte(out, '\n');
}

static const char *remark(const struct tally *r)
{
    if (r->applied) return "";
    if (r->undecided) return ": never applied, but was undecided";
    return r->no ? ": never applied" : ": never asked";
}

static void print_rule(const struct program *p, const struct rule *rule, struct buf *out)
{
    if (rule->named) buf_add(out, rule->identity);
    else buf_printf(out, "%.*s:%u", STR_ARG(p->sources[rule->origin.source].name), rule->origin.line);
}

/* Which messages left the rule undecided: `sluice judge` with one of them says why. */
static void print_undecided(const struct coverage *c, uint32_t rule, struct buf *out)
{
    const struct tally *r = &c->rules[rule];
    if (!r->undecided) return;
    buf_add(out, STR("undecided: "));
    print_rule(c->run->p, &c->run->p->rules[rule], out);
    buf_add_byte(out, '\n');
    for (uint32_t k = 0; k < r->undecided && k < NAMED_MAX; k++) buf_printf(out, "  %s\n", r->files[k]);
    if (r->undecided > NAMED_MAX) buf_printf(out, "  and %u more\n", r->undecided - NAMED_MAX);
}

static void print_text(const struct coverage *c, bool colour, struct buf *out)
{
    const struct program *p = c->run->p;
    size_t messages = c->paths.n - c->unread;
    uint32_t never = 0;
    buf_printf(out, " applied undecided        no not asked  rule\n");
    for (uint32_t i = 0; i < p->rules_count; i++) {
        const struct tally *r = &c->rules[i];
        const struct rule *rule = &p->rules[i];
        bool dim = colour && !r->applied;
        never += !r->applied;
        buf_printf(out, "%s%8u %9u %9u %9u  ", dim ? "\033[33m" : "", r->applied, r->undecided, r->no, r->not_asked);
        print_rule(p, rule, out);
        buf_printf(out, "%s%s\n", remark(r), dim ? "\033[0m" : "");
    }
    for (uint32_t i = 0; i < p->rules_count; i++) print_undecided(c, i, out);
    buf_printf(out, "%u of %u rule%s never applied\n", never, p->rules_count, p->rules_count == 1 ? "" : "s");
    buf_printf(out, "%zu message%s: %u accepted, %u rejected, %u deferred", messages, messages == 1 ? "" : "s",
               c->answers[VERDICT_ACCEPT], c->answers[VERDICT_REJECT], c->answers[VERDICT_DEFER]);
    if (c->failed) buf_printf(out, ", %u that cannot be judged", c->failed);
    buf_add_byte(out, '\n');
    if (messages)
        buf_printf(out, "%llu µs each, at most %llu µs (%s)\n", (unsigned long long)(c->micros / messages),
                   (unsigned long long)c->slowest, c->slowest_path);
}

int judge_coverage(const struct judge_run *r)
{
    struct coverage c = {.run = r};
    struct err e = {0};
    struct buf out = {0};
    struct arena *a = arena_create();
    int status = walk(&c, r->o->coverage, 0, &e) ? EX_OK : fail(&e);
    c.rules = mem_alloc((r->p->rules_count + 1) * sizeof *c.rules);
    sort_array(c.paths.v, c.paths.n, sizeof *c.paths.v, by_name, NULL);
    c.progress = isatty(STDERR_FILENO) && c.paths.n >= PROGRESS_FROM;
    for (size_t i = 0; i < c.paths.n && status == EX_OK; i++) {
        judge_file(&c, c.paths.v[i], a, &status);
        arena_reset(a);
        show_progress(&c, i + 1);
    }
    if (status == EX_OK) {
        if (r->o->json) print_json(&c, &out);
        else print_text(&c, use_colour(stdout), &out);
        put(&out, stdout);
        if (c.unread) status = EX_NOINPUT;
    }
    for (size_t i = 0; i < c.paths.n; i++) free(c.paths.v[i]);
    VEC_FREE(&c.paths);
    free(c.rules);
    buf_free(&out);
    arena_free(&a);
    return status;
}
