#include <string.h>
#include <sysexits.h>

#include "cli/client.h"

struct listing {
    bool json;
    struct buf out;
};

/* Each member on a line; what a member holds is the relay's to say (relay/control). */
static void status_row(void *owner, const struct js *row, struct str line)
{
    static const char *const members[] = {
        "state",       "hostname",  "generation", "rules",    "last_good",     "sandbox", "listeners",
        "judges",      "sessions",  "deliveries", "messages", "queued",        "held",    "damaged",
        "suspensions", "accepting", "free_space", "checked",  "found_damaged", "memory",  "uptime"};
    struct listing *l = owner;
    if (l->json) {
        buf_add(&l->out, line);
        buf_add_byte(&l->out, '\n');
        return;
    }
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        struct str text;
        int64_t n;
        bool b;
        if (js_get_str(row, members[i], &text)) buf_printf(&l->out, "%-11s %.*s\n", members[i], STR_ARG(text));
        else if (js_get_num(row, members[i], &n)) buf_printf(&l->out, "%-11s %lld\n", members[i], (long long)n);
        else if (js_get_bool(row, members[i], &b)) buf_printf(&l->out, "%-11s %s\n", members[i], b ? "yes" : "no");
    }
}

int status_main(int argc, char **argv)
{
    struct listing l = {0};
    struct client c = {.row = status_row, .owner = &l};
    const struct option options[] = {CLIENT_SOCKET_OPTION(c.socket), {"json", NULL, &l.json, NULL}};
    if (options_parse(command_find("status"), argc, argv, options, 2) > 1)
        return usage("status", "it takes no argument");
    int status = client_call(&c, "status", NULL);
    put(&l.out, stdout);
    buf_free(&l.out);
    return status;
}
