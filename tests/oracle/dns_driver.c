/* Asks net/dns what it is told on standard input: "RESOLVER [ANCHOR]" first, then "MX|A|AAAA NAME" lines; one line of
 * answer each, in order: "STATUS secure|insecure CANONICAL|- RECORD,RECORD". */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/ip.h"
#include "net/loop.h"
#include "net/warm.h"

static struct loop *loop;

static void on_answer(void *owner, const struct net_dns_answer *a)
{
    static const char *const words[] = {[NET_DNS_FOUND] = "FOUND", [NET_DNS_NO_DATA] = "NO_DATA",
                                        [NET_DNS_NO_DOMAIN] = "NO_DOMAIN", [NET_DNS_FAILED] = "FAILED",
                                        [NET_DNS_BOGUS] = "BOGUS"};
    const struct net_dns_query *q = owner;
    printf("%s %s %.*s ", words[a->status], a->secure ? "secure" : "insecure", a->canonical.n ? (int)a->canonical.n : 1,
           a->canonical.n ? a->canonical.p : "-");
    for (size_t i = 0; i < a->n; i++) {
        char ip[IP_TEXT_MAX];
        ip_print(a->v[i].ip, ip);
        if (q->kind == NET_DNS_MX)
            printf("%s%u:%.*s", i ? "," : "", (unsigned)a->v[i].preference, STR_ARG(a->v[i].name));
        else
            printf("%s%s", i ? "," : "", ip);
    }
    putchar('\n');
    fflush(stdout);
    loop_stop(loop);
}

static bool next_line(char *line, size_t size)
{
    if (!fgets(line, (int)size, stdin)) return false;
    line[strcspn(line, "\n")] = '\0';
    return true;
}

int main(void)
{
    char line[1024];
    struct err e = {0};
    struct str resolver, anchor;
    if (!net_warm(&e) || !(loop = loop_create(&e)) || !next_line(line, sizeof line)) return 1;
    const struct net_port *net = loop_port(loop);
    if (!str_cut(str_of(line), ' ', &resolver, &anchor)) anchor = STR("");
    if (!net->dns_use(net->self, resolver, anchor, &e)) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    while (next_line(line, sizeof line)) {
        static const char *const kinds[NET_DNS_KINDS] = {
            [NET_DNS_MX] = "MX", [NET_DNS_A] = "A", [NET_DNS_AAAA] = "AAAA"};
        struct net_dns_query q = {.done = on_answer, .owner = &q};
        struct str kind;
        str_cut(str_of(line), ' ', &kind, &q.name);
        while (q.kind < NET_DNS_KINDS - 1 && !str_eq(kind, str_of(kinds[q.kind]))) q.kind++;
        net->dns_ask(net->self, &q);
        loop_run(loop);
    }
    loop_free(&loop);
    return 0;
}
