#include <sysexits.h>

#include "base/civil.h"
#include "cli/client.h"

enum { UNDECIDED = 3 }; /* its column is a digit wider, as its title is */

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
    struct str name = STR(""), mode = STR(""), file = STR("");
    int64_t last = 0, line_number = 0;
    js_get_str(row, "rule", &name);
    js_get_str(row, "mode", &mode);
    js_get_num(row, "last_hit", &last);
    bool placed = js_get_str(row, "file", &file) && js_get_num(row, "line", &line_number);
    if (l->rules++ == 0)
        buf_printf(&l->out,
                   "  applied rejected deferred undecided    audit  last hit              mode              rule\n");
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        int64_t n = 0;
        js_get_num(row, columns[i], &n);
        buf_printf(&l->out, i == UNDECIDED ? " %9lld" : " %8lld", (long long)n);
    }
    char when[CIVIL_RFC3339_MAX] = "never";
    if (last) civil_print_rfc3339(last, 0, when);
    buf_printf(&l->out, "  %-20s  %-16.*s  %.*s", when, STR_ARG(mode), STR_ARG(name));
    if (placed) buf_printf(&l->out, "  (%.*s:%lld)", STR_ARG(file), (long long)line_number);
    buf_add_byte(&l->out, '\n');
}

int rules_main(int argc, char **argv)
{
    struct listing l = {0};
    struct client c = {.row = rules_row, .owner = &l};
    const struct option options[] = {CLIENT_SOCKET_OPTION(c.socket), {"json", NULL, &l.json, NULL}};
    if (options_parse(command_find("rules"), argc, argv, options, 2) > 1) return usage("rules", "it takes no argument");
    int status = client_call(&c, "rules", NULL);
    put(&l.out, stdout);
    if (status == EX_OK && !l.json && l.rules == 0) printf("There are no rules.\n");
    buf_free(&l.out);
    return status;
}
