#include "daemon/set.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/link_io.h"
#include "builder/build.h"
#include "daemon/children.h"
#include "daemon/roles.h"
#include "daemon/secrets.h"
#include "daemon/sockets.h"

static void drop(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

static struct set *set_create(uint64_t number, enum set_source source)
{
    struct set *s = mem_alloc(sizeof *s);
    s->number = number;
    s->source = source;
    s->channel = s->relay_end = s->program = s->settings_fd = -1;
    s->arena = arena_create();
    return s;
}

void set_free(struct set **at)
{
    struct set *s = *at;
    *at = NULL;
    if (!s) return;
    for (size_t i = 0; s->bindings && i < s->settings.listener_count; i++) {
        drop(&s->bindings[i].socket);
        drop(&s->bindings[i].certificate);
        drop(&s->bindings[i].key);
    }
    for (size_t i = 0; s->passwords && i < s->settings.connector_count; i++) drop(&s->passwords[i]);
    drop(&s->channel);
    drop(&s->relay_end);
    drop(&s->program);
    drop(&s->settings_fd);
    buf_free(&s->text);
    arena_free(&s->arena);
    free(s);
}

struct set *set_start(int self, uint64_t number, enum set_source source, const char *path, int program, struct err *e)
{
    struct set *s = set_create(number, source);
    int supervisor[2] = {-1, -1}, relay[2] = {-1, -1};
    char generation[24];
    snprintf(generation, sizeof generation, "%llu", (unsigned long long)number);
    bool ok = link_pair(supervisor, e) && link_pair(relay, e);
    if (ok) {
        bool given = program >= 0;
        const char *const arguments[] = {generation, given ? "program" : "file", path, NULL};
        const int fds[] = {supervisor[1], relay[1], program};
        s->pid = child_start(self, "template", arguments, fds, given ? 3 : 2, e);
        ok = s->pid > 0;
    }
    drop(&supervisor[1]);
    drop(&relay[1]);
    s->channel = supervisor[0];
    s->relay_end = relay[0];
    if (!ok || !link_greet(s->channel, role_build_id(), e)) set_free(&s);
    return s;
}

bool set_take(struct set *s, struct str text, int fds[4], struct err *e)
{
    struct buf block = {0};
    if (fds[0] < 0 || fds[1] < 0) return err_set(e, EX_SOFTWARE, "the template sent no settings");
    s->settings_fd = fds[0];
    s->program = fds[1];
    fds[0] = fds[1] = -1;
    buf_add(&s->text, text);
    bool ok = build_read_fd(s->settings_fd, LIMIT_SETTINGS_BLOCK, &block, e) &&
              settings_decode(s->arena, buf_str(&block), &s->settings, e);
    buf_free(&block);
    return ok;
}

bool set_needs_restart(const struct set *old, const struct set *new, struct err *e)
{
    const struct settings *a = &old->settings, *b = &new->settings;
    const struct {
        const char *name;
        struct str was, is;
    } rows[] = {{"hostname", a->hostname, b->hostname},
                {"state", a->state, b->state},
                {"control", a->control, b->control},
                {"user", a->user, b->user},
                {"judge_user", a->judge_user, b->judge_user},
                {"sandbox", a->sandbox ? STR("on") : STR("off"), b->sandbox ? STR("on") : STR("off")}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (str_eq(rows[i].was, rows[i].is)) continue;
        err_set(e, EX_CONFIG, "relay %s changed from \"%.*s\" to \"%.*s\": this needs a restart", rows[i].name,
                STR_ARG(rows[i].was), STR_ARG(rows[i].is));
        return true;
    }
    return false;
}

static const struct binding *find_name(const struct set *old, struct str name)
{
    for (size_t i = 0; old && i < old->settings.listener_count; i++)
        if (str_eq(old->settings.listeners[i].name, name)) return &old->bindings[i];
    return NULL;
}

static const struct binding *find_address(const struct set *old, const struct listener_settings *l)
{
    for (size_t i = 0; old && i < old->settings.listener_count; i++)
        if (old->settings.listeners[i].port == l->port && str_eq(old->settings.listeners[i].ip, l->ip))
            return &old->bindings[i];
    return NULL;
}

static int share(int fd) { return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0); }

void set_keep_keys(struct set *s, const struct set *before, struct str name)
{
    const struct binding *had = find_name(before, name);
    struct binding *now = (struct binding *)(uintptr_t)find_name(s, name);
    if (!had || !now || had->key < 0) return;
    drop(&now->certificate);
    drop(&now->key);
    now->certificate = share(had->certificate);
    now->key = share(had->key);
}

/* A certificate or key that cannot be read leaves the listener with those it has, and is told; without any the set is
 * refused: a listener that was to offer STARTTLS must not come up without. */
