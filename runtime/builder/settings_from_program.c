/* The relay's settings, from the declarations of a verified program. */
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/ip.h"
#include "builder/build.h"
#include "mail/live_list.h"
#include "stdlib/ids.h"

#define DEFAULT_STATE   "/var/lib/sluice"
#define DEFAULT_CONTROL "/run/sluice/control.sock"

/* The default of each setting, as stdlib/declarations.def writes it; "" none. */
static const char *const defaults[DECLARATION_COUNT][DECLARATION_PARAMS_MAX] = {
#define DECLARATION(id, name, named, once, settings, doc, example)
#define SETTING(declaration, id, index, name, type, words, positional, required, many, value, doc)                     \
    [DECLARATION_##declaration][index] = value,
#include "stdlib/declarations.def"
#undef DECLARATION
#undef SETTING
};

struct reading {
    struct arena *a;
    const struct program *p;
    const struct declaration *d; /* NULL: not declared, only defaults */
    uint32_t id;
    struct err *e;
    struct str directory; /* where relative paths begin: of the configuration; empty: the current one */
};

static const struct constant *given(const struct reading *r, uint8_t setting)
{
    for (uint32_t i = 0; r->d && i < r->d->argument_count; i++) {
        const struct argument *a = &r->p->arguments[r->d->first_argument + i];
        if (a->param == setting && a->operand == OPERAND_CONSTANT) return &r->p->constants[a->index];
    }
    return NULL;
}

static struct str text_of(const struct reading *r, uint8_t setting)
{
    const struct constant *c = given(r, setting);
    return c ? c->text : str_of(defaults[r->id][setting]);
}

/* A relative path begins where the configuration stands, source or compiled. */
static struct str path_of(const struct reading *r, uint8_t setting)
{
    struct str path = text_of(r, setting);
    if (!path.n || path.p[0] == '/' || !r->directory.n) return path;
    return arena_printf(r->a, "%.*s%.*s", STR_ARG(r->directory), STR_ARG(path));
}

/* "256 MB", "5 days", "25": the few units that defaults are written in. */
static int64_t default_number(const char *text)
{
    static const struct {
        const char *unit;
        int64_t factor;
    } units[] = {{"", 1},        {"KB", 1 << 10}, {"MB", 1 << 20}, {"second", 1},
                 {"minute", 60}, {"hour", 3600},  {"day", 86400}};
    struct str s = str_of(text), number, unit;
    int64_t value = 0;
    str_cut(s, ' ', &number, &unit);
    if (str_ends(unit, STR("s"))) unit.n--;
    INVARIANT(str_to_i64(number, &value));
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (str_eq(unit, str_of(units[i].unit))) return value * units[i].factor;
    INVARIANT(!"a default in a unit that nobody taught the builder");
    return 0;
}

static int64_t number_of(const struct reading *r, uint8_t setting)
{
    const struct constant *c = given(r, setting);
    return c ? c->number : default_number(defaults[r->id][setting]);
}

static uint32_t small_number_of(const struct reading *r, uint8_t setting)
{
    int64_t n = number_of(r, setting);
    return n < 0 ? 0 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

/* The place of a word among the row's words, counted from 0; `otherwise` when it is not given and has no default. */
static uint8_t word_of(const struct reading *r, uint8_t setting, const char *const *words, size_t n, uint8_t otherwise)
{
    struct str word = text_of(r, setting);
    for (size_t i = 0; i < n; i++)
        if (str_eq_nocase(word, str_of(words[i]))) return (uint8_t)i;
    return otherwise;
}

static const struct program_list *list_of(const struct reading *r, uint8_t setting)
{
    const struct constant *c = given(r, setting);
    return c ? program_find_list(r->p, c->text) : NULL;
}

static struct domain_set domains_of(const struct reading *r, uint8_t setting)
{
    const struct program_list *list = list_of(r, setting);
    struct domain_set out = {0};
    if (!list) return out;
    out.v = ARENA_ARRAY(r->a, struct str, list->count ? list->count : 1);
    out.n = list->count;
    for (uint32_t i = 0; i < list->count; i++) out.v[i] = r->p->constants[list->first + i].text;
    return out;
}

static struct address_ranges ranges_of(const struct reading *r, uint8_t setting)
{
    const struct program_list *list = list_of(r, setting);
    struct address_ranges out = {0};
    if (!list) return out;
    out.v = ARENA_ARRAY(r->a, struct address_range, list->count ? list->count : 1);
    out.n = list->count;
    for (uint32_t i = 0; i < list->count; i++) {
        const struct constant *c = &r->p->constants[list->first + i];
        memcpy(out.v[i].low, c->low, sizeof c->low);
        memcpy(out.v[i].high, c->high, sizeof c->high);
    }
    return out;
}

/* "127.0.0.1:25", "[::1]:25" */
static bool endpoint_of(const struct reading *r, uint8_t setting, struct str *ip, uint16_t *port)
{
    struct str text = text_of(r, setting);
    size_t colon = str_rfind_byte(text, ':');
    uint64_t number = 0;
    uint8_t bytes[IP_SIZE];
    *ip = str_slice(text, 0, colon == STR_NPOS ? 0 : colon);
    if (ip->n > 2 && ip->p[0] == '[' && ip->p[ip->n - 1] == ']') *ip = str_slice(*ip, 1, ip->n - 1);
    if (colon == STR_NPOS || !ip_parse(*ip, bytes) || !str_to_u64(str_from(text, colon + 1), &number) || number < 1 ||
        number > 65535)
        return err_set(r->e, EX_CONFIG, "listener \"%.*s\": the address \"%.*s\" is not an IP address and a port",
                       STR_ARG(r->d->name), STR_ARG(text));
    *port = (uint16_t)number;
    return true;
}

static uint64_t message_size_of(const struct reading *r)
{
    int64_t n = number_of(r, SETTING_RELAY_MESSAGE_SIZE);
    return n > 0 ? (uint64_t)n : 0;
}

static void read_relay(const struct reading *r, struct settings *out)
{
    static const char *const sandbox[] = {"on", "off"}, *const partial[] = {"", "whole", "dsn", "drop"},
                      *const log[] = {"text", "json"}, *const evidence[] = {"excerpt", "place", "off"};
    struct str state = path_of(r, SETTING_RELAY_STATE), control = path_of(r, SETTING_RELAY_CONTROL);
    out->hostname = text_of(r, SETTING_RELAY_HOSTNAME);
    out->state = state.n ? state : STR(DEFAULT_STATE);
    out->control = control.n ? control : STR(DEFAULT_CONTROL);
    out->user = text_of(r, SETTING_RELAY_USER);
    out->judge_user = text_of(r, SETTING_RELAY_JUDGE_USER);
    out->internal = domains_of(r, SETTING_RELAY_INTERNAL);
    out->sandbox = word_of(r, SETTING_RELAY_SANDBOX, sandbox, 2, 0) == 0;
    out->memory = (uint64_t)number_of(r, SETTING_RELAY_MEMORY);
    out->free_space = (uint64_t)number_of(r, SETTING_RELAY_FREE_SPACE);
    out->message_size = message_size_of(r);
    out->judges = small_number_of(r, SETTING_RELAY_JUDGES);
    out->resolver = text_of(r, SETTING_RELAY_RESOLVER);
    out->trust_anchor = path_of(r, SETTING_RELAY_TRUST_ANCHOR);
    out->log_json = word_of(r, SETTING_RELAY_LOG_FORMAT, log, 2, 0) == 1;
    out->evidence = word_of(r, SETTING_RELAY_EVIDENCE, evidence, 3, 0);
    out->partial_reject = word_of(r, SETTING_RELAY_PARTIAL_REJECT, partial, 4, 0);
}

static bool read_listener(const struct reading *r, struct listener_settings *out)
{
    static const char *const tls[] = {[LISTENER_TLS_OFFERED] = "offered",
                                      [LISTENER_TLS_REQUIRED] = "required",
                                      [LISTENER_TLS_IMPLICIT] = "implicit"};
    static const char *const auth[] = {[LISTENER_AUTH_OFF] = "off",
                                       [LISTENER_AUTH_OFFERED] = "offered",
                                       [LISTENER_AUTH_REQUIRED] = "required"};
    out->name = r->d->name;
    out->certificate = path_of(r, SETTING_LISTENER_CERTIFICATE);
    out->key = path_of(r, SETTING_LISTENER_KEY);
    out->relay_for = ranges_of(r, SETTING_LISTENER_RELAY_FOR);
    out->domains = domains_of(r, SETTING_LISTENER_DOMAINS);
    out->tls = word_of(r, SETTING_LISTENER_TLS, tls, 3, LISTENER_TLS_OFFERED);
    out->auth = word_of(r, SETTING_LISTENER_AUTH, auth, 3, LISTENER_AUTH_OFF);
    out->proxy_from = ranges_of(r, SETTING_LISTENER_PROXY_FROM);
    out->xclient_from = ranges_of(r, SETTING_LISTENER_XCLIENT_FROM);
    out->sessions = small_number_of(r, SETTING_LISTENER_SESSIONS);
    out->client_sessions = small_number_of(r, SETTING_LISTENER_CLIENT_SESSIONS);
    out->client_connects = small_number_of(r, SETTING_LISTENER_CLIENT_CONNECTS);
    out->client_messages = small_number_of(r, SETTING_LISTENER_CLIENT_MESSAGES);
    out->client_recipients = small_number_of(r, SETTING_LISTENER_CLIENT_RECIPIENTS);
    out->patience = small_number_of(r, SETTING_LISTENER_PATIENCE);
    out->least_rate = small_number_of(r, SETTING_LISTENER_LEAST_RATE);
    return endpoint_of(r, SETTING_LISTENER_ADDRESS, &out->ip, &out->port);
}

static bool read_connector(const struct reading *r, struct connector_settings *out)
{
    static const char *const tls[] = {[CONNECTOR_TLS_OPPORTUNISTIC] = "opportunistic",
                                      [CONNECTOR_TLS_NONE] = "none",
                                      [CONNECTOR_TLS_ENCRYPT] = "encrypt",
                                      [CONNECTOR_TLS_VERIFIED] = "verified"};
    int64_t port = number_of(r, SETTING_CONNECTOR_PORT);
    out->name = r->d->name;
    out->host = text_of(r, SETTING_CONNECTOR_HOST);
    out->tls_name = text_of(r, SETTING_CONNECTOR_NAME);
    out->trust = path_of(r, SETTING_CONNECTOR_TRUST);
    out->domains = domains_of(r, SETTING_CONNECTOR_DOMAINS);
    out->tls = word_of(r, SETTING_CONNECTOR_TLS, tls, CONNECTOR_TLS_VERIFIED + 1, UINT8_MAX);
    out->user = text_of(r, SETTING_CONNECTOR_USER);
    out->password_file = path_of(r, SETTING_CONNECTOR_PASSWORD_FILE);
    if (out->user.n && !given(r, SETTING_CONNECTOR_TLS)) out->tls = CONNECTOR_TLS_VERIFIED;
    out->port = (uint16_t)port;
    if (port < 1 || port > 65535 || out->tls == UINT8_MAX)
        return err_set(r->e, EX_CONFIG, "connector \"%.*s\": port or tls are not usable", STR_ARG(r->d->name));
    bool sound = !out->user.n == !out->password_file.n &&
                 (!out->user.n || (out->host.n && out->tls == CONNECTOR_TLS_VERIFIED));
    if (!sound) /* the compiler says it better; a compiled program may say anything */
        return err_set(r->e, EX_CONFIG, "connector \"%.*s\": user needs password_file, host and verified TLS",
                       STR_ARG(r->d->name));
    return true;
}

static void read_retry(const struct reading *r, struct settings *out)
{
    out->retry_first = small_number_of(r, SETTING_RETRY_FIRST);
    out->retry_most = small_number_of(r, SETTING_RETRY_LONGEST);
    out->retry_until = small_number_of(r, SETTING_RETRY_UNTIL);
    out->retry_notice = small_number_of(r, SETTING_RETRY_NOTICE);
}

/* A connector's own schedule, else the relay's: which may stand behind it in the file. */
static void read_own_retry(const struct reading *r, const struct settings *all, struct connector_settings *out)
{
    out->retry_first =
        given(r, SETTING_CONNECTOR_FIRST) ? small_number_of(r, SETTING_CONNECTOR_FIRST) : all->retry_first;
    out->retry_most =
        given(r, SETTING_CONNECTOR_LONGEST) ? small_number_of(r, SETTING_CONNECTOR_LONGEST) : all->retry_most;
    out->retry_until =
        given(r, SETTING_CONNECTOR_UNTIL) ? small_number_of(r, SETTING_CONNECTOR_UNTIL) : all->retry_until;
    out->retry_notice =
        given(r, SETTING_CONNECTOR_NOTICE) ? small_number_of(r, SETTING_CONNECTOR_NOTICE) : all->retry_notice;
}

static bool read_declaration(struct reading *r, struct settings *out)
{
    switch (r->id) {
    case DECLARATION_RELAY: read_relay(r, out); return true;
    case DECLARATION_LISTENER: return read_listener(r, &out->listeners[out->listener_count++]);
    case DECLARATION_CONNECTOR: return read_connector(r, &out->connectors[out->connector_count++]);
    case DECLARATION_RETRY: read_retry(r, out); return true;
    default: return true;
    }
}

static void read_live_lists(struct arena *a, const struct program *p, struct settings *out)
{
    static const uint8_t types[] = {[TYPE_TEXT] = LIVE_TEXT,
                                    [TYPE_ADDRESS] = LIVE_ADDRESS,
                                    [TYPE_DOMAIN] = LIVE_DOMAIN,
                                    [TYPE_NETWORK] = LIVE_NETWORK};
    out->live_lists = ARENA_ARRAY(a, struct live_list_settings, LIVE_LISTS_MAX);
    for (uint32_t i = 0; i < p->lists_count && out->live_list_count < LIVE_LISTS_MAX; i++) {
        const struct program_list *l = &p->lists[i];
        if (l->table.n)
            out->live_lists[out->live_list_count++] = (struct live_list_settings){l->name, l->table, types[l->type]};
    }
}

static void read_rules(struct arena *a, const struct program *p, struct settings *out)
{
    static const char *const modes[] = {[MODE_ENFORCE] = "enforce",
                                        [MODE_AUDIT] = "audit",
                                        [MODE_AUDIT_AND_NOTIFY] = "audit_and_notify",
                                        [MODE_OFF] = "off"};
    out->files = ARENA_ARRAY(a, struct str, p->sources_count + 1u);
    out->rules = ARENA_ARRAY(a, struct rule_settings, p->rules_count + 1u);
    for (uint32_t i = 0; i < p->sources_count; i++) out->files[out->file_count++] = p->sources[i].name;
    for (uint32_t i = 0; i < p->rules_count; i++) {
        const struct rule *r = &p->rules[i];
        out->rules[out->rule_count++] =
            (struct rule_settings){r->identity, str_of(modes[r->mode]), r->origin.source, r->origin.line};
    }
}

bool settings_declared(struct arena *a, const struct program *p, const char *config, struct settings *out,
                       struct err *e)
{
    struct str whole = config ? str_of(config) : STR_NONE;
    size_t slash = str_rfind_byte(whole, '/');
    struct str directory = slash == STR_NPOS ? STR_NONE : str_slice(whole, 0, slash + 1);
    memset(out, 0, sizeof *out);
    out->listeners = ARENA_ARRAY(a, struct listener_settings, p->declarations_count + 1u);
    out->connectors = ARENA_ARRAY(a, struct connector_settings, p->declarations_count + 1u);
    read_retry(&(struct reading){a, p, NULL, DECLARATION_RETRY, e, directory}, out);
    for (uint32_t i = 0; i < p->declarations_count; i++) {
        struct reading r = {a, p, &p->declarations[i], p->declarations[i].declaration, e, directory};
        if (!read_declaration(&r, out)) return false;
    }
    read_live_lists(a, p, out);
    read_rules(a, p, out);
    for (uint32_t i = 0, n = 0; i < p->declarations_count; i++) {
        if (p->declarations[i].declaration != DECLARATION_CONNECTOR) continue;
        struct reading r = {a, p, &p->declarations[i], DECLARATION_CONNECTOR, e, directory};
        read_own_retry(&r, out, &out->connectors[n++]);
    }
    return true;
}

bool settings_from_program(struct arena *a, const struct program *p, const char *config, struct settings *out,
                           struct err *e)
{
    bool relay = false;
    for (uint32_t i = 0; i < p->declarations_count; i++) relay |= p->declarations[i].declaration == DECLARATION_RELAY;
    if (!relay) return err_set(e, EX_CONFIG, "the configuration declares no relay: relay hostname \"…\"");
    if (!settings_declared(a, p, config, out, e)) return false;
    if (!out->listener_count)
        return err_set(e, EX_CONFIG, "the configuration declares no listener: listener \"inbound\" address \"…\"");
    return true;
}
