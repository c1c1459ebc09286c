/* How a connection becomes a session: whose it is (PROXY, XCLIENT), whether it is let in, TLS first, the greeting. */
#include <string.h>

#include "relay/events.h"
#include "relay/receive.h"
#include "relay/session.h"
#include "smtp/proxy.h"
#include "smtp/reply.h"

static void set_ip(struct session *s, struct str ip)
{
    bool mapped = str_starts_nocase(ip, STR("::ffff:")) && str_find_byte(ip, '.') != STR_NPOS;
    if (mapped) ip = str_from(ip, 7);
    size_t n = ip.n < sizeof s->ip - 1 ? ip.n : sizeof s->ip - 1;
    if (n) memcpy(s->ip, ip.p, n);
    s->ip[n] = '\0';
    s->client.ip = (struct str){s->ip, n};
}

void session_identify(struct session *s)
{
    const struct listener_settings *l = s->listener->settings;
    s->client.listener = l->name;
    s->client.trusted = ranges_contain(&l->relay_for, s->client.ip);
}

void session_adopt_generation(struct session *s)
{
    struct generation *current = s->relay->current;
    if (s->generation == current) return;
    struct listener *l = generation_listener(current, s->listener->settings->name);
    if (!l) return;
    struct generation *old = s->generation;
    s->generation = generation_ref(current);
    s->listener = l;
    session_identify(s);
    generation_unref(&old);
}

bool session_may_count(struct session *s, enum client_count what)
{
    const struct listener_settings *l = s->listener->settings;
    const uint32_t most[CLIENT_COUNTS] = {[CLIENT_CONNECTS] = l->client_connects,
                                          [CLIENT_MESSAGES] = l->client_messages,
                                          [CLIENT_RECIPIENTS] = l->client_recipients};
    if (s->client.trusted) return true;
    return client_count(s->counted, what, most[what], relay_ms(s->relay));
}

/* --- the end before the beginning --------------------------------------------------------------------------------- */

void session_drop(struct session *s)
{
    s->closing = true;
    s->relay->net->stream_close(s->relay->net->self, s->stream);
    s->stream = NULL; /* only `closed` comes now */
}

static void turn_away(struct session *s, const char *what)
{
    struct relay *r = s->relay;
    struct buf line = {0};
    log_begin(r->ports.log, LOG_LEVEL_INFO, STR_NONE, "turned-away");
    log_str(r->ports.log, "client", s->client.ip);
    log_str(r->ports.log, "listener", s->client.listener);
    log_cstr(r->ports.log, "reason", what);
    log_end(r->ports.log);
    /* Where TLS comes first there is nobody yet who could read it. */
    if (s->listener->settings->tls != LISTENER_TLS_IMPLICIT) {
        smtp_reply_emit(&line, &(struct reply){421, STATUS(4, 7, 0), str_of(what)});
        r->net->stream_write(r->net->self, s->stream, buf_str(&line));
    }
    buf_free(&line);
    session_drop(s);
}

/* NULL: it may come in. */
static const char *why_not(struct session *s)
{
    const struct listener_settings *l = s->listener->settings;
    struct receive *rc = s->relay->receive;
    if (s->relay->stopping) return "Service shutting down";
    if (l->sessions && rc->sessions > l->sessions) return "Too many sessions, try again later";
    if (s->client.trusted) return NULL;
    if (l->client_sessions && client_sessions(s->counted) > l->client_sessions)
        return "Too many sessions from your address";
    return session_may_count(s, CLIENT_CONNECTS) ? NULL : "Too many connections from your address in this minute";
}

/* --- the way in --------------------------------------------------------------------------------------------------- */

void session_greet(struct session *s)
{
    const struct settings *settings = &s->generation->settings;
    const struct listener_settings *l = s->listener->settings;
    bool tls = s->listener->tls != NULL;
    s->server = smtp_server_create(&(struct smtp_server_options){
        .hostname = settings->hostname,
        .starttls = tls && l->tls != LISTENER_TLS_IMPLICIT,
        .tls = l->tls == LISTENER_TLS_IMPLICIT,
        .tls_required = l->tls == LISTENER_TLS_REQUIRED,
        .requiretls = tls,
        .auth = tls && l->auth != LISTENER_AUTH_OFF,
        .auth_required = l->auth == LISTENER_AUTH_REQUIRED,
        .dsn = true,
        .smtputf8 = true,
        .binarymime = true,
        .xclient = ranges_contain(&l->xclient_from, s->client.ip),
        .message_size = settings->message_size,
        .recipient_limit = LIMIT_RECIPIENTS,
    });
    if (s->before_greeting.n) smtp_server_feed(s->server, buf_str(&s->before_greeting));
    session_run(s);
    buf_free(&s->before_greeting);
}

static void enter(struct session *s)
{
    const struct net_port *net = s->relay->net;
    session_identify(s);
    s->counted = clients_enter(s->relay->receive->clients, s->client.ip, relay_ms(s->relay));
    const char *reason = why_not(s);
    if (reason) {
        turn_away(s, reason);
    } else if (s->listener->settings->tls != LISTENER_TLS_IMPLICIT) {
        session_greet(s);
    } else if (!s->listener->tls || s->before_greeting.n) {
        /* Bytes that came with the PROXY header would be lost to TLS. */
        turn_away(s, s->listener->tls ? "the TLS handshake began too early" : "no certificate for implicit TLS");
    } else {
        net->stream_tls_server(net->self, s->stream, s->listener->tls);
    }
}

void session_read_proxy(struct session *s, struct str bytes)
{
    struct proxy_header header;
    buf_add(&s->before_greeting, bytes);
    switch (proxy_read(buf_str(&s->before_greeting), &header)) {
    case PROXY_MORE: return;
    case PROXY_BAD: turn_away(s, "A PROXY header was expected"); return;
    case PROXY_DONE: break;
    }
    buf_consume(&s->before_greeting, header.size);
    if (!header.local) set_ip(s, str_of(header.ip));
    enter(s);
}

void session_arrive(struct session *s, struct str peer)
{
    const struct net_port *net = s->relay->net;
    set_ip(s, peer);
    if (!ranges_contain(&s->listener->settings->proxy_from, s->client.ip)) {
        enter(s);
        return;
    }
    net->stream_read(net->self, s->stream, true);
    s->reading = true;
}

void session_speaks_for(struct session *s, const struct smtp_server_xclient *x)
{
    struct clients *table = s->relay->receive->clients;
    /* A client that the proxy does not know is nobody's: neither trusted nor told from others. */
    if (x->ip.n || x->unknown) {
        set_ip(s, x->ip);
        clients_leave(table, s->counted);
        s->counted = clients_enter(table, s->client.ip, relay_ms(s->relay));
    }
    s->helo.n = s->user.n = 0;
    buf_add(&s->helo, x->helo);
    buf_add(&s->user, x->login);
    s->client.helo = buf_str(&s->helo);
    s->client.user = buf_str(&s->user);
    session_identify(s);
}