static bool read_keys(struct set *s, const struct listener_settings *l, const struct binding *had, struct binding *out,
                      struct err *e)
{
    struct err why = {0};
    char what[160];
    if (!l->certificate.n) return true;
    if (s->source == SET_PROGRAM && had && had->key >= 0) { /* what was in force, once more */
        out->certificate = share(had->certificate);
        out->key = share(had->key);
        return true;
    }
    snprintf(what, sizeof what, "listener \"%.*s\"", (int)(l->name.n > 100 ? 100 : l->name.n), l->name.p);
    out->certificate = secret_pem(arena_cstr(s->arena, l->certificate), what, &why);
    out->key = out->certificate < 0 ? -1 : secret_pem(arena_cstr(s->arena, l->key), what, &why);
    if (out->key >= 0) return true;
    drop(&out->certificate);
    if (!had || had->key < 0) return err_set(e, why.sysexit, "%s", why.text);
    out->certificate = share(had->certificate);
    out->key = share(had->key);
    buf_printf(&s->text, "%s; the certificate in use stays\n", why.text);
    return true;
}

/* A password is for whom it was read: the same user, and the same host by all that says who that is.  Kept for another
 * one under the same connector's name it would be told to a stranger. */
static bool is_same_login(const struct connector_settings *a, const struct connector_settings *b)
{
    return str_eq(a->name, b->name) && str_eq(a->user, b->user) && str_eq(a->host, b->host) && a->port == b->port &&
           str_eq(a->tls_name, b->tls_name) && str_eq(a->trust, b->trust);
}

static int password_before(const struct set *old, const struct connector_settings *k)
{
    for (size_t i = 0; old && i < old->settings.connector_count; i++) {
        if (is_same_login(&old->settings.connectors[i], k)) return old->passwords[i];
    }
    return -1;
}

/* As with certificates: a file that cannot be read leaves the password in use, and is told; without any the set is
 * refused. */
static bool read_passwords(struct set *s, const struct set *old, struct err *e)
{
    size_t n = s->settings.connector_count;
    s->passwords = ARENA_ARRAY(s->arena, int, n ? n : 1);
    for (size_t i = 0; i < n; i++) s->passwords[i] = -1;
    for (size_t i = 0; i < n; i++) {
        const struct connector_settings *k = &s->settings.connectors[i];
        struct err why = {0};
        int had = password_before(old, k);
        if (!k->user.n) continue;
        if (s->source == SET_PROGRAM && had >= 0) { /* what was in force, once more */
            s->passwords[i] = share(had);
            continue;
        }
        s->passwords[i] = secret_password(k, &why);
        if (s->passwords[i] >= 0) continue;
        if (had < 0) return err_set(e, why.sysexit, "%s", why.text);
        s->passwords[i] = share(had);
        buf_printf(&s->text, "%s; the password in use stays\n", why.text);
    }
    return true;
}

bool set_bind(struct set *s, const struct set *old, struct err *e)
{
    size_t n = s->settings.listener_count;
    s->bindings = ARENA_ARRAY(s->arena, struct binding, n ? n : 1);
    for (size_t i = 0; i < n; i++) s->bindings[i] = (struct binding){-1, -1, -1};
    for (size_t i = 0; i < n; i++) {
        const struct listener_settings *l = &s->settings.listeners[i];
        const struct binding *had = find_address(old, l);
        s->bindings[i].socket = had ? share(had->socket) : socket_listen(l, e);
        if (s->bindings[i].socket < 0) return had ? err_os(e, EX_OSERR, "sharing a listening socket") : false;
        if (!read_keys(s, l, find_name(old, l->name), &s->bindings[i], e)) return false;
    }
    return read_passwords(s, old, e);
}

bool set_send(struct set *s, int relay, struct err *e)
{
    struct link_message m = {.kind = LINK_BEGIN, .generation = s->number, .flags = s->last_accepted};
    m.name = m.text = STR("");
    bool ok = link_send(relay, &m, &s->settings_fd, 1, e);
    for (size_t i = 0; ok && i < s->settings.listener_count; i++) {
        const struct binding *b = &s->bindings[i];
        m.kind = LINK_LISTENER;
        m.name = s->settings.listeners[i].name;
        ok = link_send(relay, &m, (int[]){b->socket, b->certificate, b->key}, b->key >= 0 ? 3 : 1, e);
    }
    for (size_t i = 0; ok && i < s->settings.connector_count; i++) {
        if (s->passwords[i] < 0) continue;
        m.kind = LINK_PASSWORD;
        m.name = s->settings.connectors[i].name;
        ok = link_send(relay, &m, &s->passwords[i], 1, e);
    }
    m.name = STR("");
    m.kind = LINK_TEMPLATE;
    if (ok) ok = link_send(relay, &m, &s->relay_end, 1, e);
    m.kind = LINK_COMMIT;
    m.flags = s->rules;
    m.text = buf_str(&s->text);
    if (ok) ok = link_send(relay, &m, NULL, 0, e);
    drop(&s->relay_end);
    return ok;
}
