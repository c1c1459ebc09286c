#include <sysexits.h>

#include "base/civil.h"
#include "cli/client.h"

struct listing {
    bool json;
    size_t rules;
    struct buf out;
};

static void rules_row(void *owner, const struct js *row, struct str line)
{
    static const char *const columns[] = {"applied", "rejected", "deferred", "undecided", "audit"};
    struct listing *l = owner;
    if (l->json) {
        buf_add(&l->out, line);
        buf_add_byte(&l->out, '\n');
        return;
    }
    struct str name = STR(""), mode = STR("");
    int64_t last = 0;
    js_get_str(row, "rule", &name);
    js_get_str(row, "mode", &mode);
    js_get_num(row, "last_hit", &last);
    if (l->rules++ == 0) buf_printf(&l->out, "  applied rejected deferred undecided    audit  last hit              rule\n");
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        int64_t n = 0;
        js_get_num(row, columns[i], &n);
        buf_printf(&l->out, " %8lld", (long long)n);
    }
    char when[CIVIL_RFC3339_MAX] = "never";
    if (last) civil_print_rfc3339(last, 0, when);
    buf_printf(&l->out, "  %-20s  %.*s%s%.*s\n", when, STR_ARG(name), mode.n && !str_eq(mode, STR("enforce")) ? "  mode " : "",
               STR_ARG(mode.n && !str_eq(mode, STR("enforce")) ? mode : STR("")));
}

int rules_main(int argc, char **argv)
{
    struct listing l = {0};
    struct client c = {.row = rules_row, .owner = &l};
    const struct option options[] = {CLIENT_SOCKET_OPTION(c.socket), {"json", NULL, &l.json, NULL}};
    if (options_parse(command_find("rules"), argc, argv, options, 2) > 1) return usage("rules", "it takes no argument");
    int status = client_call(&c, "rules", NULL);
    put(&l.out, stdout);
    if (status == EX_OK && !l.json && l.rules == 0) printf("No rule has been counted yet.\n");
    buf_free(&l.out);
    return status;
}
