#include "tests/support/relay_rig.h"

#include <stdio.h>
#include <string.h>

#include "base/ip.h"
#include "base/log.h"

const char rig_mail[] =
    "From: a@corp.example\r\nTo: b@partner.example\r\nSubject: hello\r\n\r\nFirst line\r\n..dots\r\nlast\r\n";

static void on_stopped(void *owner, int status) { ((struct rig *)owner)->stopped = status; }

void rig_setup(struct rig *g)
{
    *g = (struct rig){.stopped = -1};
    g->memory = memory_create();
    g->memory->servers[0].port = RIG_PORT;
    g->memory->servers[1].port = RIG_SIDE_PORT;
    g->log = log_create(-1, LOG_LEVEL_DEBUG, false);
    uint8_t low[16], high[16];
    bool good = ip_range_parse(STR("10.0.0.0/8"), low, high, NULL);
    INVARIANT(good);
    memcpy(g->trusted.low, low, 16);
    memcpy(g->trusted.high, high, 16);
    g->our_domain = STR("corp.example");
    g->side_domain = STR("side.example");
    g->listener = (struct listener_settings){.name = STR("inbound"), .ip = STR("127.0.0.1"), .port = 2525};
    g->connectors[0] =
        (struct connector_settings){.name = STR("default"), .host = STR("mx.partner.example"), .port = RIG_PORT};
    g->connectors[1] =
        (struct connector_settings){.name = STR("side"), .host = STR("mx.side.example"), .port = RIG_SIDE_PORT};
    g->settings = (struct settings){.hostname = STR("relay.corp.example"),
                                    .state = STR("/state"),
                                    .control = STR("/control"),
                                    .sandbox = true,
                                    .memory = 64 * 1024 * 1024,
                                    .free_space = 1024 * 1024,
                                    .message_size = 10 * 1024 * 1024,
                                    .judges = 1,
                                    .retry_first = 60,
                                    .retry_most = 3600,
                                    .retry_until = 7200};
}

static void point(struct rig *g)
{
    g->listener.relay_for = (struct address_ranges){&g->trusted, 1};
    g->listener.domains = (struct domain_set){&g->our_domain, 1};
    g->connectors[1].domains = (struct domain_set){&g->side_domain, 1};
    g->settings.listeners = &g->listener;
    g->settings.listener_count = 1;
    g->settings.connectors = g->connectors;
    g->settings.connector_count = 2;
}

void rig_generation(struct rig *g, const char *certificate)
{
    struct memory *m = g->memory;
    struct buf block = {0};
    point(g);
    if (certificate) g->listener.certificate = g->listener.key = STR("tls/x.pem");
    settings_encode(&g->settings, &block);
    uint64_t n = ++g->generation;
    memory_link(m, &(struct link_message){.kind = LINK_BEGIN, .generation = n},
                (int[4]){memory_file(m, buf_str(&block)), -1, -1, -1});
    buf_free(&block);
    int fds[4] = {memory_socket(m, "inbound"), -1, -1, -1};
    if (certificate) {
        fds[1] = memory_file(m, str_of(certificate));
        fds[2] = memory_file(m, STR("key"));
    }
    memory_link(m, &(struct link_message){.kind = LINK_LISTENER, .generation = n, .name = STR("inbound")}, fds);
    if (g->password)
        memory_link(m, &(struct link_message){.kind = LINK_PASSWORD, .generation = n, .name = g->connectors[0].name},
                    (int[4]){memory_file(m, str_of(g->password)), -1, -1, -1});
    memory_link(m, &(struct link_message){.kind = LINK_TEMPLATE, .generation = n},
                (int[4]){memory_template(m), -1, -1, -1});
    memory_link(m, &(struct link_message){.kind = LINK_COMMIT, .generation = n}, (int[4]){-1, -1, -1, -1});
    memory_run(m);
}

static void begin(struct rig *g)
{
    g->ports = (struct relay_ports){.net = &g->memory->net,
                                    .store = &g->memory->store,
                                    .content = &g->memory->content,
                                    .log = g->log,
                                    .build_id = STR("build"),
                                    .judges = 1,
                                    .own_uid = 500,
                                    .stopped = on_stopped,
                                    .owner = g};
    g->relay = relay_create(&g->ports);
    relay_begin(g->relay, memory_supervisor(g->memory));
    int control[4] = {memory_socket(g->memory, "control"), -1, -1, -1};
    memory_link(g->memory, &(struct link_message){.kind = LINK_CONTROL}, control);
    rig_generation(g, NULL);
}

void rig_start(struct rig *g) { begin(g); }

void rig_restart(struct rig *g)
{
    relay_free(&g->relay);
    memory_crash(g->memory);
    begin(g);
}

void rig_teardown(struct rig *g)
{
    relay_free(&g->relay);
    memory_free(&g->memory);
    log_free(&g->log);
}

struct net_stream *rig_session(struct rig *g, const char *ip)
{
    struct net_stream *s = memory_dial(g->memory, "inbound", ip);
    INVARIANT(s != NULL);
    memory_say(g->memory, s, "EHLO client.example\r\n");
    memory_run(g->memory);
    memory_forget(s);
    return s;
}

const char *rig_send(struct rig *g, struct net_stream *s, const char *from, const char *to, const char *content)
{
    static char answer[1024];
    struct buf out = {0};
    buf_printf(&out, "MAIL FROM:<%s>\r\n", from);
    struct str rest = str_of(to), one;
    while (rest.n) {
        str_cut(rest, ',', &one, &rest);
        buf_printf(&out, "RCPT TO:<%.*s>\r\n", STR_ARG(one));
    }
    buf_printf(&out, "DATA\r\n");
    memory_forget(s);
    buf_add_byte(&out, '\0');
    memory_say(g->memory, s, out.p);
    memory_run(g->memory);
    if (strstr(memory_heard(s).p, "354 ")) {
        memory_forget(s);
        out.n = 0;
        /* Content as on the wire: lines that begin with a dot get one more. */
        for (const char *p = content; *p; p++) {
            if (*p == '.' && (p == content || p[-1] == '\n')) buf_add_byte(&out, '.');
            buf_add_byte(&out, *p);
        }
        buf_printf(&out, ".\r\n");
        buf_add_byte(&out, '\0');
        memory_say(g->memory, s, out.p);
        memory_run(g->memory);
    }
    buf_free(&out);
    snprintf(answer, sizeof answer, "%s", memory_heard(s).p);
    return answer;
}

const char *rig_ask(struct rig *g, struct net_stream *c, const char *request)
{
    memory_forget(c);
    memory_say(g->memory, c, request);
    memory_say(g->memory, c, "\n");
    memory_run(g->memory);
    return memory_heard(c).p;
}

bool rig_log_has(struct rig *g, const char *text) { return str_find(log_buffered(g->log), str_of(text)) != STR_NPOS; }

size_t rig_log_count(struct rig *g, const char *text)
{
    struct str rest = log_buffered(g->log);
    size_t n = 0;
    for (size_t at; (at = str_find(rest, str_of(text))) != STR_NPOS; n++) rest = str_from(rest, at + 1);
    return n;
}

size_t rig_mails(const struct rig *g, int server) { return g->memory->servers[server].mail_count; }

const char *rig_reason(const struct rig *g)
{
    static char reason[512];
    if (!memory_stored(g->memory)) return "nothing is stored";
    struct str s = memory_message(g->memory, 0)->recipients[0].reason;
    snprintf(reason, sizeof reason, "%.*s", STR_ARG(s));
    return reason;
}
