/* `sluice list`: the lists that are edited while the relay runs. */
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/limits.h"
#include "cli/client.h"

enum { INPUT_MAX = 64 * 1024 * 1024, PART_BYTES = LIMIT_CONTROL_REQUEST - 1024, PROGRESS_FROM = 2000 };

struct listing {
    bool json;
    size_t rows;
    struct buf out;
};

static void row(void *owner, const struct js *o, struct str line)
{
    struct listing *l = owner;
    struct str entry = STR(""), list = STR(""), table = STR(""), type = STR("");
    int64_t entries = 0, revision = 0;
    bool available = true;
    l->rows++;
    if (l->json) {
        buf_add(&l->out, line);
    } else if (js_get_str(o, "entry", &entry)) {
        buf_add(&l->out, entry);
    } else {
        js_get_str(o, "list", &list);
        js_get_str(o, "table", &table);
        js_get_str(o, "type", &type);
        js_get_num(o, "entries", &entries);
        js_get_num(o, "revision", &revision);
        js_get_bool(o, "available", &available);
        buf_printf(&l->out, "%-24.*s  %lld %.*s entr%s, revision %lld", STR_ARG(list), (long long)entries,
                   STR_ARG(type), entries == 1 ? "y" : "ies", (long long)revision);
        if (!str_eq(list, table)) buf_printf(&l->out, ", table %.*s", STR_ARG(table));
        if (!available) buf_printf(&l->out, ", NOT AVAILABLE to the judges");
    }
    buf_add_byte(&l->out, '\n');
    put(&l->out, stdout);
}

static int show(struct client *c, const char *op, const char *name, bool json)
{
    struct listing l = {.json = json};
    struct js *o = client_request(op);
    if (name) js_put_cstr(o, "list", name);
    c->row = row;
    c->owner = &l;
    int status = client_send(c, o);
    if (status == EX_OK && !json && !l.rows)
        fprintf(stderr, name ? "The list is empty.\n" : "The rules in force have no list in a table.\n");
    buf_free(&l.out);
    return status;
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

/* One entry a line; blank lines and lines that begin with # do not count. */
static bool read_entries(const char *path, struct buf *text, struct err *e)
{
    if (strcmp(path, "-") != 0) return read_file(path, INPUT_MAX, text, e);
    for (;;) {
        buf_reserve(text, 65536);
        ssize_t n = read(STDIN_FILENO, text->p + text->n, 65536);
        if (n < 0) return err_os(e, EX_IOERR, "reading standard input");
        if (n == 0) return true;
        text->n += (size_t)n;
        if (text->n > INPUT_MAX) return err_set(e, EX_DATAERR, "standard input is longer than %d MiB", INPUT_MAX >> 20);
    }
}

struct change {
    struct client *client;
    const char *op, *name;
    struct js *request, *entries; /* the part under way */
    size_t bytes, sent, total;
    bool json;
    int64_t changed, unchanged, now; /* as the relay says */
    int status;
};

static void changed(void *owner, const struct js *o, struct str line)
{
    struct change *c = owner;
    int64_t n = 0;
    if (c->json) printf("%.*s\n", STR_ARG(line));
    if (js_get_num(o, "changed", &n)) c->changed += n;
    if (js_get_num(o, "unchanged", &n)) c->unchanged += n;
    js_get_num(o, "entries", &c->now);
}

static void print_summary(const struct change *c, bool add)
{
    printf("%lld %s", (long long)c->changed, add ? "added" : "removed");
    if (c->unchanged) printf(", %lld %s", (long long)c->unchanged, add ? "there already" : "not there");
    printf("; %lld in the list now\n", (long long)c->now);
}

static size_t escaped_length(struct str s)
{
    struct buf b = {0};
    js_escape(&b, s);
    size_t n = b.n;
    buf_free(&b);
    return n;
}

/* A request is one line of bounded length: many entries go in several, each of them whole or not at all. */
static void flush(struct change *c)
{
    if (!c->request) return;
    size_t n = js_count(c->entries);
    js_put(c->request, "entries", c->entries);
    c->status = client_send(c->client, c->request);
    c->request = c->entries = NULL;
    c->bytes = 0;
    if (c->status == EX_OK) c->sent += n;
    else if (c->sent) fprintf(stderr, "sluice list: %zu of %zu entries were done before that\n", c->sent, c->total);
    if (c->total >= PROGRESS_FROM && c->status == EX_OK && isatty(STDERR_FILENO))
        fprintf(stderr, "\r%zu of %zu%s", c->sent, c->total, c->sent == c->total ? "\n" : "");
}

static void add(struct change *c, struct str entry)
{
    if (c->status != EX_OK) return;
    size_t length = escaped_length(entry) + 3; /* quotes, comma */
    if (c->request && c->bytes + length > PART_BYTES) flush(c);
    if (c->status != EX_OK) return;
    if (!c->request) {
        c->request = client_request(c->op);
        js_put_cstr(c->request, "list", c->name);
        c->entries = js_array();
    }
    js_add_str(c->entries, entry);
    c->bytes += length;
}

static int change(struct client *client, bool adds, int argc, char **argv, const char *from, bool json)
{
    struct change c = {.client = client, .op = adds ? "list add" : "list remove", .name = argv[2], .json = json};
    client->row = changed;
    client->owner = &c;
    struct buf text = {0};
    struct err e = {0};
    if (from && !read_entries(from, &text, &e)) return fail(&e);
    for (int pass = 0; pass < 2; pass++) {
        struct str rest = buf_str(&text), line;
        for (int i = 3; i < argc; i++)
            if (pass) add(&c, str_of(argv[i]));
            else c.total++;
        while (rest.n) {
            str_cut(rest, '\n', &line, &rest);
            line = str_trim(line);
            if (!line.n || line.p[0] == '#') continue;
            if (pass) add(&c, line);
            else c.total++;
        }
    }
    if (c.total == 0) c.status = usage("list", "no entries are given");
    else if (c.status == EX_OK) flush(&c);
    if (c.status == EX_OK && !json) print_summary(&c, adds);
    buf_free(&text);
    return c.status;
}

int list_main(int argc, char **argv)
{
    struct client c = {0};
    bool json = false;
    const char *from = NULL;
    const struct option options[] = {
        CLIENT_SOCKET_OPTION(c.socket), {"json", NULL, &json, NULL}, {"from", &from, NULL, NULL}};
    argc = options_parse(command_find("list"), argc, argv, options, 3);
    const char *what = argc > 1 ? argv[1] : "";
    if (argc == 1) return show(&c, "list", NULL, json);
    bool adds = strcmp(what, "add") == 0, removes = strcmp(what, "remove") == 0;
    if (!adds && !removes && strcmp(what, "show") != 0) return usage("list", "there is no `list %s`", what);
    if (argc < 3) return usage("list", "%s: which list?", what);
    if (adds || removes) return change(&c, adds, argc, argv, from, json);
    if (argc > 3 || from) return usage("list", "show takes the name of a list and nothing else");
    return show(&c, "list show", argv[2], json);
}
